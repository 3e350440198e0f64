"""How the clock of a dance lies against that of its music.

Dancers step on the beat. If the times of foot strikes are put on the circle of the beat, they gather on one side of it
where the clocks agree; the Rayleigh statistic says how much (Mardia and Jupp, "Directional Statistics", 2000, section
6.3): under chance n R^2 is exponential with mean 1. The clock's scale is the one that gathers them most, the offset
brings their mean direction onto the beat. Offsets are known up to a whole beat; the smallest is taken.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from stgmamba.arrays import DoubleArray

SIGNIFICANT = 4.0
"""n R^2 from which on a fit is used: chance 1.8 % for one scale."""

_FEWEST = 8  # events, below which nothing is fitted
_SCALE_STEP = 0.0005


@dataclass(frozen=True)
class Sync:
    """The second of the song at second t of the dance is ``scale`` t + ``offset``.

    Attributes:
        scale: seconds of the song per second of the dance.
        offset: seconds.
        strength: n R^2 at that scale.
        events: number of events that were fitted.
        applied: whether the strength is significant; where it is not, scale is 1 and offset 0.
    """

    scale: float = 1.0
    offset: float = 0.0
    strength: float = 0.0
    events: int = 0
    applied: bool = False

    def facts(self) -> dict[str, float | bool]:
        """The attributes with the prefix ``sync_``."""
        return {f"sync_{name}": value for name, value in asdict(self).items()}


def fit_sync(
    events: DoubleArray, beats: DoubleArray, scales: tuple[float, float] = (1.0, 1.0), centre: float = 0.0
) -> Sync:
    """Scale and offset of the clock of a dance against its song.

    Args:
        events: times of foot strikes, or other movements that fall on beats, seconds of the dance, [N].
        beats: times of the beats, seconds of the song, rising, [K].
        scales: lowest and highest scale; where they differ, the strength needed for significance rises by the log of
            how many different scales there are to choose from.
        centre: offset near which the true one lies, to half a beat.
    """
    if len(events) < _FEWEST or len(beats) < 2:
        return Sync(events=len(events))
    low, high = scales
    candidates = np.linspace(low, high, max(1, round((high - low) / _SCALE_STEP)) + 1)
    resultants = np.array([_mean_direction(scale * events + centre, beats) for scale in candidates])
    best = int(np.abs(resultants).argmax())
    strength = len(events) * float(np.abs(resultants[best])) ** 2
    period = float(np.median(np.diff(beats)))
    # Scales that turn the last event by less than half a beat against the first are not different ones.
    different = max(1.0, 2 * (high - low) * float(np.ptp(events)) / period)
    if strength < SIGNIFICANT + np.log(different):
        return Sync(strength=strength, events=len(events))
    late = float(np.angle(resultants[best])) / (2 * np.pi) * period
    return Sync(float(candidates[best]), centre - late, strength, len(events), True)


def _mean_direction(times: DoubleArray, beats: DoubleArray) -> complex:
    """Mean of exp(2 pi i phase), the phase of each time between its beats; the ends' intervals are continued."""
    phase = np.interp(times, beats, np.arange(len(beats)))
    phase = phase + np.minimum(times - beats[0], 0) / (beats[1] - beats[0])
    phase = phase + np.maximum(times - beats[-1], 0) / (beats[-1] - beats[-2])
    return complex(np.exp(2j * np.pi * phase).mean())
