import numpy as np
import pytest

from stgmamba.evaluation.skeleton.metrics.steps import step_consistency, step_floor
from stgmamba.skeleton.motion_events import foot_strikes

from ....support.synthetic_dances import stepping, still

PERIOD = 0.64
LANDINGS = np.arange(1.0, 14.0, PERIOD)


def test_steps_on_the_beat_and_half_a_beat_off() -> None:
    dance = stepping(LANDINGS, 15.0)
    beats = np.median(LANDINGS - foot_strikes(dance)) * -1 + LANDINGS
    assert step_consistency(dance, beats) > 0.98
    assert step_consistency(dance, beats + PERIOD / 2) < 0.02
    chance = 0.1 * np.sqrt(2 * np.pi) / PERIOD
    assert step_floor(dance, beats) == pytest.approx(chance, abs=0.12)
    assert step_floor(dance, beats) == step_floor(dance, beats)


def test_without_steps_the_value_is_0() -> None:
    beats = np.arange(0, 4, 0.5)
    assert step_consistency(still(), beats) == 0.0
    assert step_floor(still(), beats) == 0.0
