"""Music-to-skeleton with a spatial-temporal graph Mamba (Tang et al., TPAMI 2025, section "music-to-skeleton").

In the order of the paper: config, graph convolution, the STGM block, the audio encoder, the model.

    wave, windows of 0.1 s --conv--> --+
    onset, beat phase -----------------+--Bi-GRU--> hidden tokens --lift--> H_0 [B, T, J, C] --STGM--> S [B, T, J, 3]

Notable, and ours:
- The network is the denoiser of a flow-matching generator: from a noisy dance x_t, the flow's time t and the music it
  predicts the clean dance. The paper's noise vector z is the start of that flow.
- A token represents P frames of a joint (`patch`), so inside the blocks T counts patches (Dosovitskiy et al. 2021).
  Music has fewer frames than the dance, R times fewer, and a token P / R of them.
- J is the number of joints plus one root node, whose coordinates are the body's velocity (representation.py).
- The condition of the flow (t, style and source of the movement) scales and shifts the layer norm of every block
  (Peebles, Xie 2023).
Shapes: B sequences, T frames, R of them per frame of the music, J graph nodes, C channels, E inner channels of a block,
N states of the SSM.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stgmamba.arrays import FloatArray
from stgmamba.datasets.smpl22 import CAPTURED, KEY_FRAMED, SOURCES
from stgmamba.music_to_skeleton.attention_baseline import AxisAttention
from stgmamba.music_to_skeleton.audio_features import MUSIC_FPS, RHYTHM_FEATURES, WINDOW
from stgmamba.music_to_skeleton.representation import GRAPH
from stgmamba.ssm import SelectiveSSM

MIXERS = ("ssm", "attention")
NETWORKS = ("stgm", "ren2020")
SOUND, RHYTHM, PHASE = "sound", "rhythm", "phase"
MUSIC_INPUTS = (SOUND, RHYTHM, PHASE)
"""What of the music is given: all of it, the rhythm features without the sound, or the beat phase alone."""


def music_shares(music_input: str) -> tuple[np.float32, FloatArray]:
    """Factors, 0 or 1, of what is given of the music: on the waveform, and on each of the RHYTHM_FEATURES [F]."""
    sound, onset = float(music_input == SOUND), float(music_input != PHASE)
    return np.float32(sound), np.array([onset, onset, 1, 1, 1, 1], np.float32)


STYLES = (
    "cha-cha", "rumba", "tango", "waltz",
    "krump", "la-hip-hop", "lock", "pop",
    "salsa", "modern", "j-pop", "k-pop",
)  # fmt: skip
"""Styles of the weights in the package: ballroom, street, and others."""

STYLE_SETTINGS: dict[str, tuple[Any, ...]] = {
    # In the order of STYLES: ballroom, street dance, the others.
    "temperatures": (1.22, 1.27, 1.29, 1.25, 1.11, 1.17, 1.17, 1.15, 1.1, 1.11, 1.11, 1.08),
    "guidance": (1.0, 1.0, 1.0, 1.0, 1.5, 1.0, 1.5, 1.5, 1.5, 1.0, 1.0, 1.0),
    "smoothing": (0.8, 1.2, 0.0, 1.2, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    "music_inputs": (RHYTHM,) * 8 + (PHASE,) * 4,
    "style_sources": (CAPTURED,) * 10 + (KEY_FRAMED,) * 2,
}
"""How `STYLES` are danced: per setting of `Config` a value for each, chosen on training dances (docs/method.md)."""


@dataclass(frozen=True)
class Config:
    """Hyperparameters of the model; the defaults are what weights mean that were saved before a setting was there.

    Attributes:
        channels: C, of a token.
        inner: E, inside a block.
        states: N, of the SSM.
        blocks: number of STGM blocks.
        window_samples: W, samples of the waveform per frame; only WINDOW of audio_features.py, so that weights trained
            on other windows are refused.
        music_features: rhythm features per frame, the first so many of audio_features.py.
        music_channels: H, of a hidden token of the music.
        styles: class names.
        sources: how a movement came about, class names (`stgmamba.datasets.smpl22.SOURCES`).
        temperatures: scale of the initial noise per style. Few solver steps and averaging over chunks reduce variance;
            stronger noise restores it. Here and below: empty for `STYLE_SETTINGS`, or 1 where the styles are others.
        guidance: weight of the style per style: 1 predicts with it, more goes beyond it, away from the null class, at
            twice the cost (Ho, Salimans 2022).
        music_inputs: per style what it gets of the music when it is danced, one of `MUSIC_INPUTS`: no more than it had
            in training.
        style_sources: per style which of the ``sources`` is asked for.
        smoothing: per style the standard deviation, in frames, of the Gaussian that takes jitter from its dances.
        noise_order: order d of the fractional integration that colours the noise (flow_matching.py); 0 is white.
        fps: frames of the dance per second, a multiple of MUSIC_FPS.
        spatial, temporal_forward, temporal_backward: whether the block has the branches SG, TGF, TGB.
        mixer: sequence model of the branches: ``ssm``, or ``attention`` (attention_baseline.py).
        music_modulation: whether the music modulates B and C of the scans, beside what it adds to the tokens
            (temporally conditional Mamba).
        network: ``stgm``, or ``ren2020`` (ren2020.py), which uses only the sizes of music and channels, and the styles.
        patch: P, frames per token of a joint.
        sampling_steps: evaluations of the network per dance (sampler.py); 1 for an adversarially trained one.
    """

    channels: int = 96
    inner: int = 192
    states: int = 4
    blocks: int = 4
    window_samples: int = WINDOW
    music_features: int = 4
    music_channels: int = 64
    styles: tuple[str, ...] = STYLES
    sources: tuple[str, ...] = SOURCES
    temperatures: tuple[float, ...] = ()
    guidance: tuple[float, ...] = ()
    music_inputs: tuple[str, ...] = ()
    style_sources: tuple[str, ...] = ()
    smoothing: tuple[float, ...] = ()
    noise_order: float = 0.4
    fps: float = 25.0
    spatial: bool = True
    temporal_forward: bool = True
    temporal_backward: bool = True
    mixer: str = "ssm"
    music_modulation: bool = False
    network: str = "stgm"
    patch: int = 8
    sampling_steps: int = 8

    def __post_init__(self) -> None:
        neutral = {
            "temperatures": 1.0,
            "guidance": 1.0,
            "music_inputs": SOUND,
            "style_sources": self.sources[0],
            "smoothing": 0.0,
        }
        for name in ("styles", "sources", *neutral):  # lists where they were read from a file
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for name, value in neutral.items():
            known = dict(zip(STYLES, STYLE_SETTINGS[name], strict=True)) if set(STYLES) <= set(self.styles) else {}
            default = tuple(known.get(style, value) for style in self.styles)
            object.__setattr__(self, name, getattr(self, name) or default)
            if len(getattr(self, name)) != len(self.styles):
                raise ValueError(f"{name} must have a value for each of the {len(self.styles)} styles")
        if self.window_samples != WINDOW:
            raise ValueError(f"window_samples is {self.window_samples}; audio is cut into windows of {WINDOW} samples")
        if self.mixer not in MIXERS:
            raise ValueError(f"mixer is {self.mixer!r}; choose one of {', '.join(MIXERS)}")
        if self.music_modulation and self.mixer != "ssm":
            raise ValueError("music_modulation changes B and C, which only the mixer ssm has")
        if not 1 <= self.music_features <= len(RHYTHM_FEATURES):
            raise ValueError(f"music_features is {self.music_features}; there are {len(RHYTHM_FEATURES)}")
        if self.network not in NETWORKS:
            raise ValueError(f"network is {self.network!r}; choose one of {', '.join(NETWORKS)}")
        if self.network == "ren2020" and self.frames_per_music_frame != 1:
            raise ValueError(f"ren2020 makes a frame of dance per frame of music; set fps to {MUSIC_FPS}")
        if self.patch < 1:
            raise ValueError(f"patch is {self.patch}; give 1 frame or more per token")
        if not set(self.music_inputs) <= set(MUSIC_INPUTS):
            raise ValueError(f"music_inputs are {self.music_inputs}; choose of {', '.join(MUSIC_INPUTS)}")
        if not set(self.style_sources) <= set(self.sources):
            raise ValueError(f"style_sources are {self.style_sources}; choose of {', '.join(self.sources)}")
        if self.fps % MUSIC_FPS or self.patch % self.frames_per_music_frame:
            raise ValueError(f"fps is {self.fps}; give a multiple of {MUSIC_FPS}, and a patch that is one of theirs")
        if not (self.spatial or self.temporal_forward or self.temporal_backward):
            raise ValueError("a block needs at least one of its three branches")

    @property
    def frames_per_music_frame(self) -> int:
        """R, frames of the dance per frame of the music."""
        return round(self.fps / MUSIC_FPS)

    @property
    def classes(self) -> int:
        """Number of classes: styles and the null class, each also for mirrored dances.

        Dances are not symmetric (in ballroom holds the head is turned left), so mirrored data have separate classes.
        """
        return 2 * (len(self.styles) + 1)


class GraphConv1d(nn.Module):
    """Graph convolution over the joints, then a depthwise convolution over three frames.

    The graph convolution multiplies by the skeleton's normalised adjacency matrix, elementwise scaled by a learned
    importance of every edge (ST-GCN, Yan et al. 2018).
    """

    def __init__(self, channels: int, adjacency: np.ndarray) -> None:  # type: ignore[type-arg]
        super().__init__()
        self.adjacency: Tensor
        self.register_buffer("adjacency", torch.from_numpy(adjacency), persistent=False)
        self.importance = nn.Parameter(torch.ones_like(self.adjacency))
        self.time = nn.Parameter(torch.tensor([0.25, 0.5, 0.25])[:, None].repeat(1, channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, J, E] -> [B, T, J, E]."""
        x = (self.adjacency * self.importance) @ x
        padded = F.pad(x, (0, 0, 0, 0, 1, 1))
        # Three shifted products are faster than conv1d, which would transpose the channel-last data.
        return padded[:, :-2] * self.time[0] + x * self.time[1] + padded[:, 2:] * self.time[2] + self.bias


