from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stgmamba.body.avatar import Avatar
from stgmamba.body.drawing import AvatarPainter, View
from stgmamba.body.quality import find_fault
from stgmamba.body.renderer import BodyRenderer
from stgmamba.body.template import load_template
from stgmamba.body.turntable import SECONDS, save_turntable, turned, turntable_view
from stgmamba.limb_warp.backdrop import VideoBackdrop
from stgmamba.skeleton import Skeleton
from stgmamba.video_io import read_video, write_video
from tests.support.posed_body import HAIR, SHIRT, SIZE, SKIN, TROUSERS, WALL, standing_body

BACKDROP = (255, 0, 255)


def drawn(avatar: Avatar, yaw: float, size: tuple[int, int] = (240, 360)) -> np.ndarray:
    painter = AvatarPainter(avatar)
    canvas = np.full((size[1], size[0], 3), BACKDROP, np.uint8)
    painter.draw(canvas, painter.pose(*turned(avatar, yaw)), turntable_view(avatar, size))
    return canvas


def near(frame: np.ndarray, colour: tuple[int, int, int], tolerance: float = 60.0) -> np.ndarray:
    return np.asarray(np.linalg.norm(frame.astype(np.float64) - colour, axis=-1) < tolerance)


def as_in_the_picture(avatar: Avatar) -> np.ndarray:
    """The avatar seen by a camera so far away that the view is the picture's own, orthographic one."""
    far = 1000.0
    view = View(SIZE, (0.0, 0.0, far), avatar.pixels_per_metre * far, (avatar.origin[0], avatar.origin[1]))
    canvas = np.full((SIZE[1], SIZE[0], 3), WALL, np.uint8)
    painter = AvatarPainter(avatar)
    painter.draw(canvas, painter.pose(*turned(avatar, 0.0)), view)
    return canvas


def test_from_the_front_it_is_the_picture(avatar: Avatar) -> None:
    truth = standing_body()
    assert avatar.overlap > 0.95
    frame = as_in_the_picture(avatar)
    inside = (truth.person.mask > 0.5) & ~near(frame, WALL, 1.0)
    error = np.abs(frame[inside].astype(float) - truth.picture.rgb[inside]).mean()
    assert error < 12


def test_the_back_has_clothes_and_hair_and_no_face(avatar: Avatar) -> None:
    back = drawn(avatar, np.pi)
    assert near(back, SHIRT).sum() > 1000
    assert near(back, TROUSERS).sum() > 1500
    head = near(back[:60], HAIR).sum(), near(back[:60], SKIN).sum()
    assert head[0] > 2 * head[1]


def test_nothing_of_the_wall_is_on_the_person(avatar: Avatar) -> None:
    for yaw in (0.0, np.pi / 2, np.pi, -np.pi / 2):
        frame = drawn(avatar, yaw)
        covered = ~near(frame, BACKDROP, 1.0)
        assert near(frame, WALL, 50.0)[covered].mean() < 0.01


def test_hands_have_the_colour_of_skin(avatar: Avatar) -> None:
    template = load_template()
    in_hand = template.hands[template.triangles].all(axis=1)
    uv = template.uv[template.uv_triangles[in_hand]].mean(axis=1)
    column, row = (uv * (1, -1) + (0, 1)).T * avatar.texture.shape[0]
    colours = avatar.texture[row.astype(int), column.astype(int)]
    assert near(colours, SKIN, 40).mean() > 0.9


def test_a_transparent_canvas_gets_coverage(avatar: Avatar) -> None:
    painter = AvatarPainter(avatar)
    canvas = np.zeros((360, 240, 4), np.uint8)
    painter.draw(canvas, painter.pose(*turned(avatar, 0.0)), turntable_view(avatar, (240, 360)))
    opaque = canvas[..., 3] == 255
    assert opaque.mean() > 0.1
    assert (canvas[..., 3] == 0).mean() > 0.3
    flat = drawn(avatar, 0.0)
    assert np.array_equal(canvas[opaque][:, :3], flat[opaque])


def test_what_is_behind_the_camera_is_not_drawn(avatar: Avatar) -> None:
    painter = AvatarPainter(avatar)
    canvas = np.full((100, 80, 3), BACKDROP, np.uint8)
    painter.draw(canvas, painter.pose(*turned(avatar, 0.0)), View((80, 100), (0.0, 0.0, -5.0), 100.0, (40.0, 50.0)))
    assert near(canvas, BACKDROP, 1.0).all()


