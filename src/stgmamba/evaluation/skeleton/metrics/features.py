"""Features of the Fréchet distances, the variance and the diversity: poses and velocities without body and place.

The paper's text on PFD and VFD is not at hand, so the features are ours. Every pose is put on one reference body
(``skeleton.body.Body``'s default) and turned to face +z with the middle of the hips at the origin: a metric then judges
the dance, not who dances, where in the room and in which direction.
"""

from __future__ import annotations

import numpy as np

from stgmamba.arrays import DoubleArray
from stgmamba.options import FPS
from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton
from stgmamba.skeleton.body import Body, mid_hip, rebuild
from stgmamba.skeleton.rotations import body_yaw, rotate_yaw

_CM = 100.0


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


def to_body_axes(vectors: DoubleArray, yaw: DoubleArray) -> DoubleArray:
    """Vectors [T, ..., 3] in the axes of a body of yaw [T]: a vector along its facing becomes +z."""
    rotated = vectors.copy()
    rotated[..., [0, 2]] = rotate_yaw(vectors[..., [0, 2]], -yaw.reshape((len(yaw),) + (1,) * (vectors.ndim - 2)))
    return rotated


def pose_features(skeleton: Skeleton) -> DoubleArray:
    """Joints on the reference body, from the middle of the hips, facing +z: [T, 66], cm."""
    relative, yaw, _ = _on_reference_body(skeleton)
    return np.asarray(_CM * to_body_axes(relative, yaw).reshape(len(relative), -1), np.float64)


def velocity_features(skeleton: Skeleton) -> DoubleArray:
    """How joints and body move from one frame to the next: [T-1, 69], cm per frame of 1/25 s, in the body's own axes.

    66 numbers are the joints' movement relative to the middle of the hips (a turn of the body counts, as the movement
    of what turns), 3 are the movement of the middle of the hips itself.
    """
    relative, yaw, root = _on_reference_body(skeleton)
    joints = to_body_axes(np.diff(relative, axis=0), yaw[:-1]).reshape(len(relative) - 1, -1)
    return np.asarray(_CM * np.concatenate([joints, to_body_axes(np.diff(root, axis=0), yaw[:-1])], axis=1), np.float64)


def _on_reference_body(skeleton: Skeleton) -> tuple[DoubleArray, DoubleArray, DoubleArray]:
    """Joints relative to the middle of the hips [T, 22, 3], yaw [T], and the middle of the hips [T, 3], metres."""
    positions = at_25_fps(skeleton).positions
    # Centred first: far from the origin float32 would cost the small movements.
    root = mid_hip(positions)
    relative = rebuild(positions - root[:, None], Body()).astype(np.float64)
    # Rebuilding would put a limb of no direction upright and hide it.
    relative[~np.isfinite(positions)] = np.nan
    return relative, body_yaw(relative), root.astype(np.float64)
