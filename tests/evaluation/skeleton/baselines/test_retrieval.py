import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stgmamba.datasets.tang2018 import Dance
from stgmamba.evaluation.skeleton.baselines.retrieval import _warp, _whole_bars, retrieval
from stgmamba.evaluation.skeleton.metrics.steps import step_consistency
from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton
from stgmamba.skeleton.root_trajectory import body_heading

from ....support.recordings import write_clicks
from ....support.synthetic_dances import moved, stepping, still, wandering

SECONDS = 14.0


def stepper(period: float, seed: int) -> Skeleton:
    """Steps on the clicks, with smooth random movement of the body."""
    steps = stepping(np.arange(2 * period, SECONDS - 0.5, period), SECONDS)
    sway = wandering(SECONDS, seed, size=0.02).positions - still(SECONDS).positions
    return Skeleton(steps.positions + sway, steps.fps, steps.layout)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Dance]:
    folder = tmp_path_factory.mktemp("songs")
    slow, fast = (
        write_clicks(folder / f"{name}.wav", period, SECONDS) for name, period in (("slow", 0.6), ("fast", 0.55))
    )
    turned = moved(stepper(0.6, 2), 2.0, (5.0, 0.0, -3.0))
    return {
        "a": Dance("a", "rumba", stepper(0.6, 1), slow, 100.0, True),
        "b": Dance("b", "rumba", turned, slow, 100.0, True),
        "unfitted": Dance("unfitted", "rumba", still(SECONDS), slow, 100.0, False),
        "tango": Dance("tango", "tango", still(SECONDS), slow, 100.0, True),
        "song": Dance("song", "rumba", still(SECONDS), fast, 109.1, True),
    }


def test_steps_fall_on_the_beats_of_a_song_of_another_tempo(corpus: dict[str, Dance]) -> None:
    dance = retrieval(list(corpus.values()))(corpus["song"], 0)
    assert dance.layout == OPENPOSE_18_FEET
    assert (len(dance), dance.fps) == (350, 25.0)
    beats = np.arange(0.0, SECONDS, 0.55)
    off_beats = beats + 0.275
    # Strikes are detected a constant time before the landing, so the maximum over a few shifts is used.
    on, off = (max(step_consistency(dance, times + lag) for lag in (-0.1, -0.05, 0.0)) for times in (beats, off_beats))
    assert on > off + 0.2


def test_same_seed_same_dance_other_seed_other_dance(corpus: dict[str, Dance]) -> None:
    method = retrieval([corpus["a"], corpus["b"]])
    first, again, other = (method(corpus["song"], seed).positions for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.01


def test_bones_are_rigid_and_motion_is_continuous(corpus: dict[str, Dance]) -> None:
    dance = retrieval([corpus["a"], corpus["b"]])(corpus["song"], 0)
    for a, b in OPENPOSE_18_FEET.tree:
        lengths = np.linalg.norm(dance.positions[:, a] - dance.positions[:, b], axis=-1)
        assert np.ptp(lengths) < 0.01 * lengths.mean()
    # "b" has another position and heading; transitions to it show neither.
    assert np.linalg.norm(np.diff(dance.positions, axis=0), axis=-1).max() < 0.12
    assert np.abs(np.diff(body_heading(dance.positions, 25.0))).max() < 0.1
    assert dance.positions[..., 1].min() > -0.02


def test_dances_that_are_used(corpus: dict[str, Dance]) -> None:
    song, a, tango = corpus["song"], corpus["a"], corpus["tango"]

    def moves(train: list[Dance], song: Dance) -> bool:
        return bool(retrieval(train)(song, 0).positions.std(axis=0).max() > 0.01)

    assert moves([a, corpus["unfitted"], tango], song)
    assert not moves([corpus["unfitted"], tango], song)  # fitted dances of another style before unfitted ones
    assert not moves([corpus["unfitted"]], song)
    assert not moves([a, tango], a)  # never the song's own dance, though it is the only rumba
    assert not moves([a], a)


@given(
    st.lists(st.floats(0.3, 1.2), min_size=0, max_size=12),
    st.floats(0.0, 20.0),
    st.floats(0.5, 30.0),
    st.sampled_from([3, 4]),
)
def test_whole_bars_cover_the_song(intervals: list[float], first: float, seconds: float, bar: int) -> None:
    beats = first + np.concatenate([[0.0], np.cumsum(intervals)])
    bars = _whole_bars(beats, seconds, bar)
    assert (len(bars) - 1) % bar == 0
    assert len(bars) > bar
    assert bars[0] <= 1e-9
    assert bars[-1] >= seconds - 1e-9
    assert (np.diff(bars) > 0).all()


def test_warping_maps_beats_to_beats_and_extrapolates() -> None:
    song_beats, dance_beats = np.array([1.0, 2.0, 4.0]), np.array([10.0, 10.5, 11.0])
    np.testing.assert_allclose(
        _warp(np.array([0.0, 1.0, 1.5, 2.0, 4.0, 5.0]), song_beats, dance_beats), [9.5, 10, 10.25, 10.5, 11, 11.25]
    )
