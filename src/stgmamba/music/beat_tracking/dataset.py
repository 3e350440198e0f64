"""Training data of the beat network: composed songs, made ahead as spectrograms with their beats."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from stgmamba.arrays import DoubleArray, FloatArray
from stgmamba.errors import InputError
from stgmamba.files import atomic_output
from stgmamba.music.beat_tracking.spectrogram import FPS, MELS, log_mel
from stgmamba.music.composition.composer import ComposedSong, compose, compose_mix
from stgmamba.progress import Progress

_SHARD = 50  # songs in a file
_MIXES = 0.04  # share of songs cut together
_NEAR_BEAT = 0.5  # target of the frames beside a beat's


@dataclass(frozen=True)
class Example:
    """A composed song as the network learns it.

    Attributes:
        spectrogram: float16 [T, MELS], see spectrogram.py.
        beats: [K] seconds.
        downbeats: [D] seconds.
        metre: ``2/4``, ``3/4``, ``4/4`` or ``6/8``.
    """

    spectrogram: FloatArray
    beats: DoubleArray
    downbeats: DoubleArray
    metre: str


@dataclass(frozen=True)
class Batch:
    """Excerpts of composed songs.

    Attributes:
        spectrogram: [B, T, MELS].
        targets: [B, 2, T] of beats and downbeats: 1 on the frame, `_NEAR_BEAT` beside it, else 0.
        mask: [B, T], 1 within the song, 0 after its end.
    """

    spectrogram: Tensor
    targets: Tensor
    mask: Tensor


def compose_song(seed: int, index: int, seconds: float) -> ComposedSong:
    """The song of an index among those of a seed."""
    rng = np.random.default_rng((seed, index))
    return compose_mix(rng, seconds) if rng.random() < _MIXES else compose(rng, seconds)


def make_examples(folder: Path, seed: int, songs: int, seconds: float, progress: Progress | None = None) -> list[Path]:
    """Compose the songs that do not exist yet.

    Args:
        folder: of the examples; is made.
        seed: of the songs.
        songs: how many; further ones can be added later.
        seconds: length of a song.
        progress: called with (songs done, songs in all).

    Returns:
        The files, 50 songs each.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for first in range(0, songs, _SHARD):
        path = folder / f"songs_{seed}_{seconds:g}s_{first:05d}.npz"
        paths.append(path)
        if not path.exists():
            composed = [compose_song(seed, first + i, seconds) for i in range(_SHARD)]
            arrays = {
                "spectrograms": np.stack([log_mel(song.samples) for song in composed]).astype(np.float16),
                "beats": np.concatenate([song.beats for song in composed]),
                "beat_counts": np.array([len(song.beats) for song in composed]),
                "downbeats": np.concatenate([song.downbeats for song in composed]),
                "downbeat_counts": np.array([len(song.downbeats) for song in composed]),
                "metres": np.array([song.metre for song in composed]),
            }
            with atomic_output(path) as part:
                np.savez(part, **arrays)
        if progress is not None:
            progress(min(first + _SHARD, songs), songs)
    return paths


def load_examples(paths: list[Path]) -> list[Example]:
    """Read files of `make_examples`.

    Raises:
        InputError: one is damaged.
    """
    examples = []
    for path in paths:
        try:
            with np.load(path) as file:
                beats = np.split(file["beats"], np.cumsum(file["beat_counts"])[:-1])
                downbeats = np.split(file["downbeats"], np.cumsum(file["downbeat_counts"])[:-1])
                metres = map(str, file["metres"])
                songs = zip(file["spectrograms"], beats, downbeats, metres, strict=True)
                examples += [Example(*song) for song in songs]
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise InputError(f"{path}: damaged ({error}); remove it and it will be composed again.") from error
    return examples


class BeatDataset:
    """Random batches of excerpts; a batch is a function of the seeds, so training can be resumed at any step.

    Augmentation: tempo by up to 9 %, pitch by up to three mel bands, tone and loudness, missing bands.

    Args:
        examples: composed songs.
        batch: excerpts in a batch.
        frames: of an excerpt.
    """

    def __init__(self, examples: list[Example], batch: int, frames: int) -> None:
        self.examples, self.size, self.frames = examples, batch, frames

    def batch(self, *seed: int) -> Batch:
        """A batch, a function of the seeds."""
        rng = np.random.default_rng(seed)
        spectrograms = np.zeros((self.size, self.frames, MELS), np.float32)
        targets = np.zeros((self.size, 2, self.frames), np.float32)
        mask = np.zeros((self.size, self.frames), np.float32)
        for i, index in enumerate(rng.integers(len(self.examples), size=self.size)):
            example = self.examples[index]
            rate = float(np.exp(rng.uniform(-0.09, 0.09))) if rng.random() < 0.6 else 1.0
            x = stretched(example.spectrogram, rate)
            start = int(rng.integers(0, max(1, len(x) - self.frames + 1)))
            x = x[start : start + self.frames]
            if rng.random() < 0.5:
                x = x[:, np.clip(np.arange(MELS) + rng.integers(-3, 4), 0, MELS - 1)]
            spectrograms[i, : len(x)] = _recoloured(rng, x)
            mask[i, : len(x)] = 1
            for row, times in enumerate((example.beats, example.downbeats)):
                targets[i, row] = beat_targets(times / rate - start / FPS, self.frames)
        return Batch(torch.from_numpy(spectrograms), torch.from_numpy(targets), torch.from_numpy(mask))


def beat_targets(times: DoubleArray, frames: int) -> FloatArray:
    """Targets [frames] of beats at some times in seconds: 1 on their frames, `_NEAR_BEAT` beside them."""
    targets = np.zeros(frames + 2, np.float32)  # one frame more at either end
    at = np.round(times * FPS).astype(int) + 1
    for shift, value in ((-1, _NEAR_BEAT), (1, _NEAR_BEAT), (0, 1.0)):
        place = at + shift
        place = place[(place >= 0) & (place < len(targets))]
        targets[place] = np.maximum(targets[place], value)
    return targets[1:-1]


def stretched(spectrogram: FloatArray, rate: float) -> FloatArray:
    """The spectrogram of the song played at another rate, by linear interpolation between frames."""
    x = spectrogram.astype(np.float32)
    if rate == 1.0:
        return x
    position = np.arange(int((len(x) - 1) / rate)) * rate
    low = position.astype(int)
    weight = (position - low)[:, None].astype(np.float32)
    return np.asarray((1 - weight) * x[low] + weight * x[low + 1])


def _recoloured(rng: np.random.Generator, x: FloatArray) -> FloatArray:
    """Other loudness and tone, and some bands missing."""
    knots = rng.normal(0, 0.25, 8)
    curve = np.interp(np.linspace(0, 7, MELS), np.arange(8), knots) + rng.normal(0, 0.25)
    x = np.log10(1 + (10**x - 1) * 10 ** curve.astype(np.float32))
    if rng.random() < 0.3:
        first = int(rng.integers(0, MELS - 4))
        x[:, first : first + int(rng.integers(3, 12))] = 0.0
    return np.asarray(x, np.float32)


def masked_bce(logits: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    """Binary cross-entropy per output, averaged over the frames where the mask is 1; [B, 2, T] -> [2]."""
    losses = F.binary_cross_entropy_with_logits(logits, targets, reduction="none") * mask[:, None]
    return losses.sum(dim=(0, 2)) / mask.sum()
