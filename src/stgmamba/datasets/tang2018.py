"""Reader of the dances of Tang, Jia, Mao, "Dance with Melody" (ACM MM 2018), and of others in the same format.

A folder holds ``index.json`` (id, genre, split, sync, tempo_bpm of each dance) and one folder per dance with
``audio.ogg`` and ``motion.npz``: ``local`` [T, 23, 3], marker positions in cm relative to ``center`` [T, 3], and
``times`` [T], the time of each frame in the song, seconds.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter1d, percentile_filter

from stgmamba.errors import EmptySplitError, InputError
from stgmamba.files import parse_json
from stgmamba.options import FPS
from stgmamba.skeleton import OPENPOSE_18_FEET, TANG_23, Skeleton, convert

_MARKER_HEIGHT = 0.03  # metres from the sole to the markers on heel and toe
_DRIFT_FRAMES = 50  # window over which the drift of the captured floor is estimated: 2 s


@dataclass(frozen=True)
class Dance:
    """One dance with its music.

    Attributes:
        id: name of its folder.
        style: ``cha-cha``, ``rumba``, ``tango`` or ``waltz``.
        skeleton: 3-D, OPENPOSE_18_FEET, 25 fps; frame 0 is time 0 of the song, the floor is y = 0.
        audio_path: file of its music.
        tempo: beats per minute as published.
        sync: whether the offset to the music was fitted; else it is assumed, and the timing is not reliable.
    """

    id: str
    style: str
    skeleton: Skeleton
    audio_path: Path
    tempo: float
    sync: bool


def load_dances(folder: str | Path, split: str | None = None) -> list[Dance]:
    """All dances of a folder, or those of one split.

    Args:
        folder: holds ``index.json`` and one folder per dance.
        split: ``train``, ``val`` or ``test``; None takes all.

    Raises:
        InputError: the folder or a file in it is missing or malformed, or the split is empty.
    """
    folder = Path(folder)
    index_path = folder / "index.json"
    try:
        entries = parse_json(index_path.read_text(encoding="utf-8"))
        chosen = [entry for entry in entries if split is None or entry["split"] == split]
    except FileNotFoundError:
        raise InputError(f"{index_path}: not found; name a folder of dances that holds an index.json.") from None
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputError(f"{index_path}: not a list of dances with id, genre and split ({error}); mend it.") from error
    if not chosen:
        raise EmptySplitError(f"{index_path}: no dance of split {split!r}; choose another split.")
    return [_load(folder, entry) for entry in chosen]


def _load(folder: Path, entry: dict[str, object]) -> Dance:
    path = folder / str(entry.get("id")) / "motion.npz"
    try:
        with np.load(path, allow_pickle=False) as motion:
            markers = (motion["local"].astype(np.float64) + motion["center"].astype(np.float64)[:, None]) / 100.0
            times = motion["times"].astype(np.float64)
        skeleton = align_to_song(markers, times)
        return Dance(
            id=str(entry["id"]),
            style=str(entry["genre"]),
            skeleton=skeleton,
            audio_path=path.parent / "audio.ogg",
            tempo=float(str(entry["tempo_bpm"])),
            sync=entry["sync"] == "fitted",
        )
    except FileNotFoundError:
        raise InputError(f"{path}: not found, but index.json lists it; restore it or remove the entry.") from None
    except (KeyError, ValueError, OSError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: not a dance as docs/training.md describes it ({error}); export it again.") from error


def align_to_song(markers: NDArray[np.float64], times: NDArray[np.float64]) -> Skeleton:
    """Resample markers [T, 23, 3] (metres) from times [T] to 25 fps from time 0, and put the floor at y = 0."""
    # Frames before time 0 are dropped; where the capture starts after time 0 its first pose is held.
    target = np.arange(int(times[-1] * FPS) + 1) / FPS
    positions = CubicSpline(times, markers, axis=0)(np.clip(target, times[0], times[-1])).astype(np.float32)
    tang = Skeleton(positions, FPS, TANG_23)
    feet = [TANG_23.index(f"{side}_{part}") for side in ("left", "right") for part in ("heel", "toe")]
    # The capture drifts upwards by up to half a metre within a dance. In these styles one foot is nearly always on the
    # floor, so the height of the lower foot over seconds is that of the floor.
    low = percentile_filter(positions[:, feet, 1].min(axis=1), 20, size=_DRIFT_FRAMES, mode="nearest")
    floor = gaussian_filter1d(low, _DRIFT_FRAMES / 4, mode="nearest") - _MARKER_HEIGHT
    positions[..., 1] -= floor[:, None]
    return convert(Skeleton(positions, FPS, tang.layout), OPENPOSE_18_FEET)
