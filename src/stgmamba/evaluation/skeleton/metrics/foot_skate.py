"""Foot skate: sliding of the supporting foot."""

from __future__ import annotations

import numpy as np

from stgmamba.evaluation.skeleton.metrics.features import at_25_fps
from stgmamba.options import FPS
from stgmamba.skeleton import Skeleton
from stgmamba.skeleton.body import FEET

_GROUNDED = 0.025  # metres


def foot_skate(skeleton: Skeleton) -> float:
    """Mean horizontal speed of the slowest heel or toe on the ground, over frames that have one. cm/s, lower is better.

    A point is on the ground within 2.5 cm of its standing height, the 5th percentile of its height over the dance (2.5
    cm after Zhang et al., "Mode-adaptive neural networks", SIGGRAPH 2018; the percentile, since markers are above the
    sole). Only the slowest point on the ground counts (ours): ballroom dancers slide the free foot along the floor, but
    one of the four points bears the weight and should not move. Real captures do not reach 0 either (turns on the ball
    of the foot, marker noise): compare with the value of real dances.

    Returns:
        0 for a single frame; NaN for positions that are not finite.
    """
    points = at_25_fps(skeleton).positions[:, FEET].astype(np.float64)
    if len(points) < 2:
        return 0.0
    speed = np.linalg.norm(np.diff(points[..., [0, 2]], axis=0), axis=-1) * FPS
    height = (points[1:, :, 1] + points[:-1, :, 1]) / 2
    # Negated comparison, so that heights that are not finite count as grounded and make the result NaN.
    grounded = ~(height - np.percentile(height, 5, axis=0) > _GROUNDED)
    slowest = np.where(grounded, speed, np.inf).min(axis=1)
    return float(100.0 * slowest[~np.isinf(slowest)].mean())
