from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from stgmamba.datasets.styled import load_split
from stgmamba.datasets.tang2018_raw import fit_clock
from stgmamba.errors import InputError
from stgmamba.skeleton import TANG_23, convert
from stgmamba.skeleton.motion_events import foot_strikes

from ..support.recordings import write_clicks
from ..support.synthetic_dances import stepping

SCALE, OFFSET = 1.014, 0.12


def write_raw(folder: Path, name: str = "DANCE_W_1") -> Path:
    """Steps on every click of a song, but for a clock that is slow and late; the dance begins 2 s into the song."""
    landings = (np.arange(1.0, 38, 0.5) - OFFSET) / SCALE
    markers = 100 * convert(stepping(landings, 40.0), TANG_23).positions
    path = folder / name
    path.mkdir(parents=True)
    center = markers.mean(axis=1)
    motion = {"length": len(markers), "center": center.tolist(), "skeletons": (markers - center[:, None]).tolist()}
    (path / "skeletons.json").write_text(json.dumps(motion))
    (path / "config.json").write_text(json.dumps({"start_position": 50, "end_position": 1050}))
    write_clicks(path / "audio.mp3", 0.5, 44.0)
    return path


def test_the_clock_is_fitted_to_the_song(tmp_path: Path) -> None:
    write_raw(tmp_path)
    (dance,) = load_split(tmp_path, None, "train")
    assert (dance.id, dance.style, dance.sync, dance.start) == ("DANCE_W_1", "waltz", True, 2.0)
    assert dance.skeleton.seconds == pytest.approx(OFFSET + SCALE * 40, abs=0.3)
    strikes = foot_strikes(dance.skeleton)
    late = (strikes + 0.25) % 0.5 - 0.25
    assert np.abs(np.median(late)) < 0.03
    assert np.abs(late).max() < 0.08


def test_damaged_dances_are_refused(tmp_path: Path) -> None:
    path = write_raw(tmp_path)
    (path / "skeletons.json").write_text('{"skeletons": [[[0, 0, 0]]], "center": [[0, 0, 0]]}')
    with pytest.raises(InputError, match="not a dance of Tang et al"):
        load_split(tmp_path, None, "train")


def test_the_clock_of_a_real_dance_is_that_of_its_fit(research_data: Path) -> None:
    folder = research_data / "tang2018_raw_sample" / "DANCE_W_24"
    known = json.loads((research_data / "tang2018" / "DANCE_W_24" / "meta.json").read_text())
    motion = json.loads((folder / "skeletons.json").read_text())
    markers = (np.array(motion["skeletons"]) + np.array(motion["center"])[:, None]) / 100
    start = json.loads((folder / "config.json").read_text())["start_position"] / 25
    sync = fit_clock(markers, folder / "audio.mp3", start)
    assert sync.applied
    assert sync.scale == pytest.approx(known["time_scale"], abs=0.005)
    beat = 60 / known["tempo_bpm"]
    # The song of the other version may be cut elsewhere: to a whole beat, as the offset is known.
    difference = sync.offset + start - known["time_offset_seconds"] - known["song_start_seconds"]
    assert (difference + beat / 2) % beat - beat / 2 == pytest.approx(0, abs=0.05)
