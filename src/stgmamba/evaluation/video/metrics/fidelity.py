"""SSIM and PSNR of frames to the ground truth."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
import torch
from torch import Tensor

from stgmamba.arrays import Frame
from stgmamba.errors import InputError

_BATCH = 16


def check_can_measure() -> None:
    """Check before an evaluation that its packages are installed.

    Raises:
        InputError: torchmetrics or PyYAML is not installed.
    """
    for package, name in (("torchmetrics", "torchmetrics"), ("yaml", "PyYAML")):
        if find_spec(package) is None:
            raise InputError(f"Evaluating videos needs {name}; install it with: pip install stgmamba[train].")


def ssim(frames: Frame, truth: Frame) -> float:
    """Structural similarity, mean over frames; at most 1 (equal frames), higher is better.

    Wang et al. 2004: Gaussian window of sigma 1.5, K1 = 0.01, K2 = 0.03, on the three colour channels; by torchmetrics.

    Args:
        frames: uint8 [T, H, W, 3], sides of at least 11 pixels.
        truth: uint8 [T, H, W, 3].
    """
    from torchmetrics.functional.image import structural_similarity_index_measure

    return _mean(
        frames,
        truth,
        lambda a, b: structural_similarity_index_measure(a, b, data_range=1.0, reduction="none"),
    )


def psnr(frames: Frame, truth: Frame) -> float:
    """Peak signal to noise ratio in dB, mean over frames of 10 log10(255^2 / mean squared error); higher is better.

    Limited to 100 dB, the value of equal frames; by torchmetrics.

    Args:
        frames: uint8 [T, H, W, 3].
        truth: uint8 [T, H, W, 3].
    """
    from torchmetrics.functional.image import peak_signal_noise_ratio

    def per_frame(a: Tensor, b: Tensor) -> Tensor:
        ratio = peak_signal_noise_ratio(a, b, data_range=1.0, reduction="none", dim=(1, 2, 3))
        return torch.as_tensor(ratio).clamp(max=100.0)

    return _mean(frames, truth, per_frame)


def as_tensor(frames: Frame) -> Tensor:
    """Frames as float32 [T, 3, H, W] in 0..1."""
    return torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2).float() / 255


def _mean(frames: Frame, truth: Frame, measure: Callable[[Tensor, Tensor], Tensor | tuple[Tensor, Tensor]]) -> float:
    """Mean over frames of a function of two batches [B, 3, H, W] to a value per image."""
    if frames.shape != truth.shape or not len(frames):
        raise ValueError(f"frames and ground truth must have the same shape, got {frames.shape} and {truth.shape}")
    values = []
    for start in range(0, len(frames), _BATCH):
        value = measure(as_tensor(frames[start : start + _BATCH]), as_tensor(truth[start : start + _BATCH]))
        assert isinstance(value, Tensor)
        values.append(value.reshape(-1))
    return float(torch.cat(values).mean())
