"""A skirt or the skirt of a dress, as a tube of cloth round the legs in the place of cloth that sticks to each of them.

The template has legs only; where the photo shows one piece of cloth from leg to leg that ends above bare legs or other
cloth, its outline gives the tube's width, the legs its depth, and hips and thighs move it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from stgmamba.arrays import BoolArray, DoubleArray, FloatArray, IntArray
from stgmamba.body.fitting import FittedBody
from stgmamba.body.photo_texels import SIZE, PhotoTexels, lab, nearest_along_row, of_trunk
from stgmamba.body.template import LEGS, SIDES, load_template

TEXTURE_WIDTH = 512
"""Texels round the tube."""

_CROTCH, _WAIST = -0.09, 0.10  # metres above the hip joints
_STEP = 0.006  # metres between the rows that are looked at
_CLOTH_ROWS = 8  # below the crotch, whose colours are the cloth's, of whatever pattern
_SAME, _OTHER = 15.0, 12.0  # differences in CIELAB within a piece of cloth, and beyond its hem
_LIGHTNESS_SHARE = 0.6  # of differences in lightness: folds have shades
_LEAST_LENGTH = 0.10  # metres below the crotch; shorter ones are shirts
_MIDDLE = slice(6, 15)  # of 21 places from leg to leg
_MOST_SEAM = 8.0  # how much darker, in CIELAB, the middle is than the legs: shorts have a gap or a seam there
_MOST_LONG_SEAM = 3.0  # of what ends below the knees
_LONG_WIDTH = 0.36  # metres of the outline near the ankles, below which a skirt to the floor is trousers
_ROWS, _COLUMNS = 40, 64  # of the tube
_LEAST_DEPTH = 0.5  # of the half width
_ROUNDNESS = 0.85  # exponent of the superellipse
_CLEARANCE = 0.012  # metres of the cloth from the legs
_HIDDEN_LEG = 0.045  # metres above the hem from which legs are left out: they would come through
_LEG_SHOWN = 0.05  # metres below the hem from which legs are as grown to the outline; above it was the cloth's
_THIGH_SHARE = 0.9  # of the thighs in the movement at the knees
_RIM = 0.94  # of the half width within which the photo's colours are taken
_STRAIGHT = 0.7  # of the half width within which they are taken where they are


@dataclass(frozen=True)
class Skirt:
    """A tube of cloth.

    Attributes:
        vertices: [N, 3], metres, in the photo's pose.
        triangles: vertex indices [M, 3].
        uv: texture coordinates [N, 2] in its own texture, v up.
        texture: float32 [SIZE, TEXTURE_WIDTH, 3] in 0..255.
        weights: of the template's bones, [N, B].
        hem: its height at the lower end, metres.
    """

    vertices: FloatArray
    triangles: IntArray
    uv: FloatArray
    texture: FloatArray
    weights: FloatArray
    hem: float

    def under(self, vertices: FloatArray) -> FloatArray:
        """How far vertices [V, 3] of the template belong to legs under it, [V] in 0..1; a little below the hem, too."""
        legs = np.isin(load_template().part, LEGS)
        return np.asarray(legs * np.clip((vertices[:, 1] - self.hem + _LEG_SHOWN) / 0.03, 0, 1), np.float32)

    def with_back(self, back: Skirt) -> Skirt:
        """It with the colours of the skirt of a picture from behind on its back; both meet at the sides."""
        angle = 2 * np.pi * (np.arange(TEXTURE_WIDTH) + 0.5) / TEXTURE_WIDTH
        share = np.clip(0.5 - np.sin(angle) / 0.5, 0, 1)[None, :, None]  # the tube begins at the left and runs forward
        seen = np.roll(back.texture, TEXTURE_WIDTH // 2, axis=1)  # from behind, its front is the person's back
        return replace(self, texture=np.asarray(self.texture + (seen - self.texture) * share, np.float32))

    def hides(self, vertices: FloatArray) -> BoolArray:
        """Vertices [V] of the template's legs that would come through it."""
        legs = np.isin(load_template().part, LEGS)
        return np.asarray(legs & (vertices[:, 1] > self.hem + _HIDDEN_LEG))


