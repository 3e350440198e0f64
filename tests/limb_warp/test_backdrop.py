from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stgmamba.errors import InputError
from stgmamba.limb_warp.backdrop import VideoBackdrop, make_backdrop
from stgmamba.person.picture import Picture
from stgmamba.video_io import write_video

RED = (200, 30, 30)


@pytest.fixture
def picture() -> Picture:
    """A red person before a wall that is dark on the left and bright on the right."""
    rgb = np.zeros((120, 90, 3), np.uint8)
    rgb[:, 45:] = 200
    rgb[30:110, 35:55] = RED
    return Picture(rgb)


@pytest.fixture
def mask() -> np.ndarray:
    mask = np.zeros((120, 90), np.float32)
    mask[30:110, 35:55] = 1
    return mask


def test_the_picture_itself_needs_no_backdrop(picture: Picture) -> None:
    assert make_backdrop("photo", picture, (60, 80)) is None


@pytest.mark.parametrize("name", ["#00ff00", "lime", " LIME "])
def test_a_colour(picture: Picture, mask: np.ndarray, name: str) -> None:
    backdrop = make_backdrop(name, picture, (60, 80))
    assert backdrop is not None
    assert (backdrop(mask) == (0, 255, 0)).all()
    assert backdrop(mask).shape == (80, 60, 3)


def test_a_transparent_one_has_alpha(picture: Picture, mask: np.ndarray) -> None:
    backdrop = make_backdrop("Transparent", picture, (60, 80))
    assert backdrop is not None
    assert backdrop(mask).shape == (80, 60, 4)
    assert not backdrop(mask).any()


def test_a_blurred_place_shows_nothing_of_the_person(picture: Picture, mask: np.ndarray) -> None:
    backdrop = make_backdrop("blur", picture, (60, 80))
    assert backdrop is not None
    frame = backdrop(mask).astype(int)
    assert frame.shape == (80, 60, 3)
    assert np.ptp(frame, axis=2).max() < 20  # grey: no red
    assert frame[:, :10].mean() < 40 < 160 < frame[:, -10:].mean()


def test_a_picture_covers_the_frame(picture: Picture, mask: np.ndarray, tmp_path: Path) -> None:
    wide = np.zeros((100, 400, 3), np.uint8)
    wide[:, 180:220] = 255
    Image.fromarray(wide).save(tmp_path / "beach.png")
    backdrop = make_backdrop(tmp_path / "beach.png", picture, (60, 80))
    assert backdrop is not None
    frame = backdrop(mask)
    assert frame.shape == (80, 60, 3)
    assert frame[:, 28:32].min() > 200
    assert frame[:, :10].max() < 50


@pytest.mark.parametrize("name", ["beech", "no/such.png"])
def test_what_is_neither_is_refused(picture: Picture, name: str) -> None:
    with pytest.raises(InputError, match=name):
        make_backdrop(name, picture, (60, 80))


@pytest.mark.parametrize("fps", [5.0, 10.0, 25.0])
def test_a_video_is_looped_at_the_frame_rate_asked_for(
    picture: Picture, mask: np.ndarray, tmp_path: Path, fps: float
) -> None:
    greys = (40, 100, 160, 220)
    write_video(tmp_path / "sea.mp4", [np.full((48, 128, 3), grey, np.uint8) for grey in greys], 10)
    backdrop = make_backdrop(tmp_path / "sea.mp4", picture, (60, 80))
    assert backdrop is not None
    video = backdrop(mask)
    assert isinstance(video, VideoBackdrop)
    frames = list(islice(video.frames(fps), round(fps)))  # a second: two and a half rounds
    assert {frame.shape for frame in frames} == {(80, 60, 3)}
    expected = [greys[int(i / fps * 10 + 1e-6) % 4] for i in range(len(frames))]
    assert np.abs(np.asarray([frame.mean() for frame in frames]) - expected).max() < 4


def test_a_text_is_no_background(picture: Picture, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no video")
    with pytest.raises(InputError, match=r"notes\.txt"):
        make_backdrop(tmp_path / "notes.txt", picture, (60, 80))
