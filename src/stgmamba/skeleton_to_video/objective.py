"""The objective of stage 2: one network used three ways, the self-supervised regularisation, two adversaries.

baseline  I_i  = G_r(I_0    , S_i)
forward   I^_i = G_r(I_{i-1}, S_i)        L_fsr = | I_i - I^_i |_1
backward  I~_i = G_r(I_{i+1}, S_i)        L_bsr = | I_i - I~_i |_1          (Tang et al. 2025, section 2)
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from stgmamba.skeleton_to_video import losses
from stgmamba.skeleton_to_video.model import FrameGenerator, Inputs
from stgmamba.skeleton_to_video.pose_maps import CHANNELS

WEIGHTS = {
    "reconstruction": 1.0,
    "structure": 0.2,
    "fsr": 0.25,
    "bsr": 0.25,
    "adversarial": 0.0,
    "temporal": 0.0,
    "matching": 0.0,
}
"""Weights of the terms; a term of weight 0 is not computed."""

_WIDTH = 32


def _repeated(part: Tensor | None, count: int) -> Tensor | None:
    return None if part is None else part.repeat(count, 1, 1, 1)


class Batch(NamedTuple):
    """B examples, colours 0..1.

    Attributes:
        baseline: what G_r is given when I_0 is its condition.
        forward, backward: [B, 4, H, W], the warped sheets when I_{i-1} and I_{i+1} are.
        before, truth, after: [B, 3, H, W], the true frames i-1, i, i+1.
        weight: [B, 1, H, W], how much each pixel counts.
        regularised: whether FSR and BSR are asked for in this step.
    """

    baseline: Inputs
    forward: Tensor
    backward: Tensor
    before: Tensor
    truth: Tensor
    after: Tensor
    weight: Tensor
    regularised: bool = True

    def to(self, device: torch.device | str) -> Batch:
        """The same on a device."""
        inputs = Inputs(*(None if part is None else part.to(device) for part in self.baseline))  # type: ignore[arg-type]
        others: dict[str, Any] = {
            name: part.to(device) for name, part in self._asdict().items() if isinstance(part, Tensor)
        }
        return self._replace(baseline=inputs, **others)


class PatchCritic(nn.Module):
    """Judges patches of pictures beside their pose (Isola et al. 2017)."""

    def __init__(self, pictures: int) -> None:
        super().__init__()
        self.first = spectral_norm(nn.Conv2d(3 * pictures, _WIDTH, 4, 2, 1))
        self.second = spectral_norm(nn.Conv2d(_WIDTH, 2 * _WIDTH, 4, 2, 1))
        self.third = spectral_norm(nn.Conv2d(2 * _WIDTH + CHANNELS, 4 * _WIDTH, 4, 2, 1))
        self.score = spectral_norm(nn.Conv2d(4 * _WIDTH, 1, 3, 1, 1))

    def forward(self, pictures: Tensor, pose: Tensor) -> tuple[Tensor, list[Tensor]]:
        """[B, 3 K, H, W] and [B, P, H/4, W/4] -> scores of the patches [B, 1, H/8, W/8], features of the layers."""
        first = F.leaky_relu(self.first(pictures), 0.2)
        second = F.leaky_relu(self.second(first), 0.2)
        third = F.leaky_relu(self.third(torch.cat([second, pose], 1)), 0.2)
        return self.score(third), [first, second, third]


class MultiScaleCritic(nn.Module):
    """The same judgement at full and at half resolution (pix2pixHD, Wang et al. 2018)."""

    def __init__(self, pictures: int) -> None:
        super().__init__()
        self.fine, self.coarse = PatchCritic(pictures), PatchCritic(pictures)

    def forward(self, pictures: Tensor, pose: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Scores per scale, features of all layers; shapes as of `PatchCritic`."""
        fine, features = self.fine(pictures, pose)
        coarse, more = self.coarse(F.avg_pool2d(pictures, 2), F.avg_pool2d(pose, 2))
        return [fine, coarse], [*features, *more]


class Critics(nn.Module):
    """Both adversaries: of single frames, and of three consecutive ones whose middle one may be made."""

    def __init__(self) -> None:
        super().__init__()
        self.frame, self.consecutive = MultiScaleCritic(1), MultiScaleCritic(3)


