"""Who makes frames of a person from one picture and poses: the registry of methods that are compared.

Add one by a file of its own and a line in ``REENACTORS``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from stgmamba.evaluation.video.baselines.still import Still
from stgmamba.limb_warp.renderer import STILL, LimbWarpRenderer, View
from stgmamba.limb_warp.retargeting import PhotoBody, Placement
from stgmamba.person.picture import Picture
from stgmamba.person.pose import PersonInPicture

Frame = NDArray[np.uint8]


class Reenactor(Protocol):
    """The person of one picture, ready to be moved."""

    @property
    def body(self) -> PhotoBody:
        """The person, measured in the frames' pixels."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the frames."""

    def frames_of(self, placement: Placement, view: View = STILL) -> Iterator[Frame]:
        """One uint8 frame [H, W, 3] per frame of a placement, of the view's part of the picture."""


Build = Callable[[Picture, PersonInPicture, int], Reenactor]
"""Makes a reenactor from a picture, the person in it, and the height of its frames."""

REENACTORS: dict[str, Build] = {
    "limb_warp": LimbWarpRenderer,
    "copy": Still,
}
