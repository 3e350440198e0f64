from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.io import wavfile

from stgmamba.datasets.beat_songs import load_beat_songs
from stgmamba.errors import InputError
from stgmamba.evaluation.beats.baselines import BASELINES
from stgmamba.evaluation.beats.evaluate import BeatInputs, composed_song, markdown, run
from stgmamba.evaluation.beats.metrics import METRICS, measure
from stgmamba.music.beat_tracking.agreement import f_measure
from tests.support.drum_track import drum_track

TRUE = np.arange(0.5, 20, 0.5)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One song of known beats."""
    folder = tmp_path / "songs"
    folder.mkdir()
    wavfile.write(folder / "drums.wav", 22_050, drum_track(TRUE, 20))
    entry = {
        "file": "drums.wav",
        "bpm": 120,
        "beats_per_bar": 4,
        "first_beat_seconds": 0.0,
        "first_sound_seconds": 0.5,
    }
    (folder / "index.json").write_text(json.dumps([entry]), encoding="utf-8")
    return folder


def test_the_true_beats_are_perfect_and_octaves_count_where_they_may() -> None:
    perfect = measure(TRUE, TRUE[::4], TRUE, TRUE[::4])
    assert all(value == 1 for value in perfect.values())
    double = measure(np.arange(0.5, 19.6, 0.25), None, TRUE, TRUE[::4])
    assert double["f"] == pytest.approx(2 / 3, abs=0.02)
    assert double["f_any_level"] == double["tempo_octave"] == 1
    assert double["amlt"] == pytest.approx(1, abs=0.05)
    assert double["cmlt"] == double["tempo"] == 0
    assert np.isnan(double["downbeat_f"])
    late = measure(TRUE + 0.12, None, TRUE, None)  # neither on the beats nor between them
    assert late["f"] == late["amlt"] == 0
    assert late["tempo"] == 1


def test_songs_begin_with_what_can_be_heard(folder: Path) -> None:
    (song,) = load_beat_songs(folder)
    np.testing.assert_allclose(song.beats, TRUE)
    assert song.downbeats is not None
    np.testing.assert_allclose(song.downbeats[:2], [2.0, 4.0])  # the beat at 0 s is a downbeat
    assert song.tempo == pytest.approx(120)


@pytest.mark.parametrize("text", ["{", "[{}]", '[{"file": "drums.wav", "bpm": "fast", "beats_per_bar": 4}]'])
def test_a_malformed_index_is_refused(folder: Path, text: str) -> None:
    (folder / "index.json").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="not a list of songs"):
        load_beat_songs(folder)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not found"):
        load_beat_songs(tmp_path)


def test_the_report_has_a_row_per_method_and_a_table_per_condition(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "beats.json"
    report = run(BeatInputs(folder, transformed=True), output, compare=True)
    assert list(report["methods"]) == ["as it is", "0.94 x", "1.06 x", "mp3, 64 kbit/s"]
    for methods in report["methods"].values():
        assert {"ours", "ellis", "librosa"} <= methods.keys()
        assert all(row.keys() == METRICS.keys() for row in methods.values())
        assert methods["ours"]["f"] > 0.95
    assert report["methods"]["as it is"]["ellis"]["downbeat_f"] is None
    assert json.loads(output.read_text(encoding="utf-8")) == json.loads(json.dumps(report))
    assert output.with_suffix(".md").read_text(encoding="utf-8") == markdown(report)


def test_the_output_must_be_json(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"must end in \.json"):
        run(BeatInputs(tmp_path), tmp_path / "beats.txt")


def test_composed_songs_for_validation_take_turns() -> None:
    kinds = [composed_song(0, index).kind for index in (0, 5, 6)]
    assert kinds == ["steady", "mix", "6/8"]


def test_ellis_follows_drums() -> None:
    beats, downbeats = BASELINES["ellis"].track(drum_track(TRUE, 20))
    assert f_measure(beats, TRUE) > 0.97
    assert downbeats is None


def test_packages_that_are_missing_are_left_out() -> None:
    assert BASELINES["ellis"].installed
    assert not type(BASELINES["madmom"])(lambda samples: (TRUE, None), "a_package_nobody_has").installed
