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
from stgmamba.skeleton_to_video.discriminators import Discriminators, MultiScaleDiscriminator
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
``temporal`` that of three consecutive frames, ``matching`` L_f of the discriminator of single frames (with
``temporal``, of both), ``structure`` is 1 - SSIM (ours)."""


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
        frame = bool(loss_weights["adversarial"] or loss_weights["matching"])
        sequence = bool(loss_weights["temporal"])
        self.discriminators = Discriminators(frame, sequence) if frame or sequence else None
        groups = ("generator",) if self.discriminators is None else ("generator", "discriminators")
        self.optimizer_groups: tuple[str, ...] = groups
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
            terms |= self._adversarial_terms(batch, baseline)
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

    def _judged(self, batch: Batch, generated: Tensor) -> list[tuple[str, MultiScaleDiscriminator, Tensor, Tensor]]:
        """Term of each discriminator in use, the discriminator, and what it judges: generated, real [B, 3 K, H, W]."""
        assert self.discriminators is not None, "an objective without discriminators has no such terms"
        judged = []
        if self.discriminators.frame is not None:
            judged.append(("adversarial", self.discriminators.frame, generated, batch.target))
        if self.discriminators.sequence is not None:
            fake, real = (torch.cat([batch.before, middle, batch.after], 1) for middle in (generated, batch.target))
            judged.append(("temporal", self.discriminators.sequence, fake, real))
        return judged

    def _adversarial_terms(self, batch: Batch, generated: Tensor) -> dict[str, Tensor]:
        pose, weights = batch.baseline.pose, self.loss_weights
        terms = {}
        features: list[Tensor] = []
        real_features: list[Tensor] = []
        for term, discriminator, fake, real in self._judged(batch, generated):
            scores, layers = discriminator(fake, pose)
            if weights[term]:
                terms[term] = hinge_generator(scores)
            if weights["matching"]:
                features += layers
                with torch.no_grad():
                    real_features += discriminator(real, pose)[1]
        if weights["matching"]:
            terms["matching"] = feature_matching(features, real_features)
        return terms

    def _discriminator_loss(self, batch: Batch) -> Tensor:
        assert self._generated is not None, "the generator is updated first"
        pose = batch.baseline.pose
        values = [
            hinge_discriminator(discriminator(real, pose)[0], discriminator(fake, pose)[0])
            for _, discriminator, fake, real in self._judged(batch, self._generated)
        ]
        return torch.stack(values).sum()
