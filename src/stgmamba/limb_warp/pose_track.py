"""The person of a picture made to follow a pose track given in the picture's own pixels.

A dance that we made up is retargeted to the picture (placement.py). Here it is the other way round: the target joints
are where somebody already danced, in a clip or before a known camera, and the limbs have to land on them. Evaluation
and training of the renderer need that, because only then there is a true frame to compare with.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, median_filter

from stgmamba.arrays import DoubleArray
from stgmamba.limb_warp.retargeting import PhotoBody, Placement, line_angles
from stgmamba.skeleton.camera import NEAR, Camera, project_skeleton
from stgmamba.skeleton.layouts import OPENPOSE_18_FEET
from stgmamba.skeleton.sequence import Skeleton

_HIPS = [OPENPOSE_18_FEET.index("left_hip"), OPENPOSE_18_FEET.index("right_hip")]
_CAMERA_METRES = 5.0  # how far away people are usually filmed; needed for the size of near and far limbs only
_STEADY_SECONDS = 0.2  # the estimated size of a person wavers; really it changes no faster than this


@dataclass(frozen=True)
class PoseTrack:
    """Where somebody's joints are in every frame of a video, and how near.

    Attributes:
        skeleton: 2-D OPENPOSE_18_FEET, pixels, with the frames' size; confidence 0 where nobody was found.
        depth: float64 [T, 22], metres from the middle of the hips towards the camera.
        scale: float64 [T, 22], pixels per metre at each joint: large where the joint is near.
    """

    skeleton: Skeleton
    depth: DoubleArray
    scale: DoubleArray

    def __len__(self) -> int:
        return len(self.skeleton)

    def slice(self, start: int, stop: int) -> PoseTrack:
        """Frames start..stop-1."""
        return PoseTrack(self.skeleton.slice(start, stop), self.depth[start:stop], self.scale[start:stop])

    def resized(self, size: tuple[int, int]) -> PoseTrack:
        """The same track in frames resized to (width, height)."""
        if self.skeleton.size is None:
            raise ValueError("a track needs its frames' size to be resized")
        factor = np.asarray(size, np.float64) / np.asarray(self.skeleton.size, np.float64)
        # Whole numbers are pixel centres, so the frame's corner lies at -0.5.
        positions = (self.skeleton.positions + 0.5) * factor - 0.5
        known = self.skeleton.confidence[..., None] > 0
        positions = np.where(known, positions, 0).astype(np.float32)
        return PoseTrack(replace(self.skeleton, positions=positions, size=size), self.depth, self.scale * factor[1])


def estimate_track(frames: Iterable[tuple[float, NDArray[np.uint8]]], fps: float, size: tuple[int, int]) -> PoseTrack:
    """Follow the person of successive frames; depths are those of MediaPipe's world landmarks.

    Args:
        frames: (seconds, rgb uint8 [H, W, 3]) in rising order of time; read one at a time.
        fps: the frames' rate.
        size: (width, height) of the frames.
    """
    from stgmamba.person.pose import estimate_frames_3d

    skeleton, world = estimate_frames_3d(frames, fps, size)
    scale = _pixels_per_metre(skeleton, world)
    depth = world[..., 2].astype(np.float64)
    magnification = _CAMERA_METRES / np.maximum(_CAMERA_METRES - depth, 0.25 * _CAMERA_METRES)
    return PoseTrack(skeleton, depth, scale[:, None] * magnification)


def project_track(dance: Skeleton, camera: Camera) -> PoseTrack:
    """The exact track of a 3-D dance before a camera.

    Args:
        dance: 3-D OPENPOSE_18_FEET, metres, with the bone lengths that are drawn.
        camera: where from; its size is the frames'.
    """
    _, away = camera.project(dance.positions)
    hips = away[:, _HIPS].mean(axis=1, keepdims=True)
    scale = camera.focal / np.maximum(away, NEAR)
    return PoseTrack(project_skeleton(dance, camera), (hips - away).astype(np.float64), scale.astype(np.float64))


def placement_from_track(track: PoseTrack, condition: PoseTrack, body: PhotoBody) -> Placement:
    """Place the person of a picture so that the joints land on a track of the same person.

    With the condition's own pose as the target nothing moves. Joints that the picture does not show are guessed in
    ``body``; they keep their distance to where the condition's track says they are. In frames where nobody was found
    the pose of the nearest frame stays.

    Args:
        track: where to, in the pixels of the frames to draw.
        condition: the one pose of the picture, in the same pixels, found in the same way.
        body: the picture's person, measured in the same pixels (``placement.measure_body``).

    Returns:
        A placement of as many frames as the track; its yaws count from how far the picture's person is turned already.

    Raises:
        ValueError: the condition is not one frame, or nobody was found in it or anywhere in the track.
    """
    found = (track.skeleton.confidence > 0).any(axis=1)
    if len(condition) != 1 or not condition.skeleton.confidence.any() or not found.any():
        raise ValueError("a placement needs one pose of the picture and a track with somebody in it")
    order = body.order
    frames = _nearest(found)
    points = track.skeleton.positions[frames][:, order].astype(np.float64)
    depth = track.depth[frames][:, order]
    scale = track.scale[frames][:, order]
    start, start_scale = condition.skeleton.positions[0, order].astype(np.float64), condition.scale[0, order]
    magnification = scale / start_scale
    hidden = ~body.seen
    points[:, hidden] += (body.joints - start)[hidden] * magnification[:, hidden, None]
    joints = _in_space(points, depth * scale)
    yaw_shoulders, roll_shoulders = line_angles("shoulder", joints)
    yaw_hips, roll_hips = line_angles("hip", joints)
    start_depth = (condition.depth[:, order] * start_scale).astype(np.float64)
    start_joints = _in_space(body.joints[None], start_depth)
    start_shoulders, start_hips = (line_angles(part, start_joints)[0] for part in ("shoulder", "hip"))
    return Placement(
        points,
        depth * float(start_scale[_HIPS].mean()),
        magnification,
        _additional_turn(yaw_shoulders, start_shoulders),
        _additional_turn(yaw_hips, start_hips),
        roll_shoulders,
        roll_hips,
    )


def _pixels_per_metre(skeleton: Skeleton, world: NDArray[np.float32]) -> DoubleArray:
    """How large the person is in each frame, [T]: joints in the picture against those in space, steadied."""
    found = (skeleton.confidence > 0).any(axis=1)
    if not found.any():
        return np.ones(len(skeleton))
    flat = world[..., :2] * np.asarray([1, -1], np.float32)
    weight = skeleton.confidence[..., None] / np.maximum(skeleton.confidence.sum(axis=1), 1e-6)[:, None, None]
    pixels = skeleton.positions - (skeleton.positions * weight).sum(axis=1, keepdims=True)
    metres = flat - (flat * weight).sum(axis=1, keepdims=True)
    scale = (pixels * metres * weight).sum(axis=(1, 2)) / np.maximum((metres**2 * weight).sum(axis=(1, 2)), 1e-9)
    scale = np.maximum(scale.astype(np.float64), 1.0)[_nearest(found)]
    sigma = _STEADY_SECONDS * skeleton.fps
    steady = gaussian_filter1d(median_filter(scale, 2 * round(sigma) + 1, mode="nearest"), sigma, mode="nearest")
    return np.asarray(steady, np.float64)


def _nearest(found: NDArray[np.bool_]) -> NDArray[np.int64]:
    """For each frame the nearest one in which somebody was found, [T]."""
    known = np.flatnonzero(found)
    frames = np.arange(len(found))
    return np.asarray(known[np.abs(frames[:, None] - known[None]).argmin(axis=1)], np.int64)


def _in_space(points: DoubleArray, depth: DoubleArray) -> DoubleArray:
    """Joints [T, 22, 3], x right, y up, z towards the camera, of pixels [T, 22, 2] and depths [T, 22]."""
    return np.stack([points[..., 0], -points[..., 1], depth], axis=-1)


def _additional_turn(yaw: DoubleArray, start: DoubleArray) -> DoubleArray:
    """By how much more a line is turned from the picture plane than in the picture, 0 to pi / 2."""

    def from_plane(angle: DoubleArray) -> DoubleArray:
        return np.asarray(np.minimum(np.abs(angle), np.pi - np.abs(angle)))

    return np.asarray(np.maximum(from_plane(yaw) - from_plane(start), 0.0))
