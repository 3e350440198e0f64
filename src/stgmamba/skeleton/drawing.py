"""Drawing skeletons in the colours of OpenPose: what pose-driven image models have learned to read."""

from __future__ import annotations

import colorsys
from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from stgmamba.arrays import FloatArray, Frame
from stgmamba.skeleton.layouts import OPENPOSE_18, Layout
from stgmamba.skeleton.sequence import Skeleton

_STEP = 20  # degrees of hue between neighbours: 18 colours around the circle
_LIMB_ALPHA = 0.6
_SHIFT = 4  # cv2 takes whole numbers of 1/16 pixel

# The limb that ends in a joint has this place on the circle of hues; joints have the place of their index.
_LIMBS = (
    "right_shoulder",
    "left_shoulder",
    "right_elbow",
    "right_wrist",
    "left_elbow",
    "left_wrist",
    "right_hip",
    "right_knee",
    "right_ankle",
    "left_hip",
    "left_knee",
    "left_ankle",
    "nose",
    "right_eye",
    "right_ear",
    "left_eye",
    "left_ear",
)

# Joints beyond OpenPose's 18 are coloured like the one of those that they belong to; the spine, to none, is red.
_BELONGS = {
    "heel": "ankle",
    "toe": "ankle",
    "small_toe": "ankle",
    "forearm": "elbow",
    "hand": "wrist",
    "pinky": "wrist",
    "index": "wrist",
    "thumb": "wrist",
    "eye_inner": "eye",
    "eye_outer": "eye",
    "head": "ear",
    "mouth_left_corner": "nose",
    "mouth_right_corner": "nose",
}


def draw_skeleton(
    frame: Frame, positions: FloatArray, confidence: FloatArray, layout: Layout, thickness: float | None = None
) -> Frame:
    """Draw one skeleton over a frame.

    Args:
        frame: uint8 RGB [H, W, 3]; not changed.
        positions: [J, 2], pixels.
        confidence: [J]; joints of confidence 0, and bones that end in one, are left out.
        layout: names and bones of the joints.
        thickness: width of a limb in pixels; when not given it follows the frame's size (8 pixels at 512).

    Returns:
        A new frame.
    """
    width = thickness if thickness is not None else max(1.5, min(frame.shape[:2]) / 64)
    # What lies far outside cannot be seen, and would overflow cv2's whole numbers.
    reach = 4 * max(frame.shape[:2])
    known = (confidence > 0) & (np.abs(positions) < reach).all(axis=1)
    limbs = frame.copy()
    for a, b in layout.bones:
        if known[a] and known[b]:
            colour = _colour(layout.joints[b], limb=True)
            cv2.fillConvexPoly(limbs, _ellipse(positions[a], positions[b], width), colour, cv2.LINE_AA, _SHIFT)
    drawn = cv2.addWeighted(limbs, _LIMB_ALPHA, frame, 1 - _LIMB_ALPHA, 0.0)
    for j in np.nonzero(known)[0]:
        centre = np.round(positions[j] * 2**_SHIFT).astype(int)
        radius = round(width / 2 * 2**_SHIFT)
        colour = _colour(layout.joints[j], limb=False)
        cv2.circle(drawn, (int(centre[0]), int(centre[1])), radius, colour, -1, cv2.LINE_AA, _SHIFT)
    return np.asarray(drawn, np.uint8)


def draw_sequence(
    skeleton: Skeleton, size: tuple[int, int] | None = None, background: Frame | tuple[int, int, int] = (0, 0, 0)
) -> Iterator[Frame]:
    """Draw a 2-D dance frame by frame.

    Args:
        skeleton: 2-D.
        size: (width, height) of the frames; when not given the skeleton's own. Another shape keeps the proportions
            and leaves rims.
        background: a colour, or a frame of ``size``.

    Raises:
        ValueError: a 3-D skeleton, no size known, or a background of another size.
    """
    if skeleton.dims != 2:
        raise ValueError("only a 2-D skeleton can be drawn: project it first")
    size = size or skeleton.size
    if size is None:
        raise ValueError("the skeleton does not know its picture's size: give one")
    positions = skeleton.positions
    if skeleton.size is not None and skeleton.size != size:
        old, new = np.array(skeleton.size, np.float32), np.array(size, np.float32)
        scale = float((new / old).min())
        positions = (positions + 0.5) * scale + (new - old * scale) / 2 - 0.5
    canvas = np.empty((size[1], size[0], 3), np.uint8)
    if isinstance(background, np.ndarray) and background.shape != canvas.shape:
        raise ValueError(f"the background must be {canvas.shape}, got {background.shape}")
    canvas[:] = background
    for points, confidence in zip(positions, skeleton.confidence, strict=True):
        yield draw_skeleton(canvas, points, confidence, skeleton.layout)


def _ellipse(a: FloatArray, b: FloatArray, width: float) -> NDArray[np.int32]:
    """Outline of the ellipse from a to b, in cv2's fixed-point numbers, [N, 2]."""
    along = (b - a) / 2
    length = float(np.linalg.norm(along))
    unit = along / length if length > 1e-6 else np.array([1.0, 0.0], np.float32)
    across = np.array([-unit[1], unit[0]]) * width / 2
    turn = np.linspace(0, 2 * np.pi, 48, endpoint=False)[:, None]
    outline = (a + b) / 2 + np.cos(turn) * along + np.sin(turn) * across
    return np.asarray(np.round(outline * 2**_SHIFT), np.int32)


def _colour(joint: str, limb: bool) -> tuple[int, int, int]:
    """RGB of a joint, or of the limb that ends in it."""
    part = joint.removeprefix("left_").removeprefix("right_")
    name = joint if joint in OPENPOSE_18.joints else joint.replace(part, _BELONGS.get(part, part))
    order: tuple[str, ...] = _LIMBS if limb else OPENPOSE_18.joints
    place = order.index(name) if name in order else 0
    red, green, blue = colorsys.hsv_to_rgb(place * _STEP / 360, 1.0, 1.0)
    return round(red * 255), round(green * 255), round(blue * 255)
