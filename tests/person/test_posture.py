from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from stgmamba.person.pose import DetectedPerson
from stgmamba.person.posture import posture_notes
from stgmamba.person.preparation import prepare_person
from tests.support.capsule_figure import (
    HEIGHT,
    WIDTH,
    draw_figure,
    moved,
    person_of,
    picture_of,
    pose_array,
    to_pixels,
    wall,
)

SKIN, CLOTH = (225, 175, 150), (40, 60, 120)
HANDS = np.asarray([(0.52, 0.9, 0), (-0.52, 0.9, 0)], np.float32)


def notes(pose: np.ndarray, hands: np.ndarray = HANDS, colours: tuple[tuple[int, int, int], ...] = (SKIN, SKIN)) -> str:
    """Notes on somebody in this pose whose face is of skin, and whose hands are of these colours."""
    rgb = np.full((HEIGHT, WIDTH, 3), CLOTH, np.uint8)
    points = [to_pixels(hand[None])[0] for hand in hands]
    nose = to_pixels(pose)[0]
    for centre, colour in zip([nose, *points], [SKIN, *colours], strict=True):
        cv2.circle(rgb, tuple(int(c) for c in centre), 18, colour, -1)
    person = person_of(np.ones((HEIGHT, WIDTH), np.float32), pose=pose)
    return " ".join(posture_notes(picture_of(rgb), replace(person, hands=np.asarray(points, np.float32))))


def turned(pose: np.ndarray, degrees: float) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.asarray(pose @ np.asarray([[c, 0, -s], [0, 1, 0], [s, 0, c]]), np.float32)


def test_nothing_is_said_of_somebody_who_stands_before_the_camera() -> None:
    assert notes(pose_array()) == ""
    assert notes(turned(pose_array(), 40)) == ""


@pytest.mark.parametrize("height", [0.2, 0.45])
def test_who_sits_or_crouches_is_told_so(height: float) -> None:
    low = moved(
        right_knee=(-0.3, 0.3, 0.4), left_knee=(0.3, 0.3, 0.4), right_ankle=(-0.2, 0.9 - height, 0.4),
        left_ankle=(0.2, 0.9 - height, 0.4),
    )  # fmt: skip
    assert "sits or crouches" in notes(low)


def test_who_is_seen_from_the_side_is_told_so() -> None:
    assert "from the side" in notes(turned(pose_array(), 80))


def test_a_hand_before_the_face_and_a_hand_in_a_pocket() -> None:
    up = HANDS.copy()
    up[0] = (0.02, 1.55, 0)
    told = notes(pose_array(), up)
    assert "the left hand is before the face" in told
    assert "hidden" not in told
    told = notes(pose_array(), colours=(SKIN, CLOTH))
    assert "the right hand is hidden" in told
    assert "the left hand" not in told


def test_hands_that_are_not_known_are_no_fault() -> None:
    rgb, mask = draw_figure(wall())
    assert posture_notes(picture_of(rgb), person_of(mask)) == ()


def test_joints_that_cannot_be_seen_say_nothing() -> None:
    rgb, mask = draw_figure(wall())
    person: DetectedPerson = replace(person_of(mask, pose=turned(pose_array(), 80)), missing=("left_hip", "right_hip"))
    assert posture_notes(picture_of(rgb), person) == ()


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("11.JPG", "the right hand is before the face"), ("internet__men1_256.jpg", "the right hand is hidden")],
)
def test_photos(research_data: Path, name: str, sentence: str) -> None:
    from stgmamba.person.picture import load_picture

    picture, person, _ = prepare_person(load_picture(research_data / "people" / name))
    assert sentence in " ".join(posture_notes(picture, person))