def make_skirt(photo: PhotoTexels, mask: FloatArray) -> Skirt | None:
    """The skirt of a person, None where there is none.

    Args:
        photo: the photo.
        mask: of the person, [H, W] in 0..1.
    """
    hem = _find_hem(photo, mask)
    if hem is None:
        return None
    top = _hips(photo.fitted) + _WAIST
    heights = np.linspace(top, hem, _ROWS)
    left, right = _outline(photo, mask, heights)
    front, back = _depth(photo, heights)
    ramp = 0.8 + 0.2 * np.clip(np.arange(_ROWS) / 7, 0, 1) ** 0.6  # it begins under the shirt
    half_width = ndimage.gaussian_filter1d((right - left) / 2 * ramp, 2, mode="nearest")
    half_depth = np.maximum(np.maximum.accumulate((front - back) / 2), _LEAST_DEPTH * (right - left) / 2)
    half_depth = ndimage.gaussian_filter1d(half_depth * ramp, 2, mode="nearest")
    centre, middle = (ndimage.gaussian_filter1d(v, 2, mode="nearest") for v in ((left + right) / 2, (front + back) / 2))
    angle = np.linspace(0, 2 * np.pi, _COLUMNS + 1)
    across, along = (np.sign(v) * np.abs(v) ** _ROUNDNESS for v in (np.cos(angle), np.sin(angle)))
    x = centre[:, None] + half_width[:, None] * across
    z = middle[:, None] + half_depth[:, None] * along
    points = np.stack([x, np.repeat(heights[:, None], len(angle), axis=1), z], axis=-1)
    u = np.linspace(0.5 / TEXTURE_WIDTH, 1 - 0.5 / TEXTURE_WIDTH, len(angle))
    uv = np.stack(np.broadcast_arrays(u[None], np.linspace(1, 0, _ROWS)[:, None]), axis=-1)
    return Skirt(
        points.reshape(-1, 3).astype(np.float32),
        _tube_triangles(),
        uv.reshape(-1, 2).astype(np.float32),
        _texture(photo, mask, points, centre, half_width),
        _weights(photo.fitted, heights, np.cos(angle)),
        hem,
    )


def _hips(fitted: FittedBody) -> float:
    """Height of the hip joints."""
    bone = load_template().bone
    return float(sum(fitted.heads[bone(f"{side}UpperLeg"), 1] for side in SIDES) / 2)


