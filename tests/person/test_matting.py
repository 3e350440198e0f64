import cv2
import numpy as np
import pytest

from stgmamba.person.matting import refine_mask


def scene(size: int, person: tuple[int, int, int], ground: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """A rounded figure, and its true mask."""
    large = np.zeros((4 * size, 4 * size), np.uint8)
    cv2.ellipse(large, (2 * size, 2 * size), (size, int(1.6 * size)), 0, 0, 360, 255, -1)
    cv2.rectangle(large, (int(2.9 * size), int(1.5 * size)), (int(3.5 * size), int(1.7 * size)), 255, -1)
    mask = cv2.resize(large, (size, size), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    noise = np.random.default_rng(0).normal(0, 3, (size, size, 3))
    rgb = mask[..., None] * person + (1 - mask[..., None]) * np.array(ground) + noise
    return np.clip(rgb, 0, 255).astype(np.uint8), mask


def coarse_of(mask: np.ndarray, grow: int) -> np.ndarray:
    """What a coarse model makes of it: too fat and blurred."""
    fat = cv2.dilate(mask, np.ones((2 * grow + 1, 2 * grow + 1)))
    return cv2.GaussianBlur(fat, (0, 0), 1.5).astype(np.float32)


@pytest.mark.parametrize("size", [120, 400, 1500])
def test_outline_moves_onto_the_edge(size: int) -> None:
    rgb, true = scene(size, (150, 60, 50), (225, 230, 235))
    coarse = coarse_of(true, max(1, round(size * 0.006)))
    refined = refine_mask(rgb, coarse)
    assert refined.dtype == np.float32
    assert refined.shape == true.shape
    assert refined.min() >= 0
    assert refined.max() <= 1
    assert np.abs(refined - true).mean() < (0.75 if size < 200 else 0.5) * np.abs(coarse - true).mean()


def test_the_coarse_mask_stands_where_colours_say_nothing() -> None:
    rgb, true = scene(300, (230, 230, 230), (232, 232, 232))
    coarse = cv2.GaussianBlur(true, (0, 0), 1.5)
    assert ((refine_mask(rgb, coarse) > 0.5) != (coarse > 0.5)).mean() < 0.01


def test_specks_go_and_nobody_stays_nobody() -> None:
    rgb, true = scene(300, (150, 60, 50), (225, 230, 235))
    speckled = true.copy()
    speckled[20:24, 20:24] = 1
    assert refine_mask(rgb, speckled)[:30, :30].max() == 0
    empty = np.zeros_like(true)
    assert not refine_mask(rgb, empty).any()
    assert refine_mask(rgb, np.ones_like(true)).mean() > 0.99
