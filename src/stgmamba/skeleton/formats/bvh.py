"""Motion capture files of Biovision (BVH): a tree of joints with offsets, and channels of angles over time. Read only.

Rigs name their joints as they like. Those of Mixamo, Rokoko, CMU, 3ds Max, Blender's Rigify, VRM and their kin are
recognised by rules; for others a file ``NAME.joints.yaml`` beside ``NAME.bvh``, or ``joints.yaml`` for all files of the
folder, says which joint is which: ``left_knee: Shin_L``, with the names of the layout ``smpl22``.

What is lost: twists of limbs and how the head is turned, which joints alone do not tell; fingers; face.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from stgmamba.arrays import DoubleArray
from stgmamba.errors import InputError
from stgmamba.files import parse_yaml
from stgmamba.skeleton.convert import convert
from stgmamba.skeleton.foot_contacts import SOLE
from stgmamba.skeleton.layouts import OPENPOSE_18_FEET, SMPL_22
from stgmamba.skeleton.sequence import Skeleton

_MOST_JOINTS = 2000  # a hand has 20, a face rig some hundreds
_MOST_VALUES = 200_000_000  # numbers of a motion: 100 hours of a full rig
_UNITS = (1.0, 0.01, 0.001, 0.0254)  # metres: m, cm, mm, inches
_HEIGHTS = (1.0, 2.3)  # metres from the floor to the top of the neck's chain, between which a unit is believed
_USUAL_HEIGHT = 1.55  # metres, of a grown person's head joint above the floor

_PARTS: dict[str, tuple[str, ...]] = {
    "hip": ("upleg", "upperleg", "thigh", "femur", "hip"),
    "knee": ("lowerleg", "lowleg", "calf", "shin", "knee", "leg", "tibia"),
    "ankle": ("foot", "ankle"),
    "foot": ("toebase", "toe", "toes", "ball", "toe0"),
    "collar": ("collar", "clavicle", "shoulder"),
    "shoulder": ("upperarm", "uparm", "arm", "shldr", "humerus", "shoulder"),
    "elbow": ("forearm", "lowerarm", "lowarm", "elbow", "radius"),
    "wrist": ("hand", "wrist"),
}
"""What rigs call the joints of one side, without the side; the first name that a rig has wins."""

_CENTRE: dict[str, tuple[str, ...]] = {
    "pelvis": ("hips", "hip", "pelvis", "root", "cog"),
    "neck": ("neck", "neck1", "neck01"),
    "head": ("head",),
}
_OPTIONAL = ("left_foot", "right_foot", "left_collar", "right_collar", "neck", "head", "pelvis")
_SIDES = {"left": "left", "l": "left", "right": "right", "r": "right"}
_NOISE = re.compile(r"^(bip\d*|j|jnt|joint|def|org|bn|bone|c|mixamorig\d*|character\d*|ctrl|armature|skel)$")
_SPINE = {"spine1": 0.2, "spine2": 0.45, "spine3": 0.55}
"""Share of the way from the pelvis to the neck at which SMPL's joints of the spine lie (Loper et al. 2015)."""


@dataclass
class _Joint:
    name: str
    parent: int
    offset: DoubleArray
    channels: list[str] = field(default_factory=list)
    first: int = 0  # column of its first channel


def read(path: Path) -> Skeleton:
    """Read a motion as a dance: 3-D OPENPOSE_18_FEET, metres, y up, feet on the floor, the file's frame rate.

    Lengths are taken for the unit in which somebody of them would be about as tall as people are; whoever is not, in
    any unit, is scaled to that. Toes that a rig lacks, heels and the face are derived.

    Raises:
        InputError: malformed, or the joints of a person cannot be told from the names.
    """
    try:
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check its permissions.") from error
    try:
        joints, values, fps = _parse(text)
    except (ValueError, IndexError, OverflowError) as error:
        raise InputError(f"{path}: not a BVH motion ({error}); export it again.") from error
    names = match_joints(
        [joint.name for joint in joints], [joint.parent for joint in joints], _given_names(path), str(path)
    )
    smpl = _to_smpl(_world_positions(joints, values), [joint.parent for joint in joints], names)
    if not np.isfinite(smpl).all():
        raise InputError(f"{path}: not a BVH motion (positions that are not finite); export it again.")
    skeleton = Skeleton(_metric(smpl).astype(np.float32), fps, SMPL_22)
    for side in ("left", "right"):
        if f"{side}_foot" not in names:
            skeleton.confidence[:, SMPL_22.index(f"{side}_foot")] = 0.0
    dance = convert(skeleton, OPENPOSE_18_FEET)
    feet = [OPENPOSE_18_FEET.index(f"{side}_{part}") for side in ("left", "right") for part in ("heel", "toe")]
    dance.positions[..., 1] -= np.percentile(dance.positions[:, feet, 1].min(axis=1), 20) - SOLE
    return dance


