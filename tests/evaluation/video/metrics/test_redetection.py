import math
from dataclasses import replace

import numpy as np
import pytest

from stgmamba.evaluation.video.metrics.redetection import JOINTS, pck
from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton

from ....support.capsule_figure import HEIGHT, INDEX, WIDTH, pose_array, to_pixels


def target(frames: int = 2) -> Skeleton:
    points = np.repeat(to_pixels(pose_array())[None], frames, axis=0)
    return Skeleton(points, 25, OPENPOSE_18_FEET, None, (WIDTH, HEIGHT))  # type: ignore[arg-type]


TORSO = 0.5 * 165  # of the capsule figure, pixels


def moved(skeleton: Skeleton, joint: str, frame: int, by: float) -> Skeleton:
    positions = skeleton.positions.copy()
    positions[frame, INDEX(joint), 0] += by
    return replace(skeleton, positions=positions)


def test_equal_poses() -> None:
    assert pck(target(), target()) == 1


def test_a_tenth_of_the_torso_is_the_limit() -> None:
    assert pck(moved(target(), "left_knee", 0, 0.099 * TORSO), target()) == 1
    value = pck(moved(target(), "left_knee", 0, 0.101 * TORSO), target())
    assert value == pytest.approx(1 - 1 / (2 * len(JOINTS)))
    assert pck(moved(target(), "left_heel", 0, TORSO), target()) == 1  # heels are not evaluated


def test_a_frame_without_a_detected_person_is_incorrect() -> None:
    detected = target()
    confidence = detected.confidence.copy()
    confidence[1] = 0
    assert pck(replace(detected, confidence=confidence), target()) == 0.5


def test_only_visible_joints_of_the_target_are_evaluated() -> None:
    confidence = np.ones((2, 22), np.float32)
    confidence[:, INDEX("left_wrist")] = 0.3
    occluded = replace(target(), confidence=confidence)
    assert pck(moved(target(), "left_wrist", 0, 50), occluded) == 1
    outside = moved(moved(target(), "right_wrist", 0, -500), "right_wrist", 1, -500)
    assert pck(target(), outside) == 1
    assert math.isnan(pck(target(), replace(target(), confidence=np.zeros((2, 22), np.float32))))


def test_as_many_poses_as_targets() -> None:
    with pytest.raises(ValueError, match="as many"):
        pck(target(1), target(2))
