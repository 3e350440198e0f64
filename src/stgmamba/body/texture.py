"""Texture of a body from one photo: what it shows, and what it does not show completed.

Texels that face the camera take the photo's colour. The back repeats the photo's pixel of the same part seen through
the body, so that no seam shows at the outline (Weng et al., "Photo Wake-Up", CVPR 2019), except where that would copy a
face, a neckline or a button: the back of the head is hair, the back of the trunk comes from the front's flanks, hands
are skin. What remains unknown is interpolated over the mesh.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse

from stgmamba.arrays import BoolArray, DoubleArray, FloatArray, Frame, unit
from stgmamba.body.fitting import FittedBody
from stgmamba.body.outline import OrthographicBuffer, symmetric_solver
from stgmamba.body.template import HEAD, KEYPOINTS, LEFT_ARM, LEFT_LEG, RIGHT_ARM, RIGHT_LEG, TORSO, load_template
from stgmamba.characters.raster import rasterize, vertex_normals
from stgmamba.limb_warp.inpainting import push_pull

SIZE = 1024
"""Side of the texture in texels."""

_CORE = 0.006  # of the person's height: colours nearer to the outline contain background
_LEAST_HEIGHT = 600  # pixels of the person in the visibility buffer
_SEEN_THROUGH = 0.15  # weight of colours that are seen through the body
_RIM_INSET = 0.012  # metres by which texels at the rim are sampled further inside
_HEAD_INSET = 0.004
_ARM_SHADOW, _HAND_SHADOW = 0.015, 0.045  # metres round arms and hands in which the trunk's colours are not trusted
_HAND_COLOUR = 0.14  # metres round a hand in which skin on the trunk is taken for the hand's
_GAP = 0.05  # metres round arms in which colours like the background's are taken for gaps that the mask missed
_GAP_DIFFERENCE = 10.0  # in CIELAB, within which a colour is like the background's
_LEAST_HAIR = 0.015  # metres of hair between hairline and crown, below which the band does not tell its colour
_INNER_FLANK = 0.3  # of the half width of the trunk, from which its back is coloured where an arm hides the flank
_SKIN_DIFFERENCE = 18.0  # in CIELAB, beyond which a colour is not skin
_LIGHTNESS_SHARE = 0.35  # of differences in lightness: shade changes it and the material does not


@dataclass(frozen=True)
class _Texels:
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
def _texels() -> _Texels:
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
    return _Texels(rows, columns, template.triangles[triangle[rows, columns]].astype(np.int64), barycentric)


@lru_cache(maxsize=1)
def _nearest_texel() -> NDArray[np.int32]:
    """Row and column [2, SIZE, SIZE] of the nearest texel on the surface: charts get a margin for filtering."""
    texels = _texels()
    empty = np.ones((SIZE, SIZE), bool)
    empty[texels.rows, texels.columns] = False
    return np.asarray(ndimage.distance_transform_edt(empty, return_distances=False, return_indices=True))


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


class _Photo:
    """The photo as texels see it.

    Attributes:
        positions, normals: of the texels, [N, 3].
        pixels: in the picture, [N, 2]; those of the rim a little further inside.
        same_part: whether the photo shows the texel's part of the body at its pixel, [N].
        behind: metres between a texel and the surface before it, [N].
        part, bone: of the texels, [N].
        occluded: whether another limb casts doubt on the colour at the pixel, [N].
    """

    def __init__(self, fitted: FittedBody, vertices: FloatArray, rgb: Frame, mask: FloatArray) -> None:
        template, texels = load_template(), _texels()
        self.fitted, self.vertices = fitted, vertices
        self._colours = foreground_colours(rgb, mask)
        self._background_difference = _background_difference(rgb, mask)
        size = (mask.shape[1], mask.shape[0])
        least = _LEAST_HEIGHT / np.ptp(vertices[:, 1])
        self.buffer = OrthographicBuffer(fitted, vertices, size, max(fitted.pixels_per_metre, least))
        self.positions = texels.interpolate(vertices)
        self.normals: DoubleArray = unit(texels.interpolate(vertex_normals(vertices, template.triangles)))
        self.part, self.bone = template.part[texels.corners[:, 0]], template.main_bone[texels.corners[:, 0]]

        rows, columns = self.buffer.nearest(self.buffer.at(self.positions))
        self.rows, self.columns = rows, columns
        self.behind = self.buffer.depth[rows, columns] - self.positions[:, 2]
        self.parts = self.buffer.of_triangles(template.part)
        self.same_part = self.parts[rows, columns] == self.part
        self.occluded = self._occluded()[rows, columns] | (
            self._near_arms()[rows, columns] & np.isin(self.part, (TORSO, LEFT_LEG, RIGHT_LEG))
        )
        self.pixels = self._inset_pixels()
        self.occluded |= self._in_gap()

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

    def _near_arms(self) -> BoolArray:
        """Pixels [H, W] so near to an arm or a hand that the trunk shows its shade or edge."""
        template = load_template()
        arms = np.isin(self.parts, (LEFT_ARM, RIGHT_ARM))
        hands = np.isin(
            self.buffer.of_triangles(template.main_bone), [template.bone("leftHand"), template.bone("rightHand")]
        )
        return self._grown(arms, _ARM_SHADOW) | self._grown(hands, _HAND_SHADOW)

    def hides_trunk(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> BoolArray:
        """Whether pixels [N] of the buffer show something else than the trunk and the legs."""
        height, width = self.parts.shape
        columns = np.clip(columns, 0, width - 1)
        shown = np.isin(self.parts, (TORSO, LEFT_LEG, RIGHT_LEG)) & ~self._near_arms()
        background = cv2.resize(self._background_difference, (width, height), interpolation=cv2.INTER_NEAREST)
        near = self._grown(np.isin(self.parts, (LEFT_ARM, RIGHT_ARM)), _GAP)
        return np.asarray(~(shown & ~(near & (background < _GAP_DIFFERENCE)))[rows, columns])

    def _in_gap(self) -> BoolArray:
        """Texels [N] of the trunk and the legs that show the background between them and an arm."""
        near = self._grown(np.isin(self.parts, (LEFT_ARM, RIGHT_ARM)), _GAP)[self.rows, self.columns]
        height, width = self._background_difference.shape
        x, y = np.clip(np.rint(self.pixels).astype(int), 0, (width - 1, height - 1)).T
        like = self._background_difference[y, x] < _GAP_DIFFERENCE
        return np.asarray(near & like & np.isin(self.part, (TORSO, LEFT_LEG, RIGHT_LEG)))

    def _grown(self, region: BoolArray, metres: float) -> BoolArray:
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
        colours = cv2.remap(self._colours, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(colours.reshape(-1, 3)[: len(pixels)])

    def sample_points(self, points: NDArray[Any]) -> FloatArray:
        """Foreground colours [N, 3] at points [N, 2 or 3] in metres."""
        return self.sample(self.fitted.to_pixels(points))


def make_texture(fitted: FittedBody, vertices: FloatArray, rgb: Frame, mask: FloatArray) -> Frame:
    """The texture uint8 [SIZE, SIZE, 3] of a body.

    Args:
        fitted: the fit.
        vertices: with the outline closed, [V, 3].
        rgb: the photo, [H, W, 3].
        mask: of the person, [H, W] in 0..1.
    """
    photo = _Photo(fitted, vertices, rgb, mask)
    front = _front_weight(photo)
    through = np.where((photo.normals[:, 2] < 0.4) & photo.same_part & ~photo.occluded, _SEEN_THROUGH, 0.0)
    weight = np.where(photo.part == HEAD, front, np.maximum(front, through))
    colour = _mixed(photo.sample(photo.pixels), _back_colours(photo), _backness(photo))
    skin = _skin_colour(photo, colour, front)
    colour, weight = _complete_head(photo, colour, weight, front, skin)
    weight = np.where(_hand_on_trunk(photo, colour, skin), 0.0, weight)
    colour, weight = _complete_hands(photo, colour, weight, front, skin)
    unknown = _diffuse(vertices, colour, weight)
    colour = _mixed(unknown, colour, np.clip(weight / 0.12, 0, 1))
    texels, nearest = _texels(), _nearest_texel()
    atlas = np.zeros((SIZE, SIZE, 3), np.float32)
    atlas[texels.rows, texels.columns] = colour
    return np.asarray(np.clip(atlas[nearest[0], nearest[1]], 0, 255), np.uint8)


def _mixed(colours: FloatArray, others: FloatArray, share: NDArray[Any]) -> FloatArray:
    return np.asarray(colours + (others - colours) * share[:, None], np.float32)


def _front_weight(photo: _Photo) -> DoubleArray:
    """How far the photo shows a texel, [N] in 0..1."""
    facing = photo.normals[:, 2]
    seen = np.clip((facing - 0.05) / 0.35, 0, 1) * (photo.behind < 0.012) * ~photo.occluded
    head = np.clip((facing - 0.02) / 0.15, 0, 1) * (photo.behind < 0.03)  # an ear casts no doubt on a cheek
    return np.asarray(np.where(photo.part == HEAD, head, seen))


def _backness(photo: _Photo) -> DoubleArray:
    """How far a texel belongs to the back of the trunk, [N] in 0..1."""
    return np.asarray(np.clip((0.1 - photo.normals[:, 2]) / 0.3, 0, 1) * (photo.part == TORSO))


def _back_colours(photo: _Photo) -> FloatArray:
    """Colours [N, 3] for the back of the trunk from the front's flanks, where no zip, button or neckline is.

    A place at a part x in -1..1 of the trunk's half width takes the colour at +-(0.42 + 0.52 |x|).
    """
    trunk = np.isin(photo.parts, (TORSO, LEFT_LEG, RIGHT_LEG))
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
        return photo.sample(np.stack([(column + 0.5) / zoom - 0.5, photo.pixels[:, 1]], axis=1))

    # Where an arm hangs before the flank, or beside a gap, the colour is taken further inside.
    hidden = photo.hides_trunk(photo.rows, np.rint(centre + flank).astype(int))
    flank = np.where(hidden, side * _INNER_FLANK * half, flank)
    # Both flanks meet in the middle of the back.
    return _mixed(at(centre + flank), at(centre - flank), 0.5 * np.clip(1 - np.abs(x) / 0.15, 0, 1))


def _lab(colours: NDArray[Any]) -> FloatArray:
    """CIELAB [N, 3] of colours [N, 3] in 0..255."""
    return np.asarray(cv2.cvtColor((np.asarray(colours, np.float32).reshape(1, -1, 3) / 255), cv2.COLOR_RGB2LAB)[0])


def _difference(colours: NDArray[Any], reference: FloatArray, lightness: float) -> FloatArray:
    """Difference [N] in CIELAB of colours [N, 3] from one colour [3], with a share of that in lightness."""
    off = (_lab(colours) - _lab(reference)) * np.asarray([lightness, 1, 1], np.float32)
    return np.asarray(np.linalg.norm(off, axis=1))


@dataclass(frozen=True)
class _Head:
    """Where things are on a head, metres."""

    eyes: DoubleArray
    ears: DoubleArray
    forward: DoubleArray
    top: float
    nape: float

    @classmethod
    def of(cls, photo: _Photo) -> _Head:
        point = {name: photo.fitted.keypoints[i] for i, name in enumerate(KEYPOINTS)}
        ears = (point["left_ear"] + point["right_ear"]) / 2
        forward = point["nose"] - ears
        top = float(photo.vertices[load_template().of_bones("head"), 1].max())
        eyes = (point["left_eye"] + point["right_eye"]) / 2
        return cls(eyes, ears, forward / np.linalg.norm(forward), top, float(ears[1]) - 0.075)

    @property
    def brow(self) -> float:
        """Height above which hair may begin."""
        return float(self.eyes[1] + 0.45 * (self.top - self.eyes[1]))


def _skin_colour(photo: _Photo, colour: FloatArray, front: DoubleArray) -> FloatArray:
    """The median colour [3] of the cheeks, or of the whole face where they are hidden."""
    head = _Head.of(photo)
    face = (photo.bone == load_template().bone("head")) & (front > 0.8)
    ahead = (photo.positions - head.ears) @ head.forward
    below = head.eyes[1] - photo.positions[:, 1]
    cheeks = face & (ahead > 0.04) & (below > 0.01) & (below < 0.06)
    for region in (cheeks, face & (photo.positions[:, 1] < head.brow), front > 0.8):
        if region.any():
            return np.asarray(np.median(colour[region], axis=0))
    return np.asarray(np.median(colour, axis=0))


def _hairline(photo: _Photo, head: _Head, skin: FloatArray) -> float:
    """Height in metres at which the forehead's skin ends."""
    heights = np.arange(head.top - 0.006, head.eyes[1], -0.003)
    if not len(heights):
        return head.brow
    across = head.eyes[0] + np.linspace(-0.03, 0.03, 7)
    points = np.stack(np.meshgrid(across, heights), axis=-1)
    difference = _difference(photo.sample_points(points.reshape(-1, 2)), skin, 0.7).reshape(len(heights), -1)
    is_skin = np.median(difference, axis=1) < _SKIN_DIFFERENCE
    line = float(heights[is_skin.argmax()]) if is_skin.any() else head.brow
    return min(line + 0.004, head.top - 0.004)