def match_joints(names: list[str], parents: list[int], given: dict[str, str], path: str) -> dict[str, int]:
    """Which joint of a rig is which of SMPL_22, by their names.

    Args:
        names: of the rig's joints.
        parents: index of each joint's parent, -1 for the root.
        given: SMPL_22's name -> the rig's, said by the user; goes before the rules.
        path: of the file, for messages.

    Returns:
        SMPL_22's name -> index. Joints of the spine are not in it; collars, feet, neck and head only if the rig has
        them.

    Raises:
        InputError: a name that is given is in neither, or a joint that cannot be derived is not found.
    """
    found: dict[str, int] = {}
    words = [_words(name) for name in names]
    for side in ("left", "right"):
        of_side = [(n, body) for n, (where, body) in enumerate(words) if where == side]
        for part, patterns in _PARTS.items():
            for pattern in patterns:
                taken = set(found.values())
                match = next((n for n, body in of_side if body == pattern and n not in taken), None)
                if part == "collar" and pattern == "shoulder" and not _has(of_side, _PARTS["shoulder"][:-1]):
                    match = None  # it is the joint of the arm itself
                if match is not None:
                    found[f"{side}_{part}"] = match
                    break
    for part, patterns in _CENTRE.items():
        match = next((n for p in patterns for n, (where, body) in enumerate(words) if not where and body == p), None)
        if match is not None:
            found[part] = match
    found.setdefault("pelvis", parents.index(-1))
    for ours, theirs in given.items():
        if ours not in SMPL_22.joints:
            raise InputError(f"{path}: its joints.yaml names {ours!r}; known are {', '.join(SMPL_22.joints)}.")
        if theirs not in names:
            raise InputError(f"{path}: its joints.yaml names the joint {theirs!r}, which the file does not have.")
        found[ours] = names.index(theirs)
    needed = [name for name in SMPL_22.joints if name not in _OPTIONAL and name not in _SPINE]
    if missing := [name for name in needed if name not in found]:
        some = ", ".join(names[:8])
        raise InputError(
            f"{path}: no {missing[0]} among its joints ({some}, ...); name it in {Path(path).stem}.joints.yaml, "
            f"as in `{missing[0]}: {names[-1]}` (docs/data.md)."
        )
    return found


def _has(joints: list[tuple[int, str]], patterns: tuple[str, ...]) -> bool:
    return any(body in patterns for _, body in joints)


def _words(name: str) -> tuple[str, str]:
    """Side ("" for none) and the rest of a joint's name in small letters: ``mixamorig:LeftUpLeg`` -> left, upleg."""
    name = name.rsplit(":", 1)[-1].rsplit("|", 1)[-1]
    parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)
    side, rest = "", []
    for part in (part.lower() for part in parts):
        if not side and part in _SIDES:
            side = _SIDES[part]
        elif not _NOISE.match(part):
            rest.append(part)
    if not side and rest and len(rest[0]) > 2 and rest[0][0] in _SIDES and name[:1].islower():
        known = {pattern for patterns in _PARTS.values() for pattern in patterns}
        if rest[0][1:] in known:  # lthigh
            side, rest[0] = _SIDES[rest[0][0]], rest[0][1:]
    while len(rest) > 1 and rest[0].isdigit():  # the 01 of Bip01
        rest.pop(0)
    return side, "".join(rest)


