"""What the network hears: windows of the wave and rhythm features, one of each per frame of the model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stgmamba.arrays import FloatArray
from stgmamba.music.decode import SAMPLE_RATE
from stgmamba.music.features import beat_phase, onset_strength, track_beats
from stgmamba.music_to_skeleton.representation import MODEL_FPS

HOP = round(SAMPLE_RATE / MODEL_FPS)
WINDOW = round(SAMPLE_RATE * 0.1)


@dataclass(frozen=True)
class AudioFeatures:
    """A song as the network hears it.

    Attributes:
        samples: mono float32 at SAMPLE_RATE; windows are cut from it when needed, so that a long song is held once.
        features: [T, 4] at MODEL_FPS: onset strength, loudness, cosine and sine of the beat phase; each about -1..1.
        beats: times of the beats, seconds [K].
    """

    samples: FloatArray
    features: FloatArray
    beats: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.features)

    def windows(self, start: int, stop: int) -> FloatArray:
        """Windows of the wave centred on frames start..stop-1, [stop - start, WINDOW], zeros outside the song."""
        first = start * HOP - WINDOW // 2
        last = (stop - 1) * HOP - WINDOW // 2 + WINDOW
        piece = self.samples[max(0, first) : max(0, last)]
        piece = np.pad(piece, (max(0, -first), max(0, last - max(first, 0) - len(piece))))
        return np.lib.stride_tricks.sliding_window_view(piece, WINDOW)[::HOP].copy()


def extract_audio_features(samples: FloatArray, frames: int | None = None) -> AudioFeatures:
    """Hear a song.

    Args:
        samples: mono float32 at SAMPLE_RATE.
        frames: number of model frames; by default as many as the song lasts.
    """
    frames = frames or max(1, round(len(samples) / HOP))
    beats = track_beats(samples, SAMPLE_RATE).times
    phase = 2 * np.pi * beat_phase(beats, MODEL_FPS, frames)
    onset = _fit(onset_strength(samples, SAMPLE_RATE, MODEL_FPS), frames)
    loudness = _loudness(samples, frames)
    features = np.stack([onset / max(float(onset.max()), 1e-6), loudness, np.cos(phase), np.sin(phase)], axis=1)
    return AudioFeatures(samples, features.astype(np.float32), beats)


def _loudness(samples: FloatArray, frames: int) -> FloatArray:
    """Root mean square of each hop, [T], relative to the song's loud passages, 0..1."""
    padded = np.pad(samples[: frames * HOP], (0, max(0, frames * HOP - len(samples))))
    rms = np.sqrt(np.mean(padded.reshape(frames, HOP) ** 2, axis=1))
    loudness: FloatArray = np.clip(rms / max(float(np.percentile(rms, 95)), 1e-6), 0, 1).astype(np.float32)
    return loudness


def _fit(x: FloatArray, frames: int) -> FloatArray:
    """Cut or repeat the last value so that x has ``frames`` entries."""
    return x[:frames] if len(x) >= frames else np.pad(x, (0, frames - len(x)), mode="edge")
