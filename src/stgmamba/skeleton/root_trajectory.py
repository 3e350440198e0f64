"""The root trajectory: position on the floor and heading of a dancer, separated from the poses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from stgmamba.arrays import FloatArray
from stgmamba.skeleton.body import mid_hip
from stgmamba.skeleton.rotations import body_yaw, rotate_yaw

_HEADING_SECONDS = 0.12  # Gaussian smoothing of the heading, so that it follows turns and not sways
_FACING_LIMIT = np.radians(45.0)  # largest heading away from the camera of a dancer who faces it
_TURNING_SECONDS = 1.0  # turns slower than this are removed for a dancer who faces the camera
# ``limit_travel`` removes travel slower than so many seconds per metre of the radius it keeps.
_WANDERING_SECONDS = 7.5


@dataclass(frozen=True)
class RootTrajectory:
    """Position and heading of the dancer's frame of reference.

    Attributes:
        position: floor point under the hips, [T, 2] metres (x, z).
        heading: radians [T]; 0 faces +z, growing towards +x.
    """

    position: FloatArray
    heading: FloatArray

    def local_velocity(self, fps: float) -> FloatArray:
        """Velocity in the dancer's heading (to the left, forward), m/s [T, 2]; 0 in the last frame."""
        step = np.diff(self.position, axis=0, append=self.position[-1:]) * fps
        velocity: FloatArray = rotate_yaw(step, -self.heading)
        return velocity


def body_heading(positions: FloatArray, fps: float) -> FloatArray:
    """Smoothed yaw of a body over time, unwrapped, radians [T], of joints [T, 22, 3]."""
    angle = np.unwrap(body_yaw(positions))
    heading: FloatArray = gaussian_filter1d(angle, _HEADING_SECONDS * fps, mode="nearest").astype(np.float32)
    return heading


def integrate_velocity(velocity: FloatArray, heading: FloatArray, fps: float) -> FloatArray:
    """Positions [T, 2] from velocities [T, 2] (to the left, forward; m/s) given in the dancer's heading [T]."""
    step = rotate_yaw(velocity[:-1], heading[:-1]) / fps
    return np.concatenate([np.zeros((1, 2), np.float32), np.cumsum(step, axis=0, dtype=np.float32)])


def to_local(positions: FloatArray, fps: float) -> tuple[FloatArray, RootTrajectory]:
    """Joints [T, 22, 3] in the world as poses in the dancer's frame of reference and its trajectory."""
    trajectory = RootTrajectory(mid_hip(positions)[:, [0, 2]], body_heading(positions, fps))
    local = positions.copy()
    local[..., [0, 2]] -= trajectory.position[:, None]
    local[..., [0, 2]] = rotate_yaw(local[..., [0, 2]], -trajectory.heading[:, None])
    return local, trajectory


def to_world(poses: FloatArray, trajectory: RootTrajectory) -> FloatArray:
    """The inverse of ``to_local``: joints [T, 22, 3] in the world."""
    out = poses.copy()
    out[..., [0, 2]] = rotate_yaw(poses[..., [0, 2]], trajectory.heading[:, None]) + trajectory.position[:, None]
    return out


def face_camera(trajectory: RootTrajectory, fps: float) -> RootTrajectory:
    """Remove slow turning: the body stays within 45 degrees of the camera at +z, quick turns and sways remain.

    Velocities are kept relative to the body, so a travelling turn becomes a step on the spot or to the side.

    Args:
        trajectory: heading and position [T].
        fps: frames per second.
    """
    slow = gaussian_filter1d(trajectory.heading, _TURNING_SECONDS * fps, mode="nearest")
    heading = (_FACING_LIMIT * np.tanh((trajectory.heading - slow) / _FACING_LIMIT)).astype(np.float32)
    return RootTrajectory(integrate_velocity(trajectory.local_velocity(fps), heading, fps), heading)


def limit_travel(trajectory: RootTrajectory, fps: float, radius: float) -> RootTrajectory:
    """Keep the dancer near one place: slow travel is removed, the rest compressed (tanh) into ``radius`` metres."""
    around = trajectory.position - gaussian_filter1d(
        trajectory.position, _WANDERING_SECONDS * radius * fps, axis=0, mode="nearest"
    )
    distance = np.linalg.norm(around, axis=1, keepdims=True)
    squeezed = around * (np.tanh(distance / radius) / np.maximum(distance / radius, 1e-6))
    return RootTrajectory(squeezed.astype(np.float32), trajectory.heading)


def centred(trajectory: RootTrajectory) -> RootTrajectory:
    """The trajectory with the middle of its extent at the origin."""
    middle = (trajectory.position.min(axis=0) + trajectory.position.max(axis=0)) / 2
    return RootTrajectory((trajectory.position - middle).astype(np.float32), trajectory.heading)
