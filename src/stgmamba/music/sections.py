"""Sections of a song: where it changes, and which parts are alike, from its self-similarity at the bars.

Foote (2000), "Automatic audio segmentation using a measure of audio novelty": the bars of a song are compared with each
other, and a checkerboard kernel along the diagonal finds where what came before differs from what follows.
"""

from __future__ import annotations

import itertools

import numpy as np

from stgmamba.arrays import DoubleArray, FloatArray
from stgmamba.music.beat_tracking.spectrogram import FPS, log_mel
from stgmamba.music.rhythm import Rhythm, Section

_BANDS = 16  # mel bands of a bar's features
_PARTS = 4  # of a bar, whose features are kept apart: its rhythm
_KERNEL = 4  # bars to either side of a boundary that are compared
_SHORTEST = 4  # bars of a section
_NOVELTY = 0.1  # of a boundary, in units of similarity; best on fourteen composed songs, as is _ALIKE
_LEAST_CHANGE = 0.05  # root mean square, log10 amplitude; bars nearer to the song's mean are all the same
_ALIKE = 0.6  # similarity from which two sections have the same letter


def find_sections(samples: FloatArray, rhythm: Rhythm) -> list[Section]:
    """Sections of a song, whose boundaries are downbeats.

    Args:
        samples: [N] mono at SAMPLE_RATE.
        rhythm: its beats and bars.

    Returns:
        In order; the first begins at 0 and the last ends with the song. A song of fewer than eight bars is one section.
    """
    spectrogram = log_mel(samples)
    end = len(spectrogram) / FPS
    bars = rhythm.downbeats
    if len(bars) < 2 * _SHORTEST:
        return [Section(0.0, end, "A")]
    features = bar_features(spectrogram, bars)
    similarity = features @ features.T
    cuts = boundaries(similarity)
    edges = [0, *cuts, len(bars)]
    labels = _letters(features, edges)
    times = [0.0, *(float(bars[cut]) for cut in cuts), end]
    return [Section(*span, label) for span, label in zip(itertools.pairwise(times), labels, strict=True)]


def bar_features(spectrogram: FloatArray, bars: DoubleArray) -> DoubleArray:
    """Spectrum and rhythm of each bar, the song's mean taken out: [B, F] of length 1, or less where little differs.

    Args:
        spectrogram: [T, MELS], see beat_tracking/spectrogram.py.
        bars: [B] seconds of the downbeats, B >= 2; the last bar is as long as the one before.
    """
    edges = np.append(bars, 2 * bars[-1] - bars[-2])
    fine = np.interp(np.arange(len(bars) * _PARTS + 1) / _PARTS, np.arange(len(edges)), edges)
    frames = np.clip(np.round(fine * FPS).astype(int), 0, len(spectrogram) - 1)
    coarse = spectrogram.reshape(len(spectrogram), _BANDS, -1).mean(axis=2)
    total = np.concatenate([np.zeros((1, _BANDS)), np.cumsum(coarse, axis=0)])
    stop = np.maximum(frames[1:], frames[:-1] + 1)
    parts = (total[stop] - total[frames[:-1]]) / (stop - frames[:-1])[:, None]
    features = parts.reshape(len(bars), _PARTS * _BANDS)
    features = features - features.mean(axis=0)
    norm = np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(features / np.maximum(norm, _LEAST_CHANGE * np.sqrt(features.shape[1])))


def boundaries(similarity: DoubleArray) -> list[int]:
    """Bars at which a section begins, but the first, from the similarity [B, B] of bars, -1..1."""
    count = len(similarity)
    padded = np.pad(similarity, _KERNEL, mode="edge")
    before = np.arange(2 * _KERNEL) < _KERNEL
    # Bars near the boundary count most.
    taper = np.exp(-0.5 * ((np.arange(2 * _KERNEL) - _KERNEL + 0.5) / (0.5 * _KERNEL)) ** 2)
    kernel = np.outer(taper, taper) * np.where(before[:, None] == before[None], 1, -1)
    kernel /= np.abs(kernel).sum()
    novelty = np.array([(kernel * padded[i : i + 2 * _KERNEL, i : i + 2 * _KERNEL]).sum() for i in range(count)])
    cuts: list[int] = []
    for bar in np.argsort(-novelty):
        if novelty[bar] < _NOVELTY:
            break
        if _SHORTEST <= bar <= count - _SHORTEST and all(abs(bar - cut) >= _SHORTEST for cut in cuts):
            cuts.append(int(bar))
    return sorted(cuts)


def _letters(features: DoubleArray, edges: list[int]) -> list[str]:
    """A letter per section: that of the most similar earlier one where it is similar enough, else the next."""
    means: list[DoubleArray] = []
    labels: list[str] = []
    for first, last in itertools.pairwise(edges):
        mean = features[first:last].mean(axis=0)
        mean /= max(float(np.linalg.norm(mean)), 1e-9)
        similar = [float(mean @ other) for other in means]
        if similar and max(similar) >= _ALIKE:
            labels.append(labels[int(np.argmax(similar))])
        else:
            number = len(set(labels))
            labels.append(chr(ord("A") + number % 26) * (1 + number // 26))
        means.append(mean)
    return labels
