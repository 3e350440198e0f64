"""Cutting the person of a picture into sheets: the core (head, torso, skirt), two arms, two legs.

Each sheet is a texture of its own. Where one limb hides another, the hidden part is filled in, so that nothing shows
twice and no hole opens when they move apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stgmamba.arrays import BoolArray, FloatArray
from stgmamba.limb_warp.inpainting import inpaint, push_pull
from stgmamba.limb_warp.kernels import geodesic_labels
from stgmamba.limb_warp.retargeting import SIDES, PhotoBody

TORSO_LAYER = "torso"
ARMS = tuple(f"{side}_arm" for side in SIDES)
LEGS = tuple(f"{side}_leg" for side in SIDES)
LAYERS = (TORSO_LAYER, *ARMS, *LEGS)

# Half-widths of a clothed limb at its joints, in torso lengths.
_ARM_WIDTHS = (0.145, 0.11, 0.075, 0.085)
_LEG_WIDTHS = (0.215, 0.15, 0.10, 0.11)
_STATIONS = 12  # per bone
_RAISED = 0.45  # radians
_SLEEVE = 2.6  # as far from the bone as a sleeve may hang, in half-widths of the arm
_STOUT = (1.4, 3.0)  # drawn arms are this many times as thick: no arm of a person is, sleeves and all


@dataclass(frozen=True)
class LimbAxis:
    """A limb as a line of joints with the limb's half-width along it.

    Attributes:
        points: complex128 [K + 1] joints in pixels (x + iy), root first.
        arc: float64 [N] arc lengths of the stations.
        widths: float64 [N] half-width at each station, pixels.
    """

    points: NDArray[np.complex128]
    arc: NDArray[np.float64]
    widths: NDArray[np.float64]

    @property
    def knots(self) -> NDArray[np.float64]:
        """Arc length at each joint, [K + 1]."""
        return np.concatenate([[0.0], np.cumsum(np.abs(np.diff(self.points)))])

    def width(self, arc: NDArray[np.float64]) -> NDArray[np.float64]:
        """Half-width at arc lengths of any shape."""
        return np.interp(arc, self.arc, self.widths)

    def nearest(self, pixels: NDArray[np.complex128]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Distance to the line and arc length of the nearest point; beyond the ends the arc length runs on."""
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
        return distance, arc


def _complex(point: NDArray[np.float64]) -> complex:
    return complex(point[0], point[1])


def limb_axis(body: PhotoBody, sheet: str, alpha: FloatArray) -> LimbAxis:
    """The line of joints of an arm (to the fingertips) or a leg (to the toes), its half-widths measured in the mask."""
    side, limb = sheet.split("_")
    if limb == "arm":
        joints = [_complex(body.joint(f"{side}_{part}")) for part in ("shoulder", "elbow", "wrist")]
        forearm = joints[2] - joints[1]
        hand = forearm / max(abs(forearm), 1e-6) * 0.6 * body.lengths["forearm"]
        joints.append(joints[2] + hand)
        usual = _ARM_WIDTHS
    else:
        joints = [_complex(body.joint(f"{side}_{part}")) for part in ("hip", "knee", "ankle", "toe")]
        usual = _LEG_WIDTHS
    points = np.asarray(joints, np.complex128)
    knots = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(points)))])
    fractions = np.linspace(0, len(points) - 1, _STATIONS * (len(points) - 1) + 1)
    arc = np.interp(fractions, np.arange(len(points)), knots)
    expected = np.interp(fractions, np.arange(len(points)), np.asarray(usual) * body.torso)
    if limb == "arm":
        expected *= _stoutness(points, knots, arc, expected, alpha)
    widths = np.asarray([_measure(points, knots, s, e, alpha) for s, e in zip(arc, expected, strict=True)])
    smooth = cv2.GaussianBlur(cv2.medianBlur(widths.astype(np.float32)[None], 5), (9, 1), 2.0)[0]
    return LimbAxis(points, arc, smooth.astype(np.float64))


