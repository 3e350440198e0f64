import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stgmamba.errors import InputError
from stgmamba.skeleton import BODY_25, LAYOUTS, OPENPOSE_18, OPENPOSE_18_FEET, Skeleton, convert
from stgmamba.skeleton.formats import FORMATS, read_skeleton, write_skeleton

from ...support.input_errors import read_or_refused

quick = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
joints = st.builds(
    lambda value, odd, place: [value] * place + [odd] + [value] * (53 - place),
    st.floats(-1e4, 1e4),
    st.none() | st.integers() | st.floats() | st.text(max_size=2),
    st.integers(0, 53),
)
anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["people", "pose_keypoints_2d", "pose_keypoints_3d", "canvas_width", "canvas_height", "fps"]
            ),
            inner | joints,
            max_size=4,
        )
    ),
    max_leaves=6,
)


@quick
@given(
    seed=st.integers(0, 9999),
    name=st.sampled_from(["openpose18", "body25"]),
    frames=st.integers(1, 5),
    dims=st.sampled_from([2, 3]),
    size=st.none() | st.tuples(st.integers(2, 4000), st.integers(2, 4000)),
    folder=st.booleans(),
)
def test_round_trip(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    name: str,
    frames: int,
    dims: int,
    size: tuple[int, int] | None,
    folder: bool,
) -> None:
    rng = np.random.default_rng(seed)
    layout = LAYOUTS[name]
    scale = 500 if dims == 2 else 2
    confidence = rng.choice([0.0, 0.25, 1.0], (frames, len(layout)))
    confidence[0, 0] = 1.0
    skeleton = Skeleton(rng.normal(size=(frames, len(layout), dims)) * scale, 23.976, layout, confidence, size)
    path = tmp_path_factory.mktemp("openpose") / ("dance" if folder else "dance.json")
    write_skeleton(path, skeleton)
    read = read_skeleton(path)
    assert (read.fps, read.layout, read.size) == (23.976, layout, size)
    np.testing.assert_array_equal(read.confidence, skeleton.confidence)
    known = confidence > 0
    np.testing.assert_allclose(read.positions[known], skeleton.positions[known], atol=1e-3 if dims == 2 else 1e-5)
    assert (read.positions[~known] == 0).all()


def test_the_model_layout_travels_as_body_25(tmp_path: Path, sway: Skeleton) -> None:
    write_skeleton(tmp_path / "a.json", sway)
    read = read_skeleton(tmp_path / "a.json")
    assert read.layout == BODY_25
    np.testing.assert_allclose(convert(read, OPENPOSE_18_FEET).positions, sway.positions, atol=1e-5)


def test_a_folder_is_as_openpose_writes_it(tmp_path: Path, sway: Skeleton) -> None:
    write_skeleton(tmp_path / "dance", sway.slice(0, 3))
    names = sorted(file.name for file in (tmp_path / "dance").iterdir())
    assert names == [f"dance_{i:012d}_keypoints.json" for i in range(3)]
    person = json.loads((tmp_path / "dance" / names[0]).read_text())["people"][0]
    assert len(person["pose_keypoints_3d"]) == 100
    assert person["pose_keypoints_2d"] == []
    with pytest.raises(InputError, match="not empty"):
        write_skeleton(tmp_path / "dance", sway)
    with pytest.raises(InputError, match="does not exist"):
        write_skeleton(tmp_path / "no" / "dance", sway)


def person(x: float = 100.0, scale: float = 10.0, count: int = 18) -> dict[str, Any]:
    numbers = [value for j in range(count) for value in (x + scale * (j % 3), 50 + scale * j, 0.9)]
    return {"pose_keypoints_2d": numbers}


def read_json(tmp_path: Path, content: object) -> Skeleton:
    (tmp_path / "a.json").write_text(json.dumps(content))
    return read_skeleton(tmp_path / "a.json")


def test_what_openpose_and_controlnet_write_is_read(tmp_path: Path) -> None:
    openpose = {"version": 1.3, "people": [{"person_id": [-1], **person(count=25), "face_keypoints_2d": []}]}
    read = read_json(tmp_path, openpose)
    assert (read.layout, read.fps, read.size, len(read)) == (BODY_25, 25.0, None, 1)
    frames = [{"people": [person()], "canvas_width": 512, "canvas_height": 768}, {"people": [], "canvas_width": 512}]
    read = read_json(tmp_path, frames)
    assert (read.layout, read.size, len(read)) == (OPENPOSE_18, (512, 768), 2)
    assert (read.confidence[1] == 0).all()


