"""From the 22 body joints of SMPL to OPENPOSE_18_FEET: the face and the feet that SMPL's joints only hint at.

SMPL's neck lies below the throat or, in some exports, in the chest, so the neck is the middle of the shoulders, as in
OpenPose. The face is placed by the proportions of an adult head; it looks where the shoulders face, since joints alone
do not tell how a head is turned. Heels, and toes where the source has none, follow from ankle, knee and hips.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.ndimage import gaussian_filter1d

from stgmamba.arrays import DoubleArray, unit
from stgmamba.skeleton.anthropometry import FACE_POINTS, MEAN_DANCER
from stgmamba.skeleton.layouts import OPENPOSE_18_FEET, SMPL_22
from stgmamba.skeleton.sequence import Skeleton

DERIVED = 0.5
"""Confidence of joints that are not in the source but placed by anatomy, relative to that of the joints they follow."""

_UP = np.array([0.0, 1.0, 0.0])
_CROWN = 0.08  # metres from SMPL's head joint, at the base of the skull, up to the height of the ears
_ANKLE_HEIGHT = 0.075  # metres from the ankle down to the heel and toe joints of a flat sole, on the default body
_HEEL_BACK = np.sqrt(MEAN_DANCER["heel"] ** 2 - _ANKLE_HEIGHT**2)
_TOE_FORWARD = np.sqrt(MEAN_DANCER["toe"] ** 2 - _ANKLE_HEIGHT**2)
_STANDING_SPEED = 0.3  # m/s, of the ankle, below which a foot may stand
_STANDING_HEIGHT = 0.03  # metres of the ankle above its usual lowest height, below which it may stand
_TOES_OUT = np.radians(12.0)  # a foot's usual turn outwards from the direction of the hips
_HANGING_PITCH = np.radians(40.0)  # a lifted foot points down by at most this
_LOW_CONFIDENCE = 0.1  # toes of feet of less are derived


def smpl_to_openpose(skeleton: Skeleton) -> Skeleton:
    """Joints of OPENPOSE_18_FEET from those of SMPL_22.

    Args:
        skeleton: 3-D SMPL_22, metres, y up. A foot whose confidence is mostly 0 is not used.

    Returns:
        The same frames; face and heels, and the toes of feet that are not used, have
        `DERIVED` of the confidence of their sources.
    """
    p = {name: skeleton.joint(name).astype(np.float64) for name in SMPL_22.joints}
    known = {name: skeleton.confidence[:, j] for j, name in enumerate(SMPL_22.joints)}
    positions = np.zeros((len(skeleton), len(OPENPOSE_18_FEET), 3), np.float32)
    confidence = np.zeros((len(skeleton), len(OPENPOSE_18_FEET)), np.float32)

    def put(name: str, point: DoubleArray, trust: np.ndarray) -> None:  # type: ignore[type-arg]
        j = OPENPOSE_18_FEET.index(name)
        positions[:, j], confidence[:, j] = point, trust

    def derive(name: str, point: DoubleArray, trust: np.ndarray) -> None:  # type: ignore[type-arg]
        put(name, np.where(trust[:, None] > 0, point, 0), trust)  # a joint of confidence 0 lies at 0, as in ``convert``

    neck = (p["left_shoulder"] + p["right_shoulder"]) / 2
    shoulders = np.minimum(known["left_shoulder"], known["right_shoulder"])
    derive("neck", neck, shoulders)
    for side in ("left", "right"):
        for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle"):
            put(f"{side}_{part}", p[f"{side}_{part}"], known[f"{side}_{part}"])
    trust = DERIVED * np.minimum(shoulders, known["head"])
    for name, point in _face(p, neck).items():
        derive(name, point, trust)
    for side in ("left", "right"):
        given = known[f"{side}_foot"] > _LOW_CONFIDENCE
        forward, upward = _sole_of_toe(p, side, skeleton.fps) if given.mean() > 0.5 else _sole(p, side, skeleton.fps)
        ankle = known[f"{side}_ankle"]
        derive(f"{side}_heel", p[f"{side}_ankle"] - _HEEL_BACK * forward - _ANKLE_HEIGHT * upward, DERIVED * ankle)
        toe = p[f"{side}_ankle"] + _TOE_FORWARD * forward - _ANKLE_HEIGHT * upward
        derive(f"{side}_toe", toe, ankle if given.mean() > 0.5 else DERIVED * ankle)
    return replace(skeleton, positions=positions, confidence=confidence, layout=OPENPOSE_18_FEET)


def _face(p: dict[str, DoubleArray], neck: DoubleArray) -> dict[str, DoubleArray]:
    """Points of the face [T, 3] by name."""
    up = unit(p["head"] - p["neck"], (0.0, 1.0, 0.0))
    centre = neck + MEAN_DANCER["neck"] * unit(p["head"] + _CROWN * up - neck, (0.0, 1.0, 0.0))
    shoulders = unit(p["left_shoulder"] - p["right_shoulder"], (1.0, 0.0, 0.0))
    across = unit(shoulders - up * (shoulders * up).sum(-1, keepdims=True), (1.0, 0.0, 0.0))
    forward = np.cross(across, up)
    return {
        name: centre + MEAN_DANCER["head"] * (a * across + u * up + f * forward)
        for name, (a, u, f) in FACE_POINTS.items()
    }


def _sole_of_toe(p: dict[str, DoubleArray], side: str, fps: float) -> tuple[DoubleArray, DoubleArray]:
    """Directions [T, 3] forward along and upward from the sole of a foot whose ball is known.

    The joint's height above the sole differs between sources, so its pitch is taken relative to that of standing.
    """
    ankle = p[f"{side}_ankle"]
    toe = unit(p[f"{side}_foot"] - ankle, (0.0, 0.0, 1.0))
    standing = _standing(ankle, fps)
    pitch = float(np.median(np.arcsin(np.clip(toe[standing, 1], -1, 1)))) if standing.any() else 0.0
    # A pointed foot lies in line with the shin; the hips then tell where its side is.
    hips = unit(p["left_hip"] - p["right_hip"], (1.0, 0.0, 0.0))
    shin = unit(p[f"{side}_knee"] - ankle, (0.0, 1.0, 0.0))
    across = unit(np.cross(shin, toe) + 0.15 * hips, (1.0, 0.0, 0.0))
    toe = unit(toe - across * (toe * across).sum(-1, keepdims=True), (0.0, 0.0, 1.0))
    forward = toe * np.cos(-pitch) + np.cross(toe, across) * np.sin(-pitch)
    return forward, np.cross(forward, across)


def _sole(p: dict[str, DoubleArray], side: str, fps: float) -> tuple[DoubleArray, DoubleArray]:
    """Directions [T, 3] forward along and upward from the sole of a foot of which only the ankle is known.

    A foot points where the knee bends, and with a straight leg a little outwards from where the hips face. Its toe
    stays on the floor while the heel rises.
    """
    ankle, knee, hip = (p[f"{side}_{part}"] for part in ("ankle", "knee", "hip"))
    front = np.cross(unit(p["left_hip"] - p["right_hip"], (1.0, 0.0, 0.0)), _UP)
    turn = _TOES_OUT if side == "left" else -_TOES_OUT
    outwards = np.stack(
        [
            front[:, 0] * np.cos(turn) + front[:, 2] * np.sin(turn),
            np.zeros(len(front)),
            -front[:, 0] * np.sin(turn) + front[:, 2] * np.cos(turn),
        ],
        axis=-1,
    )
    leg = unit(hip - ankle, (0.0, 1.0, 0.0))
    bend = (knee - ankle) - leg * ((knee - ankle) * leg).sum(-1, keepdims=True)
    level = 0.12 * unit(outwards, (0.0, 0.0, 1.0)) + bend * (1.0, 0.0, 1.0)  # 12 cm: as much as a clearly bent knee
    level = unit(gaussian_filter1d(level, 0.06 * fps, axis=0, mode="nearest"), (0.0, 0.0, 1.0))
    lift = np.maximum(ankle[:, 1] - np.percentile(ankle[:, 1], 10) - _STANDING_HEIGHT / 2, 0)
    pitch = -np.minimum(np.arcsin(np.clip(lift / _TOE_FORWARD, 0, 1)), _HANGING_PITCH)
    pitch = gaussian_filter1d(pitch, 0.04 * fps, mode="nearest")[:, None]
    forward = level * np.cos(pitch) + _UP * np.sin(pitch)
    return forward, np.cross(forward, unit(np.cross(_UP, forward), (1.0, 0.0, 0.0)))


def _standing(ankle: DoubleArray, fps: float) -> np.ndarray:  # type: ignore[type-arg]
    """Frames [T] in which an ankle [T, 3] is slow and low; all frames where there are hardly any."""
    speed = np.linalg.norm(np.gradient(ankle, axis=0), axis=1) * fps if len(ankle) > 1 else np.zeros(len(ankle))
    low = ankle[:, 1] < np.percentile(ankle[:, 1], 10) + _STANDING_HEIGHT
    standing = (speed < _STANDING_SPEED) & low
    return standing if standing.sum() > 10 else np.ones(len(ankle), bool)
