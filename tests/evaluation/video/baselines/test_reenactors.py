import numpy as np
import pytest

from stgmamba.evaluation.video.baselines import BASELINES, Baseline
from stgmamba.limb_warp.renderer import fit_view
from stgmamba.limb_warp.retargeting import Placement, retarget_to_picture
from stgmamba.person.picture import Picture

from ....support.capsule_figure import HEIGHT, WIDTH, dance_of, draw_figure, moved, person_of, pose_array, wall


@pytest.fixture(scope="module")
def figure() -> tuple[np.ndarray, np.ndarray]:
    return draw_figure(wall())


def placement_of(baseline: Baseline) -> Placement:
    dance = dance_of(pose_array(), moved(right_wrist=(-0.3, 1.6, 0.1)))
    return retarget_to_picture(dance, baseline.body, baseline.size)


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize("size", [HEIGHT, 180])
def test_every_baseline_implements_the_protocol(name: str, size: int, figure: tuple[np.ndarray, np.ndarray]) -> None:
    baseline = BASELINES[name](Picture(figure[0]), person_of(figure[1]), size)
    assert baseline.size == (round(WIDTH * size / HEIGHT / 2) * 2, size)
    placement = placement_of(baseline)
    for view in ((1.0, 0j), (0.8, complex(-10, -20))):
        frames = list(baseline.render_placement(placement, view))
        assert len(frames) == 2
        assert all(frame.dtype == np.uint8 and frame.shape[:2] == baseline.size[::-1] for frame in frames)
    assert abs(baseline.body.torso - 0.5 * 165 * size / HEIGHT) < 2


def test_copy_returns_the_picture_and_limb_warp_does_not(figure: tuple[np.ndarray, np.ndarray]) -> None:
    frames = {}
    for name, build in BASELINES.items():
        baseline = build(Picture(figure[0]), person_of(figure[1]), HEIGHT)
        frames[name] = list(baseline.render_placement(placement_of(baseline)))
    assert all(np.array_equal(frame, figure[0]) for frame in frames["copy"])
    assert np.abs(frames["limb_warp"][1].astype(int) - figure[0]).max() > 100


def test_copy_is_scaled_by_the_view(figure: tuple[np.ndarray, np.ndarray]) -> None:
    still = BASELINES["copy"](Picture(figure[0]), person_of(figure[1]), HEIGHT)
    (frame, *_) = still.render_placement(placement_of(still), (0.5, complex(-WIDTH / 2, -HEIGHT)))
    small = frame[HEIGHT // 2 :, WIDTH // 4 : WIDTH // 4 + WIDTH // 2].astype(int)
    assert np.abs(small[::2, ::2].astype(int) - figure[0][::4, ::4]).mean() < 6
    assert fit_view(placement_of(still), still.body, still.size)[0] <= 1
