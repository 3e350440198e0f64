"""On the built-in characters, whose joints are known; real photos where the research data is at hand."""

import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from stgmamba.characters import CHARACTERS
from stgmamba.characters.render import CharacterRenderer
from stgmamba.errors import InputError
from stgmamba.person.picture import Picture, load_picture
from stgmamba.person.pose import GUESSED, estimate_frames, estimate_video, find_person, resample_times
from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton
from stgmamba.skeleton.body import retarget
from stgmamba.skeleton.camera import frame_dance, project_skeleton

SIZE = (384, 512)


def drawn(dance: Skeleton, name: str) -> tuple[Iterator[np.ndarray], Skeleton]:
    """Frames of a built-in character and where the joints are in them."""
    own = retarget(dance, CHARACTERS[name].body)
    camera = frame_dance(own, SIZE)
    return CharacterRenderer(CHARACTERS[name], SIZE).frames(dance), project_skeleton(own, camera)


@pytest.fixture
def dancer(sway: Skeleton) -> tuple[np.ndarray, Skeleton]:
    frames, true = drawn(sway.slice(0, 1), next(iter(CHARACTERS)))
    return next(frames), true.slice(0, 1)


def torso(skeleton: Skeleton) -> float:
    hips = (skeleton.joint("left_hip") + skeleton.joint("right_hip"))[0] / 2
    return float(np.linalg.norm(skeleton.joint("neck")[0] - hips))


def test_joints_mask_and_depth_of_a_dancer(
    dancer: tuple[np.ndarray, Skeleton], capfd: pytest.CaptureFixture[str]
) -> None:
    rgb, true = dancer
    person = find_person(Picture(rgb))
    off = np.linalg.norm(person.skeleton.positions - true.positions, axis=-1)[0] / torso(true)
    assert np.median(off) < 0.15
    assert person.skeleton.layout == OPENPOSE_18_FEET
    assert person.skeleton.size == SIZE
    assert (person.others, person.missing) == (0, ())
    assert (person.skeleton.confidence > 0.3).all()
    assert person.mask.shape == rgb.shape[:2]
    assert person.mask.dtype == np.float32
    for x, y in person.skeleton.positions[0].round().astype(int):
        assert person.mask[y - 3 : y + 4, x - 3 : x + 4].max() > 0.9
    assert 0.05 < person.mask.mean() < 0.3
    toes, heels = (person.depth[OPENPOSE_18_FEET.index(f"left_{part}")] for part in ("toe", "heel"))
    assert toes < heels  # the dancer faces the camera
    assert capfd.readouterr() == ("", "")


def test_of_two_persons_the_larger(dancer: tuple[np.ndarray, Skeleton]) -> None:
    rgb, true = dancer
    small = np.full_like(rgb, rgb[0, 0])
    small[200:512, 60:294] = cv2.resize(rgb, (234, 312), interpolation=cv2.INTER_AREA)
    both = np.concatenate([small, rgb], axis=1)
    person = find_person(Picture(both))
    assert person.others == 1
    assert np.abs(person.skeleton.positions[0, 1, 0] - (true.positions[0, 1, 0] + SIZE[0])) < 20
    assert person.mask[:, : SIZE[0]].mean() < 0.01


def test_half_a_person_is_completed(dancer: tuple[np.ndarray, Skeleton]) -> None:
    rgb, true = dancer
    cut = int(true.joint("left_hip")[0, 1] + 0.3 * torso(true))
    person = find_person(Picture(rgb[:cut]))
    assert {"left_knee", "right_ankle", "left_toe"} <= set(person.missing)
    assert not {"nose", "left_elbow", "right_shoulder"} & set(person.missing)
    for joint in person.missing:
        j = OPENPOSE_18_FEET.index(joint)
        assert person.skeleton.confidence[0, j] == np.float32(GUESSED)
    below = ["left_hip", "left_knee", "left_ankle", "left_toe"]
    heights = [person.skeleton.joint(joint)[0, 1] for joint in below]
    assert heights == sorted(heights)
    off = np.linalg.norm(person.skeleton.positions - true.positions, axis=-1)[0] / torso(true)
    assert off.max() < 1.0


