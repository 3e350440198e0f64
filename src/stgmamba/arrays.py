"""Types of arrays, and the small functions on them that many rooms need."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
DoubleArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]
IntArray = NDArray[np.int32]
BoolArray = NDArray[np.bool_]
Frame = NDArray[np.uint8]
"""A picture, uint8 RGB [H, W, 3], or several, [T, H, W, 3]."""


def smoothstep(low: Any, high: Any, x: NDArray[Any]) -> Any:
    """Cubic Hermite step: 0 below ``low``, 1 above ``high``, 3 t^2 - 2 t^3 between; ``low`` may exceed ``high``."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def unit(vectors: NDArray[Any], fallback: tuple[float, float, float] | NDArray[Any] = (0.0, 1.0, 0.0)) -> Any:
    """Vectors [..., 3] scaled to length 1, in their own dtype; those of length 0 become ``fallback``."""
    norm = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.where(norm > 1e-6, vectors / np.maximum(norm, 1e-6), np.asarray(fallback, vectors.dtype)).astype(
        vectors.dtype
    )
