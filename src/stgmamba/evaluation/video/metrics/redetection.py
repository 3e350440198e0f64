"""PCK: whether a pose model finds the pose in the frames that was to be drawn."""

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
"""What counts: ends of limbs and the nose. Eyes, ears, heels and toes move with these and would only flatter."""

_SEEN = 0.5


def pck(found: Skeleton, target: Skeleton, share: float = 0.1) -> float:
    """Percentage of correct keypoints: joints found within a share of the torso's length of where they belong, 0 to 1.

    Yang, Ramanan 2013, PCK normalised by the torso. The torso is the median over frames of the target's distance from
    neck to the middle of the hips, so that bending forwards does not narrow the limit. Joints count that the target
    shows (confidence of at least 0.5, in the picture); where nobody is found in a frame all its joints are wrong.

    Args:
        found: 2-D OPENPOSE_18_FEET, pixels: what the pose model sees in the frames.
        target: 2-D OPENPOSE_18_FEET, pixels, with the frames' size.
        share: of the torso's length.

    Returns:
        NaN when the target shows no joint.
    """
    counts, right = joints_right(found, target, share)
    return float(right.sum() / counts.sum()) if counts.any() else float("nan")


def joints_right(found: Skeleton, target: Skeleton, share: float = 0.1) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which joints of ``JOINTS`` count and which of them are right, bool [T, 13] each; see ``pck``."""
    if target.size is None or len(found) != len(target):
        raise ValueError("a target with its frames' size and as many found poses are needed")
    hips = (target.joint("left_hip") + target.joint("right_hip")) / 2
    known = target.confidence[:, JOINTS].max(axis=1) > 0
    lengths = np.linalg.norm(target.joint("neck") - hips, axis=1)[known]
    limit = share * float(np.median(lengths)) if known.any() else 0.0
    wanted = target.positions[:, JOINTS]
    inside = ((wanted >= -0.5) & (wanted <= np.asarray(target.size) - 0.5)).all(axis=-1)
    counts = (target.confidence[:, JOINTS] >= _SEEN) & inside
    off = np.linalg.norm(found.positions[:, JOINTS] - wanted, axis=-1)
    right = counts & (off <= limit) & (found.confidence[:, JOINTS] > 0)
    return counts, right
