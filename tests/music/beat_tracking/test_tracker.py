from __future__ import annotations

import numpy as np
import pytest

from stgmamba.music.beat_tracking.agreement import f_measure
from stgmamba.music.beat_tracking.tracker import track_beats
from tests.support.drum_track import drum_track

RATE = 22_050


@pytest.mark.parametrize("tempo", [75, 92.5, 120, 128, 140])
def test_regular_drums_are_followed(tempo: float) -> None:
    times = np.arange(0.3, 29.5, 60 / tempo)
    beats = track_beats(drum_track(times, 30), RATE)
    assert beats.tempo == pytest.approx(tempo, rel=0.01)
    assert f_measure(beats.beats, times) > 0.97
    nearest = times[np.abs(beats.beats[:, None] - times).argmin(axis=1)]
    assert abs(np.median(beats.beats - nearest)) < 0.006  # one onset frame


def test_a_band_that_speeds_up_is_followed() -> None:
    times = np.cumsum(60 / np.linspace(100, 112, 100))
    beats = track_beats(drum_track(times, times[-1] + 0.5), RATE)
    assert f_measure(beats.beats, times) > 0.95


def test_silence_before_the_song_has_no_beats() -> None:
    times = np.arange(8.0, 28, 0.5)
    sound = drum_track(times, 28.3)
    sound[: 8 * RATE - 50] = 0
    beats = track_beats(sound, RATE)
    assert beats.beats[0] > 7.9
    assert f_measure(beats.beats, times) > 0.95


def test_music_without_drums_gets_regular_beats() -> None:
    t = np.arange(15 * RATE) / RATE
    organ = sum(np.sin(2 * np.pi * f * t) for f in (220, 277, 330)) * 0.2
    beats = track_beats(organ.astype(np.float32), RATE)
    assert 20 <= len(beats.beats) <= 60
    assert np.diff(beats.beats).std() < 0.05
    assert 40 <= beats.tempo <= 240


@pytest.mark.parametrize("samples", [1, 500, RATE // 2, RATE, 2 * RATE])
@pytest.mark.parametrize("silent", [True, False])
def test_very_short_songs_have_beats_too(samples: int, silent: bool) -> None:
    sound = np.random.default_rng(0).standard_normal(samples).astype(np.float32) * (0 if silent else 0.2)
    beats = track_beats(sound, RATE)
    assert len(beats.beats) >= 1
    assert (np.diff(beats.beats) > 0).all()
    assert 40 <= beats.tempo <= 240


def test_the_same_song_gives_the_same_beats() -> None:
    sound = drum_track(np.arange(0, 10, 0.5), 10)
    first, second = track_beats(sound, RATE), track_beats(sound.copy(), RATE)
    np.testing.assert_array_equal(first.beats, second.beats)
    assert first.tempo == second.tempo


@pytest.mark.slow
def test_an_hour_is_followed_to_its_end() -> None:
    times = np.arange(0.5, 3599, 0.5)
    beats = track_beats(drum_track(times, 3600, rate=8000), 8000)
    assert f_measure(beats.beats[-200:], times[-200:]) > 0.95
    assert f_measure(beats.beats[:200], times[:200]) > 0.95
