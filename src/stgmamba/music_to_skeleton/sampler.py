"""Sampling of stage 1: a dance of any length from a song.

The flow is integrated for the whole song at once. In every step the network is applied to overlapping chunks whose
predictions are cross-faded: chunks leave no seams, and the network's memory does not grow with the song.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
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

_CHUNK = 192  # frames, the window of training (configs/music_to_skeleton.yaml)
_OVERLAP = 48  # frames
_BATCH = 8  # chunks
# Scale of the initial noise. Few solver steps and averaging over chunks reduce variance; stronger noise restores it.
# On seven training songs, with 1 and with 1.4: PFD 829 and 288, VFD 17 and 9.0, PVar 61 and 95 (real 107), foot skate
# 21 and 28 (real 25); above 1.4 PFD and VFD increase.
_TEMPERATURE = 1.4
_FIRST_LOG_SNR, _LAST_LOG_SNR = -4.5, 3.0  # log signal-to-noise ratios; the solver's steps are evenly spaced between


class DanceSampler:
    """Generates dances with a trained network.

    Args:
        model: stage 1, music to skeleton.
    """

    def __init__(self, model: Network) -> None:
        self.model = model.eval()

    @property
    def genres(self) -> tuple[str, ...]:
        """Names of the genres that the network can be conditioned on."""
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
        beats: NDArray[np.float64] | None = None,
    ) -> Skeleton:
        """Generate a dance to a song.

        Args:
            song: mono at SAMPLE_RATE.
            seconds: length of the dance; by default that of the song.
            seed: of the noise.
            genre: one of ``genres``, or None for the null class.
            facing: ``camera`` keeps the body's yaw within about 45 degrees of +z, ``free`` does not limit it.
            progress: called with (evaluations of the network done, in total).
            align_beats: whether to align motion events with the beats of the song (beat_alignment.py).
            beats: times of the beats, seconds [K], K > 0; tracked when not given.

        Returns:
            3-D, OPENPOSE_18_FEET, FPS, metres; bones of constant length, standing feet on the floor at y = 0.

        Raises:
            InputError: ``genre`` is not one of ``genres``.
        """
        genre_class = self.genre_class(genre)
        frames = max(2, round((seconds or song.seconds) * song.rate / HOP))
        audio = extract_audio_features(song.samples, frames, beats)
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
        """Integrate the flow from noise to nodes [T, 23, 3] at MODEL_FPS."""
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
                genre = torch.full((len(batch),), genre_class)
                clean = self.model(chunks, torch.full((len(batch),), t), tokens, genre)
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
    """Integrate a flow with the second-order multistep solver DPM-Solver++ (Lu et al. 2022, algorithm 2).

    Args:
        predict: (x_t, t) -> prediction of x_1.
        noise: x_0.
        steps: evaluations of ``predict``, >= 1; 1 is a single pass.

    Returns:
        x_1, of the shape of the noise.
    """
    span = _LAST_LOG_SNR - _FIRST_LOG_SNR
    ratios = [_FIRST_LOG_SNR + span * i / max(1, steps - 2) for i in range(steps - 1)]
    times = [0.0, *(1 / (1 + math.exp(-ratio)) for ratio in ratios), 1.0]
    x, previous = noise, None
    for i in range(steps):
        t, t_next = times[i], times[i + 1]
        clean = predict(x, t)
        target = clean
        if previous is not None and 1 < i < steps - 1:
            # Linear extrapolation in the log ratio, whose steps are equal, to the middle of the step.
            target = clean + (clean - previous) / 2
        x = (1 - t_next) / (1 - t) * (x - t * target) + t_next * target
        previous = clean
    return x


def load_sampler(weights: str | Path | None = None) -> DanceSampler:
    """A sampler with the default weights, or with those of a file.

    Raises:
        InputError: not a weights file of this network.
    """
    path = default_weights("music_to_skeleton") if weights is None else Path(weights)
    return DanceSampler(read_network(path, lambda values: build_network(Config(**values))))


def _noise_seed(audio: AudioFeatures, seed: int) -> int:
    """Seed of the noise, from the user's seed and the first five seconds of the song.

    The same seed gives different dances for different songs, and a preview begins like the whole dance.
    """
    start = np.clip(np.round(audio.samples[: 5 * SAMPLE_RATE] * 1000), -32768, 32767).astype("<i2")
    return int(np.random.SeedSequence((seed, zlib.crc32(start.tobytes()))).generate_state(1)[0])


def _chunk_starts(frames: int) -> list[int]:
    """Start frames of overlapping chunks that cover all frames; the last chunk ends at the last frame."""
    if frames <= _CHUNK:
        return [0]
    return [*range(0, frames - _CHUNK, _CHUNK - _OVERLAP), frames - _CHUNK]


def _crossfade_weights(length: int) -> Tensor:
    """Weights of a chunk's frames, [length, 1, 1] > 0: linear ramps over the overlaps, 1 between."""
    distance = torch.arange(1, length + 1).float()
    return torch.minimum(distance, distance.flip(0)).clamp(max=_OVERLAP)[:, None, None] / _OVERLAP
