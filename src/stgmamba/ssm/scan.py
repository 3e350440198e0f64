"""The selective scan: one function, dispatched to the compiled kernels of CPU and GPU or to the reference."""

from __future__ import annotations

from importlib.util import find_spec

import torch
from torch import Tensor

from stgmamba.ssm.reference import selective_scan_reference

_DEVICES = ("cpu", "cuda") if find_spec("triton") else ("cpu",)  # that have kernels


def selective_scan(
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
    """Run Mamba's selective state space model over time (Gu and Dao 2023, arXiv 2312.00752, section 3).

    h_t = exp(delta_t A) h_(t-1) + delta_t B_t u_t,   y_t = (C_t h_t + D u_t) silu(z_t)

    On the CPU, and on CUDA devices where Triton is installed, in float32, float16 and bfloat16 this is a compiled
    kernel with its own backward pass: time linear in L, memory O(B L D). On other devices, and where an input is
    float64, it is `selective_scan_reference`. Tensors may have any strides. Channel-last data, passed as [B, D, L] by
    `transpose(1, 2)`, are fastest: in float32 they are not copied, nor are others on the CPU; those in half precision
    are copied to float32. The gate z and the states are for blocks that gate the scan and for streaming, state by
    state; the networks of this package use neither.

    Args:
        u: input [B, D, L].
        delta: step sizes [B, D, L], before delta_bias and softplus.
        A: decay rates [D, N], real, usually negative.
        B: input map [B, N, L].
        C: output map [B, N, L].
        D: skip connection [D].
        z: gate [B, D, L].
        delta_bias: added to delta [D].
        delta_softplus: whether the step size is softplus(delta + delta_bias).
        reverse: whether time runs from L - 1 to 0.
        initial_state: state before the first step of the scan [B, D, N]; zero if absent.
        return_last_state: whether to return the state after the last step of the scan too.

    Returns:
        y [B, D, L] in u's dtype and memory layout, or (y, last state [B, D, N] in float32).

    Raises:
        ValueError: the shapes do not match.
    """
    _check_shapes(u, delta, A, B, C, D, z, delta_bias, initial_state)
    tensors = [x for x in (u, delta, A, B, C, D, z, delta_bias, initial_state) if x is not None]
    if u.device.type not in _DEVICES or any(x.dtype == torch.float64 for x in tensors):
        return selective_scan_reference(
            u, delta, A, B, C, D, z, delta_bias, delta_softplus, reverse, initial_state, return_last_state
        )
    from stgmamba.ssm import operators  # imports Numba, which takes half a second

    store_states = torch.is_grad_enabled() and any(x.requires_grad for x in tensors)
    y, last, _ = operators.scan(
        *(x if x is None else x.float() for x in (u, delta, A, B, C, D, z, delta_bias, initial_state)),
        delta_softplus, reverse, store_states, return_last_state,
    )  # fmt: skip
    y = y.to(u.dtype)
    return (y, last) if return_last_state else y


def _check_shapes(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None,
    z: Tensor | None,
    delta_bias: Tensor | None,
    initial_state: Tensor | None,
) -> None:
    if u.dim() != 3 or A.dim() != 2:
        raise ValueError(f"u must be [B, D, L] and A [D, N], not {tuple(u.shape)} and {tuple(A.shape)}")
    (batch, channels, length), states = u.shape, A.shape[1]
    expected = {
        "delta": (delta, (batch, channels, length)),
        "A": (A, (channels, states)),
        "B": (B, (batch, states, length)),
        "C": (C, (batch, states, length)),
        "D": (D, (channels,)),
        "z": (z, (batch, channels, length)),
        "delta_bias": (delta_bias, (channels,)),
        "initial_state": (initial_state, (batch, channels, states)),
    }
    for name, (tensor, shape) in expected.items():
        if tensor is not None and tuple(tensor.shape) != shape:
            raise ValueError(f"{name} must be {shape} to go with u {tuple(u.shape)}, not {tuple(tensor.shape)}")
