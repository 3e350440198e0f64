"""The attention twin of the selective SSM: the same axis, the same call, about the same number of parameters.

It is what the STGM is compared with: one network in which nothing but the mixer differs.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_HEADS = 2
# Largest ratio of wavelengths of the rotations: the slowest turns once in about 400 frames.
_BASE = 256.0


class AxisAttention(nn.Module):
    """Softmax attention along one axis, as an SSM's exact stand-in: y_t = sum_s a_ts x_s + D x_t.

    a = softmax(q k / sqrt(d)) with rotary positions (Su et al. 2021), so that it knows order. Queries and keys take
    the parts of C and B, the sequence itself is the values, as in the SSM (Dao, Gu 2024, on what the two share); what
    attention usually projects before and after is done by the block's own linear layers. All E channels are carried,
    so the cost per sequence is the L^2 E of ordinary attention.

    The width of queries and keys is the one whose parameters come nearest to those of ``SelectiveSSM``: 8 for each of 2
    heads in the default model, where a mixer has 4,224 parameters and the SSM 3,840 (10 % less).
    """

    def __init__(self, inner: int, states: int, directions: tuple[bool, ...]) -> None:
        super().__init__()
        self.directions = directions
        rank = max(1, inner // 16)
        # Per channel the SSM has rank + 2 states (x_proj), rank (dt_proj), states (A), 1 (bias) and D, which both have.
        per_channel = 2 * rank + 3 * states + 1
        self.width = 2 * max(1, round(per_channel / (4 * _HEADS)))  # two projections; rotations take pairs
        self.queries = nn.Linear(inner, _HEADS * self.width, bias=False)
        self.keys = nn.Linear(inner, _HEADS * self.width, bias=False)
        self.D = nn.Parameter(torch.ones(inner))
        self.turns: Tensor
        self.register_buffer("turns", _BASE ** -(torch.arange(self.width // 2) * 2 / self.width), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """[S, L, E] -> [S, L, E]: S independent sequences of length L.

        ``directions`` (False,) sees what came before, (True,) what comes after, both together everything.
        """
        if self.directions == (True,):
            return self._attend(x.flip(1)).flip(1)
        return self._attend(x)

    def _attend(self, x: Tensor) -> Tensor:
        values = x.reshape(*x.shape[:2], _HEADS, -1).transpose(1, 2)  # [S, heads, L, E / heads]
        q, k = (self._rotated(linear(x)) for linear in (self.queries, self.keys))
        # The fast kernels want queries, keys and values of one width; zeros change no product.
        room = (0, values.shape[-1] - self.width)
        mixed = F.scaled_dot_product_attention(
            F.pad(q, room), F.pad(k, room), values, is_causal=len(self.directions) == 1, scale=self.width**-0.5
        )
        return mixed.transpose(1, 2).flatten(2) + self.D * x

    def _rotated(self, x: Tensor) -> Tensor:
        """[S, L, heads * width] -> [S, heads, L, width], pairs of channels turned by their position."""
        x = x.view(*x.shape[:2], _HEADS, -1).transpose(1, 2)
        angles = torch.arange(x.shape[2], device=x.device)[:, None] * self.turns
        cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
        a, b = x.chunk(2, dim=-1)
        return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)
