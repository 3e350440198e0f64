"""A body on joints in pixels: its bones reach the joints in the picture by turning towards the camera or away from it.

Source of the depths: Taylor, "Reconstruction of Articulated Objects from Point Correspondences", CVIU 2000: a bone of
known length that looks shorter is turned out of the picture; estimated depths only tell which way.
"""

from __future__ import annotations

import numpy as np

from stgmamba.arrays import DoubleArray
from stgmamba.body.posing import BodyMotion, RestBody, pose_bones
from stgmamba.body.template import KEYPOINTS, SIDES, load_template
from stgmamba.limb_warp.retargeting import Placement
from stgmamba.options import FPS
from stgmamba.skeleton.body import mid_hip
from stgmamba.skeleton.layouts import OPENPOSE_18_FEET

_CHAINS = (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"))
_LONGEST_STRETCH = 0.10  # metres
_ANCHORS = {"shoulder": 1.0, "hip": 1.0, "ankle": 0.5, "wrist": 0.25, "ear": 0.25}
"""Weights of the joints that the body is laid on; detectors place ankles and wrists less exactly in quick movements."""


def pose_placement(placement: Placement, rest: RestBody, scale: float) -> tuple[BodyMotion, DoubleArray]:
    """A body's movement in metres for joints in pixels, and pixels per metre of each frame, [T].

    The pixel (0, 0) is the origin; x points right, y up, z towards the camera.

    Args:
        placement: joints in the order of OPENPOSE_18_FEET, left and right the person's own.
        rest: the body.
        scale: pixels per metre where its magnification is 1.
    """
    index = OPENPOSE_18_FEET.index
    hips = [index(f"{side}_hip") for side in SIDES]
    pixels_per_metre = scale * placement.magnification[:, hips].mean(axis=1)
    flat = placement.points / pixels_per_metre[:, None, None] * (1, -1)
    joints = np.concatenate([flat, placement.depth[..., None] / scale], axis=-1)
    for side in SIDES:
        for start, end in _CHAINS:
            a, b = f"{side}_{start}", f"{side}_{end}"
            length = float(np.linalg.norm(rest.keypoint(a) - rest.keypoint(b)))
            across = np.linalg.norm(flat[:, index(b)] - flat[:, index(a)], axis=1)
            toward = np.sqrt(np.maximum(length**2 - across**2, 0.0))
            ahead = placement.depth[:, index(b)] > placement.depth[:, index(a)]
            joints[:, index(b), 2] = joints[:, index(a), 2] + np.where(ahead, toward, -toward)
        # A foot goes with its ankle.
        for part in ("heel", "toe"):
            offset = (placement.depth[:, index(f"{side}_{part}")] - placement.depth[:, index(f"{side}_ankle")]) / scale
            joints[:, index(f"{side}_{part}"), 2] = joints[:, index(f"{side}_ankle"), 2] + offset
    joints[:, index("neck"), 2] = _trunk_depth(joints, rest)
    motion = pose_bones(joints, rest, FPS)
    anchors = [f"{side}_{part}" for part in _ANCHORS for side in SIDES]
    weights = np.repeat(list(_ANCHORS.values()), 2)
    targets = flat[:, [index(name) for name in anchors]]
    own = motion.keypoints(rest)[:, [KEYPOINTS.index(name) for name in anchors], :2]
    shift = np.einsum("a,tac->tc", weights / weights.sum(), targets - own)
    motion = motion.moved(np.concatenate([shift, np.zeros((len(shift), 1))], axis=1))
    return _stretched(motion, flat, rest), pixels_per_metre


def _trunk_depth(joints: DoubleArray, rest: RestBody) -> DoubleArray:
    """Depth [T] of the neck in joints [T, 22, 3]: the lean that is estimated, as far as the trunk's length allows it.

    Estimators let people lean towards the camera.
    """
    hips = mid_hip(joints)
    spine = joints[:, OPENPOSE_18_FEET.index("neck")] - hips
    ends = [np.mean([rest.keypoint(f"{side}_{part}") for side in SIDES], axis=0) for part in ("shoulder", "hip")]
    length = float(np.linalg.norm(ends[0] - ends[1]))
    most = np.sqrt(np.maximum(length**2 - np.sum(spine[:, :2] ** 2, axis=1), 0.0))
    return np.asarray(hips[:, 2] + np.clip(spine[:, 2], -most, most))


def _stretched(motion: BodyMotion, targets: DoubleArray, rest: RestBody) -> BodyMotion:
    """The movement with the limbs' ends moved onto joints [T, 22, 2], as far as `_LONGEST_STRETCH` allows.

    Joints of a picture lie where perspective and the detector put them; bones of one length do not reach all of them.
    """
    bone = load_template().bone
    heads, own = motion.heads.copy(), motion.keypoints(rest)

    def move(bones: tuple[str, ...], joints: tuple[str, ...]) -> None:
        offset = np.mean(
            [targets[:, OPENPOSE_18_FEET.index(name)] - own[:, KEYPOINTS.index(name), :2] for name in joints], axis=0
        )
        length = np.linalg.norm(offset, axis=1, keepdims=True)
        offset *= np.minimum(1.0, _LONGEST_STRETCH / np.maximum(length, 1e-9))
        for name in bones:
            heads[:, bone(name), :2] += offset

    for side in SIDES:
        move((f"{side}UpperArm",), (f"{side}_shoulder",))
        move((f"{side}LowerArm",), (f"{side}_elbow",))
        move((f"{side}Hand",), (f"{side}_wrist",))
        move((f"{side}UpperLeg",), (f"{side}_hip",))
        move((f"{side}LowerLeg",), (f"{side}_knee",))
        move((f"{side}Foot", f"{side}Toes"), (f"{side}_ankle",))
    move(("head", "neck"), ("left_ear", "right_ear", "nose"))
    return BodyMotion(motion.rotations, heads, motion.fps)
