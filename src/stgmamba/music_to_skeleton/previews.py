"""Pictures of dances for training logs and reports."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stgmamba.music.composition.composer import compose
from stgmamba.music.decode import SAMPLE_RATE, Song
from stgmamba.music_to_skeleton.dataset import Example
from stgmamba.music_to_skeleton.registry import Network
from stgmamba.music_to_skeleton.sampler import DanceSampler
from stgmamba.skeleton import Skeleton
from stgmamba.skeleton.camera import frame_dance, project_skeleton
from stgmamba.skeleton.drawing import draw_sequence

PREVIEW_SECONDS = 6.0
_POSES = 12  # side by side
_HEIGHT = 192  # pixels


def draw_poses(dance: Skeleton, seconds: float = PREVIEW_SECONDS) -> NDArray[np.uint8]:
    """12 poses of the first seconds of a 3-D dance, evenly spaced in time, side by side; uint8 RGB [H, W, 3]."""
    frames = np.linspace(0, min(len(dance), round(seconds * dance.fps)) - 1, _POSES).round().astype(int)
    selected = Skeleton(dance.positions[frames], dance.fps, dance.layout)
    size = (_HEIGHT * 2 // 3, _HEIGHT)
    flat = project_skeleton(selected, frame_dance(selected, size))
    return np.concatenate(list(draw_sequence(flat, size, background=(24, 24, 24))), axis=1)


def draw_samples(model: Network, data: Sequence[Example]) -> NDArray[np.uint8]:
    """Dances of each style that a network generates, a row each; uint8 RGB [H, W, 3].

    They are to the first song of the style whose sound is known, to the first of any style, or to a composed one.
    """
    sampler, rows = DanceSampler(model), []
    with_sound = [example for example in data if len(example.audio.samples)]
    of_any = with_sound[0].audio.samples if with_sound else compose(np.random.default_rng(0), PREVIEW_SECONDS).samples
    for style, name in enumerate(model.config.styles):
        samples = next((each.audio.samples for each in with_sound if each.style == style), of_any)
        song = Song(samples[: round(PREVIEW_SECONDS * SAMPLE_RATE)], SAMPLE_RATE)
        rows.append(draw_poses(sampler.generate(song, style=name)))
    return np.concatenate(rows)
