"""Reference implementation of the selective scan: the recurrence, one step after the other, in plain PyTorch."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def selective_scan_reference(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None = None,
    z: Tensor | None = None,
    delta_bias: Tensor | None = None,
    delta_softplus: bool = False,
    reverse: bool = False,
    initial_state: Tensor | None = None,
    return_last_state: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:
    """Compute `selective_scan` by its definition, on any device, differentiable by autograd.

    Gu and Dao 2023 (arXiv 2312.00752), equations 2a, 2b and 4, with B discretised by Euler's rule as in their code:
    h_t = exp(delta_t A) h_(t-1) + delta_t B_t u_t,  y_t = (C_t h_t + D u_t) silu(z_t).

    Arguments, shapes and results are those of `selective_scan`. The state is float32, or float64 where u or A is.
    Time and memory O(B L D N): for tests, and where there is no kernel.
    """
    dtype = u.dtype
    state_dtype = torch.promote_types(torch.promote_types(dtype, A.dtype), torch.float32)
    u, delta, A, B, C = (x.to(state_dtype) for x in (u, delta, A, B, C))
    if delta_bias is not None:
        delta = delta + delta_bias.to(state_dtype)[:, None]
    if delta_softplus:
        delta = functional.softplus(delta)

    batch, channels, length = u.shape
    h = u.new_zeros(batch, channels, A.shape[1]) if initial_state is None else initial_state.to(state_dtype)
    steps = list(zip(delta.unbind(2), u.unbind(2), B.unbind(2), C.unbind(2), strict=True))
    outputs: list[Tensor] = []
    for delta_t, u_t, B_t, C_t in reversed(steps) if reverse else steps:  # [B, D], [B, D], [B, N], [B, N]
        h = torch.exp(delta_t[:, :, None] * A) * h + (delta_t * u_t)[:, :, None] * B_t[:, None]  # [B, D, N]
        outputs.append((h * C_t[:, None]).sum(-1))  # [B, D]
    y = torch.stack(outputs[::-1] if reverse else outputs, dim=2) if length else torch.zeros_like(u)
    if D is not None:
        y = y + D.to(state_dtype)[:, None] * u
    if z is not None:
        y = y * functional.silu(z.to(state_dtype))
    y = y.to(dtype)
    return (y, h) if return_last_state else y
