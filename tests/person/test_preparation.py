"""On pictures made of built-in characters, as they are handed in: with bars, on their side, small, beside others."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from stgmamba.characters import CHARACTERS
from stgmamba.characters.render import CharacterRenderer
from stgmamba.errors import InputError
from stgmamba.person.drawing import draw_people
from stgmamba.person.picture import Picture, load_picture
from stgmamba.person.pose import find_people
from stgmamba.person.preparation import prepare_person
from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton

SIZE = (300, 400)


@pytest.fixture(scope="module")
def people(swaying: Callable[[int], Skeleton]) -> dict[str, np.ndarray]:
    """Two characters, each alone in a picture, standing."""
    return {
        name: next(iter(CharacterRenderer(CHARACTERS[name], size=SIZE).frames(swaying(1)))) for name in ("mira", "kofi")
    }


@pytest.fixture(scope="module")
def swaying() -> Callable[[int], Skeleton]:
    from tests.conftest import swaying

    return swaying


def neck_and_hip(picture: tuple[Picture, object, object]) -> np.ndarray:
    points = picture[1].skeleton.positions[0]  # type: ignore[attr-defined]
    return points[[OPENPOSE_18_FEET.index("neck"), OPENPOSE_18_FEET.index("right_hip")]]


def test_an_upright_picture_is_left_as_it_is(people: dict[str, np.ndarray]) -> None:
    picture = Picture(people["mira"])
    prepared, person, notes = prepare_person(picture)
    assert prepared is picture
    assert (notes, person.others) == ((), 0)


@pytest.mark.parametrize(("turns", "says"), [(1, "to the right"), (2, "half a turn"), (3, "to the left")])
def test_a_person_on_their_side_or_head_is_turned(people: dict[str, np.ndarray], turns: int, says: str) -> None:
    upright = neck_and_hip(prepare_person(Picture(people["mira"])))
    prepared = prepare_person(Picture(np.ascontiguousarray(np.rot90(people["mira"], turns)), Path("a.jpg")))
    assert says in prepared[2][0]
    np.testing.assert_array_equal(prepared[0].rgb, people["mira"])
    assert np.abs(neck_and_hip(prepared) - upright).max() < 6


def test_bars_are_cut_off(people: dict[str, np.ndarray]) -> None:
    framed = cv2.copyMakeBorder(people["mira"], 80, 90, 0, 0, cv2.BORDER_CONSTANT, value=(0, 0, 0))
    prepared, person, notes = prepare_person(Picture(framed, Path("a.jpg")))
    assert prepared.size == person.skeleton.size == SIZE
    assert notes == ("a.jpg: the bars around the picture were cut off.",)


@pytest.mark.parametrize("framing", ["auto", "person", "scene"])
def test_a_small_person_is_cropped_to(people: dict[str, np.ndarray], framing: str) -> None:
    wide = np.full((1000, 1400, 3), people["mira"][5, 5], np.uint8)
    wide[500:775, 300:506] = cv2.resize(people["mira"], (206, 275), interpolation=cv2.INTER_AREA)
    prepared, person, notes = prepare_person(Picture(wide, Path("a.jpg")), framing=framing)  # type: ignore[arg-type]
    tall = np.ptp(np.nonzero(person.mask > 0.5)[0]) / prepared.size[1]
    if framing == "scene":
        assert (prepared.size, notes) == ((1400, 1000), ())
        assert tall < 0.3
    else:
        assert "cropped to the person" in notes[0]
        assert 0.55 < tall < 0.85
        assert prepared.size[0] / prepared.size[1] == pytest.approx(1.4, rel=0.02)
        assert (person.skeleton.size, person.mask.shape) == (prepared.size, prepared.size[::-1])
        x, y = np.round(person.skeleton.positions[0, OPENPOSE_18_FEET.index("neck")]).astype(int)
        assert person.mask[y, x] > 0.5


def test_one_of_several_persons(people: dict[str, np.ndarray], tmp_path: Path) -> None:
    """A large one whom the lower edge cuts at the knees, and a small whole one."""
    rgb = np.full((400, 560, 3), people["mira"][5, 5], np.uint8)
    rgb[:, :360] = cv2.resize(people["mira"], (480, 640), interpolation=cv2.INTER_LINEAR)[60:460, 60:420]
    rgb[180:360, 400:535] = cv2.resize(people["kofi"], (135, 180), interpolation=cv2.INTER_AREA)
    picture = Picture(rgb, Path("two.png"))
    boxes = [(pose.points.min(axis=0), pose.points.max(axis=0)) for pose in find_people(picture)]
    assert len(boxes) == 2
    assert boxes[0][0][0] < 200 < 400 < boxes[1][0][0]
    first, second, pointed = (neck_and_hip(prepare_person(picture, which))[0, 0] for which in (1, 2, (470.0, 300.0)))
    assert first < 300
    assert second == pointed > 400
    with pytest.raises(InputError, match=r"two\.png: there is no person 3; 2 found"):
        prepare_person(picture, 3)
    with pytest.raises(InputError, match="outside of the picture"):
        prepare_person(picture, (700.0, 10.0))
    cv2.imwrite(str(tmp_path / "two.png"), rgb[..., ::-1])
    assert draw_people(tmp_path / "two.png", tmp_path / "shown.png") == 2
    assert (load_picture(tmp_path / "shown.png").rgb != rgb).any(axis=-1).mean() > 0.005


def test_nobody_in_any_orientation() -> None:
    with pytest.raises(InputError, match="no person was found"):
        prepare_person(Picture(np.full((128, 128, 3), 90, np.uint8)))
