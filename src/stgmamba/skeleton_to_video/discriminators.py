"""Discriminators of stage 2: of single frames and of three consecutive frames, at two scales each."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from stgmamba.skeleton_to_video.pose_maps import CHANNELS

_WIDTH = 32


class PatchDiscriminator(nn.Module):
    """Scores patches of K consecutive frames, given the pose of the middle one (PatchGAN, Isola et al. 2017).

    Args:
        frames: K.
    """

    def __init__(self, frames: int) -> None:
        super().__init__()
        self.first = spectral_norm(nn.Conv2d(3 * frames, _WIDTH, 4, 2, 1))
        self.second = spectral_norm(nn.Conv2d(_WIDTH, 2 * _WIDTH, 4, 2, 1))
        self.third = spectral_norm(nn.Conv2d(2 * _WIDTH + CHANNELS, 4 * _WIDTH, 4, 2, 1))
        self.score = spectral_norm(nn.Conv2d(4 * _WIDTH, 1, 3, 1, 1))

    def forward(self, frames: Tensor, pose: Tensor) -> tuple[Tensor, list[Tensor]]:
        """[B, 3 K, H, W] and [B, P, H/4, W/4] -> scores of the patches [B, 1, H/8, W/8], features of the layers."""
        first = F.leaky_relu(self.first(frames), 0.2)
        second = F.leaky_relu(self.second(first), 0.2)
        third = F.leaky_relu(self.third(torch.cat([second, pose], 1)), 0.2)
        return self.score(third), [first, second, third]


class MultiScaleDiscriminator(nn.Module):
    """Patch discriminators at full and at half resolution (pix2pixHD, Wang et al. 2018)."""

    def __init__(self, frames: int) -> None:
        super().__init__()
        self.fine, self.coarse = PatchDiscriminator(frames), PatchDiscriminator(frames)

    def forward(self, frames: Tensor, pose: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Scores per scale, features of all layers; shapes as of `PatchDiscriminator`."""
        fine, fine_features = self.fine(frames, pose)
        coarse, coarse_features = self.coarse(F.avg_pool2d(frames, 2), F.avg_pool2d(pose, 2))
        return [fine, coarse], [*fine_features, *coarse_features]


class Discriminators(nn.Module):
    """Discriminators of single frames, and of three consecutive frames whose middle one may be generated.

    Args:
        frame, sequence: whether there is one of single frames, and one of three.
    """

    def __init__(self, frame: bool = True, sequence: bool = True) -> None:
        super().__init__()
        self.frame = MultiScaleDiscriminator(1) if frame else None
        self.sequence = MultiScaleDiscriminator(3) if sequence else None
