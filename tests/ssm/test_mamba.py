from __future__ import annotations

import pytest
import torch

from stgmamba.ssm import MambaMixer


def mixer(channels: int = 12, **options: object) -> MambaMixer:
    torch.manual_seed(0)
    return MambaMixer(channels, d_state=5, **options)  # type: ignore[arg-type]


def test_initialisation_is_the_papers() -> None:
    ours = mixer(64)
    dt = torch.nn.functional.softplus(ours.dt_proj.bias)
    assert ours.dt_rank == 4
    assert 0.99e-3 < dt.min() < 3e-3
    assert 3e-2 < dt.max() < 1.01e-1
    torch.testing.assert_close(-torch.exp(ours.A_log), -torch.arange(1.0, 6).expand(128, 5))
    assert (ours.D == 1).all()


@pytest.mark.parametrize("length", [1, 2, 37])
def test_agrees_with_transformers_and_loads_its_weights(length: int) -> None:
    modeling = pytest.importorskip("transformers.models.mamba.modeling_mamba", reason="transformers is not installed")
    from transformers import MambaConfig

    config = MambaConfig(hidden_size=24, state_size=5, conv_kernel=4, expand=2, num_hidden_layers=1, vocab_size=4)
    torch.manual_seed(1)
    theirs = modeling.MambaMixer(config, layer_idx=0)
    ours = MambaMixer(24, d_state=5)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(3, length, 24)
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-5, atol=1e-6)


def test_stepping_equals_the_whole_sequence() -> None:
    ours, x = mixer(), torch.randn(2, 40, 12)
    state, frames = ours.initial_state(2), []
    for t in range(40):
        y, state = ours.step(x[:, t], state)
        frames.append(y)
    torch.testing.assert_close(torch.stack(frames, 1), ours(x))


def test_chunks_equal_the_whole_sequence() -> None:
    ours, x = mixer(), torch.randn(2, 100, 12)
    state, chunks = ours.initial_state(2), []
    for chunk in x.split((1, 33, 2, 64), dim=1):
        y, state = ours.chunk(chunk, state)
        chunks.append(y)
    torch.testing.assert_close(torch.cat(chunks, 1), ours(x))


def test_a_bidirectional_mixer_does_not_stream() -> None:
    ours = mixer(bidirectional=True)
    with pytest.raises(ValueError, match="whole sequence"):
        ours.step(torch.randn(2, 12), ours.initial_state(2))


def test_reverse_is_the_mirror_image() -> None:
    ours, x = mixer(), torch.randn(2, 50, 12)
    torch.testing.assert_close(ours(x, reverse=True), ours(x.flip(1)).flip(1))


def test_bidirectional_adds_both_directions() -> None:
    both, x = mixer(bidirectional=True), torch.randn(2, 30, 12)
    forwards, backwards = mixer(), mixer()
    assert both.backwards is not None
    forwards.load_state_dict({k: v for k, v in both.state_dict().items() if not k.startswith("backwards.")})
    projections = {k: v for k, v in both.state_dict().items() if k.startswith(("in_proj", "out_proj"))}
    backwards.load_state_dict(both.backwards.state_dict() | projections)
    torch.testing.assert_close(both(x), forwards(x) + backwards(x, reverse=True))
    # every output frame depends on every input frame
    x.requires_grad_()
    both(x)[:, 15].sum().backward()
    assert x.grad is not None
    assert (x.grad.abs().sum((0, 2)) > 0).all()


@pytest.mark.parametrize("axis", [0, 1, 2, -2, -3])
def test_any_axis(axis: int) -> None:
    ours, x = mixer(), torch.randn(4, 6, 5, 12)
    y = ours(x, axis=axis)
    expected = torch.empty_like(x)
    others = [i for i in range(3) if i != axis % 4]
    for i in range(x.shape[others[0]]):
        for j in range(x.shape[others[1]]):
            index: list[slice | int] = [slice(None)] * 3
            index[others[0]], index[others[1]] = i, j
            expected[tuple(index)] = ours(x[tuple(index)][None])[0]
    torch.testing.assert_close(y, expected)


def test_is_causal() -> None:
    ours, x = mixer(), torch.randn(1, 20, 12)
    changed = x.clone()
    changed[:, 12:] += 1
    torch.testing.assert_close(ours(changed)[:, :12], ours(x)[:, :12])


def test_gradients_agree_with_float64() -> None:
    ours = mixer(bidirectional=True)
    double = mixer(bidirectional=True).double()
    double.load_state_dict(ours.state_dict())
    x = torch.randn(3, 41, 12)
    ours(x).square().sum().backward()
    double(x.double()).square().sum().backward()
    for (name, p), q in zip(ours.named_parameters(), double.parameters(), strict=True):
        assert p.grad is not None, name
        assert q.grad is not None, name
        assert (p.grad - q.grad).abs().max() <= 1e-4 * q.grad.abs().max(), name
