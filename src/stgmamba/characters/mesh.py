"""Meshes of tubes that make up a procedural person, and small vector helpers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.interpolate import PchipInterpolator

from stgmamba.arrays import BoolArray, DoubleArray, FloatArray, IntArray, unit


@dataclass(frozen=True)
class Part:
    """A tube: rings of points.

    Attributes:
        points: [R, S, 3] metres; ring r runs round the tube, its last point is joined to its first.
        texcoords: [R, S, 3] coordinates in the part's own frame, from which its material computes the colour.
        material: row of the appearance's material table.
    """

    points: FloatArray
    texcoords: FloatArray
    material: int


class Tube(NamedTuple):
    """A tube along a line that is not yet placed.

    Attributes:
        position: of each ring along the line, [R].
        x, z: each point's offset across and forward of the line, [R, S] metres.
        texcoords: [R, S, 3].
        material: row of the material table.
    """

    position: FloatArray
    x: FloatArray
    z: FloatArray
    texcoords: FloatArray
    material: int


@dataclass(frozen=True)
class Sweep:
    """Several tubes along one line, concatenated so that one computation places them all.

    Attributes:
        position, x, z, texcoords: as in ``Tube``, of all rings.
        pieces: for each tube its first ring, the ring after its last, and its material.
    """

    position: FloatArray
    x: FloatArray
    z: FloatArray
    texcoords: FloatArray
    pieces: tuple[tuple[int, int, int], ...]

    @classmethod
    def of(cls, tubes: list[Tube]) -> Sweep:
        """Concatenate tubes."""
        stops = np.cumsum([len(tube.position) for tube in tubes])
        pieces = tuple(
            (int(stop) - len(tube.position), int(stop), tube.material) for stop, tube in zip(stops, tubes, strict=True)
        )
        position, x, z, texcoords = (np.concatenate([tube[i] for tube in tubes]).astype(np.float32) for i in range(4))
        return cls(position, x, z, texcoords, pieces)

    def place(self, centre: FloatArray, across: FloatArray, forward: FloatArray) -> list[Part]:
        """The tubes along a line with two axes at right angles to it, each [R, 3]."""
        points = centre[:, None] + across[:, None] * self.x[..., None] + forward[:, None] * self.z[..., None]
        return [Part(points[a:b], self.texcoords[a:b], material) for a, b, material in self.pieces]


class RigidParts:
    """Parts that only rotate and move together.

    Args:
        parts: in their common frame.
    """

    def __init__(self, parts: list[Part]) -> None:
        self._parts = parts
        self._points = np.concatenate([part.points.reshape(-1, 3) for part in parts]).astype(np.float32)

    def place(self, axes: FloatArray, origin: FloatArray) -> list[Part]:
        """The parts with the axes of their frame along the rows of ``axes`` [3, 3] and its origin at ``origin`` [3]."""
        points = self._points @ axes + origin
        placed, start = [], 0
        for part in self._parts:
            rings, sides = part.points.shape[:2]
            placed.append(
                Part(points[start : start + rings * sides].reshape(rings, sides, 3), part.texcoords, part.material)
            )
            start += rings * sides
        return placed


@dataclass(frozen=True)
class Topology:
    """The pose-independent part of a mesh.

    Attributes:
        triangles: vertex indices, [F, 3].
        materials: row of the material table of each triangle, [F].
        closed: whether the surface at a vertex is closed, so that back faces are never visible, [V].
        texcoords: [V, 3].
        shadow_casters: the triangles that cast shadows, [G, 3].
    """

    triangles: IntArray
    materials: IntArray
    closed: BoolArray
    texcoords: FloatArray
    shadow_casters: IntArray


def triangulate(parts: list[Part], open_materials: set[int], shadowless: set[int]) -> Topology:
    """Triangulate parts; vertices are numbered in the order of the parts and their points.

    Args:
        parts: all of a person's.
        open_materials: materials of open tubes, whose inside may be visible.
        shadowless: materials that cast no visible shadow.
    """
    triangles, materials, closed = [], [], []
    start = 0
    for part in parts:
        rings, sides = part.points.shape[:2]
        index = start + np.arange(rings * sides).reshape(rings, sides)
        a, b = index[:-1], np.roll(index[:-1], -1, axis=1)
        c, d = index[1:], np.roll(index[1:], -1, axis=1)
        faces = np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([b, d, c], -1).reshape(-1, 3)])
        if _is_inside_out(part.points):
            faces = faces[:, ::-1]
        triangles.append(faces)
        materials.append(np.full(len(faces), part.material))
        closed.append(np.full(rings * sides, part.material not in open_materials))
        start += rings * sides
    faces = np.ascontiguousarray(np.concatenate(triangles), np.int32)
    material = np.concatenate(materials).astype(np.int32)
    texcoords = np.ascontiguousarray(np.concatenate([part.texcoords.reshape(-1, 3) for part in parts]), np.float32)
    shadow_casters = np.ascontiguousarray(faces[~np.isin(material, list(shadowless))])
    return Topology(faces, material, np.concatenate(closed), texcoords, shadow_casters)


def _is_inside_out(points: FloatArray) -> bool:
    """Whether triangles (a, next in the ring, next ring) are oriented to the inside of the tube."""
    along = points[1:] - points[:-1]
    around = np.roll(points, -1, axis=1) - points
    normal = np.cross(around[:-1], along)
    outward = points[:-1] - points[:-1].mean(axis=1, keepdims=True)
    return float((normal * outward).sum()) < 0


def interpolate_profile(knots: DoubleArray, positions: FloatArray) -> FloatArray:
    """Monotone cubic interpolation (Fritsch, Carlson 1980) of a profile; constant beyond its ends.

    Args:
        knots: [K, 1 + C]: positions, increasing, and C columns of values.
        positions: [N].

    Returns:
        float32 [C, N].
    """
    curve = PchipInterpolator(knots[:, 0], knots[:, 1:], axis=0)
    return np.ascontiguousarray(curve(np.clip(positions, knots[0, 0], knots[-1, 0])).T.astype(np.float32))


def superellipse(sides: int, exponent: float = 1.0) -> tuple[FloatArray, FloatArray]:
    """(x, z) of points round a superellipse of half-axes 1, each [S]; point 0 lies at x = 1.

    Args:
        sides: number of points.
        exponent: of cosine and sine; 1 gives a circle, less a boxier shape.
    """
    angle = np.arange(sides) * (2 * np.pi / sides)
    cos, sin = np.cos(angle), np.sin(angle)
    return (
        (np.sign(cos) * np.abs(cos) ** exponent).astype(np.float32),
        (np.sign(sin) * np.abs(sin) ** exponent).astype(np.float32),
    )


def cross(a: FloatArray, b: FloatArray) -> FloatArray:
    """Cross product of vectors [..., 3]; ``np.cross`` is several times slower on few vectors."""
    out = np.empty(np.broadcast_shapes(a.shape, b.shape), np.float32)
    out[..., 0] = a[..., 1] * b[..., 2] - a[..., 2] * b[..., 1]
    out[..., 1] = a[..., 2] * b[..., 0] - a[..., 0] * b[..., 2]
    out[..., 2] = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    return out


def reject(v: FloatArray, axis: FloatArray) -> FloatArray:
    """Vector rejection: the component of v [..., 3] at right angles to unit vectors axis [..., 3]."""
    return np.asarray(v - axis * (v * axis).sum(axis=-1, keepdims=True), np.float32)


def orthonormal_axes(across: FloatArray, up: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Right-handed unit axes (across, up, forward), each [3]: along ``up``, and ``across`` made orthogonal to it."""
    up = unit(up)
    fallback = np.asarray([1.0, 0.0, 0.0] if abs(up[0]) < 0.9 else [0.0, 0.0, 1.0], np.float32)
    across = unit(reject(across, up), unit(reject(fallback, up)))
    return across, up, cross(across, up)
