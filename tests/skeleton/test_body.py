from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stgmamba.skeleton import COCO_17, OPENPOSE_18_FEET, Skeleton
from stgmamba.skeleton.body import FEET, Body, bridge_flips, measure, mid_hip, rebuild, retarget

TREE = OPENPOSE_18_FEET.tree


def random_poses(seed: int, frames: int = 6) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(frames, 22, 3)).astype(np.float32)


def bone_lengths(positions: np.ndarray) -> np.ndarray:
    return np.stack([np.linalg.norm(positions[:, a] - positions[:, b], axis=-1) for a, b in TREE], axis=1)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31))
def test_every_bone_keeps_its_length_whatever_comes_in(seed: int) -> None:
    lengths = bone_lengths(rebuild(random_poses(seed), Body()))
    assert np.ptp(lengths, axis=0).max() < 1e-4


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.5, 2.0))
def test_measuring_a_rebuilt_body_gives_that_body(seed: int, scale: float) -> None:
    body = Body().scaled(scale)
    found = measure(Skeleton(rebuild(random_poses(seed), body), 25.0, OPENPOSE_18_FEET))
    assert vars(found) == pytest.approx(vars(body), rel=1e-3)


def test_rebuilding_twice_changes_nothing_more() -> None:
    once = rebuild(random_poses(1), Body())
    np.testing.assert_allclose(rebuild(once, Body()), once, atol=1e-5)


def test_rebuild_keeps_the_hips_where_they_are_and_limb_directions() -> None:
    poses = random_poses(2)
    out = rebuild(poses, Body())
    np.testing.assert_allclose(mid_hip(out), mid_hip(poses), atol=1e-5)
    elbow, wrist = OPENPOSE_18_FEET.index("left_elbow"), OPENPOSE_18_FEET.index("left_wrist")
    before, after = poses[:, wrist] - poses[:, elbow], out[:, wrist] - out[:, elbow]
    cosine = (before * after).sum(-1) / np.linalg.norm(before, axis=-1) / np.linalg.norm(after, axis=-1)
    np.testing.assert_allclose(cosine, 1.0, atol=1e-5)


def test_a_collapsed_pose_still_gives_a_finite_body() -> None:
    assert np.isfinite(rebuild(np.zeros((2, 22, 3), np.float32), Body())).all()


def test_retargeting_to_a_child_keeps_the_feet_on_the_floor() -> None:
    poses = rebuild(random_poses(3), Body())
    poses[..., 1] -= poses[:, FEET, 1].min(axis=1)[:, None] - 0.03
    child = retarget(Skeleton(poses, 25.0, OPENPOSE_18_FEET), Body().scaled(0.6))
    np.testing.assert_allclose(child.positions[:, FEET, 1].min(axis=1), 0.03 * 0.6, atol=1e-3)
    assert measure(child).leg == pytest.approx(Body().leg * 0.6, rel=1e-3)


def test_other_layouts_are_refused() -> None:
    with pytest.raises(ValueError, match="openpose18_feet"):
        measure(Skeleton(np.zeros((1, 17, 3), np.float32), 25.0, COCO_17))


@pytest.mark.parametrize("degrees", [-170, -100, -60, 0, 60, 100, 170])
def test_no_head_is_turned_further_than_a_neck_can(degrees: float, standing: Callable[[int], np.ndarray]) -> None:
    pose = standing(1)
    face = [i for i, name in enumerate(OPENPOSE_18_FEET.joints) if name.endswith(("nose", "eye", "ear"))]
    neck = pose[:, OPENPOSE_18_FEET.index("neck")]
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    away = pose[:, face] - neck[:, None]
    turned = pose.copy()
    turned[:, face] = np.stack(
        [c * away[..., 0] + s * away[..., 2], away[..., 1], c * away[..., 2] - s * away[..., 0]], -1
    )
    turned[:, face] += neck[:, None]
    out = rebuild(turned, Body())
    ears = (out[:, OPENPOSE_18_FEET.index("left_ear")] + out[:, OPENPOSE_18_FEET.index("right_ear")]) / 2
    appearance = (out[:, OPENPOSE_18_FEET.index("nose")] - ears)[0]
    angle = np.degrees(np.arctan2(appearance[0], appearance[2]))
    assert abs(angle) <= 81
    if abs(degrees) <= 80:
        assert angle == pytest.approx(degrees, abs=1)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31), st.integers(8, 30))
def test_a_limb_that_flips_swings_instead_and_all_else_stays(seed: int, at: int) -> None:
    dance = rebuild(np.repeat(random_poses(seed, 1), 40, axis=0), Body())
    wrist, elbow = (OPENPOSE_18_FEET.index(f"left_{name}") for name in ("wrist", "elbow"))
    dance[at:, wrist] = 2 * dance[at:, elbow] - dance[at:, wrist]
    bridged = bridge_flips(dance, 25.0)
    forearm = (bridged[:, wrist] - bridged[:, elbow]) / Body().forearm
    turn = np.degrees(np.arccos(np.clip((forearm[1:] * forearm[:-1]).sum(axis=-1), -1, 1)))
    assert 30 < turn.max() < 40
    far = np.abs(np.arange(40) - at) > 3
    np.testing.assert_allclose(bridged[far], dance[far], atol=1e-5)
    others = [joint for joint in range(22) if joint != wrist]
    np.testing.assert_array_equal(bridged[:, others], dance[:, others])
    assert np.ptp(bone_lengths(bridged), axis=0).max() < 1e-4


def test_a_dance_without_flips_stays_as_it_is(standing: Callable[[int], np.ndarray]) -> None:
    dance = standing(30)
    np.testing.assert_array_equal(bridge_flips(dance, 25.0), dance)
