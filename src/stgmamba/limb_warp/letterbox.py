"""Frames of one shape in a video of another: nothing cut off, the sides filled with a large, blurred copy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import cv2
import numpy as np

from stgmamba.arrays import Frame
from stgmamba.skeleton.sequence import Skeleton


class Renderer(Protocol):
    """Anything that draws a dance."""

    def frames(self, dance: Skeleton) -> Iterator[Frame]:
        """One frame per frame of the dance; uint8 [H, W, 3]."""


def frame_size(shape: tuple[int, int], size: int) -> tuple[int, int]:
    """(width, height) of frames of a height, both even, of the given shape (width, height)."""
    high = max(2, round(size / 2) * 2)
    return max(2, round(shape[0] * high / shape[1] / 2) * 2), high


def inner_height(shape: tuple[int, int], size: tuple[int, int]) -> int:
    """The largest even height at which a picture of the given shape (width, height) fits into size (width, height)."""
    width, height = shape
    inner = size[1] // 2 * 2
    while inner > 2 and round(width * inner / height / 2) * 2 > size[0]:
        inner -= 2
    return inner


class Letterbox:
    """A renderer whose frames are another's in the middle of a larger one.

    Args:
        inner: the renderer; neither side larger than that of ``size``.
        size: (width, height) of the frames to make.
    """

    def __init__(self, inner: Renderer, size: tuple[int, int]) -> None:
        self._inner = inner
        self.size = size

    def frames(self, dance: Skeleton) -> Iterator[Frame]:
        """One frame per frame of the dance, lazily; uint8 [H, W, 3]."""
        surround: Frame | None = None
        for frame in self._inner.frames(dance):
            if surround is None:
                # Made once: sides that move with the dance would draw the eye.
                surround = blurred_cover(frame, self.size)
            full = surround.copy()
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
    cut = covering[top : top + size[1], left : left + size[0]]
    soft = cv2.GaussianBlur(cut, (0, 0), max(size) / 30)
    return np.asarray(soft * 0.75, np.uint8)
