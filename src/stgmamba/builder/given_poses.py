"""Poses in a video that another estimator found: OpenPose JSON, as OpenPose and DWPose write it, of every frame."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stgmamba.errors import InputError
from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton, convert
from stgmamba.skeleton.formats import openpose_json

_NEAR = 0.25  # heights of the person, mean distance of the joints up to which it is the same person
_COMMON = 4  # joints that both know, at least


class GivenPoses:
    """Everybody in each frame of a video, in pixels of the video.

    Args:
        path: .json file, or a folder with one of each frame.
        frames: of the video.
        size: of its frames, (width, height); poses on a canvas of another size are scaled to it.

    Raises:
        InputError: the poses cannot be read, or are not of as many frames.
    """

    def __init__(self, path: Path, frames: int, size: tuple[int, int]) -> None:
        people = openpose_json.read_people(path)
        if len(people) != frames:
            raise InputError(
                f"{path}: poses of {len(people)} frames beside a video of {frames}; estimate them in every frame of it."
            )
        self._people = [_scaled(convert(each, OPENPOSE_18_FEET), size) for each in people]

    def replace(self, track: Skeleton, frames: Sequence[int]) -> tuple[Skeleton, int]:
        """A person's poses with the joints that are given, where somebody is near enough to be the same.

        Args:
            track: 2-D, OPENPOSE_18_FEET, pixels, T poses.
            frames: T numbers of frames.

        Returns:
            The poses, and in how many of them joints were given.
        """
        positions, confidence = track.positions.copy(), track.confidence.copy()
        taken = 0
        for t, frame in enumerate(frames):
            people = self._people[frame]
            known = people.confidence > 0
            tall = max(float(np.ptp(positions[t, :, 1])), 1.0)
            distances = np.linalg.norm(people.positions - positions[t], axis=-1)
            means = [
                distances[p, known[p]].mean() / tall if known[p].sum() >= _COMMON else np.inf
                for p in range(len(people))
            ]
            if not means or min(means) > _NEAR:
                continue
            nearest = int(np.argmin(means))
            joints = known[nearest]
            positions[t, joints] = people.positions[nearest, joints]
            confidence[t, joints] = people.confidence[nearest, joints]
            taken += 1
        return dataclasses.replace(track, positions=positions, confidence=confidence), taken


def _scaled(people: Skeleton, size: tuple[int, int]) -> Skeleton:
    if people.size is None or people.size == size:
        return people
    scale = np.array(size, np.float32) / np.array(people.size, np.float32)
    return dataclasses.replace(people, positions=people.positions * scale, size=size)
