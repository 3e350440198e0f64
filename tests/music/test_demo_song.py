from __future__ import annotations

from pathlib import Path

import librosa
import numpy as np
import pytest

from stgmamba.errors import InputError
from stgmamba.music.beat_tracking.agreement import f_measure
from stgmamba.music.beat_tracking.tracker import track_beats
from stgmamba.music.decode import SAMPLE_RATE, load_song
from stgmamba.music.demo_song import DemoSong, compose, repeated_demo_song, write_demo_song

SEEDS = (0, 1, 2)  # one of each groove


@pytest.fixture(scope="module")
def songs() -> list[DemoSong]:
    return [compose(seed) for seed in SEEDS]


def log_mel(samples: np.ndarray, rate: int) -> np.ndarray:
    power = librosa.feature.melspectrogram(y=samples, sr=rate, hop_length=rate // 25, n_mels=80)
    return np.log10(power.T + 1e-8)


@pytest.mark.parametrize("index", range(len(SEEDS)))
def test_the_tracker_finds_the_true_beats(songs: list[DemoSong], index: int) -> None:
    song = songs[index]
    beats = track_beats(song.samples.mean(axis=1), song.rate)
    assert f_measure(beats.beats, song.beats) > 0.9
    assert beats.tempo == pytest.approx(song.tempo, rel=0.02)


def test_it_is_a_clean_stereo_song(songs: list[DemoSong]) -> None:
    for song in songs:
        assert song.samples.dtype == np.float32
        assert song.samples.shape[1] == 2
        assert 20 <= len(song.samples) / song.rate <= 23
        assert 0.8 < np.abs(song.samples).max() < 0.9
        assert np.abs(song.samples.mean()) < 1e-3
        assert 0.5 < np.corrcoef(song.samples.T)[0, 1] < 0.99
        level = 20 * np.log10(np.sqrt((song.samples**2).mean()))
        assert -18 < level < -10
        assert np.abs(song.samples[-200:]).max() < 1e-3  # faded out
        assert len(song.beats) == 41


def test_it_has_bass_chords_and_hats_and_grows(songs: list[DemoSong]) -> None:
    for song in songs:
        mel = log_mel(song.samples.mean(axis=1), song.rate)
        intro, verse, last = mel[:100], mel[110:300], mel[310:500]
        assert verse[:, -25:].mean() > intro[:, -25:].mean() + 0.3  # hats come in
        assert verse[:, :4].max() > -2
        # tonal: within a bar the spectrum of the middle is far from flat noise
        middle = 10 ** verse[:, 8:40].mean(axis=0)
        assert np.exp(np.log(middle).mean()) / middle.mean() < 0.6
        assert last.mean() > intro.mean()


def test_seeds_repeat_and_differ(songs: list[DemoSong]) -> None:
    np.testing.assert_array_equal(compose(0).samples, songs[0].samples)
    assert not np.array_equal(songs[0].samples, songs[1].samples)


def test_the_written_song_is_the_composed_one(songs: list[DemoSong], tmp_path: Path) -> None:
    path = tmp_path / "demo.wav"
    write_demo_song(path)
    song = load_song(path, rate=44_100)
    np.testing.assert_allclose(song.samples, songs[0].samples.mean(axis=1), atol=2e-4)
    with pytest.raises(InputError, match="does not exist"):
        write_demo_song(tmp_path / "nowhere" / "demo.wav")
    with pytest.raises(InputError, match=r"\.wav"):
        write_demo_song(tmp_path / "demo.mp3")


def test_the_demo_song_goes_on_without_missing_a_beat() -> None:
    song = repeated_demo_song(45.0)
    assert song.seconds == 45.0
    bars = 20 * SAMPLE_RATE  # ten bars at 120 bpm
    np.testing.assert_array_equal(song.samples[:bars], song.samples[bars : 2 * bars])
