from __future__ import annotations

import multiprocessing
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from stgmamba.ssm import SelectiveSSM, selective_scan, selective_scan_reference

Inputs = dict[str, Tensor]
LAYOUTS = ("channel last", "channel first", "every other", "slice of a wider tensor")


def rows(generator: torch.Generator, batch: int, channels: int, length: int, layout: str) -> Tensor:
    """Random [batch, channels, length] in some memory layout."""
    if layout == "channel last":
        return torch.randn(batch, length, channels, generator=generator).transpose(1, 2)
    if layout == "every other":
        return torch.randn(batch, 2 * channels, 3 * length, generator=generator)[:, ::2, ::3]
    if layout == "slice of a wider tensor":
        return torch.randn(batch, length, channels + 7, generator=generator)[:, :, 3 : 3 + channels].transpose(1, 2)
    return torch.randn(batch, channels, length, generator=generator)


def make_inputs(
    batch: int,
    channels: int,
    length: int,
    states: int,
    layout: str = "channel last",
    decay: float = 1.0,
    optional: tuple[str, ...] = ("D", "z", "delta_bias", "initial_state"),
    seed: int = 0,
) -> Inputs:
    generator = torch.Generator().manual_seed(seed)
    inputs = {
        "u": rows(generator, batch, channels, length, layout),
        "delta": rows(generator, batch, channels, length, layout) - 1,
        "A": -decay * torch.rand(channels, states, generator=generator),
        "B": rows(generator, batch, states, length, layout),
        "C": rows(generator, batch, states, length, layout),
        "D": torch.randn(channels, generator=generator),
        "z": rows(generator, batch, channels, length, layout),
        "delta_bias": torch.randn(channels, generator=generator),
        "initial_state": torch.randn(batch, channels, states, generator=generator),
    }
    return {k: v for k, v in inputs.items() if k in ("u", "delta", "A", "B", "C", *optional)}


def relative_error(found: Tensor, exact: Tensor, terms: float = 0.0) -> float:
    """The largest error in parts of the largest value, or of a sum of magnitudes where what is compared is a sum."""
    assert found.shape == exact.shape
    found, exact = found.detach().double(), exact.detach()
    return float((found - exact).abs().max() / exact.abs().max().clamp_min(max(terms, 1e-30)))


def assert_accurate(inputs: Inputs, last: bool = True, **options: bool) -> None:
    """Compare results (relative error 1e-5) and all gradients (1e-4) with the float64 reference."""
    single = {k: v.detach().requires_grad_() for k, v in inputs.items()}
    double = {k: v.detach().double().requires_grad_() for k, v in inputs.items()}
    gradients = []
    for scan, given_ in ((selective_scan, single), (selective_scan_reference, double)):
        y, h = scan(**given_, return_last_state=True, **options)
        generator = torch.Generator().manual_seed(7)
        loss = (y * torch.randn(y.shape, generator=generator)).sum()
        if last:
            loss = loss + (h * torch.randn(h.shape, generator=generator)).sum()
        gradients.append((y, h, torch.autograd.grad(loss, list(given_.values()), allow_unused=True)))
    (y, h, found), (exact_y, exact_h, exact) = gradients
    assert relative_error(y, exact_y) < 1e-5
    assert relative_error(h, exact_h) < 1e-5
    # Gradients of one number per channel are sums over the batch and time, whose terms may cancel; the root of their
    # number is what random terms of order one add up to.
    terms = float(np.sqrt(inputs["u"].shape[0] * inputs["u"].shape[2]))
    for name, g, e in zip(inputs, found, exact, strict=True):
        assert relative_error(g, e, terms if name in ("D", "delta_bias") else 0.0) < 1e-4, name


@settings(max_examples=60, deadline=None)
@given(
    batch=st.integers(1, 5),
    channels=st.sampled_from([1, 3, 15, 16, 17, 33, 64, 65, 130]),
    length=st.sampled_from([1, 2, 7, 31, 32, 33, 64, 65, 100]),
    states=st.sampled_from([1, 3, 8, 16]),
    layout=st.sampled_from(LAYOUTS),
    decay=st.sampled_from([1e-3, 1.0, 16.0, 1e4]),
    optional=st.sets(st.sampled_from(["D", "z", "delta_bias", "initial_state"])),
    softplus=st.booleans(),
    reverse=st.booleans(),
    last=st.booleans(),
    seed=st.integers(0, 2**31),
)
@example(  # the gradient of D is a sum that cancels
    batch=4, channels=1, length=64, states=1, layout="slice of a wider tensor", decay=1e-3, optional={"D"},
    softplus=False, reverse=True, last=False, seed=4,
)  # fmt: skip
def test_agrees_with_float64(
    batch: int, channels: int, length: int, states: int, layout: str, decay: float, optional: set[str],
    softplus: bool, reverse: bool, last: bool, seed: int,
) -> None:  # fmt: skip
    inputs = make_inputs(batch, channels, length, states, layout, decay, tuple(optional), seed)
    if not softplus:  # then what comes in are step sizes
        inputs["delta"] = inputs["delta"].abs()
        if "delta_bias" in inputs:
            inputs["delta_bias"] = inputs["delta_bias"].abs()
    assert_accurate(inputs, last, delta_softplus=softplus, reverse=reverse)


