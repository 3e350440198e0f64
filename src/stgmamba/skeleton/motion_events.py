"""Motion events: the times at which feet land and at which the whole body is slowest.

Both are defined at 25 fps on 3-D joints of OPENPOSE_18_FEET. The metrics measure them (evaluation/skeleton/metrics),
and beat alignment moves them onto the beat (music_to_skeleton/beat_alignment.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import argrelmin, find_peaks

from stgmamba.arrays import DoubleArray
from stgmamba.options import FPS
from stgmamba.skeleton.body import Body, measure
from stgmamba.skeleton.layouts import OPENPOSE_18_FEET
from stgmamba.skeleton.sequence import Skeleton

_PROMINENCE = 0.25  # m/s, of a swing's peak in a foot's speed, for the reference body's leg
_STRIKE_RATIO = 0.35  # of the swing's peak, below which the foot has landed
_HALT_SECONDS = 0.1
_TEMPO_RANGE = (80.0, 160.0)  # beats per minute: one octave, so that no tempo competes with its double
_FEET = tuple(
    [OPENPOSE_18_FEET.index(f"{side}_{part}") for part in ("ankle", "heel", "toe")] for side in ("left", "right")
)


def joint_speeds(skeleton: Skeleton) -> DoubleArray:
    """Speed of each joint at each frame of 1/25 s by central differences, [T, J], m/s; 0 for a single frame."""
    positions = skeleton.resampled(FPS).positions.astype(np.float64)
    if len(positions) < 2:
        return np.zeros(positions.shape[:2])
    return np.asarray(np.linalg.norm(np.gradient(positions, axis=0), axis=-1) * FPS, np.float64)


def kinematic_beats(skeleton: Skeleton) -> DoubleArray:
    """Times in seconds at which the mean joint speed, smoothed by a Gaussian of 0.1 s, has a local minimum, [K].

    After Li et al., "AI Choreographer" (ICCV 2021).
    """
    speed = gaussian_filter1d(joint_speeds(skeleton).mean(axis=1), _HALT_SECONDS * FPS)
    return np.asarray(argrelmin(speed)[0] / FPS, np.float64)


def foot_strikes(skeleton: Skeleton) -> DoubleArray:
    """Times in seconds at which a foot lands, both feet together, rising, [K].

    A foot's speed is the mean over ankle, heel and toe, smoothed by a Gaussian of one frame of 1/25 s. It lands where,
    after a swing peak of a prominence of 25 cm/s or more (for the reference body, otherwise in proportion to the
    leg), the speed first falls below 35 % of that peak, to a fraction of a frame (ours; docs/method.md,
    metrics).
    """
    prominence = _PROMINENCE * measure(skeleton).leg / Body().leg
    speeds = joint_speeds(skeleton)
    strikes = [_strikes(gaussian_filter1d(speeds[:, foot].mean(axis=1), 1.0), prominence) for foot in _FEET]
    return np.unique(np.concatenate(strikes)) / FPS


def _strikes(speed: DoubleArray, prominence: float) -> DoubleArray:
    """Frames (fractions allowed) at which a speed [T] falls below 35 % of the peak before; one for each swing."""
    strikes = []
    peaks = find_peaks(speed, prominence=prominence)[0]
    for peak, following in pairwise([*peaks, len(speed)]):
        threshold = _STRIKE_RATIO * speed[peak]
        # A swing may have several peaks; its last one tells when it ends.
        below = np.flatnonzero(speed[peak:following] < threshold)
        if len(below):
            after = peak + below[0]
            strikes.append(after - (threshold - speed[after]) / (speed[after - 1] - speed[after]))
    return np.asarray(strikes, np.float64)


@dataclass(frozen=True)
class MotionTempo:
    """The tempo that a dance keeps by itself.

    Attributes:
        bpm: beats per minute.
        first_beat: seconds, 0..60 / bpm.
        strength: n R^2 of the Rayleigh test: about 1 by chance, the more the steadier.
    """

    bpm: float
    first_beat: float
    strength: float


def motion_tempo(skeleton: Skeleton) -> MotionTempo | None:
    """Tempo and phase at which foot strikes and halts coincide best; None where there are none.

    A Rayleigh test over tempos: the mean direction R of the n events' phases is longest at the tempo they keep.

    Args:
        skeleton: 3-D, OPENPOSE_18_FEET.
    """
    events = np.union1d(foot_strikes(skeleton), kinematic_beats(skeleton))
    if len(events) == 0:
        return None
    # A tempo that is off by this step drifts by a tenth of a beat over the dance.
    bpm = np.arange(*_TEMPO_RANGE, max(0.02, 6 / skeleton.seconds))
    phases = np.exp(2j * np.pi * events * bpm[:, None] / 60).sum(axis=1)
    best = int(np.abs(phases).argmax())
    period = 60 / float(bpm[best])
    first = float(np.angle(phases[best])) / (2 * np.pi) % 1 * period
    return MotionTempo(float(bpm[best]), first, float(np.abs(phases[best]) ** 2) / len(events))
