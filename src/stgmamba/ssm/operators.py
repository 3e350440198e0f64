"""The kernels as PyTorch operators on CPU and CUDA, for autograd, torch.compile and torch.library.opcheck.

Defined without `torch.library.custom_op`, whose checks at every call take as long as a short scan.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from stgmamba.ssm import cpu


def _operator(name: str, function: Callable[..., Any], fake: Callable[..., Any]) -> Any:
    """Register a function of CPU tensors, and its fake implementation, which allocates its results only."""
    qualified = f"stgmamba::{name}"
    torch.library.define(qualified, torch.library.infer_schema(function, mutates_args=()))
    torch.library.impl(qualified, "cpu", function)
    torch.library.register_fake(qualified, fake)
    return getattr(torch.ops.stgmamba, name).default


def _scan_fake(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor | None, z: Tensor | None,
    delta_bias: Tensor | None, initial: Tensor | None, softplus: bool, reverse: bool, store_states: bool,
    return_last: bool,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    return cpu.allocate_forward(u, A, store_states, return_last, u.new_empty)


def _scan_backward_fake(
    dy: Tensor, dlast: Tensor, stored: Tensor, u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor,
    D: Tensor | None, z: Tensor | None, delta_bias: Tensor | None, initial: Tensor | None,
    softplus: bool, reverse: bool,
) -> cpu.Gradients:  # fmt: skip
    return cpu.allocate_backward(u, delta, B, z, initial, u.new_empty)


# Returns y, the last state (or empty), and the stored states that the backward pass recomputes from (or empty).
scan = _operator("selective_scan", cpu.forward, _scan_fake)
scan_backward = _operator("selective_scan_backward", cpu.backward, _scan_backward_fake)


def _on_gpu(name: str) -> Callable[..., Any]:
    """A function of gpu.py, which is imported at its first call only: builds of torch without CUDA lack Triton."""

    def call(*args: Any) -> Any:
        from stgmamba.ssm import gpu

        return getattr(gpu, name)(*args)

    return call


torch.library.impl("stgmamba::selective_scan", "cuda", _on_gpu("forward"))
torch.library.impl("stgmamba::selective_scan_backward", "cuda", _on_gpu("backward"))


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor, Tensor]) -> None:
    *tensors, ctx.softplus, ctx.reverse, _, _ = inputs
    ctx.save_for_backward(output[2], *tensors)


def _differentiate(ctx: Any, dy: Tensor, dlast: Tensor, dstored: Tensor) -> tuple[Tensor | None, ...]:
    stored, *tensors = ctx.saved_tensors
    du, ddelta, dA, dB, dC, dD, dz, dbias, dinitial = scan_backward(
        dy, dlast, stored, *tensors, ctx.softplus, ctx.reverse
    )
    D, z, bias, initial = tensors[5:]
    optional = [g if x is not None else None for g, x in ((dD, D), (dz, z), (dbias, bias), (dinitial, initial))]
    return du, ddelta, dA, dB, dC, *optional, None, None, None, None


torch.library.register_autograd("stgmamba::selective_scan", _differentiate, setup_context=_save)