def test_long_sequence_with_a_long_memory() -> None:
    assert_accurate(make_inputs(1, 20, 2000, 4, decay=1e-2), delta_softplus=True)


@pytest.mark.parametrize("reverse", [False, True])
def test_many_short_sequences(reverse: bool) -> None:
    assert_accurate(make_inputs(300, 70, 18, 8), delta_softplus=True, reverse=reverse)


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("batch", [2, 3, 7])
def test_any_number_of_threads(batch: int, threads: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        assert_accurate(make_inputs(batch, 150, 100, 8), delta_softplus=True)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("delta", [-100.0, -20.0, 0.0, 20.0, 100.0])
def test_extreme_step_sizes(delta: float) -> None:
    inputs = make_inputs(2, 20, 40, 4, optional=("D",))
    inputs["delta"] = torch.full_like(inputs["delta"], delta)
    assert_accurate(inputs, delta_softplus=True)


def test_nan_and_infinity_are_passed_on() -> None:
    inputs = make_inputs(1, 4, 10, 3, optional=())
    inputs["u"][0, 2, 5] = torch.nan
    inputs["u"][0, 3, 5] = torch.inf
    y = selective_scan(**inputs, delta_softplus=True)
    assert isinstance(y, Tensor)
    assert y[:, :2].isfinite().all()
    assert y[:, :, :5].isfinite().all()
    assert y[0, 2, 5:].isnan().all()
    assert not y[0, 3, 5:].isfinite().any()


def test_growing_states_overflow_as_they_should() -> None:
    inputs = make_inputs(1, 4, 3, 2, optional=())
    inputs["A"], inputs["delta"] = torch.full((4, 2), 60.0), torch.ones(1, 4, 3)
    y = selective_scan(**inputs)
    assert isinstance(y, Tensor)
    assert y[..., :2].isfinite().all()
    assert not y[..., 2].isfinite().any()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_inputs_with_a_float32_state(dtype: torch.dtype) -> None:
    inputs = {k: v.to(dtype).requires_grad_() for k, v in make_inputs(2, 20, 70, 4).items()}
    y, h = selective_scan(**inputs, delta_softplus=True, return_last_state=True)
    exact, _ = selective_scan_reference(
        **{k: v.double() for k, v in inputs.items()}, delta_softplus=True, return_last_state=True
    )
    assert (y.dtype, h.dtype) == (dtype, torch.float32)
    assert relative_error(y, exact) < torch.finfo(dtype).eps
    y.float().sum().backward()
    assert all(v.grad is not None and v.grad.dtype == dtype for v in inputs.values())


def test_output_has_the_layout_of_the_input() -> None:
    y = selective_scan(**make_inputs(2, 20, 70, 4, "channel last"))
    assert isinstance(y, Tensor)
    assert y.transpose(1, 2).is_contiguous()
    y = selective_scan(**make_inputs(2, 20, 70, 4, "channel first"))
    assert isinstance(y, Tensor)
    assert y.is_contiguous()


@pytest.mark.parametrize(("batch", "length"), [(0, 5), (2, 0)])
def test_nothing_to_scan(batch: int, length: int) -> None:
    inputs = {k: v.requires_grad_() for k, v in make_inputs(batch, 3, length, 2).items()}
    y, last = selective_scan(**inputs, return_last_state=True)
    assert y.shape == (batch, 3, length)
    torch.testing.assert_close(last, inputs["initial_state"])
    (y.sum() + last.sum()).backward()
    torch.testing.assert_close(inputs["initial_state"].grad, torch.ones(batch, 3, 2))


@pytest.mark.parametrize("name", ["delta", "A", "B", "C", "D", "z", "delta_bias", "initial_state"])
def test_shapes_that_do_not_fit_are_named(name: str) -> None:
    inputs = make_inputs(2, 3, 4, 5)
    inputs[name] = inputs[name].new_zeros([n + 1 for n in inputs[name].shape])
    with pytest.raises(ValueError, match=f"{name} must be"):
        selective_scan(**inputs)


def test_several_python_threads_at_once() -> None:
    inputs = make_inputs(8, 64, 200, 8)
    alone = selective_scan(**inputs, delta_softplus=True)
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda _: selective_scan(**inputs, delta_softplus=True), range(8)))
    for y in together:
        torch.testing.assert_close(y, alone)


