"""The figures of docs/benchmarks.md about the selective scan: `python benchmarks/scan.py`, a few minutes.

Speed against the reference and mambapy, time per step at lengths from 1,000 to 90,000, and the memory a forward and
backward pass takes on top of its inputs.
"""

from __future__ import annotations

import multiprocessing
from typing import Any

import torch

from stgmamba.bench.scan import Shape, bench_lengths, bench_scan, make_inputs, print_table
from stgmamba.machine import peak_memory, resident_memory
from stgmamba.ssm import selective_scan


def measure_memory(shape: Shape) -> dict[str, float]:
    """Peak memory of forward and backward beyond inputs, outputs and gradients, over inputs plus outputs."""
    make = make_inputs(Shape("warm", 2, 100, 16, shape.states))
    torch.autograd.grad(selective_scan(**make, delta_softplus=True).sum(), list(make.values()))  # compile first
    inputs = make_inputs(shape)
    dy = torch.randn(shape.batch, shape.length, shape.channels).transpose(1, 2)
    done: dict[str, Any] = {}

    def scan_and_back() -> None:
        done["y"] = selective_scan(**inputs, delta_softplus=True)
        done["gradients"] = torch.autograd.grad(done["y"], list(inputs.values()), dy)

    before = resident_memory()
    peak = peak_memory(scan_and_back)
    y, gradients = done["y"], done["gradients"]
    size = sum(x.numel() * 4 for x in inputs.values()) + 2 * y.numel() * 4  # u, delta, ..., dy and y
    results = sum(x.numel() * 4 for x in gradients) + y.numel() * 4
    return {
        "inputs_and_outputs_mb": size / 1e6,
        "extra_mb": (peak - before - results) / 1e6,
        "ratio": (peak - before - results) / size,
    }


def main() -> None:
    print_table(bench_scan())
    print("\nBest time per step in one thread, B = 1, D = 128, N = 16")
    for row in bench_lengths():
        forward, both = row["forward_ns_per_step"], row["forward_backward_ns_per_step"]
        print(f"  L = {row['length']:>6,}   forward {forward:7.0f} ns   forward + backward {both:7.0f} ns")
    print("\nMemory of forward + backward beyond inputs, outputs and gradients")
    for shape in (Shape("long", 4, 20_000, 128, 16), Shape("spatial", 20_000, 18, 128, 16)):
        with multiprocessing.get_context("spawn").Pool(1) as fresh:
            memory = fresh.apply(measure_memory, (shape,))
        print(f"  {shape.name:8} {memory['extra_mb']:6.0f} MB = {memory['ratio']:.2f} x inputs and outputs")


if __name__ == "__main__":
    main()
