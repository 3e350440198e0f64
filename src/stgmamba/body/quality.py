"""Whether a body fits its picture: a body that does not is worse than moving limbs."""

from __future__ import annotations

import numpy as np

from stgmamba.body.avatar import Avatar
from stgmamba.body.template import KEYPOINTS, SIDES
from stgmamba.person.pose import DetectedPerson

# Bounds by eye on photos, paintings and drawings: melted bodies lie beyond them, usable ones within.
_LEAST_OVERLAP = 0.85
_MOST_JOINT_ERROR = 0.05  # metres
_MOST_HEAD_YAW = np.radians(70)
_SEEN_JOINTS = ("shoulder", "hip")  # without these there is nothing to fit a trunk to


def find_fault(avatar: Avatar, person: DetectedPerson) -> str | None:
    """Why a body does not fit its picture, as half a sentence; None where it does."""
    if any({f"{side}_{part}" for side in SIDES} <= set(person.missing) for part in _SEEN_JOINTS):
        return "the picture does not show shoulders and hips"
    if abs(head_yaw(avatar)) > _MOST_HEAD_YAW:
        return "the face is turned away from the camera"
    if avatar.joint_error > _MOST_JOINT_ERROR:
        return "no human body has its joints where the picture shows them"
    if avatar.overlap < _LEAST_OVERLAP:
        return "the outline is not that of a human body in the pose that was found"
    return None


def head_yaw(avatar: Avatar) -> float:
    """How far the head is turned from the camera in the picture, radians, -pi..pi; 0 faces it."""
    point = {name: avatar.keypoints[i] for i, name in enumerate(KEYPOINTS)}
    forward = point["nose"] - (point["left_ear"] + point["right_ear"]) / 2
    return float(np.arctan2(forward[0], forward[2]))
