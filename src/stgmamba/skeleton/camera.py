"""A camera that looks at the dance floor, and where to put it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import gaussian_filter1d, median_filter
from scipy.spatial import ConvexHull, QhullError

from stgmamba.arrays import BoolArray, DoubleArray, FloatArray, unit
from stgmamba.skeleton.sequence import Skeleton

NEAR = 0.05  # metres; what is nearer than this, or behind the camera, is not seen
HEIGHT = 1.2  # metres; about the middle of a dancer with raised arms
FOCAL = 1.5  # focal length in parts of the longer side: a field of view of 37 degrees, as people are photographed
_HEAD_ROOM = 0.2  # metres from the eyes up to the hair
_HAND = 0.18  # metres from the wrist to the finger tips
_SCALE_SECONDS = 0.2  # smoothing of a person's estimated size, which is noisy and changes slowly


@dataclass(frozen=True)
class Camera:
    """A pinhole camera without roll that stands at a height and looks at a point.

    Attributes:
        yaw: radians around the dancer; 0 stands in front of a person of yaw 0 (on the +z side), pi/2 on the +x side.
        height: metres above the floor.
        distance: metres from the target, measured along the floor, > 0.
        focal: focal length in pixels, > 0.
        size: (width, height) of the picture in pixels.
        target: (x, y, z) in metres, the point in the middle of the picture.
    """

    yaw: float
    height: float
    distance: float
    focal: float
    size: tuple[int, int]
    target: tuple[float, float, float]

    @property
    def position(self) -> NDArray[np.float64]:
        """Where the camera stands, [3] metres."""
        x, _, z = self.target
        return np.array([x + self.distance * np.sin(self.yaw), self.height, z + self.distance * np.cos(self.yaw)])

    @property
    def axes(self) -> NDArray[np.float64]:
        """Unit vectors of the picture in the world, rows: right, up, away from the camera; [3, 3]."""
        sin, cos = math.sin(self.yaw), math.cos(self.yaw)
        down = (self.target[1] - self.height) / math.hypot(self.distance, self.target[1] - self.height)
        level = self.distance / math.hypot(self.distance, self.target[1] - self.height)
        return np.array(
            [[cos, 0.0, -sin], [sin * down, level, cos * down], [-sin * level, down, -cos * level]], np.float64
        )

    def project(self, positions: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Project points to the picture.

        Args:
            positions: [..., 3], metres.

        Returns:
            Pixels float32 [..., 2] (whole numbers are pixel centres) and depths float32 [...] in metres along the
            viewing direction. A depth below ``NEAR`` is not seen, and its pixel means nothing.
        """
        seen = (np.asarray(positions, np.float64) - self.position) @ self.axes.T
        x, y, depth = seen[..., 0], seen[..., 1], seen[..., 2]
        scale = self.focal / np.maximum(depth, NEAR)
        width, height = self.size
        xy = np.stack([(width - 1) / 2 + x * scale, (height - 1) / 2 - y * scale], axis=-1)
        return xy.astype(np.float32), depth.astype(np.float32)


def frame_dance(
    skeleton: Skeleton, size: tuple[int, int], yaw: float = 0.0, height: float = HEIGHT, margin: float = 0.08
) -> Camera:
    """The nearest camera of a given direction that keeps a whole dance in the picture.

    Every known joint of every frame, the hair and the finger tips stay inside, and what they sweep over is centred.

    Args:
        skeleton: 3-D, any layout.
        size: (width, height) of the picture in pixels.
        yaw: radians, see ``Camera``.
        height: metres above the floor.
        margin: part of each side of the picture that stays free, 0 <= margin < 0.5.

    Raises:
        ValueError: not 3-D, no known joint, positions that are no numbers, a margin out of its range, or a picture of
            less than 2 x 2 pixels.
    """
    if skeleton.dims != 3:
        raise ValueError("only a 3-D skeleton can be framed")
    if min(size) < 2:
        raise ValueError(f"a dance cannot be framed in {size[0]} x {size[1]} pixels")
    if not 0 <= margin < 0.5:
        raise ValueError(f"margin must lie in 0 <= margin < 0.5, got {margin}")
    extremes = _extremes(skeleton)
    if not np.isfinite(extremes).all():
        raise ValueError("a dance with positions that are no numbers cannot be framed")
    points = _hull(extremes)
    room = (np.array(size) - 1) * (1 - 2 * margin)
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    toward = np.array([np.sin(yaw), 0.0, np.cos(yaw)])
    # Nearer than this the camera would stand among the dancer's own limbs.
    near = float(np.max((points - middle) @ toward)) + 0.5
    start = Camera(yaw, height, near, FOCAL * max(size), size, (float(middle[0]), float(middle[1]), float(middle[2])))

    def fits(distance: float) -> Camera | None:
        camera = _centred(replace(start, distance=distance), points)
        xy, depth = camera.project(points)
        off = np.abs(xy - (np.array(size) - 1) / 2).max(axis=0)
        return camera if depth.min() > NEAR and (off <= room / 2).all() else None

    far = near
    while (best := fits(far)) is None:
        far *= 1.5
    for _ in range(20):
        between = (near + far) / 2
        if (camera := fits(between)) is None:
            near = between
        else:
            far, best = between, camera
    return best


