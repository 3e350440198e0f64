"""Mamba's S6: a selective state space model; step size, B and C are projections of its input."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from stgmamba.ssm.scan import selective_scan


class SelectiveSSM(nn.Module):
    """S6 along one axis: h_t = exp(dt_t A) h_{t-1} + dt_t B_t x_t ; y_t = C_t h_t + D x_t (Gu, Dao 2023, section 3.2).

    Args:
        channels: E, channels of the sequence.
        states: N, states per channel.
        directions: scans whose results are added, with the same parameters: False forward, True backward.
    """

    def __init__(self, channels: int, states: int, directions: tuple[bool, ...]) -> None:
        super().__init__()
        self.states, self.rank, self.directions = states, max(1, channels // 16), directions
        self.x_proj = nn.Linear(channels, self.rank + 2 * states, bias=False)
        self.dt_proj = nn.Linear(self.rank, channels, bias=False)
        # Initialised as in Mamba, section 3.6: dt log-uniform in 0.001 .. 0.1 of a step, A at -(1..N), D at 1.
        dt = torch.exp(torch.empty(channels).uniform_(math.log(1e-3), math.log(1e-1)))
        self.dt_bias = nn.Parameter(dt + torch.log(-torch.expm1(-dt)))
        nn.init.uniform_(self.dt_proj.weight, -(self.rank**-0.5), self.rank**-0.5)
        self.A_log = nn.Parameter(torch.log(torch.arange(1, states + 1).float()).repeat(channels, 1))
        self.D = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor, modulation: Tensor | None = None) -> Tensor:
        """[S, L, E] -> [S, L, E]: S independent sequences of length L.

        Args:
            x: the sequences.
            modulation: relative changes of B and C, [S, L or 1, 2 N]; none where not given.
        """
        dt, B, C = self.x_proj(x).split([self.rank, self.states, self.states], dim=-1)
        if modulation is not None:
            change_B, change_C = modulation.chunk(2, dim=-1)
            B, C = B * (1 + change_B), C * (1 + change_C)
        dt = self.dt_proj(dt)
        A = -torch.exp(self.A_log)
        # The scan takes channels first; channel-last data go in as transposed views, without a copy.
        u, dt, B, C = (v.transpose(1, 2) for v in (x, dt, B, C))
        y = self._scan(u, dt, A, B, C, self.directions[0])
        for reverse in self.directions[1:]:
            y = y + self._scan(u, dt, A, B, C, reverse)
        return y.transpose(1, 2)

    def _scan(self, u: Tensor, dt: Tensor, A: Tensor, B: Tensor, C: Tensor, reverse: bool) -> Tensor:
        y = selective_scan(u, dt, A, B, C, self.D, delta_bias=self.dt_bias, delta_softplus=True, reverse=reverse)
        assert isinstance(y, Tensor)
        return y
