import json
from collections.abc import Iterator

import pytest
import torch
from rich.console import Console

from stgmamba.bench import skeleton as bench
from stgmamba.bench.skeleton import bench_skeleton, print_table
from stgmamba.music.decode import Song
from stgmamba.music_to_skeleton.sampler import load_sampler


@pytest.fixture
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One thread, also in child processes: on a busy machine threads wait for each other for seconds."""
    threads = torch.get_num_threads()
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_figures_follow_from_the_times(monkeypatch: pytest.MonkeyPatch) -> None:
    def times(sampler: object, song: Song) -> dict[str, float]:
        return {"audio features": 0.01 * song.seconds, "network": 0.02 * song.seconds, "post-processing": 0.5}

    monkeypatch.setattr(bench, "_time_parts", times)
    monkeypatch.setattr(bench, "_peak_memory", lambda *_: None)
    monkeypatch.setattr(bench, "_time_attention", lambda *_: {})
    figures = bench_skeleton(seconds=20.0, short=10.0, times=4, repeats=3)
    assert figures["song"]["network"] == pytest.approx(0.4)
    assert figures["song"]["total"] == pytest.approx(0.2 + 0.4 + 0.5)
    length = figures["length"]
    assert (length["short"], length["long"]) == pytest.approx((0.8, 1.7))
    assert length["ratio"] == pytest.approx(1.7 / 0.8 / 4)


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_figures_of_a_short_song() -> None:
    figures = json.loads(json.dumps(bench_skeleton(seconds=3.0, short=2.0, times=2, repeats=1)))
    song, length, memory, attention = (figures[part] for part in ("song", "length", "memory", "attention"))
    assert song["total"] > 0
    parts = [song[part] for part in ("audio features", "network", "post-processing")]
    assert min(parts) > 0
    assert max(parts) < song["total"]
    assert length["long_seconds"] == 4.0
    # Which of the two took longer is left to chance where other programs run: only the benchmark compares times.
    assert min(length["short"], length["long"], length["ratio"]) > 0
    # Plausible for a process with torch.
    assert memory is None or 100 < memory["before_mb"] <= memory["peak_mb"] < 3000
    assert attention["frames"] == 38 * load_sampler().model.config.frames_per_music_frame
    assert abs(attention["attention_parameters"] / attention["ours_parameters"] - 1) < 0.02
    console = Console(record=True, width=100)
    print_table(figures, console)
    assert "peak resident memory" in console.export_text() or memory is None
