"""Features of the Fréchet distances, the variance and the diversity: poses and velocities in a normalised body frame.

The paper's definition of PFD and VFD was not available to us, so the features are ours. Every pose is retargeted to the
default ``skeleton.body.Body``, rotated to face +z and translated such that the middle of the hips is the origin.
Metrics then do not depend on body, position and direction.
"""

from __future__ import annotations

import numpy as np

from stgmamba.arrays import DoubleArray, FloatArray
from stgmamba.options import FPS
from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton
from stgmamba.skeleton.body import Body, mid_hip, rebuild
from stgmamba.skeleton.rotations import body_yaw, rotate_yaw

_CM = 100.0  # per metre


def at_fps(skeleton: Skeleton, fps: float) -> Skeleton:
    """The dance resampled to a frame rate.

    Raises:
        ValueError: not a 3-D skeleton of OPENPOSE_18_FEET, or no frames.
    """
    if skeleton.layout != OPENPOSE_18_FEET or skeleton.dims != 3:
        raise ValueError(
            f"metrics need 3-D skeletons of {OPENPOSE_18_FEET.name}, got {skeleton.dims}-D {skeleton.layout.name}"
        )
    if len(skeleton) == 0:
        raise ValueError("metrics need at least one frame")
    return skeleton.resampled(fps)


def at_25_fps(skeleton: Skeleton) -> Skeleton:
    """The dance resampled to 25 fps, the frame rate of the definitions of most metrics; raises as ``at_fps``."""
    return at_fps(skeleton, FPS)


def to_body_axes(vectors: DoubleArray, yaw: DoubleArray) -> DoubleArray:
    """Vectors [T, ..., 3] in the axes of bodies of yaw [T], whose facing direction becomes +z."""
    rotated = vectors.copy()
    rotated[..., [0, 2]] = rotate_yaw(vectors[..., [0, 2]], -yaw.reshape((len(yaw),) + (1,) * (vectors.ndim - 2)))
    return rotated


def pose_features(skeleton: Skeleton) -> DoubleArray:
    """Joints of the default body relative to the middle of the hips, facing +z: [T, 66], cm."""
    relative, yaw, _ = _on_reference_body(skeleton)
    return np.asarray(_CM * to_body_axes(relative, yaw).reshape(len(relative), -1), np.float64)


def velocity_features(skeleton: Skeleton) -> DoubleArray:
    """Displacements between successive frames in the body's axes: [T-1, 69], cm per frame of 1/25 s.

    66 are the joints' displacements relative to the middle of the hips (including those by rotation of the body), 3 are
    the displacement of the middle of the hips.
    """
    relative, yaw, root = _on_reference_body(skeleton)
    joints = to_body_axes(np.diff(relative, axis=0), yaw[:-1]).reshape(len(relative) - 1, -1)
    return np.asarray(_CM * np.concatenate([joints, to_body_axes(np.diff(root, axis=0), yaw[:-1])], axis=1), np.float64)


def on_default_body(positions: FloatArray) -> tuple[DoubleArray, DoubleArray]:
    """Joints [T, 22, 3] with the default body's lengths, relative to the middle of the hips, and the latter [T, 3].

    Metres; not finite where ``positions`` [T, 22, 3] are not.
    """
    # Centred first, because float32 is less precise far from the origin.
    root = mid_hip(positions)
    relative = rebuild(positions - root[:, None], Body()).astype(np.float64)
    # rebuild() would replace a limb without direction by a vertical one.
    relative[~np.isfinite(positions)] = np.nan
    return relative, root.astype(np.float64)


def _on_reference_body(skeleton: Skeleton) -> tuple[DoubleArray, DoubleArray, DoubleArray]:
    """Joints relative to the middle of the hips [T, 22, 3], yaw [T], and the middle of the hips [T, 3], metres."""
    relative, root = on_default_body(at_25_fps(skeleton).positions)
    return relative, body_yaw(relative), root
