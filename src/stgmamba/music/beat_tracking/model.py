"""The beat network: a small dilated convolutional network over the log-mel spectrogram of a song.

Like the temporal convolutional networks of Davies and Böck (EUSIPCO 2019), with gated blocks as in WaveNet (van den
Oord et al. 2016). It sees ten seconds to either side of each frame, so that what is a beat follows from the rhythm
around it and not from the sound alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stgmamba.music.beat_tracking.spectrogram import MELS


@dataclass(frozen=True)
class Config:
    """Size of the network; the defaults are those of the weights in the package.

    Attributes:
        front: channels of the first convolution over all mel bands.
        channels: of the blocks.
        blocks: number of blocks; block i has dilation 2^i.
        kernel: frames that each block combines.
        dropout: of channels.
    """

    front: int = 40
    channels: int = 32
    blocks: int = 8
    kernel: int = 5
    dropout: float = 0.1


class FrameNorm(nn.Module):
    """Divides each frame by the root mean square of its channels (Zhang and Sennrich 2019), for songs of any length."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, T] -> [B, C, T]."""
        return x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + 1e-5) * self.gain


class GatedBlock(nn.Module):
    """A residual block: normalisation, dilated convolution, gate, pointwise convolution."""

    def __init__(self, config: Config, dilation: int) -> None:
        super().__init__()
        c = config.channels
        self.norm = FrameNorm(c)
        self.dilated = nn.Conv1d(c, 2 * c, config.kernel, dilation=dilation, padding=dilation * (config.kernel // 2))
        self.pointwise = nn.Conv1d(c, c, 1)
        self.dropout = nn.Dropout1d(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, T] -> [B, C, T]."""
        value, gate = self.dilated(self.norm(x)).chunk(2, dim=1)
        y: Tensor = x + self.pointwise(self.dropout(F.elu(value) * torch.sigmoid(gate)))
        return y


class BeatNetwork(nn.Module):
    """Activations of beats and downbeats.

    Args:
        config: its size.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.bands = nn.Conv1d(2 * MELS, config.front, 3, padding=1)
        self.mix = nn.Conv1d(config.front, config.channels, 3, padding=1)
        self.blocks = nn.ModuleList([GatedBlock(config, 2**i) for i in range(config.blocks)])
        self.norm = FrameNorm(config.channels)
        self.head = nn.Conv1d(config.channels, 2, 1)
        assert self.head.bias is not None
        nn.init.constant_(self.head.bias, -3.0)  # about one frame in twenty is a beat

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Logits of beat and downbeat.

        Args:
            spectrogram: [B, T, MELS], see spectrogram.py.

        Returns:
            [B, 2, T].
        """
        x = spectrogram.transpose(1, 2)  # [B, M, T]
        rise = F.relu(x[:, :, 1:] - x[:, :, :-1])
        x = torch.cat([x - 1.0, 2 * F.pad(rise, (1, 0))], dim=1)  # [B, 2 M, T], both of about unit scale
        x = F.elu(self.mix(F.elu(self.bands(x))))  # [B, C, T]
        for block in self.blocks:
            x = block(x)
        logits: Tensor = self.head(F.elu(self.norm(x)))
        return logits
