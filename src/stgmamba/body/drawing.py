"""Drawing of a posed avatar with a software rasteriser.

The photo's own light is in the texture. It is kept: a texel is shaded by the light on it now relative to that on it
in the photo's pose, within narrow bounds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stgmamba.arrays import DoubleArray, FloatArray, Frame, IntArray
from stgmamba.body.avatar import Avatar
from stgmamba.body.posing import skin_vertices
from stgmamba.characters.raster import rasterize, vertex_normals
from stgmamba.jit import jit

SUPERSAMPLING = 2
_LIGHT = np.asarray([0.25, 0.35, 0.9]) / np.linalg.norm([0.25, 0.35, 0.9])  # above and beside the camera
_AMBIENT = 0.72
_RELATIVE_LIGHT = 0.72, 1.15
_NEAR = 0.1  # metres


@dataclass(frozen=True)
class View:
    """A pinhole camera that looks along -z without pitch; its picture may be shifted against its axis.

    Attributes:
        size: (width, height) of the frames in pixels.
        position: of the camera, metres, [3].
        focal: focal length in pixels.
        centre: pixel (x, y) of the axis, which may lie outside of the frame.
    """

    size: tuple[int, int]
    position: tuple[float, float, float]
    focal: float
    centre: tuple[float, float]

    def project(self, points: DoubleArray | FloatArray) -> tuple[DoubleArray, DoubleArray]:
        """Pixels [..., 2], whole numbers at pixel centres, and depths [...] in metres of points [..., 3]."""
        seen = points - np.asarray(self.position)
        depth = -seen[..., 2]
        zoom = self.focal / np.maximum(depth, _NEAR)
        x, y = self.centre[0] + seen[..., 0] * zoom, self.centre[1] - seen[..., 1] * zoom
        return np.stack([x, y], axis=-1), depth


class AvatarPainter:
    """Draws one avatar.

    Args:
        avatar: the avatar.
    """

    def __init__(self, avatar: Avatar) -> None:
        self.avatar = avatar
        facing = avatar.normals.copy()
        facing[:, 2] = np.abs(facing[:, 2])  # the unseen back has colours of the front
        self._photo_light = _light(facing)

    def pose(self, rotations: DoubleArray, translations: DoubleArray) -> FloatArray:
        """Vertices [V, 3] for rotations [B, 3, 3] and translations [B, 3] of the bones."""
        avatar = self.avatar
        return skin_vertices(
            avatar.vertices,
            avatar.bones,
            avatar.weights,
            rotations.astype(np.float32),
            translations.astype(np.float32),
        )

    def draw(self, canvas: Frame, vertices: FloatArray, view: View) -> None:
        """Draw posed vertices [V, 3] over a canvas, uint8 [H, W, 3 or 4]; a fourth channel is coverage, and colours
        are then not premultiplied.
        """
        avatar = self.avatar
        xy, depth = view.project(vertices)
        height, width = canvas.shape[:2]
        visible = depth > _NEAR
        if not visible.any():
            return
        low = np.clip(np.floor(xy[visible].min(axis=0)) - 1, 0, (width, height)).astype(int)
        high = np.clip(np.ceil(xy[visible].max(axis=0)) + 2, 0, (width, height)).astype(int)
        columns, rows = high - low
        if columns <= 0 or rows <= 0:
            return
        shape = rows * SUPERSAMPLING, columns * SUPERSAMPLING
        inverse_depth = np.where(visible, 1 / np.maximum(depth, _NEAR), 0).astype(np.float32)
        triangle = np.full(shape, -1, np.int32)
        weights = np.empty((*shape, 2), np.float32)
        rasterize(
            ((xy - low + 0.5) * SUPERSAMPLING).astype(np.float32),
            inverse_depth,
            avatar.triangles,
            avatar.closed,
            np.zeros(shape, np.float32),
            triangle,
            weights,
        )
        normals = vertex_normals(vertices, avatar.triangles)
        light = np.clip(_light(normals) / self._photo_light, *_RELATIVE_LIGHT).astype(np.float32)
        part = canvas[low[1] : high[1], low[0] : high[0]]
        _shade(part, triangle, weights, avatar.triangles, avatar.uv_triangles, avatar.uv, light, avatar.texture)


def _light(normals: FloatArray) -> FloatArray:
    """Light on surfaces by their normals [V, 3]: ambient and one distant lamp, [V]."""
    return np.asarray(_AMBIENT + (1 - _AMBIENT) * np.maximum(0, normals @ _LIGHT.astype(np.float32)), np.float32)


@jit("contract", "arcp", "nsz", "reassoc")
def _shade(
    canvas: Frame,
    triangle: IntArray,
    weights: FloatArray,
    triangles: IntArray,
    uv_triangles: IntArray,
    uv: FloatArray,
    light: FloatArray,
    texture: Frame,
) -> None:
    """Average the supersampled pixels of a rasterised mesh and composite them over a canvas.

    Args:
        canvas: uint8 [H, W, 3 or 4], updated.
        triangle: visible triangle, [2 H, 2 W], -1 where there is none.
        weights: barycentric weights of its first two vertices, [2 H, 2 W, 2].
        triangles: vertex indices, [F, 3].
        uv_triangles: indices of texture coordinates, [F, 3].
        uv: texture coordinates, [U, 2].
        light: factor per vertex, [V].
        texture: uint8 [S, S', 3].
    """
    height, width, channels = canvas.shape
    texture_height, texture_width = texture.shape[0], texture.shape[1]
    samples = SUPERSAMPLING * SUPERSAMPLING
    for y in range(height):
        for x in range(width):
            covered = 0
            red, green, blue = np.float32(0), np.float32(0), np.float32(0)
            for sub in range(samples):
                sy, sx = y * SUPERSAMPLING + sub // SUPERSAMPLING, x * SUPERSAMPLING + sub % SUPERSAMPLING
                f = triangle[sy, sx]
                if f < 0:
                    continue
                covered += 1
                wa, wb = weights[sy, sx, 0], weights[sy, sx, 1]
                wc = 1 - wa - wb
                ta, tb, tc = uv_triangles[f, 0], uv_triangles[f, 1], uv_triangles[f, 2]
                u = (uv[ta, 0] * wa + uv[tb, 0] * wb + uv[tc, 0] * wc) * texture_width - np.float32(0.5)
                v = (1 - (uv[ta, 1] * wa + uv[tb, 1] * wb + uv[tc, 1] * wc)) * texture_height - np.float32(0.5)
                u = min(max(u, np.float32(0)), np.float32(texture_width - 1.001))
                v = min(max(v, np.float32(0)), np.float32(texture_height - 1.001))
                column, row = int(u), int(v)
                du, dv = u - column, v - row
                shade = light[triangles[f, 0]] * wa + light[triangles[f, 1]] * wb + light[triangles[f, 2]] * wc
                w00, w01 = (1 - du) * (1 - dv) * shade, du * (1 - dv) * shade
                w10, w11 = (1 - du) * dv * shade, du * dv * shade
                red += min(
                    np.float32(255),
                    texture[row, column, 0] * w00
                    + texture[row, column + 1, 0] * w01
                    + texture[row + 1, column, 0] * w10
                    + texture[row + 1, column + 1, 0] * w11,
                )
                green += min(
                    np.float32(255),
                    texture[row, column, 1] * w00
                    + texture[row, column + 1, 1] * w01
                    + texture[row + 1, column, 1] * w10
                    + texture[row + 1, column + 1, 1] * w11,
                )
                blue += min(
                    np.float32(255),
                    texture[row, column, 2] * w00
                    + texture[row, column + 1, 2] * w01
                    + texture[row + 1, column, 2] * w10
                    + texture[row + 1, column + 1, 2] * w11,
                )
            if covered == 0:
                continue
            if channels == 4:
                canvas[y, x, 0] = np.uint8(red / covered + np.float32(0.5))
                canvas[y, x, 1] = np.uint8(green / covered + np.float32(0.5))
                canvas[y, x, 2] = np.uint8(blue / covered + np.float32(0.5))
                canvas[y, x, 3] = np.uint8(255 * covered / samples)
            else:
                rest = np.float32(samples - covered)
                canvas[y, x, 0] = np.uint8((red + rest * canvas[y, x, 0]) / samples + np.float32(0.5))
                canvas[y, x, 1] = np.uint8((green + rest * canvas[y, x, 1]) / samples + np.float32(0.5))
                canvas[y, x, 2] = np.uint8((blue + rest * canvas[y, x, 2]) / samples + np.float32(0.5))
