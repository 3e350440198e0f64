"""A body in the poses of a dance: rotations of its bones from joints, linear blend skinning, steps on the floor.

The photo's pose is the bind pose. Rotations are relative to it: of hips, chest and head from frames of joints, of the
limbs by the shortest rotation from their parents' (swing without twist); bone lengths stay those of the body.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from stgmamba.arrays import DoubleArray, FloatArray, IntArray, unit
from stgmamba.body.template import KEYPOINTS, SIDES, load_template
from stgmamba.jit import jit
from stgmamba.skeleton.anthropometry import FACE_POINTS
from stgmamba.skeleton.layouts import OPENPOSE_18_FEET
from stgmamba.skeleton.sequence import Skeleton

_MAX_HEAD_TURN = 1.0  # radians against the chest
_MAX_FOOT_TURN = 1.0  # radians against the shin: a pointed foot
_SPINE_SHARE = {"spine": 0.25, "chest": 0.6}  # of the rotation from the hips to the chest
_NECK_SHARE = 0.5  # of the rotation from the chest to the head
_LIMBS = (
    ("UpperArm", "Shoulder", "LowerArm", "shoulder", "elbow"),
    ("LowerArm", "UpperArm", "Hand", "elbow", "wrist"),
    ("UpperLeg", "hips", "LowerLeg", "hip", "knee"),
    ("LowerLeg", "UpperLeg", "Foot", "knee", "ankle"),
)
"""Bone, its parent, the bone at its end, and the joints of a dance that give its direction."""

_CONTACT_SOFTNESS = 0.03  # metres: the lowest parts of the feet share the contact


@dataclass(frozen=True)
class RestBody:
    """What posing needs of a body: heads of the bones [B, 3] and keypoints [P, 3] in the photo's pose, metres."""

    heads: DoubleArray
    keypoints: DoubleArray

    def keypoint(self, name: str) -> DoubleArray:
        """One keypoint, [3]."""
        return np.asarray(self.keypoints[KEYPOINTS.index(name)])

    @property
    def leg(self) -> float:
        """Hip to ankle with the knee straight, metres, mean of both sides."""
        bone = load_template().bone
        lengths = [
            np.linalg.norm(self.heads[bone(side + a)] - self.heads[bone(side + b)])
            for side in SIDES
            for a, b in (("UpperLeg", "LowerLeg"), ("LowerLeg", "Foot"))
        ]
        return float(sum(lengths)) / 2


@dataclass(frozen=True)
class BodyMotion:
    """A body's movement over T frames.

    Attributes:
        rotations: of each bone in space against the photo's pose, [T, B, 3, 3].
        heads: of the bones, metres, floor at y = 0, [T, B, 3].
        fps: frames per second.
    """

    rotations: DoubleArray
    heads: DoubleArray
    fps: float

    def __len__(self) -> int:
        return len(self.heads)

    def translations(self, rest: RestBody) -> DoubleArray:
        """Translations [T, B, 3] that with ``rotations`` take points of the photo's pose to those of a frame."""
        return np.asarray(self.heads - np.einsum("tbij,bj->tbi", self.rotations, rest.heads))

    def keypoints(self, rest: RestBody) -> DoubleArray:
        """`KEYPOINTS` of each frame, [T, P, 3]."""
        return _carried(self.rotations, self.heads, rest)

    def moved(self, offsets: DoubleArray) -> BodyMotion:
        """The movement with every frame shifted by [T, 3] metres."""
        return BodyMotion(self.rotations, self.heads + offsets[:, None], self.fps)


def pose_body(dance: Skeleton, rest: RestBody) -> BodyMotion:
    """A dance on a body: directions of the dance, lengths of the body, feet as high above the floor as in the dance.

    Args:
        dance: 3-D OPENPOSE_18_FEET, metres.
        rest: the body.
    """
    positions = dance.positions.astype(np.float64)
    motion = pose_bones(positions, rest, dance.fps)
    scale = rest.leg / _leg(positions)
    return motion.moved(_root_from_contacts(positions * scale, motion.keypoints(rest)))


def pose_bones(positions: DoubleArray, rest: RestBody, fps: float) -> BodyMotion:
    """A body with the directions of joints [T, 22, 3], OPENPOSE_18_FEET, and its hips at the origin."""
    rotations = _bone_rotations(positions, rest)
    return BodyMotion(rotations, _forward(rotations, rest), fps)


