"""Runs the Triton kernels on tensors: lays them out, allocates their outputs, adds up the parts of the gradients."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from stgmamba.ssm import gpu_kernels
from stgmamba.ssm.cpu import Gradients
from stgmamba.ssm.cpu_kernels import STEPS
from stgmamba.ssm.gpu_kernels import BLOCK, WARPS


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
    batch, channels, length = u.shape
    states = A.shape[1]
    stored = max(length - 1, 0) // STEPS if store_states else 0
    y = torch.empty_like(_rows(u))
    last = u.new_empty(*(batch, channels, states) if return_last else (0, 0, 0))
    stored_states = u.new_empty(*(batch, stored, states, channels) if stored else (0, 0, 0, 0))
    if u.numel():
        tensors, sizes, flags = _arguments(u, delta, A, B, C, D, z, delta_bias, initial, softplus, reverse)
        gpu_kernels.forward[_grid(u)](
            *tensors, y, last, stored_states, *sizes, **flags, LAST=return_last, STORE=bool(stored), num_warps=WARPS
        )
    elif return_last:
        last.zero_() if initial is None else last.copy_(initial)
    return _like(u, y), last, stored_states


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
    batch, channels, length = u.shape
    states = A.shape[1]
    du, ddelta = torch.zeros_like(_rows(u)), torch.zeros_like(_rows(delta))
    dz = u.new_empty(0, 0, 0) if z is None else torch.zeros_like(_rows(z))
    dinitial = u.new_zeros(*(0, 0, 0) if initial is None else (batch, channels, states))
    dB_parts, dC_parts = u.new_zeros(2, -(-channels // BLOCK), batch, length, states)
    dA_parts, dD_parts, dbias_parts = u.new_zeros(batch, channels, states), *u.new_zeros(2, batch, channels)
    if u.numel():
        tensors, sizes, flags = _arguments(u, delta, A, B, C, D, z, delta_bias, initial, softplus, reverse)
        scratch = u.new_empty(batch, STEPS, channels, states)
        gpu_kernels.backward[_grid(u)](
            *tensors, stored, _rows(dy), dlast.contiguous(), scratch,
            du, ddelta, dz, dA_parts, dB_parts, dC_parts, dD_parts, dbias_parts, dinitial,
            *sizes, **flags, LAST=bool(dlast.numel()), num_warps=WARPS,
        )  # fmt: skip
    elif initial is not None and dlast.numel():
        dinitial.copy_(dlast)
    return (
        _like(u, du),
        _like(delta, ddelta),
        dA_parts.sum(0),
        dB_parts.sum(0).transpose(1, 2),
        dC_parts.sum(0).transpose(1, 2),
        dD_parts.sum(0),
        dz if z is None else _like(z, dz),
        dbias_parts.sum(0),
        dinitial,
    )


def _rows(x: Tensor) -> Tensor:
    """[B, D, L] -> dense [B, L, D]: a view of channel-last data, a copy of others."""
    return x.detach().transpose(1, 2).contiguous()


def _like(x: Tensor, rows: Tensor) -> Tensor:
    """Dense [B, L, D] -> [B, D, L] in the layout that `stgmamba.ssm.cpu` gives to what is allocated like x."""
    found = rows.transpose(1, 2)
    return found if x.stride(1) == 1 and x.shape[1] > 1 else found.contiguous()


def _grid(u: Tensor) -> tuple[int, int]:
    return u.shape[0], -(-u.shape[1] // BLOCK)


def _arguments(
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
) -> tuple[tuple[Tensor, ...], tuple[int, ...], dict[str, Any]]:
    """The arguments that both kernels share: tensors, sizes with the strides of B and C, constants.

    An absent tensor is stood in for by another, which is not read.
    """
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
