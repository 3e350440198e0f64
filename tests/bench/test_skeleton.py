import json
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from rich.console import Console

from stgmamba.bench.skeleton import bench_skeleton, demo_song, print_table
from stgmamba.music.decode import SAMPLE_RATE


def test_the_demo_song_goes_on_without_missing_a_beat() -> None:
    song = demo_song(45.0)
    assert song.seconds == 45.0
    bars = 20 * SAMPLE_RATE  # ten bars at 120 bpm
    np.testing.assert_array_equal(song.samples[:bars], song.samples[bars : 2 * bars])


@pytest.fixture
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Here and in processes started from here: where other work runs, threads wait for each other for seconds."""
    threads = torch.get_num_threads()
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_figures_of_a_short_song() -> None:
    figures = json.loads(json.dumps(bench_skeleton(seconds=3.0, short=2.0, times=2, repeats=1)))
    song, length, memory, attention = (figures[part] for part in ("song", "length", "memory", "attention"))
    assert song["total"] > 0
    assert abs(song["listening"] + song["network"] + song["settling"] - song["total"]) < 1e-6
    assert length["long_seconds"] == 4.0
    assert abs(length["ratio"] - length["long"] / length["short"] / 2) < 1e-9
    # A process with torch in it, and not a leak.
    assert memory is None or 100 < memory["before_mb"] <= memory["peak_mb"] < 3000
    assert attention["frames"] == 38
    assert abs(attention["attention_parameters"] / attention["ours_parameters"] - 1) < 0.02
    console = Console(record=True, width=100)
    print_table(figures, console)
    assert "peak resident memory" in console.export_text() or memory is None
