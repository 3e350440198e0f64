"""Diversity: how different the dances are that one song gets with different seeds."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from stgmamba.evaluation.skeleton.metrics.features import pose_features
from stgmamba.skeleton import Skeleton


def diversity(dances: Sequence[Skeleton]) -> float:
    """Mean distance of a joint between two of the dances at the same moment, over all pairs. cm, higher is better.

    Joints as in ``pose_features`` (on the reference body, from the middle of the hips, facing +z), so that another
    place or direction is no other dance. Definition ours, after the mean pairwise distance of Li et al. (ICCV 2021),
    which compares whole-clip features. Of unequal dances the shorter decides the length. 0 for fewer than two dances.
    """
    joints = [features.reshape(len(features), -1, 3) for features in map(pose_features, dances)]
    distances = []
    for a, b in combinations(joints, 2):
        frames = min(len(a), len(b))
        distances.append(np.linalg.norm(a[:frames] - b[:frames], axis=-1).mean())
    return float(np.mean(distances)) if distances else 0.0
