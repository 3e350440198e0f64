"""Shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from stgmamba.music.decode import Song
from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton

# The same examples in every run: what passed where a change was made passes where it is checked. Others are tried with
# STGM_HYPOTHESIS=random, every week in CI.
settings.register_profile("fixed", derandomize=True, deadline=None)
settings.register_profile("random", deadline=None)
settings.load_profile(os.environ.get("STGM_HYPOTHESIS", "fixed"))

# One person of 1.65 m standing with the arms a little away from the body, facing +z; metres: x, y, z.
_STANDING = {
    "nose": (0.0, 1.52, 0.10),
    "neck": (0.0, 1.36, 0.0),
    "right_shoulder": (-0.16, 1.36, 0.0),
    "right_elbow": (-0.26, 1.10, 0.0),
    "right_wrist": (-0.32, 0.86, 0.05),
    "left_shoulder": (0.16, 1.36, 0.0),
    "left_elbow": (0.26, 1.10, 0.0),
    "left_wrist": (0.32, 0.86, 0.05),
    "right_hip": (-0.11, 0.90, 0.0),
    "right_knee": (-0.12, 0.48, 0.02),
    "right_ankle": (-0.13, 0.08, 0.0),
    "left_hip": (0.11, 0.90, 0.0),
    "left_knee": (0.12, 0.48, 0.02),
    "left_ankle": (0.13, 0.08, 0.0),
    "right_eye": (-0.03, 1.55, 0.09),
    "left_eye": (0.03, 1.55, 0.09),
    "right_ear": (-0.07, 1.53, 0.0),
    "left_ear": (0.07, 1.53, 0.0),
    "right_heel": (-0.13, 0.02, -0.06),
    "right_toe": (-0.15, 0.02, 0.14),
    "left_heel": (0.13, 0.02, -0.06),
    "left_toe": (0.15, 0.02, 0.14),
}


def swaying(frames: int = 50, fps: float = 25.0) -> Skeleton:
    """A 3-D dance made by formula: the body sways from side to side once a second, one arm rises and falls."""
    still = np.array([_STANDING[joint] for joint in OPENPOSE_18_FEET.joints], np.float32)
    positions = np.repeat(still[None], frames, axis=0)
    phase = 2 * np.pi * np.arange(frames) / fps
    positions[:, :, 0] += 0.06 * np.sin(phase)[:, None] * (still[:, 1] / 1.5)
    shoulder, elbow, wrist = (OPENPOSE_18_FEET.index(f"left_{joint}") for joint in ("shoulder", "elbow", "wrist"))
    for joint in (elbow, wrist):
        reach = np.linalg.norm(still[joint] - still[shoulder])
        angle = 0.5 + 0.8 * (1 - np.cos(phase)) / 2
        positions[:, joint, 0] = positions[:, shoulder, 0] + reach * np.sin(angle)
        positions[:, joint, 1] = positions[:, shoulder, 1] - reach * np.cos(angle)
    return Skeleton(positions, fps, OPENPOSE_18_FEET)


@pytest.fixture
def sway() -> Skeleton:
    """Two seconds of a dance made by formula."""
    return swaying()


class SwayingSampler:
    """In the place of stage 1 where a test is about something else: the dance by formula, as long as the song."""

    styles = ("swaying",)

    def __init__(self) -> None:
        self.asked: dict[str, object] = {}

    def check_style(self, style: str) -> None:
        """As the sampler: any style will do."""

    def generate(self, song: Song, **options: object) -> Skeleton:
        """As the generator; keeps the options it was asked with."""
        self.asked = options
        return swaying(round(song.seconds * 25))


@pytest.fixture
def swaying_sampler() -> SwayingSampler:
    """A generator without a network."""
    return SwayingSampler()


@pytest.fixture(scope="session")
def research_data() -> Path:
    """The folder of research data, which is not part of the project; tests that need it are skipped without it."""
    folder = Path(os.environ.get("STGM_DATA", Path(__file__).parents[1] / ".." / "shared" / "data")).resolve()
    if not folder.is_dir():
        pytest.skip(f"no research data in {folder}; set STGM_DATA to its folder")
    return folder


@pytest.fixture(scope="session")
def person_picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture of one whole person: a built-in character, standing."""
    from PIL import Image

    from stgmamba.characters import CHARACTERS
    from stgmamba.characters.render import CharacterRenderer

    renderer = CharacterRenderer(CHARACTERS["mira"], size=(384, 512))
    path = tmp_path_factory.mktemp("person") / "person.png"
    Image.fromarray(next(renderer.frames(swaying(1)))).save(path)
    return path
