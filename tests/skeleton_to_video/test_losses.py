from collections.abc import Callable

import pytest
import torch

from stgmamba.skeleton_to_video import losses


def test_l1_weights_pixels() -> None:
    frame, target = torch.zeros(1, 3, 2, 2), torch.zeros(1, 3, 2, 2)
    frame[..., 0, 0] = 0.5
    weight = torch.ones(1, 1, 2, 2)
    assert losses.l1(frame, target, weight).item() == pytest.approx(0.5 / 4)
    weight[..., 0, 0] = 3.0
    assert losses.l1(frame, target, weight).item() == pytest.approx(1.5 / 6)


@pytest.mark.parametrize("regularization", [losses.forward_regularization, losses.backward_regularization])
def test_regularization_has_opposite_gradients_on_both_predictions(regularization: Callable[..., torch.Tensor]) -> None:
    first = torch.full((1, 3, 4, 4), 0.2, requires_grad=True)
    second = torch.full((1, 3, 4, 4), 0.6, requires_grad=True)
    value = regularization(first, second, torch.ones(1, 1, 4, 4))
    value.backward()
    assert value.item() == pytest.approx(0.4)
    assert first.grad is not None
    assert second.grad is not None
    assert torch.allclose(first.grad, -second.grad)
    assert (first.grad < 0).all()


def test_dissimilarity_of_known_images() -> None:
    image = torch.rand(2, 3, 32, 24, generator=torch.Generator().manual_seed(0))
    assert losses.dissimilarity(image, image).item() == pytest.approx(0, abs=1e-5)
    # For two constant images only the luminance factor differs from 1: (2ab + c) / (a^2 + b^2 + c).
    a, b = 0.2, 0.8
    expected = 1 - (2 * a * b + 1e-4) / (a * a + b * b + 1e-4)
    constant = losses.dissimilarity(torch.full((1, 3, 16, 16), a), torch.full((1, 3, 16, 16), b))
    assert constant.item() == pytest.approx(expected, abs=3e-4)
    assert losses.dissimilarity(image, 1 - image).item() > 1
