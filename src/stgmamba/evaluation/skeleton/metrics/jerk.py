"""Jerk, a measure of smoothness."""

from __future__ import annotations

import numpy as np

from stgmamba.evaluation.skeleton.metrics.features import at_25_fps
from stgmamba.options import FPS
from stgmamba.skeleton import Skeleton


def jerk(skeleton: Skeleton) -> float:
    """Mean magnitude of the third derivative of the joints' positions, over joints and frames. m/s^3, as real is best.

    Third differences at 25 fps; a measure of smoothness after Flash, Hogan (J. Neuroscience 1985). Values far below
    those of real dances indicate over-smoothed motion, values far above jitter; 1 cm of marker noise alone adds about
    1,000 m/s^3. 0 for fewer than four frames.
    """
    positions = at_25_fps(skeleton).positions.astype(np.float64)
    if len(positions) < 4:
        return 0.0
    return float(np.linalg.norm(np.diff(positions, n=3, axis=0), axis=-1).mean() * FPS**3)