def test_transparency_bounds_the_mask(dancer: tuple[np.ndarray, Skeleton]) -> None:
    rgb, _ = dancer
    alpha = np.ones(rgb.shape[:2], np.float32)
    alpha[:, : SIZE[0] // 2] = 0
    person = find_person(Picture(rgb, alpha=alpha))
    assert not person.mask[:, : SIZE[0] // 2].any()
    assert person.mask[:, SIZE[0] // 2 :].any()


@pytest.mark.parametrize("kind", ["flat", "noise"])
def test_nobody(kind: str, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (256, 256, 3), np.uint8)
    rgb = noise if kind == "noise" else np.full_like(noise, 128)
    with pytest.raises(InputError, match=r"wall\.jpg: no person was found"):
        find_person(Picture(rgb, tmp_path / "wall.jpg"))


def test_same_picture_same_answer(dancer: tuple[np.ndarray, Skeleton]) -> None:
    first, second = (find_person(Picture(dancer[0])) for _ in range(2))
    np.testing.assert_array_equal(first.skeleton.positions, second.skeleton.positions)
    np.testing.assert_array_equal(first.mask, second.mask)


def test_frames_are_followed_and_lost_ones_are_marked(sway: Skeleton) -> None:
    frames, true = drawn(sway.slice(0, 12), next(iter(CHARACTERS)))
    empty = np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)
    shown = [*frames, empty, empty]
    found = estimate_frames(((i / 25, frame) for i, frame in enumerate(shown)), 25.0, SIZE)
    assert (len(found), found.fps, found.size) == (14, 25.0, SIZE)
    off = np.linalg.norm(found.positions[:12] - true.positions, axis=-1) / torso(true)
    assert np.median(off) < 0.15
    assert (found.confidence[-1] == 0).all()
    assert (found.positions[-1] == 0).all()


def test_estimating_a_video_file(sway: Skeleton, tmp_path: Path) -> None:
    from stgmamba.video_io import write_video

    frames, true = drawn(sway.slice(0, 8), next(iter(CHARACTERS)))
    write_video(tmp_path / "a.mp4", frames, fps=25)
    steps: list[tuple[int, int | None]] = []
    found = estimate_video(tmp_path / "a.mp4", lambda *step: steps.append(step))
    assert len(found) == 8
    assert found.fps == pytest.approx(25)
    assert steps == [(i + 1, 8) for i in range(8)]
    assert steps == [(i + 1, 8) for i in range(8)]
    assert np.median(np.linalg.norm(found.positions - true.positions, axis=-1)) < 0.15 * torso(true)
    write_video(tmp_path / "empty.mp4", iter([np.full((128, 128, 3), 90, np.uint8)] * 3), fps=25)
    with pytest.raises(InputError, match="no person was found in any frame"):
        estimate_video(tmp_path / "empty.mp4")


@pytest.mark.slow
def test_real_people_are_found(research_data: Path) -> None:
    missing = {}
    for path in sorted((research_data / "people").iterdir()):
        if path.suffix.lower() in (".jpg", ".png"):
            person = find_person(load_picture(path))
            assert person.others == 0, path.name
            assert person.mask.mean() > 0.03, path.name
            missing[path.name] = person.missing
    assert len(missing) == 40
    assert sum(not joints for joints in missing.values()) >= 38  # two of them are cut at the knees


def test_the_models_need_no_network(monkeypatch: pytest.MonkeyPatch, dancer: tuple[np.ndarray, Skeleton]) -> None:
    import socket

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("something opened a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setitem(os.environ, "HTTPS_PROXY", "http://127.0.0.1:9")
    assert find_person(Picture(dancer[0])).missing == ()


def _moving(times: np.ndarray) -> Skeleton:
    """A body that is at x = 100 t at the time t."""
    positions = np.ones((len(times), len(OPENPOSE_18_FEET), 2), np.float32)
    positions[..., 0] = 100 * times[:, None]
    return Skeleton(positions, 23.3, OPENPOSE_18_FEET, size=(640, 480))


def test_a_variable_frame_rate_is_resampled_on_its_time_stamps() -> None:
    times = np.concatenate([np.arange(30) / 30, 1.0 + np.arange(6) / 5])
    even = resample_times(_moving(times), times)
    assert even.fps == pytest.approx(30)
    assert len(even) == 61
    np.testing.assert_allclose(even.positions[:, 0, 0], 100 * np.arange(61) / 30, atol=1e-3)


def test_a_joint_lost_between_two_frames_is_unknown_there() -> None:
    times = np.concatenate([np.arange(30) / 30, 1.0 + np.arange(6) / 5])
    skeleton = _moving(times)
    skeleton.confidence[32] = 0  # the frame of 1.4 s
    even = resample_times(skeleton, times)
    lost = np.flatnonzero((even.confidence == 0).all(axis=1)) / 30
    assert lost.min() == pytest.approx(1.2 + 1 / 30, abs=1e-6)
    assert lost.max() == pytest.approx(1.6 - 1 / 30, abs=1e-6)
    assert (even.positions[even.confidence == 0] == 0).all()


@pytest.mark.parametrize("jitter", [0.0, 1e-3])
def test_rounded_time_stamps_are_left_alone(jitter: float) -> None:
    times = np.arange(40) / 25 + np.random.default_rng(0).uniform(-jitter, jitter, 40)
    skeleton = _moving(times)
    assert resample_times(skeleton, times) is skeleton
