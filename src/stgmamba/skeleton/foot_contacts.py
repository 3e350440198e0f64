"""Feet that stand: contacts with the floor, and legs bent so that a standing foot does not slide.

Works on 3-D joints of OPENPOSE_18_FEET; the clean-up is the usual one (Kovar et al. 2002): find when a foot stands,
hold it where it stood on average, ease the correction in and out over the swings, and let two-bone inverse kinematics
move the knee. Bone lengths are kept exactly.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_closing, binary_opening, gaussian_filter1d, label

from stgmamba.skeleton.layouts import OPENPOSE_18_FEET
from stgmamba.skeleton.root_trajectory import Path
from stgmamba.skeleton.sequence import FloatArray

# A foot stands when it moves slower than this (m/s) and one of heel and toe is nearer to the floor than this (m).
_STANDING_SPEED = 0.9
_STANDING_HEIGHT = 0.07
# How fast (m/s) and how high (m) a heel or toe may be and still be half believed by ``follow_feet`` to rest.
_BELIEVED_SPEED = 1.0
_BELIEVED_HEIGHT = 0.04
# Height of heel and toe joints over the floor when the sole is flat on it.
SOLE = 0.03
# A leg is never stretched further than this share of its length, so that knees do not snap straight.
_REACH = 0.995

_LEGS = {
    side: tuple(OPENPOSE_18_FEET.index(f"{side}_{part}") for part in ("hip", "knee", "ankle", "heel", "toe"))
    for side in ("left", "right")
}


def contacts(positions: FloatArray, fps: float) -> NDArray[np.bool_]:
    """When each foot stands, [T, 2] (left, right), of joints [T, 22, 3] in metres."""
    found = np.zeros((len(positions), 2), bool)
    for i, (_, _, ankle, heel, toe) in enumerate(_LEGS.values()):
        foot = positions[:, [ankle, heel, toe]].mean(axis=1)
        speed = np.linalg.norm(np.gradient(foot, axis=0), axis=1) * fps if len(foot) > 1 else np.zeros(len(foot))
        low = positions[:, [heel, toe], 1].min(axis=1) < SOLE + _STANDING_HEIGHT
        standing = (gaussian_filter1d(speed, 0.04 * fps) < _STANDING_SPEED) & low
        # Moments of less than a tenth of a second are neither a step nor a lift.
        size = max(2, round(0.1 * fps))
        held = np.pad(standing, size, mode="edge")
        found[:, i] = binary_opening(binary_closing(held, np.ones(size)), np.ones(size))[size:-size]
    return found


def follow_feet(positions: FloatArray, path: Path, fps: float) -> Path:
    """Let the feet carry the body: correct the path so that a foot which rests on the floor does not slide over it.

    A network says apart how the body travels and how the feet move under it, and where the two disagree feet slide.
    Heels and toes that are low and nearly still are believed, and what they still move is taken from the path.

    Args:
        positions: joints [T, 22, 3] in the world, floor at y = 0, on the path.
        path: the path they are on.
        fps: frames per second.

    Returns:
        The corrected path; apply it to the poses again.
    """
    soles = positions[:, [joint for leg in _LEGS.values() for joint in leg[3:]]]
    speed = np.diff(soles[..., [0, 2]], axis=0) * fps  # [T-1, 4, 2]
    height = np.maximum(soles[:-1, :, 1] - SOLE, 0.0)
    trust = np.exp(-((np.linalg.norm(speed, axis=-1) / _BELIEVED_SPEED) ** 2) - (height / _BELIEVED_HEIGHT) ** 2)
    slide = (trust[..., None] * speed).sum(axis=1) / (trust.sum(axis=1)[:, None] + 0.05)
    slide = gaussian_filter1d(slide, 0.04 * fps, axis=0, mode="nearest")
    drift = np.concatenate([np.zeros((1, 2)), np.cumsum(slide / fps, axis=0)])
    return Path((path.position - drift).astype(np.float32), path.heading)


def drop_to_floor(positions: FloatArray, standing: NDArray[np.bool_], fps: float) -> FloatArray:
    """Shift the body up or down, smoothly, so that its lower foot rests on the floor while a foot stands.

    Args:
        positions: joints [T, 22, 3], metres.
        standing: [T, 2] from ``contacts``.
        fps: frames per second.

    Returns:
        Joints [T, 22, 3]; no foot is under the floor, but for what smoothing leaves.
    """
    feet = [joint for leg in _LEGS.values() for joint in leg[3:]]
    low = positions[:, feet, 1].min(axis=1) - SOLE
    held = standing.any(axis=1)
    if held.any():
        frames = np.arange(len(low))
        low = np.minimum(low, np.interp(frames, frames[held], low[held]))
    out = positions.copy()
    out[..., 1] -= gaussian_filter1d(low, 0.08 * fps, mode="nearest")[:, None]
    return out


def plant_feet(positions: FloatArray, standing: NDArray[np.bool_], fps: float) -> FloatArray:
    """Hold every standing foot in place and bend the legs accordingly.

    Args:
        positions: joints [T, 22, 3], metres, floor at y = 0.
        standing: [T, 2] from ``contacts`` of the dance before its path was changed.
        fps: frames per second.

    Returns:
        Joints [T, 22, 3]; all but knees, ankles, heels and toes as they were.
    """
    out = positions.copy()
    for i, (hip, knee, ankle, heel, toe) in enumerate(_LEGS.values()):
        goal = positions[:, ankle] + _corrections(positions[:, [ankle, heel, toe]], standing[:, i], fps)
        bent, reached = _two_bones(positions[:, hip], positions[:, knee], positions[:, ankle], goal)
        out[:, knee] = bent
        for joint in (ankle, heel, toe):
            out[:, joint] = positions[:, joint] + (reached - positions[:, ankle])
    return out


def _corrections(foot: FloatArray, standing: NDArray[np.bool_], fps: float) -> FloatArray:
    """Shift of a foot [T, 3] that holds it still while it stands; eased between one stand and the next.

    foot: ankle, heel and toe [T, 3, 3].
    """
    frames = len(foot)
    shift = np.zeros((frames, 3), np.float32)
    labels, count = label(standing)
    centre = foot.mean(axis=1)
    lowest = foot[:, 1:, 1].min(axis=1)
    for k in range(1, count + 1):
        stand = np.flatnonzero(labels == k)
        shift[stand] = np.median(centre[stand], axis=0) - centre[stand]
        shift[stand, 1] = SOLE - lowest[stand]
    # Swings: from the last correction of one stand to the first of the next, with a soft start and end.
    known = np.flatnonzero(standing)
    if len(known) == 0:
        return shift
    for a, b in pairwise(known):
        if b - a > 1:
            ease = np.linspace(0, 1, b - a + 1)[1:-1, None]
            ease = ease * ease * (3 - 2 * ease)
            shift[a + 1 : b] = shift[a] * (1 - ease) + shift[b] * ease
    shift[: known[0]], shift[known[-1] + 1 :] = shift[known[0]], shift[known[-1]]
    # No foot goes under the floor in a swing either.
    shift[:, 1] = np.maximum(shift[:, 1], SOLE - lowest)
    eased: FloatArray = gaussian_filter1d(shift, 0.03 * fps, axis=0, mode="nearest")
    return eased


def _two_bones(hip: FloatArray, knee: FloatArray, ankle: FloatArray, goal: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Knee and ankle [T, 3] that bring the ankle to the goal, or near, with the knee bent in the plane it was in."""
    thigh = np.linalg.norm(knee - hip, axis=1, keepdims=True)
    shin = np.linalg.norm(ankle - knee, axis=1, keepdims=True)
    line = goal - hip
    distance = np.linalg.norm(line, axis=1, keepdims=True)
    along = line / np.maximum(distance, 1e-6)
    distance = np.clip(distance, np.abs(thigh - shin) + 1e-3, (thigh + shin) * _REACH)
    # The knee leaves the line hip-ankle in the direction it had before.
    before = knee - hip
    out = before - along * (before * along).sum(axis=1, keepdims=True)
    size = np.linalg.norm(out, axis=1, keepdims=True)
    out = np.where(size > 1e-4, out / np.maximum(size, 1e-6), np.array([0.0, 0.0, 1.0], np.float32))
    foot = (thigh**2 - shin**2 + distance**2) / (2 * distance)
    height = np.sqrt(np.maximum(thigh**2 - foot**2, 0.0))
    return (hip + along * foot + out * height).astype(np.float32), (hip + along * distance).astype(np.float32)
