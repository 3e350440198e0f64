"""Files of examples and batches of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from stgmamba.datasets.held_out import HeldOut
from stgmamba.errors import InputError
from stgmamba.skeleton_to_video import dataset as examples
from stgmamba.skeleton_to_video.dataset import PairDataset, Sources, make_examples

from ..conftest import swaying
from ..support.training_pairs import example, write_example_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_example_folder(tmp_path / "examples")
    return tmp_path / "examples"


def test_a_batch_is_a_function_of_seed_rank_and_step(folder: Path) -> None:
    dataset = PairDataset(folder, 4, (96, 128), (0.3, 0.2), 2.0)
    assert len(dataset) == 6
    one, again, other = (dataset.batch(0, 0, step) for step in (5, 5, 6))
    assert torch.equal(one.target, again.target)
    assert torch.equal(one.baseline.pose, again.baseline.pose)
    assert not torch.equal(one.target, other.target)
    assert one.target.shape == (4, 3, 128, 96)
    assert one.baseline.warped.shape == (4, 4, 128, 96)


def test_batches_hold_the_contents_of_the_files(folder: Path) -> None:
    dataset = PairDataset(folder, 8, (96, 128), (0.0, 0.0), 2.0)
    batch = dataset.batch(0, 0, 0)
    alpha = batch.baseline.warped[:, 3]
    assert set(alpha.unique().tolist()) == {0.0, 1.0}
    # The same gain for all images of an example: the layers stay 200 / 120 times as bright as the target.
    inside = (alpha > 0.5)[:, None].expand_as(batch.target)
    ratio = (batch.baseline.warped[:, :3] / batch.target)[inside]
    assert torch.allclose(ratio, torch.tensor(200 / 120), atol=1e-3)
    assert batch.weight.min() == 1.0
    assert 2.5 < batch.weight.max() <= 3.0


def test_previews_show_uncropped_examples(folder: Path) -> None:
    batch = PairDataset(folder, 1, (96, 128), (0.5, 0.0), 0.0).first(3)
    assert batch.target.shape == (3, 3, 256, 192)
    expected = torch.from_numpy(example(100).target).permute(2, 0, 1) / 255
    assert torch.allclose(batch.target[0], expected, atol=1e-6)


def test_existing_files_are_not_computed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def scene(seed: tuple[int, ...], _: object) -> list[object]:
        calls.append(seed)
        return [example(seed[-1])]

    monkeypatch.setattr(examples, "drawn_scene", scene)
    sources = Sources([swaying(60)], 2, None, 1, None, 1, HeldOut(frozenset(), 0.3), 0)
    make_examples(tmp_path, sources)
    (tmp_path / "drawn_00001.poses.npy").unlink()  # as if killed in between
    make_examples(tmp_path, sources)
    assert calls == [(0, 0, 0), (0, 0, 1), (0, 0, 1)]
    assert len(PairDataset(tmp_path, 1, (64, 64), (0.5, 0.5), 0.0)) == 2


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("seed", 1),
        ("scenes", 2),
        ("poses", 2),
        ("held_out", HeldOut(frozenset(), 0.4)),
        ("held_out", HeldOut(frozenset({"anna.jpg"}), 0.3)),
        ("dances", [swaying(61)]),
    ],
)
def test_a_folder_with_examples_of_other_settings_is_refused(name: str, other: object, tmp_path: Path) -> None:
    sources = Sources([swaying(60)], 0, None, 1, None, 1, HeldOut(frozenset(), 0.3), 0)
    make_examples(tmp_path, sources)
    make_examples(tmp_path, sources)  # the same settings
    with pytest.raises(InputError, match=rf"other settings \({name}\)"):
        make_examples(tmp_path, replace(sources, **{name: other}))  # type: ignore[arg-type]


def test_a_folder_without_videos_is_refused(tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    with pytest.raises(InputError, match="no videos"):
        make_examples(tmp_path / "out", Sources([], 0, tmp_path / "clips", 1, None, 1, HeldOut(frozenset(), 0.3), 0))


@pytest.mark.slow
def test_a_real_clip_gives_examples_from_its_first_part_only(research_data: Path, tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    name = "red_top_320_10fps.gif"
    (tmp_path / "clips" / name).symlink_to(research_data / "clips" / name)
    sources = Sources([], 0, tmp_path / "clips", 1, None, 1, HeldOut(frozenset(), 0.8), 0)
    make_examples(tmp_path / "out", sources)
    batch = PairDataset(tmp_path / "out", 1, (64, 64), (1.0, 0.0), 0.0).first(1)
    layer, target = batch.baseline.warped[0].numpy(), batch.target[0].numpy()
    composite = layer[:3] + (1 - layer[3:]) * batch.baseline.background[0].numpy()
    assert np.abs(composite - target).mean() < 0.05
