"""Runs the Triton kernels on tensors: lays them out, allocates their outputs, adds up the parts of the gradients."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from stgmamba.ssm import gpu_kernels
from stgmamba.ssm.cpu import Gradients, allocate_backward, allocate_forward
from stgmamba.ssm.cpu_kernels import STEPS
from stgmamba.ssm.gpu_kernels import BLOCK, WARPS

Inputs = tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor | None, Tensor | None, Tensor | None, Tensor | None]
"""u, delta, A, B, C, D, z, delta_bias and the initial state, as of `selective_scan`."""


def forward(
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
    store_states: bool,
    return_last: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """Scan float32 tensors as `selective_scan` does; results as in `stgmamba.ssm.cpu.allocate_forward`."""
    y, last, stored = allocate_forward(u, A, store_states, return_last, u.new_empty)
    if u.numel():
        tensors, sizes, flags = _arguments((u, delta, A, B, C, D, z, delta_bias, initial), softplus, reverse)
        rows = _rows(y)
        gpu_kernels.forward[_grid(u)](
            *tensors, rows, last, stored, *sizes, **flags, LAST=return_last, STORE=bool(stored.numel()), num_warps=WARPS
        )
        _write_back(y, rows)
    elif return_last:
        last.zero_() if initial is None else last.copy_(initial)
    return y, last, stored


def backward(
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
) -> Gradients:
    """Differentiate `forward`, given the gradients of y [B, D, L] and of the last state ([B, D, N] or empty)."""
    gradients = allocate_backward(u, delta, B, z, initial, u.new_empty)
    du, ddelta, dA, dB, dC, dD, dz, dbias, dinitial = gradients
    if not u.numel():
        for gradient in gradients:
            gradient.zero_()
        if initial is not None and dlast.numel():
            dinitial.copy_(dlast)
        return gradients
    batch, channels, length = u.shape
    states = A.shape[1]
    tensors, sizes, flags = _arguments((u, delta, A, B, C, D, z, delta_bias, initial), softplus, reverse)
    rows = [_rows(gradient) for gradient in (du, ddelta, dz)]
    dB_parts, dC_parts = u.new_empty(2, -(-channels // BLOCK), batch, length, states)
    dA_parts, dD_parts, dbias_parts = u.new_empty(batch, channels, states), *u.new_empty(2, batch, channels)
    scratch = u.new_empty(batch, STEPS, channels, states)
    gpu_kernels.backward[_grid(u)](
        *tensors, stored, _rows(dy), dlast.contiguous(), scratch,
        *rows, dA_parts, dB_parts, dC_parts, dD_parts, dbias_parts, dinitial,
        *sizes, **flags, LAST=bool(dlast.numel()), num_warps=WARPS,
    )  # fmt: skip
    for gradient, found in zip((du, ddelta, dz), rows, strict=True):
        _write_back(gradient, found)
    for gradient, parts in ((dA, dA_parts), (dD, dD_parts), (dbias, dbias_parts)):
        torch.sum(parts, 0, out=gradient)
    for gradient, parts in ((dB, dB_parts), (dC, dC_parts)):
        gradient.copy_(parts.sum(0).transpose(1, 2))
    return gradients


def _rows(x: Tensor) -> Tensor:
    """[B, D, L] -> dense [B, L, D]: a view of channel-last data, a copy of others."""
    return x.detach().transpose(1, 2).contiguous()


def _write_back(x: Tensor, rows: Tensor) -> None:
    """Copy dense [B, L, D] to what `_rows` was made of, unless it is a view of it."""
    if rows.data_ptr() != x.data_ptr():
        x.copy_(rows.transpose(1, 2))


def _grid(u: Tensor) -> tuple[int, int]:
    return u.shape[0], -(-u.shape[1] // BLOCK)


def _arguments(
    inputs: Inputs, softplus: bool, reverse: bool
) -> tuple[tuple[Tensor, ...], tuple[int, ...], dict[str, Any]]:
    """The arguments that both kernels share: tensors, sizes with the strides of B and C, constants.

    An absent tensor is stood in for by another, which is not read.
    """
    u, delta, A, B, C, D, z, delta_bias, initial = inputs
    u_rows, A = _rows(u), A.detach().contiguous()
    tensors = (
        u_rows,
        _rows(delta),
        A,
        B.detach(),
        C.detach(),
        A if D is None else D.detach().contiguous(),
        u_rows if z is None else _rows(z),
        A if delta_bias is None else delta_bias.detach().contiguous(),
        A if initial is None else initial.detach().contiguous(),
    )
    strides = [x.stride(axis) for x in (B, C) for axis in (0, 2, 1)]
    states = A.shape[1]
    flags = {
        "N": states, "PADDED": 1 << (states - 1).bit_length(), "BLOCK": BLOCK, "STEPS": STEPS, "SOFTPLUS": softplus,
        "REVERSE": reverse, "SKIP": D is not None, "GATE": z is not None, "BIAS": delta_bias is not None,
        "INITIAL": initial is not None,
    }  # fmt: skip
    return tensors, (u.shape[2], u.shape[1], *strides), flags
