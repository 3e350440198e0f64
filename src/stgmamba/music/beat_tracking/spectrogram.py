"""Input of the beat network: a log-mel spectrogram, 50 frames a second."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from stgmamba.arrays import FloatArray
from stgmamba.music.decode import SAMPLE_RATE

FPS = 50
"""Frames per second; frame i is centred on second i / FPS."""

MELS = 64

_HOP = SAMPLE_RATE // FPS
_WINDOW = 1024  # samples, 46 ms: short enough for onsets
_FFT = 2048  # the window is padded with zeros to it, so that the lowest bands hold some bins each
_LOWEST, _HIGHEST = 27.5, 10_000.0  # Hz
_GAIN = 1e7  # on the power of a full-scale sine: what is 70 dB softer vanishes
_STRETCH = 2048  # frames computed at once


def log_mel(samples: FloatArray) -> FloatArray:
    """Log-mel spectrogram of a song, after scaling the song's peak to 1.

    Args:
        samples: [N] mono at SAMPLE_RATE.

    Returns:
        [T, MELS], T = N // 441 + 1: log10 of amplitude above the floor, 0 to about 3.5.
    """
    peak = float(np.abs(samples).max(initial=1e-6))
    return np.concatenate(list(_stretches(samples, _GAIN / peak**2)))


def _stretches(samples: FloatArray, gain: float) -> Iterator[FloatArray]:
    from librosa.filters import mel
    from scipy.fft import rfft
    from scipy.signal.windows import hann

    bands = mel(sr=SAMPLE_RATE, n_fft=_FFT, n_mels=MELS, fmin=_LOWEST, fmax=_HIGHEST, norm=None, dtype=np.float32).T
    window = hann(_WINDOW, sym=False).astype(np.float32)
    window *= 2 / window.sum()  # a full-scale sine has power 1
    frames = len(samples) // _HOP + 1
    for first in range(0, frames, _STRETCH):
        last = min(first + _STRETCH, frames)
        low, high = first * _HOP - _WINDOW // 2, (last - 1) * _HOP + _WINDOW // 2
        piece = np.pad(samples[max(low, 0) : high], (max(-low, 0), max(high - max(len(samples), 0), 0)))
        windows = np.lib.stride_tricks.sliding_window_view(piece, _WINDOW)[::_HOP] * window
        spectrum = rfft(windows, _FFT, axis=1)
        power = (spectrum.real**2 + spectrum.imag**2) @ bands
        yield (0.5 * np.log10(1 + gain * power)).astype(np.float32)
