"""Properties of the machine that benchmarks report, and measurement of resident memory."""

from __future__ import annotations

import os
import platform
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

_STATM = Path("/proc/self/statm")

CAN_MEASURE_MEMORY = _STATM.exists()
"""Whether the system reports resident memory (Linux does)."""


def machine() -> dict[str, Any]:
    """``processor`` (model name), number of logical ``cores``, and ``threads`` of torch."""
    return {"processor": _processor(), "cores": os.cpu_count(), "threads": torch.get_num_threads()}


def resident_memory() -> int:
    """Resident memory of this process, bytes (Linux)."""
    return int(_STATM.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def peak_memory(function: Callable[[], object]) -> int:
    """Maximum resident memory of this process during a call, bytes, sampled every millisecond (Linux)."""
    peak, finished = resident_memory(), threading.Event()

    def sample() -> None:
        nonlocal peak
        while not finished.wait(0.001):
            peak = max(peak, resident_memory())

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        function()
    finally:
        finished.set()
        sampler.join()
    return max(peak, resident_memory())


def _processor() -> str:
    """Model name of the processor, or its architecture where the system does not report one."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
