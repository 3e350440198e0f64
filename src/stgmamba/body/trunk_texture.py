"""Texture of trunk and legs: what arms hide of the front, the back, and the hair that falls on it."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from stgmamba.arrays import BoolArray, DoubleArray, FloatArray
from stgmamba.body.photo_texels import (
    GAP_DIFFERENCE,
    PhotoTexels,
    colour_difference,
    mixed,
    nearest_along_row,
    of_trunk,
)
from stgmamba.body.template import KEYPOINTS, TORSO

SEEN_THROUGH = 0.15
"""Weight of colours that are not seen: those of what is seen before them, or beside."""

_HAND_COLOUR = 0.14  # metres round a hand in which skin on the trunk is taken for the hand's
_HAND_SKIN = 16.0  # in CIELAB, within which a colour there is skin
_MOST = 0.7  # of a patch of skin, which belongs to an arm if so much of it is near one
_LIGHTNESS_SHARE = 0.35  # of differences in lightness: shade changes it and the material does not
_ALL_ROUND, _ALONG_ROW = [[1, 1, 1], [1, 1, 1], [1, 1, 1]], [[0, 0, 0], [1, 1, 1], [0, 0, 0]]  # neighbours of a pixel
_SHADE = 0.75  # of the average lightness, below which an arm shades what is beside it
_PATTERN = 1.5  # standard deviations below the average that a pattern explains
_AVERAGE = 0.1  # metres of a row over which colours are averaged that stand for hidden ones


class _Front:
    """The photo's front of trunk and legs, hidden places filled along the row.

    Args:
        photo: the photo.
        skin: colour [3] of the person's skin.
    """

    def __init__(self, photo: PhotoTexels, skin: FloatArray) -> None:
        self._photo = photo
        height, width = photo.parts.shape
        y, x = np.mgrid[:height, :width]
        pixels = (np.stack([x.ravel(), y.ravel()], axis=1) + 0.5) / photo.buffer.zoom - 0.5
        colours = photo.sample(pixels)
        shown = of_trunk(photo.parts) & ~photo.near_arms & ~self._of_arms(colours, pixels, skin)
        self._colours = colours.reshape(height, width, 3)
        shaded = photo.beside_arms & self._darker(shown)
        self._shown = next((part for part in (shown & ~shaded, shown) if part.any()), of_trunk(photo.parts))
        self._average = self._averaged(self._colours, self._shown)
        self._nearest = nearest_along_row(self._shown)

    def _averaged(self, values: FloatArray, known: BoolArray) -> FloatArray:
        """Averages along the row of values [H, W, C] at known pixels."""
        reach = max(1, round(_AVERAGE * self._photo.fitted.pixels_per_metre * self._photo.buffer.zoom))
        weight = known.astype(np.float32)
        total = cv2.blur(weight, (reach, 1))[..., None]
        return np.asarray(
            cv2.blur(values * weight[..., None], (reach, 1)).reshape(values.shape) / np.maximum(total, 1e-6)
        )

    def _darker(self, known: BoolArray) -> BoolArray:
        """Pixels [H, W] darker than what is beside them, by more than its pattern explains."""
        lightness = self._colours.mean(axis=2, keepdims=True)
        mean, square = (self._averaged(values, known) for values in (lightness, lightness**2))
        deviation = np.sqrt(np.maximum(square - mean**2, 0))
        return np.asarray((lightness < np.minimum(_SHADE * mean, mean - _PATTERN * deviation))[..., 0])

    def _of_arms(self, colours: FloatArray, pixels: DoubleArray, skin: FloatArray) -> BoolArray:
        """Pixels [H, W] near arms that show a bare arm or hand, or the background in a gap that the mask missed."""
        photo = self._photo
        shape = photo.parts.shape
        points = [KEYPOINTS.index(f"{side}_hand") for side in ("left", "right")]
        hands = photo.fitted.to_pixels(photo.fitted.keypoints[points])
        reach = _HAND_COLOUR * photo.fitted.pixels_per_metre
        near_hand = (np.linalg.norm(pixels[:, None] - hands, axis=2).min(axis=1) < reach).reshape(shape)
        bare = (colour_difference(colours, skin, _LIGHTNESS_SHARE) < _HAND_SKIN).reshape(shape)
        background = cv2.resize(photo.background_difference, shape[::-1], interpolation=cv2.INTER_NEAREST)
        beside = photo.beside_arms
        bare &= of_trunk(photo.parts)
        of_arms = _mostly_within(bare, near_hand | beside, _ALL_ROUND)
        of_arms |= _mostly_within(bare, beside, _ALONG_ROW)  # a bare arm beside a bare shoulder
        return np.asarray(of_arms | (beside & (background < GAP_DIFFERENCE)))

    def shown(self, pixels: NDArray[Any]) -> BoolArray:
        """Whether the photo shows trunk or legs at pixels [N, 2], and no arm nor its shade may be seen there."""
        return np.asarray(self._shown[self._at(pixels)])

    def sample(self, pixels: NDArray[Any]) -> FloatArray:
        """Colours [N, 3] at pixels [N, 2] of the picture, or where they are hidden, of what is beside them.

        The average of what is beside gives the colour, since arms cast shade, and its mirror image the pattern.
        """
        rows, columns = self._at(pixels)
        row, column = self._nearest[:, rows, columns]
        mirrored = np.clip(2 * column - columns, 0, self._shown.shape[1] - 1)
        pattern = (self._colours - self._average)[row, mirrored] * self._shown[row, mirrored][:, None]
        beside = np.clip(self._average[row, column] + pattern, 0, 255)
        return np.where(self._shown[rows, columns, None], self._photo.sample(pixels), beside)

    def _at(self, pixels: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows and columns of the buffer at pixels of the picture."""
        buffer = self._photo.buffer
        return buffer.nearest((pixels + 0.5) * buffer.zoom - 0.5)


