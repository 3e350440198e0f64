"""Skeletons as numpy arrays in one .npz file: lossless, our own.

Arrays: ``positions`` float32 [T, J, D], ``confidence`` float32 [T, J], ``fps`` float64, ``layout`` (its name), and for
2-D where known ``size`` int64 [2] (width, height).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stgmamba.errors import InputError
from stgmamba.files import atomic_output, check_can_write
from stgmamba.skeleton.layouts import LAYOUTS
from stgmamba.skeleton.sequence import Skeleton


def write(path: Path, skeleton: Skeleton) -> None:
    """Write a skeleton. Raises InputError where the place cannot be written to."""
    check_can_write(path, (".npz",))
    arrays: dict[str, Any] = {
        "positions": skeleton.positions,
        "confidence": skeleton.confidence,
        "fps": np.float64(skeleton.fps),
        "layout": np.array(skeleton.layout.name),
    }
    if skeleton.size is not None:
        arrays["size"] = np.array(skeleton.size, np.int64)
    with atomic_output(path) as part:
        np.savez_compressed(part, **arrays)


def read(path: Path) -> Skeleton:
    """Read a skeleton. Raises InputError where the file is malformed, naming what is wrong with it."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            found = {name: arrays[name] for name in arrays.files}
    except Exception as error:  # numpy and zipfile raise nearly anything on a broken file
        raise InputError(f"{path}: not a readable npz file ({error}); write it again.") from error
    if missing := {"positions", "fps", "layout"} - found.keys():
        raise InputError(f"{path}: the array {sorted(missing)[0]!r} is missing; a skeleton has positions, fps, layout.")
    try:
        return _check(found)
    except (ValueError, TypeError, OverflowError) as error:
        raise InputError(f"{path}: not a skeleton: {error}; write it again.") from error


def _check(found: dict[str, NDArray[Any]]) -> Skeleton:
    name = str(found["layout"])
    if name not in LAYOUTS:
        raise ValueError(f"unknown layout {name[:40]!r}, known are {', '.join(LAYOUTS)}")
    numbers = {key: _numbers(key, found[key]) for key in ("positions", "confidence", "fps", "size") if key in found}
    if numbers["fps"].size != 1:
        raise ValueError("fps is not one number")
    if len(numbers["positions"]) == 0:
        raise ValueError("it has no frames")
    size = None
    if "size" in numbers:
        if numbers["size"].shape != (2,) or (numbers["size"] < 1).any():
            raise ValueError("size is not a width and a height")
        size = (int(numbers["size"][0]), int(numbers["size"][1]))
    confidence = numbers.get("confidence")
    if confidence is None:
        confidence = np.ones(numbers["positions"].shape[:2], np.float32)
    if (confidence < 0).any() or (confidence > 1).any():
        raise ValueError("confidence does not lie in 0..1")
    return Skeleton(numbers["positions"], float(found["fps"].item()), LAYOUTS[name], confidence, size)


def _numbers(name: str, values: NDArray[Any]) -> NDArray[np.float32]:
    if values.dtype.kind not in "fiu":
        raise ValueError(f"{name} does not hold numbers")
    if not np.isfinite(values).all() or (np.abs(values) > np.finfo(np.float32).max).any():
        raise ValueError(f"{name} holds values that are not finite")
    return np.asarray(values, np.float32)
