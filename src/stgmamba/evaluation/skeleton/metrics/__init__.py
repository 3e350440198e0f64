"""Metrics of stage 1, one file each or one per group, and their registry.

To add a metric: a file with a pure function on skeletons (3-D, metres, OPENPOSE_18_FEET), and a line in ``METRICS``
with its arguments and the aggregation of its values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stgmamba.evaluation.figures import Better
from stgmamba.evaluation.skeleton.metrics.aist import bas, div_g, div_k, fid_g, fid_k, floating, pfc
from stgmamba.evaluation.skeleton.metrics.beats import beat_consistency, beat_floor
from stgmamba.evaluation.skeleton.metrics.bone_variation import bone_variation
from stgmamba.evaluation.skeleton.metrics.diversity import diversity
from stgmamba.evaluation.skeleton.metrics.foot_skate import foot_skate
from stgmamba.evaluation.skeleton.metrics.frechet import pfd, vfd
from stgmamba.evaluation.skeleton.metrics.jerk import jerk
from stgmamba.evaluation.skeleton.metrics.steps import step_consistency, step_floor
from stgmamba.evaluation.skeleton.metrics.variance import pvar
from stgmamba.skeleton import Skeleton


@dataclass(frozen=True)
class EvalSample:
    """The dances of one method, and what they are compared with.

    Attributes:
        dances: for each song its dances, one per seed.
        beats: for each song the times of its beats, seconds.
        real: real dances.
    """

    dances: Sequence[Sequence[Skeleton]]
    beats: Sequence[NDArray[np.float64]]
    real: Sequence[Skeleton]


@dataclass(frozen=True)
class Metric:
    """A metric of a sample.

    Attributes:
        compute: its value; NaN where positions are not finite, or 0 for the beat metrics.
        unit: for reports; empty for dimensionless values.
        better: which values are good.
    """

    compute: Callable[[EvalSample], float]
    unit: str
    better: Better


def against_real(measure: Callable[[Sequence[Skeleton], Sequence[Skeleton]], float]) -> Callable[[EvalSample], float]:
    """Of all dances together against all real dances."""
    return lambda sample: measure([dance for song in sample.dances for dance in song], sample.real)


def per_dance(measure: Callable[[Skeleton], float]) -> Callable[[EvalSample], float]:
    """Mean over the seeds of a song, then over songs, so that songs have equal weights."""
    return lambda sample: _mean([_mean([measure(dance) for dance in song]) for song in sample.dances])


def on_beats(measure: Callable[[Skeleton, NDArray[np.float64]], float]) -> Callable[[EvalSample], float]:
    """As ``per_dance``, with the beats of the song."""
    return lambda sample: _mean(
        [
            _mean([measure(dance, beats) for dance in song])
            for song, beats in zip(sample.dances, sample.beats, strict=True)
        ]
    )


def over_seeds(measure: Callable[[Sequence[Skeleton]], float]) -> Callable[[EvalSample], float]:
    """Of the dances of one song, then the mean over songs."""
    return lambda sample: _mean([measure(song) for song in sample.dances])


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


METRICS: dict[str, Metric] = {
    "pfd": Metric(against_real(pfd), "cm²", "lower"),
    "vfd": Metric(against_real(vfd), "(cm/frame)²", "lower"),
    "pvar": Metric(per_dance(pvar), "cm²", "as real"),
    "bc": Metric(on_beats(beat_consistency), "", "higher"),
    "bc_floor": Metric(on_beats(beat_floor), "", "as real"),
    "sc": Metric(on_beats(step_consistency), "", "higher"),
    "sc_floor": Metric(on_beats(step_floor), "", "as real"),
    "diversity": Metric(over_seeds(diversity), "cm", "higher"),
    "foot_skate": Metric(per_dance(foot_skate), "cm/s", "lower"),
    "bone_variation": Metric(per_dance(bone_variation), "", "lower"),
    "jerk": Metric(per_dance(jerk), "m/s³", "as real"),
    "fid_k": Metric(against_real(fid_k), "", "lower"),
    "fid_g": Metric(against_real(fid_g), "", "lower"),
    "div_k": Metric(against_real(div_k), "", "as real"),
    "div_g": Metric(against_real(div_g), "", "as real"),
    "bas": Metric(on_beats(bas), "", "higher"),
    "pfc": Metric(per_dance(pfc), "", "lower"),
    "floating": Metric(per_dance(floating), "cm", "as real"),
}
