"""Synthetic clips: a character who sways before a static camera."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from stgmamba.characters import CHARACTERS
from stgmamba.characters.render import CharacterRenderer
from stgmamba.video_io import write_video

from ..conftest import swaying

SIZE = (192, 256)


@lru_cache(maxsize=4)
def character_frames(name: str = "mira", frames: int = 24) -> np.ndarray:
    """uint8 [T, 256, 192, 3]."""
    return np.stack(list(CharacterRenderer(CHARACTERS[name], size=SIZE).frames(swaying(frames))))


def write_clip(path: Path, frames: np.ndarray, fps: float = 25.0) -> Path:
    write_video(path, list(frames), fps, crf=8)
    return path
