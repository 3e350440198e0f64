"""What the Fréchet distances, the variance and the diversity look at: poses and velocities of a body-free dance.

The paper's text on PFD and VFD is not at hand, so the features are ours. Every pose is put on one reference body
(``skeleton.body.Body``'s default) and turned to face +z with the middle of the hips at the origin: a metric then judges
the dance, not who dances, where in the room and in which direction.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton
from stgmamba.skeleton.body import Body, mid_hip, rebuild

Array = NDArray[np.float64]

FPS = 25.0
_CM = 100.0
_LEFT, _RIGHT = (
    [OPENPOSE_18_FEET.index(f"{side}_{part}") for part in ("hip", "shoulder")] for side in ("left", "right")
)


def at_25_fps(skeleton: Skeleton) -> Skeleton:
    """The dance at the frame rate all metrics are defined at.

    Raises:
        ValueError: not a 3-D skeleton of OPENPOSE_18_FEET, or no frame at all.
    """
    if skeleton.layout != OPENPOSE_18_FEET or skeleton.dims != 3:
        raise ValueError(
            f"metrics need 3-D skeletons of {OPENPOSE_18_FEET.name}, got {skeleton.dims}-D {skeleton.layout.name}"
        )
    if len(skeleton) == 0:
        raise ValueError("metrics need at least one frame")
    return skeleton.resampled(FPS)


def heading(positions: Array) -> Array:
    """Yaw of the body about +y in radians, [T]; 0 faces +z, pi / 2 faces +x. From hips and shoulders, seen from above.

    Args:
        positions: [T, 22, 3].
    """
    across = (positions[:, _LEFT] - positions[:, _RIGHT]).sum(axis=1)
    # Facing is across x up; across = (cos yaw, ., -sin yaw) for a body at that yaw.
    return np.asarray(np.arctan2(-across[:, 2], across[:, 0]), np.float64)


def turned(vectors: Array, yaw: Array) -> Array:
    """Vectors [T, ..., 3] as seen from a body at ``yaw`` [T]: a vector along its facing becomes +z."""
    shape = (len(yaw),) + (1,) * (vectors.ndim - 2)
    cos, sin = np.cos(yaw).reshape(shape), np.sin(yaw).reshape(shape)
    x, y, z = np.moveaxis(vectors, -1, 0)
    return np.stack([cos * x - sin * z, y, sin * x + cos * z], axis=-1)


def pose_features(skeleton: Skeleton) -> Array:
    """Joints on the reference body, from the middle of the hips, facing +z: [T, 66], cm."""
    relative, yaw, _ = _on_reference_body(skeleton)
    return np.asarray(_CM * turned(relative, yaw).reshape(len(relative), -1), np.float64)


def velocity_features(skeleton: Skeleton) -> Array:
    """How joints and body move from one frame to the next: [T-1, 69], cm per frame of 1/25 s, in the body's own axes.

    66 numbers are the joints' movement relative to the middle of the hips (a turn of the body counts, as the movement
    of what turns), 3 are the movement of the middle of the hips itself.
    """
    relative, yaw, root = _on_reference_body(skeleton)
    joints = turned(np.diff(relative, axis=0), yaw[:-1]).reshape(len(relative) - 1, -1)
    return np.asarray(_CM * np.concatenate([joints, turned(np.diff(root, axis=0), yaw[:-1])], axis=1), np.float64)


def _on_reference_body(skeleton: Skeleton) -> tuple[Array, Array, Array]:
    """Joints relative to the middle of the hips [T, 22, 3], yaw [T], and the middle of the hips [T, 3], metres."""
    positions = at_25_fps(skeleton).positions
    # Centred first: far from the origin float32 would cost the small movements.
    root = mid_hip(positions)
    relative = rebuild(positions - root[:, None], Body()).astype(np.float64)
    # Rebuilding would put a limb of no direction upright and hide it.
    relative[~np.isfinite(positions)] = np.nan
    return relative, heading(relative), root.astype(np.float64)
