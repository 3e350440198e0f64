"""Segmentation of a picture's person into layers: torso (with head and skirt), two arms, two legs.

Each layer is a texture. Parts that a nearer layer occludes are inpainted, so that nothing is drawn twice and no hole
opens when layers move apart. Positions are complex numbers, x + iy pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from stgmamba.arrays import BoolArray, ComplexArray, DoubleArray, FloatArray, Frame, IntArray
from stgmamba.limb_warp.inpainting import inpaint, push_pull
from stgmamba.limb_warp.kernels import geodesic_labels
from stgmamba.limb_warp.retargeting import SIDES, PhotoBody

TORSO_LAYER = "torso"
ARMS = tuple(f"{side}_arm" for side in SIDES)
LEGS = tuple(f"{side}_leg" for side in SIDES)
LAYERS = (TORSO_LAYER, *ARMS, *LEGS)

# Half-widths of clothed limbs at their joints, in torso lengths.
_ARM_WIDTHS = (0.145, 0.11, 0.075, 0.085)
_LEG_WIDTHS = (0.215, 0.15, 0.10, 0.11)
_SAMPLES_PER_BONE = 12  # of the width
_RAISED_ANGLE = 0.45  # radians between upper arm and trunk
_SLEEVE_WIDTH = 2.6  # largest distance of a hanging sleeve from the bone, in half-widths of the arm
_THICK_ARM = (1.4, 3.0)  # range of width ratios of a drawing's arms; below it is a person, sleeves included


class AxisCoordinates(NamedTuple):
    """Coordinates of pixels relative to a limb's axis.

    Attributes:
        distance: to the axis, pixels.
        arc: arc length of the nearest point of the axis, pixels; negative before its start.
    """

    distance: DoubleArray
    arc: DoubleArray


@dataclass(frozen=True)
class LimbAxis:
    """Medial axis of a limb: a polyline through its joints, with half-widths along it.

    Attributes:
        points: joints, proximal first, complex128 [K + 1].
        arc: arc lengths of the width samples, float64 [N] pixels.
        widths: half-widths, float64 [N] pixels.
    """

    points: ComplexArray
    arc: DoubleArray
    widths: DoubleArray

    @property
    def knots(self) -> DoubleArray:
        """Arc length at each joint, [K + 1]."""
        return np.concatenate([[0.0], np.cumsum(np.abs(np.diff(self.points)))])

    def width(self, arc: DoubleArray) -> DoubleArray:
        """Half-widths at arc lengths of any shape, interpolated linearly."""
        return np.interp(arc, self.arc, self.widths)

    def nearest(self, pixels: ComplexArray) -> AxisCoordinates:
        """Distance to the axis and arc length of its nearest point; beyond the ends the arc length is extrapolated.

        Args:
            pixels: complex, any shape.
        """
        distance = np.full(pixels.shape, np.inf)
        arc = np.zeros(pixels.shape)
        knots = self.knots
        last = len(self.points) - 2
        for k in range(last + 1):
            a, b = self.points[k], self.points[k + 1]
            length = max(abs(b - a), 1e-6)
            along = ((pixels - a) * np.conj((b - a) / length)).real
            inside = np.clip(along, 0, length)
            d = np.abs(pixels - (a + (b - a) / length * inside))
            closer = d < distance
            distance = np.where(closer, d, distance)
            run = inside
            if k == 0:
                run = np.where(along < 0, along, run)
            if k == last:
                run = np.where(along > length, along, run)
            arc = np.where(closer, knots[k] + run, arc)
        return AxisCoordinates(distance, arc)


def _complex(point: DoubleArray) -> complex:
    return complex(point[0], point[1])


def limb_axis(body: PhotoBody, layer: str, alpha: FloatArray) -> LimbAxis:
    """Axis of an arm (to the fingertips) or a leg (to the toes), with half-widths measured in the mask.

    Args:
        body: the picture's person.
        layer: one of ``ARMS`` or ``LEGS``.
        alpha: float32 [H, W], the person's mask.
    """
    side, limb = layer.split("_")
    if limb == "arm":
        joints = [_complex(body.joint(f"{side}_{part}")) for part in ("shoulder", "elbow", "wrist")]
        forearm = joints[2] - joints[1]
        hand = forearm / max(abs(forearm), 1e-6) * 0.6 * body.lengths["forearm"]
        joints.append(joints[2] + hand)
        average_widths = _ARM_WIDTHS
    else:
        joints = [_complex(body.joint(f"{side}_{part}")) for part in ("hip", "knee", "ankle", "toe")]
        average_widths = _LEG_WIDTHS
    points = np.asarray(joints, np.complex128)
    knots = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(points)))])
    fractions = np.linspace(0, len(points) - 1, _SAMPLES_PER_BONE * (len(points) - 1) + 1)
    arc = np.interp(fractions, np.arange(len(points)), knots)
    expected = np.interp(fractions, np.arange(len(points)), np.asarray(average_widths) * body.torso)
    if limb == "arm":
        expected *= _thickness_ratio(points, knots, arc, expected, alpha)
    widths = np.asarray([_measure_width(points, knots, s, e, alpha) for s, e in zip(arc, expected, strict=True)])
    smoothed = cv2.GaussianBlur(cv2.medianBlur(widths.astype(np.float32)[None], 5), (9, 1), 2.0)[0]
    return LimbAxis(points, arc, smoothed.astype(np.float64))


def _thickness_ratio(
    points: ComplexArray,
    knots: DoubleArray,
    arc: DoubleArray,
    expected: DoubleArray,
    alpha: FloatArray,
) -> float:
    """Thickness of a drawing's arm relative to a person's, where enough of it has background on both sides; else 1."""
    ratios = [
        sum(_edge_distances(points, knots, s, 4 * e, alpha)) / (2 * e)
        for s, e in zip(arc, expected, strict=True)
        if 0.5 * knots[1] <= s <= knots[2]
    ]
    free = [ratio for ratio in ratios if np.isfinite(ratio)]
    if len(free) < 0.4 * len(ratios) or np.median(free) < _THICK_ARM[0]:
        return 1.0
    return min(float(np.median(free)), _THICK_ARM[1])


def _measure_width(points: ComplexArray, knots: DoubleArray, arc: float, expected: float, alpha: FloatArray) -> float:
    """Half-width of a limb at one arc length, pixels, within 0.7..1.4 of the expected one.

    The mean of the distances to the mask's edge on both sides; on one side where only one has an edge in reach.
    """
    near, far = sorted(_edge_distances(points, knots, arc, 1.7 * expected, alpha))
    if far < np.inf:
        near = (near + far) / 2
    if near == np.inf:
        return expected
    return float(np.clip(near, 0.7 * expected, 1.4 * expected))


def _edge_distances(
    points: ComplexArray, knots: DoubleArray, arc: float, limit: float, alpha: FloatArray
) -> tuple[float, float]:
    """Distances from a limb's axis to the mask's edge on either side, pixels; infinite beyond ``limit``."""
    k = int(np.clip(np.searchsorted(knots, arc, side="right") - 1, 0, len(points) - 2))
    direction = points[k + 1] - points[k]
    direction = direction / max(abs(direction), 1e-6)
    centre = points[k] + direction * (arc - knots[k])
    steps = np.arange(0, limit, 0.5)
    reaches = []
    for normal in (direction * 1j, direction * -1j):
        line = centre + normal * steps
        x = np.clip(np.rint(line.real).astype(int), 0, alpha.shape[1] - 1)
        y = np.clip(np.rint(line.imag).astype(int), 0, alpha.shape[0] - 1)
        outside = alpha[y, x] < 0.5
        reaches.append(float(steps[np.argmax(outside)]) if outside.any() else np.inf)
    return reaches[0], reaches[1]


@dataclass(frozen=True)
class PersonLayers:
    """Layers of a person.

    Attributes:
        textures: of each of ``LAYERS``, float32 [H, W, 4]: premultiplied colours 0..255, and alpha 0..1.
        axes: of each limb.
        skirt: length below the hips of a garment that spans both legs, pixels; 0 for trousers.
    """

    textures: dict[str, FloatArray]
    axes: dict[str, LimbAxis]
    skirt: float


def segment_person(rgb: Frame, alpha: FloatArray, body: PhotoBody, rim: int = 1) -> PersonLayers:
    """Segment a person into layers.

    Args:
        rgb: uint8 [H, W, 3].
        alpha: float32 [H, W] in 0..1, the person's mask.
        body: measured in the same pixels.
        rim: width in pixels of the outline where colours are mixed with the background's.
    """
    height, width = alpha.shape
    grid = np.arange(width)[None, :] + 1j * np.arange(height)[:, None]
    axes = {name: limb_axis(body, name, alpha) for name in ARMS}
    without_arms = alpha.copy()
    for name in ARMS:
        distance, arc = axes[name].nearest(grid)
        without_arms[distance < axes[name].width(arc)] = 0
    axes |= {name: limb_axis(body, name, without_arms) for name in LEGS}
    coordinates = {name: axis.nearest(grid) for name, axis in axes.items()}
    ratio = {name: c.distance / axes[name].width(c.arc) for name, c in coordinates.items()}
    skirt = _skirt_length(rgb, without_arms, body, axes)
    labels = _label(rgb, alpha, body, axes, coordinates, ratio, skirt, grid)
    torso = _torso_polygon(body, alpha.shape, 0.0)
    masks = {name: labels == k + 1 for k, name in enumerate(LAYERS)}
    # Around a hand, colours of the layer behind are contaminated by its edge and shadow: they are not used.
    hands = np.zeros(alpha.shape, np.uint8)
    for name in ARMS:
        hands |= (masks[name] & (coordinates[name].arc > axes[name].knots[2])).astype(np.uint8)
    reach = max(2, round(0.045 * body.torso))
    contaminated = cv2.dilate(hands, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))) > 0
    nowhere = np.zeros(alpha.shape, bool)
    textures = {}
    for name in (*ARMS, *LEGS):
        root = np.abs(grid - axes[name].points[0]) / axes[name].widths[0]
        cap = np.clip((1.1 - root) / 0.4, 0, 1) * masks[TORSO_LAYER]
        others = (labels > 0) & ~masks[name] & ~masks[TORSO_LAYER]
        hidden = others & (ratio[name] < 0.85) & (coordinates[name].arc > -0.5 * axes[name].widths[0])
        textures[name] = _texture(
            rgb, alpha, masks[name], cap.astype(np.float32), hidden, nowhere if name in ARMS else contaminated, rim
        )
    arms = np.zeros(alpha.shape, bool)
    for name in ARMS:
        arms |= masks[name]
        torso |= np.abs(grid - axes[name].points[0]) < 0.8 * axes[name].widths[0]
    hidden = arms & torso & (alpha > 0.3)
    hem = _leg_overlap(body, labels, skirt)
    textures[TORSO_LAYER] = _texture(rgb, alpha, masks[TORSO_LAYER], hem, hidden, contaminated, rim)
    return PersonLayers(textures, axes, skirt)


def _leg_overlap(body: PhotoBody, labels: IntArray, skirt: float) -> FloatArray:
    """Soft overlap of the torso's layer over the tops of the legs, [H, W] in 0..1; 0 below a skirt, whose edge is real.

    Args:
        body: the picture's person.
        labels: of ``_label``.
        skirt: length of a skirt, 0 for trousers.
    """
    soft = np.zeros(labels.shape, np.float32)
    if skirt > 0:
        return soft
    torso = (labels == 1).astype(np.uint8)
    distance = cv2.distanceTransform(1 - torso, cv2.DIST_L2, 5)
    # In the middle it is longer, so that the crotch is closed when the legs part, and has a sharper edge, since behind
    # it there is only the background.
    x = np.arange(labels.shape[1]) - body.hips[0]
    middle = np.broadcast_to(np.exp(-((x / (0.5 * body.lengths["hip"])) ** 2))[None, :], labels.shape)
    length = (0.10 + 0.02 * middle) * body.torso
    slope = 2 + 3 * middle
    for name in LEGS:
        leg = labels == LAYERS.index(name) + 1
        soft[leg] = np.clip(slope[leg] * (1 - distance[leg] / length[leg]), 0, 1)
    return soft


def _torso_polygon(body: PhotoBody, shape: tuple[int, ...], inset: float) -> BoolArray:
    """Polygon of shoulders and hips, bool [H, W]; its corners are moved to the middle by the fraction ``inset``."""
    corners = []
    for part, middle in (("shoulder", body.joint("neck")), ("hip", body.hips)):
        for side in SIDES if part == "shoulder" else SIDES[::-1]:
            joint = body.joint(f"{side}_{part}")
            corners.append(joint + (middle - joint) * inset)
    mask = np.zeros(shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.rint(np.asarray(corners) * 8).astype(np.int32)], 1, shift=3)
    return mask.astype(bool)


def _label(
    rgb: Frame,
    alpha: FloatArray,
    body: PhotoBody,
    axes: dict[str, LimbAxis],
    coordinates: dict[str, AxisCoordinates],
    ratio: dict[str, DoubleArray],
    skirt: float,
    grid: ComplexArray,
) -> IntArray:
    """Layer of each pixel, int32 [H, W]: 1 + index in ``LAYERS``, 0 outside of the person.

    Seeds near the axes grow by geodesic distance over colours and edges.

    Args:
        rgb: uint8 [H, W, 3].
        alpha: float32 [H, W], the person's mask.
        body: the picture's person.
        axes: of the limbs.
        coordinates: of the pixels relative to each limb's axis, [H, W].
        ratio: distance to each limb's axis in half-widths, [H, W].
        skirt: of ``_skirt_length``.
        grid: positions of the pixels, complex [H, W].
    """
    labels = np.zeros(alpha.shape, np.int32)
    inside = alpha > 0.02
    core = _torso_polygon(body, alpha.shape, 0.15)
    head = _complex(body.head)
    neck = _complex(body.joint("neck"))
    core |= np.abs(grid - head) < 0.75 * body.lengths["head"]
    spine = LimbAxis(np.asarray([head, neck, _complex(body.hips)]), np.asarray([0.0]), np.asarray([1.0]))
    core |= spine.nearest(grid)[0] < 0.12 * body.torso
    if skirt > 0:
        drop = _distance_below_hips(body, grid)
        core |= _between_legs(body, grid) & (drop < skirt) & (drop > 0)
    for name in ARMS:
        axis = axes[name]
        below_shoulder = coordinates[name].arc > 0.35 * axis.knots[1]
        core &= ~((ratio[name] < 1.45) & below_shoulder)
    labels[core & inside] = 1
    for name in (*LEGS, *ARMS):
        axis = axes[name]
        start = (0.3 if name in LEGS else 0.4) * axis.knots[1]
        if name in LEGS and skirt > 0:
            start = max(start, skirt + 0.05 * body.torso)
        end = axis.knots[-1] if name in LEGS else axis.knots[2] + 0.7 * (axis.knots[3] - axis.knots[2])
        arc = coordinates[name].arc
        seed = (ratio[name] < (0.55 if name in LEGS else 0.35)) & (arc > start) & (arc < end) & inside
        labels[seed] = LAYERS.index(name) + 1
    smoothed = cv2.bilateralFilter(rgb, 0, 30, 2.0)
    lab = cv2.cvtColor(smoothed, cv2.COLOR_RGB2LAB).astype(np.float32)
    dx, dy = cv2.Sobel(lab, cv2.CV_32F, 1, 0, ksize=3) / 8, cv2.Sobel(lab, cv2.CV_32F, 0, 1, ksize=3) / 8
    edge = np.sqrt((dx**2 + dy**2).sum(axis=2))
    allowed = np.broadcast_to(inside, (1 + len(LAYERS), *inside.shape)).copy()
    for name in ARMS:
        # An arm takes no pixels far from its bones: parts of a dress, of hair, of the other side.
        hand = coordinates[name].arc > axes[name].knots[2]
        largest = np.where(hand, 2.2, 1.5)
        if _is_raised(body, axes[name]):
            # Beside the trunk they may belong to a wide sleeve.
            largest = np.where(~hand & _beside_trunk(body, grid), _SLEEVE_WIDTH, largest)
        allowed[LAYERS.index(name) + 1] &= ratio[name] < largest
    geodesic_labels(labels, allowed, np.minimum(edge, 25) * np.float32(0.3), lab, 0.12, 6)
    return labels


def _is_raised(body: PhotoBody, arm: LimbAxis) -> bool:
    """Whether an upper arm points away from the trunk, so that its sleeve is separate from the trunk's clothes."""
    down = _complex(body.hips - body.joint("neck"))
    return abs(float(np.angle((arm.points[1] - arm.points[0]) / down))) > _RAISED_ANGLE


