"""Examples of drawn dancers: the same seed gives the same, and the sheets go where the truth is."""

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
def scene() -> list[TrainingPair]:
    return drawn_scene((0, 0, 3), [swaying(60)])


def test_examples_are_whole_and_of_one_size(scene: list[TrainingPair]) -> None:
    assert len(scene) == 4
    for example in scene:
        for field in fields(TrainingPair):
            value = getattr(example, field.name)
            if isinstance(value, np.ndarray) and value.ndim == 3:
                assert value.shape[:2] == SIZE[::-1]
                assert value.dtype == np.uint8
        assert example.points.shape == (22, 2)
        assert example.torso > 10
        assert np.all(example.baseline[..., :3].max(axis=-1) <= example.baseline[..., 3].astype(int) + 1)


def test_the_sheets_of_all_three_conditions_lie_on_the_truth(scene: list[TrainingPair]) -> None:
    for example in scene:
        truth = example.truth.astype(float)
        person = example.baseline[..., 3] > 200
        alone = np.abs(truth - example.background)[person].mean()
        for layer in (example.baseline, example.forward, example.backward):
            cover = layer[..., 3:].astype(float) / 255
            made = layer[..., :3] + (1 - cover) * example.background
            assert np.abs(truth - made)[person].mean() < 0.5 * alone


def test_the_same_seed_gives_the_same_examples(scene: list[TrainingPair]) -> None:
    again = drawn_scene((0, 0, 3), [swaying(60)])
    other = drawn_scene((0, 0, 4), [swaying(60)])
    for one, two in zip(scene, again, strict=True):
        for field in fields(TrainingPair):
            assert np.array_equal(getattr(one, field.name), getattr(two, field.name)), field.name
    assert not np.array_equal(scene[0].truth, other[0].truth)


def test_a_photo_is_danced_away_and_back(person_picture: Path) -> None:
    picture = load_picture(person_picture)
    scenes = list(photo_scenes(picture, [swaying(60)], (0, 2, 0), 2))
    assert [len(scene) for scene in scenes] == [1, 1]
    ((one,), (other,)) = scenes
    # The truth is a cut of the photo, the condition the same person in another pose.
    assert np.abs(one.truth.astype(int) - one.condition).mean() > 2
    assert np.array_equal(one.before, one.truth)
    assert not np.array_equal(one.condition, other.condition)
    person = one.baseline[..., 3] > 200
    assert person.mean() > 0.03

    def off(layer: np.ndarray) -> float:
        cover = layer[..., 3:].astype(float) / 255
        return float(np.abs(one.truth.astype(float) - layer[..., :3] - (1 - cover) * one.background)[person].mean())

    assert off(one.forward) < off(one.baseline) < np.abs(one.truth.astype(float) - one.background)[person].mean()


def test_a_photo_without_a_person_is_a_sentence() -> None:
    empty = Picture(np.full((200, 150, 3), 90, np.uint8), Path("wall.png"))
    with pytest.raises(InputError, match=r"wall\.png.*nobody"):
        list(photo_scenes(empty, [swaying(60)], (0, 2, 0), 1))
