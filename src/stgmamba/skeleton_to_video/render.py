"""Rendering with G_r: the sheets of the limb warp, in batches of frames through the network.

Only the part of the picture that the dance sweeps over goes through the network: the rest is the background, filled in
once. The network sees frames at the size it was trained at, and its answer is enlarged to larger ones. Memory does not
grow with the length of the dance.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stgmamba.errors import InputError
from stgmamba.parallel import ordered_map
from stgmamba.skeleton.picture import Picture
from stgmamba.skeleton.pose import PersonInPicture
from stgmamba.skeleton.sequence import Skeleton
from stgmamba.skeleton_to_video.limb_warp import STILL, LimbWarpRenderer, View, placed_in_view
from stgmamba.skeleton_to_video.model import MULTIPLE, Config, FrameGenerator, Inputs
from stgmamba.skeleton_to_video.placement import Placement
from stgmamba.skeleton_to_video.pose_maps import pose_maps
from stgmamba.weights_file import read_network

Frame = NDArray[np.uint8]
FloatArray = NDArray[np.float32]

ROWS = 256
"""Height of the frames that the network was trained on."""

_BATCH = 4
_MARGIN = 0.6  # around the joints, in torso lengths: hands, hair, clothes, and what the network's edge would disturb


class NetworkRenderer:
    """Animates the person of one picture with G_r.

    Args:
        picture, person, size, seed: as of `LimbWarpRenderer`.
        model: trained, with warps.

    Raises:
        InputError: the picture shows no shoulder.
    """

    def __init__(
        self, picture: Picture, person: PersonInPicture, size: int = 512, seed: int = 0, *, model: FrameGenerator
    ) -> None:
        if not model.config.warps or model.config.previous:
            raise ValueError("a network that sees warped sheets, and frames one by one, is needed")
        self._warp = LimbWarpRenderer(picture, person, size, seed)
        self.size, self.body = self._warp.size, self._warp.body
        self._model = model.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # faster on CPUs

    def frames(self, dance: Skeleton) -> Iterator[Frame]:
        """One frame per frame of the dance, lazily; uint8 [H, W, 3].

        Args:
            dance: 3-D OPENPOSE_18_FEET, metres, facing the camera to within about 60 degrees.
        """
        return self.frames_of(*placed_in_view(dance, self.body, self.size))

    def frames_of(self, placement: Placement, view: View = STILL) -> Iterator[Frame]:
        """One frame per frame of a placement, lazily; uint8 [H, W, 3].

        Args:
            placement: where the joints go, in the picture's pixels at ``size``.
            view: of the picture; as it was taken when not given.
        """
        window = _window(placement, view, self.body.torso, self.size)
        background = self._warp.background(view)
        still = np.clip(background + 0.5, 0, 255).astype(np.uint8)
        behind = _to_tensor(window.cut(background) / np.float32(255))
        small_behind = window.shrunk(behind)

        def made(batch: tuple[Tensor, Tensor]) -> Frame:
            return self._made(*batch, behind, small_behind, window)

        # The next sheets are drawn while the network works.
        for pieces in ordered_map(made, self._batches(placement, view, window), workers=1):
            for piece in pieces:
                whole = still.copy()
                window.paste(whole, piece)
                yield whole

    def _batches(self, placement: Placement, view: View, window: _Window) -> Iterator[tuple[Tensor, Tensor]]:
        """Sheets [B, 4, h, w] in 0..1 and pose maps of a few frames at a time."""
        layers: list[Tensor] = []
        poses: list[Tensor] = []
        last = len(placement.points) - 1
        for frame, layer in enumerate(self._warp.layers(placement, view)):
            layer[..., :3] *= np.float32(1 / 255)
            layers.append(_to_tensor(window.cut(layer)))
            poses.append(torch.from_numpy(self._pose(placement, frame, view, window)))
            if len(layers) == _BATCH or frame == last:
                yield torch.cat(layers), torch.stack(poses)
                layers, poses = [], []

    def _pose(self, placement: Placement, frame: int, view: View, window: _Window) -> FloatArray:
        zoom, origin = view
        points = (placement.points[frame] - (origin.real, origin.imag)) * zoom
        points = (points - (window.left, window.top) + 0.5) * window.shrink - 0.5
        scale = zoom * window.shrink
        return pose_maps(points, placement.depth[frame] * scale, self.body.torso * scale, window.small)

    @torch.inference_mode()
    def _made(self, layers: Tensor, poses: Tensor, behind: Tensor, small_behind: Tensor, window: _Window) -> Frame:
        """Frames [B, h, w, 3] of the window."""
        count = len(layers)
        inputs = Inputs(window.shrunk(layers), small_behind.expand(count, -1, -1, -1), poses)
        made = self._model.compose(self._model.answer(inputs), layers, behind)
        pixels = made.mul(255).add(0.5).clamp(0, 255).to(torch.uint8)
        return np.ascontiguousarray(pixels.permute(0, 2, 3, 1).numpy())


@dataclass(frozen=True)
class _Window:
    """The part of the frames that goes through the network; it may reach over their lower and right edges.

    Attributes:
        left, top, width, height: pixels of the frame.
        small: width and height at which the network sees it.
    """

    left: int
    top: int
    width: int
    height: int
    small: tuple[int, int]

    @property
    def shrink(self) -> float:
        """Size at which the network sees it, in parts of its own."""
        return self.small[1] / self.height

    def cut(self, picture: FloatArray) -> FloatArray:
        """The window of a picture [H, W, C]; beyond the picture's edge its last pixels go on."""
        high, wide = picture.shape[:2]
        part = picture[self.top : self.top + self.height, self.left : self.left + self.width]
        below, right = max(0, self.top + self.height - high), max(0, self.left + self.width - wide)
        if below or right:
            part = cv2.copyMakeBorder(part, 0, below, 0, right, cv2.BORDER_REPLICATE)
        return np.ascontiguousarray(part)

    def paste(self, frame: Frame, made: Frame) -> None:
        """Put a made window into a frame, in place."""
        high, wide = frame.shape[:2]
        bottom, right = min(high, self.top + self.height), min(wide, self.left + self.width)
        frame[self.top : bottom, self.left : right] = made[: bottom - self.top, : right - self.left]

    def shrunk(self, pictures: Tensor) -> Tensor:
        """Pictures [B, C, h, w] as the network sees them."""
        if self.small == (self.width, self.height):
            return pictures
        return torch.nn.functional.interpolate(pictures, size=self.small[::-1], mode="area")


