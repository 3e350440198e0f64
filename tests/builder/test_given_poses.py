from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from stgmamba.builder.build import build_dataset
from stgmamba.builder.given_poses import GivenPoses
from stgmamba.builder.sources import Source, find_poses, sha256
from stgmamba.builder.stages import BuildOptions
from stgmamba.datasets.clips import ClipDataset
from stgmamba.errors import InputError
from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton
from stgmamba.video_io import write_video

from ..support.character_clips import SIZE, character_frames

STANDING = np.stack([np.linspace(40, 60, 22), np.linspace(20, 200, 22)], axis=1).astype(np.float32)


def openpose_person(positions: np.ndarray, confidence: float = 0.9) -> dict[str, object]:
    """18 joints of [>= 18, 2] as a person of OpenPose JSON."""
    values = np.column_stack([positions[:18], np.full(18, confidence)])
    return {"pose_keypoints_2d": values.ravel().round(3).tolist()}


def write_frames(folder: Path, frames: list[list[np.ndarray]], canvas: tuple[int, int] | None = None) -> Path:
    folder.mkdir()
    size = {} if canvas is None else {"canvas_width": canvas[0], "canvas_height": canvas[1]}
    for i, people in enumerate(frames):
        content = {"people": [openpose_person(each) for each in people], **size}
        (folder / f"x_{i:012d}_keypoints.json").write_text(json.dumps(content))
    return folder


def track(frames: int) -> Skeleton:
    return Skeleton(np.repeat(STANDING[None], frames, axis=0), 25.0, OPENPOSE_18_FEET)


def test_the_nearest_person_gives_the_joints_it_knows(tmp_path: Path) -> None:
    frames = [[STANDING + 100, STANDING + 3], [STANDING + 100], []]
    given = GivenPoses(write_frames(tmp_path / "poses", frames), 3, SIZE)
    poses, taken = given.replace(track(3), [0, 1, 2])
    assert taken == 1
    assert np.abs(poses.positions[0, :18] - STANDING[:18] - 3).max() < 1e-3
    assert poses.confidence[0, 0] == pytest.approx(0.9)
    assert np.array_equal(poses.positions[0, 18:], STANDING[18:]), "OpenPose's 18 joints have no heels and toes"
    assert np.array_equal(poses.positions[1:], track(2).positions)


def test_poses_on_another_canvas_are_scaled(tmp_path: Path) -> None:
    folder = write_frames(tmp_path / "poses", [[2 * STANDING]], (2 * SIZE[0], 2 * SIZE[1]))
    poses, taken = GivenPoses(folder, 1, SIZE).replace(track(1), [0])
    assert taken == 1
    assert np.abs(poses.positions[0] - STANDING).max() < 1e-3


def test_poses_of_other_frames_are_refused(tmp_path: Path) -> None:
    folder = write_frames(tmp_path / "poses", [[STANDING]] * 2)
    with pytest.raises(InputError, match="poses of 2 frames beside a video of 3"):
        GivenPoses(folder, 3, SIZE)


def test_poses_are_found_beside_the_video_or_named(tmp_path: Path) -> None:
    video = Source(str(tmp_path / "a.mp4"))
    assert find_poses(video) is None
    (tmp_path / "a_keypoints.json").write_text("[]")
    assert find_poses(video) == tmp_path / "a_keypoints.json"
    folder = write_frames(tmp_path / "a_keypoints", [[STANDING]])
    assert find_poses(video) == folder
    assert find_poses(Source("https://example.org/a.mp4")) is None
    with pytest.raises(InputError, match="no such poses"):
        find_poses(Source("a.mp4", poses=str(tmp_path / "none")))
    before = sha256(folder)
    (folder / "x_000000000001_keypoints.json").write_text("{}")
    assert sha256(folder) != before


def test_a_data_set_has_the_given_poses(tmp_path: Path) -> None:
    """Changed poses are read on the next run, and the clips of the video are made anew."""
    frames = character_frames(frames=50)
    write_video(tmp_path / "a.mp4", list(frames), 25)
    options = BuildOptions(shortest=1.0, longest=4.0)
    build_dataset([str(tmp_path / "a.mp4")], tmp_path / "set", options, workers=1)
    ours = ClipDataset(tmp_path / "set").poses(0).skeleton
    row = ClipDataset(tmp_path / "set").rows[0]
    corner = np.array([row["crop_left"], row["crop_top"]])
    moved = ours.positions + corner + [6, 0]
    write_frames(tmp_path / "a_keypoints", [[pose] for pose in moved])
    report = build_dataset([str(tmp_path / "a.mp4")], tmp_path / "set", options, workers=1)
    assert report["sources"][0]["given_poses"] == 1.0
    clips = ClipDataset(tmp_path / "set")
    given = clips.poses(0).skeleton
    row = clips.rows[0]
    shown = given.positions + np.array([row["crop_left"], row["crop_top"]])
    assert np.abs(shown[:, :14] - moved[:, :14]).mean() < 0.5
    (tmp_path / "a_keypoints" / "x_000000000000_keypoints.json").write_text("{")
    with pytest.raises(InputError, match="no clip of a person"):
        build_dataset([str(tmp_path / "a.mp4")], tmp_path / "set", options, workers=1)
    report = json.loads((tmp_path / "set" / "report.json").read_text())
    assert "not a readable JSON file" in report["sources"][0]["reason"]
