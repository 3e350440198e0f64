"""Pose tracks, and placements on them, of rendered people whose joints are known."""

from dataclasses import replace

import numpy as np
import pytest

from stgmamba.characters import random_appearance
from stgmamba.characters.background import Background
from stgmamba.characters.render import SceneRenderer
from stgmamba.characters.surface import CharacterSurface
from stgmamba.limb_warp.pose_track import PoseTrack, estimate_track, placement_from_track, project_track
from stgmamba.limb_warp.renderer import LimbWarpRenderer
from stgmamba.limb_warp.retargeting import measure_body
from stgmamba.person.picture import Picture
from stgmamba.person.pose import DetectedPerson
from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton
from stgmamba.skeleton.body import retarget
from stgmamba.skeleton.camera import frame_dance

from ..support.capsule_figure import (
    HEIGHT,
    INDEX,
    WIDTH,
    draw_figure,
    person_of,
    picture_of,
    pose_array,
    to_pixels,
    wall,
)

SIZE = (192, 256)
_PARTS = ("elbow", "wrist", "knee", "ankle", "shoulder", "hip")
ARMS_LEGS = [INDEX(f"{side}_{part}") for side in ("left", "right") for part in _PARTS]


def capsule_track(points: np.ndarray, confidence: np.ndarray | None = None) -> PoseTrack:
    """A track of poses [T, 22, 2] at depth 0 with 165 pixels a metre."""
    skeleton = Skeleton(points, 25, OPENPOSE_18_FEET, confidence, (WIDTH, HEIGHT))  # type: ignore[arg-type]
    flat = np.zeros(points.shape[:2])
    return PoseTrack(skeleton, flat, flat + 165.0)


def moved_track() -> np.ndarray:
    points = np.repeat(to_pixels(pose_array())[None], 3, axis=0)
    points[1, INDEX("left_wrist")] += (10, -60)
    points[2] += (12, 0)
    return points


def test_limbs_are_rendered_at_the_target_joints() -> None:
    points = moved_track()
    track = capsule_track(points)
    body = measure_body(track.slice(0, 1).skeleton)
    placement = placement_from_track(track, track.slice(0, 1), body)
    assert np.abs(placement.points - points).max() < 1e-4
    assert np.allclose(placement.magnification, 1)
    assert not placement.yaw_hips.any()
    picture, mask = draw_figure(wall())
    renderer = LimbWarpRenderer(picture_of(picture), person_of(mask), size=HEIGHT)
    # One by one, since directions are smoothed over neighbouring frames.
    separate = [placement_from_track(track.slice(i, i + 1), track.slice(0, 1), renderer.body) for i in range(3)]
    identical, raised, shifted = (next(renderer.render_placement(one)).astype(float) for one in separate)
    inside = mask > 0.5
    assert 10 * np.log10(255**2 / ((identical - picture)[inside] ** 2).mean()) > 26
    x, y = points[1, INDEX("left_wrist")].round().astype(int)
    assert np.abs(raised[y - 2 : y + 3, x - 2 : x + 3].mean(axis=(0, 1)) - (40, 40, 220)).max() < 45
    target = np.roll(mask > 0.9, 12, axis=1)
    assert np.median(np.abs(shifted - np.roll(picture, 12, axis=1))[target]) < 12


def test_joints_that_the_picture_does_not_show_keep_their_offset() -> None:
    confidence = np.ones((3, 22), np.float32)
    hidden = [INDEX(f"{side}_{part}") for side in ("left", "right") for part in ("knee", "ankle", "heel", "toe")]
    confidence[:, hidden] = 0.05
    track = capsule_track(moved_track(), confidence)
    body = measure_body(track.slice(0, 1).skeleton)
    placement = placement_from_track(track, track.slice(0, 1), body)
    assert np.allclose(placement.points[0], body.joints, atol=1e-3)
    assert np.allclose(placement.points[2], body.joints + np.asarray([12, 0]), atol=1e-3)


