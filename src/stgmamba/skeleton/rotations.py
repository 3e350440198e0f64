"""Rotations about the vertical, and the yaw of a body and of its shoulder and hip lines.

Yaw is in radians: 0 faces +z, pi / 2 faces +x. A line between a left and a right joint has the yaw of the direction
that its body faces.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stgmamba.arrays import DoubleArray
from stgmamba.skeleton.layouts import OPENPOSE_18_FEET

_LEFT, _RIGHT = (
    [OPENPOSE_18_FEET.index(f"{side}_{part}") for part in ("hip", "shoulder")] for side in ("left", "right")
)


def line_yaw(across: NDArray[Any]) -> Any:
    """Yaw [...] of a body from the vector [..., 3] from one of its right joints to the left one."""
    # The facing direction is across x up; across = (cos yaw, ., -sin yaw) for a body at that yaw.
    return np.arctan2(-across[..., 2], across[..., 0])


def body_yaw(positions: NDArray[Any]) -> Any:
    """Yaw [...] of bodies from hips and shoulders together, in the dtype of the joints [..., 22, 3]."""
    return line_yaw(positions[..., _LEFT, :].sum(axis=-2) - positions[..., _RIGHT, :].sum(axis=-2))


def wrap_angle(angle: DoubleArray) -> DoubleArray:
    """Angles in radians, brought to -pi..pi."""
    return np.asarray((angle + np.pi) % (2 * np.pi) - np.pi)


def rotate_yaw(xz: NDArray[Any], angle: NDArray[Any]) -> Any:
    """Rotate (x, z) [..., 2] about the vertical so that a vector along +z gets the yaw ``angle`` [...]."""
    c, s = np.cos(angle), np.sin(angle)
    x, z = xz[..., 0], xz[..., 1]
    return np.stack([c * x + s * z, -s * x + c * z], axis=-1)
