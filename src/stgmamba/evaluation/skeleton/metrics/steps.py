"""SC, the consistency of foot strikes with musical beats, and its chance level, the floor.

On ballroom dances BC hardly separates real dances from shifted ones; SC does.
"""

from __future__ import annotations

import numpy as np

from stgmamba.arrays import DoubleArray
from stgmamba.evaluation.skeleton.metrics.beats import consistency, floor
from stgmamba.evaluation.skeleton.metrics.features import at_25_fps
from stgmamba.skeleton import Skeleton
from stgmamba.skeleton.motion_events import foot_strikes


def step_consistency(skeleton: Skeleton, beats: DoubleArray) -> float:
    """SC: ``consistency`` of the foot strikes. 0..1, higher is better; compare with ``step_floor``."""
    return consistency(foot_strikes(at_25_fps(skeleton)), beats)


def step_floor(skeleton: Skeleton, beats: DoubleArray, seed: int = 0) -> float:
    """Chance level of SC: its mean over random circular shifts of the same dance."""
    return floor(foot_strikes(at_25_fps(skeleton)), beats, skeleton.seconds, np.random.default_rng(seed))
