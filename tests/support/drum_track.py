"""A drum at given times."""

from __future__ import annotations

import numpy as np


def drum_track(times: np.ndarray, seconds: float, rate: int = 22_050, seed: int = 0) -> np.ndarray:
    """Return soft noise with a drum-like burst at each time."""
    rng = np.random.default_rng(seed)
    sound = 0.001 * rng.standard_normal(round(seconds * rate))
    t = np.arange(round(0.1 * rate)) / rate
    drum = (np.sin(2 * np.pi * 90 * t) + 0.3 * rng.standard_normal(len(t))) * np.exp(-t / 0.03)
    for at in times:
        begin = round(at * rate)
        piece = drum[: len(sound) - begin]
        sound[begin : begin + len(piece)] += 0.6 * piece
    return sound.astype(np.float32)
