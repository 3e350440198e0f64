"""Bars and frames around a picture: letterboxes, screenshots of stories, white frames of prints."""

from __future__ import annotations

import numpy as np

from stgmamba.arrays import BoolArray, DoubleArray, Frame

_TOLERANCE = 14  # grey levels by which pixels of a bar differ from its colour: compression
_CONTRAST = 30  # grey levels by which the picture differs from the bar at its edge; a gradient ends more softly
_BAR = 0.55  # of each line that has the bar's colour; the rest is what is written on the bar
_WHOLE = 0.9  # of a line that has the bar's colour, where a spot at its end does not matter
_BLURRED = 0.8  # of the picture's difference from the bar, below which a line at the edge is a mixture of both
_ENDS = 0.04  # of a bar's line at either end that is free of writing
_INSIDE = 0.4  # of the picture's lines near the edge that may have the bar's colour
_EDGE = 4  # lines over which the picture begins: compression and resampling blur the edge
_DEPTH = 36  # lines of the picture that are looked at for its straight edge
_STRAIGHT = 0.7  # of these lines that begin, and end, in the same place
_LARGEST = 0.45  # of the picture's side that a bar may take
_SMALLEST = 2  # lines


def find_borders(rgb: Frame) -> tuple[int, int, int, int]:
    """The box (left, top, right, bottom) of a picture without the bars of one colour around it.

    A bar begins at the rim, its lines have one colour but for writing, and it ends along a straight line. A plain wall
    behind a person ends nowhere or along the person's outline, and is left.

    Args:
        rgb: uint8 [H, W, 3].
    """
    left, top, right, bottom = 0, 0, rgb.shape[1], rgb.shape[0]
    for _ in range(2):  # what is left after one bar may have another, of another colour
        inner = rgb[top:bottom, left:right]
        top, bottom = top + _bar(inner), bottom - _bar(inner[::-1])
        inner = rgb[top:bottom, left:right].swapaxes(0, 1)
        left, right = left + _bar(inner), right - _bar(inner[::-1])
    return left, top, right, bottom


def _bar(rgb: Frame) -> int:
    """Thickness in lines of the bar along the upper side, 0 where there is none."""
    limit = int(_LARGEST * len(rgb))
    part = rgb[: limit + _EDGE + _DEPTH].astype(np.int16)
    if limit <= _SMALLEST or len(part) < _SMALLEST + _EDGE + _DEPTH:
        return 0
    colour = np.median(part[:_SMALLEST].reshape(-1, 3), axis=0)
    difference = np.abs(part - colour).max(axis=-1).astype(np.float64)
    same: BoolArray = difference <= _TOLERANCE
    share = same.mean(axis=1)
    ends = max(1, round(_ENDS * same.shape[1]))
    free_ends = (same[:, :ends].mean(axis=1) > 0.8) & (same[:, -ends:].mean(axis=1) > 0.8)
    plain = (share >= _BAR) & (free_ends | (share > _WHOLE))
    thickness = int(np.argmin(np.append(plain, False)))
    # Where bars at the sides have the same colour, the picture's own lines may hold much of it too.
    for end in range(_SMALLEST, min(thickness, limit) + 1):
        inside = slice(end + _EDGE, end + _EDGE + _DEPTH)
        if share[end - 1] - share[inside].max() > 0.2 and _is_edge(same[inside], difference[end + _EDGE]):
            edge = slice(end, end + _EDGE + 2)
            off, own = np.median(difference[edge], axis=1), np.median(difference[edge.stop])
            blurred = np.flatnonzero((share[edge] > share[inside].max()) | (off < _BLURRED * own))
            return end + (int(blurred[-1]) + 1 if len(blurred) else 0)
    return 0


def _is_edge(same: BoolArray, difference: DoubleArray) -> bool:
    """Whether a picture begins here: lines of its own, with straight ends, unlike the bar.

    Args:
        same: which pixels of the lines [N, W] have the bar's colour.
        difference: of the first of them from the bar's colour, grey levels [W].
    """
    if same.all(axis=1).any():
        return False
    first, last = np.argmin(same, axis=1), same.shape[1] - 1 - np.argmin(same[:, ::-1], axis=1)
    for ends in (first, last):
        if (np.abs(ends - np.median(ends)) <= 2).mean() < _STRAIGHT:
            return False
    own = slice(int(np.median(first)), int(np.median(last)) + 1)
    return bool(same[:, own].mean() < _INSIDE and np.median(difference[own]) > _CONTRAST)
