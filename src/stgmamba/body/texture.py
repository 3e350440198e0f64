"""Texture of a body from one photo: what it shows, and what it does not show completed.

Texels that face the camera take the photo's colour. The back repeats the photo's pixel of the same part seen through
the body, so that no seam shows at the outline (Weng et al., "Photo Wake-Up", CVPR 2019), except where that would copy a
face, a neckline or a button: the back of the head is hair, which falls on the back as far as beside the neck; the back
of the trunk comes from the front's flanks, hands are skin. What an arm hides of trunk and legs is what is beside it in
the same row, since hems and waists are level. What remains unknown is interpolated over the mesh.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse

from stgmamba.arrays import BoolArray, DoubleArray, FloatArray, Frame
from stgmamba.body.outline import symmetric_solver
from stgmamba.body.photo_texels import SIZE, PhotoTexels, colour_difference, lab, mixed, of_trunk, texels
from stgmamba.body.template import HEAD, KEYPOINTS, TORSO, load_template
from stgmamba.body.trunk_texture import SEEN_THROUGH, complete_trunk

_ROW = 0.003  # metres between the rows in which the hairline is looked for
_BROWS = 0.03  # metres above the eyes, where the forehead begins
_BRIM_DIFFERENCE, _LEAST_BRIM = 30.0, 0.015  # in CIELAB from skin, and metres of it, that make a hat of a bald crown
_LEAST_HAIR = 0.015  # metres of hair between hairline and crown, below which the band does not tell its colour
_LOWEST_BAND = 0.35  # of the way from nape to crown, below which hair has one colour, clear of the hairline's skin
_SKIN_DIFFERENCE = 18.0  # in CIELAB, beyond which a colour is not skin
_SKIN_CHROMA, _BLUEST_SKIN = 6.0, -4.0  # in CIELAB; of the photos of people the palest have 8, in violet light b is 0
_LONGEST_HAIR = 0.5  # metres below the nape
_HAIR_REACH = 0.04, 0.2  # metres on either side of the neck where hair that falls is looked for
_HAIR_WIDTH = 0.13  # metres, half of it, on the back
_LEAST_SHARE = 0.06  # of a row there, below which hair has ended
_HAIR_SHADE = 0.95
_SEEN_BY_BOTH = 0.1  # weight in either picture of texels that tell their difference in light
_LEAST_TEXELS, _MOST_GAIN = 500, 1.5
_HIDDEN_SHARE = 0.5  # weight of what an arm hides in a picture from behind, against what it shows
_LIGHTNESS_SHARE = 0.35  # of differences in lightness: shade changes it and the material does not


@lru_cache(maxsize=1)
def _nearest_texel() -> NDArray[np.int32]:
    """Row and column [2, SIZE, SIZE] of the nearest texel on the surface: charts get a margin for filtering."""
    surface = texels()
    empty = np.ones((SIZE, SIZE), bool)
    empty[surface.rows, surface.columns] = False
    return np.asarray(ndimage.distance_transform_edt(empty, return_distances=False, return_indices=True))


def make_texture(photo: PhotoTexels, behind: PhotoTexels | None = None) -> Frame:
    """The texture uint8 [SIZE, SIZE, 3] of a body.

    Args:
        photo: what the picture shows.
        behind: what a picture from behind shows; it comes before what is invented.
    """
    front = _front_weight(photo)
    through = np.where((photo.normals[:, 2] < 0.4) & photo.same_part & ~photo.occluded, SEEN_THROUGH, 0.0)
    weight = np.where(photo.part == HEAD, front, np.maximum(front, through))
    colour = photo.sample(photo.pixels)
    skin = _skin_colour(photo, colour, front)
    colour, weight = complete_trunk(photo, colour, weight, skin)
    colour, weight = _complete_head(photo, colour, weight, front, skin)
    colour, weight = _complete_hands(photo, colour, weight, front, skin)
    unknown = _diffuse(photo.vertices, colour, weight)
    colour = mixed(unknown, colour, np.clip(weight / 0.12, 0, 1))
    if behind is not None:
        colour = _with_back(photo, behind, colour, front, skin)
    surface, nearest = texels(), _nearest_texel()
    atlas = np.zeros((SIZE, SIZE, 3), np.float32)
    atlas[surface.rows, surface.columns] = colour
    return np.asarray(np.clip(atlas[nearest[0], nearest[1]], 0, 255), np.uint8)


def _with_back(
    photo: PhotoTexels, behind: PhotoTexels, colour: FloatArray, front: DoubleArray, skin: FloatArray
) -> FloatArray:
    """Colours [N, 3] with those of a picture from behind where it sees more of a texel than the one from the front.

    Args:
        photo: of the picture from the front.
        behind: of the picture from behind.
        colour: as completed from the front.
        front: how far the front shows a texel, [N].
        skin: colour [3] of the person's skin.
    """
    back = _front_weight(behind) * ~_hand_texels(photo)
    seen, _ = complete_trunk(behind, behind.sample(behind.pixels), back, skin)
    both = (front > _SEEN_BY_BOTH) & (back > _SEEN_BY_BOTH)
    if both.sum() > _LEAST_TEXELS:  # pictures of different light
        gain = np.median(colour[both], axis=0) / np.maximum(np.median(seen[both], axis=0), 1)
        seen = seen * np.clip(gain, 1 / _MOST_GAIN, _MOST_GAIN)
    # What an arm hides of the back is like what is beside it, rather than like the front.
    facing = np.clip((behind.normals[:, 2] - 0.05) / 0.35, 0, 1) * of_trunk(photo.part)
    back = np.maximum(back, _HIDDEN_SHARE * facing)
    share = np.clip(back / 0.15, 0, 1) * back**2 / np.maximum(back**2 + front**2, 1e-9)
    return mixed(colour, np.asarray(seen, np.float32), share)


def _front_weight(photo: PhotoTexels) -> DoubleArray:
    """How far the photo shows a texel, [N] in 0..1."""
    facing = photo.normals[:, 2]
    seen = np.clip((facing - 0.05) / 0.35, 0, 1) * (photo.behind < 0.012) * ~photo.occluded
    head = np.clip((facing - 0.02) / 0.15, 0, 1) * (photo.behind < 0.03)  # an ear casts no doubt on a cheek
    return np.asarray(np.where(photo.part == HEAD, head, seen))


@dataclass(frozen=True)
class _Head:
    """Where things are on a head, metres."""

    eyes: DoubleArray
    ears: DoubleArray
    forward: DoubleArray
    top: float
    nape: float

    @classmethod
    def of(cls, photo: PhotoTexels) -> _Head:
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


def _skin_colour(photo: PhotoTexels, colour: FloatArray, front: DoubleArray) -> FloatArray:
    """The median colour [3] of the cheeks, or where they are hidden, of the face, the neck or the hands."""
    head = _Head.of(photo)
    face = (photo.bone == load_template().bone("head")) & (front > 0.8)
    ahead = (photo.positions - head.ears) @ head.forward
    below = head.eyes[1] - photo.positions[:, 1]
    cheeks = face & (ahead > 0.04) & (below > 0.01) & (below < 0.06)
    eyes = face & (below < 0.01) & (photo.positions[:, 1] < head.brow)
    neck = (photo.bone == load_template().bone("neck")) & (front > 0.8)
    hands = _hand_texels(photo) & (front > 0.8)
    medians = [
        np.asarray(np.median(colour[region], axis=0))
        for region in (cheeks, face & (photo.positions[:, 1] < head.brow), eyes, neck, hands, front > 0.8)
        if region.any()
    ]
    medians.append(np.asarray(np.median(colour, axis=0)))
    # Under a mask or a veil skin is elsewhere; where nothing is like skin, as in drawings, the face tells its colour.
    return next((median for median in medians[:-2] if _like_skin(median)), medians[0])


def _like_skin(colour: FloatArray) -> bool:
    """Whether a colour [3] may be a person's skin in usual light: reddish to yellowish, not grey."""
    _, a, b = lab(colour)[0]
    return bool(np.hypot(a, b) > _SKIN_CHROMA and a > 0 and b > _BLUEST_SKIN)


