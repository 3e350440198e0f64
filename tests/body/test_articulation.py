from __future__ import annotations

import numpy as np
import pytest

from stgmamba.body.articulation import Articulation, PointSet, rotation_matrices, rotation_vectors, vertices_of
from stgmamba.body.template import load_template

TEMPLATE = load_template()
POINTS = PointSet.join(
    PointSet.keypoints(TEMPLATE), PointSet.bone_heads(TEMPLATE), PointSet.vertices(TEMPLATE, step=500)
)
UNKNOWNS = 3 * len(TEMPLATE.bones) + len(TEMPLATE.basis)


@pytest.fixture
def body() -> Articulation:
    rng = np.random.default_rng(0)
    shape = rng.normal(0, 1, len(TEMPLATE.basis))
    return Articulation.of(TEMPLATE, shape, rotation_matrices(rng.normal(0, 0.3, (len(TEMPLATE.bones), 3))))


def test_the_rest_pose_is_the_mean_shape() -> None:
    rest = Articulation.of(TEMPLATE, np.zeros(len(TEMPLATE.basis)), np.tile(np.eye(3), (len(TEMPLATE.bones), 1, 1)))
    assert np.allclose(vertices_of(rest), TEMPLATE.mean, atol=1e-5)
    assert np.allclose(rest.skin(PointSet.keypoints(TEMPLATE)), TEMPLATE.keypoint_mean, atol=1e-6)


def test_heads_of_bones_move_as_skinned_points(body: Articulation) -> None:
    assert np.allclose(body.skin(PointSet.bone_heads(TEMPLATE)), body.heads)


def test_derivatives_are_those_of_finite_differences(body: Articulation) -> None:
    step = 1e-6
    derivatives = body.derivatives(POINTS)
    assert derivatives.shape == (len(POINTS.mean), 3, UNKNOWNS)
    here = body.skin(POINTS)
    for unknown in range(UNKNOWNS):
        change = np.zeros(UNKNOWNS)
        change[unknown] = step
        turns = rotation_matrices(change[: 3 * len(TEMPLATE.bones)].reshape(-1, 3))
        moved = Articulation.of(TEMPLATE, body.shape + change[3 * len(TEMPLATE.bones) :], turns @ body.rotations)
        difference = (moved.skin(POINTS) - here) / step
        assert np.allclose(derivatives[:, :, unknown], difference, atol=1e-4)


def test_rotation_vectors_invert_rotation_matrices() -> None:
    vectors = np.random.default_rng(1).normal(0, 0.7, (50, 3))
    vectors[0] = 0
    matrices = rotation_matrices(vectors)
    assert np.allclose(matrices @ matrices.transpose(0, 2, 1), np.eye(3), atol=1e-12)
    assert np.allclose(rotation_vectors(matrices), vectors, atol=1e-9)
