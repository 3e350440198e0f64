"""CPU kernels of the selective scan, forward and backward, compiled by Numba.

The time of a selective scan on a CPU is bounded by one exponential per state and step, and by the cache. Hence:

- `_exp2` is float32 arithmetic without branches or calls, so that LLVM vectorises the loop around it, 8 or 16 channels
  per instruction. A is multiplied by log2(e) beforehand, which replaces exp by exp2.
- The innermost loop runs over a block of `BLOCK` channels. The state [N, BLOCK] stays in the first-level cache for the
  whole sequence; inputs of any memory layout are copied to tiles [STEPS, BLOCK].
- The forward pass stores the state at every `STEPS`-th step only. The backward pass recomputes the steps in between
  (gradient checkpointing), so memory is O(B L D), not O(B L D N).
- The next tile is prefetched during the computation of the current one: on channel-last data this halves the time.
- A reversed scan is a forward scan over `Rows` of negative time stride; the kernels do not distinguish the two.

All compiled functions are in this file, since Numba's cache does not detect changes in other files (`stgmamba.jit`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import types
from numba.extending import intrinsic

from stgmamba.jit import jit

BLOCK = 64  # channels per tile; fewer are padded, because loops of constant length are twice as fast
STEPS = 32  # time steps per tile, and between two stored states

Array = np.ndarray[Any, Any]


class Rows(NamedTuple):
    """A strided float32 tensor [batch, channel, time]: a flat array with an offset and strides, in elements."""

    data: Array
    offset: int
    batch: int
    channel: int
    time: int


_compiled = jit("contract", "nsz")
_compiled_with_sums = jit("contract", "nsz", "reassoc")  # not for `_exp2`, whose rounding `reassoc` would remove


@intrinsic  # type: ignore[untyped-decorator]
def _add_to_exponent(typing: Any, value: Any, shifted: Any) -> Any:
    """Return value * 2**k, where k is in the low bits of the float `shifted` (see `_exp2`)."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        int32 = ir.IntType(32)
        bits, exponent = (builder.bitcast(arg, int32) for arg in args)
        moved = builder.shl(exponent, ir.Constant(int32, 23))
        return builder.bitcast(builder.add(bits, moved), ir.FloatType())

    return types.float32(types.float32, types.float32), generate


@intrinsic  # type: ignore[untyped-decorator]
def _arrays_do_not_overlap(typing: Any) -> Any:
    """Mark every array argument of the calling function as ``restrict``; LLVM vectorises its loops only then."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        for argument in builder.function.args:
            if isinstance(argument.type, ir.PointerType):
                argument.add_attribute("noalias")
        return context.get_dummy_value()

    return types.none(), generate


@intrinsic  # type: ignore[untyped-decorator]
def _wide_vectors(typing: Any) -> Any:
    """Let LLVM use 512-bit vectors in the calling function where the processor has them; its default is 256."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        # llvmlite supports attributes without a value only, but prints every string in the set.
        set.add(builder.function.attributes, '"prefer-vector-width"="512"')
        return context.get_dummy_value()

    return types.none(), generate


