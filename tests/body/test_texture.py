from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from stgmamba.body.avatar import Avatar, make_avatar
from stgmamba.body.drawing import AvatarPainter
from stgmamba.body.template import KEYPOINTS
from stgmamba.body.turntable import turned, turntable_view
from stgmamba.errors import InputError
from tests.support.posed_body import (
    BACK,
    HAIR,
    SHIRT,
    SKIN,
    TROUSERS,
    WALL,
    PosedBody,
    body_from_behind,
    body_with_arms_down,
    standing_body,
)

BACKDROP = (255, 0, 255)
SIZE = 240, 360


def drawn(avatar: Avatar, degrees: float) -> np.ndarray:
    painter = AvatarPainter(avatar)
    canvas = np.full((SIZE[1], SIZE[0], 3), BACKDROP, np.uint8)
    painter.draw(canvas, painter.pose(*turned(avatar, np.radians(degrees))), turntable_view(avatar, SIZE))
    return canvas


def near(frame: np.ndarray, colour: tuple[int, int, int], tolerance: float = 60.0) -> np.ndarray:
    return np.asarray(np.linalg.norm(frame.astype(np.float64) - colour, axis=-1) < tolerance)


def painted(truth: PosedBody, boxes: list[tuple[float, float, float, float]], colour: tuple[int, int, int]) -> Avatar:
    """The body with boxes (left, right, top, bottom; metres from the neck, down positive) painted on its front."""
    rgb, neck = truth.picture.rgb.copy(), truth.fitted.keypoints[KEYPOINTS.index("neck")]
    layer = np.zeros(rgb.shape[:2], np.uint8)
    for left, right, top, bottom in boxes:
        corners = np.asarray([(left, -top, 0), (right, -bottom, 0)]) + neck
        (x0, y0), (x1, y1) = np.rint(truth.fitted.to_pixels(corners)).astype(int)
        cv2.rectangle(layer, (x0, y0), (x1, y1), 1, -1)
    on_trunk = near(rgb, SHIRT, 90) | near(rgb, TROUSERS, 90)
    rgb[(layer > 0) & on_trunk] = colour
    return make_avatar(replace(truth.picture, rgb=rgb), truth.person)


@pytest.mark.parametrize("degrees", [90, 270])
def test_shirt_and_trousers_meet_at_a_level_line_all_round(avatar: Avatar, degrees: float) -> None:
    frame, front = drawn(avatar, degrees), drawn(avatar, 0)
    between = tuple((np.asarray(SHIRT) + TROUSERS) / 2)
    # The line is of mixed pixels; where an arm hid it, it must not become a fade.
    assert near(frame, between, 45).sum() < 1.3 * near(front, between, 45).sum()
    assert abs(hem(frame) - hem(front)) < 8


def hem(frame: np.ndarray) -> float:
    """The row between shirt and trousers."""
    shirt, trousers = (np.nonzero(near(frame, colour, 70))[0] for colour in (SHIRT, TROUSERS))
    return float(np.percentile(shirt, 97) + np.percentile(trousers, 3)) / 2


def test_hair_that_falls_beside_the_neck_falls_as_far_on_the_back() -> None:
    truth = standing_body()
    lengths = []
    for length in (0.0, 0.15, 0.3):
        boxes = [(-0.15, -0.05, -0.1, length), (0.05, 0.15, -0.1, length)] if length else []
        back = drawn(painted(truth, boxes, HAIR), 180)
        rows = np.nonzero(near(back, HAIR, 40)[:, 100:140].sum(axis=1) > 5)[0]
        lengths.append(rows.max())
    pixels_per_metre = np.ptp(np.nonzero(~near(back, BACKDROP, 1.0))[0]) / np.ptp(truth.fitted.vertices[:, 1])
    assert lengths[2] - lengths[1] == pytest.approx(0.15 * pixels_per_metre, abs=0.04 * pixels_per_metre)
    assert lengths[1] > lengths[0] + 0.05 * pixels_per_metre


