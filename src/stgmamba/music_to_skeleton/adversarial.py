"""The paper's objective: one pass from noise, judged by two adversaries, a perceptual network and the real dance.

    lambda_p L_p + lambda_f L_f + lambda_1 L_1 + adversarial          (Tang et al. 2025; adversaries of Ren et al. 2020)

The adversaries learn with the hinge loss and spectrally normalised layers (Miyato et al. 2018), which is ours.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from stgmamba.music_to_skeleton import losses
from stgmamba.music_to_skeleton.dataset import Batch
from stgmamba.music_to_skeleton.model import AudioEncoder, Config
from stgmamba.music_to_skeleton.perceptual import PerceptualLoss
from stgmamba.music_to_skeleton.registry import Network
from stgmamba.music_to_skeleton.representation import GRAPH

_WIDTH = 64
_WINDOW, _STRIDE = 5, 3  # frames that the local adversary sees at once, and between its windows


class LocalTemporalCritic(nn.Module):
    """Judges short overlapping windows of the dance, each by itself: does it move like a person?"""

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


class GlobalContentCritic(nn.Module):
    """Judges the whole sequence together with the music: is it a dance, and to this song?"""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.audio = AudioEncoder(config)
        self.pose = spectral_norm(nn.Linear(3 * len(GRAPH), _WIDTH))
        self.gru = nn.GRU(_WIDTH + config.music_channels, _WIDTH, bidirectional=True, batch_first=True)
        self.attention = spectral_norm(nn.Linear(2 * _WIDTH, 1))
        self.hidden = spectral_norm(nn.Linear(2 * _WIDTH, _WIDTH))
        self.score = spectral_norm(nn.Linear(_WIDTH, 1))

    def forward(self, nodes: Tensor, wave: Tensor, features: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Normalised nodes [B, T, J, 3] and their music -> scores [B, 1], features of the layers."""
        first = F.leaky_relu(self.pose(nodes.flatten(2)), 0.2)
        states = self.gru(torch.cat([first, self.audio(wave, features)], dim=-1))[0]
        # Self-attention pools the frames: the critic chooses the moments it judges by.
        pooled = (self.attention(states).softmax(dim=1) * states).sum(dim=1)
        second = F.leaky_relu(self.hidden(pooled), 0.2)
        return self.score(second), [first, second]


class Critics(nn.Module):
    """Both adversaries."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.local, self.whole = LocalTemporalCritic(), GlobalContentCritic(config)

    def forward(self, nodes: Tensor, batch: Batch) -> tuple[list[Tensor], list[Tensor]]:
        """Scores of both, features of both."""
        local, local_features = self.local(nodes)
        whole, whole_features = self.whole(nodes, batch.wave, batch.features)
        return [local, whole], [*local_features, *whole_features]


class Adversarial(nn.Module):
    """Loss terms of a batch under the paper's objective; generator and critics take turns."""

    players = ("generator", "critics")

    def __init__(self, model: Network, weights: dict[str, float], perceptual: PerceptualLoss) -> None:
        super().__init__()
        self.model, self.weights, self.perceptual = model, weights, perceptual
        self.critics = Critics(model.config)
        self._made: Tensor | None = None  # the generator's last answer, for the critics' turn in the same step

    def forward(self, batch: Batch, player: str) -> dict[str, Tensor]:
        """Weighted terms, to be added up; the noise comes from torch's global generator."""
        clean = (batch.nodes - self.model.mean) / self.model.scale
        if player == "critics":
            assert self._made is not None, "the generator plays first"
            real, _ = self.critics(clean, batch)
            made, _ = self.critics(self._made, batch)
            hinge = [F.relu(1 - r).mean() + F.relu(1 + m).mean() for r, m in zip(real, made, strict=True)]
            return {"critics": torch.stack(hinge).sum()}
        noise, start = torch.randn_like(clean), clean.new_zeros(len(clean))
        predicted = self.model(noise, start, self.model.hear(batch.wave, batch.features), batch.genre)
        self._made = predicted.detach()
        scores, features = self.critics(predicted, batch)
        with torch.no_grad():
            _, wanted = self.critics(clean, batch)
        matching = torch.stack([F.l1_loss(f, w) for f, w in zip(features, wanted, strict=True)])
        terms = {
            "reconstruction": (predicted - clean).abs().mean(),
            "velocity": losses.velocity(predicted, clean),
            "contact": losses.foot_contact(predicted * self.model.scale + self.model.mean, batch.nodes),
            "perceptual": self.perceptual(predicted, clean),
            "matching": matching.mean(),
            "adversarial": -torch.stack([score.mean() for score in scores]).sum(),
        }
        return {name: self.weights[name] * value for name, value in terms.items() if self.weights[name]}
