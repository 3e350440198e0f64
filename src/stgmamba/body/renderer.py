"""A picture's person as a 3-D body that dances in the picture.

The picture gives the scale, the place on the floor and the background; the camera's distance and height are assumed.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter1d

from stgmamba.arrays import DoubleArray, FloatArray, Frame
from stgmamba.body.avatar import Avatar
from stgmamba.body.drawing import AvatarPainter, View
from stgmamba.body.placement import pose_placement
from stgmamba.body.posing import BodyMotion, pose_body
from stgmamba.body.template import KEYPOINTS, SIDES
from stgmamba.limb_warp.backdrop import VideoBackdrop
from stgmamba.limb_warp.inpainting import remove_person
from stgmamba.limb_warp.letterbox import scaled_size
from stgmamba.limb_warp.renderer import IDENTITY_VIEW, show_view
from stgmamba.limb_warp.renderer import View as PictureView
from stgmamba.limb_warp.retargeting import Placement
from stgmamba.options import SEED
from stgmamba.parallel import ordered_map
from stgmamba.person.picture import Picture
from stgmamba.person.pose import DetectedPerson
from stgmamba.skeleton.sequence import Skeleton

_DISTANCE, _HEIGHT = 5.0, 1.2  # metres of the camera from the person and above the floor, as people are photographed
_HEAD_ROOM, _HAND, _SIDE_ROOM = 0.22, 0.12, 0.06  # metres from eyes to hair, from knuckles to finger tips, and beside
_FAR = 1000.0  # metres of a camera whose view is nearly orthographic
_SMALLEST_ZOOM = 0.8
_LEAST_TRAVEL = 0.15  # of the dance's
_MAX_DEPTH = 0.6  # metres of travel towards the camera and away from it
_RARE = 2.0  # per cent of frames whose outermost points may leave the view

_FOOT_SHADOW, _BODY_SHADOW = (0.16, 0.5), (0.34, 0.3)  # radius in metres, and darkness 0..1
_SHADOW_FADE = 0.12  # metres above the floor at which a foot's shadow has faded to 1 / e
_SHADOW_FLATTENING = 0.28  # height to width of a disc on the floor as the camera sees it
_SHADOW_STEP = 4  # pixels


class BodyRenderer:
    """Draws the person of one picture as a 3-D body.

    Args:
        picture: the picture.
        person: pose and mask of the person in it.
        avatar: made from them.
        size: height of the frames in pixels; the width keeps the picture's aspect ratio, both are even.
        background: uint8 [H, W, 3] at the size of the frames, instead of the picture's own; [H, W, 4] of alpha 0 for
            transparent frames with alpha (not premultiplied), which have no shadow; or a video.

    Attributes:
        size: (width, height) of the frames.
    """

    def __init__(
        self,
        picture: Picture,
        person: DetectedPerson,
        avatar: Avatar,
        size: int = 512,
        background: Frame | VideoBackdrop | None = None,
    ) -> None:
        self.size = scaled_size(picture.size, size)
        scale = self.size[1] / picture.size[1]
        shrink = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        rgb = np.ascontiguousarray(cv2.resize(picture.rgb, self.size, interpolation=shrink))
        mask = cv2.resize(person.mask, self.size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        self._given = background is not None
        if background is None:
            background = remove_person(rgb, np.asarray(mask, np.float32), SEED)
        self._background = background
        self._avatar = avatar
        self._painter = AvatarPainter(avatar)
        pixels = avatar.pixels_per_metre * scale
        origin = (avatar.origin + 0.5) * scale - 0.5
        floor = origin[1] - avatar.floor * pixels
        hips = origin[0] + float(_mid_hips(avatar.keypoints)[0]) * pixels
        self._full_length = floor < self.size[1] * 1.02
        self._view = View(
            self.size, (0.0, _HEIGHT, _DISTANCE), pixels * _DISTANCE, (float(hips), float(floor - _HEIGHT * pixels))
        )

    def frames(self, dance: Skeleton) -> Iterator[Frame]:
        """One frame uint8 [H, W, 3], or [H, W, 4] with alpha, per frame of the dance, lazily.

        Args:
            dance: 3-D OPENPOSE_18_FEET, metres; it may face any way.
        """
        motion = self._placed(pose_body(dance, self._avatar.rest))
        zoom, corner = picture_view = self._fit(motion)
        centre = complex(*self._view.centre)
        centre = (centre + 0.5 + 0.5j - corner) * zoom - 0.5 - 0.5j
        view = View(self.size, self._view.position, self._view.focal * zoom, (centre.real, centre.imag))
        translations = motion.translations(self._avatar.rest)
        keypoints = motion.keypoints(self._avatar.rest)

        def draw(item: tuple[int, Frame]) -> Frame:
            frame, background = item
            canvas = self._with_shadow(background, keypoints[frame], view)
            self._painter.draw(canvas, self._painter.pose(motion.rotations[frame], translations[frame]), view)
            return canvas

        backgrounds = self._backgrounds(picture_view, motion.fps)
        return ordered_map(draw, zip(range(len(motion)), backgrounds, strict=False))

    def render_placement(self, placement: Placement, view: PictureView = IDENTITY_VIEW) -> Iterator[Frame]:
        """One frame uint8 [H, W, 3] per frame of a placement, lazily, without a shadow.

        Args:
            placement: joints, left and right the person's own, in the picture's pixels at ``size``.
            view: of the picture; the whole picture when not given.
        """
        zoom, corner = view
        rest = self._avatar.rest
        motion, scale = pose_placement(placement, rest, self._view.focal / _DISTANCE)
        translations = motion.translations(rest)
        centre = (-corner.real * zoom, -corner.imag * zoom)

        def draw(item: tuple[int, Frame]) -> Frame:
            frame, background = item
            canvas = background.copy()
            camera = View(self.size, (0.0, 0.0, _FAR), float(scale[frame]) * zoom * _FAR, centre)
            self._painter.draw(canvas, self._painter.pose(motion.rotations[frame], translations[frame]), camera)
            return canvas

        return ordered_map(draw, zip(range(len(motion)), self._backgrounds(view, motion.fps), strict=False))

    def _backgrounds(self, view: PictureView, fps: float) -> Iterator[Frame]:
        """Backgrounds without end, in a view of the picture; a given one stays as it is."""
        if isinstance(self._background, VideoBackdrop):
            return self._background.frames(fps)
        return repeat(self._background if self._given else show_view(self._background, view))

    def _placed(self, motion: BodyMotion) -> BodyMotion:
        """The movement about the place where the person stands, with travel small enough for the picture."""
        hips = _mid_hips(motion.keypoints(self._avatar.rest))
        slow = _smoothed(hips, motion.fps)
        slow[:, 1] = 0
        start = np.median(slow, axis=0)
        travel = slow - start
        inside = motion.moved(-slow)
        pixels, _ = self._view.project(inside.keypoints(self._avatar.rest))
        scale = self._view.focal / _DISTANCE
        room = _SIDE_ROOM * scale
        left = np.maximum(pixels[..., 0].min(axis=1) - room, 0) / scale
        right = np.maximum(self.size[0] - pixels[..., 0].max(axis=1) - room, 0) / scale
        allowed = np.where(travel[:, 0] > 0, right, left)
        moving = np.abs(travel[:, 0]) > 1e-6
        share = 1.0
        if moving.any():
            share = float(np.clip((allowed[moving] / np.abs(travel[moving, 0])).min(), _LEAST_TRAVEL, 1.0))
        depth = min(share, _MAX_DEPTH / max(float(np.abs(travel[:, 2]).max()), 1e-6))
        return inside.moved(travel * (share, 0, depth))

    def _fit(self, motion: BodyMotion) -> PictureView:
        """The view of the picture of largest zoom, at most 1, that holds the movement."""
        width, height = self.size
        keypoints = motion.keypoints(self._avatar.rest)
        pixels, _ = self._view.project(keypoints)
        scale = self._view.focal / _DISTANCE
        eyes = [KEYPOINTS.index(f"{side}_eye") for side in SIDES]
        hands = [KEYPOINTS.index(f"{side}_hand") for side in SIDES]
        top_of_head = pixels[:, eyes, 1].min(axis=1) - _HEAD_ROOM * scale
        tops = np.minimum(top_of_head, pixels[:, hands, 1].min(axis=1) - _HAND * scale)
        left = min(0.0, float(np.percentile(pixels[..., 0].min(axis=1), _RARE)) - _SIDE_ROOM * scale)
        right = max(float(width), float(np.percentile(pixels[..., 0].max(axis=1), 100 - _RARE)) + _SIDE_ROOM * scale)
        top = min(0.0, float(np.percentile(tops, _RARE)))
        # What the picture cuts off below stays cut off.
        lowest = float(np.percentile(pixels[..., 1].max(axis=1), 100 - _RARE)) + 0.5 * _SIDE_ROOM * scale
        bottom = max(float(height), lowest) if self._full_length else float(height)
        zoom = min(1.0, width / (right - left), height / (bottom - top))
        if zoom >= 0.995:
            return IDENTITY_VIEW
        zoom = max(zoom, _SMALLEST_ZOOM)
        shown_width, shown_height = width / zoom, height / zoom
        spare = right - left - width
        x = left + (right - left - shown_width) * (-left / spare if spare > 0 else 0.5)
        x = float(np.clip(x, width - shown_width, 0.0))
        y = float(np.clip(bottom - shown_height, height - shown_height, 0.0))
        return zoom, complex(round(x * zoom) / zoom, round(y * zoom) / zoom)

    def _with_shadow(self, background: Frame, keypoints: DoubleArray, view: View) -> Frame:
        """A copy of the background darkened where feet and body keep the light from the floor."""
        # A body drawn on a canvas with alpha replaces what is under its rim: a shadow would be cut there.
        if not self._full_length or background.shape[2] == 4:
            return background.copy()
        height, width = background.shape[:2]
        shadow = np.zeros((-(-height // _SHADOW_STEP), -(-width // _SHADOW_STEP)), np.float32)
        discs = [(_mid_hips(keypoints), *_BODY_SHADOW, 1.0)]
        for side in SIDES:
            heel, toe = (keypoints[KEYPOINTS.index(f"{side}_{part}")] for part in ("heel", "toe"))
            lift = max(0.0, float(min(heel[1], toe[1])))
            discs.append(((heel + toe) / 2, *_FOOT_SHADOW, float(np.exp(-lift / _SHADOW_FADE))))
        for point, radius, darkness, share in discs:
            centre, depth = view.project(np.asarray([point[0], 0.0, point[2]]))
            across = view.focal * radius / max(float(depth), 0.5) / _SHADOW_STEP
            axes = (max(1, round(across)), max(1, round(across * _SHADOW_FLATTENING)))
            middle = (round(float(centre[0]) / _SHADOW_STEP), round(float(centre[1]) / _SHADOW_STEP))
            layer = np.zeros_like(shadow)
            cv2.ellipse(layer, middle, axes, 0, 0, 360, darkness * share, -1)
            shadow = np.maximum(shadow, layer)
        shadow = cv2.GaussianBlur(shadow, (0, 0), max(1.0, 0.025 * view.focal / _DISTANCE / _SHADOW_STEP))
        light = 1 - cv2.resize(shadow, (width, height), interpolation=cv2.INTER_LINEAR)
        rows = np.nonzero(light.min(axis=1) < 0.999)[0]
        result = background.copy()
        if len(rows):
            part = slice(rows[0], rows[-1] + 1)
            result[part] = np.rint(background[part] * light[part, :, None]).astype(np.uint8)
        return result


def _smoothed(path: DoubleArray, fps: float) -> DoubleArray:
    """A path [T, 3] without what happens within a second; it goes on straight where it begins and ends."""
    reach = min(round(3 * fps), len(path) - 1)
    padded = np.pad(path, ((reach, reach), (0, 0)), mode="reflect", reflect_type="odd") if reach else path
    return np.asarray(gaussian_filter1d(padded, fps, axis=0, mode="nearest")[reach : reach + len(path)])


def _mid_hips(keypoints: DoubleArray | FloatArray) -> DoubleArray:
    """Middle of the hips [..., 3] of keypoints [..., P, 3]."""
    hips = [KEYPOINTS.index(f"{side}_hip") for side in SIDES]
    return np.asarray(keypoints[..., hips, :].mean(axis=-2), np.float64)
