"""A real dance to the wrong song: what movement alone is worth."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from stgmamba.datasets.tang2018 import Dance
from stgmamba.skeleton import Skeleton


def other_song(train: Sequence[Dance]) -> Callable[[Dance, int], Skeleton]:
    """A method that plays a real dance of another song: of the same genre if ``train`` has one, else of any.

    Different seeds give different dances as long as there are any. A dance that is too short goes backwards at its
    end, and forwards again.
    """

    def baseline(song: Dance, seed: int) -> Skeleton:
        others = [dance for dance in train if dance.id != song.id] or list(train)
        choice = [dance for dance in others if dance.genre == song.genre] or others
        order = np.random.default_rng(zlib.crc32(song.id.encode())).permutation(len(choice))
        return _of_length(choice[order[seed % len(choice)]].skeleton, len(song.skeleton))

    return baseline


def _of_length(dance: Skeleton, frames: int) -> Skeleton:
    """The first frames of a dance, to and fro."""
    last = len(dance) - 1
    there_and_back = np.arange(frames) % max(2 * last, 1)
    index = last - np.abs(last - there_and_back)
    return replace(dance, positions=dance.positions[index], confidence=dance.confidence[index])