def _mostly_within(region: BoolArray, area: BoolArray, neighbours: list[list[int]]) -> BoolArray:
    """The connected parts [H, W] of a region of which most lies in an area: an arm's skin, and not a bare leg's."""
    labels, count = ndimage.label(region, neighbours)
    total = np.bincount(labels.ravel(), minlength=count + 1)
    inside = np.bincount(labels[area], minlength=count + 1)
    within = inside > _MOST * total
    within[0] = False
    return np.asarray(within[labels])


def complete_trunk(
    photo: PhotoTexels, colour: FloatArray, weight: DoubleArray, skin: FloatArray
) -> tuple[FloatArray, DoubleArray]:
    """Colours [N, 3] and weights [N] of texels with the back of the trunk, and with what arms hide.

    Args:
        photo: the photo.
        colour: of the texels at their pixels.
        weight: how far they are seen, 0..1.
        skin: colour [3] of the person's skin.
    """
    front = _Front(photo, skin)
    trunk, back = of_trunk(photo.part), _backness(photo)
    beside = mixed(front.sample(photo.pixels), _back_colours(photo, front), back)
    known = np.clip(weight / SEEN_THROUGH, 0, 1) * (1 - back) * front.shown(photo.pixels)
    return (
        np.where(trunk[:, None], mixed(beside, colour, known), colour),
        np.where(trunk, np.maximum(weight, SEEN_THROUGH), weight),
    )


def _backness(photo: PhotoTexels) -> DoubleArray:
    """How far a texel belongs to the back of the trunk, [N] in 0..1."""
    return np.asarray(np.clip((0.1 - photo.normals[:, 2]) / 0.3, 0, 1) * (photo.part == TORSO))


def _back_colours(photo: PhotoTexels, front: _Front) -> FloatArray:
    """Colours [N, 3] for the back of the trunk from the front's flanks, where no zip, button or neckline is.

    A place at a part x in -1..1 of the trunk's half width takes the colour at +-(0.42 + 0.52 |x|).
    """
    trunk = of_trunk(photo.parts)
    any_trunk = trunk.any(axis=1)
    low = np.where(any_trunk, trunk.argmax(axis=1), 0)
    high = np.where(any_trunk, trunk.shape[1] - 1 - trunk[:, ::-1].argmax(axis=1), 0)
    centre = ((low + high) / 2)[photo.rows]
    half = np.maximum(((high - low) / 2)[photo.rows], 1)
    zoom = photo.buffer.zoom
    x = ((photo.pixels[:, 0] + 0.5) * zoom - 0.5 - centre) / half
    side = np.where(x < 0, -1.0, 1.0)
    flank = side * (0.42 + 0.52 * np.abs(x)) * half

    def at(column: DoubleArray) -> FloatArray:
        return front.sample(np.stack([(column + 0.5) / zoom - 0.5, photo.pixels[:, 1]], axis=1))

    # Both flanks meet in the middle of the back.
    return mixed(at(centre + flank), at(centre - flank), 0.5 * np.clip(1 - np.abs(x) / 0.15, 0, 1))
