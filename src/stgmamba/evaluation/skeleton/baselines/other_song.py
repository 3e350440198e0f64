"""Baseline ``other_song``: a real dance of another song."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from stgmamba.datasets.tang2018 import Dance
from stgmamba.skeleton import Skeleton


def other_song(train: Sequence[Dance]) -> Callable[[Dance, int], Skeleton]:
    """A method that returns a real dance of another song, of the same style where ``train`` has one, else of any.

    Successive seeds cycle through the dances. A dance that is too short is continued backwards, then forwards again.
    """

    def baseline(song: Dance, seed: int) -> Skeleton:
        others = [dance for dance in train if dance.id != song.id] or list(train)
        candidates = [dance for dance in others if dance.style == song.style] or others
        order = np.random.default_rng(zlib.crc32(song.id.encode())).permutation(len(candidates))
        return _extend(candidates[order[seed % len(candidates)]].skeleton, len(song.skeleton))

    return baseline


def _extend(dance: Skeleton, frames: int) -> Skeleton:
    """The first ``frames`` frames of a dance that is played forwards and backwards alternately."""
    last = len(dance) - 1
    index = last - np.abs(last - np.arange(frames) % max(2 * last, 1))
    return replace(dance, positions=dance.positions[index], confidence=dance.confidence[index])