@intrinsic  # type: ignore[untyped-decorator]
def _prefetch(typing: Any, array: Any, index: Any) -> Any:
    """Prefetch the cache line of array[index]; the index may be out of range."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        address = builder.bitcast(builder.gep(data, [args[1]]), ir.IntType(8).as_pointer())
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [address.type, number, number, number])
        function = builder.module.declare_intrinsic("llvm.prefetch", [address.type], kind)
        # Arguments: read (0), keep in all cache levels (3), data cache (1).
        builder.call(function, [address, ir.Constant(number, 0), ir.Constant(number, 3), ir.Constant(number, 1)])
        return context.get_dummy_value()

    return types.none(array, types.int64), generate


def _exp2_coefficients() -> list[np.float32]:
    """Coefficients 1..5 of a polynomial for 2**f on [-1/2, 1/2]; the zeroth is exactly 1, for accurate slow decays."""
    nodes = np.cos(np.pi * (np.arange(64) + 0.5) / 64) / 2
    coefficients, *_ = np.linalg.lstsq(np.vander(nodes, 5, increasing=True), (np.exp2(nodes) - 1) / nodes, rcond=None)
    return [np.float32(c) for c in coefficients]


def _log1p_coefficients() -> list[np.float32]:
    """Coefficients 1..9 of a polynomial for log1p(w) / w on [0, 1]; the zeroth is exactly 1, for small step sizes."""
    nodes = np.cos(np.pi * (np.arange(64) + 0.5) / 64) / 2 + 0.5
    powers = np.vander(nodes, 10, increasing=True)[:, 1:]
    coefficients, *_ = np.linalg.lstsq(powers, np.log1p(nodes) / nodes - 1, rcond=None)
    return [np.float32(c) for c in coefficients]


_C1, _C2, _C3, _C4, _C5 = _exp2_coefficients()
_L1, _L2, _L3, _L4, _L5, _L6, _L7, _L8, _L9 = _log1p_coefficients()
_ZERO, _ONE, _TWO = np.float32(0), np.float32(1), np.float32(2)
_LOWEST, _HIGHEST = np.float32(-127), np.float32(128)  # 2**x is 0 below and infinite above
_ROUND = np.float32(1.5 * 2**23)  # x + _ROUND has the integer nearest to x in its low bits
_LOG2E, _LN2 = np.float32(np.log2(np.e)), np.float32(np.log(2))


@_compiled
def _exp2(x: np.float32) -> np.float32:
    """2**x, relative error 3e-7: x = k + f, 2**f by a polynomial on [-1/2, 1/2], k added to the exponent."""
    x = min(max(x, _LOWEST), _HIGHEST)
    shifted = x + _ROUND
    f = x - (shifted - _ROUND)
    power = _ONE + f * (_C1 + f * (_C2 + f * (_C3 + f * (_C4 + f * _C5))))
    result: np.float32 = _add_to_exponent(power, shifted)
    return result


@_compiled
def _sigmoid(x: np.float32) -> np.float32:
    return _ONE / (_ONE + _exp2(-x * _LOG2E))


@_compiled
def _softplus(x: np.float32) -> np.float32:
    """log(1 + e**x) = max(x, 0) + log1p(w), w = e**-|x|, log1p by a polynomial on [0, 1]; relative error 2e-7."""
    w = _exp2(-abs(x) * _LOG2E)
    high = _L5 + w * (_L6 + w * (_L7 + w * (_L8 + w * _L9)))
    return max(x, _ZERO) + w * (_ONE + w * (_L1 + w * (_L2 + w * (_L3 + w * (_L4 + w * high)))))


@_compiled
def _load(rows: Rows, batch: int, first: int, width: int, start: int, steps: int, tile: Array) -> None:
    """tile[s, d] = rows[batch, first + d, start + s] for d < width, zero for other d."""
    _wide_vectors()
    _arrays_do_not_overlap()
    origin = rows.offset + batch * rows.batch + first * rows.channel + start * rows.time
    if rows.channel == 1:
        for s in range(steps):
            row = np.uint64(origin + s * rows.time)  # unsigned, so that no code for negative indices is generated
            for d in range(width):
                tile[s, d] = rows.data[row + np.uint64(d)]
    else:
        for d in range(width):
            column = origin + d * rows.channel
            for s in range(steps):
                tile[s, d] = rows.data[np.uint64(column + s * rows.time)]
    for s in range(steps):
        for d in range(width, tile.shape[1]):
            tile[s, d] = _ZERO


@_compiled
def _store(tile: Array, rows: Rows, batch: int, first: int, width: int, start: int, steps: int) -> None:
    """rows[batch, first + d, start + s] = tile[s, d] for d < width."""
    _wide_vectors()
    _arrays_do_not_overlap()
    origin = rows.offset + batch * rows.batch + first * rows.channel + start * rows.time
    if rows.channel == 1:
        for s in range(steps):
            row = np.uint64(origin + s * rows.time)
            for d in range(width):
                rows.data[row + np.uint64(d)] = tile[s, d]
    else:
        for d in range(width):
            column = origin + d * rows.channel
            for s in range(steps):
                rows.data[np.uint64(column + s * rows.time)] = tile[s, d]


@_compiled
def _prefetch_tile(rows: Rows, batch: int, first: int, start: int, steps: int) -> None:
    """Prefetch a tile of channel-last rows."""
    if rows.channel == 1:
        origin = rows.offset + batch * rows.batch + first + start * rows.time
        for s in range(steps):
            for line in range(0, BLOCK, 16):
                _prefetch(rows.data, origin + s * rows.time + line)


@_compiled
def _load_step_sizes(
    delta: Rows, batch: int, first: int, width: int, start: int, steps: int, bias: Array, softplus: bool,
    raw: Array, dt: Array,
) -> None:  # fmt: skip
    """Compute raw = delta + bias and dt = softplus(raw), or dt = raw."""
    _wide_vectors()
    _arrays_do_not_overlap()
    _load(delta, batch, first, width, start, steps, raw)
    for s in range(steps):
        for d in range(BLOCK):
            biased = raw[s, d] + bias[d]
            raw[s, d] = biased
            dt[s, d] = _softplus(biased) if softplus else biased


@_compiled
def _load_state(initial: Array, batch: int, first: int, width: int, state: Array) -> None:
    """state[n, d] = initial[batch, first + d, n], or zero where there is no initial state."""
    state[:] = _ZERO
    if initial.size:
        for d in range(width):
            for n in range(state.shape[0]):
                state[n, d] = initial[batch, first + d, n]


@_compiled
def _load_decay_rates(A: Array, first: int, width: int, rates: Array) -> None:
    """rates[n, d] = A[first + d, n] log2(e)."""
    rates[:] = _ZERO
    for d in range(width):
        for n in range(rates.shape[0]):
            rates[n, d] = A[first + d, n] * _LOG2E


@_compiled
def tile_forward(
    steps: int, rates: Array, delta: Array, drive: Array, B: Array, C: Array, state: Array, y: Array
) -> None:
    """Forward recurrence over a tile: h = exp(dt A) h + B drive, drive = dt u; adds C h to y [steps, W].

    `state` [N, W] holds h before the first step and is updated in place to h after the last.
    """
    _wide_vectors()
    _arrays_do_not_overlap()
    for s in range(steps):
        for n in range(state.shape[0]):
            b, c = B[s, n], C[s, n]
            for d in range(BLOCK):
                h = _exp2(delta[s, d] * rates[n, d]) * state[n, d] + b * drive[s, d]
                state[n, d] = h
                y[s, d] += c * h


@_compiled
def tile_states(steps: int, rates: Array, delta: Array, drive: Array, B: Array, states: Array, decays: Array) -> None:
    """As `tile_forward`, writing every decay [steps, N, W] and every state [steps + 1, N, W]; states[0] is given."""
    _wide_vectors()
    _arrays_do_not_overlap()
    for s in range(steps):
        for n in range(decays.shape[1]):
            b = B[s, n]
            for d in range(BLOCK):
                decay = _exp2(delta[s, d] * rates[n, d])
                decays[s, n, d] = decay
                states[s + 1, n, d] = decay * states[s, n, d] + b * drive[s, d]


@_compiled_with_sums
def tile_backward(
    steps: int, rates: Array, delta: Array, drive: Array, dy: Array, B: Array, C: Array, states: Array,
    decays: Array, dstate: Array, ddrive: Array, dexponent: Array, drates: Array, dB: Array, dC: Array,
) -> None:  # fmt: skip
    """Backward recurrence over a tile; `dstate` [N, W], the gradient from later steps, is updated in place.

    g_t = dL/dh_t = dstate + C_t dy_t;   w_t = exp(dt A) g_t, the new dstate;   q_t = w_t h_(t-1).
    ddrive_t = sum_n B_t g_t;   dexponent_t = sum_n q_t A (A in the units of `rates`);   drates = sum_t q_t dt;
    dB_t = sum_d g_t drive_t;   dC_t = sum_d h_t dy_t.   All five are accumulated onto their arrays.
    """
    _wide_vectors()
    _arrays_do_not_overlap()
    for s in range(steps - 1, -1, -1):
        for n in range(dstate.shape[0]):
            b, c = B[s, n], C[s, n]
            b_sum, c_sum = _ZERO, _ZERO
            for d in range(BLOCK):
                g = dstate[n, d] + c * dy[s, d]
                w = g * decays[s, n, d]
                q = w * states[s, n, d]
                b_sum += g * drive[s, d]
                c_sum += states[s + 1, n, d] * dy[s, d]
                ddrive[s, d] += b * g
                dexponent[s, d] += q * rates[n, d]
                drates[n, d] += q * delta[s, d]
                dstate[n, d] = w
            dB[s, n] += b_sum
            dC[s, n] += c_sum


@_compiled
def _skip_and_drive(steps: int, D: Array, u: Array, dt: Array, y: Array, drive: Array) -> None:
    """Compute y = D u, the skip connection, and drive = dt u, the input of the state."""
    _wide_vectors()
    _arrays_do_not_overlap()
    for s in range(steps):
        for d in range(BLOCK):
            y[s, d] = D[d] * u[s, d]
            drive[s, d] = dt[s, d] * u[s, d]


@_compiled
def _apply_gate(steps: int, z: Array, y: Array) -> None:
    """Multiply y by silu(z)."""
    _wide_vectors()
    _arrays_do_not_overlap()
    for s in range(steps):
        for d in range(BLOCK):
            y[s, d] *= z[s, d] * _sigmoid(z[s, d])


@_compiled
def _gate_gradient(steps: int, C: Array, states: Array, z: Array, y: Array, dy: Array) -> None:
    """In place: z becomes dL/dz, dy (gradient of y silu(z)) the gradient of y, and y (given as D u) C h + D u."""
    _wide_vectors()
    _arrays_do_not_overlap()
    for s in range(steps):
        for n in range(C.shape[1]):
            c = C[s, n]
            for d in range(BLOCK):
                y[s, d] += c * states[s + 1, n, d]
        for d in range(BLOCK):
            gate = _sigmoid(z[s, d])
            silu = z[s, d] * gate
            z[s, d] = dy[s, d] * y[s, d] * (gate + silu * (_ONE - gate))
            dy[s, d] *= silu


@_compiled
def _input_gradients(
    steps: int, D: Array, softplus: bool, raw: Array, dt: Array, u: Array, dy: Array, ddrive: Array,
    dexponent: Array, dD: Array, dbias: Array,
) -> None:  # fmt: skip
    """In place: ddrive becomes dL/du and dexponent dL/d(delta), by drive = dt u and dt = softplus(raw)."""
    _wide_vectors()
    _arrays_do_not_overlap()
    for s in range(steps):
        for d in range(BLOCK):
            ddt = ddrive[s, d] * u[s, d] + dexponent[s, d] * _LN2
            ddrive[s, d] = ddrive[s, d] * dt[s, d] + D[d] * dy[s, d]
            dexponent[s, d] = ddt
            dD[d] += dy[s, d] * u[s, d]
        if softplus:
            for d in range(BLOCK):
                dexponent[s, d] *= _sigmoid(raw[s, d])
        for d in range(BLOCK):
            dbias[d] += dexponent[s, d]


@_compiled
def _tile(rows: int) -> Array:
    return np.empty((rows, BLOCK), np.float32)


@_compiled
def forward(
    tasks: Array, length: int, u: Rows, delta: Rows, B: Rows, C: Rows, z: Rows, A: Array, D: Array,
    bias: Array, softplus: bool, gated: bool, initial: Array, y: Rows, stored: Array, last: Array,
) -> None:  # fmt: skip
    """Scan the sequences and channels of every task (rows of `tasks`, see `_tasks` in cpu.py).

    u, delta, z, y: Rows [B, D, L]; B, C: Rows [B, N, L]; z is read only if ``gated``. A: [D, N]; D, bias: [D].
    initial, last: [B, D, N] or empty. stored: [B, (L - 1) // STEPS, N, D] or empty, the states after STEPS, 2 STEPS,
    ... steps. Writes y, stored and last.
    """
    _wide_vectors()
    N = A.shape[1]
    T = min(STEPS, length)
    B_tile, C_tile = np.empty((T, N), np.float32), np.empty((T, N), np.float32)
    for task in tasks:
        D_block, bias_block = np.zeros(BLOCK, np.float32), np.zeros(BLOCK, np.float32)
        rates, state = _tile(N), _tile(N)
        raw, dt, drive, u_tile, out, gate = _tile(T), _tile(T), _tile(T), _tile(T), _tile(T), _tile(T)
        for first in range(task[4], task[5], BLOCK):
            width = min(BLOCK, task[5] - first)
            _load_decay_rates(A, first, width, rates)
            D_block[:width] = D[first : first + width]
            bias_block[:width] = bias[first : first + width]
            for b in range(task[2], task[3]):
                _load_state(initial, b, first, width, state)
                for start in range(0, length, STEPS):
                    steps = min(STEPS, length - start)
                    if stored.size and start:
                        stored[b, start // STEPS - 1, :, first : first + width] = state[:, :width]
                    _load(B, b, 0, N, start, steps, B_tile)
                    _load(C, b, 0, N, start, steps, C_tile)
                    _load(u, b, first, width, start, steps, u_tile)
                    _load_step_sizes(delta, b, first, width, start, steps, bias_block, softplus, raw, dt)
                    next_b, next_start = (b, start + STEPS) if start + STEPS < length else (b + 1, 0)
                    next_steps = min(STEPS, length - next_start)
                    _prefetch_tile(u, next_b, first, next_start, next_steps)
                    _prefetch_tile(delta, next_b, first, next_start, next_steps)
                    _prefetch_tile(y, b, first, start, steps)
                    _skip_and_drive(steps, D_block, u_tile, dt, out, drive)
                    tile_forward(steps, rates, dt, drive, B_tile, C_tile, state, out)
                    if gated:
                        _load(z, b, first, width, start, steps, gate)
                        _apply_gate(steps, gate, out)
                    _store(out, y, b, first, width, start, steps)
                if last.size:
                    last[b, first : first + width, :] = state[:, :width].T


@_compiled
def backward(
    tasks: Array, length: int, u: Rows, delta: Rows, B: Rows, C: Rows, z: Rows, A: Array, D: Array,
    bias: Array, softplus: bool, gated: bool, initial: Array, stored: Array, dy: Rows, dlast: Array, du: Rows,
    ddelta: Rows, dz: Rows, dB: Array, dC: Array, dA: Array, dD: Array, dbias: Array, dinitial: Array,
) -> None:  # fmt: skip
    """Gradients of `forward`, given dy (Rows [B, D, L]) and dlast ([B, D, N] or empty).

    Writes du, ddelta, dz (Rows [B, D, L]; dz only if ``gated``), dinitial ([B, D, N] or empty). Accumulates dB and dC
    ([split, B, L, N], L in the order of the scan), dA ([group, D, N]), dD and dbias ([group, D]). Tasks of one group
    have different channels and tasks of one split different sequences, so no two tasks write to the same elements.
    """
    _wide_vectors()
    N = A.shape[1]
    T = min(STEPS, length)
    B_tile, C_tile = np.empty((T, N), np.float32), np.empty((T, N), np.float32)
    for task in tasks:
        group, split = task[0], task[1]
        D_block, bias_block = np.zeros(BLOCK, np.float32), np.zeros(BLOCK, np.float32)
        dD_block, dbias_block = np.zeros(BLOCK, np.float32), np.zeros(BLOCK, np.float32)
        rates, drates, dstate = _tile(N), _tile(N), _tile(N)
        raw, dt, drive, u_tile, dy_tile = _tile(T), _tile(T), _tile(T), _tile(T), _tile(T)
        ddrive, dexponent, out, gate = _tile(T), _tile(T), _tile(T), _tile(T)
        states, decays = np.empty((T + 1, N, BLOCK), np.float32), np.empty((T, N, BLOCK), np.float32)
        states[:] = _ZERO  # columns beyond the last channel are never written
        for first in range(task[4], task[5], BLOCK):
            width = min(BLOCK, task[5] - first)
            _load_decay_rates(A, first, width, rates)
            D_block[:width] = D[first : first + width]
            bias_block[:width] = bias[first : first + width]
            drates[:] = _ZERO
            dD_block[:] = _ZERO
            dbias_block[:] = _ZERO
            for b in range(task[2], task[3]):
                _load_state(dlast, b, first, width, dstate)
                for start in range((length - 1) // STEPS * STEPS, -1, -STEPS):
                    steps = min(STEPS, length - start)
                    if start:
                        states[0, :, :width] = stored[b, start // STEPS - 1, :, first : first + width]
                    else:
                        _load_state(initial, b, first, width, states[0])
                    _load(B, b, 0, N, start, steps, B_tile)
                    _load(C, b, 0, N, start, steps, C_tile)
                    _load(u, b, first, width, start, steps, u_tile)
                    _load(dy, b, first, width, start, steps, dy_tile)
                    _load_step_sizes(delta, b, first, width, start, steps, bias_block, softplus, raw, dt)
                    next_b, next_start = (b, start - STEPS) if start else (b + 1, (length - 1) // STEPS * STEPS)
                    next_steps = min(STEPS, length - next_start)
                    _prefetch_tile(u, next_b, first, next_start, next_steps)
                    _prefetch_tile(delta, next_b, first, next_start, next_steps)
                    _prefetch_tile(dy, next_b, first, next_start, next_steps)
                    _prefetch_tile(du, b, first, start, steps)
                    _prefetch_tile(ddelta, b, first, start, steps)
                    _skip_and_drive(steps, D_block, u_tile, dt, out, drive)
                    tile_states(steps, rates, dt, drive, B_tile, states, decays)
                    if gated:
                        _load(z, b, first, width, start, steps, gate)
                        _gate_gradient(steps, C_tile, states, gate, out, dy_tile)
                        _store(gate, dz, b, first, width, start, steps)
                    ddrive[:] = _ZERO
                    dexponent[:] = _ZERO
                    tile_backward(
                        steps, rates, dt, drive, dy_tile, B_tile, C_tile, states, decays, dstate, ddrive, dexponent,
                        drates, dB[split, b, start : start + steps], dC[split, b, start : start + steps],
                    )  # fmt: skip
                    _input_gradients(
                        steps, D_block, softplus, raw, dt, u_tile, dy_tile, ddrive, dexponent, dD_block, dbias_block
                    )
                    _store(ddrive, du, b, first, width, start, steps)
                    _store(dexponent, ddelta, b, first, width, start, steps)
                if dinitial.size:
                    dinitial[b, first : first + width, :] = dstate[:, :width].T
            for d in range(width):
                dD[group, first + d] += dD_block[d]
                dbias[group, first + d] += dbias_block[d]
                for n in range(N):
                    dA[group, first + d, n] += drates[n, d]


@_compiled
def exponentials(repeats: int, values: Array) -> None:
    """Replace every value by 2**-value, `repeats` times: the upper bound of a scan's speed (bench/scan.py)."""
    _wide_vectors()
    for _ in range(repeats):
        for i in range(values.size):
            values[i] = _exp2(-values[i])