def _beside_trunk(body: PhotoBody, grid: ComplexArray) -> BoolArray:
    """Pixels above the waist and outside of the lines from the shoulders to the hips with a margin, bool [H, W]."""
    axis = _complex(body.joint("neck") - body.hips)
    local = (grid - _complex(body.hips)) / axis
    half = np.interp(local.real, (0, 1), (body.lengths["hip"], body.lengths["shoulder"])) / body.torso
    return np.asarray((local.real > 0.3) & (local.real < 1.1) & (np.abs(local.imag) > half + 0.08))


def _between_legs(body: PhotoBody, grid: ComplexArray) -> BoolArray:
    """Pixels horizontally between the outer sides of the legs, bool [H, W]."""
    left, right = _complex(body.joint("left_hip")), _complex(body.joint("right_hip"))
    middle, half = (left + right) / 2, abs(left - right) / 2
    return np.asarray(np.abs((grid - middle).real) < 1.2 * half)


def _distance_below_hips(body: PhotoBody, grid: ComplexArray) -> DoubleArray:
    """Distance below the hips along the spine's direction, pixels [H, W]."""
    hips = _complex(body.hips)
    down = hips - _complex(body.joint("neck"))
    return np.asarray(((grid - hips) * np.conj(down / max(abs(down), 1e-6))).real)


