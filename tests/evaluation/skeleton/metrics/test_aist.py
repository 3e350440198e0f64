"""Metrics in use on AIST++: cases with known answers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stgmamba.evaluation.skeleton.metrics.aist import (
    bas,
    div_g,
    div_k,
    fid_g,
    fid_k,
    floating,
    geometric_features,
    kinetic_features,
    pfc,
)
from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton
from stgmamba.skeleton.body import Body, mid_hip, rebuild

from ....support.synthetic_dances import J, glide, moved, pulsing, stepping, still, wandering

JOINTS = len(OPENPOSE_18_FEET)


def clip_of(dance: Skeleton) -> np.ndarray:
    return dance.resampled(30.0).positions.astype(np.float64)


def with_positions(dance: Skeleton, positions: np.ndarray) -> Skeleton:
    return Skeleton(positions.astype(np.float32), dance.fps, dance.layout)


def test_kinetic_features_of_a_glide() -> None:
    found = kinetic_features(clip_of(glide(0.5)))
    np.testing.assert_allclose(found[:JOINTS], 0.25, rtol=1e-2)
    np.testing.assert_allclose(found[JOINTS : 2 * JOINTS], 0, atol=1e-6)
    np.testing.assert_allclose(found[2 * JOINTS :], 0, atol=0.05)


def test_kinetic_features_of_a_fall() -> None:
    clip = clip_of(still(3.0))
    seconds = np.arange(len(clip)) / 30
    clip[:, :, 1] += 100 - 9.81 * seconds[:, None] ** 2 / 2
    found = kinetic_features(clip)
    np.testing.assert_allclose(found[2 * JOINTS :], 9.81, rtol=1e-3)
    np.testing.assert_allclose(found[JOINTS : 2 * JOINTS], np.mean((9.81 * seconds) ** 2), rtol=0.05)


# In the order of `geometric_features`: the right hand's or foot's first.
HAND_UP, ELBOW_BENT, HANDS_APART, HAND_FAST, FOOT_RAISED, FEET_APART, KNEE_BENT = 2, 6, 8, 12, 16, 18, 19
ARM_OUT, TRUNK_LEVEL, HAND_LOW, ROOT_FAST = 23, 28, 29, 31


def bent(**joints: tuple[float, float, float]) -> np.ndarray:
    """A standing body with joints moved by metres."""
    clip = clip_of(still(2.0))
    for name, offset in joints.items():
        clip[:, J[name]] += offset
    return geometric_features(clip)


def test_a_standing_body_has_few_of_the_geometric_features() -> None:
    """Its arms hang at 29 degrees; the plane of its right leg has its left ankle on the outer side."""
    assert np.nonzero(geometric_features(clip_of(still(2.0))))[0].tolist() == [15, ARM_OUT, ARM_OUT + 1]


def test_geometric_features_of_poses() -> None:
    up = (0.0, 1.4, 0.0)
    raised = bent(right_wrist=up, right_elbow=(0.0, 0.7, 0.0))
    assert (raised[HAND_UP], raised[HAND_UP + 1], raised[ARM_OUT]) == (1, 0, 1)
    folded = bent(left_wrist=(0.1, 0.3, 0.1))
    assert (folded[ELBOW_BENT], folded[ELBOW_BENT + 1]) == (0, 1)
    spread = bent(right_wrist=(-0.6, 0.4, 0.0), left_wrist=(0.6, 0.4, 0.0))
    assert spread[HANDS_APART] == 1
    kick = bent(right_ankle=(0.0, 0.6, 0.4), right_toe=(0.0, 0.6, 0.4), right_heel=(0.0, 0.6, 0.4))
    assert (kick[FOOT_RAISED], kick[FOOT_RAISED + 1], kick[KNEE_BENT], kick[KNEE_BENT + 1]) == (1, 0, 1, 0)
    straddle = bent(right_ankle=(-0.5, 0.1, 0.0), left_ankle=(0.5, 0.1, 0.0))
    assert straddle[FEET_APART] == 1
    low = bent(left_wrist=(0.0, -0.6, 0.0))
    assert (low[HAND_LOW], low[HAND_LOW + 1]) == (0, 1)


def test_geometric_features_of_movement() -> None:
    assert geometric_features(clip_of(glide(2.0)))[ROOT_FAST] == pytest.approx(1, abs=0.05)
    assert geometric_features(clip_of(glide(0.3)))[ROOT_FAST] == 0
    clip = clip_of(still(2.0))
    clip[:, J["right_wrist"], 1] += 0.3 * np.sin(2 * np.pi * 1.5 * np.arange(len(clip)) / 30)
    found = geometric_features(clip)
    assert found[HAND_FAST] > 0.5
    assert found[HAND_FAST + 1] == 0
    assert 0.2 < found[4] < 0.6  # up for half of the time, and not always fast


def test_a_trunk_that_lies_is_level() -> None:
    clip = clip_of(still(2.0))
    assert geometric_features(clip[..., [0, 2, 1]])[TRUNK_LEVEL] == 1


@given(seed=st.integers(0, 50))
def test_a_mirrored_dance_has_the_features_of_the_other_side(seed: int) -> None:
    joints = clip_of(wandering(3.0, seed, size=0.3))
    clip = mid_hip(joints)[:, None] + rebuild(joints - mid_hip(joints)[:, None], Body())  # both sides alike
    mirrored = clip[:, list(OPENPOSE_18_FEET.mirror)] * (-1, 1, 1)
    found, other = geometric_features(clip), geometric_features(mirrored)
    order = np.arange(32)
    for first in (2, 4, 6, 10, 12, 16, 19, 21, 23, 25, 29):
        order[[first, first + 1]] = first + 1, first
    # The suite's planes through three joints have the same handedness on both sides.
    alike = np.setdiff1d(np.arange(32), (0, 1, 14, 15, 27))
    np.testing.assert_allclose(other[order][alike], found[alike], atol=1e-6)


def test_distances_are_of_features_in_real_standard_deviations() -> None:
    real = [wandering(10, seed) for seed in range(6)]
    again = [wandering(10, seed) for seed in range(6, 12)]
    wild = [wandering(10, seed, size=0.3) for seed in range(6)]
    for fid in (fid_k, fid_g):
        assert fid(real, real) == pytest.approx(0, abs=1e-6)
        assert fid(again, real) < fid(wild, real)
    for diversity in (div_k, div_g):
        assert diversity(real, real) > 0
        assert diversity([still(4.0)], real) == 0
    assert fid_k([moved(dance, 0.0, (7, 0, 3)) for dance in real], real) == pytest.approx(0, abs=1e-2)


def test_halts_on_the_beat() -> None:
    dance = pulsing(0.5, 10.0)
    halts = np.arange(0.5, 10.0, 0.5)
    assert bas(dance, halts) > 0.9
    assert bas(dance, halts + 0.25) < 0.1
    assert bas(dance, np.arange(0.0, 10.0, 0.25)) > 0.9  # halts on beats, though not on all of them
    assert bas(dance, np.zeros(0)) == bas(still(), halts) == 0


def test_foot_contact() -> None:
    assert pfc(still()) == 0
    planted, sliding = stepping(np.arange(1, 9, 0.6), 10.0), wandering(10, seed=1, size=0.3)
    assert pfc(planted) < 0.1 * pfc(sliding)


def test_floating() -> None:
    dance = still(4.0)
    assert floating(dance) == 0
    positions = dance.positions.copy()
    positions[len(positions) // 2 :, :, 1] += 0.1
    assert floating(with_positions(dance, positions)) == pytest.approx(5.0, rel=0.02)


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_very_short_dances(frames: int) -> None:
    short, real = still(4.0).slice(0, frames), [wandering(10, seed) for seed in range(3)]
    assert all(np.isfinite(measure([short], real)) for measure in (fid_k, fid_g, div_k, div_g))
    assert np.isfinite([pfc(short), floating(short), bas(short, np.arange(3.0))]).all()
