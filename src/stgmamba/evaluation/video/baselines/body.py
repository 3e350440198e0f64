"""The person as a 3-D body, or as limbs where no body fits the picture: what ``--body auto --quality fast`` draws."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from stgmamba.arrays import Frame
from stgmamba.body.avatar import make_avatar
from stgmamba.body.quality import find_fault
from stgmamba.body.renderer import BodyRenderer
from stgmamba.limb_warp.renderer import IDENTITY_VIEW, LimbWarpRenderer, View
from stgmamba.limb_warp.retargeting import Placement, measure_body
from stgmamba.person.picture import Picture
from stgmamba.person.pose import DetectedPerson


class Body3D:
    """Draws the person of one picture as a 3-D body where one fits.

    Args:
        picture, person, size: see `LimbWarpRenderer`.

    Raises:
        InputError: the picture shows no shoulder.
    """

    def __init__(self, picture: Picture, person: DetectedPerson, size: int) -> None:
        avatar = make_avatar(picture, person)
        fits = find_fault(avatar, person) is None
        self._renderer: BodyRenderer | LimbWarpRenderer = (
            BodyRenderer(picture, person, avatar, size) if fits else LimbWarpRenderer(picture, person, size)
        )
        self.size = self._renderer.size
        self.body = measure_body(person.skeleton).scaled(self.size[1] / picture.size[1])

    def render_placement(self, placement: Placement, view: View = IDENTITY_VIEW) -> Iterator[Frame]:
        """One uint8 frame [H, W, 3] per frame of a placement, see `BodyRenderer`."""
        if isinstance(self._renderer, BodyRenderer):
            order = self.body.joint_order  # exchanges left and right of who is seen from behind
            placement = replace(
                placement,
                points=placement.points[:, order],
                depth=placement.depth[:, order],
                magnification=placement.magnification[:, order],
            )
        return self._renderer.render_placement(placement, view)
