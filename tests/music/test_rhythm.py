from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stgmamba.errors import InputError
from stgmamba.music.rhythm import Rhythm, beat_phase, excerpt, read_beats, typical_interval


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


def test_the_typical_interval_leaves_out_gaps() -> None:
    assert typical_interval(np.array([0, 0.5, 1.0, 1.52, 4.0, 4.5])) == pytest.approx(0.505)
    assert typical_interval(np.array([3.0])) == 0.5


def write(folder: Path, text: str) -> Path:
    path = folder / "song.beats"
    path.write_text(text, encoding="utf-8")
    return path


def test_beats_are_read_with_their_place_in_the_bar(tmp_path: Path) -> None:
    rhythm = read_beats(write(tmp_path, "# tapped\n0.5\t2\n1.0\t3\n\n1.5 1\n2.0,2\n2.5 3\n"))
    np.testing.assert_allclose(rhythm.beats, [0.5, 1.0, 1.5, 2.0, 2.5])
    np.testing.assert_array_equal(rhythm.downbeats, [1.5])
    assert (rhythm.metre, rhythm.beats_per_bar) == ("3/4", 3)
    assert rhythm.tempo == pytest.approx(120)


def test_beats_alone_make_bars_of_four(tmp_path: Path) -> None:
    rhythm = read_beats(write(tmp_path, "\n".join(str(0.4 * i) for i in range(9))))
    np.testing.assert_allclose(rhythm.downbeats, [0, 1.6, 3.2])
    assert rhythm.metre == "4/4"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "give at least two"),
        ("1.0\n", "1 beat in it"),
        ("one\ntwo\n", "line 1, 'one', does not begin with a time"),
        ("1.0\n0.5\n", "must rise from 0"),
        ("-1\n0.5\n", "must rise from 0"),
        ("1\nnan\n", "must rise from 0"),
        ("1\n1.05\n", "look at 1 and 1.05"),
        ("1\n9\n", "8.0 s without a beat after 1 s"),
    ],
)
def test_what_are_no_beats_is_refused_with_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        read_beats(write(tmp_path, text))


def test_a_binary_file_of_beats_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "song.beats"
    path.write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(InputError, match="cannot be read"):
        read_beats(path)


def test_an_excerpt_counts_from_its_beginning() -> None:
    rhythm = Rhythm(np.arange(20) * 0.5, np.arange(20) % 4, "4/4")
    part = excerpt(rhythm, 1.25, 2.0)
    np.testing.assert_allclose(part.beats, [0.25, 0.75, 1.25, 1.75])
    np.testing.assert_array_equal(part.positions, [3, 0, 1, 2])


@pytest.mark.parametrize("start", [30.0, 9.4])
def test_an_excerpt_without_beats_goes_on_in_time(start: float) -> None:
    rhythm = Rhythm(np.arange(20) * 0.5, np.arange(20) % 4, "4/4")
    part = excerpt(rhythm, start, 3.0)
    assert len(part.beats) >= 2
    count = (part.beats + start) / 0.5
    np.testing.assert_allclose(count, np.round(count), atol=1e-9)
    np.testing.assert_array_equal(part.positions, np.round(count) % 4)
