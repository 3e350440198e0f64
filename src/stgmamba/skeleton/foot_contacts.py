"""Foot contacts, and foot locking by inverse kinematics.

On 3-D joints of OPENPOSE_18_FEET, after Kovar et al. ("Footskate cleanup", 2002): detect when a foot is in contact,
keep it at its median position, interpolate the correction over the swings, and move the knee by two-bone inverse
kinematics. Bone lengths are kept exactly.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_closing, binary_opening, gaussian_filter1d, label

from stgmamba.arrays import FloatArray, smoothstep
from stgmamba.skeleton.layouts import OPENPOSE_18_FEET
from stgmamba.skeleton.root_trajectory import RootTrajectory

_CONTACT_SPEED = 0.9  # m/s, below which a foot may be in contact
_CONTACT_HEIGHT = 0.07  # metres over SOLE, below which heel or toe must be
# Speed (m/s) and height over SOLE (m) of a heel or toe at which its weight in ``remove_root_slide`` falls to 1 / e.
_SLIDE_SPEED = 1.0
_SLIDE_HEIGHT = 0.04
SOLE = 0.03
"""Metres from the floor to the heel and toe joints when the sole is flat on it."""
_MAX_LEG_EXTENSION = 0.995  # of thigh plus shin, so that knees do not snap straight

_LEGS = {
    side: tuple(OPENPOSE_18_FEET.index(f"{side}_{part}") for part in ("hip", "knee", "ankle", "heel", "toe"))
    for side in ("left", "right")
}


def foot_contacts(positions: FloatArray, fps: float) -> NDArray[np.bool_]:
    """Whether each foot is in contact with the floor, [T, 2] (left, right), of joints [T, 22, 3] in metres."""
    contacts = np.zeros((len(positions), 2), bool)
    for i, (_, _, ankle, heel, toe) in enumerate(_LEGS.values()):
        foot = positions[:, [ankle, heel, toe]].mean(axis=1)
        speed = np.linalg.norm(np.gradient(foot, axis=0), axis=1) * fps if len(foot) > 1 else np.zeros(len(foot))
        low = positions[:, [heel, toe], 1].min(axis=1) < SOLE + _CONTACT_HEIGHT
        contact = (gaussian_filter1d(speed, 0.04 * fps) < _CONTACT_SPEED) & low
        # Contacts and lifts shorter than a tenth of a second are noise.
        size = max(2, round(0.1 * fps))
        padded = np.pad(contact, size, mode="edge")
        contacts[:, i] = binary_opening(binary_closing(padded, np.ones(size)), np.ones(size))[size:-size]
    return contacts


def remove_root_slide(positions: FloatArray, trajectory: RootTrajectory, fps: float) -> RootTrajectory:
    """Correct a root trajectory so that heels and toes which rest on the floor do not slide over it.

    The network predicts root velocity and poses separately, and where the two disagree feet slide. The velocity of
    heels and toes, weighted by how low and slow they are, is subtracted from that of the root.

    Args:
        positions: joints [T, 22, 3] in the world, floor at y = 0, on the trajectory.
        trajectory: where they are.
        fps: frames per second.

    Returns:
        The corrected trajectory.
    """
    soles = positions[:, [joint for leg in _LEGS.values() for joint in leg[3:]]]
    speed = np.diff(soles[..., [0, 2]], axis=0) * fps  # [T-1, 4, 2]
    height = np.maximum(soles[:-1, :, 1] - SOLE, 0.0)
    weight = np.exp(-((np.linalg.norm(speed, axis=-1) / _SLIDE_SPEED) ** 2) - (height / _SLIDE_HEIGHT) ** 2)
    slide = (weight[..., None] * speed).sum(axis=1) / (weight.sum(axis=1)[:, None] + 0.05)
    slide = gaussian_filter1d(slide, 0.04 * fps, axis=0, mode="nearest")
    drift = np.concatenate([np.zeros((1, 2)), np.cumsum(slide / fps, axis=0)])
    return RootTrajectory((trajectory.position - drift).astype(np.float32), trajectory.heading)


def align_to_floor(positions: FloatArray, contacts: NDArray[np.bool_], fps: float) -> FloatArray:
    """Shift the body up or down, smoothly, so that its lower foot is on the floor while a foot is in contact.

    Args:
        positions: joints [T, 22, 3], metres.
        contacts: [T, 2] from ``foot_contacts``.
        fps: frames per second.

    Returns:
        Joints [T, 22, 3]; no foot is under the floor, but for what smoothing leaves.
    """
    feet = [joint for leg in _LEGS.values() for joint in leg[3:]]
    low = positions[:, feet, 1].min(axis=1) - SOLE
    contact = contacts.any(axis=1)
    if contact.any():
        frames = np.arange(len(low))
        low = np.minimum(low, np.interp(frames, frames[contact], low[contact]))
    out = positions.copy()
    out[..., 1] -= gaussian_filter1d(low, 0.08 * fps, mode="nearest")[:, None]
    return out


def lock_feet(positions: FloatArray, contacts: NDArray[np.bool_], fps: float) -> FloatArray:
    """Keep every foot in contact in place and bend the legs accordingly.

    Args:
        positions: joints [T, 22, 3], metres, floor at y = 0.
        contacts: [T, 2] from ``foot_contacts`` of the dance before its path was changed.
        fps: frames per second.

    Returns:
        Joints [T, 22, 3]; all but knees, ankles, heels and toes as they were.
    """
    out = positions.copy()
    for i, (hip, knee, ankle, heel, toe) in enumerate(_LEGS.values()):
        target = positions[:, ankle] + _corrections(positions[:, [ankle, heel, toe]], contacts[:, i], fps)
        bent, reached = _two_bones(positions[:, hip], positions[:, knee], positions[:, ankle], target)
        out[:, knee] = bent
        for joint in (ankle, heel, toe):
            out[:, joint] = positions[:, joint] + (reached - positions[:, ankle])
    return out


def _corrections(foot: FloatArray, contact: NDArray[np.bool_], fps: float) -> FloatArray:
    """Shift of a foot [T, 3] that keeps it still while it is in contact; interpolated from one contact to the next.

    foot: ankle, heel and toe [T, 3, 3]. contact: [T].
    """
    frames = len(foot)
    shift = np.zeros((frames, 3), np.float32)
    labels, count = label(contact)
    centre = foot.mean(axis=1)
    lowest = foot[:, 1:, 1].min(axis=1)
    for k in range(1, count + 1):
        interval = np.flatnonzero(labels == k)
        shift[interval] = np.median(centre[interval], axis=0) - centre[interval]
        shift[interval, 1] = SOLE - lowest[interval]
    # Swings: from the last correction of one contact to the first of the next, with zero velocity at either end.
    known = np.flatnonzero(contact)
    if len(known) == 0:
        return shift
    for a, b in pairwise(known):
        if b - a > 1:
            ease = smoothstep(0, 1, np.linspace(0, 1, b - a + 1)[1:-1, None])
            shift[a + 1 : b] = shift[a] * (1 - ease) + shift[b] * ease
    shift[: known[0]], shift[known[-1] + 1 :] = shift[known[0]], shift[known[-1]]
    # No foot goes under the floor in a swing either.
    shift[:, 1] = np.maximum(shift[:, 1], SOLE - lowest)
    smoothed: FloatArray = gaussian_filter1d(shift, 0.03 * fps, axis=0, mode="nearest")
    return smoothed


def _two_bones(
    hip: FloatArray, knee: FloatArray, ankle: FloatArray, target: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Knee and ankle [T, 3] that bring the ankle to the target, or near, with the knee bent in the plane it was in."""
    thigh = np.linalg.norm(knee - hip, axis=1, keepdims=True)
    shin = np.linalg.norm(ankle - knee, axis=1, keepdims=True)
    line = target - hip
    distance = np.linalg.norm(line, axis=1, keepdims=True)
    along = line / np.maximum(distance, 1e-6)
    distance = np.clip(distance, np.abs(thigh - shin) + 1e-3, (thigh + shin) * _MAX_LEG_EXTENSION)
    # The knee leaves the line hip-ankle in the direction it had before.
    before = knee - hip
    out = before - along * (before * along).sum(axis=1, keepdims=True)
    size = np.linalg.norm(out, axis=1, keepdims=True)
    out = np.where(size > 1e-4, out / np.maximum(size, 1e-6), np.array([0.0, 0.0, 1.0], np.float32))
    foot = (thigh**2 - shin**2 + distance**2) / (2 * distance)
    height = np.sqrt(np.maximum(thigh**2 - foot**2, 0.0))
    return (hip + along * foot + out * height).astype(np.float32), (hip + along * distance).astype(np.float32)
