from __future__ import annotations

import numpy as np
import pytest

from stgmamba.body.posing import RestBody, pose_body, skin_vertices
from stgmamba.body.template import KEYPOINTS, load_template
from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton
from stgmamba.skeleton.anthropometry import FACE_POINTS
from tests.support.posed_body import standing_body

TEMPLATE = load_template()


@pytest.fixture
def rest() -> RestBody:
    fitted = standing_body().fitted
    return RestBody(fitted.heads, fitted.keypoints)


def joints_of(rest: RestBody) -> np.ndarray:
    """The body's own joints as one frame of a dance, standing on the floor."""
    joints = rest.keypoints[: len(OPENPOSE_18_FEET)].copy()
    joints[:, 1] -= joints[:, 1].min()
    return joints[None]


def test_its_own_pose_moves_nothing_much(rest: RestBody) -> None:
    """Keypoints lie beside the bones, so the directions differ by some degrees."""
    motion = pose_body(Skeleton(joints_of(rest), 25.0, OPENPOSE_18_FEET), rest)
    assert np.trace(motion.rotations[0], axis1=-2, axis2=-1).min() > 2.9  # 1 + 2 cos angle


def test_a_turned_dance_turns_the_body_and_keeps_its_size(rest: RestBody) -> None:
    joints = joints_of(rest)
    half_turn = joints * (-1, 1, -1)
    motion = pose_body(Skeleton(np.concatenate([joints, half_turn]), 25.0, OPENPOSE_18_FEET), rest)
    facing = motion.rotations[:, 0] @ np.asarray([0.0, 0.0, 1.0])
    assert np.allclose(facing[0] * (-1, 1, -1), facing[1])
    for b, parent in enumerate(TEMPLATE.parents):
        if parent >= 0:
            lengths = np.linalg.norm(motion.heads[:, b] - motion.heads[:, parent], axis=1)
            assert np.allclose(lengths, np.linalg.norm(rest.heads[b] - rest.heads[parent]))


def test_feet_are_as_high_as_in_the_dance_and_never_below_the_floor(sway: Skeleton, rest: RestBody) -> None:
    lifted = sway.positions.copy()
    lifted[10:20, :, 1] += 0.2
    motion = pose_body(Skeleton(lifted, 25.0, OPENPOSE_18_FEET), rest)
    feet = [KEYPOINTS.index(f"{side}_{part}") for side in ("left", "right") for part in ("heel", "toe")]
    lowest = motion.keypoints(rest)[:, feet, 1].min(axis=1)
    assert lowest.min() >= -1e-6
    assert lowest[15] - lowest[5] == pytest.approx(0.2 * rest.leg / 0.82, rel=0.1)  # legs of the dance: 0.82 m


def test_a_raised_arm_is_raised(sway: Skeleton, rest: RestBody) -> None:
    motion = pose_body(sway, rest)
    wrist, shoulder = TEMPLATE.bone("leftHand"), TEMPLATE.bone("leftUpperArm")
    wanted = sway.joint("left_wrist")[:, 1] - sway.joint("left_shoulder")[:, 1]
    got = motion.heads[:, wrist, 1] - motion.heads[:, shoulder, 1]
    assert np.corrcoef(wanted, got)[0, 1] > 0.99


def test_a_level_head_of_a_dance_is_level(sway: Skeleton) -> None:
    """Points of the face lie differently on the dance's head and on the template's: that is no nod."""
    template_rest = RestBody(TEMPLATE.bone_mean.astype(float), TEMPLATE.keypoint_mean.astype(float))
    joints = sway.positions[:1].copy()
    middle = (sway.joint("left_ear")[0] + sway.joint("right_ear")[0]) / 2
    for name, point in FACE_POINTS.items():
        joints[0, OPENPOSE_18_FEET.index(name)] = middle + 0.14 * np.asarray(point)
    motion = pose_body(Skeleton(joints, 25.0, OPENPOSE_18_FEET), template_rest)
    assert np.allclose(motion.rotations[0, TEMPLATE.bone("head")], np.eye(3), atol=1e-3)


def test_skinning_by_one_bone_is_a_rigid_motion() -> None:
    rng = np.random.default_rng(0)
    vertices = rng.normal(0, 1, (20, 3)).astype(np.float32)
    bones = np.zeros((20, 4), np.int32)
    weights = np.zeros((20, 4), np.float32)
    weights[:, 0] = 1
    turn = np.asarray([[[0, -1, 0], [1, 0, 0], [0, 0, 1]]], np.float32)
    shift = np.asarray([[1, 2, 3]], np.float32)
    moved = skin_vertices(vertices, bones, weights, turn, shift)
    assert np.allclose(moved, vertices @ turn[0].T + shift, atol=1e-6)
