"""What stage 1 is trained on: real dances as nodes with their music, cut into random windows.

Augmentation that is true to dance: tempo changes of song and dance together, and mirroring. Turning the dance and
giving it another body need no copies: nodes are relative to the dancer's own heading and put on one body (motion.py).
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from stgmamba.arrays import FloatArray
from stgmamba.datasets.tang2018 import Dance
from stgmamba.errors import InputError
from stgmamba.music.decode import load_song
from stgmamba.music_to_skeleton.audio_features import HOP, WINDOW, AudioFeatures, extract_audio_features
from stgmamba.music_to_skeleton.representation import MODEL_FPS, encode, mirror
from stgmamba.skeleton import Skeleton


@dataclass(frozen=True)
class Example:
    """One dance at one tempo: nodes [T, 23, 3], the music beside it, genre index, whether its timing is trusted."""

    nodes: FloatArray
    audio: AudioFeatures
    genre: int
    sync: bool


@dataclass(frozen=True)
class Batch:
    """Windows of dances with their music.

    Attributes:
        nodes: [B, T, J, 3], metric.
        wave: [B, T, W] windows of the wave; zeros where the music is withheld.
        features: [B, T, F] rhythm features; zeros likewise.
        genre: [B], one of ``Config.classes``.
    """

    nodes: Tensor
    wave: Tensor
    features: Tensor
    genre: Tensor


@dataclass(frozen=True)
class WindowSampling:
    """How windows are drawn: number and frames of them, and how often genre and music are withheld."""

    batch: int
    window: int
    genre_dropout: float
    music_dropout: float


def load_examples(dances: Sequence[Dance], rates: Sequence[float], genres: Sequence[str]) -> list[Example]:
    """Every dance at every tempo, nodes and music cut to the same length.

    Raises:
        InputError: a dance of a genre that is not among ``genres``.
    """
    found = []
    for dance in dances:
        if dance.genre not in genres:
            raise InputError(f"{dance.id}: genre {dance.genre!r} is not among the model's; add it to model.genres.")
        samples = load_song(dance.audio_path).samples
        for rate in rates:
            skeleton = dance.skeleton
            sped = Skeleton(skeleton.positions, skeleton.fps * rate, skeleton.layout)
            # The song's pitch follows its tempo, as on a turntable: cheap, and one more variation.
            position = np.arange(int(len(samples) / rate)) * rate
            audio = extract_audio_features(np.interp(position, np.arange(len(samples)), samples).astype(np.float32))
            nodes = encode(sped)
            frames = min(len(nodes), len(audio))
            audio = dataclasses.replace(audio, features=audio.features[:frames])
            found.append(Example(nodes[:frames], audio, genres.index(dance.genre), dance.sync))
    return found


class DanceDataset:
    """All examples on one device, from which batches are drawn.

    A batch is a function of the seeds alone: nothing but the step's number is needed to go on after a stop.
    """

    def __init__(self, data: Sequence[Example], sampling: WindowSampling, genres: int, device: torch.device) -> None:
        self.data = [example for example in data if len(example.nodes) > sampling.window]
        if not self.data:
            longest = max((len(example.nodes) for example in data), default=0) / MODEL_FPS
            raise InputError(
                f"no dance is longer than the window of {sampling.window / MODEL_FPS:.1f} s "
                f"(the longest has {longest:.1f} s); shorten the window."
            )
        self.sampling, self.null_genre = sampling, genres
        # Rare genres are drawn more often than their share, in proportion to the square root of their length.
        frames = np.array([len(example.nodes) for example in self.data], np.float64)
        genre = np.array([example.genre for example in self.data])
        weight = frames / np.sqrt(np.bincount(genre, weights=frames)[genre])
        self.probability = weight / weight.sum()
        self.nodes = [torch.from_numpy(example.nodes).to(device) for example in self.data]
        self.mirrored = [torch.from_numpy(mirror(example.nodes)).to(device) for example in self.data]
        self.features = [torch.from_numpy(example.audio.features).to(device) for example in self.data]
        self.samples = [self._padded(example).to(device) for example in self.data]

    @property
    def minutes(self) -> float:
        """Length of all examples."""
        return sum(len(nodes) for nodes in self.nodes) / MODEL_FPS / 60

    def statistics(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of every node's coordinates, [J, 3] each, mirrored dances included."""
        every = torch.cat(self.nodes + self.mirrored)
        return every.mean(dim=0), every.std(dim=0).clamp(min=0.02)

    def fingerprint(self) -> str:
        """Hash (SHA-256, hexadecimal) of the nodes, rhythm features, genres and trust in timing of all examples."""
        digest = hashlib.sha256()
        for example in self.data:
            digest.update(f"{example.nodes.shape} {example.genre} {example.sync}".encode())
            digest.update(np.ascontiguousarray(example.nodes).tobytes())
            digest.update(np.ascontiguousarray(example.audio.features).tobytes())
        return digest.hexdigest()

    def batch(self, *seed: int, sampling: WindowSampling | None = None) -> Batch:
        """A batch of random windows, drawn as always or otherwise; the same seeds, the same batch."""
        rng, s = np.random.default_rng(seed), sampling or self.sampling
        rows = []
        for index in rng.choice(len(self.data), s.batch, p=self.probability):
            start = int(rng.integers(len(self.nodes[index]) - s.window))
            turned, loudness = rng.random() < 0.5, rng.uniform(0.5, 1.2)
            # Music whose timing against the dance is not known would only teach noise: such dances train without it.
            audio = float(self.data[index].sync and rng.random() >= s.music_dropout)
            known = rng.random() >= s.genre_dropout
            rows.append(
                (
                    (self.mirrored if turned else self.nodes)[index][start : start + s.window],
                    self.samples[index][start * HOP : (start + s.window - 1) * HOP + WINDOW] * (audio * loudness),
                    self.features[index][start : start + s.window] * audio,
                    (self.data[index].genre if known else self.null_genre) + turned * (self.null_genre + 1),
                )
            )
        nodes, samples, features, genre = zip(*rows, strict=True)
        wave = torch.stack(samples).unfold(1, WINDOW, HOP)
        return Batch(torch.stack(nodes), wave, torch.stack(features), torch.tensor(genre, device=wave.device))

    @staticmethod
    def _padded(example: Example) -> Tensor:
        """The song such that the window of frame i begins at sample i HOP (see `AudioFeatures.windows`)."""
        before = WINDOW // 2
        length = len(example.nodes) * HOP + WINDOW
        samples = example.audio.samples[: length - before]
        return torch.from_numpy(np.pad(samples, (before, length - before - len(samples))))
