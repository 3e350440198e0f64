"""The compiled loop against `FrameGenerator.compose`."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from stgmamba.skeleton_to_video.compositing import composite
from stgmamba.skeleton_to_video.model import Answer, Config, FrameGenerator

ROWS, COLUMNS = 32, 48


def scene(times: int, seed: int = 0) -> tuple[Answer, Tensor, Tensor]:
    """An answer with logits and colours as large as they get, sheets with all kinds of coverage, a background."""
    generator = torch.Generator().manual_seed(seed)

    def noise(channels: int, rows: int, columns: int) -> Tensor:
        return torch.rand(1, channels, rows, columns, generator=generator)

    near = (2 * noise(1, ROWS, COLUMNS) - 0.5).clamp(0, 1)
    near[..., : COLUMNS // 3] = 0
    seam = near * (2 * noise(1, ROWS, COLUMNS) - 1).clamp(0, 1)
    logits, own = 12 * noise(3, ROWS, COLUMNS) - 6, 2 * noise(3, ROWS, COLUMNS) - 1
    answer = Answer(logits, own, noise(2, ROWS // 2, COLUMNS // 2), near, seam)
    size = ROWS * times, COLUMNS * times
    alpha = (3 * noise(1, *size) - 1).clamp(0, 1)
    return answer, torch.cat([noise(3, *size) * alpha, alpha], 1), noise(3, *size)


def said(answer: Answer) -> np.ndarray:
    parts = [answer.logits, answer.own, answer.near, answer.seam]
    return np.ascontiguousarray(torch.cat(parts, 1)[0].permute(1, 2, 0).numpy())


def drawn(answer: Answer, warped: Tensor, background: Tensor, times: int) -> np.ndarray:
    layer = warped[0].permute(1, 2, 0).numpy() * np.float32([255, 255, 255, 1])
    behind = background[0].permute(1, 2, 0).numpy() * np.float32(255)
    frame = np.clip(behind + 0.5, 0, 255).astype(np.uint8)
    composite(frame, layer, behind, said(answer), times)
    return frame


@pytest.mark.parametrize("times", [1, 2, 3])
def test_it_is_what_compose_makes(times: int) -> None:
    answer, warped, background = scene(times)
    frame = drawn(answer, warped, background, times)
    made = FrameGenerator(Config()).compose(answer, warped, background)[0].permute(1, 2, 0).numpy()
    expected = np.clip(made * 255 + 0.5, 0, 255).astype(np.uint8)
    difference = np.abs(frame.astype(int) - expected)
    assert difference.max() <= 1
    assert (difference > 0).mean() < 1e-3  # where a colour lies between two numbers


def test_a_frame_may_end_before_the_answer() -> None:
    answer, warped, background = scene(2)
    whole = drawn(answer, warped, background, 2)
    part = drawn(answer, warped[..., :41, :77], background[..., :41, :77], 2)
    assert np.array_equal(part, whole[:41, :77])


def test_far_from_the_body_nothing_is_touched() -> None:
    answer, warped, background = scene(1)
    nowhere = torch.zeros_like(answer.near)
    answer, warped = answer._replace(near=nowhere, seam=nowhere), torch.zeros_like(warped)
    layer, behind = (np.ascontiguousarray(x[0].permute(1, 2, 0).numpy()) for x in (warped, background))
    frame = np.full((ROWS, COLUMNS, 3), 7, np.uint8)
    composite(frame, layer, behind, said(answer), 1)
    assert (frame == 7).all()
