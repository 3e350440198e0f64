"""Repairs of captured and key-framed movement, by rule.

Published dances have faults that a network would learn: marker swaps and solver jumps of a single frame, takes that
begin with a calibration pose, stretches in which nothing moves, floors that wander, feet that slide as a whole.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter1d, label, median_filter, percentile_filter

from stgmamba.arrays import BoolArray, DoubleArray, FloatArray
from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton
from stgmamba.skeleton.body import FEET
from stgmamba.skeleton.foot_contacts import SOLE, remove_root_slide
from stgmamba.skeleton.root_trajectory import to_local, to_world

_MAX_SPEED = 10.0  # m/s against the pelvis; the hands of the fastest dancers of the data reach 8
_MAX_ROOT_SPEED = 4.0  # m/s of the pelvis
_SPIKE_SPEED, _SPIKE_RATIO = 3.5, 4.0  # m/s, and times the median around: a jump of one frame amid slow movement
_SPIKE_FRAMES = 13  # over which that median is taken
_END_FRAMES = 8  # at either end, within which a jump is trimmed away with all beyond it
_STILL_SPEED = 0.05  # m/s, of the mean joint
_STILL_SECONDS = 1.5  # a stretch so long in which nothing moves is no dance
_SHORTEST_SECONDS = 3.0  # pieces between still stretches that are shorter are dropped
_FLOOR_SECONDS = 8.0  # over which the floor's height is estimated
_SLIDING_SPEED = 0.3  # m/s, mean of the slowest low foot point; whole takes of more are corrected
_LOW = 0.06  # metres over the sole, below which a foot point may stand


def find_jumps(positions: DoubleArray, fps: float) -> BoolArray:
    """Steps from one frame to the next that no dancer can have made, [T-1].

    Args:
        positions: joints [T, J, 3] in metres, the first one the root.
        fps: frames per second.
    """
    root = positions[:, :1]
    joint = (np.linalg.norm(np.diff(positions - root, axis=0), axis=-1) * fps).max(axis=1)
    travel = np.linalg.norm(np.diff(root[:, 0], axis=0), axis=-1) * fps
    usual = median_filter(joint, _SPIKE_FRAMES, mode="nearest")
    spike = (joint > _SPIKE_SPEED) & (joint > _SPIKE_RATIO * usual)
    return np.asarray((joint > _MAX_SPEED) | (travel > _MAX_ROOT_SPEED) | spike, np.bool_)


def bridge_jumps(positions: DoubleArray, fps: float) -> tuple[DoubleArray, int]:
    """Trim jumps at the ends of a take and bridge those inside with splines.

    Args:
        positions: joints [T, J, 3] in metres, the first one the root.
        fps: frames per second.

    Returns:
        The repaired joints, and the number of frames that were trimmed from the beginning.
    """
    jumps = np.flatnonzero(find_jumps(positions, fps))
    steps = len(positions) - 1
    start = max((int(i) + 1 for i in jumps if i < _END_FRAMES), default=0)
    stop = min((int(i) + 1 for i in jumps if i >= steps - _END_FRAMES and i >= start), default=len(positions))
    repaired = positions[start:stop]
    good = np.ones(len(repaired), bool)
    for i in jumps[(jumps >= start) & (jumps < stop - 1)] - start:
        good[max(0, i - 1) : i + 3] = False
    if not good.size or good.all():
        return repaired, start
    good[[0, -1]] = True
    times = np.arange(len(repaired))
    return np.asarray(CubicSpline(times[good], repaired[good], axis=0)(times), np.float64), start


def moving_stretches(positions: DoubleArray, fps: float) -> list[tuple[int, int]]:
    """Frames (first, end) of the stretches of a take in which somebody dances.

    Args:
        positions: joints [T, J, 3] in metres.
        fps: frames per second.
    """
    speed = np.linalg.norm(np.gradient(positions, axis=0), axis=-1).mean(axis=1) * fps
    still = gaussian_filter1d(speed, 0.2 * fps) < _STILL_SPEED
    labels, count = label(still)
    for k in range(1, count + 1):
        if (labels == k).sum() < _STILL_SECONDS * fps:
            still[labels == k] = False
    labels, count = label(~still)
    pieces = [np.flatnonzero(labels == k) for k in range(1, count + 1)]
    return [(int(p[0]), int(p[-1]) + 1) for p in pieces if len(p) >= _SHORTEST_SECONDS * fps]


def level_floor(dance: Skeleton) -> Skeleton:
    """Put the floor, whose height wanders slowly, at y = 0: the lower foot rests on it in a fifth of the time or more.

    Args:
        dance: 3-D, OPENPOSE_18_FEET.
    """
    low = dance.positions[:, FEET, 1].min(axis=1)
    size = max(1, int(min(len(low), _FLOOR_SECONDS * dance.fps)))
    floor = gaussian_filter1d(percentile_filter(low, 20, size=size, mode="nearest"), size / 4, mode="nearest") - SOLE
    positions = dance.positions.copy()
    positions[..., 1] -= floor[:, None]
    return replace(dance, positions=positions)


def sliding_speed(positions: FloatArray, fps: float) -> float:
    """Mean horizontal speed of the slowest low foot point over time, m/s, of joints [T, 22, 3]; 0 where none is low."""
    feet = positions[:, FEET]
    speed = np.linalg.norm(np.diff(feet[..., [0, 2]], axis=0), axis=-1) * fps
    slowest = np.where(feet[1:, :, 1] < SOLE + _LOW, speed, np.inf).min(axis=1, initial=np.inf)
    slowest = slowest[np.isfinite(slowest)]
    return float(slowest.mean()) if len(slowest) else 0.0


def stop_sliding(dance: Skeleton) -> Skeleton:
    """A take whose feet slide as a whole, with its path corrected by that of the standing feet; others as they are.

    Args:
        dance: 3-D, OPENPOSE_18_FEET, floor at y = 0.
    """
    assert dance.layout == OPENPOSE_18_FEET
    if sliding_speed(dance.positions, dance.fps) <= _SLIDING_SPEED:
        return dance
    poses, trajectory = to_local(dance.positions, dance.fps)
    return replace(dance, positions=to_world(poses, remove_root_slide(dance.positions, trajectory, dance.fps)))
