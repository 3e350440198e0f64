"""The picture without its person: filling a hole so that gradients stay smooth and textures go on."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import splu

from stgmamba.arrays import BoolArray, FloatArray
from stgmamba.limb_warp.kernels import search_patches, vote_patches

_RADIUS = 3  # patches of 7 x 7 pixels
_COARSEST = 40  # shorter side of the picture at which the search starts


def push_pull(colours: FloatArray, weight: FloatArray) -> FloatArray:
    """Carry known colours smoothly into unknown places (push-pull pyramid, Gortler et al. 1996).

    Args:
        colours: float32 [H, W, C].
        weight: float32 [H, W] in 0..1, how far each colour is known; not all 0.

    Returns:
        float32 [H, W, C]; where weight is 1 the colours as given.
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


def inpaint(
    rgb: NDArray[np.uint8], hole: BoolArray, seed: int = 0, source: BoolArray | None = None
) -> NDArray[np.uint8]:
    """Fill a hole of a picture from its surroundings.

    Patches like those around the hole's edge are looked for coarse to fine (Wexler et al. 2007, with the search of
    Barnes et al. 2009); the gradients of what they say are then integrated (screened Poisson), so that no seam shows
    and a plain wall stays plain.

    Args:
        rgb: uint8 [H, W, 3].
        hole: bool [H, W], what to replace.
        seed: of the random search; same seed, same picture.
        source: bool [H, W], where patches may come from (default: all but the hole).

    Returns:
        uint8 [H, W, 3], equal to ``rgb`` outside the hole.
    """
    known = ~hole if source is None else (source & ~hole)
    if not hole.any() or not known.any():
        return rgb.copy()
    levels = max(0, int(np.log2(min(hole.shape) / _COARSEST)))
    picture = rgb.astype(np.float32)
    guess = push_pull(picture, known.astype(np.float32))
    picture = np.where(known[..., None], picture, guess)
    matches: NDArray[np.int32] | None = None
    filled = guess
    for level in range(levels, -1, -1):
        size = (max(hole.shape[1] >> level, 8), max(hole.shape[0] >> level, 8))
        taken = cv2.resize((~known).astype(np.float32), size, interpolation=cv2.INTER_AREA) > 1e-3
        wanted = cv2.resize(hole.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 1e-3
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        valid = _patch_centres(~taken)
        if not valid.any():
            continue
        pixels = np.argwhere(wanted)
        coarser, matches = matches, _start_field(wanted, valid, matches, seed + level)
        away = cv2.distanceTransform(wanted.astype(np.uint8), cv2.DIST_L2, 3)
        trust = np.where(taken & ~wanted, 0, 1.15 ** -np.minimum(away, 40)).astype(np.float32)
        distance = np.zeros(wanted.shape, np.float32)
        if coarser is None:
            _peel(small, wanted, pixels, valid, matches, trust, distance, seed)
        else:
            # The coarser matches, voted with this level's sharp patches, are a sharper start than enlarged colours.
            small[wanted] = vote_patches(small, trust, pixels, matches, distance, 1e6, 1)
        for _ in range(6 if coarser is None else 3 if level else 2):
            search_patches(small, trust, pixels, valid, matches, distance, 2, _RADIUS, seed + level)
            typical = max(float(np.percentile(distance[wanted], 60)), 1.0)
            small[wanted] = vote_patches(small, trust, pixels, matches, distance, 0.5 * typical, _RADIUS)
        filled = small
    result = guess if matches is None else _integrate(filled, hole, matches)
    return np.where(hole[..., None], np.clip(np.rint(result), 0, 255), rgb).astype(np.uint8)


def _peel(
    small: FloatArray,
    hole: BoolArray,
    pixels: NDArray[np.int64],
    valid: BoolArray,
    matches: NDArray[np.int32],
    trust: FloatArray,
    distance: FloatArray,
    seed: int,
) -> None:
    """First filling at the coarsest level, ring by ring from the hole's edge inwards, so that textures grow into it."""
    away = cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_C, 3)[pixels[:, 0], pixels[:, 1]]
    certain = np.where(hole, 0, trust).astype(np.float32)
    field = np.full_like(matches, -1)
    for ring in range(1, int(np.rint(away.max())) + 1):
        part = np.ascontiguousarray(pixels[np.rint(away) == ring])
        if not len(part):
            continue
        y, x = part.T
        field[y, x] = matches[y, x]
        search_patches(small, certain, part, valid, field, distance, 8, _RADIUS, seed + ring)
        small[y, x] = vote_patches(small, certain, part, field, distance, 20.0, 0)
        certain[y, x] = trust[y, x]
    matches[:] = field


