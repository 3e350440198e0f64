"""The limb warp: animation of a picture's person by a 3-D dance, without a network.

The person is segmented into layers (segmentation.py) that follow the retargeted dance (retargeting.py) as deforming
meshes (skinning.py), drawn back to front over the inpainted background (inpainting.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from stgmamba.arrays import BoolArray, ComplexArray, DoubleArray, FloatArray, Frame
from stgmamba.limb_warp.inpainting import remove_person
from stgmamba.limb_warp.kernels import draw_triangles
from stgmamba.limb_warp.letterbox import scaled_size
from stgmamba.limb_warp.retargeting import SIDES, PhotoBody, Placement, measure_body, retarget_to_picture
from stgmamba.limb_warp.segmentation import ARMS, LEGS, TORSO_LAYER, segment_person
from stgmamba.limb_warp.skinning import LimbDeformer, TorsoDeformer, grid_mesh, track_limb
from stgmamba.person.picture import Picture
from stgmamba.person.pose import DetectedPerson
from stgmamba.skeleton.layouts import OPENPOSE_18_FEET
from stgmamba.skeleton.sequence import Skeleton

View = tuple[float, complex]
"""Zoom (at most 1), and the pixel of the picture (x + iy) at the upper left corner of the frame."""

IDENTITY_VIEW: View = (1.0, 0j)
"""The frame shows the whole picture."""

_SMALLEST_ZOOM = 0.6
_EXTENSION_FADE, _EXTENSION_BLUR = (
    0.12,
    0.03,
)  # of the height: where a picture's extension is wholly blurred, and how far
_SMALLEST_ZOOM_HALF = 0.75  # of a half-length picture: there an arm may leave the frame


class LimbWarpRenderer:
    """Animates the person of one picture.

    Args:
        picture: the picture.
        person: pose and mask of the person in it.
        size: height of the frames in pixels; the width keeps the picture's aspect ratio, both are even.
        seed: of the background's inpainting.
        background: uint8 [H, W, 3] at the size of the frames, instead of the picture's own.

    Attributes:
        size: (width, height) of the frames.
        body: measurements of the person at that size.

    Raises:
        InputError: the picture shows no shoulder.
    """

    def __init__(
        self,
        picture: Picture,
        person: DetectedPerson,
        size: int = 512,
        seed: int = 0,
        background: Frame | None = None,
    ) -> None:
        height, width = picture.rgb.shape[:2]
        self.size = scaled_size((width, height), size)
        frame_height = self.size[1]
        scale = frame_height / height
        shrink = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        self._rgb = np.ascontiguousarray(cv2.resize(picture.rgb, self.size, interpolation=shrink))
        mask = cv2.resize(person.mask, self.size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        # The faint outer rim of a soft mask contains background, which would move along as a halo.
        self._alpha = np.clip((mask.astype(np.float32) - 0.4) / 0.5, 0, 1)
        self.body = measure_body(person.skeleton).scaled(scale)
        self._seed = seed
        self._background: Frame | None = None
        self._given_background = background
        # Legs cut off by the picture are extended below it, so that no edge shows when the body rises.
        below = round(0.3 * frame_height)
        rgb = cv2.copyMakeBorder(self._rgb, 0, below, 0, 0, cv2.BORDER_REFLECT_101)
        alpha = cv2.copyMakeBorder(self._alpha, 0, below, 0, 0, cv2.BORDER_REFLECT_101)
        if self.body.has("left_ankle") or self.body.has("right_ankle"):
            alpha[frame_height:] = 0
        layers = segment_person(rgb, alpha, self.body, rim=1 if scale < 1.5 else 2)
        self._textures = layers.textures
        step = max(4, round(frame_height / 85))
        self._meshes = {name: grid_mesh(texture, step) for name, texture in layers.textures.items() if texture.any()}
        self._torso = TorsoDeformer(self._meshes[TORSO_LAYER].vertices, self.body, layers)
        self._limbs = {
            name: LimbDeformer(name, self._meshes[name], layers.axes[name])
            for name in (*ARMS, *LEGS)
            if name in self._meshes
        }
        self._hip_deformers = {
            name: TorsoDeformer(self._meshes[name].vertices, self.body, layers) for name in self._limbs if name in LEGS
        }

    def frames(self, dance: Skeleton) -> Iterator[Frame]:
        """One frame per frame of the dance, lazily.

        Args:
            dance: 3-D OPENPOSE_18_FEET, metres, facing the camera to within about 60 degrees.

        Returns:
            uint8 [H, W, 3] each.
        """
        return self.render_placement(*retarget_in_view(dance, self.body, self.size))

    def render_placement(self, placement: Placement, view: View = IDENTITY_VIEW) -> Iterator[Frame]:
        """One frame per frame of a placement, lazily.

        Args:
            placement: target joints in the picture's pixels at ``size``.
            view: of the picture; the whole picture when not given.

        Yields:
            uint8 [H, W, 3].
        """
        background = self.background(view)
        for draw in self._draw_functions(placement, view):
            canvas = background.copy()
            draw(canvas)
            yield np.clip(canvas + 0.5, 0, 255).astype(np.uint8)

    def foreground(self, placement: Placement, view: View = IDENTITY_VIEW) -> Iterator[FloatArray]:
        """The person without the background, one image per frame of a placement, lazily.

        Args:
            placement: as of ``render_placement``.
            view: as of ``render_placement``.

        Yields:
            float32 [H, W, 4]: premultiplied colours 0..255, and coverage 0..1. Composited over ``background(view)``
            they are the frames of ``render_placement``.
        """
        for draw in self._draw_functions(placement, view):
            canvas = np.zeros((self.size[1], self.size[0], 4), np.float32)
            draw(canvas)
            yield canvas

    def _draw_functions(self, placement: Placement, view: View) -> Iterator[Callable[[FloatArray], None]]:
        """Per frame a function that draws the person over a canvas, float32 [H, W, 3 or 4]."""
        tracks = {name: track_limb(name, placement, self.body) for name in self._limbs}
        in_front = _depth_order(placement, self.body)
        zoom, origin = view
        for frame in range(len(placement.points)):
            points = {TORSO_LAYER: self._torso.deform(placement, frame)}
            for name, limb in self._limbs.items():
                hip_attached = (
                    self._hip_deformers[name].deform(placement, frame)
                    if name in self._hip_deformers
                    else points[TORSO_LAYER][:0]
                )
                points[name] = limb.deform(tracks[name], frame, hip_attached)
            order = list(self._drawing_order(in_front, placement, frame))
            in_view = {name: (vertices - origin) * zoom for name, vertices in points.items()}
            yield partial(self._draw, in_view, order)

    def _draw(
        self, points: dict[str, ComplexArray], order: list[tuple[str, NDArray[np.int64]]], canvas: FloatArray
    ) -> None:
        for name, triangles in order:
            mesh = self._meshes[name]
            corners = np.stack([points[name].real, points[name].imag], -1)[mesh.triangles]
            draw_triangles(canvas, self._textures[name], corners, mesh.source, triangles)

    def _drawing_order(
        self, in_front: dict[str, BoolArray], placement: Placement, frame: int
    ) -> Iterator[tuple[str, NDArray[np.int64]]]:
        """Layers, or halves of a limb's layer, and their triangles, back to front."""
        depth = placement.depth[frame]

        def back_to_front(names: tuple[str, ...], end: str) -> list[str]:
            return sorted(names, key=lambda n: float(depth[OPENPOSE_18_FEET.index(f"{n.split('_')[0]}_{end}")]))

        behind: list[tuple[str, NDArray[np.int64], bool, bool]] = []
        front: list[tuple[str, NDArray[np.int64], bool, bool]] = []
        for name in [*back_to_front(ARMS, "wrist"), *back_to_front(LEGS, "knee")]:
            if name not in self._limbs:
                continue
            limb = self._limbs[name]
            outwards = bool(in_front[f"{name}/outwards"][frame])
            order = limb.drawing_order(outwards)
            for half, chosen in (("first", ~limb.distal), ("second", limb.distal)):
                part = order[chosen[order]]
                (front if in_front[f"{name}/{half}"][frame] else behind).append(
                    (name, part, half == "second", outwards)
                )
        for group in (behind, front):
            # Of one limb, the half nearer to the camera is drawn last.
            merged: dict[str, list[NDArray[np.int64]]] = {}
            for name, part, second, outwards in group:
                merged.setdefault(name, []).insert(len(merged.get(name, [])) if second == outwards else 0, part)
            legs = [n for n in merged if n in LEGS]
            arms = [n for n in merged if n in ARMS]
            for name in (*arms, *legs) if group is behind else (*legs, *arms):
                yield name, np.concatenate(merged[name])
            if group is behind:
                yield TORSO_LAYER, np.arange(len(self._meshes[TORSO_LAYER].triangles))

    def background(self, view: View = IDENTITY_VIEW) -> FloatArray:
        """The picture without the person in a view, float32 [H, W, 3], extended where the view exceeds the picture."""
        if self._given_background is not None:
            return self._given_background.astype(np.float32)
        if self._background is None:
            self._background = remove_person(self._rgb, self._alpha, self._seed)
        return show_view(self._background, view).astype(np.float32)


