from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stgmamba.skeleton import LAYOUTS, OPENPOSE_18, Skeleton

rates = st.floats(1.0, 120.0)


def random_skeleton(seed: int, frames: int, dims: int, name: str = "openpose18", fps: float = 25.0) -> Skeleton:
    rng = np.random.default_rng(seed)
    positions = rng.normal(size=(frames, len(LAYOUTS[name]), dims))
    confidence = rng.uniform(0.1, 1.0, positions.shape[:2])
    return Skeleton(positions, fps, LAYOUTS[name], confidence, (640, 480) if dims == 2 else None)


def cubic(times: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    powers = np.stack([times**k for k in range(4)], axis=1)
    return np.einsum("tk,kjd->tjd", powers, coefficients)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 9999), st.sampled_from(sorted(LAYOUTS)), st.sampled_from([2, 3]))
def test_mirrored_twice_is_the_same(seed: int, name: str, dims: int) -> None:
    skeleton = random_skeleton(seed, 4, dims, name)
    twice = skeleton.mirrored().mirrored()
    np.testing.assert_allclose(twice.positions, skeleton.positions, atol=1e-4)
    np.testing.assert_array_equal(twice.confidence, skeleton.confidence)


def test_mirrored_moves_the_left_hand_to_the_right(sway: Skeleton) -> None:
    mirrored = sway.mirrored()
    np.testing.assert_array_equal(mirrored.joint("right_wrist")[:, 0], -sway.joint("left_wrist")[:, 0])
    np.testing.assert_array_equal(mirrored.joint("right_wrist")[:, 1:], sway.joint("left_wrist")[:, 1:])


def test_mirrored_2d_needs_a_size() -> None:
    with pytest.raises(ValueError, match="size"):
        replace(random_skeleton(0, 2, 2), size=None).mirrored()


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 200), rates, rates)
def test_resampling_keeps_the_duration(frames: int, before: float, after: float) -> None:
    resampled = random_skeleton(0, frames, 3, fps=before).resampled(after)
    assert resampled.fps == after
    assert len(resampled) >= 1
    assert abs(resampled.seconds - frames / before) <= max(0.5, 1 - frames / before * after) / after + 1e-9


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 9999), st.integers(8, 60), st.floats(10.0, 60.0), st.floats(10.0, 60.0))
def test_resampling_a_cubic_movement_is_exact(seed: int, frames: int, before: float, after: float) -> None:
    coefficients = np.random.default_rng(seed).normal(size=(4, 18, 3))
    skeleton = Skeleton(cubic(np.arange(frames) / before, coefficients), before, OPENPOSE_18)
    resampled = skeleton.resampled(after)
    times = np.arange(len(resampled)) / after
    inside = times <= (frames - 1) / before  # beyond the last frame the last pose is held
    expected = cubic(times, coefficients)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(resampled.positions[inside], expected[inside], atol=1e-5 * scale)
    assert (resampled.confidence == 1).all()


def test_resampling_bridges_a_gap() -> None:
    line = np.arange(20, dtype=np.float32)[:, None, None] * np.ones((1, 18, 2), np.float32)
    confidence = np.ones((20, 18), np.float32)
    line[5:9, 3], confidence[5:9, 3] = 1e6, 0.0
    resampled = Skeleton(line, 20, OPENPOSE_18, confidence, (64, 64)).resampled(40)
    expected = np.minimum(np.arange(40) / 2, 19)
    np.testing.assert_allclose(resampled.positions[:, 3, 0], expected, atol=1e-3)
    assert resampled.confidence[12, 3] == 0


def test_a_joint_never_seen_stays_unknown() -> None:
    skeleton = random_skeleton(1, 10, 2)
    confidence = skeleton.confidence.copy()
    confidence[:, 7] = 0
    resampled = replace(skeleton, confidence=confidence).resampled(60)
    assert (resampled.confidence[:, 7] == 0).all()
    assert np.isfinite(resampled.positions).all()


def test_slice_and_duration(sway: Skeleton) -> None:
    assert sway.seconds == pytest.approx(2.0)
    part = sway.slice(10, 20)
    np.testing.assert_array_equal(part.positions, sway.positions[10:20])
    assert part.seconds == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("shape", "fps", "confidence"),
    [
        ((2, 17, 3), 25, None),
        ((2, 18, 4), 25, None),
        ((18, 3), 25, None),
        ((2, 18, 3), 0, None),
        ((2, 18, 3), 25, (2, 17)),
    ],
)
def test_wrong_shapes_are_refused(shape: tuple[int, ...], fps: float, confidence: tuple[int, int] | None) -> None:
    with pytest.raises(ValueError, match=r"positions|fps|confidence"):
        Skeleton(np.zeros(shape), fps, OPENPOSE_18, None if confidence is None else np.ones(confidence))
