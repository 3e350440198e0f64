"""Software rasteriser: depth buffer, shadow map, screen-space ambient occlusion.

Depth is stored as its inverse (larger is nearer, 0 is empty), which is linear over a projected triangle.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from stgmamba.arrays import FloatArray, IntArray
from stgmamba.jit import jit


@jit("contract", "arcp", "nsz", "reassoc")
def vertex_normals(vertices: FloatArray, triangles: IntArray) -> FloatArray:
    """Area-weighted unit normals [V, 3] of a mesh; a vertex without area gets (0, 1, 0)."""
    normals = np.zeros_like(vertices)
    for f in range(len(triangles)):
        a, b, c = triangles[f, 0], triangles[f, 1], triangles[f, 2]
        ux, uy, uz = (vertices[b, 0] - vertices[a, 0], vertices[b, 1] - vertices[a, 1], vertices[b, 2] - vertices[a, 2])
        vx, vy, vz = (vertices[c, 0] - vertices[a, 0], vertices[c, 1] - vertices[a, 1], vertices[c, 2] - vertices[a, 2])
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for k in (a, b, c):
            normals[k, 0] += nx
            normals[k, 1] += ny
            normals[k, 2] += nz
    for k in range(len(normals)):
        length = math.sqrt(normals[k, 0] ** 2 + normals[k, 1] ** 2 + normals[k, 2] ** 2)
        if length > 1e-12:
            normals[k, 0] /= length
            normals[k, 1] /= length
            normals[k, 2] /= length
        else:
            normals[k, 1] = 1.0
    return normals


@jit("contract", "arcp", "nsz", "reassoc")
def _pixel_range(a: float, b: float, c: float, size: int) -> tuple[int, int]:
    """First and last of ``size`` pixels in a row or column that a triangle with these three coordinates can cover."""
    first = int(max(0.0, math.floor(min(a, b, c) - 0.5)))
    last = int(min(size - 1.0, np.ceil(max(a, b, c) - 0.5)))
    return first, last


@jit("contract", "arcp", "nsz", "reassoc")
def rasterize(
    xy: FloatArray,
    inverse_depth: FloatArray,
    triangles: IntArray,
    closed: NDArray[np.bool_],
    depth: FloatArray,
    triangle_index: IntArray,
    weights: FloatArray,
) -> None:
    """Rasterise triangles into the buffers with a depth test.

    Args:
        xy: vertices in buffer pixels, [V, 2]; the centre of the first pixel is (0.5, 0.5).
        inverse_depth: of the vertices, 1 / metres, [V]; triangles with a vertex behind the camera (<= 0) are skipped.
        triangles: vertex indices, [F, 3], counter-clockwise from outside.
        closed: whether the surface at a vertex is closed, so that back faces are culled, [V].
        depth: inverse depth, [H, W], updated.
        triangle_index: visible triangle of each pixel, [H, W], written where one is drawn.
        weights: barycentric weights of its first two vertices, [H, W, 2], written likewise.
    """
    height, width = depth.shape
    for f in range(len(triangles)):
        a, b, c = triangles[f, 0], triangles[f, 1], triangles[f, 2]
        if inverse_depth[a] <= 0 or inverse_depth[b] <= 0 or inverse_depth[c] <= 0:
            continue
        ax, ay, bx, by, cx, cy = xy[a, 0], xy[a, 1], xy[b, 0], xy[b, 1], xy[c, 0], xy[c, 1]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        # y points down in the picture, so a front face has negative area.
        if not (abs(area) > 1e-9) or (area > 0 and closed[a]):
            continue
        x0, x1 = _pixel_range(ax, bx, cx, width)
        y0, y1 = _pixel_range(ay, by, cy, height)
        scale = np.float32(1.0) / area
        step_a, step_b = -(cy - by) * scale, -(ay - cy) * scale
        for y in range(y0, y1 + 1):
            py = y + np.float32(0.5)
            px = x0 + np.float32(0.5)
            wa = ((cx - bx) * (py - by) - (cy - by) * (px - bx)) * scale
            wb = ((ax - cx) * (py - cy) - (ay - cy) * (px - cx)) * scale
            for x in range(x0, x1 + 1):
                wc = 1 - wa - wb
                if wa >= -1e-5 and wb >= -1e-5 and wc >= -1e-5:
                    z = wa * inverse_depth[a] + wb * inverse_depth[b] + wc * inverse_depth[c]
                    if z > depth[y, x]:
                        depth[y, x] = z
                        triangle_index[y, x] = f
                        weights[y, x, 0] = wa
                        weights[y, x, 1] = wb
                wa += step_a
                wb += step_b


@jit("contract", "arcp", "nsz", "reassoc")
def rasterize_depth(points: FloatArray, triangles: IntArray, depth: FloatArray) -> None:
    """Rasterise the depth only, for the shadow map.

    Args:
        points: (column, row, coordinate towards the light) of the vertices in the map, [V, 3].
        triangles: vertex indices, [F, 3].
        depth: largest coordinate towards the light, [H, W], updated.
    """
    height, width = depth.shape
    for f in range(len(triangles)):
        a, b, c = triangles[f, 0], triangles[f, 1], triangles[f, 2]
        ax, ay, bx, by, cx, cy = points[a, 0], points[a, 1], points[b, 0], points[b, 1], points[c, 0], points[c, 1]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if not (abs(area) > 1e-9):
            continue
        x0, x1 = _pixel_range(ax, bx, cx, width)
        y0, y1 = _pixel_range(ay, by, cy, height)
        scale = np.float32(1.0) / area
        for y in range(y0, y1 + 1):
            for x in range(x0, x1 + 1):
                px, py = x + np.float32(0.5), y + np.float32(0.5)
                wa = ((cx - bx) * (py - by) - (cy - by) * (px - bx)) * scale
                wb = ((ax - cx) * (py - cy) - (ay - cy) * (px - cx)) * scale
                wc = 1 - wa - wb
                if wa >= 0 and wb >= 0 and wc >= 0:
                    z = wa * points[a, 2] + wb * points[b, 2] + wc * points[c, 2]
                    if z > depth[y, x]:
                        depth[y, x] = z


# Sample offsets on the unit disc (Vogel spiral), and (cos, sin) of sixteen rotations of it.
_SAMPLES = 9
_SPIRAL = np.asarray(
    [
        [np.sqrt((i + 0.5) / _SAMPLES) * np.cos(2.4 * i), np.sqrt((i + 0.5) / _SAMPLES) * np.sin(2.4 * i)]
        for i in range(_SAMPLES)
    ]
)
_ROTATIONS = np.asarray([[np.cos(0.3927 * i), np.sin(0.3927 * i)] for i in range(16)])


@jit("contract", "arcp", "nsz", "reassoc")
def ambient_occlusion(depth: FloatArray, radius: float, focal: float) -> FloatArray:
    """Screen-space ambient occlusion: visibility of the surroundings, [H, W] in 0..1; 1 where nothing was drawn.

    Args:
        depth: inverse depth, 1 / metres, 0 where nothing was drawn, [H, W].
        radius: largest distance of an occluder, metres.
        focal: focal length in pixels of this buffer.
    """
    height, width = depth.shape
    # Occlusion is smooth, so it is sampled at every other pixel of every other row.
    rows, columns = (height + 1) // 2, (width + 1) // 2
    sampled = np.ones((rows, columns), np.float32)
    for row in range(rows):
        for column in range(columns):
            y, x = 2 * row, 2 * column
            depth_here = 1.0 * (depth[y, x])
            if depth_here <= 0:
                continue
            pixel_radius = min(max(radius * focal * depth_here, 2.0), 60.0)
            # Rotations that repeat every 4 x 4 points turn banding into noise, which the mean below removes.
            rotation = (column & 3) * 4 + (row & 3)
            cos, sin = _ROTATIONS[rotation, 0] * pixel_radius, _ROTATIONS[rotation, 1] * pixel_radius
            # Depth difference per difference of inverse depths, to first order.
            metres_per_inverse = 1.0 / (depth_here * depth_here)
            occlusion = 0.0
            for k in range(_SAMPLES):
                sx = int(x + cos * _SPIRAL[k, 0] - sin * _SPIRAL[k, 1])
                sy = int(y + sin * _SPIRAL[k, 0] + cos * _SPIRAL[k, 1])
                if 0 <= sx < width and 0 <= sy < height:
                    height_above = (depth[sy, sx] - depth_here) * metres_per_inverse
                    if height_above > 0.012:
                        occlusion += min((height_above - 0.012) * 25.0, 1.0) * max(
                            0.0, 1.0 - height_above / (4.0 * radius)
                        )
            sampled[row, column] = 1.0 - occlusion / _SAMPLES
    smooth = np.ones_like(depth)
    for y in range(height):
        for x in range(width):
            depth_here = 1.0 * (depth[y, x])
            if depth_here <= 0:
                continue
            total, count = 0.0, 1e-6
            for row in range(max(0, (y >> 1) - 1), min(rows, (y >> 1) + 2)):
                for column in range(max(0, (x >> 1) - 1), min(columns, (x >> 1) + 2)):
                    # Bilateral: only points on the same surface.
                    if abs(depth[2 * row, 2 * column] - depth_here) < 0.05 * depth_here * depth_here:
                        total += sampled[row, column]
                        count += 1.0
            smooth[y, x] = total / count if count > 0.5 else 1.0
    return smooth


@jit("contract", "arcp", "nsz", "reassoc")
def project(points: FloatArray, matrix: FloatArray, near: float) -> tuple[FloatArray, FloatArray]:
    """Pixels [N, 2] and inverse depths [N] of points [N, 3] by a [3, 4] matrix; 0 before the near plane ``near``."""
    xy = np.zeros((len(points), 2), np.float32)
    inverse_depth = np.zeros(len(points), np.float32)
    for k in range(len(points)):
        x, y, z = points[k, 0], points[k, 1], points[k, 2]
        depth = matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2] * z + matrix[2, 3]
        if depth > near:
            inverse_depth[k] = 1.0 / depth
            xy[k, 0] = (matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2] * z + matrix[0, 3]) / depth
            xy[k, 1] = (matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2] * z + matrix[1, 3]) / depth
    return xy, inverse_depth
