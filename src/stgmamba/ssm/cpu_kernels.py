"""The selective scan compiled for the CPU: the loops, and nothing else.

What bounds a selective scan on a CPU is one exponential per state and step, then the cache. Hence:

- `_exp2` is plain float32 arithmetic without a branch or a call, so that LLVM turns the loop around it into vector
  instructions, 8 or 16 channels at a time. The caller multiplies A by log2(e) once, which makes exp an exp2.
- The innermost loop runs over a block of `BLOCK` channels. The states [N, block] stay in the first-level cache
  for the whole sequence; whatever the memory layout, inputs are brought in as tiles [STEPS, block].
- The forward pass keeps the state at every `STEPS`-th step only. The backward pass recomputes the steps between from
  there, so memory is O(B L D) and never O(B L D N).
- The next tile is asked for while the present one is worked on: on channel-last data this alone halves the time.
- A reversed scan is a forward scan over rows whose time stride is negative (`Rows`): no kernel knows about it.

Everything compiled is in this file: see `stgmamba.jit`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import types
from numba.extending import intrinsic

from stgmamba.jit import jit

BLOCK = 64  # channels worked on together; fewer are padded, for loops of a known length are twice as fast
STEPS = 32  # steps in a tile, and between two stored states

Array = np.ndarray[Any, Any]


class Rows(NamedTuple):
    """A strided float32 tensor [batch, channel, time], as a flat array and the strides (in elements) to walk it."""

    data: Array
    offset: int
    batch: int
    channel: int
    time: int


_compiled = jit("contract", "nsz")
_compiled_with_sums = jit("contract", "nsz", "reassoc")  # not for `_exp2`: it would cancel the rounding there


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
    """C's ``restrict`` for every array argument of the calling function, without which LLVM will not vectorise it."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        for argument in builder.function.args:
            if isinstance(argument.type, ir.PointerType):
                argument.add_attribute("noalias")
        return context.get_dummy_value()

    return types.none(), generate


@intrinsic  # type: ignore[untyped-decorator]
def _wide_vectors(typing: Any) -> Any:
    """Let the calling function use 512-bit vectors where the processor has them; LLVM by itself keeps to 256."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        # llvmlite knows attributes without a value only, but prints whatever is in the set.
        set.add(builder.function.attributes, '"prefer-vector-width"="512"')
        return context.get_dummy_value()

    return types.none(), generate


@intrinsic  # type: ignore[untyped-decorator]
def _prefetch(typing: Any, array: Any, index: Any) -> Any:
    """Ask for the cache line of array[index], which need not exist."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        address = builder.bitcast(builder.gep(data, [args[1]]), ir.IntType(8).as_pointer())
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [address.type, number, number, number])
        function = builder.module.declare_intrinsic("llvm.prefetch", [address.type], kind)
        # For reading, to be kept in all caches, data.
        builder.call(function, [address, ir.Constant(number, 0), ir.Constant(number, 3), ir.Constant(number, 1)])
        return context.get_dummy_value()

    return types.none(array, types.int64), generate


def _exp2_coefficients() -> list[np.float32]:
    """Coefficients 1..5 of 2**f on [-1/2, 1/2]; the zeroth is exactly 1, which keeps slow decays accurate."""
    nodes = np.cos(np.pi * (np.arange(64) + 0.5) / 64) / 2
    coefficients, *_ = np.linalg.lstsq(np.vander(nodes, 5, increasing=True), (np.exp2(nodes) - 1) / nodes, rcond=None)
    return [np.float32(c) for c in coefficients]


def _log1p_coefficients() -> list[np.float32]:
    """Coefficients 1..9 of log1p(w) / w on [0, 1]; the zeroth is exactly 1, which keeps small step sizes accurate."""
    nodes = np.cos(np.pi * (np.arange(64) + 0.5) / 64) / 2 + 0.5
    powers = np.vander(nodes, 10, increasing=True)[:, 1:]
    coefficients, *_ = np.linalg.lstsq(powers, np.log1p(nodes) / nodes - 1, rcond=None)
    return [np.float32(c) for c in coefficients]


_C1, _C2, _C3, _C4, _C5 = _exp2_coefficients()
_L1, _L2, _L3, _L4, _L5, _L6, _L7, _L8, _L9 = _log1p_coefficients()
_ZERO, _ONE, _TWO = np.float32(0), np.float32(1), np.float32(2)
_LOWEST, _HIGHEST = np.float32(-127), np.float32(128)  # 2**x is 0 and infinite from there on
_ROUND = np.float32(1.5 * 2**23)  # adding it leaves the nearest whole number in the low bits
_LOG2E, _LN2 = np.float32(np.log2(np.e)), np.float32(np.log(2))


