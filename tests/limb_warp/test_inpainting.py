import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stgmamba.limb_warp.inpainting import inpaint, push_pull


def hole_in(shape: tuple[int, int]) -> np.ndarray:
    hole = np.zeros(shape, bool)
    hole[shape[0] // 4 : -shape[0] // 4, shape[1] // 3 : -shape[1] // 3] = True
    return hole


def test_inpainting_continues_a_smooth_gradient() -> None:
    ramp = np.linspace(60, 200, 120)[:, None, None] + np.linspace(0, 30, 90)[None, :, None]
    picture = np.repeat(ramp, 3, axis=2).astype(np.uint8)
    filled = inpaint(picture, hole_in((120, 90)))
    assert np.abs(filled.astype(int) - picture).max() <= 12


def test_inpainting_continues_an_edge() -> None:
    picture = np.full((120, 90, 3), 210, np.uint8)
    picture[70:] = 60
    filled = inpaint(picture, hole_in((120, 90))).astype(int)
    assert np.abs(filled[:64] - 210).max() < 40
    assert np.abs(filled[76:] - 60).max() < 40


def test_inpainting_continues_stripes() -> None:
    x = np.arange(96)
    stripes = np.where((x // 6) % 2, 200, 60).astype(np.uint8)
    picture = np.repeat(np.repeat(stripes[None, :, None], 96, axis=0), 3, axis=2)
    hole = hole_in((96, 96))
    filled = inpaint(picture, hole)[hole].astype(int)
    assert ((np.abs(filled - 200).max(axis=1) < 40) | (np.abs(filled - 60).max(axis=1) < 40)).mean() > 0.7


def test_pixels_outside_of_the_hole_are_unchanged_and_the_result_is_deterministic() -> None:
    picture = np.random.default_rng(0).integers(0, 255, (80, 60, 3), dtype=np.uint8)
    hole = hole_in((80, 60))
    filled = inpaint(picture, hole, seed=3)
    assert np.array_equal(filled[~hole], picture[~hole])
    assert np.array_equal(filled, inpaint(picture, hole, seed=3))


@settings(max_examples=25, deadline=None)
@given(st.integers(3, 40), st.integers(3, 40), st.integers(0, 99))
def test_push_pull_keeps_known_colours_and_their_range(height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    colours = rng.uniform(0, 255, (height, width, 3)).astype(np.float32)
    weight = (rng.random((height, width)) < 0.4).astype(np.float32)
    weight[0, 0] = 1
    result = push_pull(colours, weight)
    known = weight > 0
    assert np.allclose(result[known], colours[known], atol=1e-2)
    assert result.min() >= colours[known].min() - 0.5
    assert result.max() <= colours[known].max() + 0.5


def test_a_picture_without_known_pixels_is_unchanged() -> None:
    picture = np.full((20, 20, 3), 7, np.uint8)
    assert np.array_equal(inpaint(picture, np.ones((20, 20), bool)), picture)
