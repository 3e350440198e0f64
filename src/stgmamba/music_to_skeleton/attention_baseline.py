"""Attention baseline: softmax attention with the interface of the selective SSM and about its number of parameters.

The STGM is compared with a network that differs in this layer only.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_HEADS = 2
_BASE = 256.0  # of the rotary frequencies; in the default model the lowest has a period of about 530 positions


class AxisAttention(nn.Module):
    """Softmax attention along one axis: y_t = sum_s a_ts x_s + D x_t.

    a = softmax(q k / sqrt(d)) with rotary position embedding (Su et al. 2021). Queries and keys correspond to C and B
    of the SSM, and the values are the sequence itself (Dao, Gu 2024); the block's linear layers take the place of value
    and output projections. All E channels are values, so the cost per sequence is the L^2 E of multi-head attention.

    The width of queries and keys is that with which the number of parameters is nearest to that of ``SelectiveSSM``: 10
    for each of 2 heads in the default model, where this layer has 7,872 parameters and the SSM 7,296 (7 % fewer).

    Args:
        inner: E, channels of the sequence.
        states: N, states per channel of the SSM that it replaces.
        directions: (False,) attends to earlier positions, (True,) to later ones, (False, True) to all.
    """

    def __init__(self, inner: int, states: int, directions: tuple[bool, ...]) -> None:
        super().__init__()
        self.directions = directions
        rank = max(1, inner // 16)
        # Parameters of the SSM per channel without D, which both have: rank + 2 states (x_proj), rank (dt_proj),
        # states (A), 1 (dt_bias).
        per_channel = 2 * rank + 3 * states + 1
        self.width = 2 * max(1, round(per_channel / (4 * _HEADS)))  # two projections; rotations act on pairs
        self.queries = nn.Linear(inner, _HEADS * self.width, bias=False)
        self.keys = nn.Linear(inner, _HEADS * self.width, bias=False)
        self.D = nn.Parameter(torch.ones(inner))
        self.frequencies: Tensor
        frequencies = _BASE ** -(torch.arange(self.width // 2) * 2 / self.width)
        self.register_buffer("frequencies", frequencies, persistent=False)

    def forward(self, x: Tensor, modulation: None = None) -> Tensor:
        """[S, L, E] -> [S, L, E]: S independent sequences of length L; no modulation, which is of the SSM's B and C."""
        if self.directions == (True,):
            return self._attend(x.flip(1)).flip(1)
        return self._attend(x)

    def _attend(self, x: Tensor) -> Tensor:
        values = x.reshape(*x.shape[:2], _HEADS, -1).transpose(1, 2)  # [S, heads, L, E / heads]
        q, k = (self._rotate(linear(x)) for linear in (self.queries, self.keys))
        # The fast kernels require queries, keys and values of equal width; zeros do not change the products.
        padding = (0, values.shape[-1] - self.width)
        mixed = F.scaled_dot_product_attention(
            F.pad(q, padding), F.pad(k, padding), values, is_causal=len(self.directions) == 1, scale=self.width**-0.5
        )
        return mixed.transpose(1, 2).flatten(2) + self.D * x

    def _rotate(self, x: Tensor) -> Tensor:
        """Rotary position embedding: [S, L, heads * width] -> [S, heads, L, width]."""
        x = x.view(*x.shape[:2], _HEADS, -1).transpose(1, 2)
        angles = torch.arange(x.shape[2], device=x.device)[:, None] * self.frequencies
        cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
        a, b = x.chunk(2, dim=-1)
        return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)
