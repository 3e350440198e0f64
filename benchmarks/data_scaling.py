"""Video-seconds a second of the data set builder with one and two workers, against MediaPipe alone on the same frames.

python benchmarks/data_scaling.py [--ray] VIDEO...

Wall time, so the machine must have nothing else to do. MediaPipe alone decodes the frames and estimates a pose in each,
in one process and in two. ``--ray`` measures the builder on a Ray cluster of this machine, too.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from stgmamba.builder.build import build_dataset
from stgmamba.builder.workers import Limits, run_in_workers
from stgmamba.person.pose import estimate_frames
from stgmamba.progress import Silent
from stgmamba.video_io import probe, read_video


def estimate_alone(path: Path) -> None:
    """The poses of a video, which are thrown away."""
    reader = read_video(path)
    estimate_frames(iter(reader), reader.fps, reader.size)


def wall_time(work: Callable[[], object]) -> float:
    """Seconds that something takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def build(videos: list[Path], workers: int, ray: str | None = None) -> None:
    """A data set that is thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        build_dataset([str(each) for each in videos], Path(folder) / "set", workers=workers, ray=ray, report=Silent())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("videos", type=Path, nargs="+")
    parser.add_argument("--ray", action="store_true")
    chosen = parser.parse_args()
    videos: list[Path] = chosen.videos
    seconds = sum(probe(path).seconds for path in videos)

    def alone(workers: int) -> None:
        list(run_in_workers(estimate_alone, videos, workers, Limits()))

    print(f"{len(videos)} videos, {seconds:.1f} s; video-seconds a second:")
    for workers in (1, 2):
        print(
            f"  MediaPipe alone, {workers} process(es)  {seconds / wall_time(partial(alone, workers)):6.2f}",
            flush=True,
        )
    for workers in (1, 2):
        taken = wall_time(partial(build, videos, workers))
        print(f"  data build, {workers} worker(s)         {seconds / taken:6.2f}", flush=True)
    if chosen.ray:
        taken = wall_time(partial(build, videos, 1, "local"))
        print(f"  data build, Ray on all cores    {seconds / taken:6.2f}", flush=True)


if __name__ == "__main__":
    main()
