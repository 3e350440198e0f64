"""Views of a person in a video; the person is a built-in character who turns."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from stgmamba.characters import CHARACTERS
from stgmamba.characters.render import CharacterRenderer
from stgmamba.errors import InputError
from stgmamba.person.clip_views import clip_views, facing, is_clip, sharpness, worths
from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton
from stgmamba.subject import load_avatar

from ..conftest import swaying
from ..support.character_clips import write_clip

J = {name: i for i, name in enumerate(OPENPOSE_18_FEET.joints)}


def turned(degrees: np.ndarray) -> Skeleton:
    """The standing person, turned by some degrees in each frame."""
    pose = swaying(1).positions[0].astype(np.float64)
    angle = np.radians(degrees)
    x, z = pose[None, :, 0], pose[None, :, 2]
    positions = np.repeat(pose[None], len(degrees), axis=0)
    positions[..., 0] = x * np.cos(angle)[:, None] + z * np.sin(angle)[:, None]
    positions[..., 2] = z * np.cos(angle)[:, None] - x * np.sin(angle)[:, None]
    return Skeleton(positions.astype(np.float32), 25.0, OPENPOSE_18_FEET)


@pytest.fixture(scope="module")
def turn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    """A video of a character who turns once, the first frames blurred, and its frames."""
    renderer = CharacterRenderer(CHARACTERS["mira"], size=(288, 384))
    frames = np.stack(list(renderer.frames(turned(np.linspace(-40, 320, 46)))))
    frames[:8] = [cv2.GaussianBlur(frame, (0, 0), 4) for frame in frames[:8]]
    return write_clip(tmp_path_factory.mktemp("clip") / "turn.mp4", frames), frames


def test_facing() -> None:
    degrees = np.asarray([0.0, 60.0, 90.0, 180.0, 250.0])
    np.testing.assert_allclose(facing(turned(degrees).positions), np.cos(np.radians(degrees)), atol=1e-5)


def in_pixels(pose: np.ndarray) -> np.ndarray:
    """Pixels [22, 2] in a frame of 300 x 400 of a pose in metres."""
    return np.stack([150 + 200 * pose[:, 0], 380 - 200 * pose[:, 1]], axis=1)


def test_worth_of_a_pose() -> None:
    pose = swaying(1).positions[0].astype(np.float64)
    hand_on_belly, hand_on_face, leaning, arms_up = (pose.copy() for _ in range(4))
    hand_on_belly[J["left_wrist"]] = (0.0, 1.1, 0.1)
    hand_on_face[J["left_wrist"]] = pose[J["nose"]]
    arms_up[J["left_wrist"]] = (0.5, 1.7, 0.0)
    up = leaning[:, 1] > 0.95
    leaning[up, 0] += leaning[up, 1] - 0.95
    cut_off = pose - np.asarray([0.0, 0.5, 0.0])
    points = np.stack([in_pixels(p) for p in (pose, hand_on_belly, hand_on_face, leaning, arms_up, cut_off, pose)])
    confidence = np.ones(points.shape[:2], np.float32)
    confidence[-1] = 0
    skeleton = Skeleton(points.astype(np.float32), 25.0, OPENPOSE_18_FEET, confidence, (300, 400))
    found = worths(skeleton, np.ones(len(points)))
    assert (found[1:] < 0.95 * found[0]).all()
    assert found[-1] == 0
    assert worths(skeleton, np.asarray([1.0, 0, 0, 0, 0, 0, 2.0]))[0] == pytest.approx(found[0])


def test_sharpness_is_that_of_the_person() -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 255, (200, 150)).astype(np.uint8)
    behind, on = noise.copy(), noise.copy()
    behind[30:195, 20:130] = 128
    on[:20] = on[:, :15] = 128
    skeleton = Skeleton(
        np.repeat(in_pixels(swaying(1).positions[0])[None], 2, axis=0).astype(np.float32), 25.0, OPENPOSE_18_FEET,
        size=(300, 400),
    )  # fmt: skip
    found = sharpness(skeleton, [behind, on])
    assert found[1] > 5 * found[0]


def test_the_best_frames_from_the_front_and_from_behind(turn: tuple[Path, np.ndarray]) -> None:
    path, frames = turn
    views = clip_views(path)
    assert views.behind is not None
    front, behind = (
        int(np.argmin(np.abs(frames.astype(float) - view.rgb).mean(axis=(1, 2, 3))))
        for view in (views.front, views.behind)
    )
    assert min(front, 45 - front) <= 9
    assert front >= 8 or 45 - front <= 9  # not one of the blurred ones
    assert 20 <= behind <= 36  # 180 degrees are frame 28
    assert "from behind as at" in views.note
    assert views.front.path == path


def test_an_avatar_gets_its_back_from_a_video(turn: tuple[Path, np.ndarray]) -> None:
    avatar, notes = load_avatar(turn[0])
    plain, _ = load_avatar(clip_views(turn[0]).front.rgb)
    assert "shown as at" in notes[0]
    assert not np.array_equal(avatar.texture, plain.texture)


def test_what_is_no_clip_of_a_person(tmp_path: Path, turn: tuple[Path, np.ndarray]) -> None:
    empty = write_clip(tmp_path / "empty.mp4", np.full((12, 96, 96, 3), 90, np.uint8))
    with pytest.raises(InputError, match="nobody faces the camera"):
        clip_views(empty)
    with pytest.raises(InputError, match="save a frame"):
        load_avatar(turn[0], mask=tmp_path / "mask.png")
    text = tmp_path / "notes.txt"
    text.write_text("no video")
    assert not is_clip(text)
    with pytest.raises(InputError, match="not a picture"):
        load_avatar(text)
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(empty.read_bytes()[:300])
    with pytest.raises(InputError, match=r"damaged\.mp4: (?!.*picture)"):
        load_avatar(damaged)
    assert is_clip(empty.rename(tmp_path / "empty.dat"))
