"""Runs command lines in processes of their own, quickly: one process imports the program, and forks for each of them.

The process that forks has only imported; threads and compiled code come to life in its children.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

MEMORY_MB = 2000
"""Resident memory that no damaged file may cost; the program itself takes about 700 with its networks."""

SECONDS = 90
"""Time after which a command counts as hanging, of a processor that others use too."""

_ADDRESSES = 12 * 2**30  # bytes of address space: what is beyond was asked for by a file


@dataclass(frozen=True)
class Outcome:
    """What became of a command.

    Attributes:
        code: its exit code; negative for a signal, as of one that was killed for its time.
        error: what it said on standard error.
        memory: largest resident memory, MB.
        seconds: wall time.
    """

    code: int
    error: str
    memory: float
    seconds: float


class Runner:
    """A process from which the commands are forked; a context manager."""

    def __enter__(self) -> Runner:
        environment = os.environ | {
            "OMP_NUM_THREADS": "1",
            "NUMBA_NUM_THREADS": "1",
            "PYTHONWARNINGS": "ignore",
            "STGM_DATA": ".",
        }
        root = Path(__file__).parents[2]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=root,
            env=environment,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def run(
        self, arguments: list[str], folder: Path, file_size: int | None = None, kill_after: float | None = None
    ) -> Outcome:
        """Run ``stgmamba`` with arguments in a folder.

        Args:
            arguments: of the command line.
            folder: to run in.
            file_size: bytes beyond which no file can be written, as on a full disk.
            kill_after: seconds after which it is killed (SIGKILL), with what it started.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps([arguments, str(folder), file_size, kill_after]), file=self._process.stdin, flush=True)
        return Outcome(**json.loads(self._process.stdout.readline()))


def _serve() -> None:
    import cv2  # noqa: F401
    import librosa  # noqa: F401
    import mediapipe  # noqa: F401
    import pyarrow.parquet  # noqa: F401
    import torch  # noqa: F401

    import stgmamba.builder.build
    import stgmamba.cli
    import stgmamba.music_to_skeleton.train
    import stgmamba.pipeline
    import stgmamba.skeleton_to_video.train  # noqa: F401

    for line in sys.stdin:
        arguments, folder, file_size, kill_after = json.loads(line)
        outcome = _fork(arguments, Path(folder), file_size, SECONDS if kill_after is None else kill_after)
        sys.stdout.write(json.dumps(outcome) + "\n")
        sys.stdout.flush()


def _fork(arguments: list[str], folder: Path, file_size: int | None, seconds: float) -> dict[str, object]:
    error, started = folder / "stderr", time.monotonic()
    child = os.fork()
    if child == 0:
        _become(arguments, folder, error, file_size)
    while True:
        found, status, usage = os.wait4(child, os.WNOHANG)
        if found:
            break
        if time.monotonic() - started > seconds:
            with suppress(ProcessLookupError):  # it has no group of its own yet
                os.killpg(child, signal.SIGKILL)
        time.sleep(0.01)
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # workers that it left
    return {
        "code": os.waitstatus_to_exitcode(status),
        "error": error.read_text(encoding="utf-8", errors="replace"),
        "memory": usage.ru_maxrss / 1024,
        "seconds": time.monotonic() - started,
    }


def _become(arguments: list[str], folder: Path, error: Path, file_size: int | None) -> None:
    """In the child: run the command and end."""
    code = 70
    try:
        os.setsid()
        os.chdir(folder)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(os.open(error, os.O_WRONLY | os.O_CREAT, 0o600), 2)
        resource.setrlimit(resource.RLIMIT_AS, (_ADDRESSES, _ADDRESSES))
        if file_size is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))
        from stgmamba.cli import main

        code = main(arguments)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def copy_folder(source: Path, target: Path) -> None:
    """A fresh copy of a folder in the place of what was there."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, symlinks=True)


if __name__ == "__main__":
    _serve()
