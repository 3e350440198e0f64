"""Flow matching: the objective that trains the network as a few-step generator, and the solver that walks the flow.

The path is straight, x_t = (1 - t) noise + t dance, and the network answers with the clean dance (Lipman et al. 2023;
Liu et al. 2023), so that a generator of one step, as adversaries train it, is the same flow walked in one step.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from stgmamba.music_to_skeleton import losses
from stgmamba.music_to_skeleton.dataset import Batch
from stgmamba.music_to_skeleton.registry import Network

# Log signal-to-noise ratios between which the steps of the solver are spread evenly.
_FIRST, _LAST = -4.5, 3.0
# Training looks at noisy dances more often than at nearly clean ones: the many frames of a window betray its slow
# movements even in strong noise, so what the dance will be is decided early in the flow (Esser et al. 2024).
_SHIFT = 2.0


class FlowMatching(nn.Module):
    """Loss terms of a batch under flow matching."""

    players = ("generator",)

    def __init__(self, model: Network, weights: dict[str, float]) -> None:
        super().__init__()
        self.model, self.weights = model, weights

    def forward(self, batch: Batch, player: str) -> dict[str, Tensor]:
        """Weighted terms, to be added up; noise and flow times come from torch's global generator."""
        model = self.model
        clean = (batch.nodes - model.mean) / model.scale
        t = torch.rand(len(clean), device=clean.device)
        t = t / (t + _SHIFT * (1 - t))
        blend = t[:, None, None, None]
        noisy = (1 - blend) * torch.randn_like(clean) + blend * clean
        predicted = model(noisy, t, model.hear(batch.wave, batch.features), batch.genre)
        # Late in the flow little is left to guess and the error is small; it counts in proportion (Karras et al. 2022).
        weight = 1 / (1.1 - blend)
        terms = {
            "reconstruction": losses.reconstruction(predicted, clean, weight),
            "velocity": losses.velocity(predicted, clean, weight),
            "contact": losses.foot_contact(predicted * model.scale + model.mean, batch.nodes),
        }
        return {name: self.weights[name] * value for name, value in terms.items() if self.weights[name]}


def solve(predict: Callable[[Tensor, float], Tensor], noise: Tensor, steps: int) -> Tensor:
    """Walk the flow from noise to a dance with the second-order multistep solver of Lu et al. (DPM-Solver++, 2022).

    Args:
        predict: (x_t, t) -> the clean dance.
        noise: x_0.
        steps: calls of ``predict``, >= 1; 1 is a single pass.

    Returns:
        The dance, shaped as the noise.
    """
    ratios = [_FIRST + (_LAST - _FIRST) * i / max(1, steps - 2) for i in range(steps - 1)]
    times = [0.0, *(1 / (1 + math.exp(-ratio)) for ratio in ratios), 1.0]
    x, before = noise, None
    for i in range(steps):
        t, after = times[i], times[i + 1]
        clean = predict(x, t)
        guess = clean
        if before is not None and 1 < i < steps - 1:
            # Steps are even in the ratio: halfway along, the answer will have changed half as much again.
            guess = clean + (clean - before) / 2
        x = (1 - after) / (1 - t) * (x - t * guess) + after * guess
        before = clean
    return x
