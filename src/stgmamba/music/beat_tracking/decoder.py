"""From activations to beats: the best sequence of beats whose interval changes little from one to the next.

A semi-Markov model as in Krebs, Böck and Widmer (2015), with beats as states: the state is the interval that ends in a
beat, so that the work per frame does not depend on the position within the beat.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from stgmamba.arrays import DoubleArray, FloatArray
from stgmamba.jit import jit
from stgmamba.music.beat_tracking.spectrogram import FPS

SLOWEST, FASTEST = 50.0, 215.0
"""Tempos that are looked for, beats per minute."""

DECODER_FPS = 200
"""Positions a second at which a beat may be."""

_TEMPO_CHANGE = 100.0  # cost of a change of the interval by a factor e, linear in the logarithm
_STEPS = 12  # by so many positions at most may an interval differ from the one before
_SHARPNESS = 3.0  # weight of the activations against the regularity
_RELATIVE_LEVEL = 0.3  # a beat is what has more than this share of the strongest activation nearby
_NEARBY = 2.0  # seconds
_CERTAIN = 2e-3  # activations closer to 0 or 1 say no more than this
_USUAL_TEMPO, _TEMPO_SPREAD = 118.0, 0.9  # beats per minute and octaves; prior on the first interval only


def decode_beats(activation: FloatArray) -> DoubleArray:
    """The best sequence of beats of a whole song.

    Args:
        activation: [T] probability of a beat at each frame, FPS frames a second.

    Returns:
        [K] seconds, increasing; empty for less than about an interval.
    """
    score = beat_scores(activation)
    shortest, longest = round(60 * DECODER_FPS / FASTEST), round(60 * DECODER_FPS / SLOWEST)
    intervals = np.arange(shortest, longest + 1)
    octaves = np.log2(60 * DECODER_FPS / intervals / _USUAL_TEMPO) / _TEMPO_SPREAD
    start = -0.5 * octaves**2
    best, previous = _best_intervals(score, intervals, start, _TEMPO_CHANGE, _STEPS)
    if best < 0:
        return np.zeros(0)
    position, index = divmod(best, len(intervals))
    beats = []
    while True:
        beats.append(position)
        step = int(previous[position, index])
        if step == _FIRST:
            break
        position -= int(intervals[index])
        index += step
    return np.array(beats[::-1]) / DECODER_FPS


def beat_scores(activation: FloatArray) -> DoubleArray:
    """What a beat at each position is worth: log odds of the activation against the level of its surroundings.

    Args:
        activation: [T] at FPS.

    Returns:
        [(T - 1) DECODER_FPS / FPS + 1].
    """
    from scipy.ndimage import maximum_filter1d, uniform_filter1d

    width = int(2 * _NEARBY * FPS) + 1
    level = uniform_filter1d(maximum_filter1d(activation.astype(np.float64), width), width)
    level = 0.5 * level + 0.5 * np.percentile(level, 75)
    odds = _log_odds(activation.astype(np.float64)) - _log_odds(_RELATIVE_LEVEL * level)
    fine = np.arange((len(activation) - 1) * (DECODER_FPS // FPS) + 1) / (DECODER_FPS // FPS)
    # The activation has the resolution of a frame: the score is smoothed over one.
    smooth = uniform_filter1d(np.interp(fine, np.arange(len(odds)), odds), 2 * (DECODER_FPS // FPS) + 1, mode="nearest")
    return np.asarray(_SHARPNESS * smooth)


def _log_odds(p: DoubleArray) -> DoubleArray:
    p = np.clip(p, _CERTAIN, 1 - _CERTAIN)
    return np.asarray(np.log(p / (1 - p)))


_FIRST = -128  # in the table of predecessors: the sequence begins here


@jit("contract", "reassoc", "nsz")
def _best_intervals(
    score: DoubleArray, intervals: NDArray[np.int64], start: DoubleArray, change: float, band: int
) -> tuple[int, NDArray[np.int8]]:
    """Viterbi over (position of a beat, interval before it).

    Args:
        score: [N] worth of a beat at each position.
        intervals: [M] consecutive integers, positions.
        start: [M] worth of a first beat, per interval.
        change: cost per unit of change of the interval's logarithm.
        band: largest change of the interval.

    Returns:
        The last beat as position * M + interval's index, or -1 where there is none; and [N, M] the index of the
        predecessor's interval minus the own, or `_FIRST`.
    """
    n, m = len(score), len(intervals)
    longest = intervals[m - 1]
    cost = np.zeros((m, 2 * band + 1))
    for i in range(m):
        for step in range(-band, band + 1):
            if 0 <= i + step < m:
                cost[i, step + band] = change * abs(math.log(intervals[i + step] / intervals[i]))
    values = np.full((longest + 1, m), -1e18)  # a ring of the last positions
    previous = np.full((n, m), -128, np.int8)
    best_value, best = -1e18, -1
    for position in range(n):
        row = position % (longest + 1)
        for i in range(m):
            before = position - intervals[i]
            if before < 0:
                values[row, i] = start[i] + score[position]
            else:
                ring = before % (longest + 1)
                value, chosen = -1e18, 0
                for step in range(max(-band, -i), min(band, m - 1 - i) + 1):
                    candidate = values[ring, i + step] - cost[i, step + band]
                    if candidate > value:
                        value, chosen = candidate, step
                values[row, i] = value + score[position]
                previous[position, i] = chosen
            # The song ends within an interval of its last beat.
            if position + intervals[i] >= n and values[row, i] > best_value:
                best_value, best = values[row, i], position * m + i
    return best, previous
