"""A pose given by hand, for pictures in which nobody is detected: drawings, mascots.

Three kinds of files are read:

- Our own, YAML or JSON, with the names of ``OPENPOSE_18_FEET`` and pixels of the picture. Only the shoulders must be
  there. ``size`` (width and height of the picture) and ``mask`` (a file beside this one) may be added.

      right_shoulder: [210, 320]
      left_shoulder: [390, 320]
      right_wrist: [120, 480]

- ``char_cfg.yaml`` of Meta's AnimatedDrawings, with the ``mask.png`` that lies beside it.
- A skeleton of one picture in any of our formats, as ``stgmamba pose`` writes it.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from stgmamba.errors import InputError
from stgmamba.options import FPS
from stgmamba.skeleton.convert import convert
from stgmamba.skeleton.formats import read_skeleton
from stgmamba.skeleton.layouts import OPENPOSE_18_FEET
from stgmamba.skeleton.sequence import Skeleton

_LARGEST = 1_000_000  # bytes; a pose takes some hundreds
_FURTHEST = 1e6  # pixels
# Confidence in a skeleton file below which a joint counts as left out, as it does when bodies are measured.
_UNSURE = 0.3
_EXTRAS = ("size", "mask")
_SKELETON_KEYS = ("people", "keypoints", "annotations")  # of JSON that `stgmamba.skeleton.formats` reads

# Their "neck" is the nose and their "torso" the neck, as their pose estimator names them.
_ANIMATED_DRAWINGS = {"neck": "nose", "torso": "neck"} | {
    f"{side}_{theirs}": f"{side}_{ours}"
    for side in ("right", "left")
    for theirs, ours in (
        ("shoulder", "shoulder"),
        ("elbow", "elbow"),
        ("hand", "wrist"),
        ("hip", "hip"),
        ("knee", "knee"),
        ("foot", "ankle"),
    )
}


@dataclass(frozen=True)
class ManualPose:
    """Joints given by hand.

    Attributes:
        skeleton: 2-D ``OPENPOSE_18_FEET``, one frame, pixels; confidence 0 for joints that were left out, else 1. Its
            size is that of the picture the pixels belong to, where it is known.
        name: what to call it in a message: the file's name, where there is one.
        mask: the file with the figure's outline, where one was named or lies beside.
    """

    skeleton: Skeleton
    name: str
    mask: Path | None = None


def read_pose(path: str | Path) -> ManualPose:
    """Read a pose of one picture.

    Raises:
        InputError: missing, malformed, a joint that does not exist, or a shoulder that is missing.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: there is no such file; check the name.")
    if path.is_dir() or path.suffix.lower() == ".npz":
        return pose_of(read_skeleton(path), str(path))
    found = _load(path)
    if isinstance(found, list) or (isinstance(found, dict) and not found.keys().isdisjoint(_SKELETON_KEYS)):
        if path.suffix.lower() != ".json":
            raise InputError(f"{path}: this looks like OpenPose JSON; give it a name that ends in .json.")
        return pose_of(read_skeleton(path), str(path))
    if not isinstance(found, dict) or not found:
        raise InputError(
            f"{path}: no joints are in it; write one a line, as in right_shoulder: [210, 320], in the picture's pixels."
        )
    if "skeleton" in found:
        return _animated_drawing(found, path)
    return joints_to_pose(found, str(path), path.parent)


def joints_to_pose(joints: Mapping[str, Any], name: str = "The pose", folder: Path | None = None) -> ManualPose:
    """A pose from joints by name.

    Args:
        joints: names of ``OPENPOSE_18_FEET`` to [x, y] in pixels, or to None for a joint that is left out; ``size``
            [width, height] of the picture and ``mask``, the name of a file, may be added.
        name: what to call it in a message.
        folder: where the mask lies.

    Raises:
        InputError: a joint that does not exist, something that is not a pair of numbers, or a shoulder is missing.
    """
    points: dict[str, tuple[float, float]] = {}
    for joint, value in joints.items():
        if joint in _EXTRAS or value is None:
            continue
        if joint not in OPENPOSE_18_FEET.joints:
            raise InputError(f"{name}: {_unknown(joint)}")
        points[joint] = _pair(value, joint, name)
    size = _size(joints["size"], name) if joints.get("size") is not None else None
    mask = joints.get("mask")
    if mask is not None and (not isinstance(mask, str) or not mask or "\0" in mask):
        raise InputError(f"{name}: mask is not the name of a file; write it as in mask: mask.png, or leave it out.")
    return _manual_pose(points, size, name, None if mask is None else (folder or Path()) / mask)


