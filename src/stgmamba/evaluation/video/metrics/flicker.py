"""Flicker: temporal change of static pixels."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from stgmamba.arrays import Frame

_STATIC = 3.0  # grey levels; limit of the change of static pixels in the ground truth, from camera noise and codec
_BLUR = 1.0  # pixels; noise of single pixels is not perceived as flicker


def flicker(frames: Frame, truth: Frame) -> float:
    """Mean change between successive frames in excess of that of the ground truth, at its static pixels; 0..255.

    A pixel is static from one frame to the next where its blurred brightness changes by less than 3 grey levels in the
    ground truth. max(0, |change| - |change of the ground truth|) is averaged over these. 0 where no pixel changes more
    than in the ground truth; lower is better. Definition ours, after the temporal differences of Lai et al., ECCV 2018.

    Args:
        frames: uint8 [T, H, W, 3].
        truth: uint8 [T, H, W, 3].

    Returns:
        NaN for a single frame, or where no pixel is static.
    """
    if frames.shape != truth.shape:
        raise ValueError(f"frames and ground truth must have the same shape, got {frames.shape} and {truth.shape}")
    excess, static = 0.0, 0
    previous = None
    for frame, true_frame in zip(frames, truth, strict=True):
        current = _brightness(frame), _brightness(true_frame)
        if previous is not None:
            change, true_change = (np.abs(b - a) for a, b in zip(previous, current, strict=True))
            mask = true_change < _STATIC
            excess += float(np.maximum(change - true_change, 0)[mask].sum())
            static += int(mask.sum())
        previous = current
    return excess / static if static else float("nan")


def _brightness(frame: NDArray[np.uint8]) -> NDArray[np.float32]:
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(grey, (0, 0), _BLUR))
