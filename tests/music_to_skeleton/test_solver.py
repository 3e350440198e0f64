from __future__ import annotations

import pytest
import torch
from torch import Tensor

from stgmamba.music_to_skeleton.flow_matching import solve_flow


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 10])
def test_a_network_that_knows_the_dance_is_followed_in_any_number_of_steps(steps: int) -> None:
    dance, asked = torch.randn(5, 23, 3), []

    def predict(x: Tensor, t: float) -> Tensor:
        asked.append(t)
        return dance

    torch.testing.assert_close(solve_flow(predict, torch.randn(5, 23, 3), steps), dance)
    assert len(asked) == steps
    assert asked == sorted(set(asked))
    assert asked[0] == 0
    assert asked[-1] < 1


def test_ten_steps_lead_where_a_thousand_plain_ones_do() -> None:
    """Dances of one coordinate with standard deviation s: the best guess is known, and so is where the flow ends."""
    s, noise = 0.3, torch.linspace(-2, 2, 9)

    def best_guess(x: Tensor, t: float) -> Tensor:
        return x * t * s**2 / (t**2 * s**2 + (1 - t) ** 2)

    def euler(steps: int) -> Tensor:
        x = noise
        for i in range(steps):
            x = x + (best_guess(x, i / steps) - x) / (steps - i)
        return x

    torch.testing.assert_close(euler(1000), s * noise, atol=0.01, rtol=0)
    ours, plain = ((x - s * noise).abs().max().item() for x in (solve_flow(best_guess, noise, 10), euler(10)))
    assert ours < 0.02
    assert ours < plain / 8


def test_same_noise_same_dance() -> None:
    noise = torch.randn(4, 23, 3)
    first, second = (solve_flow(lambda x, t: (x * (1 - t)).tanh(), noise.clone(), 6) for _ in range(2))
    torch.testing.assert_close(first, second, rtol=0, atol=0)
