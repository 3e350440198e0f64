"""Runs the compiled CPU kernels on tensors: allocates their outputs and distributes tasks to threads.

Numba's own threading is not used: depending on the platform it is not safe with two Python threads at once, or after a
fork. The kernels release the GIL, so a thread pool suffices.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stgmamba.ssm import cpu_kernels
from stgmamba.ssm.cpu_kernels import BLOCK, STEPS, Array, Rows

SMALL = 200_000  # state updates below which a second thread costs more time than it saves
TASKS_PER_THREAD = 4  # more than one, so that the others take over the tasks of a thread that is delayed

Gradients = tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]


def empty(*shape: int) -> Tensor:
    """Return an uninitialised float32 tensor.

    NumPy allocates huge pages; without them page faults take half the time of a scan.
    """
    return torch.from_numpy(np.empty(shape, np.float32))


def allocate_forward(
    u: Tensor, A: Tensor, store_states: bool, return_last: bool, empty: Callable[..., Tensor] = empty
) -> tuple[Tensor, Tensor, Tensor]:
    """Return uninitialised y [B, D, L] in u's layout, last state [B, D, N] or empty, stored states or empty."""
    batch, channels, length = u.shape
    states = A.shape[1]
    stored = max(length - 1, 0) // STEPS if store_states else 0
    return (
        _like(u, empty),
        empty(*(batch, channels, states) if return_last else (0, 0, 0)),
        empty(*(batch, stored, states, channels) if stored else (0, 0, 0, 0)),
    )


def allocate_backward(
    u: Tensor,
    delta: Tensor,
    B: Tensor,
    z: Tensor | None,
    initial: Tensor | None,
    empty: Callable[..., Tensor] = empty,
) -> Gradients:
    """Return uninitialised gradients of u, delta, A, B, C, D, z, delta_bias and the initial state, in this order.

    Those of an absent z or initial state are empty.
    """
    batch, states, length = B.shape
    channels = u.shape[1]
    return (
        _like(u, empty),
        _like(delta, empty),
        empty(channels, states),
        empty(batch, length, states).transpose(1, 2),
        empty(batch, length, states).transpose(1, 2),
        empty(channels),
        empty(0, 0, 0) if z is None else _like(z, empty),
        empty(channels),
        empty(*(0, 0, 0) if initial is None else (batch, channels, states)),
    )


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
    """Scan float32 tensors as `selective_scan` does; results as in `allocate_forward`."""
    y, last, stored = allocate_forward(u, A, store_states, return_last)
    if u.numel():
        inputs = _kernel_inputs(u, delta, A, B, C, D, z, delta_bias, initial, softplus, reverse)
        outputs = (_rows(y, reverse), stored.numpy(), last.numpy())
        _run(cpu_kernels.forward, _tasks(u, A), (*inputs, *outputs), u.numel() * A.shape[1])
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
    gradients = allocate_backward(u, delta, B, z, initial)
    du, ddelta, dA, dB, dC, dD, dz, dbias, dinitial = gradients
    if not u.numel():
        for gradient in gradients:
            gradient.zero_()
        if initial is not None:
            dinitial.copy_(dlast) if dlast.numel() else dinitial.zero_()
        return gradients
    batch, channels, length = u.shape
    states = A.shape[1]
    tasks = _tasks(u, A)
    groups, splits = tasks[-1, 0] + 1, tasks[-1, 1] + 1
    dB_parts, dC_parts = u.new_zeros(2, splits, batch, length, states)
    dA_parts, dD_parts, dbias_parts = u.new_zeros(groups, channels, states), *u.new_zeros(2, groups, channels)
    arguments = (
        *_kernel_inputs(u, delta, A, B, C, D, z, delta_bias, initial, softplus, reverse),
        stored.numpy(),
        _rows(dy, reverse),
        dlast.detach().contiguous().numpy(),
        _rows(du, reverse),
        _rows(ddelta, reverse),
        _rows(dz if z is not None else du, reverse),
        *(part.numpy() for part in (dB_parts, dC_parts, dA_parts, dD_parts, dbias_parts, dinitial)),
    )
    _run(cpu_kernels.backward, tasks, arguments, u.numel() * states)
    for gradient, parts in ((dA, dA_parts), (dD, dD_parts), (dbias, dbias_parts)):
        torch.sum(parts, 0, out=gradient)
    for gradient, parts in ((dB, dB_parts), (dC, dC_parts)):
        total = parts.sum(0) if splits > 1 else parts[0]
        gradient.copy_((total.flip(1) if reverse else total).transpose(1, 2))
    return gradients


