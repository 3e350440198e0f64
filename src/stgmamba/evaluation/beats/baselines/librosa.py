"""Baseline ``librosa``: ``librosa.beat.beat_track`` with its defaults, also after Ellis (2007)."""

from __future__ import annotations

import numpy as np

from stgmamba.arrays import DoubleArray, FloatArray
from stgmamba.music.decode import SAMPLE_RATE


def librosa_beats(samples: FloatArray) -> tuple[DoubleArray, None]:
    """Beats of a song, seconds [K]; no downbeats."""
    from librosa.beat import beat_track

    _, beats = beat_track(y=samples, sr=SAMPLE_RATE, units="time")
    return np.asarray(beats, np.float64), None
