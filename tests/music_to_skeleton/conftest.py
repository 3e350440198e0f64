"""A small set of training dances in the format of tang2018, made of swaying people and clicks."""

from __future__ import annotations

import json
import wave
from pathlib import Path

import numpy as np
import pytest

from stgmamba.skeleton import TANG_23, Skeleton, convert

from ..conftest import swaying

SECONDS = 12.0
RATE = 22_050


def _clicks(path: Path, tempo: float) -> None:
    times = np.arange(int(SECONDS * RATE)) / RATE
    since = times % (60 / tempo)
    sound = 0.7 * np.exp(-since * 60) * np.sin(2 * np.pi * 900 * since)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((sound * 32767).astype("<i2").tobytes())


@pytest.fixture(scope="session")
def dances(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder that holds three training dances in ``small``: a waltz, a tango, a waltz of unknown timing."""
    folder = tmp_path_factory.mktemp("data") / "small"
    entries = []
    for i, (genre, sync) in enumerate([("waltz", "fitted"), ("tango", "fitted"), ("waltz", "assumed")]):
        tempo = 90.0 + 15 * i
        entries.append({"id": f"D{i}", "genre": genre, "split": "train", "tempo_bpm": tempo, "sync": sync})
        (folder / f"D{i}").mkdir(parents=True)
        dance = swaying(int(SECONDS * 25))
        turned = Skeleton(dance.positions * (1 + 0.02 * i), dance.fps, dance.layout)
        markers = 100 * convert(turned, TANG_23).positions
        center = markers.mean(axis=1)
        np.savez(
            folder / f"D{i}" / "motion.npz",
            local=(markers - center[:, None]).astype(np.float16),
            center=center,
            times=(np.arange(len(markers)) / 25).astype(np.float32),
        )
        _clicks(folder / f"D{i}" / "audio.ogg", tempo)
    (folder / "index.json").write_text(json.dumps(entries))
    return folder.parent
