"""The scores of a clip of a data set, and profiles of thresholds on them.

A data set keeps every clip with its scores. Which clips are good enough is decided when the set is read: a profile is a
YAML file of thresholds, and a clip that misses one is left out for a reason in words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stgmamba.errors import InputError
from stgmamba.files import parse_yaml


@dataclass(frozen=True)
class Score:
    """One score.

    Attributes:
        meaning: what it measures, with its unit.
        low, high: what is wrong with a clip whose score is below or above a threshold; "" where that is never wrong.
    """

    meaning: str
    low: str
    high: str


SCORES = {
    "seconds": Score("length, seconds", "the clip is too short", "the clip is too long"),
    "fps": Score("frames per second", "there are too few frames a second", ""),
    "person_height": Score("height of the person in parts of the frame's", "the person is too small", ""),
    "person_pixels": Score("height of the person in the clip, pixels", "the person has too few pixels", ""),
    "pose_found": Score("share of frames in which the pose was found", "the pose is lost too often", ""),
    "pose_confidence": Score("mean confidence of the joints", "the pose is uncertain", ""),
    "cut_off_joints": Score("share of joints outside the frame", "", "parts of the person are outside the frame"),
    "occlusion": Score("share of joints inside the frame that are hidden", "", "parts of the person are hidden"),
    "sharpness": Score("steepness of the person's edges, 1 / pixels at 256 rows", "the person is blurred", ""),
    "jitter": Score("what smoothing takes from the joints, heights of the person", "", "the pose jitters"),
    "stillness": Score("share of the time in which nothing but breathing moves", "", "the person hardly moves"),
    "speed": Score("mean speed of the joints, heights per second", "the person moves little", "the pose jumps about"),
    "motion": Score("mean way of the joints from frame to frame, parts of the frame's height",
                    "the person moves little", ""),
    "flow": Score("mean optical flow, pixels per frame of 512 rows", "the picture is still", "the picture is unsteady"),
    "camera_motion": Score("motion of the picture's border, widths per second", "", "the camera moves"),
    "other_people": Score("other persons in the frame, mean", "", "other persons are in the picture"),
    "text": Score("share of the frame under captions and watermarks", "", "captions cover too much"),
    "brightness": Score("mean brightness, 0 to 1", "the picture is dark", "the picture is overexposed"),
    "aspect": Score("width of the clip by its height", "the clip is too narrow", "the clip is too wide"),
    "fade": Score("1 where the clip begins or ends at a fade", "", "the clip borders on a fade"),
    "sound": Score("1 where there is sound", "there is no sound", ""),
    "loudness": Score("level of the sound, dB below full scale", "the sound is too soft", ""),
    "pulse": Score("how regularly and clearly beats are heard, 0 to 1", "there is no beat in the sound", ""),
    "low_energy": Score("share of pauses in the sound; high for speech", "", "somebody speaks"),
    "sync_strength": Score("Rayleigh statistic of foot strikes on the beat", "steps and beats do not agree", ""),
}  # fmt: skip
"""Name -> what it means; the columns of the index."""


@dataclass(frozen=True)
class Profile:
    """Thresholds on scores.

    Attributes:
        name: of the profile.
        limits: name of a score -> lowest and highest value allowed, None for no limit.
    """

    name: str
    limits: Mapping[str, tuple[float | None, float | None]]

    def reasons(self, clip: Mapping[str, Any]) -> list[str]:
        """Why a clip is left out, in words with its score and the threshold; empty if it is not."""
        found = []
        for name, (low, high) in self.limits.items():
            value = float(clip[name])
            if low is not None and not value >= low:
                found.append(f"{SCORES[name].low} ({name} {value:.3g}, at least {low:g})")
            elif high is not None and not value <= high:
                found.append(f"{SCORES[name].high} ({name} {value:.3g}, at most {high:g})")
        return found


def load_profile(name: str | Path) -> Profile:
    """A profile by its name (``strict``, ``paper``, ``all``) or from a YAML file.

    Raises:
        InputError: there is no such profile, or it names scores or limits that do not exist.
    """
    path = _profile_path(str(name))
    try:
        values = parse_yaml(path.read_text(encoding="utf-8")) or {}
        if not isinstance(values, dict):
            raise ValueError("no list of thresholds")
        return Profile(path.stem, {score: _limits(score, limits) for score, limits in values.items()})
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"{path}: not a profile ({error}); compare it with those in configs/data_profiles/."
        ) from error


def profile_names() -> list[str]:
    """Names of the profiles that come with the project."""
    return sorted(path.stem for path in _profile_folder().glob("*.yaml"))


def _limits(score: str, limits: Any) -> tuple[float | None, float | None]:
    if score not in SCORES:
        raise ValueError(f"{score!r} is not a score; there are {', '.join(SCORES)}")
    if not isinstance(limits, dict) or not limits or not limits.keys() <= {"min", "max"}:
        raise ValueError(f"{score} needs `min` or `max`, or both")
    for name, reason in (("min", SCORES[score].low), ("max", SCORES[score].high)):
        if name in limits and not reason:
            raise ValueError(f"{score} has no `{name}`: {SCORES[score].meaning}")
    low, high = (None if limits.get(name) is None else float(limits[name]) for name in ("min", "max"))
    return low, high


def _profile_path(name: str) -> Path:
    path = Path(name)
    if path.suffix in (".yaml", ".yml") or path.exists():
        return path
    path = _profile_folder() / f"{name}.yaml"
    if not path.exists():
        raise InputError(f"profile {name!r} is not known; there are {', '.join(profile_names())}, or name a YAML file.")
    return path


def _profile_folder() -> Path:
    """In the installed package beside this file, in the repository in ``configs/``."""
    installed = Path(__file__).parent / "profiles"
    return installed if installed.is_dir() else Path(__file__).parents[3] / "configs" / "data_profiles"
