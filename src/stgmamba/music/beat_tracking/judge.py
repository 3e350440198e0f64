"""The song-level judge: small networks that choose the level of the beats, and the metre, from whole-song evidence.

Trained on composed songs, whose answers are known, in place of rules with thresholds.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stgmamba.music.beat_tracking.candidates import FEATURES
from stgmamba.music.beat_tracking.downbeats import BAR_LENGTHS
from stgmamba.music.rhythm import BEATS_PER_BAR

METRES = tuple(BEATS_PER_BAR)
"""The answers of the metre's network."""

_HIDDEN = 16
_DROPOUT = 0.3


class Standardised(nn.Module):
    """Subtracts the mean of the training data from features and divides by their standard deviation."""

    mean: Tensor
    scale: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("scale", torch.ones(features))

    def fit(self, x: Tensor) -> None:
        """Take mean and standard deviation of features [N, F]."""
        self.mean.copy_(x.mean(dim=0))
        self.scale.copy_(x.std(dim=0).clamp(min=1e-3))

    def forward(self, x: Tensor) -> Tensor:
        """[..., F] -> [..., F], limited to six standard deviations."""
        return ((x - self.mean) / self.scale).clamp(-6, 6)


class Judge(nn.Module):
    """Scores of candidates and of metres."""

    def __init__(self) -> None:
        super().__init__()
        self.level = _perceptron(FEATURES, 1)
        self.metre = _perceptron(FEATURES + len(BAR_LENGTHS), len(METRES))

    def level_scores(self, features: Tensor) -> Tensor:
        """Scores [..., C] of candidates from their features [..., C, FEATURES]; softmax gives probabilities."""
        scores: Tensor = self.level(features).squeeze(-1)
        return scores

    def metre_scores(self, features: Tensor) -> Tensor:
        """Scores [..., len(METRES)] from `downbeats.metre_features`."""
        scores: Tensor = self.metre(features)
        return scores


def _perceptron(features: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        Standardised(features),
        nn.Linear(features, _HIDDEN),
        nn.GELU(),
        nn.Dropout(_DROPOUT),
        nn.Linear(_HIDDEN, outputs),
    )


def level_loss(scores: Tensor, agreement: Tensor, present: Tensor) -> Tensor:
    """Cross-entropy against the candidates that agree with the true beats, each as likely as the others.

    Args:
        scores: [B, C].
        agreement: [B, C] F-measure of each candidate; those within 0.02 of the best are right.
        present: [B, C] bool; songs have different numbers of candidates.
    """
    right = present & (agreement >= agreement.max(dim=1, keepdim=True).values - 0.02)
    target = right.float() / right.sum(dim=1, keepdim=True)
    logs = F.log_softmax(scores.masked_fill(~present, -1e9), dim=1)
    return -(target * logs).sum(dim=1).mean()