def test_coordinates_in_parts_of_the_canvas_become_pixels(tmp_path: Path) -> None:
    parts = [value for j in range(18) for value in (0.5, j / 20, 1.0)]
    read = read_json(tmp_path, [{"people": [{"pose_keypoints_2d": parts}], "canvas_width": 200, "canvas_height": 100}])
    np.testing.assert_allclose(read.positions[0, 10], (100, 50), atol=1e-4)


def test_null_stands_for_an_unknown_joint(tmp_path: Path) -> None:
    some = person()
    some["pose_keypoints_2d"][6:9] = [None, None, None]
    read = read_json(tmp_path, {"people": [some]})
    assert read.confidence[0, 2] == 0
    assert (read.positions[0, 2] == 0).all()


def test_the_largest_person_is_followed_whatever_the_order(tmp_path: Path) -> None:
    frames = [{"people": [person(x=400, scale=3), person(x=100 + i)][:: 1 if i % 2 else -1]} for i in range(6)]
    read = read_json(tmp_path, frames)
    np.testing.assert_allclose(read.positions[:, 0, 0], 100 + np.arange(6), atol=1e-3)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ([], "no frames"),
        ({}, "nobody"),
        ({"people": []}, "nobody"),
        ({"people": [{"pose_keypoints_2d": [0.0] * 54}]}, "nobody"),
        (3, "no list of people"),
        ({"people": {}}, "no list of people"),
        ({"people": [3]}, "not an object"),
        ({"people": [{"pose_keypoints_2d": [1.0] * 7}]}, "list of 51 or 54 or 75 numbers"),
        ({"people": [{"pose_keypoints_2d": ["1"] * 54}]}, "not a number"),
        ({"people": [{"pose_keypoints_2d": [1e40] * 54}]}, "not a number"),
        ({"people": [person()], "fps": -3}, "fps"),
        ({"people": [person()], "canvas_width": "x", "canvas_height": 3}, "canvas"),
        ([{"people": [person()]}, {"people": [person(count=25)]}], "same number of joints"),
    ],
)
def test_each_mistake_is_named(tmp_path: Path, content: object, says: str) -> None:
    with pytest.raises(InputError, match=says):
        read_json(tmp_path, content)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=anything | st.fixed_dictionaries({"people": st.lists(st.fixed_dictionaries({"pose_keypoints_2d": joints}))})
)
def test_any_json_is_read_or_refused(tmp_path: Path, content: object) -> None:
    (tmp_path / "a.json").write_text(json.dumps(content))
    read = read_or_refused(read_skeleton, tmp_path / "a.json")
    if read is not None:
        assert np.isfinite(read.positions).all()
        assert 0 <= read.confidence.min() <= read.confidence.max() <= 1
        assert read.confidence.any()


@quick
@given(data=st.binary(max_size=100))
def test_any_bytes_are_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.json").write_bytes(data)
    with pytest.raises(InputError):
        read_skeleton(tmp_path / "a.json")


def test_deep_nesting_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[" * 100_000)
    with pytest.raises(InputError):
        read_skeleton(tmp_path / "a.json")


def test_names_choose_the_format(tmp_path: Path, sway: Skeleton) -> None:
    assert set(FORMATS) >= {"npz", "openpose_json"}
    with pytest.raises(InputError, match=r"use one of \.npz, \.json"):
        write_skeleton(tmp_path / "a.txt", sway)
    with pytest.raises(InputError, match="no such file"):
        read_skeleton(tmp_path / "a.npz")
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(InputError, match="ending"):
        read_skeleton(tmp_path / "a.txt")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="keypoints"):
        read_skeleton(tmp_path / "empty")
    write_skeleton(tmp_path / "empty", sway.slice(0, 1))
    assert len(read_skeleton(tmp_path / "empty")) == 1


def _json(path: Path, content: Any, bom: bool = False) -> Path:
    path.write_text(json.dumps(content), encoding="utf-8-sig" if bom else "utf-8")
    return path


