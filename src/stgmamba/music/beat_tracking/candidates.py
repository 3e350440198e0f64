"""What the decoded beats may be instead: other octaves, phases and subdivisions; and the evidence for each.

A decoder that looks at one beat after the other often finds the right grid and the wrong level of it: twice the tempo,
the off-beats, two notes of a triplet. Which level is the beat shows over a whole song.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from stgmamba.arrays import DoubleArray, FloatArray
from stgmamba.music.beat_tracking.decoder import FASTEST, SLOWEST
from stgmamba.music.beat_tracking.spectrogram import FPS, MELS

LEVELS = ((1, 1), (2, 2), (2, 1), (1, 2), (3, 1), (1, 3), (3, 2), (2, 3), (3, 4), (4, 3))
"""(n, m): each interval is divided into n, and every m-th of the new beats is kept, from any of the first m."""

LAGS = (1, 2, 3, 4, 6, 8)
"""Beats over which a song may repeat itself."""

_FRACTIONS = (0, 1 / 4, 1 / 3, 1 / 2, 2 / 3, 3 / 4)
"""Places within the beat at which the evidence is taken."""

_FLUX_LAG = 2  # frames between the levels compared, as in features.onset_strength
_FLUX_BANDS = ((0, 10), (10, 36), (36, MELS))  # mel bands: bass and kick; snare and chords; hats
_FAINT = 1e-3  # activations below are equal


@dataclass(frozen=True)
class Evidence:
    """What a song offers at each frame, FPS frames a second.

    Attributes:
        channels: [5, T], >= 0: activation of beats, of downbeats, and spectral flux in three bands.
    """

    channels: FloatArray

    @classmethod
    def of(cls, spectrogram: FloatArray, activations: FloatArray) -> Evidence:
        """From a spectrogram [T, MELS] and the network's activations [2, T]."""
        rise = np.zeros_like(spectrogram)
        rise[_FLUX_LAG:] = np.maximum(spectrogram[_FLUX_LAG:] - spectrogram[:-_FLUX_LAG], 0)
        flux = [rise[:, low:high].mean(axis=1) for low, high in _FLUX_BANDS]
        return cls(np.stack([*activations, *flux]))

    def at(self, times: DoubleArray) -> FloatArray:
        """The largest value within a frame of each time, [5, K]."""
        last = self.channels.shape[1] - 1
        frames = np.clip(np.round(times * FPS).astype(int), 0, last)
        near = [self.channels[:, np.clip(frames + shift, 0, last)] for shift in (-1, 0, 1)]
        return np.asarray(np.maximum.reduce(near))


@dataclass(frozen=True)
class Candidate:
    """Beats at another level.

    Attributes:
        beats: [K] seconds.
        level: index in LEVELS.
    """

    beats: DoubleArray
    level: int


def candidates(beats: DoubleArray, end: float) -> list[Candidate]:
    """The decoded beats and what they may be instead, within the range of tempo; the first is ``beats`` themselves.

    Args:
        beats: [K] seconds, K >= 2.
        end: length of the song, seconds.
    """
    return list(_candidates(beats, end))


def _candidates(beats: DoubleArray, end: float) -> Iterator[Candidate]:
    for level, (n, m) in enumerate(LEVELS):
        tempo = 60 / float(np.median(np.diff(beats))) * n / m
        if level and not SLOWEST * 0.97 <= tempo <= FASTEST * 1.03:
            continue
        fine = subdivide(beats, n)
        for phase in range(m):
            if level and (n, m) == (2, 2) and phase == 0:
                continue  # the decoded beats again
            # Beats before the first decoded one may be missing at the new level.
            first = phase
            chosen = fine[first::m]
            before = chosen[0] - (fine[min(m, len(fine) - 1)] - fine[0]) if len(fine) > m else chosen[0] - 1e9
            chosen = np.concatenate([[before], chosen]) if before > 0 else chosen
            if len(chosen) >= 2:
                yield Candidate(chosen[chosen < end], level)


def subdivide(beats: DoubleArray, n: int) -> DoubleArray:
    """Each interval divided into n equal ones, the last one continued: [K] -> [K n]."""
    continued = np.append(beats, 2 * beats[-1] - beats[-2])
    return np.interp(np.arange(len(beats) * n) / n, np.arange(len(continued)), continued)


def describe(evidence: Evidence, candidate: Candidate) -> DoubleArray:
    """Features of a candidate, [FEATURES]: tempo, level, folded evidence, repetition over LAGS beats.

    The folded evidence is the mean of each channel at each of some fractions of the beat, as the logarithm of its ratio
    to the channel's mean over the song. The repetition is the autocorrelation of each channel at the beats.
    """
    beats = candidate.beats
    octaves = np.log2(60 / float(np.median(np.diff(beats))) / 110)
    level = np.zeros(len(LEVELS))
    level[candidate.level] = 1
    mean = evidence.channels.mean(axis=1) + _FAINT
    following = np.append(np.diff(beats), beats[-1] - beats[-2])
    on_beats = evidence.at(beats)  # [5, K]
    folded = [
        np.log((evidence.at(beats + fraction * following).mean(axis=1) + _FAINT) / mean) for fraction in _FRACTIONS
    ]
    centred = on_beats - on_beats.mean(axis=1, keepdims=True)
    power = (centred**2).mean(axis=1) + 1e-6
    repetition = [
        (centred[:, lag:] * centred[:, :-lag]).mean(axis=1) / power if len(beats) > 2 * lag else np.zeros(5)
        for lag in LAGS
    ]
    certainty = np.log(on_beats[:2].mean(axis=1) + _FAINT)
    tempo = [octaves, octaves**2, octaves**3]
    return np.concatenate([tempo, level, np.ravel(folded), np.ravel(repetition), certainty])


FEATURES = 3 + len(LEVELS) + 5 * len(_FRACTIONS) + 5 * len(LAGS) + 2
"""Length of what `describe` returns."""
