import cv2
import numpy as np
import pytest

from stgmamba.skeleton import LAYOUTS, MEDIAPIPE_33, OPENPOSE_18, OPENPOSE_18_FEET, Layout, Skeleton, convert
from stgmamba.skeleton.camera import frame_dance, project_skeleton
from stgmamba.skeleton.drawing import draw_sequence, draw_skeleton

BLACK = np.zeros((256, 256, 3), np.uint8)


@pytest.fixture
def flat(sway: Skeleton) -> Skeleton:
    return project_skeleton(sway, frame_dance(sway, (256, 256)))


def test_joints_have_the_hues_of_openpose(flat: Skeleton) -> None:
    spread = np.stack(np.meshgrid(np.arange(6), np.arange(3)), -1).reshape(18, 2).astype(np.float32) * 40 + 25
    frame = draw_skeleton(BLACK, spread, np.ones(18), OPENPOSE_18)
    for j, (x, y) in enumerate(spread.astype(int)):
        hue, saturation, value = cv2.cvtColor(frame[y : y + 1, x : x + 1], cv2.COLOR_RGB2HSV)[0, 0]
        assert abs(2 * int(hue) - 20 * j) <= 1  # cv2 counts hues in steps of 2 degrees
        assert (saturation, value) == (255, 255)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_every_layout_is_drawn(sway: Skeleton, layout: Layout) -> None:
    dance = convert(sway.slice(0, 1), layout)
    flat = project_skeleton(dance, frame_dance(dance, (256, 256)))
    frame = draw_skeleton(BLACK, flat.positions[0], flat.confidence[0], layout)
    known = flat.positions[0][flat.confidence[0] > 0].round().astype(int)
    assert (frame[known[:, 1], known[:, 0]].max(axis=1) > 100).all()
    assert 0.005 < (frame.max(axis=2) > 0).mean() < 0.2


def test_sides_have_different_colours(flat: Skeleton) -> None:
    frame = draw_skeleton(BLACK, flat.positions[0], flat.confidence[0], flat.layout)
    colours = [frame[tuple(flat.joint(f"{side}_wrist")[0].round().astype(int)[::-1])] for side in ("left", "right")]
    assert np.abs(colours[0].astype(int) - colours[1]).max() > 50


def test_unknown_joints_and_their_bones_are_left_out(flat: Skeleton) -> None:
    wrist, elbow = flat.layout.index("left_wrist"), flat.layout.index("left_elbow")
    confidence = flat.confidence[0].copy()
    confidence[wrist] = 0
    frame = draw_skeleton(BLACK, flat.positions[0], confidence, flat.layout)
    middle = (flat.positions[0, wrist] + flat.positions[0, elbow]) / 2
    for point in (flat.positions[0, wrist], middle):
        x, y = point.round().astype(int)
        assert not frame[y, x].any()
    assert not draw_skeleton(BLACK, flat.positions[0], np.zeros(22), flat.layout).any()


def test_the_frame_is_kept_and_edges_are_smooth(flat: Skeleton) -> None:
    drawn = draw_skeleton(BLACK, flat.positions[0], flat.confidence[0], flat.layout, thickness=9)
    assert not BLACK.any()
    assert len(np.unique(drawn[..., 0])) > 20


def test_far_outside_does_no_harm(flat: Skeleton) -> None:
    x, y = flat.joint("left_knee")[0].round().astype(int)
    for value in (1e9, -1e9, np.inf, np.nan):
        positions = flat.positions[0].copy()
        positions[4] = value
        frame = draw_skeleton(BLACK, positions, flat.confidence[0], flat.layout)
        assert frame[y, x].any()  # the other joints are drawn


def test_sequence_scales_to_another_size(flat: Skeleton) -> None:
    frames = list(draw_sequence(flat.slice(0, 2), (512, 1024)))
    assert [frame.shape for frame in frames] == [(1024, 512, 3)] * 2
    rows = np.nonzero(frames[0].any(axis=(1, 2)))[0]
    assert 256 < rows.min() < rows.max() < 768  # a square picture between two rims
    same = next(iter(draw_sequence(flat)))
    np.testing.assert_array_equal(same, draw_skeleton(BLACK, flat.positions[0], flat.confidence[0], flat.layout))


def test_background_and_wrong_use(flat: Skeleton, sway: Skeleton) -> None:
    assert (next(iter(draw_sequence(flat, background=(9, 8, 7))))[0, 0] == (9, 8, 7)).all()
    with pytest.raises(ValueError, match="background"):
        next(iter(draw_sequence(flat, background=np.zeros((2, 2, 3), np.uint8))))
    with pytest.raises(ValueError, match="project"):
        next(iter(draw_sequence(sway)))
    with pytest.raises(ValueError, match="size"):
        next(iter(draw_sequence(Skeleton(np.zeros((1, 33, 2)), 25, MEDIAPIPE_33))))
    assert flat.layout == OPENPOSE_18_FEET
