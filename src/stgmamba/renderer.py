"""What every renderer of dances has in common."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from stgmamba.arrays import Frame
from stgmamba.skeleton import Skeleton


class Renderer(Protocol):
    """Draws one person; constructed once per video, then given the dance."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of its frames in pixels."""

    def frames(self, dance: Skeleton) -> Iterator[Frame]:
        """One uint8 frame, RGB [H, W, 3] or RGBA [H, W, 4], per frame of ``dance`` (3-D, OPENPOSE_18_FEET, metres)."""
