"""The limb warp on capsule figures whose joints are known."""

from itertools import pairwise

import cv2
import numpy as np
import pytest

from stgmamba.errors import InputError
from stgmamba.limb_warp.renderer import IDENTITY_VIEW, LimbWarpRenderer, bar_widths, show_view
from stgmamba.limb_warp.retargeting import measure_body, retarget_to_picture
from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton

from ..support.capsule_figure import (
    COLOURS,
    HEIGHT,
    INDEX,
    TORSO,
    WIDTH,
    dance_of,
    draw_figure,
    draw_layers,
    moved,
    person_of,
    picture_of,
    pose_array,
    to_pixels,
    wall,
)


@pytest.fixture(scope="module")
def figure() -> tuple[np.ndarray, np.ndarray]:
    return draw_figure(wall())


@pytest.fixture(scope="module")
def renderer(figure: tuple[np.ndarray, np.ndarray]) -> LimbWarpRenderer:
    return LimbWarpRenderer(picture_of(figure[0]), person_of(figure[1]), size=HEIGHT)


def test_the_pictures_own_pose_reproduces_the_picture(
    renderer: LimbWarpRenderer, figure: tuple[np.ndarray, np.ndarray]
) -> None:
    (frame,) = renderer.frames(dance_of(pose_array()))
    picture, mask = figure
    inside = mask > 0.5
    error = ((frame.astype(float) - picture)[inside] ** 2).mean()
    assert 10 * np.log10(255**2 / error) > 26
    background = cv2.dilate((mask > 0).astype(np.uint8), np.ones((31, 31))) == 0
    assert np.array_equal(frame[background], picture[background])


def test_frames_are_uint8_of_even_size_and_lazy(figure: tuple[np.ndarray, np.ndarray]) -> None:
    small = LimbWarpRenderer(picture_of(figure[0]), person_of(figure[1]), size=131)
    assert small.size[1] in (130, 132)
    assert small.size[0] % 2 == 0
    assert abs(small.size[0] / small.size[1] - WIDTH / HEIGHT) < 0.02
    frames = small.frames(Skeleton(np.repeat(pose_array()[None], 20_000, axis=0), 25, OPENPOSE_18_FEET))
    first = next(frames)
    assert first.shape == (small.size[1], small.size[0], 3)
    assert first.dtype == np.uint8


def test_frames_are_deterministic(renderer: LimbWarpRenderer, figure: tuple[np.ndarray, np.ndarray]) -> None:
    dance = dance_of(moved(right_wrist=(-0.3, 1.6, 0.1)))
    again = LimbWarpRenderer(picture_of(figure[0]), person_of(figure[1]), size=HEIGHT)
    assert np.array_equal(next(renderer.frames(dance)), next(again.frames(dance)))


def has_colour(frame: np.ndarray, point: np.ndarray, colour: tuple[int, int, int]) -> bool:
    """Whether the mean colour of 5 x 5 pixels at a point is within 45 of a colour."""
    x, y = np.rint(point).astype(int)
    patch = frame[y - 2 : y + 3, x - 2 : x + 3].astype(float).mean(axis=(0, 1))
    return bool(np.abs(patch - colour).max() < 45)


def test_a_raised_arm_is_complete_and_absent_from_its_old_position(
    renderer: LimbWarpRenderer, figure: tuple[np.ndarray, np.ndarray]
) -> None:
    dance = dance_of(moved(right_elbow=(-0.44, 1.50, 0), right_wrist=(-0.40, 1.74, 0)))
    placement = retarget_to_picture(dance, renderer.body, renderer.size)
    (frame,) = renderer.frames(dance)
    joints = [placement.joint(f"right_{part}")[0] for part in ("shoulder", "elbow", "wrist")]
    for a, b in pairwise(joints):
        for fraction in np.linspace(0.15, 1, 8):
            assert has_colour(frame, a + (b - a) * fraction, COLOURS["right_arm"])
    old = to_pixels(pose_array())[INDEX("right_wrist")]
    assert has_colour(frame, old, tuple(wall()[int(old[1]), int(old[0])]))


