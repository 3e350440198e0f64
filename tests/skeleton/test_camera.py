import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stgmamba.skeleton import LAYOUTS, OPENPOSE_18_FEET, Skeleton
from stgmamba.skeleton.camera import Camera, frame_dance, project_skeleton

FRONT = Camera(yaw=0.0, height=1.0, distance=4.0, focal=500.0, size=(401, 301), target=(0.0, 1.0, 0.0))


def test_target_is_in_the_middle_and_sides_are_right() -> None:
    xy, depth = FRONT.project([(0, 1, 0), (1, 1, 0), (0, 2, 0), (0, 1, 1)])
    np.testing.assert_allclose(xy, [(200, 150), (325, 150), (200, 25), (200, 150)], atol=1e-3)
    np.testing.assert_allclose(depth, [4, 4, 4, 3], atol=1e-5)


def test_camera_on_the_left_sees_the_left_hand_near() -> None:
    side = Camera(math.pi / 2, 1.0, 4.0, 500.0, (401, 301), (0.0, 1.0, 0.0))
    xy, depth = side.project([(0.5, 1, 0), (-0.5, 1, 0), (0, 1, 0.5)])
    assert depth[0] < depth[1]
    assert xy[2, 0] < 200  # who faces +z looks to the picture's left


def test_a_camera_above_looks_down() -> None:
    above = Camera(0.0, 3.0, 4.0, 500.0, (401, 301), (0.0, 1.0, 0.0))
    np.testing.assert_allclose(above.axes @ above.axes.T, np.eye(3), atol=1e-12)
    assert above.axes[2, 1] < 0
    xy, depth = above.project([(0, 1, 0), (0, 1.2, 0)])
    np.testing.assert_allclose(xy[0], (200, 150), atol=1e-3)
    assert xy[1, 1] < 150
    assert depth[0] == pytest.approx(math.hypot(4, 2), abs=1e-5)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 9999),
    name=st.sampled_from(sorted(LAYOUTS)),
    frames=st.integers(1, 20),
    spread=st.floats(0.0, 5.0),
    width=st.integers(64, 1920),
    height=st.integers(64, 1920),
    yaw=st.floats(-math.pi, math.pi),
    eye=st.floats(0.2, 3.0),
    margin=st.floats(0.0, 0.3),
)
def test_the_whole_dance_is_in_the_picture(
    seed: int, name: str, frames: int, spread: float, width: int, height: int, yaw: float, eye: float, margin: float
) -> None:
    rng = np.random.default_rng(seed)
    positions = rng.normal(size=(frames, len(LAYOUTS[name]), 3)) + spread * rng.normal(size=(frames, 1, 3))
    skeleton = Skeleton(positions, 25, LAYOUTS[name])
    camera = frame_dance(skeleton, (width, height), yaw, eye, margin)
    assert (camera.yaw, camera.height, camera.size) == (yaw, eye, (width, height))
    xy, depth = camera.project(skeleton.positions)
    room = np.array([width - 1, height - 1])
    assert (depth > 0).all()
    assert (xy >= margin * room - 0.01).all()
    assert (xy <= (1 - margin) * room + 0.01).all()


def test_the_dance_fills_the_picture(sway: Skeleton) -> None:
    for size in ((512, 512), (288, 512), (1280, 720)):
        camera = frame_dance(sway, size)
        xy, _ = camera.project(sway.positions)
        used = np.ptp(xy.reshape(-1, 2), axis=0) / np.array(size)
        assert used.max() > 0.66
        middle = (xy.min(axis=(0, 1)) + xy.max(axis=(0, 1))) / 2
        assert np.abs(middle / np.array(size) - 0.5).max() < 0.07  # hair and hands are framed, not drawn here


def test_head_room_and_unknown_joints(sway: Skeleton) -> None:
    camera = frame_dance(sway, (512, 512), margin=0.0)
    hair, _ = camera.project(sway.joint("left_eye") + np.array([0, 0.2, 0], np.float32))
    assert hair[:, 1].min() >= -0.01
    positions, confidence = sway.positions.copy(), sway.confidence.copy()
    positions[:, 4], confidence[:, 4] = 1e4, 0.0
    lost = Skeleton(positions, sway.fps, sway.layout, confidence)
    assert frame_dance(lost, (512, 512)).distance < 10


def test_projected_dance_carries_size_and_hides_what_is_behind(sway: Skeleton) -> None:
    camera = frame_dance(sway, (320, 480))
    flat = project_skeleton(sway, camera)
    assert (flat.dims, flat.size, flat.fps, flat.layout) == (2, (320, 480), sway.fps, OPENPOSE_18_FEET)
    np.testing.assert_array_equal(flat.confidence, sway.confidence)
    behind = project_skeleton(sway, FRONT.__class__(0.0, 1.0, 4.0, 500.0, (64, 64), (0.0, 1.0, -50.0)))
    assert (behind.confidence == 0).all()
    assert (behind.positions == 0).all()


def test_what_cannot_be_framed_is_refused(sway: Skeleton) -> None:
    flat = project_skeleton(sway, FRONT)
    with pytest.raises(ValueError, match="3-D"):
        frame_dance(flat, (64, 64))
    with pytest.raises(ValueError, match="margin"):
        frame_dance(sway, (64, 64), margin=0.5)
    with pytest.raises(ValueError, match="no known joint"):
        frame_dance(Skeleton(sway.positions, 25, sway.layout, np.zeros_like(sway.confidence)), (64, 64))


def test_a_picture_without_room_is_refused(sway: Skeleton) -> None:
    with pytest.raises(ValueError, match="1 x 1"):
        frame_dance(sway, (1, 1))


def test_positions_that_are_no_numbers_are_refused(sway: Skeleton) -> None:
    positions = sway.positions.copy()
    positions[3, 2] = np.nan
    with pytest.raises(ValueError, match="no numbers"):
        frame_dance(Skeleton(positions, sway.fps, sway.layout), (100, 100))
