"""Reader of dances in SMPL's 22 joints, of many styles and sources, with music in three forms or without.

A folder holds ``index.json`` and one folder per dance with ``motion.npz``: ``root`` [T, 3], pelvis in metres, y up,
``local`` [T, 22, 3], joints relative to it, and ``fps``; and, where there is music, ``audio.ogg`` that begins with the
motion, or ``audio_features.npz``: ``features`` [T', 29] (20 MFCC, 6 chroma, spectral flux, beat activation, beat)
and ``fps``. An entry of the index has ``id``, ``source``, ``genre`` (``mixed`` for several), ``split``, ``toes``
(``given``, ``absent`` or ``unreliable``) and, where one take is divided, ``test_from_seconds``.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from scipy.interpolate import CubicSpline

from stgmamba.arrays import DoubleArray
from stgmamba.datasets.motion_repair import bridge_jumps, level_floor, moving_stretches, stop_sliding
from stgmamba.errors import EmptySplitError, InputError
from stgmamba.files import parse_json
from stgmamba.options import FPS
from stgmamba.skeleton import OPENPOSE_18_FEET, SMPL_22, Skeleton, convert
from stgmamba.skeleton.body import Body, retarget

CAPTURED, KEY_FRAMED = "captured", "key-framed"
SOURCES = (CAPTURED, KEY_FRAMED)
"""How a movement came about: motion capture, or key frames set by an animator, which are sharper and stiffer."""

_KEY_FRAMED_SOURCES = frozenset({"vmd"})  # MikuMikuDance
_BALLS = [SMPL_22.index("left_foot"), SMPL_22.index("right_foot")]
_FLUX, _BEAT, _LOUDNESS = 26, 28, 0  # columns of audio_features.npz
_SHORTEST_PERIOD, _LONGEST_PERIOD = 0.33, 0.9  # seconds, of a beat


@dataclass(frozen=True)
class Rhythm:
    """What is known of music whose sound is not at hand, at the frames of its dance.

    Attributes:
        onset: onset strength [T], 0..1.
        loudness: [T], 0..1.
        beats: times in seconds [K].
    """

    onset: DoubleArray
    loudness: DoubleArray
    beats: DoubleArray


@dataclass(frozen=True)
class StyledDance:
    """A stretch of a dance.

    Attributes:
        id: name of its folder, with ``/k`` for the k-th stretch where it has several.
        style: its style; None where it mixes several.
        source: one of `SOURCES`.
        skeleton: 3-D, OPENPOSE_18_FEET, 25 fps, the default body, floor at y = 0.
        audio_path: file of its music, if there is one.
        start: second of that file at which the dance begins.
        rhythm: of its music, where only features are known.
        sync: whether the timing of dance and music is reliable.
    """

    id: str
    style: str | None
    source: str
    skeleton: Skeleton
    audio_path: Path | None = None
    start: float = 0.0
    rhythm: Rhythm | None = None
    sync: bool = True


def is_smpl22(folder: Path) -> bool:
    """Whether a folder is in this format: its index says where each dance comes from and what its toes are worth."""
    try:
        entries = parse_json((folder / "index.json").read_text(encoding="utf-8"))
        return bool({"source", "toes"} <= entries[0].keys())
    except (OSError, ValueError, LookupError, AttributeError, TypeError):
        return False


def load_styled_dances(folder: str | Path, split: str) -> list[StyledDance]:
    """The dances of a split, repaired; a take is divided where its dancer stands still.

    Args:
        folder: holds ``index.json`` and one folder per dance.
        split: ``train``, ``val`` or ``test``. A take with ``test_from_seconds`` is ``train`` before and ``test`` after.

    Raises:
        InputError: the folder or a file in it is missing or malformed, or the split is empty.
    """
    index_path = Path(folder) / "index.json"
    try:
        entries = parse_json(index_path.read_text(encoding="utf-8"))
        dances = [
            dance
            for entry in entries
            if split == entry["split"] or (split == "test" and entry.get("test_from_seconds"))
            for dance in _load(Path(folder), entry, split)
        ]
    except FileNotFoundError:
        raise InputError(f"{index_path}: not found; name a folder of dances that holds an index.json.") from None
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputError(f"{index_path}: not a list of dances with id, genre and split ({error}); mend it.") from error
    if not dances:
        raise EmptySplitError(f"{index_path}: no dance of split {split!r}; choose another split.")
    return dances


def _load(folder: Path, entry: dict[str, Any], split: str) -> list[StyledDance]:
    path = folder / entry["id"] / "motion.npz"
    try:
        with np.load(path, allow_pickle=False) as motion:
            joints = motion["root"].astype(np.float64)[:, None] + motion["local"].astype(np.float64)
            fps = float(motion["fps"])
        joints, trimmed = bridge_jumps(joints, fps)
        whole = _to_frames(joints, fps)
        rhythm = _read_rhythm(path.parent / "audio_features.npz", trimmed / fps, len(whole))
    except FileNotFoundError:
        raise InputError(f"{path}: not found, but index.json lists it; restore it or remove the entry.") from None
    except (KeyError, ValueError, IndexError, OSError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: not a dance as docs/training.md describes it ({error}); export it again.") from error
    first, end = 0, len(whole)
    if entry.get("test_from_seconds"):
        divide = round((float(entry["test_from_seconds"]) - trimmed / fps) * FPS)
        first, end = (divide, end) if split == "test" else (0, divide)
    whole, stretches = whole[first:end], moving_stretches(whole[first:end], FPS)
    audio = path.parent / "audio.ogg"
    dances = []
    for k, (a, b) in enumerate(stretches):
        smpl = Skeleton(whole[a:b].astype(np.float32), FPS, SMPL_22)
        if entry["toes"] != "given":
            smpl.confidence[:, _BALLS] = 0.0
        skeleton = stop_sliding(level_floor(retarget(convert(smpl, OPENPOSE_18_FEET), Body())))
        dances.append(
            StyledDance(
                id=entry["id"] if len(stretches) == 1 else f"{entry['id']}/{k + 1}",
                style=None if entry["genre"] == "mixed" else entry["genre"],
                source=KEY_FRAMED if entry["source"] in _KEY_FRAMED_SOURCES else CAPTURED,
                skeleton=skeleton,
                audio_path=audio if audio.exists() else None,
                start=trimmed / fps + (first + a) / FPS,
                rhythm=None if rhythm is None else _slice_rhythm(rhythm, first + a, first + b),
            )
        )
    return dances


def _to_frames(joints: DoubleArray, fps: float) -> DoubleArray:
    """Joints [T, 22, 3] resampled to 25 fps."""
    if len(joints) < 2:
        raise ValueError(f"{len(joints)} frames are no dance")
    times = np.arange(len(joints)) / fps
    target = np.arange(int(times[-1] * FPS) + 1) / FPS
    return np.asarray(CubicSpline(times, joints, axis=0)(target), np.float64)


def _read_rhythm(path: Path, start: float, frames: int) -> Rhythm | None:
    """Rhythm of a file of audio features from a second on, at 25 fps; None where there is no such file."""
    if not path.exists():
        return None
    with np.load(path, allow_pickle=False) as file:
        features, fps = file["features"].astype(np.float64), float(file["fps"])
    at = (np.arange(frames) / FPS + start) * fps
    column = np.arange(len(features))
    flux = features[:, _FLUX] / max(float(np.percentile(features[:, _FLUX], 99.5)), 1e-9)
    quiet, loud = np.percentile(features[:, _LOUDNESS], [1, 95])
    loudness = (features[:, _LOUDNESS] - quiet) / max(float(loud - quiet), 1e-9)
    beats = fill_beats(np.flatnonzero(features[:, _BEAT] > 0.5) / fps) - start
    return Rhythm(
        np.clip(np.interp(at, column, flux), 0, 1),
        np.clip(np.interp(at, column, loudness), 0, 1),
        beats,
    )


def _slice_rhythm(rhythm: Rhythm, first: int, end: int) -> Rhythm:
    return replace(
        rhythm,
        onset=rhythm.onset[first:end],
        loudness=rhythm.loudness[first:end],
        beats=rhythm.beats - first / FPS,
    )


def fill_beats(beats: DoubleArray) -> DoubleArray:
    """Beats [K], seconds, with the missing ones between filled in at the regular period."""
    if len(beats) < 2:
        return beats
    gaps = np.diff(beats)
    plausible = gaps[(gaps > _SHORTEST_PERIOD) & (gaps < _LONGEST_PERIOD)]
    period = float(np.median(plausible if len(plausible) else gaps))
    filled = [
        start + (end - start) * np.arange(count) / count
        for start, end in pairwise(beats)
        for count in [max(1, round((end - start) / period))]
    ]
    return np.concatenate([*filled, beats[-1:]])