def test_an_arm_occludes_the_torso_only_in_front_of_it(renderer: LimbWarpRenderer) -> None:
    for depth, colour in ((0.25, COLOURS["left_arm"]), (-0.3, TORSO)):
        pose = moved(left_elbow=(0.26, 1.15, depth / 2), left_wrist=(0.02, 1.15, depth))
        dance = dance_of(*[pose] * 3)
        placement = retarget_to_picture(dance, renderer.body, renderer.size)
        frame = list(renderer.frames(dance))[-1]
        spot = 0.35 * placement.joint("left_elbow")[-1] + 0.65 * placement.joint("left_wrist")[-1]
        assert has_colour(frame, spot, colour)


def test_the_torso_is_complete_where_an_arm_occluded_it() -> None:
    pose = moved(left_elbow=(0.26, 1.15, 0), left_wrist=(-0.02, 1.10, 0))
    figure = draw_layers(wall(), pose)
    warp = LimbWarpRenderer(picture_of(figure.rgb), person_of(figure.mask, pose=pose), size=HEIGHT)
    (frame,) = warp.frames(dance_of(pose_array()))
    elbow, wrist = to_pixels(pose)[[INDEX("left_elbow"), INDEX("left_wrist")]]
    assert has_colour(frame, 0.4 * elbow + 0.6 * wrist, TORSO)


def test_a_half_length_picture_reaches_the_lower_edge_in_every_frame(figure: tuple[np.ndarray, np.ndarray]) -> None:
    rgb, mask = figure[0][:220], figure[1][:220]
    confidence = np.where(to_pixels(pose_array())[:, 1] < 220, 1.0, 0.05).astype(np.float32)
    warp = LimbWarpRenderer(picture_of(rgb), person_of(mask, confidence), size=220)
    jump = pose_array() + np.asarray([0, 0.1, 0], np.float32)
    frames = list(warp.frames(dance_of(pose_array(), jump, pose_array())))
    assert len(frames) == 3
    for frame in frames:
        x = int(warp.body.hips[0])
        edge = np.abs(frame[-1, x - 45 : x + 45].astype(float) - wall()[219, x]).max(axis=1)
        assert (edge > 60).sum() > 20  # both thighs reach the lower edge, also in the jump


def test_missing_joints_are_mirrored_from_the_other_side(figure: tuple[np.ndarray, np.ndarray]) -> None:
    confidence = np.ones(22, np.float32)
    confidence[[INDEX("left_wrist"), INDEX("left_elbow"), INDEX("right_ear")]] = 0
    body = measure_body(person_of(figure[1], confidence).skeleton)
    target = to_pixels(pose_array())[INDEX("left_wrist")]
    assert np.linalg.norm(body.joint("left_wrist") - target) < 5


def test_a_picture_without_shoulders_raises(figure: tuple[np.ndarray, np.ndarray]) -> None:
    confidence = np.ones(22, np.float32)
    confidence[[INDEX("left_shoulder"), INDEX("right_shoulder")]] = 0
    with pytest.raises(InputError, match="shoulder"):
        measure_body(person_of(figure[1], confidence).skeleton)


def striped(height: int = 80, width: int = 60) -> np.ndarray:
    """A picture without uniform rows or columns."""
    rng = np.random.default_rng(0)
    return rng.integers(100, 200, (height, width, 3)).astype(np.uint8)


def test_bars_are_recognised_and_walls_are_not() -> None:
    picture = striped()
    assert bar_widths(picture) == (0, 0)
    picture[:7], picture[-3:] = 0, 255
    above, below = bar_widths(picture)
    assert 7 <= above <= 9
    assert 3 <= below <= 5
    wall = striped()
    wall[:40] = (np.linspace(140, 150, 40)[:, None, None]).astype(np.uint8)
    assert bar_widths(wall) == (0, 0)
    assert bar_widths(np.full((40, 40, 3), 9, np.uint8)) == (0, 0)


def test_an_extended_view_shows_no_bars() -> None:
    picture = striped()
    picture[:6], picture[:, -5:] = 0, 0
    view = show_view(picture, (0.75, complex(-10, -20)))
    assert view.shape == picture.shape
    assert view.min() > 60
    assert show_view(picture, IDENTITY_VIEW).min() == 0
