from collections.abc import Callable

import numpy as np
import pytest

from stgmamba.skeleton import OPENPOSE_18_FEET
from stgmamba.skeleton.body import Body, rebuild

Standing = Callable[[int], np.ndarray]


def _standing(frames: int) -> np.ndarray:
    """A body standing upright facing +z: left is +x."""
    pose = np.zeros((22, 3), np.float32)
    heights = {"neck": 1.45, "nose": 1.6, "hip": 0.95, "knee": 0.5, "ankle": 0.1, "heel": 0.03, "toe": 0.03}
    heights |= {"shoulder": 1.45, "elbow": 1.15, "wrist": 0.9, "eye": 1.65, "ear": 1.62}
    for i, name in enumerate(OPENPOSE_18_FEET.joints):
        side = 1.0 if name.startswith("left") else -1.0 if name.startswith("right") else 0.0
        pose[i] = (0.15 * side, heights[name.split("_")[-1]], 0.1 if name in ("nose",) or name.endswith("toe") else 0.0)
    return rebuild(np.repeat(pose[None], frames, axis=0), Body())


@pytest.fixture
def standing() -> Standing:
    """Joints [frames, 22, 3] of somebody who stands upright."""
    return _standing
