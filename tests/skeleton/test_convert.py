import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stgmamba.skeleton import (
    BODY_25,
    COCO_17,
    LAYOUTS,
    MEDIAPIPE_33,
    OPENPOSE_18,
    OPENPOSE_18_FEET,
    TANG_23,
    Skeleton,
    convert,
)
from stgmamba.skeleton.convert import head_axes

names = st.sampled_from(sorted(LAYOUTS))


def random_skeleton(seed: int, name: str, dims: int) -> Skeleton:
    rng = np.random.default_rng(seed)
    layout = LAYOUTS[name]
    confidence = rng.choice([0.0, 0.3, 1.0], (3, len(layout)))
    return Skeleton(rng.normal(size=(3, len(layout), dims)), 25, layout, confidence, (64, 48) if dims == 2 else None)


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 9999), names, names, st.sampled_from([2, 3]))
def test_shared_joints_survive_there_and_back(seed: int, there: str, back: str, dims: int) -> None:
    skeleton = random_skeleton(seed, there, dims)
    returned = convert(convert(skeleton, LAYOUTS[back]), LAYOUTS[there])
    assert returned.layout == skeleton.layout
    assert (returned.fps, returned.size) == (skeleton.fps, skeleton.size)
    for joint in LAYOUTS[there].joints:
        # SMPL's neck lies lower than the middle of the shoulders, which is everybody else's.
        if LAYOUTS[back].has(joint) and not (joint == "neck" and "smpl22" in (there, back)):
            j = LAYOUTS[there].index(joint)
            np.testing.assert_array_equal(returned.positions[:, j], skeleton.positions[:, j])
            np.testing.assert_array_equal(returned.confidence[:, j], skeleton.confidence[:, j])


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 9999), names, names)
def test_nothing_is_more_certain_than_before(seed: int, there: str, back: str) -> None:
    skeleton = random_skeleton(seed, there, 3)
    converted = convert(skeleton, LAYOUTS[back])
    assert np.isfinite(converted.positions).all()
    assert (converted.confidence <= skeleton.confidence.max(axis=1, keepdims=True)).all()
    unknown = converted.confidence == 0
    underivable = [j for j, joint in enumerate(LAYOUTS[back].joints) if not LAYOUTS[there].has(joint)]
    assert (converted.positions[:, underivable][unknown[:, underivable]] == 0).all()


@pytest.mark.parametrize("layout", [COCO_17, BODY_25, MEDIAPIPE_33, TANG_23, OPENPOSE_18])
def test_every_joint_of_the_model_is_derived(sway: Skeleton, layout: object) -> None:
    assert isinstance(layout, type(OPENPOSE_18))
    there = convert(sway, layout)
    back = convert(there, OPENPOSE_18_FEET)
    known = back.confidence[0] > 0
    feet = {"left_heel", "left_toe", "right_heel", "right_toe"}
    lost = {joint for joint, k in zip(OPENPOSE_18_FEET.joints, known, strict=True) if not k}
    assert lost == (feet if layout in (COCO_17, OPENPOSE_18) else set())


def test_middle_joints_lie_in_the_middle(sway: Skeleton) -> None:
    body = convert(sway, BODY_25)
    np.testing.assert_allclose(body.joint("mid_hip"), (sway.joint("left_hip") + sway.joint("right_hip")) / 2, atol=1e-6)
    neck = convert(convert(sway, COCO_17), OPENPOSE_18).joint("neck")
    np.testing.assert_allclose(neck, (sway.joint("left_shoulder") + sway.joint("right_shoulder")) / 2, atol=1e-6)


def test_a_derived_joint_needs_all_its_sources(sway: Skeleton) -> None:
    confidence = sway.confidence.copy()
    confidence[:, sway.layout.index("left_shoulder")] = 0
    hidden = Skeleton(sway.positions, sway.fps, sway.layout, confidence)
    spine = convert(hidden, TANG_23)
    assert (spine.confidence[:, TANG_23.index("spine")] == 0).all()
    assert (spine.joint("spine") == 0).all()


def test_face_of_captured_dancers_looks_ahead(sway: Skeleton) -> None:
    face = convert(convert(sway, TANG_23), OPENPOSE_18_FEET)
    ears = (face.joint("left_ear") + face.joint("right_ear")) / 2
    assert ((face.joint("nose") - ears)[:, 2] > 0.05).all()
    assert ((face.joint("left_eye") - face.joint("right_eye"))[:, 0] > 0.03).all()


def test_head_axes_are_orthonormal() -> None:
    rng = np.random.default_rng(0)
    left, right = rng.normal(size=(2, 50, 3)).astype(np.float32)
    axes = np.stack(head_axes(left, right), axis=1)
    np.testing.assert_allclose(np.einsum("tij,tkj->tik", axes, axes), np.eye(3)[None].repeat(50, 0), atol=1e-4)
    np.testing.assert_allclose(np.linalg.det(axes), 1.0, atol=1e-4)