def test_a_shirt_of_the_colour_of_hair_is_not_hair() -> None:
    truth = standing_body()
    avatar = painted(truth, [(-0.4, 0.4, -0.2, 0.7)], HAIR)
    back = drawn(avatar, 180)
    assert near(back[120:170], HAIR, 40).sum() > 500  # the shirt is there all the same


def test_a_hand_before_the_hip_leaves_nothing_on_it() -> None:
    truth = standing_body()
    hand = truth.fitted.keypoints[KEYPOINTS.index("left_hand")] - truth.fitted.keypoints[KEYPOINTS.index("neck")]
    box = (hand[0] - 0.09, hand[0] + 0.02, -hand[1] - 0.05, -hand[1] + 0.05)
    plain, touched = (drawn(painted(truth, boxes, SKIN), 0) for boxes in ([], [box]))
    assert near(touched, SKIN, 40).sum() < near(plain, SKIN, 40).sum() + 60


def test_a_picture_from_behind_gives_the_back() -> None:
    truth, behind = standing_body(), body_from_behind()
    avatar = make_avatar(truth.picture, truth.person, (behind.picture, behind.person))
    front, back = drawn(avatar, 0), drawn(avatar, 180)
    assert near(front, SHIRT).sum() > 20 * near(front, BACK).sum()
    assert near(back, BACK).sum() > 20 * near(back, SHIRT).sum()
    assert near(back, BACK).sum() > 1000
    for frame in (front, back, drawn(avatar, 90), drawn(avatar, 270)):
        assert near(frame, WALL, 50)[~near(frame, BACKDROP, 1.0)].mean() < 0.01


def test_pictures_of_different_light_are_matched() -> None:
    truth, behind = standing_body(), body_from_behind()
    darker = replace(behind.picture, rgb=(behind.picture.rgb * 0.75).astype(np.uint8))
    same, matched = (
        drawn(make_avatar(truth.picture, truth.person, (picture, behind.person)), 180)
        for picture in (behind.picture, darker)
    )
    trousers = near(same, TROUSERS, 50)
    assert np.abs(same[trousers].mean(axis=0) - matched[trousers].mean(axis=0)).max() < 15


def test_a_picture_from_behind_that_no_body_fits_is_refused() -> None:
    truth, behind = standing_body(), body_from_behind()
    mask = np.zeros_like(behind.person.mask)
    mask[100:300, 20:280] = 1
    with pytest.raises(InputError, match="seen from behind"):
        make_avatar(truth.picture, truth.person, (behind.picture, replace(behind.person, mask=mask)))


def test_a_hat_of_the_colour_of_skin_is_no_bald_crown() -> None:
    truth = standing_body()
    straw = (215, 180, 130)
    rgb = truth.picture.rgb.copy()
    eyes = truth.fitted.keypoints[KEYPOINTS.index("left_eye")]
    brim = truth.fitted.to_pixels(np.add(eyes, (0, 0.085, 0)))[1]
    rgb[near(rgb, HAIR) & (np.arange(len(rgb))[:, None] < brim)] = straw
    back = drawn(make_avatar(replace(truth.picture, rgb=rgb), truth.person), 180)
    rows = np.nonzero((~near(back, BACKDROP, 1.0)).any(axis=1))[0][0] + np.arange(40)
    assert near(back[rows[:12]], straw, 45).sum() > near(back[rows[:12]], HAIR, 45).sum()
    assert near(back[rows[14:]], HAIR, 45).sum() > 100


