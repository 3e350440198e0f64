from __future__ import annotations

import numpy as np
import pytest

from stgmamba.body.placement import pose_placement
from stgmamba.body.posing import RestBody
from stgmamba.body.template import KEYPOINTS, load_template
from stgmamba.limb_warp.retargeting import Placement
from stgmamba.skeleton import OPENPOSE_18_FEET
from tests.support.posed_body import PosedBody, pose_of, posed_body, standing_body

SCALE = 200.0


def placement_of(body: PosedBody, magnification: float = 1.0) -> Placement:
    """Its own joints, seen by an orthographic camera."""
    count = len(OPENPOSE_18_FEET)
    joints = body.fitted.keypoints[None, :count]
    points = joints[..., :2] * (1, -1) * SCALE * magnification + (150, 200)
    none = np.zeros(1)
    return Placement(points, joints[..., 2] * SCALE, np.full((1, count), magnification), none, none, none, none)


@pytest.mark.parametrize("magnification", [1.0, 1.3])
def test_a_body_reaches_the_joints(magnification: float) -> None:
    """Another pose than the photo's, arms bent towards the camera; joints within 2 cm in the picture."""
    fitted = standing_body().fitted
    rest = RestBody(fitted.heads, fitted.keypoints)
    shape = np.zeros(len(load_template().basis))
    shape[:3] = (0.8, -0.6, 0.5)
    pose = pose_of(leftUpperArm=(0.0, -0.6, 0.5), rightLowerArm=(0.0, 0.9, 0.0), rightUpperLeg=(-0.5, 0.0, 0.0))
    placement = placement_of(posed_body(shape, pose), magnification)
    motion, scale = pose_placement(placement, rest, SCALE)
    assert scale == pytest.approx(SCALE * magnification)
    pixels = motion.keypoints(rest)[0, :, :2] * (1, -1) * scale[0]
    for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle"):
        name = f"left_{part}"
        off = pixels[KEYPOINTS.index(name)] - placement.points[0, OPENPOSE_18_FEET.index(name)]
        assert np.linalg.norm(off) / scale[0] < 0.02, name


def test_depths_tell_which_way_a_limb_points() -> None:
    fitted = standing_body().fitted
    rest = RestBody(fitted.heads, fitted.keypoints)
    shape = np.zeros(len(load_template().basis))
    towards = placement_of(posed_body(shape, pose_of(leftUpperArm=(0.0, -0.8, 0.0))))
    motion, _ = pose_placement(towards, rest, SCALE)
    elbow, shoulder = (KEYPOINTS.index(f"left_{part}") for part in ("elbow", "shoulder"))
    keypoints = motion.keypoints(rest)[0]
    assert keypoints[elbow, 2] > keypoints[shoulder, 2] + 0.1


@pytest.mark.parametrize(("lean", "expected"), [(0.0, 0.0), (0.3, 0.3)])
def test_a_trunk_leans_no_more_than_its_length_in_the_picture_allows(lean: float, expected: float) -> None:
    """Estimated depths say half a radian; the picture shows how much it is."""
    fitted = standing_body().fitted
    rest = RestBody(fitted.heads, fitted.keypoints)
    truth = posed_body(
        np.asarray([0.8, -0.6, 0.5] + [0.0] * (len(load_template().basis) - 3)), pose_of(hips=(lean, 0, 0))
    )
    placement = placement_of(truth)
    middle = placement.points[0, [OPENPOSE_18_FEET.index(f"{side}_hip") for side in ("left", "right")], 1].mean()
    placement.depth[0] = (middle - placement.points[0, :, 1]) * np.tan(0.5)
    motion, _ = pose_placement(placement, rest, SCALE)
    chest = motion.rotations[0, load_template().bone("upperChest")]
    start = pose_placement(placement_of(standing_body()), rest, SCALE)[0].rotations[
        0, load_template().bone("upperChest")
    ]
    found = np.arctan2(chest[2, 1], chest[1, 1]) - np.arctan2(start[2, 1], start[1, 1])
    assert found == pytest.approx(expected, abs=0.12)
