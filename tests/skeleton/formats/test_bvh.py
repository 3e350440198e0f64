from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from stgmamba.errors import InputError
from stgmamba.skeleton.formats import read_skeleton, write_skeleton
from stgmamba.skeleton.formats.bvh import match_joints
from stgmamba.skeleton.layouts import OPENPOSE_18_FEET

DATA = Path(os.environ.get("STGM_DATA", "../shared/data"))

# A person of 1.7 m in the pose of a T: name in SMPL_22, parent, offset in metres (x to the left, y up, z forward).
BODY = [
    ("pelvis", "", (0, 0.95, 0)),
    ("spine1", "pelvis", (0, 0.12, 0)),
    ("spine2", "spine1", (0, 0.13, 0)),
    ("spine3", "spine2", (0, 0.06, 0)),
    ("neck", "spine3", (0, 0.2, 0)),
    ("head", "neck", (0, 0.1, 0)),
    *(
        (f"{side}_{part}", parent if parent in ("pelvis", "spine3") else f"{side}_{parent}", (sign * x, y, z))
        for side, sign in (("left", 1), ("right", -1))
        for part, parent, (x, y, z) in (
            ("collar", "spine3", (0.06, 0.14, 0)),
            ("shoulder", "collar", (0.12, 0, 0)),
            ("elbow", "shoulder", (0.28, 0, 0)),
            ("wrist", "elbow", (0.25, 0, 0)),
            ("hip", "pelvis", (0.09, -0.05, 0)),
            ("knee", "hip", (0, -0.42, 0)),
            ("ankle", "knee", (0, -0.42, 0)),
            ("foot", "ankle", (0, -0.04, 0.12)),
        )
    ),
]

MIXAMO = {
    "pelvis": "Hips", "spine1": "Spine", "spine2": "Spine1", "spine3": "Spine2", "neck": "Neck", "head": "Head",
    "collar": "{}Shoulder", "shoulder": "{}Arm", "elbow": "{}ForeArm", "wrist": "{}Hand",
    "hip": "{}UpLeg", "knee": "{}Leg", "ankle": "{}Foot", "foot": "{}ToeBase",
}  # fmt: skip
RIGS = {
    "mixamo": {part: f"mixamorig:{name}" for part, name in MIXAMO.items()},
    "rokoko": MIXAMO,
    "poser": MIXAMO | {
        "pelvis": "hip", "collar": "{}Collar", "shoulder": "{}Shldr", "elbow": "{}ForeArm", "wrist": "{}Hand",
        "hip": "{}Thigh", "knee": "{}Shin", "ankle": "{}Foot", "foot": "{}Toe",
    },
    "anatomical": MIXAMO | {
        "collar": "{}Collar", "shoulder": "{}Shoulder", "elbow": "{}Elbow", "wrist": "{}Wrist", "hip": "{}Hip",
        "knee": "{}Knee", "ankle": "{}Ankle", "foot": "{}Toe",
    },
    "rigify": {
        "pelvis": "hips", "spine1": "spine", "spine2": "spine.001", "spine3": "spine.002", "neck": "neck",
        "head": "head", "collar": "shoulder.{}", "shoulder": "upper_arm.{}", "elbow": "forearm.{}", "wrist": "hand.{}",
        "hip": "thigh.{}", "knee": "shin.{}", "ankle": "foot.{}", "foot": "toe.{}",
    },
    "biped": {
        "pelvis": "Bip01 Pelvis", "spine1": "Bip01 Spine", "spine2": "Bip01 Spine1", "spine3": "Bip01 Spine2",
        "neck": "Bip01 Neck", "head": "Bip01 Head", "collar": "Bip01 {} Clavicle", "shoulder": "Bip01 {} UpperArm",
        "elbow": "Bip01 {} Forearm", "wrist": "Bip01 {} Hand", "hip": "Bip01 {} Thigh", "knee": "Bip01 {} Calf",
        "ankle": "Bip01 {} Foot", "foot": "Bip01 {} Toe0",
    },
    "vroid": {
        "pelvis": "J_Bip_C_Hips", "spine1": "J_Bip_C_Spine", "spine2": "J_Bip_C_Chest", "spine3": "J_Bip_C_UpperChest",
        "neck": "J_Bip_C_Neck", "head": "J_Bip_C_Head", "collar": "J_Bip_{}_Shoulder",
        "shoulder": "J_Bip_{}_UpperArm", "elbow": "J_Bip_{}_LowerArm", "wrist": "J_Bip_{}_Hand",
        "hip": "J_Bip_{}_UpperLeg", "knee": "J_Bip_{}_LowerLeg", "ankle": "J_Bip_{}_Foot", "foot": "J_Bip_{}_ToeBase",
    },
}  # fmt: skip
SIDES = {"rigify": ("L", "R"), "biped": ("L", "R"), "vroid": ("L", "R"), "poser": ("l", "r")}


