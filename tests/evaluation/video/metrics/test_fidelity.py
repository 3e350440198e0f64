import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stgmamba.errors import InputError
from stgmamba.evaluation.video.metrics.fidelity import check_can_measure, psnr, ssim


def noise(seed: int, frames: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (frames, 24, 20, 3), dtype=np.uint8)


def test_equal_frames() -> None:
    assert ssim(noise(0), noise(0)) == pytest.approx(1)
    assert psnr(noise(0), noise(0)) == 100


def test_psnr_of_a_known_error_is_averaged_over_frames() -> None:
    truth = np.full((2, 16, 16, 3), 100, np.uint8)
    frames = truth.copy()
    frames[0] += 10  # 10 log10(255^2 / 100) = 28.13 dB
    frames[1] += 20  # 22.11 dB
    assert psnr(frames, truth) == pytest.approx((28.1308 + 22.1102) / 2, abs=1e-3)
    many = np.repeat(truth[:1], 40, axis=0)
    assert psnr(many + 10, many) == pytest.approx(28.1308, abs=1e-3)


def test_ssim_of_constant_images_is_the_luminance_term() -> None:
    # Without variance only the luminance term differs from 1: (2 a b + C1) / (a^2 + b^2 + C1).
    a, b, c = 100 / 255, 150 / 255, 0.01**2
    truth = np.full((2, 16, 16, 3), 100, np.uint8)
    assert ssim(truth + 50, truth) == pytest.approx((2 * a * b + c) / (a * a + b * b + c), abs=5e-4)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 50))
def test_more_noise_is_worse(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = np.full((1, 24, 24, 3), 120, np.uint8) + rng.integers(0, 60, (1, 24, 24, 1), dtype=np.uint8)
    little, much = (np.clip(truth + rng.normal(0, s, truth.shape), 0, 255).astype(np.uint8) for s in (4, 25))
    assert ssim(much, truth) < ssim(little, truth) < 1
    assert psnr(much, truth) < psnr(little, truth)


def test_shapes_must_be_equal() -> None:
    with pytest.raises(ValueError, match="same shape"):
        ssim(noise(0, 2), noise(0, 3))
    with pytest.raises(ValueError, match="same shape"):
        psnr(noise(0)[:0], noise(0)[:0])


def test_missing_torchmetrics_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    check_can_measure()
    monkeypatch.setattr("stgmamba.evaluation.video.metrics.fidelity.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install stgmamba\[train\]"):
        check_can_measure()
