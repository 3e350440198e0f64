"""Benchmark of the selective scan: reference, mambapy's parallel scan, and the upper bound set by exponentials."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.nn import functional

from stgmamba.machine import machine
from stgmamba.ssm.cpu_kernels import exponentials
from stgmamba.ssm.reference import selective_scan_reference
from stgmamba.ssm.scan import selective_scan


class Shape(NamedTuple):
    """Size of a scan."""

    name: str
    batch: int
    length: int
    channels: int
    states: int

    @property
    def updates(self) -> int:
        """Number of state updates, and so of exponentials, of a forward pass."""
        return self.batch * self.length * self.channels * self.states


SHAPES = (
    Shape("long", 4, 2048, 128, 16),
    Shape("spatial", 2048, 18, 128, 16),
    Shape("spatial, small", 2048, 18, 64, 8),
    Shape("temporal", 368, 100, 128, 8),
)
LENGTHS = (1_000, 3_000, 10_000, 30_000, 90_000)

Scan = Callable[..., Tensor]


def bench_scan(shapes: Sequence[Shape] = SHAPES, repeats: int = 5, seed: int = 0) -> dict[str, Any]:
    """Time all scans on the CPU, forward and forward + backward, alternately; float32, channel-last, softplus, skip.

    Returns:
        A dictionary for JSON: ``machine``; ``exponentials_per_second``, the upper bound of state updates per second (a
        loop of the kernel's exponential, on all threads); and ``results``, per shape and pass: the medians ``ours_ms``,
        ``reference_ms`` and ``mambapy_ms`` (None where it is not installed), ``speedup`` (of ours relative to the
        faster of the others), and, forward only, ``updates_per_second`` and ``fraction_of_limit``.
    """
    scans: dict[str, Scan] = {
        "ours": cast(Scan, selective_scan),
        "reference": cast(Scan, selective_scan_reference),
    }
    mambapy = _mambapy_scan()
    if mambapy is not None:
        scans["mambapy"] = mambapy
    limit = measure_exponentials()
    results = []
    for shape in shapes:
        for backward in (False, True):
            times = _time_scans(scans, shape, backward, repeats, seed)
            ours, *others = times.values()
            row: dict[str, Any] = {"shape": shape._asdict(), "pass": "forward + backward" if backward else "forward"}
            row |= {
                f"{name}_ms": 1e3 * times[name] if name in times else None for name in ("ours", "reference", "mambapy")
            }
            row["speedup"] = min(others) / ours
            if not backward:
                row |= {"updates_per_second": shape.updates / ours, "fraction_of_limit": shape.updates / ours / limit}
            results.append(row)
    torch_facts = {"torch": torch.__version__, "instructions": torch.backends.cpu.get_cpu_capability()}
    return {"machine": machine() | torch_facts, "exponentials_per_second": limit, "results": results}


def bench_lengths(lengths: Sequence[int] = LENGTHS, repeats: int = 15, seed: int = 0) -> list[dict[str, float]]:
    """Time our scan of one sequence of 128 channels and 16 states at several lengths, in one thread.

    Returns:
        Per length the minimum time per step, nanoseconds, forward and forward + backward. The minimum, since other
        processes only increase times, by more than the differences between lengths. Lengths alternate; short ones are
        repeated more often.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    scan = {"ours": cast(Scan, selective_scan)}
    best = {(length, backward): float("inf") for length in lengths for backward in (False, True)}
    try:
        for _ in range(repeats):
            for length, backward in best:
                shape = Shape("length", 1, length, 128, 16)
                rounds = max(1, max(lengths) // length // 3)
                seconds = _time_scans(scan, shape, backward, rounds, seed, best=True)["ours"]
                best[length, backward] = min(best[length, backward], seconds / length * 1e9)
    finally:
        torch.set_num_threads(threads)
    return [
        {
            "length": length,
            "forward_ns_per_step": best[length, False],
            "forward_backward_ns_per_step": best[length, True],
        }
        for length in lengths
    ]


def measure_exponentials(seconds: float = 0.3) -> float:
    """Exponentials of the kernel per second, on all threads, best of five runs."""
    threads, size = torch.get_num_threads(), 4096
    blocks = [np.linspace(0, 1, size, dtype=np.float32) for _ in range(threads)]
    exponentials(1, blocks[0])
    repeats = max(1, int(seconds / 5 * 1e9 / size))
    best = 0.0
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(5):
            start = time.perf_counter()
            list(pool.map(lambda block: exponentials(repeats, block), blocks))
            best = max(best, threads * repeats * size / (time.perf_counter() - start))
    return best


def print_table(figures: dict[str, Any], console: Console | None = None) -> None:
    """Print the results of `bench_scan`."""
    table = Table(title=f"Selective scan, {figures['machine']['threads']} threads, float32, median milliseconds")
    for column in ("shape", "B", "L", "D", "N", "pass"):
        table.add_column(column)
    for column in ("ours", "reference", "mambapy", "speed-up", "of the limit"):
        table.add_column(column, justify="right")
    for row in figures["results"]:
        shape = row["shape"]
        times = (row[f"{name}_ms"] for name in ("ours", "reference", "mambapy"))
        table.add_row(
            *(str(shape[key]) for key in ("name", "batch", "length", "channels", "states")),
            row["pass"],
            *("-" if t is None else f"{t:.1f}" for t in times),
            f"{row['speedup']:.1f} x",
            f"{row['fraction_of_limit']:.0%}" if "fraction_of_limit" in row else "",
        )
    console = console or Console()
    console.print(table)
    limit = figures["exponentials_per_second"]
    console.print(f"The limit: {limit / 1e9:.2f} billion exponentials per second and nothing else.")


def make_inputs(shape: Shape, seed: int = 0) -> dict[str, Tensor]:
    """Random inputs of a scan, channel-last, requiring gradients; step sizes as in an untrained SSM."""
    generator = torch.Generator().manual_seed(seed)

    def rows(width: int) -> Tensor:
        return torch.randn(shape.batch, shape.length, width, generator=generator).transpose(1, 2)

    inputs = {
        "u": rows(shape.channels),
        "delta": rows(shape.channels) * 0.1,
        "A": -torch.arange(1.0, shape.states + 1).repeat(shape.channels, 1),
        "B": rows(shape.states),
        "C": rows(shape.states),
        "D": torch.ones(shape.channels),
        "delta_bias": torch.rand(shape.channels, generator=generator) * 4.6 - 6.9,
    }
    return {name: tensor.requires_grad_() for name, tensor in inputs.items()}


def _time_scans(
    scans: dict[str, Scan], shape: Shape, backward: bool, repeats: int, seed: int, best: bool = False
) -> dict[str, float]:
    """Seconds of each scan, the median or the minimum of ``repeats`` rounds over all scans.

    In a round each scan is called twice and the second call is timed, after the first has filled the caches.
    """
    inputs = make_inputs(shape, seed)
    weights = torch.randn(shape.batch, shape.length, shape.channels).transpose(1, 2)
    times: dict[str, list[float]] = {name: [] for name in scans}
    for _ in range(repeats):
        for name, scan in scans.items():
            for _ in range(2):
                start = time.perf_counter()
                with torch.set_grad_enabled(backward):
                    y = scan(**inputs, delta_softplus=True)
                if backward:
                    torch.autograd.grad(y, list(inputs.values()), weights)
                seconds = time.perf_counter() - start
                del y
            times[name].append(seconds)
    return {name: min(seconds) if best else median(seconds) for name, seconds in times.items()}


def _mambapy_scan() -> Scan | None:
    """The scan of mambapy with our signature; None where it is not installed."""
    try:
        from mambapy.pscan import pscan
    except ImportError:
        return None

    def scan(
        u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, delta_bias: Tensor, delta_softplus: bool
    ) -> Tensor:
        u, B, C = (x.transpose(1, 2) for x in (u, B, C))  # [B, L, ..]
        dt = delta.transpose(1, 2) + delta_bias
        dt = functional.softplus(dt) if delta_softplus else dt
        decay = torch.exp(dt[..., None] * A)  # [B, L, D, N]
        h = pscan(decay, (dt * u)[..., None] * B[:, :, None])
        y = (h @ C[..., None]).squeeze(3) + D * u
        return cast(Tensor, y.transpose(1, 2))

    return scan
