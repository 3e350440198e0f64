"""What a benchmark must say of the machine, and the memory it watches."""

from __future__ import annotations

import os
import platform
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

_STATM = Path("/proc/self/statm")

CAN_WATCH_MEMORY = _STATM.exists()
"""Whether the system tells resident memory (Linux does)."""


def machine() -> dict[str, Any]:
    """What figures of speed depend on: ``processor``, logical ``cores``, ``threads`` of torch."""
    return {"processor": _processor(), "cores": os.cpu_count(), "threads": torch.get_num_threads()}


def resident() -> int:
    """Resident memory of this process in bytes (Linux)."""
    return int(_STATM.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def peak_resident(work: Callable[[], object]) -> int:
    """Largest resident memory in bytes while ``work`` is done, looked at every millisecond."""
    peak, done = resident(), threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.001):
            peak = max(peak, resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        work()
    finally:
        done.set()
        watcher.join()
    return max(peak, resident())


def _processor() -> str:
    """The processor's name, as far as the system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
