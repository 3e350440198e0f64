"""Diversity of the dances of one song with different seeds."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from stgmamba.evaluation.skeleton.metrics.features import pose_features
from stgmamba.skeleton import Skeleton


def diversity(dances: Sequence[Skeleton]) -> float:
    """Mean distance between corresponding joints of two dances at the same time, over all pairs. cm, higher is better.

    Joints are those of ``pose_features``, which do not depend on position and direction. Definition ours, after the
    mean pairwise distance of Li et al. (ICCV 2021), which compares features of whole clips. Two dances of different
    length are compared over the shorter length. 0 for fewer than two dances.
    """
    joints = [features.reshape(len(features), -1, 3) for features in map(pose_features, dances)]
    distances = []
    for a, b in combinations(joints, 2):
        frames = min(len(a), len(b))
        distances.append(np.linalg.norm(a[:frames] - b[:frames], axis=-1).mean())
    return float(np.mean(distances)) if distances else 0.0
