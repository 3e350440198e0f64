"""The generator of Ren, Li, Huang, Chen, "Self-supervised Dance Video Synthesis Conditioned on Music" (ACM MM 2020).

Reads top to bottom like theirs: encoder, noise, pose decoder. Every frame is decoded by itself; time is known to the
recurrent parts alone, and joints are numbers of one vector.

    wave, windows of 0.1 s --conv--> --+
    onset, beat phase -----------------+--Bi-GRU--> hidden --+
    noise of each frame --GRU--> tanh -----------------------+--residual linear blocks--> S [B, T, J, 3]
    genre ---------------------------------------------------+

Theirs are the parts and their order. Ours, so that the comparison is of networks: the encoder of our model with the
rhythm features (which differs from theirs in size), the genre, the 3-D nodes of motion.py, sizes that bring it near our
number of parameters, and layer norm in place of batch norm, whose running statistics an averaged network lacks.
Shapes: B sequences, T frames, J graph nodes, H channels of the music.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from stgmamba.music_to_skeleton.model import AudioEncoder, Config
from stgmamba.music_to_skeleton.representation import GRAPH

_NOISE = 10  # numbers of noise per frame
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
    """The whole generator: noise and music in, dance out in one pass.

    Of the config it heeds ``channels``, ``music_channels``, ``music_features`` and ``genres``.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        C, J, width = config.channels, len(GRAPH), config.channels * 5 // 2
        # Mean and scale of every node's coordinates in the training data; they travel with the weights.
        self.mean: Tensor
        self.scale: Tensor
        self.register_buffer("mean", torch.zeros(J, 3))
        self.register_buffer("scale", torch.ones(J, 3))
        self.audio = AudioEncoder(config)
        self.noise = nn.Linear(3 * J, _NOISE, bias=False)
        self.noise_gru = nn.GRU(_NOISE, _NOISE, batch_first=True)
        self.genre = nn.Embedding(config.classes, C)
        self.lift = nn.Linear(config.music_channels + _NOISE + C, width)
        self.blocks = nn.Sequential(*(ResidualBlock(width) for _ in range(_BLOCKS)))
        self.dropout = nn.Dropout(_DROPOUT)
        self.head = nn.Linear(width, 3 * J)

    def encode_audio(self, wave: Tensor, features: Tensor) -> Tensor:
        """Hidden tokens of the music, [B, T, H]."""
        hidden: Tensor = self.audio(wave, features)
        return hidden

    def forward(self, x: Tensor, t: Tensor, hidden: Tensor, genre: Tensor) -> Tensor:
        """A dance from noise.

        Args:
            x: Gaussian noise, [B, T, J, 3].
            t: not looked at; there for the interface of our model.
            hidden: tokens of the music from ``encode_audio``, [B, T, H].
            genre: index into ``config.genres``, or its length for none, [B].

        Returns:
            The dance, normalised, [B, T, J, 3].
        """
        # The GRU makes of independent noise something that changes smoothly.
        z = torch.tanh(self.noise_gru(self.noise(x.flatten(2)))[0])  # [B, T, 10]
        kind = self.genre(genre)[:, None].expand(-1, x.shape[1], -1)
        Z = self.blocks(self.lift(torch.cat([hidden, z, kind], dim=-1)))
        S: Tensor = self.head(self.dropout(Z))
        return S.view_as(x)
