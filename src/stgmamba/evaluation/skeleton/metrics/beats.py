"""BC: do the moments at which a dance halts fall on musical beats? And the floor that chance reaches."""

from __future__ import annotations

import numpy as np

from stgmamba.arrays import DoubleArray
from stgmamba.evaluation.skeleton.metrics.features import at_25_fps
from stgmamba.skeleton import Skeleton
from stgmamba.skeleton.motion_events import kinematic_beats

SIGMA = 0.1
SHIFTS = 40


def consistency(events: DoubleArray, beats: DoubleArray, sigma: float = SIGMA) -> float:
    """Mean over events k of exp(-min_b |k - b|^2 / (2 sigma^2)), 0..1 (method, section 4; Li et al. 2021).

    Only events from half a beat before the first beat to half a beat after the last are judged: trackers often
    leave out an intro or a fade-out, and silence about the beat is no verdict on the dance.

    Args:
        events: [K] seconds.
        beats: [B] seconds, rising.
        sigma: tolerance in seconds.

    Returns:
        0 when there is no event or no beat to judge by: who never steps is never in time. NaN for times not finite.
    """
    off = offsets(events, beats)
    return float(np.exp(-(off**2) / (2 * sigma**2)).mean()) if len(off) else 0.0


def offsets(events: DoubleArray, beats: DoubleArray) -> DoubleArray:
    """Seconds from the nearest beat to each event that is judged (see ``consistency``), [K'], positive when late."""
    events = _judged(events, beats)
    if len(events) == 0:
        return events
    nearest = np.abs(events[:, None] - beats[None, :]).argmin(axis=1)
    return np.asarray(events - beats[nearest], np.float64)


def phases(events: DoubleArray, beats: DoubleArray) -> DoubleArray:
    """How far each event that is judged lies on the way from its beat to the next, [K'], 0 <= phase < 1.

    Before the first and after the last beat the median interval is continued. Empty for fewer than two beats.
    """
    if len(beats) < 2:
        return np.zeros(0)
    events = _judged(events, beats)
    interval = np.median(np.diff(beats))
    count = np.interp(events, beats, np.arange(len(beats)))
    count += (np.minimum(events - beats[0], 0) + np.maximum(events - beats[-1], 0)) / interval
    phase = np.asarray(count % 1.0, np.float64)
    phase[phase >= 1.0] = 0.0  # rounding of what is just below 0
    return phase


def resultant(phases: DoubleArray) -> complex:
    """Mean of exp(2 pi i phase): its length is Rayleigh's R, 0 (spread evenly) .. 1 (all at one phase); 0 for none."""
    return complex(np.exp(2j * np.pi * phases).mean()) if len(phases) else 0j


def _judged(events: DoubleArray, beats: DoubleArray) -> DoubleArray:
    """The events from half a beat before the first beat to half a beat after the last."""
    if len(beats) == 0:
        return np.zeros(0)
    margin = np.median(np.diff(beats)) / 2 if len(beats) > 1 else np.inf
    # Negated, so that events that are not finite stay in and show.
    return np.asarray(events[~((events < beats[0] - margin) | (events > beats[-1] + margin))])


def floor(events: DoubleArray, beats: DoubleArray, seconds: float, rng: np.random.Generator) -> float:
    """What ``consistency`` is worth by chance: its mean over 40 random circular shifts of the same events.

    Args:
        events: [K] seconds, within 0..seconds.
        beats: [B] seconds.
        seconds: length of the dance; events pushed past its end come in again at its start.
        rng: draws the shifts.
    """
    shifts = rng.uniform(0.0, seconds, SHIFTS)
    return float(np.mean([consistency((events + shift) % seconds, beats) for shift in shifts]))


def beat_consistency(skeleton: Skeleton, beats: DoubleArray) -> float:
    """BC: ``consistency`` of the dance's kinematic beats. 0..1, higher is better; compare with ``beat_floor``."""
    return consistency(kinematic_beats(at_25_fps(skeleton)), beats)


def beat_floor(skeleton: Skeleton, beats: DoubleArray, seed: int = 0) -> float:
    """The BC that the same dance reaches when shifted at random."""
    return floor(kinematic_beats(at_25_fps(skeleton)), beats, skeleton.seconds, np.random.default_rng(seed))
