"""Reader of the data set of Tang, Jia, Mao, "Dance with Melody" (ACM MM 2018), as its authors publish it.

Get it: https://github.com/Music-to-dance-motion-synthesis/dataset, for research. A folder ``DANCE_C_1`` (C cha-cha,
R rumba, T tango, W waltz) holds ``audio.mp3``, ``config.json`` (``start_position`` and ``end_position``, frames of the
song at 25 a second) and ``skeletons.json`` (``length``, ``center`` [T, 3], ``skeletons`` [T, 23, 3], cm).

What is lost: the clocks of capture and song differ by about 1.2 %, and each dance has an offset of its own. Both are
fitted by foot strikes against tracked beats, known up to a whole beat; where the fit is not significant the mean clock
is taken and the timing counts as unreliable. Face points were not captured and are derived from the head's markers.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stgmamba.arrays import DoubleArray
from stgmamba.datasets.smpl22 import CAPTURED, StyledDance
from stgmamba.datasets.sync import Sync, fit_sync
from stgmamba.datasets.tang2018 import align_to_song
from stgmamba.errors import InputError
from stgmamba.files import parse_json
from stgmamba.music.beat_tracking.tracker import track_beats
from stgmamba.music.decode import load_song
from stgmamba.options import FPS
from stgmamba.skeleton import OPENPOSE_18_FEET, TANG_23, Skeleton, convert
from stgmamba.skeleton.motion_events import foot_strikes

_STYLES = {"C": "cha-cha", "R": "rumba", "T": "tango", "W": "waltz"}
_SCALES = (0.99, 1.03)  # among which the clock's is looked for
_MEAN_SCALE = 1.012  # of the dances whose clock can be fitted


def is_raw_tang2018(folder: Path) -> bool:
    """Whether a folder has dances in this layout."""
    return any(folder.glob("DANCE_*/skeletons.json"))


def load_raw_dances(folder: str | Path) -> list[StyledDance]:
    """All dances of a folder, in the order of their names.

    Raises:
        InputError: there is none, or a file is missing or malformed.
    """
    paths = sorted(path.parent for path in Path(folder).glob("DANCE_*/skeletons.json"))
    if not paths:
        raise InputError(f"{folder}: there is no DANCE_*/skeletons.json in it; name the folder of the data set.")
    return [_load(path) for path in paths]


def fit_clock(markers: DoubleArray, audio: Path, start: float) -> Sync:
    """The clock of a capture against its song.

    Args:
        markers: [T, 23, 3], metres, at nominal 25 fps.
        audio: file of the song.
        start: second of it at which the dance begins.
    """
    seconds = len(markers) / FPS * _SCALES[1] + 1
    song = load_song(audio, start=start, seconds=seconds)
    dance = convert(Skeleton(markers.astype(np.float32), FPS, TANG_23), OPENPOSE_18_FEET)
    return fit_sync(foot_strikes(dance), track_beats(song.samples, song.rate).beats, _SCALES)


def _load(folder: Path) -> StyledDance:
    path = folder / "skeletons.json"
    try:
        motion = parse_json(path.read_text(encoding="utf-8"))
        markers = (np.array(motion["skeletons"], np.float64) + np.array(motion["center"], np.float64)[:, None]) / 100
        start = float(parse_json((folder / "config.json").read_text(encoding="utf-8"))["start_position"]) / FPS
        style = _STYLES[folder.name.split("_")[1]]
        if markers.ndim != 3 or markers.shape[1:] != (23, 3) or len(markers) < 2 or not np.isfinite(markers).all():
            raise ValueError(f"markers of shape {markers.shape}")
    except (OSError, ValueError, KeyError, TypeError, IndexError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a dance of Tang et al. 2018 ({error}); download it again.") from error
    audio = folder / "audio.mp3"
    sync = fit_clock(markers, audio, start)
    scale, offset = (sync.scale, sync.offset) if sync.applied else (_MEAN_SCALE, 0.0)
    skeleton = align_to_song(markers, offset + scale * np.arange(len(markers)) / FPS)
    return StyledDance(folder.name, style, CAPTURED, skeleton, audio, start, None, sync.applied)
