import math

import numpy as np
import pytest

from stgmamba.evaluation.video.metrics.flicker import flicker


def still(frames: int = 6) -> np.ndarray:
    return np.full((frames, 20, 20, 3), 100, np.uint8)


def test_ground_truth_and_constant_frames_do_not_flicker() -> None:
    truth = still()
    truth[::2, 5:10] = 180
    assert flicker(truth, truth) == 0
    assert flicker(still(), truth) == 0


def test_a_flash_of_the_whole_frame_has_its_amplitude() -> None:
    frames = still()
    frames[1::2] += 8
    assert flicker(frames, still()) == pytest.approx(8, abs=0.01)


def test_pixels_that_change_in_the_ground_truth_are_ignored() -> None:
    truth, frames = still(), still()
    truth[1::2, :, :10] = 200
    frames[1::2, :, :6] = 250
    assert flicker(frames, truth) < 0.2


def test_change_of_the_ground_truth_is_subtracted() -> None:
    truth, frames = still(), still()
    truth[1::2] += 2
    frames[1::2] += 5
    assert flicker(frames, truth) == pytest.approx(3, abs=0.01)


def test_undefined_and_invalid() -> None:
    assert math.isnan(flicker(still(1), still(1)))
    with pytest.raises(ValueError, match="same shape"):
        flicker(still(2), still(3))
