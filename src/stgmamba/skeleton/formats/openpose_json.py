"""OpenPose JSON, in the two forms that programs write.

- A folder of one file per frame, ``NAME_000000000000_keypoints.json``, as OpenPose itself writes.
- One .json file: a list of such frames, as the ControlNet tools write; or a single frame.

A frame is ``{"people": [{"pose_keypoints_2d": [x, y, confidence, ...]}], "canvas_width": W, "canvas_height": H}`` with
18 (COCO) or 25 (BODY-25) joints, before version 1.2 under ``pose_keypoints``; 3-D skeletons are in
``pose_keypoints_3d`` as x, y, z, confidence. What ``coco_json.py`` lists is read too.
OpenPose stores no frame rate: we add ``"fps"``, which others ignore, and take 25 where it is missing.
"""

from __future__ import annotations

import json
import math
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from stgmamba.arrays import FloatArray
from stgmamba.errors import InputError
from stgmamba.files import atomic_output, check_can_write, parse_json
from stgmamba.options import FPS
from stgmamba.skeleton.convert import convert
from stgmamba.skeleton.formats.coco_json import openpose_frames
from stgmamba.skeleton.layouts import BODY_25, COCO_17, OPENPOSE_18
from stgmamba.skeleton.sequence import Skeleton

_WRITTEN = (OPENPOSE_18, BODY_25)
_BY_COUNT = {len(layout): layout for layout in (COCO_17, *_WRITTEN)}
_NORMALISED = (
    0.9  # of the coordinates lie in 0..1 where a tool writes them as parts of the canvas; some joints overhang
)
_DECIMALS = {2: 3, 3: 5}  # thousandths of a pixel, hundredths of a millimetre


def write(path: Path, skeleton: Skeleton) -> None:
    """Write one .json file, or a folder where the name has no ending.

    The layouts of 18 and 25 joints are written as they are, all others as BODY-25.

    Raises:
        InputError: the place cannot be written to, or is a folder with something in it.
    """
    frames = _to_frames(skeleton)
    if path.suffix:
        check_can_write(path, (".json",))
        with atomic_output(path) as part:
            part.write_text(json.dumps(frames), encoding="utf-8")
        return
    if path.is_dir() and any(path.iterdir()):
        raise InputError(f"{path}: the folder is not empty; name a new one.")
    if not path.parent.is_dir():
        raise InputError(f"{path}: the folder {path.parent} does not exist; create it or choose another place.")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.mkdir()
        for i, frame in enumerate(frames):
            (part / f"{path.name}_{i:012d}_keypoints.json").write_text(json.dumps(frame), encoding="utf-8")
        if path.is_dir():
            path.rmdir()
        part.rename(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error}); choose another place.") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def read(path: Path) -> Skeleton:
    """Read a .json file or a folder of them.

    Of several persons the largest of the first frame is followed. Coordinates in 0..1 on a known canvas, as some tools
    write, are brought to pixels.

    Raises:
        InputError: malformed, or nobody in any frame.
    """
    try:
        return _from_frames(_load_folder(path) if path.is_dir() else _load_file(path))
    except (ValueError, TypeError, OverflowError) as error:
        raise InputError(f"{path}: not a pose file that can be used: {error}; write it again.") from error


def read_people(path: Path) -> list[Skeleton]:
    """Everybody in each frame of a .json file or a folder of them.

    Returns:
        For each frame its people, as the P frames of a 2-D skeleton of any of the layouts that are read; P may be 0.

    Raises:
        InputError: malformed, in 3-D, or nobody in any frame.
    """
    try:
        frames = _load_folder(path) if path.is_dir() else _load_file(path)
        people, size, _ = _people_of_frames(frames)
        layout = _BY_COUNT[_common_shape([pose for poses in people for pose in poses])[0]]
        if any(pose.shape[1] != 3 for poses in people for pose in poses):
            raise ValueError("its poses are not 2-D")
        every = [np.stack(poses) if poses else np.zeros((0, len(layout), 3), np.float32) for poses in people]
        scale = _scale_to_pixels(np.concatenate(every), size)
        return [Skeleton(values[..., :2] * scale, FPS, layout, np.clip(values[..., 2], 0, 1), size) for values in every]
    except (ValueError, TypeError, OverflowError) as error:
        raise InputError(f"{path}: not a pose file that can be used: {error}; write it again.") from error


def _to_frames(skeleton: Skeleton) -> list[dict[str, Any]]:
    if skeleton.layout not in _WRITTEN:
        skeleton = convert(skeleton, BODY_25)
    known = skeleton.confidence[..., None] > 0
    values = np.concatenate([np.where(known, skeleton.positions, 0), skeleton.confidence[..., None]], axis=-1)
    rounded = np.round(values.astype(np.float64).reshape(len(skeleton), -1), _DECIMALS[skeleton.dims])
    frames = []
    for joints in rounded.tolist():
        person = {"person_id": [-1], "pose_keypoints_2d": [], "pose_keypoints_3d": []}
        person[f"pose_keypoints_{skeleton.dims}d"] = joints
        frame: dict[str, Any] = {"version": 1.3, "fps": skeleton.fps, "people": [person] if any(joints) else []}
        if skeleton.size is not None:
            frame["canvas_width"], frame["canvas_height"] = skeleton.size
        frames.append(frame)
    return frames


