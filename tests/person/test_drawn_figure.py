"""On figures drawn by the test, whose outline is known, and on two real drawings where the research data is at hand."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from stgmamba.errors import InputError
from stgmamba.person.drawn_figure import figure_from_pose, load_mask, masked_person
from stgmamba.person.picture import Picture, load_picture
from stgmamba.person.pose import GUESSED
from stgmamba.person.pose_file import ManualPose, joints_to_pose, read_pose

SIZE = (240, 320)
JOINTS = {
    "nose": (120, 60),
    "neck": (120, 100),
    "right_shoulder": (90, 100),
    "right_elbow": (62, 130),
    "right_wrist": (36, 160),
    "left_shoulder": (150, 100),
    "left_elbow": (178, 130),
    "left_wrist": (204, 160),
    "right_hip": (100, 180),
    "right_knee": (92, 230),
    "right_ankle": (86, 280),
    "left_hip": (140, 180),
    "left_knee": (148, 230),
    "left_ankle": (154, 280),
}


def given(**changes: object) -> ManualPose:
    joints = {joint: at for joint, at in (JOINTS | changes).items() if at is not None}
    return joints_to_pose(joints, "pose.yaml")


@pytest.fixture(scope="module")
def true() -> np.ndarray:
    """The figure's outline, 0 or 1."""
    mask = np.zeros(SIZE[::-1], np.uint8)
    cv2.circle(mask, (120, 62), 32, 1, -1)
    trunk = ["right_shoulder", "left_shoulder", "left_hip", "right_hip"]
    cv2.fillConvexPoly(mask, np.array([JOINTS[joint] for joint in trunk], np.int32), 1)
    for side in ("right", "left"):
        for chain in (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle")):
            at = np.array([JOINTS[f"{side}_{joint}"] for joint in chain], np.int32)
            cv2.polylines(mask, [at], False, 1, 26)
    return mask


def paper(dark: float = 0.0) -> np.ndarray:
    """A photographed sheet: grain, and light that falls off to one side."""
    y, x = np.mgrid[-1 : 1 : SIZE[1] * 1j, -1 : 1 : SIZE[0] * 1j]
    light = 225 - dark * (x + 1) - 0.5 * dark * y * y
    return light[..., None] + np.random.default_rng(0).normal(0, 1.5, (*SIZE[::-1], 3))


def in_lines(true: np.ndarray, ground: np.ndarray, gap: int = 0) -> np.ndarray:
    """The outline drawn with a pen, within the figure; with a gap of some pixels in the head's."""
    ink = true - cv2.erode(true, np.ones((5, 5)))
    if gap:
        ink[20:45, 120 : 120 + gap] = 0
    return np.clip(np.where(ink[..., None] > 0, (70, 40, 130), ground), 0, 255).astype(np.uint8)


def overlap(mask: np.ndarray, true: np.ndarray) -> float:
    return float(((mask > 0.5) & (true > 0.5)).sum() / ((mask > 0.5) | (true > 0.5)).sum())


@pytest.mark.parametrize("dark", [0, 25])
@pytest.mark.parametrize("gap", [0, 6])
def test_lines_on_paper(true: np.ndarray, dark: float, gap: int) -> None:
    person, notes = figure_from_pose(Picture(in_lines(true, paper(dark), gap)), given())
    assert overlap(person.mask, true) > 0.9
    assert person.mask.dtype == np.float32
    assert 0 <= person.mask.min() <= person.mask.max() <= 1
    assert (person.missing, person.others, notes) == ((), 0, ())


def test_a_figure_filled_with_colours(true: np.ndarray) -> None:
    rgb = np.where(true[..., None] > 0, (240, 150, 40), paper()).astype(np.uint8)
    rgb[105:175, 105:135] = 225  # its belly is white as the paper
    assert overlap(figure_from_pose(Picture(rgb), given())[0].mask, true) > 0.95


def test_a_figure_cut_off_by_the_rim(true: np.ndarray) -> None:
    person, _ = figure_from_pose(Picture(in_lines(true, paper())[:250]), given(right_ankle=None, left_ankle=None))
    assert overlap(person.mask, true[:250]) > 0.85  # what is between the legs cannot be told
    assert person.missing == ("right_ankle", "left_ankle")


def test_a_figure_before_something(true: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    ground = cv2.resize(rng.integers(0, 120, (20, 15, 3), np.uint8), SIZE, interpolation=cv2.INTER_CUBIC)
    rgb = np.where(true[..., None] > 0, (250, 200, 60), ground).astype(np.uint8)
    person, notes = figure_from_pose(Picture(rgb, Path("tiger.png")), given())
    assert overlap(person.mask, true) > 0.9
    assert notes == ("tiger.png: the figure is cut out by its colours alone; give its outline with --mask.",)


def test_transparency_is_the_outline_and_a_mask_stands_above_it(true: np.ndarray) -> None:
    alpha = true.astype(np.float32)
    picture = Picture(np.full((*SIZE[::-1], 3), 90, np.uint8), alpha=alpha)
    np.testing.assert_array_equal(figure_from_pose(picture, given())[0].mask, alpha)
    grown = cv2.dilate(true, np.ones((9, 9)))
    drawn = Picture(np.repeat(grown[..., None] * 255, 3, axis=2))
    np.testing.assert_array_equal(figure_from_pose(picture, given(), drawn)[0].mask, grown)
    np.testing.assert_array_equal(load_mask(Picture(drawn.rgb, alpha=alpha), picture), alpha)


def test_what_is_left_out_is_guessed_and_named(true: np.ndarray) -> None:
    person, _ = figure_from_pose(Picture(in_lines(true, paper())), given(left_wrist=None, nose=None))
    assert person.missing == ("nose", "left_wrist")
    confidence = dict(zip(person.skeleton.layout.joints, person.skeleton.confidence[0], strict=True))
    assert confidence["left_wrist"] == confidence["left_toe"] == np.float32(GUESSED)
    assert confidence["left_elbow"] == 1
    assert person.skeleton.size == SIZE
    assert person.skeleton.joint("left_wrist")[0, 1] > JOINTS["left_elbow"][1]


def test_joints_follow_the_size_of_the_picture(true: np.ndarray) -> None:
    rgb = in_lines(true, paper())
    double = joints_to_pose({j: (2 * x, 2 * y) for j, (x, y) in JOINTS.items()} | {"size": [480, 640]})
    shrunk = joints_to_pose({j: (2 * x, 2 * y) for j, (x, y) in JOINTS.items()})
    for pose, picture in ((double, Picture(rgb)), (shrunk, Picture(rgb, original_size=(480, 640)))):
        person, _ = figure_from_pose(picture, pose)
        np.testing.assert_allclose(person.skeleton.joint("left_knee")[0], JOINTS["left_knee"])


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"left_wrist": (300, 10)}, r"left_wrist at \[300, 10\] lies outside .* 240 x 320"),
        ({"size": (320, 240)}, "for a picture of 320 x 240 pixels, but the picture has 240 x 320"),
        ({"right_hip": (200, 100), "left_hip": (200, 120)}, "does not stand upright"),
    ],
)
def test_a_pose_of_another_picture(true: np.ndarray, changes: dict[str, tuple[float, float]], says: str) -> None:
    with pytest.raises(InputError, match=rf"pose\.yaml: .*{says}"):
        figure_from_pose(Picture(in_lines(true, paper())), given(**changes))


