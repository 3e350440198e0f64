from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stgmamba.body.fitting import fit_body
from stgmamba.body.outline import close_outline, outline_overlap
from stgmamba.body.template import load_template
from stgmamba.person.pose import DetectedPerson
from tests.support.posed_body import PosedBody, pose_of, posed_body, standing_body


def mean_distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.linalg.norm(a - b, axis=-1).mean())


def test_a_known_pose_and_shape_are_found_again() -> None:
    truth = standing_body()
    found = fit_body(truth.person)
    assert found.joint_error < 0.01
    pixels = mean_distance(found.to_pixels(found.vertices), truth.fitted.to_pixels(truth.fitted.vertices))
    assert pixels / truth.fitted.pixels_per_metre < 0.02
    assert found.pixels_per_metre == pytest.approx(truth.fitted.pixels_per_metre, rel=0.05)
    assert outline_overlap(found, found.vertices, truth.person.mask) > 0.93


def test_the_depth_of_an_arm_is_found() -> None:
    arm_forward = pose_of(leftUpperArm=(0.0, -0.7, 0.0))
    truth = posed_body(np.zeros(len(load_template().basis)), arm_forward)
    found = fit_body(truth.person)
    elbow, shoulder = (load_template().bone(f"left{limb}") for limb in ("LowerArm", "UpperArm"))
    ahead = truth.fitted.heads[elbow, 2] - truth.fitted.heads[shoulder, 2]
    assert ahead > 0.1
    assert found.heads[elbow, 2] - found.heads[shoulder, 2] == pytest.approx(ahead, abs=0.05)


def test_a_person_seen_from_behind_is_turned_round() -> None:
    truth = posed_body(np.zeros(len(load_template().basis)), pose_of(hips=(0.0, np.pi, 0.0)))
    found = fit_body(truth.person)
    assert found.joint_error < 0.02
    assert found.frames[0, 2, 2] < -0.9


def test_cut_off_legs_do_not_shrink_the_body() -> None:
    """Of a half-length picture nothing below is seen, and nothing pulls the legs up into it."""
    truth = standing_body()
    person = half_length(truth)
    found = fit_body(person)
    assert found.pixels_per_metre == pytest.approx(truth.fitted.pixels_per_metre, rel=0.1)
    assert found.to_pixels(found.vertices)[:, 1].max() > person.mask.shape[0] + 50


def half_length(truth: PosedBody) -> DetectedPerson:
    height = 230
    skeleton = replace(truth.person.skeleton, size=(truth.person.mask.shape[1], height))
    below = skeleton.positions[0, :, 1] > height
    missing = tuple(joint for joint, cut in zip(skeleton.layout.joints, below, strict=True) if cut)
    return replace(truth.person, skeleton=skeleton, mask=truth.person.mask[:height], missing=missing)


def test_the_outline_is_closed_to_wider_clothes() -> None:
    import cv2

    truth = standing_body()
    fitted = truth.fitted
    wide = cv2.dilate(truth.person.mask, np.ones((9, 9), np.uint8))
    before = outline_overlap(fitted, fitted.vertices, wide)
    closed = close_outline(fitted, wide)
    after = outline_overlap(fitted, closed, wide)
    assert before < 0.85
    assert after > before + 0.05
    hands = load_template().hands
    assert np.allclose(closed[hands], fitted.vertices[hands], atol=0.05)
