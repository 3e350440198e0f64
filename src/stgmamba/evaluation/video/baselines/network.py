"""Trained networks as methods: ours, its ablations, and networks without warps or with previous frames as input."""

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

_STATURE = 1.7  # metres, assumed, to convert estimated depth to pixels


def network(weights: str | Path | None = None) -> BuildBaseline:
    """A network with the weights of a file, or the default ones, as a method.

    Networks with warped layers and without previous frames as input use `NeuralRenderer`, others `ComparisonRenderer`.

    Raises:
        InputError: not weights of this network.
    """
    model = load_network(weights)
    ours = model.config.warps and not model.config.previous
    return partial(NeuralRenderer if ours else ComparisonRenderer, model=model)


class ComparisonRenderer:
    """Renders with a network whose input includes the unwarped condition or its previous output, frame by frame.

    Args:
        picture, person, size: see `LimbWarpRenderer`.
        model: a trained network.

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

        Frames that are higher than those of training are rendered at the height of training and upscaled. The previous
        frame of the first is the condition.
        """
        input_scale = min(1.0, TRAINED_HEIGHT / self.size[1])
        small = round(self.size[0] * input_scale), round(self.size[1] * input_scale)
        padded = tuple(-(-side // MULTIPLE) * MULTIPLE for side in small)

        def to_input(image: NDArray[np.float32]) -> Tensor:
            resized = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
            right, below = padded[0] - small[0], padded[1] - small[1]
            array = cv2.copyMakeBorder(resized, 0, below, 0, right, cv2.BORDER_REPLICATE)
            array[..., :3] /= 255
            return torch.from_numpy(np.ascontiguousarray(array)).permute(2, 0, 1)[None]

        def to_maps(points: NDArray[np.float64], depth: NDArray[np.float64]) -> Tensor:
            zoom, origin = view
            points = ((points - (origin.real, origin.imag)) * zoom + 0.5) * input_scale - 0.5
            scale = zoom * input_scale
            maps = pose_maps(points, depth * scale, self.body.torso * scale, (padded[0], padded[1]))
            return torch.from_numpy(maps)[None]

        picture = next(self._still.render_placement(placement, view))
        condition, background = to_input(picture.astype(np.float32)), to_input(self._warp.background(view))
        condition_pose = to_maps(self.body.joints, self._depth)
        previous = condition
        for frame, layers in enumerate(self._warp.foreground(placement, view)):
            pose = to_maps(placement.points[frame], placement.depth[frame])
            inputs = Inputs(to_input(layers), background, pose, condition, condition_pose, previous)
            previous = self._model(inputs).clamp(0, 1)
            pixels = previous[0, :, : small[1], : small[0]].permute(1, 2, 0).mul(255).add(0.5).clamp(0, 255)
            yield np.asarray(cv2.resize(np.ascontiguousarray(pixels.numpy()), self.size).astype(np.uint8))
