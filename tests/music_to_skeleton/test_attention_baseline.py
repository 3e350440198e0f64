import math

import pytest
import torch

from stgmamba.music_to_skeleton.attention_baseline import AxisAttention
from stgmamba.music_to_skeleton.model import Config, SelectiveSSM

INNER, STATES = 32, 2


def twin(directions: tuple[bool, ...]) -> AxisAttention:
    torch.manual_seed(0)
    mixer = AxisAttention(INNER, STATES, directions).eval()
    for linear in (mixer.queries, mixer.keys):
        linear.weight.data *= 4  # so that attention is far from uniform
    return mixer


def test_about_as_many_parameters_as_the_ssm() -> None:
    config = Config()
    ssm, attention = (
        sum(parameter.numel() for parameter in layer(config.inner, config.states, (False,)).parameters())
        for layer in (SelectiveSSM, AxisAttention)
    )
    assert (ssm, attention) == (7296, 7872)


def test_it_is_the_attention_of_the_docstring() -> None:
    mixer = twin((False,))
    x = torch.randn(1, 6, INNER)
    half = mixer.width // 2

    def turned(v: torch.Tensor, at: int) -> torch.Tensor:
        """Pairs of channels as complex numbers, turned by their position."""
        angle = at * mixer.frequencies
        return torch.complex(v[:half], v[half:]) * torch.complex(angle.cos(), angle.sin())

    y = torch.zeros(6, INNER)
    for head in range(2):
        part, channels = slice(head * mixer.width, (head + 1) * mixer.width), slice(head * 16, head * 16 + 16)
        q, k = mixer.queries(x[0])[:, part], mixer.keys(x[0])[:, part]
        for t in range(6):
            products = [(turned(q[t], t) * turned(k[s], s).conj()).real.sum() for s in range(t + 1)]
            weights = torch.softmax(torch.stack(products) / math.sqrt(mixer.width), 0)
            y[t, channels] = weights @ x[0, : t + 1, channels]
    torch.testing.assert_close(mixer(x)[0], y + mixer.D * x[0], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("directions", "sees_before", "sees_after"),
    [((False,), True, False), ((True,), False, True), ((False, True), True, True)],
)
def test_what_each_direction_sees(directions: tuple[bool, ...], sees_before: bool, sees_after: bool) -> None:
    mixer = twin(directions)
    x = torch.randn(1, 9, INNER)
    changed = x.clone()
    changed[0, 4] += 1
    moved = (mixer(changed) - mixer(x))[0].abs().sum(-1) > 1e-6
    assert moved[4]
    assert moved[5:].all() == sees_before  # later places see what came before them
    assert moved[5:].any() == sees_before
    assert moved[:4].all() == sees_after
    assert moved[:4].any() == sees_after


def test_it_knows_order_but_not_where_zero_is() -> None:
    mixer = twin((False, True))
    x = torch.randn(1, 7, INNER)
    order = torch.tensor([2, 0, 1, 3, 4, 5, 6])
    assert not torch.allclose(mixer(x[:, order]), mixer(x)[:, order], atol=1e-3)
    # Only distances count: with everything moved by one place, nothing but the newcomer changes what is seen.
    causal = twin((False,))
    padded = torch.cat([torch.full((1, 1, INNER), -1e3), x], dim=1)
    q = causal._rotate(causal.queries(x))
    k = causal._rotate(causal.keys(x))
    q_later, k_later = causal._rotate(causal.queries(padded))[:, :, 1:], causal._rotate(causal.keys(padded))[:, :, 1:]
    torch.testing.assert_close(q @ k.transpose(2, 3), q_later @ k_later.transpose(2, 3), atol=1e-3, rtol=1e-3)
