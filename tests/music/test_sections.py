from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stgmamba.errors import InputError
from stgmamba.music.decode import SAMPLE_RATE
from stgmamba.music.rhythm import Rhythm
from stgmamba.music.sections import bar_features, boundaries, find_sections
from stgmamba.music.song_plot import plot_song

BAR = 2.0


def song_of(form: str, bars: int = 8) -> tuple[np.ndarray, Rhythm]:
    """Sections of some bars each, every letter a chord and a rhythm of its own."""
    rng = np.random.default_rng(0)
    t = np.arange(round(bars * BAR * SAMPLE_RATE)) / SAMPLE_RATE
    sounds = {}
    for letter in sorted(set(form)):
        pitch, pulse = rng.uniform(100, 3000, 3), int(rng.integers(1, 6))
        sounds[letter] = np.sin(2 * np.pi * pitch[:, None] * t).mean(axis=0) * np.exp(-((t * pulse) % 1) * 5)
    samples = np.concatenate([sounds[letter] for letter in form]).astype(np.float32)
    beats = np.arange(0, len(samples) / SAMPLE_RATE, BAR / 4)
    return samples, Rhythm(beats, np.arange(len(beats)) % 4, "4/4")


@pytest.mark.parametrize("form", ["ABAB", "AABA", "ABCAB"])
def test_sections_are_found_with_their_returns(form: str) -> None:
    samples, rhythm = song_of(form)
    found = find_sections(samples, rhythm)
    merged = [letter for i, letter in enumerate(form) if i == 0 or form[i - 1] != letter]
    assert [section.label for section in found] == merged
    assert found[0].start == 0
    assert found[-1].end == pytest.approx(len(samples) / SAMPLE_RATE, abs=0.03)
    for before, after in itertools.pairwise(found):
        assert before.end == after.start
        assert after.start in rhythm.downbeats


def test_a_song_that_does_not_change_is_one_section() -> None:
    samples, rhythm = song_of("A", bars=30)
    assert [section.label for section in find_sections(samples, rhythm)] == ["A"]
    samples, rhythm = song_of("AB", bars=3)
    assert len(find_sections(samples, rhythm)) == 1  # too short to tell


def test_bars_are_compared_after_the_mean_of_the_song() -> None:
    spectrogram = np.random.default_rng(0).random((1000, 64), np.float32)
    features = bar_features(spectrogram, np.arange(0, 20, 2.0))
    np.testing.assert_allclose(features.mean(axis=0), 0, atol=1e-6)
    assert (np.linalg.norm(features, axis=1) <= 1.000001).all()


def test_boundaries_keep_their_distance() -> None:
    rng = np.random.default_rng(0)
    cuts = boundaries(np.corrcoef(rng.standard_normal((60, 5))))
    assert all(after - before >= 4 for before, after in itertools.pairwise(cuts))
    assert all(4 <= cut <= 56 for cut in cuts)


def test_the_plot_shows_the_sections(tmp_path: Path) -> None:
    from scipy.io import wavfile

    samples, rhythm = song_of("AB")
    path = tmp_path / "song.wav"
    wavfile.write(path, SAMPLE_RATE, samples)
    facts = {
        "seconds": 32.0,
        "tempo": 120.0,
        "metre": "4/4",
        "bars": 16,
        "beats": rhythm.beats.tolist(),
        "downbeats": rhythm.downbeats.tolist(),
        "sections": [{"start": 0, "end": 16, "label": "A"}, {"start": 16, "end": 32, "label": "B"}],
    }
    plot_song(tmp_path / "song.png", path, facts)
    with Image.open(tmp_path / "song.png") as picture:
        strip = np.asarray(picture)[60]
    assert tuple(strip[300]) != tuple(strip[1000])
    with pytest.raises(InputError, match="only songs can be plotted"):
        plot_song(tmp_path / "song.png", path, {"kind": "picture"})
