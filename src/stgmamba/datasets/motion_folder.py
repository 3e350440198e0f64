"""Reader of a folder of motions of one's own: BVH files, and 3-D skeletons as ``stgmamba skeleton`` writes them (.npz).

The music of ``NAME.bvh`` is ``NAME.wav`` (or another sound, or a video) beside it, and begins with it; its style is the
name of its subfolder. ``motions.csv`` in the folder says more, or otherwise; all its columns but ``file`` may be
left out: ``file`` (relative to the folder), ``style``, ``music`` (a file), ``start`` (second of the music at which the
dance begins), ``source`` (``captured`` or ``key-framed``), ``split``. Where it exists only the files it lists are read.

What is lost: fingers, the face, and how the head is turned; every dance is put on the default body, and parts in which
nobody moves are cut away. What a rig's joints are called: `stgmamba.skeleton.formats.bvh`.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from stgmamba.datasets.motion_repair import level_floor, moving_stretches, stop_sliding
from stgmamba.datasets.smpl22 import CAPTURED, SOURCES, StyledDance
from stgmamba.errors import EmptySplitError, InputError
from stgmamba.options import FPS
from stgmamba.skeleton import OPENPOSE_18_FEET, convert
from stgmamba.skeleton.body import Body, retarget
from stgmamba.skeleton.formats import read_skeleton

MOTIONS = ("bvh", "npz")
LIST = "motions.csv"
_COLUMNS = ("file", "style", "music", "start", "source", "split")
_SOUNDS = ("wav", "mp3", "flac", "ogg", "opus", "m4a", "aac", "mp4", "mov", "mkv", "webm")


@dataclass(frozen=True)
class _Entry:
    file: Path
    style: str = ""
    music: Path | None = None
    start: float = 0.0
    source: str = CAPTURED
    split: str = "train"


def is_motion_folder(folder: Path) -> bool:
    """Whether a folder has a ``motions.csv``, or BVH files in it or its subfolders."""
    return (folder / LIST).is_file() or next(folder.rglob("*.bvh"), None) is not None


def load_motions(folder: str | Path, split: str = "train") -> list[StyledDance]:
    """The dances of a split, in the order of their names or of ``motions.csv``; without that all are ``train``.

    Raises:
        InputError: there is none, a file is malformed, or what ``motions.csv`` says is wrong.
    """
    folder = Path(folder)
    entries = _listed(folder) if (folder / LIST).is_file() else _found(folder)
    dances = [dance for entry in entries if entry.split == split for dance in _load(folder, entry)]
    if not dances:
        raise EmptySplitError(f"{folder}: there is no dance of split {split!r} in it; it needs .bvh or .npz files.")
    return dances


def _found(folder: Path) -> list[_Entry]:
    paths = sorted(path for kind in MOTIONS for path in folder.rglob(f"*.{kind}"))
    entries = []
    for path in paths:
        sounds = (path.with_suffix(f".{kind}") for kind in _SOUNDS)
        music = next((sound for sound in sounds if sound.is_file()), None)
        entries.append(_Entry(path, "" if path.parent == folder else path.parent.name, music))
    return entries


def _listed(folder: Path) -> list[_Entry]:
    path = folder / LIST
    try:
        rows = list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines()))
        return [_entry(row, folder) for row in rows]
    except (OSError, UnicodeDecodeError, csv.Error, ValueError, TypeError) as error:
        raise InputError(f"{path}: not a list of motions ({error}); see docs/data.md for its columns.") from error


def _entry(row: dict[str, str], folder: Path) -> _Entry:
    if unknown := [str(name) for name in row if name not in _COLUMNS]:
        raise ValueError(f"unknown column {unknown[0]!r}; known are {', '.join(_COLUMNS)}")
    given = {name: value.strip() for name, value in row.items() if value and value.strip()}
    if "file" not in given:
        raise ValueError("every row needs a `file`")
    source = given.get("source", CAPTURED)
    if source not in SOURCES:
        raise ValueError(f"source {source!r}; known are {', '.join(SOURCES)}")
    music = folder / given["music"] if "music" in given else None
    for file in (folder / given["file"], music):
        if file is not None and not file.is_file():
            raise ValueError(f"there is no {file}")
    return _Entry(
        folder / given["file"],
        given.get("style", ""),
        music,
        float(given.get("start", 0)),
        source,
        given.get("split", "train"),
    )


def _load(folder: Path, entry: _Entry) -> list[StyledDance]:
    skeleton = read_skeleton(entry.file)
    if skeleton.dims != 3:
        raise InputError(f"{entry.file}: a dance in the picture plane cannot be trained on; use one in 3-D.")
    dance = retarget(convert(skeleton, OPENPOSE_18_FEET).resampled(FPS), Body())
    name = entry.file.relative_to(folder).with_suffix("").as_posix()
    stretches = moving_stretches(dance.positions.astype(float), FPS)
    return [
        StyledDance(
            id=name if len(stretches) == 1 else f"{name}/{k + 1}",
            style=entry.style or None,
            source=entry.source,
            skeleton=stop_sliding(level_floor(dance.slice(first, end))),
            audio_path=entry.music,
            start=entry.start + first / FPS,
            sync=entry.music is not None,
        )
        for k, (first, end) in enumerate(stretches)
    ]
