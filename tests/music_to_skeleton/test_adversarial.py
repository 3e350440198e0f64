from __future__ import annotations

import pytest
import torch

from stgmamba.music_to_skeleton.adversarial import Adversarial, GlobalContentCritic, LocalTemporalCritic
from stgmamba.music_to_skeleton.dataset import Batch
from stgmamba.music_to_skeleton.model import Config, MusicToSkeleton
from stgmamba.music_to_skeleton.perceptual import STGCN, PerceptualLoss

CONFIG = Config(channels=8, inner=16, states=2, blocks=1, music_channels=8)
WEIGHTS = dict.fromkeys(("reconstruction", "velocity", "contact", "perceptual", "matching", "adversarial"), 1.0)


def batch(size: int = 2, frames: int = 20) -> Batch:
    torch.manual_seed(0)
    return Batch(
        torch.randn(size, frames, 23, 3),
        torch.randn(size, frames, CONFIG.window_samples) * 0.1,
        torch.randn(size, frames, CONFIG.music_features),
        torch.zeros(size, dtype=torch.long),
    )


@pytest.fixture
def objective() -> Adversarial:
    torch.manual_seed(1)
    return Adversarial(MusicToSkeleton(CONFIG), WEIGHTS, PerceptualLoss(STGCN(4)))


def test_the_local_critic_sees_five_frames_at_a_time() -> None:
    critic = LocalTemporalCritic().eval()
    nodes = torch.randn(1, 20, 23, 3)
    scores, _ = critic(nodes)
    assert scores.shape == (1, 6)  # windows from frames 0, 3, .. 15
    changed = nodes.clone()
    changed[:, 8] += 1
    differing = (critic(changed)[0] != scores)[0].nonzero()[:, 0].tolist()
    assert differing == [2]  # frames 6 .. 10


def test_the_global_critic_hears_the_music() -> None:
    critic, b = GlobalContentCritic(CONFIG).eval(), batch()
    scores, _ = critic(b.nodes, b.wave, b.features)
    assert scores.shape == (2, 1)
    assert not torch.allclose(critic(b.nodes, b.wave, b.features.flip(1))[0], scores)


def test_each_player_moves_its_own_parameters_in_its_own_interest(objective: Adversarial) -> None:
    b = batch()
    terms = objective(b, "generator")
    assert terms.keys() == WEIGHTS.keys()
    torch.stack(list(terms.values())).sum().backward()
    assert all(p.grad is not None for p in objective.model.stgm.parameters())
    optimiser = torch.optim.Adam(objective.critics.parameters(), 1e-2)
    before = objective(b, "critics")["critics"].item()
    for _ in range(20):
        optimiser.zero_grad()
        objective(b, "critics")["critics"].backward()
        optimiser.step()
    assert objective(b, "critics")["critics"].item() < before - 0.5


def test_a_perfect_dance_costs_no_perception_and_another_one_does(objective: Adversarial) -> None:
    nodes = batch().nodes
    assert objective.perceptual(nodes, nodes) == 0
    assert objective.perceptual(nodes + 0.1 * torch.randn_like(nodes), nodes) > 0
    assert not any(p.requires_grad for p in objective.perceptual.parameters())
