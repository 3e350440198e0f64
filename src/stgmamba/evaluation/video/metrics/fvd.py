"""Features of FVD: the I3D network trained on Kinetics 400 (Unterthiner et al. 2018).

The user provides the weights ``rgb_imagenet.pt`` of the PyTorch port by Piergiovanni (pytorch-i3d); module names are
those of the file. The commonly used TorchScript file is not supported, since it would have to be executed. Ports differ
slightly, so FVD can be compared within a report only.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from stgmamba.arrays import Frame
from stgmamba.evaluation.video.metrics.weights import Embedding, load_weights

CLIP_FRAMES = 16
"""Frames of a clip, of which one feature is computed; clips do not overlap."""

_DESCRIPTION = "the weights rgb_imagenet.pt of pytorch-i3d (Kinetics 400)"
_SIDE = 224
_Size = tuple[int, int, int]


class Unit3d(nn.Module):
    """Convolution, batch norm and ReLU; or, if ``bare``, a convolution with bias."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, bare: bool = False) -> None:
        super().__init__()
        self.conv3d = nn.Conv3d(inputs, outputs, kernel, stride, bias=bare)
        self.bn = None if bare else nn.BatchNorm3d(outputs, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, T, H, W] -> [B, C', T', H', W']."""
        kernel, stride = self.conv3d.kernel_size, self.conv3d.stride
        x = self.conv3d(_padded(x, (kernel[0], kernel[1], kernel[2]), (stride[0], stride[1], stride[2])))
        return x if self.bn is None else F.relu(self.bn(x))


class InceptionModule(nn.Module):
    """Four parallel branches, whose outputs are concatenated along the channels."""

    def __init__(self, inputs: int, outputs: tuple[int, int, int, int, int, int]) -> None:
        super().__init__()
        self.b0 = Unit3d(inputs, outputs[0])
        self.b1a, self.b1b = Unit3d(inputs, outputs[1]), Unit3d(outputs[1], outputs[2], 3)
        self.b2a, self.b2b = Unit3d(inputs, outputs[3]), Unit3d(outputs[3], outputs[4], 3)
        self.b3b = Unit3d(inputs, outputs[5])

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, T, H, W] -> [B, C', T, H, W]."""
        pooled = _pool(x, (3, 3, 3), (1, 1, 1))
        return torch.cat((self.b0(x), self.b1b(self.b1a(x)), self.b2b(self.b2a(x)), self.b3b(pooled)), 1)


class I3d(nn.Module):
    """Clips [B, 3, T, 224, 224] in -1..1, T >= 16 -> logits of 400 actions [B, 400]."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv3d_1a_7x7 = Unit3d(3, 64, 7, 2)
        self.Conv3d_2b_1x1 = Unit3d(64, 64)
        self.Conv3d_2c_3x3 = Unit3d(64, 192, 3)
        self.Mixed_3b = InceptionModule(192, (64, 96, 128, 16, 32, 32))
        self.Mixed_3c = InceptionModule(256, (128, 128, 192, 32, 96, 64))
        self.Mixed_4b = InceptionModule(480, (192, 96, 208, 16, 48, 64))
        self.Mixed_4c = InceptionModule(512, (160, 112, 224, 24, 64, 64))
        self.Mixed_4d = InceptionModule(512, (128, 128, 256, 24, 64, 64))
        self.Mixed_4e = InceptionModule(512, (112, 144, 288, 32, 64, 64))
        self.Mixed_4f = InceptionModule(528, (256, 160, 320, 32, 128, 128))
        self.Mixed_5b = InceptionModule(832, (256, 160, 320, 32, 128, 128))
        self.Mixed_5c = InceptionModule(832, (384, 192, 384, 48, 128, 128))
        self.logits = Unit3d(1024, 400, bare=True)

    def forward(self, x: Tensor) -> Tensor:
        """[B, 3, T, 224, 224] -> [B, 400]."""
        x = _pool(self.Conv3d_1a_7x7(x), (1, 3, 3), (1, 2, 2))  # [B, 64, T/2, 56, 56]
        x = _pool(self.Conv3d_2c_3x3(self.Conv3d_2b_1x1(x)), (1, 3, 3), (1, 2, 2))  # [B, 192, T/2, 28, 28]
        x = _pool(self.Mixed_3c(self.Mixed_3b(x)), (3, 3, 3), (2, 2, 2))  # [B, 480, T/4, 14, 14]
        x = self.Mixed_4f(self.Mixed_4e(self.Mixed_4d(self.Mixed_4c(self.Mixed_4b(x)))))
        x = _pool(x, (2, 2, 2), (2, 2, 2))  # [B, 832, T/8, 7, 7]
        x = F.avg_pool3d(self.Mixed_5c(self.Mixed_5b(x)), (2, 7, 7), 1)  # [B, 1024, T/8 - 1, 1, 1]
        return torch.as_tensor(self.logits(x)).mean((2, 3, 4))


def _pool(x: Tensor, kernel: _Size, stride: _Size) -> Tensor:
    return F.max_pool3d(_padded(x, kernel, stride), kernel, stride)


def _padded(x: Tensor, kernel: _Size, stride: _Size) -> Tensor:
    """Zero padding of TensorFlow's mode SAME: ceil(length / stride) outputs, the odd zero at the end."""
    pads: list[int] = []
    for length, k, s in zip(x.shape[:1:-1], kernel[::-1], stride[::-1], strict=True):
        missing = max(k - (length % s or s), 0)
        pads += [missing // 2, missing - missing // 2]
    return F.pad(x, pads)


def load_fvd(path: Path) -> Embedding:
    """Features of FVD with weights from a file: a function of frames, uint8 [T, H, W, 3], to float64 [T // 16, 400].

    Raises:
        InputError: not these weights.
    """
    network = I3d()
    load_weights(network, path, _DESCRIPTION)

    def embed(frames: Frame) -> NDArray[np.float64]:
        features = []
        for start in range(0, len(frames) - CLIP_FRAMES + 1, CLIP_FRAMES):
            clip = np.stack([cv2.resize(frame, (_SIDE, _SIDE)) for frame in frames[start : start + CLIP_FRAMES]])
            with torch.inference_mode():
                inputs = torch.from_numpy(clip).permute(3, 0, 1, 2)[None].float() / 127.5 - 1
                features.append(network(inputs)[0].double().numpy())
        return np.asarray(features, np.float64).reshape(-1, 400)

    return embed