class Objective(nn.Module):
    """Loss terms of a batch; generator and critics take turns.

    Args:
        model: G_r.
        weights: of all terms of `WEIGHTS`.
        half: whether its convolutions run in bfloat16.
    """

    def __init__(self, model: FrameGenerator, weights: dict[str, float], half: bool = False) -> None:
        super().__init__()
        self.model, self.weights, self._half = model, weights, half
        judged = any(weights[name] for name in ("adversarial", "temporal", "matching"))
        self.critics = Critics() if judged else None
        self.players: tuple[str, ...] = ("generator", "critics") if judged else ("generator",)
        self._made: Tensor | None = None  # the generator's last answer, for the critics' turn in the same step

    def forward(self, batch: Batch, player: str) -> dict[str, Tensor]:
        """Weighted terms, to be added up."""
        if player == "critics":
            assert self._made is not None, "the generator plays first"
            return {"critics": self._critics_loss(batch, self._made)}
        uses = [name for name in ("fsr", "bsr") if batch.regularised and self.weights[name]]
        frames = self._three_ways(batch, uses)
        made = frames[0]
        self._made = made.detach()
        terms = {
            "reconstruction": losses.reconstruction(made, batch.truth, batch.weight),
            "structure": losses.dissimilarity(made, batch.truth),
        }
        for name, other in zip(uses, frames[1:], strict=True):
            terms[name] = losses.regularisation(made, other, batch.weight)
        if self.critics is not None:
            terms |= self._judged(batch, made, self.critics)
        return {name: self.weights[name] * value for name, value in terms.items() if self.weights[name]}

    def _three_ways(self, batch: Batch, uses: list[str]) -> list[Tensor]:
        """G_r on the same target pose from I_0, and from I_{i-1} and I_{i+1} where they are used: one pass for all."""
        conditions = {"fsr": batch.forward, "bsr": batch.backward}
        pictures = {"fsr": batch.before, "bsr": batch.after}
        count = 1 + len(uses)
        base = batch.baseline
        # Everything but the condition is the same in the three uses.
        inputs = Inputs(*(_repeated(part, count) for part in base))  # type: ignore[arg-type]
        inputs = inputs._replace(warped=torch.cat([base.warped, *(conditions[name] for name in uses)]))
        if base.condition is not None:
            # The pose of a neighbour is nearly the target's own.
            condition = torch.cat([base.condition, *(pictures[name] for name in uses)])
            assert base.condition_pose is not None, "a condition comes with its pose"
            pose = torch.cat([base.condition_pose, *(base.pose for _ in uses)])
            inputs = inputs._replace(condition=condition, condition_pose=pose)
        # Only the network may round: pictures, warps and above all the variances in SSIM need all their digits.
        with torch.autocast(inputs.warped.device.type, torch.bfloat16, enabled=self._half):
            made = self.model(inputs)
        return list(made.float().chunk(count))

    def _judged(self, batch: Batch, made: Tensor, critics: Critics) -> dict[str, Tensor]:
        pose = batch.baseline.pose
        scores, features = critics.frame(made, pose)
        moving, moving_features = critics.consecutive(torch.cat([batch.before, made, batch.after], 1), pose)
        with torch.no_grad():
            wanted = critics.frame(batch.truth, pose)[1]
            wanted += critics.consecutive(torch.cat([batch.before, batch.truth, batch.after], 1), pose)[1]
        return {
            "adversarial": losses.hinge_generator(scores),
            "temporal": losses.hinge_generator(moving),
            "matching": losses.feature_matching([*features, *moving_features], wanted),
        }

    def _critics_loss(self, batch: Batch, made: Tensor) -> Tensor:
        assert self.critics is not None, "nobody judges"
        pose = batch.baseline.pose
        single = losses.hinge_critic(self.critics.frame(batch.truth, pose)[0], self.critics.frame(made, pose)[0])
        real, false = (torch.cat([batch.before, middle, batch.after], 1) for middle in (batch.truth, made))
        triple = losses.hinge_critic(self.critics.consecutive(real, pose)[0], self.critics.consecutive(false, pose)[0])
        return single + triple
