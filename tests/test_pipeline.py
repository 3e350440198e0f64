"""The Python interface: what `from stgmamba import DancePipeline` gives."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

import stgmamba
from stgmamba.errors import InputError
from stgmamba.options import check_options
from stgmamba.person.picture import as_picture
from stgmamba.person.pose import estimate_pose
from stgmamba.pipeline import DancePipeline, DanceVideo, drawable, render
from stgmamba.progress import Progress, Silent
from stgmamba.skeleton import COCO_17, OPENPOSE_18, OPENPOSE_18_FEET, Skeleton
from stgmamba.subject import Subject, load_subject
from stgmamba.video_io import probe


@pytest.fixture
def pipeline(swaying_sampler: Any) -> DancePipeline:
    return DancePipeline(swaying_sampler)


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from scipy.io import wavfile

    path = tmp_path_factory.mktemp("song") / "song.wav"
    times = np.arange(22050 * 3) / 22050
    wavfile.write(path, 22050, (12000 * np.sin(2 * np.pi * 220 * times)).astype(np.int16))
    return path


# The package


def test_package_is_lazy_and_complete() -> None:
    names = "stgmamba.DancePipeline.__name__, stgmamba.Skeleton.__name__"
    code = f"import sys, stgmamba; print('numpy' in sys.modules, {names})"
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert out.split() == ["False", "DancePipeline", "Skeleton"]
    assert set(stgmamba.__all__) <= set(dir(stgmamba))
    assert stgmamba.InputError is InputError
    with pytest.raises(AttributeError, match="no attribute 'Singer'"):
        _ = stgmamba.Singer


# Dancing


class Recorder(Silent):
    """A reporter that keeps the progress of all stages: (stage, done, total)."""

    def __init__(self) -> None:
        self.progress: list[tuple[str, int, int | None]] = []

    @contextmanager
    def stage(self, name: str) -> Iterator[Progress]:
        yield lambda done, total: self.progress.append((name, done, total))


def test_dance_with_a_built_in_character(pipeline: DancePipeline, song: Path, tmp_path: Path) -> None:
    video = pipeline.dance(song, character="random", size=96, fps=30, seconds=1.5, start=1.0)
    assert isinstance(video, DanceVideo)
    assert (len(video.skeleton), video.fps, video.seconds, video.size) == (45, 30, 1.5, (72, 96))
    assert pipeline.sampler.asked["facing"] == "free"  # type: ignore[attr-defined]
    report = Recorder()
    path = video.save(tmp_path / "out.mp4", report)
    media = probe(path)
    assert (media.frames, media.fps, media.size) == (45, 30.0, (72, 96))
    assert report.progress == [("video", i + 1, 45) for i in range(45)]


@pytest.mark.parametrize(("body", "facing"), [("auto", "free"), ("flat", "camera")])
def test_dance_with_a_picture(
    pipeline: DancePipeline, song: Path, person_picture: Path, body: str, facing: str
) -> None:
    video = pipeline.dance(song, person_picture, size=128, seconds=1, body=body)
    assert pipeline.sampler.asked["facing"] == facing  # type: ignore[attr-defined]
    frames = list(video.frames())
    assert len(frames) == 25
    assert frames[0].shape == (128, 96, 3)
    assert frames[0].dtype == np.uint8
    # Somebody moves, and the place stays where it is.
    change = np.abs(frames[0].astype(int) - frames[12]).max(axis=2)
    assert change.max() > 60
    assert np.median(change) <= 2


def test_user_decides_the_facing(pipeline: DancePipeline, song: Path) -> None:
    pipeline.skeleton(song, facing="camera")
    assert pipeline.sampler.asked["facing"] == "camera"  # type: ignore[attr-defined]


def test_frames_are_drawn_only_when_asked_for(sway: Skeleton) -> None:
    drawn = 0

    class Counting:
        size = (64, 64)

        def frames(self, dance: Skeleton):  # type: ignore[no-untyped-def]
            nonlocal drawn
            for _ in range(len(dance)):
                drawn += 1
                yield np.zeros((64, 64, 3), np.uint8)

    video = DanceVideo(sway, Subject("nobody", Counting(), "free"))
    frames = video.frames()
    assert drawn == 0
    next(frames)
    assert drawn == 1


def test_failed_save_keeps_the_older_film(sway: Skeleton, tmp_path: Path) -> None:
    class Breaking:
        size = (64, 64)

        def frames(self, dance: Skeleton):  # type: ignore[no-untyped-def]
            yield np.zeros((64, 64, 3), np.uint8)
            raise RuntimeError("no more paint")

    path = tmp_path / "out.mp4"
    path.write_bytes(b"an older film")
    with pytest.raises(RuntimeError, match="paint"):
        DanceVideo(sway, Subject("nobody", Breaking(), "free")).save(path)
    assert path.read_bytes() == b"an older film"
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.mp4"]


# Pictures


def test_picture_from_memory_is_the_picture_from_a_file(person_picture: Path) -> None:
    with Image.open(person_picture) as image:
        image.load()
    expected = as_picture(person_picture).rgb
    np.testing.assert_array_equal(as_picture(image).rgb, expected)
    np.testing.assert_array_equal(as_picture(np.asarray(image)).rgb, expected)


def test_picture_in_memory_with_alpha() -> None:
    rgba = np.zeros((100, 80, 4), np.uint8)
    rgba[:50] = (255, 0, 0, 255)
    picture = as_picture(rgba)
    assert picture.alpha is not None
    assert (picture.alpha[:50] == 1).all()
    assert (picture.alpha[50:] == 0).all()
    assert (picture.rgb[:50] == (255, 0, 0)).all()


@pytest.mark.parametrize(
    "image",
    [np.zeros((100, 100, 3)), np.zeros((100, 100, 2), np.uint8), np.zeros(5, np.uint8), Image.new("L", (20, 90))],
)
def test_image_that_is_none(image: object) -> None:
    with pytest.raises(InputError, match=r"The image .*\.$"):
        as_picture(image)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [(640, 360), (90, 160), (128, 128)])
def test_video_of_another_shape_than_the_picture(person_picture: Path, sway: Skeleton, size: tuple[int, int]) -> None:
    subject = load_subject(person_picture, size=size)
    assert subject.renderer.size == size
    frame = next(subject.renderer.frames(sway))
    assert frame.shape == (size[1], size[0], 3)


def test_pose_of_a_picture(person_picture: Path) -> None:
    skeleton, notes = estimate_pose(person_picture)
    assert (len(skeleton), skeleton.layout) == (1, OPENPOSE_18_FEET)
    assert notes == ()


MASCOT = {
    "nose": (100, 50),
    "right_shoulder": (70, 90),
    "left_shoulder": (130, 90),
    "right_hip": (80, 160),
    "left_hip": (120, 160),
    "right_wrist": (30, 140),
    "left_wrist": (170, 140),
    "right_ankle": (75, 240),
    "left_ankle": (125, 240),
}


@pytest.fixture
def mascot() -> np.ndarray:
    """A green egg with sticks for limbs, in whom no person is found: RGBA."""
    image = Image.new("RGBA", (200, 270))
    draw = ImageDraw.Draw(image)
    for a, b in (("shoulder", "wrist"), ("hip", "ankle")):
        for side in ("right", "left"):
            draw.line([MASCOT[f"{side}_{a}"], MASCOT[f"{side}_{b}"]], (20, 90, 30, 255), 12)
    draw.ellipse((60, 20, 140, 180), (60, 200, 80, 255))
    return np.asarray(image)


def test_a_mascot_dances_by_a_pose_given_by_hand(mascot: np.ndarray, sway: Skeleton) -> None:
    with pytest.raises(InputError, match="no person"):
        render(sway, mascot)
    video = render(sway, mascot, size=128, pose=MASCOT)
    assert video.notes == (
        "the picture: these joints cannot be seen, so their places are guessed: "
        "right elbow, left elbow, right knee, left knee.",
    )
    frames = list(video.frames())
    green = [(frame[..., 1].astype(int) - frame[..., 0] > 60).sum() for frame in frames]
    assert min(green) > 0.8 * max(green) > 800
    assert np.abs(frames[0].astype(int) - frames[12]).max() > 60


def test_a_mask_of_ones_own(mascot: np.ndarray, person_picture: Path, sway: Skeleton) -> None:
    mask = np.repeat(mascot[..., 3:], 3, axis=2)
    same = [load_subject(mascot, size=128, pose=MASCOT, mask=given).renderer.frames(sway) for given in (None, mask)]
    np.testing.assert_array_equal(*map(next, same))
    with pytest.raises(InputError, match="the mask has 200 x 270 pixels"):
        load_subject(person_picture, mask=mask)


@pytest.mark.parametrize(
    "given", [{"pose": MASCOT}, {"mask": np.zeros((99, 99), np.uint8)}, {"person": 2}, {"background": "green"}]
)
def test_what_belongs_to_a_picture_is_refused_for_a_character(given: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"belongs to a picture; name it with --image\.$"):
        load_subject(None, "mira", **given)


# Dances


def test_render_takes_any_layout_that_has_the_joints(sway: Skeleton) -> None:
    np.testing.assert_array_equal(drawable(sway).positions, sway.positions)
    coco = Skeleton(np.zeros((3, 17, 3)), 25, COCO_17)
    with pytest.raises(InputError, match="left heel"):
        drawable(coco)
    with pytest.raises(InputError, match="flat"):
        drawable(Skeleton(sway.positions[..., :2], 25, OPENPOSE_18_FEET))
    with pytest.raises(InputError, match="no frames"):
        drawable(sway.slice(0, 0))
    with pytest.raises(InputError, match="heel"):
        drawable(Skeleton(sway.positions[:, :18], 25, OPENPOSE_18))


def test_gaps_are_bridged(sway: Skeleton) -> None:
    confidence = np.ones((50, 22), np.float32)
    confidence[10:15, 4] = 0
    positions = sway.positions.copy()
    positions[10:15, 4] = 99
    whole = drawable(Skeleton(positions, 25, OPENPOSE_18_FEET, confidence))
    assert np.abs(whole.positions - sway.positions).max() < 0.05
    assert (whole.confidence == 1).all()


def test_dance_with_a_position_that_is_not_a_number(sway: Skeleton) -> None:
    positions = sway.positions.copy()
    positions[3, 2, 1] = np.nan
    with pytest.raises(InputError, match="not numbers"):
        drawable(Skeleton(positions, 25, OPENPOSE_18_FEET))


def test_render_at_another_rate(sway: Skeleton) -> None:
    video = render(sway, size=64, fps=12.5)
    assert (len(video.skeleton), video.song, video.size) == (25, None, (64, 64))


@pytest.mark.parametrize(
    "options",
    [
        {"fps": 0.0},
        {"fps": float("nan")},
        {"seconds": float("nan")},
        {"seconds": float("inf")},
        {"start": float("nan")},
        {"size": (64, 10**6)},
        {"facing": "up"},
        {"seed": 2**63},
    ],
)
def test_options_out_of_range(options: dict[str, object]) -> None:
    with pytest.raises(InputError, match=r"^[^\n]+\.$"):
        check_options(**options)  # type: ignore[arg-type]


def test_same_seed_same_frames(sway: Skeleton) -> None:
    first, second, other = (
        np.stack(list(render(sway.slice(0, 5), character="random", size=96, seed=seed).frames())) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()


def test_unknown_character_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"'nobody'.*mira.*random\.$"):
        load_subject(character="nobody")
