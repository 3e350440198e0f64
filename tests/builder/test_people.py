from __future__ import annotations

import numpy as np

from stgmamba.builder.people import _main_tracks, _Track
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
