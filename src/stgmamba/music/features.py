"""What a dancer hears begin: the spectral flux and the onset strength of a song.

Frame i of every feature belongs to the second i/fps, for any fps. Everything is computed in stretches of bounded size,
so that an hour of music needs little more memory than its features.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

_STRETCH = 2048  # frames computed at once
ONSET_HOP = 128 / 22050
"""Seconds between frames of the spectral flux: fine enough to place an onset within 3 ms."""

_ONSET_WINDOW = 1024 / 22050  # seconds
_FLUX_FLOOR = 1e-6  # power; softer sounds make no beat
_FLUX_LAG = 2  # onset frames between the levels compared


def frame_count(samples: int, rate: int, fps: float) -> int:
    """Return how many whole frames fit in so many samples (at least one)."""
    return max(1, int(samples * fps / rate + 1e-6))


def onset_strength(samples: NDArray[np.float32], rate: int, fps: float) -> NDArray[np.float32]:
    """Return how strongly something begins at each frame: spectral flux (Böck and Widmer 2013).

    The flux is taken at 172 Hz and each frame gets the strongest within half a frame on either side, so that no onset
    falls between two frames of a slow fps.

    Args:
        samples: [N] mono, -1..1.
        rate: samples per second.
        fps: frames per second, any positive number.

    Returns:
        float32 [T], >= 0; mean over mel bands of the rise in log10 power (0.5 and more: a drum).
    """
    flux = spectral_flux(samples, rate)[:, 0]
    frames = frame_count(len(samples), rate, fps)
    edges = np.clip(np.round((np.arange(frames + 1) - 0.5) / (fps * ONSET_HOP)).astype(int), 0, len(flux) - 1)
    # A frame shorter than a hop takes the nearest flux value.
    return np.maximum.reduceat(np.append(flux, 0.0), edges)[:frames].astype(np.float32)


def _window_length(seconds: float, rate: int) -> int:
    return int(2 ** max(6, round(np.log2(seconds * rate))))


def _mel_stretches(
    samples: NDArray[np.float32], rate: int, fps: float, frames: int, window: int, n_mels: int
) -> Iterator[NDArray[np.float32]]:
    """Yield mel power [n, n_mels] of consecutive frames, windows centred on i/fps, zeros beyond the song's ends."""
    from librosa.filters import mel
    from scipy.fft import rfft
    from scipy.signal.windows import hann

    bands = mel(sr=rate, n_fft=window, n_mels=n_mels, fmin=20.0, norm=None, dtype=np.float32).T
    shape = hann(window, sym=False).astype(np.float32)
    shape *= 2 / shape.sum()  # a full-scale sine has power 1
    for begin in range(0, frames, _STRETCH):
        centres = np.round(np.arange(begin, min(begin + _STRETCH, frames)) * (rate / fps)).astype(np.int64)
        low, high = int(centres[0]) - window // 2, int(centres[-1]) + window // 2
        piece = np.pad(samples[max(low, 0) : max(high, 0)], (max(-low, 0), max(high - max(len(samples), 0), 0)))
        pieces = np.lib.stride_tricks.sliding_window_view(piece, window)[centres - centres[0]]
        spectrum = rfft(pieces * shape, axis=1)
        yield (spectrum.real**2 + spectrum.imag**2) @ bands


def spectral_flux(samples: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    """Return the spectral flux of a song, the mean rise of log10 power over mel bands.

    Args:
        samples: [N] mono, -1..1.
        rate: samples per second.

    Returns:
        float32 [F, 2], >= 0, every ONSET_HOP seconds: over all bands, and over the lowest eighth, bass and kick.
    """
    frames = frame_count(len(samples), rate, 1 / ONSET_HOP) + 1
    window = _window_length(_ONSET_WINDOW, rate)
    bands, low = 64, 8
    before: NDArray[np.float32] | None = None
    flux = []
    for power in _mel_stretches(samples, rate, 1 / ONSET_HOP, frames, window, bands):
        level = np.log10(np.maximum(power, _FLUX_FLOOR))
        level = np.concatenate(
            [np.full((_FLUX_LAG, bands), np.log10(_FLUX_FLOOR)) if before is None else before, level]
        )
        rise = np.maximum(level[_FLUX_LAG:] - level[:-_FLUX_LAG], 0)
        flux.append(np.stack([rise.mean(axis=1), rise[:, :low].mean(axis=1)], axis=1).astype(np.float32))
        before = level[-_FLUX_LAG:]
    result = np.concatenate(flux)
    # What sounds from the first sample on may have begun before: let it count as an ordinary onset, not as a huge one.
    head = round(_ONSET_WINDOW / ONSET_HOP)
    result[:head] = np.minimum(result[:head], np.percentile(result, 98, axis=0))
    return np.asarray(result)