def _stoutness(
    points: NDArray[np.complex128],
    knots: NDArray[np.float64],
    arc: NDArray[np.float64],
    expected: NDArray[np.float64],
    alpha: FloatArray,
) -> float:
    """How many times as thick as a person's a drawing's arm is, where much of it stands free; 1 for people."""
    ratios = [
        sum(_sides(points, knots, s, 4 * e, alpha)) / (2 * e)
        for s, e in zip(arc, expected, strict=True)
        if 0.5 * knots[1] <= s <= knots[2]
    ]
    free = [ratio for ratio in ratios if np.isfinite(ratio)]
    if len(free) < 0.4 * len(ratios) or np.median(free) < _STOUT[0]:
        return 1.0
    return min(float(np.median(free)), _STOUT[1])


def _measure(
    points: NDArray[np.complex128], knots: NDArray[np.float64], arc: float, expected: float, alpha: FloatArray
) -> float:
    """Half-width of a limb at one station: distance to the nearer side of the mask, where it is seen."""
    near, far = sorted(_sides(points, knots, arc, 1.7 * expected, alpha))
    if far < np.inf:
        near = (near + far) / 2
    if near == np.inf:
        return expected
    return float(np.clip(near, 0.7 * expected, 1.4 * expected))


def _sides(
    points: NDArray[np.complex128], knots: NDArray[np.float64], arc: float, furthest: float, alpha: FloatArray
) -> tuple[float, float]:
    """Distances from a limb's line to the mask's edge on either side; infinite beyond ``furthest``."""
    k = int(np.clip(np.searchsorted(knots, arc, side="right") - 1, 0, len(points) - 2))
    direction = points[k + 1] - points[k]
    direction = direction / max(abs(direction), 1e-6)
    centre = points[k] + direction * (arc - knots[k])
    steps = np.arange(0, furthest, 0.5)
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
    """A person cut into sheets.

    Attributes:
        textures: per sheet float32 [H, W, 4], colours times alpha, and alpha.
        axes: per limb its line of joints.
        skirt: how far below the hips the garment hangs free of the legs, in pixels; 0 for trousers.
    """

    textures: dict[str, FloatArray]
    axes: dict[str, LimbAxis]
    skirt: float


def segment_person(rgb: NDArray[np.uint8], alpha: FloatArray, body: PhotoBody, rim: int = 1) -> PersonLayers:
    """Cut the person into sheets.

    Args:
        rgb: uint8 [H, W, 3].
        alpha: float32 [H, W], the person's outline.
        body: joints in the same pixels.
        rim: width in pixels of the border whose colours are mixed with the background's.
    """
    height, width = alpha.shape
    grid = np.arange(width)[None, :] + 1j * np.arange(height)[:, None]
    axes = {name: limb_axis(body, name, alpha) for name in ARMS}
    without_arms = alpha.copy()
    for name in ARMS:
        distance, arc = axes[name].nearest(grid)
        without_arms[distance < axes[name].width(arc)] = 0
    axes |= {name: limb_axis(body, name, without_arms) for name in LEGS}
    near = {name: axis.nearest(grid) for name, axis in axes.items()}
    ratio = {name: near[name][0] / axes[name].width(near[name][1]) for name in axes}
    skirt = _skirt_length(rgb, without_arms, body, axes)
    labels = _label(rgb, alpha, body, axes, near, ratio, skirt, grid)
    torso = _torso_polygon(body, alpha.shape, 0.0)
    owner = {name: labels == k + 1 for k, name in enumerate(LAYERS)}
    # A hand's edge and shadow stain what it lies on: those colours are taken from further away.
    hands = np.zeros(alpha.shape, np.uint8)
    for name in ARMS:
        hands |= (owner[name] & (near[name][1] > axes[name].knots[2])).astype(np.uint8)
    reach = max(2, round(0.045 * body.torso))
    stained = cv2.dilate(hands, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))) > 0
    clean = np.zeros(alpha.shape, bool)
    textures = {}
    for name in (*ARMS, *LEGS):
        arc, r = near[name][1], ratio[name]
        root = np.abs(grid - axes[name].points[0]) / axes[name].widths[0]
        cap = np.clip((1.1 - root) / 0.4, 0, 1) * owner[TORSO_LAYER]
        others = (labels > 0) & ~owner[name] & ~owner[TORSO_LAYER]
        hidden = others & (r < 0.85) & (arc > -0.5 * axes[name].widths[0])
        textures[name] = _texture(
            rgb, alpha, owner[name], cap.astype(np.float32), hidden, clean if name in ARMS else stained, rim
        )
    over = np.zeros(alpha.shape, bool)
    for name in ARMS:
        over |= owner[name]
        torso |= np.abs(grid - axes[name].points[0]) < 0.8 * axes[name].widths[0]
    hidden = over & torso & (alpha > 0.3)
    hem = _hem(alpha, body, labels, axes, near, ratio, skirt)
    textures[TORSO_LAYER] = _texture(rgb, alpha, owner[TORSO_LAYER], hem, hidden, stained, rim)
    return PersonLayers(textures, axes, skirt)


