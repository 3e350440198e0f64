"""A figure whose joints are given by hand: its mask, and everything else of a `DetectedPerson`.

The mask is the first of these that exists: a given one; the picture's transparency; the region inside the lines of a
drawing on a plain background; MediaPipe's mask, where it detects a person in this pose; GrabCut's, from the colours
near the joints.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from stgmamba.arrays import BoolArray, FloatArray
from stgmamba.errors import InputError
from stgmamba.person.matting import refine_mask
from stgmamba.person.picture import Picture
from stgmamba.person.pose import GUESSED, DetectedPerson, find_person, guess_joints
from stgmamba.person.pose_file import ManualPose
from stgmamba.skeleton.layouts import OPENPOSE_18_FEET

_MARGIN = 0.02  # tolerance of joints outside of the picture, of its sides: a hand at the border is in the picture
_ASPECT_TOLERANCE = 0.01  # by which the aspect ratios of two sizes of one picture may differ
_OPTIONAL = ("eye", "ear", "heel", "toe")  # hardly change how a drawing moves: no note when they are estimated
_WORK_SIDE = 700  # longest side at which the mask is computed, pixels
_GAPS = (0.0, 0.02, 0.04, 0.08, 0.14, 0.2)  # torso lengths: gaps in an outline to close, in the order they are tried
_MIN_COVERAGE = 0.93  # fraction of the bones' length that must lie inside a flood-filled mask
_MIN_COVERAGE_GIVEN = 0.5  # the same for any mask, below which it is of something else
_FULL = 0.99  # fraction of the picture above which a mask leaves nothing around the figure
_MIN_BACKGROUND = 0.75  # fraction of the picture's border that must be background
_MIN_UPRIGHT = 0.5  # cosine of the torso's lean: 60 degrees
_TRUNK = ("right_shoulder", "left_shoulder", "left_hip", "right_hip")
_TRUNK_BONES = (("right_shoulder", "right_hip"), ("left_shoulder", "left_hip"), ("right_hip", "left_hip"))


def figure_from_pose(
    picture: Picture, pose: ManualPose, mask: Picture | None = None
) -> tuple[DetectedPerson, tuple[str, ...]]:
    """The figure of a picture from its given joints, and notes for the user.

    Args:
        picture: the picture.
        pose: its joints, in the pixels of the picture's file, or of ``pose.skeleton.size`` where that is known.
        mask: white (or opaque) where the figure is, as large as the picture; estimated where not given.

    Raises:
        InputError: joints outside of the picture, another size, a figure that lies, or a mask that does not fit.
    """
    points, known = _place(pose, picture)
    notes: tuple[str, ...] = ()
    _check_upright(points, known, pose.name)
    bones = _bones(points, known)
    if mask is not None:
        outline = load_mask(mask, picture)
    elif picture.alpha is not None:
        outline = picture.alpha
    else:
        found = _line_drawing_mask(picture.rgb, bones, _torso(points))
        found = _detected_mask(picture, points, known) if found is None else found
        if found is None:
            found = _grabcut_mask(picture.rgb, bones, points)
            notes = (f"{picture.name}: the figure is cut out by its colours alone; give its outline with --mask.",)
        outline = found
    _check_outline(outline, bones, picture.name if mask is None else mask.name, f"of {pose.name}")
    confidence = np.where(known, 1, GUESSED).astype(np.float32)
    skeleton = replace(pose.skeleton, positions=points[None], confidence=confidence[None], size=picture.size)
    missing = tuple(
        joint
        for joint, there in zip(OPENPOSE_18_FEET.joints, known, strict=True)
        if not there and not joint.endswith(_OPTIONAL)
    )
    return DetectedPerson(skeleton, outline, 0, missing, np.zeros(len(known), np.float32)), notes


def masked_person(person: DetectedPerson, mask: Picture, picture: Picture) -> DetectedPerson:
    """A detected person with a mask given by hand.

    Raises:
        InputError: the mask is of another size, empty, full, inverted, or of something else in the picture.
    """
    outline = load_mask(mask, picture)
    known = np.array([joint not in person.missing for joint in OPENPOSE_18_FEET.joints])
    _check_outline(outline, _bones(person.skeleton.positions[0], known), mask.name, "found in the picture")
    return replace(person, mask=outline)


def _check_outline(outline: FloatArray, bones: FloatArray, name: str, whose: str) -> None:
    """Refuse a mask that does not hold most of the bones; ``whose`` joints they are stands in the message."""
    if not len(bones):
        return
    lengths = _lengths(bones)
    if np.average(_coverage(outline > 0.5, bones), weights=lengths) >= _MIN_COVERAGE_GIVEN:
        return
    if np.average(_coverage(outline <= 0.5, bones), weights=lengths) > _MIN_COVERAGE and (outline > 0.5).mean() > 0.5:
        raise InputError(f"{name}: the mask is black on the figure and white around it; invert it.")
    raise InputError(
        f"{name}: most joints {whose} lie outside of the figure's outline; check that both belong to this picture, and "
        "that the mask is white on the figure."
    )


def load_mask(mask: Picture, picture: Picture) -> FloatArray:
    """A mask file's mask, float32 [H, W] in 0..1: its transparency where it has any, else its brightness.

    Raises:
        InputError: it is not as large as the picture, or empty or full.
    """
    theirs, ours = mask.original_size or mask.size, picture.original_size or picture.size
    if theirs != ours:
        raise InputError(
            f"{mask.name}: the mask has {theirs[0]} x {theirs[1]} pixels and {picture.name} {ours[0]} x {ours[1]}; "
            "make it as large as the picture."
        )
    grey = cv2.cvtColor(mask.rgb, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    values = grey if mask.alpha is None else mask.alpha
    if not (values > 0.5).any():
        raise InputError(f"{mask.name}: the mask is empty; it must be white on the figure and black around it.")
    if (values > 0.5).mean() > _FULL:
        raise InputError(f"{mask.name}: the mask is white everywhere; it must be black around the figure.")
    return values


def _place(pose: ManualPose, picture: Picture) -> tuple[FloatArray, BoolArray]:
    """Joints [22, 2] in the picture's pixels, absent ones estimated; and which were given, [22]."""
    written = np.array(picture.original_size or picture.size, np.float32)
    size = written if pose.skeleton.size is None else np.array(pose.skeleton.size, np.float32)
    scale = written / size
    if abs(scale[0] / scale[1] - 1) > _ASPECT_TOLERANCE + 1 / float(size.min()):
        raise InputError(
            f"{pose.name}: it is for a picture of {size[0]:.0f} x {size[1]:.0f} pixels, but {picture.name} has "
            f"{written[0]:.0f} x {written[1]:.0f}; use the picture that it was made for."
        )
    points = pose.skeleton.positions[0] / size
    known = pose.skeleton.confidence[0] > 0
    outside = known & ((points < -_MARGIN) | (points > 1 + _MARGIN)).any(axis=1)
    if outside.any():
        j = int(np.argmax(outside))
        x, y = pose.skeleton.positions[0, j]
        raise InputError(
            f"{pose.name}: {OPENPOSE_18_FEET.joints[j]} at [{x:g}, {y:g}] lies outside of the picture, which has "
            f"{size[0]:.0f} x {size[1]:.0f} pixels; correct it, or leave it out."
        )
    pixels = (points * np.array(picture.size, np.float32)).astype(np.float32)
    return (pixels if known.all() else guess_joints(pixels, ~known)), known


