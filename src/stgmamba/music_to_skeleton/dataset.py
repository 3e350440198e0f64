"""Training data of stage 1: random windows of real dances, as nodes, with their music.

Music comes in three forms: its sound, rhythm features without sound, or nothing; where there is nothing, the beat phase
may follow from the movement itself, if its events keep a tempo.
Augmentation: tempo changes of song and dance together, and mirroring. Nodes do not depend on direction and body
(representation.py), so there is no augmentation of these.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stgmamba.arrays import ArrayFile, DoubleArray, FloatArray, smoothstep
from stgmamba.datasets.smpl22 import StyledDance
from stgmamba.errors import InputError
from stgmamba.music.decode import SAMPLE_RATE, load_song
from stgmamba.music_to_skeleton.audio_features import (
    BEAT_COSINE,
    BEAT_SINE,
    MUSIC_FPS,
    RHYTHM_FEATURES,
    WINDOW,
    AudioFeatures,
    extract_audio_features,
    phase_features,
)
from stgmamba.music_to_skeleton.model import Config
from stgmamba.music_to_skeleton.representation import GRAPH, ROOT, encode
from stgmamba.options import FPS
from stgmamba.skeleton import Skeleton
from stgmamba.skeleton.motion_events import motion_tempo

_JOIN_SECONDS = 0.5  # cross-fade between short takes that are joined
_STEADY = 14.0  # strength of a movement's own tempo from which on its beats are believed (`motion_tempo`)


@dataclass(frozen=True)
class Example:
    """One dance at one tempo.

    Attributes:
        nodes: [T, 23, 3], see representation.py.
        audio: features of its music, T / R frames; without samples where the sound is not known, with those of its
            beginning where it is not learnt from.
        style: index; the number of styles for a dance that mixes several.
        source: index.
        sync: whether the timing of dance and music is reliable; False where there is no music.
    """

    nodes: FloatArray
    audio: AudioFeatures
    style: int
    source: int
    sync: bool


@dataclass(frozen=True)
class Batch:
    """Windows of dances with their music.

    Attributes:
        nodes: [B, T, J, 3], not normalised.
        wave: [B, T / R, W] windows of the waveform; zeros where it is not known or dropped.
        features: [B, T / R, F] rhythm features; zeros where the music is not known or dropped.
        style: [B], class index, 0..``Config.classes`` - 1.
        source: [B], index.
    """

    nodes: Tensor
    wave: Tensor
    features: Tensor
    style: Tensor
    source: Tensor


@dataclass(frozen=True)
class WindowSampling:
    """Parameters of the random windows.

    Attributes:
        batch: windows in a batch.
        window: frames of a window, a multiple of R.
        style_dropout, music_dropout: probabilities that style or music of a window are dropped.
        phase_only: probability that of the music only the phases of beat and bar are kept.
        sound_dropout: probability that of the music the sound is dropped, but not the rhythm features.
        shares: style -> its share of the windows; None for dances that mix styles. A style that is not named gets none.
            Without shares a style is sampled with a probability proportional to the square root of its length.
        mirror: probability that a window is mirrored.
    """

    batch: int
    window: int
    style_dropout: float
    music_dropout: float
    phase_only: float = 0.0
    sound_dropout: float = 0.0
    shares: Mapping[str | None, float] = dataclasses.field(default_factory=dict)
    mirror: float = 0.5


def load_examples(
    dances: Sequence[StyledDance],
    rates: Sequence[float],
    config: Config,
    window: int,
    sound: float = np.inf,
    folder: Path | None = None,
) -> list[Example]:
    """Every dance at every playback rate; nodes and music are truncated to the same length.

    Their arrays lie on disk: memory is taken by one dance at a time, and later by the windows that are read.
    Takes without music that are shorter than two windows are joined, by style and source.

    Args:
        dances: to learn from.
        rates: playback rates, of song and dance together.
        config: of the network.
        window: frames of a training window.
        sound: seconds of the sound of each dance that are kept, which is most of what its example holds.
        folder: on whose disk the arrays lie; None for that of temporary files.

    Raises:
        InputError: a dance of a style that is not among the network's.
    """
    file, kept = ArrayFile(folder), []
    for example in _examples(dances, rates, config, window, sound):
        arrays = example.nodes, example.audio.features, example.audio.samples
        for array in arrays:
            file.add(array)
        # What is left in memory has views of nothing.
        none = np.zeros(0, np.float32)
        kept.append(dataclasses.replace(example, nodes=none, audio=AudioFeatures(none, none, example.audio.rhythm)))
    stored = iter(file.arrays())
    return [
        dataclasses.replace(
            example,
            nodes=next(stored),
            audio=dataclasses.replace(example.audio, features=next(stored), samples=next(stored)),
        )
        for example in kept
    ]


def _examples(
    dances: Sequence[StyledDance], rates: Sequence[float], config: Config, window: int, sound: float
) -> Iterator[Example]:
    short = dict[tuple[int, int, float], list[FloatArray]]()
    for dance in dances:
        if dance.style is not None and dance.style not in config.styles:
            raise InputError(f"{dance.id}: style {dance.style!r} is not among the model's; add it to model.styles.")
        style = len(config.styles) if dance.style is None else config.styles.index(dance.style)
        source = config.sources.index(dance.source)
        skeleton = dance.skeleton
        samples = load_song(dance.audio_path).samples if dance.audio_path else None
        beats = None if samples is not None or dance.rhythm is not None else _own_beats(skeleton)
        for rate in rates:
            nodes = encode(Skeleton(skeleton.positions, skeleton.fps * rate, skeleton.layout), config.fps)
            frames = len(nodes) // config.frames_per_music_frame
            if samples is not None:
                first = round(dance.start * SAMPLE_RATE)
                # Resampling changes the pitch with the tempo, which is a further augmentation.
                position = first + np.arange(int((len(samples) - first) / rate)) * rate
                played = np.interp(position, np.arange(len(samples)), samples).astype(np.float32)
                audio = extract_audio_features(played)
            elif dance.rhythm is not None:
                at = np.arange(frames) / MUSIC_FPS * rate * FPS
                onset, loudness = (
                    np.interp(at, np.arange(len(values)), values)
                    for values in (dance.rhythm.onset, dance.rhythm.loudness)
                )
                audio = _features_without_sound(frames, dance.rhythm.beats / rate, onset, loudness)
            elif beats is not None:
                audio = _features_without_sound(frames, beats / rate)
            elif len(nodes) < 2 * window:
                short.setdefault((style, source, rate), []).append(nodes)
                continue
            else:
                audio = _features_without_sound(frames)
            frames = min(frames, len(audio))
            kept = audio.samples if np.isinf(sound) else audio.samples[: round(sound * SAMPLE_RATE)]
            audio = dataclasses.replace(audio, samples=kept, features=audio.features[:frames])
            nodes = nodes[: frames * config.frames_per_music_frame]
            known = samples is not None or dance.rhythm is not None or beats is not None
            yield Example(nodes, audio, style, source, known and dance.sync)
    for (style, source, _), takes in short.items():
        nodes = _join(takes, round(_JOIN_SECONDS * config.fps))
        frames = len(nodes) // config.frames_per_music_frame
        audio = _features_without_sound(frames)
        yield Example(nodes[: frames * config.frames_per_music_frame], audio, style, source, False)


def _own_beats(skeleton: Skeleton) -> DoubleArray | None:
    """Beats of the tempo that a movement keeps, seconds; None where it keeps none."""
    tempo = motion_tempo(skeleton)
    if tempo is None or tempo.strength < _STEADY:
        return None
    period = 60 / tempo.bpm
    return np.arange(tempo.first_beat, skeleton.seconds + period, period)


def _features_without_sound(
    frames: int,
    beats: DoubleArray | None = None,
    onset: DoubleArray | float = 0.0,
    loudness: DoubleArray | float = 0.0,
) -> AudioFeatures:
    """Features of music of which only the given is known; the rest is 0, as where music is dropped."""
    features = np.zeros((frames, len(RHYTHM_FEATURES)), np.float32)
    features[:, 0], features[:, 1] = onset, loudness
    if beats is not None:
        features[:, [BEAT_COSINE, BEAT_SINE]] = phase_features(beats, frames)
    return AudioFeatures(np.zeros(0, np.float32), features, None)


def _join(takes: Sequence[FloatArray], fade: int) -> FloatArray:
    """Nodes of takes one after the other, cross-faded over ``fade`` frames."""
    joined = takes[0]
    weight = smoothstep(0, 1, np.linspace(0, 1, fade + 2)[1:-1, None, None])
    for take in takes[1:]:
        overlap = joined[-fade:] * (1 - weight) + take[:fade] * weight
        joined = np.concatenate([joined[:-fade], overlap, take[fade:]])
    return joined.astype(np.float32)


class DanceDataset:
    """Random batches of examples.

    A batch is a function of the seeds, so training can be resumed at any step.

    Args:
        data: examples; those not longer than a window are left out.
        sampling: of the windows.
        config: of the network.
        device: of the batches.

    Raises:
        InputError: no example is longer than a window, or a share is of a style that the network does not know.
    """

    def __init__(self, data: Sequence[Example], sampling: WindowSampling, config: Config, device: torch.device) -> None:
        self.sampling, self.null_style, self.fps = sampling, len(config.styles), config.fps
        self.ratio = config.frames_per_music_frame
        unknown = [str(style) for style in sampling.shares if style not in (*config.styles, None)]
        if unknown:
            raise InputError(f"shares of unknown styles: {', '.join(unknown)}; name styles of model.styles.")
        shares = {config.styles.index(k) if k else self.null_style: share for k, share in sampling.shares.items()}
        self.data = [
            example
            for example in data
            if len(example.nodes) > sampling.window and (not shares or shares.get(example.style, 0) > 0)
        ]
        if not self.data:
            longest = max((len(example.nodes) for example in data), default=0) / self.fps
            raise InputError(
                f"no dance is longer than the window of {sampling.window / self.fps:.1f} s "
                f"(the longest has {longest:.1f} s); shorten the window."
            )
        frames = np.array([len(example.nodes) for example in self.data], np.float64)
        style = np.array([example.style for example in self.data])
        length = np.bincount(style, weights=frames, minlength=self.null_style + 1)
        share = np.array([shares.get(k, 0.0) for k in range(len(length))]) if shares else np.sqrt(length)
        weight = share[style] * frames / length[style]
        self.probability = weight / weight.sum()
        self.device = device
        self.nodes = [torch.from_numpy(example.nodes) for example in self.data]
        self.features = [torch.from_numpy(example.audio.features) for example in self.data]

    @property
    def minutes(self) -> float:
        """Total length of the examples."""
        return sum(len(nodes) for nodes in self.nodes) / self.fps / 60

    def statistics(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of the nodes' coordinates as sampled, [J, 3] each, mirrored dances included."""
        means, squares = torch.zeros_like(self.nodes[0][0]), torch.zeros_like(self.nodes[0][0])
        for weight, original in zip(self.probability, self.nodes, strict=True):
            for nodes in (original, mirror(original)):
                means += float(weight) / 2 * nodes.mean(dim=0)
                squares += float(weight) / 2 * nodes.square().mean(dim=0)
        scale = (squares - means.square()).clamp(min=0).sqrt().clamp(min=0.02)
        return means.to(self.device), scale.to(self.device)

    def fingerprint(self) -> str:
        """SHA-256 of the nodes, rhythm features, styles and ``sync`` of all examples, hexadecimal."""
        digest = hashlib.sha256()
        for example in self.data:
            digest.update(f"{example.nodes.shape} {example.style} {example.sync}".encode())
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
            music_frames = s.window // self.ratio
            first = int(rng.integers(len(self.features[index]) - music_frames + 1))
            start = first * self.ratio
            mirrored, gain = rng.random() < s.mirror, rng.uniform(0.5, 1.2)
            # Music without reliable timing has no relation to the steps that could be learnt, so it is always dropped.
            music = float(self.data[index].sync and rng.random() >= s.music_dropout)
            onset = music * float(rng.random() >= s.phase_only)
            sound = onset * float(s.sound_dropout == 0 or rng.random() >= s.sound_dropout)
            style = self.data[index].style if rng.random() >= s.style_dropout else self.null_style
            known = self.features[index].new_tensor([onset, onset, music, music, music, music])
            nodes = self.nodes[index][start : start + s.window]
            if s.sound_dropout < 1:
                wave = torch.from_numpy(self.data[index].audio.windows(first, first + music_frames)) * (sound * gain)
            else:
                wave = nodes.new_zeros((music_frames, WINDOW))
            windows.append(
                (
                    mirror(nodes) if mirrored else nodes,
                    wave,
                    self.features[index][first : first + music_frames] * known,
                    style + mirrored * (self.null_style + 1),
                    self.data[index].source,
                )
            )
        dances, waves, features, styles, sources = zip(*windows, strict=True)
        return Batch(
            torch.stack(dances).to(self.device),
            torch.stack(waves).to(self.device),
            torch.stack(features).to(self.device),
            torch.tensor(styles, device=self.device),
            torch.tensor(sources, device=self.device),
        )


def mirror(nodes: Tensor) -> Tensor:
    """Nodes of the mirrored dance, [..., 23, 3]."""
    out = nodes[..., list(GRAPH.mirror), :]
    # Coordinate 0 is to the left, of joints and of the root's velocity; the turning rate changes its sign too.
    out[..., 0] *= -1
    out[..., ROOT, 2] *= -1
    return out