def name_in(rig: str, joint: str) -> str:
    side, _, part = joint.partition("_")
    if side not in ("left", "right"):
        return RIGS[rig][joint]
    left, right = SIDES.get(rig, ("Left", "Right"))
    return RIGS[rig][part].format(left if side == "left" else right)


def bvh(
    rig: str = "mixamo",
    unit: float = 100,
    frames: int = 3,
    turns: dict[str, tuple[float, ...]] | None = None,
    toes: bool = True,
) -> str:
    """A person who stands and turns joints by angles (Z, X, Y, degrees), in units of 1 / unit m, at 50 fps."""
    children: dict[str, list[str]] = {}
    body = [row for row in BODY if toes or not row[0].endswith("foot")]
    for joint, parent, _ in body:
        children.setdefault(parent, []).append(joint)
    offsets = {joint: np.array(offset) * unit for joint, _, offset in BODY}
    lines, order = ["HIERARCHY"], []

    def add(joint: str, depth: int) -> None:
        order.append(joint)
        pad = "  " * depth
        lines.append(f"{pad}{'ROOT' if depth == 0 else 'JOINT'} {name_in(rig, joint)}")
        x, y, z = offsets[joint] if depth else (0, 0, 0)
        position = "6 Xposition Yposition Zposition" if depth == 0 else "3"
        lines.extend(
            [f"{pad}{{", f"{pad}  OFFSET {x} {y} {z}", f"{pad}  CHANNELS {position} Zrotation Xrotation Yrotation"]
        )
        for child in children.get(joint, []):
            add(child, depth + 1)
        if joint not in children:
            lines.extend([f"{pad}  End Site", f"{pad}  {{", f"{pad}    OFFSET 0 0 0.01", f"{pad}  }}"])
        lines.append(f"{pad}}}")

    add("pelvis", 0)
    values = [*offsets["pelvis"]]
    for joint in order:
        values += [*(turns or {}).get(joint, (0, 0, 0))]
    lines += ["MOTION", f"Frames: {frames}", "Frame Time: 0.02"]
    lines += [" ".join(f"{value:.6f}" for value in values)] * frames
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("rig", RIGS)
@pytest.mark.parametrize("unit", [1, 100, 1000, 39.37, 7.3])
def test_a_person_stands_whatever_the_rig_and_the_unit(rig: str, unit: float, tmp_path: Path) -> None:
    path = tmp_path / "standing.bvh"
    path.write_text(bvh(rig, unit))
    dance = read_skeleton(path)
    assert (dance.layout, dance.fps, len(dance)) == (OPENPOSE_18_FEET, pytest.approx(50), 3)
    size = 1.0 if unit != 7.3 else np.ptp(dance.positions[0, :, 1]) / 1.62  # no unit of a person: scaled to one
    across = dance.joint("left_wrist") - dance.joint("right_wrist")
    assert np.allclose(across / size, [1.42, 0, 0], atol=0.05)
    assert np.allclose((dance.joint("left_hip") - dance.joint("left_knee")) / size, [0, 0.42, 0], atol=0.02)
    assert (dance.joint("left_toe") - dance.joint("left_heel"))[:, 2].min() > 0.1
    assert (dance.joint("nose") - dance.joint("neck"))[:, 2].min() > 0.02
    assert dance.positions[..., 1].min() == pytest.approx(0.03, abs=0.01)


def test_z_is_turned_up(tmp_path: Path) -> None:
    """As Blender exports it: the same person with z up, facing -y."""
    text = bvh()
    head, motion = text.split("MOTION")
    lines = [
        re_offset(line) if line.strip().startswith("OFFSET") else line for line in head.replace("\t", " ").splitlines()
    ]
    rows = motion.splitlines()
    values = rows[3].split()
    rows[3:] = [" ".join([values[0], f"{-float(values[2])}", values[1], *values[3:]])] * 3
    (tmp_path / "z.bvh").write_text("\n".join(lines) + "\nMOTION" + "\n".join(rows) + "\n")
    (tmp_path / "y.bvh").write_text(text)
    turned, straight = read_skeleton(tmp_path / "z.bvh"), read_skeleton(tmp_path / "y.bvh")
    assert np.allclose(turned.positions, straight.positions, atol=1e-4)


def re_offset(line: str) -> str:
    pad, x, y, z = line[: line.index("OFFSET")], *line.split()[1:]
    return f"{pad}OFFSET {x} {-float(z)} {y}"


@settings(max_examples=20, deadline=None)
@given(angles=st.tuples(*[st.floats(-170, 170)] * 3), other=st.tuples(*[st.floats(-80, 80)] * 3))
def test_rotations_apply_from_the_root_outwards_in_the_order_of_the_channels(
    tmp_path_factory: pytest.TempPathFactory, angles: tuple[float, ...], other: tuple[float, ...]
) -> None:
    path = tmp_path_factory.mktemp("bvh") / "turned.bvh"
    path.write_text(bvh(turns={"left_shoulder": angles, "left_elbow": other}))
    dance = read_skeleton(path)
    shoulder, elbow = Rotation.from_euler("ZXY", angles, degrees=True), Rotation.from_euler("ZXY", other, degrees=True)
    upper, lower = shoulder.apply([0.28, 0, 0]), (shoulder * elbow).apply([0.25, 0, 0])
    assert np.allclose(dance.joint("left_elbow") - dance.joint("left_shoulder"), upper, atol=1e-4)
    assert np.allclose(dance.joint("left_wrist") - dance.joint("left_elbow"), lower, atol=1e-4)


