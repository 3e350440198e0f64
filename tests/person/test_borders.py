import cv2
import numpy as np
import pytest

from stgmamba.person.borders import find_borders


def scene(width: int = 300, height: int = 400) -> np.ndarray:
    """A white wall, a brown floor and somebody dark who stands there."""
    rgb = np.full((height, width, 3), 246, np.uint8)
    rgb[int(0.75 * height) :] = (120, 80, 50)
    rgb[int(0.2 * height) : int(0.85 * height), int(0.4 * width) : int(0.6 * width)] = (40, 40, 60)
    noise = np.random.default_rng(0).normal(0, 3, rgb.shape)
    noise[int(0.75 * height) :] += 25 * np.sin(np.arange(width) / 9)[:, None]  # planks
    return np.clip(rgb + noise, 0, 255).astype(np.uint8)


def compressed(rgb: np.ndarray) -> np.ndarray:
    ok, data = cv2.imencode(".jpg", rgb, [cv2.IMWRITE_JPEG_QUALITY, 80])
    assert ok
    return cv2.imdecode(data, cv2.IMREAD_COLOR)


@pytest.mark.parametrize("colour", [(0, 0, 0), (128, 128, 128), (60, 70, 90)])
@pytest.mark.parametrize(
    ("top", "bottom", "left", "right"),
    [(60, 60, 0, 0), (0, 0, 50, 50), (40, 90, 30, 20), (3, 0, 0, 0), (0, 120, 0, 0)],
    ids=["letterbox", "pillars", "frame", "thin line", "below"],
)
def test_bars_are_found(top: int, bottom: int, left: int, right: int, colour: tuple[int, int, int]) -> None:
    inner = scene()
    framed = cv2.copyMakeBorder(inner, top, bottom, left, right, cv2.BORDER_CONSTANT, value=colour)
    box = np.array(find_borders(compressed(framed)))
    true = np.array([left, top, left + inner.shape[1], top + inner.shape[0]])
    assert np.abs(box - true).max() <= 4
    # What is cut is no picture, but for what compression blurs; what is left has no bar.
    assert (box - true)[:2].min() >= -1
    assert (box - true)[2:].max() <= 1


def test_writing_on_a_bar() -> None:
    framed = cv2.copyMakeBorder(scene(), 90, 90, 0, 0, cv2.BORDER_CONSTANT, value=(0, 0, 0))
    cv2.putText(framed, "at the beach", (40, 55), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (255, 255, 255), 2)
    box = find_borders(compressed(framed))
    assert np.abs(np.array(box) - (0, 90, 300, 490)).max() <= 3


def test_white_bars_on_a_grey_wall() -> None:
    inner = np.clip(scene().astype(int) - 60, 0, 255).astype(np.uint8)
    framed = cv2.copyMakeBorder(inner, 0, 0, 70, 70, cv2.BORDER_CONSTANT, value=(255, 255, 255))
    assert np.abs(np.array(find_borders(compressed(framed))) - (70, 0, 370, 400)).max() <= 3


@pytest.mark.parametrize("turns", range(4))
def test_a_plain_wall_is_no_bar(turns: int) -> None:
    rgb = np.rot90(compressed(scene()), turns)
    assert find_borders(np.ascontiguousarray(rgb)) == (0, 0, rgb.shape[1], rgb.shape[0])


@pytest.mark.parametrize(
    "rgb",
    [
        np.zeros((300, 300, 3), np.uint8),
        np.full((64, 64, 3), 255, np.uint8),
        np.tile(np.linspace(0, 255, 300).astype(np.uint8)[:, None, None], (1, 200, 3)),
        np.random.default_rng(0).integers(0, 256, (200, 100, 3)).astype(np.uint8),
    ],
    ids=["black", "small", "gradient", "noise"],
)
def test_pictures_without_bars_keep_their_size(rgb: np.ndarray) -> None:
    assert find_borders(rgb) == (0, 0, rgb.shape[1], rgb.shape[0])


def test_a_spot_in_the_corner_of_a_bar_and_a_soft_edge() -> None:
    bar = np.full((400, 60, 3), 0, np.uint8)
    bar[390:, 20:23] = 200
    rgb = np.concatenate([bar, scene(), bar], axis=1)
    soft = rgb.copy()
    soft[:, 60], soft[:, 359] = rgb[:, 60] * 0.4, rgb[:, 359] * 0.6
    left, _, right, _ = find_borders(soft)
    assert (left, right) == (61, 359)
