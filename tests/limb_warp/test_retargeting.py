import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stgmamba.limb_warp.retargeting import HeadWarp, measure_body, retarget_to_picture
from stgmamba.skeleton import COCO_17, OPENPOSE_18_FEET, Skeleton

from ..support.capsule_figure import HEIGHT, PIXELS_PER_METRE, WIDTH, moved, pose_array, to_pixels

INDEX = OPENPOSE_18_FEET.index
SIZE = (WIDTH, HEIGHT)


def photo(pose: np.ndarray | None = None) -> Skeleton:
    points = to_pixels(pose_array() if pose is None else pose)
    return Skeleton(points[None], 25, OPENPOSE_18_FEET, None, SIZE)  # type: ignore[arg-type]


@settings(max_examples=20, deadline=None)
@given(st.floats(0.6, 1.6), st.integers(0, 100))
def test_bone_lengths_are_the_pictures(scale: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    pose = pose_array() * np.float32(scale)
    for joint in ("left_elbow", "left_wrist", "right_knee"):
        pose[INDEX(joint), :2] += rng.normal(0, 0.1, 2)
    placement = retarget_to_picture(Skeleton(pose[None], 25, OPENPOSE_18_FEET), measure_body(photo()), SIZE)
    source = to_pixels(pose_array())
    for a, b in (("left_shoulder", "left_elbow"), ("left_elbow", "left_wrist"), ("right_hip", "right_knee")):
        length = np.linalg.norm(placement.joint(a)[0] - placement.joint(b)[0])
        assert length == pytest.approx(np.linalg.norm(source[INDEX(a)] - source[INDEX(b)]), rel=0.03)


def test_the_pictures_own_pose_is_reproduced() -> None:
    dance = Skeleton(pose_array()[None], 25, OPENPOSE_18_FEET)
    placement = retarget_to_picture(dance, measure_body(photo()), SIZE)
    body = [INDEX(n) for n in OPENPOSE_18_FEET.joints if not any(p in n for p in ("heel", "toe", "eye", "ear"))]
    assert np.abs(placement.points[0, body] - to_pixels(pose_array())[body]).max() < 2.5


def test_the_first_frame_stands_on_the_pictures_feet_and_the_supporting_foot_does_not_slide() -> None:
    foot = [INDEX(f"right_{part}") for part in ("ankle", "heel", "toe")]
    frames = []
    for lift in np.linspace(0, 1, 12):
        pose = moved(right_knee=(-0.2, 0.52 + 0.1 * lift, 0.1))
        pose[foot] += np.asarray((-0.1 * lift, 0.05 + 0.3 * lift, 0), np.float32)
        frames.append(pose)
    dance = Skeleton(np.stack(frames), 25, OPENPOSE_18_FEET)
    placement = retarget_to_picture(dance, measure_body(photo()), SIZE)
    feet = (placement.joint("left_ankle")[0] + placement.joint("right_ankle")[0]) / 2
    body = measure_body(photo())
    assert feet[0] == pytest.approx((body.joint("left_ankle")[0] + body.joint("right_ankle")[0]) / 2, abs=1)
    left = placement.joint("left_ankle")
    assert np.abs(left - left[0]).max() < 2.0


def turned_head(yaw: float) -> np.ndarray:
    """The A-pose with the head rotated to its left, radians, and the nose 9 cm in front of the ears."""
    pose = moved(nose=(0.09 * np.sin(yaw), 1.58, 0.09 * np.cos(yaw)))
    for side, sign in (("left", 1), ("right", -1)):
        pose[INDEX(f"{side}_ear")] = (sign * 0.07 * np.cos(yaw), 1.59, -sign * 0.07 * np.sin(yaw))
    return pose


@settings(max_examples=20, deadline=None)
@given(st.floats(-1.2, 1.2))
def test_the_face_shifts_with_the_yaw_of_the_dances_head(yaw: float) -> None:
    dance = Skeleton(np.stack([turned_head(0), turned_head(yaw)]), 25, OPENPOSE_18_FEET)
    body = measure_body(photo())
    placement = retarget_to_picture(dance, body, SIZE)
    nose = placement.joint("nose") - (placement.joint("left_ear") + placement.joint("right_ear")) / 2
    assert np.abs(nose[0] - (body.joint("nose") - body.head)).max() < 0.5  # at yaw 0 it does not shift
    shift = (nose[1] - nose[0])[0]
    assert abs(shift) <= 0.5 * body.head_radius * placement.magnification[1, INDEX("neck")] + 0.1
    if abs(yaw) > 0.2:
        assert np.sign(shift) == np.sign(yaw)
        assert abs(shift) > 0.1 * body.head_radius
    ears = placement.joint("left_ear") - placement.joint("right_ear")
    assert np.linalg.norm(ears[1]) == pytest.approx(np.linalg.norm(ears[0]), rel=0.2)


def test_a_face_that_the_picture_does_not_show_is_not_shifted() -> None:
    skeleton = photo()
    confidence = np.ones((1, len(OPENPOSE_18_FEET)), np.float32)
    confidence[0, [INDEX("left_ear"), INDEX("right_ear"), INDEX("nose")]] = 0
    hidden = Skeleton(skeleton.positions, 25, OPENPOSE_18_FEET, confidence, SIZE)
    body = measure_body(hidden)
    assert not body.face_visible
    placement = retarget_to_picture(Skeleton(turned_head(0.5)[None], 25, OPENPOSE_18_FEET), body, SIZE)
    assert np.isfinite(placement.points).all()


@settings(max_examples=50, deadline=None)
@given(st.complex_numbers(max_magnitude=60, allow_nan=False), st.floats(4, 40))
def test_limited_shifts_of_the_face_are_injective(shift: complex, radius: float) -> None:
    warp = HeadWarp(0j, -3j * radius, 0.3j * radius, radius)
    limited = complex(warp.limit_shift(np.asarray(shift)))
    assert abs(limited) <= 0.5 * radius + 1e-6
    assert complex(warp.limit_shift(np.asarray(limited))) == pytest.approx(limited)
    line = np.linspace(-2, 2, 201) * radius
    for direction in (1, 1j):
        moved_line = direction * line + limited * warp.shift_weight(direction * line.astype(complex))
        assert (np.diff((moved_line / direction).real) > 0).all()


def test_a_foreshortened_forearm_has_the_length_of_the_other_one() -> None:
    pose = moved(left_wrist=(0.36, 1.14, 0))
    body = measure_body(photo(pose))
    elbow, wrist = to_pixels(pose_array())[[INDEX("right_elbow"), INDEX("right_wrist")]]
    assert body.lengths["forearm"] == pytest.approx(np.linalg.norm(elbow - wrist), rel=1e-3)


def test_long_travel_is_limited_to_the_picture() -> None:
    walk = np.stack([pose_array() + np.asarray([x, 0, 0], np.float32) for x in np.linspace(0, 3, 150)])
    placement = retarget_to_picture(Skeleton(walk, 25, OPENPOSE_18_FEET), measure_body(photo()), SIZE)
    assert placement.joint("neck")[:, 0].max() < WIDTH + 0.2 * PIXELS_PER_METRE


def test_other_layouts_raise() -> None:
    with pytest.raises(ValueError, match="openpose18_feet"):
        retarget_to_picture(Skeleton(np.zeros((1, 17, 3), np.float32), 25, COCO_17), measure_body(photo()), SIZE)
