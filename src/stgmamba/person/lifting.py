"""The dance of the person in a video as a 3-D skeleton: world landmarks of MediaPipe on a path over the floor."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter1d, minimum_filter1d
from scipy.signal import savgol_filter

from stgmamba.arrays import BoolArray, DoubleArray, FloatArray
from stgmamba.errors import InputError
from stgmamba.person.pose import estimate_video_3d
from stgmamba.progress import Progress
from stgmamba.skeleton.body import FEET, measure, mid_hip, rebuild
from stgmamba.skeleton.camera import FOCAL
from stgmamba.skeleton.foot_contacts import SOLE, align_to_floor, foot_contacts, lock_feet
from stgmamba.skeleton.layouts import OPENPOSE_18_FEET
from stgmamba.skeleton.sequence import Skeleton

_LEAST_FOUND = 0.5  # of the frames
_SMOOTHING = 0.28  # seconds of a cubic Savitzky-Golay window: jitter goes, halts and foot strikes stay
_DEPTH_SMOOTHING = 0.5  # seconds; the distance comes from the person's size in the picture, which is noisy
_FLOOR_WINDOW = 1.0  # seconds within which a foot comes down: jumps are shorter
_TORSO = [OPENPOSE_18_FEET.index(name) for name in ("left_shoulder", "right_shoulder", "left_hip", "right_hip")]


def lift_video(path: str | Path, progress: Progress | None = None) -> tuple[Skeleton, tuple[str, ...]]:
    """Lift the dance of a video's person to 3-D.

    Poses are MediaPipe's world landmarks, smoothed and with constant bone lengths; the path over the floor follows from
    the hips' place and the person's size in the picture, for a camera that stands still; feet rest on the floor y = 0.

    Args:
        path: anything that ``stgmamba.video_io`` reads.
        progress: called with (frames done, frames in all).

    Returns:
        3-D OPENPOSE_18_FEET in metres, x right, y up, z towards the camera, at the video's rate; and sentences for the
        user.

    Raises:
        InputError: not a readable video, or nobody in half of its frames.
    """
    flat, world = estimate_video_3d(path, progress)
    found = (flat.confidence > 0).any(axis=1)
    lost = int((~found).sum())
    if found.mean() < _LEAST_FOUND:
        raise InputError(
            f"{path}: a person was found in only {int(found.sum())} of {len(found)} frames; use a video that shows one "
            "whole person throughout."
        )
    notes = (f"{path}: nobody was found in {lost} of {len(found)} frames; the dance is interpolated there.",)
    return _lift(flat, world, found), notes if lost else ()


def _lift(flat: Skeleton, world: FloatArray, found: BoolArray) -> Skeleton:
    """Place poses [T, 22, 3] around the hips on the path that the flat skeleton shows."""
    if flat.size is None:
        raise ValueError("the path needs the frames' size")
    fps = flat.fps
    poses = _smooth(_fill(world.astype(np.float64), found), fps)
    points = _smooth(_fill(flat.positions.astype(np.float64), found), fps)
    body = measure(Skeleton(poses.astype(np.float32), fps, OPENPOSE_18_FEET))
    poses = rebuild(poses, body)
    width, height = flat.size
    metres = _metres_per_pixel(points, poses, fps)
    hips = mid_hip(points)
    x = (hips[:, 0] - (width - 1) / 2) * metres
    up = ((height - 1) / 2 - hips[:, 1]) * metres  # of the hips against the camera: jumps and bends
    distance = metres * FOCAL * max(width, height)
    root = np.stack([x, up, float(np.median(distance)) - distance], axis=-1)
    positions = (poses - mid_hip(poses)[:, None] + root[:, None]).astype(np.float32)
    positions[..., 1] -= _floor(positions[:, FEET, 1].min(axis=1), fps)[:, None]
    contacts = foot_contacts(positions, fps)
    positions = lock_feet(align_to_floor(positions, contacts, fps), contacts, fps)
    return Skeleton(positions, fps, OPENPOSE_18_FEET)


def _metres_per_pixel(points: DoubleArray, poses: DoubleArray, fps: float) -> DoubleArray:
    """How many metres a pixel spans at the hips, [T]: the spread of the torso's joints in space and in the picture."""

    def spread(joints: DoubleArray) -> DoubleArray:
        torso = joints[:, _TORSO, :2]
        return np.asarray(np.linalg.norm(torso - torso.mean(axis=1, keepdims=True), axis=(1, 2)))

    ratio = spread(poses) / np.maximum(spread(points), 1.0)
    return np.asarray(np.exp(gaussian_filter1d(np.log(ratio), _DEPTH_SMOOTHING * fps, mode="nearest")))


def _floor(low: FloatArray, fps: float) -> FloatArray:
    """Height [T] of the floor under the lowest joint [T] of the feet, which comes down once in a while."""
    window = max(1, round(_FLOOR_WINDOW * fps))
    return np.asarray(gaussian_filter1d(minimum_filter1d(low, window), window / 4, mode="nearest") - SOLE, np.float32)


def _fill(values: DoubleArray, found: BoolArray) -> DoubleArray:
    """Values [T, ...] of the frames without a person, interpolated linearly in time."""
    frames = np.arange(len(values))
    columns = values.reshape(len(values), -1)
    filled = [np.interp(frames, frames[found], column[found]) for column in columns.T]
    return np.stack(filled, axis=-1).reshape(values.shape)


def _smooth(values: DoubleArray, fps: float) -> DoubleArray:
    window = 2 * round(_SMOOTHING * fps / 2) + 1
    if window < 5 or window > len(values):
        return values
    return np.asarray(savgol_filter(values, window, 3, axis=0, mode="nearest"))