def _check_upright(points: FloatArray, known: BoolArray, name: str) -> None:
    """Refuse figures that lie or hang: dances are upright, and limbs turned that far do not fit together."""
    neck, *hips = (OPENPOSE_18_FEET.index(joint) for joint in ("neck", "right_hip", "left_hip"))
    if known[hips].all():
        x, y = points[hips].mean(axis=0) - points[neck]
        if y < _MIN_UPRIGHT * float(np.hypot(x, y)):
            raise InputError(
                f"{name}: the figure does not stand upright, its hips are not below its neck; turn the picture, or use "
                "one of a figure on two legs."
            )


def _torso(points: FloatArray) -> float:
    neck, right, left = (points[OPENPOSE_18_FEET.index(joint)] for joint in ("neck", "right_hip", "left_hip"))
    return max(float(np.linalg.norm(neck - (right + left) / 2)), 1.0)


def _bones(points: FloatArray, known: BoolArray) -> FloatArray:
    """Lines from joint to joint that must lie in the figure, float32 [N, 2, 2]: torso and limbs as far as given."""
    index = OPENPOSE_18_FEET.index
    # The lines from neck to hip leave a thin figure at the waist; the sides of the torso do not.
    lines = [(a, b) for a, b in OPENPOSE_18_FEET.tree if not OPENPOSE_18_FEET.joints[b].endswith((*_OPTIONAL, "hip"))]
    lines += [(index(a), index(b)) for a, b in _TRUNK_BONES]
    return np.array([points[list(line)] for line in lines if known[list(line)].all()], np.float32)


