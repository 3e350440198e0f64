"""Identity: whether face and clothes stay those of the picture, whatever the pose.

The features are ours and need no trained network. Face and trunk are cut out by the joints found in the frame and laid
into a standard square, which takes position, size and tilt out; the trunk is laid flat between shoulders and hips. Of a
square two histograms are taken in each cell of a grid: of colours in CIELAB, which say what skin, hair and cloth look
like, and of the directions of brightness gradients (as in Dalal, Triggs, CVPR 2005), which say where eyes, mouth,
collar and prints are. Grid and soft bins forgive small movements. Two squares are compared by histogram intersection.
What justifies them is that they tell people apart: see ``docs/evaluation.md`` for how well they do on real clips.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from stgmamba.arrays import FloatArray
from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton

_SIDE = 64
_CELLS = {"face": 4, "clothes": 2}  # squares of the grid to a side
_ORIENTATIONS = 8
_LIGHT, _COLOUR = 6, 6  # bins of lightness and of each colour axis
_COLOUR_RANGE = 60.0  # a* and b* of CIELAB reach about this far in photographs of people
_SEEN = 0.5
_SLIM = 0.25  # of its height: narrower trunks are seen from the side and show no front
_FACE = [OPENPOSE_18_FEET.index(name) for name in ("nose", "left_eye", "right_eye", "left_ear", "right_ear")]
_TRUNK = [OPENPOSE_18_FEET.index(name) for name in ("right_shoulder", "left_shoulder", "left_hip", "right_hip")]


def identity_distance(frames: NDArray[np.uint8], found: Skeleton, photo: NDArray[np.uint8], person: Skeleton) -> float:
    """Distance of face and clothes in the frames to those in the photo, 0 (the same) to 1; lower is better.

    Mean of the two crops, each averaged over the frames in which the joints it is cut by are found; a frame in which
    nobody is found counts 1.

    Args:
        frames: uint8 [T, H, W, 3].
        found: 2-D OPENPOSE_18_FEET, pixels: the pose in the frames.
        photo: uint8 [h, w, 3].
        person: the pose in the photo, one frame.

    Returns:
        NaN when the photo shows neither, or the frames never show what it shows.
    """
    distances = []
    for part, cut in (("face", _face), ("clothes", _clothes)):
        shown = cut(photo, person, 0)
        if shown is None:
            continue
        wanted = _features(shown, _CELLS[part])
        values = []
        for i, frame in enumerate(frames):
            if not found.confidence[i].any():
                values.append(1.0)
            elif (square := cut(frame, found, i)) is not None:
                values.append(1.0 - _likeness(_features(square, _CELLS[part]), wanted))
        if values:
            distances.append(float(np.mean(values)))
    return float(np.mean(distances)) if distances else float("nan")


def _face(rgb: NDArray[np.uint8], skeleton: Skeleton, frame: int) -> NDArray[np.uint8] | None:
    """The face upright in a square; None where nose and eyes are not seen."""
    if skeleton.confidence[frame, _FACE[:3]].min() < _SEEN:
        return None
    nose, left, right, left_ear, right_ear = skeleton.positions[frame, _FACE].astype(np.float64)
    # The larger of two: across the ears a face in profile has no width, from eyes to neck a nodding one no height.
    neck = skeleton.positions[frame, OPENPOSE_18_FEET.index("neck")].astype(np.float64)
    eyes = (left + right) / 2
    size = max(float(np.linalg.norm(left_ear - right_ear)), 0.6 * float(np.linalg.norm(neck - eyes)), 1.0)
    up = eyes - neck
    across = left - right
    tilt = np.arctan2(across[1], across[0]) if across[0] > 0.2 * size else np.arctan2(up[0], -up[1])
    scale = _SIDE / (1.7 * size)
    cos, sin = scale * np.cos(tilt), scale * np.sin(tilt)
    middle = 0.5 * (nose + eyes)
    turn = np.asarray([[cos, sin, 0], [-sin, cos, 0]])
    turn[:, 2] = _SIDE / 2 - turn[:, :2] @ middle
    return np.asarray(cv2.warpAffine(rgb, turn, (_SIDE, _SIDE), flags=_flag(scale), borderMode=cv2.BORDER_REPLICATE))


def _clothes(rgb: NDArray[np.uint8], skeleton: Skeleton, frame: int) -> NDArray[np.uint8] | None:
    """The trunk between shoulders and hips in a square; None where they are not seen or it is seen from the side."""
    if skeleton.confidence[frame, _TRUNK].min() < _SEEN:
        return None
    corners = skeleton.positions[frame, _TRUNK].astype(np.float32)
    width = float(np.linalg.norm(corners[1] - corners[0]))
    height = float(np.linalg.norm((corners[0] + corners[1] - corners[2] - corners[3]) / 2))
    if width < _SLIM * height or height < _SLIM * width:
        return None
    square = np.asarray([[0, 0], [_SIDE, 0], [_SIDE, _SIDE], [0, _SIDE]], np.float32)
    flat = cv2.getPerspectiveTransform(corners, square)
    return np.asarray(cv2.warpPerspective(rgb, flat, (_SIDE, _SIDE), borderMode=cv2.BORDER_REPLICATE))


def _flag(scale: float) -> int:
    return cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR


def _features(square: NDArray[np.uint8], cells: int) -> FloatArray:
    """Histograms of colours and of gradients per cell, [cells^2 * (colour bins + directions)]; each kind sums to 1."""
    lab = cv2.cvtColor(square.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    light = _soft_bins(lab[..., 0], 0, 100, _LIGHT)
    red, blue = (_soft_bins(lab[..., k], -_COLOUR_RANGE, _COLOUR_RANGE, _COLOUR) for k in (1, 2))
    colours = np.concatenate([light, red, blue], axis=-1)
    soft = cv2.GaussianBlur(lab[..., 0], (0, 0), 1.0)
    dx, dy = cv2.Sobel(soft, cv2.CV_32F, 1, 0), cv2.Sobel(soft, cv2.CV_32F, 0, 1)
    around = (np.arctan2(dy, dx) % np.pi) / np.pi
    directions = _soft_bins(around, 0, 1, _ORIENTATIONS, cyclic=True) * np.sqrt(np.hypot(dx, dy))[..., None]
    parts = []
    for values in (colours, directions):
        side = _SIDE // cells
        sums = values.reshape(cells, side, cells, side, -1).sum(axis=(1, 3))
        parts.append((sums / max(float(sums.sum()), 1e-6)).ravel())
    return np.asarray(np.concatenate(parts), np.float32)


def _soft_bins(values: FloatArray, low: float, high: float, bins: int, cyclic: bool = False) -> FloatArray:
    """Each value shared between the two bins nearest to it, [..., bins]."""
    at = (np.clip(values, low, high) - low) / (high - low) * bins - 0.5
    centres = np.arange(bins)
    away = np.abs(at[..., None] - centres)
    if cyclic:
        away = np.minimum(away, bins - away)
    share = np.maximum(1 - away, 0)
    return np.asarray(share / share.sum(axis=-1, keepdims=True), np.float32)


def _likeness(a: FloatArray, b: FloatArray) -> float:
    """Histogram intersection, mean of colours and gradients, 0..1."""
    return float(np.minimum(a, b).sum() / 2)
