"""Types of arrays, and the small functions on them that many rooms need."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
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


class ArrayFile:
    """Arrays in a file without a name, which is gone with the process; what is read of them is in memory, not more.

    Args:
        folder: on whose disk the file lies; None for that of temporary files.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        self._places: list[tuple[int, np.dtype[Any], tuple[int, ...]]] = []

    def add(self, array: NDArray[Any]) -> int:
        """Write an array; returns its number."""
        place = self._file.seek(-(-self._file.tell() // 8) * 8)  # arrays are aligned
        self._file.write(np.ascontiguousarray(array).tobytes())
        self._places.append((place, array.dtype, array.shape))
        return len(self._places) - 1

    def arrays(self) -> list[NDArray[Any]]:
        """All arrays written, in their order, as views of one memory map; what is written to them stays in memory."""
        self._file.flush()
        size = os.fstat(self._file.fileno()).st_size
        content = np.memmap(self._file, np.uint8, "c", shape=(size,)) if size else np.zeros(0, np.uint8)
        return [
            content[place : place + int(np.prod(shape)) * dtype.itemsize].view(dtype).reshape(shape)
            for place, dtype, shape in self._places
        ]
