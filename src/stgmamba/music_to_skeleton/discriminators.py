"""Discriminators of the paper's objective: local temporal, and global content.

Architecture after Ren et al. (ACM MM 2020), as in the paper; spectral normalisation (Miyato et al. 2018) is ours.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from stgmamba.music_to_skeleton.dataset import Batch
from stgmamba.music_to_skeleton.model import AudioEncoder, Config
from stgmamba.music_to_skeleton.representation import GRAPH

_WIDTH = 64
_WINDOW, _STRIDE = 5, 3  # frames per window of the local discriminator, and between windows (Ren et al. 2020)


class LocalTemporalDiscriminator(nn.Module):
    """Scores short overlapping windows of the dance independently, without the music."""

    def __init__(self) -> None:
        super().__init__()
        self.window = spectral_norm(nn.Conv1d(3 * len(GRAPH), 2 * _WIDTH, _WINDOW, _STRIDE))
        self.hidden = spectral_norm(nn.Conv1d(2 * _WIDTH, _WIDTH, 1))
        self.score = spectral_norm(nn.Conv1d(_WIDTH, 1, 1))

    def forward(self, nodes: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Normalised nodes [B, T, J, 3] -> scores of the windows [B, K], features of the layers."""
        first = F.leaky_relu(self.window(nodes.flatten(2).transpose(1, 2)), 0.2)
        second = F.leaky_relu(self.hidden(first), 0.2)
        return self.score(second)[:, 0], [first, second]


class GlobalContentDiscriminator(nn.Module):
    """Scores the whole sequence together with its music."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.stride = config.frames_per_music_frame
        self.audio = AudioEncoder(config)
        self.pose = spectral_norm(nn.Linear(3 * len(GRAPH), _WIDTH))
        self.gru = nn.GRU(_WIDTH + config.music_channels, _WIDTH, bidirectional=True, batch_first=True)
        self.attention = spectral_norm(nn.Linear(2 * _WIDTH, 1))
        self.hidden = spectral_norm(nn.Linear(2 * _WIDTH, _WIDTH))
        self.score = spectral_norm(nn.Linear(_WIDTH, 1))

    def forward(self, nodes: Tensor, wave: Tensor, features: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Normalised nodes [B, T, J, 3] and their music -> scores [B, 1], features of the layers."""
        first = F.leaky_relu(self.pose(nodes[:, :: self.stride].flatten(2)), 0.2)
        states = self.gru(torch.cat([first, self.audio(wave, features)], dim=-1))[0]
        # Attention pooling over frames.
        pooled = (self.attention(states).softmax(dim=1) * states).sum(dim=1)
        second = F.leaky_relu(self.hidden(pooled), 0.2)
        return self.score(second), [first, second]


class Discriminators(nn.Module):
    """The local temporal and the global content discriminator."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.local_temporal = LocalTemporalDiscriminator()
        self.global_content = GlobalContentDiscriminator(config)

    def forward(self, nodes: Tensor, batch: Batch) -> tuple[list[Tensor], list[Tensor]]:
        """Normalised nodes [B, T, J, 3] and the batch with their music -> scores and features of both."""
        local, local_features = self.local_temporal(nodes)
        content, content_features = self.global_content(nodes, batch.wave, batch.features)
        return [local, content], [*local_features, *content_features]