def _coverage(mask: BoolArray, bones: FloatArray) -> FloatArray:
    """Fraction of each bone inside a mask, [N] in 0..1."""
    steps = np.linspace(0, 1, 40)[:, None, None]
    at = np.rint(bones[None, :, 0] * (1 - steps) + bones[None, :, 1] * steps).astype(int)
    x, y = np.clip(at[..., 0], 0, mask.shape[1] - 1), np.clip(at[..., 1], 0, mask.shape[0] - 1)
    return np.asarray(mask[y, x].mean(axis=0), np.float32)


def _lengths(bones: FloatArray) -> FloatArray:
    return np.asarray(np.linalg.norm(bones[:, 0] - bones[:, 1], axis=1) + 1e-3, np.float32)


def _near_bones(shape: tuple[int, ...], bones: FloatArray, reach: float) -> BoolArray:
    """Where a bone is not farther than ``reach`` pixels, bool [H, W]."""
    away = np.ones(shape[:2], np.uint8)
    for a, b in np.rint(bones).astype(int):
        cv2.line(away, a.tolist(), b.tolist(), 0, 1)
    return np.asarray(cv2.distanceTransform(away, cv2.DIST_L2, 5) <= reach)


def _line_drawing_mask(rgb: NDArray[np.uint8], bones: FloatArray, torso: float) -> FloatArray | None:
    """The mask of a figure on a plain background, drawn in lines or filled; None where the background is not plain.

    Whatever differs from the background is foreground. A flood fill of the background from the picture's border leaves
    the figure; where it enters the figure through gaps between lines, ever larger gaps are closed.
    """
    height, width = rgb.shape[:2]
    scale = min(1.0, _WORK_SIDE / max(height, width))
    small = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else rgb
    bones, torso = bones * scale, torso * scale
    foreground = _drawn_pixels(small)
    if foreground is None:
        return None
    pad = round(0.25 * torso) + 2  # so that lines which end at the picture's border can be closed beyond it
    foreground = cv2.copyMakeBorder(foreground.astype(np.uint8), pad, pad, pad, pad, cv2.BORDER_REPLICATE)
    # A limb cut by the border is open there: no seeds near bones.
    border = np.ones(foreground.shape, bool)
    border[pad:-pad, pad:-pad] = False
    near = _near_bones(small.shape, bones, 0.45 * torso).astype(np.uint8)
    seeds = border & (cv2.copyMakeBorder(near, pad, pad, pad, pad, cv2.BORDER_REPLICATE) == 0)
    tolerance = np.ones((2 * round(0.03 * torso) + 1,) * 2, np.uint8)  # joints are set by hand
    for gap in _GAPS:
        radius = round(gap * torso / 2)
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
        closed = cv2.morphologyEx(foreground, cv2.MORPH_CLOSE, kernel)
        _, labels = cv2.connectedComponents((closed == 0).astype(np.uint8), connectivity=4)
        filled = np.zeros(int(labels.max()) + 1, bool)
        filled[np.unique(labels[seeds & (closed == 0)])] = True
        unfilled = ~filled[labels][pad:-pad, pad:-pad]
        figure = _components_with_bones(unfilled, bones)
        coverage = _coverage(cv2.dilate(figure.astype(np.uint8), tolerance) > 0, bones)
        if np.average(coverage, weights=_lengths(bones)) >= _MIN_COVERAGE and coverage.min() >= 0.5:
            return refine_mask(rgb, _resize_mask(figure, (width, height)))
    return None