def _hairline(photo: PhotoTexels, head: _Head, skin: FloatArray) -> float:
    """Height in metres at which the forehead's skin ends, below hair or a hat."""
    heights = np.arange(head.top - 0.006, head.eyes[1], -_ROW)
    if not len(heights):
        return head.brow
    across = head.eyes[0] + np.linspace(-0.03, 0.03, 7)
    points = np.stack(np.meshgrid(across, heights), axis=-1)
    rows = colour_difference(photo.sample_points(points.reshape(-1, 2)), skin, 0.7).reshape(len(heights), -1)
    difference = np.median(rows, axis=1)
    is_skin = difference < _SKIN_DIFFERENCE
    line = float(heights[is_skin.argmax()]) if is_skin.any() else head.brow
    if head.top - 0.004 - line < _LEAST_HAIR:
        # Bald, or a hat of straw: hair and shade are under its brim.
        under_brim = (difference > _BRIM_DIFFERENCE) & (heights > head.eyes[1] + _BROWS)
        if under_brim.sum() * _ROW > _LEAST_BRIM:
            line = float(heights[under_brim].min())
    return min(line + 0.004, head.top - 0.004)


def _complete_head(
    photo: PhotoTexels, colour: FloatArray, weight: DoubleArray, front: DoubleArray, skin: FloatArray
) -> tuple[FloatArray, DoubleArray]:
    """Colours [N, 3] and weights [N] with the back and sides of the head as hair and the nape as skin or hair."""
    template, head = load_template(), _Head.of(photo)
    on_head, on_neck = photo.bone == template.bone("head"), photo.bone == template.bone("neck")
    height, facing = photo.positions[:, 1], photo.normals[:, 2]
    ahead = (photo.positions - head.ears) @ head.forward

    # Hair: the band between hairline and crown, stretched down to the nape.
    line = _hairline(photo, head, skin)
    down = np.clip((height - head.nape) / (head.top - head.nape), _LOWEST_BAND, 1)
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
    colour, weight = mixed(colour, hair, share), np.maximum(weight, share)

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
    colour, weight = mixed(colour, covering, nape), np.maximum(weight, nape)
    if not long_hair:
        return colour, weight
    fall = _falling_hair(photo, head, hair)
    return mixed(colour, _HAIR_SHADE * hair, fall), np.maximum(weight, fall)


