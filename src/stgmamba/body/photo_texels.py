"""What one photo shows of a fitted body: the texels of its texture, and what the photo says of each of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from stgmamba.arrays import BoolArray, DoubleArray, FloatArray, Frame, unit
from stgmamba.body.fitting import FittedBody
from stgmamba.body.outline import OrthographicBuffer
from stgmamba.body.template import ARMS, HEAD, KEYPOINTS, LEGS, SIDES, TORSO, load_template
from stgmamba.characters.raster import rasterize, vertex_normals
from stgmamba.limb_warp.inpainting import push_pull

SIZE = 1024
"""Side of the texture in texels."""

GAP_DIFFERENCE = 10.0
"""Difference in CIELAB within which a colour is like the background's."""

_CORE = 0.006  # of the person's height: colours nearer to the outline contain background
_LEAST_HEIGHT = 600  # pixels of the person in the visibility buffer
_RIM_INSET = 0.012  # metres by which texels at the rim are sampled further inside
_HEAD_INSET = 0.004
_ARM_SHADOW, _HAND_SHADOW = 0.015, 0.045  # metres round arms and hands in which the trunk's colours are not trusted
_SHOULDER = 0.1  # metres round the joint
_ROW_DISTANCE = 20.0  # of one place up or down, in places of a row: hems and waists are level
_GAP = 0.05  # metres round arms in which colours like the background's are taken for gaps that the mask missed


@dataclass(frozen=True)
class Texels:
    """Texels of the atlas that lie on the surface, N of them.

    Attributes:
        rows, columns: in the atlas, [N].
        corners: vertices of the triangle, [N, 3].
        weights: their barycentric weights, [N, 3].
    """

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    corners: NDArray[np.int64]
    weights: FloatArray

    def interpolate(self, values: NDArray[Any]) -> FloatArray:
        """Values [N, C] of vertices [V, C]."""
        single = values.astype(np.float32)
        return np.asarray(sum(self.weights[:, k, None] * single[self.corners[:, k]] for k in range(3)))


@lru_cache(maxsize=1)
def texels() -> Texels:
    """The texels of the template's texture."""
    template = load_template()
    xy = (template.uv * (1, -1) + (0, 1)) * SIZE
    triangle = np.full((SIZE, SIZE), -1, np.int32)
    weights = np.zeros((SIZE, SIZE, 2), np.float32)
    rasterize(
        xy.astype(np.float32),
        np.ones(len(xy), np.float32),
        template.uv_triangles,
        np.zeros(len(xy), bool),
        np.zeros((SIZE, SIZE), np.float32),
        triangle,
        weights,
    )
    rows, columns = np.nonzero(triangle >= 0)
    first = weights[rows, columns]
    barycentric = np.concatenate([first, 1 - first.sum(axis=1, keepdims=True)], axis=1)
    return Texels(rows, columns, template.triangles[triangle[rows, columns]].astype(np.int64), barycentric)


def foreground_colours(rgb: Frame, mask: FloatArray) -> FloatArray:
    """The picture's colours [H, W, 3], float32 0..255, with those of the person's core spread over the rest."""
    rows = np.nonzero(mask.max(axis=1) > 0.5)[0]
    inset = max(1, round(float(np.ptp(rows)) * _CORE)) if len(rows) else 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * inset + 1, 2 * inset + 1))
    core = cv2.erode((mask > 0.9).astype(np.uint8), kernel)
    if not core.any():
        core = (mask > 0.5).astype(np.uint8)
    return push_pull(rgb.astype(np.float32), core.astype(np.float32))


def _background_difference(rgb: Frame, mask: FloatArray) -> FloatArray:
    """Difference [H, W] in CIELAB of the picture's colours from the background's, spread under the person."""
    outside = cv2.erode((mask < 0.05).astype(np.uint8), np.ones((5, 5), np.uint8)).astype(np.float32)
    if not outside.any():
        return np.full(mask.shape, np.inf, np.float32)
    background = push_pull(rgb.astype(np.float32), outside)
    lab = [cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB) for image in (rgb, background)]
    return np.asarray(np.linalg.norm(lab[0] - lab[1], axis=2))


