from __future__ import annotations

import pytest
import torch

from stgmamba.music_to_skeleton.flow_matching import NOISE_MEMORY, coloured_noise, draw_noise


@pytest.mark.parametrize("order", [0.0, 0.4])
def test_the_noise_has_variance_one_at_every_frame(order: float) -> None:
    noise = draw_noise(40, 60, order, torch.Generator().manual_seed(0))
    assert noise.shape == (40, 60, 23, 3)
    assert abs(float(noise[:, 0].std()) - 1) < 0.05
    assert abs(float(noise[:, -1].std()) - 1) < 0.05


def test_its_power_falls_with_the_frequency_by_the_order() -> None:
    noise = draw_noise(20, 512, 0.4, torch.Generator().manual_seed(0))
    power = torch.fft.rfft(noise, dim=1).abs().square().mean(dim=(0, 2, 3))
    low, high = power[8:16].mean(), power[128:256].mean()  # four octaves apart
    assert float(torch.log2(low / high)) == pytest.approx(4 * 0.8, abs=0.4)


def test_of_order_zero_it_is_the_white_noise_itself() -> None:
    white = torch.randn(2, 10 + NOISE_MEMORY - 1, 23, 3)
    torch.testing.assert_close(coloured_noise(white, 0.0), white[:, NOISE_MEMORY - 1 :])


def test_the_noise_of_a_long_dance_begins_like_that_of_a_short_one() -> None:
    short, long = (draw_noise(1, frames, 0.4, torch.Generator().manual_seed(3)) for frames in (200, 400))
    torch.testing.assert_close(long[:, :190], short[:, :190])
