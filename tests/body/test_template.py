from __future__ import annotations

import numpy as np
import pytest

from stgmamba.body.template import HEAD, KEYPOINTS, LEFT_LEG, RIGHT_ARM, load_template

TEMPLATE = load_template()


def test_bones_are_a_tree_with_parents_first() -> None:
    assert TEMPLATE.parents[0] == -1
    assert all(0 <= parent < bone for bone, parent in enumerate(TEMPLATE.parents) if bone)


def test_skinning_weights_sum_to_one() -> None:
    assert np.allclose(TEMPLATE.weights.sum(axis=1), 1, atol=1e-5)
    assert TEMPLATE.weights.min() >= 0


def test_the_mean_body_is_upright_faces_the_viewer_and_has_its_left_on_the_right() -> None:
    point = {name: TEMPLATE.keypoint_mean[i] for i, name in enumerate(KEYPOINTS)}
    assert np.ptp(TEMPLATE.mean[:, 1]) == pytest.approx(1.7, abs=0.02)
    assert point["nose"][1] > point["left_hip"][1] > point["left_ankle"][1]
    assert point["nose"][2] > point["left_ear"][2]
    assert point["left_hand"][0] > point["left_shoulder"][0] > 0 > point["right_shoulder"][0]


def test_triangles_face_outwards() -> None:
    corners = TEMPLATE.mean[TEMPLATE.triangles].astype(np.float64)
    volume = np.einsum("fc,fc->f", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() / 6
    assert 0.03 < volume < 0.12  # cubic metres of a person of 1.70 m


def test_parts_lie_where_their_names_say() -> None:
    middle = {part: TEMPLATE.mean[TEMPLATE.part == part].mean(axis=0) for part in (HEAD, LEFT_LEG, RIGHT_ARM)}
    assert middle[HEAD][1] > 0.5
    assert middle[LEFT_LEG][1] < -0.3
    assert middle[LEFT_LEG][0] > 0
    assert middle[RIGHT_ARM][0] < -0.2


def test_hands_are_relaxed() -> None:
    """Fingers do not spread: beyond the knuckles a hand is hardly wider than at the knuckles, 8 cm."""
    hand = TEMPLATE.mean[TEMPLATE.of_bones("leftHand")]
    wrist = TEMPLATE.bone_mean[TEMPLATE.bone("leftHand")]
    knuckles = TEMPLATE.keypoint_mean[KEYPOINTS.index("left_hand")]
    along = (knuckles - wrist) / np.linalg.norm(knuckles - wrist)
    beyond = hand[(hand - wrist) @ along > np.linalg.norm(knuckles - wrist) + 0.02]
    across = beyond - beyond.mean(axis=0)
    across -= np.outer(across @ along, along)
    widest = np.linalg.svd(across, full_matrices=False)[2][0]
    assert np.ptp(across @ widest) < 0.09


def test_what_hangs_from_a_bone() -> None:
    chain = TEMPLATE.descendants
    assert chain[0].all()
    hanging = {TEMPLATE.bones[i] for i in np.nonzero(chain[TEMPLATE.bone("leftUpperArm")])[0]}
    assert hanging == {"leftUpperArm", "leftLowerArm", "leftHand"}


def test_eyeballs_move_with_the_skin_beside_them() -> None:
    eyes = ~TEMPLATE.skin
    assert 0 < eyes.sum() < 0.1 * len(eyes)
    assert TEMPLATE.skin[TEMPLATE.nearest_skin].all()
    assert np.linalg.norm(TEMPLATE.mean - TEMPLATE.mean[TEMPLATE.nearest_skin], axis=1).max() < 0.05
