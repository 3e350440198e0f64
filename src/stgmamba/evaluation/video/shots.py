"""Where a clip stops being one shot: hard cuts and cross-fades."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np

from stgmamba.arrays import FloatArray, Frame

_WIDTH = 32  # of a thumbnail, pixels
_CHANGED = 12.0  # grey levels by which a pixel has changed, averaged over the colours
_CUT = 0.4  # share of changed pixels from one frame to the next
_SUDDEN = 3.0  # times as many as between the frames before and after
_FADE = 0.3  # share of changed pixels over a fade
_MIXTURE = 0.4  # what a mixture of the frames around may leave unexplained in the middle of a fade
_REACH = 8  # frames from the middle of a fade to the frames it is a mixture of


def thumbnail(frame: Frame) -> FloatArray:
    """A frame at 32 pixels of width, float32."""
    height = max(1, round(_WIDTH * frame.shape[0] / frame.shape[1]))
    return np.asarray(cv2.resize(frame, (_WIDTH, height), interpolation=cv2.INTER_AREA), np.float32)


def first_break(thumbnails: FloatArray) -> tuple[int, str] | None:
    """Where the first shot ends, and how.

    A cut changes much of the picture from one frame to the next and little before and after. In a cross-fade a frame is
    a mixture of the frames before and after it, which differ in much of the picture; motion leaves frames that no
    mixture explains.

    Args:
        thumbnails: float32 [T, h, w, 3], of successive frames.

    Returns:
        The first frame that is not of the first shot any more, and ``cut`` or ``cross-fade``; None where all are.
    """
    ends = [end for end in (_first_cut(thumbnails), _first_fade(thumbnails)) if end is not None]
    return min(ends, default=None)


def _first_cut(thumbnails: FloatArray) -> tuple[int, str] | None:
    steps = np.asarray([_share_changed(a, b) for a, b in pairwise(thumbnails)])
    for i in np.flatnonzero(steps > _CUT):
        around = np.concatenate([steps[max(0, i - 2) : i], steps[i + 1 : i + 3]])
        if steps[i] > _SUDDEN * around.max(initial=0.0):
            return int(i) + 1, "cut"
    return None


def _first_fade(thumbnails: FloatArray) -> tuple[int, str] | None:
    for t in range(_REACH, len(thumbnails) - _REACH):
        before, frame, after = thumbnails[t - _REACH], thumbnails[t], thumbnails[t + _REACH]
        if _share_changed(before, after) < _FADE:
            continue
        way = after - before
        share = float((way * (frame - before)).sum() / np.square(way).sum())
        rest = float(np.sqrt(np.square(frame - before - share * way).mean() / np.square(way).mean()))
        if 0.25 < share < 0.75 and rest < _MIXTURE:
            return max(1, t - 2 * _REACH), "cross-fade"
    return None


def _share_changed(a: FloatArray, b: FloatArray) -> float:
    return float((np.abs(a - b).mean(axis=-1) > _CHANGED).mean())
