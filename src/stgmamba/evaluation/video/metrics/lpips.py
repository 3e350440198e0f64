"""LPIPS: perceptual distance of frames to the ground truth (Zhang et al., CVPR 2018), with AlexNet.

The linear heads (version 0.1) are in torchmetrics; the user provides AlexNet's weights, torchvision's
``alexnet-owt-7be5be79.pth``. The network is defined here because the implementation in torchmetrics requires
torchvision, which is not a dependency.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
import torchmetrics
from torch import Tensor, nn

from stgmamba.arrays import Frame
from stgmamba.evaluation.video.metrics.fidelity import as_tensor
from stgmamba.evaluation.video.metrics.weights import load_weights, read_tensors

_DESCRIPTION = "the weights of torchvision's AlexNet (alexnet-owt-7be5be79.pth)"
_MEAN, _DEVIATION = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # of colours in -1..1
_LAYERS = (1, 4, 7, 9, 11)  # the ReLUs after the convolutions
_CHANNELS = (64, 192, 384, 256, 256)
_BATCH = 16


class Lpips(nn.Module):
    """Distance [B] of two batches of images [B, 3, H, W] in 0..1; 0 for equal images, lower is better."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2),
            nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
            nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(),
            nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(),
            nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(),
        )  # fmt: skip
        heads = Path(str(torchmetrics.__file__)).parent / "functional" / "image" / "lpips_models" / "alex.pth"
        named = read_tensors(heads, "the heads that come with torchmetrics")
        self.heads = [named[f"lin{k}.model.1.weight"] for k in range(len(_LAYERS))]  # [1, C, 1, 1] each

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Distance per image, [B]."""
        total = a.new_zeros(len(a))
        for head, x, y in zip(self.heads, self._layers(a), self._layers(b), strict=True):
            total = total + (head * (x - y) ** 2).sum(1).mean((1, 2))
        return total

    def _layers(self, x: Tensor) -> list[Tensor]:
        """Features of each layer, normalised to length 1 per pixel."""
        mean, deviation = (x.new_tensor(v).view(1, 3, 1, 1) for v in (_MEAN, _DEVIATION))
        x = (2 * x - 1 - mean) / deviation
        layers = []
        for k, module in enumerate(self.features):
            x = module(x)
            if k in _LAYERS:
                layers.append(x / (x.square().sum(1, keepdim=True).sqrt() + 1e-8))
        return layers


def load_lpips(path: Path) -> Callable[[Frame, Frame], float]:
    """LPIPS with AlexNet's weights from a file: a function of frames and ground truth, uint8 [T, H, W, 3], to the mean.

    Raises:
        InputError: not the weights of AlexNet.
    """
    network = Lpips()
    load_weights(network, path, _DESCRIPTION, ignore=("classifier.",))

    def measure(frames: Frame, truth: Frame) -> float:
        with torch.inference_mode():
            parts = [
                network(as_tensor(frames[i : i + _BATCH]), as_tensor(truth[i : i + _BATCH]))
                for i in range(0, len(frames), _BATCH)
            ]
        return float(torch.cat(parts).mean())

    return measure
