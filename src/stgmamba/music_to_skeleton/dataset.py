"""Training data of stage 1: random windows of real dances, as nodes, with their music.

Augmentation: tempo changes of song and dance together, and mirroring. Nodes do not depend on direction and body
(representation.py), so there is no augmentation of these.
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
    """One dance at one tempo.

    Attributes:
        nodes: [T, 23, 3], see representation.py.
        audio: features of its music, T frames.
        genre: index.
        sync: whether the timing of dance and music is reliable.
    """

    nodes: FloatArray
    audio: AudioFeatures
    genre: int
    sync: bool


@dataclass(frozen=True)
class Batch:
    """Windows of dances with their music.

    Attributes:
        nodes: [B, T, J, 3], not normalised.
        wave: [B, T, W] windows of the waveform; zeros where the music is dropped.
        features: [B, T, F] rhythm features; zeros where the music is dropped.
        genre: [B], class index, 0..``Config.classes`` - 1.
    """

    nodes: Tensor
    wave: Tensor
    features: Tensor
    genre: Tensor


@dataclass(frozen=True)
class WindowSampling:
    """Parameters of the random windows.

    Attributes:
        batch: windows in a batch.
        window: frames of a window.
        genre_dropout, music_dropout: probabilities that genre or music of a window are dropped.
    """

    batch: int
    window: int
    genre_dropout: float
    music_dropout: float


def load_examples(dances: Sequence[Dance], rates: Sequence[float], genres: Sequence[str]) -> list[Example]:
    """Every dance at every playback rate; nodes and music are truncated to the same length.

    Raises:
        InputError: a dance of a genre that is not among ``genres``.
    """
    examples = []
    for dance in dances:
        if dance.genre not in genres:
            raise InputError(f"{dance.id}: genre {dance.genre!r} is not among the model's; add it to model.genres.")
        samples = load_song(dance.audio_path).samples
        for rate in rates:
            skeleton = dance.skeleton
            # Resampling changes the pitch with the tempo, which is a further augmentation.
            position = np.arange(int(len(samples) / rate)) * rate
            audio = extract_audio_features(np.interp(position, np.arange(len(samples)), samples).astype(np.float32))
            nodes = encode(Skeleton(skeleton.positions, skeleton.fps * rate, skeleton.layout))
            frames = min(len(nodes), len(audio))
            audio = dataclasses.replace(audio, features=audio.features[:frames])
            examples.append(Example(nodes[:frames], audio, genres.index(dance.genre), dance.sync))
    return examples


class DanceDataset:
    """Random batches of examples.

    A batch is a function of the seeds, so training can be resumed at any step.

    Args:
        data: examples; those not longer than a window are left out.
        sampling: of the windows.
        genres: number of genres, also the index of the null class.
        device: of the batches.

    Raises:
        InputError: no example is longer than a window.
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
        # A genre is sampled with a probability proportional to the square root of its total length.
        frames = np.array([len(example.nodes) for example in self.data], np.float64)
        genre = np.array([example.genre for example in self.data])
        weight = frames / np.sqrt(np.bincount(genre, weights=frames)[genre])
        self.probability = weight / weight.sum()
        self.nodes = [torch.from_numpy(example.nodes).to(device) for example in self.data]
        self.mirrored = [torch.from_numpy(mirror(example.nodes)).to(device) for example in self.data]
        self.features = [torch.from_numpy(example.audio.features).to(device) for example in self.data]
        self.samples = [self._padded_samples(example).to(device) for example in self.data]

    @property
    def minutes(self) -> float:
        """Total length of the examples."""
        return sum(len(nodes) for nodes in self.nodes) / MODEL_FPS / 60

    def statistics(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of the nodes' coordinates, [J, 3] each, mirrored dances included."""
        nodes = torch.cat(self.nodes + self.mirrored)
        return nodes.mean(dim=0), nodes.std(dim=0).clamp(min=0.02)

    def fingerprint(self) -> str:
        """SHA-256 of the nodes, rhythm features, genres and ``sync`` of all examples, hexadecimal."""
        digest = hashlib.sha256()
        for example in self.data:
            digest.update(f"{example.nodes.shape} {example.genre} {example.sync}".encode())
            digest.update(np.ascontiguousarray(example.nodes).tobytes())
            digest.update(np.ascontiguousarray(example.audio.features).tobytes())
        return digest.hexdigest()

    def batch(self, *seed: int, sampling: WindowSampling | None = None) -> Batch:
        """A batch of random windows, a function of the seeds.

        Args:
            seed: one or more integers.
            sampling: of the windows; that of the data set when not given.
        """
        rng, s = np.random.default_rng(seed), sampling or self.sampling
        windows = []
        for index in rng.choice(len(self.data), s.batch, p=self.probability):
            start = int(rng.integers(len(self.nodes[index]) - s.window))
            mirrored, gain = rng.random() < 0.5, rng.uniform(0.5, 1.2)
            # Music without reliable timing has no relation to the steps that could be learnt, so it is always dropped.
            music = float(self.data[index].sync and rng.random() >= s.music_dropout)
            genre = self.data[index].genre if rng.random() >= s.genre_dropout else self.null_genre
            windows.append(
                (
                    (self.mirrored if mirrored else self.nodes)[index][start : start + s.window],
                    self.samples[index][start * HOP : (start + s.window - 1) * HOP + WINDOW] * (music * gain),
                    self.features[index][start : start + s.window] * music,
                    genre + mirrored * (self.null_genre + 1),
                )
            )
        nodes, samples, features, genres = zip(*windows, strict=True)
        wave = torch.stack(samples).unfold(1, WINDOW, HOP)
        return Batch(torch.stack(nodes), wave, torch.stack(features), torch.tensor(genres, device=wave.device))

    @staticmethod
    def _padded_samples(example: Example) -> Tensor:
        """The song padded such that the window of frame i begins at sample i HOP (see `AudioFeatures.windows`)."""
        before = WINDOW // 2
        length = len(example.nodes) * HOP + WINDOW
        samples = example.audio.samples[: length - before]
        return torch.from_numpy(np.pad(samples, (before, length - before - len(samples))))
