"""Data sets from data sets: several joined, one divided into splits."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stgmamba.builder.card import write_card
from stgmamba.builder.filtering import new_folder, shard_seen_from
from stgmamba.builder.shards import write_shards
from stgmamba.datasets.clips import ClipDataset, write_index
from stgmamba.errors import InputError
from stgmamba.progress import Reporter, Silent

SPLITS = ("train", "val", "test")


def merge_datasets(
    folders: Sequence[Path], output: Path, copy: bool = False, report: Reporter | None = None
) -> dict[str, Any]:
    """Join data sets, for example the parts that several machines made. A clip that is in two is taken once.

    Args:
        folders: of the data sets.
        output: folder of the new set.
        copy: whether it has shards of its own; otherwise its index names those of the others, which must stay.
        report: is told of the progress.

    Returns:
        ``clips``, and how many ``repeated`` ones were left out.

    Raises:
        InputError: one is not a data set, or the output is one already.
    """
    datasets = [ClipDataset(folder) for folder in folders]
    new_folder(output, *folders)
    places: dict[str, tuple[ClipDataset, int]] = {}
    for dataset in datasets:
        for number, row in enumerate(dataset.rows):
            places.setdefault(row["key"], (dataset, number))
    rows = [dataset.rows[number] for _, (dataset, number) in sorted(places.items())]
    if copy:

        def read(row: dict[str, Any], suffix: str) -> bytes:
            dataset, number = places[row["key"]]
            return dataset.read(number, suffix)

        with (report or Silent()).stage("shards") as progress:
            rows = write_shards(output, rows, read, progress)
    else:
        rows = [row | {"shard": shard_seen_from(output, places[row["key"]][0].folder, row)} for row in rows]
    write_index(output, rows)
    write_card(output)
    return {"clips": len(rows), "repeated": sum(map(len, datasets)) - len(rows)}


def split_dataset(folder: Path, val: float = 0.1, test: float = 0.1) -> dict[str, Any]:
    """Write into the index which clips are for training, for choosing between models, and for the final test.

    Clips of one video, and all videos of one song, are in the same split: a network is tested on what it has not seen.
    Groups are taken in the order of a hash of their videos, so the same set is divided in the same way everywhere.

    Args:
        folder: of the data set.
        val: share of the seconds for ``val`` at most.
        test: share of the seconds for ``test`` at most; the rest is ``train``.

    Returns:
        Number of clips of each split.

    Raises:
        InputError: not a data set, or shares that leave nothing for training.
    """
    if min(val, test) < 0 or val + test >= 1:
        raise InputError(f"shares of {val:g} and {test:g} leave nothing for training; use 0.1 and 0.1.")
    rows = ClipDataset(folder).rows
    total = sum(row["seconds"] for row in rows)
    room = {"test": test * total, "val": val * total}
    for group in _groups(rows):
        seconds = sum(row["seconds"] for row in group)
        name = next((name for name, left in room.items() if seconds <= left), "train")
        if name in room:
            room[name] -= seconds
        for row in group:
            row["split"] = name
    write_index(folder, rows)
    counts = Counter(row["split"] for row in rows)
    return {name: counts[name] for name in SPLITS}


def _groups(rows: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Clips that share a video or a song, directly or by way of others; in the order of their least hash."""
    root: dict[str, str] = {}

    def find(name: str) -> str:
        while root.setdefault(name, name) != name:
            name = root[name]
        return name

    for row in rows:
        video = f"video {row['sha256']}"
        if row["song"]:
            root[find(video)] = find(f"song {row['song']}")
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(find(f"video {row['sha256']}"), []).append(row)
    # The hash of the hash: which part of a set a machine made must not matter.
    return sorted(
        groups.values(), key=lambda group: min(hashlib.sha256(row["sha256"].encode()).digest() for row in group)
    )
