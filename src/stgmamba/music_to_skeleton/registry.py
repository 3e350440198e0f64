"""The networks of stage 1: ours, and the baseline with the same interface."""

from __future__ import annotations

from stgmamba.music_to_skeleton.model import Config, MusicToSkeleton
from stgmamba.music_to_skeleton.ren2020 import Ren2020

Network = MusicToSkeleton | Ren2020
"""Both have ``config``, ``mean``, ``scale`` [J, 3], ``encode_audio`` and ``forward(x, t, hidden, style, source)``."""


def build_network(config: Config) -> Network:
    """An untrained network of a config."""
    return Ren2020(config) if config.network == "ren2020" else MusicToSkeleton(config)
