"""An avatar that turns once round, as frames."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from stgmamba.arrays import DoubleArray, Frame
from stgmamba.body.articulation import rotation_matrices
from stgmamba.body.avatar import Avatar
from stgmamba.body.drawing import AvatarPainter, View
from stgmamba.options import FPS
from stgmamba.person.picture import BACKGROUND
from stgmamba.progress import Progress

SECONDS = 6.0
"""Of one turn."""

_DISTANCE = 5.0  # metres
_MARGIN = 0.06  # of the height


def turntable_view(avatar: Avatar, size: tuple[int, int]) -> View:
    """The view of frames of (width, height) that holds an avatar whichever way it is turned."""
    low, high = avatar.vertices[:, 1].min(), avatar.vertices[:, 1].max()
    radius = float(np.linalg.norm((avatar.vertices - _axis(avatar))[:, [0, 2]], axis=1).max())
    width, height = size
    nearest = _DISTANCE - radius
    focal = nearest * min(height * (1 - 2 * _MARGIN) / (high - low), width * (1 - 2 * _MARGIN) / (2 * radius))
    x, _, z = _axis(avatar)
    return View(size, (float(x), float(low + high) / 2, float(z) + _DISTANCE), focal, (width / 2, height / 2))


def turned(avatar: Avatar, yaw: float) -> tuple[DoubleArray, DoubleArray]:
    """Rotations [B, 3, 3] and translations [B, 3] that turn an avatar about the vertical; radians, left first."""
    rotation = rotation_matrices(np.asarray([0.0, yaw, 0.0]))
    count = len(avatar.heads)
    axis = _axis(avatar)
    return np.tile(rotation, (count, 1, 1)), np.tile(axis - rotation @ axis, (count, 1))


def turntable(avatar: Avatar, size: tuple[int, int], fps: float = FPS) -> Iterator[Frame]:
    """Frames uint8 [H, W, 3] of one full turn."""
    painter, view = AvatarPainter(avatar), turntable_view(avatar, size)
    count = round(SECONDS * fps)
    for frame in range(count):
        canvas = np.full((size[1], size[0], 3), BACKGROUND, np.uint8)
        painter.draw(canvas, painter.pose(*turned(avatar, 2 * np.pi * frame / count)), view)
        yield canvas


def save_turntable(
    avatar: Avatar, path: Path, size: tuple[int, int], fps: float = FPS, progress: Progress | None = None
) -> float:
    """Write the frames of one full turn as an mp4; returns its duration in seconds.

    Args:
        avatar: the avatar.
        path: the file to write.
        size: (width, height) of the frames.
        fps: frames per second.
        progress: called with (frames done, frames in all).

    Raises:
        InputError: the file cannot be written.
    """
    from stgmamba.video_io import write_video

    write_video(path, turntable(avatar, size, fps), fps, seconds=SECONDS, progress=progress)
    return SECONDS


def _axis(avatar: Avatar) -> DoubleArray:
    """The middle of the body, [3], about which it turns."""
    middle = np.median(avatar.vertices, axis=0).astype(np.float64)
    return np.asarray([middle[0], 0.0, middle[2]])
