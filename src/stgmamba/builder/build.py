"""From sources to a data set: ``stgmamba data build``, and from a corpus of motion: ``stgmamba data import``.

A data set's folder holds ``index.parquet``, ``shards/``, ``report.json`` (what became of each source), ``README.md``
(its card) and ``work/``, the results of the stages by the content of each video. Running again does what is missing;
``work/`` may be deleted when nothing will be added any more.
"""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from stgmamba.builder.card import write_card
from stgmamba.builder.known_motion import content_hash
from stgmamba.builder.ray_cluster import run_on_ray
from stgmamba.builder.shards import SHARD_BYTES, remove_other_shards, write_shards
from stgmamba.builder.sources import Source, fetch, list_sources, sha256
from stgmamba.builder.stages import BuildOptions, Video
from stgmamba.builder.video import build_video, clip_rows, clips_file, video_of
from stgmamba.builder.workers import Limits, Outcome, run_in_workers
from stgmamba.datasets.clips import FILMED, write_index
from stgmamba.datasets.smpl22 import StyledDance
from stgmamba.datasets.styled import load_corpus
from stgmamba.errors import InputError
from stgmamba.files import atomic_output
from stgmamba.progress import Reporter, Silent

REPORT = "report.json"


@dataclass(frozen=True)
class Task:
    """One video for a worker process.

    Attributes:
        video: to work on.
        options: of the clips.
        folder: of its results.
        dance: whose drawn skeleton the video is, where it comes from a corpus of motion.
    """

    video: Video
    options: BuildOptions
    folder: Path
    dance: StyledDance | None = None

    @property
    def clips_file(self) -> Path:
        """The tar file of its clips."""
        return clips_file(self.video, self.options, self.folder, self.dance)


def run_task(task: Task) -> None:
    """Do all work on one video; what a worker process calls."""
    build_video(task.video, task.options, task.folder, task.dance)


def build_dataset(
    named: Sequence[str],
    output: Path,
    options: BuildOptions | None = None,
    *,
    workers: int | None = None,
    limits: Limits | None = None,
    ray: str | None = None,
    part: tuple[int, int] = (1, 1),
    retry: bool = False,
    shard_bytes: int = SHARD_BYTES,
    report: Reporter | None = None,
) -> dict[str, Any]:
    """Make a data set of the people who dance in videos, or add to one.

    Args:
        named: files, folders, lists and URLs, see `stgmamba.builder.sources.list_sources`.
        output: folder of the data set.
        options: of the clips.
        workers: processes; by default one per core.
        limits: of each video.
        ray: address of a Ray cluster, whose cores do the work in the place of processes here, see
            `stgmamba.builder.ray_cluster.run_on_ray`.
        part: (k, n) does the k-th of n parts of the videos, chosen by their content: n machines need not know of one
            another, and their sets are joined by `stgmamba data merge`.
        retry: try videos again that failed in an earlier run.
        shard_bytes: size of a shard from which on the next is begun.
        report: is told of the progress.

    Returns:
        The report: ``sources``, what became of each; ``clips``, ``hours`` and ``failed`` in numbers.

    Raises:
        InputError: a source that is named does not exist, no clip was found, the disk is full, or the cluster cannot
            be used.
    """
    options, limits, reporter = options or BuildOptions(), limits or Limits(), report or Silent()
    workers = workers or os.cpu_count() or 1
    check_build_options(options, workers, part)
    _make_folder(output)
    entries, videos = _identify(list_sources(named), output, part, reporter)
    work = output / "work"
    tasks = [Task(video, options, work / video.sha256) for video in videos]

    def execute(waiting: list[Task]) -> Iterator[Outcome[Task]]:
        if ray is None:
            return run_in_workers(run_task, waiting, workers, limits)
        return run_on_ray(run_task, [_from_anywhere(task) for task in waiting], ray, limits, work.absolute())

    failed = _run(tasks, execute, retry, reporter)
    return _assemble(output, entries, tasks, failed, shard_bytes, reporter)


