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
from typing import NamedTuple, TypeVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stgmamba.errors import InputError
from stgmamba.limb_warp.renderer import STILL, LimbWarpRenderer, View, placed_in_view
from stgmamba.limb_warp.retargeting import Placement
from stgmamba.parallel import ordered_map
from stgmamba.person.picture import Picture
from stgmamba.person.pose import PersonInPicture
from stgmamba.skeleton.sequence import Skeleton
from stgmamba.skeleton_to_video.compositing import composite
from stgmamba.skeleton_to_video.model import MULTIPLE, Config, FrameGenerator, Inputs
from stgmamba.skeleton_to_video.pose_maps import pose_maps
from stgmamba.training.weights import read_network

Frame = NDArray[np.uint8]
FloatArray = NDArray[np.float32]
Number = TypeVar("Number", bound=np.generic)

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
        behind, background = window.seen(background), window.inside(background)

        def made(batch: _Batch) -> list[Frame]:
            frames = [still.copy() for _ in batch.layers]
            for frame, layer, answer in zip(frames, *self._answered(batch, behind, window), strict=True):
                composite(window.inside(frame), layer, background, answer, window.times)
            return frames

        # The next sheets are drawn while the network works.
        for frames in ordered_map(made, self._batches(placement, view, window), workers=1):
            yield from frames

    def _batches(self, placement: Placement, view: View, window: _Window) -> Iterator[_Batch]:
        batch = _Batch([], [], [])
        last = len(placement.points) - 1
        for frame, layer in enumerate(self._warp.layers(placement, view)):
            batch.layers.append(layer)
            batch.seen.append(window.seen(layer))
            batch.poses.append(torch.from_numpy(self._pose(placement, frame, view, window)))
            if len(batch.layers) == _BATCH or frame == last:
                yield batch
                batch = _Batch([], [], [])

    def _pose(self, placement: Placement, frame: int, view: View, window: _Window) -> FloatArray:
        zoom, origin = view
        points = (placement.points[frame] - (origin.real, origin.imag)) * zoom
        points = (points - (window.left, window.top) + 0.5) * window.shrink - 0.5
        scale = zoom * window.shrink
        return pose_maps(points, placement.depth[frame] * scale, self.body.torso * scale, window.small)

    @torch.inference_mode()
    def _answered(self, batch: _Batch, behind: Tensor, window: _Window) -> tuple[list[FloatArray], FloatArray]:
        """For the window's part of each frame, the sheets and what `composite` asks of the network."""
        seen = torch.cat(batch.seen)
        inputs = Inputs(seen, behind.expand(len(seen), -1, -1, -1), torch.stack(batch.poses))
        answer = self._model.answer(inputs)
        free = torch.cat([answer.near, answer.seam], 1) * self._model.config.paint
        said = torch.cat([answer.logits, answer.own, free], 1)
        layers = batch.layers
        if self._model.config.flow:
            sheets = torch.cat([_to_tensor(window.cut(layer)) for layer in layers])
            flow = answer.flow * torch.nn.functional.avg_pool2d(answer.near, 2)
            layers = list(_to_arrays(self._model.move(sheets, flow, seen.shape[2])))
            high, wide = self.size[1] - window.top, self.size[0] - window.left
            return [layer[:high, :wide] for layer in layers], _to_arrays(said)
        return [window.inside(layer) for layer in layers], _to_arrays(said)


class _Batch(NamedTuple):
    """A few frames.

    Attributes:
        layers: [H, W, 4], sheets as `LimbWarpRenderer.layers` gives them.
        seen: [1, 4, h, w], the same as the network sees them.
        poses: [P, h/4, w/4], maps of the poses.
    """

    layers: list[FloatArray]
    seen: list[Tensor]
    poses: list[Tensor]


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

    @property
    def times(self) -> int:
        """How many times larger it is than the network sees it."""
        return self.width // self.small[0]

    def inside(self, picture: NDArray[Number]) -> NDArray[Number]:
        """The part of a picture [H, W, C] that lies in the window, sharing its memory."""
        return picture[self.top : self.top + self.height, self.left : self.left + self.width]

    def cut(self, picture: FloatArray) -> FloatArray:
        """The window of a picture [H, W, C]; beyond the picture's edge its last pixels go on."""
        part = self.inside(picture)
        below, right = self.height - part.shape[0], self.width - part.shape[1]
        if below or right:
            part = np.asarray(cv2.copyMakeBorder(part, 0, below, 0, right, cv2.BORDER_REPLICATE))
        return part

    def seen(self, picture: FloatArray) -> Tensor:
        """What the network sees of a picture [H, W, C] of colours 0..255 and coverage: [1, C, h, w] in 0..1."""
        part = self.cut(picture)
        if self.times > 1:
            part = np.asarray(cv2.resize(part, self.small, interpolation=cv2.INTER_AREA))
        seen = part * np.float32(1 / 255)
        seen[..., 3:] = part[..., 3:]
        return _to_tensor(seen)


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


def _to_arrays(pictures: Tensor) -> FloatArray:
    """[B, C, H, W] -> [B, H, W, C]."""
    return np.ascontiguousarray(pictures.permute(0, 2, 3, 1).numpy())


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
