"""The networks of stage 1: ours, and the baseline with the same interface."""

from __future__ import annotations

from pathlib import Path

from stgmamba.music_to_skeleton.model import Config, MusicToSkeleton
from stgmamba.music_to_skeleton.ren2020 import Ren2020
from stgmamba.training.weights import read_network

Network = MusicToSkeleton | Ren2020
"""Both have ``config``, ``mean``, ``scale`` [J, 3], ``encode_audio`` and ``forward(x, t, hidden, style, source)``."""


def load_network(path: str | Path) -> Network:
    """The network of a weights file.

    Raises:
        InputError: not a weights file of these networks.
    """
    return read_network(Path(path), lambda values: build_network(Config(**values)))


def build_network(config: Config) -> Network:
    """An untrained network of a config."""
    return Ren2020(config) if config.network == "ren2020" else MusicToSkeleton(config)
