"""Dances of a data set of clips, for the training of stage 1.

Clips are cut short for stage 2; here those that follow one another in a video are joined again. The sound of a dance is
kept beside the index as a wav file, since the decoder of songs wants a file.
"""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

import numpy as np

from stgmamba.datasets.clips import FILMED, ClipDataset, movement_of
from stgmamba.datasets.scores import Profile
from stgmamba.datasets.smpl22 import CAPTURED, StyledDance
from stgmamba.errors import EmptySplitError
from stgmamba.files import atomic_output
from stgmamba.music.decode import SAMPLE_RATE, stream_audio
from stgmamba.options import FPS
from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton
from stgmamba.skeleton.body import Body, retarget

_MUSICAL = 0.25  # pulse of a sound from which on steps are taken to follow it


def load_filmed_dances(folder: str | Path, split: str, profile: Profile | None = None) -> list[StyledDance]:
    """The dances of a split of a data set of clips.

    A set that is not divided is all ``train``. The sound is shifted by the sync that was found in the video; a sound
    without a pulse, as of somebody who speaks, counts as no music.

    Args:
        folder: of the data set.
        split: ``train``, ``val`` or ``test``.
        profile: thresholds on the scores; None takes all clips.

    Raises:
        InputError: not a data set, damaged, or no clip is left.
    """
    dataset = ClipDataset(folder, profile)
    chosen = [n for n, row in enumerate(dataset.rows) if (row.get("split") or "train") == split]
    if not chosen:
        raise EmptySplitError(f"{folder}: there is no clip of split {split} left; divide it with stgmamba data split.")
    return [_dance(dataset, numbers) for numbers in _joined(dataset.rows, chosen)]


def _joined(rows: list[dict[str, Any]], chosen: list[int]) -> list[list[int]]:
    """Numbers of the clips of each dance: one person, each clip beginning where the one before ends."""
    order = sorted(chosen, key=lambda n: (rows[n]["sha256"], rows[n]["person"], rows[n]["start"]))
    dances: list[list[int]] = []
    for n in order:
        row, before = rows[n], rows[dances[-1][-1]] if dances else None
        if (
            before is not None
            and all(row[name] == before[name] for name in ("sha256", "shot", "person", "fps"))
            and abs(row["start"] - before["end"]) < 0.5 / row["fps"]
        ):
            dances[-1].append(n)
        else:
            dances.append([n])
    return dances


def _dance(dataset: ClipDataset, numbers: list[int]) -> StyledDance:
    rows = [dataset.rows[n] for n in numbers]
    positions = np.concatenate([dataset.poses(n).dance.positions for n in numbers])
    dance = Skeleton(positions, rows[0]["fps"], OPENPOSE_18_FEET)
    # The second of the sound at which the dance begins; one that begins before its sound loses what is too early.
    # A corpus' own timing stands.
    movement = movement_of(rows[0])
    start = rows[0]["sync_offset"] if rows[0]["sync_applied"] and movement == FILMED else 0.0
    early = int(np.ceil(max(0.0, -start) * dance.fps))
    dance = retarget(dance.slice(early, len(dance)).resampled(FPS), Body())
    musical = bool(rows[0]["sound"]) and float(np.mean([row["pulse"] for row in rows])) >= _MUSICAL
    audio = _sound(dataset, numbers) if musical else None
    start += early / rows[0]["fps"]
    source = CAPTURED if movement == FILMED else movement
    return StyledDance(rows[0]["key"], rows[0]["style"] or None, source, dance, audio, start, None, musical)


def _sound(dataset: ClipDataset, numbers: list[int]) -> Path:
    """The sound of clips that follow one another, as a wav file of the models' rate."""
    rows = [dataset.rows[n] for n in numbers]
    folder = dataset.folder / "sound"
    path = folder / f"{rows[0]['key']}-{len(rows)}.wav"
    if path.exists():
        return path
    folder.mkdir(exist_ok=True)
    with atomic_output(path) as part, wave.open(str(part), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        for n, row in zip(numbers, rows, strict=True):
            length = round(row["end"] * SAMPLE_RATE) - round(row["start"] * SAMPLE_RATE)
            with dataset.video(n, folder) as video:
                samples = np.concatenate(list(stream_audio(video, SAMPLE_RATE)))[:length, 0]
            samples = np.pad(samples, (0, length - len(samples)))
            file.writeframes((samples * 32767).astype("<i2").tobytes())
    return path
