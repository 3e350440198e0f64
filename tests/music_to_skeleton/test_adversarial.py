from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import torch

from stgmamba.music_to_skeleton import losses
from stgmamba.music_to_skeleton.adversarial import AdversarialObjective
from stgmamba.music_to_skeleton.audio_features import RHYTHM_FEATURES
from stgmamba.music_to_skeleton.dataset import Batch
from stgmamba.music_to_skeleton.discriminators import GlobalContentDiscriminator, LocalTemporalDiscriminator
from stgmamba.music_to_skeleton.flow_matching import solve_flow
from stgmamba.music_to_skeleton.model import Config, MusicToSkeleton
from stgmamba.music_to_skeleton.perceptual import STGCN, PerceptualLoss
from stgmamba.music_to_skeleton.teacher import Teacher
from stgmamba.training.adversarial import feature_matching, hinge_generator

CONFIG = Config(channels=8, inner=16, states=2, blocks=1, music_channels=8)
WEIGHTS = dict.fromkeys(("reconstruction", "velocity", "contact", "perceptual", "matching", "adversarial"), 1.0)


def batch(size: int = 2, frames: int = 20) -> Batch:
    torch.manual_seed(0)
    return Batch(
        torch.randn(size, frames, 23, 3),
        torch.randn(size, frames // 2, CONFIG.window_samples) * 0.1,
        torch.randn(size, frames // 2, len(RHYTHM_FEATURES)),
        torch.zeros(size, dtype=torch.long),
        torch.zeros(size, dtype=torch.long),
    )


@pytest.fixture
def objective() -> AdversarialObjective:
    torch.manual_seed(1)
    return AdversarialObjective(MusicToSkeleton(CONFIG), WEIGHTS, PerceptualLoss(STGCN(4)))


def test_the_local_discriminator_scores_five_frames_at_a_time() -> None:
    discriminator = LocalTemporalDiscriminator().eval()
    nodes = torch.randn(1, 20, 23, 3)
    scores, _ = discriminator(nodes)
    assert scores.shape == (1, 6)  # windows from frames 0, 3, .. 15
    changed = nodes.clone()
    changed[:, 8] += 1
    differing = (discriminator(changed)[0] != scores)[0].nonzero()[:, 0].tolist()
    assert differing == [2]  # frames 6 .. 10


def test_the_global_discriminator_depends_on_the_music() -> None:
    discriminator, b = GlobalContentDiscriminator(CONFIG).eval(), batch()
    scores, _ = discriminator(b.nodes, b.wave, b.features)
    assert scores.shape == (2, 1)
    assert not torch.allclose(discriminator(b.nodes, b.wave, b.features.flip(1))[0], scores)


def test_each_group_optimizes_its_own_parameters(objective: AdversarialObjective) -> None:
    b = batch()
    terms = objective(b, "generator")
    assert terms.keys() == WEIGHTS.keys()
    torch.stack(list(terms.values())).sum().backward()
    assert all(p.grad is not None for p in objective.model.stgm.parameters())
    optimizer = torch.optim.Adam(objective.discriminators.parameters(), 1e-2)
    before = objective(b, "discriminators")["discriminators"].item()
    for _ in range(20):
        optimizer.zero_grad()
        objective(b, "discriminators")["discriminators"].backward()
        optimizer.step()
    assert objective(b, "discriminators")["discriminators"].item() < before - 0.5


def test_a_perfect_dance_costs_no_perception_and_another_one_does(objective: AdversarialObjective) -> None:
    nodes = batch().nodes
    assert objective.perceptual(nodes, nodes) == 0
    assert objective.perceptual(nodes + 0.1 * torch.randn_like(nodes), nodes) > 0
    assert not any(p.requires_grad for p in objective.perceptual.parameters())


@pytest.mark.parametrize("zero", [*WEIGHTS])
def test_a_term_of_weight_0_is_not_computed(zero: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: dict[str, int] = {}

    def counting(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            calls[name] = calls.get(name, 0) + 1
            return original(*arguments)

        return call

    module = "stgmamba.music_to_skeleton.adversarial."
    for name, function in (
        ("velocity", losses.velocity), ("contact", losses.foot_contact),
    ):  # fmt: skip
        monkeypatch.setattr(losses, function.__name__, counting(name, function))
    monkeypatch.setattr(module + "feature_matching", counting("matching", feature_matching))
    monkeypatch.setattr(module + "hinge_generator", counting("adversarial", hinge_generator))
    monkeypatch.setattr(PerceptualLoss, "forward", counting("perceptual", PerceptualLoss.forward))
    torch.manual_seed(1)
    weights = WEIGHTS | {zero: 0.0}
    perceptual = PerceptualLoss(STGCN(4)) if weights["perceptual"] else None
    terms = AdversarialObjective(MusicToSkeleton(CONFIG), weights, perceptual)(batch(), "generator")
    assert terms.keys() == WEIGHTS.keys() - {zero}
    assert calls.keys() == WEIGHTS.keys() - {zero, "reconstruction"}


def test_without_adversarial_terms_there_are_no_discriminators() -> None:
    weights = WEIGHTS | {"adversarial": 0.0, "matching": 0.0}
    objective = AdversarialObjective(MusicToSkeleton(CONFIG), weights, PerceptualLoss(STGCN(4)))
    assert objective.discriminators is None
    assert objective.optimizer_groups == ("generator",)
    assert not [name for name, _ in objective.named_parameters() if "discriminator" in name]


GUIDED = Config(
    channels=8, inner=16, states=2, blocks=1, music_channels=8, styles=("waltz", "tango"), temperatures=(1.0, 1.5),
    guidance=(1.0, 2.0), music_inputs=("sound", "phase"), style_sources=("captured", "key-framed"), sampling_steps=4,
)  # fmt: skip


def danced(size: int = 3) -> Batch:
    """Windows of a waltz, a tango and a mirrored tango."""
    b = batch(size)
    return dataclasses.replace(b, style=torch.tensor([0, 1, 4]))


def trained() -> MusicToSkeleton:
    torch.manual_seed(3)
    model = MusicToSkeleton(GUIDED).eval()
    for parameter in model.parameters():
        if not parameter.detach().any():
            parameter.data.normal_(0, 0.3)
    return model


def test_a_teacher_dances_its_styles_as_they_are_set() -> None:
    teacher, b = Teacher(trained()), danced()
    seen = teacher.as_sampled(b)
    assert seen.source.tolist() == [0, 1, 1]
    assert seen.wave[0].any()
    assert not seen.wave[1:].any()
    assert not seen.features[1:, :, :2].any()
    assert seen.features[1:, :, 2:].any()
    noise = torch.randn(3, 20, 23, 3)
    torch.testing.assert_close(
        teacher.scale_noise(noise, b), noise * torch.tensor([1.0, 1.5, 1.5])[:, None, None, None]
    )
    # Without guidance a dance is what the solver makes of the network alone; with it another one.
    model = teacher.network
    hidden = model.encode_audio(seen.wave, seen.features)
    alone = solve_flow(lambda x, t: model(x, torch.full((3,), t), hidden, seen.style, seen.source), noise, 4)
    dances = teacher.sample(noise, seen)
    torch.testing.assert_close(dances[0], alone[0])
    assert not torch.allclose(dances[1], alone[1], atol=1e-3)
    assert not any(parameter.requires_grad for parameter in teacher.parameters())


def test_a_student_that_is_its_teacher_has_nothing_to_learn_but_from_the_discriminators() -> None:
    teacher = Teacher(trained())
    student = MusicToSkeleton(dataclasses.replace(GUIDED, guidance=(1.0, 1.0))).eval()
    student.load_state_dict(teacher.network.state_dict())
    b = dataclasses.replace(danced(), style=torch.zeros(3, dtype=torch.long))  # a style without guidance
    objective = AdversarialObjective(student, WEIGHTS, PerceptualLoss(STGCN(2)), teacher).eval()
    terms = objective(b, "generator")
    for name in ("reconstruction", "velocity", "perceptual", "matching"):
        assert terms[name].item() == pytest.approx(0, abs=1e-5), name
    assert objective(b, "discriminators")["discriminators"] > 0  # which know the real dances
