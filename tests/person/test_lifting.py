"""Lifting is tested on projections whose truth is known, and on a film of a built-in character."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stgmamba.characters import CHARACTERS
from stgmamba.characters.render import CharacterRenderer
from stgmamba.errors import InputError
from stgmamba.person import lifting
from stgmamba.person.lifting import lift_video
from stgmamba.skeleton import Skeleton
from stgmamba.skeleton.body import FEET, mid_hip, retarget
from stgmamba.skeleton.camera import frame_dance, project_skeleton
from stgmamba.video_io import write_video

SIZE = (384, 512)
Detections = Callable[[np.ndarray], None]


@pytest.fixture
def walk(sway: Skeleton) -> Skeleton:
    """A dance that also travels, to the right and towards the camera."""
    positions = sway.positions.copy()
    travel = np.linspace(-0.15, 0.15, len(sway))  # feet reach the floor where they stand
    positions[..., 0] += travel[:, None]
    positions[..., 2] += 0.6 * travel[:, None]
    return replace(sway, positions=positions)


@pytest.fixture
def detections(walk: Skeleton, monkeypatch: pytest.MonkeyPatch) -> Detections:
    """Sets what is detected: the truth, with nobody in the frames named."""

    def detect(lost: np.ndarray) -> None:
        flat = project_skeleton(walk, frame_dance(walk, SIZE))
        confidence = np.ones_like(flat.confidence)
        confidence[lost] = 0
        positions, world = flat.positions.copy(), walk.positions - mid_hip(walk.positions)[:, None]
        positions[lost], world[lost] = 0, 0
        found = replace(flat, positions=positions, confidence=confidence)
        monkeypatch.setattr(lifting, "estimate_video_3d", lambda path, progress: (found, world))

    return detect


def test_poses_and_path_of_a_projection(walk: Skeleton, detections: Detections) -> None:
    detections(np.array([], int))
    lifted, notes = lift_video("a.mp4")
    assert notes == ()
    assert (len(lifted), lifted.fps) == (len(walk), walk.fps)
    poses, true = (s.positions - mid_hip(s.positions)[:, None] for s in (lifted, walk))
    off = np.linalg.norm(poses - true, axis=-1)
    assert np.median(off) < 0.03
    root, path = mid_hip(lifted.positions), mid_hip(walk.positions)
    assert np.ptp(root[:, 0]) == pytest.approx(np.ptp(path[:, 0]), rel=0.25)
    assert np.corrcoef(root[:, 0], path[:, 0])[0, 1] > 0.95
    assert np.corrcoef(root[:, 2], path[:, 2])[0, 1] > 0.8
    low = lifted.positions[:, FEET, 1].min(axis=1)
    assert np.abs(low - 0.03).max() < 0.05


def test_frames_without_a_person_are_interpolated(walk: Skeleton, detections: Detections) -> None:
    lost = np.arange(5, 8)
    detections(lost)
    lifted, notes = lift_video("a.mp4")
    assert f"nobody was found in 3 of {len(walk)} frames" in notes[0]
    step = np.linalg.norm(np.diff(lifted.positions, axis=0), axis=-1).max()
    assert step * walk.fps < 4  # metres a second: no jump to where nobody is


def test_a_video_in_which_nearly_nobody_is(walk: Skeleton, detections: Detections) -> None:
    detections(np.arange(1, len(walk)))
    with pytest.raises(InputError, match=f"found in only 1 of {len(walk)} frames"):
        lift_video("a.mp4")


def test_the_film_of_a_character(sway: Skeleton, tmp_path: Path) -> None:
    own = retarget(sway.slice(0, 16), CHARACTERS["mira"].body)
    write_video(tmp_path / "a.mp4", CharacterRenderer(CHARACTERS["mira"], SIZE).frames(own), fps=25)
    lifted, _ = lift_video(tmp_path / "a.mp4")
    poses, true = (s.positions - mid_hip(s.positions)[:, None] for s in (lifted, own))
    assert np.median(np.linalg.norm(poses - true, axis=-1)) < 0.15  # MediaPipe's depth is an estimate
