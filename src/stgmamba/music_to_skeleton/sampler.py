"""Sampling of stage 1: a dance of any length from a song.

The flow is integrated for the whole song at once. In every step the network is applied to overlapping chunks whose
predictions are cross-faded: chunks leave no seams, and the network's memory does not grow with the song.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d
from torch import Tensor

from stgmamba.arrays import FloatArray
from stgmamba.music.decode import SAMPLE_RATE, Song
from stgmamba.music.rhythm import Rhythm
from stgmamba.music.sections import find_sections
from stgmamba.music_to_skeleton.audio_features import (
    HOP,
    MUSIC_FPS,
    AudioFeatures,
    extract_audio_features,
    music_energy,
)
from stgmamba.music_to_skeleton.flow_matching import draw_noise, solve_flow
from stgmamba.music_to_skeleton.model import music_shares
from stgmamba.music_to_skeleton.phrases import Return, find_returns, repeat_nodes, repeat_noise
from stgmamba.music_to_skeleton.postprocessing import postprocess
from stgmamba.music_to_skeleton.registry import Network, load_network
from stgmamba.music_to_skeleton.styles import Choice, choose_style, parse_style, plan_of, style_weights
from stgmamba.options import ENERGY, FPS, REPEATS, STYLE, Facing, Repeats
from stgmamba.progress import Progress
from stgmamba.skeleton import Skeleton
from stgmamba.training.weights import default_weights

_CHUNK = 192  # frames of the music, the window of training (configs/music_to_skeleton.yaml): 15.4 s
_OVERLAP = 48  # frames of the music
_BATCH = 8  # chunks
_ENERGY_GAIN = 0.1  # relative change of the noise's scale for music half as loud and dense again as the song's mean


class DanceSampler:
    """Generates dances with a trained network.

    Args:
        model: stage 1, music to skeleton.
    """

    def __init__(self, model: Network) -> None:
        self.model = model.eval()

    @property
    def styles(self) -> tuple[str, ...]:
        """Names of the styles that the network can be conditioned on."""
        return self.model.config.styles

    def generate(
        self,
        song: Song,
        seconds: float | None = None,
        seed: int = 0,
        style: str = STYLE,
        facing: Facing = "free",
        progress: Progress | None = None,
        align_beats: bool = True,
        rhythm: Rhythm | None = None,
        travel: float | None = None,
        energy: float = ENERGY,
        repeats: Repeats = REPEATS,
        chosen: Callable[[Choice], object] | None = None,
    ) -> Skeleton:
        """Generate a dance to a song.

        Args:
            song: mono at SAMPLE_RATE.
            seconds: length of the dance; by default that of the song.
            seed: of the noise.
            style: one of ``styles``, a mix or a plan of sections (styles.py), or ``auto``, which chooses by the music.
            facing: ``camera`` keeps the body's yaw within about 45 degrees of +z, ``free`` does not limit it.
            progress: called with (evaluations of the network done, in total).
            travel: radius in metres within which the dancer stays; None leaves the floor to the dance.
            energy: how much larger movements are where the music is louder and denser, 0..2; 0: not at all.
            chosen: called with the style that ``auto`` chose.
            align_beats: whether to align motion events with the beats of the song (beat_alignment.py).
            rhythm: the song's beats and bars; tracked when not given.
            repeats: whether sections of the song that return bring their phrase back: ``exact``, ``varied`` or ``off``.

        Returns:
            3-D, OPENPOSE_18_FEET, FPS, metres; bones of constant length, standing feet on the floor at y = 0.

        Raises:
            InputError: ``style`` names a style that is not one of ``styles``.
        """
        sections = parse_style(style, self.styles)
        frames = max(2, round((seconds or song.seconds) * song.rate / HOP))
        audio = extract_audio_features(song.samples, frames, rhythm)
        if sections is None:
            choice = choose_style(audio, self.styles)
            if chosen is not None:
                chosen(choice)
            sections = plan_of(choice.style)
        weights = style_weights(sections, self.styles, frames, MUSIC_FPS)
        returns = [] if repeats == "off" else _returns(audio)
        varied = returns if repeats == "varied" else ()
        nodes = self.sample_nodes(audio, seed, weights, progress, energy=energy, returns=varied)
        if repeats == "exact":
            nodes = repeat_nodes(nodes, returns, self.model.config.fps)
        count = max(1, round((seconds or song.seconds) * FPS))
        aligned = audio.beats if align_beats else None
        return postprocess(nodes, self.model.config.fps, count, facing, aligned, travel)

    def check_style(self, style: str) -> None:
        """Raise InputError where a style is written wrongly or the network does not know it."""
        parse_style(style, self.styles)

    @torch.inference_mode()
    def sample_nodes(
        self,
        audio: AudioFeatures,
        seed: int,
        weights: FloatArray,
        progress: Progress | None = None,
        energy: float = 0.0,
        returns: Sequence[Return] = (),
    ) -> FloatArray:
        """Integrate the flow from noise to nodes.

        Where several styles have a weight, their predictions are averaged (Liu et al., "Compositional visual generation
        with composable diffusion models", ECCV 2022).

        Args:
            audio: of the song, T frames.
            seed: of the noise.
            weights: of the styles, [T, S], rows of sum 1.
            progress: called with (evaluations of the network done, in total).
            energy: as for ``generate``.
            returns: parts that get the noise of others.

        Returns:
            [T R, 23, 3] at the frame rate of the network.
        """
        config = self.model.config
        ratio, steps, frames = config.frames_per_music_frame, config.sampling_steps, len(audio)
        style_of_frame = torch.from_numpy(weights).repeat_interleave(ratio, dim=0)  # [T R, S]
        generator = torch.Generator().manual_seed(_noise_seed(audio, seed))
        noise = draw_noise(1, frames * ratio, config.noise_order, generator)[0]
        noise = repeat_noise(noise, returns, config.fps)
        if steps > 1:
            loudness = torch.from_numpy(1 + energy * _ENERGY_GAIN * music_energy(audio)).repeat_interleave(ratio)
            noise *= (loudness * (style_of_frame @ torch.tensor(config.temperatures)))[:, None, None]
        length = min(_CHUNK, frames)
        crossfade = _crossfade_weights(length * ratio, _OVERLAP * ratio)
        starts = _chunk_starts(frames)
        batches = []
        for first in range(0, len(starts), _BATCH):
            chunk_starts = starts[first : first + _BATCH]
            tokens: dict[str, Tensor] = {}
            for style, condition, factor in self._classes(weights, chunk_starts, length):
                music_input = config.music_inputs[style]
                if music_input not in tokens:
                    tokens[music_input] = self._encode_chunks(audio, chunk_starts, length, music_input)
                source = config.sources.index(config.style_sources[style])
                batches.append((chunk_starts, tokens[music_input], condition, source, factor))
        done = 0

        def predict(x: Tensor, t: float) -> Tensor:
            nonlocal done
            total, weight = torch.zeros_like(x), torch.zeros(frames * ratio, 1, 1)
            for chunk_starts, hidden, condition, source, factor in batches:
                spans = [slice(start * ratio, (start + length) * ratio) for start in chunk_starts]
                count = len(spans)
                clean = self.model(
                    torch.stack([x[span] for span in spans]),
                    torch.full((count,), t),
                    hidden,
                    torch.full((count,), condition),
                    torch.full((count,), source),
                )
                for span, chunk in zip(spans, clean, strict=True):
                    blend = crossfade * (style_of_frame[span] @ factor)[:, None, None]
                    total[span] += chunk * blend
                    weight[span] += blend
                done += 1
                if progress is not None:
                    progress(done, steps * len(batches))
            return total / weight

        x = solve_flow(predict, noise, steps)
        nodes: FloatArray = (x * self.model.scale + self.model.mean).numpy()
        return self._smooth(nodes, style_of_frame.numpy())

    def _smooth(self, nodes: FloatArray, style_of_frame: FloatArray) -> FloatArray:
        """Nodes [T, J, 3] low-pass filtered as much as their styles ask for, [T, S]."""
        out = np.zeros_like(nodes)
        for style in np.flatnonzero(style_of_frame.any(axis=0)):
            size = self.model.config.smoothing[style]
            smooth = gaussian_filter1d(nodes, size, axis=0, mode="nearest") if size > 0 else nodes
            out += style_of_frame[:, style, None, None] * smooth
        return out

    def _classes(self, weights: FloatArray, starts: list[int], length: int) -> list[tuple[int, int, Tensor]]:
        """Classes that chunks are evaluated with.

        With guidance g a style counts g times and the null class 1 - g times (Ho, Salimans 2022).

        Returns:
            Per evaluation the style it is for, the index of its class, which is that of the style or of the null class,
            and the factor [S] on the styles' weights in the mean.
        """
        config, classes = self.model.config, []
        used = np.any([weights[start : start + length].any(axis=0) for start in starts], axis=0)
        for style in np.flatnonzero(used).tolist():
            only, guidance = torch.eye(len(used))[style], config.guidance[style]
            classes.append((style, style, guidance * only))
            if guidance != 1:
                classes.append((style, len(used), (1 - guidance) * only))
        return classes

    def _encode_chunks(self, audio: AudioFeatures, starts: list[int], length: int, music_input: str) -> Tensor:
        wave = np.stack([audio.windows(start, start + length) for start in starts])
        features = np.stack([audio.features[start : start + length] for start in starts])
        sound, known = music_shares(music_input)
        return self.model.encode_audio(torch.from_numpy(wave * sound), torch.from_numpy(features * known))


def load_sampler(weights: str | Path | None = None) -> DanceSampler:
    """A sampler with the default weights, or with those of a file.

    Raises:
        InputError: not a weights file of this network.
    """
    return DanceSampler(load_network(default_weights("music_to_skeleton") if weights is None else weights))


def _returns(audio: AudioFeatures) -> list[Return]:
    """Parts of a song that come again."""
    if audio.rhythm is None:
        return []
    return find_returns(find_sections(audio.samples, audio.rhythm), audio.rhythm.downbeats)


def _noise_seed(audio: AudioFeatures, seed: int) -> int:
    """Seed of the noise, from the user's seed and the first five seconds of the song.

    The same seed gives different dances for different songs, and a preview begins like the whole dance.
    """
    start = np.clip(np.round(audio.samples[: 5 * SAMPLE_RATE] * 1000), -32768, 32767).astype("<i2")
    return int(np.random.SeedSequence((seed, zlib.crc32(start.tobytes()))).generate_state(1)[0])


def _chunk_starts(frames: int) -> list[int]:
    """Start frames, of the music, of overlapping chunks that cover all frames; the last one ends at the last frame."""
    if frames <= _CHUNK:
        return [0]
    return [*range(0, frames - _CHUNK, _CHUNK - _OVERLAP), frames - _CHUNK]


def _crossfade_weights(length: int, overlap: int) -> Tensor:
    """Weights of a chunk's frames, [length, 1, 1] > 0: linear ramps over the overlaps, 1 between."""
    distance = torch.arange(1, length + 1).float()
    return torch.minimum(distance, distance.flip(0)).clamp(max=overlap)[:, None, None] / overlap
