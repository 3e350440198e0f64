from __future__ import annotations

import numpy as np
import pytest

from stgmamba.builder.motion import lift, smooth_track
from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton
from stgmamba.skeleton.camera import Camera
from stgmamba.skeleton.motion_events import foot_strikes

from ..support.synthetic_dances import stepping, still

HIPS = [OPENPOSE_18_FEET.index(f"{side}_hip") for side in ("left", "right")]
FEET = [OPENPOSE_18_FEET.index(f"{side}_{part}") for side in ("left", "right") for part in ("heel", "toe")]


@pytest.mark.parametrize("fps", [24.0, 30.0])
def test_smoothing_takes_jitter_and_outliers_and_keeps_fast_movement(fps: float) -> None:
    times = np.arange(round(4 * fps)) / fps
    truth = np.zeros((len(times), 22, 2), np.float32)
    truth[..., 0] = 20 * np.sin(2 * np.pi * 3 * times)[:, None]  # three times a second
    noisy = truth + np.random.default_rng(0).normal(0, 1.5, truth.shape).astype(np.float32)
    noisy[30, 4] += 200
    smooth = smooth_track(noisy, fps, 300)
    assert np.abs(smooth[30, 4] - truth[30, 4]).max() < 15
    inner = slice(5, -5)
    assert (smooth - truth)[inner].std() < 0.8 * (noisy - truth)[inner, :4].std()
    fitted = (smooth * truth)[inner].sum() / np.square(truth)[inner].sum()
    assert fitted > 0.9


def test_smoothing_leaves_foot_strikes_where_they_are() -> None:
    landings = np.arange(0.7, 7, 0.5)
    dance = stepping(landings, 8.0)
    noise = np.random.default_rng(1).normal(0, 0.004, dance.positions.shape)
    smooth = smooth_track((dance.positions + noise).astype(np.float32), dance.fps, 1.7)
    strikes, found = foot_strikes(dance), foot_strikes(Skeleton(smooth, dance.fps, dance.layout))
    assert len(found) == len(strikes)
    assert np.abs(found - strikes).max() < 0.04


@pytest.mark.parametrize("length", [1, 2, 4, 6])
def test_short_tracks_are_smoothed_as_far_as_possible(length: int) -> None:
    track = np.random.default_rng(2).normal(0, 0.01, (length, 22, 3)).astype(np.float32)
    assert smooth_track(track, 25.0, 1.7).shape == track.shape


def seen(dance: Skeleton) -> tuple[Skeleton, np.ndarray]:
    """A dance as a level camera five metres away sees it, and its joints relative to the hips."""
    camera = Camera(0.0, 0.9, 5.0, 700.0, (720, 720), (0.0, 0.9, 0.0))
    points, _ = camera.project(dance.positions)
    flat = Skeleton(points, dance.fps, dance.layout, size=(720, 720))
    return flat, dance.positions - dance.positions[:, HIPS].mean(axis=1, keepdims=True)


def test_the_way_in_the_room_is_found_from_the_picture() -> None:
    dance = still(4.0)
    positions = dance.positions.copy()
    times = np.arange(len(dance)) / dance.fps
    positions[..., 0] += (0.5 * np.sin(times))[:, None]
    positions[..., 2] += (0.4 * np.cos(times) - 0.4)[:, None]
    truth = Skeleton(positions, dance.fps, dance.layout)
    found = lift(*seen(truth))
    way = found[:, HIPS].mean(axis=1) - truth.positions[:, HIPS].mean(axis=1)
    assert np.ptp(way[:, 0]) < 0.12
    assert np.ptp(way[10:-10, 2]) < 0.15
    assert np.abs(found[:, FEET, 1].min(axis=1) - 0.03).max() < 0.02


def test_jumps_leave_the_floor_and_squats_do_not() -> None:
    dance = still(4.0)
    jump = dance.positions.copy()
    height = np.zeros(len(dance))
    height[40:52] = 0.3 * np.sin(np.pi * np.arange(12) / 12)
    jump[..., 1] += height[:, None]
    found = lift(*seen(Skeleton(jump, dance.fps, dance.layout)))
    low = found[:, FEET, 1].min(axis=1)
    assert low[46] == pytest.approx(0.03 + 0.24, abs=0.05)
    assert low[:35].max() < 0.05