def show_view(picture: Frame, view: View) -> Frame:
    """A view of a picture uint8 [H, W, 3] at its size, extended where the view exceeds it."""
    if view == IDENTITY_VIEW:
        return picture
    zoom, origin = view
    height, width = picture.shape[:2]
    inner = (max(1, round(width * zoom)), max(1, round(height * zoom)))
    small = cv2.resize(picture, inner, interpolation=cv2.INTER_AREA)
    left, top = round(-origin.real * zoom), round(-origin.imag * zoom)
    right, bottom = max(0, width - left - inner[0]), max(0, height - top - inner[1])
    # Reflection extends walls, floors and skies without a seam; blurred with distance it does not show what it mirrors.
    canvas = cv2.copyMakeBorder(small, top, bottom, left, right, cv2.BORDER_REFLECT_101)[:height, :width]
    y, x = np.arange(height, dtype=np.float32)[:, None], np.arange(width, dtype=np.float32)
    beyond = np.hypot(
        np.maximum(np.maximum(left - x, x - left - inner[0] + 1), 0),
        np.maximum(np.maximum(top - y, y - top - inner[1] + 1), 0),
    )
    blurred = cv2.GaussianBlur(canvas, (0, 0), _EXTENSION_BLUR * height)
    share = np.clip(beyond / (_EXTENSION_FADE * height), 0, 1)[..., None]
    return np.asarray(np.rint(canvas + (blurred.astype(np.float32) - canvas) * share), np.uint8)