def _like(x: Tensor, empty: Callable[..., Tensor]) -> Tensor:
    """Return an uninitialised tensor [B, D, L] that is dense in whichever of D and L is dense in x."""
    batch, channels, length = x.shape
    if x.stride(1) == 1 and channels > 1:
        return empty(batch, length, channels).transpose(1, 2)
    return empty(batch, channels, length)


def _kernel_inputs(
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
) -> tuple[Any, ...]:
    """Return the arguments that both kernels share, after the tasks."""
    channels, length = u.shape[1:]
    return (
        length,
        *(_rows(x, reverse) for x in (u, delta, B, C, u if z is None else z)),
        A.detach().contiguous().numpy(),
        *(np.zeros(channels, np.float32) if x is None else x.detach().contiguous().numpy() for x in (D, delta_bias)),
        softplus,
        z is not None,
        np.empty((0, 0, 0), np.float32) if initial is None else initial.detach().contiguous().numpy(),
    )


def _rows(x: Tensor, reverse: bool) -> Rows:
    """View a tensor [B, D, L] of any strides without a copy; `reverse` reverses time."""
    sizes, strides = x.shape, x.stride()
    span = 1 + sum((size - 1) * stride for size, stride in zip(sizes, strides, strict=True))
    flat = x.detach().as_strided((span,), (1,)).numpy()
    batch, channel, time = strides
    return Rows(flat, (sizes[2] - 1) * time, batch, channel, -time) if reverse else Rows(flat, 0, batch, channel, time)


def _tasks(u: Tensor, A: Tensor) -> Array:
    """Partition a scan into tasks, int64 [K, 6]: group, split, first and last sequence, first and last channel.

    A group is a range of sequences, a split a range of channels; ranges exclude their last. Channels are split only
    where there are fewer sequences than threads can use, because every task loads B and C of its sequences.
    """
    batch, channels = u.shape[:2]
    threads = _threads(u.numel() * A.shape[1])
    groups = min(batch, TASKS_PER_THREAD * threads)
    blocks = -(-channels // BLOCK)
    splits = 1
    while splits < blocks and groups * splits < TASKS_PER_THREAD * threads and groups * splits % threads:
        splits += 1
    sequence = [batch * i // groups for i in range(groups + 1)]
    channel = [min(channels, blocks * i // splits * BLOCK) for i in range(splits + 1)]
    return np.array(
        [(g, s, *sequence[g : g + 2], *channel[s : s + 2]) for g in range(groups) for s in range(splits)], np.int64
    )


def _threads(updates: int) -> int:
    return torch.get_num_threads() if updates > SMALL else 1


def _run(kernel: Callable[..., None], tasks: Array, arguments: tuple[Any, ...], updates: int) -> None:
    """Call the kernel on every task, in the pool's threads and in this one."""
    threads = min(_threads(updates), len(tasks))
    if threads == 1:
        kernel(tasks, *arguments)
        return
    queue = iter([tasks[i : i + 1] for i in range(len(tasks))])

    def work() -> None:
        for task in queue:  # list iterators are safe to share between threads
            kernel(task, *arguments)

    helpers = [_pool(threads - 1).submit(work) for _ in range(threads - 1)]
    work()
    for helper in helpers:
        helper.result()


@lru_cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="selective-scan")


if hasattr(os, "register_at_fork"):  # threads do not survive a fork: a child process creates its own pool
    os.register_at_fork(after_in_child=_pool.cache_clear)
