"""Tests of the look at every frame: text and people in the picture."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from stgmamba.arrays import Frame
from stgmamba.builder.scan import find_people, find_text
from stgmamba.person.blazepose import Pose, PoseDetector

from ..support.character_clips import character_frames

ROWS, COLUMNS = 288, 384


def plain() -> Frame:
    return np.full((ROWS, COLUMNS), 120, np.uint8)


def tiles() -> Frame:
    """A floor of bright and dark tiles with seams, as if seen from above."""
    frame = plain()
    rng = np.random.default_rng(0)
    for row in range(150, ROWS, 20):
        for column in range(0, COLUMNS, 24):
            frame[row : row + 18, column : column + 22] = 40 if rng.random() < 0.5 else 190
    return frame


def stripes() -> Frame:
    frame = plain()
    for row in range(60, 200, 12):
        frame[row : row + 5, 140:240] = 230
    return frame


def write(frame: Frame, words: str, colour: int, outline: int | None, size: float = 0.8) -> tuple[Frame, Frame]:
    """The frame with a line of text, and where its box is, bool [H, W]."""
    written = frame.copy()
    (width, height), below = cv2.getTextSize(words, cv2.FONT_HERSHEY_DUPLEX, size, 2)
    left, line = (COLUMNS - width) // 2, 270 - below
    if outline is not None:
        cv2.putText(written, words, (left, line), cv2.FONT_HERSHEY_DUPLEX, size, outline, 4, cv2.LINE_AA)
    cv2.putText(written, words, (left, line), cv2.FONT_HERSHEY_DUPLEX, size, colour, 2, cv2.LINE_AA)
    box = np.zeros(frame.shape, bool)
    box[line - height : line + below, left : left + width] = True
    return written, box


@pytest.mark.parametrize("words", ["follow us for more", "old harbour", "every friday at nine"])
@pytest.mark.parametrize(("colour", "outline"), [(255, 0), (255, None), (10, None), (230, 10)])
def test_captions_are_found(words: str, colour: int, outline: int | None) -> None:
    frame, box = write(plain(), words, colour, outline)
    found = find_text(frame)
    assert found[box].mean() > 0.6
    assert found[~box].mean() < 0.02


@pytest.mark.parametrize("words", ["follow us for more", "every friday at nine"])
def test_captions_with_an_outline_are_found_on_a_patterned_floor(words: str) -> None:
    frame, box = write(tiles(), words, 255, 0)
    assert find_text(frame)[box].mean() > 0.6


@pytest.mark.parametrize("ground", [plain, tiles, stripes])
def test_what_is_no_text_is_not_found(ground: object) -> None:
    assert callable(ground)
    assert find_text(ground()).mean() < 0.01


@pytest.mark.parametrize("shape", [(16, 16), (48, 300), (288, 20)])
def test_pictures_of_any_size_are_looked_at(shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    assert find_text(noise).shape == shape


def test_people_who_are_small_in_the_picture_are_found_once() -> None:
    dancer = character_frames(frames=1)[0]
    rows = 100
    small = cv2.resize(dancer, (round(dancer.shape[1] * rows / dancer.shape[0]), rows), interpolation=cv2.INTER_AREA)
    frame = np.broadcast_to(dancer[:1].mean(axis=(0, 1)), (ROWS, COLUMNS, 3)).astype(np.uint8).copy()
    top, left = 150, 170
    frame[top : top + rows, left : left + small.shape[1]] = small
    with PoseDetector(people=4) as detector:
        people = find_people(detector, frame)
    assert len(people) == 1
    middle = (people[0].points.min(axis=0) + people[0].points.max(axis=0)) / 2
    np.testing.assert_allclose(middle, [left + small.shape[1] / 2, top + rows / 2], atol=0.2 * rows)


def test_a_strip_is_looked_at_in_a_few_parts() -> None:
    looks = []

    class Detector:
        def detect(self, rgb: Frame, seconds: float = 0.0) -> list[Pose]:
            looks.append(rgb.shape)
            return []

    assert find_people(Detector(), np.zeros((8, 2000, 3), np.uint8)) == []  # type: ignore[arg-type]
    assert 2 < len(looks) < 20
