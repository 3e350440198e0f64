import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stgmamba.evaluation.skeleton.metrics.features import at_25_fps, pose_features, to_body_axes, velocity_features
from stgmamba.skeleton import OPENPOSE_18, Skeleton
from stgmamba.skeleton.body import Body, retarget

from ....support.synthetic_dances import glide, moved, still, wandering


def test_facing_becomes_z() -> None:
    yaw = np.array([0.3, -2.0])
    facing = np.stack([np.sin(yaw), np.zeros(2), np.cos(yaw)], axis=-1)
    np.testing.assert_allclose(to_body_axes(facing, yaw), [[0, 0, 1], [0, 0, 1]], atol=1e-12)


@settings(max_examples=20, deadline=None)
@given(yaw=st.floats(-3.1, 3.1), x=st.floats(-20, 20), z=st.floats(-20, 20))
def test_position_and_direction_do_not_matter(yaw: float, x: float, z: float) -> None:
    dance = wandering(1.0, seed=3)
    transformed = moved(dance, yaw, (x, 0.0, z))
    np.testing.assert_allclose(pose_features(transformed), pose_features(dance), atol=0.01)
    np.testing.assert_allclose(velocity_features(transformed), velocity_features(dance), atol=0.02)


def test_body_size_does_not_matter() -> None:
    dance = wandering(1.0, seed=4)
    child = retarget(dance, Body().scaled(0.7))
    np.testing.assert_allclose(pose_features(child), pose_features(dance), atol=0.01)


def test_constant_velocity() -> None:
    velocities = velocity_features(moved(glide(1.0), 0.8, (0, 0, 0)))
    expected = np.zeros(69)
    expected[-1] = 100.0 / 25.0
    np.testing.assert_allclose(velocities, np.tile(expected, (len(velocities), 1)), atol=1e-3)


def test_rotation_contributes_to_velocities() -> None:
    dance = still(1.0)
    positions = np.stack([moved(dance, 0.1 * t, (0, 0, 0)).positions[0] for t in range(25)])
    assert np.abs(velocity_features(Skeleton(positions, 25, dance.layout))).max() > 1.0


def test_a_joint_that_is_not_finite_gives_nan() -> None:
    dance = still(1.0)
    positions = dance.positions.copy()
    positions[3, 4] = np.nan
    assert np.isnan(pose_features(Skeleton(positions, 25, dance.layout))).any()


def test_other_frame_rates_are_resampled() -> None:
    assert len(at_25_fps(still(2.0, fps=60))) == 50


def test_other_skeletons_are_refused() -> None:
    with pytest.raises(ValueError, match="openpose18_feet"):
        pose_features(Skeleton(np.zeros((4, 18, 3)), 25, OPENPOSE_18))
    with pytest.raises(ValueError, match="one frame"):
        pose_features(still(1.0).slice(0, 0))
