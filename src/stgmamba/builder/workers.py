"""Worker processes that are given one video at a time, and lose only that one when it hangs, grows or crashes.

A process keeps its models loaded from video to video. One that exceeds the time or the memory of a video, or dies, is
replaced, and the reason is recorded for the video.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Generic, TypeVar

from stgmamba.errors import InputError

Item = TypeVar("Item")

_WATCH_SECONDS = 0.5  # between looks at time and memory
_DISK_FULL = ("No space left on device", "Disk quota exceeded")


@dataclass(frozen=True)
class Limits:
    """What one video may cost.

    Attributes:
        seconds: of wall time.
        megabytes: of resident memory of its process (watched on Linux only).
    """

    seconds: float = 3600.0
    megabytes: float = 4096.0


@dataclass(frozen=True)
class Outcome(Generic[Item]):
    """What became of an item.

    Attributes:
        item: as it was given.
        reason: why it failed, in words; "" where it did not.
        seconds: wall time it took.
    """

    item: Item
    reason: str
    seconds: float


@dataclass
class _Worker:
    process: BaseProcess
    pipe: Connection
    item: Any = None
    started: float = 0.0
    busy: bool = False


def run_in_workers(
    function: Callable[[Item], None], items: Sequence[Item], workers: int, limits: Limits
) -> Iterator[Outcome[Item]]:
    """Call a function with each item in worker processes; yields outcomes in the order in which they come.

    Args:
        function: importable by name; an `InputError` it raises is the item's reason.
        items: that can be pickled.
        workers: number of processes.
        limits: of each item.

    Raises:
        InputError: the disk is full, which more work would not mend.
    """
    waiting = list(reversed(items))
    pool = [_start(function) for _ in range(min(workers, len(items)))]
    try:
        while waiting or any(worker.busy for worker in pool):
            for i, worker in enumerate(pool):
                if not worker.busy and waiting:
                    pool[i] = _give(worker, waiting.pop(), function)
            ready = wait([worker.pipe for worker in pool if worker.busy], timeout=_WATCH_SECONDS)
            for i, worker in enumerate(pool):
                if not worker.busy:
                    continue
                taken = time.monotonic() - worker.started
                if worker.pipe in ready:
                    reason, fatal, dead = _answer(worker)
                else:
                    reason, fatal = _excess(worker, taken, limits), False
                    dead = bool(reason)
                    if not dead:
                        continue
                if fatal:
                    raise InputError(reason)
                yield Outcome(worker.item, reason, taken)
                worker.busy = False
                if dead:
                    _stop(worker)
                    pool[i] = _start(function)
    finally:
        for worker in pool:
            _stop(worker)


def _start(function: Callable[[Any], None]) -> _Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(function, theirs), daemon=True)
    process.start()
    theirs.close()
    return _Worker(process, ours)


def _give(worker: _Worker, item: Any, function: Callable[[Any], None]) -> _Worker:
    """Give an item to a worker, or to a new one where it died while it had nothing to do."""
    try:
        worker.pipe.send(item)
    except OSError:
        _stop(worker)
        worker = _start(function)
        worker.pipe.send(item)
    worker.item, worker.started, worker.busy = item, time.monotonic(), True
    return worker


def _answer(worker: _Worker) -> tuple[str, bool, bool]:
    """The reason a worker gives, whether it ends all work, and whether the worker is dead."""
    try:
        reason, fatal = worker.pipe.recv()
        return reason, fatal, False
    except (EOFError, OSError):
        worker.process.join(timeout=5)
        code = worker.process.exitcode
        name = signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"
        return (
            f"its process crashed ({name}); the file is damaged in a way that the decoder does not survive.",
            False,
            True,
        )


def _excess(worker: _Worker, taken: float, limits: Limits) -> str:
    if taken > limits.seconds:
        return f"it took more than {limits.seconds:g} s; raise --time-limit or cut it."
    megabytes = _resident_megabytes(worker.process.pid)
    if megabytes > limits.megabytes:
        return f"it took more than {limits.megabytes:g} MB of memory; raise --memory-limit or cut it."
    return ""


def _resident_megabytes(process: int | None) -> float:
    """Resident memory of a process; 0 where the system does not tell."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
    except (OSError, ValueError, IndexError):
        return 0.0


def _stop(worker: _Worker) -> None:
    worker.process.kill()
    worker.process.join()
    worker.pipe.close()


def _work(function: Callable[[Any], None], pipe: Connection) -> None:
    """What a worker process does until its pipe is closed."""
    # Ctrl-C reaches all processes of a terminal; the one that started this one decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    import cv2

    cv2.setNumThreads(1)
    with suppress(EOFError, OSError):
        while True:
            item = pipe.recv()
            pipe.send(_outcome_of(function, item))


def _outcome_of(function: Callable[[Any], None], item: Any) -> tuple[str, bool]:
    try:
        function(item)
    except InputError as error:
        return str(error), any(text in str(error) for text in _DISK_FULL)
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        return f"this is a fault in stgmamba ({text}); please report it.", any(full in text for full in _DISK_FULL)
    return "", False
