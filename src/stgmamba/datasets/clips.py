"""Reader of data sets of clips, as `stgmamba data build` writes them.

A folder holds ``index.parquet``, a row a clip, and WebDataset shards: tar files in which a clip is an ``.mp4`` (picture
and sound), an ``.npz`` (poses) and a ``.json`` (its row) of one name. The index says where in a shard they lie, so any
clip is read without reading those before it.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stgmamba.arrays import BoolArray, DoubleArray, FloatArray
from stgmamba.datasets.scores import Profile
from stgmamba.errors import InputError
from stgmamba.files import atomic_output, parse_json
from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton

INDEX = "index.parquet"
SUFFIXES = ("mp4", "npz", "json")
"""Files of a clip, in the order in which they lie in a shard."""

FILMED = "filmed"
"""Where the movement of a clip comes from: this, or for clips of corpora of motion, whose pictures are drawn
skeletons, one of `stgmamba.datasets.smpl22.SOURCES`."""

PLACE = ("shard", "mp4_offset", "npz_offset", "json_offset", "json_bytes")
"""Columns of the index that say where a clip lies."""


@dataclass(frozen=True)
class ClipPoses:
    """Poses of a clip, T frames.

    Attributes:
        skeleton: 2-D, OPENPOSE_18_FEET, pixels of the clip.
        world: float32 [T, 22, 3], metres relative to the hips: right, up, towards the camera.
        dance: 3-D, OPENPOSE_18_FEET, metres in the room, floor at y = 0.
        found: bool [T], whether the pose was found; elsewhere it is interpolated.
        beats: float64 [K], seconds of the clip's sound.
    """

    skeleton: Skeleton
    world: FloatArray
    dance: Skeleton
    found: BoolArray
    beats: DoubleArray


class ClipDataset:
    """The clips of a data set that a profile lets through.

    Args:
        folder: of the data set.
        profile: thresholds on the scores; None takes all clips.
        split: ``train``, ``val`` or ``test``, of a set that `stgmamba data split` has divided; None takes all.

    Raises:
        InputError: not a data set, damaged, or no clip is left.
    """

    def __init__(self, folder: str | Path, profile: Profile | None = None, split: str | None = None) -> None:
        self.folder = Path(folder)
        self.rows = read_index(self.folder)
        if split is not None:
            self.rows = [row for row in self.rows if row.get("split") == split]
        if profile is not None:
            self.rows = [row for row in self.rows if not profile.reasons(row)]
        if not self.rows:
            chosen = "" if profile is None else f" that profile {profile.name} lets through"
            part = "" if split is None else f" of split {split}"
            raise InputError(f"{self.folder}: there is no clip{part}{chosen}; look at it with stgmamba data info.")

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, number: int, suffix: str) -> bytes:
        """Content of one of a clip's files. Raises InputError where the shard is missing or cut short."""
        row = self.rows[number]
        path = self.folder / row["shard"]
        try:
            with path.open("rb") as shard:
                shard.seek(row[f"{suffix}_offset"])
                content: bytes = shard.read(row[f"{suffix}_bytes"])
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror}); build the data set again.") from error
        if len(content) != row[f"{suffix}_bytes"]:
            raise InputError(f"{path}: ends too early; build the data set again.")
        return content

    def poses(self, number: int) -> ClipPoses:
        """Poses of a clip. Raises InputError where they are damaged."""
        row = self.rows[number]
        try:
            with np.load(io.BytesIO(self.read(number, "npz")), allow_pickle=False) as arrays:
                fps = float(arrays["fps"])
                flat = Skeleton(
                    arrays["positions"], fps, OPENPOSE_18_FEET, arrays["confidence"], (row["width"], row["height"])
                )
                dance = Skeleton(arrays["dance"], fps, OPENPOSE_18_FEET)
                return ClipPoses(flat, arrays["world"], dance, arrays["found"], arrays["beats"])
        except InputError:
            raise
        except Exception as error:  # numpy and zipfile raise nearly anything on a broken file
            raise InputError(
                f"{self.folder / row['shard']}: {row['key']} is damaged ({error}); build it again."
            ) from error

    @contextmanager
    def video(self, number: int, cache: Path) -> Iterator[Path]:
        """A file with the picture and sound of a clip, for readers that want a file; removed afterwards."""
        cache.mkdir(parents=True, exist_ok=True)
        path = cache / f".{os.getpid()}-{self.rows[number]['key']}.mp4"
        try:
            path.write_bytes(self.read(number, "mp4"))
            yield path
        finally:
            path.unlink(missing_ok=True)

    def verify(self) -> list[str]:
        """What is damaged, in words; empty if every file of every clip is as it was written."""
        faults = []
        for number, row in enumerate(self.rows):
            try:
                files = {suffix: self.read(number, suffix) for suffix in SUFFIXES}
            except InputError as error:
                faults.append(str(error))
                continue
            same = all(hashlib.sha256(files[name]).hexdigest() == row[f"{name}_sha256"] for name in ("mp4", "npz"))
            if not same or not _is_row_of(files["json"], row):
                faults.append(f"{self.folder / row['shard']}: {row['key']} is not as it was written; build it again.")
        return faults


def movement_of(row: dict[str, Any]) -> str:
    """Where the movement of a clip comes from; sets that were built before this was recorded are all filmed."""
    return str(row.get("movement") or FILMED)


def is_clip_dataset(folder: Path) -> bool:
    """Whether a folder holds a data set of clips."""
    return (folder / INDEX).is_file()


def read_index(folder: Path) -> list[dict[str, Any]]:
    """The rows of a data set's index. Raises InputError where it is missing or damaged."""
    path = folder / INDEX
    if not path.is_file():
        raise InputError(f"{folder}: not a data set of clips (no {INDEX}); make one with stgmamba data build.")
    parquet = _parquet()
    try:
        rows: list[dict[str, Any]] = parquet.read_table(path).to_pylist()
    except Exception as error:  # pyarrow raises its own kinds
        raise InputError(f"{path}: not an index that can be read ({error}); build the data set again.") from error
    return rows


def write_index(folder: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write the index of a data set; the same rows give the same bytes."""
    import pyarrow

    table = pyarrow.Table.from_pylist(list(rows))
    with atomic_output(folder / INDEX) as part:
        _parquet().write_table(table, part)


def row_content(row: dict[str, Any]) -> bytes:
    """The ``.json`` of a clip: its row, but for its place in a shard and its split, which the index alone says."""
    facts = {name: value for name, value in row.items() if name not in PLACE and name != "split"}
    return json.dumps(facts, sort_keys=True, ensure_ascii=False).encode()


def _is_row_of(content: bytes, row: dict[str, Any]) -> bool:
    try:
        return bool(parse_json(content)["key"] == row["key"])
    except (ValueError, KeyError, TypeError):
        return False


def _parquet() -> Any:
    try:
        import pyarrow.parquet
    except ImportError:
        raise InputError("data sets of clips need pyarrow; install it: pip install 'stgmamba[collect]'.") from None
    return pyarrow.parquet
