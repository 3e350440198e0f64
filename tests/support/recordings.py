"""Small recordings made by formula: click tracks, and folders of dances in the format of tang2018."""

from __future__ import annotations

import json
import wave
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stgmamba.skeleton import TANG_23, Skeleton, convert

_RATE = 22_050


def write_clicks(path: Path, period: float, seconds: float, strong: int = 1) -> Path:
    """A click every ``period`` seconds, from the first; all but every ``strong``-th are faint."""
    times = np.arange(int(seconds * _RATE)) / _RATE
    since = times % period
    loud = np.where(np.round((times - since) / period) % strong == 0, 0.8, 0.3)
    sound = loud * np.exp(-since * 60) * np.sin(2 * np.pi * 900 * since)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(_RATE)
        file.writeframes((sound * 32767).astype("<i2").tobytes())
    return path


def write_dances(folder: Path, dances: Sequence[tuple[dict[str, object], Skeleton]]) -> Path:
    """Dances D0, D1, ... with clicks at their ``tempo_bpm``; of each what the index says but its id, and the dance."""
    folder.mkdir(parents=True, exist_ok=True)
    index = []
    for i, (entry, dance) in enumerate(dances):
        index.append({"id": f"D{i}", **entry})
        (folder / f"D{i}").mkdir()
        markers = 100 * convert(dance, TANG_23).positions
        center = markers.mean(axis=1)
        np.savez(
            folder / f"D{i}" / "motion.npz",
            local=(markers - center[:, None]).astype(np.float16),
            center=center,
            times=(np.arange(len(markers)) / dance.fps).astype(np.float32),
        )
        tempo = entry["tempo_bpm"]
        assert isinstance(tempo, float)
        write_clicks(folder / f"D{i}" / "audio.ogg", 60 / tempo, dance.seconds)
    (folder / "index.json").write_text(json.dumps(index))
    return folder
