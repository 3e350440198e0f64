"""The objective of stage 2: G_r with three conditions, weights shared, and the regularisation between the outputs.

baseline  I_i  = G_r(I_0    , S_i)
forward   I^_i = G_r(I_{i-1}, S_i)        L_fsr = | I_i - I^_i |_1
backward  I~_i = G_r(I_{i+1}, S_i)        L_bsr = | I_i - I~_i |_1          (Tang et al. 2025, section 2)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from stgmamba.skeleton_to_video import losses
from stgmamba.skeleton_to_video.discriminators import Discriminators
from stgmamba.skeleton_to_video.model import FrameGenerator, Inputs
from stgmamba.training.adversarial import feature_matching, hinge_discriminator, hinge_generator

LOSS_WEIGHTS = {
    "reconstruction": 1.0,
    "structure": 0.2,
    "fsr": 0.25,
    "bsr": 0.25,
    "adversarial": 0.0,
    "temporal": 0.0,
    "matching": 0.0,
}
"""Default weights of the terms; a term of weight 0 is not computed. ``adversarial`` is L_gan of single frames,
``temporal`` that of three consecutive frames, ``structure`` is 1 - SSIM (ours)."""


class Batch(NamedTuple):
    """B training pairs, colours 0..1.

    Attributes:
        baseline: inputs of G_r with I_0 as the condition.
        forward, backward: [B, 4, H, W], warped layers with I_{i-1} and I_{i+1} as the condition.
        before, target, after: [B, 3, H, W], the real frames i-1, i, i+1.
        weight: [B, 1, H, W], of the pixels in L1.
        regularised: whether L_fsr and L_bsr are used in this step.
    """

    baseline: Inputs
    forward: Tensor
    backward: Tensor
    before: Tensor
    target: Tensor
    after: Tensor
    weight: Tensor
    regularised: bool = True

    def to(self, device: torch.device | str) -> Batch:
        """The batch on a device."""
        inputs = Inputs(*(None if x is None else x.to(device) for x in self.baseline))  # type: ignore[arg-type]
        others: dict[str, Any] = {name: x.to(device) for name, x in self._asdict().items() if isinstance(x, Tensor)}
        return self._replace(baseline=inputs, **others)


class SelfSupervisedObjective(nn.Module):
    """Loss terms of a batch; generator and discriminators are updated alternately.

    Args:
        model: G_r.
        loss_weights: weights of all terms of `LOSS_WEIGHTS`.
        half: whether the convolutions of G_r run in bfloat16.
    """

    def __init__(self, model: FrameGenerator, loss_weights: Mapping[str, float], half: bool = False) -> None:
        super().__init__()
        self.model, self.loss_weights, self._half = model, loss_weights, half
        adversarial = any(loss_weights[name] for name in ("adversarial", "temporal", "matching"))
        self.discriminators = Discriminators() if adversarial else None
        self.optimizer_groups: tuple[str, ...] = ("generator", "discriminators") if adversarial else ("generator",)
        self._generated: Tensor | None = None  # output of the generator's update, for the discriminators' in that step

    def forward(self, batch: Batch, group: str) -> dict[str, Tensor]:
        """Weighted terms of one optimizer group, whose sum is its loss."""
        if group == "discriminators":
            return {"discriminators": self._discriminator_loss(batch)}
        weights = self.loss_weights
        regularizations = [name for name in ("fsr", "bsr") if batch.regularised and weights[name]]
        baseline, *others = self._generate(batch, regularizations)
        self._generated = baseline.detach()
        terms = {}
        if weights["reconstruction"]:
            terms["reconstruction"] = losses.l1(baseline, batch.target, batch.weight)
        if weights["structure"]:
            terms["structure"] = losses.dissimilarity(baseline, batch.target)
        functions = {"fsr": losses.forward_regularization, "bsr": losses.backward_regularization}
        for name, other in zip(regularizations, others, strict=True):
            terms[name] = functions[name](baseline, other, batch.weight)
        if self.discriminators is not None:
            terms |= self._adversarial_terms(batch, baseline, self.discriminators)
        return {name: weights[name] * value for name, value in terms.items()}

    def _generate(self, batch: Batch, regularizations: list[str]) -> list[Tensor]:
        """I_i, then I^_i (``fsr``) and I~_i (``bsr``) as far as named, [B, 3, H, W] each, in one pass of G_r."""
        warped = {"fsr": batch.forward, "bsr": batch.backward}
        conditions = {"fsr": batch.before, "bsr": batch.after}
        count = 1 + len(regularizations)
        base = batch.baseline
        # The three differ in the condition only.
        inputs = Inputs(*(None if x is None else x.repeat(count, 1, 1, 1) for x in base))  # type: ignore[arg-type]
        inputs = inputs._replace(warped=torch.cat([base.warped, *(warped[name] for name in regularizations)]))
        if base.condition is not None:
            condition = torch.cat([base.condition, *(conditions[name] for name in regularizations)])
            assert base.condition_pose is not None, "a condition needs its pose"
            # The pose of an adjacent frame is approximated by that of the target frame.
            pose = torch.cat([base.condition_pose, *(base.pose for _ in regularizations)])
            inputs = inputs._replace(condition=condition, condition_pose=pose)
        # Only the network runs in half precision: images, warps and the variances in SSIM need float32.
        with torch.autocast(inputs.warped.device.type, torch.bfloat16, enabled=self._half):
            frames = self.model(inputs)
        return list(frames.float().chunk(count))

    def _adversarial_terms(self, batch: Batch, generated: Tensor, discriminators: Discriminators) -> dict[str, Tensor]:
        pose, weights = batch.baseline.pose, self.loss_weights
        scores, features = discriminators.frame(generated, pose)
        triple = torch.cat([batch.before, generated, batch.after], 1)
        triple_scores, triple_features = discriminators.sequence(triple, pose)
        terms = {}
        if weights["adversarial"]:
            terms["adversarial"] = hinge_generator(scores)
        if weights["temporal"]:
            terms["temporal"] = hinge_generator(triple_scores)
        if weights["matching"]:
            with torch.no_grad():
                real = discriminators.frame(batch.target, pose)[1]
                real += discriminators.sequence(torch.cat([batch.before, batch.target, batch.after], 1), pose)[1]
            terms["matching"] = feature_matching([*features, *triple_features], real)
        return terms

    def _discriminator_loss(self, batch: Batch) -> Tensor:
        assert self.discriminators is not None, "an objective without discriminators has no such optimizer group"
        assert self._generated is not None, "the generator is updated first"
        pose, generated = batch.baseline.pose, self._generated
        frame, sequence = self.discriminators.frame, self.discriminators.sequence
        single = hinge_discriminator(frame(batch.target, pose)[0], frame(generated, pose)[0])
        real, fake = (torch.cat([batch.before, middle, batch.after], 1) for middle in (batch.target, generated))
        return single + hinge_discriminator(sequence(real, pose)[0], sequence(fake, pose)[0])
