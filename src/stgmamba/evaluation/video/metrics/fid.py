"""Features of FID: the Inception v3 of TensorFlow's 2015 release (Heusel et al., NeurIPS 2017).

The user provides the weights ``pt_inception-2015-12-05-6726825d.pth`` of pytorch-fid (torch-fidelity's file holds the
same); module names are those of the file. Differences to torchvision's Inception v3: average pooling excludes padding,
and the pool of the last block is a maximum. The network is defined here because the usual packages require torchvision.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from stgmamba.arrays import Frame
from stgmamba.evaluation.video.metrics.fidelity import as_tensor
from stgmamba.evaluation.video.metrics.weights import Embedding, load_weights

_DESCRIPTION = "the weights pt_inception-2015-12-05-6726825d.pth of pytorch-fid"
_SIDE = 299
_BATCH = 16

# Convolutions of a block: name -> (input channels, output channels, kernel, stride, padding).
_Convolutions = dict[str, tuple[int, int, Any, int, Any]]
# An operation of a branch: a convolution, a pool, or two parallel convolutions whose outputs are concatenated.
_Operation = str | tuple[str, str]
_AVERAGE, _MAXIMUM, _SHRINK = "pool:average", "pool:maximum", "pool:shrink"


class BasicConv2d(nn.Module):
    """Convolution, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: Any, stride: int = 1, padding: Any = 0) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C', H', W']."""
        return F.relu(self.bn(self.conv(x)))


class InceptionBlock(nn.Module):
    """Parallel branches with the same input, whose outputs are concatenated along the channels."""

    def __init__(self, convolutions: _Convolutions, branches: tuple[tuple[_Operation, ...], ...]) -> None:
        super().__init__()
        for name, size in convolutions.items():
            self.add_module(name, BasicConv2d(*size))
        self._branches = branches

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C', H', W']."""
        return torch.cat([self._apply_branch(x, branch) for branch in self._branches], 1)

    def _apply_branch(self, x: Tensor, branch: tuple[_Operation, ...]) -> Tensor:
        for operation in branch:
            if isinstance(operation, tuple):
                x = torch.cat([self.get_submodule(name)(x) for name in operation], 1)
            elif operation == _AVERAGE:
                x = F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
            elif operation == _MAXIMUM:
                x = F.max_pool2d(x, 3, 1, 1)
            elif operation == _SHRINK:
                x = F.max_pool2d(x, 3, 2)
            else:
                x = self.get_submodule(operation)(x)
        return x


def _block_a(c: int, pool: int) -> InceptionBlock:
    convolutions: _Convolutions = {
        "branch1x1": (c, 64, 1, 1, 0),
        "branch5x5_1": (c, 48, 1, 1, 0),
        "branch5x5_2": (48, 64, 5, 1, 2),
        "branch3x3dbl_1": (c, 64, 1, 1, 0),
        "branch3x3dbl_2": (64, 96, 3, 1, 1),
        "branch3x3dbl_3": (96, 96, 3, 1, 1),
        "branch_pool": (c, pool, 1, 1, 0),
    }
    three = ("branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3")
    return InceptionBlock(
        convolutions, (("branch1x1",), ("branch5x5_1", "branch5x5_2"), three, (_AVERAGE, "branch_pool"))
    )


def _block_b(c: int) -> InceptionBlock:
    convolutions: _Convolutions = {
        "branch3x3": (c, 384, 3, 2, 0),
        "branch3x3dbl_1": (c, 64, 1, 1, 0),
        "branch3x3dbl_2": (64, 96, 3, 1, 1),
        "branch3x3dbl_3": (96, 96, 3, 2, 0),
    }
    return InceptionBlock(
        convolutions, (("branch3x3",), ("branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"), (_SHRINK,))
    )


def _block_c(c: int, m: int) -> InceptionBlock:
    horizontal, vertical = ((1, 7), (0, 3)), ((7, 1), (3, 0))  # kernel and padding
    convolutions: _Convolutions = {
        "branch1x1": (c, 192, 1, 1, 0),
        "branch7x7_1": (c, m, 1, 1, 0),
        "branch7x7_2": (m, m, horizontal[0], 1, horizontal[1]),
        "branch7x7_3": (m, 192, vertical[0], 1, vertical[1]),
        "branch7x7dbl_1": (c, m, 1, 1, 0),
        "branch7x7dbl_2": (m, m, vertical[0], 1, vertical[1]),
        "branch7x7dbl_3": (m, m, horizontal[0], 1, horizontal[1]),
        "branch7x7dbl_4": (m, m, vertical[0], 1, vertical[1]),
        "branch7x7dbl_5": (m, 192, horizontal[0], 1, horizontal[1]),
        "branch_pool": (c, 192, 1, 1, 0),
    }
    short = tuple(f"branch7x7_{k}" for k in (1, 2, 3))
    long = tuple(f"branch7x7dbl_{k}" for k in (1, 2, 3, 4, 5))
    return InceptionBlock(convolutions, (("branch1x1",), short, long, (_AVERAGE, "branch_pool")))