def _bone_rotations(positions: DoubleArray, rest: RestBody) -> DoubleArray:
    """Rotations [T, B, 3, 3] in space against the photo's pose, of joints [T, 22, 3]."""
    template = load_template()
    bone = template.bone

    def joint(name: str) -> DoubleArray:
        return positions[:, OPENPOSE_18_FEET.index(name)]

    def head(name: str) -> DoubleArray:
        return np.asarray(rest.heads[bone(name)])

    middle = (joint("left_hip") + joint("right_hip")) / 2
    spine = joint("neck") - middle
    rest_shoulders = (head("leftUpperArm") + head("rightUpperArm")) / 2
    rest_spine = rest_shoulders - (head("leftUpperLeg") + head("rightUpperLeg")) / 2

    def turned(part: str, limb: str) -> DoubleArray:
        across = joint(f"left_{part}") - joint(f"right_{part}")
        rest_across = head(f"left{limb}") - head(f"right{limb}")
        return np.asarray(_frame(across, spine) @ _frame(rest_across, rest_spine).T)

    hips, chest = turned("hip", "UpperLeg"), turned("shoulder", "UpperArm")
    face = _frame(*_face_axes(*(joint(name) for name in ("nose", "left_ear", "right_ear"))))
    rest_face = _frame(*_face_axes(*(rest.keypoint(name) for name in ("nose", "left_ear", "right_ear"))))
    face = _limited(chest, face @ _level_head() @ rest_face.T, _MAX_HEAD_TURN)

    rotations = np.tile(np.eye(3), (len(positions), len(template.bones), 1, 1))
    rotations[:, bone("hips")], rotations[:, bone("upperChest")], rotations[:, bone("head")] = hips, chest, face
    for name, share in _SPINE_SHARE.items():
        rotations[:, bone(name)] = _between(hips, chest, share)
    rotations[:, bone("neck")] = _between(chest, face, _NECK_SHARE)
    for side in SIDES:
        rotations[:, bone(f"{side}Shoulder")] = chest
        for limb, parent, end, start_joint, end_joint in _LIMBS:
            above = rotations[:, bone(parent if parent == "hips" else side + parent)]
            along = head(side + end) - head(side + limb)
            target = joint(f"{side}_{end_joint}") - joint(f"{side}_{start_joint}")
            rotations[:, bone(side + limb)] = _swing(above @ along, target) @ above
        # From the heel to the toe: from the ankle feet would stand on tiptoe.
        above = rotations[:, bone(f"{side}LowerLeg")]
        sole = rest.keypoint(f"{side}_toe") - rest.keypoint(f"{side}_heel")
        target = joint(f"{side}_toe") - joint(f"{side}_heel")
        rotations[:, bone(f"{side}Foot")] = _limited(above, _swing(above @ sole, target) @ above, _MAX_FOOT_TURN)
        rotations[:, bone(f"{side}Toes")] = rotations[:, bone(f"{side}Foot")]
        rotations[:, bone(f"{side}Hand")] = rotations[:, bone(f"{side}LowerArm")]
    return rotations


def _level_head() -> DoubleArray:
    """Rotation [3, 3] between the frames that the face's points of dances and of the template span on a level head."""
    names = ("nose", "left_ear", "right_ear")
    of_dances = _frame(*_face_axes(*(np.asarray((x, y, z)) for x, y, z in (FACE_POINTS[name] for name in names))))
    keypoints = load_template().keypoint_mean.astype(np.float64)
    of_template = _frame(*_face_axes(*(keypoints[KEYPOINTS.index(name)] for name in names)))
    return np.asarray(of_dances.T @ of_template)


def _forward(rotations: DoubleArray, rest: RestBody) -> DoubleArray:
    """Heads of the bones [T, B, 3] with the hips at the origin."""
    template = load_template()
    heads = np.zeros((len(rotations), len(template.bones), 3))
    for b, parent in enumerate(template.parents):
        if parent >= 0:
            heads[:, b] = heads[:, parent] + rotations[:, parent] @ (rest.heads[b] - rest.heads[parent])
    return heads


def _carried(rotations: DoubleArray, heads: DoubleArray, rest: RestBody) -> DoubleArray:
    bones = load_template().keypoint_bones
    offsets = rest.keypoints - rest.heads[bones]
    return np.asarray(heads[:, bones] + np.einsum("tpij,pj->tpi", rotations[:, bones], offsets))


def _leg(positions: DoubleArray) -> float:
    """Median length of thigh and shin in a dance, metres."""
    lengths = []
    for side in SIDES:
        hip, knee, ankle = (positions[:, OPENPOSE_18_FEET.index(f"{side}_{n}")] for n in ("hip", "knee", "ankle"))
        lengths.append(np.linalg.norm(hip - knee, axis=1) + np.linalg.norm(knee - ankle, axis=1))
    return float(np.median(lengths))


