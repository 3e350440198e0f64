"""The limb warp on drawn figures whose joints are known."""

import types
from itertools import pairwise

import cv2
import numpy as np
import pytest

from stgmamba.errors import InputError
from stgmamba.limb_warp.renderer import LimbWarpRenderer
from stgmamba.limb_warp.retargeting import measure_body, retarget_to_picture
from stgmamba.limb_warp.segmentation import segment_person
from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton

from ..support.capsule_figure import (
    COLOURS,
    HEIGHT,
    INDEX,
    TORSO,
    WIDTH,
    dance_of,
    draw_figure,
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


def test_own_pose_gives_the_picture_back(renderer: LimbWarpRenderer, figure: tuple[np.ndarray, np.ndarray]) -> None:
    (frame,) = renderer.frames(dance_of(pose_array()))
    picture, mask = figure
    inside = mask > 0.5
    error = ((frame.astype(float) - picture)[inside] ** 2).mean()
    assert 10 * np.log10(255**2 / error) > 26
    far = cv2.dilate((mask > 0).astype(np.uint8), np.ones((31, 31))) == 0
    assert np.array_equal(frame[far], picture[far])


def test_frames_are_uint8_of_even_size_and_lazy(figure: tuple[np.ndarray, np.ndarray]) -> None:
    small = LimbWarpRenderer(picture_of(figure[0]), person_of(figure[1]), size=131)
    assert small.size[1] in (130, 132)
    assert small.size[0] % 2 == 0
    assert abs(small.size[0] / small.size[1] - WIDTH / HEIGHT) < 0.02
    frames = small.frames(Skeleton(np.repeat(pose_array()[None], 20_000, axis=0), 25, OPENPOSE_18_FEET))
    first = next(frames)
    assert first.shape == (small.size[1], small.size[0], 3)
    assert first.dtype == np.uint8


def test_same_seed_same_frames(renderer: LimbWarpRenderer, figure: tuple[np.ndarray, np.ndarray]) -> None:
    dance = dance_of(moved(right_wrist=(-0.3, 1.6, 0.1)))
    again = LimbWarpRenderer(picture_of(figure[0]), person_of(figure[1]), size=HEIGHT)
    assert np.array_equal(next(renderer.frames(dance)), next(again.frames(dance)))


def near(frame: np.ndarray, point: np.ndarray, colour: tuple[int, int, int]) -> bool:
    x, y = np.rint(point).astype(int)
    patch = frame[y - 2 : y + 3, x - 2 : x + 3].astype(float).mean(axis=(0, 1))
    return bool(np.abs(patch - colour).max() < 45)


def test_a_raised_arm_is_whole_and_leaves_nothing_behind(
    renderer: LimbWarpRenderer, figure: tuple[np.ndarray, np.ndarray]
) -> None:
    dance = dance_of(moved(right_elbow=(-0.44, 1.50, 0), right_wrist=(-0.40, 1.74, 0)))
    placement = retarget_to_picture(dance, renderer.body, renderer.size)
    (frame,) = renderer.frames(dance)
    joints = [placement.joint(f"right_{part}")[0] for part in ("shoulder", "elbow", "wrist")]
    for a, b in pairwise(joints):
        for share in np.linspace(0.15, 1, 8):
            assert near(frame, a + (b - a) * share, COLOURS["right_arm"])
    old = to_pixels(pose_array())[INDEX("right_wrist")]
    assert near(frame, old, tuple(wall()[int(old[1]), int(old[0])]))


def test_an_arm_in_front_covers_the_torso_and_one_behind_does_not(renderer: LimbWarpRenderer) -> None:
    for depth, colour in ((0.25, COLOURS["left_arm"]), (-0.3, TORSO)):
        pose = moved(left_elbow=(0.26, 1.15, depth / 2), left_wrist=(0.02, 1.15, depth))
        dance = dance_of(*[pose] * 3)
        placement = retarget_to_picture(dance, renderer.body, renderer.size)
        frame = list(renderer.frames(dance))[-1]
        spot = 0.35 * placement.joint("left_elbow")[-1] + 0.65 * placement.joint("left_wrist")[-1]
        assert near(frame, spot, colour)


def test_the_torso_is_whole_under_an_arm_that_lay_on_it() -> None:
    points = moved(left_elbow=(0.26, 1.15, 0), left_wrist=(-0.02, 1.10, 0))
    rgb, mask = draw_figure(wall())
    pixels = to_pixels(points)
    arm = np.rint(np.asarray([pixels[INDEX(f"left_{p}")] for p in ("shoulder", "elbow", "wrist")])).astype(np.int32)
    plain = to_pixels(pose_array())
    old = np.rint(np.asarray([plain[INDEX(f"left_{p}")] for p in ("shoulder", "elbow", "wrist")])).astype(np.int32)
    gone = np.zeros(mask.shape, np.uint8)
    cv2.polylines(gone, [old], False, 1, 22)
    corners = np.rint([plain[INDEX(n)] for n in ("right_shoulder", "left_shoulder", "left_hip", "right_hip")])
    torso = cv2.fillPoly(np.zeros(mask.shape, np.uint8), [corners.astype(np.int32)], 1) > 0
    rgb[(gone > 0) & ~torso], mask[(gone > 0) & ~torso] = wall()[(gone > 0) & ~torso], 0
    rgb[(gone > 0) & torso] = TORSO
    cv2.polylines(rgb, [arm], False, COLOURS["left_arm"], 20, cv2.LINE_AA)
    cv2.polylines(mask, [arm], False, 1.0, 20)
    skeleton = Skeleton(pixels[None], 25, OPENPOSE_18_FEET, None, (WIDTH, HEIGHT))  # type: ignore[arg-type]
    person = types.SimpleNamespace(skeleton=skeleton, mask=mask, others=0, missing=())
    warp = LimbWarpRenderer(picture_of(rgb), person, size=HEIGHT)  # type: ignore[arg-type]
    (frame,) = warp.frames(dance_of(pose_array()))
    spot = 0.4 * pixels[INDEX("left_elbow")] + 0.6 * pixels[INDEX("left_wrist")]
    assert near(frame, spot, TORSO)


def test_half_a_person_is_rendered_with_what_is_there(figure: tuple[np.ndarray, np.ndarray]) -> None:
    rgb, mask = figure[0][:220], figure[1][:220]
    points = to_pixels(pose_array())
    confidence = np.where(points[:, 1] < 220, 1.0, 0.05).astype(np.float32)
    skeleton = Skeleton(points[None], 25, OPENPOSE_18_FEET, confidence[None], (WIDTH, 220))
    person = types.SimpleNamespace(skeleton=skeleton, mask=mask, others=0, missing=("left_knee",))
    warp = LimbWarpRenderer(picture_of(np.ascontiguousarray(rgb)), person, size=220)  # type: ignore[arg-type]
    jump = pose_array() + np.asarray([0, 0.1, 0], np.float32)
    frames = list(warp.frames(dance_of(pose_array(), jump, pose_array())))
    assert len(frames) == 3
    for frame in frames:
        x = int(warp.body.hips[0])
        edge = np.abs(frame[-1, x - 45 : x + 45].astype(float) - wall()[219, x]).max(axis=1)
        assert (edge > 60).sum() > 20  # both thighs reach the lower edge, also in the jump


def test_missing_joints_are_guessed(figure: tuple[np.ndarray, np.ndarray]) -> None:
    confidence = np.ones(22, np.float32)
    confidence[[INDEX("left_wrist"), INDEX("left_elbow"), INDEX("right_ear")]] = 0
    body = measure_body(person_of(figure[1], confidence).skeleton)
    truth = to_pixels(pose_array())
    assert np.linalg.norm(body.joint("left_wrist") - truth[INDEX("left_wrist")]) < 5  # mirrored from the right


def test_a_person_without_shoulders_is_refused(figure: tuple[np.ndarray, np.ndarray]) -> None:
    confidence = np.ones(22, np.float32)
    confidence[[INDEX("left_shoulder"), INDEX("right_shoulder")]] = 0
    with pytest.raises(InputError, match="shoulder"):
        measure_body(person_of(figure[1], confidence).skeleton)


def test_the_corner_of_a_wide_sleeve_goes_with_its_arm(figure: tuple[np.ndarray, np.ndarray]) -> None:
    picture, mask = figure[0].copy(), figure[1].copy()
    points = to_pixels(pose_array())
    shoulder, elbow = points[INDEX("left_shoulder")], points[INDEX("left_elbow")]
    middle, along = (shoulder + elbow) / 2, (elbow - shoulder) / np.linalg.norm(elbow - shoulder)
    tip = middle + 14 * along + 25 * np.asarray([-along[1], along[0]])  # hangs below the arm, outside of the trunk
    sleeve = np.rint(np.asarray([shoulder + 14 * along, elbow - 8 * along, tip]) * 8).astype(np.int32)
    for image, value in ((picture, COLOURS["left_arm"]), (mask, 1.0)):
        cv2.fillPoly(image, [sleeve], value, cv2.LINE_AA, shift=3)
    body = measure_body(person_of(mask).skeleton)
    cut = segment_person(picture, mask, body)
    x, y = np.rint(tip + 3 * (middle - tip) / np.linalg.norm(middle - tip)).astype(int)
    assert mask[y, x] > 0.9
    assert cut.textures["left_arm"][y, x, 3] > 0.9
    assert cut.textures["torso"][y, x, 3] < 0.1
