"""The pictures and frames that are held out from the training of stage 2, for its evaluation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from stgmamba.errors import InputError
from stgmamba.files import parse_yaml


@dataclass(frozen=True)
class HeldOut:
    """What is held out.

    Attributes:
        people: file names of pictures.
        clips: fraction of the frames of every clip, at its end, 0..1.
    """

    people: frozenset[str]
    clips: float

    def first_frame(self, frames: int) -> int:
        """Index of the first held-out frame of a clip of ``frames`` frames; training may use those before it."""
        return math.floor(frames * (1 - self.clips))


def load_held_out(path: str | Path) -> HeldOut:
    """Read a file like ``configs/video_held_out.yaml``: ``people``, a list of names, and ``clips``, a fraction.

    Raises:
        InputError: missing or not such a file.
    """
    try:
        values = parse_yaml(Path(path).read_text(encoding="utf-8"))
        people, clips = values["people"], float(values["clips"])
        if not isinstance(people, list) or not all(isinstance(name, str) for name in people) or not 0 <= clips <= 1:
            raise ValueError("people must be names and clips a fraction of 0 to 1")
    except FileNotFoundError:
        raise InputError(
            f"{path}: there is no such file; it lists what is not trained on: `people` (file names) and `clips` "
            "(the last part of each clip, 0 to 1), as configs/video_held_out.yaml of the repository does."
        ) from None
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path}: not a list of what is held out ({error}); compare it with configs/video_held_out.yaml."
        ) from error
    return HeldOut(frozenset(people), clips)
