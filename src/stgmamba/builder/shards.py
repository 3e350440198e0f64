"""WebDataset shards: tar files of clips, and the places of the clips in them.

A shard's name holds a hash of what is in it, and it appears under that name only when it is complete. So a run that is
killed while it writes goes on with the next shard, the index always names shards that are there, and the same clips
give the same files.
"""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from stgmamba.builder.cutting import add_file
from stgmamba.datasets.clips import SUFFIXES, row_content
from stgmamba.files import atomic_output
from stgmamba.progress import Progress

FOLDER = "shards"
SHARD_BYTES = 256 * 2**20
"""Size of a shard from which on the next is begun: large enough to be read at the speed of a disk or a network."""

_BLOCK = 512  # bytes; of a tar header, and the unit of what follows it


def write_shards(
    folder: Path,
    rows: list[dict[str, Any]],
    read: Callable[[dict[str, Any], str], bytes],
    progress: Progress | None = None,
    shard_bytes: int = SHARD_BYTES,
) -> list[dict[str, Any]]:
    """Write the clips of a data set into shards, those that are not there yet.

    Args:
        folder: of the data set.
        rows: of the index, in the order of the shards, with ``mp4_bytes`` and ``npz_bytes``.
        read: content of a clip's file, by row and suffix (``mp4``, ``npz``).
        progress: called with (clips done, clips in all).
        shard_bytes: size from which on the next shard is begun.

    Returns:
        The rows with their places.
    """
    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    placed: list[dict[str, Any]] = []
    for number, shard in enumerate(_divide(rows, shard_bytes)):
        content = {row["key"]: row_content(row) for row in shard}
        digest = hashlib.sha256(b"\n".join(content.values())).hexdigest()[:12]
        path = folder / FOLDER / f"{number:05d}-{digest}.tar"
        if not path.exists():
            with atomic_output(path) as part, tarfile.open(part, "w", format=tarfile.USTAR_FORMAT) as tar:
                for row in shard:
                    for suffix in SUFFIXES:
                        data = content[row["key"]] if suffix == "json" else read(row, suffix)
                        add_file(tar, f"{row['key']}.{suffix}", data)
        placed += _places(shard, content, f"{FOLDER}/{path.name}")
        if progress is not None:
            progress(len(placed), len(rows))
    return placed


def remove_other_shards(folder: Path, rows: list[dict[str, Any]]) -> None:
    """Remove shards of a data set that its index does not name any more."""
    named = {row["shard"] for row in rows}
    for path in (folder / FOLDER).glob("*.tar"):
        if f"{FOLDER}/{path.name}" not in named:
            path.unlink()


def _divide(rows: list[dict[str, Any]], shard_bytes: int) -> Iterator[list[dict[str, Any]]]:
    shard: list[dict[str, Any]] = []
    size = 0
    for row in rows:
        shard.append(row)
        size += row["mp4_bytes"] + row["npz_bytes"]
        if size >= shard_bytes:
            yield shard
            shard, size = [], 0
    if shard:
        yield shard


def _places(shard: list[dict[str, Any]], content: dict[str, bytes], name: str) -> list[dict[str, Any]]:
    """The rows with the place of each file: after its header, in the order in which they were written."""
    placed, position = [], 0
    for row in shard:
        place: dict[str, Any] = {"shard": name, "json_bytes": len(content[row["key"]])}
        for suffix in SUFFIXES:
            position += _BLOCK
            place[f"{suffix}_offset"] = position
            size = place["json_bytes"] if suffix == "json" else row[f"{suffix}_bytes"]
            position += -(-size // _BLOCK) * _BLOCK
        placed.append(row | place)
    return placed
