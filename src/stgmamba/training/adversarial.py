"""Adversarial losses that both stages share; scores and features have one entry per discriminator, scale or layer."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def hinge_discriminator(real: Sequence[Tensor], generated: Sequence[Tensor]) -> Tensor:
    """Hinge loss of discriminators: mean(relu(1 - D(real))) + mean(relu(1 + D(generated))), summed, >= 0.

    Miyato et al. 2018, equation 16. Scores are of any shape.
    """
    terms = [F.relu(1 - r).mean() + F.relu(1 + g).mean() for r, g in zip(real, generated, strict=True)]
    return torch.stack(terms).sum()


def hinge_generator(generated: Sequence[Tensor]) -> Tensor:
    """Hinge loss of the generator: minus the mean score, summed over discriminators (Miyato et al. 2018)."""
    return -torch.stack([score.mean() for score in generated]).sum()


def feature_matching(generated: Sequence[Tensor], real: Sequence[Tensor]) -> Tensor:
    """L_f: mean absolute difference of discriminators' features, averaged over layers (pix2pixHD, Wang et al. 2018)."""
    return torch.stack([F.l1_loss(g, r) for g, r in zip(generated, real, strict=True)]).mean()
