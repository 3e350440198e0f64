"""Inpainting: removal of the person from a picture, with continuous gradients and textures."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import splu

from stgmamba.arrays import BoolArray, DoubleArray, FloatArray, Frame, IntArray
from stgmamba.limb_warp.kernels import search_patches, vote_patches

_RADIUS = 3  # patches of 7 x 7 pixels
_SCREENING = 0.005  # weight of the patches' colours against their gradients
_COARSEST = 40  # shorter side in pixels of the coarsest pyramid level


def push_pull(colours: FloatArray, weight: FloatArray) -> FloatArray:
    """Interpolate known colours smoothly into unknown pixels (push-pull pyramid, Gortler et al. 1996).

    Args:
        colours: float32 [H, W, C].
        weight: float32 [H, W] in 0..1, weight of each known colour; not all 0.

    Returns:
        float32 [H, W, C]; unchanged where the weight is 1.
    """
    weighted = colours * weight[..., None]
    height, width = weight.shape
    if min(height, width) <= 2 or weight.min() >= 1:
        mean = weighted.reshape(-1, colours.shape[2]).sum(axis=0) / max(float(weight.sum()), 1e-8)
        return np.asarray(weighted + (1 - weight[..., None]) * mean, np.float32)
    half = ((width + 1) // 2, (height + 1) // 2)
    small_weight = cv2.resize(cv2.GaussianBlur(weight, (0, 0), 1.0), half, interpolation=cv2.INTER_AREA)
    small = cv2.resize(cv2.GaussianBlur(weighted, (0, 0), 1.0), half, interpolation=cv2.INTER_AREA)
    small = small.reshape(half[1], half[0], -1) / np.maximum(small_weight, 1e-8)[..., None]
    lower = push_pull(small.astype(np.float32), np.minimum(small_weight * 4, 1).astype(np.float32))
    up = cv2.resize(lower, (width, height), interpolation=cv2.INTER_LINEAR).reshape(height, width, -1)
    return np.asarray(weighted + (1 - weight[..., None]) * up, np.float32)


def inpaint(rgb: Frame, hole: BoolArray, seed: int = 0, source: BoolArray | None = None) -> Frame:
    """Fill a hole of a picture from its surroundings.

    Patch-based completion, coarse to fine (Wexler et al. 2007) with PatchMatch (Barnes et al. 2009); the gradients of
    the matched patches are then integrated (screened Poisson equation), so that no seam shows and plain surfaces stay
    plain.

    Args:
        rgb: uint8 [H, W, 3].
        hole: bool [H, W], pixels to replace.
        seed: of the random search.
        source: bool [H, W], pixels that patches may be taken from; by default all outside of the hole.

    Returns:
        uint8 [H, W, 3], equal to ``rgb`` outside the hole.
    """
    known = ~hole if source is None else (source & ~hole)
    if not hole.any() or not known.any():
        return rgb.copy()
    levels = max(0, int(np.log2(min(hole.shape) / _COARSEST)))
    colours = rgb.astype(np.float32)
    initial = push_pull(colours, known.astype(np.float32))
    colours = np.where(known[..., None], colours, initial)
    matches: IntArray | None = None
    filled = initial
    for level in range(levels, -1, -1):
        size = (max(hole.shape[1] >> level, 8), max(hole.shape[0] >> level, 8))
        unusable = cv2.resize((~known).astype(np.float32), size, interpolation=cv2.INTER_AREA) > 1e-3
        target = cv2.resize(hole.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 1e-3
        small = cv2.resize(colours, size, interpolation=cv2.INTER_AREA)
        valid = _patch_centres(~unusable)
        if not valid.any():
            continue
        pixels = np.argwhere(target)
        coarser, matches = matches, _initial_matches(target, valid, matches, seed + level)
        edge_distance = cv2.distanceTransform(target.astype(np.uint8), cv2.DIST_L2, 3)
        confidence = np.where(unusable & ~target, 0, 1.15 ** -np.minimum(edge_distance, 40)).astype(np.float32)
        distance = np.zeros(target.shape, np.float32)
        if coarser is None:
            _fill_rings(small, target, pixels, valid, matches, confidence, distance, seed)
        else:
            # The coarser level's matches, with this level's patches, give a sharper initialisation than its colours.
            small[target] = vote_patches(small, confidence, pixels, matches, distance, 1e6, 1)
        for _ in range(6 if coarser is None else 3 if level else 2):
            search_patches(small, confidence, pixels, valid, matches, distance, 2, _RADIUS, seed + level)
            typical = max(float(np.percentile(distance[target], 60)), 1.0)
            small[target] = vote_patches(small, confidence, pixels, matches, distance, 0.5 * typical, _RADIUS)
        filled = small
    result = initial if matches is None else _integrate(filled, hole, matches)
    return np.where(hole[..., None], np.clip(np.rint(result), 0, 255), rgb).astype(np.uint8)


def _fill_rings(
    small: FloatArray,
    hole: BoolArray,
    pixels: NDArray[np.int64],
    valid: BoolArray,
    matches: IntArray,
    confidence: FloatArray,
    distance: FloatArray,
    seed: int,
) -> None:
    """Initialise the coarsest level in place, ring by ring from the hole's edge inwards (onion-peel order).

    Args:
        small: float32 [h, w, 3], colours of the level; those of the hole are written.
        hole: bool [h, w].
        pixels: int64 [N, 2] (y, x) of the hole.
        valid: bool [h, w], centres of usable patches.
        matches: int32 [h, w, 2], initial matches; written.
        confidence: float32 [h, w], weights of pixels in patch distances.
        distance: float32 [h, w], patch distances; written.
        seed: of the random search.
    """
    ring_index = cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_C, 3)[pixels[:, 0], pixels[:, 1]]
    known_confidence = np.where(hole, 0, confidence).astype(np.float32)
    ring_matches = np.full_like(matches, -1)
    for ring in range(1, int(np.rint(ring_index.max())) + 1):
        ring_pixels = np.ascontiguousarray(pixels[np.rint(ring_index) == ring])
        if not len(ring_pixels):
            continue
        y, x = ring_pixels.T
        ring_matches[y, x] = matches[y, x]
        search_patches(small, known_confidence, ring_pixels, valid, ring_matches, distance, 8, _RADIUS, seed + ring)
        small[y, x] = vote_patches(small, known_confidence, ring_pixels, ring_matches, distance, 20.0, 0)
        known_confidence[y, x] = confidence[y, x]
    matches[:] = ring_matches


def _patch_centres(known: BoolArray) -> BoolArray:
    """Centres of patches that lie in the picture and contain known pixels only, bool [h, w]."""
    size = 2 * _RADIUS + 1
    eroded = cv2.erode(
        known.astype(np.uint8), np.ones((size, size), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0
    )
    return np.asarray(eroded, bool)


def _initial_matches(hole: BoolArray, valid: BoolArray, coarser: IntArray | None, seed: int) -> IntArray:
    """Initial matches of a level, int32 [h, w, 2]: the coarser level's, doubled, where they are valid; else random.

    (-1, -1) outside of the hole.
    """
    rng = np.random.default_rng(seed)
    centres = np.argwhere(valid)
    matches = np.full((*hole.shape, 2), -1, np.int32)
    pixels = np.argwhere(hole)
    chosen = centres[rng.integers(len(centres), size=len(pixels))]
    if coarser is not None:
        coarser_pixels = np.minimum(pixels // 2, np.asarray(coarser.shape[:2]) - 1)
        doubled = coarser[coarser_pixels[:, 0], coarser_pixels[:, 1]] * 2 + pixels % 2
        doubled = np.clip(doubled, 0, np.asarray(hole.shape) - 1)
        usable = (coarser[coarser_pixels[:, 0], coarser_pixels[:, 1], 0] >= 0) & valid[doubled[:, 0], doubled[:, 1]]
        chosen[usable] = doubled[usable]
    matches[pixels[:, 0], pixels[:, 1]] = chosen
    return matches


def _integrate(filled: FloatArray, hole: BoolArray, matches: IntArray) -> FloatArray:
    """Integrate the matched patches' gradients inside the hole (Perez et al. 2003), screened by their colours.

    Args:
        filled: float32 [H, W, 3], the hole filled with patches.
        hole: bool [H, W].
        matches: int32 [H, W, 2].

    Returns:
        float32 [H, W, 3].
    """
    height, width = hole.shape
    index = np.full(hole.shape, -1, np.int64)
    pixels = np.argwhere(hole)
    index[hole] = np.arange(len(pixels))
    count = len(pixels)
    diagonal = np.full(count, _SCREENING)
    right_side = _SCREENING * filled[hole].astype(np.float64)
    rows, columns = [], []
    for dy, dx in ((0, 1), (1, 0), (0, -1), (-1, 0)):
        neighbours = pixels + np.asarray((dy, dx))
        inside = (
            (neighbours[:, 0] >= 0) & (neighbours[:, 0] < height) & (neighbours[:, 1] >= 0) & (neighbours[:, 1] < width)
        )
        here, there = pixels[inside], neighbours[inside]
        gradient = _matched_gradient(filled, matches, here, dy, dx)
        both = hole[there[:, 0], there[:, 1]]
        gradient[both] = (gradient[both] - _matched_gradient(filled, matches, there[both], -dy, -dx)) / 2
        n = np.flatnonzero(inside)
        diagonal[n] += 1
        np.add.at(right_side, n, -gradient)
        neighbour = index[there[:, 0], there[:, 1]]
        unknown = neighbour >= 0
        rows.append(n[unknown])
        columns.append(neighbour[unknown])
        boundary = ~unknown
        np.add.at(right_side, n[boundary], filled[there[boundary][:, 0], there[boundary][:, 1]].astype(np.float64))
    row, column = np.concatenate(rows), np.concatenate(columns)
    matrix = (
        sparse.csc_matrix((-np.ones(len(row)), (row, column)), shape=(count, count)) + sparse.diags(diagonal).tocsc()
    )
    result = filled.copy()
    result[hole] = splu(matrix.tocsc(), permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True}).solve(right_side)
    return result


def _matched_gradient(
    filled: FloatArray, matches: IntArray, pixels: NDArray[np.int64], dy: int, dx: int
) -> DoubleArray:
    """Forward differences [N, 3] towards (dy, dx) at the matches of pixels [N, 2]."""
    v, u = matches[pixels[:, 0], pixels[:, 1]].T
    return np.asarray(filled[v + dy, u + dx] - filled[v, u], np.float64)


def remove_person(rgb: Frame, alpha: FloatArray, seed: int = 0) -> Frame:
    """Remove the person from a picture.

    The mask is dilated by 1.5 % of the height to include edges, halo and contact shadow.

    Args:
        rgb: uint8 [H, W, 3].
        alpha: float32 [H, W] in 0..1, the person's mask.
        seed: of the random search.

    Returns:
        uint8 [H, W, 3].
    """
    margin = max(2, round(0.015 * rgb.shape[0]))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * margin + 1, 2 * margin + 1))
    hole = cv2.dilate((alpha > 0.1).astype(np.uint8), kernel).astype(bool)
    return inpaint(rgb, hole, seed)
