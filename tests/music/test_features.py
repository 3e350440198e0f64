from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stgmamba.music.features import beat_phase, frame_count, onset_strength, track_beats

RATE = 22_050


def drum_track(times: np.ndarray, seconds: float, rate: int = RATE, seed: int = 0) -> np.ndarray:
    """Return soft noise with a drum-like burst at each time."""
    rng = np.random.default_rng(seed)
    sound = 0.001 * rng.standard_normal(round(seconds * rate))
    t = np.arange(round(0.1 * rate)) / rate
    drum = (np.sin(2 * np.pi * 90 * t) + 0.3 * rng.standard_normal(len(t))) * np.exp(-t / 0.03)
    for at in times:
        begin = round(at * rate)
        piece = drum[: len(sound) - begin]
        sound[begin : begin + len(piece)] += 0.6 * piece
    return sound.astype(np.float32)


def agreement(found: np.ndarray, true: np.ndarray, tolerance: float = 0.07) -> float:
    """Return the F-measure of beats within a tolerance (Davies et al. 2009)."""
    hits = sum(np.abs(true - t).min() <= tolerance for t in found)
    return 2 * hits / (len(found) + len(true))


@pytest.mark.parametrize("fps", [10, 25, 29.97, 30, 60])
@pytest.mark.parametrize("rate", [RATE, 44_100])
def test_onsets_lie_on_their_frames(fps: float, rate: int) -> None:
    times = np.arange(0.5, 9.5, 0.737)
    strength = onset_strength(drum_track(times, 10, rate), rate, fps)
    assert strength.shape == (frame_count(10 * rate, rate, fps),)
    peaks = []
    for at in times:
        low, high = round((at - 0.2) * fps), round((at + 0.2) * fps) + 1
        peaks.append((low + int(np.argmax(strength[low:high]))) / fps)
    assert np.abs(np.array(peaks) - times).max() <= 0.5 / fps + 0.008
    if fps == 60:
        assert abs(np.mean(np.array(peaks) - times)) < 0.006


def test_stretches_leave_no_seam() -> None:
    frame = 7 * 128  # seven hops of the flux, so that the tail's frames are those of the whole
    sound = np.random.default_rng(0).standard_normal(RATE * 120).astype(np.float32) * 0.1
    whole = onset_strength(sound, RATE, RATE / frame)
    tail = onset_strength(sound[1000 * frame :], RATE, RATE / frame)
    assert len(whole) == 1000 + len(tail)
    np.testing.assert_allclose(whole[1010:], tail[10:], atol=1e-3)


@settings(deadline=None, max_examples=25)
@given(
    samples=st.integers(1, 3 * RATE),
    fps=st.floats(1, 120),
    rate=st.sampled_from([8000, RATE, 48_000]),
)
def test_any_length_and_fps_give_frames_that_fit(samples: int, fps: float, rate: int) -> None:
    sound = np.random.default_rng(samples).standard_normal(samples).astype(np.float32) * 0.1
    frames = frame_count(samples, rate, fps)
    strength = onset_strength(sound, rate, fps)
    assert strength.shape == (frames,)
    assert np.isfinite(strength).all()
    assert (strength >= 0).all()


@pytest.mark.parametrize("tempo", [75, 92.5, 120, 128, 140])
def test_regular_drums_are_followed(tempo: float) -> None:
    times = np.arange(0.3, 29.5, 60 / tempo)
    beats = track_beats(drum_track(times, 30), RATE)
    assert beats.tempo == pytest.approx(tempo, rel=0.01)
    assert agreement(beats.times, times) > 0.97
    nearest = times[np.abs(beats.times[:, None] - times).argmin(axis=1)]
    assert abs(np.median(beats.times - nearest)) < 0.006  # one onset frame


def test_a_band_that_speeds_up_is_followed() -> None:
    times = np.cumsum(60 / np.linspace(100, 112, 100))
    beats = track_beats(drum_track(times, times[-1] + 0.5), RATE)
    assert agreement(beats.times, times) > 0.95


def test_silence_before_the_song_has_no_beats() -> None:
    times = np.arange(8.0, 28, 0.5)
    sound = drum_track(times, 28.3)
    sound[: 8 * RATE - 50] = 0
    beats = track_beats(sound, RATE)
    assert beats.times[0] > 7.9
    assert agreement(beats.times, times) > 0.95


def test_music_without_drums_gets_regular_beats() -> None:
    t = np.arange(15 * RATE) / RATE
    organ = sum(np.sin(2 * np.pi * f * t) for f in (220, 277, 330)) * 0.2
    beats = track_beats(organ.astype(np.float32), RATE)
    assert 20 <= len(beats.times) <= 60
    assert np.diff(beats.times).std() < 0.05
    assert 40 <= beats.tempo <= 240


@pytest.mark.parametrize("samples", [1, 500, RATE // 2, RATE, 2 * RATE])
@pytest.mark.parametrize("silent", [True, False])
def test_very_short_songs_have_beats_too(samples: int, silent: bool) -> None:
    sound = np.random.default_rng(0).standard_normal(samples).astype(np.float32) * (0 if silent else 0.2)
    beats = track_beats(sound, RATE)
    assert len(beats.times) >= 1
    assert (np.diff(beats.times) > 0).all()
    assert 40 <= beats.tempo <= 240


def test_the_same_song_gives_the_same_beats() -> None:
    sound = drum_track(np.arange(0, 10, 0.5), 10)
    first, second = track_beats(sound, RATE), track_beats(sound.copy(), RATE)
    np.testing.assert_array_equal(first.times, second.times)
    assert first.tempo == second.tempo


def test_beat_phase_is_zero_on_the_beat_and_half_between() -> None:
    times = np.array([1.0, 1.5, 2.0, 2.6])
    phase = beat_phase(times, 100, 400)
    assert phase.dtype == np.float32
    for second, expected in ((1.0, 0), (1.5, 0), (1.25, 0.5), (2.3, 0.5), (0.5, 0), (0.75, 0.5)):
        error = (phase[round(second * 100)] - expected + 0.5) % 1 - 0.5
        assert abs(error) < 0.02, second


@given(
    gaps=st.lists(st.floats(0.2, 2), min_size=0, max_size=20),
    fps=st.floats(5, 120),
    frames=st.integers(0, 500),
)
def test_beat_phase_stays_in_range(gaps: list[float], fps: float, frames: int) -> None:
    phase = beat_phase(0.3 + np.cumsum([0.0, *gaps]), fps, frames)
    assert phase.shape == (frames,)
    assert ((phase >= 0) & (phase < 1)).all()


def test_beat_phase_needs_a_beat() -> None:
    with pytest.raises(ValueError, match="at least one beat"):
        beat_phase(np.zeros(0), 25, 10)


@pytest.mark.slow
def test_an_hour_is_followed_to_its_end() -> None:
    times = np.arange(0.5, 3599, 0.5)
    beats = track_beats(drum_track(times, 3600, rate=8000), 8000)
    assert agreement(beats.times[-200:], times[-200:]) > 0.95
    assert agreement(beats.times[:200], times[:200]) > 0.95
