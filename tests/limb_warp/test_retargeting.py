import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stgmamba.limb_warp.retargeting import HeadWarp, measure_body, retarget_to_picture
from stgmamba.skeleton import COCO_17, OPENPOSE_18_FEET, Skeleton

from ..support.capsule_figure import HEIGHT, METRE, WIDTH, moved, pose_array, to_pixels

INDEX = OPENPOSE_18_FEET.index
SIZE = (WIDTH, HEIGHT)


def photo(pose: np.ndarray | None = None) -> Skeleton:
    points = to_pixels(pose_array() if pose is None else pose)
    return Skeleton(points[None], 25, OPENPOSE_18_FEET, None, SIZE)  # type: ignore[arg-type]


@settings(max_examples=20, deadline=None)
@given(st.floats(0.6, 1.6), st.integers(0, 100))
def test_bone_lengths_are_the_photos(scale: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    pose = pose_array() * np.float32(scale)
    for joint in ("left_elbow", "left_wrist", "right_knee"):
        pose[INDEX(joint), :2] += rng.normal(0, 0.1, 2)
    placement = retarget_to_picture(Skeleton(pose[None], 25, OPENPOSE_18_FEET), measure_body(photo()), SIZE)
    truth = to_pixels(pose_array())
    for a, b in (("left_shoulder", "left_elbow"), ("left_elbow", "left_wrist"), ("right_hip", "right_knee")):
        wanted = np.linalg.norm(truth[INDEX(a)] - truth[INDEX(b)])
        got = np.linalg.norm(placement.joint(a)[0] - placement.joint(b)[0])
        assert got == pytest.approx(wanted, rel=0.03)


def test_own_pose_lands_on_the_photo() -> None:
    dance = Skeleton(pose_array()[None], 25, OPENPOSE_18_FEET)
    placement = retarget_to_picture(dance, measure_body(photo()), SIZE)
    body = [INDEX(n) for n in OPENPOSE_18_FEET.joints if not any(p in n for p in ("heel", "toe", "eye", "ear"))]
    assert np.abs(placement.points[0, body] - to_pixels(pose_array())[body]).max() < 2.5


def test_the_first_frame_stands_on_the_photos_feet_and_the_standing_foot_stays() -> None:
    foot = [INDEX(f"right_{part}") for part in ("ankle", "heel", "toe")]
    frames = []
    for share in np.linspace(0, 1, 12):
        pose = moved(right_knee=(-0.2, 0.52 + 0.1 * share, 0.1))
        pose[foot] += np.asarray((-0.1 * share, 0.05 + 0.3 * share, 0), np.float32)
        frames.append(pose)
    dance = Skeleton(np.stack(frames), 25, OPENPOSE_18_FEET)
    placement = retarget_to_picture(dance, measure_body(photo()), SIZE)
    feet = (placement.joint("left_ankle")[0] + placement.joint("right_ankle")[0]) / 2
    body = measure_body(photo())
    assert feet[0] == pytest.approx((body.joint("left_ankle")[0] + body.joint("right_ankle")[0]) / 2, abs=1)
    left = placement.joint("left_ankle")
    assert np.abs(left - left[0]).max() < 2.0


def turned_head(yaw: float) -> np.ndarray:
    """A pose whose head is turned to its left, with a nose 9 cm before the ears; 0 faces the camera."""
    pose = moved(nose=(0.09 * np.sin(yaw), 1.58, 0.09 * np.cos(yaw)))
    for side, sign in (("left", 1), ("right", -1)):
        pose[INDEX(f"{side}_ear")] = (sign * 0.07 * np.cos(yaw), 1.59, -sign * 0.07 * np.sin(yaw))
    return pose


@settings(max_examples=20, deadline=None)
@given(st.floats(-1.2, 1.2))
def test_the_face_turns_with_the_dances_head_within_its_outline(yaw: float) -> None:
    dance = Skeleton(np.stack([turned_head(0), turned_head(yaw)]), 25, OPENPOSE_18_FEET)
    body = measure_body(photo())
    placement = retarget_to_picture(dance, body, SIZE)
    nose = placement.joint("nose") - (placement.joint("left_ear") + placement.joint("right_ear")) / 2
    own = body.joint("nose") - body.head
    assert np.abs(nose[0] - own).max() < 0.5  # facing the camera, it is the photo's own face
    shift = (nose[1] - nose[0])[0]
    assert abs(shift) <= 0.5 * body.head_radius * placement.magnification[1, INDEX("neck")] + 0.1
    if abs(yaw) > 0.2:
        assert np.sign(shift) == np.sign(yaw)
        assert abs(shift) > 0.1 * body.head_radius
    ears = placement.joint("left_ear") - placement.joint("right_ear")
    assert np.linalg.norm(ears[1]) == pytest.approx(np.linalg.norm(ears[0]), rel=0.2)


def test_a_face_that_is_not_seen_stays_where_the_dance_has_it() -> None:
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
def test_no_shift_of_the_face_folds_it(shift: complex, radius: float) -> None:
    face = HeadWarp(0j, -3j * radius, 0.3j * radius, radius)
    limited = complex(face.limit_shift(np.asarray(shift)))
    assert abs(limited) <= 0.5 * radius + 1e-6
    assert complex(face.limit_shift(np.asarray(limited))) == pytest.approx(limited)
    line = np.linspace(-2, 2, 201) * radius
    for direction in (1, 1j):
        moved_line = direction * line + limited * face.shift_weight(direction * line.astype(complex))
        assert (np.diff((moved_line / direction).real) > 0).all()


def test_a_foreshortened_forearm_takes_the_other_sides_length() -> None:
    pose = moved(left_wrist=(0.36, 1.14, 0))
    body = measure_body(photo(pose))
    truth = np.linalg.norm(
        to_pixels(pose_array())[INDEX("right_elbow")] - to_pixels(pose_array())[INDEX("right_wrist")]
    )
    assert body.lengths["forearm"] == pytest.approx(truth, rel=1e-3)


def test_long_travel_is_kept_in_the_picture() -> None:
    walk = np.stack([pose_array() + np.asarray([x, 0, 0], np.float32) for x in np.linspace(0, 3, 150)])
    placement = retarget_to_picture(Skeleton(walk, 25, OPENPOSE_18_FEET), measure_body(photo()), SIZE)
    assert placement.joint("neck")[:, 0].max() < WIDTH + 0.2 * METRE


def test_other_layouts_are_refused() -> None:
    with pytest.raises(ValueError, match="openpose18_feet"):
        retarget_to_picture(Skeleton(np.zeros((1, 17, 3), np.float32), 25, COCO_17), measure_body(photo()), SIZE)
