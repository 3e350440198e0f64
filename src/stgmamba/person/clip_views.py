"""What a short video shows of a person: the frame that is best from the front, and one from behind if they turn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from stgmamba.arrays import BoolArray, DoubleArray, FloatArray, Frame
from stgmamba.errors import InputError
from stgmamba.person.picture import MAX_SIDE, Picture, as_picture, is_picture
from stgmamba.person.pose import estimate_frames_3d
from stgmamba.skeleton.body import mid_hip
from stgmamba.skeleton.layouts import OPENPOSE_18_FEET
from stgmamba.skeleton.rotations import body_yaw
from stgmamba.skeleton.sequence import Skeleton
from stgmamba.video_io import VideoReader, read_video

_SUFFIXES = frozenset({".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi"})
_MOST_SECONDS = 60.0  # of the video that are looked at
_MOST_FRAMES = 90  # of them, evenly
_SHARPNESS_HEIGHT = 480  # pixels of the frames in which sharpness is measured
_FRONT, _BEHIND = 0.5, -0.7  # cosines of the yaw from which a frame shows the front, and the back
_LEAST_INSIDE = 0.75  # of the joints, in a frame from behind
_HIDING, _OPEN = 0.25, 0.6  # trunk lengths from a hand to spine and face at which it hides them, and nothing
_RAISED = 0.5  # of the worth of lowered arms, from which the shape of the trunk is seen best
_BODY = [
    OPENPOSE_18_FEET.index(f"{side}_{part}")
    for side in ("left", "right")
    for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
]


@dataclass(frozen=True)
class ClipViews:
    """Frames of a video.

    Attributes:
        front: the frame that shows the person best.
        behind: one that shows them from behind; None where there is none.
        note: a sentence for the user that says which.
    """

    front: Picture
    behind: Picture | None
    note: str


def is_clip(path: str | Path) -> bool:
    """Whether a file is a video and no picture, by its name or else since it can be opened and has several frames."""
    path = Path(path)
    if not path.is_file() or is_picture(path):
        return False
    if path.suffix.lower() in _SUFFIXES:
        return True
    try:
        return read_video(path).frames > 1
    except InputError:
        return False


def clip_views(path: str | Path) -> ClipViews:
    """The views of the person of a short video; of a longer one, of its first minute.

    Raises:
        InputError: not a video, or nobody faces the camera in it.
    """
    reader = read_video(path, MAX_SIDE)
    stride = max(1, -(-min(reader.frames, round(_MOST_SECONDS * reader.fps)) // _MOST_FRAMES))
    frames: list[int] = []
    seconds: list[float] = []
    grey: list[Frame] = []

    def looked_at() -> Iterator[tuple[float, Frame]]:
        for index, (time, rgb) in enumerate(reader):
            if time > _MOST_SECONDS:
                return
            if index % stride:
                continue
            frames.append(index)
            seconds.append(time)
            scale = min(1.0, _SHARPNESS_HEIGHT / rgb.shape[0])
            small = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            grey.append(np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)))
            yield time, rgb

    try:
        skeleton, world = estimate_frames_3d(looked_at(), reader.fps / stride, reader.size)
    except ValueError:
        raise InputError(f"{path}: no frame of this video can be read; choose another one.") from None
    yaw = facing(world)
    worth = worths(skeleton, sharpness(skeleton, grey))
    front = int(np.argmax(np.where(yaw > _FRONT, worth * yaw, 0)))
    if not (yaw[front] > _FRONT and worth[front] > 0):
        raise InputError(f"{path}: nobody faces the camera in this video; use one of a whole person, or a picture.")
    behind = int(np.argmax(np.where((yaw < _BEHIND) & (_inside(skeleton) >= _LEAST_INSIDE), -worth * yaw, 0)))
    has_back = bool(yaw[behind] < _BEHIND and worth[behind] > 0)
    found = _pictures(reader, {frames[front], frames[behind]} if has_back else {frames[front]})
    where = f"as at {seconds[front]:.1f} s" + (f", and from behind as at {seconds[behind]:.1f} s" if has_back else "")
    note = f"{path}: the person of the video is shown {where}."
    return ClipViews(found[frames[front]], found[frames[behind]] if has_back else None, note)


def facing(world: FloatArray) -> DoubleArray:
    """Cosine of the yaw of bodies [T, 22, 3] (right, up, towards the camera), [T]: 1 faces it, -1 turns the back."""
    return np.asarray(np.cos(body_yaw(world)), np.float64)


def worths(skeleton: Skeleton, sharp: DoubleArray) -> DoubleArray:
    """How well frames show a person, whichever way they turn, [T] in 0..1: whole, large, sharp, upright, arms off the
    trunk.

    Args:
        skeleton: 2-D OPENPOSE_18_FEET with its frames' size.
        sharp: see `sharpness`.
    """
    positions = skeleton.positions.astype(np.float64)
    seen = skeleton.confidence[:, _BODY].mean(axis=1)
    height = (skeleton.size or (1, 1))[1]
    known = seen > 0
    tall = np.clip(np.ptp(positions[:, _BODY, 1], axis=1) / height, 0, 1)
    wrists = [OPENPOSE_18_FEET.index(f"{side}_wrist") for side in ("left", "right")]
    middle, neck = mid_hip(positions), positions[:, OPENPOSE_18_FEET.index("neck")]
    trunk = np.maximum(np.linalg.norm(neck - middle, axis=1), 1e-6)
    away = np.min([_from_line(positions[:, w], middle, neck) for w in wrists], axis=0)
    face = np.linalg.norm(positions[:, wrists] - positions[:, [OPENPOSE_18_FEET.index("nose")]], axis=2).min(axis=1)
    arms = np.clip((np.minimum(away, face) / trunk - _HIDING) / (_OPEN - _HIDING), 0, 1)
    arms *= np.where((positions[:, wrists, 1] < neck[:, 1:]).any(axis=1), _RAISED, 1.0)
    upright = np.clip((middle[:, 1] - neck[:, 1]) / trunk, 0, 1)
    best = sharp[known].max() if known.any() else 1.0
    clear = np.clip(sharp / max(best, 1e-9), 0, 1)
    pose = upright**4 * (0.6 + 0.4 * arms)
    return np.asarray(known * seen * _inside(skeleton) ** 2 * np.sqrt(tall) * pose * (0.3 + 0.7 * clear))


def sharpness(skeleton: Skeleton, grey: list[Frame]) -> DoubleArray:
    """Mean size of the Laplacian about the person in frames, [T]; 0 where nobody was found.

    Args:
        skeleton: 2-D OPENPOSE_18_FEET with the size of the video's frames.
        grey: the frames, uint8 [h, w], of any one size.
    """
    values = np.zeros(len(grey))
    for i, frame in enumerate(grey):
        points = skeleton.positions[i][skeleton.confidence[i] > 0]
        if not len(points) or skeleton.size is None:
            continue
        scale = frame.shape[0] / skeleton.size[1]
        left, top = np.clip(np.floor(points.min(axis=0) * scale), 0, np.asarray(frame.shape[::-1]) - 2).astype(int)
        right, bottom = np.ceil(points.max(axis=0) * scale).astype(int) + 1
        part = frame[top : max(bottom, top + 2), left : max(right, left + 2)]
        values[i] = float(np.abs(cv2.Laplacian(part, cv2.CV_32F)).mean())
    return values


def _from_line(points: DoubleArray, start: DoubleArray, end: DoubleArray) -> DoubleArray:
    """Distances [T] of points [T, 2] from lines between two points [T, 2]."""
    line = end - start
    along = np.sum((points - start) * line, axis=1) / np.maximum(np.sum(line**2, axis=1), 1e-9)
    return np.asarray(np.linalg.norm(points - start - np.clip(along, 0, 1)[:, None] * line, axis=1))


def _inside(skeleton: Skeleton) -> DoubleArray:
    """Share [T] of the body's joints that lie in the frame."""
    points = skeleton.positions[:, _BODY]
    inside: BoolArray = ((points >= 0) & (points <= np.asarray(skeleton.size or (0, 0)) - 1)).all(axis=-1)
    return np.asarray((inside & (skeleton.confidence[:, _BODY] > 0)).mean(axis=1))


def _pictures(reader: VideoReader, wanted: set[int]) -> dict[int, Picture]:
    """Frames of a video by their numbers."""
    pictures: dict[int, Picture] = {}
    for index, (_, rgb) in enumerate(reader):
        if index in wanted:
            pictures[index] = replace(as_picture(rgb), path=reader.path)
        if len(pictures) == len(wanted):
            break
    return pictures
