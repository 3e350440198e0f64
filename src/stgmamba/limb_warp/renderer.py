"""The limb warp: a picture's person animated by a 3-D dance, without a network.

The person is segmented into layers (segmentation.py) that follow the retargeted dance (retargeting.py) as deforming
meshes (skinning.py), drawn back to front over the inpainted background (inpainting.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from stgmamba.arrays import FloatArray, Frame
from stgmamba.limb_warp.inpainting import remove_person
from stgmamba.limb_warp.kernels import draw_triangles
from stgmamba.limb_warp.letterbox import frame_size
from stgmamba.limb_warp.retargeting import SIDES, PhotoBody, Placement, measure_body, retarget_to_picture
from stgmamba.limb_warp.segmentation import ARMS, LEGS, TORSO_LAYER, segment_person
from stgmamba.limb_warp.skinning import LimbDeformer, TorsoDeformer, grid_mesh, track_limb
from stgmamba.person.picture import Picture
from stgmamba.person.pose import DetectedPerson
from stgmamba.skeleton.layouts import OPENPOSE_18_FEET
from stgmamba.skeleton.sequence import Skeleton

View = tuple[float, complex]
"""Zoom (at most 1), and the pixel of the picture at the upper left corner of the frame (x + iy)."""

IDENTITY_VIEW: View = (1.0, 0j)
"""The frame shows the whole picture."""

_SMALLEST_ZOOM = 0.6
_SMALLEST_ZOOM_HALF = 0.75  # of a person without legs: an arm may leave the frame, the person stays large


class LimbWarpRenderer:
    """Animates the person of one picture.

    Args:
        picture: the picture.
        person: pose and mask found in it.
        size: height of the frames in pixels; the width keeps the picture's aspect, both even.
        seed: of the background's random search.

    Raises:
        InputError: the picture shows no shoulder.
    """

    def __init__(self, picture: Picture, person: DetectedPerson, size: int = 512, seed: int = 0) -> None:
        height, width = picture.rgb.shape[:2]
        self.size = frame_size((width, height), size)
        high = self.size[1]
        scale = high / height
        shrink = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        self._rgb = np.ascontiguousarray(cv2.resize(picture.rgb, self.size, interpolation=shrink))
        mask = cv2.resize(person.mask, self.size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        # The faint outer rim of a soft mask holds background; carried along it would glow.
        self._alpha = np.clip((mask.astype(np.float32) - 0.4) / 0.5, 0, 1)
        self.body = measure_body(person.skeleton).scaled(scale)
        self._seed = seed
        self._background: Frame | None = None
        # Legs that leave the picture go on below it, so that no cut edge shows when the body rises.
        below = round(0.3 * high)
        rgb = cv2.copyMakeBorder(self._rgb, 0, below, 0, 0, cv2.BORDER_REFLECT_101)
        alpha = cv2.copyMakeBorder(self._alpha, 0, below, 0, 0, cv2.BORDER_REFLECT_101)
        if self.body.has("left_ankle") or self.body.has("right_ankle"):
            alpha[high:] = 0
        layers = segment_person(rgb, alpha, self.body, rim=1 if scale < 1.5 else 2)
        self._textures = layers.textures
        step = max(4, round(high / 85))
        self._meshes = {name: grid_mesh(texture, step) for name, texture in layers.textures.items() if texture.any()}
        self._core = TorsoDeformer(self._meshes[TORSO_LAYER].vertices, self.body, layers)
        self._limbs = {
            name: LimbDeformer(name, self._meshes[name], layers.axes[name], self.body)
            for name in (*ARMS, *LEGS)
            if name in self._meshes
        }
        self._hip_attached = {
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
            placement: where the joints go, in the picture's pixels at ``size``.
            view: of the picture; as it was taken when not given.

        Yields:
            uint8 [H, W, 3].
        """
        background = self.background(view)
        for draw in self._draw_functions(placement, view):
            canvas = background.copy()
            draw(canvas)
            yield np.clip(canvas + 0.5, 0, 255).astype(np.uint8)

    def foreground(self, placement: Placement, view: View = IDENTITY_VIEW) -> Iterator[FloatArray]:
        """The person alone, one picture per frame of a placement, lazily.

        Yields:
            float32 [H, W, 4]: colours 0..255 times coverage, and coverage 0..1. Laid over ``background(view)`` they
            give what ``frames`` gives.
        """
        for draw in self._draw_functions(placement, view):
            canvas = np.zeros((self.size[1], self.size[0], 4), np.float32)
            draw(canvas)
            yield canvas

    def _draw_functions(self, placement: Placement, view: View) -> Iterator[Callable[[FloatArray], None]]:
        """Per frame a function that draws the person over a canvas."""
        tracks = {name: track_limb(name, placement, self.body) for name in self._limbs}
        in_front = _depth_order(placement, self.body)
        zoom, origin = view
        for frame in range(len(placement.points)):
            points = {TORSO_LAYER: self._core.pose(placement, frame)}
            for name, limb in self._limbs.items():
                hip_attached = (
                    self._hip_attached[name].pose(placement, frame)
                    if name in self._hip_attached
                    else points[TORSO_LAYER][:0]
                )
                points[name] = limb.pose(tracks[name], frame, hip_attached)
            order = list(self._drawing_order(in_front, placement, frame))
            moved = {name: (at - origin) * zoom for name, at in points.items()}
            yield partial(self._draw, moved, order)

    def _draw(
        self, points: dict[str, NDArray[np.complex128]], order: list[tuple[str, NDArray[np.int64]]], canvas: FloatArray
    ) -> None:
        for name, triangles in order:
            mesh = self._meshes[name]
            corners = np.stack([points[name].real, points[name].imag], -1)[mesh.triangles]
            draw_triangles(canvas, self._textures[name], corners, mesh.source, triangles)

    def _drawing_order(
        self, in_front: dict[str, NDArray[np.bool_]], placement: Placement, frame: int
    ) -> Iterator[tuple[str, NDArray[np.int64]]]:
        """Sheets (or the outer or inner half of a limb) and their triangles, far to near."""
        depth = placement.depth[frame]

        def far_first(names: tuple[str, ...], end: str) -> list[str]:
            return sorted(names, key=lambda n: float(depth[OPENPOSE_18_FEET.index(f"{n.split('_')[0]}_{end}")]))

        before: list[tuple[str, NDArray[np.int64], bool, bool]] = []
        after: list[tuple[str, NDArray[np.int64], bool, bool]] = []
        for name in [*far_first(ARMS, "wrist"), *far_first(LEGS, "knee")]:
            if name not in self._limbs:
                continue
            limb = self._limbs[name]
            outwards = bool(in_front[f"{name}/outwards"][frame])
            order = limb.order(outwards)
            for half, chosen in (("first", ~limb.second), ("second", limb.second)):
                part = order[chosen[order]]
                (after if in_front[f"{name}/{half}"][frame] else before).append(
                    (name, part, half == "second", outwards)
                )
        for group in (before, after):
            # Within one limb the half that is nearer comes last.
            merged: dict[str, list[NDArray[np.int64]]] = {}
            for name, part, second, outwards in group:
                merged.setdefault(name, []).insert(len(merged.get(name, [])) if second == outwards else 0, part)
            legs = [n for n in merged if n in LEGS]
            arms = [n for n in merged if n in ARMS]
            for name in (*arms, *legs) if group is before else (*legs, *arms):
                yield name, np.concatenate(merged[name])
            if group is before:
                yield TORSO_LAYER, np.arange(len(self._meshes[TORSO_LAYER].triangles))

    def background(self, view: View = IDENTITY_VIEW) -> FloatArray:
        """The empty scene in the frame's size, float32 [H, W, 3], extended where the view is wider than the picture."""
        if self._background is None:
            self._background = remove_person(self._rgb, self._alpha, self._seed)
        zoom, origin = view
        wide, high = self.size
        if view == IDENTITY_VIEW:
            return self._background.astype(np.float32)
        inner = (max(1, round(wide * zoom)), max(1, round(high * zoom)))
        small = cv2.resize(self._background, inner, interpolation=cv2.INTER_AREA)
        left, top = round(-origin.real * zoom), round(-origin.imag * zoom)
        right, bottom = max(0, wide - left - inner[0]), max(0, high - top - inner[1])
        # A mirror continues walls, floors and skies without a seam.
        canvas = cv2.copyMakeBorder(small, top, bottom, left, right, cv2.BORDER_REFLECT_101)
        return np.asarray(canvas[:high, :wide], np.float32)