def _hem(
    alpha: FloatArray,
    body: PhotoBody,
    labels: NDArray[np.int32],
    axes: dict[str, LimbAxis],
    near: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]],
    ratio: dict[str, NDArray[np.float64]],
    skirt: float,
) -> FloatArray:
    """Soft overlap of the core onto the tops of the legs, [H, W]; none under a skirt, whose edge is real."""
    soft = np.zeros(alpha.shape, np.float32)
    if skirt > 0:
        return soft
    core = (labels == 1).astype(np.uint8)
    away = cv2.distanceTransform(1 - core, cv2.DIST_L2, 5)
    # In the middle it reaches lower, so that the crotch stays closed when the legs part, and ends more sharply: there
    # nothing lies behind its edge but the background.
    x = np.arange(alpha.shape[1]) - body.hips[0]
    middle = np.broadcast_to(np.exp(-((x / (0.5 * body.lengths["hip"])) ** 2))[None, :], alpha.shape)
    reach = (0.10 + 0.02 * middle) * body.torso
    slope = 2 + 3 * middle
    for name in LEGS:
        leg = labels == LAYERS.index(name) + 1
        soft[leg] = np.clip(slope[leg] * (1 - away[leg] / reach[leg]), 0, 1)
    return soft


def _torso_polygon(body: PhotoBody, shape: tuple[int, ...], inset: float) -> BoolArray:
    """Shoulders and hips, drawn in towards the middle by ``inset`` of the shoulders' half-width."""
    corners = []
    for part, middle in (("shoulder", body.joint("neck")), ("hip", body.hips)):
        for side in SIDES if part == "shoulder" else SIDES[::-1]:
            joint = body.joint(f"{side}_{part}")
            corners.append(joint + (middle - joint) * inset)
    mask = np.zeros(shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.rint(np.asarray(corners) * 8).astype(np.int32)], 1, shift=3)
    return mask.astype(bool)


