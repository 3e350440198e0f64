"""Losses of stage 1, small pure functions on normalised or metric node sequences [B, T, J, 3]."""

from __future__ import annotations

import torch
from torch import Tensor

from stgmamba.music_to_skeleton.representation import MODEL_FPS, NODES, ROOT
from stgmamba.skeleton.body import FEET

_FEET = [NODES[joint] for joint in FEET]  # heels and toes
# A foot slower than this in the real dance stands (metres per second, between frames of the model).
_STANDING_SPEED = 0.25


def reconstruction(predicted: Tensor, real: Tensor, weight: Tensor | float = 1.0) -> Tensor:
    """Mean squared error, each sequence with its weight [B, 1, 1, 1]."""
    return ((predicted - real).square() * weight).mean()


def velocity(predicted: Tensor, real: Tensor, weight: Tensor | float = 1.0) -> Tensor:
    """Mean squared error of the frame-to-frame changes, each sequence with its weight [B, 1, 1, 1]."""
    return ((predicted.diff(dim=1) - real.diff(dim=1)).square() * weight).mean()


def foot_velocities(nodes: Tensor) -> Tensor:
    """Velocities of heels and toes over the floor, in the dancer's heading, m/s, [B, T-1, 4, 3], of metric nodes."""
    feet, root = nodes[:, :, _FEET], nodes[:, :-1, ROOT]
    left, forward, turning = root[..., None, 0], root[..., None, 1], root[..., None, 2]
    # d/dt (R p + c), seen from the moving frame: p' + v + turning x p.
    own = feet.diff(dim=1) * MODEL_FPS
    now = feet[:, :-1]
    return torch.stack(
        [own[..., 0] + left + turning * now[..., 2], own[..., 1], own[..., 2] + forward - turning * now[..., 0]], dim=-1
    )


def foot_contact(predicted: Tensor, real: Tensor) -> Tensor:
    """Speed of the feet that stand in the real dance: the less they move, the less they slide; metric nodes."""
    with torch.no_grad():
        standing = foot_velocities(real).norm(dim=-1) < _STANDING_SPEED
    speed = foot_velocities(predicted).square().sum(-1)
    slid: Tensor = (speed * standing).sum() / standing.sum().clamp(min=1)
    return slid
