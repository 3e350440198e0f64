"""Flow matching: the objective of the default weights.

The path from noise to dance is linear, x_t = (1 - t) noise + t dance, and the network predicts its end (Lipman et al.
2023; Liu et al. 2023). The one-pass generator of adversarial.py is the same flow integrated in one step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stgmamba.music_to_skeleton import losses
from stgmamba.music_to_skeleton.audio_features import BEAT_COSINE, BEAT_SINE
from stgmamba.music_to_skeleton.dataset import Batch
from stgmamba.music_to_skeleton.registry import Network
from stgmamba.music_to_skeleton.representation import GRAPH

NOISE_MEMORY = 128
"""Frames over which the noise is correlated: 5 s, about the longest phrase of steps."""

LOSS_WEIGHTS = {"reconstruction": 1.0, "velocity": 3.0, "contact": 0.02, "beat": 0.0}
"""Default weights of the terms; a term of weight 0 is not computed."""

_FIRST_LOG_SNR, _LAST_LOG_SNR = -4.5, 3.0  # log signal-to-noise ratios; the solver's steps are evenly spaced between

# Flow times are shifted towards strong noise (Esser et al. 2024, equation 23): slow movement is visible in the many
# frames of a window even at strong noise, so a dance is determined early in the flow.
_SHIFT = 2.0


class FlowMatchingObjective(nn.Module):
    """Loss terms of a batch.

    Args:
        model: the network.
        loss_weights: weights of all terms of `LOSS_WEIGHTS`.
    """

    optimizer_groups = ("generator",)

    def __init__(self, model: Network, loss_weights: Mapping[str, float]) -> None:
        super().__init__()
        self.model, self.loss_weights = model, loss_weights

    def forward(self, batch: Batch, group: str) -> dict[str, Tensor]:
        """Weighted terms, whose sum is the loss; noise and flow times come from torch's global generator."""
        model = self.model
        clean = (batch.nodes - model.mean) / model.scale
        t = torch.rand(len(clean), device=clean.device)
        t = t / (t + _SHIFT * (1 - t))
        blend = t[:, None, None, None]
        noise = draw_noise(len(clean), clean.shape[1], model.config.noise_order, device=clean.device)
        noisy = (1 - blend) * noise + blend * clean
        predicted = model(noisy, t, model.encode_audio(batch.wave, batch.features), batch.style, batch.source)
        # The error decreases along the flow; its inverse as weight balances the flow times (Karras et al. 2022).
        weight = 1 / (1.1 - blend)
        terms = {}
        if self.loss_weights["reconstruction"]:
            terms["reconstruction"] = losses.reconstruction(predicted, clean, weight)
        if self.loss_weights["velocity"]:
            terms["velocity"] = losses.velocity(predicted, clean, weight)
        if self.loss_weights["contact"]:
            terms["contact"] = losses.foot_contact(predicted * model.scale + model.mean, batch.nodes, model.config.fps)
        if self.loss_weights["beat"]:
            cosine = batch.features[..., BEAT_COSINE]
            known = (batch.features[..., [BEAT_COSINE, BEAT_SINE]] != 0).flatten(1).any(dim=1).float()
            cosine = cosine.repeat_interleave(model.config.frames_per_music_frame, dim=1)
            terms["beat"] = losses.beat(
                predicted * model.scale + model.mean, batch.nodes, cosine, known, model.config.fps
            )
        return {name: self.loss_weights[name] * value for name, value in terms.items()}


def draw_noise(
    sequences: int,
    frames: int,
    order: float,
    generator: torch.Generator | None = None,
    device: torch.device | None = None,
) -> Tensor:
    """Coloured Gaussian noise of the nodes, [B, T, J, 3]; see ``coloured_noise``."""
    white = torch.randn(sequences, frames + NOISE_MEMORY - 1, len(GRAPH), 3, generator=generator, device=device)
    return coloured_noise(white, order)


def coloured_noise(white: Tensor, order: float) -> Tensor:
    """White noise, fractionally integrated over time: its power falls with the frequency as f^(-2 order).

    Movements have little power at high frequencies, so that white noise hides fast movement long before slow movement;
    noise of a spectrum like theirs hides both alike. The filter is causal: the noise of a long dance begins like that
    of a short one (Hosking, "Fractional differencing", Biometrika 1981, equation 3).

    Args:
        white: [B, T + M - 1, J, 3] of variance 1, with M frames of memory, `NOISE_MEMORY`.
        order: d in 0..0.5; 0 keeps it white.

    Returns:
        [B, T, J, 3] of variance 1.
    """
    B, _, J, D = white.shape
    kernel = torch.ones(NOISE_MEMORY, device=white.device)
    for n in range(1, NOISE_MEMORY):
        kernel[n] = kernel[n - 1] * (n - 1 + order) / n
    kernel = (kernel / kernel.square().sum().sqrt()).flip(0)
    series = white.permute(0, 2, 3, 1).reshape(B * J * D, 1, -1)
    return F.conv1d(series, kernel[None, None]).view(B, J, D, -1).permute(0, 3, 1, 2)


def solve_flow(predict: Callable[[Tensor, float], Tensor], noise: Tensor, steps: int) -> Tensor:
    """Integrate a flow with the second-order multistep solver DPM-Solver++ (Lu et al. 2022, algorithm 2).

    Args:
        predict: (x_t, t) -> prediction of x_1.
        noise: x_0.
        steps: evaluations of ``predict``, >= 1; 1 is a single pass.

    Returns:
        x_1, of the shape of the noise.
    """
    span = _LAST_LOG_SNR - _FIRST_LOG_SNR
    # A single one between noise and dance lies in the middle.
    ratios = [_FIRST_LOG_SNR + span * (i / (steps - 2) if steps > 2 else 0.5) for i in range(steps - 1)]
    times = [0.0, *(1 / (1 + math.exp(-ratio)) for ratio in ratios), 1.0]
    x, previous = noise, None
    for i in range(steps):
        t, t_next = times[i], times[i + 1]
        clean = predict(x, t)
        target = clean
        if previous is not None and 1 < i < steps - 1:
            # Linear extrapolation in the log ratio, whose steps are equal, to the middle of the step.
            target = clean + (clean - previous) / 2
        x = (1 - t_next) / (1 - t) * (x - t * target) + t_next * target
        previous = clean
    return x
