from __future__ import annotations

import numpy as np
import pytest

from stgmamba.datasets.motion_repair import (
    bridge_jumps,
    find_jumps,
    level_floor,
    moving_stretches,
    sliding_speed,
    stop_sliding,
)
from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton
from stgmamba.skeleton.body import FEET

from ..support.smpl_figure import swaying_smpl
from ..support.synthetic_dances import glide, stepping, still, wandering

FPS = 30.0
WRIST = 20


def test_a_clean_dance_is_left_as_it_is() -> None:
    joints = swaying_smpl(300)
    assert not find_jumps(joints, FPS).any()
    repaired, trimmed = bridge_jumps(joints, FPS)
    assert trimmed == 0
    np.testing.assert_array_equal(repaired, joints)


@pytest.mark.parametrize("size", [0.3, 1.0])  # metres: amid slow movement, and faster than anybody
def test_a_jump_of_one_frame_is_bridged(size: float) -> None:
    clean = swaying_smpl(300)
    broken = clean.copy()
    broken[150, WRIST] += size
    repaired, _ = bridge_jumps(broken, FPS)
    assert find_jumps(broken, FPS)[149:151].all()
    assert np.abs(repaired - clean).max() < 0.02


def test_jumps_at_the_ends_are_trimmed() -> None:
    clean = swaying_smpl(300)
    broken = clean.copy()
    broken[0] += 2.0
    broken[297:] -= 1.0
    repaired, trimmed = bridge_jumps(broken, FPS)
    assert trimmed == 1
    np.testing.assert_allclose(repaired, clean[1:297], atol=1e-9)


def test_stretches_in_which_nothing_moves_are_left_out() -> None:
    dance = swaying_smpl(900)
    dance[:60] = dance[60]
    dance[400:520] = dance[400]
    stretches = moving_stretches(dance, FPS)
    assert [(pytest.approx(60, abs=12), pytest.approx(400, abs=12)), (pytest.approx(520, abs=12), 900)] == stretches
    assert moving_stretches(np.repeat(dance[:1], 300, axis=0), FPS) == []
    # A short halt belongs to the dance.
    halt = swaying_smpl(600)
    halt[300:330] = halt[300]
    assert moving_stretches(halt, FPS) == [(0, 600)]


def test_a_floor_that_wanders_is_levelled() -> None:
    dance = stepping(np.arange(1.0, 39.0, 0.5), 40.0)
    drift = 0.08 * np.sin(np.arange(len(dance)) / len(dance) * np.pi).astype(np.float32)
    wandering_floor = Skeleton(dance.positions + drift[:, None, None] * np.float32([0, 1, 0]), 25.0, OPENPOSE_18_FEET)
    low = level_floor(wandering_floor).positions[:, FEET, 1].min(axis=1)
    assert np.abs(low - 0.03).max() < 0.03
    assert np.ptp(wandering_floor.positions[:, FEET, 1].min(axis=1)) > 0.07


def test_a_take_that_slides_as_a_whole_is_held_and_others_are_not_touched() -> None:
    sliding = glide(0.6, 8.0)
    assert sliding_speed(sliding.positions, 25.0) == pytest.approx(0.6, abs=0.01)
    assert sliding_speed(stop_sliding(sliding).positions, 25.0) < 0.2
    assert stop_sliding(still(4.0)).positions is not None
    slow = wandering(4.0, 0, size=0.002)
    assert stop_sliding(slow) is slow
