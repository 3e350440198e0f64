import numpy as np

from stgmamba.skeleton_to_video.pose_maps import CHANNELS, STRIDE, pose_maps

from ..support.capsule_figure import HEIGHT, INDEX, WIDTH, pose_array, to_pixels

SIZE = (WIDTH // 16 * 16, HEIGHT // 16 * 16)


def maps_of(points: np.ndarray, depth: np.ndarray | None = None) -> np.ndarray:
    return pose_maps(points, np.zeros(22) if depth is None else depth, 100.0, SIZE)


def test_each_limb_has_its_map() -> None:
    points = to_pixels(pose_array()).astype(np.float64)
    maps = maps_of(points)
    assert maps.shape == (CHANNELS, SIZE[1] // STRIDE, SIZE[0] // STRIDE)
    forearm = (points[INDEX("right_elbow")] + points[INDEX("right_wrist")]) / 2
    x, y = np.rint((forearm + 0.5) / STRIDE - 0.5).astype(int)
    assert maps[3, y, x] > 0.95  # head, torso, right upper arm, right forearm
    others = [7 + n for n in range(5)]  # the left side
    assert maps[others, y, x].max() < 0.1


def test_maps_move_with_the_joints() -> None:
    points = to_pixels(pose_array()).astype(np.float64)
    moved = points + np.array([2.0, 4.0]) * STRIDE
    assert np.allclose(maps_of(points)[:, :-4, :-2], maps_of(moved)[:, 4:, 2:], atol=1e-4)


def test_depth_is_that_of_the_limb_at_the_pixel() -> None:
    points = to_pixels(pose_array()).astype(np.float64)
    depth = np.zeros(22)
    depth[[INDEX("left_elbow"), INDEX("left_wrist")]] = 50.0
    maps = maps_of(points, depth)
    forearm = (points[INDEX("left_elbow")] + points[INDEX("left_wrist")]) / 2
    x, y = np.rint((forearm + 0.5) / STRIDE - 0.5).astype(int)
    assert abs(maps[-1, y, x] - 0.5) < 0.1
    assert abs(maps_of(points)[-1]).max() == 0


def test_joints_far_outside_of_the_frame_are_ignored() -> None:
    points = to_pixels(pose_array()).astype(np.float64)
    points[INDEX("left_wrist")] = (1e7, -1e7)
    assert np.isfinite(maps_of(points)).all()
    assert abs(maps_of(points + 1e6)).max() == 0