def test_masks_that_do_not_fit(true: np.ndarray) -> None:
    picture = Picture(in_lines(true, paper()))
    white = np.repeat(true[..., None] * 255, 3, axis=2)
    for rgb, says in (
        (white[:200], r"240 x 200 pixels and the picture 240 x 320"),
        (0 * white, "is empty"),
        (255 - white, "black on the figure and white around it; invert it"),
    ):
        with pytest.raises(InputError, match=rf"^m\.png: .*{says}"):
            figure_from_pose(picture, given(), Picture(rgb, Path("m.png")))


def test_real_drawings(research_data: Path) -> None:
    folder = research_data / "drawings" / "char1"
    if not folder.is_dir():
        pytest.skip(f"no drawings in {research_data}")
    picture, pose = load_picture(folder / "texture.png"), read_pose(folder / "char_cfg.yaml")
    assert pose.mask is not None
    true = load_mask(load_picture(pose.mask), picture)
    person, notes = figure_from_pose(picture, pose)
    assert overlap(person.mask, true) > 0.94
    assert (person.missing, notes) == ((), ())
    with pytest.raises(InputError, match="four legs"):
        read_pose(folder.with_name("char6") / "char_cfg.yaml")


@pytest.mark.parametrize(
    ("mask", "says"),
    [
        (lambda true: np.ones_like(true), "white everywhere"),
        (lambda true: 1 - true, "black on the figure and white around it"),
        (lambda true: np.roll(true, 150, axis=1) * (1 - true), "most joints found in the picture lie outside"),
    ],
    ids=["full", "inverted", "away from the torso"],
)
def test_masks_for_a_detected_person_that_do_not_fit(true: np.ndarray, mask: Callable[..., Any], says: str) -> None:
    picture = Picture(np.full((*true.shape, 3), 200, np.uint8), Path("a.png"))
    person, _ = figure_from_pose(picture, given(), Picture(np.repeat(255 * true[..., None], 3, axis=2)))
    drawn = Picture(np.repeat((255 * mask(true)).astype(np.uint8)[..., None], 3, axis=2), Path("mask.png"))
    with pytest.raises(InputError, match=f"mask.png: .*{says}"):
        masked_person(person, drawn, picture)
    right = Picture(np.repeat(255 * true[..., None], 3, axis=2))
    np.testing.assert_array_equal(masked_person(person, right, picture).mask > 0.5, true > 0)
