from __future__ import annotations

import numpy as np
import pytest

from stgmamba.skeleton import COCO_17, OPENPOSE_18_FEET, SMPL_22, Skeleton, convert
from stgmamba.skeleton.smpl import DERIVED

from ..support.smpl_figure import standing_smpl, swaying_smpl


def openpose(joints: np.ndarray, toes: bool = True) -> Skeleton:
    smpl = Skeleton(joints.astype(np.float32), 30.0, SMPL_22)
    if not toes:
        smpl.confidence[:, [SMPL_22.index("left_foot"), SMPL_22.index("right_foot")]] = 0
    return convert(smpl, OPENPOSE_18_FEET)


def test_joints_that_both_have_are_copied_and_the_neck_is_between_the_shoulders() -> None:
    joints = swaying_smpl(60)
    dance = openpose(joints)
    for name in ("left_wrist", "right_knee", "left_ankle", "right_hip"):
        np.testing.assert_allclose(dance.joint(name), joints[:, SMPL_22.index(name)], atol=1e-6)
    middle = (dance.joint("left_shoulder") + dance.joint("right_shoulder")) / 2
    np.testing.assert_allclose(dance.joint("neck"), middle, atol=1e-6)
    assert (dance.confidence[:, OPENPOSE_18_FEET.index("left_wrist")] == 1).all()


def test_the_face_looks_where_the_shoulders_do_and_is_known_to_be_derived() -> None:
    dance = openpose(np.repeat(standing_smpl()[None], 5, axis=0))
    ears = (dance.joint("left_ear") + dance.joint("right_ear")) / 2
    assert ((dance.joint("nose") - ears)[:, 2] > 0.08).all()
    assert (dance.joint("left_ear")[:, 0] > 0.05).all()
    assert (dance.joint("nose")[:, 1] > dance.joint("neck")[:, 1]).all()
    for name in ("nose", "left_eye", "right_ear", "left_heel"):
        assert (dance.confidence[:, OPENPOSE_18_FEET.index(name)] == DERIVED).all()


@pytest.mark.parametrize("toes", [True, False])
def test_a_standing_foot_is_flat_and_points_forward(toes: bool) -> None:
    dance = openpose(np.repeat(standing_smpl()[None], 30, axis=0), toes)
    for side, sign in (("left", 1), ("right", -1)):
        heel, toe = dance.joint(f"{side}_heel"), dance.joint(f"{side}_toe")
        assert np.abs(heel[:, 1] - toe[:, 1]).max() < 0.02
        assert np.abs(heel[:, 1]).max() < 0.02
        assert ((toe - heel)[:, 2] > 0.18).all()
        assert ((toe - heel)[:, 0] * sign > -0.02).all()  # straight or a little outwards
        trust = dance.confidence[:, OPENPOSE_18_FEET.index(f"{side}_toe")]
        assert (trust == (1 if toes else DERIVED)).all()


def test_a_foot_without_toes_turns_with_the_knee_and_points_down_when_lifted() -> None:
    joints = np.repeat(standing_smpl()[None], 60, axis=0)
    knee, ankle = SMPL_22.index("left_knee"), SMPL_22.index("left_ankle")
    joints[30:, knee] = (0.35, 0.6, 0.0)  # bent to the side
    joints[30:, ankle, 1] = 0.3
    dance = openpose(joints, toes=False)
    foot = dance.joint("left_toe") - dance.joint("left_heel")
    assert (foot[:20, 2] > 0.15).all()
    assert (foot[-20:, 0] > 0.12).all()
    assert (foot[-20:, 1] < -0.05).all()


def test_a_flat_skeleton_keeps_what_both_layouts_name() -> None:
    flat = Skeleton(swaying_smpl(4)[..., :2].astype(np.float32), 30.0, SMPL_22)
    assert (convert(flat, OPENPOSE_18_FEET).confidence[:, OPENPOSE_18_FEET.index("left_wrist")] == 1).all()
    assert (convert(flat, OPENPOSE_18_FEET).confidence[:, OPENPOSE_18_FEET.index("nose")] == 0).all()


def test_other_layouts_come_by_way_of_the_derived_face() -> None:
    dance = convert(Skeleton(swaying_smpl(4).astype(np.float32), 30.0, SMPL_22), COCO_17)
    assert (dance.confidence > 0).all()