def _given_names(path: Path) -> dict[str, str]:
    """What the user says about the rig's names. Raises InputError where it is not a mapping of names."""
    for file in (path.with_suffix(".joints.yaml"), path.parent / "joints.yaml"):
        if not file.is_file():
            continue
        try:
            given = parse_yaml(file.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError) as error:
            raise InputError(f"{file}: not YAML ({error}); write lines of name: name.") from error
        if not isinstance(given, dict) or not all(isinstance(v, str) for pair in given.items() for v in pair):
            raise InputError(f"{file}: not a list of names; write lines such as left_knee: Shin_L.")
        return given
    return {}


def _parse(text: str) -> tuple[list[_Joint], DoubleArray, float]:
    """Joints in the file's order, values [T, channels] and frames per second of a BVH file."""
    head, separator, motion = text.partition("MOTION")
    if not separator:
        raise ValueError("there is no MOTION")
    joints = _parse_hierarchy(iter(head.split()))
    match = re.match(r"\s*Frames\s*:\s*(\d+)\s*Frame\s+Time\s*:\s*(\S+)", motion, re.IGNORECASE)
    if match is None:
        raise ValueError("MOTION does not begin with Frames and Frame Time")
    frames, interval = int(match[1]), float(match[2])
    if frames < 2 or not 1e-4 < interval < 10:
        raise ValueError(f"{frames} frames of {interval:g} s are no motion")
    columns = sum(len(joint.channels) for joint in joints)
    if frames * columns > _MOST_VALUES:
        raise ValueError(f"{frames} frames of {columns} channels are too many")
    numbers = motion[match.end() :].split()
    if len(numbers) < frames * columns:
        raise ValueError(f"{len(numbers)} numbers, {frames} frames of {columns} channels were promised")
    values = np.array(numbers[: frames * columns], np.float64).reshape(frames, columns)
    if not np.isfinite(values).all() or np.abs(values).max(initial=0) > 1e7:
        raise ValueError("numbers that are not finite, or far too large")
    return joints, values, 1 / interval


def _parse_hierarchy(words: Iterator[str]) -> list[_Joint]:
    if next(words, "").upper() != "HIERARCHY":
        raise ValueError("it does not begin with HIERARCHY")
    joints: list[_Joint] = []
    open_joints: list[int] = []
    column = 0
    word = ""
    for word in words:
        key = word.upper()
        if key in ("ROOT", "JOINT", "END"):
            if key == "ROOT" and joints:
                raise ValueError("it has more than one root")
            if key != "ROOT" and not open_joints:
                raise ValueError(f"{word} outside of the tree")
            if len(joints) >= _MOST_JOINTS:
                raise ValueError(f"more than {_MOST_JOINTS} joints")
            name = _name(words)
            parent = open_joints[-1] if open_joints else -1
            name = f"{joints[parent].name} end" if key == "END" else name
            joints.append(_Joint(name, parent, np.zeros(3)))
            open_joints.append(len(joints) - 1)
        elif key == "}":
            open_joints.pop()
        elif key == "OFFSET" and open_joints:
            joints[open_joints[-1]].offset = np.array([float(next(words, "")) for _ in range(3)])
        elif key == "CHANNELS" and open_joints:
            joint = joints[open_joints[-1]]
            if joint.channels:
                raise ValueError(f"{joint.name[:40]} has two lists of channels")
            joint.channels = [next(words, "").lower() for _ in range(int(next(words, "")))]
            if set(joint.channels) - {f"{axis}{kind}" for axis in "xyz" for kind in ("position", "rotation")}:
                raise ValueError(f"unknown channels {' '.join(joint.channels)}")
            joint.first = column
            column += len(joint.channels)
        else:
            raise ValueError(f"{word[:20]!r} where a joint was expected")
    if not joints or open_joints:
        raise ValueError("the tree of joints is not closed")
    return joints


def _name(words: Iterator[str]) -> str:
    """A joint's name, which may have spaces, up to the brace after it."""
    name: list[str] = []
    for word in words:
        if word == "{":
            return " ".join(name)
        name.append(word)
    raise ValueError("the tree of joints is not closed")


