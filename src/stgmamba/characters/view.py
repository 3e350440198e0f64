"""Matrices of a camera for the rasteriser and the backgrounds, derived from how it projects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from stgmamba.arrays import FloatArray


class PinholeCamera(Protocol):
    """A pinhole camera without roll, such as ``stgmamba.skeleton.camera.Camera``."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the picture."""
        ...

    @property
    def target(self) -> object:
        """Point on the optical axis, (x, y, z) metres."""
        ...

    def project(self, positions: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Pixels [..., 2] and depth [...] of points [..., 3]."""
        ...


@dataclass(frozen=True)
class View:
    """A camera as matrices.

    Attributes:
        size: (width, height) of the picture.
        matrix: [3, 4]: takes (x, y, z, 1) to (u d, v d, d), u, v pixels and d depth in metres.
        rays: [3, 3]: takes a pixel (u, v, 1) to the direction of its ray.
        eye: the camera's position, [3] metres.
        right, up, forward: horizontal axes of the camera and the vertical, unit vectors [3].
        floor_target: the point of the floor under the camera's target, [3] metres.
        focal: focal length in pixels.
    """

    size: tuple[int, int]
    matrix: FloatArray
    rays: FloatArray
    eye: FloatArray
    right: FloatArray
    up: FloatArray
    forward: FloatArray
    floor_target: FloatArray
    focal: float

    def floor_and_wall(self, distance: float) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Intersection of each pixel's ray with the floor or with a vertical wall behind the target.

        Args:
            distance: of the wall from ``floor_target``, metres.

        Returns:
            x (to the right), z (towards the wall), height (above the floor, <= 0 on it), float32 [H, W] metres each.
        """
        width, height = self.size
        u, v = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
        direction = np.stack([u, v, np.ones_like(u)], -1) @ self.rays.T.astype(np.float64)
        across, rise, depth = direction @ self.right, direction @ self.up, direction @ self.forward
        depth = np.maximum(depth, 1e-4)
        start = self.eye - self.floor_target
        x0, z0, y0 = float(start @ self.right), float(start @ self.forward), float(start @ self.up)
        to_wall = (distance - z0) / depth
        level = y0 + to_wall * rise
        on_floor = level <= 0
        t = np.where(on_floor, -y0 / np.minimum(rise, -1e-6), to_wall)
        return (
            (x0 + t * across).astype(np.float32),
            (z0 + t * depth).astype(np.float32),
            np.where(on_floor, np.minimum(level, -1e-6), level).astype(np.float32),
        )


def view_from_camera(camera: PinholeCamera) -> View:
    """Matrices of a camera, from its projections of four points near its target."""
    target = np.asarray(camera.target, np.float64)
    points = target + np.asarray([[0, 0, 0], [0.25, 0, 0], [0, 0.25, 0], [0, 0, 0.25]])
    xy, depth = camera.project(points.astype(np.float32))
    xy, depth = np.asarray(xy, np.float64), np.asarray(depth, np.float64)
    # In the camera's convention whole numbers are pixel centres; here the centre of the first pixel is (0.5, 0.5).
    xy = xy + 0.5
    values = np.stack([xy[:, 0] * depth, xy[:, 1] * depth, depth])  # [3, 4]
    matrix = values @ np.linalg.inv(np.concatenate([points, np.ones((4, 1))], 1).T)
    rays = np.linalg.inv(matrix[:, :3])
    eye = -rays @ matrix[:, 3]
    up = np.asarray([0.0, 1.0, 0.0])
    forward = matrix[2, :3] - up * matrix[2, 1]
    forward = forward / max(float(np.linalg.norm(forward)), 1e-6)
    right = np.cross(forward, up)
    floor_target = np.asarray([target[0], 0.0, target[2]])
    focal = float(np.linalg.norm(np.cross(matrix[0, :3], matrix[2, :3])))
    f = [np.ascontiguousarray(a, np.float32) for a in (matrix, rays, eye, right, up, forward, floor_target)]
    return View((int(camera.size[0]), int(camera.size[1])), f[0], f[1], f[2], f[3], f[4], f[5], f[6], focal)