@_compiled
def _exp2(x: np.float32) -> np.float32:
    """2**x in float32, relative error 3e-7: 2**f by a polynomial, f in [-1/2, 1/2], the rest into the exponent."""
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
    """log(1 + e**x) as max(x, 0) + log1p(w), w = e**-|x|, and log1p by a polynomial on [0, 1]; relative error 2e-7."""
    w = _exp2(-abs(x) * _LOG2E)
    high = _L5 + w * (_L6 + w * (_L7 + w * (_L8 + w * _L9)))
    return max(x, _ZERO) + w * (_ONE + w * (_L1 + w * (_L2 + w * (_L3 + w * (_L4 + w * high)))))


@_compiled
def _load(rows: Rows, batch: int, first: int, width: int, start: int, steps: int, tile: Array) -> None:
    """tile[s, d] = rows[batch, first + d, start + s]; columns from `width` on become zero."""
    _wide_vectors()
    _arrays_do_not_overlap()
    origin = rows.offset + batch * rows.batch + first * rows.channel + start * rows.time
    if rows.channel == 1:
        for s in range(steps):
            row = np.uint64(origin + s * rows.time)  # unsigned: no index is checked for being negative
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
    """rows[batch, first + d, start + s] = tile[s, d], d < width."""
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
    """Have a tile of channel-last rows on its way into the cache while another one is worked on."""
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
    """Set raw = delta + bias and dt = softplus(raw), or raw itself."""
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
    """Walk `state` [N, W] through a tile, h = exp(dt A) h + B drive (drive = dt u), and add C h to y [steps, W]."""
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
    """As `tile_forward`, keeping every state [steps + 1, N, W] (the first one given) and every decay [steps, N, W]."""
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
    """Walk `dstate` [N, W], the gradient that reaches the state from later steps, back through a tile.

    g_t = dL/dh_t = dstate + C_t dy_t;   dstate of the step before = w_t = exp(dt A) g_t;   q_t = w_t h_(t-1).
    ddrive_t = sum_n B_t g_t;   dexponent_t = sum_n q_t A (A in the units of `rates`);   drates = sum_t q_t dt;
    dB_t = sum_d g_t drive_t;   dC_t = sum_d h_t dy_t.   All are added to what is there.
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
    """Set y = D u, what goes past the state, and drive = dt u, what goes into it."""
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
    """Turn z into dL/dz and dy, the gradient of y silu(z), into that of y; y comes as D u and becomes C h + D u."""
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
    """Turn ddrive into dL/du, dexponent into dL/d(delta): the chain rule through drive = dt u, dt = softplus(raw)."""
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

    u, delta, z, y: Rows [B, D, L]; B, C: Rows [B, N, L]; z is looked at only if ``gated``. A: [D, N]; D, bias: [D].
    initial, last: [B, D, N] or empty. stored, the states after STEPS, 2 STEPS, ... steps: [B, (L - 1) // STEPS, N, D]
    or empty. y, stored and last are written.
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
                    after, then = (b, start + STEPS) if start + STEPS < length else (b + 1, 0)
                    ahead = min(STEPS, length - then)
                    _prefetch_tile(u, after, first, then, ahead)
                    _prefetch_tile(delta, after, first, then, ahead)
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
    """The gradients of `forward`, given dy (Rows [B, D, L]) and dlast ([B, D, N] or empty).

    Written: du, ddelta, dz (Rows [B, D, L]; dz only if ``gated``), dinitial ([B, D, N] or empty). Added to: dB and dC
    ([split, B, L, N], L in the order of the scan), dA ([group, D, N]), dD and dbias ([group, D]). Tasks of one group
    have different channels and tasks of one split different sequences, so no two tasks write to the same place.
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
        raw, dt, drive, u_tile, dy_tile = (
            _tile(T),
            _tile(T),
            _tile(T),
            _tile(T),
            _tile(T),
        )
        ddrive, dexponent, out, gate = _tile(T), _tile(T), _tile(T), _tile(T)
        states, decays = np.empty((T + 1, N, BLOCK), np.float32), np.empty((T, N, BLOCK), np.float32)
        states[:] = _ZERO  # the columns beyond the last channel are never loaded
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
                    after, then = (b, start - STEPS) if start else (b + 1, (length - 1) // STEPS * STEPS)
                    ahead = min(STEPS, length - then)
                    _prefetch_tile(u, after, first, then, ahead)
                    _prefetch_tile(delta, after, first, then, ahead)
                    _prefetch_tile(dy, after, first, then, ahead)
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
    """Take the exponential of every value, over and over: what a scan could at best be as fast as."""
    _wide_vectors()
    for _ in range(repeats):
        for i in range(values.size):
            values[i] = _exp2(-values[i])