def _falling_hair(photo: PhotoTexels, head: _Head, hair: FloatArray) -> DoubleArray:
    """How far hair covers a texel of the back of the trunk, [N] in 0..1: as far down as it falls beside the neck.

    Hair is what has its colour on either side of the chest; where that never ends, clothes have it too, and no hair is
    drawn.
    """
    rows = np.arange(head.nape - 0.04, head.nape - _LONGEST_HAIR, -0.01)
    across = np.linspace(*_HAIR_REACH, 16)
    across = np.concatenate([-across, across])
    points = np.stack(np.meshgrid(head.ears[0] + across, rows), axis=-1)
    seen_rows, seen_columns = photo.buffer.nearest(photo.buffer.at(np.pad(points, ((0, 0), (0, 0), (0, 1)))))
    on_trunk = photo.parts[seen_rows, seen_columns] == TORSO
    like = colour_difference(photo.sample_points(points.reshape(-1, 2)), np.median(hair, axis=0), 0.7)
    is_hair = (like.reshape(on_trunk.shape) < _SKIN_DIFFERENCE) & on_trunk
    below_neck = on_trunk.mean(axis=1) > 0.5
    share = is_hair.sum(axis=1)[below_neck] / np.maximum(on_trunk.sum(axis=1)[below_neck], 1)
    ends = np.nonzero(share < _LEAST_SHARE)[0]
    if not len(ends) or ends[0] == 0:
        return np.zeros(len(photo.positions))
    end = rows[below_neck][ends[0]]
    x, height = photo.positions[:, 0] - head.ears[0], photo.positions[:, 1]
    ragged = end + 0.012 * np.sin(140 * x) + 0.008 * np.sin(330 * x + 1)
    down = np.clip((head.nape - height) / _LONGEST_HAIR, 0, 1)
    width = _HAIR_WIDTH * (1 - 0.5 * down)
    inside = np.clip((height - ragged) / 0.015, 0, 1) * np.clip((width - np.abs(x)) / 0.015, 0, 1)
    behind = np.clip((0.15 - photo.normals[:, 2]) / 0.2, 0, 1) * (height < head.nape + 0.02)
    return np.asarray(inside * behind * ((photo.part == TORSO) | (photo.bone == load_template().bone("neck"))))


