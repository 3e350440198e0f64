"""Pose maps, the pose input of G_r: one soft map per limb, three of the face, and one of depth."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from stgmamba.arrays import FloatArray
from stgmamba.jit import jit
from stgmamba.skeleton.layouts import OPENPOSE_18_FEET

STRIDE = 4
"""Pixels of the frame per pixel of a map."""

_LIMBS: tuple[tuple[tuple[str, str], ...], ...] = (
    (("neck", "nose"), ("left_ear", "right_ear")),
    (
        ("neck", "left_hip"),
        ("neck", "right_hip"),
        ("left_shoulder", "right_shoulder"),
        ("left_hip", "right_hip"),
    ),
    *(
        ((f"{side}_{a}", f"{side}_{b}"),)
        for side in ("right", "left")
        for a, b in (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"), ("heel", "toe"))
    ),
    (("nose", "nose"),),
    (("right_eye", "right_ear"),),
    (("left_eye", "left_ear"),),
)
CHANNELS = len(_LIMBS) + 1
"""Number of maps."""

HEAD, TORSO = 0, 1
UPPER_ARMS, THIGHS = (2, 7), (4, 9)
"""Indices of maps; the first of a pair is that of the right side."""

_WIDTH = 0.16  # standard deviation of the Gaussian around a bone, torso lengths
_BONES = np.array(
    [
        (channel, OPENPOSE_18_FEET.index(a), OPENPOSE_18_FEET.index(b))
        for channel, bones in enumerate(_LIMBS)
        for a, b in bones
    ],
    np.int64,
)


@jit()
def _draw_maps(points: FloatArray, depth: FloatArray, bones: NDArray[np.int64], width: float, maps: FloatArray) -> None:
    channels, height, columns = maps.shape
    weight = np.zeros((height, columns), np.float32)
    total = np.zeros((height, columns), np.float32)
    reach = 3.0 * width
    for n in range(len(bones)):
        channel, a, b = bones[n]
        ax, ay, bx, by = points[a, 0], points[a, 1], points[b, 0], points[b, 1]
        dx, dy = bx - ax, by - ay
        square = dx * dx + dy * dy + 1e-9
        # Clamped before conversion to integers: joints may be far outside of the frame.
        top, bottom = max(0.0, min(ay, by) - reach), min(height - 1.0, max(ay, by) + reach)
        left, right = max(0.0, min(ax, bx) - reach), min(columns - 1.0, max(ax, bx) + reach)
        if bottom < top or right < left:
            continue
        for y in range(math.ceil(top), math.floor(bottom) + 1):
            for x in range(math.ceil(left), math.floor(right) + 1):
                along = min(max(((x - ax) * dx + (y - ay) * dy) / square, 0.0), 1.0)
                ex, ey = x - ax - along * dx, y - ay - along * dy
                value = math.exp(-0.5 * (ex * ex + ey * ey) / (width * width))
                maps[channel, y, x] = max(maps[channel, y, x], value)
                weight[y, x] = max(weight[y, x], value)
                total[y, x] += value
                maps[channels - 1, y, x] += value * (depth[a] + along * (depth[b] - depth[a]))
    for y in range(height):
        for x in range(columns):
            maps[channels - 1, y, x] *= weight[y, x] / max(total[y, x], np.float32(1e-6))


def pose_maps(
    points: NDArray[np.float64], depth: NDArray[np.float64], torso: float, size: tuple[int, int]
) -> FloatArray:
    """Draw one pose.

    Args:
        points: [22, 2], joints of OPENPOSE_18_FEET in the frame's pixels; they may lie outside.
        depth: [22], pixels towards the camera.
        torso: distance from the neck to the middle of the hips in the condition, pixels: the unit of width and depth.
        size: (width, height) of the frame, multiples of ``STRIDE``.

    Returns:
        float32 [CHANNELS, H / STRIDE, W / STRIDE]: 1 on a bone, decreasing to 0 within half a torso length. The last
        map is the mean depth of the limbs at a pixel, weighted by their maps, torso lengths in -2..2.
    """
    maps = np.zeros((CHANNELS, size[1] // STRIDE, size[0] // STRIDE), np.float32)
    map_points = ((np.asarray(points, np.float64) + 0.5) / STRIDE - 0.5).astype(np.float32)
    relative_depth = np.clip(np.asarray(depth, np.float64) / torso, -2, 2).astype(np.float32)
    _draw_maps(map_points, relative_depth, _BONES, max(_WIDTH * torso / STRIDE, 0.5), maps)
    return maps