def _world_positions(joints: list[_Joint], values: DoubleArray) -> DoubleArray:
    """Forward kinematics: positions [T, J, 3] in the file's unit and axes.

    Rotations apply in the order of their channels; channels of position take the place of the offset.
    """
    frames = len(values)
    positions = np.zeros((frames, len(joints), 3))
    turns: list[Rotation] = []
    for j, joint in enumerate(joints):
        channels = {name: values[:, joint.first + n] for n, name in enumerate(joint.channels)}
        local = np.stack(
            [channels.get(f"{a}position", np.full(frames, joint.offset[n])) for n, a in enumerate("xyz")], -1
        )
        order = [name[0].upper() for name in joint.channels if name.endswith("rotation")]
        angles = [channels[f"{axis.lower()}rotation"] for axis in order]
        turn = Rotation.identity(frames)
        for axis, angle in zip(order, angles, strict=True):
            turn = turn * Rotation.from_euler(axis, angle[:, None], degrees=True)
        if joint.parent < 0:
            positions[:, j] = local
            turns.append(turn)
        else:
            positions[:, j] = positions[:, joint.parent] + turns[joint.parent].apply(local)
            turns.append(turns[joint.parent] * turn)
    return positions


def _to_smpl(positions: DoubleArray, parents: list[int], names: dict[str, int]) -> DoubleArray:
    """SMPL_22 joints [T, 22, 3] from those of a rig [T, J, 3]."""
    p = {name: positions[:, index] for name, index in names.items()}
    shoulders = (p["left_shoulder"] + p["right_shoulder"]) / 2
    p.setdefault("neck", shoulders)
    if "head" not in p:
        p["head"] = p["neck"] + 0.25 * (p["neck"] - p["pelvis"])
    spine = _path(names["pelvis"], names.get("neck"), parents)
    chain = np.stack([positions[:, n] for n in spine] or [p["pelvis"], p["neck"]], axis=1)
    for name, share in _SPINE.items():
        p[name] = _along(chain, share)
    for side in ("left", "right"):
        p.setdefault(f"{side}_collar", 0.7 * p["neck"] + 0.3 * p[f"{side}_shoulder"])
        p.setdefault(f"{side}_foot", p[f"{side}_ankle"])
    return np.stack([p[name] for name in SMPL_22.joints], axis=1)


def _path(first: int, last: int | None, parents: list[int]) -> list[int]:
    """Joints from one down to another below it; empty where it is not below."""
    path = []
    while last is not None and last >= 0:
        path.append(last)
        if last == first:
            return path[::-1]
        last = parents[last]
    return []


def _along(chain: DoubleArray, share: float) -> DoubleArray:
    """Point [T, 3] at a share of the length of each polyline of [T, N, 3]."""
    lengths = np.linalg.norm(np.diff(chain, axis=1), axis=2).mean(axis=0)
    at = np.concatenate([[0.0], np.cumsum(lengths)])
    wanted = share * at[-1]
    n = int(np.clip(np.searchsorted(at, wanted) - 1, 0, len(lengths) - 1))
    part = (wanted - at[n]) / max(float(lengths[n]), 1e-12)
    return np.asarray((1 - part) * chain[:, n] + part * chain[:, n + 1], np.float64)


def _metric(smpl: DoubleArray) -> DoubleArray:
    """Joints in metres with y up. A dancer is upright most of the time, which tells the axis, and as tall as people."""
    index = SMPL_22.index
    ankles = (smpl[:, index("left_ankle")] + smpl[:, index("right_ankle")]) / 2
    upward = np.median(smpl[:, index("head")] - ankles, axis=0)
    if abs(upward[2]) > abs(upward[1]) and upward[2] > 0:
        smpl = smpl[..., [0, 2, 1]] * [1.0, 1.0, -1.0]
    limbs = [("head", "neck"), ("neck", "pelvis"), ("left_hip", "left_knee"), ("left_knee", "left_ankle")]
    height = sum(float(np.median(np.linalg.norm(smpl[:, index(a)] - smpl[:, index(b)], axis=1))) for a, b in limbs)
    if height <= 0:
        return smpl
    unit = min(_UNITS, key=lambda unit: abs(np.log(unit * height / _USUAL_HEIGHT)))
    if not _HEIGHTS[0] <= unit * height <= _HEIGHTS[1]:
        unit = _USUAL_HEIGHT / height
    return np.asarray(smpl * unit, np.float64)