def test_a_turntable_turns_once(avatar: Avatar, tmp_path: Path) -> None:
    path = tmp_path / "turn.mp4"
    assert save_turntable(avatar, path, (64, 96), fps=4) == SECONDS
    frames = [frame.astype(float) for _, frame in read_video(path)]
    assert len(frames) == SECONDS * 4
    different = [np.abs(frame - frames[0]).mean() for frame in frames]
    assert different[-1] < different[len(frames) // 2]


def test_a_good_fit_has_no_fault(avatar: Avatar) -> None:
    assert find_fault(avatar, standing_body().person) is None


@pytest.mark.parametrize(
    ("change", "said"),
    [({"overlap": 0.6}, "outline"), ({"joint_error": 0.1}, "joints")],
)
def test_a_bad_fit_has_a_fault(avatar: Avatar, change: dict[str, float], said: str) -> None:
    fault = find_fault(replace(avatar, **change), standing_body().person)  # type: ignore[arg-type]
    assert fault is not None
    assert said in fault


def test_a_face_that_looks_away_is_a_fault(avatar: Avatar) -> None:
    keypoints = avatar.keypoints * (-1, 1, -1)
    fault = find_fault(replace(avatar, keypoints=keypoints), standing_body().person)
    assert fault is not None
    assert "face" in fault


def test_only_a_face_is_a_fault(avatar: Avatar) -> None:
    person = standing_body().person
    fault = find_fault(avatar, replace(person, missing=("left_hip", "right_hip", "left_knee")))
    assert fault is not None
    assert "hips" in fault


def test_frames_show_the_dancer_on_the_background(avatar: Avatar, sway: Skeleton) -> None:
    truth = standing_body()
    renderer = BodyRenderer(truth.picture, truth.person, avatar, size=200)
    assert renderer.size == (150, 200)
    frames = list(renderer.frames(sway.slice(0, 5)))
    assert len(frames) == 5
    assert all(frame.shape == (200, 150, 3) for frame in frames)
    assert near(frames[0], SHIRT).sum() > 300
    assert near(frames[0], WALL).mean() > 0.5
    assert not np.array_equal(frames[0], frames[4])


def test_frames_of_the_same_dance_are_the_same(avatar: Avatar, sway: Skeleton) -> None:
    truth = standing_body()
    first, second = (
        list(BodyRenderer(truth.picture, truth.person, avatar, size=128).frames(sway.slice(0, 2))) for _ in range(2)
    )
    assert np.array_equal(np.stack(first), np.stack(second))


def test_a_dance_that_travels_far_stays_in_the_picture(avatar: Avatar, sway: Skeleton) -> None:
    truth = standing_body()
    positions = sway.positions.copy()
    positions[..., 0] += np.linspace(-2, 2, len(positions))[:, None]
    frames = list(
        BodyRenderer(truth.picture, truth.person, avatar, size=200).frames(Skeleton(positions, 25.0, sway.layout))
    )
    for frame in (frames[0], frames[-1]):
        shirt = near(frame, SHIRT)
        assert shirt.sum() > 300
        assert not shirt[:, [0, -1]].any()


def test_a_dance_with_its_back_to_the_camera_shows_the_back(avatar: Avatar, sway: Skeleton) -> None:
    truth = standing_body()
    away = Skeleton(sway.positions[:1] * np.float32([-1, 1, -1]), 25.0, sway.layout)
    renderer = BodyRenderer(truth.picture, truth.person, avatar, size=400)
    back, front = next(renderer.frames(away)), next(renderer.frames(sway))
    assert near(back, HAIR).sum() > 1.5 * near(front, HAIR).sum() > 0


def test_a_given_background_replaces_the_place(avatar: Avatar, sway: Skeleton) -> None:
    truth = standing_body()
    beach = np.full((200, 150, 3), (10, 20, 250), np.uint8)
    frame = next(BodyRenderer(truth.picture, truth.person, avatar, 200, background=beach).frames(sway))
    assert near(frame, (10, 20, 250), 40).mean() > 0.5
    assert near(frame, SHIRT).sum() > 300
    assert not near(frame, WALL, 30).any()


def test_a_transparent_background_leaves_only_the_dancer(avatar: Avatar, sway: Skeleton) -> None:
    truth = standing_body()
    green, nothing = np.full((200, 150, 3), (0, 255, 0), np.uint8), np.zeros((200, 150, 4), np.uint8)
    over_green = next(BodyRenderer(truth.picture, truth.person, avatar, 200, background=green).frames(sway))
    frame = next(BodyRenderer(truth.picture, truth.person, avatar, 200, background=nothing).frames(sway))
    opaque = frame[..., 3] == 255
    assert 0.05 < opaque.mean() < 0.5
    assert np.array_equal(frame[opaque][:, :3], over_green[opaque])
    assert not frame[:, [0, -1], 3].any()


def test_a_video_moves_behind_the_dancer(avatar: Avatar, sway: Skeleton, tmp_path: Path) -> None:
    truth = standing_body()
    write_video(tmp_path / "sea.mp4", [np.full((200, 150, 3), grey, np.uint8) for grey in (60, 160)], sway.fps)
    behind = VideoBackdrop(tmp_path / "sea.mp4", (150, 200))
    renderer = BodyRenderer(truth.picture, truth.person, avatar, 200, background=behind)
    frames = list(renderer.frames(sway.slice(0, 4)))
    corners = [float(frame[:5, :5].mean()) for frame in frames]
    assert np.abs(np.asarray(corners) - (60, 160, 60, 160)).max() < 4
    assert all(near(frame, SHIRT).sum() > 300 for frame in frames)
