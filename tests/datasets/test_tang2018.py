import json
from pathlib import Path

import numpy as np
import pytest

from stgmamba.datasets.tang2018 import load_dances
from stgmamba.errors import InputError
from stgmamba.skeleton import OPENPOSE_18_FEET, TANG_23


def write_dance(folder: Path, name: str = "D_1", frames: int = 200, drift: float = 0.0) -> None:
    """A person who stands, captured from half a second before the song, on a floor that drifts upwards."""
    rng = np.random.default_rng(0)
    markers = rng.normal(0, 0.1, (frames, 23, 3))
    for i, joint in enumerate(TANG_23.joints):
        height = 8.0 if joint.endswith(("heel", "toe")) else 20.0 if joint.endswith("ankle") else 150.0
        markers[:, i, 1] += height + np.arange(frames) * drift
        markers[:, i, 0] += 6.0 if joint.startswith("left") else -6.0 if joint.startswith("right") else 0.0
    dance = folder / name
    dance.mkdir(parents=True)
    times = np.arange(frames) / 24.7 - 0.5
    center = np.zeros((frames, 3), np.float32)
    np.savez(dance / "motion.npz", local=markers.astype(np.float16), center=center, times=times)
    entry = {"id": name, "genre": "waltz", "split": "train", "sync": "fitted", "tempo_bpm": 86.0}
    (folder / "index.json").write_text(json.dumps([entry]))


def test_a_dance_is_put_on_song_time_with_its_feet_on_the_floor(tmp_path: Path) -> None:
    write_dance(tmp_path, drift=0.1)
    (dance,) = load_dances(tmp_path, "train")
    skeleton = dance.skeleton
    assert skeleton.layout == OPENPOSE_18_FEET
    assert skeleton.fps == 25.0
    # 200 frames at 24.7 fps from -0.5 s end at 7.56 s of the song.
    assert skeleton.seconds == pytest.approx(7.56, abs=0.05)
    low = skeleton.positions[:, [OPENPOSE_18_FEET.index(j) for j in ("left_toe", "right_heel")], 1].min(axis=1)
    np.testing.assert_allclose(low, 0.03, atol=0.025)
    # The face, which is not captured, lies in front of the ears: left is +x, so the front is +z.
    nose, ear = skeleton.joint("nose"), skeleton.joint("left_ear")
    assert ((nose - ear)[:, 2] > 0.05).all()
    assert dance.sync


def test_an_empty_split_names_the_file(tmp_path: Path) -> None:
    write_dance(tmp_path)
    with pytest.raises(InputError, match=r"index\.json.*'test'"):
        load_dances(tmp_path, "test")


@pytest.mark.parametrize("content", ["", "{}", "[1]", "not json"])
def test_a_malformed_index_is_an_input_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "index.json").write_text(content)
    with pytest.raises(InputError, match=r"index\.json"):
        load_dances(tmp_path, "train")


def test_a_malformed_motion_is_an_input_error(tmp_path: Path) -> None:
    write_dance(tmp_path)
    (tmp_path / "D_1" / "motion.npz").write_bytes(b"no zip")
    with pytest.raises(InputError, match=r"motion\.npz"):
        load_dances(tmp_path)
    (tmp_path / "D_1" / "motion.npz").unlink()
    with pytest.raises(InputError, match=r"motion\.npz"):
        load_dances(tmp_path)


def test_the_real_data_are_there_and_plausible(research_data: Path) -> None:
    dances = load_dances(research_data / "tang2018", "val")
    assert {dance.style for dance in dances} == {"cha-cha", "rumba", "waltz"}
    for dance in dances:
        neck = dance.skeleton.joint("neck")[:, 1]
        assert 1.1 < float(np.median(neck)) < 1.6
