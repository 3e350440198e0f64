import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from stgmamba.bench import video as bench
from stgmamba.bench.video import bench_video, print_table

from ..conftest import swaying


@pytest.fixture(autouse=True)
def _short_dance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "_repeated_dance", lambda seconds: swaying(round(25 * seconds)))


@pytest.mark.parametrize("quality", ["fast", "best"])
def test_figures_of_a_short_video(quality: str) -> None:
    figures = json.loads(json.dumps(bench_video(seconds=0.6, long=0, sizes=(128,), quality=quality)))
    assert figures["quality"] == quality
    video = figures["videos"]["128"]
    assert video["frames"] == 15
    assert video["fps"] > 0
    assert video["draw"] > 0
    assert video["encode"] > 0
    assert video["processor_ms"] > 0
    assert figures["memory"] is None
    assert "cores" in figures["machine"]


def test_figures_follow_from_the_seconds_of_each_part(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = {"wall": 0.0, "processor": 0.0}

    def work(wall: float, processor: float = 0.0) -> None:
        clock["wall"] += wall
        clock["processor"] += processor

    class Video:
        def frames(self) -> Iterator[np.ndarray]:
            for _ in range(20):
                work(0.25)
                yield np.zeros((8, 8, 3), np.uint8)

        def save(self, path: Path) -> None:
            work(4.0, 3.0)

    def load(*_: object) -> Video:
        work(1.5)
        return Video()

    monkeypatch.setattr(bench, "_build_video", load)
    monkeypatch.setattr(bench, "write_video", lambda *_: work(2.0))
    monkeypatch.setattr(time, "perf_counter", lambda: clock["wall"])
    monkeypatch.setattr(time, "process_time", lambda: clock["processor"])
    assert bench._time_video(swaying(20), np.zeros((8, 8, 3), np.uint8), 8, "best") == {
        "frames": 20,
        "prepare": 1.75,  # loading, and the first frame
        "total": 4.0,
        "fps": 5.0,
        "processor_ms": 150.0,
        "draw": 5.0,
        "encode": 2.0,
    }


def test_the_table_shows_times_and_memory() -> None:
    video = {"fps": 40.0, "processor_ms": 20.0, "total": 6.2, "draw": 4.0, "encode": 2.0, "prepare": 1.5}
    memory = {"short_seconds": 10.0, "short_mb": 700.0, "long_seconds": 600.0, "long_mb": 720.0}
    console = Console(record=True, width=100)
    print_table({"machine": {"cores": 2}, "quality": "best", "videos": {"256": video}, "memory": memory}, console)
    text = console.export_text()
    for piece in ("(best)", "256 x 256", "40.0 frames/s", "600 s: 720 MB"):
        assert piece in text


@pytest.mark.slow
def test_memory_does_not_grow_with_the_length() -> None:
    figures = bench._compare_memory(1.0, 3.0, "best")
    assert 100 < figures["before_mb"] <= figures["short_mb"]
    assert np.isclose(figures["long_mb"], figures["short_mb"], rtol=0.2)