def test_hands_under_a_masked_face_are_skin() -> None:
    truth = standing_body()
    rgb = truth.picture.rgb.copy()
    eyes = truth.fitted.to_pixels(truth.fitted.keypoints[KEYPOINTS.index("left_eye")])
    chin = truth.fitted.to_pixels(truth.fitted.keypoints[KEYPOINTS.index("neck")] + (0, 0.08, 0))
    rows, columns = np.mgrid[: rgb.shape[0], : rgb.shape[1]]
    mask = near(rgb, SKIN) & (rows > eyes[1] + 1) & (rows < chin[1]) & (np.abs(columns - eyes[0]) < 30)
    rgb[mask] = (20, 20, 24)
    avatar = make_avatar(replace(truth.picture, rgb=rgb), truth.person)
    bare, masked = drawn(make_avatar(truth.picture, truth.person), 0), drawn(avatar, 0)
    lower = slice(SIZE[1] // 3, None)
    assert near(masked[lower], SKIN).sum() > 0.9 * near(bare[lower], SKIN).sum()


def test_shade_beside_an_arm_does_not_go_round_the_trunk() -> None:
    truth, shade = body_with_arms_down(), tuple(np.asarray(SHIRT) // 4)
    rgb = truth.picture.rgb.copy()
    beside = cv2.dilate(near(rgb, SKIN).astype(np.uint8), np.ones((1, 9), np.uint8)) > 0
    below_armpits = np.arange(len(rgb))[:, None] > truth.fitted.to_pixels(truth.fitted.keypoints)[1, 1] + 25
    rgb[near(rgb, SHIRT) & beside & below_armpits] = shade
    avatar = make_avatar(replace(truth.picture, rgb=rgb), truth.person)
    trunk = slice(90, 190)
    assert max(near(drawn(avatar, degrees)[trunk], shade, 45).sum() for degrees in (45, 90, 135, 180, 270)) < 20


def test_a_bare_arm_that_the_body_covers_leaves_nothing_on_the_trunk_though_shoulders_are_bare() -> None:
    truth = body_with_arms_down()
    top = truth.fitted.to_pixels(truth.fitted.keypoints)[KEYPOINTS.index("neck"), 1]
    rows = np.arange(truth.picture.rgb.shape[0])[:, None]
    bare_shoulders = truth.picture.rgb.copy()
    bare_shoulders[near(bare_shoulders, SHIRT) & (rows < top + 20)] = SKIN
    covered = bare_shoulders.copy()
    arms = cv2.dilate((near(covered, SKIN) & (rows > top + 25)).astype(np.uint8), np.ones((1, 9), np.uint8)) > 0
    covered[near(covered, SHIRT) & arms] = SKIN
    plain, touched = (make_avatar(replace(truth.picture, rgb=rgb), truth.person) for rgb in (bare_shoulders, covered))
    for degrees in (90, 180, 270):
        assert near(drawn(touched, degrees), SKIN).sum() < near(drawn(plain, degrees), SKIN).sum() + 100


def test_a_pattern_goes_on_where_an_arm_hid_it() -> None:
    """Stripes up and down, of which an average of the row would leave nothing."""
    truth = body_with_arms_down()
    rgb = truth.picture.rgb.copy()
    rgb[near(rgb, SHIRT) & ((np.arange(rgb.shape[1]) // 3) % 2 == 0)] = (250, 250, 250)
    photo = make_avatar(replace(truth.picture, rgb=rgb), truth.person)
    plain = make_avatar(truth.picture, truth.person)
    for degrees, least in ((90, 46), (270, 34)):  # averages alone: 39 and 24
        trunk = near(drawn(plain, degrees), SHIRT, 30)
        green = drawn(photo, degrees)[..., 1].astype(np.float64)
        assert np.abs(np.diff(green, axis=1))[trunk[:, 1:] & trunk[:, :-1]].mean() > least


def test_shoulders_are_as_in_the_photo() -> None:
    truth = standing_body()
    x, y, _ = 0.9 * (truth.fitted.keypoints[KEYPOINTS.index("left_shoulder")] - truth.fitted.keypoints[1])
    frame = drawn(painted(truth, [(x - 0.012, x + 0.012, 0.01 - y, 0.05 - y)], (255, 255, 255)), 0)
    assert near(frame, (255, 255, 255)).sum() > 10
