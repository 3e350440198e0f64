"""When the beats of a composed song are: steady, drifting, accelerating, breathing, jumping."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from stgmamba.arrays import DoubleArray

TempoKind = Literal["steady", "drift", "ramp", "rubato", "jump"]
"""``drift``: a band without a metronome; ``ramp``: one long change; ``jump``: another tempo from some bar on."""

TEMPO_KINDS: tuple[TempoKind, ...] = ("steady", "drift", "ramp", "rubato", "jump")
_PROBABILITIES = {"steady": 0.62, "drift": 0.18, "ramp": 0.07, "rubato": 0.05, "jump": 0.08}


@dataclass(frozen=True)
class Timing:
    """Times of all steps of a song.

    Attributes:
        beats: [K] seconds of consecutive beats; the first is the first of a bar and may be before 0.
        steps: in a beat.
        swing: how late every second step comes, in steps; only where a beat has four.
    """

    beats: DoubleArray
    steps: int
    swing: float

    def seconds(self, positions: DoubleArray) -> DoubleArray:
        """Times of positions, which are counted in steps from the first beat and may be fractions."""
        at = np.asarray(positions, np.float64)
        if self.steps == 4:
            at = at + self.swing * (np.floor(at) % 2 == 1)
        return np.interp(at / self.steps, np.arange(len(self.beats)), self.beats)


def choose_tempo_kind(rng: np.random.Generator, rubato: float) -> TempoKind:
    """A random kind of tempo; ``rubato`` is the style's probability of it."""
    if rng.random() < rubato:
        return "rubato"
    return TEMPO_KINDS[rng.choice(len(TEMPO_KINDS), p=[_PROBABILITIES[kind] for kind in TEMPO_KINDS])]


def beat_intervals(
    rng: np.random.Generator, kind: TempoKind, tempo: float, count: int, beats_per_bar: int, limits: tuple[float, float]
) -> DoubleArray:
    """Seconds between consecutive beats.

    Args:
        rng: source of randomness.
        kind: of tempo.
        tempo: beats per minute at the beginning.
        count: number of intervals.
        beats_per_bar: where a jump may be.
        limits: least and greatest tempo after a jump or a ramp.

    Returns:
        [count].
    """
    interval = np.full(count, 60 / tempo)
    if kind == "drift":
        # A walk of a third of a per cent per beat, pulled back so that it stays within a few per cent.
        walk, place = np.zeros(count), 0.0
        for i, step in enumerate(rng.normal(0, rng.uniform(0.001, 0.006), count)):
            place = 0.97 * place + step
            walk[i] = place
        interval *= np.exp(walk)
    elif kind == "ramp":
        change = float(rng.uniform(0.05, 0.25) * rng.choice([-1, 1]))
        goal = np.clip(tempo * np.exp(change), *limits)
        interval = 60 / np.linspace(tempo, goal, count)
    elif kind == "rubato":
        breath = np.convolve(rng.normal(0, 0.05, count + 7), np.ones(8) / np.sqrt(8), "valid")
        interval *= np.exp(breath[:count] * rng.uniform(0.3, 1.1))
    elif kind == "jump":
        bar = int(rng.integers(count // 4, max(count // 4 + 1, 3 * count // 4)) // beats_per_bar)
        change = float(rng.uniform(0.08, 0.4) * rng.choice([-1, 1]))
        if not limits[0] <= tempo * np.exp(change) <= limits[1]:
            change = -change
        interval[bar * beats_per_bar :] *= np.exp(-change)
    return interval
