"""Losses of stage 1: pure functions on node sequences [B, T, J, 3], normalised or in metres."""

from __future__ import annotations

import torch
from torch import Tensor

from stgmamba.music_to_skeleton.representation import NODES, ROOT
from stgmamba.skeleton.body import FEET

_FEET = [NODES[joint] for joint in FEET]  # heels and toes
_BEAT_SHARPNESS = 4.0  # the weight falls to a half within a tenth of a beat interval, 0.06 s at 95 beats a minute
_STANDING_SPEED = 0.25  # m/s; a foot point slower than this in the real dance is in contact with the floor


def reconstruction(predicted: Tensor, real: Tensor, weight: Tensor | float = 1.0) -> Tensor:
    """Mean squared error, sequences weighted by [B, 1, 1, 1]."""
    return ((predicted - real).square() * weight).mean()


def velocity(predicted: Tensor, real: Tensor, weight: Tensor | float = 1.0) -> Tensor:
    """Mean squared error of the differences of successive frames, sequences weighted by [B, 1, 1, 1]."""
    return ((predicted.diff(dim=1) - real.diff(dim=1)).square() * weight).mean()


def foot_velocities(nodes: Tensor, fps: float) -> Tensor:
    """World velocities of heels and toes in the axes of the body, m/s, [B, T-1, 4, 3], of nodes in metres."""
    feet, root = nodes[:, :, _FEET], nodes[:, :-1, ROOT]
    left, forward, turning = root[..., None, 0], root[..., None, 1], root[..., None, 2]
    # d/dt (R p + c) in the moving frame: p' + v + turning x p.
    local = feet.diff(dim=1) * fps
    p = feet[:, :-1]
    x = local[..., 0] + left + turning * p[..., 2]
    z = local[..., 2] + forward - turning * p[..., 0]
    return torch.stack([x, local[..., 1], z], dim=-1)


def beat(predicted: Tensor, real: Tensor, cosine: Tensor, known: Tensor, fps: float) -> Tensor:
    """Mean squared error of the foot points' velocities around the beats, where steps land; nodes in metres.

    A term on foot contacts and beats as in "Beat-It" (Huang et al., ECCV 2024), without its classifier.

    Args:
        predicted: nodes [B, T, J, 3].
        real: those of the real dance.
        cosine: of the beat phase per frame, [B, T].
        known: whether the beats of a sequence are known, [B], 0 or 1.
        fps: frames per second.
    """
    near = torch.exp(_BEAT_SHARPNESS * (cosine[:, :-1] - 1)) * known[:, None]
    error = (foot_velocities(predicted, fps) - foot_velocities(real, fps)).square().sum(-1).mean(-1)
    loss: Tensor = (error * near).sum() / near.sum().clamp(min=1)
    return loss


def foot_contact(predicted: Tensor, real: Tensor, fps: float) -> Tensor:
    """Mean squared speed of the foot points that are in contact with the floor in the real dance; nodes in metres."""
    with torch.no_grad():
        contact = foot_velocities(real, fps).norm(dim=-1) < _STANDING_SPEED
    squared_speed = foot_velocities(predicted, fps).square().sum(-1)
    loss: Tensor = (squared_speed * contact).sum() / contact.sum().clamp(min=1)
    return loss
