"""Training pairs: deterministic, and the warped layers are near the target frame."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from stgmamba.errors import InputError
from stgmamba.person.picture import Picture, load_picture
from stgmamba.skeleton_to_video.training_pairs import SIZE, TrainingPair, drawn_scene, photo_scenes

from ..conftest import swaying


@pytest.fixture(scope="module")
def pairs() -> list[TrainingPair]:
    return drawn_scene((0, 0, 3), [swaying(60)])


def test_shapes_and_types(pairs: list[TrainingPair]) -> None:
    assert len(pairs) == 4
    for pair in pairs:
        for field in fields(TrainingPair):
            value = getattr(pair, field.name)
            if isinstance(value, np.ndarray) and value.ndim == 3:
                assert value.shape[:2] == SIZE[::-1]
                assert value.dtype == np.uint8
        assert pair.points.shape == (22, 2)
        assert pair.torso > 10
        assert np.all(pair.baseline[..., :3].max(axis=-1) <= pair.baseline[..., 3].astype(int) + 1)


def composite(pair: TrainingPair, layer: np.ndarray) -> np.ndarray:
    return layer[..., :3] + (1 - layer[..., 3:].astype(float) / 255) * pair.background


def test_the_warps_of_all_three_conditions_are_near_the_target(pairs: list[TrainingPair]) -> None:
    for pair in pairs:
        target = pair.target.astype(float)
        person = pair.baseline[..., 3] > 200
        background_error = np.abs(target - pair.background)[person].mean()
        for layer in (pair.baseline, pair.forward, pair.backward):
            assert np.abs(target - composite(pair, layer))[person].mean() < 0.5 * background_error


def test_the_same_seed_gives_the_same_pairs(pairs: list[TrainingPair]) -> None:
    again = drawn_scene((0, 0, 3), [swaying(60)])
    other = drawn_scene((0, 0, 4), [swaying(60)])
    for one, two in zip(pairs, again, strict=True):
        for field in fields(TrainingPair):
            assert np.array_equal(getattr(one, field.name), getattr(two, field.name)), field.name
    assert not np.array_equal(pairs[0].target, other[0].target)


def test_the_condition_of_a_photo_is_its_limb_warp(person_picture: Path) -> None:
    picture = load_picture(person_picture)
    scenes = list(photo_scenes(picture, [swaying(60)], (0, 2, 0), 2))
    assert [len(scene) for scene in scenes] == [1, 1]
    ((one,), (other,)) = scenes
    # The target is a crop of the photo, the condition the same person in another pose.
    assert np.abs(one.target.astype(int) - one.condition).mean() > 2
    assert np.array_equal(one.before, one.target)
    assert not np.array_equal(one.condition, other.condition)
    person = one.baseline[..., 3] > 200
    assert person.mean() > 0.03

    def error(image: np.ndarray) -> float:
        return float(np.abs(one.target.astype(float) - image)[person].mean())

    assert error(composite(one, one.forward)) < error(composite(one, one.baseline)) < error(one.background)


def test_a_photo_without_a_person_is_refused() -> None:
    empty = Picture(np.full((200, 150, 3), 90, np.uint8), Path("wall.png"))
    with pytest.raises(InputError, match=r"wall\.png.*nobody"):
        list(photo_scenes(empty, [swaying(60)], (0, 2, 0), 1))