def retarget_in_view(dance: Skeleton, body: PhotoBody, size: tuple[int, int]) -> tuple[Placement, View]:
    """A dance as it stands in the picture, and the part of the picture that holds it."""
    placement = retarget_to_picture(dance, body, size)
    return placement, fit_view(placement, body, size)


def fit_view(placement: Placement, body: PhotoBody, size: tuple[int, int]) -> View:
    """Zoom (at most 1) and the pixel at the frame's corner, so that the dance fits; (1, 0) when it does already."""
    wide, high = size
    margin = 0.14 * body.torso
    head = placement.points[:, :2].min(axis=(0, 1))[1] - 1.1 * body.lengths["head"]
    hands = placement.points.min(axis=(0, 1)) - margin
    left, right = min(0.0, hands[0]), max(float(wide), placement.points[..., 0].max() + margin)
    top, bottom = min(0.0, hands[1], head), float(high)
    if body.has("left_ankle") or body.has("right_ankle"):
        bottom = max(bottom, placement.points[..., 1].max() + 0.5 * margin)
    # Where the photo itself cuts the body off, the picture need not grow to hold it.
    photo_top = body.joints[body.seen, 1].min() - 1.1 * body.lengths["head"]
    top = max(top, min(0.0, photo_top) - 0.5 * high)
    zoom = min(1.0, wide / (right - left), high / (bottom - top))
    if zoom >= 0.995:
        return IDENTITY_VIEW
    whole = body.has("left_knee") or body.has("right_knee")
    zoom = max(zoom, _SMALLEST_ZOOM if whole else _SMALLEST_ZOOM_HALF)
    room_x, room_y = wide / zoom, high / zoom
    x = left + (right - left - room_x) * (-left / max(right - left - wide, 1e-6) if right - left > wide else 0.5)
    x = float(np.clip(x, wide - room_x, 0.0))
    y = float(np.clip(bottom - room_y, high - room_y, 0.0))
    return zoom, complex(round(x * zoom) / zoom, round(y * zoom) / zoom)


