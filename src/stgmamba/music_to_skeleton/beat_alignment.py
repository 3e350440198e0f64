"""Beat alignment: a time warp of a dance that brings its motion events onto musical beats.

Half an hour of training data teaches the network only loosely where feet land. As in motion editing by time warping,
every event (a foot strike, a kinematic beat) may move by up to a third of a second, neighbouring events by nearly the
same, and dynamic programming (Viterbi 1967) finds the offsets that bring most events to a beat at the least change of
speed. Length and poses of the dance are kept.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

from stgmamba.arrays import DoubleArray, FloatArray
from stgmamba.skeleton.body import Body, rebuild
from stgmamba.skeleton.motion_events import foot_strikes, kinematic_beats
from stgmamba.skeleton.root_trajectory import RootTrajectory
from stgmamba.skeleton.sequence import Skeleton

_MAX_OFFSET, _OFFSET_STEP = 0.32, 0.02  # seconds
_MAX_SPEED_CHANGE = 0.3  # share of the original speed
_STIFFNESS = 20.0  # cost of a squared change of speed per second, in units of one event on the beat
_SIGMA = 0.1  # seconds from the beat at which an event is worth exp(-1/2), as in beat consistency
_SMOOTHING = 0.12  # seconds, Gaussian, over which the speed changes


def motion_events(dance: Skeleton) -> DoubleArray:
    """Foot strikes and kinematic beats of a dance, seconds, rising, [K]."""
    return np.union1d(foot_strikes(dance), kinematic_beats(dance))


def time_warp(events: DoubleArray, beats: DoubleArray, seconds: float, fps: float) -> DoubleArray:
    """For each output frame the time of the original dance, such that its events fall on beats.

    Args:
        events: seconds in the dance, rising, [K].
        beats: seconds of the song's beats, rising, [B].
        seconds: length of the dance.
        fps: frames per second of the result.

    Returns:
        Seconds of the dance [round(seconds fps)], never falling, from 0; the identity without events or beats.
    """
    times = np.arange(max(1, round(seconds * fps))) / fps
    if len(events) == 0 or len(beats) == 0:
        return times
    shown = events + _offsets(events, beats)
    # From shown time back to the dance's own; the ends stay where they are.
    knots = np.concatenate([[min(0.0, shown[0] - 1)], shown, [max(seconds, shown[-1] + 1)]])
    late = np.concatenate([[0.0], shown - events, [0.0]])
    offset = gaussian_filter1d(np.interp(times, knots, late), _SMOOTHING * fps, mode="nearest")
    return np.maximum.accumulate(np.clip(times - offset, 0.0, times[-1]))


def retime(poses: FloatArray, trajectory: RootTrajectory, frames: DoubleArray) -> tuple[FloatArray, RootTrajectory]:
    """A dance with other timing.

    Args:
        poses: joints in the dancer's heading, [T, 22, 3].
        trajectory: the path that carries them.
        frames: original frame per output frame, fractions allowed, 0..T-1, [T'].

    Returns:
        Poses and path, T' frames; bones of the default body.
    """
    before = np.clip(frames.astype(int), 0, max(0, len(poses) - 2))
    after = np.minimum(before + 1, len(poses) - 1)
    share = (frames - before).astype(np.float32)

    def at(x: FloatArray) -> FloatArray:
        part = share.reshape(-1, *(1,) * (x.ndim - 1))
        return np.asarray((1 - part) * x[before] + part * x[after], np.float32)

    # Interpolation shortens bones.
    return rebuild(at(poses), Body()), RootTrajectory(at(trajectory.position), at(trajectory.heading))


def _offsets(events: DoubleArray, beats: DoubleArray) -> DoubleArray:
    """Offset of each event in seconds, [K], later is positive: the best sequence (Viterbi 1967)."""
    offsets = np.arange(-_MAX_OFFSET, _MAX_OFFSET + _OFFSET_STEP / 2, _OFFSET_STEP)
    distance = _distance_to_beat(events[:, None] + offsets, beats)  # [K, O]
    reward = np.exp(-(distance**2) / (2 * _SIGMA**2))
    change = offsets[None, :] - offsets[:, None]  # from the row's offset to the column's
    best, predecessors = reward[0], []
    for k in range(1, len(events)):
        gap = max(events[k] - events[k - 1], _OFFSET_STEP)
        cost = np.where(np.abs(change) <= _MAX_SPEED_CHANGE * gap + 1e-9, _STIFFNESS * change**2 / gap, np.inf)
        # Events closer than the grid can only move together.
        total = best[:, None] - cost
        predecessors.append(total.argmax(axis=0))
        best = total.max(axis=0) + reward[k]
    indices = [int(best.argmax())]
    for back in reversed(predecessors):
        indices.append(int(back[indices[-1]]))
    return offsets[indices[::-1]]


def _distance_to_beat(times: DoubleArray, beats: DoubleArray) -> DoubleArray:
    """Seconds from the nearest beat, of times of any shape, in O(log B) per time."""
    after = np.searchsorted(beats, times).clip(1, max(1, len(beats) - 1))
    near = np.minimum(np.abs(times - beats[after - 1]), np.abs(times - beats[np.minimum(after, len(beats) - 1)]))
    return np.asarray(near, np.float64)
