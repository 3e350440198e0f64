"""Examples of drawn dancers: the same seed gives the same, and the sheets go where the truth is."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from stgmamba.skeleton_to_video.scenes import SIZE, Example, drawn_scene

from ..conftest import swaying


@pytest.fixture(scope="module")
def scene() -> list[Example]:
    return drawn_scene((0, 0, 3), [swaying(60)])


def test_examples_are_whole_and_of_one_size(scene: list[Example]) -> None:
    assert len(scene) == 4
    for example in scene:
        for field in fields(Example):
            value = getattr(example, field.name)
            if isinstance(value, np.ndarray) and value.ndim == 3:
                assert value.shape[:2] == SIZE[::-1]
                assert value.dtype == np.uint8
        assert example.points.shape == (22, 2)
        assert example.torso > 10
        assert np.all(example.baseline[..., :3].max(axis=-1) <= example.baseline[..., 3].astype(int) + 1)


def test_the_sheets_of_all_three_conditions_lie_on_the_truth(scene: list[Example]) -> None:
    for example in scene:
        truth = example.truth.astype(float)
        person = example.baseline[..., 3] > 200
        alone = np.abs(truth - example.background)[person].mean()
        for layer in (example.baseline, example.forward, example.backward):
            cover = layer[..., 3:].astype(float) / 255
            made = layer[..., :3] + (1 - cover) * example.background
            assert np.abs(truth - made)[person].mean() < 0.5 * alone


def test_the_same_seed_gives_the_same_examples(scene: list[Example]) -> None:
    again = drawn_scene((0, 0, 3), [swaying(60)])
    other = drawn_scene((0, 0, 4), [swaying(60)])
    for one, two in zip(scene, again, strict=True):
        for field in fields(Example):
            assert np.array_equal(getattr(one, field.name), getattr(two, field.name)), field.name
    assert not np.array_equal(scene[0].truth, other[0].truth)