def _window(placement: Placement, view: View, torso: float, size: tuple[int, int]) -> _Window:
    """One window for a whole dance, so that nothing jumps: around all joints of all frames."""
    zoom, origin = view
    wide, high = size
    shrink = min(1.0, ROWS / high)
    points = (placement.points - (origin.real, origin.imag)) * zoom
    margin = _MARGIN * torso * zoom
    low = np.clip(points.min(axis=(0, 1)) - margin, 0, (wide - 1, high - 1))
    far = np.clip(points.max(axis=(0, 1)) + margin, low + 1, (wide, high))
    # Its corner and sides are multiples of what the network's cells are in the frame.
    cell = MULTIPLE * max(1, round(1 / shrink))
    left, top = (int(edge // cell * cell) for edge in low)
    width, height = (int(-(-(edge - start) // cell) * cell) for edge, start in zip(far, (left, top), strict=True))
    cells = MULTIPLE / cell
    return _Window(left, top, width, height, (round(width * cells), round(height * cells)))


def _to_tensor(picture: FloatArray) -> Tensor:
    """[H, W, C] -> [1, C, H, W], sharing its memory."""
    return torch.from_numpy(picture).permute(2, 0, 1)[None]


def load_network(weights: str | Path | None = None) -> FrameGenerator:
    """G_r with the weights in the package, or with others.

    Raises:
        InputError: not a weights file of this network, or none in the package.
    """
    if weights is None:
        with resources.as_file(resources.files("stgmamba") / "weights" / "skeleton_to_video.safetensors") as path:
            if not path.exists():
                raise InputError(
                    "This copy of stgmamba holds no weights of the network that draws people; use --quality fast, "
                    f"or train some (docs/training.md) and put them at {path}."
                )
            return _load(path)
    return _load(Path(weights))


def _load(path: Path) -> FrameGenerator:
    return read_network(path, lambda values: FrameGenerator(Config(**values)))
