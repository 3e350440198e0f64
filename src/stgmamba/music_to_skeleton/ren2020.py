"""The generator of Ren, Li, Huang, Chen, "Self-supervised Dance Video Synthesis Conditioned on Music" (ACM MM 2020).

In the order of their paper: encoder, noise, pose decoder. The decoder is applied to every frame separately; only the
recurrent networks relate frames, and the joints of a frame are one vector without graph structure.

    wave, windows of 0.1 s --conv--> --+
    onset, beat phase -----------------+--Bi-GRU--> hidden --+
    noise of each frame --GRU--> tanh -----------------------+--residual linear blocks--> S [B, T, J, 3]
    style ---------------------------------------------------+

Components and their order are theirs. Changed for the comparison with our network: our audio encoder with the rhythm
features, the style as an input, the nodes of representation.py, sizes with about our number of parameters, and layer
norm in place of batch norm, whose running statistics do not fit averaged weights.
Shapes: B sequences, T frames, J graph nodes, H channels of the music.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from stgmamba.music_to_skeleton.model import AudioEncoder, Config
from stgmamba.music_to_skeleton.representation import GRAPH

_NOISE = 10  # dimensions of the noise per frame
_BLOCKS = 3
_DROPOUT = 0.5


class ResidualBlock(nn.Module):
    """x + ReLU(LN(W ReLU(LN(V x)))), the linear block of Martinez et al. (ICCV 2017) without its dropout."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(width, width), nn.LayerNorm(width), nn.ReLU(),
            nn.Linear(width, width), nn.LayerNorm(width), nn.ReLU(),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """[..., width] -> [..., width]."""
        out: Tensor = x + self.layers(x)
        return out


class Ren2020(nn.Module):
    """The complete generator: a dance from noise and music in one pass.

    Args:
        config: ``channels``, ``music_channels``, ``music_features`` and ``styles`` are used.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        C, J, width = config.channels, len(GRAPH), config.channels * 5 // 2
        # Mean and standard deviation of the nodes' coordinates in the training data; part of the weights.
        self.mean: Tensor
        self.scale: Tensor
        self.register_buffer("mean", torch.zeros(J, 3))
        self.register_buffer("scale", torch.ones(J, 3))
        self.audio = AudioEncoder(config)
        self.noise = nn.Linear(3 * J, _NOISE, bias=False)
        self.noise_gru = nn.GRU(_NOISE, _NOISE, batch_first=True)
        self.style = nn.Embedding(config.classes, C)
        self.lift = nn.Linear(config.music_channels + _NOISE + C, width)
        self.blocks = nn.Sequential(*(ResidualBlock(width) for _ in range(_BLOCKS)))
        self.dropout = nn.Dropout(_DROPOUT)
        self.head = nn.Linear(width, 3 * J)

    def encode_audio(self, wave: Tensor, features: Tensor) -> Tensor:
        """Hidden tokens of the music, [B, T, H]."""
        hidden: Tensor = self.audio(wave, features)
        return hidden

    def forward(self, x: Tensor, t: Tensor, hidden: Tensor, style: Tensor, source: Tensor) -> Tensor:
        """Generate a dance from noise.

        Args:
            x: Gaussian noise, [B, T, J, 3].
            t: not used; part of the interface of `MusicToSkeleton`.
            hidden: tokens of the music from ``encode_audio``, [B, T, H].
            style: class index as in `MusicToSkeleton`, [B].
            source: not used, likewise.

        Returns:
            Normalised dance [B, T, J, 3].
        """
        # The GRU correlates the noise of successive frames.
        z = torch.tanh(self.noise_gru(self.noise(x.flatten(2)))[0])  # [B, T, 10]
        embedding = self.style(style)[:, None].expand(-1, x.shape[1], -1)
        Z = self.blocks(self.lift(torch.cat([hidden, z, embedding], dim=-1)))
        S: Tensor = self.head(self.dropout(Z))
        return S.view_as(x)
