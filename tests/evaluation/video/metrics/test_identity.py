import math
from dataclasses import replace

import cv2
import numpy as np
import pytest

from stgmamba.evaluation.video.metrics.identity import identity_distance
from stgmamba.person.pose import estimate_frames
from stgmamba.skeleton import Skeleton

from ....support.character_clips import SIZE, character_frames


def detect(frames: np.ndarray) -> Skeleton:
    return estimate_frames(((i / 25, frame) for i, frame in enumerate(frames)), 25, SIZE)


@pytest.fixture(scope="module")
def mira() -> tuple[np.ndarray, Skeleton]:
    frames = character_frames()[::10]
    return frames, detect(frames)


def test_distance_of_the_condition_to_itself_is_0(mira: tuple[np.ndarray, Skeleton]) -> None:
    frames, poses = mira
    assert identity_distance(frames[:1], poses.slice(0, 1), frames[0], poses.slice(0, 1)) == pytest.approx(0, abs=1e-5)


def test_the_same_character_is_closer_than_another(mira: tuple[np.ndarray, Skeleton]) -> None:
    frames, poses = mira
    other = character_frames("kofi")[::10]
    same = identity_distance(frames[1:], poses.slice(1, 3), frames[0], poses.slice(0, 1))
    different = identity_distance(other, detect(other), frames[0], poses.slice(0, 1))
    assert 0 < same < 0.25
    assert different > same + 0.1
    assert different <= 1


def test_position_and_size_do_not_matter(mira: tuple[np.ndarray, Skeleton]) -> None:
    frames, poses = mira
    matrix = np.asarray([[1.5, 0, -40], [0, 1.5, -25]])
    larger = cv2.warpAffine(frames[0], matrix, (288, 384), borderMode=cv2.BORDER_REPLICATE)
    moved = replace(poses.slice(0, 1), positions=poses.positions[:1] * 1.5 + np.asarray([-40, -25]), size=(288, 384))
    assert identity_distance(larger[None], moved, frames[0], poses.slice(0, 1)) < 0.06


def test_other_colours_and_blur_increase_the_distance(mira: tuple[np.ndarray, Skeleton]) -> None:
    frames, poses = mira
    first = poses.slice(0, 1)
    for changed in (255 - frames[:1], cv2.GaussianBlur(frames[0], (0, 0), 5)[None]):
        assert identity_distance(changed, first, frames[0], first) > 0.1


def test_frames_without_a_detected_person_have_distance_1(mira: tuple[np.ndarray, Skeleton]) -> None:
    frames, poses = mira
    lost = replace(poses.slice(0, 1), confidence=np.zeros((1, 22), np.float32))
    assert identity_distance(frames[:1], lost, frames[0], poses.slice(0, 1)) == 1
    assert math.isnan(identity_distance(frames[:1], poses.slice(0, 1), frames[0], lost))
