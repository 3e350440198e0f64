"""Synthetic examples for tests of the training of stage 2."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stgmamba.skeleton_to_video.dataset import write_examples
from stgmamba.skeleton_to_video.training_pairs import SIZE, TrainingPair

from ..support.capsule_figure import HEIGHT, WIDTH, pose_array, to_pixels


def example(seed: int) -> TrainingPair:
    """A bright rectangle as the person on a dark background; in the real frames it is darker than in the layers."""
    rng = np.random.default_rng(seed)
    width, height = SIZE
    background = np.full((height, width, 3), rng.integers(20, 80), np.uint8)
    points = (to_pixels(pose_array()) * (width / WIDTH, height / HEIGHT)).astype(np.float32)
    box = (slice(60, 200), slice(60 + int(rng.integers(20)), 130))

    def layers(brightness: int) -> np.ndarray:
        layer = np.zeros((height, width, 4), np.uint8)
        layer[box] = (brightness, brightness, brightness, 255)
        return layer

    frame = background.copy()
    frame[box] = 120
    depth = np.zeros(22, np.float32)
    return TrainingPair(
        before=frame, target=frame, after=frame, condition=frame, background=background,
        baseline=layers(200), forward=layers(190), backward=layers(210),
        points=points, depth=depth, condition_points=points, condition_depth=depth, torso=60.0,
    )  # fmt: skip


def write_example_folder(folder: Path) -> None:
    """A folder of examples: two drawn scenes and a clip."""
    folder.mkdir()
    for n in range(2):
        write_examples(folder / f"drawn_{n:05d}.npy", [example(10 * n), example(10 * n + 1)])
    write_examples(folder / "clip_walk.npy", [example(100), example(101)])