def _label(
    rgb: NDArray[np.uint8],
    alpha: FloatArray,
    body: PhotoBody,
    axes: dict[str, LimbAxis],
    near: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]],
    ratio: dict[str, NDArray[np.float64]],
    skirt: float,
    grid: NDArray[np.complex128],
) -> NDArray[np.int32]:
    """Which sheet each pixel of the person belongs to: 1 + index in SHEETS, 0 outside."""
    labels = np.zeros(alpha.shape, np.int32)
    inside = alpha > 0.02
    core = _torso_polygon(body, alpha.shape, 0.15)
    head = _complex(body.head)
    neck = _complex(body.joint("neck"))
    core |= np.abs(grid - head) < 0.75 * body.lengths["head"]
    spine = LimbAxis(np.asarray([head, neck, _complex(body.hips)]), np.asarray([0.0]), np.asarray([1.0]))
    core |= spine.nearest(grid)[0] < 0.12 * body.torso
    if skirt > 0:
        core |= _below_hips(body, grid) & (_drop(body, grid) < skirt) & (_drop(body, grid) > 0)
    for name in ARMS:
        axis = axes[name]
        free = near[name][1] > 0.35 * axis.knots[1]
        core &= ~((ratio[name] < 1.45) & free)
    labels[core & inside] = 1
    for name in (*LEGS, *ARMS):
        axis = axes[name]
        start = (0.3 if name in LEGS else 0.4) * axis.knots[1]
        if name in LEGS and skirt > 0:
            start = max(start, skirt + 0.05 * body.torso)
        end = axis.knots[-1] if name in LEGS else axis.knots[2] + 0.7 * (axis.knots[3] - axis.knots[2])
        arc = near[name][1]
        seed = (ratio[name] < (0.55 if name in LEGS else 0.35)) & (arc > start) & (arc < end) & inside
        labels[seed] = LAYERS.index(name) + 1
    smooth = cv2.bilateralFilter(rgb, 0, 30, 2.0)
    lab = cv2.cvtColor(smooth, cv2.COLOR_RGB2LAB).astype(np.float32)
    dx, dy = cv2.Sobel(lab, cv2.CV_32F, 1, 0, ksize=3) / 8, cv2.Sobel(lab, cv2.CV_32F, 0, 1, ksize=3) / 8
    edge = np.sqrt((dx**2 + dy**2).sum(axis=2))
    allowed = np.broadcast_to(inside, (1 + len(LAYERS), *inside.shape)).copy()
    for name in ARMS:
        # An arm may not carry off what is too far from its bones: a piece of dress, of hair, of the other side.
        hand = near[name][1] > axes[name].knots[2]
        widest = np.where(hand, 2.2, 1.5)
        if _raised(body, axes[name]):
            # The corner of a wide sleeve is no part of the trunk, which it stands out from.
            widest = np.where(~hand & _beside_trunk(body, grid), _SLEEVE, widest)
        allowed[LAYERS.index(name) + 1] &= ratio[name] < widest
    geodesic_labels(labels, allowed, np.minimum(edge, 25) * np.float32(0.3), lab, 0.12, 6)
    return labels


def _raised(body: PhotoBody, arm: LimbAxis) -> bool:
    """Whether an upper arm points away from the trunk, so that its sleeve and the trunk's cloth can be told apart."""
    down = _complex(body.hips - body.joint("neck"))
    return abs(float(np.angle((arm.points[1] - arm.points[0]) / down))) > _RAISED


def _beside_trunk(body: PhotoBody, grid: NDArray[np.complex128]) -> BoolArray:
    """Above the waist and clearly outside of the lines from the shoulders to the hips."""
    axis = _complex(body.joint("neck") - body.hips)
    local = (grid - _complex(body.hips)) / axis
    half = np.interp(local.real, (0, 1), (body.lengths["hip"], body.lengths["shoulder"])) / body.torso
    return np.asarray((local.real > 0.3) & (local.real < 1.1) & (np.abs(local.imag) > half + 0.08))


def _below_hips(body: PhotoBody, grid: NDArray[np.complex128]) -> BoolArray:
    """Between the outer sides of the legs."""
    left, right = _complex(body.joint("left_hip")), _complex(body.joint("right_hip"))
    middle, half = (left + right) / 2, abs(left - right) / 2
    return np.asarray(np.abs((grid - middle).real) < 1.2 * half)


def _drop(body: PhotoBody, grid: NDArray[np.complex128]) -> NDArray[np.float64]:
    """How far below the hips, along the spine's direction, pixels."""
    hips = _complex(body.hips)
    down = hips - _complex(body.joint("neck"))
    return np.asarray(((grid - hips) * np.conj(down / max(abs(down), 1e-6))).real)


