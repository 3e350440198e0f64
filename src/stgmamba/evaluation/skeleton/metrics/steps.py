"""SC: do the feet land on musical beats?

On ballroom dances BC hardly tells real dances from shifted ones; foot strikes do.
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
    """The SC that the same dance reaches when shifted at random."""
    return floor(foot_strikes(at_25_fps(skeleton)), beats, skeleton.seconds, np.random.default_rng(seed))