def retarget_in_view(dance: Skeleton, body: PhotoBody, size: tuple[int, int]) -> tuple[Placement, View]:
    """A dance retargeted to the person of a picture, and the view that contains it."""
    placement = retarget_to_picture(dance, body, size)
    return placement, fit_view(placement, body, size)


def fit_view(placement: Placement, body: PhotoBody, size: tuple[int, int]) -> View:
    """The view of largest zoom that contains a placed dance; ``IDENTITY_VIEW`` where the picture already does."""
    width, height = size
    margin = 0.14 * body.torso
    head = placement.points[:, :2].min(axis=(0, 1))[1] - 1.1 * body.lengths["head"]
    hands = placement.points.min(axis=(0, 1)) - margin
    left, right = min(0.0, hands[0]), max(float(width), placement.points[..., 0].max() + margin)
    top, bottom = min(0.0, hands[1], head), float(height)
    if body.has("left_ankle") or body.has("right_ankle"):
        bottom = max(bottom, placement.points[..., 1].max() + 0.5 * margin)
    # No room is needed above what the picture itself cuts off.
    photo_top = body.joints[body.visible, 1].min() - 1.1 * body.lengths["head"]
    top = max(top, min(0.0, photo_top) - 0.5 * height)
    zoom = min(1.0, width / (right - left), height / (bottom - top))
    if zoom >= 0.995:
        return IDENTITY_VIEW
    full_length = body.has("left_knee") or body.has("right_knee")
    zoom = max(zoom, _SMALLEST_ZOOM if full_length else _SMALLEST_ZOOM_HALF)
    view_width, view_height = width / zoom, height / zoom
    x = left + (right - left - view_width) * (-left / max(right - left - width, 1e-6) if right - left > width else 0.5)
    x = float(np.clip(x, width - view_width, 0.0))
    y = float(np.clip(bottom - view_height, height - view_height, 0.0))
    return zoom, complex(round(x * zoom) / zoom, round(y * zoom) / zoom)


def _depth_order(placement: Placement, body: PhotoBody) -> dict[str, BoolArray]:
    """Depth order of the limbs in each frame, bool [T] by key.

    ``<limb>/first`` and ``<limb>/second``: whether that half is in front of the torso; ``<limb>/outwards``: whether the
    limb's distal end is nearer to the camera than its proximal one. Hysteresis avoids flicker at equal depths.
    """
    depth = {name: placement.depth[:, k] for k, name in enumerate(OPENPOSE_18_FEET.joints)}
    length = body.torso
    torso = (depth["neck"] + depth["left_hip"] + depth["right_hip"]) / 3
    in_front = {}
    for side in SIDES:
        elbow, wrist = depth[f"{side}_elbow"], depth[f"{side}_wrist"]
        shoulder = depth[f"{side}_shoulder"]
        in_front[f"{side}_arm/first"] = _hysteresis((shoulder + elbow) / 2 - torso, -0.30 * length, -0.14 * length)
        in_front[f"{side}_arm/second"] = _hysteresis((elbow + wrist) / 2 - torso, -0.30 * length, -0.14 * length)
        in_front[f"{side}_arm/outwards"] = _hysteresis(wrist - shoulder, -0.15 * length, 0.05 * length)
        hip, knee, ankle = depth[f"{side}_hip"], depth[f"{side}_knee"], depth[f"{side}_ankle"]
        raised = _hysteresis(knee - hip, 0.45 * length, 0.55 * length, start=False)
        in_front[f"{side}_leg/first"] = raised
        in_front[f"{side}_leg/second"] = raised
        in_front[f"{side}_leg/outwards"] = _hysteresis(ankle - knee, -0.3 * length, -0.1 * length)
    return in_front


def _hysteresis(value: DoubleArray, low: float, high: float, start: bool = True) -> BoolArray:
    """Schmitt trigger, bool [T]: True once a value exceeds ``high``, False once it is below ``low``, else unchanged."""
    result = np.empty(len(value), bool)
    state = start
    for n, v in enumerate(value):
        state = bool(v > high) if (v > high or v < low) else state
        result[n] = state
    return result