def _root_from_contacts(original: DoubleArray, posed: DoubleArray) -> DoubleArray:
    """Shifts [T, 3] that put the lowest parts of the feet where they are in the original.

    Args:
        original: joints of the dance at the body's scale, [T, 22, 3], floor at y = 0.
        posed: keypoints of the body with the hips at the origin, [T, P, 3].
    """
    joints = [f"{side}_{part}" for side in SIDES for part in ("heel", "toe")]
    feet = original[:, [OPENPOSE_18_FEET.index(name) for name in joints]]
    own = posed[:, [KEYPOINTS.index(name) for name in joints]]
    above = feet[..., 1] - feet[..., 1].min(axis=1, keepdims=True)
    weight = np.exp(-above / _CONTACT_SOFTNESS)
    weight /= weight.sum(axis=1, keepdims=True)
    shift = np.einsum("tj,tjd->td", weight, feet - own)
    # The lowest point of the feet is as high as in the dance: nothing sinks into the floor.
    shift[:, 1] = np.maximum(feet[..., 1].min(axis=1), 0.0) - own[..., 1].min(axis=1)
    return np.asarray(shift)


def _frame(across: Any, up: Any) -> DoubleArray:
    """Rotations [..., 3, 3] whose columns are across, up made perpendicular to it, and forward."""
    x = unit(across, (1.0, 0.0, 0.0))
    z = unit(np.cross(x, up), (0.0, 0.0, 1.0))
    return np.stack([x, np.cross(z, x), z], axis=-1)


def _face_axes(nose: Any, left_ear: Any, right_ear: Any) -> tuple[Any, Any]:
    """Across and up of a head."""
    across = unit(left_ear - right_ear, (1.0, 0.0, 0.0))
    forward = nose - (left_ear + right_ear) / 2
    forward = forward - across * np.sum(forward * across, axis=-1, keepdims=True)
    return across, np.cross(unit(forward, (0.0, 0.0, 1.0)), across)


def _swing(start: DoubleArray, end: DoubleArray) -> DoubleArray:
    """The shortest rotations [T, 3, 3] from directions [T, 3] to others."""
    a, b = unit(start), unit(end)
    axis = np.cross(a, b)
    sine = np.linalg.norm(axis, axis=-1, keepdims=True)
    angle = np.arctan2(sine, np.sum(a * b, axis=-1, keepdims=True))
    return np.asarray(Rotation.from_rotvec(axis / np.maximum(sine, 1e-9) * angle).as_matrix())


def _between(start: DoubleArray, end: DoubleArray, share: float) -> DoubleArray:
    """Rotations [T, 3, 3] a share of the way from one to another (slerp)."""
    relative = Rotation.from_matrix(start.transpose(0, 2, 1) @ end).as_rotvec()
    return np.asarray(start @ Rotation.from_rotvec(relative * share).as_matrix())


def _limited(start: DoubleArray, end: DoubleArray, angle: float) -> DoubleArray:
    """Rotations [T, 3, 3] towards ``end``, at most ``angle`` radians away from ``start``."""
    relative = Rotation.from_matrix(start.transpose(0, 2, 1) @ end).as_rotvec()
    size = np.linalg.norm(relative, axis=1, keepdims=True)
    return np.asarray(
        start @ Rotation.from_rotvec(relative * np.minimum(1, angle / np.maximum(size, 1e-9))).as_matrix()
    )


@jit("contract", "arcp", "nsz", "reassoc")
def skin_vertices(
    vertices: FloatArray,
    bones: IntArray,
    weights: FloatArray,
    rotations: FloatArray,
    translations: FloatArray,
) -> FloatArray:
    """Vertices [V, 3] by linear blend skinning.

    Args:
        vertices: in the photo's pose, [V, 3].
        bones: the four bones of each vertex, [V, 4].
        weights: theirs, [V, 4].
        rotations: of the bones, [B, 3, 3].
        translations: of the bones, [B, 3].
    """
    posed = np.zeros_like(vertices)
    for v in range(len(vertices)):
        x, y, z = vertices[v, 0], vertices[v, 1], vertices[v, 2]
        for k in range(bones.shape[1]):
            b, w = bones[v, k], weights[v, k]
            for c in range(3):
                posed[v, c] += w * (
                    rotations[b, c, 0] * x + rotations[b, c, 1] * y + rotations[b, c, 2] * z + translations[b, c]
                )
    return posed