def _skirt_length(rgb: Frame, alpha: FloatArray, body: PhotoBody, axes: dict[str, LimbAxis]) -> float:
    """Length of a skirt below the hips, pixels; 0 where the legs are separate or in trousers.

    Between the legs a skirt continues without a gap, and at its end both legs have another colour than it. With
    trousers the gap opens while the legs still have the garment's colour.

    Args:
        rgb: uint8 [H, W, 3].
        alpha: float32 [H, W], the person's mask without arms.
        body: the picture's person.
        axes: of the limbs.
    """
    lab = cv2.cvtColor(cv2.GaussianBlur(rgb, (0, 0), 2.0), cv2.COLOR_RGB2LAB).astype(np.float32)
    torso = body.torso
    hips, axis = _complex(body.hips), _complex(body.hips - body.joint("neck")) / torso

    def sample(point: complex) -> tuple[FloatArray, float]:
        """Colour and alpha at the nearest pixel of the picture."""
        x = int(np.clip(round(point.real), 0, alpha.shape[1] - 1))
        y = int(np.clip(round(point.imag), 0, alpha.shape[0] - 1))
        return lab[y, x], float(alpha[y, x])

    def leg_points(drop: float) -> tuple[complex, complex]:
        right, left = (np.interp(drop, axes[name].knots, axes[name].points) for name in LEGS)
        return complex(right), complex(left)

    def colour_distance(a: FloatArray, b: FloatArray) -> float:
        # Folds and shading change the lightness: it has half the weight of the hue.
        return float(np.linalg.norm((a - b) * (0.5, 1.0, 1.0)))

    start = 0.15 * torso
    garment, _ = sample(hips + axis * start)
    end = 0.0
    for drop in np.arange(start, 1.45 * torso, 1.0):
        right, left = leg_points(float(drop))
        colour, coverage = sample((right + left) / 2)
        if coverage < 0.5 or colour_distance(colour, garment) > 14:
            end = float(drop)
            break
        garment = 0.9 * garment + 0.1 * colour
    if end < 0.28 * torso:
        return 0.0
    below = end + 0.08 * torso
    bare_legs = all(colour_distance(sample(point)[0], garment) > 12 for point in leg_points(below))

    def width(drop: float) -> int:
        across = np.arange(-0.6 * torso, 0.6 * torso)
        return sum(sample(hips + axis * drop + axis * 1j * x)[1] > 0.5 for x in across)

    return end if bare_legs and width(0.9 * end) > 1.1 * width(below) else 0.0