def test_left_and_right_are_exchanged_for_a_person_seen_from_behind() -> None:
    points = moved_track()
    behind = points[:, list(OPENPOSE_18_FEET.mirror)]
    body = measure_body(capsule_track(behind).slice(0, 1).skeleton)
    placement = placement_from_track(capsule_track(behind), capsule_track(behind).slice(0, 1), body)
    assert np.abs(placement.points - points).max() < 1e-3


def test_frames_without_a_detection_take_the_nearest_pose() -> None:
    points, confidence = moved_track(), np.ones((3, 22), np.float32)
    points[1], confidence[1] = 0, 0
    track = capsule_track(points, confidence)
    placement = placement_from_track(track, track.slice(0, 1), measure_body(track.slice(0, 1).skeleton))
    assert np.allclose(placement.points[1], points[0], atol=1e-3)
    with pytest.raises(ValueError, match="somebody"):
        placement_from_track(track.slice(1, 2), track.slice(0, 1), measure_body(track.slice(0, 1).skeleton))


def test_a_resized_track_scales_about_the_frames_corner() -> None:
    track = capsule_track(moved_track())
    small = track.resized((WIDTH // 2, HEIGHT // 2))
    assert np.allclose(small.skeleton.positions, (track.skeleton.positions - 0.5) / 2, atol=1e-4)
    assert np.allclose(small.scale, 82.5)
    assert small.skeleton.size == (WIDTH // 2, HEIGHT // 2)


def test_exact_and_estimated_tracks_of_a_rendered_dance(sway: Skeleton) -> None:
    appearance = random_appearance(901)
    retargeted = retarget(sway.slice(0, 24), appearance.body)
    camera = frame_dance(retargeted, SIZE)
    scene, surface = SceneRenderer(Background(), camera), CharacterSurface(appearance)
    drawings = [scene.draw(surface, pose) for pose in retargeted.positions]
    exact = project_track(retargeted, camera)
    # The depth is the coordinate towards the camera.
    hips = (retargeted.joint("left_hip") + retargeted.joint("right_hip")) / 2
    toward = -camera.axes[2]
    assert np.allclose(exact.depth, (retargeted.positions - hips[:, None]) @ toward, atol=1e-4)
    estimated = estimate_track(((i / 25, drawing.rgb) for i, drawing in enumerate(drawings)), 25, SIZE)
    error_pixels = np.linalg.norm(estimated.skeleton.positions - exact.skeleton.positions, axis=-1)[:, ARMS_LEGS]
    assert np.median(error_pixels) < 5
    # MediaPipe's metres are those of an average adult.
    ratio = estimated.scale.mean(axis=1) / exact.scale.mean(axis=1)
    assert 0.7 < np.median(ratio) < 1.4
    assert ratio.std() < 0.05
    # The rendered frames are closer to the ground truth than a static picture.
    first = drawings[0]
    condition = DetectedPerson(exact.skeleton.slice(0, 1), first.mask, 0, (), np.zeros(22, np.float32))
    renderer = LimbWarpRenderer(Picture(first.rgb), condition, size=SIZE[1])
    assert renderer.size == SIZE
    placement = placement_from_track(exact, exact.slice(0, 1), renderer.body)
    frames = list(renderer.render_placement(placement))

    def error(frame: np.ndarray, drawing: np.ndarray) -> float:
        return float(np.square(frame.astype(float) - drawing).mean())

    assert error(frames[0], first.rgb) < 30
    warped = np.mean([error(frame, drawing.rgb) for frame, drawing in zip(frames, drawings, strict=True)])
    static = np.mean([error(first.rgb, drawing.rgb) for drawing in drawings])
    assert warped < 0.6 * static


def test_magnification_is_the_ratio_of_the_scales() -> None:
    points = np.repeat(to_pixels(pose_array())[None], 2, axis=0)
    points[1] = points[1].mean(axis=0) + 1.2 * (points[1] - points[1].mean(axis=0))
    track = capsule_track(points)
    track = replace(track, scale=track.scale * np.asarray([[1.0], [1.2]]))
    placement = placement_from_track(track, track.slice(0, 1), measure_body(track.slice(0, 1).skeleton))
    assert np.allclose(placement.magnification[1], 1.2)
