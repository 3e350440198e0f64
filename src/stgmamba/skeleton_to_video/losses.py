"""Losses of stage 2, small pure functions on frames [B, 3, H, W] of 0..1 and on scores and features of adversaries.

L = lambda_gan L_gan + lambda_l1 (L_l1 + L_fsr + L_bsr)                       (Tang et al. 2025, section 2)
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

_WINDOW = 7  # pixels, of the structural similarity
_C1, _C2 = 0.01**2, 0.03**2


def reconstruction(frame: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """L_l1: mean absolute error, each pixel with its weight [B, 1, H, W]."""
    return ((frame - truth).abs() * weight).sum() / (weight.sum() * frame.shape[1])


def regularisation(baseline: Tensor, neighbour: Tensor, weight: Tensor) -> Tensor:
    """L_fsr = | G_r(I_0, S_i) - G_r(I_{i-1}, S_i) |_1, and L_bsr with I_{i+1}; weights as in `reconstruction`.

    The gradient reaches both: what two conditions say of one frame is drawn together from both sides.
    """
    return reconstruction(baseline, neighbour, weight)


def dissimilarity(frame: Tensor, truth: Tensor) -> Tensor:
    """1 - SSIM (Wang et al. 2004) in windows of 7 x 7 pixels, 0..2, averaged over pixels and colours."""

    def mean(x: Tensor) -> Tensor:
        return F.avg_pool2d(x, _WINDOW, 1)

    x, y = frame, truth
    mx, my = mean(x), mean(y)
    vx, vy, vxy = mean(x * x) - mx * mx, mean(y * y) - my * my, mean(x * y) - mx * my
    ssim = (2 * mx * my + _C1) * (2 * vxy + _C2) / ((mx * mx + my * my + _C1) * (vx + vy + _C2))
    return 1 - ssim.mean()


def hinge_critic(real: Sequence[Tensor], made: Sequence[Tensor]) -> Tensor:
    """The critic's hinge loss, summed over its scales."""
    terms = [F.relu(1 - r).mean() + F.relu(1 + m).mean() for r, m in zip(real, made, strict=True)]
    return torch.stack(terms).sum()


def hinge_generator(made: Sequence[Tensor]) -> Tensor:
    """L_gan of the generator: minus the mean score, summed over scales."""
    return -torch.stack([score.mean() for score in made]).sum()


def feature_matching(made: Sequence[Tensor], real: Sequence[Tensor]) -> Tensor:
    """Mean absolute difference of an adversary's features, averaged over layers (pix2pixHD, Wang et al. 2018)."""
    return torch.stack([F.l1_loss(m, r) for m, r in zip(made, real, strict=True)]).mean()