def test_names_that_no_rule_knows_are_given_in_a_file(tmp_path: Path) -> None:
    text = bvh().replace("mixamorig:LeftLeg", "Unterschenkel links")
    (tmp_path / "odd.bvh").write_text(text)
    with pytest.raises(InputError, match=r"odd\.bvh: no left_knee among its joints .*odd\.joints\.yaml"):
        read_skeleton(tmp_path / "odd.bvh")
    for name in ("odd.joints.yaml", "joints.yaml"):
        (tmp_path / name).write_text("left_knee: Unterschenkel links\n")
        assert len(read_skeleton(tmp_path / "odd.bvh")) == 3
        (tmp_path / name).unlink()
    for content, complaint in (
        ("left_knee: Nobody", "which the file does not have"),
        ("knee: Hips", "known are pelvis"),
        ("- a", "not a list of names"),
        ("{", "not YAML"),
    ):
        (tmp_path / "joints.yaml").write_text(content)
        with pytest.raises(InputError, match=complaint):
            read_skeleton(tmp_path / "odd.bvh")


def test_toes_that_a_rig_lacks_are_derived(tmp_path: Path) -> None:
    path = tmp_path / "toeless.bvh"
    path.write_text(bvh(toes=False))
    dance = read_skeleton(path)
    assert dance.confidence[:, OPENPOSE_18_FEET.index("left_toe")].max() == 0.5
    assert (dance.joint("left_toe") - dance.joint("left_heel"))[:, 2].min() > 0.1


def test_a_shoulder_is_the_collar_only_where_the_arm_has_a_joint_of_its_own() -> None:
    parents = [-1, *[0] * 14]
    sides = [
        f"{side}{part}" for side in ("Left", "Right") for part in ("Hip", "Knee", "Ankle", "Shoulder", "Elbow", "Wrist")
    ]
    found = match_joints(["Hips", "Neck", "Head", *sides], parents, {}, "x.bvh")
    assert found["left_shoulder"] == 6
    assert "left_collar" not in found


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda text: "", "there is no MOTION"),
        (lambda text: text.replace("HIERARCHY", "TREE"), "does not begin with HIERARCHY"),
        (lambda text: text.replace("Frames: 3", "Frames: 1"), "are no motion"),
        (lambda text: text.replace("Frames: 3", "Frames: 99999999999"), "are too many"),
        (lambda text: text.replace("Frames: 3", "Frames: 4"), "were promised"),
        (lambda text: text.replace("0.02", "0"), "are no motion"),
        (lambda text: text.replace("95.000000", "nan"), "not finite"),
        (lambda text: text.replace("95.000000", "1e300"), "not finite, or far too large"),
        (lambda text: text.replace("Zrotation", "Wrotation", 1), "unknown channels"),
        (lambda text: text.replace("}", "", 1), "not closed"),
        (lambda text: text.replace("  OFFSET", "CHANNELS 1 Xrotation\n  OFFSET", 1), "two lists of channels"),
        (lambda text: text.replace("OFFSET 0 0 0\n", "OFFSET 0 zero 0\n", 1), "could not convert"),
        (lambda text: text.replace("ROOT", "JOINT", 1), "outside of the tree"),
    ],
)
def test_damage_is_said(damage: object, complaint: str, tmp_path: Path) -> None:
    path = tmp_path / "damaged.bvh"
    path.write_text(damage(bvh()))  # type: ignore[operator]
    with pytest.raises(InputError, match=rf"damaged\.bvh: not a BVH motion \(.*{complaint}"):
        read_skeleton(path)


def test_it_is_read_only(tmp_path: Path) -> None:
    (tmp_path / "in.bvh").write_text(bvh())
    with pytest.raises(InputError, match=r"out\.bvh: this format is read only; use one of \.npz"):
        write_skeleton(tmp_path / "out.bvh", read_skeleton(tmp_path / "in.bvh"))


@pytest.mark.skipif(not (DATA / "bvh").is_dir(), reason="needs the research data (STGM_DATA)")
def test_a_real_dance() -> None:
    dance = read_skeleton(DATA / "bvh" / "jesse_dance.bvh")
    assert len(dance) == 1007
    assert dance.fps == pytest.approx(100)
    shin = np.linalg.norm(dance.joint("left_knee") - dance.joint("left_ankle"), axis=1)
    assert 0.3 < shin.min() <= shin.max() < 0.5
    assert np.ptp(shin) < 0.001
