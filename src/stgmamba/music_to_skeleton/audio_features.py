"""Audio input of the networks of stage 1: a window of the waveform and rhythm features per frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from stgmamba.arrays import DoubleArray, FloatArray
from stgmamba.music.beat_tracking.tracker import track_beats
from stgmamba.music.decode import SAMPLE_RATE
from stgmamba.music.features import onset_strength
from stgmamba.music.rhythm import Rhythm, beat_phase

MUSIC_FPS = 12.5
"""Frames of audio features per second. Nodes may have a multiple of it (`Config.fps`): rhythm needs no finer grid."""
HOP = round(SAMPLE_RATE / MUSIC_FPS)
"""Samples per frame."""
WINDOW = round(SAMPLE_RATE * 0.1)
"""Samples of a window of the waveform."""
RHYTHM_FEATURES = ("onset", "loudness", "beat_cosine", "beat_sine", "bar_cosine", "bar_sine")
"""Rhythm features of a frame: onset strength, loudness, cosine and sine of the phases of beat and bar."""
BEAT_COSINE, BEAT_SINE = RHYTHM_FEATURES.index("beat_cosine"), RHYTHM_FEATURES.index("beat_sine")
_ENERGY_SECONDS = 2.0  # standard deviation of the Gaussian that smooths a song's energy: about two bars


@dataclass(frozen=True)
class AudioFeatures:
    """Features of a song.

    Attributes:
        samples: mono float32 at SAMPLE_RATE; windows are extracted on demand, to save memory.
        features: [T, F] at MUSIC_FPS, the RHYTHM_FEATURES; each about -1..1, and 0 where it is not known.
        rhythm: beats and bars; None where they are not known.
    """

    samples: FloatArray
    features: FloatArray
    rhythm: Rhythm | None

    @property
    def beats(self) -> DoubleArray:
        """Times of the beats, seconds [K]; K = 0 where they are not known."""
        return np.zeros(0) if self.rhythm is None else self.rhythm.beats

    def __len__(self) -> int:
        return len(self.features)

    def windows(self, start: int, stop: int) -> FloatArray:
        """Windows of the waveform centred on frames start..stop-1, [stop - start, WINDOW]; zeros outside the song."""
        first = start * HOP - WINDOW // 2
        last = (stop - 1) * HOP - WINDOW // 2 + WINDOW
        samples = self.samples[max(0, first) : max(0, last)]
        samples = np.pad(samples, (max(0, -first), max(0, last - max(first, 0) - len(samples))))
        return np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP].copy()


def extract_audio_features(
    samples: FloatArray, frames: int | None = None, rhythm: Rhythm | None = None
) -> AudioFeatures:
    """Features of a song.

    Args:
        samples: mono float32 at SAMPLE_RATE.
        frames: number of frames at MUSIC_FPS; by default those of the song's length.
        rhythm: its beats and bars; tracked when not given.
    """
    frames = frames or max(1, round(len(samples) / HOP))
    rhythm = track_beats(samples, SAMPLE_RATE) if rhythm is None else rhythm
    onset = _fit(onset_strength(samples, SAMPLE_RATE, MUSIC_FPS), frames)
    loudness = _loudness(samples, frames)
    bars = rhythm.downbeats if len(rhythm.downbeats) > 1 else np.zeros(0)
    phases = [phase_features(times, frames) for times in (rhythm.beats, bars)]
    features = np.column_stack([onset / max(float(onset.max()), 1e-6), loudness, *phases])
    return AudioFeatures(samples, features.astype(np.float32), rhythm)


def phase_features(times: DoubleArray, frames: int) -> FloatArray:
    """Cosine and sine of the phase between beats, or between downbeats, [T, 2]; zeros where there are none."""
    if not len(times):
        return np.zeros((frames, 2), np.float32)
    phase = 2 * np.pi * beat_phase(times, MUSIC_FPS, frames)
    found: FloatArray = np.stack([np.cos(phase), np.sin(phase)], axis=1).astype(np.float32)
    return found


def beats_of_phase(phase: FloatArray) -> DoubleArray:
    """Times of the beats of a phase, seconds ascending [K]: the inverse of `phase_features` to a hundredth of a second.

    One beat before and one after the frames is continued. K = 0 where there is no phase.

    Args:
        phase: cosine and sine, [T, 2]; zeros where there is none.
    """
    if len(phase) < 2 or not phase.any():
        return np.zeros(0)
    turns = np.unwrap(np.arctan2(phase[:, 1], phase[:, 0]).astype(np.float64)) / (2 * np.pi)
    frames = np.arange(len(turns), dtype=np.float64)
    slopes = turns[1] - turns[0], turns[-1] - turns[-2]
    if min(slopes) <= 0:
        return np.zeros(0)
    turns = np.concatenate([[turns[0] - 1], turns, [turns[-1] + 1]])
    frames = np.concatenate([[-1 / slopes[0]], frames, [frames[-1] + 1 / slopes[1]]])
    return np.asarray(np.interp(np.arange(np.ceil(turns[0]), turns[-1]), turns, frames) / MUSIC_FPS, np.float64)


def music_energy(audio: AudioFeatures) -> FloatArray:
    """How much louder and denser than its mean a song is around each frame, [T], -1..1; 0 for even music.

    The mean of loudness and of onset strength, each smoothed over seconds and relative to its mean over the song.
    """
    smooth = gaussian_filter1d(audio.features[:, :2], _ENERGY_SECONDS * MUSIC_FPS, axis=0, mode="nearest")
    relative = 2 * (smooth / np.maximum(smooth.mean(axis=0), 1e-6) - 1)
    return np.asarray(np.clip(relative, -1, 1).mean(axis=1), np.float32)


def _loudness(samples: FloatArray, frames: int) -> FloatArray:
    """Root mean square of each hop, [T], relative to its 95th percentile over the song, 0..1."""
    padded = np.pad(samples[: frames * HOP], (0, max(0, frames * HOP - len(samples))))
    rms = np.sqrt(np.mean(padded.reshape(frames, HOP) ** 2, axis=1))
    loudness: FloatArray = np.clip(rms / max(float(np.percentile(rms, 95)), 1e-6), 0, 1).astype(np.float32)
    return loudness


def _fit(x: FloatArray, frames: int) -> FloatArray:
    """Truncate x to ``frames`` entries, or pad it with its last value."""
    return x[:frames] if len(x) >= frames else np.pad(x, (0, frames - len(x)), mode="edge")
