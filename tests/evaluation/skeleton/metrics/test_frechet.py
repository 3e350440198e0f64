import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import sqrtm

from stgmamba.evaluation.frechet import frechet_distance
from stgmamba.evaluation.skeleton.metrics.frechet import pfd, vfd
from stgmamba.skeleton import Skeleton

from ....support.synthetic_dances import glide, still, wandering


def exact(mean: np.ndarray, covariance: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """Samples with exactly this sample mean and covariance."""
    raw = np.random.default_rng(seed).normal(size=(count, len(mean)))
    raw -= raw.mean(axis=0)
    white = raw @ np.linalg.inv(np.linalg.cholesky(np.cov(raw.T)).T)
    return mean + white @ np.linalg.cholesky(covariance).T


def test_known_gaussians() -> None:
    # Diagonal: |d mean|^2 + sum (s_a - s_b)^2.
    a = exact(np.array([1.0, 2.0, 3.0]), np.diag([1.0, 4.0, 9.0]), 50, seed=1)
    b = exact(np.array([1.0, 0.0, 3.5]), np.diag([4.0, 4.0, 1.0]), 80, seed=2)
    assert frechet_distance(a, b) == pytest.approx(4.25 + 1 + 0 + 4)


def test_correlated_gaussians_agree_with_the_textbook_form() -> None:
    rng = np.random.default_rng(5)
    mixes = rng.normal(size=(2, 6, 6))
    cov_a, cov_b = (mix @ mix.T + 0.1 * np.eye(6) for mix in mixes)
    mean_a, mean_b = rng.normal(size=(2, 6))
    expected = ((mean_a - mean_b) ** 2).sum() + np.trace(cov_a + cov_b - 2 * sqrtm(cov_a @ cov_b).real)
    distance = frechet_distance(exact(mean_a, cov_a, 40), exact(mean_b, cov_b, 60, seed=9))
    assert distance == pytest.approx(expected, rel=1e-6)


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(1, 12),
    m=st.integers(1, 12),
    d=st.integers(1, 20),
    scale=st.sampled_from([1e-4, 1.0, 1e4]),
    seed=st.integers(0, 10**6),
)
def test_properties_with_few_samples(n: int, m: int, d: int, scale: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = scale * rng.normal(size=(n, d)), scale * (rng.normal(size=(m, d)) + 1)
    distance = frechet_distance(a, b)
    assert distance >= ((a.mean(axis=0) - b.mean(axis=0)) ** 2).sum() * (1 - 1e-6) - 1e-9 * scale**2
    assert frechet_distance(b, a) == pytest.approx(distance, rel=1e-6, abs=1e-9 * scale**2)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-6 * d * scale**2)


def test_values_that_are_not_finite_and_wrong_shapes() -> None:
    good = np.ones((3, 2))
    assert np.isnan(frechet_distance(np.array([[1.0, np.inf]]), good))
    with pytest.raises(ValueError, match="equal D"):
        frechet_distance(good, np.ones((3, 4)))
    with pytest.raises(ValueError, match="non-empty"):
        frechet_distance(good, np.ones((0, 2)))
    with pytest.raises(ValueError, match="at least one dance"):
        pfd([], [still()])


def test_dances() -> None:
    real = [wandering(8, seed=1), wandering(8, seed=2)]
    assert pfd(real, real) == pytest.approx(0, abs=1e-6)
    assert vfd(real, real) == pytest.approx(0, abs=1e-6)
    assert pfd([still()], real) > 10
    # Two constant velocities that differ in one feature: 25 cm/s are 1 cm/frame.
    assert vfd([glide(0.25)], [still()]) == pytest.approx(1.0, rel=1e-3)
    assert pfd([glide(0.25)], [still()]) == pytest.approx(0.0, abs=1e-3)


def test_playback_rate_changes_the_velocities_only() -> None:
    dance = wandering(8, seed=1)
    fast = Skeleton(dance.positions[::2], dance.fps, dance.layout)
    assert vfd([fast], [dance]) > 10
    assert pfd([fast], [dance]) < 0.05 * pfd([still()], [dance])
