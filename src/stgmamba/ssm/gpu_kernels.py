# mypy: disable-error-code="untyped-decorator, no-untyped-def"
"""GPU kernels of the selective scan, forward and backward, in Triton.

One program scans a block of `BLOCK` channels of one sequence; its state [BLOCK, N] stays in registers, so that every
input is read once from memory and every output written once. As on the CPU (cpu_kernels.py) the forward pass stores the
state at every `STEPS`-th step only, and the backward pass recomputes the steps in between, in a buffer of `STEPS`
states.

Shapes in the kernels: S sequences, L steps, D channels, N states; all but B and C are dense with the channels last.
"""

from __future__ import annotations

import triton
import triton.language as tl

BLOCK = 64  # channels of a program: two per thread of a warp, the fewest that read 256 bytes of a row at once
WARPS = 1


@triton.jit
def _step_size(raw, bias, SOFTPLUS: tl.constexpr):
    """The step size and its derivative by the raw value."""
    value = raw + bias
    if SOFTPLUS:
        # log(1 + exp(x)) without overflow: max(x, 0) + log(1 + exp(-|x|)).
        size = tl.maximum(value, 0.0) + tl.log(1.0 + tl.exp(-tl.abs(value)))
        return size, 1.0 / (1.0 + tl.exp(-value))
    return value, tl.full(value.shape, 1.0, tl.float32)


