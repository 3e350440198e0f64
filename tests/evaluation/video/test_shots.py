import numpy as np

from stgmamba.evaluation.video.shots import first_break, thumbnail


def scene(seed: int, frames: int, speed: float = 1.0, pan: float = 0.0) -> np.ndarray:
    """A bright body swinging to and fro over a smooth coloured background; with ``pan`` the camera turns."""
    rng = np.random.default_rng(seed)
    waves = rng.uniform(0.05, 0.25, (3, 2))
    phases = rng.uniform(0, 6, 3)
    y, x = np.mgrid[0:96, 0:64].astype(float)
    made = []
    for t in range(frames):
        back = np.stack(
            [127 + 90 * np.sin(w[0] * y + w[1] * (x + pan * t) + p) for w, p in zip(waves, phases, strict=True)], -1
        )
        centre = 32 + 12 * np.sin(speed * t / 3)
        body = (np.abs(x - centre) < 7) & (y > 20) & (y < 80)
        made.append(np.where(body[..., None], 240, back).astype(np.uint8))
    return np.stack(made)


def broken(frames: np.ndarray) -> tuple[int, str] | None:
    return first_break(np.stack([thumbnail(frame) for frame in frames]))


def test_one_shot_has_no_break() -> None:
    assert broken(scene(0, 60)) is None
    assert broken(scene(0, 60, speed=3)) is None
    assert broken(scene(1, 60, pan=1.5)) is None
    assert broken(scene(1, 3)) is None


def test_a_cut_is_found_where_it_is() -> None:
    assert broken(np.concatenate([scene(0, 20), scene(5, 20)])) == (20, "cut")


def test_a_cross_fade_is_found_and_all_of_it_is_left_out() -> None:
    share = np.clip((np.arange(70) - 30) / 20, 0, 1)[:, None, None, None]
    found = broken(((1 - share) * scene(0, 70) + share * scene(5, 70)).astype(np.uint8))
    assert found is not None
    assert found[1] == "cross-fade"
    assert 10 <= found[0] <= 31


def test_a_fade_that_the_clip_ends_in_is_found() -> None:
    share = np.clip((np.arange(52) - 30) / 20, 0, 1)[:, None, None, None]
    found = broken(((1 - share) * scene(0, 52) + share * scene(5, 52)).astype(np.uint8))
    assert found is not None
    assert found[1] == "cross-fade"
