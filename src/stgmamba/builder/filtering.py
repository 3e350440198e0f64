"""A data set with only the clips that a profile lets through."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from stgmamba.builder.card import judge, write_card
from stgmamba.builder.shards import write_shards
from stgmamba.datasets.clips import ClipDataset, write_index
from stgmamba.datasets.scores import load_profile
from stgmamba.errors import InputError
from stgmamba.progress import Reporter, Silent


def filter_dataset(
    folder: Path, profile: str | Path, output: Path | None = None, copy: bool = False, report: Reporter | None = None
) -> dict[str, Any]:
    """Judge a data set by a profile, and write what remains as one of its own.

    Args:
        folder: of the data set.
        profile: name or file.
        output: folder of the new set; None only counts.
        copy: whether the new set has shards of its own; otherwise its index names those of the old one, which must
            stay where it is.
        report: is told of the progress.

    Returns:
        ``clips`` and ``hours`` that remain, and ``left_out``, clips by reason.

    Raises:
        InputError: not a data set, no such profile, no clip remains, or the output is a data set already.
    """
    rules = load_profile(profile)
    judged = judge(ClipDataset(folder).rows, rules)
    if output is None:
        return judged
    new_folder(output, folder)
    dataset = ClipDataset(folder, rules)
    if copy:
        numbers = {row["key"]: n for n, row in enumerate(dataset.rows)}
        with (report or Silent()).stage("shards") as progress:
            rows = write_shards(
                output, dataset.rows, lambda row, suffix: dataset.read(numbers[row["key"]], suffix), progress
            )
    else:
        rows = [row | {"shard": shard_seen_from(output, folder, row)} for row in dataset.rows]
    write_index(output, rows)
    write_card(output)
    return judged


def new_folder(output: Path, *sources: Path) -> None:
    """Make the folder of a new data set. Raises InputError where there is one already or it is one of the sources."""
    if any(output.resolve() == source.resolve() for source in sources) or (output / "index.parquet").exists():
        raise InputError(f"{output}: there is a data set already; name another folder.")
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{output}: cannot be a data set's folder ({error.strerror}); choose another.") from error


def shard_seen_from(output: Path, folder: Path, row: dict[str, Any]) -> str:
    """The path of a clip's shard from the folder of another data set."""
    return Path(os.path.relpath((folder / row["shard"]).resolve(), output.resolve())).as_posix()
