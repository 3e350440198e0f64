"""Skeletons as files. A format is one file in this folder and one line in ``FORMATS``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stgmamba.errors import InputError
from stgmamba.files import check_can_write
from stgmamba.skeleton.formats import bvh, npz, openpose_json
from stgmamba.skeleton.sequence import Skeleton


@dataclass(frozen=True)
class Format:
    """A way to store a skeleton.

    Attributes:
        about: what it is, in a few words for the user.
        suffixes: endings of its files, lower case with the dot; "" stands for a folder.
        read: path to skeleton; raises InputError.
        write: path and skeleton to file; raises InputError. None where files are read only.
    """

    about: str
    suffixes: tuple[str, ...]
    read: Callable[[Path], Skeleton]
    write: Callable[[Path, Skeleton], None] | None


FORMATS: dict[str, Format] = {
    "npz": Format("numpy arrays, lossless", (".npz",), npz.read, npz.write),
    "openpose_json": Format(
        "OpenPose JSON: one .json file, or a folder with one file per frame",
        (".json", ""),
        openpose_json.read,
        openpose_json.write,
    ),
    "bvh": Format("motion capture of Biovision, read only", (".bvh",), bvh.read, None),
}


def read_skeleton(path: str | Path) -> Skeleton:
    """Read a skeleton in the format that the name's ending (or its being a folder) tells.

    Raises:
        InputError: missing, of no known format, or malformed.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: there is no such file or folder; check the name.")
    return _format_of(path).read(path)


def is_skeleton_file(path: str | Path) -> bool:
    """Whether the name's ending is that of a skeleton format, or the path a folder."""
    path = Path(path)
    return path.is_dir() or any(path.suffix.lower() in entry.suffixes for entry in FORMATS.values() if path.suffix)


def write_skeleton(path: str | Path, skeleton: Skeleton) -> None:
    """Write a skeleton in the format that the name's ending tells; a name without ending becomes a folder.

    Raises:
        InputError: no known format, or the place cannot be written to.
    """
    path = Path(path)
    write = _format_of(path).write
    if write is None:
        raise InputError(f"{path}: this format is read only; use one of {', '.join(_written_suffixes())}, or a folder.")
    write(path, skeleton)


def check_can_write_skeleton(path: str | Path) -> Path:
    """Refuse early a name that no skeleton can be written under.

    Raises:
        InputError: unknown ending, missing folder, or no permission.
    """
    path = Path(path)
    if not path.suffix:  # a folder of one file per frame
        check_can_write(path / "frame.json" if path.is_dir() else path)
        return path
    return check_can_write(path, _written_suffixes())


def _written_suffixes() -> tuple[str, ...]:
    return tuple(suffix for entry in FORMATS.values() if entry.write for suffix in entry.suffixes if suffix)


def _format_of(path: Path) -> Format:
    suffix = "" if path.is_dir() else path.suffix.lower()
    for entry in FORMATS.values():
        if suffix in entry.suffixes and (suffix or path.is_dir() or not path.exists()):
            return entry
    known = ", ".join(suffix for entry in FORMATS.values() for suffix in entry.suffixes if suffix)
    raise InputError(f"{path}: skeletons are not stored under this ending; use one of {known}, or a folder.")