def _complete_head(
    photo: _Photo, colour: FloatArray, weight: DoubleArray, front: DoubleArray, skin: FloatArray
) -> tuple[FloatArray, DoubleArray]:
    """Colours [N, 3] and weights [N] with the back and sides of the head as hair and the nape as skin or hair."""
    template, head = load_template(), _Head.of(photo)
    on_head, on_neck = photo.bone == template.bone("head"), photo.bone == template.bone("neck")
    height, facing = photo.positions[:, 1], photo.normals[:, 2]
    ahead = (photo.positions - head.ears) @ head.forward

    # Hair: the band between hairline and crown, stretched down to the nape.
    line = _hairline(photo, head, skin)
    down = np.clip((height - head.nape) / (head.top - head.nape), 0, 1)
    band = np.stack(
        [
            head.eyes[0] + 0.6 * (photo.positions[:, 0] - head.eyes[0]),
            line + max(head.top - 0.004 - line, 0.0) * down**1.5,
        ],
        axis=1,
    )
    hair = photo.sample_points(band)
    if head.top - 0.004 - line < _LEAST_HAIR:
        hair = _hair_beside_face(photo, colour, front, skin, hair)
    behind_ears = np.clip((0.012 - ahead - 0.5 * np.clip(head.ears[1] - 0.01 - height, 0, 1)) / 0.025, 0, 1)
    behind_ears *= on_head * np.clip((height - head.nape) / 0.02, 0, 1)
    crown = on_head * np.clip((height - head.brow) / 0.02, 0, 1) * np.clip((0.25 - facing) / 0.2, 0, 1)
    share = np.maximum(behind_ears, crown) * (1 - front * np.clip((facing - 0.3) / 0.3, 0, 1))
    colour, weight = _mixed(colour, hair, share), np.maximum(weight, share)

    # Nape: skin, or hair where the outline grew behind the ears.
    grown = np.linalg.norm((photo.vertices - photo.fitted.vertices)[:, :2], axis=1)
    behind = (template.part == HEAD) & ((photo.vertices - head.ears) @ head.forward < 0)
    behind &= photo.vertices[:, 1] < head.ears[1]
    long_hair = bool(behind.any() and np.quantile(grown[behind], 0.9) > 0.03)
    shade = np.clip(
        (head.nape + 0.025 - 0.02 * np.abs(photo.positions[:, 0] - head.ears[0]) / 0.07 - height) / 0.02, 0, 1
    )
    nape = np.clip((0.12 - facing) / 0.2, 0, 1) * (on_head | on_neck) * shade * (ahead < 0.02)
    if long_hair:
        nape = np.maximum(nape, np.clip((0.1 - facing) / 0.2, 0, 1) * on_neck)
        covering = hair
    else:
        covering = np.broadcast_to(0.5 * _neck_colour(colour, on_neck & (front > 0.5), skin) + 0.46 * skin, hair.shape)
    return _mixed(colour, covering, nape), np.maximum(weight, nape)


