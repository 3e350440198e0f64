"""PVar, the variance of the poses of a dance."""

from __future__ import annotations

from stgmamba.evaluation.skeleton.metrics.features import pose_features
from stgmamba.skeleton import Skeleton


def pvar(skeleton: Skeleton) -> float:
    """Pose variance: variance over the frames of one dance, mean over ``pose_features``. cm^2, as real is best.

    Named in the method's paper (arXiv 2507.06689, section 4); definition ours. 0 for a constant pose. Rotation and
    travel of the whole body do not contribute.
    """
    return float(pose_features(skeleton).var(axis=0).mean())
