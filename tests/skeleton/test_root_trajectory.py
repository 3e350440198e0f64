from collections.abc import Callable

import numpy as np
import pytest

from stgmamba.skeleton.root_trajectory import (
    RootTrajectory,
    body_heading,
    centred,
    face_camera,
    integrate_velocity,
    limit_travel,
    to_local,
    to_world,
)

FPS = 25.0


def test_a_person_that_faces_z_has_heading_zero_and_turning_left_is_positive_x(
    standing: Callable[[int], np.ndarray],
) -> None:
    poses = standing(10)
    np.testing.assert_allclose(body_heading(poses, FPS), 0.0, atol=1e-5)
    turned = to_world(poses, RootTrajectory(np.zeros((10, 2), np.float32), np.full(10, np.pi / 2, np.float32)))
    np.testing.assert_allclose(body_heading(turned, FPS), np.pi / 2, atol=1e-4)
    # The nose, in front of the ears, now points to +x.
    assert (turned[:, 0, 0] > 0.05).all()


def test_splitting_and_applying_a_path_are_inverse(standing: Callable[[int], np.ndarray]) -> None:
    rng = np.random.default_rng(0)
    position = np.cumsum(rng.normal(size=(50, 2)), 0).astype(np.float32) * 0.02
    trajectory = RootTrajectory(position, np.linspace(0, 3, 50, dtype=np.float32))
    world = to_world(standing(50), trajectory)
    local, found = to_local(world, FPS)
    np.testing.assert_allclose(to_world(local, found), world, atol=1e-4)
    np.testing.assert_allclose(found.heading[10:40], trajectory.heading[10:40], atol=0.01)


def test_walking_forward_goes_where_the_body_faces() -> None:
    forward = np.tile(np.float32([0.0, 1.0]), (26, 1))
    straight = integrate_velocity(forward, np.zeros(26, np.float32), FPS)
    np.testing.assert_allclose(straight[-1], [0.0, 1.0], atol=1e-5)
    aside = integrate_velocity(forward, np.full(26, np.pi / 2, np.float32), FPS)
    np.testing.assert_allclose(aside[-1], [1.0, 0.0], atol=1e-5)


def test_integrating_the_local_velocity_gives_the_path_back() -> None:
    rng = np.random.default_rng(0)
    position = np.cumsum(rng.normal(size=(50, 2)), 0).astype(np.float32) * 0.02
    trajectory = RootTrajectory(position, np.linspace(0, 3, 50, dtype=np.float32))
    path = integrate_velocity(trajectory.local_velocity(FPS), trajectory.heading, FPS)
    np.testing.assert_allclose(path, position - position[0], atol=1e-5)


@pytest.mark.parametrize("turns_per_second", [0.0, 0.1, 0.5])
def test_slow_turning_is_taken_out(turns_per_second: float) -> None:
    t = np.arange(500) / FPS
    heading = (2 * np.pi * turns_per_second * t + np.radians(15) * np.sin(2 * np.pi * 1.5 * t)).astype(np.float32)
    faced = face_camera(RootTrajectory(np.zeros((500, 2), np.float32), heading), FPS)
    inner = faced.heading[100:-100]
    assert np.abs(np.degrees(inner)).max() < 45
    # The quick sway of 15 degrees is still there.
    assert np.degrees(np.ptp(inner)) > 24


def test_a_long_walk_stays_on_the_stage_and_small_steps_remain() -> None:
    t = np.arange(3000) / FPS
    position = np.stack([0.5 * t + 0.1 * np.sin(2 * np.pi * t), np.zeros_like(t)], axis=1).astype(np.float32)
    kept = limit_travel(RootTrajectory(position, np.zeros(3000, np.float32)), FPS, radius=1.0).position
    assert np.abs(kept).max() <= 1.0
    assert np.ptp(kept[1000:1025, 0]) > 0.15


def test_a_centred_path_has_its_middle_at_the_origin() -> None:
    position = np.array([[1.0, 5.0], [3.0, 4.0], [2.0, 9.0]], np.float32)
    middle = centred(RootTrajectory(position, np.zeros(3, np.float32))).position
    np.testing.assert_allclose(middle.min(axis=0), -middle.max(axis=0))
    np.testing.assert_allclose(np.diff(middle, axis=0), np.diff(position, axis=0), atol=1e-6)
