"""Dances of all data sets in one form, for training and evaluation across styles."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from stgmamba.datasets.aistpp import is_aistpp, load_aistpp_dances
from stgmamba.datasets.clips import is_clip_dataset
from stgmamba.datasets.filmed import load_filmed_dances
from stgmamba.datasets.motion_folder import is_motion_folder, load_motions
from stgmamba.datasets.scores import Profile
from stgmamba.datasets.smpl22 import CAPTURED, StyledDance, is_smpl22, load_styled_dances
from stgmamba.datasets.tang2018 import load_dances
from stgmamba.datasets.tang2018_raw import is_raw_tang2018, load_raw_dances
from stgmamba.errors import EmptySplitError, InputError

SPLITS = ("train", "val", "test")


def load_split(
    data: str | Path, more: str | Path | None, split: str, profile: Profile | None = None
) -> list[StyledDance]:
    """The dances of a split.

    Args:
        data: folder in the format of ``datasets.tang2018``; a data set of clips (``datasets.clips``); motions of one's
            own (``datasets.motion_folder``); or in the format of ``datasets.smpl22``; or in that of
            ``datasets.tang2018_raw`` or ``datasets.aistpp``, all of which is ``train``.
        more: a second folder, of any of these formats, or None.
        split: ``train``, ``val`` or ``test``.
        profile: thresholds on the scores of clips; None takes all.

    Raises:
        EmptySplitError: a folder can be read and has no dance of the split.
        InputError: a folder cannot be used.
    """
    folder = Path(data)
    if is_clip_dataset(folder):
        dances = load_filmed_dances(folder, split, profile)
    elif is_raw_tang2018(folder):
        dances = load_raw_dances(_undivided(folder, split))
    elif is_aistpp(folder):
        dances = load_aistpp_dances(_undivided(folder, split))
    elif is_smpl22(folder):
        dances = load_styled_dances(folder, split)
    elif is_motion_folder(folder):
        dances = load_motions(folder, split)
    else:
        dances = [
            StyledDance(dance.id, dance.style, CAPTURED, dance.skeleton, dance.audio_path, sync=dance.sync)
            for dance in load_dances(data, split)
        ]
    return dances if more is None else dances + load_split(more, None, split)


def _undivided(folder: Path, split: str) -> Path:
    """A folder all of which is ``train``. Raises EmptySplitError where another split is asked for."""
    if split != "train":
        raise EmptySplitError(f"{folder}: is not divided, so it has no split {split!r}; choose train.")
    return folder


def load_corpus(folder: str | Path) -> list[tuple[str, StyledDance]]:
    """All dances of a corpus of motion, each with its split.

    Args:
        folder: as for `load_split`.

    Raises:
        InputError: it is a data set of clips already, or of no known format, or a file in it cannot be used.
    """
    folder = Path(folder)
    if is_clip_dataset(folder):
        raise InputError(f"{folder}: is a data set of clips already; use it as it is, or join it by data merge.")
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder; name one that holds dances (docs/data.md).")
    dances: list[tuple[str, StyledDance]] = []
    for split in SPLITS:
        with suppress(EmptySplitError):
            dances += [(split, dance) for dance in load_split(folder, None, split)]
    if not dances:
        raise InputError(f"{folder}: there is no dance of the splits {', '.join(SPLITS)} in it; name one of these.")
    return dances
