"""Bodies of constant bone lengths: measuring one, and retargeting a movement to another.

On 3-D joints of OPENPOSE_18_FEET. ``rebuild`` keeps the direction of every limb and replaces the lengths; the torso is
the rigid triangle neck - right hip - left hip, the shoulders turn about the neck, the head is rigid. So every bone of
the layout keeps its length exactly, whatever a network predicted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stgmamba.arrays import unit
from stgmamba.skeleton.anthropometry import FACE_POINTS, MEAN_DANCER
from stgmamba.skeleton.layouts import OPENPOSE_18_FEET
from stgmamba.skeleton.sequence import Skeleton

_J = {name: i for i, name in enumerate(OPENPOSE_18_FEET.joints)}


@dataclass(frozen=True)
class Body:
    """Lengths of a body in metres; both sides alike. The default is the mean dancer of our training data.

    ``spine`` runs from the middle of the hips to the neck, ``neck`` from there to the middle of the ears, ``head`` from
    ear to ear.
    The face hangs from the ears by the proportions of an adult head, scaled with ``head``.
    """

    spine: float = MEAN_DANCER["spine"]
    hips: float = MEAN_DANCER["hips"]
    shoulders: float = MEAN_DANCER["shoulders"]
    neck: float = MEAN_DANCER["neck"]
    head: float = MEAN_DANCER["head"]
    upper_arm: float = MEAN_DANCER["upper_arm"]
    forearm: float = MEAN_DANCER["forearm"]
    thigh: float = MEAN_DANCER["thigh"]
    shin: float = MEAN_DANCER["shin"]
    heel: float = MEAN_DANCER["heel"]
    toe: float = MEAN_DANCER["toe"]

    def scaled(self, factor: float) -> Body:
        """The same proportions, ``factor`` times as tall."""
        return Body(**{name: value * factor for name, value in vars(self).items()})

    @property
    def leg(self) -> float:
        """Hip to ankle with the knee straight."""
        return self.thigh + self.shin


_CHAINS: tuple[tuple[str, str, str], ...] = (
    ("shoulder", "elbow", "upper_arm"),
    ("elbow", "wrist", "forearm"),
    ("hip", "knee", "thigh"),
    ("knee", "ankle", "shin"),
    ("ankle", "heel", "heel"),
    ("ankle", "toe", "toe"),
)

_MAX_HEAD_TURN = np.radians(80.0)  # against the shoulders
# Per frame of 1/25 s. Captured dances of the training data stay below 60 degrees; what turns further has been tracked
# or generated as passing through its own joint.
_FLIP = np.radians(60.0)
_FLIP_FRAMES = 2  # that are replaced on either side of a flip


def measure(skeleton: Skeleton) -> Body:
    """The body that a 3-D sequence shows: the median length of each bone over time and both sides.

    Raises:
        ValueError: not a 3-D skeleton of OPENPOSE_18_FEET.
    """
    p = _checked(skeleton).positions

    def distance(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
        return float(np.median(np.linalg.norm(a - b, axis=-1)))

    def both(a: str, b: str) -> float:
        sides = (distance(p[:, _J[f"{side}_{a}"]], p[:, _J[f"{side}_{b}"]]) for side in ("left", "right"))
        return sum(sides) / 2

    return Body(
        spine=distance(p[:, _J["neck"]], mid_hip(p)),
        hips=distance(p[:, _J["left_hip"]], p[:, _J["right_hip"]]),
        shoulders=distance(p[:, _J["left_shoulder"]], p[:, _J["right_shoulder"]]),
        neck=distance(p[:, _J["neck"]], (p[:, _J["left_ear"]] + p[:, _J["right_ear"]]) / 2),
        head=distance(p[:, _J["left_ear"]], p[:, _J["right_ear"]]),
        **{length: both(a, b) for a, b, length in _CHAINS},
    )


def rebuild(positions: NDArray[Any], body: Body) -> NDArray[Any]:
    """Poses with the bone lengths of a body: limb directions and the middle of the hips are kept.

    Args:
        positions: [..., 22, 3], in the unit of the body's lengths.
        body: the lengths.

    Returns:
        [..., 22, 3] in the dtype of ``positions``.
    """
    p = positions
    out = np.empty_like(p)
    root = mid_hip(p)
    spine = unit(p[..., _J["neck"], :] - root, (0.0, 1.0, 0.0))
    hips = p[..., _J["left_hip"], :] - p[..., _J["right_hip"], :]
    hips = unit(hips - spine * (hips * spine).sum(-1, keepdims=True), (1.0, 0.0, 0.0))
    shoulders = unit(p[..., _J["left_shoulder"], :] - p[..., _J["right_shoulder"], :], (1.0, 0.0, 0.0))
    out[..., _J["neck"], :] = root + body.spine * spine
    for side, sign in (("left", 0.5), ("right", -0.5)):
        out[..., _J[f"{side}_hip"], :] = root + sign * body.hips * hips
        out[..., _J[f"{side}_shoulder"], :] = out[..., _J["neck"], :] + sign * body.shoulders * shoulders
        for parent, child, length in _CHAINS:
            a, b = _J[f"{side}_{parent}"], _J[f"{side}_{child}"]
            bone = unit(p[..., b, :] - p[..., a, :], (0.0, -1.0, 0.0))
            out[..., b, :] = out[..., a, :] + getattr(body, length) * bone
    _rebuild_head(p, out, shoulders, body)
    return out


def bridge_flips(positions: NDArray[Any], fps: float) -> NDArray[Any]:
    """Positions [T, 22, 3] without limbs that reverse within a frame: they swing there in several frames.

    A network that is unsure between two directions of a limb predicts a short limb between them; brought to its length
    by ``rebuild`` it flips. The directions around a flip are replaced by those on the shorter arc; limbs keep their
    lengths.
    """
    out = positions.copy()
    for side in ("left", "right"):
        for parent, child, _ in _CHAINS:
            a, b = _J[f"{side}_{parent}"], _J[f"{side}_{child}"]
            out[:, b] = out[:, a] + _without_flips(positions[:, b] - positions[:, a], _FLIP * 25.0 / fps)
    return out


def _without_flips(limb: NDArray[Any], most: float) -> NDArray[Any]:
    """Vectors [T, 3] of which none turns by more than ``most`` radians in a frame, except at either end."""
    direction = unit(limb, (0.0, -1.0, 0.0))
    turn = np.arccos(np.clip((direction[1:] * direction[:-1]).sum(axis=-1), -1, 1))
    flips = np.nonzero(turn > most)[0]
    if not len(flips):
        return limb
    groups = np.split(flips, np.nonzero(np.diff(flips) > 2 * _FLIP_FRAMES)[0] + 1)
    for group in groups:
        before = max(int(group[0]) - _FLIP_FRAMES, 0)
        after = min(int(group[-1]) + 1 + _FLIP_FRAMES, len(limb) - 1)
        direction[before : after + 1] = _arc(direction[before], direction[after], after - before + 1)
    return np.asarray(direction * np.linalg.norm(limb, axis=-1, keepdims=True), limb.dtype)


def _arc(start: NDArray[Any], end: NDArray[Any], count: int) -> NDArray[Any]:
    """Unit vectors [count, 3] on the shorter arc from one unit vector [3] to another (slerp)."""
    angle = float(np.arccos(np.clip(start @ end, -1, 1)))
    across = end - start * (start @ end)
    if np.linalg.norm(across) < 1e-4:  # opposite or equal: every arc is the shortest
        across = np.cross(start, (0.0, 1.0, 0.0) if abs(start[1]) < 0.9 else (1.0, 0.0, 0.0))
    across = across / np.linalg.norm(across)
    angles = np.linspace(0, angle, count)[:, None]
    return np.asarray(np.cos(angles) * start + np.sin(angles) * across)


def _rebuild_head(p: NDArray[Any], out: NDArray[Any], shoulders: NDArray[Any], body: Body) -> None:
    """The rigid head, into ``out``: axis from the neck to the middle of the ears, face towards the nose."""
    middle = (p[..., _J["left_ear"], :] + p[..., _J["right_ear"], :]) / 2
    up = unit(middle - p[..., _J["neck"], :], (0.0, 1.0, 0.0))
    forward = p[..., _J["nose"], :] - middle
    forward = unit(forward - up * (forward * up).sum(-1, keepdims=True), (0.0, 0.0, 1.0))
    forward = _limit_head_turn(forward, up, np.cross(shoulders, up))
    across = np.cross(up, forward)
    centre = out[..., _J["neck"], :] + body.neck * up
    for name, (a, u, f) in FACE_POINTS.items():
        out[..., _J[name], :] = centre + body.head * (a * across + u * up + f * forward)


def _limit_head_turn(forward: NDArray[Any], up: NDArray[Any], front: NDArray[Any]) -> NDArray[Any]:
    """Turn a face that looks further round than a neck can back towards the front.

    Directly backwards becomes straight ahead, so a face that passes behind the back never jumps from side to side.
    """
    front = unit(front, (0.0, 0.0, 1.0))
    side = np.cross(up, front)
    angle = np.arctan2((forward * side).sum(-1, keepdims=True), (forward * front).sum(-1, keepdims=True))
    beyond = np.sign(angle) * _MAX_HEAD_TURN * (np.pi - np.abs(angle)) / (np.pi - _MAX_HEAD_TURN)
    angle = np.where(np.abs(angle) > _MAX_HEAD_TURN, beyond, angle)
    turned: NDArray[Any] = (np.cos(angle) * front + np.sin(angle) * side).astype(forward.dtype)
    return turned


def retarget(skeleton: Skeleton, body: Body) -> Skeleton:
    """The same dance on another body: steps scale with the legs, feet keep their height above the floor.

    Args:
        skeleton: 3-D, OPENPOSE_18_FEET.
        body: the lengths that the result has.
    """
    source = measure(_checked(skeleton))
    scale = body.leg / source.leg
    p = skeleton.positions.copy()
    root = mid_hip(p)
    shift = root * (np.float32(scale) - 1.0)
    # Moving everything with the root changes no direction, so limbs are untouched until rebuilt.
    out = rebuild(p + shift[:, None], body)
    lift = p[:, FEET, 1].min(axis=1) * scale - out[:, FEET, 1].min(axis=1)
    out[..., 1] += lift[:, None]
    return replace(skeleton, positions=out)


FEET = [_J[f"{side}_{part}"] for side in ("left", "right") for part in ("heel", "toe")]


def mid_hip(positions: NDArray[Any]) -> NDArray[Any]:
    """Middle of the hips, [..., 3], of positions [..., 22, 3]."""
    middle: NDArray[Any] = (positions[..., _J["left_hip"], :] + positions[..., _J["right_hip"], :]) / 2
    return middle


def _checked(skeleton: Skeleton) -> Skeleton:
    if skeleton.layout != OPENPOSE_18_FEET or skeleton.dims != 3:
        raise ValueError(f"a body needs 3-D {OPENPOSE_18_FEET.name}, got {skeleton.dims}-D {skeleton.layout.name}")
    return skeleton
