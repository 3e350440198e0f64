"""Growth of a fitted body until its outline is that of the person: clothes and hair get volume.

Vertices on the rim of the projected body look along their normals for the edge of the mask; the others follow by a
smooth field of offsets along the normals (as Alldieck et al., "Tex2Shape", ICCV 2019, deform a body along its normals,
and Photo Wake-Up warps it to the silhouette, Weng et al., CVPR 2019).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse
from scipy.sparse.linalg import splu

from stgmamba.arrays import BoolArray, DoubleArray, FloatArray, IntArray
from stgmamba.body.fitting import FittedBody
from stgmamba.body.template import (
    HEAD,
    KEYPOINTS,
    LEFT_ARM,
    LEFT_LEG,
    RIGHT_ARM,
    RIGHT_LEG,
    TORSO,
    BodyTemplate,
    load_template,
)
from stgmamba.characters.raster import rasterize, vertex_normals

RESOLUTION = 320.0
"""Pixels per metre of the buffers in which bodies and masks are compared."""

_STIFFNESS = 30.0, 30.0, 4.0  # of the field of offsets, by round
_GROWTH = {TORSO: 0.14, HEAD: 0.12, LEFT_ARM: 0.09, RIGHT_ARM: 0.09, LEFT_LEG: 0.14, RIGHT_LEG: 0.14}  # metres
_SHRINKAGE = 0.05  # metres
_RIM_NORMAL = 0.45  # |z| of a normal, below which a vertex can be on the rim
_RIM_DISTANCE = 3.0  # pixels of the buffer between a vertex of the rim and the outline
_SEARCH = np.arange(-0.06, 0.16, 0.003)  # metres along the normal
_SMOOTHING = {TORSO: 60.0, HEAD: 1.5, LEFT_ARM: 8.0, RIGHT_ARM: 8.0, LEFT_LEG: 60.0, RIGHT_LEG: 60.0}
_FOOT_SMOOTHING = 25.0  # makes shoes of toes
_DEPTH_OFFSET = 10.0  # metres, so that depths are positive


class OrthographicBuffer:
    """An orthographic rendering of a fitted body over its picture.

    Args:
        fitted: scale and place of the body in the picture.
        vertices: [V, 3], metres.
        size: (width, height) of the picture in pixels.
        resolution: pixels of the buffer per metre; by default that of the picture.

    Attributes:
        depth: z of the visible surface in metres, [H, W]; -inf where there is none.
        triangle: index of the visible triangle, [H, W]; -1 where there is none.
        pixels: pixels of the vertices in the buffer, [V, 2]; whole numbers are pixel centres.
        zoom: size of the buffer relative to the picture.
    """

    def __init__(
        self, fitted: FittedBody, vertices: FloatArray, size: tuple[int, int], resolution: float | None = None
    ) -> None:
        self._fitted = fitted
        self.zoom = 1.0 if resolution is None else resolution / fitted.pixels_per_metre
        width, height = (max(1, round(side * self.zoom)) for side in size)
        triangles = load_template().triangles
        self.pixels = self.at(vertices)
        inverse_depth = np.zeros((height, width), np.float32)
        self.triangle: IntArray = np.full((height, width), -1, np.int32)
        rasterize(
            (self.pixels + 0.5).astype(np.float32),
            (_DEPTH_OFFSET + vertices[:, 2]).astype(np.float32),
            triangles,
            np.ones(len(vertices), bool),
            inverse_depth,
            self.triangle,
            np.zeros((height, width, 2), np.float32),
        )
        self.depth: FloatArray = np.where(self.triangle >= 0, inverse_depth - _DEPTH_OFFSET, -np.inf).astype(np.float32)

    @property
    def covered(self) -> BoolArray:
        """Whether the body covers a pixel, [H, W]."""
        return np.asarray(self.triangle >= 0)

    def at(self, points: NDArray[Any]) -> DoubleArray:
        """Pixels [..., 2] of the buffer of points [..., 3]."""
        return np.asarray((self._fitted.to_pixels(points) + 0.5) * self.zoom - 0.5)

    def nearest(self, pixels: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows and columns of the nearest pixels of the buffer, each [...]."""
        height, width = self.triangle.shape
        index = np.rint(pixels).astype(np.int64)
        return np.clip(index[..., 1], 0, height - 1), np.clip(index[..., 0], 0, width - 1)

    def of_triangles(self, values: NDArray[np.int64]) -> NDArray[np.int64]:
        """The value [H, W] of the visible triangle's first vertex, of values [V]; -1 where there is none."""
        first = load_template().triangles[np.maximum(self.triangle, 0), 0]
        return np.where(self.triangle >= 0, values[first], -1)

    def resized(self, mask: FloatArray) -> BoolArray:
        """A mask of the picture at the size of the buffer."""
        height, width = self.triangle.shape
        method = cv2.INTER_AREA if self.zoom < 1 else cv2.INTER_CUBIC
        return np.asarray(cv2.resize(mask, (width, height), interpolation=method) > 0.5)