def _drawn_pixels(rgb: NDArray[np.uint8]) -> BoolArray | None:
    """Foreground, bool [H, W]; None where the picture's border is not of one smoothly changing colour.

    Light falls off across a photographed sheet: the background's colour is a quadratic function of the place.
    """
    height, width = rgb.shape[:2]
    lab = cv2.cvtColor(cv2.GaussianBlur(rgb, (0, 0), 0.8).astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], -1)
    width_of_border = max(2, round(0.03 * min(height, width)))
    border = np.ones((height, width), bool)
    border[width_of_border:-width_of_border, width_of_border:-width_of_border] = False
    inputs, colours = terms[border], lab[border]
    inliers = np.ones(len(inputs), bool)
    residual = np.zeros(len(inputs))
    for _ in range(8):
        fit = np.linalg.lstsq(inputs[inliers], colours[inliers], rcond=None)[0]
        residual = np.linalg.norm(inputs @ fit - colours, axis=1)
        # Lines that cross the border are outliers; the inliers show the noise of the background.
        inliers = residual <= max(3.0, 2.5 * float(np.median(residual)))
    threshold = max(6.0, 3 * float(np.percentile(residual[inliers], 90)))
    if (residual < threshold).mean() < _MIN_BACKGROUND or threshold > 25:
        return None
    difference = np.linalg.norm(terms @ fit - lab, axis=-1)
    foreground = (difference > threshold).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(foreground)
    large = stats[:, cv2.CC_STAT_AREA] > 2e-5 * foreground.size + 4
    return np.asarray(large[labels] & (foreground > 0))


def _components_with_bones(mask: BoolArray, bones: FloatArray) -> BoolArray:
    """The connected components of a mask in which bones lie."""
    _, labels = cv2.connectedComponents(mask.astype(np.uint8))
    touched = np.unique(labels[_near_bones(mask.shape, bones, 1.0)])
    return np.asarray(np.isin(labels, touched[touched > 0]))


def _resize_mask(mask: BoolArray, size: tuple[int, int]) -> FloatArray:
    """A binary mask at another size (width, height), with edges a pixel wide."""
    smooth = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.8)
    return np.asarray(cv2.resize(smooth, size, interpolation=cv2.INTER_LINEAR), np.float32)


def _detected_mask(picture: Picture, points: FloatArray, known: BoolArray) -> FloatArray | None:
    """The mask of a person whom MediaPipe sees in the given pose after all, as it does in photos."""
    try:
        person = find_person(picture)
    except InputError:
        return None
    off = np.linalg.norm(person.skeleton.positions[0] - points, axis=1)[known]
    return person.mask if float(np.median(off)) < 0.3 * _torso(points) else None


def _grabcut_mask(rgb: NDArray[np.uint8], bones: FloatArray, points: FloatArray) -> FloatArray:
    """The mask that GrabCut (Rother et al. 2004) makes of the pixels at the bones."""
    height, width = rgb.shape[:2]
    scale = min(1.0, _WORK_SIDE / max(height, width))
    small = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else rgb
    bones, points, torso = bones * scale, points * scale, _torso(points) * scale
    trunk = np.zeros(small.shape[:2], np.uint8)
    corners = np.array([points[OPENPOSE_18_FEET.index(joint)] for joint in _TRUNK])
    cv2.fillConvexPoly(trunk, cv2.convexHull(np.rint(corners).astype(np.int32)), 1)
    sure = _near_bones(small.shape, bones, 0.05 * torso) | (trunk > 0)
    state = np.full(small.shape[:2], cv2.GC_BGD, np.uint8)
    state[_near_bones(small.shape, bones, 0.9 * torso)] = cv2.GC_PR_BGD
    state[_near_bones(small.shape, bones, 0.22 * torso)] = cv2.GC_PR_FGD
    state[sure] = cv2.GC_FGD
    cv2.setRNGSeed(0)  # its clusters of colours start from random ones
    bgr, models = np.ascontiguousarray(small[..., ::-1]), np.zeros((2, 1, 65))
    cv2.grabCut(bgr, state, None, models[0], models[1], 6, cv2.GC_INIT_WITH_MASK)
    figure = (state == cv2.GC_FGD) | (state == cv2.GC_PR_FGD)
    figure = cv2.morphologyEx(figure.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)) > 0
    return refine_mask(rgb, _resize_mask(_components_with_bones(figure | sure, bones), (width, height)))