def _depth_order(placement: Placement, body: PhotoBody) -> dict[str, NDArray[np.bool_]]:
    """Per half limb and frame: is it drawn in front of the torso? And is the limb's far end the nearer one?

    With hysteresis, so that a limb at the torso's own depth does not flicker.
    """
    depth = {name: placement.depth[:, k] for k, name in enumerate(OPENPOSE_18_FEET.joints)}
    unit = body.torso
    torso = (depth["neck"] + depth["left_hip"] + depth["right_hip"]) / 3
    in_front = {}
    for side in SIDES:
        elbow, wrist = depth[f"{side}_elbow"], depth[f"{side}_wrist"]
        shoulder = depth[f"{side}_shoulder"]
        in_front[f"{side}_arm/first"] = _hysteresis((shoulder + elbow) / 2 - torso, -0.30 * unit, -0.14 * unit)
        in_front[f"{side}_arm/second"] = _hysteresis((elbow + wrist) / 2 - torso, -0.30 * unit, -0.14 * unit)
        in_front[f"{side}_arm/outwards"] = _hysteresis(wrist - shoulder, -0.15 * unit, 0.05 * unit)
        hip, knee, ankle = depth[f"{side}_hip"], depth[f"{side}_knee"], depth[f"{side}_ankle"]
        raised = _hysteresis(knee - hip, 0.45 * unit, 0.55 * unit, start=False)
        in_front[f"{side}_leg/first"] = raised
        in_front[f"{side}_leg/second"] = raised
        in_front[f"{side}_leg/outwards"] = _hysteresis(ankle - knee, -0.3 * unit, -0.1 * unit)
    return in_front


def _hysteresis(value: NDArray[np.float64], low: float, high: float, start: bool = True) -> NDArray[np.bool_]:
    """True once above ``high``, False once below ``low``, else as before."""
    result = np.empty(len(value), bool)
    state = start
    for n, v in enumerate(value):
        state = bool(v > high) if (v > high or v < low) else state
        result[n] = state
    return result
