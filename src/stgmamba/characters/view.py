"""What rasteriser and backgrounds need to know of a camera, taken from how it projects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from stgmamba.arrays import FloatArray


class Projects(Protocol):
    """A pinhole camera with level horizon: ``stgmamba.skeleton.camera.Camera`` or anything like it."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the picture."""
        ...

    @property
    def target(self) -> object:
        """Point looked at, (x, y, z) metres."""
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
        rays: [3, 3]: takes a pixel (u, v, 1) to the direction it looks in.
        eye: the camera's place, [3].
        right, up, ahead: level axes of the picture, [3] each; up is the world's.
        middle: the point on the floor that the picture is about, [3].
        focal: focal length in pixels.
    """

    size: tuple[int, int]
    matrix: FloatArray
    rays: FloatArray
    eye: FloatArray
    right: FloatArray
    up: FloatArray
    ahead: FloatArray
    middle: FloatArray
    focal: float

    def stage(self, wall: float) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Where each pixel hits floor or back wall.

        Args:
            wall: metres from the middle of the dance to the wall that closes the picture behind.

        Returns:
            x (to the right), z (towards the wall), height (up the wall, <= 0 on the floor), each [H, W] metres.
        """
        width, height = self.size
        u, v = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
        direction = np.stack([u, v, np.ones_like(u)], -1) @ self.rays.T.astype(np.float64)
        across, rise, forth = direction @ self.right, direction @ self.up, direction @ self.ahead
        forth = np.maximum(forth, 1e-4)
        start = self.eye - self.middle
        x0, z0, y0 = float(start @ self.right), float(start @ self.ahead), float(start @ self.up)
        to_wall = (wall - z0) / forth
        level = y0 + to_wall * rise
        on_floor = level <= 0
        t = np.where(on_floor, -y0 / np.minimum(rise, -1e-6), to_wall)
        return (
            (x0 + t * across).astype(np.float32),
            (z0 + t * forth).astype(np.float32),
            np.where(on_floor, np.minimum(level, -1e-6), level).astype(np.float32),
        )


def view_of(camera: Projects) -> View:
    """Matrices of a camera, from how it projects four points near its target."""
    target = np.asarray(camera.target, np.float64)
    points = target + np.asarray([[0, 0, 0], [0.25, 0, 0], [0, 0.25, 0], [0, 0, 0.25]])
    xy, depth = camera.project(points.astype(np.float32))
    xy, depth = np.asarray(xy, np.float64), np.asarray(depth, np.float64)
    # To the camera whole numbers are pixel centres; here the first pixel's middle is (0.5, 0.5).
    xy = xy + 0.5
    values = np.stack([xy[:, 0] * depth, xy[:, 1] * depth, depth])  # [3, 4]
    matrix = values @ np.linalg.inv(np.concatenate([points, np.ones((4, 1))], 1).T)
    rays = np.linalg.inv(matrix[:, :3])
    eye = -rays @ matrix[:, 3]
    up = np.asarray([0.0, 1.0, 0.0])
    ahead = matrix[2, :3] - up * matrix[2, 1]
    ahead = ahead / max(float(np.linalg.norm(ahead)), 1e-6)
    right = np.cross(ahead, up)
    middle = np.asarray([target[0], 0.0, target[2]])
    focal = float(np.linalg.norm(np.cross(matrix[0, :3], matrix[2, :3])))
    f = [np.ascontiguousarray(a, np.float32) for a in (matrix, rays, eye, right, up, ahead, middle)]
    return View((int(camera.size[0]), int(camera.size[1])), f[0], f[1], f[2], f[3], f[4], f[5], f[6], focal)