def _hair_beside_face(
    photo: _Photo, colour: FloatArray, front: DoubleArray, skin: FloatArray, crown: FloatArray
) -> FloatArray:
    """Colours [N, 3] of hair where the crown [N, 3] shows none: what is not skin on the upper half of the head.

    The picture may cut off the crown, or skin be painted; who has no hair there either is bald.
    """
    head = _Head.of(photo)
    upper = (photo.bone == load_template().bone("head")) & (photo.positions[:, 1] > head.eyes[1]) & (front > 0.3)
    hair = upper & (_difference(colour, skin, 0.7) > _SKIN_DIFFERENCE)
    if hair.sum() < 0.1 * max(int(upper.sum()), 1):
        return crown
    return np.broadcast_to(np.median(colour[hair], axis=0), crown.shape)


def _neck_colour(colour: FloatArray, seen: BoolArray, skin: FloatArray) -> FloatArray:
    """The neck's skin colour [3]; the face's in shade where a collar or a scarf covers the neck."""
    if seen.sum() > 200:
        median = np.median(colour[seen], axis=0)
        if _difference(median, skin, _LIGHTNESS_SHARE)[0] < _SKIN_DIFFERENCE:
            return np.asarray(median)
    return np.asarray(0.9 * skin)


def _hand_texels(photo: _Photo) -> BoolArray:
    template = load_template()
    return np.isin(photo.bone, [template.bone("leftHand"), template.bone("rightHand")])


