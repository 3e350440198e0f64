from __future__ import annotations

import numpy as np
import pytest

from stgmamba.music.beat_tracking.agreement import f_measure, levels
from stgmamba.music.beat_tracking.candidates import (
    FEATURES,
    LEVELS,
    Candidate,
    Evidence,
    candidates,
    describe,
    subdivide,
)
from stgmamba.music.beat_tracking.decoder import decode_beats
from stgmamba.music.beat_tracking.downbeats import bar_positions
from stgmamba.music.beat_tracking.grid import on_grid, split_at_jumps, steady_stretches
from stgmamba.music.beat_tracking.spectrogram import FPS, MELS


def activation(times: np.ndarray, seconds: float, height: float = 0.9, seed: int = 0) -> np.ndarray:
    """A bump of some height at each time over weak noise, at FPS."""
    t = np.arange(round(seconds * FPS)) / FPS
    bumps = height * np.exp(-0.5 * ((t[:, None] - times) / 0.012) ** 2).max(axis=1)
    return np.maximum(bumps, np.random.default_rng(seed).uniform(0, 0.05, len(t))).astype(np.float32)


@pytest.mark.parametrize("tempo", [52, 75, 99.5, 120, 174, 213])
def test_steady_beats_are_decoded_over_the_whole_range(tempo: float) -> None:
    times = np.arange(0.3, 30, 60 / tempo)
    found = decode_beats(activation(times, 30))
    assert f_measure(found, times, 0.03) > 0.98


def test_beats_are_carried_over_a_break() -> None:
    times = np.arange(0.2, 40, 0.5)
    heard = times[(times < 12) | (times > 18)]
    found = decode_beats(activation(heard, 40))
    assert f_measure(found, times) > 0.98


def test_ramps_and_jumps_are_followed() -> None:
    ramp = np.cumsum(60 / np.linspace(90, 130, 70))
    assert f_measure(decode_beats(activation(ramp, ramp[-1] + 0.3)), ramp) > 0.97
    jump = np.concatenate([np.arange(0.3, 20, 0.6), 20 + np.arange(0, 20, 0.45)])
    assert f_measure(decode_beats(activation(jump, 40)), jump) > 0.93


def test_nothing_heard_gives_no_beats_or_regular_ones() -> None:
    assert len(decode_beats(np.zeros(3, np.float32))) <= 1
    found = decode_beats(np.full(1000, 0.01, np.float32))
    assert np.diff(found).std() < 0.01


def test_beats_near_a_grid_are_put_on_it() -> None:
    times = np.arange(0.31, 60, 0.4687)
    found = decode_beats(activation(times, 60))
    (snapped,) = steady_stretches(activation(times, 60), found)
    assert np.abs(snapped[:, None] - times).min(axis=1).max() < 0.006
    np.testing.assert_allclose(np.diff(snapped), np.diff(snapped).mean(), rtol=1e-6)


def test_beats_that_breathe_stay_as_they_are() -> None:
    times = np.cumsum(0.5 + 0.04 * np.sin(np.arange(80) / 6))
    found = decode_beats(activation(times, times[-1] + 0.3))
    assert on_grid(activation(times, times[-1] + 0.3), found) is None
    (unchanged,) = steady_stretches(activation(times, times[-1] + 0.3), found)
    np.testing.assert_array_equal(unchanged, found)


def test_each_side_of_a_jump_has_its_own_grid() -> None:
    times = np.concatenate([np.arange(0.3, 20, 0.6), 20 + np.arange(0, 20, 0.43)])
    parts = split_at_jumps(times)
    assert [len(part) for part in parts] == pytest.approx([33, 47], abs=2)
    snapped = steady_stretches(activation(times, 40), times)
    assert len(snapped) == 2
    assert f_measure(np.concatenate(snapped), times, 0.02) > 0.97


def test_one_grid_carries_the_beat_through_a_part_where_the_decoder_goes_astray() -> None:
    times = np.arange(0.3, 80, 0.5)
    heard = activation(times[(times < 30) | (times > 40)], 80)
    astray = np.concatenate([times[times < 30], np.arange(30.1, 40, 0.71), times[times > 40]])
    (carried,) = steady_stretches(heard, astray)
    assert f_measure(carried, times, 0.02) > 0.99


def test_candidates_hold_octaves_phases_and_triplets() -> None:
    times = np.arange(0.5, 20, 0.5)
    options = candidates(times, 20.0)
    np.testing.assert_array_equal(options[0].beats, times)
    for wanted in (np.arange(0.25, 20, 0.5), np.arange(0, 20, 1.0), np.arange(0.5, 20, 1.0), np.arange(0.5, 20, 0.75)):
        assert max(f_measure(option.beats, wanted, 0.01) for option in options) > 0.93
    for option in options:
        tempo = 60 / np.median(np.diff(option.beats))
        assert 48 <= tempo <= 222
        assert (np.diff(option.beats) > 0).all()


def test_subdividing_keeps_the_beats() -> None:
    times = np.array([1.0, 1.6, 2.0])
    np.testing.assert_allclose(subdivide(times, 2), [1.0, 1.3, 1.6, 1.8, 2.0, 2.2])


def test_the_description_tells_beats_from_off_beats() -> None:
    times = np.arange(0.5, 30, 0.5)
    spectrogram = np.zeros((1500, MELS), np.float32)
    activations = np.stack([activation(times, 30), activation(times[::4], 30)])
    evidence = Evidence.of(spectrogram, activations)
    on, off = (describe(evidence, Candidate(beats, 0)) for beats in (times, times + 0.25))
    assert on.shape == off.shape == (FEATURES,)
    first = 3 + len(LEVELS)
    assert on[first] > 1 > 0 > off[first]
    repetition = 3 + len(LEVELS) + 5 * 6
    assert on[repetition + 5 * 3 + 1] > 0.8 > on[repetition + 5 * 2 + 1]  # downbeats come back after four, not three


@pytest.mark.parametrize("metre", [2, 3, 4])
def test_downbeats_are_voted_by_the_whole_song(metre: int) -> None:
    positions = (np.arange(60) + 1) % metre
    heard = np.where(positions == 0, 0.6, 0.1)
    heard[20:28] = 0.3  # a break that says nothing
    found, likelihood = bar_positions(heard, metre)
    np.testing.assert_array_equal(found, positions)
    others = [bar_positions(heard, other)[1] for other in (2, 3, 4) if other != metre]
    assert likelihood > max(others)


def test_a_bar_of_other_length_is_allowed_where_the_song_insists() -> None:
    positions = np.concatenate([np.arange(40) % 4, np.arange(38) % 4])
    positions = np.concatenate([positions[:38], positions[40:]])  # a bar of two
    found, _ = bar_positions(np.where(positions == 0, 0.95, 0.03), 4)
    np.testing.assert_array_equal(found[:36], positions[:36])
    np.testing.assert_array_equal(found[-30:], positions[-30:])


def test_the_f_measure_counts_each_beat_once() -> None:
    true = np.arange(10) * 0.5
    assert f_measure(true + 0.06, true) == 1
    assert f_measure(true + 0.08, true) == 0
    assert f_measure(np.sort(np.concatenate([true, true + 0.01])), true) == pytest.approx(2 * 10 / 30)
    assert f_measure(np.zeros(0), true) == 0
    assert f_measure(np.zeros(0), np.zeros(0)) == 1
    assert [len(level) for level in levels(true)] == [10, 19, 5, 5, 9]
