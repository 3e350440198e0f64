"""Variation of bone lengths."""

from __future__ import annotations

import numpy as np

from stgmamba.skeleton import Skeleton


def bone_variation(skeleton: Skeleton) -> float:
    """Maximum over the bones of the kinematic tree of a length's standard deviation over the dance by its mean.

    Definition ours; the maximum, because one bone of varying length is visible. 0 for rigid bones. Optical captures of
    real dances reach 0.2, since markers slide on the skin and the trunk bends between neck and hips.
    """
    parents, children = np.asarray(skeleton.layout.tree).T
    positions = skeleton.positions.astype(np.float64)
    lengths = np.linalg.norm(positions[:, children] - positions[:, parents], axis=-1)
    return float((lengths.std(axis=0) / np.maximum(lengths.mean(axis=0), 1e-6)).max())
