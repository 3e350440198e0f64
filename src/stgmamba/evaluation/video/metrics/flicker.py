"""Flicker: what changes from frame to frame where nothing should."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from stgmamba.arrays import Frame

_STILL = 3.0  # grey levels by which a static pixel may change in the true frames: noise of the camera and the codec
_BLUR = 1.0  # pixels; noise of single pixels is not what the eye calls flicker


def flicker(frames: Frame, truth: Frame) -> float:
    """Mean change from frame to frame beyond that of the true frames, in their static pixels; grey levels of 255.

    A pixel is static from one frame to the next when its slightly blurred brightness changes by less than 3 grey levels
    in the true frames. Over those, max(0, |change| - |true change|) is averaged. 0 is as calm as the truth or calmer;
    lower is better. A figure of our own, after the temporal differences of Lai et al., ECCV 2018.

    Args:
        frames: uint8 [T, H, W, 3].
        truth: uint8 [T, H, W, 3].

    Returns:
        NaN for a single frame or where nothing is static.
    """
    if frames.shape != truth.shape:
        raise ValueError(f"as many frames as true ones are needed, got {frames.shape} and {truth.shape}")
    excess, static = 0.0, 0
    before = None
    for frame, true in zip(frames, truth, strict=True):
        now = _brightness(frame), _brightness(true)
        if before is not None:
            change, true_change = (np.abs(b - a) for a, b in zip(before, now, strict=True))
            still = true_change < _STILL
            excess += float(np.maximum(change - true_change, 0)[still].sum())
            static += int(still.sum())
        before = now
    return excess / static if static else float("nan")


def _brightness(frame: NDArray[np.uint8]) -> NDArray[np.float32]:
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(grey, (0, 0), _BLUR))