def _patch_centres(known: BoolArray) -> BoolArray:
    size = 2 * _RADIUS + 1
    eroded = cv2.erode(
        known.astype(np.uint8), np.ones((size, size), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0
    )
    return np.asarray(eroded, bool)


def _start_field(
    wanted: BoolArray, valid: BoolArray, coarser: NDArray[np.int32] | None, seed: int
) -> NDArray[np.int32]:
    """First matches: those of the coarser level doubled where they hold, random ones elsewhere."""
    rng = np.random.default_rng(seed)
    centres = np.argwhere(valid)
    field = np.full((*wanted.shape, 2), -1, np.int32)
    pixels = np.argwhere(wanted)
    picked = centres[rng.integers(len(centres), size=len(pixels))]
    if coarser is not None:
        below = np.minimum(pixels // 2, np.asarray(coarser.shape[:2]) - 1)
        doubled = coarser[below[:, 0], below[:, 1]] * 2 + pixels % 2
        doubled = np.clip(doubled, 0, np.asarray(wanted.shape) - 1)
        good = (coarser[below[:, 0], below[:, 1], 0] >= 0) & valid[doubled[:, 0], doubled[:, 1]]
        picked[good] = doubled[good]
    field[pixels[:, 0], pixels[:, 1]] = picked
    return field


def _integrate(filled: FloatArray, hole: BoolArray, matches: NDArray[np.int32], trust: float = 0.005) -> FloatArray:
    """Integrate the matched gradients inside the hole (Perez et al. 2003), screened by the colours.

    Args:
        filled: float32 [H, W, 3], hole filled by patches.
        hole: bool [H, W].
        matches: int32 [H, W, 2].
        trust: weight of the filled colours against the gradients.
    """
    height, width = hole.shape
    index = np.full(hole.shape, -1, np.int64)
    pixels = np.argwhere(hole)
    index[hole] = np.arange(len(pixels))
    count = len(pixels)
    diagonal = np.full(count, trust)
    right = trust * filled[hole].astype(np.float64)
    rows, columns = [], []
    for dy, dx in ((0, 1), (1, 0), (0, -1), (-1, 0)):
        near = pixels + np.asarray((dy, dx))
        inside = (near[:, 0] >= 0) & (near[:, 0] < height) & (near[:, 1] >= 0) & (near[:, 1] < width)
        here, there = pixels[inside], near[inside]
        gradient = _matched_gradient(filled, matches, here, dy, dx)
        back = hole[there[:, 0], there[:, 1]]
        gradient[back] = (gradient[back] - _matched_gradient(filled, matches, there[back], -dy, -dx)) / 2
        n = np.flatnonzero(inside)
        diagonal[n] += 1
        np.add.at(right, n, -gradient)
        neighbour = index[there[:, 0], there[:, 1]]
        free = neighbour >= 0
        rows.append(n[free])
        columns.append(neighbour[free])
        fixed = ~free
        np.add.at(right, n[fixed], filled[there[fixed][:, 0], there[fixed][:, 1]].astype(np.float64))
    row, column = np.concatenate(rows), np.concatenate(columns)
    matrix = (
        sparse.csc_matrix((-np.ones(len(row)), (row, column)), shape=(count, count)) + sparse.diags(diagonal).tocsc()
    )
    result = filled.copy()
    result[hole] = splu(matrix.tocsc(), permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True}).solve(right)
    return result


def _matched_gradient(
    filled: FloatArray, matches: NDArray[np.int32], at: NDArray[np.int64], dy: int, dx: int
) -> NDArray[np.float64]:
    v, u = matches[at[:, 0], at[:, 1]].T
    return np.asarray(filled[v + dy, u + dx] - filled[v, u], np.float64)


def remove_person(rgb: NDArray[np.uint8], alpha: FloatArray, seed: int = 0) -> NDArray[np.uint8]:
    """The picture with the person taken out.

    The hole is wider than the person by about 1.5 % of the height: edges, halo and the contact shadow go too.

    Args:
        rgb: uint8 [H, W, 3].
        alpha: float32 [H, W], the person's mask.
        seed: of the search.

    Returns:
        uint8 [H, W, 3].
    """
    margin = max(2, round(0.015 * rgb.shape[0]))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * margin + 1, 2 * margin + 1))
    hole = cv2.dilate((alpha > 0.1).astype(np.uint8), kernel).astype(bool)
    return inpaint(rgb, hole, seed)