def import_corpus(
    corpus: Path,
    output: Path,
    options: BuildOptions | None = None,
    *,
    licence: str = "",
    workers: int | None = None,
    shard_bytes: int = SHARD_BYTES,
    report: Reporter | None = None,
) -> dict[str, Any]:
    """Make a data set of clips of a corpus of motion: its skeletons drawn, its joints, its music, its splits.

    Lost are what its reader loses (`stgmamba.datasets.styled.load_corpus`), music whose timing is not reliable, and
    music of which only features are known.

    Args:
        corpus: folder, see `stgmamba.datasets.styled.load_corpus`.
        output: folder of the data set.
        options: of the clips.
        licence: of the corpus, for the index.
        workers: processes; by default one per core.
        shard_bytes: size of a shard from which on the next is begun.
        report: is told of the progress.

    Returns:
        The report, as `build_dataset`.

    Raises:
        InputError: the corpus cannot be read, or no dance of it is long enough.
    """
    options, reporter = options or BuildOptions(), report or Silent()
    workers = workers or os.cpu_count() or 1
    check_build_options(options, workers, (1, 1))
    _make_folder(output)
    entries: list[dict[str, Any]] = []
    tasks: dict[str, Task] = {}
    for split, dance in load_corpus(corpus):
        digest = content_hash(dance)
        song = "" if dance.audio_path is None else f"{dance.audio_path.parent.name}/{dance.audio_path.name}"
        source = Source(f"{corpus}/{dance.id}", dance.style or "", song, licence=licence)
        entry: dict[str, Any] = {"source": source, "sha256": digest, "split": split}
        if digest in tasks:
            entry |= {"sha256": "", "state": "same", "reason": "the same movement and music as another dance"}
        else:
            folder = output / "work" / digest
            tasks[digest] = Task(Video(folder / "drawn.mp4", digest), options, folder, dance)
        entries.append(entry)
    execute = partial(run_in_workers, run_task, workers=workers, limits=Limits())
    failed = _run(list(tasks.values()), execute, False, reporter)
    return _assemble(output, entries, list(tasks.values()), failed, shard_bytes, reporter)


