"""Downbeats and metre of tracked beats, by a vote of the whole song."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stgmamba.arrays import DoubleArray, FloatArray

BAR_LENGTHS = (2, 3, 4)
"""Beats in a bar that are considered; a compound bar of 6/8 has two."""

_SHIFT = 12.0  # cost in log odds of a bar that is longer or shorter than the others, as at a cut or a bar of 2/4
_LEAST, _MOST = 0.02, 0.98  # activations beyond say no more than these


def bar_positions(activation: FloatArray, beats_per_bar: int) -> tuple[NDArray[np.int64], float]:
    """The position of each beat in its bar, by Viterbi over the beats.

    Args:
        activation: [K] of downbeats, at the beats.
        beats_per_bar: length of all bars.

    Returns:
        [K], 0 on downbeats; and the log likelihood per beat.
    """
    p = np.clip(activation.astype(np.float64), _LEAST, _MOST)
    score = np.repeat(np.log(1 - p)[:, None], beats_per_bar, axis=1)
    score[:, 0] = np.log(p)
    k = len(score)
    value = score[0]
    previous = np.zeros((k, beats_per_bar), np.int64)
    natural = (np.arange(beats_per_bar) - 1) % beats_per_bar
    for i in range(1, k):
        best = int(np.argmax(value))
        shifted = value[best] - _SHIFT
        stays = value[natural] >= shifted
        previous[i] = np.where(stays, natural, best)
        value = np.where(stays, value[natural], shifted) + score[i]
    positions = np.zeros(k, np.int64)
    positions[-1] = int(np.argmax(value))
    for i in range(k - 1, 0, -1):
        positions[i - 1] = previous[i, positions[i]]
    return positions, float(value.max()) / k


def metre_features(activation: FloatArray, description: DoubleArray) -> DoubleArray:
    """What the choice of the metre rests on: likelihoods per bar length, and the description of the beats.

    Args:
        activation: [K] of downbeats, at the beats.
        description: of the beats, see `candidates.describe`.
    """
    likelihoods = np.array([bar_positions(activation, m)[1] for m in BAR_LENGTHS])
    return np.concatenate([10 * (likelihoods - likelihoods.mean()), description])
