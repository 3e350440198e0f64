"""Growth of bodies to outlines; the body and its mask are the template's own."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from stgmamba.body.outline import OrthographicBuffer, close_outline, outline_overlap
from stgmamba.body.template import TORSO, load_template
from tests.support.posed_body import SIZE, standing_body


def widened(metres: float) -> np.ndarray:
    """The standing person's mask, wider all round, as in loose clothes."""
    truth = standing_body()
    reach = round(metres * truth.fitted.pixels_per_metre)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    return np.asarray(cv2.dilate(truth.person.mask, kernel))


def test_a_body_in_its_own_outline_stays_as_it_is() -> None:
    truth = standing_body()
    assert outline_overlap(truth.fitted, truth.fitted.vertices, truth.person.mask) > 0.97
    moved = close_outline(truth.fitted, truth.person.mask) - truth.fitted.vertices
    # A pixel of the picture is 5 mm, and the surface is smoothed.
    assert np.percentile(np.linalg.norm(moved, axis=1), 95) < 0.015


@pytest.mark.parametrize("metres", [0.03, 0.06])
def test_it_grows_into_clothes(metres: float) -> None:
    truth, mask = standing_body(), widened(metres)
    grown = close_outline(truth.fitted, mask)
    bare = outline_overlap(truth.fitted, truth.fitted.vertices, mask)
    assert outline_overlap(truth.fitted, grown, mask) > 0.5 * (1 + bare)
    moved = np.linalg.norm(grown - truth.fitted.vertices, axis=1)
    hands = load_template().hands
    assert moved.max() < 0.16
    assert moved[hands].max() < metres  # fingers do not become mittens


def test_what_the_picture_cuts_off_is_no_outline() -> None:
    """Legs below the picture's edge do not shrink to it."""
    truth = standing_body()
    cut = truth.person.mask[: round(0.75 * SIZE[1])]
    grown = close_outline(truth.fitted, cut)
    below = truth.fitted.to_pixels(truth.fitted.vertices)[:, 1] > len(cut) + 10
    assert np.linalg.norm(grown - truth.fitted.vertices, axis=1)[below].max() < 0.05


def test_a_buffer_shows_the_nearest_surface() -> None:
    truth = standing_body()
    vertices = truth.fitted.vertices
    buffer = OrthographicBuffer(truth.fitted, vertices, SIZE, 2 * truth.fitted.pixels_per_metre)
    assert buffer.triangle.shape == (2 * SIZE[1], 2 * SIZE[0])
    rows, columns = buffer.nearest(buffer.at(vertices))
    shown, known = buffer.depth[rows, columns], buffer.covered[rows, columns]
    # No vertex lies before what is shown at its pixel, but for the slope within a pixel; fronts are shown.
    assert np.percentile((vertices[:, 2] - shown)[known], 99.5) < 0.04
    trunk = known & (load_template().part == TORSO)
    chest = trunk & (vertices[:, 2] > np.percentile(vertices[trunk, 2], 90))
    assert np.median(np.abs(vertices[chest, 2] - shown[chest])) < 0.01
    np.testing.assert_array_equal(buffer.covered, buffer.depth > -np.inf)
