import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stgmamba.errors import InputError
from stgmamba.person.pose_file import ManualPose, joints_to_pose, pose_of, read_pose
from stgmamba.skeleton import BODY_25, COCO_17, OPENPOSE_18, OPENPOSE_18_FEET, Layout, Skeleton
from stgmamba.skeleton.convert import convert
from stgmamba.skeleton.formats import write_skeleton

SHOULDERS = {"right_shoulder": [40, 60], "left_shoulder": [80, 60]}
OTHERS = [joint for joint in OPENPOSE_18_FEET.joints if joint not in SHOULDERS]


def write(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content) if path.suffix == ".json" else yaml.safe_dump(content), encoding="utf-8")
    return path


def joints_of(pose: ManualPose) -> dict[str, list[float]]:
    known = pose.skeleton.confidence[0] > 0
    return {
        joint: pose.skeleton.positions[0, j].tolist() for j, joint in enumerate(OPENPOSE_18_FEET.joints) if known[j]
    }


def character(**changes: object) -> dict[str, object]:
    """A character as AnimatedDrawings describes it."""
    at = {
        "root": (60, 100),
        "hip": (60, 100),
        "torso": (60, 60),
        "neck": (60, 40),
        "right_shoulder": (40, 60),
        "right_elbow": (30, 80),
        "right_hand": (28, 100),
        "left_shoulder": (80, 60),
        "left_elbow": (90, 80),
        "left_hand": (92, 100),
        "right_hip": (50, 100),
        "right_knee": (50, 125),
        "right_foot": (48, 150),
        "left_hip": (70, 100),
        "left_knee": (70, 125),
        "left_foot": (72, 150),
    }
    joints = [{"name": name, "loc": list(loc), "parent": None} for name, loc in at.items()]
    return {"height": 180, "width": 120, "skeleton": joints} | changes


pixels = st.lists(st.floats(-1e5, 1e5, width=32), min_size=2, max_size=2)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    more=st.dictionaries(st.sampled_from(OTHERS), pixels),
    size=st.none() | st.tuples(st.integers(1, 9999), st.integers(1, 9999)),
    ending=st.sampled_from(["json", "yaml"]),
)
def test_what_is_written_is_read(
    tmp_path: Path, more: dict[str, Any], size: tuple[int, int] | None, ending: str
) -> None:
    written = SHOULDERS | more
    pose = read_pose(write(tmp_path / f"pose.{ending}", written | ({} if size is None else {"size": list(size)})))
    assert joints_of(pose) == {"neck": [60, 60]} | written
    assert pose.skeleton.size == size
    assert pose.mask is None


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from([*OPENPOSE_18_FEET.joints[:4], "size", "mask", "skeleton", "people", "name", "loc"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=values, ending=st.sampled_from(["json", "yaml"]))
def test_anything_else_is_a_sentence(tmp_path: Path, content: Any, ending: str) -> None:
    path = write(tmp_path / f"pose.{ending}", content)
    sentence = f"{path}: it is fine."
    try:
        read_pose(path)
    except InputError as error:
        sentence = str(error)
    assert sentence.startswith(f"{path}: ")
    assert sentence.endswith(".")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_garbage_is_a_sentence(tmp_path: Path, content: bytes) -> None:
    for name in ("pose.yaml", "pose.json"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=name):
            read_pose(tmp_path / name)


@pytest.mark.parametrize(
    "text", ["!!python/object/apply:os.system [ls]", "!!int ''", "!!timestamp x", "!!bool x", "[" * 9000, "a: [", "\t"]
)
def test_yaml_is_read_as_data_only(tmp_path: Path, text: str) -> None:
    (tmp_path / "pose.yaml").write_text(text)
    with pytest.raises(InputError, match=r"pose\.yaml"):
        read_pose(tmp_path / "pose.yaml")


def test_a_joint_without_value_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "pose.yaml").write_text("right_shoulder: [40, 60]\nleft_shoulder: [80, 60.5]\nleft_toe:\n")
    assert joints_of(read_pose(tmp_path / "pose.yaml")) == {
        "right_shoulder": [40, 60],
        "left_shoulder": [80, 60.5],
        "neck": [60, 60.25],
    }


def test_a_mask_lies_beside_the_pose(tmp_path: Path) -> None:
    assert read_pose(write(tmp_path / "a.yaml", SHOULDERS | {"mask": "m.png"})).mask == tmp_path / "m.png"