def close_outline(fitted: FittedBody, mask: FloatArray) -> FloatArray:
    """Vertices [V, 3] of a fitted body grown along its normals to the outline of a mask [H, W], and smoothed."""
    template = load_template()
    vertices = fitted.vertices
    rigid = template.hands | _face(fitted)
    growing = ~rigid & ~_beside_face(fitted)
    limit = np.asarray([_GROWTH[part] for part in range(len(_GROWTH))])[template.part]
    for stiffness in _STIFFNESS:
        rim, target = _rim_targets(fitted, vertices, mask)
        usable = growing[rim] & (target < limit[rim]) & (target > -_SHRINKAGE)
        offsets = _offset_field(template, rim[usable], target[usable], rigid, stiffness)
        move = vertex_normals(vertices, template.triangles) * offsets[:, None]
        vertices = (vertices + move[template.nearest_skin]).astype(np.float32)
    return smooth_surface(vertices)


def outline_overlap(fitted: FittedBody, vertices: FloatArray, mask: FloatArray) -> float:
    """Intersection over union, 0..1, of a body's outline and a mask [H, W] within the picture."""
    buffer = OrthographicBuffer(fitted, vertices, (mask.shape[1], mask.shape[0]), RESOLUTION)
    person, body = buffer.resized(mask), buffer.covered
    return float((person & body).sum() / max((person | body).sum(), 1))


def _rim_targets(fitted: FittedBody, vertices: FloatArray, mask: FloatArray) -> tuple[NDArray[np.int64], DoubleArray]:
    """Vertices [R] on the rim of the projected body, and metres [R] along the normal to the edge of the mask.

    Left out are those that would cross another limb on the way, are hidden, or lie where the picture ends.
    """
    template = load_template()
    buffer = OrthographicBuffer(fitted, vertices, (mask.shape[1], mask.shape[0]), RESOLUTION)
    person, body = buffer.resized(mask), buffer.covered
    height, width = body.shape
    normals = vertex_normals(vertices, template.triangles)
    pixels = buffer.pixels
    inside = ((pixels > 2) & (pixels < (width - 3, height - 3))).all(axis=1)
    rows, columns = buffer.nearest(pixels)
    near_edge = cv2.distanceTransform(body.astype(np.uint8), cv2.DIST_L2, 5)[rows, columns] < _RIM_DISTANCE
    front = ndimage.maximum_filter(np.where(body, buffer.depth, -_DEPTH_OFFSET), 5)[rows, columns]
    seen = front - vertices[:, 2] < 0.12
    rim = np.nonzero(template.skin & inside & (np.abs(normals[:, 2]) < _RIM_NORMAL) & near_edge & seen)[0]

    outward = normals[rim, :2] * (1, -1)
    outward /= np.linalg.norm(outward, axis=1, keepdims=True) + 1e-9
    ray = pixels[rim, None] + _SEARCH[None, :, None] * RESOLUTION * outward[:, None]
    ray_rows, ray_columns = buffer.nearest(ray)
    person_there, body_there = person[ray_rows, ray_columns], body[ray_rows, ray_columns]
    zero = int(np.searchsorted(_SEARCH, 0.0))
    start_inside = person_there[:, zero]

    left = ~person_there[:, zero:]
    outer = zero + left.argmax(axis=1)
    steps = np.arange(len(_SEARCH))
    between = (steps >= zero + 3) & (steps < outer[:, None])
    crossing = (body_there & between).any(axis=1)
    grows = start_inside & left.any(axis=1) & ~crossing
    back = person_there[:, :zero][:, ::-1]
    inner = zero - 1 - back.argmax(axis=1)
    shrinks = ~start_inside & back.any(axis=1)

    target = np.where(grows, _SEARCH[outer] - 0.0015, _SEARCH[inner])  # half a step back to the mask's side
    usable = grows | shrinks
    return rim[usable], target[usable]


