from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stgmamba.datasets.filmed import load_filmed_dances
from stgmamba.datasets.scores import Profile
from stgmamba.errors import InputError
from stgmamba.music.decode import load_song

from ..support.clip_dataset import write_clip_dataset


def clip(start: float, **facts: object) -> dict[str, object]:
    return {"shot": 0, "person": 0, "start": start, "end": start + 1, "pulse": 0.5, "style": "waltz", **facts}


def test_clips_that_follow_one_another_are_one_dance(tmp_path: Path) -> None:
    rows = [clip(0.0), clip(1.0), clip(2.5), clip(0.0, person=1), clip(0.0, sha256="1" * 64)]
    write_clip_dataset(tmp_path, rows, frames=25)
    dances = load_filmed_dances(tmp_path, "train")
    assert sorted(round(dance.skeleton.seconds) for dance in dances) == [1, 1, 1, 2]
    long = max(dances, key=lambda dance: dance.skeleton.seconds)
    assert (long.style, long.sync, long.start) == ("waltz", True, 0.0)
    assert long.audio_path is not None
    song = load_song(long.audio_path)
    assert song.seconds == pytest.approx(2.0, abs=0.01)
    clicks = np.abs(song.samples).reshape(-1, 2205).max(axis=1) > 0.2  # in tenths of a second
    assert clicks[[0, 5, 10, 15]].all()


def test_sound_without_a_pulse_is_no_music_and_a_sync_shifts_it(tmp_path: Path) -> None:
    rows = [
        clip(0.0, pulse=0.02),
        clip(5.0, sound=0.0),
        clip(10.0, sync_applied=True, sync_offset=0.2),
        clip(15.0, sync_applied=True, sync_offset=-0.2),
        clip(20.0, sync_applied=False, sync_offset=0.3, style=""),
    ]
    write_clip_dataset(tmp_path, rows, frames=25)
    speech, silent, late, early, unsure = load_filmed_dances(tmp_path, "train")
    assert [each.audio_path for each in (speech, silent)] == [None, None]
    assert (speech.sync, silent.sync) == (False, False)
    assert (late.start, len(late.skeleton)) == (0.2, 25)
    assert early.start == pytest.approx(0.0, abs=0.04)
    assert len(early.skeleton) == 20
    assert (unsure.start, unsure.style) == (0.0, None)


def test_splits_and_profiles_choose_the_clips(tmp_path: Path) -> None:
    write_clip_dataset(tmp_path, [clip(0.0, split="train"), clip(5.0, split="test", speed=2.0)], frames=25)
    assert [len(load_filmed_dances(tmp_path, name)) for name in ("train", "test")] == [1, 1]
    with pytest.raises(InputError, match="no clip of split val"):
        load_filmed_dances(tmp_path, "val")
    with pytest.raises(InputError, match="no clip of split test"):
        load_filmed_dances(tmp_path, "test", Profile("slow", {"speed": (None, 1.0)}))