def _hand_on_trunk(photo: _Photo, colour: FloatArray, skin: FloatArray) -> BoolArray:
    """Whether a texel [N] of trunk or legs shows the skin of a hand that hung before it."""
    hands = photo.fitted.keypoints[[KEYPOINTS.index("left_hand"), KEYPOINTS.index("right_hand")], :2]
    distance = np.linalg.norm(photo.positions[:, None, :2] - hands, axis=2).min(axis=1)
    near = (distance < _HAND_COLOUR) & np.isin(photo.part, (TORSO, LEFT_LEG, RIGHT_LEG))
    return np.asarray(near & (_difference(colour, skin, _LIGHTNESS_SHARE) < 16))


def _complete_hands(
    photo: _Photo, colour: FloatArray, weight: DoubleArray, front: DoubleArray, skin: FloatArray
) -> tuple[FloatArray, DoubleArray]:
    """Colours and weights with hands of skin only: what is not like skin there is background or cloth."""
    hands = _hand_texels(photo)
    seen = hands & (front > 0.5) & (_difference(colour, skin, _LIGHTNESS_SHARE) < 16)
    own = np.median(colour[seen], axis=0) if seen.sum() > 300 else skin
    share = np.clip((15 - _difference(colour, own, 0.5)) / 6, 0, 1)
    as_skin = _mixed(np.broadcast_to(own, colour.shape), colour, share)
    return np.where(hands[:, None], as_skin, colour), np.where(hands, 1.0, weight)


