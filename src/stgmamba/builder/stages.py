"""Stages of work on one video, and the cache of their results.

A stage is a pure function of the video's content, the options it reads and the results of the stages before it. Its
result is kept under a key made of the same, and of the stage's version: whoever changes what a stage computes raises
the version, and exactly that stage and those after it are computed again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stgmamba.files import atomic_output


@dataclass(frozen=True)
class BuildOptions:
    """What a user chooses about the clips.

    Attributes:
        shortest, longest: seconds of a clip; longer parts are divided.
        all_people: keep a clip of each person, not of the dancer only.
        height: of the clips' pictures at most, pixels.
    """

    shortest: float = 2.0
    longest: float = 10.0
    all_people: bool = False
    height: int = 512


@dataclass(frozen=True)
class Result:
    """What a stage computed.

    Attributes:
        facts: values that JSON can hold.
        arrays: by name.
    """

    facts: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Video:
    """One video that is worked on.

    Attributes:
        path: of its file.
        sha256: of its content.
        fps: true frame rate where the file's is known to be wrong, else 0.
        lag: seconds by which its sound is late.
        poses: file or folder of poses that another estimator found in it, or None.
        poses_sha256: of their content.
    """

    path: Path
    sha256: str
    fps: float = 0.0
    lag: float = 0.0
    poses: Path | None = None
    poses_sha256: str = ""


Previous = dict[str, Result]
"""Results of the stages before, by name."""


@dataclass(frozen=True)
class Stage:
    """One stage.

    Attributes:
        name: of the stage.
        version: raised whenever its results change.
        run: computes the result.
        options: names of the fields of `BuildOptions` it reads.
        needs: stages whose results it reads.
        poses: whether it reads the poses that another estimator found.
    """

    name: str
    version: int
    run: Callable[[Video, BuildOptions, Previous], Result]
    options: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    poses: bool = False

    def key(self, video: Video, options: BuildOptions, keys: dict[str, str]) -> str:
        """The key of the result, hexadecimal, given those of the stages it needs."""
        chosen = {name: getattr(options, name) for name in self.options}
        parts = [
            self.name,
            self.version,
            video.sha256,
            video.fps,
            video.lag,
            chosen,
            [keys[name] for name in self.needs],
        ]
        if self.poses and video.poses is not None:
            parts.append(video.poses_sha256)
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def run_stages(stages: tuple[Stage, ...], video: Video, options: BuildOptions, folder: Path) -> Previous:
    """Results of all stages; those in the folder are read, the others computed and written there."""
    results: Previous = {}
    for stage, path in zip(stages, result_paths(stages, video, options, folder), strict=True):
        found = read_result(path)
        if found is None:
            found = stage.run(video, options, {name: results[name] for name in stage.needs})
            write_result(path, found)
        results[stage.name] = found
    return results


def result_paths(stages: tuple[Stage, ...], video: Video, options: BuildOptions, folder: Path) -> list[Path]:
    """The file of each stage's result."""
    keys: dict[str, str] = {}
    for stage in stages:
        keys[stage.name] = stage.key(video, options, keys)
    return [folder / f"{name}-{key}.npz" for name, key in keys.items()]


def read_result(path: Path) -> Result | None:
    """A result from its file; None where there is none or it is damaged."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            found = {name: arrays[name] for name in arrays.files}
        return Result(json.loads(str(found.pop("facts"))), found)
    except Exception:  # numpy and zipfile raise nearly anything on a broken file; it is computed again
        return None


def write_result(path: Path, result: Result) -> None:
    """Write a result; the same result gives the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_output(path) as part, part.open("wb") as stream:
        np.savez(stream, facts=np.array(json.dumps(result.facts, sort_keys=True)), **result.arrays)
