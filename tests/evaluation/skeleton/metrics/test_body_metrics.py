"""Variance, diversity, foot skate, bone variation and jerk: cases with known answers."""

import numpy as np
import pytest

from stgmamba.evaluation.skeleton.metrics.bone_variation import bone_variation
from stgmamba.evaluation.skeleton.metrics.diversity import diversity
from stgmamba.evaluation.skeleton.metrics.foot_skate import foot_skate
from stgmamba.evaluation.skeleton.metrics.jerk import jerk
from stgmamba.evaluation.skeleton.metrics.variance import pvar
from stgmamba.skeleton import Skeleton

from ....support.synthetic_dances import J, glide, moved, standing, stepping, still, wandering


def with_positions(dance: Skeleton, positions: np.ndarray) -> Skeleton:
    return Skeleton(positions, dance.fps, dance.layout)


def test_variance_of_a_swinging_forearm() -> None:
    dance = still(4.0)
    positions = dance.positions.copy()
    elbow, length = positions[:, J["left_elbow"]], 0.25
    angle = np.where(np.arange(len(dance)) % 2, 0.5, -0.5)
    positions[:, J["left_wrist"]] = elbow + length * np.stack([0 * angle, -np.cos(angle), np.sin(angle)], axis=-1)
    # Only the wrist's z moves, by +-25 sin(0.5) cm; one of 66 features.
    assert pvar(with_positions(dance, positions)) == pytest.approx((25 * np.sin(0.5)) ** 2 / 66, rel=1e-3)


def test_variance_does_not_depend_on_travel_and_turns() -> None:
    assert pvar(still()) == pytest.approx(0, abs=1e-6)
    assert pvar(glide(1.5)) == pytest.approx(0, abs=1e-4)
    dance = wandering(4, seed=1)
    assert pvar(moved(dance, 2.0, (5, 0, 1))) == pytest.approx(pvar(dance), rel=1e-4)


def test_diversity_of_known_dances() -> None:
    dance = still(2.0)
    raised = dance.positions.copy()
    raised[:, J["left_wrist"]] = 2 * raised[:, J["left_elbow"]] - raised[:, J["left_wrist"]]
    # One joint of 22 differs, by two forearms of 25 cm.
    other = with_positions(dance, raised)
    assert diversity([dance, other]) == pytest.approx(50 / 22, rel=1e-3)
    assert diversity([dance, dance, other]) == pytest.approx(2 / 3 * 50 / 22, rel=1e-3)
    assert diversity([dance, moved(dance, 1.0, (4, 0, 4))]) == pytest.approx(0, abs=1e-3)
    assert diversity([dance.slice(0, 10), other]) == pytest.approx(50 / 22, rel=1e-3)
    assert diversity([dance]) == 0.0
    assert diversity([]) == 0.0


def test_skating() -> None:
    assert foot_skate(still()) == 0.0
    assert foot_skate(still(0.04)) == 0.0
    assert foot_skate(glide(0.5)) == pytest.approx(50.0, rel=1e-3)
    assert foot_skate(moved(glide(0.5), 1.0, (9, 0, 9))) == pytest.approx(50.0, rel=1e-2)
    # Stepping without travel: one foot is always fixed.
    assert foot_skate(stepping(np.arange(1, 9, 0.6), 10.0)) == pytest.approx(0, abs=0.1)


def test_flight_is_not_skating() -> None:
    dance = glide(1.0, 8.0)
    positions = dance.positions.copy()
    # On the ground in the first quarter, then in the air.
    positions[:50, :, 2] = positions[:1, :, 2]
    positions[50:, :, 1] += 0.3
    assert foot_skate(with_positions(dance, positions)) == pytest.approx(0, abs=0.5)


def test_bones() -> None:
    assert bone_variation(still()) == pytest.approx(0, abs=1e-6)
    assert bone_variation(moved(glide(1.0), 0.5, (20, 0, -7))) == pytest.approx(0, abs=1e-4)
    dance = still(4.0)
    positions = dance.positions.copy()
    upper, fore = positions[:, J["left_elbow"]], positions[:, J["left_wrist"]]
    stretch = np.where(np.arange(len(dance)) % 2, 1.1, 0.9)[:, None]
    positions[:, J["left_wrist"]] = upper + stretch * (fore - upper)
    assert bone_variation(with_positions(dance, positions)) == pytest.approx(0.1, rel=1e-3)
    assert np.isfinite(bone_variation(with_positions(dance, np.zeros_like(positions))))


def test_jerk_of_a_cubic_path() -> None:
    dance = still(2.0)
    times = np.arange(len(dance)) / dance.fps
    positions = np.repeat(standing()[None].astype(np.float64), len(times), axis=0)
    positions[..., 0] += (0.5 * times**3)[:, None]
    assert jerk(with_positions(dance, positions)) == pytest.approx(3.0, rel=0.02)
    # Rounding to float32 alone is a few thousandths of a m/s^3.
    assert jerk(glide(1.0)) < 0.02
    assert jerk(still().slice(0, 3)) == 0.0


def test_jerk_does_not_depend_on_the_frame_rate() -> None:
    dance = wandering(6, seed=2)
    assert jerk(dance.resampled(50)) == pytest.approx(jerk(dance), rel=0.05)
