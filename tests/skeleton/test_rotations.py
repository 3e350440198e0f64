import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stgmamba.skeleton.rotations import body_yaw, line_yaw, rotate_yaw, wrap_angle

from ..support.synthetic_dances import moved, still


@pytest.mark.parametrize("yaw", [-3.0, -1.0, 0.0, 0.5, 2.0])
def test_body_yaw_of_a_turned_person(yaw: float) -> None:
    assert body_yaw(moved(still(0.2), yaw, (0, 0, 0)).positions) == pytest.approx(np.full(5, yaw), abs=1e-5)


@given(yaw=st.floats(-3.1, 3.1))
def test_line_yaw_is_that_of_the_body_it_belongs_to(yaw: float) -> None:
    left = np.array([np.cos(yaw), 0.3, -np.sin(yaw)])  # of a body that faces +z at yaw 0, left is +x
    assert line_yaw(left) == pytest.approx(yaw, abs=1e-9)


@given(yaw=st.floats(-10, 10))
def test_rotation_takes_z_to_the_yaw_and_back(yaw: float) -> None:
    forward = rotate_yaw(np.array([0.0, 1.0]), np.array(yaw))
    np.testing.assert_allclose(forward, [np.sin(yaw), np.cos(yaw)], atol=1e-12)
    np.testing.assert_allclose(rotate_yaw(forward, np.array(-yaw)), [0, 1], atol=1e-12)


@given(angle=st.floats(-20, 20))
def test_wrapped_angles_are_the_same_direction_within_half_a_turn(angle: float) -> None:
    wrapped = wrap_angle(np.array([angle]))[0]
    assert -np.pi <= wrapped <= np.pi
    np.testing.assert_allclose([np.cos(wrapped), np.sin(wrapped)], [np.cos(angle), np.sin(angle)], atol=1e-9)


def test_dtypes_are_kept() -> None:
    assert body_yaw(still(0.2).positions).dtype == np.float32
    assert body_yaw(still(0.2).positions.astype(np.float64)).dtype == np.float64
