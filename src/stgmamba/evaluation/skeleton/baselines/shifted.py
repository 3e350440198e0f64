"""Baseline ``shifted``: the real dance of the song at a random time offset."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from stgmamba.datasets.tang2018 import Dance
from stgmamba.skeleton import Skeleton


def shifted(train: Sequence[Dance]) -> Callable[[Dance, int], Skeleton]:
    """A method that returns the song's real dance, circularly shifted in time by a random offset.

    Its beat metrics show the chance level. Its PFD is near 0 by construction; its VFD and jerk are those of the jump
    from the last to the first frame.
    """

    def baseline(song: Dance, seed: int) -> Skeleton:
        dance = song.skeleton
        offset = int(np.random.default_rng(seed).integers(len(dance)))
        return replace(
            dance,
            positions=np.roll(dance.positions, -offset, axis=0),
            confidence=np.roll(dance.confidence, -offset, axis=0),
        )

    return baseline