def _find_hem(photo: PhotoTexels, mask: FloatArray) -> float | None:
    """Height at which a skirt ends, metres; None where there is none."""
    template, heads = load_template(), photo.fitted.heads
    ankles = float(np.mean([heads[template.bone(f"{side}Foot"), 1] for side in SIDES]))
    heights = np.arange(_hips(photo.fitted) + _CROTCH, ankles + 0.05, -_STEP)
    if len(heights) < 20:  # legs that point at the camera
        return None
    legs = []
    for side in SIDES:
        joints = heads[[template.bone(side + bone) for bone in ("UpperLeg", "LowerLeg", "Foot")]]
        order = np.argsort(-joints[:, 1])
        legs.append(np.interp(-heights, -joints[order, 1], joints[order, 0]))
    across = np.linspace(0, 1, 21)
    points = np.stack(
        np.broadcast_arrays(legs[0][:, None] + (legs[1] - legs[0])[:, None] * across, heights[:, None], 0.0), axis=-1
    )
    colours = lab(photo.sample_points(points.reshape(-1, 3))).reshape(len(heights), 21, 3)
    cloth = colours[:_CLOTH_ROWS].reshape(-1, 3)
    unlike = _unlike(colours[:, [0, 10, 20]], cloth)
    in_mask = _in_mask(photo, mask, points[:, 10])
    ok = in_mask & ((unlike < _SAME).sum(axis=1) >= 2)
    count = len(ok) if ok.all() else int(ok.argmin())
    lightness = colours[count // 3 : max(count - 2, count // 3 + 1), :, 0]
    beside = np.minimum(lightness[:, : _MIDDLE.start].min(axis=1), lightness[:, _MIDDLE.stop :].min(axis=1))
    seam = float(np.median(beside - lightness[:, _MIDDLE].min(axis=1)))
    hem = float(heights[min(count, len(heights) - 1)])
    knees = float(np.mean([heads[template.bone(f"{side}LowerLeg"), 1] for side in SIDES]))
    if heights[0] - hem < _LEAST_LENGTH or seam > (_MOST_SEAM if hem > knees else _MOST_LONG_SEAM):
        return None
    if count + 6 < len(heights):
        below = np.median(colours[count + 4 : count + 12][:, [0, 20]], axis=0)
        return hem if _unlike(below, cloth).min() > _OTHER else None
    left, right = _outline(photo, mask, heights[int(0.85 * len(heights)) :])
    return hem if np.median(right - left) > _LONG_WIDTH else None


def _unlike(colours: FloatArray, cloth: FloatArray) -> FloatArray:
    """Difference [...] in CIELAB of colours [..., 3] from the nearest of a cloth's [N, 3], with less of lightness."""
    scale = np.asarray([_LIGHTNESS_SHARE, 1, 1], np.float32)
    off = (colours[..., None, :] - cloth) * scale
    return np.asarray(np.linalg.norm(off, axis=-1).min(axis=-1))


def _in_mask(photo: PhotoTexels, mask: FloatArray, points: DoubleArray) -> BoolArray:
    """Whether points [..., 3] are seen on the person, [...]."""
    pixels = np.rint(photo.fitted.to_pixels(points)).astype(int)
    x, y = np.clip(pixels[..., 0], 0, mask.shape[1] - 1), np.clip(pixels[..., 1], 0, mask.shape[0] - 1)
    return np.asarray(mask[y, x] > 0.5)


def _outline(photo: PhotoTexels, mask: FloatArray, heights: DoubleArray) -> tuple[DoubleArray, DoubleArray]:
    """Left and right end, metres [N], of the person's outline about the hips at heights [N], without arms."""
    fitted, arms = photo.fitted, photo.near_arms
    person = photo.buffer.resized(mask)
    hips = fitted.heads[[load_template().bone(f"{side}UpperLeg") for side in SIDES], 0].mean()
    places = photo.buffer.at(np.stack(np.broadcast_arrays(hips, heights, 0.0), axis=-1))
    rows, columns = photo.buffer.nearest(places)
    scale = fitted.pixels_per_metre * photo.buffer.zoom
    ends = np.full((2, len(heights)), np.nan)
    for i, (row, column) in enumerate(zip(rows, columns, strict=True)):
        for side, line, hidden in (
            (0, person[row, column::-1], arms[row, column::-1]),
            (1, person[row, column:], arms[row, column:]),
        ):
            reach = len(line) if line.all() else int(line.argmin())
            if not hidden[:reach].any():
                ends[side, i] = hips + (-1, 1)[side] * reach / scale
    near = [_body_ends(photo, height) for height in (heights[0], heights[-1])]
    for side in (0, 1):
        ends[side, 0] = near[0][side] if np.isnan(ends[side, 0]) else ends[side, 0]
        if np.isnan(ends[side]).all():
            ends[side, -1] = near[1][side]
        known = ~np.isnan(ends[side])
        ends[side] = np.interp(np.arange(len(heights)), np.nonzero(known)[0], ends[side, known])
    return ends[0], ends[1]


def _of_legs(photo: PhotoTexels, height: float) -> FloatArray:
    """Vertices [N, 3] of trunk and legs near a height."""
    lower = of_trunk(load_template().part)
    off = np.where(lower, np.abs(photo.vertices[:, 1] - height), np.inf)
    return np.asarray(photo.vertices[np.argsort(off)[:24]])


def _body_ends(photo: PhotoTexels, height: float) -> tuple[float, float]:
    x = _of_legs(photo, height)[:, 0]
    return float(x.min()), float(x.max())


def _depth(photo: PhotoTexels, heights: DoubleArray) -> tuple[DoubleArray, DoubleArray]:
    """Front and back [N] of trunk and legs at heights [N], metres, with the cloth's clearance."""
    z = [_of_legs(photo, height)[:, 2] for height in heights]
    return np.asarray([v.max() for v in z]) + _CLEARANCE, np.asarray([v.min() for v in z]) - _CLEARANCE


def _tube_triangles() -> IntArray:
    index = np.arange(_ROWS * (_COLUMNS + 1)).reshape(_ROWS, _COLUMNS + 1)
    a, b, c, d = (v.ravel() for v in (index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]))
    return np.asarray(np.concatenate([np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)]), np.int32)


