"""Scenes of clips, which here show a built-in character, and drawn scenes."""

from pathlib import Path

import numpy as np
import pytest

from stgmamba.datasets.held_out import HeldOut
from stgmamba.datasets.tang2018 import Dance
from stgmamba.errors import InputError
from stgmamba.evaluation.video.scenes import clip_scene, drawn_scene, resized, turning_scene
from stgmamba.limb_warp.letterbox import scaled_size
from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton

from ...conftest import swaying
from ...support.character_clips import character_frames, write_clip


def test_scene_of_a_clip(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", character_frames(), fps=8.0)  # a wrong header
    scene = clip_scene(path, 128)
    assert scene.truth.shape == (23, 128, 96, 3)
    assert len(scene.target) == len(scene.detected) == 23
    assert scene.condition.picture.size == (96, 128)
    assert scene.condition.person.mask.shape == (128, 96)
    assert scene.facts["evaluated"] == [1, 24]
    assert "note" not in scene.facts
    # The person's pose is that of the track, and lies on the person.
    assert np.array_equal(scene.condition.person.skeleton.positions, scene.condition.track.skeleton.positions)
    x, y = scene.condition.person.skeleton.joint("neck")[0].round().astype(int)
    assert scene.condition.person.mask[y, x] > 0.9
    # So do the hands, beyond the wrists.
    assert scene.condition.person.hands is not None
    wrist = scene.condition.person.skeleton.joint("left_wrist")[0]
    assert np.linalg.norm(scene.condition.person.hands[0] - wrist) < 10
    small = resized(character_frames()[0], (96, 128)).astype(int)
    assert np.abs(scene.condition.picture.rgb.astype(int) - small).mean() < 4


def test_only_the_held_out_part_is_evaluated(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", character_frames())
    scene = clip_scene(path, 128, HeldOut(frozenset(), 0.5))
    assert scene.facts["evaluated"] == [12, 24]
    whole = clip_scene(path, 128)
    assert np.array_equal(scene.truth, whole.truth[11:])
    assert np.array_equal(scene.condition.picture.rgb, whole.condition.picture.rgb)


def test_a_clip_ends_at_a_cut_and_where_the_person_is_lost(tmp_path: Path) -> None:
    mira, empty = character_frames(), np.full((12, 256, 192, 3), 90, np.uint8)
    cut = clip_scene(write_clip(tmp_path / "cut.mp4", np.concatenate([mira[:20], mira[:8, ::-1]])), 128)
    assert cut.facts["evaluated"] == [1, 20]
    assert "cut.mp4: there is a cut; frames from 20 on are left out." in str(cut.facts["note"])
    lost = clip_scene(write_clip(tmp_path / "lost.mp4", np.concatenate([mira, empty])), 128)
    _, end = lost.facts["evaluated"]  # type: ignore[misc]
    assert 22 <= end <= 30  # type: ignore[has-type]
    with pytest.raises(InputError, match="left out, so fewer than 10 frames remain"):
        clip_scene(tmp_path / "cut.mp4", 128, HeldOut(frozenset(), 0.4))


def test_invalid_clips_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"short\.mp4: fewer than 10 frames"):
        clip_scene(write_clip(tmp_path / "short.mp4", character_frames()[:8]), 128)
    with pytest.raises(InputError, match="lost"):
        clip_scene(write_clip(tmp_path / "empty.mp4", np.full((12, 128, 96, 3), 90, np.uint8)), 128)
    (tmp_path / "text.txt").write_text("no clip")
    with pytest.raises(InputError, match=r"text\.txt"):
        clip_scene(tmp_path / "text.txt", 128)


def dance_of(skeleton: Skeleton) -> Dance:
    return Dance("SWAY", "waltz", skeleton, Path("none"), 100.0, True)


def test_drawn_scene(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stgmamba.evaluation.video.scenes.DRAWN_FRAMES", 12)
    dance = dance_of(swaying(40))
    scene = drawn_scene([dance], 3, 128)
    assert scene.truth.shape == (12, 128, 96, 3)
    assert len(scene.target) == len(scene.detected) == 12
    # The exact joints are near the detected ones.
    distance = np.linalg.norm(scene.target.skeleton.positions - scene.detected.positions, axis=-1)
    assert np.median(distance[scene.detected.confidence > 0.5]) < 4
    again = drawn_scene([dance], 3, 128)
    assert np.array_equal(scene.truth, again.truth)
    assert not np.array_equal(scene.truth, drawn_scene([dance], 4, 128).truth)
    with pytest.raises(InputError, match="never faces"):
        drawn_scene([dance_of(swaying(12))], 3, 128)


def test_turning_scene(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stgmamba.evaluation.video.scenes.DRAWN_FRAMES", 12)
    scene = turning_scene([dance_of(swaying(40))], 3, 128)
    assert scene.truth.shape == (12, 128, 96, 3)
    left, right = (
        scene.target.skeleton.positions[:, OPENPOSE_18_FEET.index(f"{side}_shoulder"), 0] for side in ("left", "right")
    )
    # The condition shows the person from the front, the sixth of twelve frames from behind, the last from the front.
    assert left[5] < right[5]
    assert left[11] > right[11]
    source = scene.condition.track.skeleton.positions[0]
    np.testing.assert_allclose(scene.target.skeleton.positions[11], source, atol=0.01)
    still = np.abs(scene.truth[11].astype(float) - scene.condition.picture.rgb)
    assert still.mean() < 1 < np.abs(scene.truth[5].astype(float) - scene.condition.picture.rgb).mean()


def test_frames_have_even_sides() -> None:
    assert scaled_size((720, 1280), 256) == (144, 256)
    assert scaled_size((101, 100), 65) == (64, 64)
