from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stgmamba.builder.arranging import merge_datasets, split_dataset
from stgmamba.datasets.clips import ClipDataset, read_index
from stgmamba.errors import InputError

from ..support.clip_dataset import write_clip_dataset


def test_clips_of_one_video_or_song_are_in_one_split(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [{"sha256": f"{v:064x}", "song": f"song {rng.integers(12)}" if v % 3 else ""} for v in range(40)] * 3
    write_clip_dataset(tmp_path, rows)
    counts = split_dataset(tmp_path, 0.2, 0.2)
    index = read_index(tmp_path)
    for name in ("sha256", "song"):
        for value in {row[name] for row in index if row[name]}:
            assert len({row["split"] for row in index if row[name] == value}) == 1
    assert sum(counts.values()) == 120
    assert 12 <= counts["test"] <= 24
    assert 12 <= counts["val"] <= 24
    assert len(ClipDataset(tmp_path, split="test")) == counts["test"]
    assert ClipDataset(tmp_path).verify() == []  # the split is in the index alone


def test_a_set_of_one_song_is_all_for_training(tmp_path: Path) -> None:
    write_clip_dataset(tmp_path, [{"sha256": f"{v:064x}", "song": "one"} for v in range(5)])
    assert split_dataset(tmp_path) == {"train": 5, "val": 0, "test": 0}
    with pytest.raises(InputError, match="leave nothing for training"):
        split_dataset(tmp_path, 0.5, 0.5)


@pytest.mark.parametrize("copy", [False, True])
def test_merged_sets_hold_every_clip_once(tmp_path: Path, copy: bool) -> None:
    write_clip_dataset(tmp_path / "a", [{"key": f"a{i}"} for i in range(3)])
    write_clip_dataset(tmp_path / "b", [{"key": f"b{i}"} for i in range(2)] + [{"key": "a0"}])
    assert merge_datasets([tmp_path / "a", tmp_path / "b"], tmp_path / "c", copy) == {"clips": 5, "repeated": 1}
    merged = ClipDataset(tmp_path / "c")
    assert [row["key"] for row in merged.rows] == ["a0", "a1", "a2", "b0", "b1"]
    assert merged.verify() == []
    with pytest.raises(InputError, match="there is a data set already"):
        merge_datasets([tmp_path / "a"], tmp_path / "c")
