"""The real dance of the song, out of step: perfect movement with no ear."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from stgmamba.datasets.tang2018 import Dance
from stgmamba.skeleton import Skeleton


def shifted(train: Sequence[Dance]) -> Callable[[Dance, int], Skeleton]:
    """A method that begins the song's own real dance at a random moment and goes on from its start at its end.

    What it shows is that the beat metrics fall to their floors. Its PFD is near 0 by construction, its VFD and jerk
    come from the one jump where the end meets the start.
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