def _diffuse(vertices: FloatArray, colour: FloatArray, weight: DoubleArray) -> FloatArray:
    """Colours [N, 3] interpolated over the mesh from texels of high weight.

    They spread far along the horizontal and little along the vertical, so that hems stay level.
    """
    template, texels = load_template(), _texels()
    count = len(vertices)
    vertex = texels.corners[np.arange(len(colour)), texels.weights.argmax(axis=1)]
    total = np.bincount(vertex, weight, count)
    known = np.minimum(total / np.maximum(np.bincount(vertex, minlength=count), 1), 1)
    mean = np.stack([np.bincount(vertex, weight * colour[:, c], count) for c in range(3)], axis=1)
    mean = mean / np.maximum(total, 1e-6)[:, None]

    a, b = template.edges.T
    edge = vertices[a] - vertices[b]
    steep = np.abs(edge[:, 1]) / (np.linalg.norm(edge, axis=1) + 1e-9)
    strength = np.exp(-((steep / 0.35) ** 2)) + 0.01
    half = sparse.coo_matrix((strength, (a, b)), (count, count))
    graph = (half + half.T).tocsr()
    laplacian = sparse.diags(np.asarray(graph.sum(axis=1)).ravel()) - graph
    solver = symmetric_solver(sparse.diags(known + 1e-6) + 0.15 * laplacian)
    fallback = mean[known > 0.5].mean(axis=0) if (known > 0.5).any() else mean.mean(axis=0)
    solved = np.stack([solver.solve(known * mean[:, c] + 1e-6 * fallback[c]) for c in range(3)], axis=1)
    return texels.interpolate(solved)
