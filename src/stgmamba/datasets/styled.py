"""Dances of all data sets in one form, for training and evaluation across styles."""

from __future__ import annotations

from pathlib import Path

from stgmamba.datasets.smpl22 import CAPTURED, StyledDance, load_styled_dances
from stgmamba.datasets.tang2018 import load_dances


def load_split(tang: str | Path, smpl22: str | Path | None, split: str) -> list[StyledDance]:
    """The dances of a split.

    Args:
        tang: folder in the format of ``datasets.tang2018``.
        smpl22: folder in the format of ``datasets.smpl22``, or None.
        split: ``train``, ``val`` or ``test``.

    Raises:
        InputError: a folder cannot be used.
    """
    dances = [
        StyledDance(dance.id, dance.style, CAPTURED, dance.skeleton, dance.audio_path, sync=dance.sync)
        for dance in load_dances(tang, split)
    ]
    return dances if smpl22 is None else dances + load_styled_dances(smpl22, split)
