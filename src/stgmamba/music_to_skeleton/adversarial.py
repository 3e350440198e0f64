"""The paper's objective: generation in few passes from noise, with adversarial, perceptual and L1 losses.

lambda_p L_p + lambda_f L_f + lambda_1 L_1 + L_adv           (Tang et al. 2025; discriminators of Ren et al. 2020)

From random weights it collapses on little data: of all dances to a song the mean has the smallest L_1. With a teacher,
a network trained by flow matching, every noise has its own dance to come near to, and the objective distils the teacher
into as few passes as ``Config.sampling_steps`` (after Sauer et al., "Adversarial diffusion distillation", 2023).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from stgmamba.music_to_skeleton import losses
from stgmamba.music_to_skeleton.dataset import Batch
from stgmamba.music_to_skeleton.discriminators import Discriminators
from stgmamba.music_to_skeleton.flow_matching import draw_noise, solve_flow
from stgmamba.music_to_skeleton.perceptual import PerceptualLoss
from stgmamba.music_to_skeleton.registry import Network
from stgmamba.music_to_skeleton.teacher import Teacher
from stgmamba.training.adversarial import feature_matching, hinge_discriminator, hinge_generator

LOSS_WEIGHTS = {
    "reconstruction": 1.0,
    "velocity": 3.0,
    "contact": 0.02,
    "perceptual": 1.0,
    "matching": 1.0,
    "adversarial": 0.1,
}
"""Default weights of the terms; with ``matching`` (L_f) alone the discriminators are trained too."""


class AdversarialObjective(nn.Module):
    """Loss terms of a batch; generator and discriminators are updated alternately.

    A term of weight 0 is not computed; without ``adversarial`` and ``matching`` there are no discriminators, and
    without ``perceptual`` there is no perceptual network.

    Args:
        model: the generator.
        loss_weights: weights of all terms of `LOSS_WEIGHTS`.
        perceptual: L_p; None where its weight is 0.
        teacher: whose dances the generated ones are compared with; None for the real ones. The discriminators learn to
            tell from the real ones in either case.
    """

    def __init__(
        self,
        model: Network,
        loss_weights: Mapping[str, float],
        perceptual: PerceptualLoss | None,
        teacher: Teacher | None = None,
    ) -> None:
        super().__init__()
        self.model, self.loss_weights, self.perceptual, self.teacher = model, loss_weights, perceptual, teacher
        adversarial = bool(loss_weights["adversarial"] or loss_weights["matching"])
        self.discriminators = Discriminators(model.config) if adversarial else None
        self.optimizer_groups = ("generator", "discriminators") if adversarial else ("generator",)
        self._generated: Tensor | None = None  # output of the generator's update, for the discriminators' in that step

    def forward(self, batch: Batch, group: str) -> dict[str, Tensor]:
        """Weighted terms of one optimizer group, whose sum is its loss; noise comes from torch's global generator."""
        real = (batch.nodes - self.model.mean) / self.model.scale
        if group == "discriminators":
            return {"discriminators": self._discriminator_loss(batch, real)}
        config = self.model.config
        noise, target = draw_noise(len(real), real.shape[1], config.noise_order, device=real.device), real
        if self.teacher is not None:
            batch = self.teacher.as_sampled(batch)
            noise = self.teacher.scale_noise(noise, batch)
            target = self.teacher.sample(noise, batch)
        hidden = self.model.encode_audio(batch.wave, batch.features)

        def predict(x: Tensor, t: float) -> Tensor:
            clean: Tensor = self.model(x, real.new_full((len(real),), t), hidden, batch.style, batch.source)
            return clean

        generated = solve_flow(predict, noise, config.sampling_steps)
        self._generated = generated.detach()
        terms = {}
        weights = self.loss_weights
        if weights["reconstruction"]:
            terms["reconstruction"] = (generated - target).abs().mean()
        if weights["velocity"]:
            terms["velocity"] = losses.velocity(generated, target)
        if weights["contact"]:
            metres = [nodes * self.model.scale + self.model.mean for nodes in (generated, target)]
            terms["contact"] = losses.foot_contact(metres[0], metres[1], config.fps)
        if weights["perceptual"]:
            assert self.perceptual is not None, "the perceptual term needs its network"
            terms["perceptual"] = self.perceptual(generated, target)
        if self.discriminators is not None:
            scores, features = self.discriminators(generated, batch)
            if weights["matching"]:
                with torch.no_grad():
                    _, real_features = self.discriminators(target, batch)
                terms["matching"] = feature_matching(features, real_features)
            if weights["adversarial"]:
                terms["adversarial"] = hinge_generator(scores)
        return {name: weights[name] * value for name, value in terms.items()}

    def _discriminator_loss(self, batch: Batch, real: Tensor) -> Tensor:
        assert self.discriminators is not None, "an objective without discriminators has no such optimizer group"
        assert self._generated is not None, "the generator is updated first"
        real_scores, _ = self.discriminators(real, batch)
        generated_scores, _ = self.discriminators(self._generated, batch)
        return hinge_discriminator(real_scores, generated_scores)
