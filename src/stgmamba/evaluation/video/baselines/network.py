"""Trained networks as methods: ours, its ablations, and the peers that know no warps or see the frame before."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stgmamba.arrays import Frame
from stgmamba.evaluation.video.baselines import BuildBaseline
from stgmamba.evaluation.video.baselines.still import StaticImage
from stgmamba.limb_warp.renderer import IDENTITY_VIEW, LimbWarpRenderer, View
from stgmamba.limb_warp.retargeting import Placement
from stgmamba.person.picture import Picture
from stgmamba.person.pose import DetectedPerson
from stgmamba.skeleton_to_video.model import MULTIPLE, FrameGenerator, Inputs
from stgmamba.skeleton_to_video.pose_maps import pose_maps
from stgmamba.skeleton_to_video.rendering import TRAINED_HEIGHT, NeuralRenderer, load_network

_STATURE = 1.7  # metres: what the depth estimated in a picture is measured with


def network(weights: str | Path | None = None) -> BuildBaseline:
    """A network with the weights of a file, or those in the package.

    What sees warped sheets and frames one by one is drawn by our renderer, anything else by `ComparisonRenderer`.

    Raises:
        InputError: not weights of this network.
    """
    model = load_network(weights)
    ours = model.config.warps and not model.config.previous
    return partial(NeuralRenderer if ours else ComparisonRenderer, model=model)


class ComparisonRenderer:
    """Draws with a network that sees the condition as it is, or its own last frame: one frame after the other.

    Args:
        picture, person, size: as of `LimbWarpRenderer`.
        model: trained.

    Raises:
        InputError: the picture shows no shoulder.
    """

    def __init__(self, picture: Picture, person: DetectedPerson, size: int, *, model: FrameGenerator) -> None:
        self._warp = LimbWarpRenderer(picture, person, size)
        self._still = StaticImage(picture, person, size)
        self.size, self.body = self._warp.size, self._warp.body
        self._model = model.eval()
        depth = -person.depth.astype(np.float64) * self.body.height / _STATURE
        self._depth = depth[self.body.joint_order]

    @torch.inference_mode()
    def render_placement(self, placement: Placement, view: View = IDENTITY_VIEW) -> Iterator[Frame]:
        """One frame per frame of a placement, lazily; uint8 [H, W, 3].

        The network works at the height that it was trained at where frames are higher. The frame before the first is
        the condition.
        """
        shrink = min(1.0, TRAINED_HEIGHT / self.size[1])
        small = round(self.size[0] * shrink), round(self.size[1] * shrink)
        padded = tuple(-(-side // MULTIPLE) * MULTIPLE for side in small)

        def tensor(picture: NDArray[np.float32]) -> Tensor:
            shrunk = cv2.resize(picture, small, interpolation=cv2.INTER_AREA)
            right, below = padded[0] - small[0], padded[1] - small[1]
            whole = cv2.copyMakeBorder(shrunk, 0, below, 0, right, cv2.BORDER_REPLICATE)
            whole[..., :3] /= 255
            return torch.from_numpy(np.ascontiguousarray(whole)).permute(2, 0, 1)[None]

        def maps(points: NDArray[np.float64], depth: NDArray[np.float64]) -> Tensor:
            zoom, origin = view
            at = ((points - (origin.real, origin.imag)) * zoom + 0.5) * shrink - 0.5
            scale = zoom * shrink
            drawn = pose_maps(at, depth * scale, self.body.torso * scale, (padded[0], padded[1]))
            return torch.from_numpy(drawn)[None]

        shown = next(self._still.render_placement(placement, view))
        condition, background = tensor(shown.astype(np.float32)), tensor(self._warp.background(view))
        condition_pose = maps(self.body.joints, self._depth)
        before = condition
        for frame, layer in enumerate(self._warp.foreground(placement, view)):
            pose = maps(placement.points[frame], placement.depth[frame])
            made = self._model(Inputs(tensor(layer), background, pose, condition, condition_pose, before)).clamp(0, 1)
            before = made
            pixels = made[0, :, : small[1], : small[0]].permute(1, 2, 0).mul(255).add(0.5).clamp(0, 255)
            yield np.asarray(cv2.resize(np.ascontiguousarray(pixels.numpy()), self.size).astype(np.uint8))
