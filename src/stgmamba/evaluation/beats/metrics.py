"""Measures of beat tracking: those of mir_eval (Raffel et al. 2014), and the tempo."""

from __future__ import annotations

import warnings

import numpy as np

from stgmamba.arrays import DoubleArray
from stgmamba.errors import InputError
from stgmamba.evaluation.figures import Better
from stgmamba.music.beat_tracking.agreement import f_measure, levels
from stgmamba.music.rhythm import typical_interval

METRICS: dict[str, Better] = {
    "f": "higher",
    "f_any_level": "higher",
    "cmlt": "higher",
    "amlt": "higher",
    "downbeat_f": "higher",
    "tempo": "higher",
    "tempo_octave": "higher",
    "seconds_per_minute": "lower",
}
"""Columns of the report; all but the last are 0..1.

- ``f``: F-measure within 70 ms (Davies et al. 2009); the first five seconds count, unlike in mir_eval's default.
- ``f_any_level``: the best over the true beats, twice and half as many, and the off-beats.
- ``cmlt``, ``amlt``: share of beats in continuity at the correct, or at any allowed metrical level (mir_eval).
- ``downbeat_f``: F-measure of downbeats, over the songs whose bars are known.
- ``tempo``, ``tempo_octave``: share of songs whose tempo is right within 4 %, or right up to a factor of two.
- ``seconds_per_minute``: computation time per minute of music.
"""

_TEMPO_TOLERANCE = 0.04  # relative; "accuracy 1" of Gouyon et al. (2006)


def measure(
    beats: DoubleArray, downbeats: DoubleArray | None, true: DoubleArray, true_downbeats: DoubleArray | None
) -> dict[str, float]:
    """All metrics of one song but the time; NaN where something is not known.

    Args:
        beats: [K] found, seconds.
        downbeats: [D] found; None where the method finds none.
        true: [L] seconds.
        true_downbeats: [E] seconds; None where they are not known.

    Raises:
        InputError: mir_eval is not installed.
    """
    try:
        import mir_eval
    except ImportError:
        raise InputError("Beats are judged with mir_eval, which is not installed; pip install mir_eval.") from None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of empty lists of beats, which count as 0
        continuity = mir_eval.beat.continuity(true, beats)
    ratio = typical_interval(true) / typical_interval(beats) if len(beats) > 1 else 0.0
    unknown = downbeats is None or true_downbeats is None
    return {
        "f": f_measure(beats, true),
        "f_any_level": max(f_measure(beats, level) for level in levels(true)),
        "cmlt": float(continuity[1]),
        "amlt": float(continuity[3]),
        "downbeat_f": float("nan") if unknown else f_measure(downbeats, true_downbeats),  # type: ignore[arg-type]
        "tempo": float(abs(ratio - 1) <= _TEMPO_TOLERANCE),
        "tempo_octave": float(any(abs(ratio / octave - 1) <= _TEMPO_TOLERANCE for octave in (0.5, 1, 2))),
    }


def averaged(rows: list[dict[str, float]]) -> dict[str, float | None]:
    """Mean of each metric over songs, NaN left out; None where none is left."""
    means: dict[str, float | None] = {}
    for name in rows[0]:
        values = [row[name] for row in rows if np.isfinite(row[name])]
        means[name] = float(np.mean(values)) if values else None
    return means
