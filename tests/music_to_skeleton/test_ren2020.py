import pytest
import torch

from stgmamba.music_to_skeleton.model import Config, MusicToSkeleton
from stgmamba.music_to_skeleton.ren2020 import Ren2020
from stgmamba.music_to_skeleton.representation import GRAPH

CONFIG = Config(channels=16, music_channels=16, network="ren2020", sampling_steps=1, fps=12.5, patch=4)
J = len(GRAPH)


def inputs(frames: int = 12) -> tuple[torch.Tensor, ...]:
    g = torch.Generator().manual_seed(0)
    return (
        torch.randn(2, frames, J, 3, generator=g),
        torch.zeros(2),
        torch.randn(2, frames, CONFIG.music_channels, generator=g),
        torch.tensor([0, len(CONFIG.styles)]),
        torch.zeros(2, dtype=torch.long),
    )


@pytest.fixture
def model() -> Ren2020:
    torch.manual_seed(0)
    return Ren2020(CONFIG).eval()


def test_as_large_as_ours() -> None:
    ours = sum(p.numel() for p in MusicToSkeleton(Config(fps=12.5, patch=4)).parameters())
    its = sum(p.numel() for p in Ren2020(Config(network="ren2020", fps=12.5, patch=4)).parameters())
    assert abs(its / ours - 1) < 0.2


def test_shapes_and_gradients_reach_every_parameter(model: Ren2020) -> None:
    x, t, _, style, _ = inputs()
    model.train()
    out = model(
        x, t, model.encode_audio(torch.randn(2, 12, 2205), torch.randn(2, 12, 4)), style, torch.zeros_like(style)
    )
    assert out.shape == x.shape
    out.square().mean().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_noise_music_and_style_each_matter_and_the_flow_time_does_not(model: Ren2020) -> None:
    x, t, hidden, style, source = inputs()
    dance = model(x, t, hidden, style, source)
    assert not torch.allclose(model(-x, t, hidden, style, source), dance, atol=1e-3)
    assert not torch.allclose(model(x, t, -hidden, style, source), dance, atol=1e-3)
    assert not torch.allclose(model(x, t, hidden, style.flip(0), source), dance, atol=1e-3)
    torch.testing.assert_close(model(x, t + 0.5, hidden, style, source), dance)


def test_a_frame_is_decoded_from_the_noise_up_to_it(model: Ren2020) -> None:
    x, t, hidden, style, source = inputs()
    changed = x.clone()
    changed[:, 6] += 1
    moved = (model(changed, t, hidden, style, source) - model(x, t, hidden, style, source)).abs().sum((0, 2, 3))
    assert moved[:6].sum() == 0
    assert (moved[6:] > 0).all()
    # Music of another frame is not seen by the decoder; the encoder has carried it there.
    louder = hidden.clone()
    louder[:, 6] += 1
    moved = (model(x, t, louder, style, source) - model(x, t, hidden, style, source)).abs().sum((0, 2, 3))
    assert moved[torch.arange(12) != 6].sum() == 0
    assert moved[6] > 0
