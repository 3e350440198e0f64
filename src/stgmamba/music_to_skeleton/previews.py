"""Pictures of a dance in time, to look at while a network trains and in reports."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stgmamba.music.decode import SAMPLE_RATE, Song
from stgmamba.music_to_skeleton.dataset import Example
from stgmamba.music_to_skeleton.registry import Network
from stgmamba.music_to_skeleton.sampler import DanceSampler
from stgmamba.skeleton import Skeleton
from stgmamba.skeleton.camera import frame_dance, project_skeleton
from stgmamba.skeleton.drawing import draw_sequence

_SECONDS = 6.0
_HEIGHT = 192


def strip(dance: Skeleton, seconds: float = _SECONDS, pictures: int = 12) -> NDArray[np.uint8]:
    """A 3-D dance from second 0 as a row of pictures, uint8 RGB [H, W, 3]."""
    frames = np.linspace(0, min(len(dance), round(seconds * dance.fps)) - 1, pictures).round().astype(int)
    chosen = Skeleton(dance.positions[frames], dance.fps, dance.layout)
    size = (_HEIGHT * 2 // 3, _HEIGHT)
    flat = project_skeleton(chosen, frame_dance(chosen, size))
    return np.concatenate(list(draw_sequence(flat, size, background=(24, 24, 24))), axis=1)


def sample_strip(model: Network, data: Sequence[Example]) -> NDArray[np.uint8]:
    """What a network dances now to the first song of each genre, a row each, uint8 RGB [H, W, 3]."""
    generator, rows = DanceSampler(model), []
    for genre, name in enumerate(model.config.genres):
        songs = [example.audio for example in data if example.genre == genre]
        if songs:
            song = Song(songs[0].samples[: round(_SECONDS * SAMPLE_RATE)], SAMPLE_RATE)
            rows.append(strip(generator.generate(song, genre=name)))
    return np.concatenate(rows)
