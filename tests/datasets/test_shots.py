from __future__ import annotations

import numpy as np
import pytest

from stgmamba.datasets.shots import Break, find_breaks, shots

from ..support.character_clips import character_frames


def scene(seed: int, frames: int, speed: float = 1.0, pan: float = 0.0) -> np.ndarray:
    """A bright body swinging to and fro before a coloured, grainy wall; with ``pan`` the camera turns."""
    rng = np.random.default_rng(seed)
    waves = rng.uniform(0.05, 0.25, (3, 2))
    phases = rng.uniform(0, 6, 3)
    y, x = np.mgrid[0:96, 0:64].astype(float)
    grain = np.kron(rng.normal(0, 35, (32, 64)), np.ones((3, 3)))
    made = []
    for t in range(frames):
        back = np.stack(
            [127 + 45 * np.sin(w[0] * y + w[1] * (x + pan * t) + p) for w, p in zip(waves, phases, strict=True)], -1
        )
        centre = 32 + 12 * np.sin(speed * t / 3)
        body = (np.abs(x - centre) < 7) & (y > 20) & (y < 80)
        wall = back + np.roll(grain, -round(pan * t), axis=1)[:, :64, None]
        made.append(np.clip(np.where(body[..., None], 240, wall), 0, 255).astype(np.uint8))
    return np.stack(made)


def near(seed: int, frames: int, step: float) -> np.ndarray:
    """Somebody in a patterned shirt who fills half of the picture and sways ``step`` widths from frame to frame."""
    rng = np.random.default_rng(seed)
    cloth = np.kron(rng.integers(30, 220, (24, 12, 3)), np.ones((5, 5, 1)))
    wall = np.kron(rng.integers(90, 150, (12, 9, 3)), np.ones((12, 12, 1)))
    made = []
    for t in range(frames):
        frame = wall.copy()
        left = round(24 + 22 * np.sin(2 * np.pi * step * t))
        frame[24:, left : left + 60] = cloth
        made.append(frame.astype(np.uint8))
    return np.stack(made)


def mixed(before: np.ndarray, after: np.ndarray, first: int, length: int) -> np.ndarray:
    """Before, then from frame ``first`` on within ``length`` frames after."""
    share = np.clip((np.arange(len(before)) - first) / length, 0, 1)[:, None, None, None]
    return ((1 - share) * before + share * after).astype(np.uint8)


def kinds(frames: np.ndarray) -> list[str]:
    return [each.kind for each in find_breaks(frames)]


@pytest.mark.parametrize(
    "frames",
    [scene(0, 60), scene(0, 60, speed=3), scene(1, 60, pan=1.5), scene(1, 3)],
    ids=["slow", "fast", "pan", "short"],
)
def test_one_shot_has_no_break(frames: np.ndarray) -> None:
    assert find_breaks(frames) == []


@pytest.mark.parametrize("step", [0.01, 0.02, 0.03])
def test_somebody_near_who_moves_fast_is_no_fade(step: float) -> None:
    assert find_breaks(near(3, 80, step)) == []


def test_a_zoom_is_no_fade() -> None:
    frame = np.kron(np.random.default_rng(4).integers(0, 255, (24, 18, 3)), np.ones((6, 6, 1))).astype(np.uint8)
    zoom = []
    for t in range(60):
        inset = round(40 * np.clip((t - 20) / 20, 0, 1))
        part = frame[inset : 144 - inset, inset * 3 // 4 : 108 - inset * 3 // 4]
        rows = np.linspace(0, len(part) - 1, 144).round().astype(int)
        columns = np.linspace(0, part.shape[1] - 1, 108).round().astype(int)
        zoom.append(part[rows][:, columns])
    assert find_breaks(np.stack(zoom)) == []


def test_a_light_that_changes_is_no_fade() -> None:
    frames = np.concatenate([character_frames(frames=24)] * 3).astype(float)
    gain = 1 - 0.55 * np.clip((np.arange(72) - 20) / 20, 0, 1)
    assert find_breaks((frames * gain[:, None, None, None]).astype(np.uint8)) == []


def test_a_cut_is_found_where_it_is() -> None:
    assert find_breaks(np.concatenate([scene(0, 20), scene(5, 20)])) == [Break(20, 20, "cut")]


@pytest.mark.parametrize("length", [8, 20, 40])
def test_a_cross_fade_is_found_and_all_of_it_is_left_out(length: int) -> None:
    found = find_breaks(mixed(scene(0, 100), scene(5, 100), 40, length))
    assert [each.kind for each in found] == ["cross-fade"]
    assert found[0].start <= 41
    assert found[0].end >= 40 + length - 1
    assert found[0].end - found[0].start <= length + 50


def test_a_fade_of_one_person_into_another_is_found() -> None:
    one = np.concatenate([character_frames("mira"), character_frames("mira")])
    other = np.concatenate([character_frames("kofi"), character_frames("kofi")])[:, :, ::-1]
    assert kinds(mixed(one, np.roll(other, 40, axis=2), 16, 14)) == ["cross-fade"]


def test_fades_to_and_from_black_are_found() -> None:
    black = np.zeros_like(scene(0, 80))
    assert kinds(mixed(scene(0, 80), black, 30, 12)) == ["fade"]
    assert kinds(mixed(black, scene(0, 80), 30, 12)) == ["fade"]


def test_a_fade_that_the_clip_ends_in_is_found() -> None:
    assert kinds(mixed(scene(0, 52), scene(5, 52), 30, 20)) == ["cross-fade"]


def test_a_dark_video_has_the_breaks_of_a_bright_one() -> None:
    frames = np.concatenate([mixed(scene(0, 60), scene(5, 60), 25, 14), scene(2, 30)])
    found = find_breaks((frames * 0.15).astype(np.uint8))
    assert [each.kind for each in found] == ["cross-fade", "cut"]
    assert found[-1].start == 60


def test_a_cut_between_pictures_that_are_much_alike_is_found() -> None:
    frames = character_frames(frames=24)
    other = frames.copy()
    other[:, :, : frames.shape[2] // 4] = 255 - other[:, :, : frames.shape[2] // 4]
    assert find_breaks(np.concatenate([frames, other])) == [Break(24, 24, "cut")]


@pytest.mark.parametrize("repeats", [2, 3, 4])
def test_frames_that_are_shown_several_times_are_no_cuts(repeats: int) -> None:
    assert find_breaks(np.repeat(scene(0, 30, speed=3), repeats, axis=0)) == []


def test_shots_lie_between_the_breaks() -> None:
    breaks = [Break(50, 70, "cross-fade"), Break(20, 20, "cut")]
    assert shots(breaks, 100) == [(0, 20), (20, 50), (70, 100)]
    assert shots([Break(90, 100, "fade")], 100) == [(0, 90)]
    assert shots([], 5) == [(0, 5)]