def _weights(fitted: FittedBody, heights: DoubleArray, side: DoubleArray) -> FloatArray:
    """Skinning weights [rows * columns, B]: the hips, and the nearer thigh the more the lower."""
    template = load_template()
    hips = _hips(fitted)
    knees = float(np.mean([fitted.heads[template.bone(f"{name}LowerLeg"), 1] for name in SIDES]))
    thighs = _THIGH_SHARE * np.clip((hips + 0.02 - heights) / max(hips - knees, 0.1), 0, 1) ** 0.8
    left = np.clip(0.5 + side / 1.3, 0, 1)
    weights = np.zeros((len(heights), len(side), len(template.bones)), np.float32)
    weights[..., template.bone("hips")] = (1 - thighs)[:, None]
    weights[..., template.bone("leftUpperLeg")] = thighs[:, None] * left
    weights[..., template.bone("rightUpperLeg")] = thighs[:, None] * (1 - left)
    return weights.reshape(-1, len(template.bones))


def _texture(
    photo: PhotoTexels, mask: FloatArray, points: DoubleArray, centre: DoubleArray, half_width: DoubleArray
) -> FloatArray:
    """The tube's texture, unrolled: the photo in front and, seen through it, behind; hidden places from their row."""
    shape = SIZE, TEXTURE_WIDTH
    row = (np.arange(SIZE) + 0.5) / SIZE * (_ROWS - 1)
    column = np.arange(TEXTURE_WIDTH) / (TEXTURE_WIDTH - 1) * _COLUMNS
    at = np.stack(np.meshgrid(row, column, indexing="ij"))
    grid = np.stack([ndimage.map_coordinates(points[..., c], at, order=1) for c in range(3)], axis=-1)
    axis, half = (np.interp(row, np.arange(_ROWS), v)[:, None] for v in (centre, half_width))
    share = (grid[..., 0] - axis) / half
    beyond = np.maximum(np.abs(share) - _STRAIGHT, 0) * (1 - _RIM) / (1 - _STRAIGHT)
    grid[..., 0] = axis + (share - np.sign(share) * beyond) * half
    rows, columns = photo.buffer.nearest(photo.buffer.at(grid))
    known = _in_mask(photo, mask, grid) & ~photo.near_arms[rows, columns]
    colours = photo.sample_points(grid.reshape(-1, 3)).reshape(*shape, 3)
    if not known.any():
        return colours
    around = np.tile(known, (1, 3))
    row, column = nearest_along_row(around)[:, :, TEXTURE_WIDTH : 2 * TEXTURE_WIDTH]
    # Mirrored beyond its edge, the cloth's pattern goes on.
    mirrored = np.clip(2 * column - np.arange(TEXTURE_WIDTH, 2 * TEXTURE_WIDTH), 0, around.shape[1] - 1)
    column = np.where(around[row, mirrored], mirrored, column)
    return np.asarray(colours[row, column % TEXTURE_WIDTH])
