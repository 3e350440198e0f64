import numpy as np
import pytest

from stgmamba.evaluation.video.baselines import REENACTORS, Reenactor
from stgmamba.limb_warp.renderer import view_of
from stgmamba.limb_warp.retargeting import Placement, place_dance
from stgmamba.person.picture import Picture

from ....support.capsule_figure import HEIGHT, WIDTH, dance_of, draw_figure, moved, person_of, pose_array, wall


@pytest.fixture(scope="module")
def figure() -> tuple[np.ndarray, np.ndarray]:
    return draw_figure(wall())


def placed(reenactor: Reenactor) -> Placement:
    dance = dance_of(pose_array(), moved(right_wrist=(-0.3, 1.6, 0.1)))
    return place_dance(dance, reenactor.body, reenactor.size)


@pytest.mark.parametrize("name", REENACTORS)
@pytest.mark.parametrize("size", [HEIGHT, 180])
def test_every_method_keeps_the_protocol(name: str, size: int, figure: tuple[np.ndarray, np.ndarray]) -> None:
    reenactor = REENACTORS[name](Picture(figure[0]), person_of(figure[1]), size)
    assert reenactor.size == (round(WIDTH * size / HEIGHT / 2) * 2, size)
    placement = placed(reenactor)
    for view in ((1.0, 0j), (0.8, complex(-10, -20))):
        frames = list(reenactor.frames_of(placement, view))
        assert len(frames) == 2
        assert all(frame.dtype == np.uint8 and frame.shape[:2] == reenactor.size[::-1] for frame in frames)
    assert abs(reenactor.body.torso - 0.5 * 165 * size / HEIGHT) < 2


def test_copy_is_the_picture_and_limb_warp_is_not(figure: tuple[np.ndarray, np.ndarray]) -> None:
    made = {}
    for name, build in REENACTORS.items():
        reenactor = build(Picture(figure[0]), person_of(figure[1]), HEIGHT)
        made[name] = list(reenactor.frames_of(placed(reenactor)))
    assert all(np.array_equal(frame, figure[0]) for frame in made["copy"])
    assert np.abs(made["limb_warp"][1].astype(int) - figure[0]).max() > 100


def test_copy_is_zoomed_as_the_view_is(figure: tuple[np.ndarray, np.ndarray]) -> None:
    still = REENACTORS["copy"](Picture(figure[0]), person_of(figure[1]), HEIGHT)
    (frame, *_) = still.frames_of(placed(still), (0.5, complex(-WIDTH / 2, -HEIGHT)))
    small = frame[HEIGHT // 2 :, WIDTH // 4 : WIDTH // 4 + WIDTH // 2].astype(int)
    assert np.abs(small[::2, ::2].astype(int) - figure[0][::4, ::4]).mean() < 6
    assert view_of(placed(still), still.body, still.size)[0] <= 1
