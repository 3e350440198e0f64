from __future__ import annotations

import numpy as np
import pytest

from stgmamba.music.composition.composer import CLEAN, Recording, compose, compose_mix
from stgmamba.music.composition.effects import CODECS, transcode
from stgmamba.music.composition.styles import load_styles
from stgmamba.music.composition.timing import TEMPO_KINDS
from stgmamba.music.decode import SAMPLE_RATE
from stgmamba.music.features import onset_strength

SECONDS = 10.0


def song(*seed: int, **options: object):
    return compose(np.random.default_rng(seed), SECONDS, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("style", load_styles())
def test_songs_of_all_styles_keep_their_tempo_and_metre(style: str) -> None:
    made = song(1, style=style, tempo_kind="steady", recording=CLEAN)
    low, high = load_styles()[style].tempo
    assert made.samples.shape == (round(SECONDS * SAMPLE_RATE),)
    assert made.samples.dtype == np.float32
    assert np.isfinite(made.samples).all()
    assert 0.05 < np.abs(made.samples).max() <= 1
    intervals = np.diff(made.beats)
    np.testing.assert_allclose(intervals[1:], intervals[1], rtol=1e-6)  # the first beat may have been moved to 0
    assert low * 0.99 <= 60 / intervals[1] <= high * 1.01
    assert np.isin(made.downbeats, made.beats).all()
    bars = np.flatnonzero(np.isin(made.beats, made.downbeats))
    assert (np.diff(bars) == made.beats_per_bar).all()
    assert made.metre == load_styles()[style].metre


def test_the_same_seed_gives_the_same_song() -> None:
    first, second, other = song(5), song(5), song(6)
    np.testing.assert_array_equal(first.samples, second.samples)
    np.testing.assert_array_equal(first.beats, second.beats)
    assert not np.array_equal(first.samples, other.samples)


def test_drums_sound_on_the_beats_that_are_stated() -> None:
    made = song(2, style="house", tempo_kind="steady", recording=CLEAN)
    onsets = onset_strength(made.samples, SAMPLE_RATE, 100)
    frames = np.round(made.beats[1:-1] * 100).astype(int)
    near = np.max([onsets[frames + shift] for shift in (-1, 0, 1)], axis=0)
    interval = float(np.median(np.diff(made.beats)))
    quarter = np.round((made.beats[1:-1] + 0.3 * interval) * 100).astype(int)
    assert np.median(near) > 2 * np.median(onsets[quarter])


@pytest.mark.parametrize("kind", TEMPO_KINDS)
def test_tempos_move_as_they_are_told(kind: str) -> None:
    made = song(3, style="pop", tempo_kind=kind, recording=CLEAN)
    change = np.abs(np.diff(np.log(np.diff(made.beats[1:]))))
    assert len(made.beats) >= 8
    if kind == "steady":
        assert change.max() < 1e-6
    elif kind == "jump":
        assert change.max() > 0.07
        assert (change > 1e-6).sum() == 1
    else:
        assert 0 < change.max() < 0.25


def test_sections_follow_each_other_through_the_whole_song() -> None:
    made = compose(np.random.default_rng(8), 40.0, style="pop", recording=CLEAN)
    assert made.sections[0].start == 0
    for before, after in zip(made.sections, made.sections[1:], strict=False):
        assert before.end == after.start
        assert after.start in made.downbeats
    assert made.sections[-1].end == pytest.approx(40.0)


def test_a_mix_has_the_beats_of_both_songs() -> None:
    made = compose_mix(np.random.default_rng(4), 16.0, CLEAN)
    assert made.tempo_kind == "mix"
    assert len(made.samples) == 16 * SAMPLE_RATE
    assert (np.diff(made.beats) > 0.14).all()
    assert np.isin(made.downbeats, made.beats).all()
    assert made.beats[0] < 2 < 14 < made.beats[-1]


@pytest.mark.parametrize("codec", CODECS)
def test_codecs_do_not_move_the_song(codec: str) -> None:
    sound = song(2, style="house", recording=CLEAN).samples
    damaged = transcode(sound, codec, 48_000)
    assert len(damaged) == len(sound)
    assert 0.9 < np.corrcoef(sound, damaged)[0, 1] < 0.99999


def test_damage_is_as_likely_as_asked() -> None:
    clean, noisy = song(9, recording=CLEAN), song(9, recording=Recording(codec=1, narrow=1, noise=1, voices=0))
    spectra = [np.abs(np.fft.rfft(each.samples)) for each in (clean, noisy)]
    high = round(9000 * SECONDS)
    shares = [(each[high:] ** 2).sum() / (each**2).sum() for each in spectra]
    assert not np.array_equal(clean.samples, noisy.samples)
    assert shares[1] != pytest.approx(shares[0], rel=0.01)
