"""Compiled inner loops of the limb warp: textured triangles, geodesic labels, nearest-patch search."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from stgmamba.arrays import FloatArray
from stgmamba.jit import jit


@jit()
def draw_triangles(
    frame: FloatArray,
    texture: FloatArray,
    corners: NDArray[np.float64],
    source: NDArray[np.float64],
    order: NDArray[np.int64],
) -> None:
    """Draw textured triangles over a frame, in the order given; adjacent triangles share no pixel and leave no gap.

    Args:
        frame: float32 [H, W, 3], or [H, W, 4] to accumulate the coverage too; updated in place.
        texture: float32 [h, w, 4], colours premultiplied by alpha, and alpha (0..1).
        corners: float64 [N, 3, 2], corners in the frame (x, y pixels).
        source: float64 [N, 3, 2], the same corners in the texture.
        order: int64 [M], indices of the triangles to draw, back to front.
    """
    height, width = frame.shape[0], frame.shape[1]
    rows, columns = texture.shape[0], texture.shape[1]
    for n in order:
        x0, y0 = corners[n, 0, 0], corners[n, 0, 1]
        x1, y1 = corners[n, 1, 0], corners[n, 1, 1]
        x2, y2 = corners[n, 2, 0], corners[n, 2, 1]
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if abs(area) < 1e-6:
            continue
        # Texture coordinates are affine in the pixel's: u = u0 + ux (x - x0) + uy (y - y0).
        du1, dv1 = source[n, 1, 0] - source[n, 0, 0], source[n, 1, 1] - source[n, 0, 1]
        du2, dv2 = source[n, 2, 0] - source[n, 0, 0], source[n, 2, 1] - source[n, 0, 1]
        ux = (du1 * (y2 - y0) - du2 * (y1 - y0)) / area
        uy = (du2 * (x1 - x0) - du1 * (x2 - x0)) / area
        vx = (dv1 * (y2 - y0) - dv2 * (y1 - y0)) / area
        vy = (dv2 * (x1 - x0) - dv1 * (x2 - x0)) / area
        top = max(0, math.ceil(min(y0, y1, y2)))
        bottom = min(height, math.ceil(max(y0, y1, y2)))
        for y in range(top, bottom):
            left, right = 1e18, -1e18
            for k in range(3):
                ax, ay = corners[n, k, 0], corners[n, k, 1]
                bx, by = corners[n, (k + 1) % 3, 0], corners[n, (k + 1) % 3, 1]
                # The two triangles of an edge must compute the same crossing, so edges are directed downwards.
                if ay > by:
                    ax, ay, bx, by = bx, by, ax, ay
                if ay <= y < by:
                    x = ax + (bx - ax) * ((y - ay) / (by - ay))
                    left = min(left, x)
                    right = max(right, x)
            if right <= left:
                continue
            for x in range(max(0, math.ceil(left)), min(width, math.ceil(right))):
                u = source[n, 0, 0] + ux * (x - x0) + uy * (y - y0)
                v = source[n, 0, 1] + vx * (x - x0) + vy * (y - y0)
                u = min(max(u, 0.0), columns - 1.001)
                v = min(max(v, 0.0), rows - 1.001)
                i, j = int(v), int(u)
                fv, fu = v - i, u - j
                a, b = (1 - fv) * (1 - fu), (1 - fv) * fu
                c, d = fv * (1 - fu), fv * fu
                alpha = (
                    a * texture[i, j, 3]
                    + b * texture[i, j + 1, 3]
                    + c * texture[i + 1, j, 3]
                    + d * texture[i + 1, j + 1, 3]
                )
                if alpha <= 0.002:
                    continue
                for k in range(3):
                    colour = (
                        a * texture[i, j, k]
                        + b * texture[i, j + 1, k]
                        + c * texture[i + 1, j, k]
                        + d * texture[i + 1, j + 1, k]
                    )
                    frame[y, x, k] = frame[y, x, k] * (1 - alpha) + colour
                if frame.shape[2] == 4:
                    frame[y, x, 3] = frame[y, x, 3] * (1 - alpha) + alpha


@jit()
def geodesic_labels(
    labels: NDArray[np.int32],
    allowed: NDArray[np.bool_],
    edge: FloatArray,
    colours: FloatArray,
    colour_weight: float,
    sweeps: int,
) -> None:
    """Grow seed labels by geodesic distance: each pixel takes the label of the seed with the cheapest path to it.

    A step costs its length times 1 + the edge strength it crosses + the colour difference between the pixel and the
    path's seed. Distances are propagated by raster sweeps in alternating directions (Toivanen 1996).

    Args:
        labels: int32 [H, W], seeds, 0 elsewhere; written.
        allowed: bool [1 + highest label, H, W], pixels that each label may take.
        edge: float32 [H, W], cost of crossing a pixel, >= 0.
        colours: float32 [H, W, 3], smoothed colours.
        colour_weight: cost per unit of colour difference.
        sweeps: largest number of pairs of a forward and a backward sweep.
    """
    height, width = labels.shape
    distance = np.full((height, width), np.float32(1e9), np.float32)
    origin = np.zeros((height, width, 3), np.float32)
    for y in range(height):
        for x in range(width):
            if labels[y, x] > 0:
                distance[y, x] = 0.0
                origin[y, x] = colours[y, x]
    for sweep in range(2 * sweeps):
        forward = sweep % 2 == 0
        changed = False
        for yy in range(height):
            y = yy if forward else height - 1 - yy
            for xx in range(width):
                x = xx if forward else width - 1 - xx
                best, from_y, from_x = distance[y, x], -1, -1
                for dy in range(-1, 2):
                    for dx in range(-1, 2):
                        j, i = y + dy, x + dx
                        if (dy == 0 and dx == 0) or j < 0 or i < 0 or j >= height or i >= width:
                            continue
                        if distance[j, i] >= best or not allowed[labels[j, i], y, x]:
                            continue
                        squared = 0.0
                        for k in range(3):
                            squared += (colours[y, x, k] - origin[j, i, k]) ** 2
                        step = 1.4142 if dy != 0 and dx != 0 else 1.0
                        d = distance[j, i] + step * (
                            1.0 + 0.5 * (edge[y, x] + edge[j, i]) + colour_weight * math.sqrt(squared)
                        )
                        if d < best:
                            best, from_y, from_x = d, j, i
                if from_y >= 0:
                    distance[y, x] = best
                    labels[y, x] = labels[from_y, from_x]
                    origin[y, x] = origin[from_y, from_x]
                    changed = True
        if not changed:
            break


@jit()
def _patch_distance(
    picture: FloatArray, confidence: FloatArray, y: int, x: int, v: int, u: int, radius: int, limit: float
) -> float:
    """Confidence-weighted mean squared difference of two patches; infinite once it is sure to exceed ``limit``."""
    height, width = picture.shape[0], picture.shape[1]
    total, weight = 0.0, 1e-6
    # The confidence is at most 1, so the weights add up to at most the patch's number of pixels.
    bound = limit * (2 * radius + 1) ** 2
    for dy in range(-radius, radius + 1):
        if total > bound:
            return math.inf
        for dx in range(-radius, radius + 1):
            a, b = y + dy, x + dx
            if a < 0 or b < 0 or a >= height or b >= width:
                continue
            w = confidence[a, b]
            for k in range(3):
                difference = picture[a, b, k] - picture[v + dy, u + dx, k]
                total += w * difference * difference
            weight += w
    return total / weight


@jit()
def search_patches(
    picture: FloatArray,
    confidence: FloatArray,
    pixels: NDArray[np.int64],
    valid: NDArray[np.bool_],
    matches: NDArray[np.int32],
    distance: FloatArray,
    iterations: int,
    radius: int,
    seed: int,
) -> None:
    """PatchMatch (Barnes et al. 2009): for each pixel of a hole the most similar patch outside of it.

    Args:
        picture: float32 [H, W, 3] with the hole initialised.
        confidence: float32 [H, W] in 0..1, weight of each pixel in patch distances.
        pixels: int64 [N, 2] (y, x) of the hole in raster order.
        valid: bool [H, W], centres of patches that lie outside the hole and inside the picture.
        matches: int32 [H, W, 2], (y, x) of each pixel's match; initialised with valid centres, updated in place.
        distance: float32 [H, W], patch distance of each match; written.
        iterations: number of propagation sweeps.
        radius: patch radius in pixels.
        seed: of the random search.
    """
    np.random.seed(seed)  # noqa: NPY002 - Numba's own generator
    height, width = picture.shape[0], picture.shape[1]
    count = len(pixels)
    for iteration in range(iterations):
        step = 1 if iteration % 2 == 0 else -1
        for n in range(count):
            y, x = pixels[n if step == 1 else count - 1 - n]
            v, u = matches[y, x]
            best = _patch_distance(picture, confidence, y, x, v, u, radius, 1e18)
            for k in range(2):
                j, i = (y - step, x) if k == 0 else (y, x - step)
                if j < 0 or i < 0 or j >= height or i >= width:
                    continue
                vv, uu = matches[j, i]
                if vv < 0:
                    continue
                vv, uu = vv + (y - j), uu + (x - i)
                if vv < 0 or uu < 0 or vv >= height or uu >= width or not valid[vv, uu]:
                    continue
                d = _patch_distance(picture, confidence, y, x, vv, uu, radius, best)
                if d < best:
                    best, v, u = d, vv, uu
            radius_of_search = float(max(height, width))
            while radius_of_search > 1.0:
                vv = int(v + (np.random.random() * 2 - 1) * radius_of_search)  # noqa: NPY002
                uu = int(u + (np.random.random() * 2 - 1) * radius_of_search)  # noqa: NPY002
                if 0 <= vv < height and 0 <= uu < width and valid[vv, uu]:
                    d = _patch_distance(picture, confidence, y, x, vv, uu, radius, best)
                    if d < best:
                        best, v, u = d, vv, uu
                radius_of_search *= 0.5
            matches[y, x, 0], matches[y, x, 1] = v, u
            distance[y, x] = best


@jit()
def vote_patches(
    picture: FloatArray,
    confidence: FloatArray,
    pixels: NDArray[np.int64],
    matches: NDArray[np.int32],
    distance: FloatArray,
    spread: float,
    radius: int,
) -> FloatArray:
    """New colours of a hole: each pixel the weighted mean over the matched patches that overlap it.

    Args:
        picture: float32 [H, W, 3].
        confidence: float32 [H, W], weight of the patch around each pixel.
        pixels: int64 [N, 2] (y, x) of the hole.
        matches: int32 [H, W, 2], (-1, -1) outside of the hole.
        distance: float32 [H, W], patch distance of each match.
        spread: patch distance, above the smallest, at which a patch's weight falls to 1 / e.
        radius: patch radius in pixels.

    Returns:
        float32 [N, 3].
    """
    height, width = picture.shape[0], picture.shape[1]
    result = np.zeros((len(pixels), 3), np.float32)
    for n in range(len(pixels)):
        y, x = pixels[n]
        weight = 0.0
        lowest = 1e30
        for dy in range(-radius, radius + 1):
            for dx in range(-radius, radius + 1):
                j, i = y + dy, x + dx
                if 0 <= j < height and 0 <= i < width and matches[j, i, 0] >= 0:
                    lowest = min(lowest, distance[j, i])
        for dy in range(-radius, radius + 1):
            for dx in range(-radius, radius + 1):
                j, i = y + dy, x + dx
                if j < 0 or i < 0 or j >= height or i >= width or matches[j, i, 0] < 0:
                    continue
                # Patches centred closer to the pixel count more.
                w = (1e-3 + confidence[j, i]) * math.exp((lowest - distance[j, i]) / spread) / (1.0 + dy * dy + dx * dx)
                v, u = matches[j, i, 0] - dy, matches[j, i, 1] - dx
                for k in range(3):
                    result[n, k] += w * picture[v, u, k]
                weight += w
        for k in range(3):
            result[n, k] /= weight
    return result