class STGMBlock(nn.Module):
    """One spatial-temporal graph Mamba block.

    Z'_l = GraphConv1d(MLP(LN(Z_{l-1})))
    gate = sigma(MLP(LN(Z_{l-1})))
    Z_l  = Z_{l-1} + MLP( LN(SG(sigma(Z'_l))) * gate + LN(TGF(sigma(Z'_l))) * gate + LN(TGB(sigma(Z'_l))) * gate )
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        C, E = config.channels, config.inner
        self.norm = nn.LayerNorm(C, elementwise_affine=False)
        self.modulation = nn.Linear(C, 2 * C)
        self.mlp_in = nn.Linear(C, E)
        self.mlp_gate = nn.Linear(C, E)
        self.graph_conv = GraphConv1d(E, GRAPH.adjacency())
        mixer = SelectiveSSM if config.mixer == "ssm" else AxisAttention
        self.sg = mixer(E, config.states, (False, True)) if config.spatial else None
        self.tgf = mixer(E, config.states, (False,)) if config.temporal_forward else None
        self.tgb = mixer(E, config.states, (True,)) if config.temporal_backward else None
        self.norm_sg, self.norm_tgf, self.norm_tgb = nn.LayerNorm(E), nn.LayerNorm(E), nn.LayerNorm(E)
        self.mlp_out = nn.Linear(E, C)
        self.music_modulation = nn.Linear(C, 3 * 2 * config.states) if config.music_modulation else None
        # Residual branch and modulations are initialised to zero, so that a block is the identity at first.
        for linear in filter(None, (self.modulation, self.mlp_out, self.music_modulation)):
            nn.init.zeros_(linear.weight)
            nn.init.zeros_(linear.bias)

    def forward(self, Z: Tensor, condition: Tensor, music: Tensor) -> Tensor:
        """Z [B, T, J, C], condition [B, C], music [B, T, C] -> [B, T, J, C]."""
        B, T, J, _ = Z.shape
        scale, shift = self.modulation(condition)[:, None, None].chunk(2, dim=-1)
        normed = self.norm(Z) * (1 + scale) + shift
        gate = F.silu(self.mlp_gate(normed))
        x = F.silu(self.graph_conv(self.mlp_in(normed)))  # sigma(Z'_l)  [B, T, J, E]

        by_sg: Tensor | None = None  # changes of B and C
        by_tgf: Tensor | None = None
        by_tgb: Tensor | None = None
        if self.music_modulation is not None:
            sg, tgf, tgb = self.music_modulation(music).chunk(3, dim=-1)  # [B, T, 2 N]
            by_sg = sg.flatten(0, 1)[:, None]
            by_tgf, by_tgb = tgf.repeat_interleave(J, dim=0), tgb.repeat_interleave(J, dim=0)
        branches = []
        if self.sg is not None:  # along the joints of one frame, in depth-first order of the kinematic tree
            branches.append(self.norm_sg(self.sg(x.flatten(0, 1), by_sg)).unflatten(0, (B, T)))
        along_time = x.transpose(1, 2).flatten(0, 1)  # [B J, T, E]
        if self.tgf is not None:
            branches.append(self.norm_tgf(self.tgf(along_time, by_tgf)).unflatten(0, (B, J)).transpose(1, 2))
        if self.tgb is not None:
            branches.append(self.norm_tgb(self.tgb(along_time, by_tgb)).unflatten(0, (B, J)).transpose(1, 2))
        # The branches have the same gate, so it is applied to their sum.
        update: Tensor = self.mlp_out(sum(branches[1:], branches[0]) * gate)
        return Z + update


class AudioEncoder(nn.Module):
    """Hidden tokens of the music: convolutions within each window of the waveform, a bidirectional GRU over windows."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        H = config.music_channels
        self.wave = nn.Sequential(
            nn.Conv1d(1, 16, 32, stride=16), nn.SiLU(),
            nn.Conv1d(16, 32, 8, stride=4), nn.SiLU(),
            nn.Conv1d(32, H, 8, stride=4), nn.SiLU(),
        )  # fmt: skip
        self.dropout = nn.Dropout1d(0.3)
        self.features = nn.Linear(config.music_features, H)
        self.music_features = config.music_features
        self.gru = nn.GRU(2 * H, H // 2, bidirectional=True, batch_first=True)

    def forward(self, wave: Tensor, features: Tensor) -> Tensor:
        """Waveform windows [B, T, W] in -1..1, features [B, T, F] -> hidden tokens [B, T, H]."""
        B, T, W = wave.shape
        audio = self.wave(wave.reshape(B * T, 1, W)).mean(-1).view(B, T, -1)
        audio = self.dropout(audio.transpose(1, 2)).transpose(1, 2)
        rhythm = self.features(features[..., : self.music_features])
        hidden: Tensor = self.gru(torch.cat([audio, rhythm], dim=-1))[0]
        return hidden


class MusicToSkeleton(nn.Module):
    """The complete network: clean dance from noisy dance, flow time and music."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        C, J = config.channels, len(GRAPH)
        # Mean and standard deviation of the nodes' coordinates in the training data; part of the weights.
        self.mean: Tensor
        self.scale: Tensor
        self.register_buffer("mean", torch.zeros(J, 3))
        self.register_buffer("scale", torch.ones(J, 3))
        self.audio = AudioEncoder(config)
        P = config.patch
        self.lift = nn.Linear(P // config.frames_per_music_frame * config.music_channels, C)
        self.joint = nn.Parameter(torch.randn(J, C) * 0.5)
        # Every joint has a separate projection.
        self.noisy = nn.Parameter(torch.randn(J, 3 * P, C) * 0.5 * P**-0.5)
        self.time = nn.Sequential(nn.Linear(C, C), nn.SiLU(), nn.Linear(C, C))
        self.style = nn.Embedding(config.classes, C)
        self.source = nn.Embedding(len(config.sources), C)
        self.stgm = nn.ModuleList(STGMBlock(config) for _ in range(config.blocks))
        self.norm = nn.LayerNorm(C)
        self.head = nn.Parameter(torch.zeros(J, C, 3 * P))

    def encode_audio(self, wave: Tensor, features: Tensor) -> Tensor:
        """Hidden tokens of the music, [B, T / R, H]; independent of x and t, so computed once per dance."""
        hidden: Tensor = self.audio(wave, features)
        return hidden

    def forward(self, x: Tensor, t: Tensor, hidden: Tensor, style: Tensor, source: Tensor) -> Tensor:
        """Predict the clean dance from a noisy one.

        Args:
            x: noisy dance x_t = (1 - t) noise + t dance, normalised, [B, T, J, 3].
            t: flow time in 0..1, [B].
            hidden: tokens of the music from ``encode_audio``, [B, T / R, H].
            style: class index [B]: that of a style in ``config.styles``, or its length for the null class; plus half of
                ``config.classes`` for a mirrored dance.
            source: index of a source in ``config.sources``, [B].

        Returns:
            Normalised dance [B, T, J, 3].
        """
        frames = x.shape[1]
        condition = F.silu(self.time(_sinusoids(t, self.config.channels)) + self.style(style) + self.source(source))
        # H_0: one token per joint and patch of P frames.
        per_token = self.config.patch // self.config.frames_per_music_frame
        music = self.lift(_patches(hidden, per_token).flatten(2))  # [B, T/P, C]
        motion = _patches(x, self.config.patch).transpose(2, 3).flatten(3)  # [B, T/P, J, 3 P]
        Z = music[:, :, None] + self.joint + torch.einsum("btjd,jdc->btjc", motion, self.noisy)
        for block in self.stgm:
            Z = block(Z, condition, music)
        S = torch.einsum("btjc,jcd->btjd", self.norm(Z), self.head)
        B, K, J, _ = S.shape
        return S.view(B, K, J, -1, 3).transpose(2, 3).reshape(B, -1, J, 3)[:, :frames]


def _patches(x: Tensor, patch: int) -> Tensor:
    """[B, T, ...] -> [B, ceil(T / patch), patch, ...]; the last patch is padded with the last frame."""
    padding = -x.shape[1] % patch
    if padding:
        x = torch.cat([x, x[:, -1:].expand(-1, padding, *x.shape[2:])], dim=1)
    return x.reshape(x.shape[0], -1, patch, *x.shape[2:])


def _sinusoids(t: Tensor, channels: int) -> Tensor:
    """Sinusoidal embedding of flow times [B] in 0..1 -> [B, channels], wavelengths 2 pi / 1000 .. 2 pi."""
    frequencies = torch.exp(torch.linspace(0.0, math.log(1000.0), channels // 2, device=t.device))
    angles = t[:, None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=-1)
