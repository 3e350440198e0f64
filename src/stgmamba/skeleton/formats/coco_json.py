"""Keypoints of COCO, AlphaPose and OpenPose editors as frames of OpenPose JSON; reading only.

- A COCO data set: ``{"images": [...], "annotations": [{"image_id": 1, "keypoints": [x, y, visibility, ...]}]}``.
- COCO results, and the results of AlphaPose: ``[{"image_id": "0.jpg", "keypoints": [x, y, score, ...]}]``.
- Editors for ControlNet: ``{"width": W, "height": H, "keypoints": [[x, y], ...]}``, 18 joints a person.

COCO has 17 joints; of Halpe's 26 and 136 (AlphaPose) the first 17 are COCO's.
"""

from __future__ import annotations

import re
from typing import Any

_COCO_JOINTS = 17
_HALPE_JOINTS = (26, 136)
_EDITOR_JOINTS = 18
_MAX_FRAMES = 1_000_000  # beyond which the number in a file's name is no frame's number


def openpose_frames(content: Any) -> list[Any] | None:
    """Frames of OpenPose JSON from another kind of keypoint file, or None where it is not one.

    Args:
        content: decoded JSON.

    Raises:
        ValueError: one of these kinds, and malformed.
    """
    if isinstance(content, dict) and isinstance(content.get("annotations"), list):
        return _data_set_frames(content)
    entries = content if isinstance(content, list) else [content]
    if not entries or not all(isinstance(entry, dict) and "keypoints" in entry for entry in entries):
        return None
    if all("image_id" in entry for entry in entries):
        return _grouped([(entry["image_id"], _flat(entry["keypoints"], 1.0)) for entry in entries], {})
    return [_editor_frame(entry) for entry in entries]


def _data_set_frames(content: dict[str, Any]) -> list[Any]:
    images = {image["id"]: image for image in content.get("images", []) if isinstance(image, dict) and "id" in image}
    poses = []
    for annotation in content["annotations"]:
        if not isinstance(annotation, dict) or "image_id" not in annotation:
            raise ValueError("an annotation has no image_id")
        if annotation.get("keypoints"):
            # Visibility is 2 for a visible joint and 1 for one that is hidden but labelled.
            poses.append((annotation["image_id"], _flat(annotation["keypoints"], 0.5)))
    return _grouped(poses, images)


def _grouped(poses: list[tuple[Any, list[Any]]], images: dict[Any, Any]) -> list[Any]:
    """One frame per image in the order of their numbers; numbers that are left out are frames with nobody."""
    people: dict[Any, list[Any]] = {}
    for image, pose in poses:
        if not isinstance(image, int | str):
            raise ValueError("an image_id is neither a number nor a name")
        people.setdefault(image, []).append({"pose_keypoints_2d": pose})
    numbers = {image: _frame_number(image) for image in people}
    if len(set(numbers.values())) == len(numbers) and None not in numbers.values():
        order: dict[int, Any] = {number: image for image, number in numbers.items() if number is not None}
        # The images of a data set are numbered anyhow; the frames of a video are all there but those with nobody.
        if not images and max(order) < _MAX_FRAMES and max(order) - min(order) < 10 * len(order) + 100:
            return [_frame(people.get(order.get(number)), None) for number in range(min(order), max(order) + 1)]
        return [_frame(people[order[number]], images.get(order[number])) for number in sorted(order)]
    return [_frame(people[image], images.get(image)) for image in people]


def _frame_number(image: Any) -> int | None:
    """The last number in an image's name without its ending."""
    if isinstance(image, int):
        return image
    digits = re.findall(r"\d{1,18}", re.sub(r"\.[A-Za-z]+$", "", image))
    return int(digits[-1]) if digits else None


def _frame(people: list[Any] | None, image: Any) -> dict[str, Any]:
    frame: dict[str, Any] = {"people": people or []}
    if isinstance(image, dict) and "width" in image and "height" in image:
        frame |= {"canvas_width": image["width"], "canvas_height": image["height"]}
    return frame


def _flat(keypoints: Any, scale: float) -> list[Any]:
    """The numbers x, y, confidence of COCO's 17 joints; confidences are multiplied by ``scale``."""
    joints = len(keypoints) // 3 if isinstance(keypoints, list) else 0
    if not joints or len(keypoints) % 3 or joints not in (_COCO_JOINTS, *_HALPE_JOINTS):
        raise ValueError(f"keypoints are not a list of {3 * _COCO_JOINTS} numbers, three for each joint of COCO")
    numbers = list(keypoints[: 3 * _COCO_JOINTS])
    for i in range(2, len(numbers), 3):
        if isinstance(numbers[i], int | float):
            numbers[i] *= scale
    return numbers


def _editor_frame(entry: dict[str, Any]) -> dict[str, Any]:
    joints = entry["keypoints"]
    nested = isinstance(joints, list) and joints and isinstance(joints[0], list) and joints[0]
    people = joints if nested and isinstance(joints[0][0], list) else _divided(joints)
    frame = _frame([{"pose_keypoints_2d": _with_confidence(person)} for person in people], entry)
    if "fps" in entry:
        frame["fps"] = entry["fps"]
    return frame


def _divided(joints: Any) -> list[Any]:
    if not isinstance(joints, list) or not joints or len(joints) % _EDITOR_JOINTS:
        raise ValueError(f"keypoints are not a list of {_EDITOR_JOINTS} pairs of numbers")
    return [joints[i : i + _EDITOR_JOINTS] for i in range(0, len(joints), _EDITOR_JOINTS)]


def _with_confidence(person: Any) -> list[Any]:
    """The numbers x, y, 1 of each joint, and 0, 0, 0 where an editor left one out."""
    if not isinstance(person, list) or len(person) != _EDITOR_JOINTS:
        raise ValueError(f"keypoints are not a list of {_EDITOR_JOINTS} pairs of numbers")
    numbers: list[Any] = []
    for joint in person:
        if joint is None or joint == [] or joint == [None, None]:
            numbers += [0, 0, 0]
        elif isinstance(joint, list) and len(joint) in (2, 3):
            numbers += [joint[0], joint[1], 1]
        else:
            raise ValueError("a joint is not a pair of numbers")
    return numbers