def _offset_field(
    template: BodyTemplate, rim: NDArray[np.int64], target: DoubleArray, rigid: BoolArray, stiffness: float
) -> DoubleArray:
    """Offsets [V] along the normals: as wanted on the rim, 0 where rigid, bilaplacian smooth between."""
    count = len(template.mean)
    constrained, wanted = np.zeros(count), np.zeros(count)
    constrained[rim], wanted[rim] = 1.0, target
    constrained[rigid] = 1.0
    wanted[rigid] = 0.0
    bilaplacian, graph = _smoothness()
    system = sparse.diags(constrained + 2e-4) + stiffness * bilaplacian + 0.01 * graph
    return np.asarray(symmetric_solver(system).solve(constrained * wanted))


def symmetric_solver(matrix: Any) -> Any:
    """A factorised sparse symmetric positive definite matrix; its ``solve`` takes right-hand sides."""
    return splu(matrix.tocsc(), permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True})


@lru_cache(maxsize=1)
def _smoothness() -> tuple[sparse.csc_matrix, sparse.csc_matrix]:
    """Bilaplacian and graph Laplacian of the template, [V, V] each."""
    template = load_template()
    degree = np.asarray(template.adjacency.sum(axis=1)).ravel()
    return (template.laplacian.T @ template.laplacian).tocsc(), (sparse.diags(degree) - template.adjacency).tocsc()


@lru_cache(maxsize=1)
def _smoothing_solver() -> tuple[Any, DoubleArray]:
    template = load_template()
    weight = np.asarray([_SMOOTHING[part] for part in range(len(_SMOOTHING))])[template.part]
    weight[template.of_bones("leftFoot", "rightFoot", "leftToes", "rightToes")] = _FOOT_SMOOTHING
    weight[template.hands] = 0.0
    head = template.part == HEAD
    degree = np.maximum(np.asarray(template.adjacency.sum(axis=1)).ravel(), 1)
    for _ in range(10):  # no step in smoothness where parts meet
        weight = np.where(head, _SMOOTHING[HEAD], template.adjacency @ weight / degree)
    bilaplacian, _ = _smoothness()
    # Divided by the weights, (1 + w L^T L) x = v becomes symmetric; rigid vertices get a tiny one.
    inverse = 1 / np.maximum(weight, 1e-4)
    return symmetric_solver(sparse.diags(inverse) + bilaplacian), inverse


def smooth_surface(vertices: FloatArray) -> FloatArray:
    """Vertices [V, 3] with the anatomy under clothes smoothed away, and shoes of toes; hands stay."""
    solver, inverse = _smoothing_solver()
    smooth = np.stack([solver.solve(inverse * vertices[:, c]) for c in range(3)], axis=1)
    return np.where(load_template().skin[:, None], smooth, vertices).astype(np.float32)


def _head_frame(fitted: FittedBody) -> tuple[DoubleArray, DoubleArray, float]:
    """Metres of each vertex in front of the ears [V], the middle of the ears [3], and the height of the hairline."""
    point = {name: fitted.keypoints[i] for i, name in enumerate(KEYPOINTS)}
    ears = (point["left_ear"] + point["right_ear"]) / 2
    forward = point["nose"] - ears
    forward /= np.linalg.norm(forward)
    eyes = (point["left_eye"] + point["right_eye"]) / 2
    top = fitted.vertices[load_template().of_bones("head"), 1].max()
    return (fitted.vertices - ears) @ forward, ears, float(eyes[1] + 0.4 * (top - eyes[1]))


def _face(fitted: FittedBody) -> BoolArray:
    """Whether a vertex belongs to the face below the hairline, [V]."""
    ahead, _, hairline = _head_frame(fitted)
    return np.asarray(load_template().of_bones("head") & (ahead > 0.015) & (fitted.vertices[:, 1] < hairline))


def _beside_face(fitted: FittedBody) -> BoolArray:
    """Whether a vertex lies between face and ears, [V]: hair grows there from behind the ears, jaws do not."""
    ahead, _, hairline = _head_frame(fitted)
    return np.asarray(load_template().of_bones("head") & (ahead > 0.0) & (fitted.vertices[:, 1] < hairline))
