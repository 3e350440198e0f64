import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stgmamba.music_to_skeleton import beat_alignment
from stgmamba.music_to_skeleton.beat_alignment import ease_ends, motion_events, retime, time_warp
from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton
from stgmamba.skeleton.body import Body, measure, retarget
from stgmamba.skeleton.root_trajectory import to_local, to_world

from ..support.synthetic_dances import stepping

BEATS = np.arange(0.3, 12.0, 0.6)


def off(events: np.ndarray, beats: np.ndarray) -> float:  # type: ignore[type-arg]
    """Mean distance from the nearest beat, seconds."""
    return float(np.abs(events[:, None] - beats).min(axis=1).mean())


def when(shown: np.ndarray, events: np.ndarray, fps: float) -> np.ndarray:  # type: ignore[type-arg]
    """When the result shows what happened in the dance at ``events``."""
    return np.interp(events, shown, np.arange(len(shown)) / fps)


def test_what_is_on_the_beat_stays() -> None:
    np.testing.assert_allclose(time_warp(BEATS, BEATS, 12.0, 25.0), np.arange(300) / 25, atol=1e-9)


def test_without_beats_or_moments_nothing_changes() -> None:
    for times, beats in ((BEATS, np.zeros(0)), (np.zeros(0), BEATS)):
        np.testing.assert_array_equal(time_warp(times, beats, 4.0, 25.0), np.arange(100) / 25)


def test_speed_changes_by_a_limited_factor_between_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beat_alignment, "_STIFFNESS", 0.0)  # only the limit is left
    first = np.arange(1.0, 6.0, 0.6)
    second = first[-1] + 0.2 + np.arange(0.0, 5.0, 0.6)
    # Without the limit the 0.4 s before the second group of events would become 0.2 s.
    warped = time_warp(np.concatenate([first, second + 0.2]), np.concatenate([first, second]), 12.0, 25.0)
    assert 1.3 < (np.diff(warped) * 25).max() < 1 / (1 - 0.3)


@pytest.mark.parametrize("late", [-0.15, 0.1, 0.2])
def test_a_dance_that_is_late_or_early_comes_onto_the_beat(late: float) -> None:
    events = BEATS[2:-2] + late
    shown = time_warp(events, BEATS, 12.0, 25.0)
    assert off(when(shown, events, 25.0), BEATS) < 0.15 * abs(late)


def test_a_dance_that_drifts_is_carried_along() -> None:
    events = BEATS[2:-2] + np.linspace(-0.2, 0.2, len(BEATS) - 4)
    shown = time_warp(events, BEATS, 12.0, 25.0)
    assert off(when(shown, events, 25.0), BEATS) < 0.3 * off(events, BEATS)


@given(
    st.lists(st.floats(0, 10), max_size=30),
    st.lists(st.floats(-1, 11), max_size=20),
    st.floats(0.04, 10),
)
@settings(max_examples=60, deadline=None)
def test_time_never_runs_back_nor_much_faster(events: list[float], beats: list[float], seconds: float) -> None:
    inside = np.unique(np.array([event for event in events if event <= seconds]))
    shown = time_warp(inside, np.unique(np.array(beats)), seconds, 25.0)
    assert len(shown) == max(1, round(seconds * 25))
    assert shown[0] >= 0
    assert shown[-1] <= (len(shown) - 1) / 25
    steps = np.diff(shown) * 25
    assert (steps >= 0).all()
    assert (steps < 1 / (1 - 0.3) + 1e-6).all()  # between two events the speed changes by 30 % at most
    assert (np.abs(shown - np.arange(len(shown)) / 25) < 0.33).all()


def test_a_dance_with_other_timing_is_the_same_dance() -> None:
    dance = retarget(stepping(np.arange(1.0, 9.0, 0.7), 10.0), Body())
    poses, trajectory = to_local(dance.positions, dance.fps)
    frames = np.clip(np.arange(len(poses)) + 3.0, 0, len(poses) - 1)
    moved_poses, moved_path = retime(poses, trajectory, frames)
    made = to_world(moved_poses, moved_path)
    np.testing.assert_allclose(made[:-3], dance.positions[3:], atol=0.01)
    body = measure(Skeleton(made, dance.fps, OPENPOSE_18_FEET))
    assert body.thigh == pytest.approx(Body().thigh, abs=1e-4)


def test_steps_come_onto_the_beat() -> None:
    landings = np.arange(1.0, 11.0, 0.6)
    dance = stepping(landings, 12.0)
    found = motion_events(dance)
    beats = np.arange(0.2, 12.0, 0.6)
    poses, trajectory = to_local(dance.positions, dance.fps)
    shown = time_warp(found, beats, dance.seconds, dance.fps)
    made = Skeleton(to_world(*retime(poses, trajectory, shown * dance.fps)), dance.fps, OPENPOSE_18_FEET)
    assert off(motion_events(made), beats) < 0.7 * off(found, beats)


def test_hours_take_no_more_memory_than_their_moments() -> None:
    beats = np.arange(0.2, 4 * 3600, 0.5)
    events = beats[1:-1] + 0.1
    shown = time_warp(events, beats, 4 * 3600.0, 25.0)  # all against all would be tens of gigabytes
    assert off(when(shown, events[::1000], 25.0), beats) < 0.03


@pytest.mark.parametrize("beats", [[1.0], [1.0, 2.0]])
def test_few_beats(beats: list[float]) -> None:
    shown = time_warp(np.array([1.1]), np.array(beats), 3.0, 25.0)
    assert off(when(shown, np.array([1.1]), 25.0), np.array(beats)) < 0.05


def test_one_frame() -> None:
    dance = stepping(np.array([1.0]), 2.0)
    poses, trajectory = to_local(dance.positions[:1], dance.fps)
    assert retime(poses, trajectory, np.zeros(1))[0].shape == (1, 22, 3)


def test_a_dance_sets_out_from_rest_and_comes_to_rest_on_the_last_beat() -> None:
    source = ease_ends(12.0, BEATS, 25.0)
    assert len(source) == 300
    speed = np.diff(source) * 25
    assert speed[0] < 0.1
    assert (speed >= -1e-9).all()
    assert speed.max() < 1.05
    last = BEATS[BEATS <= 11.6][-1]
    assert (speed[int(last * 25) + 1 :] == 0).all()
    assert speed[round((last - 0.8) * 25)] == pytest.approx(1.0)
    middle = slice(25, 250)
    np.testing.assert_allclose(source[middle], (np.arange(300) / 25)[middle])


def test_a_short_dance_is_not_eased_and_one_without_beats_rests_before_its_end() -> None:
    np.testing.assert_array_equal(ease_ends(2.0, BEATS, 25.0), np.arange(50) / 25)
    source = ease_ends(12.0, np.zeros(0), 25.0)
    assert np.ptp(source[-8:]) == 0
