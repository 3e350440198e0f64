"""The dynamic programme of beat tracking.

Our own and not librosa's: two programs that call librosa's for the first time at once leave a broken cache of compiled
code behind, with which every later call crashes.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from stgmamba.jit import jit


@jit()
def best_predecessors(
    onsets: NDArray[np.float64], periods: NDArray[np.float64], tightness: float
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return for each frame the score of the best chain of beats that ends there, and the beat before.

    Ellis (2007), equations 6 and 7.

    Args:
        onsets: [F] >= 0, strength of the onset at each frame.
        periods: [F] > 1, frames between beats around each frame.
        tightness: cost of a squared log ratio between a beat's interval and its period.

    Returns:
        score [F]; predecessor [F], a frame or -1 where a chain begins.
    """
    frames = len(onsets)
    score = np.empty(frames, np.float64)
    before = np.full(frames, -1, np.int64)
    faint = 0.01 * onsets.max()
    begun = False
    for frame in range(frames):
        period = periods[frame]
        best = -math.inf
        for step in range(max(1, round(period / 2)), round(2 * period) + 1):
            if frame < step:
                break
            cost = math.log(step / period)
            chain = score[frame - step] - tightness * cost * cost
            if chain > best:
                best = chain
                before[frame] = frame - step
        # What the silence before the first onset would lead to is no beat.
        begun = begun or onsets[frame] >= faint
        if not begun or before[frame] < 0:
            before[frame] = -1
            best = 0.0
        score[frame] = onsets[frame] + best
    return score, before