class PhotoTexels:
    """The photo as texels see it.

    Attributes:
        positions, normals: of the texels, [N, 3].
        pixels: in the picture, [N, 2]; those of the rim a little further inside.
        same_part: whether the photo shows the texel's part of the body at its pixel, [N].
        behind: metres between a texel and the surface before it, [N].
        part, bone: of the texels, [N].
        parts: the part that is seen at a pixel of ``buffer``, [H, W]; -1 where there is none.
        background_difference: of the photo's colours, in CIELAB from the background's, [height, width] of the photo.
        occluded: whether another limb casts doubt on the colour at the pixel, [N].
    """

    def __init__(self, fitted: FittedBody, vertices: FloatArray, rgb: Frame, mask: FloatArray) -> None:
        template, surface = load_template(), texels()
        self.fitted, self.vertices = fitted, vertices
        self._colours = foreground_colours(rgb, mask)
        self.background_difference = _background_difference(rgb, mask)
        size = (mask.shape[1], mask.shape[0])
        least = _LEAST_HEIGHT / np.ptp(vertices[:, 1])
        self.buffer = OrthographicBuffer(fitted, vertices, size, max(fitted.pixels_per_metre, least))
        self.positions = surface.interpolate(vertices)
        self.normals: DoubleArray = unit(surface.interpolate(vertex_normals(vertices, template.triangles)))
        self.part, self.bone = template.part[surface.corners[:, 0]], template.main_bone[surface.corners[:, 0]]

        rows, columns = self.buffer.nearest(self.buffer.at(self.positions))
        self.rows, self.columns = rows, columns
        self.behind = self.buffer.depth[rows, columns] - self.positions[:, 2]
        self.parts = self.buffer.of_triangles(template.part)
        self.same_part = self.parts[rows, columns] == self.part
        self.occluded = self._occluded()[rows, columns] | (self.near_arms[rows, columns] & of_trunk(self.part))
        self.pixels = self._inset_pixels()
        self.occluded |= self._in_gap()

    def look_below(self, height: float) -> None:
        """Let texels of legs above a height, metres, have the pixels of the legs there."""
        legs = np.isin(self.part, LEGS) & (self.positions[:, 1] > height)
        lowered = self.positions[legs] * (1, 0, 1) + (0, height, 0)
        self.pixels[legs, 1] = self.fitted.to_pixels(lowered)[:, 1]

    def _occluded(self) -> BoolArray:
        """Pixels [H, W] at which parts of different depth meet."""
        depth = self.buffer.depth
        jump = ndimage.maximum_filter(np.where(self.parts >= 0, depth, -99), 5) - ndimage.minimum_filter(
            np.where(self.parts >= 0, depth, 99), 5
        )
        meet = ndimage.maximum_filter(self.parts, 5) != ndimage.minimum_filter(
            np.where(self.parts < 0, 99, self.parts), 5
        )
        return np.asarray(meet & (jump > 0.06))

    @cached_property
    def near_arms(self) -> BoolArray:
        """Pixels [H, W] so near to an arm or a hand that the trunk shows its shade or edge."""
        template = load_template()
        arms = np.isin(self.parts, ARMS) & ~self._near_shoulders()
        hands = np.isin(
            self.buffer.of_triangles(template.main_bone), [template.bone("leftHand"), template.bone("rightHand")]
        )
        return self.grown(arms, _ARM_SHADOW) | self.grown(hands, _HAND_SHADOW)

    def _near_shoulders(self) -> BoolArray:
        """Pixels [H, W] at which an arm goes over into the trunk and hides nothing of it."""
        height, width = self.parts.shape
        rows, columns = np.mgrid[:height, :width]
        result = np.zeros((height, width), bool)
        for side in SIDES:
            joint = self.buffer.at(self.fitted.keypoints[KEYPOINTS.index(f"{side}_shoulder")])
            reach = _SHOULDER * self.fitted.pixels_per_metre * self.buffer.zoom
            result |= (columns - joint[0]) ** 2 + (rows - joint[1]) ** 2 < reach**2
        return result

    @cached_property
    def beside_arms(self) -> BoolArray:
        """Pixels [H, W] so near to an arm that the mask may have missed a gap, or the arm may be seen there."""
        return self.grown(np.isin(self.parts, ARMS), _GAP)

    def _in_gap(self) -> BoolArray:
        """Texels [N] of the trunk and the legs that show the background between them and an arm."""
        near = self.beside_arms[self.rows, self.columns]
        height, width = self.background_difference.shape
        x, y = np.clip(np.rint(self.pixels).astype(int), 0, (width - 1, height - 1)).T
        like = self.background_difference[y, x] < GAP_DIFFERENCE
        return np.asarray(near & like & of_trunk(self.part))

    def grown(self, region: BoolArray, metres: float) -> BoolArray:
        """A region [H, W] of the buffer with what lies within a distance of it."""
        reach = max(1, round(metres * self.fitted.pixels_per_metre * self.buffer.zoom))
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
        return np.asarray(cv2.dilate(region.astype(np.uint8), kernel) > 0)

    def _inset_pixels(self) -> DoubleArray:
        flat = self.normals[:, :2] * (1, -1)
        flat /= np.linalg.norm(flat, axis=1, keepdims=True) + 1e-9
        steep = np.abs(self.normals[:, 2])
        face = (self.part == HEAD) & (self.normals[:, 2] > 0.1)
        inset = np.where(
            face, _HEAD_INSET * np.clip(1 - steep / 0.3, 0, 1) ** 2, _RIM_INSET * np.clip(1 - steep, 0, 1) ** 2
        )
        return np.asarray(
            self.fitted.to_pixels(self.positions) - flat * (inset * self.fitted.pixels_per_metre)[:, None]
        )

    def sample(self, pixels: NDArray[Any]) -> FloatArray:
        """Foreground colours [N, 3] at pixels [N, 2] of the picture, bilinear."""
        rows = -(-len(pixels) // 1024)  # remap does not take pictures of any width
        padded = np.zeros((rows * 1024, 2), np.float32)
        padded[: len(pixels)] = pixels
        x, y = padded.reshape(rows, 1024, 2).transpose(2, 0, 1)
        colours = cv2.remap(self._colours, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(colours.reshape(-1, 3)[: len(pixels)])

    def sample_points(self, points: NDArray[Any]) -> FloatArray:
        """Foreground colours [N, 3] at points [N, 2 or 3] in metres."""
        return self.sample(self.fitted.to_pixels(points))


def of_trunk(parts: NDArray[np.int64]) -> BoolArray:
    """Whether parts [...] are the trunk or a leg."""
    return np.isin(parts, (TORSO, *LEGS))


def nearest_along_row(known: BoolArray) -> NDArray[np.int32]:
    """Row and column [2, H, W] of the nearest known place of each, in the same row rather than in others."""
    return np.asarray(
        ndimage.distance_transform_edt(
            ~known, sampling=(_ROW_DISTANCE, 1.0), return_distances=False, return_indices=True
        ),
        np.int32,
    )


def mixed(colours: FloatArray, others: FloatArray, share: NDArray[Any]) -> FloatArray:
    """Colours [N, 3] with a share [N] of others."""
    return np.asarray(colours + (others - colours) * share[:, None], np.float32)


def lab(colours: NDArray[Any]) -> FloatArray:
    """CIELAB [N, 3] of colours [N, 3] in 0..255."""
    return np.asarray(cv2.cvtColor((np.asarray(colours, np.float32).reshape(1, -1, 3) / 255), cv2.COLOR_RGB2LAB)[0])


def colour_difference(colours: NDArray[Any], reference: FloatArray, lightness: float) -> FloatArray:
    """Difference [N] in CIELAB of colours [N, 3] from one colour [3], with a share of that in lightness."""
    off = (lab(colours) - lab(reference)) * np.asarray([lightness, 1, 1], np.float32)
    return np.asarray(np.linalg.norm(off, axis=1))
