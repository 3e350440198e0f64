from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from stgmamba.datasets.tang2018 import load_dances
from stgmamba.errors import InputError
from stgmamba.music_to_skeleton.dataset import DanceDataset, Example, WindowSampling, load_examples
from stgmamba.music_to_skeleton.representation import MODEL_FPS, mirror

GENRES = ("cha-cha", "tango", "waltz")
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def data(dances: Path) -> list[Example]:
    return load_examples(load_dances(dances / "small", "train"), (0.8, 1.0), GENRES)


def test_every_dance_comes_at_every_tempo(data: list[Example]) -> None:
    assert len(data) == 6
    slow, normal = data[:2]
    assert len(slow.nodes) == pytest.approx(len(normal.nodes) / 0.8, abs=2)
    beats = [60 / np.median(np.diff(example.audio.beats)) for example in (slow, normal)]
    assert beats[0] == pytest.approx(0.8 * beats[1], rel=0.02)
    assert all(len(example.nodes) == len(example.audio) for example in data)
    assert [example.sync for example in data] == [True, True, True, True, False, False]


def test_an_unknown_genre_is_named(dances: Path) -> None:
    with pytest.raises(InputError, match="tango"):
        load_examples(load_dances(dances / "small", "train"), (1.0,), ("waltz",))


def test_windows_are_pieces_of_dances_with_the_music_beside_them(data: list[Example]) -> None:
    dataset = DanceDataset(data, WindowSampling(16, 40, 0.3, 0.3), len(GENRES), CPU)
    batch = dataset.batch(1, 2)
    assert batch.nodes.shape == (16, 40, 23, 3)
    assert batch.wave.shape[:2] == (16, 40)
    assert batch.features.shape[:2] == (16, 40)
    audio = 0
    for nodes, wave, features, genre in zip(batch.nodes, batch.wave, batch.features, batch.genre, strict=True):
        example, start, turned = next(
            (example, start, turned)
            for example in data
            for start in range(len(example.nodes) - 40)
            for turned, dance in enumerate((example.nodes, mirror(example.nodes)))
            if np.array_equal(dance[start : start + 40], nodes.numpy())
        )
        # The upper half of the classes says that a dance is seen in a mirror.
        assert genre - turned * (len(GENRES) + 1) in (example.genre, len(GENRES))
        if features.any():
            audio += 1
            assert example.sync
            np.testing.assert_array_equal(features, example.audio.features[start : start + 40])
            windows = torch.from_numpy(example.audio.windows(start, start + 40))
            loudness = wave.norm() / windows.norm()
            assert 0.5 <= loudness <= 1.2
            torch.testing.assert_close(wave, windows * loudness, rtol=1e-3, atol=1e-5)
        else:
            assert not wave.any()
    assert 0 < audio < 16


def test_the_same_seeds_draw_the_same_batch(data: list[Example]) -> None:
    dataset = DanceDataset(data, WindowSampling(4, 30, 0.1, 0.1), len(GENRES), CPU)
    first, again, other = dataset.batch(0, 7), dataset.batch(0, 7), dataset.batch(0, 8)
    assert torch.equal(first.nodes, again.nodes)
    assert torch.equal(first.wave, again.wave)
    assert not torch.equal(first.nodes, other.nodes)


def test_a_window_longer_than_every_dance_is_refused(data: list[Example]) -> None:
    with pytest.raises(InputError, match=f"{1000 / MODEL_FPS:.1f} s"):
        DanceDataset(data, WindowSampling(4, 1000, 0, 0), len(GENRES), CPU)
