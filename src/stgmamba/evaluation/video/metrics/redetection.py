"""PCK of the poses detected in the frames, relative to the target poses."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton

JOINTS = [
    OPENPOSE_18_FEET.index(name)
    for name in (
        "nose",
        *(f"{s}_{p}" for s in ("left", "right") for p in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")),
    )
]
"""Joints that are evaluated. Eyes, ears, heels and toes are left out, since they move with these."""

_VISIBLE = 0.5  # confidence
_LIMIT = 0.1  # torso lengths, the usual threshold of PCK


def pck(detected: Skeleton, target: Skeleton) -> float:
    """Percentage of correct keypoints: joints within a tenth of the torso length of their target, 0..1.

    Yang, Ramanan 2013, with PCK normalised by the torso. The torso length is the median over frames of the target's
    distance from the neck to the middle of the hips, so that bending forwards does not change the limit. Evaluated are
    the visible joints of the target (confidence of at least 0.5, inside the frame); where no person is detected in a
    frame, all its joints are incorrect.

    Args:
        detected: 2-D OPENPOSE_18_FEET, pixels: poses detected in the frames.
        target: 2-D OPENPOSE_18_FEET, pixels, with the frames' size.

    Returns:
        NaN where the target has no visible joint.
    """
    evaluated, correct = _correct_keypoints(detected, target)
    return float(correct.sum() / evaluated.sum()) if evaluated.any() else float("nan")


def _correct_keypoints(detected: Skeleton, target: Skeleton) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which joints of ``JOINTS`` are evaluated, and which of them are correct, bool [T, 13] each; see ``pck``."""
    if target.size is None or len(detected) != len(target):
        raise ValueError("a target with its frames' size and as many detected poses are needed")
    hips = (target.joint("left_hip") + target.joint("right_hip")) / 2
    known = target.confidence[:, JOINTS].max(axis=1) > 0
    lengths = np.linalg.norm(target.joint("neck") - hips, axis=1)[known]
    limit = _LIMIT * float(np.median(lengths)) if known.any() else 0.0
    positions = target.positions[:, JOINTS]
    inside = ((positions >= -0.5) & (positions <= np.asarray(target.size) - 0.5)).all(axis=-1)
    evaluated = (target.confidence[:, JOINTS] >= _VISIBLE) & inside
    distance = np.linalg.norm(detected.positions[:, JOINTS] - positions, axis=-1)
    correct = evaluated & (distance <= limit) & (detected.confidence[:, JOINTS] > 0)
    return evaluated, correct
