from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stgmamba.datasets.smpl22 import CAPTURED, KEY_FRAMED, fill_beats, load_styled_dances
from stgmamba.datasets.styled import load_split
from stgmamba.errors import InputError
from stgmamba.skeleton import OPENPOSE_18_FEET
from stgmamba.skeleton.body import Body, measure

from ..conftest import swaying
from ..support.recordings import write_dances
from ..support.smpl_figure import swaying_smpl, write_smpl_dance


def write_features(folder: Path, seconds: float, fps: float = 30.0, period: float = 0.5) -> None:
    features = np.zeros((round(seconds * fps), 29), np.float32)
    beats = np.round(np.arange(0, seconds - 0.1, period) * fps).astype(int)
    features[beats, 28] = features[beats, 26] = 1
    features[:, 0] = np.linspace(-1, 1, len(features))
    np.savez(folder / "audio_features.npz", features=features, fps=fps)


def test_a_dance_comes_on_the_default_body_at_25_frames_a_second_with_its_feet_on_the_floor(tmp_path: Path) -> None:
    write_smpl_dance(tmp_path, "one", 1.2 * swaying_smpl(300))
    (dance,) = load_styled_dances(tmp_path, "train")
    assert (dance.id, dance.style, dance.source) == ("one", "lock", CAPTURED)
    assert dance.skeleton.layout == OPENPOSE_18_FEET
    assert dance.skeleton.fps == 25.0
    assert dance.skeleton.seconds == pytest.approx(10.0, abs=0.1)
    assert measure(dance.skeleton).leg == pytest.approx(Body().leg, rel=0.01)
    soles = dance.skeleton.positions[:, [OPENPOSE_18_FEET.index("left_heel"), OPENPOSE_18_FEET.index("left_toe")], 1]
    assert np.abs(soles - 0.03).max() < 0.03
    assert dance.audio_path is None
    assert dance.rhythm is None


def test_sources_styles_and_toes_are_read_from_the_index(tmp_path: Path) -> None:
    write_smpl_dance(tmp_path, "animated", swaying_smpl(200), source="vmd", genre="j-pop", toes="absent")
    write_smpl_dance(tmp_path, "medley", swaying_smpl(200), genre="mixed")
    animated, medley = load_styled_dances(tmp_path, "train")
    assert (animated.source, animated.style) == (KEY_FRAMED, "j-pop")
    assert animated.skeleton.confidence[0, OPENPOSE_18_FEET.index("left_toe")] < 1
    assert medley.style is None


def test_a_take_may_be_train_before_and_test_after_a_second(tmp_path: Path) -> None:
    write_smpl_dance(tmp_path, "take", swaying_smpl(600), test_from_seconds=14.0)
    write_features(tmp_path / "take", 20.0)
    (train,), (test,) = load_styled_dances(tmp_path, "train"), load_styled_dances(tmp_path, "test")
    assert train.skeleton.seconds == pytest.approx(14.0, abs=0.1)
    assert test.skeleton.seconds == pytest.approx(6.0, abs=0.1)
    assert test.start == pytest.approx(14.0, abs=0.1)
    assert train.rhythm is not None
    assert test.rhythm is not None
    assert len(test.rhythm.onset) == len(test.skeleton)
    assert test.rhythm.loudness.min() > train.rhythm.loudness[0]  # it grows over the take
    np.testing.assert_allclose(test.rhythm.beats[0], -14.0, atol=0.05)  # beats are counted from the stretch


def test_a_take_is_divided_where_the_dancer_stands(tmp_path: Path) -> None:
    joints = swaying_smpl(900)
    joints[400:550] = joints[400]
    write_smpl_dance(tmp_path, "halting", joints)
    dances = load_styled_dances(tmp_path, "train")
    assert [dance.id for dance in dances] == ["halting/1", "halting/2"]
    assert dances[1].start == pytest.approx(550 / 30, abs=0.5)


def test_missing_beats_are_filled_in() -> None:
    beats = np.arange(0, 20, 0.6)
    filled = fill_beats(np.delete(beats, [5, 6, 20]))
    np.testing.assert_allclose(filled, beats, atol=1e-9)
    assert len(fill_beats(np.array([1.0]))) == 1


def test_both_data_sets_come_in_one_list(tmp_path: Path) -> None:
    entry = {"genre": "waltz", "split": "train", "tempo_bpm": 90.0, "sync": "assumed"}
    write_dances(tmp_path / "tang", [(entry, swaying(200))])
    write_smpl_dance(tmp_path / "smpl", "one", swaying_smpl(300))
    waltz, lock = load_split(tmp_path / "tang", tmp_path / "smpl", "train")
    assert (waltz.style, waltz.sync, lock.style, lock.sync) == ("waltz", False, "lock", True)
    assert waltz.audio_path is not None
    assert len(load_split(tmp_path / "tang", None, "train")) == 1


def test_damaged_data_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"index\.json.*not found"):
        load_styled_dances(tmp_path, "train")
    write_smpl_dance(tmp_path, "one", swaying_smpl(200))
    with pytest.raises(InputError, match="'val'"):
        load_styled_dances(tmp_path, "val")
    (tmp_path / "one" / "motion.npz").write_bytes(b"no zip")
    with pytest.raises(InputError, match=r"motion\.npz"):
        load_styled_dances(tmp_path, "train")
    (tmp_path / "one" / "motion.npz").unlink()
    with pytest.raises(InputError, match="restore it"):
        load_styled_dances(tmp_path, "train")
    (tmp_path / "index.json").write_text("[1]")
    with pytest.raises(InputError, match=r"index\.json"):
        load_styled_dances(tmp_path, "train")
