"""BC, the consistency of kinematic beats with musical beats, and its chance level, the floor."""

from __future__ import annotations

import numpy as np

from stgmamba.arrays import DoubleArray
from stgmamba.evaluation.skeleton.metrics.features import at_25_fps
from stgmamba.skeleton import Skeleton
from stgmamba.skeleton.motion_events import kinematic_beats

SIGMA = 0.1  # seconds
SHIFTS = 40


def consistency(events: DoubleArray, beats: DoubleArray) -> float:
    """Mean over events k of exp(-min_b |k - b|^2 / (2 SIGMA^2)), 0..1 (Li et al. 2021, beat alignment score).

    Only events from half a beat before the first beat to half a beat after the last are used: beat trackers often
    omit an intro or a fade-out.

    Args:
        events: [K] seconds.
        beats: [B] seconds, ascending.

    Returns:
        0 where there are no events or no beats; NaN where an event is not finite.
    """
    off = offsets(events, beats)
    return float(np.exp(-(off**2) / (2 * SIGMA**2)).mean()) if len(off) else 0.0


def offsets(events: DoubleArray, beats: DoubleArray) -> DoubleArray:
    """Seconds from the nearest beat to each event in range (see ``consistency``), [K'], positive for late events."""
    events = _in_range(events, beats)
    if len(events) == 0:
        return events
    nearest = np.abs(events[:, None] - beats[None, :]).argmin(axis=1)
    return np.asarray(events - beats[nearest], np.float64)


def phases(events: DoubleArray, beats: DoubleArray) -> DoubleArray:
    """Beat phases of the events in range (see ``consistency``), [K'], 0 <= phase < 1.

    Before the first and after the last beat the median interval is used. Empty for fewer than two beats.
    """
    if len(beats) < 2:
        return np.zeros(0)
    events = _in_range(events, beats)
    interval = np.median(np.diff(beats))
    count = np.interp(events, beats, np.arange(len(beats)))
    count += (np.minimum(events - beats[0], 0) + np.maximum(events - beats[-1], 0)) / interval
    phase = np.asarray(count % 1.0, np.float64)
    phase[phase >= 1.0] = 0.0  # rounding of values just below 0
    return phase


def resultant(phases: DoubleArray) -> complex:
    """Mean of exp(2 pi i phase): its modulus is Rayleigh's R, 0 (uniform) .. 1 (all phases equal); 0 for no phases."""
    return complex(np.exp(2j * np.pi * phases).mean()) if len(phases) else 0j


def _in_range(events: DoubleArray, beats: DoubleArray) -> DoubleArray:
    """The events from half a beat before the first beat to half a beat after the last."""
    if len(beats) == 0:
        return np.zeros(0)
    margin = np.median(np.diff(beats)) / 2 if len(beats) > 1 else np.inf
    # Negated comparison, so that events that are not finite remain and make the result NaN.
    return np.asarray(events[~((events < beats[0] - margin) | (events > beats[-1] + margin))])


def floor(events: DoubleArray, beats: DoubleArray, seconds: float, rng: np.random.Generator) -> float:
    """Chance level of ``consistency``: its mean over 40 random circular shifts of the events.

    Args:
        events: [K] seconds, within 0..seconds.
        beats: [B] seconds.
        seconds: length of the dance, period of the circular shift.
        rng: of the shifts.
    """
    shifts = rng.uniform(0.0, seconds, SHIFTS)
    return float(np.mean([consistency((events + shift) % seconds, beats) for shift in shifts]))


def beat_consistency(skeleton: Skeleton, beats: DoubleArray) -> float:
    """BC: ``consistency`` of the dance's kinematic beats. 0..1, higher is better; compare with ``beat_floor``."""
    return consistency(kinematic_beats(at_25_fps(skeleton)), beats)


def beat_floor(skeleton: Skeleton, beats: DoubleArray, seed: int = 0) -> float:
    """Chance level of BC: its mean over random circular shifts of the same dance."""
    return floor(kinematic_beats(at_25_fps(skeleton)), beats, skeleton.seconds, np.random.default_rng(seed))
