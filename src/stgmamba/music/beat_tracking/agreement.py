"""How well beats that were found agree with true ones: the F-measure of Davies, Degara and Plumbley (2009)."""

from __future__ import annotations

import numpy as np

from stgmamba.arrays import DoubleArray

TOLERANCE = 0.07
"""Seconds; within them a beat counts as found."""


def f_measure(found: DoubleArray, true: DoubleArray, tolerance: float = TOLERANCE) -> float:
    """F-measure of beats, 0..1, higher is better; every beat is matched with one at most.

    Args:
        found: [K] seconds, increasing.
        true: [L] seconds, increasing.
        tolerance: seconds.

    Returns:
        2 hits / (K + L); 1 where both are empty.
    """
    if not len(found) and not len(true):
        return 1.0
    hits, i, j = 0, 0, 0
    while i < len(found) and j < len(true):
        difference = found[i] - true[j]
        if abs(difference) <= tolerance:
            hits, i, j = hits + 1, i + 1, j + 1
        elif difference < 0:
            i += 1
        else:
            j += 1
    return 2 * hits / (len(found) + len(true))


def levels(true: DoubleArray) -> list[DoubleArray]:
    """The true beats and what is accepted in their place where an octave or the off-beat counts as right.

    The beats themselves, twice as many, every second from the first or the second, and the off-beats.
    """
    if len(true) < 2:
        return [true]
    middles = (true[1:] + true[:-1]) / 2
    return [true, np.sort(np.concatenate([true, middles])), true[::2], true[1::2], middles]
