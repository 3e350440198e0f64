import numpy as np
import pytest

from stgmamba.skeleton import Skeleton
from stgmamba.skeleton.motion_events import foot_strikes, kinematic_beats, motion_tempo

from ..support.synthetic_dances import J, glide, moved, pulsing, standing, stepping, still

PERIOD = 0.64
LANDINGS = np.arange(1.0, 14.0, PERIOD)


def test_kinematic_beats_are_where_the_body_halts() -> None:
    beats = kinematic_beats(pulsing(0.6, 12.0))
    np.testing.assert_allclose(beats[1:-1], 0.6 * np.round(beats[1:-1] / 0.6), atol=0.03)
    assert len(beats) == pytest.approx(19, abs=1)


def test_strikes_are_found_where_feet_land() -> None:
    strikes = foot_strikes(stepping(LANDINGS, 15.0))
    assert len(strikes) == len(LANDINGS)
    # The speed falls below 35 % a little before the foot stands.
    early = LANDINGS - strikes
    assert early.min() >= 0
    assert early.max() < 0.09
    assert early.std() < 0.012


def test_place_direction_and_body_do_not_matter() -> None:
    dance = stepping(LANDINGS, 15.0)
    np.testing.assert_allclose(foot_strikes(moved(dance, 1.0, (3, 0, -2))), foot_strikes(dance), atol=1e-3)
    small = Skeleton(0.6 * dance.positions, dance.fps, dance.layout)
    assert len(foot_strikes(small)) == len(LANDINGS)


def test_who_does_not_step_has_no_strikes() -> None:
    assert len(foot_strikes(still())) == 0
    assert len(foot_strikes(glide(1.0))) == 0
    assert len(foot_strikes(still(0.04))) == 0


def test_a_shuffle_is_no_step() -> None:
    dance = stepping(LANDINGS, 15.0)
    faint = dance.positions * 0.05 + 0.95 * standing()
    assert len(foot_strikes(Skeleton(faint, dance.fps, dance.layout))) == 0


def test_a_swing_of_two_peaks_lands_once() -> None:
    # In one swing a foot speeds to 2 m/s, slows to 0.9 without landing, speeds to 1.6 and comes to rest.
    waypoints = {0.0: 0.0, 2.0: 0.0, 2.2: 2.0, 2.44: 0.9, 2.68: 1.6, 2.96: 0.0, 6.0: 0.0}
    dance = still(6.0)
    times = np.arange(len(dance)) / dance.fps
    speed = np.interp(times, list(waypoints), list(waypoints.values()))
    foot = [J[f"left_{part}"] for part in ("ankle", "heel", "toe")]
    dance.positions[:, foot, 2] += (np.cumsum(speed) / dance.fps)[:, None]
    strikes = foot_strikes(dance)
    assert len(strikes) == 1
    assert strikes[0] == pytest.approx(2.85, abs=0.04)


@pytest.mark.parametrize("bpm", [92.3, 120.0, 151.0])
def test_the_tempo_that_steps_keep_is_found_with_its_phase(bpm: float) -> None:
    period = 60 / bpm
    landings = np.arange(1.0, 38.0, period)
    tempo = motion_tempo(stepping(landings, 40.0))
    assert tempo is not None
    assert tempo.bpm == pytest.approx(bpm, rel=0.005)
    assert tempo.strength > 14
    off = (landings - tempo.first_beat + period / 2) % period - period / 2
    assert np.abs(off).max() < 0.12


def test_who_stands_still_keeps_no_tempo() -> None:
    assert motion_tempo(still()) is None
