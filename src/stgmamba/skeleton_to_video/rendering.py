"""Rendering with G_r in batches of frames.

The network is applied to the part of the frame that the person reaches during the dance; the rest is the inpainted
background. Its input has the resolution of training, and its prediction is upscaled to larger frames. Memory does not
grow with the length of the dance.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stgmamba.arrays import FloatArray, Frame
from stgmamba.limb_warp.renderer import IDENTITY_VIEW, LimbWarpRenderer, View, retarget_in_view
from stgmamba.limb_warp.retargeting import Placement
from stgmamba.parallel import ordered_map
from stgmamba.person.picture import Picture
from stgmamba.person.pose import DetectedPerson
from stgmamba.skeleton.sequence import Skeleton
from stgmamba.skeleton_to_video.compositing import composite
from stgmamba.skeleton_to_video.model import MULTIPLE, Config, FrameGenerator, Inputs
from stgmamba.skeleton_to_video.pose_maps import pose_maps
from stgmamba.training.weights import default_weights, read_network

Number = TypeVar("Number", bound=np.generic)

TRAINED_HEIGHT = 256
"""Height of the frames that the network was trained on, pixels."""

_BATCH = 4  # frames
_MARGIN = 0.6  # torso lengths around the joints, for hands, hair and clothes, and for effects of the window's border


class NeuralRenderer:
    """Animates the person of one picture with G_r.

    Args:
        picture, person, size, background: see `LimbWarpRenderer`.
        model: a trained network with warped layers as input.

    Raises:
        InputError: the picture shows no shoulder.
    """

    def __init__(
        self,
        picture: Picture,
        person: DetectedPerson,
        size: int = 512,
        background: Frame | None = None,
        *,
        model: FrameGenerator,
    ) -> None:
        if not model.config.warps or model.config.previous:
            raise ValueError("a network whose inputs are warped layers, without previous frames, is needed")
        self._warp = LimbWarpRenderer(picture, person, size, background=background)
        self.size, self.body = self._warp.size, self._warp.body
        self._model = model.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # faster on CPUs

    def frames(self, dance: Skeleton) -> Iterator[Frame]:
        """One frame per frame of the dance, lazily; uint8 [H, W, 3].

        Args:
            dance: 3-D OPENPOSE_18_FEET, metres, facing the camera to within about 60 degrees.
        """
        return self.render_placement(*retarget_in_view(dance, self.body, self.size))

    def render_placement(self, placement: Placement, view: View = IDENTITY_VIEW) -> Iterator[Frame]:
        """One frame per frame of a placement, lazily; uint8 [H, W, 3].

        Args:
            placement: joints of the frames, in pixels of the picture at ``size``.
            view: of the picture; the whole picture when not given.
        """
        window = _window(placement, view, self.body.torso, self.size)
        background = self._warp.background(view)
        empty = np.clip(background + 0.5, 0, 255).astype(np.uint8)
        background_input, background = window.network_input(background), window.crop(background)

        def render(batch: _Batch) -> list[Frame]:
            frames = [empty.copy() for _ in batch.layers]
            predictions = self._predict(batch, background_input)
            for frame, layers, prediction in zip(frames, batch.layers, predictions, strict=True):
                composite(window.crop(frame), window.crop(layers), background, prediction, window.scale)
            return frames

        # The layers of the next batch are warped while the network runs.
        for frames in ordered_map(render, self._batches(placement, view, window), workers=1):
            yield from frames

    def _batches(self, placement: Placement, view: View, window: _Window) -> Iterator[_Batch]:
        batch = _Batch([], [], [])
        last = len(placement.points) - 1
        for frame, layers in enumerate(self._warp.foreground(placement, view)):
            batch.layers.append(layers)
            batch.inputs.append(window.network_input(layers))
            batch.poses.append(torch.from_numpy(self._pose_maps(placement, frame, view, window)))
            if len(batch.layers) == _BATCH or frame == last:
                yield batch
                batch = _Batch([], [], [])

    def _pose_maps(self, placement: Placement, frame: int, view: View, window: _Window) -> FloatArray:
        zoom, origin = view
        points = (placement.points[frame] - (origin.real, origin.imag)) * zoom
        points = (points - (window.left, window.top) + 0.5) * window.input_scale - 0.5
        scale = zoom * window.input_scale
        return pose_maps(points, placement.depth[frame] * scale, self.body.torso * scale, window.input_size)

    @torch.inference_mode()
    def _predict(self, batch: _Batch, background: Tensor) -> FloatArray:
        """The network's predictions in the form that `composite` takes, [B, h, w, 8]."""
        warped = torch.cat(batch.inputs)
        inputs = Inputs(warped, background.expand(len(warped), -1, -1, -1), torch.stack(batch.poses))
        return _to_arrays(torch.cat(self._model.predict(inputs), 1))


