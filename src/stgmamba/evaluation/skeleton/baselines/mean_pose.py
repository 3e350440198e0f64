"""Baseline ``mean_pose``: the mean pose of the training dances, without movement."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from stgmamba.datasets.tang2018 import Dance
from stgmamba.evaluation.skeleton.metrics.features import pose_features
from stgmamba.options import FPS
from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton
from stgmamba.skeleton.body import FEET
from stgmamba.skeleton.foot_contacts import SOLE


def mean_pose(train: Sequence[Dance]) -> Callable[[Dance, int], Skeleton]:
    """A method that returns the mean pose of ``train`` (mean of ``pose_features``) for the whole song."""
    pose = np.concatenate([pose_features(dance.skeleton) for dance in train]).mean(axis=0).reshape(-1, 3) / 100.0
    pose[:, 1] += SOLE - pose[FEET, 1].min()

    def baseline(song: Dance, seed: int) -> Skeleton:
        frames = max(1, round(song.skeleton.seconds * FPS))
        return Skeleton(np.repeat(pose[None], frames, axis=0), FPS, OPENPOSE_18_FEET)

    return baseline
