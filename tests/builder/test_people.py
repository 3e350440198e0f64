from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from stgmamba.builder.people import _distinct, _main_tracks, _people_in, _Track, _window, sharpness
from stgmamba.builder.stages import Result
from stgmamba.datasets.scores import load_profile
from stgmamba.person.blazepose import Pose

SIZE = (640, 480)


def track(first: int, last: int, height: float, centre: float = 320.0) -> _Track:
    """Somebody ``height`` pixels high who stands at ``centre`` from one frame to another."""
    points = np.stack([np.linspace(centre - height / 6, centre + height / 6, 33), np.linspace(40, 40 + height, 33)], 1)
    pose = Pose(points.astype(np.float32), np.ones(33, np.float32), np.zeros((33, 3), np.float32), None)
    frames = list(range(first, last + 1))
    return _Track(frames, [pose] * len(frames), [1.0] * len(frames), [0] * len(frames))


def test_a_dancer_who_leaves_and_comes_back_is_the_dancer_again() -> None:
    before, after = track(0, 99, 300), track(150, 200, 290)
    assert _main_tracks([before, after], SIZE) == [before, after]


def test_whoever_stands_beside_the_dancer_is_not() -> None:
    dancer, small, aside = track(0, 99, 300), track(40, 140, 120), track(90, 99, 300, 20.0)
    assert _main_tracks([small, aside, dancer], SIZE) == [dancer]
    assert _main_tracks([], SIZE) == []


@pytest.mark.parametrize("contrast", [0.08, 0.3, 1.0])
def test_sharpness_sees_blur_and_not_plain_or_dark_clothes(contrast: float) -> None:
    grey = np.full((300, 200), 60.0)
    grey[40:280, 60:140] += 150 * contrast  # the person before the wall
    grey[100:200, 80:120] -= 40 * contrast
    frame = np.repeat(np.clip(grey, 0, 255)[..., None], 3, axis=2).astype(np.uint8)
    corners = np.array([[50, 30], [150, 290]], np.float32)
    blurred = cv2.GaussianBlur(frame, (0, 0), 5)
    threshold = load_profile("strict").limits["sharpness"][0]
    assert threshold is not None
    assert sharpness(frame, corners) > 1.3 * threshold
    assert sharpness(blurred, corners) < threshold / 1.3


def test_sharpness_of_nobody_is_none() -> None:
    assert sharpness(np.zeros((100, 100, 3), np.uint8), np.array([[50, 50], [54, 80]], np.float32)) == 0


def test_one_count_above_all_others_is_looked_for_and_not_believed() -> None:
    def scan(*counts: int) -> Result:
        return Result({}, {"people_frames": np.arange(len(counts)) * 10, "people": np.array(counts)})

    assert _people_in(scan(1, 1, 2, 1, 1), (0, 50)) == (2, 1)
    assert _people_in(scan(1, 2, 2, 1, 1), (0, 50)) == (2, 2)
    assert _people_in(scan(0, 0, 0, 1, 0), (0, 50)) == (1, 0)
    assert _people_in(scan(1, 2), (0, 20)) == (2, 2)  # few looks are believed
    assert _people_in(scan(1, 2), (20, 40)) == (1, 1)


def test_the_same_person_twice_is_one() -> None:
    one, other = track(0, 0, 300).poses[0], track(0, 0, 300, centre=500).poses[0]
    again = replace(one, points=one.points + 4)
    assert _distinct([one, again, other]) == [one, other]


def test_small_people_are_looked_at_where_they_are() -> None:
    def scan(*boxes: tuple[float, float, float, float]) -> Result:
        return Result({}, {"people_frames": np.arange(len(boxes)), "people_box": np.array(boxes, np.float32)})

    none = (np.nan,) * 4
    assert _window(scan((0.4, 0.5, 0.6, 0.9), none, (0.5, 0.5, 0.7, 1.0)), (0, 3), SIZE) == (256, 240, 448, 480)
    whole = (0, 0, *SIZE)
    assert _window(scan((0.1, 0.1, 0.9, 0.9)), (0, 1), SIZE) == whole
    assert _window(scan(none), (0, 1), SIZE) == whole
