import math

import numpy as np
import pytest

from stgmamba.evaluation.skeleton.metrics import METRICS, EvalSample
from stgmamba.skeleton import Skeleton

from ....support.synthetic_dances import glide, stepping, still, wandering

BEATS = np.arange(0.0, 12.0, 0.5)


def test_names_of_the_report() -> None:
    names = "pfd vfd pvar bc bc_floor sc sc_floor diversity foot_skate bone_variation jerk".split()  # noqa: SIM905
    assert list(METRICS) == names + "fid_k fid_g div_k div_g bas pfc floating".split()  # noqa: SIM905


def test_songs_have_equal_weights() -> None:
    sample = EvalSample([[glide(0.1)], [glide(0.3), glide(0.5), glide(0.4)]], [BEATS, BEATS], [still()])
    assert METRICS["foot_skate"].compute(sample) == pytest.approx((10 + 40) / 2, rel=1e-2)


def test_diversity_is_among_the_seeds_of_a_song() -> None:
    a, b = wandering(3, seed=1), wandering(3, seed=2)
    sample = EvalSample([[a, a], [b, b]], [BEATS, BEATS], [a])
    assert METRICS["diversity"].compute(sample) == 0.0
    together = EvalSample([[a, b]], [BEATS], [a])
    assert METRICS["diversity"].compute(together) > 1.0


def values(generated: list[Skeleton], real: list[Skeleton]) -> dict[str, float]:
    sample = EvalSample([[dance] for dance in generated], [BEATS] * len(generated), real)
    return {name: metric.compute(sample) for name, metric in METRICS.items()}


def test_a_real_dance_is_better_than_a_constant_pose() -> None:
    real = [wandering(10, seed=seed) for seed in range(4)]
    moving, constant = values(real[2:], real[:2]), values([still(10)], real[:2])
    assert moving["pfd"] < constant["pfd"] / 3
    assert moving["vfd"] < constant["vfd"] / 3
    assert constant["pvar"] == pytest.approx(0, abs=1e-6)


def test_a_dance_that_is_not_finite_gives_nan() -> None:
    broken = stepping(np.arange(1, 5, 0.5), 6.0)
    positions = broken.positions.copy()
    positions[40:] = np.nan
    row = values([Skeleton(positions, 25, broken.layout)], [still()])
    names = "pfd vfd pvar foot_skate bone_variation jerk fid_k fid_g div_k div_g pfc floating".split()  # noqa: SIM905
    assert all(math.isnan(row[name]) for name in names)
    assert row["sc"] == row["bc"] == row["bas"] == 0.0
