"""Alpha matting: a coarse person mask refined to the edges of hair, hands and clothes."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from stgmamba.arrays import FloatArray

WORK_SIDES = (
    600,
    1024,
)  # limits of the longest side at which alpha is estimated: small pictures are enlarged, large ones shrunk
BAND = 0.012  # half width of the unknown band along the coarse outline, of the person's height
_MIN_NOISE = 2e-3  # variance of colours below which two are not distinct


def refine_mask(rgb: NDArray[np.uint8], coarse: FloatArray) -> FloatArray:
    """Refine a coarse mask along the picture's edges.

    Alpha is estimated in a narrow band along the coarse outline only. There each pixel's colour is split into the mean
    colours of the person and of the background near by (Wang, Cohen, "Image and Video Matting", 2007, section 2);
    where these two differ little for their variance, the coarse mask is kept.

    Args:
        rgb: uint8 [H, W, 3].
        coarse: float32 [H, W] in 0..1.

    Returns:
        float32 [H, W] in 0..1.
    """
    rows, columns = np.nonzero(coarse > 0.5)
    if len(rows) == 0:
        return coarse
    height, width = coarse.shape
    person = max(int(np.ptp(rows)), int(np.ptp(columns)), 1)
    margin = max(8, person // 8)
    top, bottom = max(0, rows.min() - margin), min(height, rows.max() + margin + 1)
    left, right = max(0, columns.min() - margin), min(width, columns.max() + margin + 1)
    crop, prior = rgb[top:bottom, left:right], coarse[top:bottom, left:right]
    scale = float(np.clip(1.0, WORK_SIDES[0] / max(prior.shape), WORK_SIDES[1] / max(prior.shape)))
    colours = cv2.resize(crop, None, fx=scale, fy=scale, interpolation=_method(scale)).astype(np.float32) / 255
    coarse_there = cv2.resize(prior, None, fx=scale, fy=scale, interpolation=_method(scale)).astype(np.float32)
    alpha = _split_colours(colours, coarse_there, max(2, round(person * scale * BAND)))
    alpha = np.clip(cv2.resize(alpha, (right - left, bottom - top), interpolation=_method(1 / scale)), 0, 1)
    refined = np.zeros_like(coarse)
    refined[top:bottom, left:right] = _remove_small_components(alpha)
    return refined


def _split_colours(colours: FloatArray, prior: FloatArray, band: int) -> FloatArray:
    """Alpha [H, W] in the band; ``band`` is its half width in pixels, colours are [H, W, 3] in 0..1."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * band + 1, 2 * band + 1))
    hard = (prior > 0.5).astype(np.uint8)
    inside = (cv2.erode(hard, kernel) > 0) & (prior > 0.97)
    outside = (cv2.dilate(hard, kernel) == 0) & (prior < 0.03)
    person, person_spread, person_near = _colours_near(colours, inside, 3 * band)
    ground, ground_spread, ground_near = _colours_near(colours, outside, 3 * band)
    between = person - ground
    contrast = np.sum(between**2, axis=-1)
    split = np.clip(np.sum((colours - ground) * between, axis=-1) / (contrast + 1e-6), 0, 1)
    distinct = contrast / (person_spread + ground_spread + _MIN_NOISE)
    trust = distinct / (distinct + 1.5) * person_near * ground_near
    # Half-transparent limbs would look worse than the occasional wrong half of one.
    alpha = trust * split + (1 - trust) * np.clip((prior - 0.25) / 0.5, 0, 1)
    alpha = np.minimum(alpha, np.clip(5 * prior, 0, 1))  # a background coloured like the person stays background
    alpha = np.where(inside, 1, np.where(outside, 0, alpha)).astype(np.float32)
    # Low alpha over the background is more visible than half a pixel less of the person.
    return np.asarray(np.clip((cv2.GaussianBlur(alpha, (0, 0), 0.7) - 0.15) / 0.75, 0, 1), np.float32)


def _colours_near(
    colours: FloatArray, where: NDArray[np.bool_], reach: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Mean colour [H, W, 3] and variance [H, W] of the pixels of ``where`` near each pixel; whether any are, 0..1."""

    def blurred(values: FloatArray) -> FloatArray:
        for _ in range(2):  # two box filters make a tent: soft enough, and their time does not grow with the reach
            values = cv2.blur(values, (reach, reach))
        return values

    weight = where.astype(np.float32)
    count = blurred(weight)
    total = np.maximum(count, 1e-4)
    mean = blurred(colours * weight[..., None]) / total[..., None]
    square = blurred(np.sum(colours**2, axis=-1) * weight) / total
    spread = np.maximum(square - np.sum(mean**2, axis=-1), 0)
    return mean, spread, count / (count + 0.01)


def _remove_small_components(alpha: FloatArray) -> FloatArray:
    """Alpha without connected components smaller than a hundredth of the person."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats((alpha > 0).astype(np.uint8))
    areas = stats[:, cv2.CC_STAT_AREA]
    keep = areas > 0.01 * areas[1:].max(initial=0)
    return np.where(keep[labels], alpha, 0).astype(np.float32)


def _method(scale: float) -> int:
    return cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
