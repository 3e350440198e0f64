"""Baseline ``copy``: the condition itself, for every pose."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from stgmamba.arrays import Frame
from stgmamba.evaluation.video.scenes import resized
from stgmamba.limb_warp.letterbox import scaled_size
from stgmamba.limb_warp.renderer import IDENTITY_VIEW, View
from stgmamba.limb_warp.retargeting import Placement, measure_body
from stgmamba.person.picture import Picture
from stgmamba.person.pose import DetectedPerson


class StaticImage:
    """Returns the picture for every pose.

    Args:
        picture: the condition.
        person: detected in it.
        size: height of the frames, pixels.
    """

    def __init__(self, picture: Picture, person: DetectedPerson, size: int) -> None:
        self.size = scaled_size(picture.size, size)
        self._rgb = resized(picture.rgb, self.size)
        self.body = measure_body(person.skeleton).scaled(self.size[1] / picture.size[1])

    def render_placement(self, placement: Placement, view: View = IDENTITY_VIEW) -> Iterator[Frame]:
        """The view of the picture, for every frame of the placement."""
        zoom, origin = view
        matrix = np.asarray([[zoom, 0, -origin.real * zoom], [0, zoom, -origin.imag * zoom]])
        frame = cv2.warpAffine(self._rgb, matrix, self.size, borderMode=cv2.BORDER_REFLECT_101)
        for _ in range(len(placement.points)):
            yield np.asarray(frame)
