"""The compiled compositing against `FrameGenerator.compose`."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from stgmamba.skeleton_to_video.compositing import composite
from stgmamba.skeleton_to_video.model import Config, FrameGenerator, Prediction

ROWS, COLUMNS = 32, 48


def scene(scale: int, seed: int = 0) -> tuple[Prediction, Tensor, Tensor]:
    """A prediction with logits and colours over their whole ranges, layers with coverage 0..1, and a background."""
    generator = torch.Generator().manual_seed(seed)

    def noise(channels: int, rows: int, columns: int) -> Tensor:
        return torch.rand(1, channels, rows, columns, generator=generator)

    paint_mask = (2 * noise(1, ROWS, COLUMNS) - 0.5).clamp(0, 1)
    paint_mask[..., : COLUMNS // 3] = 0
    seam_mask = paint_mask * (2 * noise(1, ROWS, COLUMNS) - 1).clamp(0, 1)
    logits, rgb = 12 * noise(3, ROWS, COLUMNS) - 6, 2 * noise(3, ROWS, COLUMNS) - 1
    prediction = Prediction(logits, rgb, paint_mask, seam_mask)
    size = ROWS * scale, COLUMNS * scale
    alpha = (3 * noise(1, *size) - 1).clamp(0, 1)
    return prediction, torch.cat([noise(3, *size) * alpha, alpha], 1), noise(3, *size)


def channels(prediction: Prediction) -> np.ndarray:
    return np.ascontiguousarray(torch.cat(prediction, 1)[0].permute(1, 2, 0).numpy())


def composited(prediction: Prediction, warped: Tensor, background: Tensor, scale: int) -> np.ndarray:
    layers = warped[0].permute(1, 2, 0).numpy() * np.float32([255, 255, 255, 1])
    background_rgb = background[0].permute(1, 2, 0).numpy() * np.float32(255)
    frame = np.clip(background_rgb + 0.5, 0, 255).astype(np.uint8)
    composite(frame, layers, background_rgb, channels(prediction), scale)
    return frame


@pytest.mark.parametrize("scale", [1, 2, 3])
def test_result_equals_that_of_compose(scale: int) -> None:
    prediction, warped, background = scene(scale)
    frame = composited(prediction, warped, background, scale)
    composed = FrameGenerator(Config()).compose(prediction, warped, background)[0].permute(1, 2, 0).numpy()
    expected = np.clip(composed * 255 + 0.5, 0, 255).astype(np.uint8)
    difference = np.abs(frame.astype(int) - expected)
    assert difference.max() <= 1
    assert (difference > 0).mean() < 1e-3  # rounding of values halfway between two integers


def test_a_frame_may_be_smaller_than_the_upscaled_prediction() -> None:
    prediction, warped, background = scene(2)
    whole = composited(prediction, warped, background, 2)
    part = composited(prediction, warped[..., :41, :77], background[..., :41, :77], 2)
    assert np.array_equal(part, whole[:41, :77])


def test_pixels_outside_of_masks_and_layers_are_not_written() -> None:
    prediction, warped, background = scene(1)
    zeros = torch.zeros_like(prediction.paint_mask)
    prediction, warped = prediction._replace(paint_mask=zeros, seam_mask=zeros), torch.zeros_like(warped)
    layers, background_rgb = (np.ascontiguousarray(x[0].permute(1, 2, 0).numpy()) for x in (warped, background))
    frame = np.full((ROWS, COLUMNS, 3), 7, np.uint8)
    composite(frame, layers, background_rgb, channels(prediction), 1)
    assert (frame == 7).all()
