"""Flow matching: the objective of the default weights.

The path from noise to dance is linear, x_t = (1 - t) noise + t dance, and the network predicts its end (Lipman et al.
2023; Liu et al. 2023). The one-pass generator of adversarial.py is the same flow integrated in one step.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from stgmamba.music_to_skeleton import losses
from stgmamba.music_to_skeleton.dataset import Batch
from stgmamba.music_to_skeleton.registry import Network

LOSS_WEIGHTS = {"reconstruction": 1.0, "velocity": 3.0, "contact": 0.02}
"""Default weights of the terms; a term of weight 0 is not computed."""

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
        noisy = (1 - blend) * torch.randn_like(clean) + blend * clean
        predicted = model(noisy, t, model.encode_audio(batch.wave, batch.features), batch.genre)
        # The error decreases along the flow; its inverse as weight balances the flow times (Karras et al. 2022).
        weight = 1 / (1.1 - blend)
        terms = {}
        if self.loss_weights["reconstruction"]:
            terms["reconstruction"] = losses.reconstruction(predicted, clean, weight)
        if self.loss_weights["velocity"]:
            terms["velocity"] = losses.velocity(predicted, clean, weight)
        if self.loss_weights["contact"]:
            terms["contact"] = losses.foot_contact(predicted * model.scale + model.mean, batch.nodes)
        return {name: self.loss_weights[name] * value for name, value in terms.items()}
