from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from stgmamba.datasets.styled import load_split
from stgmamba.music_to_skeleton import perceptual
from stgmamba.music_to_skeleton.dataset import DanceDataset, Example, WindowSampling, load_examples
from stgmamba.music_to_skeleton.model import Config
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


STYLES = ("tango", "waltz")
CONFIG = Config(styles=STYLES)


@pytest.fixture(scope="module")
def examples(dances: Path) -> list[Example]:
    return load_examples(load_split(dances / "small", None, "train"), (1.0,), CONFIG, 24)


def dataset_of(examples: list[Example], window: int = 24, config: Config = CONFIG) -> DanceDataset:
    return DanceDataset(examples, WindowSampling(2, window, 0.5, 0.5), config, torch.device("cpu"))


def same_weights(a: STGCN, b: STGCN) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


def test_pretraining_learns_the_style(examples: list[Example], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(perceptual, "STEPS", 100)
    dataset, lines = dataset_of(examples), []
    network = load_or_pretrain(tmp_path / "perceptual.safetensors", dataset, 0, lines.append)
    assert len(lines) == 1
    batch = dataset.batch(9, sampling=WindowSampling(32, 24, 0.0, 0.0))
    mean, scale = dataset.statistics()
    style, _, _ = network((batch.nodes - mean) / scale)
    assert (style.argmax(dim=1) == batch.style % (len(STYLES) + 1)).float().mean() > 0.6  # all three dances sway alike


def test_a_network_of_the_same_configuration_is_reused(
    examples: list[Example], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(perceptual, "STEPS", 2)
    path, lines = tmp_path / "perceptual.safetensors", []
    first = load_or_pretrain(path, dataset_of(examples), 0, lines.append)
    before = path.stat().st_mtime_ns
    again = load_or_pretrain(path, dataset_of(examples), 0, lines.append)
    assert same_weights(first, again)
    assert path.stat().st_mtime_ns == before
    assert not lines


@pytest.mark.parametrize("change", ["seed", "steps", "window", "data", "representation", "no metadata", "damaged"])
def test_a_network_of_another_configuration_is_trained_again(
    change: str, examples: list[Example], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(perceptual, "STEPS", 2)
    path, lines = tmp_path / "perceptual.safetensors", []
    first = load_or_pretrain(path, dataset_of(examples), 0, lines.append)
    seed, window, config = 0, 24, CONFIG
    if change == "seed":
        seed = 1
    elif change == "steps":
        monkeypatch.setattr(perceptual, "STEPS", 3)
    elif change == "window":
        window = 32
    elif change == "data":
        nodes = examples[0].nodes.copy()
        nodes[7, 5, 1] += 0.01
        examples = [dataclasses.replace(examples[0], nodes=nodes), *examples[1:]]
    elif change == "representation":
        config = dataclasses.replace(CONFIG, fps=12.5)
    elif change == "no metadata":
        save_file(first.state_dict(), path)
    else:
        path.write_bytes(path.read_bytes()[:100])
    again = load_or_pretrain(path, dataset_of(examples, window, config), seed, lines.append)
    assert len(lines) == 1
    assert "trained again" in lines[0]
    assert same_weights(first, again) == (change in ("no metadata", "damaged"))
    load_or_pretrain(path, dataset_of(examples, window, config), seed, lines.append)
    assert len(lines) == 1  # the file has been replaced
