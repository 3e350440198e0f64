import pytest
import torch

from stgmamba.training import adversarial as losses


def test_hinge_losses_of_known_scores() -> None:
    real, made = [torch.tensor([2.0, 0.5])], [torch.tensor([-2.0, 0.0])]
    assert losses.hinge_discriminator(real, made).item() == pytest.approx(0.25 + 0.5)
    assert losses.hinge_generator(made).item() == pytest.approx(1.0)


def test_feature_matching_is_the_mean_over_layers() -> None:
    made, real = [torch.zeros(3), torch.zeros(100)], [torch.ones(3), torch.zeros(100)]
    assert losses.feature_matching(made, real).item() == pytest.approx(0.5)