def _sum_in_child(queue: multiprocessing.Queue[float], inputs: Inputs) -> None:
    y = selective_scan(**inputs, delta_softplus=True)
    assert isinstance(y, Tensor)
    queue.put(float(y.numpy().sum()))  # PyTorch's own threads do not survive a fork: nothing else of it here


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system cannot fork")
def test_works_in_a_forked_child() -> None:
    inputs = make_inputs(8, 64, 200, 8)
    here = selective_scan(**inputs, delta_softplus=True)
    assert isinstance(here, Tensor)
    context = multiprocessing.get_context("fork")
    queue: multiprocessing.Queue[float] = context.Queue()
    child = context.Process(target=_sum_in_child, args=(queue, inputs))
    child.start()
    assert queue.get(timeout=60) == float(here.numpy().sum())
    child.join(10)
    assert child.exitcode == 0


@pytest.mark.parametrize("reverse", [False, True])
def test_gradcheck_of_the_reference(reverse: bool) -> None:
    inputs = {k: v.double().requires_grad_() for k, v in make_inputs(2, 3, 5, 2).items()}

    def scan(*tensors: Tensor) -> tuple[Tensor, Tensor]:
        named = dict(zip(inputs, tensors, strict=True))
        y, last = selective_scan_reference(**named, delta_softplus=True, reverse=reverse, return_last_state=True)
        return y, last

    assert torch.autograd.gradcheck(scan, tuple(inputs.values()))


@pytest.mark.parametrize("optional", [(), ("D", "z", "delta_bias", "initial_state")])
@pytest.mark.parametrize("reverse", [False, True])
def test_gradcheck_of_the_kernel(optional: tuple[str, ...], reverse: bool) -> None:
    """In float32 finite differences are coarse; the tolerances say how coarse."""
    inputs = {k: v.requires_grad_() for k, v in make_inputs(1, 2, 4, 2, optional=optional).items()}

    def scan(*tensors: Tensor) -> tuple[Tensor, Tensor]:
        named = dict(zip(inputs, tensors, strict=True))
        y, last = selective_scan(**named, delta_softplus=True, reverse=reverse, return_last_state=True)
        return y, last

    # gradcheck warns of any input that is not float64: that is why the tolerances are as they are
    with pytest.warns(UserWarning, match="double precision"):
        assert torch.autograd.gradcheck(scan, tuple(inputs.values()), eps=1e-2, atol=2e-2, rtol=2e-2)


@pytest.mark.parametrize("layout", ["channel last", "channel first"])
@pytest.mark.parametrize("optional", [(), ("D", "z", "delta_bias", "initial_state")])
def test_opcheck(layout: str, optional: tuple[str, ...]) -> None:
    from stgmamba.ssm import operators

    inputs = make_inputs(2, 20, 70, 4, layout, optional=optional)
    names = ("u", "delta", "A", "B", "C", "D", "z", "delta_bias", "initial_state")
    tensors = [inputs[n].requires_grad_() if n in inputs else None for n in names]
    torch.library.opcheck(operators.scan, (*tensors, True, False, True, True))
    _, last, stored = operators.scan(*tensors, True, False, True, True)
    still = [x if x is None else x.detach() for x in tensors]
    dy = torch.randn(2, 20, 70)
    torch.library.opcheck(operators.scan_backward, (dy, last.detach(), stored.detach(), *still, True, False))


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler on the CPU")
def test_torch_compile() -> None:
    torch.manual_seed(0)
    ssm, x = SelectiveSSM(8, 4, (False, True)), torch.randn(2, 40, 8)
    compiled = torch.compile(ssm, fullgraph=True)
    torch.testing.assert_close(compiled(x), ssm(x), rtol=1e-4, atol=1e-5)
    compiled(x).square().sum().backward()
    gradients = {name: parameter.grad.clone() for name, parameter in ssm.named_parameters()}
    ssm.zero_grad()
    ssm(x).square().sum().backward()
    for name, parameter in ssm.named_parameters():
        torch.testing.assert_close(gradients[name], parameter.grad, rtol=1e-3, atol=1e-4)


def test_modulation_changes_the_input_and_output_maps_of_the_layer() -> None:
    torch.manual_seed(0)
    layer, x, changes = SelectiveSSM(6, 2, (False, True)), torch.randn(3, 7, 6), torch.randn(3, 7, 4)
    dt, B, C = layer.x_proj(x).split([layer.rank, 2, 2], dim=-1)
    change_B, change_C = changes.chunk(2, dim=-1)
    arguments = [v.transpose(1, 2) for v in (x, layer.dt_proj(dt), B * (1 + change_B), C * (1 + change_C))]
    u, delta, B, C = arguments
    both = [
        selective_scan_reference(
            u,
            delta,
            -torch.exp(layer.A_log),
            B,
            C,
            layer.D,
            delta_bias=layer.dt_bias,
            delta_softplus=True,
            reverse=back,
        )
        for back in (False, True)
    ]
    torch.testing.assert_close(layer(x, changes), (both[0] + both[1]).transpose(1, 2))  # type: ignore[operator, union-attr]
    once = changes[:, :1]
    torch.testing.assert_close(layer(x, once), layer(x, once.expand(-1, 7, -1)))
