"""The Mamba mixer (Gu and Dao 2023, arXiv 2312.00752, figure 3) on top of the selective scan.

[.., L, .., C] -> in-projection -> causal depthwise convolution -> selective scan -> gate -> out-projection. Everything
is kept channel-last, which is how the linear layers make it and how the scan likes it best.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from stgmamba.ssm.scan import selective_scan


class MambaState(NamedTuple):
    """All that a mixer remembers of the frames so far."""

    conv: Tensor  # [B, d_conv - 1, D], the last inputs of the convolution
    ssm: Tensor  # [B, D, N], float32


class SelectiveSSM(nn.Module):
    """Convolution and selective scan in one direction, with the parameters that make delta, B and C from the input.

    Initialised as in the paper, section 3.6: A = -(1 .. N); delta, before any input, log-uniform in dt_range; D = 1.
    """

    def __init__(self, d_inner: int, d_state: int, d_conv: int, dt_rank: int, dt_range: tuple[float, float]) -> None:
        super().__init__()
        self.d_inner, self.d_state, self.d_conv, self.dt_rank = d_inner, d_state, d_conv, dt_rank
        self.conv1d = nn.Conv1d(d_inner, d_inner, d_conv, groups=d_inner)
        self.x_proj = nn.Linear(d_inner, dt_rank + 2 * d_state, bias=False)
        self.dt_proj = nn.Linear(dt_rank, d_inner)
        self.A_log = nn.Parameter(torch.arange(1.0, d_state + 1).log().repeat(d_inner, 1))  # [D, N]
        self.D = nn.Parameter(torch.ones(d_inner))

        low, high = dt_range
        dt = torch.exp(torch.rand(d_inner) * math.log(high / low) + math.log(low))
        with torch.no_grad():
            self.dt_proj.weight.uniform_(-(dt_rank**-0.5), dt_rank**-0.5)
            self.dt_proj.bias.copy_(dt + torch.log(-torch.expm1(-dt)))  # softplus of it is dt

    def run(self, x: Tensor, z: Tensor, reverse: bool = False) -> Tensor:
        """Mix x [B, L, D] along L, from the last step to the first if `reverse`, and gate it with z [B, L, D]."""
        before, after = (0, self.d_conv - 1) if reverse else (self.d_conv - 1, 0)
        x = self._convolve(functional.pad(x, (0, 0, before, after)), reverse)
        return cast(Tensor, self._scan(x, z, None, reverse, want_last=False)).transpose(1, 2)

    def resume(self, x: Tensor, z: Tensor, state: MambaState) -> tuple[Tensor, MambaState]:
        """Mix x [B, L, D], the continuation of what `state` has seen."""
        x = torch.cat((state.conv, x), dim=1)  # [B, d_conv - 1 + L, D]
        y, last = self._scan(self._convolve(x, reverse=False), z, state.ssm, reverse=False, want_last=True)
        return y.transpose(1, 2), MambaState(x[:, x.shape[1] - self.d_conv + 1 :], last)

    def initial_state(self, batch: int) -> MambaState:
        """Return the state before the first frame."""
        weight = self.conv1d.weight
        conv = weight.new_zeros(batch, self.d_conv - 1, self.d_inner)
        return MambaState(conv, weight.new_zeros(batch, self.d_inner, self.d_state, dtype=torch.float32))

    def _convolve(self, x: Tensor, reverse: bool) -> Tensor:
        """SiLU of the depthwise convolution of padded x [B, L + d_conv - 1, D]: [B, L, D]."""
        weight = self.conv1d.weight.flip(-1) if reverse else self.conv1d.weight  # [D, 1, d_conv]
        # As a picture of height 1, because PyTorch has a channel-last convolution for pictures only.
        picture = x.transpose(1, 2).unsqueeze(2).contiguous(memory_format=torch.channels_last)
        y = functional.conv2d(picture, weight.unsqueeze(2), self.conv1d.bias, groups=self.d_inner)
        return functional.silu(y.squeeze(2).transpose(1, 2))

    def _scan(
        self, x: Tensor, z: Tensor, initial: Tensor | None, reverse: bool, want_last: bool
    ) -> Tensor | tuple[Tensor, Tensor]:
        projected = cast(Tensor, self.x_proj(x))  # [B, L, ..]
        dt, B, C = torch.split(projected, [self.dt_rank, self.d_state, self.d_state], dim=-1)
        delta = functional.linear(dt, self.dt_proj.weight)  # [B, L, D]; its bias is added in the scan
        return selective_scan(
            x.transpose(1, 2),
            delta.transpose(1, 2),
            -torch.exp(self.A_log.float()),
            B.transpose(1, 2),
            C.transpose(1, 2),
            self.D,
            z.transpose(1, 2),
            self.dt_proj.bias,
            delta_softplus=True,
            reverse=reverse,
            initial_state=initial,
            return_last_state=want_last,
        )


class MambaMixer(SelectiveSSM):
    """Mixes a tensor along one of its axes in linear time.

    The parameters of the forward direction have the names of the original implementation, so that its weights load.

    Args:
        d_model: channels C.
        d_state: N, states per inner channel.
        d_conv: steps the causal convolution sees.
        expand: inner channels per channel, D = expand C.
        dt_rank: rank of the map from input to delta; "auto" is C / 16, rounded up.
        bidirectional: whether a second scan, with parameters of its own, runs backwards; the two are added before the
            out-projection (as in Vision Mamba, Zhu et al. 2024, arXiv 2401.09417).
        bias: whether the in- and out-projection have a bias.
        dt_range: bounds of delta at the start, in steps.
    """

    def __init__(
        self,
        d_model: int,
        d_state: int = 16,
        d_conv: int = 4,
        expand: int = 2,
        dt_rank: int | Literal["auto"] = "auto",
        bidirectional: bool = False,
        bias: bool = False,
        dt_range: tuple[float, float] = (1e-3, 1e-1),
    ) -> None:
        d_inner = expand * d_model
        rank = math.ceil(d_model / 16) if dt_rank == "auto" else dt_rank
        super().__init__(d_inner, d_state, d_conv, rank, dt_range)
        self.in_proj = nn.Linear(d_model, 2 * d_inner, bias=bias)
        self.out_proj = nn.Linear(d_inner, d_model, bias=bias)
        self.backwards = SelectiveSSM(d_inner, d_state, d_conv, rank, dt_range) if bidirectional else None

    def forward(self, hidden: Tensor, axis: int = -2, reverse: bool = False) -> Tensor:
        """Mix `hidden` [.., C] along `axis` (any but the last, which are the channels); from its end if `reverse`."""
        moved = hidden.movedim(axis, -2)  # [.., L, C]
        x, z = self.in_proj(moved.flatten(0, -3) if moved.dim() > 3 else moved).chunk(2, dim=-1)  # [B, L, D]
        y = self.run(x, z, reverse)
        if self.backwards is not None:
            y = y + self.backwards.run(x, z, not reverse)
        return cast(Tensor, self.out_proj(y)).reshape(moved.shape).movedim(-2, axis)

    def chunk(self, hidden: Tensor, state: MambaState) -> tuple[Tensor, MambaState]:
        """Mix the next L frames, `hidden` [B, L, C], of a stream; start with `initial_state(B)`.

        Raises:
            ValueError: if the mixer is bidirectional: the future is not known yet.
        """
        if self.backwards is not None:
            raise ValueError("a bidirectional mixer needs the whole sequence at once")
        x, z = self.in_proj(hidden).chunk(2, dim=-1)
        y, state = self.resume(x, z, state)
        return self.out_proj(y), state

    def step(self, hidden: Tensor, state: MambaState) -> tuple[Tensor, MambaState]:
        """Mix the next frame, `hidden` [B, C], of a stream; as `chunk`."""
        y, state = self.chunk(hidden[:, None], state)
        return y[:, 0], state
