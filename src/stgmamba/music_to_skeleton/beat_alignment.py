"""Steps on the beat: a dance is stretched and squeezed in time, a little, so that its steps and halts fall on beats.

The network hears the beat, but half an hour of dances teaches it only loosely where feet land. What a motion editor
does by hand is done here by dynamic programming: every moment (a foot lands, the body halts) may come earlier or later
by up to a third of a second, neighbouring ones by nearly the same, and the offsets are taken that bring most moments
to a beat at the least change of speed. The dance keeps its length and all of its poses.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from stgmamba.skeleton.body import Body, rebuild
from stgmamba.skeleton.motion_events import foot_strikes, kinematic_beats
from stgmamba.skeleton.root_trajectory import Path
from stgmamba.skeleton.sequence import FloatArray, Skeleton

Array = NDArray[np.float64]

_REACH, _GRID = 0.32, 0.02  # seconds: largest offset, and between the offsets that are tried
_LIMIT = 0.3  # the dance never runs faster or slower than by this share
_STIFFNESS = 20.0  # price of a change of speed by its square and second, in moments on the beat
_NEAR = 0.1  # seconds from the beat at which a moment is worth exp(-1/2)
_SMOOTH = 0.12  # seconds over which the speed changes


def moments(dance: Skeleton) -> Array:
    """What should fall on beats: when feet land and when the body halts, seconds, rising, [K]."""
    return np.union1d(foot_strikes(dance), kinematic_beats(dance))


def time_map(events: Array, beats: Array, seconds: float, fps: float) -> Array:
    """Which moment of a dance to show at each frame, so that its moments fall on beats.

    Args:
        events: seconds of the dance that should fall on beats, rising, [K].
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
    offset = gaussian_filter1d(np.interp(times, knots, late), _SMOOTH * fps, mode="nearest")
    return np.maximum.accumulate(np.clip(times - offset, 0.0, times[-1]))


def retimed(poses: FloatArray, path: Path, frames: Array) -> tuple[FloatArray, Path]:
    """A dance with other timing.

    Args:
        poses: joints in the dancer's heading, [T, 22, 3].
        path: the path that carries them.
        frames: which frame to show when, fractions allowed, 0..T-1, [T'].

    Returns:
        Poses and path, T' frames; bones of the default body.
    """
    before = np.clip(frames.astype(int), 0, max(0, len(poses) - 2))
    after = np.minimum(before + 1, len(poses) - 1)
    share = (frames - before).astype(np.float32)

    def at(x: FloatArray) -> FloatArray:
        part = share.reshape(-1, *(1,) * (x.ndim - 1))
        return np.asarray((1 - part) * x[before] + part * x[after], np.float32)

    # Between two poses bones are a little short.
    return rebuild(at(poses), Body()), Path(at(path.position), at(path.heading))


def _offsets(events: Array, beats: Array) -> Array:
    """By how many seconds each moment is to come later, [K]: the best sequence (Viterbi)."""
    tried = np.arange(-_REACH, _REACH + _GRID / 2, _GRID)
    distance = _from_nearest(events[:, None] + tried, beats)  # [K, O]
    worth = np.exp(-(distance**2) / (2 * _NEAR**2))
    change = tried[None, :] - tried[:, None]  # from the row's offset to the column's
    best, came = worth[0], []
    for k in range(1, len(events)):
        gap = max(events[k] - events[k - 1], _GRID)
        price = np.where(np.abs(change) <= _LIMIT * gap + 1e-9, _STIFFNESS * change**2 / gap, np.inf)
        # Moments closer than the grid can only move together.
        total = best[:, None] - price
        came.append(total.argmax(axis=0))
        best = total.max(axis=0) + worth[k]
    path = [int(best.argmax())]
    for back in reversed(came):
        path.append(int(back[path[-1]]))
    return tried[path[::-1]]


def _from_nearest(times: Array, beats: Array) -> Array:
    """Seconds from the nearest beat, of times of any shape; its cost grows with the song and no faster."""
    after = np.searchsorted(beats, times).clip(1, max(1, len(beats) - 1))
    near = np.minimum(np.abs(times - beats[after - 1]), np.abs(times - beats[np.minimum(after, len(beats) - 1)]))
    return np.asarray(near, np.float64)