def test_a_character_of_animated_drawings(tmp_path: Path) -> None:
    path = write(tmp_path / "char_cfg.yaml", character())
    pose = read_pose(path)
    joints = joints_of(pose)
    assert len(joints) == 14
    assert joints["nose"] == [60, 40]
    assert joints["neck"] == [60, 60]
    assert joints["right_wrist"] == [28, 100]
    assert joints["left_ankle"] == [72, 150]
    assert pose.skeleton.size == (120, 180)
    assert pose.mask is None
    (tmp_path / "mask.png").touch()
    assert read_pose(path).mask == tmp_path / "mask.png"


@pytest.mark.parametrize("layout", [OPENPOSE_18, BODY_25, OPENPOSE_18_FEET, COCO_17], ids=lambda layout: layout.name)
@pytest.mark.parametrize("ending", ["npz", "json"])
def test_a_skeleton_file_is_a_pose(tmp_path: Path, layout: Layout, ending: str) -> None:
    positions = np.arange(2.0 * len(layout)).reshape(1, -1, 2) + 20
    confidence = np.full((1, len(layout)), 0.9)
    confidence[0, layout.index("left_wrist")] = 0.05  # what `stgmamba pose` says of a joint it had to guess
    skeleton = Skeleton(positions, 25, layout, confidence, (120, 180))
    write_skeleton(tmp_path / f"pose.{ending}", skeleton)
    pose = read_pose(tmp_path / f"pose.{ending}")
    joints = joints_of(pose)
    assert pose.skeleton.size == (120, 180)
    assert "left_wrist" not in joints
    expected = convert(skeleton, OPENPOSE_18_FEET)
    for joint in ("nose", "neck", "right_knee"):
        np.testing.assert_allclose(joints[joint], expected.joint(joint)[0], atol=1e-3)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({}, "no joints"),
        ({"left_shoulder": [80, 60]}, "right shoulder"),
        (SHOULDERS | {"left_shoulder": [40, 60]}, "one place"),
        (SHOULDERS | {"left_sholder": [1, 2]}, "write left_shoulder if"),
        (SHOULDERS | {"tail": [1, 2]}, "'tail' is not a joint; use nose, neck"),
        (SHOULDERS | {3: [1, 2]}, "a joint has no name"),
        (SHOULDERS | {"nose": [1, 2, 3]}, "nose is not a pair of numbers"),
        (SHOULDERS | {"nose": [1, "2"]}, "nose is not a pair of numbers"),
        (SHOULDERS | {"nose": [True, 2]}, "nose is not a pair of numbers"),
        (SHOULDERS | {"nose": [float("nan"), 2]}, "nose is not a pair of numbers"),
        (SHOULDERS | {"size": [0, 50]}, "size is not width and height"),
        (SHOULDERS | {"mask": 3}, "mask is not the name of a file"),
        (character(skeleton=[]), "right shoulder"),
        (character(skeleton="none"), "not a list of joints"),
        (character(width="wide"), "size is not"),
        (character(skeleton=[{"name": "left_hip_f", "loc": [1, 2]}]), "four legs"),
        (character(skeleton=[{"name": "neck", "loc": 5}]), "neck is not a pair"),
        ({"people": []}, r"ends in \.json"),
    ],
)
def test_each_fault_is_named(tmp_path: Path, content: dict[Any, Any], says: str) -> None:
    path = write(tmp_path / "pose.yaml", content)
    with pytest.raises(InputError, match=says) as caught:
        read_pose(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_files_that_cannot_be_a_pose(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_pose(tmp_path / "none.yaml")
    (tmp_path / "large.yaml").write_text("# \n" * 400_000)
    with pytest.raises(InputError, match="too large"):
        read_pose(tmp_path / "large.yaml")
    with pytest.raises(InputError, match="OpenPose wrote"):
        read_pose(tmp_path)


def test_a_dance_is_no_pose(sway: Skeleton) -> None:
    with pytest.raises(InputError, match="3-D"):
        pose_of(sway)
    flat = Skeleton(sway.positions[..., :2], sway.fps, sway.layout)
    with pytest.raises(InputError, match="50 frames"):
        pose_of(flat)


def test_joints_in_memory() -> None:
    pose = joints_to_pose({"right_shoulder": (40, 60), "left_shoulder": np.array([80, 60])})
    assert joints_of(pose) == SHOULDERS | {"neck": [60, 60]}
    with pytest.raises(InputError, match="The pose: 'elbow'"):
        joints_to_pose({"elbow": (1, 2)})
