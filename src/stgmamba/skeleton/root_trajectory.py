"""Where a dancer goes and which way she faces, apart from what her limbs do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from stgmamba.skeleton.body import mid_hip
from stgmamba.skeleton.layouts import OPENPOSE_18_FEET
from stgmamba.skeleton.sequence import FloatArray

# The heading is that of hips and shoulders over about a quarter of a second: it turns with the body, not with a sway.
_HEADING_SECONDS = 0.12
# A dancer that faces the camera may turn this far from it, and turns slower than this many seconds are taken out.
_FACING_LIMIT = np.radians(45.0)
_TURNING_SECONDS = 1.0
# Travel slower than this many seconds is taken out by ``stay``, so that a long dance does not wander off.
_WANDERING_SECONDS = 6.0


@dataclass(frozen=True)
class Path:
    """Where the dancer's frame of reference is, frame by frame.

    Attributes:
        position: floor point under the hips, [T, 2] metres (x, z).
        heading: radians [T]; 0 faces +z, growing towards +x.
    """

    position: FloatArray
    heading: FloatArray


def heading_of(positions: FloatArray, fps: float) -> FloatArray:
    """The dancer's heading over time from hips and shoulders, unwrapped, radians [T], of joints [T, 22, 3]."""
    sides = {
        side: positions[:, [OPENPOSE_18_FEET.index(f"{side}_{part}") for part in ("hip", "shoulder")]].sum(axis=1)
        for side in ("left", "right")
    }
    across = sides["left"] - sides["right"]
    # across points to the left; forward = across x up, so the heading of +z is zero when left is +x.
    angle = np.unwrap(np.arctan2(-across[:, 2], across[:, 0]))
    heading: FloatArray = gaussian_filter1d(angle, _HEADING_SECONDS * fps, mode="nearest").astype(np.float32)
    return heading


def walk(velocity: FloatArray, heading: FloatArray, fps: float) -> FloatArray:
    """Positions [T, 2] from velocities [T, 2] (to the left, forward; m/s) given in the dancer's heading [T]."""
    step = rotate(velocity[:-1], heading[:-1]) / fps
    return np.concatenate([np.zeros((1, 2), np.float32), np.cumsum(step, axis=0, dtype=np.float32)])


def split_path(positions: FloatArray, fps: float) -> tuple[FloatArray, Path]:
    """Joints [T, 22, 3] in the world as poses in the dancer's heading and the path that carried them."""
    path = Path(mid_hip(positions)[:, [0, 2]], heading_of(positions, fps))
    local = positions.copy()
    local[..., [0, 2]] -= path.position[:, None]
    local[..., [0, 2]] = rotate(local[..., [0, 2]], -path.heading[:, None])
    return local, path


def apply_path(poses: FloatArray, path: Path) -> FloatArray:
    """The inverse of ``split_path``: joints [T, 22, 3] in the world."""
    out = poses.copy()
    out[..., [0, 2]] = rotate(poses[..., [0, 2]], path.heading[:, None]) + path.position[:, None]
    return out


def rotate(xz: FloatArray, angle: FloatArray) -> FloatArray:
    """Rotate (x, z) about the vertical so that a vector along +z ends up at heading ``angle``."""
    c, s = np.cos(angle), np.sin(angle)
    x, z = xz[..., 0], xz[..., 1]
    turned: FloatArray = np.stack([c * x + s * z, -s * x + c * z], axis=-1).astype(np.float32)
    return turned


def face_camera(path: Path, fps: float) -> Path:
    """Take out slow turning: the body stays within 45 degrees of the camera at +z, quick turns and sways remain.

    Steps keep their direction relative to the body, so a travelling turn becomes a step on the spot or to the side.

    Args:
        path: heading and position [T].
        fps: frames per second.
    """
    slow = gaussian_filter1d(path.heading, _TURNING_SECONDS * fps, mode="nearest")
    heading = (_FACING_LIMIT * np.tanh((path.heading - slow) / _FACING_LIMIT)).astype(np.float32)
    step = np.diff(path.position, axis=0, append=path.position[-1:]) * fps
    return Path(walk(rotate(step, -path.heading), heading, fps), heading)


def stay(path: Path, fps: float, radius: float) -> Path:
    """Keep the dancer near the spot: slow wandering is taken out, the rest is bent softly into ``radius`` metres."""
    around = path.position - gaussian_filter1d(path.position, _WANDERING_SECONDS * fps, axis=0, mode="nearest")
    distance = np.linalg.norm(around, axis=1, keepdims=True)
    squeezed = around * (np.tanh(distance / radius) / np.maximum(distance / radius, 1e-6))
    return Path(squeezed.astype(np.float32), path.heading)
