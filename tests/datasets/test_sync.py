from __future__ import annotations

import numpy as np
import pytest

from stgmamba.datasets.sync import fit_sync

BEATS = np.arange(0.4, 60, 0.5)


def steps_on(beats: np.ndarray, scale: float, offset: float, seed: int, noise: float = 0.05) -> np.ndarray:
    """Times of the dance's clock at which steps fall on two of three beats."""
    rng = np.random.default_rng(seed)
    chosen = beats[rng.random(len(beats)) < 0.67]
    return (chosen + rng.normal(0, noise, len(chosen)) - offset) / scale


@pytest.mark.parametrize(("scale", "offset"), [(1.0, 0.0), (1.012, 0.18), (1.02, -0.2)])
def test_scale_and_offset_of_the_clock_are_found(scale: float, offset: float) -> None:
    sync = fit_sync(steps_on(BEATS, scale, offset, 1), BEATS, (0.99, 1.03))
    assert sync.applied
    assert sync.scale == pytest.approx(scale, abs=0.001)
    assert sync.offset == pytest.approx(offset, abs=0.04)


def test_with_one_clock_only_the_offset_is_fitted() -> None:
    sync = fit_sync(steps_on(BEATS, 1.0, 0.1, 2), BEATS)
    assert (sync.scale, sync.applied) == (1.0, True)
    assert sync.offset == pytest.approx(0.1, abs=0.02)


def test_a_tempo_that_changes_is_followed() -> None:
    beats = np.cumsum(np.linspace(0.45, 0.6, 100))
    assert fit_sync(steps_on(beats, 1.0, -0.15, 3), beats).offset == pytest.approx(-0.15, abs=0.03)


def test_steps_at_random_are_seldom_synchronous() -> None:
    rng = np.random.default_rng(4)
    found = [fit_sync(np.sort(rng.uniform(0, 60, 60)), BEATS, (0.99, 1.03)).applied for _ in range(200)]
    assert np.mean(found) < 0.05


def test_nothing_is_fitted_to_too_little() -> None:
    for sync in (fit_sync(np.arange(5.0), BEATS), fit_sync(BEATS, BEATS[:1])):
        assert (sync.scale, sync.offset, sync.strength, sync.applied) == (1.0, 0.0, 0.0, False)