def _hair_beside_face(
    photo: PhotoTexels, colour: FloatArray, front: DoubleArray, skin: FloatArray, crown: FloatArray
) -> FloatArray:
    """Colours [N, 3] of hair where the crown [N, 3] shows none: what is not skin on the upper half of the head.

    The picture may cut off the crown, or skin be painted; who has no hair there either is bald.
    """
    head = _Head.of(photo)
    upper = (photo.bone == load_template().bone("head")) & (photo.positions[:, 1] > head.eyes[1]) & (front > 0.3)
    hair = upper & (colour_difference(colour, skin, 0.7) > _SKIN_DIFFERENCE)
    if hair.sum() < 0.1 * max(int(upper.sum()), 1):
        return crown
    return np.broadcast_to(np.median(colour[hair], axis=0), crown.shape)


def _neck_colour(colour: FloatArray, seen: BoolArray, skin: FloatArray) -> FloatArray:
    """The neck's skin colour [3]; the face's in shade where a collar or a scarf covers the neck."""
    if seen.sum() > 200:
        median = np.median(colour[seen], axis=0)
        if colour_difference(median, skin, _LIGHTNESS_SHARE)[0] < _SKIN_DIFFERENCE:
            return np.asarray(median)
    return np.asarray(0.9 * skin)


def _hand_texels(photo: PhotoTexels) -> BoolArray:
    template = load_template()
    return np.isin(photo.bone, [template.bone("leftHand"), template.bone("rightHand")])


def _complete_hands(
    photo: PhotoTexels, colour: FloatArray, weight: DoubleArray, front: DoubleArray, skin: FloatArray
) -> tuple[FloatArray, DoubleArray]:
    """Colours and weights with hands of skin only: what is not like skin there is background or cloth."""
    hands = _hand_texels(photo)
    seen = hands & (front > 0.5) & (colour_difference(colour, skin, _LIGHTNESS_SHARE) < 16)
    own = np.median(colour[seen], axis=0) if seen.sum() > 300 else skin
    share = np.clip((15 - colour_difference(colour, own, 0.5)) / 6, 0, 1)
    as_skin = mixed(np.broadcast_to(own, colour.shape), colour, share)
    return np.where(hands[:, None], as_skin, colour), np.where(hands, 1.0, weight)


def _diffuse(vertices: FloatArray, colour: FloatArray, weight: DoubleArray) -> FloatArray:
    """Colours [N, 3] interpolated over the mesh from texels of high weight.

    They spread far along the horizontal and little along the vertical, so that hems stay level.
    """
    template, surface = load_template(), texels()
    count = len(vertices)
    vertex = surface.corners[np.arange(len(colour)), surface.weights.argmax(axis=1)]
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
    return surface.interpolate(solved)
