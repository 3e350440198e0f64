"""Triangles to pixels: a small software rasteriser with depth buffer, ambient occlusion and shadow map.

Depth is kept as its inverse (larger is nearer, 0 is nothing there), which is linear over a triangle in the picture.
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
def rasterize(
    xy: FloatArray,
    inverse: FloatArray,
    triangles: IntArray,
    solid: NDArray[np.bool_],
    depth: FloatArray,
    face: IntArray,
    weights: FloatArray,
) -> None:
    """Draw triangles into the buffers, nearest wins.

    Args:
        xy: vertices in buffer pixels, [V, 2]; the middle of the first pixel is (0.5, 0.5).
        inverse: inverse depth of the vertices, [V]; <= 0 lies behind the camera and is not drawn.
        triangles: vertex indices, [F, 3], anticlockwise from outside.
        solid: per vertex [V]: whether its surface is closed, so that back faces need not be drawn.
        depth: inverse depth, [H, W], written.
        face: index of the triangle on top, [H, W], written.
        weights: barycentric weights of its first two vertices, [H, W, 2], written.
    """
    height, width = depth.shape
    for f in range(len(triangles)):
        a, b, c = triangles[f, 0], triangles[f, 1], triangles[f, 2]
        if inverse[a] <= 0 or inverse[b] <= 0 or inverse[c] <= 0:
            continue
        ax, ay, bx, by, cx, cy = xy[a, 0], xy[a, 1], xy[b, 0], xy[b, 1], xy[c, 0], xy[c, 1]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        # y points down in the picture, so an outer face has negative area.
        if not (abs(area) > 1e-9) or (area > 0 and solid[a]):
            continue
        x0 = int(max(0.0, math.floor(min(ax, bx, cx) - 0.5)))
        x1 = int(min(width - 1.0, np.ceil(max(ax, bx, cx) - 0.5)))
        y0 = int(max(0.0, math.floor(min(ay, by, cy) - 0.5)))
        y1 = int(min(height - 1.0, np.ceil(max(ay, by, cy) - 0.5)))
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
                    z = wa * inverse[a] + wb * inverse[b] + wc * inverse[c]
                    if z > depth[y, x]:
                        depth[y, x] = z
                        face[y, x] = f
                        weights[y, x, 0] = wa
                        weights[y, x, 1] = wb
                wa += step_a
                wb += step_b


@jit("contract", "arcp", "nsz", "reassoc")
def rasterize_depth(points: FloatArray, triangles: IntArray, depth: FloatArray) -> None:
    """Nearest depth only, for the shadow map.

    Args:
        points: (x, y, nearness) in map pixels, [V, 3].
        triangles: vertex indices, [F, 3].
        depth: largest nearness, [H, W], written.
    """
    height, width = depth.shape
    for f in range(len(triangles)):
        a, b, c = triangles[f, 0], triangles[f, 1], triangles[f, 2]
        ax, ay, bx, by, cx, cy = points[a, 0], points[a, 1], points[b, 0], points[b, 1], points[c, 0], points[c, 1]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if not (abs(area) > 1e-9):
            continue
        x0 = int(max(0.0, math.floor(min(ax, bx, cx) - 0.5)))
        x1 = int(min(width - 1.0, np.ceil(max(ax, bx, cx) - 0.5)))
        y0 = int(max(0.0, math.floor(min(ay, by, cy) - 0.5)))
        y1 = int(min(height - 1.0, np.ceil(max(ay, by, cy) - 0.5)))
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


# A spiral of sample offsets on the unit disc, and sixteen rotations of it.
_SAMPLES = 9
_SPIRAL = np.asarray(
    [
        [np.sqrt((i + 0.5) / _SAMPLES) * np.cos(2.4 * i), np.sqrt((i + 0.5) / _SAMPLES) * np.sin(2.4 * i)]
        for i in range(_SAMPLES)
    ]
)
_TURNS = np.asarray([[np.cos(0.3927 * i), np.sin(0.3927 * i)] for i in range(16)])


@jit("contract", "arcp", "nsz", "reassoc")
def ambient_occlusion(depth: FloatArray, radius: float, focal: float) -> FloatArray:
    """How open each drawn pixel is to its surroundings, [H, W] in 0..1, from inverse depth [H, W].

    Args:
        depth: inverse depth in 1 / metres, 0 where nothing was drawn.
        radius: how far occluders reach, metres.
        focal: focal length in pixels of this buffer.
    """
    height, width = depth.shape
    # Openness changes slowly, so it is measured at every other pixel of every other line.
    rows, columns = (height + 1) // 2, (width + 1) // 2
    raw = np.ones((rows, columns), np.float32)
    for row in range(rows):
        for column in range(columns):
            y, x = 2 * row, 2 * column
            here = 1.0 * (depth[y, x])
            if here <= 0:
                continue
            reach = min(max(radius * focal * here, 2.0), 60.0)
            # A small rotation per point, repeated every 4 x 4 points, trades banding for noise that the mean takes out.
            turn = (column & 3) * 4 + (row & 3)
            cos, sin = _TURNS[turn, 0] * reach, _TURNS[turn, 1] * reach
            # 1 / here - 1 / there, to first order.
            metres = 1.0 / (here * here)
            blocked = 0.0
            for k in range(_SAMPLES):
                sx = int(x + cos * _SPIRAL[k, 0] - sin * _SPIRAL[k, 1])
                sy = int(y + sin * _SPIRAL[k, 0] + cos * _SPIRAL[k, 1])
                if 0 <= sx < width and 0 <= sy < height:
                    nearer = (depth[sy, sx] - here) * metres
                    if nearer > 0.012:
                        blocked += min((nearer - 0.012) * 25.0, 1.0) * max(0.0, 1.0 - nearer / (4.0 * radius))
            raw[row, column] = 1.0 - blocked / _SAMPLES
    smooth = np.ones_like(depth)
    for y in range(height):
        for x in range(width):
            here = 1.0 * (depth[y, x])
            if here <= 0:
                continue
            total, count = 0.0, 1e-6
            for row in range(max(0, (y >> 1) - 1), min(rows, (y >> 1) + 2)):
                for column in range(max(0, (x >> 1) - 1), min(columns, (x >> 1) + 2)):
                    # Only points on the same surface count.
                    if abs(depth[2 * row, 2 * column] - here) < 0.05 * here * here:
                        total += raw[row, column]
                        count += 1.0
            smooth[y, x] = total / count if count > 0.5 else 1.0
    return smooth


@jit("contract", "arcp", "nsz", "reassoc")
def project(points: FloatArray, matrix: FloatArray, near: float) -> tuple[FloatArray, FloatArray]:
    """Pixels [N, 2] and inverse depths [N] (0 where nearer than ``near``) of points [N, 3] by a [3, 4] matrix."""
    xy = np.zeros((len(points), 2), np.float32)
    inverse = np.zeros(len(points), np.float32)
    for k in range(len(points)):
        x, y, z = points[k, 0], points[k, 1], points[k, 2]
        depth = matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2] * z + matrix[2, 3]
        if depth > near:
            inverse[k] = 1.0 / depth
            xy[k, 0] = (matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2] * z + matrix[0, 3]) / depth
            xy[k, 1] = (matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2] * z + matrix[1, 3]) / depth
    return xy, inverse
