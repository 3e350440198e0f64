"""Grids of points that make up a drawn person, and small vector helpers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from stgmamba.arrays import FloatArray, IntArray, unit


@dataclass(frozen=True)
class Part:
    """A tube: rings of points.

    Attributes:
        points: [R, S, 3] metres; ring r runs round the tube, its last point joins its first.
        texture: [R, S, 3] the part's own coordinates, from which its material paints patterns and features.
        inputs: row of the look's material table.
    """

    points: FloatArray
    texture: FloatArray
    inputs: int


@dataclass(frozen=True)
class Sweep:
    """Several tubes along one line, kept together so that one computation moves them all.

    Attributes:
        at: place of each ring along the line, [R].
        x, z: each point's offset across and forward of the line, [R, S].
        texture: [R, S, 3].
        pieces: for each tube its first ring, the ring after its last, and its material.
    """

    at: FloatArray
    x: FloatArray
    z: FloatArray
    texture: FloatArray
    pieces: tuple[tuple[int, int, int], ...]

    def along(self, centre: FloatArray, across: FloatArray, forward: FloatArray) -> list[Part]:
        """The tubes along a line with its two axes, each [R, 3]."""
        points = centre[:, None] + across[:, None] * self.x[..., None] + forward[:, None] * self.z[..., None]
        return [Part(points[a:b], self.texture[a:b], inputs) for a, b, inputs in self.pieces]


def sweep(tubes: list[tuple[FloatArray, FloatArray, FloatArray, FloatArray, int]]) -> Sweep:
    """Put tubes (at [R], x [R, S], z [R, S], texture [R, S, 3], material) together."""
    stops = np.cumsum([len(tube[0]) for tube in tubes])
    pieces = tuple((int(stop) - len(tube[0]), int(stop), tube[4]) for stop, tube in zip(stops, tubes, strict=True))
    at, x, z, texture = (np.concatenate([tube[i] for tube in tubes]).astype(np.float32) for i in range(4))
    return Sweep(at, x, z, texture, pieces)


class Rigid:
    """Parts that keep their shape and only turn and move.

    Args:
        parts: in their own axes.
    """

    def __init__(self, parts: list[Part]) -> None:
        self._parts = parts
        self._points = np.concatenate([part.points.reshape(-1, 3) for part in parts]).astype(np.float32)

    def place(self, turn: FloatArray, origin: FloatArray) -> list[Part]:
        """The parts with their axes along the rows of ``turn`` [3, 3] and their origin at ``origin`` [3]."""
        points = self._points @ turn + origin
        placed, start = [], 0
        for part in self._parts:
            rings, sides = part.points.shape[:2]
            placed.append(
                Part(points[start : start + rings * sides].reshape(rings, sides, 3), part.texture, part.inputs)
            )
            start += rings * sides
        return placed


@dataclass(frozen=True)
class Topology:
    """What stays the same from frame to frame.

    Attributes:
        triangles: [F, 3].
        inputs: of each triangle, [F].
        solid: whether the surface at a vertex is closed, so that its back never shows, [V].
        texture: the parts' own coordinates, [V, 3].
        casting: the triangles that cast shadows, [G, 3].
    """

    triangles: IntArray
    inputs: IntArray
    solid: NDArray[np.bool_]
    texture: FloatArray
    casting: IntArray


def topology(parts: list[Part], hollow: set[int], light: set[int]) -> Topology:
    """Triangulate parts in the order of their points.

    Args:
        parts: all of a person's.
        hollow: materials of open tubes, whose inside may show.
        light: materials that cast no shadow worth drawing.
    """
    triangles, materials, solids = [], [], []
    start = 0
    for part in parts:
        rings, sides = part.points.shape[:2]
        index = start + np.arange(rings * sides).reshape(rings, sides)
        a, b = index[:-1], np.roll(index[:-1], -1, axis=1)
        c, d = index[1:], np.roll(index[1:], -1, axis=1)
        faces = np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([b, d, c], -1).reshape(-1, 3)])
        if _inside_out(part.points):
            faces = faces[:, ::-1]
        triangles.append(faces)
        materials.append(np.full(len(faces), part.inputs))
        solids.append(np.full(rings * sides, part.inputs not in hollow))
        start += rings * sides
    faces = np.ascontiguousarray(np.concatenate(triangles), np.int32)
    inputs = np.concatenate(materials).astype(np.int32)
    texture = np.ascontiguousarray(np.concatenate([part.texture.reshape(-1, 3) for part in parts]), np.float32)
    casting = np.ascontiguousarray(faces[~np.isin(inputs, list(light))])
    return Topology(faces, inputs, np.concatenate(solids), texture, casting)


def _inside_out(points: FloatArray) -> bool:
    """Whether triangles (a, next in ring, next ring) face the inside of the tube."""
    along = points[1:] - points[:-1]
    around = np.roll(points, -1, axis=1) - points
    normal = np.cross(around[:-1], along)
    outward = points[:-1] - points[:-1].mean(axis=1, keepdims=True)
    return float((normal * outward).sum()) < 0


def profile(knots: Sequence[tuple[float, ...]], at: FloatArray) -> FloatArray:
    """Smooth columns [columns, N] without overshoot through knots (position, value, ...), at positions ``at`` [N]."""
    table = np.asarray(knots, np.float64)
    order = np.argsort(table[:, 0])
    curve = PchipInterpolator(table[order, 0], table[order, 1:], axis=0)
    return np.ascontiguousarray(curve(np.clip(at, table[:, 0].min(), table[:, 0].max())).T.astype(np.float32))


def ring(sides: int, power: float = 1.0) -> tuple[FloatArray, FloatArray]:
    """(cos, sin) round a superellipse, each [S]; power < 1 is boxier than an ellipse. Point 0 lies to the left (+x)."""
    angle = np.arange(sides) * (2 * np.pi / sides)
    cos, sin = np.cos(angle), np.sin(angle)
    return (
        (np.sign(cos) * np.abs(cos) ** power).astype(np.float32),
        (np.sign(sin) * np.abs(sin) ** power).astype(np.float32),
    )


def cross(a: FloatArray, b: FloatArray) -> FloatArray:
    """Cross product of vectors [..., 3]; numpy's own is several times slower on few vectors."""
    out = np.empty(np.broadcast_shapes(a.shape, b.shape), np.float32)
    out[..., 0] = a[..., 1] * b[..., 2] - a[..., 2] * b[..., 1]
    out[..., 1] = a[..., 2] * b[..., 0] - a[..., 0] * b[..., 2]
    out[..., 2] = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    return out


def reject(v: FloatArray, axis: FloatArray) -> FloatArray:
    """The part of v [..., 3] at right angles to unit vectors axis [..., 3]."""
    return np.asarray(v - axis * (v * axis).sum(axis=-1, keepdims=True), np.float32)


def frame(across: FloatArray, up: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Right-handed unit axes (across, up, forward), each [3]: up is kept, across made square to it."""
    up = unit(up)
    spare = np.asarray([1.0, 0.0, 0.0] if abs(up[0]) < 0.9 else [0.0, 0.0, 1.0], np.float32)
    across = unit(reject(across, up), unit(reject(spare, up)))
    return across, up, cross(across, up)
