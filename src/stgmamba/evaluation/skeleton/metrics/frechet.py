"""PFD and VFD: Fréchet distances between generated and real dances, of poses and of velocities."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from stgmamba.arrays import DoubleArray
from stgmamba.evaluation.frechet import frechet_distance
from stgmamba.evaluation.skeleton.metrics.features import pose_features, velocity_features
from stgmamba.skeleton import Skeleton


def pfd(generated: Sequence[Skeleton], real: Sequence[Skeleton]) -> float:
    """Pose Fréchet distance: over all frames of all dances, on ``pose_features``. cm^2, lower is better.

    Named in the method's paper (arXiv 2507.06689, section 4) and in DanceFormer (Li et al., AAAI 2022); features ours.
    """
    return frechet_distance(_pool(generated, pose_features), _pool(real, pose_features))


def vfd(generated: Sequence[Skeleton], real: Sequence[Skeleton]) -> float:
    """Velocity Fréchet distance: over all frames of all dances, on ``velocity_features``.

    (cm/frame)^2 with frames of 1/25 s, lower is better. Same sources as ``pfd``.
    """
    return frechet_distance(_pool(generated, velocity_features), _pool(real, velocity_features))


def _pool(dances: Sequence[Skeleton], features: Callable[[Skeleton], DoubleArray]) -> DoubleArray:
    if not dances:
        raise ValueError("a Fréchet distance needs at least one dance on each side")
    return np.concatenate([features(dance) for dance in dances])
