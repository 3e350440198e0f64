"""Beat alignment: a time warp of a dance that moves its motion events onto the beats of the music.

Trained on half an hour of data, the network times foot strikes only roughly. Every motion event (foot strike or
kinematic beat) is assigned an offset of up to a third of a second. Dynamic programming (Viterbi 1967) finds the offsets
that maximise the consistency of events and beats minus a cost of speed changes. Length and poses of the dance do not
change.
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
_MAX_SPEED_CHANGE = 0.3  # relative to the original speed
_STIFFNESS = 20.0  # cost of a squared relative speed change per second, in units of the reward of an event on a beat
_SIGMA = 0.1  # seconds; an event at distance d from a beat has reward exp(-d^2 / 2 sigma^2), as in beat consistency
_EASE = 0.6  # seconds over which a dance sets out, and comes to rest
_HOLD = 0.4  # seconds, at least, for which the last pose is held
_SMOOTHING = 0.12  # seconds, standard deviation of the Gaussian that smooths the offsets over time


def motion_events(dance: Skeleton) -> DoubleArray:
    """Times of foot strikes and kinematic beats of a dance, seconds, ascending, [K]."""
    return np.union1d(foot_strikes(dance), kinematic_beats(dance))


def time_warp(events: DoubleArray, beats: DoubleArray, seconds: float, fps: float) -> DoubleArray:
    """Time warp that moves events onto beats: the time of the original dance for each output frame.

    Args:
        events: times of motion events, seconds, ascending, [K].
        beats: times of the beats, seconds, ascending, [B].
        seconds: length of the dance.
        fps: frames per second of the result.

    Returns:
        Seconds [round(seconds fps)], not decreasing, >= 0; the identity without events or beats.
    """
    times = np.arange(max(1, round(seconds * fps))) / fps
    if len(events) == 0 or len(beats) == 0:
        return times
    aligned = events + _offsets(events, beats)
    # The inverse map, from output time to the dance's; both ends are fixed.
    knots = np.concatenate([[min(0.0, aligned[0] - 1)], aligned, [max(seconds, aligned[-1] + 1)]])
    delays = np.concatenate([[0.0], aligned - events, [0.0]])
    delay = gaussian_filter1d(np.interp(times, knots, delays), _SMOOTHING * fps, mode="nearest")
    return np.maximum.accumulate(np.clip(times - delay, 0.0, times[-1]))


def ease_ends(seconds: float, beats: DoubleArray, fps: float) -> DoubleArray:
    """Time warp that lets a dance set out from a pose and come to rest on the last beat, where it holds its last one.

    Args:
        seconds: length of the dance.
        beats: times of the beats, seconds, ascending, [B]; without beats it comes to rest shortly before the end.
        fps: frames per second.

    Returns:
        The time of the original dance for each frame, seconds [round(seconds fps)], not decreasing; the identity but
        for the beginning and the end, and everywhere for a dance of less than four times their length.
    """
    times = np.arange(max(1, round(seconds * fps))) / fps
    if seconds < 4 * _EASE:
        return times
    # Speed rises linearly from 0 within _EASE, and falls likewise: half of that time passes in the original.
    eased = np.where(times < _EASE, _EASE / 2 + times**2 / (2 * _EASE), times)
    early = beats[(beats <= seconds - _HOLD) & (beats > seconds - 4 * _EASE)]
    end = float(early[-1]) if len(early) else seconds - _HOLD
    left = np.clip(end - times, 0, _EASE)
    return np.where(times > end - _EASE, end - _EASE / 2 - left**2 / (2 * _EASE), eased)


def retime(poses: FloatArray, trajectory: RootTrajectory, frames: DoubleArray) -> tuple[FloatArray, RootTrajectory]:
    """Resample a dance at fractional frames; linear interpolation would take a fifth of the jerk from it.

    Args:
        poses: joints in the body's heading, [T, 22, 3].
        trajectory: root trajectory, T frames.
        frames: frame of the dance per output frame, 0..T-1, [T'].

    Returns:
        Poses with the bone lengths of the default body, and root trajectory, T' frames.
    """
    # Interpolation shortens bones.
    positions = rebuild(interpolate(poses, frames), Body())
    return positions, RootTrajectory(interpolate(trajectory.position, frames), interpolate(trajectory.heading, frames))


def interpolate(x: FloatArray, frames: DoubleArray) -> FloatArray:
    """A series [T, ...] at fractional frames [T'], 0..T-1, by cubics through four frames (Catmull, Rom 1974)."""
    last = len(x) - 1
    lower = np.clip(frames.astype(int), 0, max(0, last - 1))
    u = (frames - lower).astype(np.float32).reshape(-1, *(1,) * (x.ndim - 1))
    weights = (
        u * (u * (2 - u) - 1) / 2,
        (u * u * (3 * u - 5) + 2) / 2,
        u * (u * (4 - 3 * u) + 1) / 2,
        u * u * (u - 1) / 2,
    )
    return np.asarray(
        sum(w * x[np.clip(lower + k, 0, last)] for k, w in zip((-1, 0, 1, 2), weights, strict=True)), np.float32
    )


def _offsets(events: DoubleArray, beats: DoubleArray) -> DoubleArray:
    """Offset of each event, seconds, positive for later, [K]: the sequence of maximum reward (Viterbi 1967)."""
    offsets = np.arange(-_MAX_OFFSET, _MAX_OFFSET + _OFFSET_STEP / 2, _OFFSET_STEP)
    distance = _distance_to_beat(events[:, None] + offsets, beats)  # [K, O]
    reward = np.exp(-(distance**2) / (2 * _SIGMA**2))
    change = offsets[None, :] - offsets[:, None]  # [from, to]
    best, predecessors = reward[0], []
    for k in range(1, len(events)):
        gap = max(events[k] - events[k - 1], _OFFSET_STEP)
        cost = np.where(np.abs(change) <= _MAX_SPEED_CHANGE * gap + 1e-9, _STIFFNESS * change**2 / gap, np.inf)
        # For events closer than the grid of offsets only change 0 is allowed.
        total = best[:, None] - cost
        predecessors.append(total.argmax(axis=0))
        best = total.max(axis=0) + reward[k]
    indices = [int(best.argmax())]
    for predecessor in reversed(predecessors):
        indices.append(int(predecessor[indices[-1]]))
    return offsets[indices[::-1]]


def _distance_to_beat(times: DoubleArray, beats: DoubleArray) -> DoubleArray:
    """Distance of times (any shape) to the nearest beat, seconds; O(log B) per time."""
    upper = np.searchsorted(beats, times).clip(1, max(1, len(beats) - 1))
    lower, upper = beats[upper - 1], beats[np.minimum(upper, len(beats) - 1)]
    return np.asarray(np.minimum(np.abs(times - lower), np.abs(times - upper)), np.float64)
