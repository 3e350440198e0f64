"""No damaged or hostile file leads to a traceback, a hang, a file out of place, or more memory than stated.

``STGM_FAULTS`` says how many files are tried in all (``make test-faults``: 1000); ``STGM_FAULTS_REPORT`` names a JSON
file for the counts, ``STGM_FAULTS_KEEP`` a folder for the files that led to a fault.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest

from .inputs import KINDS, Kind, train_once, write_inputs
from .mutations import TRACE
from .process import MEMORY_MB, Outcome, Runner, copy_folder

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="forks, and limits processes as Linux does"),
    pytest.mark.timeout(7200),
]

TOTAL = int(os.environ.get("STGM_FAULTS", "62"))


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faults") / "inputs"
    write_inputs(folder)
    train_once(folder)
    shards = folder / "set" / "shards"
    assert len(list(shards.iterdir())) == 1
    return folder


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    with Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def counts() -> Iterator[dict[str, Counter[str]]]:
    counts: dict[str, Counter[str]] = {}
    yield counts
    if "STGM_FAULTS_REPORT" in os.environ:
        path = Path(os.environ["STGM_FAULTS_REPORT"])
        path.parent.mkdir(parents=True, exist_ok=True)
        known = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps(known | {kind: dict(count) for kind, count in counts.items()}, indent=1))


def listing(folder: Path) -> set[str]:
    """Files of a folder, without those of the folder for output and of a run."""
    names = {str(path.relative_to(folder)) for path in folder.rglob("*")}
    return {name for name in names if name.split("/")[0] not in ("out", "run", "stderr")}


def complaints(outcome: Outcome, folder: Path, before: set[str]) -> list[str]:
    """What is wrong with how a command ended."""
    wrong = []
    last = outcome.error.strip().splitlines()[-1:] or [""]
    if outcome.code not in (0, 2):
        wrong.append(f"exit code {outcome.code} after {outcome.seconds:.0f} s: {last[0][:300]}")
    if "Traceback" in outcome.error:
        wrong.append("a traceback")
    if outcome.code == 2 and not (last[0].rstrip().endswith(".") and len(last[0]) > 20):
        wrong.append(f"no sentence: {last[0][:300]!r}")
    if outcome.memory > MEMORY_MB:
        wrong.append(f"{outcome.memory:.0f} MB of memory")
    if made := listing(folder) ^ before:
        wrong.append(f"files outside of the folder for output: {sorted(made)[:5]}")
    left = [path.name for path in (folder / "out").rglob("*") if ".part" in path.name]
    if left:
        wrong.append(f"left over: {left}")
    if outcome.code == 2 and [path for path in (folder / "out").iterdir() if path.is_file()]:
        wrong.append("an output in spite of the error")
    if TRACE.exists():
        wrong.append("it did what the file said")
        TRACE.unlink()
    return wrong


def real_name(kind: Kind, folder: Path) -> str:
    if "SHARD" not in kind.file:
        return kind.file
    return str(next((folder / "set" / "shards").iterdir()).relative_to(folder))


@pytest.mark.parametrize("name", KINDS)
def test_good_files_are_read(name: str, inputs: Path, runner: Runner, tmp_path: Path) -> None:
    folder = tmp_path / "case"
    for command in KINDS[name].commands:
        copy_folder(inputs, folder)
        outcome = runner.run(list(command), folder)
        assert outcome.code == 0, outcome.error[-500:]


@pytest.mark.parametrize("name", KINDS)
def test_damaged_files(
    name: str, inputs: Path, runner: Runner, counts: dict[str, Counter[str]], tmp_path: Path
) -> None:
    kind = KINDS[name]
    rng = np.random.default_rng(crc32(name.encode()))
    good = (inputs / real_name(kind, inputs)).read_bytes()
    folder, wrong = tmp_path / "case", []
    count = counts.setdefault(name, Counter())
    peak = 0.0
    for number in range(max(1, TOTAL // len(KINDS))):
        # Many files try every mutation in turn, few ones some by chance.
        turn = number if TOTAL > 500 else int(rng.integers(len(kind.mutations)))
        mutation = kind.mutations[turn % len(kind.mutations)]
        command = kind.commands[number % len(kind.commands)]
        content = mutation(good, rng)
        copy_folder(inputs, folder)
        (folder / real_name(kind, inputs)).write_bytes(content)
        before = listing(folder)
        outcome = runner.run(list(command), folder)
        found = complaints(outcome, folder, before)
        count["tried"] += 1
        count["read" if outcome.code == 0 else "refused" if outcome.code == 2 else "failed"] += 1
        peak = max(peak, outcome.memory)
        if found:
            count["wrong"] += 1
            wrong.append(f"{number}: {mutation.__name__}, {' '.join(command)}: {'; '.join(found)}")
            if keep := os.environ.get("STGM_FAULTS_KEEP"):
                Path(keep).mkdir(parents=True, exist_ok=True)
                shutil.copy(folder / real_name(kind, inputs), Path(keep) / f"{name}-{number}-{Path(kind.file).name}")
    count["memory"] = round(peak)
    assert not wrong, "\n".join(wrong)