@triton.jit
def forward(
    u_, delta_, A_, B_, C_, D_, z_, bias_, initial_, y_, last_, stored_,
    length, channels, b_s, b_t, b_n, c_s, c_t, c_n,
    N: tl.constexpr, PADDED: tl.constexpr, BLOCK: tl.constexpr, STEPS: tl.constexpr, SOFTPLUS: tl.constexpr,
    REVERSE: tl.constexpr, SKIP: tl.constexpr, GATE: tl.constexpr, BIAS: tl.constexpr, INITIAL: tl.constexpr,
    LAST: tl.constexpr, STORE: tl.constexpr,
):  # fmt: skip
    """Y [S, L, D], last state [S, D, N], stored states [S, (L - 1) // STEPS, N, D]; the latter two where asked for."""
    sequence = tl.program_id(0).to(tl.int64)
    d = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    n = tl.arange(0, PADDED)
    on, known = d < channels, n < N
    both = on[:, None] & known[None, :]
    A = tl.load(A_ + d[:, None] * N + n[None, :], mask=both, other=0.0)
    bias = tl.load(bias_ + d, mask=on, other=0.0) if BIAS else tl.zeros([BLOCK], tl.float32)
    skip = tl.load(D_ + d, mask=on, other=0.0) if SKIP else tl.zeros([BLOCK], tl.float32)
    h = tl.zeros([BLOCK, PADDED], tl.float32)
    if INITIAL:
        h = tl.load(initial_ + (sequence * channels + d[:, None]) * N + n[None, :], mask=both, other=0.0)
    stores = (length - 1) // STEPS
    for i in range(length):
        if STORE:  # noqa: SIM102 - a constant, which removes the code where it is False
            if (i > 0) & (i % STEPS == 0):
                at = (sequence * stores + i // STEPS - 1) * N
                tl.store(stored_ + (at + n[None, :]) * channels + d[:, None], h, mask=both)
        t = length - 1 - i if REVERSE else i
        row = (sequence * length + t) * channels + d
        u = tl.load(u_ + row, mask=on, other=0.0)
        size, _ = _step_size(tl.load(delta_ + row, mask=on, other=0.0), bias, SOFTPLUS)
        b = tl.load(B_ + sequence * b_s + t * b_t + n * b_n, mask=known, other=0.0)
        c = tl.load(C_ + sequence * c_s + t * c_t + n * c_n, mask=known, other=0.0)
        h = tl.exp(size[:, None] * A) * h + (size * u)[:, None] * b[None, :]
        y = tl.sum(h * c[None, :], axis=1) + skip * u
        if GATE:
            z = tl.load(z_ + row, mask=on, other=0.0)
            y = y * z / (1.0 + tl.exp(-z))
        tl.store(y_ + row, y, mask=on)
    if LAST:
        tl.store(last_ + (sequence * channels + d[:, None]) * N + n[None, :], h, mask=both)


@triton.jit
def backward(
    u_, delta_, A_, B_, C_, D_, z_, bias_, initial_, stored_, dy_, dlast_, scratch_,
    du_, ddelta_, dz_, dA_, dB_, dC_, dD_, dbias_, dinitial_,
    length, channels, b_s, b_t, b_n, c_s, c_t, c_n,
    N: tl.constexpr, PADDED: tl.constexpr, BLOCK: tl.constexpr, STEPS: tl.constexpr, SOFTPLUS: tl.constexpr,
    REVERSE: tl.constexpr, SKIP: tl.constexpr, GATE: tl.constexpr, BIAS: tl.constexpr, INITIAL: tl.constexpr,
    LAST: tl.constexpr,
):  # fmt: skip
    """Gradients of `forward`.

    Sums over the channels of other programs and over the sequences remain: dB, dC are [D / BLOCK, S, L, N],
    dA [S, D, N], dD and dbias [S, D]. The scratch is [S, STEPS, D, N].
    """
    sequence = tl.program_id(0).to(tl.int64)
    part = tl.program_id(1)
    d = part * BLOCK + tl.arange(0, BLOCK)
    n = tl.arange(0, PADDED)
    on, known = d < channels, n < N
    both = on[:, None] & known[None, :]
    state = (sequence * channels + d[:, None]) * N + n[None, :]
    A = tl.load(A_ + d[:, None] * N + n[None, :], mask=both, other=0.0)
    bias = tl.load(bias_ + d, mask=on, other=0.0) if BIAS else tl.zeros([BLOCK], tl.float32)
    skip = tl.load(D_ + d, mask=on, other=0.0) if SKIP else tl.zeros([BLOCK], tl.float32)
    g = tl.zeros([BLOCK, PADDED], tl.float32)  # gradient of the state
    if LAST:
        g = tl.load(dlast_ + state, mask=both, other=0.0)
    dA = tl.zeros([BLOCK, PADDED], tl.float32)
    dD = tl.zeros([BLOCK], tl.float32)
    dbias = tl.zeros([BLOCK], tl.float32)
    stores = (length - 1) // STEPS
    for chunk in range(stores + 1):
        first = (stores - chunk) * STEPS
        count = tl.minimum(length - first, STEPS)
        # The states before each step of the chunk, anew.
        h = tl.zeros([BLOCK, PADDED], tl.float32)
        if first > 0:
            at = (sequence * stores + first // STEPS - 1) * N
            h = tl.load(stored_ + (at + n[None, :]) * channels + d[:, None], mask=both, other=0.0)
        elif INITIAL:
            h = tl.load(initial_ + state, mask=both, other=0.0)
        for i in range(count):
            before = ((sequence * STEPS + i) * channels + d[:, None]) * N + n[None, :]
            tl.store(scratch_ + before, h, mask=both)
            t = length - 1 - first - i if REVERSE else first + i
            row = (sequence * length + t) * channels + d
            u = tl.load(u_ + row, mask=on, other=0.0)
            size, _ = _step_size(tl.load(delta_ + row, mask=on, other=0.0), bias, SOFTPLUS)
            b = tl.load(B_ + sequence * b_s + t * b_t + n * b_n, mask=known, other=0.0)
            h = tl.exp(size[:, None] * A) * h + (size * u)[:, None] * b[None, :]
        tl.debug_barrier()  # what other threads have written is read below
        for back in range(count):
            i = count - 1 - back
            before = ((sequence * STEPS + i) * channels + d[:, None]) * N + n[None, :]
            previous = tl.load(scratch_ + before, mask=both, other=0.0)
            t = length - 1 - first - i if REVERSE else first + i
            row = (sequence * length + t) * channels + d
            u = tl.load(u_ + row, mask=on, other=0.0)
            size, slope = _step_size(tl.load(delta_ + row, mask=on, other=0.0), bias, SOFTPLUS)
            b = tl.load(B_ + sequence * b_s + t * b_t + n * b_n, mask=known, other=0.0)
            c = tl.load(C_ + sequence * c_s + t * c_t + n * c_n, mask=known, other=0.0)
            decay = tl.exp(size[:, None] * A)
            h = decay * previous + (size * u)[:, None] * b[None, :]
            dy = tl.load(dy_ + row, mask=on, other=0.0)
            if GATE:
                z = tl.load(z_ + row, mask=on, other=0.0)
                sigmoid = 1.0 / (1.0 + tl.exp(-z))
                y = tl.sum(h * c[None, :], axis=1) + skip * u
                tl.store(dz_ + row, dy * y * sigmoid * (1.0 + z * (1.0 - sigmoid)), mask=on)
                dy = dy * z * sigmoid
            at = ((part * tl.num_programs(0) + sequence) * length + t) * N + n
            tl.store(dC_ + at, tl.sum(dy[:, None] * h, axis=0), mask=known)
            g += dy[:, None] * c[None, :]
            tl.store(dB_ + at, tl.sum(g * (size * u)[:, None], axis=0), mask=known)
            by_input = tl.sum(g * b[None, :], axis=1)
            through = g * decay * previous
            dsize = (tl.sum(through * A, axis=1) + u * by_input) * slope
            tl.store(du_ + row, skip * dy + size * by_input, mask=on)
            tl.store(ddelta_ + row, dsize, mask=on)
            dA += through * size[:, None]
            dD += dy * u
            dbias += dsize
            g = g * decay
        tl.debug_barrier()  # before the next chunk overwrites the states
    tl.store(dA_ + state, dA, mask=both)
    tl.store(dD_ + sequence * channels + d, dD, mask=on)
    tl.store(dbias_ + sequence * channels + d, dbias, mask=on)
    if INITIAL:
        tl.store(dinitial_ + state, g, mask=both)
