"""SC: do the feet land on musical beats?

On ballroom dances BC hardly tells real dances from shifted ones; foot strikes do.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks

from stgmamba.evaluation.metrics.beats import consistency, floor, joint_speeds
from stgmamba.evaluation.metrics.features import FPS, Array
from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton
from stgmamba.skeleton.body import Body, measure

PROMINENCE = 0.25
LANDED = 0.35
_FEET = tuple(
    [OPENPOSE_18_FEET.index(f"{side}_{part}") for part in ("ankle", "heel", "toe")] for side in ("left", "right")
)


def foot_strikes(skeleton: Skeleton) -> Array:
    """Times in seconds at which a foot lands, both feet together, rising, [K].

    A foot's speed is the mean over ankle, heel and toe, smoothed by a Gaussian of one frame of 1/25 s. It lands where,
    after a swing peak of a prominence of 25 cm/s or more (for the reference body, otherwise in proportion to the
    leg), the speed first falls below 35 % of that peak, to a fraction of a frame (method, section 4).
    """
    prominence = PROMINENCE * measure(skeleton).leg / Body().leg
    speeds = joint_speeds(skeleton)
    strikes = [_landings(gaussian_filter1d(speeds[:, foot].mean(axis=1), 1.0), prominence) for foot in _FEET]
    return np.unique(np.concatenate(strikes)) / FPS


def step_consistency(skeleton: Skeleton, beats: Array) -> float:
    """SC: ``consistency`` of the foot strikes. 0..1, higher is better; compare with ``step_floor``."""
    return consistency(foot_strikes(skeleton), beats)


def step_floor(skeleton: Skeleton, beats: Array, seed: int = 0) -> float:
    """The SC that the same dance reaches when shifted at random."""
    return floor(foot_strikes(skeleton), beats, skeleton.seconds, np.random.default_rng(seed))


def _landings(speed: Array, prominence: float) -> Array:
    """Frames (fractions allowed) at which a speed [T] falls below 35 % of the peak before; one for each swing."""
    landings = []
    peaks = find_peaks(speed, prominence=prominence)[0]
    for peak, following in pairwise([*peaks, len(speed)]):
        threshold = LANDED * speed[peak]
        # A swing may have several peaks; its last one tells when it ends.
        below = np.flatnonzero(speed[peak:following] < threshold)
        if len(below):
            after = peak + below[0]
            landings.append(after - (threshold - speed[after]) / (speed[after - 1] - speed[after]))
    return np.asarray(landings, np.float64)
