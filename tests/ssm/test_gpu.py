"""The Triton kernels: on a GPU where there is one, else in Triton's interpreter on the CPU."""

from __future__ import annotations

import os

import pytest
import torch

from stgmamba.ssm import selective_scan_reference
from tests.ssm.test_scan import Inputs, make_inputs, relative_error

if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"  # read when Triton is imported
pytest.importorskip(
    "triton", reason="Triton comes with builds of torch for CUDA; `pip install triton` for its interpreter"
)

from stgmamba.ssm import gpu

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def kernels(inputs: Inputs, softplus: bool, reverse: bool) -> tuple[torch.Tensor, torch.Tensor, list[torch.Tensor]]:
    """y, last state and gradients of fixed weights on both, from the kernels."""
    names = ("u", "delta", "A", "B", "C", "D", "z", "delta_bias", "initial_state")
    tensors = [inputs[name].to(DEVICE) if name in inputs else None for name in names]
    y, last, stored = gpu.forward(*tensors, softplus, reverse, True, True)  # type: ignore[arg-type]
    dy, dlast = weights(y, 7), weights(last, 8)
    gradients = gpu.backward(dy, dlast, stored, *tensors, softplus, reverse)  # type: ignore[arg-type]
    given = [g for g, name in zip(gradients, names, strict=True) if name in inputs]
    return y, last, given


def weights(like: torch.Tensor, seed: int) -> torch.Tensor:
    return torch.randn(like.shape, generator=torch.Generator().manual_seed(seed)).to(like.device)


@pytest.mark.parametrize("optional", [(), ("D", "delta_bias"), ("D", "z", "delta_bias", "initial_state")])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(
    ("batch", "channels", "length", "states", "layout"),
    [
        (2, 5, 1, 1, "channel last"),
        (1, 70, 33, 3, "channel last"),
        (2, 64, 7, 4, "channel first"),
        (1, 3, 65, 4, "every other"),
        (2, 17, 20, 16, "slice of a wider tensor"),
    ],
)
def test_agrees_with_float64(
    batch: int, channels: int, length: int, states: int, layout: str, optional: tuple[str, ...], reverse: bool
) -> None:
    inputs = make_inputs(batch, channels, length, states, layout, optional=optional)
    y, last, found = kernels(inputs, True, reverse)
    double = {name: value.double().requires_grad_() for name, value in inputs.items()}
    exact_y, exact_last = selective_scan_reference(
        **double, delta_softplus=True, reverse=reverse, return_last_state=True
    )  # type: ignore[arg-type, misc]
    loss = (exact_y * weights(exact_y, 7)).sum() + (exact_last * weights(exact_last, 8)).sum()
    exact = torch.autograd.grad(loss, list(double.values()))
    assert relative_error(y.cpu(), exact_y) < 1e-5
    assert relative_error(last.cpu(), exact_last) < 1e-5
    for name, g, e in zip(inputs, found, exact, strict=True):
        assert (
            relative_error(g.cpu(), e, float(batch * length) ** 0.5 if name in ("D", "delta_bias") else 0.0) < 1e-4
        ), name
