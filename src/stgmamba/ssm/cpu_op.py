"""The CPU kernel as PyTorch operators, so that autograd, torch.compile and torch.library.opcheck know them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from stgmamba.ssm import cpu


@torch.library.custom_op("stgmamba::selective_scan", mutates_args=(), device_types="cpu")
def scan(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None,
    z: Tensor | None,
    delta_bias: Tensor | None,
    initial: Tensor | None,
    softplus: bool,
    reverse: bool,
    keep_states: bool,
    want_last: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """Run `cpu.forward`: y, the last state if wanted, and the states the backward pass starts from if to be kept."""
    return cpu.forward(u, delta, A, B, C, D, z, delta_bias, initial, softplus, reverse, keep_states, want_last)


@torch.library.custom_op("stgmamba::selective_scan_backward", mutates_args=(), device_types="cpu")
def scan_backward(
    dy: Tensor,
    dlast: Tensor,
    stored: Tensor,
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None,
    z: Tensor | None,
    delta_bias: Tensor | None,
    initial: Tensor | None,
    softplus: bool,
    reverse: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Run `cpu.backward`."""
    return cpu.backward(dy, dlast, stored, u, delta, A, B, C, D, z, delta_bias, initial, softplus, reverse)


@scan.register_fake
def _(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor | None, z: Tensor | None,
    delta_bias: Tensor | None, initial: Tensor | None, softplus: bool, reverse: bool, keep_states: bool,
    want_last: bool,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    return cpu.allocate_forward(u, A, keep_states, want_last)


@scan_backward.register_fake
def _(
    dy: Tensor, dlast: Tensor, stored: Tensor, u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor,
    D: Tensor | None, z: Tensor | None, delta_bias: Tensor | None, initial: Tensor | None,
    softplus: bool, reverse: bool,
) -> cpu.Gradients:  # fmt: skip
    return cpu.allocate_backward(u, delta, A, B, z, initial)


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


scan.register_autograd(_differentiate, setup_context=_save)
