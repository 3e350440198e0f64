"""Baseline ``madmom``: recurrent networks and a bar-pointer model (Böck, Krebs and Widmer 2016), where it is installed.

Its models are not free for all uses (CC BY-NC-SA 4.0), so it is no dependency.
"""

from __future__ import annotations

import numpy as np

from stgmamba.arrays import DoubleArray, FloatArray
from stgmamba.music.decode import SAMPLE_RATE

_RATE = 44_100  # that of its models


def madmom_beats(samples: FloatArray) -> tuple[DoubleArray, DoubleArray]:
    """Beats [K] and downbeats [D] of a song, seconds."""
    from madmom.audio.signal import Signal
    from madmom.features.downbeats import DBNDownBeatTrackingProcessor, RNNDownBeatProcessor
    from scipy.signal import resample_poly

    signal = Signal(resample_poly(samples, _RATE, SAMPLE_RATE).astype(np.float32), sample_rate=_RATE)
    activations = RNNDownBeatProcessor()(signal)
    found = np.asarray(DBNDownBeatTrackingProcessor(beats_per_bar=[3, 4], fps=100)(activations), np.float64)
    return found[:, 0], found[found[:, 1] == 1, 0]