def _triples(count: int, x: float = 100.0) -> list[float]:
    return [value for j in range(count) for value in (x + j, 2.0 * j + 1, 0.9)]


def test_openpose_before_version_1_2_and_a_byte_order_mark(tmp_path: Path) -> None:
    read = read_skeleton(_json(tmp_path / "a.json", {"people": [{"pose_keypoints": _triples(18)}]}, bom=True))
    assert read.layout == OPENPOSE_18
    np.testing.assert_allclose(read.positions[0, 3], [103, 7])


def test_the_keypoints_of_an_editor(tmp_path: Path) -> None:
    joints: list[Any] = [[10.0 + j, 20.0 + j] for j in range(18)]
    joints[4] = None
    frame = {"width": 512, "height": 768, "keypoints": joints}
    read = read_skeleton(_json(tmp_path / "a.json", frame))
    assert (read.layout, read.size, len(read)) == (OPENPOSE_18, (512, 768), 1)
    assert read.confidence[0].tolist() == [1.0] * 4 + [0.0] + [1.0] * 13
    np.testing.assert_allclose(read.positions[0, 5], [15, 25])


def test_results_of_alphapose_with_frames_in_which_nobody_is(tmp_path: Path) -> None:
    entries = [
        {"image_id": f"{n}.jpg", "category_id": 1, "keypoints": _triples(17, 100 + n), "score": 2.9}
        for n in (10, 2, 3, 0)
    ]
    read = read_skeleton(_json(tmp_path / "a.json", entries))
    assert (read.layout.name, len(read)) == ("coco17", 11)
    assert np.flatnonzero(read.confidence.any(axis=1)).tolist() == [0, 2, 3, 10]
    np.testing.assert_allclose(read.positions[[0, 2, 3, 10], 0, 0], [100, 102, 103, 110])


def test_halpe_joints_of_alphapose_begin_with_those_of_coco(tmp_path: Path) -> None:
    read = read_skeleton(_json(tmp_path / "a.json", [{"image_id": "0.jpg", "keypoints": _triples(26)}]))
    np.testing.assert_allclose(read.positions[0, 16], [116, 33])


def test_a_coco_data_set(tmp_path: Path) -> None:
    hidden = [value if i % 3 < 2 else 1 + (i > 3) for i, value in enumerate(_triples(17))]
    content = {
        "images": [{"id": 7, "file_name": "b.jpg", "width": 640, "height": 480}],
        "annotations": [
            {"image_id": 7, "keypoints": hidden, "num_keypoints": 17},
            {"image_id": 7, "bbox": [0, 0, 1, 1]},
        ],
    }
    read = read_skeleton(_json(tmp_path / "a.json", content))
    assert (read.size, len(read)) == ((640, 480), 1)
    assert read.confidence[0].tolist() == [0.5] + [1.0] * 16


def test_normalised_coordinates_of_which_a_joint_overhangs(tmp_path: Path) -> None:
    joints = [value for j in range(18) for value in (0.05 * j, 0.5, 1.0)]
    joints[3 * 17] = 1.113
    frame = {"people": [{"pose_keypoints_2d": joints}], "canvas_width": 400, "canvas_height": 800}
    read = read_skeleton(_json(tmp_path / "a.json", frame))
    np.testing.assert_allclose(read.positions[0, [16, 17]], [[320, 400], [445.2, 400]], rtol=1e-5)


@pytest.mark.parametrize(
    "content",
    [
        {"annotations": [{"keypoints": [1, 2, 2] * 17}]},
        {"annotations": [{"image_id": [1], "keypoints": [1, 2, 2] * 17}]},
        [{"image_id": "0.jpg", "keypoints": [1, 2]}],
        [{"image_id": "0.jpg", "keypoints": {"x": 1}}],
        {"keypoints": [[1, 2]] * 17},
        {"keypoints": [[[1, 2]] * 17]},
        {"keypoints": [["a", "b"]] * 18},
        {"keypoints": [[1]] * 18},
        {"images": [3], "annotations": []},
    ],
)
def test_other_keypoint_files_that_are_malformed(tmp_path: Path, content: Any) -> None:
    with pytest.raises(InputError, match=r"a\.json"):
        read_skeleton(_json(tmp_path / "a.json", content))
