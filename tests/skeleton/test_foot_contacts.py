from collections.abc import Callable

import numpy as np
import pytest

from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton
from stgmamba.skeleton.body import FEET, measure
from stgmamba.skeleton.foot_contacts import SOLE, align_to_floor, foot_contacts, lock_feet, remove_root_slide
from stgmamba.skeleton.root_trajectory import RootTrajectory, to_world

FPS = 25.0
LEFT_ANKLE = OPENPOSE_18_FEET.index("left_ankle")


@pytest.fixture
def lifted(standing: Callable[[int], np.ndarray]) -> np.ndarray:
    """Standing, the left foot in the air between frames 40 and 60; a noise of a centimetre slides both feet."""
    frames = 100
    poses = standing(frames)
    poses[..., 1] -= poses[:, FEET, 1].min() - SOLE
    left = [OPENPOSE_18_FEET.index(f"left_{part}") for part in ("knee", "ankle", "heel", "toe")]
    swing = np.zeros(frames, np.float32)
    swing[40:60] = 0.3 * np.sin(np.linspace(0, np.pi, 20))
    poses[:, left, 1] += swing[:, None]
    poses[:, left, 2] += swing[:, None]
    slide = 0.01 * np.sin(np.arange(frames) / 3.0)
    poses[..., 0] += slide[:, None]
    return poses.astype(np.float32)


def test_contacts_see_the_lifted_foot_only(lifted: np.ndarray) -> None:
    standing_feet = foot_contacts(lifted, FPS)
    assert standing_feet[:35].all()
    assert not standing_feet[46:54, 0].any()
    assert standing_feet[:, 1].all()


def test_planted_feet_do_not_slide_and_bones_keep_their_length(lifted: np.ndarray) -> None:
    poses = lifted
    planted = lock_feet(poses, foot_contacts(poses, FPS), FPS)
    before = np.ptp(poses[5:35, LEFT_ANKLE, 0])
    after = np.ptp(planted[5:35, LEFT_ANKLE, 0])
    assert before > 0.015
    assert after < 0.003
    a, b = measure(Skeleton(poses, FPS, OPENPOSE_18_FEET)), measure(Skeleton(planted, FPS, OPENPOSE_18_FEET))
    assert abs(a.thigh - b.thigh) < 1e-3
    assert abs(a.shin - b.shin) < 1e-3


def test_no_foot_pierces_the_floor(lifted: np.ndarray) -> None:
    poses = lifted
    poses[20:30, :, 1] -= 0.1
    held = foot_contacts(poses, FPS)
    planted = lock_feet(align_to_floor(poses, held, FPS), held, FPS)
    assert planted[:, FEET, 1].min() > -0.02


def test_a_dance_without_any_contact_passes_through(standing: Callable[[int], np.ndarray]) -> None:
    poses = standing(20)
    poses[..., 1] += 1.0
    held = np.zeros((20, 2), bool)
    np.testing.assert_allclose(lock_feet(poses, held, FPS)[:, 0], poses[:, 0])


def test_the_feet_carry_the_body(standing: Callable[[int], np.ndarray]) -> None:
    """A body that its path drags over the floor with both feet flat is stopped; one that jumps is not."""
    poses = standing(60)
    poses[..., 1] -= poses[:, FEET, 1].min() - SOLE
    glide = np.stack([np.linspace(0, 0.8, 60), np.zeros(60)], axis=1).astype(np.float32)
    trajectory = RootTrajectory(glide, np.zeros(60, np.float32))
    followed = remove_root_slide(to_world(poses, trajectory), trajectory, FPS)
    assert np.ptp(followed.position[:, 0]) < 0.1
    flying = remove_root_slide(to_world(poses, trajectory) + np.float32([0, 0.3, 0]), trajectory, FPS)
    np.testing.assert_allclose(flying.position, trajectory.position, atol=1e-3)
