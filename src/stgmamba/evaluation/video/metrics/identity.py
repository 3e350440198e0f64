"""Identity: distance of face and clothes in the frames to those in the condition, independent of the pose.

The features are ours and need no trained network. Face and trunk are cropped by the joints detected in a frame and
warped to a square of fixed size, which normalises position, size and rotation; the trunk is rectified between shoulders
and hips. Of a square two histograms are computed per cell of a grid: of colours in CIELAB (skin, hair, cloth) and of
the orientations of brightness gradients (eyes, mouth, collar, prints; as in Dalal, Triggs, CVPR 2005). Grid and soft
bins tolerate small displacements. Squares are compared by histogram intersection. ``docs/evaluation_video.md`` states
how well the distance separates persons of real clips.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from stgmamba.arrays import FloatArray
from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton

_SIDE = 64  # of a square, pixels
_CELLS = {"face": 4, "clothes": 2}  # cells per side of the grid
_ORIENTATIONS = 8
_LIGHT, _COLOUR = 6, 6  # bins of lightness and of each colour axis
_COLOUR_RANGE = 60.0  # range of a* and b* of CIELAB in photographs of people
_VISIBLE = 0.5  # confidence
_MIN_ASPECT = 0.25  # width by height of a trunk; narrower ones are seen from the side
_FACE = [OPENPOSE_18_FEET.index(name) for name in ("nose", "left_eye", "right_eye", "left_ear", "right_ear")]
_TRUNK = [OPENPOSE_18_FEET.index(name) for name in ("right_shoulder", "left_shoulder", "left_hip", "right_hip")]


def identity_distance(
    frames: NDArray[np.uint8], detected: Skeleton, condition: NDArray[np.uint8], person: Skeleton
) -> float:
    """Distance of face and clothes in the frames to those in the condition, 0 (equal) to 1; lower is better.

    Mean over the two crops of their means over the frames in which the crop's joints are visible; the distance is 1 in
    frames in which no person is detected.

    Args:
        frames: uint8 [T, H, W, 3].
        detected: 2-D OPENPOSE_18_FEET, pixels: poses detected in the frames.
        condition: uint8 [h, w, 3].
        person: the pose in the condition, one frame.

    Returns:
        NaN where neither crop is visible in the condition, or a visible one in none of the frames.
    """
    distances = []
    for part, crop in (("face", _crop_face), ("clothes", _crop_clothes)):
        square = crop(condition, person, 0)
        if square is None:
            continue
        reference = _features(square, _CELLS[part])
        values = []
        for i, frame in enumerate(frames):
            if not detected.confidence[i].any():
                values.append(1.0)
            elif (square := crop(frame, detected, i)) is not None:
                values.append(1.0 - _similarity(_features(square, _CELLS[part]), reference))
        if values:
            distances.append(float(np.mean(values)))
    return float(np.mean(distances)) if distances else float("nan")


def _crop_face(rgb: NDArray[np.uint8], skeleton: Skeleton, frame: int) -> NDArray[np.uint8] | None:
    """The upright face in a square; None where nose or eyes are not visible."""
    if skeleton.confidence[frame, _FACE[:3]].min() < _VISIBLE:
        return None
    nose, left, right, left_ear, right_ear = skeleton.positions[frame, _FACE].astype(np.float64)
    # The larger of two sizes: the distance of the ears is small in profile, that of eyes and neck for a lowered head.
    neck = skeleton.positions[frame, OPENPOSE_18_FEET.index("neck")].astype(np.float64)
    eyes = (left + right) / 2
    size = max(float(np.linalg.norm(left_ear - right_ear)), 0.6 * float(np.linalg.norm(neck - eyes)), 1.0)
    up = eyes - neck
    eye_line = left - right
    roll = np.arctan2(eye_line[1], eye_line[0]) if eye_line[0] > 0.2 * size else np.arctan2(up[0], -up[1])
    scale = _SIDE / (1.7 * size)
    cos, sin = scale * np.cos(roll), scale * np.sin(roll)
    centre = 0.5 * (nose + eyes)
    matrix = np.asarray([[cos, sin, 0], [-sin, cos, 0]])
    matrix[:, 2] = _SIDE / 2 - matrix[:, :2] @ centre
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.warpAffine(rgb, matrix, (_SIDE, _SIDE), flags=method, borderMode=cv2.BORDER_REPLICATE))


def _crop_clothes(rgb: NDArray[np.uint8], skeleton: Skeleton, frame: int) -> NDArray[np.uint8] | None:
    """The trunk between shoulders and hips in a square; None where these are not visible, or seen from the side."""
    if skeleton.confidence[frame, _TRUNK].min() < _VISIBLE:
        return None
    corners = skeleton.positions[frame, _TRUNK].astype(np.float32)
    width = float(np.linalg.norm(corners[1] - corners[0]))
    height = float(np.linalg.norm((corners[0] + corners[1] - corners[2] - corners[3]) / 2))
    if width < _MIN_ASPECT * height or height < _MIN_ASPECT * width:
        return None
    square = np.asarray([[0, 0], [_SIDE, 0], [_SIDE, _SIDE], [0, _SIDE]], np.float32)
    matrix = cv2.getPerspectiveTransform(corners, square)
    return np.asarray(cv2.warpPerspective(rgb, matrix, (_SIDE, _SIDE), borderMode=cv2.BORDER_REPLICATE))


def _features(square: NDArray[np.uint8], cells: int) -> FloatArray:
    """Histograms of colours and of gradients per cell, [cells^2 (colour bins + orientations)]; each kind sums to 1."""
    lab = cv2.cvtColor(square.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    light = _soft_bins(lab[..., 0], 0, 100, _LIGHT)
    a, b = (_soft_bins(lab[..., k], -_COLOUR_RANGE, _COLOUR_RANGE, _COLOUR) for k in (1, 2))
    colours = np.concatenate([light, a, b], axis=-1)
    blurred = cv2.GaussianBlur(lab[..., 0], (0, 0), 1.0)
    dx, dy = cv2.Sobel(blurred, cv2.CV_32F, 1, 0), cv2.Sobel(blurred, cv2.CV_32F, 0, 1)
    orientation = (np.arctan2(dy, dx) % np.pi) / np.pi
    gradients = _soft_bins(orientation, 0, 1, _ORIENTATIONS, cyclic=True) * np.sqrt(np.hypot(dx, dy))[..., None]
    histograms = []
    for values in (colours, gradients):
        side = _SIDE // cells
        sums = values.reshape(cells, side, cells, side, -1).sum(axis=(1, 3))
        histograms.append((sums / max(float(sums.sum()), 1e-6)).ravel())
    return np.asarray(np.concatenate(histograms), np.float32)


def _soft_bins(values: FloatArray, low: float, high: float, bins: int, cyclic: bool = False) -> FloatArray:
    """Soft assignment of each value to its two nearest bins, linear in the distance, [..., bins]."""
    position = (np.clip(values, low, high) - low) / (high - low) * bins - 0.5
    distance = np.abs(position[..., None] - np.arange(bins))
    if cyclic:
        distance = np.minimum(distance, bins - distance)
    weight = np.maximum(1 - distance, 0)
    return np.asarray(weight / weight.sum(axis=-1, keepdims=True), np.float32)


def _similarity(a: FloatArray, b: FloatArray) -> float:
    """Histogram intersection, mean of colours and gradients, 0..1."""
    return float(np.minimum(a, b).sum() / 2)