def _large_components(mask: BoolArray) -> BoolArray:
    """A mask without components smaller than a tenth of its largest one, which are mostly parts of another layer."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    if count <= 2:
        return mask
    areas = stats[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0
    return np.asarray((areas > 0.1 * areas.max())[labels])


def _texture(
    rgb: Frame,
    alpha: FloatArray,
    mask: BoolArray,
    overlap: FloatArray,
    hidden: BoolArray,
    contaminated: BoolArray,
    rim: int,
) -> FloatArray:
    """Texture of a layer: its pixels, a soft overlap over its neighbours, and its occluded part.

    Args:
        rgb: uint8 [H, W, 3].
        alpha: float32 [H, W], the person's mask.
        mask: bool [H, W], pixels of the layer.
        overlap: float32 [H, W] in 0..1, coverage of its neighbours' pixels by the layer.
        hidden: bool [H, W], the occluded part, to be inpainted from the layer's own colours.
        contaminated: bool [H, W], pixels whose colours are not used.
        rim: width in pixels of the outline where colours are mixed with the background's.

    Returns:
        float32 [H, W, 4], premultiplied; all 0 for an empty mask.
    """
    result = np.zeros((*alpha.shape, 4), np.float32)
    if not mask.any():
        return result
    opaque = mask & (alpha > 0.97)
    inner = cv2.erode(opaque.astype(np.uint8), np.ones((2 * rim + 1, 2 * rim + 1), np.uint8)).astype(bool)
    inner = _large_components(inner & ~contaminated)
    known = inner if inner.any() else mask
    y, x = np.nonzero(mask | hidden | (overlap > 0))
    pad = 8
    box = (slice(max(0, y.min() - pad), y.max() + pad + 1), slice(max(0, x.min() - pad), x.max() + pad + 1))
    # Colours of the rim are extrapolated from the inside.
    colours = push_pull(rgb[box].astype(np.float32), known[box].astype(np.float32))
    unmixed = (overlap[box] > 0) & (alpha[box] > 0.97) & ~hidden[box] & ~contaminated[box]
    colours[unmixed] = rgb[box][unmixed]
    hole = hidden[box]
    if hole.any():
        initial = np.where(hole[..., None], colours, rgb[box]).clip(0, 255).astype(np.uint8)
        colours[hole] = inpaint(initial, hole, source=known[box])[hole]
    full = (mask | hidden | (overlap > 0.9)).astype(np.float32)
    coverage = np.maximum(cv2.GaussianBlur(full, (0, 0), 0.7), overlap)[box] * np.maximum(alpha[box], 0)
    result[box][..., :3] = np.clip(colours, 0, 255) * coverage[..., None]
    result[box][..., 3] = coverage
    return result
