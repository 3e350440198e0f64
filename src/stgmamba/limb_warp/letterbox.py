"""Letterboxing: frames of one aspect ratio in a video of another, uncropped, on an enlarged and blurred copy."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from stgmamba.arrays import Frame
from stgmamba.renderer import Renderer
from stgmamba.skeleton.sequence import Skeleton


def scaled_size(size: tuple[int, int], height: int) -> tuple[int, int]:
    """(width, height), both even, of frames of a size (width, height) scaled to another height."""
    even = max(2, round(height / 2) * 2)
    return max(2, round(size[0] * even / size[1] / 2) * 2), even


def fitting_height(size: tuple[int, int], frame_size: tuple[int, int]) -> int:
    """The largest even height to which a picture of ``size`` can be scaled within ``frame_size``, (width, height)."""
    width, height = size
    fitting = frame_size[1] // 2 * 2
    while fitting > 2 and round(width * fitting / height / 2) * 2 > frame_size[0]:
        fitting -= 2
    return fitting


class Letterbox:
    """A renderer that centres another's frames in larger ones.

    Args:
        inner: the other renderer; its frames are no larger than ``size``.
        size: (width, height) of the frames.
    """

    def __init__(self, inner: Renderer, size: tuple[int, int]) -> None:
        self._inner = inner
        self.size = size

    def frames(self, dance: Skeleton) -> Iterator[Frame]:
        """One frame per frame of the dance, lazily; uint8 [H, W, 3], or [H, W, 4] with alpha as the other's are."""
        border: Frame | None = None
        for frame in self._inner.frames(dance):
            if border is None:
                # Of the first frame only: a moving border would distract.
                transparent = np.zeros((self.size[1], self.size[0], 4), np.uint8)
                border = transparent if frame.shape[2] == 4 else blurred_cover(frame, self.size)
            full = border.copy()
            height, width = frame.shape[:2]
            left, top = (self.size[0] - width) // 2, (self.size[1] - height) // 2
            full[top : top + height, left : left + width] = frame
            yield full


def blurred_cover(frame: Frame, size: tuple[int, int]) -> Frame:
    """The frame enlarged until it covers size (width, height), blurred and a little darker."""
    height, width = frame.shape[:2]
    scale = max(size[0] / width, size[1] / height)
    covering = cv2.resize(frame, (int(np.ceil(width * scale)), int(np.ceil(height * scale))))
    top, left = (covering.shape[0] - size[1]) // 2, (covering.shape[1] - size[0]) // 2
    cropped = covering[top : top + size[1], left : left + size[0]]
    blurred = cv2.GaussianBlur(cropped, (0, 0), max(size) / 30)
    return np.asarray(blurred * 0.75, np.uint8)