def pose_of(skeleton: Skeleton, name: str = "The skeleton") -> ManualPose:
    """A pose from the skeleton of one picture, in any layout that holds the shoulders.

    Raises:
        InputError: it is in 3-D, has several frames, or does not say where the shoulders are.
    """
    if skeleton.dims != 2 or len(skeleton) != 1:
        what = "it is in 3-D" if skeleton.dims != 2 else f"it has {len(skeleton)} frames"
        raise InputError(f"{name}: {what}, but one flat pose is wanted; use what `stgmamba pose` makes of a picture.")
    flat = convert(skeleton, OPENPOSE_18_FEET)
    points = {
        joint: (float(flat.positions[0, j, 0]), float(flat.positions[0, j, 1]))
        for j, joint in enumerate(OPENPOSE_18_FEET.joints)
        if flat.confidence[0, j] >= _UNSURE
    }
    return _manual_pose(points, skeleton.size, name)


def _load(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}); check the permissions.") from error
    if len(data) > _LARGEST:
        raise InputError(f"{path}: this is too large for the pose of one picture; name a YAML or JSON file of joints.")
    try:
        text = data.decode("utf-8-sig")
        return json.loads(text) if path.suffix.lower() == ".json" else yaml.safe_load(text)
    except Exception as error:  # PyYAML raises nearly anything on a broken file
        where = getattr(error, "problem_mark", None)
        line = f" (line {where.line + 1})" if where is not None else ""
        raise InputError(
            f"{path}: not readable as YAML or JSON{line}; write one joint a line, as in right_shoulder: [210, 320]."
        ) from error


def _animated_drawing(found: dict[str, Any], path: Path) -> ManualPose:
    """``char_cfg.yaml``: a list of joints with name, loc and parent; height and width of the picture."""
    joints = found["skeleton"]
    if not isinstance(joints, list) or not all(isinstance(joint, dict) and "loc" in joint for joint in joints):
        raise InputError(f"{path}: skeleton is not a list of joints with name and loc; export the character again.")
    named = [(joint["name"], joint["loc"]) for joint in joints if isinstance(joint.get("name"), str)]
    names = {name for name, _ in named}
    if not names & {"right_shoulder", "left_shoulder"} and any(name.endswith(("_f", "_b")) for name in names):
        raise InputError(
            f"{path}: this figure stands on four legs, but the dances are for two arms and two legs; use one that "
            "stands upright."
        )
    points = {
        _ANIMATED_DRAWINGS[name]: _pair(place, name, str(path)) for name, place in named if name in _ANIMATED_DRAWINGS
    }
    size = None
    if found.get("width") is not None and found.get("height") is not None:
        size = _size([found["width"], found["height"]], str(path))
    mask = path.with_name("mask.png")
    return _manual_pose(points, size, str(path), mask if mask.is_file() else None)


def _manual_pose(
    points: dict[str, tuple[float, float]], size: tuple[int, int] | None, name: str, mask: Path | None = None
) -> ManualPose:
    absent = [joint for joint in ("right_shoulder", "left_shoulder") if joint not in points]
    if absent:
        raise InputError(
            f"{name}: it does not say where the {absent[0].replace('_', ' ')} is; both shoulders are needed."
        )
    if np.linalg.norm(np.subtract(points["right_shoulder"], points["left_shoulder"])) < 1:
        raise InputError(
            f"{name}: both shoulders lie in one place; set them apart, even when the figure is seen sideways."
        )
    middle = np.add(points["right_shoulder"], points["left_shoulder"]) / 2
    points = {"neck": (float(middle[0]), float(middle[1]))} | points
    positions = np.zeros((1, len(OPENPOSE_18_FEET), 2), np.float32)
    confidence = np.zeros(positions.shape[:2], np.float32)
    for joint, point in points.items():
        positions[0, OPENPOSE_18_FEET.index(joint)] = point
        confidence[0, OPENPOSE_18_FEET.index(joint)] = 1
    return ManualPose(Skeleton(positions, FPS, OPENPOSE_18_FEET, confidence, size), name, mask)


def _unknown(joint: object) -> str:
    if not isinstance(joint, str):
        return f"a joint has no name; use {', '.join(OPENPOSE_18_FEET.joints)}."
    known = (*OPENPOSE_18_FEET.joints, *_EXTRAS)
    near = difflib.get_close_matches(joint[:40], known, n=1)
    way_out = f"write {near[0]} if that is meant." if near else f"use {', '.join(OPENPOSE_18_FEET.joints)}."
    return f"{joint[:40]!r} is not a joint; {way_out}"


def _pair(value: Any, joint: str, name: str) -> tuple[float, float]:
    if not isinstance(value, list | tuple | np.ndarray) or len(value) != 2 or not all(map(_is_number, value)):
        raise InputError(f"{name}: {joint} is not a pair of numbers; write it as in {joint}: [210, 320].")
    return float(value[0]), float(value[1])


def _size(value: Any, name: str) -> tuple[int, int]:
    if not isinstance(value, list | tuple) or len(value) != 2 or not all(map(_is_number, value)) or min(value) < 1:
        raise InputError(f"{name}: the size is not width and height in pixels; write it as in size: [600, 800].")
    return round(value[0]), round(value[1])


def _is_number(value: Any) -> bool:
    is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    return is_number and bool(abs(value) <= _FURTHEST)
