"""Baselines of stage 2, which animate the person of one picture, and their registry.

To add a baseline: a file, and a line in ``BASELINES``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from stgmamba.arrays import Frame
from stgmamba.evaluation.video.baselines.body import Body3D
from stgmamba.evaluation.video.baselines.still import StaticImage
from stgmamba.limb_warp.renderer import IDENTITY_VIEW, LimbWarpRenderer, View
from stgmamba.limb_warp.retargeting import PhotoBody, Placement
from stgmamba.person.picture import Picture
from stgmamba.person.pose import DetectedPerson


class Baseline(Protocol):
    """An animator of the person of one picture."""

    @property
    def body(self) -> PhotoBody:
        """The person's body, in pixels of the frames."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the frames."""

    def render_placement(self, placement: Placement, view: View = IDENTITY_VIEW) -> Iterator[Frame]:
        """One uint8 frame [H, W, 3] per frame of a placement, cropped and scaled to a view of the picture."""


BuildBaseline = Callable[[Picture, DetectedPerson, int], Baseline]
"""Called as build(picture, person, height of the frames)."""

BASELINES: dict[str, BuildBaseline] = {
    "body": Body3D,
    "limb_warp": LimbWarpRenderer,
    "copy": StaticImage,
}
