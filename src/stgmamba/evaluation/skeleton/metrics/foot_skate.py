"""Foot skate: does the foot that carries the body stand still?"""

from __future__ import annotations

import numpy as np

from stgmamba.evaluation.skeleton.metrics.features import at_25_fps
from stgmamba.options import FPS
from stgmamba.skeleton import Skeleton
from stgmamba.skeleton.body import FEET

_GROUNDED = 0.025


def foot_skate(skeleton: Skeleton) -> float:
    """Mean horizontal speed of the slowest heel or toe on the ground, over frames that have one. cm/s, lower is best.

    A point is on the ground within 2.5 cm of its own standing height (the height of Zhang et al., "Mode-adaptive neural
    networks", SIGGRAPH 2018; the standing height is the 5th percentile over the dance, since markers sit on the shoe
    and not under it). Of the points on the ground only the slowest counts (ours): ballroom dancers draw the free foot
    along the floor, but one of the four points bears the weight and should stay. Real captures do not reach 0 either
    (turns on the ball, marker noise): compare with the real dances' value.

    Returns:
        0 for a single frame; NaN for positions not finite.
    """
    points = at_25_fps(skeleton).positions[:, FEET].astype(np.float64)
    if len(points) < 2:
        return 0.0
    speed = np.linalg.norm(np.diff(points[..., [0, 2]], axis=0), axis=-1) * FPS
    height = (points[1:, :, 1] + points[:-1, :, 1]) / 2
    # Negated, so that heights that are not finite count as grounded and show.
    grounded = ~(height - np.percentile(height, 5, axis=0) > _GROUNDED)
    slowest = np.where(grounded, speed, np.inf).min(axis=1)
    return float(100.0 * slowest[~np.isinf(slowest)].mean())
