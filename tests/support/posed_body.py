"""A picture of the body template itself in a known pose: the truth is known, and no detector is needed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from stgmamba.body.articulation import Articulation, PointSet, rotation_matrices, vertices_of
from stgmamba.body.fitting import FittedBody
from stgmamba.body.outline import OrthographicBuffer
from stgmamba.body.template import KEYPOINTS, load_template
from stgmamba.person.picture import Picture
from stgmamba.person.pose import DetectedPerson
from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton

SIZE = 300, 400
"""Width and height of the picture."""

BACK = 40, 150, 170
"""Of the shirt, from behind."""

SHIRT, TROUSERS, SKIN, HAIR, WALL = (200, 40, 40), (40, 40, 160), (220, 170, 140), (60, 40, 20), (120, 200, 120)


@dataclass(frozen=True)
class PosedBody:
    """The truth, and what a detector would say of it."""

    fitted: FittedBody
    picture: Picture
    person: DetectedPerson


def pose_of(**angles: tuple[float, float, float]) -> np.ndarray:
    """Rotations [B, 3, 3] of the bones by name, axis-angle in radians."""
    template = load_template()
    vectors = np.zeros((len(template.bones), 3))
    for bone, vector in angles.items():
        vectors[template.bone(bone)] = vector
    return rotation_matrices(vectors)


def posed_body(shape: np.ndarray, rotations: np.ndarray) -> PosedBody:
    """A picture of the template in coloured clothes."""
    template = load_template()
    body = Articulation.of(template, shape, rotations)
    keypoints = body.skin(PointSet.keypoints(template))
    vertices = vertices_of(body)
    fitted = FittedBody(vertices, body.heads, keypoints, body.frames, 200.0, np.asarray([150.0, 200.0]), 0.0)
    buffer = OrthographicBuffer(fitted, vertices, SIZE)
    colours = np.asarray([SKIN] * len(template.bones), np.uint8)
    for i, name in enumerate(template.bones):
        if name in ("spine", "chest", "upperChest") or name.endswith("Shoulder"):
            colours[i] = SHIRT
        if name == "hips" or "Leg" in name:
            colours[i] = TROUSERS
    of_vertex = colours[template.main_bone]
    eyes = keypoints[KEYPOINTS.index("left_eye"), 1]
    of_vertex[template.of_bones("head") & (vertices[:, 1] > eyes + 0.05)] = HAIR
    rgb = np.full((SIZE[1], SIZE[0], 3), WALL, np.uint8)
    covered = buffer.covered
    rgb[covered] = of_vertex[template.triangles[buffer.triangle[covered], 0]]
    count = len(OPENPOSE_18_FEET)
    pixels = fitted.to_pixels(keypoints)
    skeleton = Skeleton(pixels[None, :count].astype(np.float32), 25.0, OPENPOSE_18_FEET, size=SIZE)
    depth = -(keypoints[:count, 2] - keypoints[:count, 2].mean()).astype(np.float32)
    person = DetectedPerson(skeleton, covered.astype(np.float32), 0, (), depth, pixels[count:].astype(np.float32))
    return PosedBody(fitted, Picture(rgb), person)


@lru_cache(maxsize=1)
def standing_body() -> PosedBody:
    """A somewhat broad person turned a little, arms away from the body."""
    shape = np.zeros(len(load_template().basis))
    shape[:3] = (0.8, -0.6, 0.5)
    rotations = pose_of(
        hips=(0.0, 0.3, 0.0),
        leftUpperArm=(0.0, 0.0, -0.3),
        rightUpperArm=(0.0, 0.0, 0.4),
        leftLowerArm=(0.0, -0.3, 0.0),
        leftUpperLeg=(-0.1, 0.0, 0.1),
    )
    return posed_body(shape, rotations)


@lru_cache(maxsize=1)
def body_with_arms_down() -> PosedBody:
    """A person of the mean shape whose arms touch the trunk."""
    rotations = pose_of(leftUpperArm=(0.0, 0.0, -0.75), rightUpperArm=(0.0, 0.0, 0.75))
    return posed_body(np.zeros(len(load_template().basis)), rotations)


@lru_cache(maxsize=1)
def body_from_behind() -> PosedBody:
    """The same person from behind, in another pose; the shirt has another colour there."""
    shape = np.zeros(len(load_template().basis))
    shape[:3] = (0.8, -0.6, 0.5)
    rotations = pose_of(hips=(0.0, np.pi - 0.2, 0.0), leftUpperArm=(0.0, 0.0, -0.5), rightUpperArm=(0.0, 0.0, 0.3))
    truth = posed_body(shape, rotations)
    rgb = truth.picture.rgb.copy()
    rgb[(rgb == SHIRT).all(axis=2)] = BACK
    return replace(truth, picture=Picture(rgb))
