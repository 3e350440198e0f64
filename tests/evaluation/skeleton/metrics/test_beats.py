import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stgmamba.evaluation.skeleton.metrics.beats import (
    beat_consistency,
    beat_floor,
    consistency,
    floor,
    offsets,
    phases,
    resultant,
)

from ....support.synthetic_dances import pulsing, still


def test_on_the_beat_off_the_beat() -> None:
    dance, beats = pulsing(0.6, 12.0), np.arange(0.6, 12.0, 0.6)
    assert beat_consistency(dance, beats) > 0.97
    assert beat_consistency(dance, beats - 0.3) == pytest.approx(np.exp(-0.5 * 9), abs=0.03)
    # By chance: sigma sqrt(2 pi) / period.
    assert beat_floor(dance, beats) == pytest.approx(0.1 * np.sqrt(2 * np.pi) / 0.6, abs=0.1)


def test_known_distances() -> None:
    beats = np.array([1.0, 2.0, 3.0])
    assert consistency(np.array([1.1, 2.0]), beats) == pytest.approx((np.exp(-0.5) + 1) / 2)
    # Events more than half a beat before the first or after the last beat are not used.
    assert consistency(np.array([0.2, 1.0, 3.9]), beats) == 1.0
    assert consistency(np.array([5.0]), np.array([5.0])) == 1.0


def test_offsets_and_phases_of_events() -> None:
    beats, events = np.array([1.0, 2.0, 3.0]), np.array([0.2, 0.75, 1.1, 1.9, 3.25, 3.9])
    np.testing.assert_allclose(offsets(events, beats), [-0.25, 0.1, -0.1, 0.25])
    np.testing.assert_allclose(phases(events, beats), [0.75, 0.1, 0.9, 0.25])
    assert len(phases(events, beats[:1])) == len(offsets(events, beats[:0])) == 0


def test_rayleigh() -> None:
    late = resultant(np.full(5, 0.25))
    assert abs(late) == pytest.approx(1)
    assert np.angle(late) == pytest.approx(np.pi / 2)
    assert abs(resultant(np.arange(8) / 8)) == pytest.approx(0, abs=1e-12)
    assert resultant(np.zeros(0)) == 0


def test_without_events_or_beats_the_value_is_0() -> None:
    beats = np.arange(10.0)
    assert consistency(np.array([]), beats) == 0.0
    assert consistency(np.array([1.0]), np.array([])) == 0.0
    assert beat_consistency(still(), beats) == 0.0
    assert beat_consistency(still(0.04), beats) == 0.0
    assert beat_floor(still(), beats) == 0.0


def test_the_floor_repeats_with_its_seed() -> None:
    events, beats = np.array([0.3, 1.7, 4.4]), np.arange(0, 6, 0.7)
    first = floor(events, beats, 6.0, np.random.default_rng(1))
    assert first == floor(events, beats, 6.0, np.random.default_rng(1))
    assert first != floor(events, beats, 6.0, np.random.default_rng(2))


@settings(max_examples=50, deadline=None)
@given(
    events=st.lists(st.floats(0, 60), max_size=30),
    beats=st.lists(st.floats(0, 60), max_size=30, unique=True),
    shift=st.floats(-5, 5),
)
def test_range_and_invariance_to_a_common_shift(events: list[float], beats: list[float], shift: float) -> None:
    k, b = np.asarray(events, float), np.sort(np.asarray(beats, float))
    value = consistency(k, b)
    assert 0 <= value <= 1
    # Rounding decides about events at the limits of the range.
    if len(b) > 1 and len(k):
        margin = np.median(np.diff(b)) / 2
        if min(np.abs(k - b[0] + margin).min(), np.abs(k - b[-1] - margin).min()) < 1e-6:
            return
    assert consistency(k + shift, b + shift) == pytest.approx(value, abs=1e-6)
