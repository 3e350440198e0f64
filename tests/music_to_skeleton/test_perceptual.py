from __future__ import annotations

from pathlib import Path

import pytest
import torch

from stgmamba.datasets.tang2018 import load_dances
from stgmamba.music_to_skeleton import perceptual
from stgmamba.music_to_skeleton.dataset import DanceDataset, WindowSampling, load_examples
from stgmamba.music_to_skeleton.perceptual import STGCN, load_or_pretrain


def test_every_block_sees_the_graph_and_time() -> None:
    torch.manual_seed(0)
    network, nodes = STGCN(4), torch.randn(2, 24, 23, 3)
    features = network.features(nodes)
    assert [tuple(f.shape) for f in features] == [(2, 32, 24, 23), (2, 64, 12, 23), (2, 64, 6, 23)]
    moved = nodes.clone()
    moved[:, 12, 5] += 1
    touched = (network.features(moved)[0] - features[0]).abs().sum(dim=(0, 1)) > 1e-4
    assert touched[12].sum() > 1  # its neighbours in the graph, not itself alone
    assert touched[10].any()  # frames nearby


def test_it_learns_and_is_kept(dances: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(perceptual, "STEPS", 100)
    genres = ("tango", "waltz")
    data = load_examples(load_dances(dances / "small", "train"), (1.0,), genres)
    dataset = DanceDataset(data, WindowSampling(2, 24, 0.5, 0.5), len(genres), torch.device("cpu"))
    lines: list[str] = []
    path = tmp_path / "perceptual.safetensors"
    first = load_or_pretrain(path, dataset, 0, lines.append)
    batch = dataset.batch(9, sampling=WindowSampling(32, 24, 0.0, 0.0))
    mean, scale = dataset.statistics()
    genre, _, _ = first((batch.nodes - mean) / scale)
    assert (genre.argmax(dim=1) == batch.genre % (len(genres) + 1)).float().mean() > 0.6  # all three dances sway alike
    assert len(lines) == 1
    again = load_or_pretrain(path, dataset, 1, lines.append)
    assert len(lines) == 1  # not trained a second time
    for a, b in zip(first.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)