def _assemble(
    output: Path,
    entries: list[dict[str, Any]],
    tasks: list[Task],
    failed: dict[str, str],
    shard_bytes: int,
    reporter: Reporter,
) -> dict[str, Any]:
    """Write shards, index, report and card from what the tasks left; returns the report."""
    rows: list[dict[str, Any]] = []
    tars: dict[str, Path] = {}
    for task in sorted(tasks, key=lambda task: task.video.sha256):
        entry = next(entry for entry in entries if entry["sha256"] == task.video.sha256)
        if task.video.sha256 in failed:
            entry |= {"state": "failed", "reason": failed[task.video.sha256]}
            continue
        tar = task.clips_file
        facts = json.loads(tar.with_suffix(".json").read_text(encoding="utf-8"))
        movement = FILMED if task.dance is None else task.dance.source
        found = clip_rows(task.video, entry["source"], facts["clips"], movement)
        if "split" in entry:
            found = [row | {"split": entry["split"]} for row in found]
        entry |= {"state": "done", "clips": len(found), "seconds": facts["seconds"], "dropped": facts["dropped"]}
        entry |= {"breaks": facts["breaks"], "given_poses": facts["given_poses"]}
        rows += found
        tars[task.video.sha256] = tar

    def read(row: dict[str, Any], suffix: str) -> bytes:
        with tarfile.open(tars[row["sha256"]]) as tar:
            stream = tar.extractfile(f"{row['key']}.{suffix}")
            assert stream is not None, "the tar holds files only"
            return stream.read()

    summary: dict[str, Any] = {
        "clips": len(rows),
        "hours": round(sum(row["seconds"] for row in rows) / 3600, 4),
        "failed": sum(entry["state"] == "failed" for entry in entries),
        "sources": [{**entry, "source": entry["source"].file} for entry in entries],
    }
    with reporter.stage("shards") as progress:
        if rows:
            rows = write_shards(output, rows, read, progress, shard_bytes)
            write_index(output, rows)
            remove_other_shards(output, rows)
        with atomic_output(output / REPORT) as file:
            file.write_text(json.dumps(summary, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        if not rows:
            raise InputError(f"{output / REPORT}: no clip of a person was found in any source; it says why of each.")
        write_card(output)
    return summary


def check_build_options(options: BuildOptions, workers: int, part: tuple[int, int]) -> None:
    """Raise InputError for options that are out of range."""
    if not 0.5 <= options.shortest <= options.longest <= 60:
        raise InputError(
            f"clips of {options.shortest:g} to {options.longest:g} s are out of range; use 0.5 to 60, "
            "the shortest first."
        )
    if not 64 <= options.height <= 2160:
        raise InputError(f"height {options.height} is out of range; use 64 to 2160 rows.")
    if workers < 1:
        raise InputError(f"{workers} workers can do nothing; use 1 or more.")
    if not 1 <= part[0] <= part[1]:
        raise InputError(f"part {part[0]}/{part[1]} does not exist; use 1/{part[1]} to {part[1]}/{part[1]}.")


def parse_part(text: str) -> tuple[int, int]:
    """A part as users write it, such as ``2/10``. Raises InputError where it is written otherwise."""
    number, _, count = text.partition("/")
    if not (number.isdecimal() and count.isdecimal()):
        raise InputError(f"--part {text}: write K/N, as in 2/10 for the second of ten machines.")
    return int(number), int(count)


def _make_folder(output: Path) -> None:
    try:
        (output / "work").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{output}: cannot be a data set's folder ({error.strerror}); choose another.") from error


def _identify(
    sources: list[Source], output: Path, part: tuple[int, int], reporter: Reporter
) -> tuple[list[dict[str, Any]], list[Video]]:
    """An entry of the report for each source, and the videos of different content that belong to this part."""
    entries: list[dict[str, Any]] = []
    videos: dict[str, Video] = {}
    first_of: dict[str, str] = {}
    with reporter.stage("sources") as progress:
        for n, source in enumerate(sources):
            entry: dict[str, Any] = {"source": source, "sha256": ""}
            try:
                path = fetch(source, output / "downloads")
                digest = sha256(path)
                if int(digest[:8], 16) % part[1] != part[0] - 1:
                    continue
                if digest in first_of:
                    entry |= {"state": "same", "reason": f"the same content as {first_of[digest]}"}
                else:
                    entry["sha256"] = digest
                    first_of[digest] = source.file
                    videos[digest] = video_of(path, digest, source)
            except InputError as error:
                entry |= {"state": "failed", "reason": str(error)}
            entries.append(entry)
            progress(n + 1, len(sources))
    return entries, list(videos.values())


def _from_anywhere(task: Task) -> Task:
    """A task with absolute paths, for processes that run in another folder."""
    poses = task.video.poses
    video = replace(task.video, path=task.video.path.absolute(), poses=None if poses is None else poses.absolute())
    return replace(task, video=video, folder=task.folder.absolute())


def _run(
    tasks: list[Task], execute: Callable[[list[Task]], Iterator[Outcome[Task]]], retry: bool, reporter: Reporter
) -> dict[str, str]:
    """Do the tasks that are not done; returns the reasons of those that failed, by the video's hash."""
    failed: dict[str, str] = {}
    waiting = []
    for task in tasks:
        known = _failure(task)
        if task.clips_file.with_suffix(".json").exists():
            continue
        if known and not retry:
            failed[task.video.sha256] = known
        else:
            waiting.append(task)
    done = len(tasks) - len(waiting)
    with reporter.stage("videos") as progress:
        progress(done, len(tasks))
        for outcome in execute(waiting):
            done += 1
            progress(done, len(tasks))
            if outcome.reason:
                task = outcome.item
                reason = f"{task.video.path}: {outcome.reason}" if str(task.video.path) not in outcome.reason else ""
                failed[task.video.sha256] = reason or outcome.reason
                task.folder.mkdir(parents=True, exist_ok=True)
                with atomic_output(_failure_file(task)) as file:
                    file.write_text(failed[task.video.sha256], encoding="utf-8")
                reporter.warn(failed[task.video.sha256])
    return failed


def _failure(task: Task) -> str:
    """Why a video failed in an earlier run; "" where it did not."""
    path = _failure_file(task)
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _failure_file(task: Task) -> Path:
    """Where the reason of a failure is kept; other poses beside the video are another try."""
    return task.folder / f"failed{task.video.poses_sha256[:16]}.txt"