def _load_folder(path: Path) -> list[Any]:
    files = sorted(path.glob("*_keypoints.json")) or sorted(path.glob("*.json"))
    if not files:
        raise InputError(f"{path}: no *_keypoints.json file is in this folder; name one that OpenPose wrote.")
    contents = [_load_json(file) for file in files]
    return [frame for content in contents for frame in openpose_frames(content) or [content]]


def _load_file(path: Path) -> list[Any]:
    content = _load_json(path)
    frames = openpose_frames(content)
    if frames is not None:
        return frames
    return content if isinstance(content, list) else [content]


def _load_json(path: Path) -> Any:
    try:
        return parse_json(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a readable JSON file ({error}); write it again.") from error


def _from_frames(frames: list[Any]) -> Skeleton:
    everybody, size, fps = _people_of_frames(frames)
    poses: list[FloatArray | None] = []
    before: FloatArray | None = None
    for people in everybody:
        pose = _follow(people, before)
        before = before if pose is None else pose
        poses.append(pose)
    shape = _common_shape([pose for pose in poses if pose is not None])
    values = np.stack([np.zeros(shape, np.float32) if pose is None else pose for pose in poses])
    positions = values[..., :-1] * _scale_to_pixels(values, size)
    return Skeleton(positions, fps, _BY_COUNT[shape[0]], np.clip(values[..., -1], 0, 1), size)


def _people_of_frames(frames: list[Any]) -> tuple[list[list[FloatArray]], tuple[int, int] | None, float]:
    """The poses of each frame, [J, 2 or 3 coordinates and the confidence] each; canvas size and frames per second."""
    if not frames:
        raise ValueError("it has no frames")
    size, fps = None, FPS
    everybody: list[list[FloatArray]] = []
    for i, frame in enumerate(frames):
        if not isinstance(frame, dict) or not isinstance(frame.get("people", []), list):
            raise ValueError(f"frame {i} has no list of people")
        if "canvas_width" in frame and "canvas_height" in frame:
            size = (_whole(frame["canvas_width"]), _whole(frame["canvas_height"]))
        if "fps" in frame:
            fps = _positive(frame["fps"])
        everybody.append([pose for person in frame.get("people", []) if (pose := _pose(person, i)) is not None])
    return everybody, size, fps


def _common_shape(poses: list[FloatArray]) -> tuple[int, ...]:
    shapes = {pose.shape for pose in poses}
    if not shapes:
        raise ValueError("nobody is in any frame")
    if len(shapes) > 1:
        raise ValueError("its frames do not all have the same number of joints")
    return shapes.pop()


def _scale_to_pixels(poses: FloatArray, size: tuple[int, int] | None) -> FloatArray:
    """Factors on the coordinates of poses [..., J, D + 1]: the canvas' size where they are parts of it, else 1."""
    known = poses[..., -1] > 0
    if poses.shape[-1] == 3 and size is not None and _is_normalised(poses[..., :-1][known]):
        return np.array(size, np.float32)
    return np.ones(poses.shape[-1] - 1, np.float32)


def _is_normalised(known: FloatArray) -> bool:
    """Whether coordinates [N, 2] of known joints are parts of the canvas, of which a few may lie outside of it."""
    return bool(((known >= 0) & (known <= 1)).mean() >= _NORMALISED and np.abs(known - 0.5).max() < 2)


def _pose(person: Any, frame: int) -> FloatArray | None:
    """[J, 2 or 3 coordinates and the confidence] of one person, None where no joint is known."""
    if not isinstance(person, dict):
        raise ValueError(f"a person of frame {frame} is not an object")
    for key, columns in (("pose_keypoints_3d", 4), ("pose_keypoints_2d", 3), ("pose_keypoints", 3)):
        numbers = person.get(key)
        if not numbers:
            continue
        if not isinstance(numbers, list) or len(numbers) % columns or len(numbers) // columns not in _BY_COUNT:
            counts = " or ".join(str(count * columns) for count in _BY_COUNT)
            raise ValueError(f"{key} of frame {frame} is not a list of {counts} numbers")
        pose = np.array([_number(value, frame) for value in numbers], np.float32).reshape(-1, columns)
        pose[pose[:, -1] <= 0] = 0
        return pose if (pose[:, -1] > 0).any() else None
    return None


def _number(value: Any, frame: int) -> float:
    # Some tools write null for a joint that was not found.
    number = 0.0 if value is None else value
    if isinstance(number, bool) or not isinstance(number, int | float) or not abs(number) < 1e9:
        raise ValueError(f"a value of frame {frame} is not a number")
    return float(number)


def _positive(value: Any) -> float:
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not (math.isfinite(value) and 0 < value <= 1000)
    ):
        raise ValueError("fps is not a number of frames per second")
    return float(value)


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value < 1e6:
        raise ValueError("the canvas size is not a number of pixels")
    return int(value)


def _follow(people: list[FloatArray], before: FloatArray | None) -> FloatArray | None:
    """The person nearest to the one of the frame before; at first the largest."""
    if not people:
        return None
    if before is None:
        return max(people, key=_extent)
    return min(people, key=lambda pose: _distance(pose, before))


def _extent(pose: FloatArray) -> float:
    points = pose[pose[:, -1] > 0, :-1]
    return float(np.linalg.norm(np.ptp(points, axis=0)))


def _distance(a: FloatArray, b: FloatArray) -> float:
    if a.shape != b.shape:
        return math.inf
    both = (a[:, -1] > 0) & (b[:, -1] > 0)
    return float(np.linalg.norm(a[both, :-1] - b[both, :-1], axis=1).mean()) if both.any() else math.inf