def project_skeleton(skeleton: Skeleton, camera: Camera) -> Skeleton:
    """A 3-D dance as the camera sees it: 2-D, with the camera's size; joints behind it get confidence 0."""
    xy, depth = camera.project(skeleton.positions)
    seen = depth > NEAR
    positions = np.where(seen[..., None], xy, np.float32(0))
    return replace(skeleton, positions=positions, confidence=skeleton.confidence * seen, size=camera.size)


def pixels_per_metre(skeleton: Skeleton, world: FloatArray) -> DoubleArray:
    """Size of a filmed person in each frame, [T], pixels per metre: least-squares scale of 3-D to 2-D joints, smoothed.

    Args:
        skeleton: 2-D, T frames; confidence 0 where nobody was detected, which takes the nearest frame's size.
        world: [T, J, 3], the same joints in metres relative to the hips: right, up, towards the camera.
    """
    detected = (skeleton.confidence > 0).any(axis=1)
    if not detected.any():
        return np.ones(len(skeleton))
    flat = world[..., :2] * np.asarray([1, -1], np.float32)
    weight = skeleton.confidence[..., None] / np.maximum(skeleton.confidence.sum(axis=1), 1e-6)[:, None, None]
    pixels = skeleton.positions - (skeleton.positions * weight).sum(axis=1, keepdims=True)
    metres = flat - (flat * weight).sum(axis=1, keepdims=True)
    scale = (pixels * metres * weight).sum(axis=(1, 2)) / np.maximum((metres**2 * weight).sum(axis=(1, 2)), 1e-9)
    scale = np.maximum(scale.astype(np.float64), 1.0)[nearest_known(detected)]
    sigma = _SCALE_SECONDS * skeleton.fps
    smoothed = gaussian_filter1d(median_filter(scale, 2 * round(sigma) + 1, mode="nearest"), sigma, mode="nearest")
    return np.asarray(smoothed, np.float64)


def nearest_known(known: BoolArray) -> NDArray[np.int64]:
    """For each frame the index of the nearest one that is known, the earlier of two, [T]; at least one must be."""
    indices = np.flatnonzero(known)
    frames = np.arange(len(known))
    after = np.minimum(np.searchsorted(indices, frames), len(indices) - 1)
    before = np.maximum(after - 1, 0)
    earlier = np.abs(frames - indices[before]) <= np.abs(indices[after] - frames)
    return np.asarray(np.where(earlier, indices[before], indices[after]), np.int64)


def _extremes(skeleton: Skeleton) -> NDArray[np.float64]:
    """Everything that has to stay in the picture, [N, 3]: known joints, hair above the eyes, finger tips."""
    layout = skeleton.layout
    points = [skeleton.positions[skeleton.confidence > 0]]

    def known(*names: str) -> NDArray[np.bool_]:
        return np.asarray((skeleton.confidence[:, [layout.index(name) for name in names]] > 0).all(axis=1))

    for head in ("left_eye", "right_eye", "left_head", "right_head"):
        if layout.has(head):
            points.append(skeleton.joint(head)[known(head)] + np.array([0.0, _HEAD_ROOM, 0.0], np.float32))
    for side in ("left", "right"):
        elbow, wrist = f"{side}_elbow", f"{side}_wrist"
        if layout.has(elbow, wrist):
            arm = unit((skeleton.joint(wrist) - skeleton.joint(elbow))[known(elbow, wrist)], (0.0, 0.0, 0.0))
            points.append(skeleton.joint(wrist)[known(elbow, wrist)] + _HAND * arm)
    together: NDArray[np.float64] = np.concatenate(points).astype(np.float64)
    if len(together) == 0:
        raise ValueError("the skeleton has no known joint to frame")
    return together


def _hull(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Corners of the convex hull: whatever holds them in the picture holds all. All points where they are flat."""
    try:
        return np.asarray(points[ConvexHull(points).vertices])
    except (QhullError, ValueError):
        return points


def _centred(camera: Camera, points: NDArray[np.float64]) -> Camera:
    """Move the target across the picture until what the points sweep over is in its middle."""
    for _ in range(4):
        xy, depth = camera.project(points)
        off = (xy.min(axis=0) + xy.max(axis=0)) / 2 - (np.array(camera.size) - 1) / 2
        right = camera.axes[0]
        metres = off * float(np.median(depth)) / camera.focal
        target = np.array(camera.target) + metres[0] * right - metres[1] * np.array([0.0, 1.0, 0.0])
        camera = replace(camera, target=(float(target[0]), float(target[1]), float(target[2])))
    return camera
