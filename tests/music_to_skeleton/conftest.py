"""A small set of training dances in the format of tang2018, made of swaying people and clicks."""

from __future__ import annotations

from pathlib import Path

import pytest

from stgmamba.skeleton import Skeleton

from ..conftest import swaying
from ..support.recordings import write_dances

SECONDS = 12.0


@pytest.fixture(scope="session")
def dances(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder that holds three training dances in ``small``: a waltz, a tango, a waltz of unknown timing."""
    made = []
    for i, (style, sync) in enumerate([("waltz", "fitted"), ("tango", "fitted"), ("waltz", "assumed")]):
        dance = swaying(int(SECONDS * 25))
        entry = {"genre": style, "split": "train", "tempo_bpm": 90.0 + 15 * i, "sync": sync}
        made.append((entry, Skeleton(dance.positions * (1 + 0.02 * i), dance.fps, dance.layout)))
    return write_dances(tmp_path_factory.mktemp("data") / "small", made).parent
