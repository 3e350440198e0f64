"""The objective of stage 2: one network with three conditions."""

from __future__ import annotations

import pytest
import torch

from stgmamba.skeleton_to_video.dataset import PairDataset
from stgmamba.skeleton_to_video.discriminators import MultiScaleDiscriminator
from stgmamba.skeleton_to_video.model import Config, FrameGenerator
from stgmamba.skeleton_to_video.objective import LOSS_WEIGHTS, Batch, SelfSupervisedObjective

from ..support.training_pairs import write_example_folder

SMALL = Config(widths=(8, 8, 8, 8), blocks=(0, 0, 0, 0))


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory) -> Batch:
    folder = tmp_path_factory.mktemp("adversarial") / "examples"
    write_example_folder(folder)
    return PairDataset(folder, 2, (96, 96), (0.5, 0.0), 1.0).batch(0, 0, 0)


def objective(**weights: float) -> SelfSupervisedObjective:
    torch.manual_seed(0)
    return SelfSupervisedObjective(FrameGenerator(SMALL), dict.fromkeys(LOSS_WEIGHTS, 0.0) | weights)


def test_terms_of_the_untrained_network_are_those_of_the_limb_warp(batch: Batch) -> None:
    terms = objective(reconstruction=1.0, fsr=1.0, bsr=1.0)(batch, "generator")
    layers, background = batch.baseline.warped, batch.baseline.background
    baseline = layers[:, :3] + (1 - layers[:, 3:]) * background
    forward = batch.forward[:, :3] + (1 - batch.forward[:, 3:]) * background
    weight = batch.weight / batch.weight.sum() / 3
    assert terms["reconstruction"].item() == pytest.approx(
        ((baseline - batch.target).abs() * weight).sum().item(), 1e-3
    )
    assert terms["fsr"].item() == pytest.approx(((baseline - forward).abs() * weight).sum().item(), 1e-3)
    assert terms["bsr"].item() == pytest.approx(terms["fsr"].item(), 1e-3)  # 10 grey levels to either side


def test_a_term_of_weight_0_is_left_out(batch: Batch) -> None:
    assert objective(reconstruction=1.0)(batch, "generator").keys() == {"reconstruction"}
    assert objective(reconstruction=1.0, bsr=1.0)(batch, "generator").keys() == {"reconstruction", "bsr"}
    later = batch._replace(regularised=False)
    assert objective(reconstruction=1.0, bsr=1.0)(later, "generator").keys() == {"reconstruction"}
    assert objective(reconstruction=1.0).optimizer_groups == ("generator",)


@pytest.mark.parametrize("zero", ["reconstruction", "structure", "fsr", "bsr", "adversarial", "temporal", "matching"])
def test_a_term_of_weight_0_is_not_computed(zero: str, batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: dict[str, int] = {}

    def count(module: object, function: str, name: str) -> None:
        original = getattr(module, function)

        def call(*arguments: object) -> object:
            calls[name] = calls.get(name, 0) + 1
            return original(*arguments)

        monkeypatch.setattr(module, function, call)

    from stgmamba.skeleton_to_video import losses
    from stgmamba.skeleton_to_video import objective as module

    count(losses, "dissimilarity", "structure")
    count(losses, "forward_regularization", "fsr")
    count(losses, "backward_regularization", "bsr")
    count(module, "feature_matching", "matching")
    count(module, "hinge_generator", "hinge")
    weights = dict.fromkeys(LOSS_WEIGHTS, 1.0) | {zero: 0.0}
    terms = objective(**weights)(batch, "generator")
    assert terms.keys() == LOSS_WEIGHTS.keys() - {zero}
    assert calls.pop("hinge") == 2 - (zero in ("adversarial", "temporal"))
    assert calls.keys() == {"structure", "fsr", "bsr", "matching"} - {zero}


# Calls of the discriminators of single frames and of three, in the update of the generator and in their own: one on
# generated frames, another on real ones for feature matching; in their own update always both, where there is one.
@pytest.mark.parametrize(
    ("weights", "generator", "discriminators"),
    [
        ({"adversarial": 1.0}, {"frame": 1}, {"frame": 2}),
        ({"temporal": 1.0}, {"sequence": 1}, {"sequence": 2}),
        ({"matching": 1.0}, {"frame": 2}, {"frame": 2}),
        ({"adversarial": 1.0, "matching": 1.0}, {"frame": 2}, {"frame": 2}),
        ({"adversarial": 1.0, "temporal": 1.0}, {"frame": 1, "sequence": 1}, {"frame": 2, "sequence": 2}),
        ({"temporal": 1.0, "matching": 1.0}, {"frame": 2, "sequence": 2}, {"frame": 2, "sequence": 2}),
    ],
)
def test_only_discriminators_of_terms_in_use_are_built_and_called(
    weights: dict[str, float],
    generator: dict[str, int],
    discriminators: dict[str, int],
    batch: Batch,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    some = objective(reconstruction=1.0, **weights)
    assert some.discriminators is not None
    built = dict(some.discriminators.named_children())
    assert built.keys() == generator.keys()
    calls: dict[str, int] = {}
    original = MultiScaleDiscriminator.forward

    def forward(self: MultiScaleDiscriminator, frames: torch.Tensor, pose: torch.Tensor) -> object:
        name = next(name for name, module in built.items() if module is self)
        calls[name] = calls.get(name, 0) + 1
        return original(self, frames, pose)

    monkeypatch.setattr(MultiScaleDiscriminator, "forward", forward)
    assert some(batch, "generator").keys() == {"reconstruction"} | weights.keys()
    assert calls == generator
    calls.clear()
    some(batch, "discriminators")
    assert calls == discriminators


def test_discriminators_learn_and_the_generator_gets_gradients(batch: Batch) -> None:
    adversarial = objective(reconstruction=1.0, adversarial=1.0, temporal=1.0, matching=1.0)
    assert adversarial.optimizer_groups == ("generator", "discriminators")
    assert adversarial.discriminators is not None
    optimizer = torch.optim.Adam(adversarial.discriminators.parameters(), 2e-3)
    values = []
    for _ in range(12):
        adversarial(batch, "generator")
        loss = adversarial(batch, "discriminators")["discriminators"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        values.append(loss.item())
    assert values[0] == pytest.approx(8.0, rel=0.2)  # two discriminators, two scales, two sides, all undecided
    assert values[-1] < 0.95 * values[0]
    adversarial.zero_grad()
    sum(adversarial(batch, "generator").values()).backward()  # type: ignore[union-attr]
    assert adversarial.model.head.weight.grad is not None
    assert adversarial.model.head.weight.grad.abs().sum() > 0


def test_a_network_without_warps_gets_adjacent_frames_as_conditions(batch: Batch) -> None:
    torch.manual_seed(0)
    model = FrameGenerator(Config(SMALL.widths, SMALL.blocks, warps=False))
    torch.nn.init.normal_(model.head.weight, std=0.1)
    weights = dict.fromkeys(LOSS_WEIGHTS, 0.0) | {"reconstruction": 1.0, "fsr": 1.0}
    same = batch._replace(before=batch.baseline.condition)
    terms = SelfSupervisedObjective(model, weights)(same, "generator")
    assert terms["fsr"].item() < 0.1
    other = SelfSupervisedObjective(model, weights)(batch._replace(before=1 - batch.target), "generator")
    assert other["fsr"].item() > 2 * terms["fsr"].item()
