"""Pose tracks: joints of a filmed person in pixels, and the placement that moves a picture's person onto them.

``retargeting`` fits a generated dance to a picture. Here the target joints are given in pixels, by a video or by a
known camera, and the limbs are moved exactly onto them: evaluation and training of renderers need ground-truth frames.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from stgmamba.arrays import DoubleArray, FloatArray, Frame
from stgmamba.limb_warp.retargeting import PhotoBody, Placement, line_angles
from stgmamba.skeleton.camera import NEAR, Camera, nearest_known, pixels_per_metre, project_skeleton
from stgmamba.skeleton.layouts import OPENPOSE_18_FEET
from stgmamba.skeleton.sequence import Skeleton

_HIPS = [OPENPOSE_18_FEET.index("left_hip"), OPENPOSE_18_FEET.index("right_hip")]
_CAMERA_METRES = 5.0  # assumed camera distance of a video; only the relative size of near and far limbs depends on it


@dataclass(frozen=True)
class PoseTrack:
    """Joints of one person in every frame of a video.

    Attributes:
        skeleton: 2-D OPENPOSE_18_FEET, pixels, with the frames' size; confidence 0 where nobody was detected.
        depth: float64 [T, 22], metres from the middle of the hips towards the camera.
        scale: float64 [T, 22], pixels per metre at each joint.
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
        """The track in frames resized to (width, height). Raises ValueError where the skeleton has no size."""
        if self.skeleton.size is None:
            raise ValueError("a track needs its frames' size to be resized")
        factor = np.asarray(size, np.float64) / np.asarray(self.skeleton.size, np.float64)
        # Whole numbers are pixel centres: the frame's corner lies at -0.5.
        positions = (self.skeleton.positions + 0.5) * factor - 0.5
        known = self.skeleton.confidence[..., None] > 0
        positions = np.where(known, positions, 0).astype(np.float32)
        return PoseTrack(replace(self.skeleton, positions=positions, size=size), self.depth, self.scale * factor[1])


def estimate_track(frames: Iterable[tuple[float, Frame]], fps: float, size: tuple[int, int]) -> PoseTrack:
    """Track the person of successive frames; depths are those of MediaPipe's world landmarks.

    Args:
        frames: (seconds, rgb uint8 [H, W, 3]), times increasing; read one at a time.
        fps: frame rate.
        size: (width, height) of the frames.
    """
    from stgmamba.person.pose import estimate_frames_3d

    return track_from_world(*estimate_frames_3d(frames, fps, size))


def track_from_world(skeleton: Skeleton, world: FloatArray) -> PoseTrack:
    """The track of a person whose joints are known in pixels and in space.

    Args:
        skeleton: 2-D OPENPOSE_18_FEET, T frames, with their size.
        world: [T, 22, 3], the same joints in metres relative to the hips: right, up, towards the camera.
    """
    scale = pixels_per_metre(skeleton, world)
    depth = world[..., 2].astype(np.float64)
    magnification = _CAMERA_METRES / np.maximum(_CAMERA_METRES - depth, 0.25 * _CAMERA_METRES)
    return PoseTrack(skeleton, depth, scale[:, None] * magnification)


def project_track(dance: Skeleton, camera: Camera) -> PoseTrack:
    """The exact track of a 3-D dance in a camera.

    Args:
        dance: 3-D OPENPOSE_18_FEET, metres, with the bone lengths of the rendered person.
        camera: its size is the frames'.
    """
    _, distance = camera.project(dance.positions)
    hips = distance[:, _HIPS].mean(axis=1, keepdims=True)
    scale = camera.focal / np.maximum(distance, NEAR)
    return PoseTrack(project_skeleton(dance, camera), (hips - distance).astype(np.float64), scale.astype(np.float64))


def placement_from_track(track: PoseTrack, condition: PoseTrack, body: PhotoBody) -> Placement:
    """The placement that moves the joints of a picture's person onto a track of the same person.

    With the condition as the track it is the identity. Joints that the picture does not show are estimated in ``body``;
    they keep their offset from the condition's joints. Frames without a detection take the pose of the nearest frame
    with one.

    Args:
        track: target joints, in pixels of the frames to render.
        condition: the pose in the picture, one frame, in the same pixels and from the same estimator.
        body: the picture's person, measured in the same pixels (``retargeting.measure_body``).

    Returns:
        A placement of the track's length; its yaws are relative to those in the picture.

    Raises:
        ValueError: the condition is not one frame, or nobody was detected in it or anywhere in the track.
    """
    detected = (track.skeleton.confidence > 0).any(axis=1)
    if len(condition) != 1 or not condition.skeleton.confidence.any() or not detected.any():
        raise ValueError("a placement needs one pose of the picture and a track with somebody in it")
    order = body.joint_order
    frames = nearest_known(detected)
    points = track.skeleton.positions[frames][:, order].astype(np.float64)
    depth = track.depth[frames][:, order]
    scale = track.scale[frames][:, order]
    source, source_scale = condition.skeleton.positions[0, order].astype(np.float64), condition.scale[0, order]
    magnification = scale / source_scale
    hidden = ~body.visible
    points[:, hidden] += (body.joints - source)[hidden] * magnification[:, hidden, None]
    joints = _joints_3d(points, depth * scale)
    yaw_shoulders, roll_shoulders = line_angles("shoulder", joints)
    yaw_hips, roll_hips = line_angles("hip", joints)
    source_depth = (condition.depth[:, order] * source_scale).astype(np.float64)
    source_joints = _joints_3d(body.joints[None], source_depth)
    source_shoulders, source_hips = (line_angles(part, source_joints)[0] for part in ("shoulder", "hip"))
    return Placement(
        points,
        depth * float(source_scale[_HIPS].mean()),
        magnification,
        _relative_yaw(yaw_shoulders, source_shoulders),
        _relative_yaw(yaw_hips, source_hips),
        roll_shoulders,
        roll_hips,
    )


def _joints_3d(points: DoubleArray, depth: DoubleArray) -> DoubleArray:
    """Joints [T, 22, 3], x right, y up, z towards the camera, of pixels [T, 22, 2] and depths [T, 22]."""
    return np.stack([points[..., 0], -points[..., 1], depth], axis=-1)


def _relative_yaw(yaw: DoubleArray, source: DoubleArray) -> DoubleArray:
    """Rotation of a line out of the picture plane beyond its rotation in the source picture, 0 to pi / 2, [T]."""

    def from_plane(angle: DoubleArray) -> DoubleArray:
        return np.asarray(np.minimum(np.abs(angle), np.pi - np.abs(angle)))

    return np.asarray(np.maximum(from_plane(yaw) - from_plane(source), 0.0))