def _block_d(c: int) -> InceptionBlock:
    convolutions: _Convolutions = {
        "branch3x3_1": (c, 192, 1, 1, 0),
        "branch3x3_2": (192, 320, 3, 2, 0),
        "branch7x7x3_1": (c, 192, 1, 1, 0),
        "branch7x7x3_2": (192, 192, (1, 7), 1, (0, 3)),
        "branch7x7x3_3": (192, 192, (7, 1), 1, (3, 0)),
        "branch7x7x3_4": (192, 192, 3, 2, 0),
    }
    return InceptionBlock(
        convolutions, (("branch3x3_1", "branch3x3_2"), tuple(f"branch7x7x3_{k}" for k in (1, 2, 3, 4)), (_SHRINK,))
    )


def _block_e(c: int, pool: str) -> InceptionBlock:
    convolutions: _Convolutions = {
        "branch1x1": (c, 320, 1, 1, 0),
        "branch3x3_1": (c, 384, 1, 1, 0),
        "branch3x3_2a": (384, 384, (1, 3), 1, (0, 1)),
        "branch3x3_2b": (384, 384, (3, 1), 1, (1, 0)),
        "branch3x3dbl_1": (c, 448, 1, 1, 0),
        "branch3x3dbl_2": (448, 384, 3, 1, 1),
        "branch3x3dbl_3a": (384, 384, (1, 3), 1, (0, 1)),
        "branch3x3dbl_3b": (384, 384, (3, 1), 1, (1, 0)),
        "branch_pool": (c, 192, 1, 1, 0),
    }
    short: tuple[_Operation, ...] = ("branch3x3_1", ("branch3x3_2a", "branch3x3_2b"))
    long: tuple[_Operation, ...] = ("branch3x3dbl_1", "branch3x3dbl_2", ("branch3x3dbl_3a", "branch3x3dbl_3b"))
    return InceptionBlock(convolutions, (("branch1x1",), short, long, (pool, "branch_pool")))


class FidInception(nn.Module):
    """Images [B, 3, H, W] in 0..1 -> features [B, 2048]."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = BasicConv2d(3, 32, 3, 2)
        self.Conv2d_2a_3x3 = BasicConv2d(32, 32, 3)
        self.Conv2d_2b_3x3 = BasicConv2d(32, 64, 3, 1, 1)
        self.Conv2d_3b_1x1 = BasicConv2d(64, 80, 1)
        self.Conv2d_4a_3x3 = BasicConv2d(80, 192, 3)
        self.Mixed_5b = _block_a(192, 32)
        self.Mixed_5c = _block_a(256, 64)
        self.Mixed_5d = _block_a(288, 64)
        self.Mixed_6a = _block_b(288)
        self.Mixed_6b = _block_c(768, 128)
        self.Mixed_6c = _block_c(768, 160)
        self.Mixed_6d = _block_c(768, 160)
        self.Mixed_6e = _block_c(768, 192)
        self.Mixed_7a = _block_d(768)
        self.Mixed_7b = _block_e(1280, _AVERAGE)
        self.Mixed_7c = _block_e(2048, _MAXIMUM)

    def forward(self, x: Tensor) -> Tensor:
        """[B, 3, H, W] -> [B, 2048]."""
        x = 2 * F.interpolate(x, (_SIDE, _SIDE), mode="bilinear", align_corners=False) - 1
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))  # [B, 64, 147, 147]
        x = F.max_pool2d(x, 3, 2)
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x))  # [B, 192, 71, 71]
        x = F.max_pool2d(x, 3, 2)
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(x)))  # [B, 288, 35, 35]
        x = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))))  # [B, 768, 17, 17]
        x = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x)))  # [B, 2048, 8, 8]
        return x.mean((2, 3))


def load_fid(path: Path) -> Embedding:
    """Features of FID with weights from a file: a function of frames, uint8 [T, H, W, 3], to float64 [T, 2048].

    Raises:
        InputError: not these weights.
    """
    network = FidInception()
    load_weights(network, path, _DESCRIPTION, ignore=("fc.", "AuxLogits."))

    def embed(frames: Frame) -> NDArray[np.float64]:
        with torch.inference_mode():
            parts = [network(as_tensor(frames[i : i + _BATCH])) for i in range(0, len(frames), _BATCH)]
        return np.asarray(torch.cat(parts).double().numpy())

    return embed
