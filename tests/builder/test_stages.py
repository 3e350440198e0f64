from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stgmamba.builder.stages import BuildOptions, Previous, Result, Stage, Video, run_stages

VIDEO = Video(Path("a.mp4"), "0" * 64)


class Counted:
    """Two stages, the second of which needs the first and reads one option, and how often each ran."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.stages = (Stage("one", 1, self.one), Stage("two", 1, self.two, options=("longest",), needs=("one",)))

    def one(self, video: Video, options: BuildOptions, previous: Previous) -> Result:
        self.ran.append("one")
        return Result({"length": 3}, {"numbers": np.arange(3)})

    def two(self, video: Video, options: BuildOptions, previous: Previous) -> Result:
        self.ran.append("two")
        return Result({"sum": int(previous["one"].arrays["numbers"].sum() * options.longest)})


def test_results_are_kept_and_read(tmp_path: Path) -> None:
    counted = Counted()
    first = run_stages(counted.stages, VIDEO, BuildOptions(), tmp_path)
    again = run_stages(counted.stages, VIDEO, BuildOptions(), tmp_path)
    assert counted.ran == ["one", "two"]
    assert first["two"].facts == again["two"].facts == {"sum": 30}
    np.testing.assert_array_equal(again["one"].arrays["numbers"], [0, 1, 2])


def test_a_stage_is_computed_again_with_those_that_need_it(tmp_path: Path) -> None:
    counted = Counted()
    run_stages(counted.stages, VIDEO, BuildOptions(), tmp_path)
    counted.ran.clear()
    run_stages(counted.stages, VIDEO, BuildOptions(longest=5), tmp_path)
    assert counted.ran == ["two"]  # an option that only it reads
    counted.ran.clear()
    run_stages((replace(counted.stages[0], version=2), counted.stages[1]), VIDEO, BuildOptions(), tmp_path)
    assert counted.ran == ["one", "two"]
    counted.ran.clear()
    run_stages(counted.stages, replace(VIDEO, sha256="1" * 64), BuildOptions(), tmp_path)
    assert counted.ran == ["one", "two"]
    counted.ran.clear()
    run_stages(counted.stages, VIDEO, BuildOptions(shortest=1), tmp_path)
    assert counted.ran == []  # an option that none reads


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 cut short"])
def test_damaged_results_are_computed_again(tmp_path: Path, damage: bytes) -> None:
    counted = Counted()
    run_stages(counted.stages, VIDEO, BuildOptions(), tmp_path)
    for path in tmp_path.glob("one-*"):
        path.write_bytes(damage)
    counted.ran.clear()
    assert run_stages(counted.stages, VIDEO, BuildOptions(), tmp_path)["one"].facts == {"length": 3}
    assert counted.ran == ["one"]


def test_the_same_result_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        run_stages(Counted().stages, VIDEO, BuildOptions(), tmp_path / name)
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert len(files) == 2
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in files)