class _Batch(NamedTuple):
    """A batch of frames, one list entry per frame.

    Attributes:
        layers: [H, W, 4], see `LimbWarpRenderer.foreground`.
        inputs: [1, 4, h, w], the layers as inputs of the network.
        poses: [P, h/4, w/4], pose maps.
    """

    layers: list[FloatArray]
    inputs: list[Tensor]
    poses: list[Tensor]


@dataclass(frozen=True)
class _Window:
    """The part of the frames that the network is applied to; it may extend beyond their lower and right edges.

    Attributes:
        left, top, width, height: pixels of the frame.
        input_size: width and height of the network's input.
    """

    left: int
    top: int
    width: int
    height: int
    input_size: tuple[int, int]

    @property
    def input_scale(self) -> float:
        """Size of the network's input relative to the window, <= 1."""
        return self.input_size[1] / self.height

    @property
    def scale(self) -> int:
        """Size of the window relative to the network's input, >= 1."""
        return self.width // self.input_size[0]

    def crop(self, picture: NDArray[Number]) -> NDArray[Number]:
        """A view of the part of a picture [H, W, C] in the window."""
        return picture[self.top : self.top + self.height, self.left : self.left + self.width]

    def padded_crop(self, picture: FloatArray) -> FloatArray:
        """The window of a picture [H, W, C], padded with its edge pixels."""
        part = self.crop(picture)
        below, right = self.height - part.shape[0], self.width - part.shape[1]
        if below or right:
            part = np.asarray(cv2.copyMakeBorder(part, 0, below, 0, right, cv2.BORDER_REPLICATE))
        return part

    def network_input(self, picture: FloatArray) -> Tensor:
        """The window of a picture [H, W, C], colours 0..255 and coverage 0..1, as an input [1, C, h, w] in 0..1."""
        part = self.padded_crop(picture)
        if self.scale > 1:
            part = np.asarray(cv2.resize(part, self.input_size, interpolation=cv2.INTER_AREA))
        scaled = part * np.float32(1 / 255)
        scaled[..., 3:] = part[..., 3:]
        return torch.from_numpy(scaled).permute(2, 0, 1)[None]


def _window(placement: Placement, view: View, torso: float, size: tuple[int, int]) -> _Window:
    """One window for the whole dance, around all joints of all frames, so that its border does not move."""
    zoom, origin = view
    frame_width, frame_height = size
    scale = min(1.0, TRAINED_HEIGHT / frame_height)
    points = (placement.points - (origin.real, origin.imag)) * zoom
    margin = _MARGIN * torso * zoom
    lower = np.clip(points.min(axis=(0, 1)) - margin, 0, (frame_width - 1, frame_height - 1))
    upper = np.clip(points.max(axis=(0, 1)) + margin, lower + 1, (frame_width, frame_height))
    # Corner and sides are multiples of the cells of the network's lowest resolution.
    cell = MULTIPLE * max(1, round(1 / scale))
    left, top = (int(edge // cell * cell) for edge in lower)
    width, height = (int(-(-(edge - start) // cell) * cell) for edge, start in zip(upper, (left, top), strict=True))
    input_scale = MULTIPLE / cell
    return _Window(left, top, width, height, (round(width * input_scale), round(height * input_scale)))


def _to_arrays(images: Tensor) -> FloatArray:
    """[B, C, H, W] -> [B, H, W, C]."""
    return np.ascontiguousarray(images.permute(0, 2, 3, 1).numpy())


def load_network(weights: str | Path | None = None) -> FrameGenerator:
    """G_r with the default weights, or with those of a file.

    Raises:
        InputError: not a weights file of this network.
    """
    path = default_weights("skeleton_to_video") if weights is None else Path(weights)
    return read_network(path, lambda values: FrameGenerator(Config(**values)))
