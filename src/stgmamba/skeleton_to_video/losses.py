"""Losses of stage 2: pure functions on frames [B, 3, H, W] in 0..1.

L = lambda_gan L_gan + lambda_l1 (L_l1 + L_fsr + L_bsr)                       (Tang et al. 2025, section 2)

L_gan and feature matching are shared with stage 1 (training/adversarial.py).
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

_WINDOW = 7  # pixels, of the structural similarity
_C1, _C2 = 0.01**2, 0.03**2  # Wang et al. 2004


def l1(frame: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """L_l1: mean absolute error, pixels weighted by [B, 1, H, W]."""
    return ((frame - target).abs() * weight).sum() / (weight.sum() * frame.shape[1])


def forward_regularization(baseline: Tensor, forward: Tensor, weight: Tensor) -> Tensor:
    """L_fsr = | G_r(I_0, S_i) - G_r(I_{i-1}, S_i) |_1, pixels weighted by [B, 1, H, W].

    Gradients flow to both predictions.
    """
    return l1(baseline, forward, weight)


def backward_regularization(baseline: Tensor, backward: Tensor, weight: Tensor) -> Tensor:
    """L_bsr = | G_r(I_0, S_i) - G_r(I_{i+1}, S_i) |_1, as `forward_regularization`."""
    return l1(baseline, backward, weight)


def dissimilarity(frame: Tensor, target: Tensor) -> Tensor:
    """1 - SSIM (Wang et al. 2004) in windows of 7 x 7 pixels, 0..2, averaged over pixels and colour channels."""

    def mean(x: Tensor) -> Tensor:
        return F.avg_pool2d(x, _WINDOW, 1)

    x, y = frame, target
    mx, my = mean(x), mean(y)
    vx, vy, vxy = mean(x * x) - mx * mx, mean(y * y) - my * my, mean(x * y) - mx * my
    ssim = (2 * mx * my + _C1) * (2 * vxy + _C2) / ((mx * mx + my * my + _C1) * (vx + vy + _C2))
    return 1 - ssim.mean()