def _skirt_length(rgb: NDArray[np.uint8], alpha: FloatArray, body: PhotoBody, axes: dict[str, LimbAxis]) -> float:
    """How far a skirt reaches below the hips; 0 when the legs show apart or stand in trousers.

    Down the middle between the legs the garment goes on without a break; where it ends, both legs have another colour
    than it. (Trousers: the gap between the legs opens while the legs still have the garment's colour.)
    """
    lab = cv2.cvtColor(cv2.GaussianBlur(rgb, (0, 0), 2.0), cv2.COLOR_RGB2LAB).astype(np.float32)
    torso = body.torso
    hips, axis = _complex(body.hips), _complex(body.hips - body.joint("neck")) / torso

    def look(point: complex) -> tuple[FloatArray, float]:
        x = int(np.clip(round(point.real), 0, alpha.shape[1] - 1))
        y = int(np.clip(round(point.imag), 0, alpha.shape[0] - 1))
        return lab[y, x], float(alpha[y, x])

    def legs_at(drop: float) -> tuple[complex, complex]:
        right, left = (np.interp(drop, axes[n].knots, axes[n].points) for n in LEGS)
        return complex(right), complex(left)

    def unlike(a: FloatArray, b: FloatArray) -> float:
        # Folds and shading change the lightness: it counts less than the hue.
        return float(np.linalg.norm((a - b) * (0.5, 1.0, 1.0)))

    start = 0.15 * torso
    garment, _ = look(hips + axis * start)
    end = 0.0
    for drop in np.arange(start, 1.45 * torso, 1.0):
        right, left = legs_at(float(drop))
        colour, there = look((right + left) / 2)
        if there < 0.5 or unlike(colour, garment) > 14:
            end = float(drop)
            break
        garment = 0.9 * garment + 0.1 * colour
    if end < 0.28 * torso:
        return 0.0
    below = end + 0.08 * torso
    bare = all(unlike(look(point)[0], garment) > 12 for point in legs_at(below))

    def width(drop: float) -> int:
        across = np.arange(-0.6 * torso, 0.6 * torso)
        return sum(look(hips + axis * drop + axis * 1j * x)[1] > 0.5 for x in across)

    return end if bare and width(0.9 * end) > 1.1 * width(below) else 0.0


def _large_parts(mask: BoolArray) -> BoolArray:
    """Without islands smaller than a tenth of the largest: most are pieces of a neighbour."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    if count <= 2:
        return mask
    areas = stats[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0
    return np.asarray((areas > 0.1 * areas.max())[labels])


def _texture(
    rgb: NDArray[np.uint8],
    alpha: FloatArray,
    own: BoolArray,
    overlap: FloatArray,
    hidden: BoolArray,
    stained: BoolArray,
    rim: int,
) -> FloatArray:
    """One sheet: its own pixels, the soft overlap onto its neighbours, and what others hide of it.

    Args:
        rgb: uint8 [H, W, 3].
        alpha: float32 [H, W], the person's outline.
        own: bool [H, W], pixels that belong to the sheet.
        overlap: float32 [H, W], how far the sheet reaches into its neighbours' pixels.
        hidden: bool [H, W], what to add with colours taken from the sheet's own.
        stained: bool [H, W], where the picture's colours are not to be trusted.
        rim: width in pixels of the border whose colours are mixed with the background's.

    Returns:
        float32 [H, W, 4], premultiplied.
    """
    result = np.zeros((*alpha.shape, 4), np.float32)
    if not own.any():
        return result
    solid = own & (alpha > 0.97)
    inner = cv2.erode(solid.astype(np.uint8), np.ones((2 * rim + 1, 2 * rim + 1), np.uint8)).astype(bool)
    inner = _large_parts(inner & ~stained)
    known = inner if inner.any() else own
    wanted = own | hidden | (overlap > 0)
    y, x = np.nonzero(wanted)
    pad = 8
    box = (slice(max(0, y.min() - pad), y.max() + pad + 1), slice(max(0, x.min() - pad), x.max() + pad + 1))
    # Rims mix person and background: their colours are taken from the inside instead.
    colours = push_pull(rgb[box].astype(np.float32), known[box].astype(np.float32))
    plain = (overlap[box] > 0) & (alpha[box] > 0.97) & ~hidden[box] & ~stained[box]
    colours[plain] = rgb[box][plain]
    dark = hidden[box]
    if dark.any():
        start = np.where(dark[..., None], colours, rgb[box]).clip(0, 255).astype(np.uint8)
        colours[dark] = inpaint(start, dark, source=known[box])[dark]
    whole = (own | hidden | (overlap > 0.9)).astype(np.float32)
    share = np.maximum(cv2.GaussianBlur(whole, (0, 0), 0.7), overlap)[box]
    cover = share * np.maximum(alpha[box], 0)
    result[box][..., :3] = np.clip(colours, 0, 255) * cover[..., None]
    result[box][..., 3] = cover
    return result
