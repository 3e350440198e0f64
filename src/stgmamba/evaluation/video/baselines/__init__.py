"""Who makes frames of a person from one picture and poses: the registry of methods that are compared.

Add one by a file of its own and a line in ``BASELINES``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from stgmamba.arrays import Frame
from stgmamba.evaluation.video.baselines.still import StaticImage
from stgmamba.limb_warp.renderer import IDENTITY_VIEW, LimbWarpRenderer, View
from stgmamba.limb_warp.retargeting import PhotoBody, Placement
from stgmamba.person.picture import Picture
from stgmamba.person.pose import DetectedPerson


class Baseline(Protocol):
    """The person of one picture, ready to be moved."""

    @property
    def body(self) -> PhotoBody:
        """The person, measured in the frames' pixels."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the frames."""

    def render_placement(self, placement: Placement, view: View = IDENTITY_VIEW) -> Iterator[Frame]:
        """One uint8 frame [H, W, 3] per frame of a placement, of the view's part of the picture."""


BuildBaseline = Callable[[Picture, DetectedPerson, int], Baseline]
"""Makes a reenactor from a picture, the person in it, and the height of its frames."""

BASELINES: dict[str, BuildBaseline] = {
    "limb_warp": LimbWarpRenderer,
    "copy": StaticImage,
}
