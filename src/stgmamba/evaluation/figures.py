"""Values of metrics: rounding, table cells, JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from stgmamba.files import atomic_output

Better = Literal["higher", "lower", "as real"]
"""Which values of a metric are good: high ones, low ones, or those near the value of the real data."""

ARROWS: dict[Better, str] = {"lower": "↓", "higher": "↑", "as real": "="}


def rounded(value: float) -> float | None:
    """A value rounded to six significant digits; None for NaN and infinity, which JSON cannot hold."""
    return float(f"{value:.6g}") if math.isfinite(value) else None


def mean(values: Sequence[float]) -> float | None:
    """Rounded mean of the finite values; None where there are none."""
    finite = [value for value in values if math.isfinite(value)]
    return rounded(float(np.mean(finite))) if finite else None


def cell(value: float | None) -> str:
    """A value as the text of a table cell; a dash for None."""
    if value is None:
        return "–"
    return "0" if abs(value) < 1e-9 else f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def write_json(path: str | Path, report: Mapping[str, Any]) -> None:
    """Write a report as JSON.

    Raises:
        InputError: the file cannot be written.
    """
    with atomic_output(path) as part:
        part.write_text(json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
