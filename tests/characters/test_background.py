from dataclasses import replace

import numpy as np
import pytest

from stgmamba.characters.background import KINDS, Background, random_background
from stgmamba.characters.view import view_from_camera
from stgmamba.skeleton.camera import Camera

CAMERA = Camera(0.4, 1.2, 4.0, 300.0, (160, 200), (0.3, 0.9, -0.2))


@pytest.mark.parametrize("kind", KINDS)
def test_paint_gives_linear_light_and_is_deterministic(kind: str) -> None:
    view = view_from_camera(CAMERA)
    picture = Background(kind, seed=3).paint(view)
    assert picture.shape == (200, 160, 3)
    assert picture.dtype == np.float32
    assert np.isfinite(picture).all()
    assert 0 <= picture.min() < picture.max() <= 1
    assert np.array_equal(picture, Background(kind, seed=3).paint(view))


def test_random_backgrounds_are_distinct_and_deterministic() -> None:
    assert len({random_background(seed) for seed in range(200)}) == 200
    assert {random_background(seed).kind for seed in range(60)} == set(KINDS)
    assert random_background(5) == random_background(5)


def test_unknown_kind_raises() -> None:
    with pytest.raises(ValueError, match="background must be one of"):
        Background("moon")


def test_view_matrix_projects_as_the_camera() -> None:
    view = view_from_camera(CAMERA)
    assert view.eye == pytest.approx(CAMERA.position, abs=1e-3)
    assert view.focal == pytest.approx(CAMERA.focal, rel=1e-3)
    points = np.random.default_rng(0).uniform(-0.8, 0.8, (20, 3)).astype(np.float32)
    xy, depth = CAMERA.project(points)
    projected = points @ view.matrix[:, :3].T + view.matrix[:, 3]
    assert projected[:, 2] == pytest.approx(depth, abs=1e-3)
    assert projected[:, :2] / projected[:, 2:] - 0.5 == pytest.approx(xy, abs=0.05)


def test_floor_and_wall_inverts_the_projection_on_the_floor() -> None:
    view = view_from_camera(CAMERA)
    point = np.asarray([0.5, 0.0, 0.4], np.float32)
    (u, v), _ = CAMERA.project(point)
    x, z, height = view.floor_and_wall(5.0)
    row, column = round(float(v)), round(float(u))
    offset = point - view.floor_target
    assert height[row, column] <= 0
    assert x[row, column] == pytest.approx(float(offset @ view.right), abs=0.02)
    assert z[row, column] == pytest.approx(float(offset @ view.forward), abs=0.05)


def test_light_directions_are_unit_vectors_and_colours_are_positive() -> None:
    lights = replace(Background(), kind="disco").lights(view_from_camera(CAMERA))
    assert np.linalg.norm(lights[[0, 2, 4]], axis=1) == pytest.approx(1.0, abs=1e-5)
    assert (lights[[1, 3, 5, 6, 7]] >= 0).all()
