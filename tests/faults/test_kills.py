"""Whoever is killed at any moment and begun again ends with what would have become of it undisturbed.

``STGM_KILLS`` says how many kills are made in all (``make test-faults``: 52).
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import yaml
from safetensors.numpy import load

from stgmamba.video_io import write_video

from ..support.character_clips import character_frames
from .inputs import write_inputs
from .process import Runner, copy_folder

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="forks, and kills groups of processes"),
    pytest.mark.timeout(3600),
]

TOTAL = int(os.environ.get("STGM_KILLS", "4"))


@dataclass(frozen=True)
class Work:
    """A command that takes a while, and what becomes of it: files, by their pattern."""

    command: tuple[str, ...]
    results: tuple[str, ...]


WORKS = {
    "train skeleton": Work(("train", "skeleton", "--config", "stage1.yaml"), ("run1/weights.safetensors",)),
    "train video": Work(("train", "video", "--config", "stage2.yaml"), ("run2/weights.safetensors",)),
    "data build": Work(
        ("data", "build", "films", "-o", "built", "--workers", "1", "--shortest", "0.5", "--longest", "1.5"),
        ("built/index.parquet", "built/shards/*"),
    ),
    "dance": Work(("dance", "song.wav", "--character", "mira", "--size", "96", "-o", "out/a.mp4"), ("out/a.mp4",)),
}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kills") / "inputs"
    write_inputs(folder)
    small = yaml.safe_load((folder / "config.yaml").read_text()) | {"steps": 60, "checkpoint_minutes": 0, "out": "run1"}
    (folder / "stage1.yaml").write_text(yaml.safe_dump(small))
    shutil.copy(Path(__file__).parents[2] / "configs" / "video_held_out.yaml", folder)
    (folder / "stage2.yaml").write_text(
        yaml.safe_dump(
            {
                "data": "dances",
                "drawn": 2,
                "clips": "",
                "people": "",
                "held_out": "video_held_out.yaml",
                "threads": 1,
                "compile": False,
                "learning_rate": 0.005,
                "crop": [64, 64],
            }
            | {"examples": "examples", "out": "run2", "steps": 30, "batch": 1, "regularise_from": 10, "warmup": 1}
            | {"checkpoint_minutes": 0, "model": {"widths": [8, 8, 8, 8], "blocks": [0, 0, 0, 0]}}
        )
    )
    (folder / "films").mkdir()
    for number in range(3):
        write_video(folder / "films" / f"{number}.mp4", list(character_frames(frames=40 + number)), 25)
    return folder


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    with Runner() as runner:
        yield runner


def results(work: Work, folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for pattern in work.results
        for path in sorted(folder.glob(pattern))
        if ".part" not in path.name
    }


@pytest.mark.parametrize("name", WORKS)
def test_killed_and_begun_again(name: str, inputs: Path, runner: Runner, tmp_path: Path) -> None:
    work, folder = WORKS[name], tmp_path / "case"
    copy_folder(inputs, folder)
    whole = runner.run(list(work.command), folder)
    assert whole.code == 0, whole.error[-500:]
    expected = results(work, folder)
    assert expected
    rng = np.random.default_rng(0)
    kills = TOTAL // len(WORKS)
    copy_folder(inputs, folder)
    done = 0
    while done < kills:
        outcome = runner.run(list(work.command), folder, kill_after=float(rng.uniform(0.02, 0.9)) * whole.seconds)
        found = results(work, folder)
        assert outcome.code in (0, -9), outcome.error[-500:]
        for file, content in found.items():
            if file.endswith(".safetensors"):
                load(content)  # those of the last checkpoint, whole
            else:
                assert content == expected[file], file
        done += outcome.code == -9
        if outcome.code == 0:  # it came to its end in spite of the kills before
            assert found == expected
            copy_folder(inputs, folder)
    outcome = runner.run(list(work.command), folder)
    assert outcome.code == 0, outcome.error[-500:]
    assert results(work, folder) == expected
    assert not [path for path in folder.rglob("*") if ".part" in path.name]
