"""Conversions between skeleton layouts.

Joints that both layouts name are copied. A joint that the source lacks is derived from others by the rules below
(the neck is the middle of the shoulders, and so on); where no rule applies it gets confidence 0.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stgmamba.arrays import FloatArray, unit
from stgmamba.skeleton.anthropometry import FACE_POINTS, MEAN_DANCER
from stgmamba.skeleton.layouts import OPENPOSE_18_FEET, SMPL_22, TANG_23, Layout
from stgmamba.skeleton.sequence import Skeleton
from stgmamba.skeleton.smpl import smpl_to_openpose

# A missing joint as the weighted mean of others; the first rule whose joints are all known wins.
_RULES: dict[str, tuple[dict[str, float], ...]] = {
    "neck": ({"left_shoulder": 0.5, "right_shoulder": 0.5},),
    "mid_hip": ({"left_hip": 0.5, "right_hip": 0.5},),
    "left_small_toe": ({"left_toe": 1.0},),
    "right_small_toe": ({"right_toe": 1.0},),
    "left_eye_inner": ({"left_eye": 0.7, "nose": 0.3},),
    "right_eye_inner": ({"right_eye": 0.7, "nose": 0.3},),
    "left_eye_outer": ({"left_eye": 0.8, "left_ear": 0.2},),
    "right_eye_outer": ({"right_eye": 0.8, "right_ear": 0.2},),
    "left_forearm": ({"left_elbow": 0.5, "left_wrist": 0.5},),
    "right_forearm": ({"right_elbow": 0.5, "right_wrist": 0.5},),
    "spine": ({"left_hip": 0.35, "right_hip": 0.35, "left_shoulder": 0.15, "right_shoulder": 0.15},),
    "left_hand": ({"left_index": 0.5, "left_pinky": 0.5}, {"left_wrist": 1.3, "left_elbow": -0.3}),
    "right_hand": ({"right_index": 0.5, "right_pinky": 0.5}, {"right_wrist": 1.3, "right_elbow": -0.3}),
    "left_head": ({"left_ear": 1.0},),
    "right_head": ({"right_ear": 1.0},),
    "left_ear": ({"left_head": 1.0},),
    "right_ear": ({"right_head": 1.0},),
    "left_eye": ({"nose": 0.6, "left_ear": 0.4},),
    "right_eye": ({"nose": 0.6, "right_ear": 0.4},),
    "mouth_left_corner": ({"nose": 1.2, "left_eye": -0.2},),
    "mouth_right_corner": ({"nose": 1.2, "right_eye": -0.2},),
}


def convert(skeleton: Skeleton, layout: Layout) -> Skeleton:
    """The same dance in another layout.

    Args:
        skeleton: any layout, 2-D or 3-D.
        layout: the layout of the result.

    Returns:
        A skeleton of ``layout``. Derived joints carry the lowest confidence of the joints they come from;
        joints that cannot be derived have confidence 0 and position 0.
    """
    if layout == skeleton.layout:
        return skeleton
    if skeleton.layout == SMPL_22 and skeleton.dims == 3:
        return convert(smpl_to_openpose(skeleton), layout) if layout != OPENPOSE_18_FEET else smpl_to_openpose(skeleton)
    frames = len(skeleton)
    positions = np.zeros((frames, len(layout), skeleton.dims), np.float32)
    confidence = np.zeros((frames, len(layout)), np.float32)
    for j, name in enumerate(layout.joints):
        if skeleton.layout.has(name):
            positions[:, j] = skeleton.joint(name)
            confidence[:, j] = skeleton.confidence[:, skeleton.layout.index(name)]
            continue
        for rule in _RULES.get(name, ()):
            if skeleton.layout.has(*rule):
                indices = [skeleton.layout.index(source) for source in rule]
                weights = np.asarray(list(rule.values()), np.float32)
                positions[:, j] = np.einsum("tjd,j->td", skeleton.positions[:, indices], weights)
                confidence[:, j] = skeleton.confidence[:, indices].min(axis=1)
                positions[confidence[:, j] == 0, j] = 0.0
                break
    result = replace(skeleton, positions=positions, confidence=confidence, layout=layout)
    if skeleton.layout == TANG_23 and layout.has("nose", "left_eye", "right_eye"):
        _place_face(result, skeleton)
    return result


def _place_face(result: Skeleton, tang: Skeleton) -> None:
    """Fill in nose and eyes, which Tang 2018 did not capture, from the two head markers and the facing direction."""
    if tang.dims != 3:
        return
    across, up, forward = head_axes(tang.joint("left_head"), tang.joint("right_head"))
    middle = (tang.joint("left_head") + tang.joint("right_head")) / 2
    known = tang.confidence[:, [tang.layout.index("left_head"), tang.layout.index("right_head")]].min(axis=1)
    width = np.float32(MEAN_DANCER["head"])
    for name in ("nose", "left_eye", "right_eye"):
        a, u, f = FACE_POINTS[name]
        j = result.layout.index(name)
        point = middle + width * (a * across + u * up + f * forward)
        result.positions[:, j] = np.where(known[:, None] > 0, point, 0)
        result.confidence[:, j] = known


def head_axes(left: FloatArray, right: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Unit axes of a head from its left and right ear, 3-D, y up: across (to the left), up, forward; each [T, 3].

    Nodding cannot be seen from two points: forward is taken level.
    """
    across = unit(left - right, fallback=(1.0, 0.0, 0.0))
    forward = unit(np.cross(across, np.asarray([0.0, 1.0, 0.0], np.float32)), fallback=(0.0, 0.0, 1.0))
    return across, np.cross(forward, across).astype(np.float32), forward.astype(np.float32)
