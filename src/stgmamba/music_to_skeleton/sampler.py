"""Sampling of stage 1: a dance of any length from a song.

The flow is solved for the whole song at once, while the network sees overlapping chunks whose predictions are
cross-faded in every step: its memory does not grow with the song, and chunks leave no seams.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stgmamba.arrays import FloatArray
from stgmamba.music.decode import SAMPLE_RATE, Song
from stgmamba.music_to_skeleton.audio_features import HOP, AudioFeatures, extract_audio_features
from stgmamba.music_to_skeleton.model import Config
from stgmamba.music_to_skeleton.postprocessing import postprocess
from stgmamba.music_to_skeleton.registry import Network, build_network
from stgmamba.music_to_skeleton.representation import GRAPH
from stgmamba.options import FPS, Facing, match_name
from stgmamba.progress import Progress
from stgmamba.skeleton import Skeleton
from stgmamba.training.weights import default_weights, read_network

_CHUNK = 192  # frames of the network at once: the window of training
_OVERLAP = 48
_BATCH = 8
# Factor on the initial noise. Few solver steps and averaging over chunks reduce variance; stronger noise restores it.
# On seven train songs, 1 against 1.4: PFD 829 and 288, VFD 17 and 9.0, PVar 61 and 95 (real 107), foot skate 21 and 28
# (real 25); above 1.4 poses and velocities move away from real ones again.
_TEMPERATURE = 1.4
# Log signal-to-noise ratios between which the solver's steps are evenly spaced.
_FIRST_LOG_SNR, _LAST_LOG_SNR = -4.5, 3.0


class DanceSampler:
    """Generates dances with a trained network.

    Args:
        model: stage 1, music to skeleton.
    """

    def __init__(self, model: Network) -> None:
        self.model = model.eval()

    @property
    def genres(self) -> tuple[str, ...]:
        """Names of the genres that the network was trained on."""
        return self.model.config.genres

    def generate(
        self,
        song: Song,
        seconds: float | None = None,
        seed: int = 0,
        genre: str | None = None,
        facing: Facing = "free",
        progress: Progress | None = None,
        align_beats: bool = True,
    ) -> Skeleton:
        """A dance to a song.

        Args:
            song: mono at SAMPLE_RATE.
            seconds: length of the dance; by default that of the song.
            seed: another seed, another dance.
            genre: one of ``genres``, or None for the null class.
            facing: ``camera`` keeps the body within about 45 degrees of +z, ``free`` lets it turn.
            progress: called with (evaluations of the network done, in all).
            align_beats: change the timing a little so that steps fall on beats (beat_alignment.py).

        Returns:
            3-D, OPENPOSE_18_FEET, FPS, metres; bones of constant length, standing feet on the floor at y = 0.

        Raises:
            InputError: a genre that the network does not know.
        """
        genre_class = self.genre_class(genre)
        frames = max(2, round((seconds or song.seconds) * song.rate / HOP))
        audio = extract_audio_features(song.samples, frames)
        nodes = self.sample_nodes(audio, seed, genre_class, progress)
        count = max(1, round((seconds or song.seconds) * FPS))
        return postprocess(nodes, count, facing, audio.beats if align_beats else None)

    def genre_class(self, genre: str | None) -> int:
        """The class of a genre, and of None the null class. Raises InputError where the network knows no such genre."""
        return len(self.genres) if genre is None else self.genres.index(match_name(genre, self.genres, "genre"))

    @torch.inference_mode()
    def sample_nodes(
        self, audio: AudioFeatures, seed: int, genre_class: int, progress: Progress | None = None
    ) -> FloatArray:
        """Solve the flow from noise to nodes [T, 23, 3] at MODEL_FPS."""
        frames, steps = len(audio), self.model.config.sampling_steps
        generator = torch.Generator().manual_seed(_noise_seed(audio, seed))
        noise = torch.randn(frames, len(GRAPH), 3, generator=generator)
        if steps > 1:
            noise *= _TEMPERATURE
        starts = _chunk_starts(frames)
        length = min(_CHUNK, frames)
        batches = [starts[i : i + _BATCH] for i in range(0, len(starts), _BATCH)]
        hidden = [self._encode_chunks(audio, batch, length) for batch in batches]
        crossfade = _crossfade_weights(length)
        done = 0

        def predict(x: Tensor, t: float) -> Tensor:
            nonlocal done
            total, weight = torch.zeros_like(x), torch.zeros(frames, 1, 1)
            for batch, tokens in zip(batches, hidden, strict=True):
                chunks = torch.stack([x[start : start + length] for start in batch])
                condition = torch.full((len(batch),), genre_class)
                clean = self.model(chunks, torch.full((len(batch),), t), tokens, condition)
                for start, chunk in zip(batch, clean, strict=True):
                    total[start : start + length] += chunk * crossfade
                    weight[start : start + length] += crossfade
                done += 1
                if progress is not None:
                    progress(done, steps * len(batches))
            return total / weight

        x = solve_flow(predict, noise, steps)
        nodes: FloatArray = (x * self.model.scale + self.model.mean).numpy()
        return nodes

    def _encode_chunks(self, audio: AudioFeatures, starts: list[int], length: int) -> Tensor:
        wave = np.stack([audio.windows(start, start + length) for start in starts])
        features = np.stack([audio.features[start : start + length] for start in starts])
        return self.model.encode_audio(torch.from_numpy(wave), torch.from_numpy(features))


def solve_flow(predict: Callable[[Tensor, float], Tensor], noise: Tensor, steps: int) -> Tensor:
    """Integrate the flow with the second-order multistep solver DPM-Solver++ (Lu et al. 2022, algorithm 2).

    Args:
        predict: (x_t, t) -> the clean dance.
        noise: x_0.
        steps: evaluations of ``predict``, >= 1; 1 is a single pass.

    Returns:
        The dance, shaped as the noise.
    """
    span = _LAST_LOG_SNR - _FIRST_LOG_SNR
    ratios = [_FIRST_LOG_SNR + span * i / max(1, steps - 2) for i in range(steps - 1)]
    times = [0.0, *(1 / (1 + math.exp(-ratio)) for ratio in ratios), 1.0]
    x, before = noise, None
    for i in range(steps):
        t, after = times[i], times[i + 1]
        clean = predict(x, t)
        target = clean
        if before is not None and 1 < i < steps - 1:
            # Steps are even in the log ratio, so halfway along the prediction will have changed half as much again.
            target = clean + (clean - before) / 2
        x = (1 - after) / (1 - t) * (x - t * target) + after * target
        before = clean
    return x


def load_sampler(weights: str | Path | None = None) -> DanceSampler:
    """A sampler with the default weights, or with those of a file.

    Raises:
        InputError: not a weights file of this network.
    """
    path = default_weights("music_to_skeleton") if weights is None else Path(weights)
    return DanceSampler(read_network(path, lambda values: build_network(Config(**values))))


def _noise_seed(audio: AudioFeatures, seed: int) -> int:
    """Seed of the noise from the user's seed and the first five seconds of the song.

    So the same seed gives another dance on another song, while a preview starts like the whole dance.
    """
    start = np.clip(np.round(audio.samples[: 5 * SAMPLE_RATE] * 1000), -32768, 32767).astype("<i2")
    return int(np.random.SeedSequence((seed, zlib.crc32(start.tobytes()))).generate_state(1)[0])


def _chunk_starts(frames: int) -> list[int]:
    """Starts of overlapping chunks that cover all frames; the last one ends with the song."""
    if frames <= _CHUNK:
        return [0]
    return [*range(0, frames - _CHUNK, _CHUNK - _OVERLAP), frames - _CHUNK]


def _crossfade_weights(length: int) -> Tensor:
    """Weight of a chunk's frames, [length, 1, 1]: rising and falling over the overlap, never zero."""
    edge = torch.arange(1, length + 1).float()
    return torch.minimum(edge, edge.flip(0)).clamp(max=_OVERLAP)[:, None, None] / _OVERLAP
