"""All work on one video: the stages in their order, and the tar file of its clips.

A dance of a corpus of motion has the same stages but one: its poses are known. Its video is the drawn skeleton.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from stgmamba.builder.cutting import clip_name, clips_stage, write_clips
from stgmamba.builder.known_motion import draw_dance, known_motion_stage
from stgmamba.builder.motion import motion_stage
from stgmamba.builder.people import people_stage
from stgmamba.builder.scan import probe_stage, scan_stage
from stgmamba.builder.sound import sound_stage, sync_stage
from stgmamba.builder.sources import Source, find_poses
from stgmamba.builder.sources import sha256 as hash_of
from stgmamba.builder.stages import BuildOptions, Stage, Video, result_paths, run_stages
from stgmamba.datasets.clips import FILMED
from stgmamba.datasets.smpl22 import StyledDance
from stgmamba.files import atomic_output

_SCAN = Stage("scan", 7, scan_stage, needs=("probe",))
STAGES = (
    Stage("probe", 1, probe_stage),
    _SCAN,
    Stage("people", 6, people_stage, options=("all_people",), needs=("probe", "scan"), poses=True),
    Stage("motion", 1, motion_stage, options=("shortest",), needs=("scan", "people")),
    Stage("sound", 4, sound_stage, needs=("probe", "motion")),
    Stage("sync", 1, sync_stage, needs=("motion", "sound")),
    Stage(
        "clips",
        3,
        clips_stage,
        options=("shortest", "longest", "height"),
        needs=("scan", "motion", "sound", "sync"),
    ),
)
"""In their order; each reads only those before it."""


_LOST_SECONDS, _LOST_SHARE = 1.0, 0.1  # by which a file may say that it is longer than what can be decoded of it


def video_of(path: Path, sha256: str, source: Source) -> Video:
    """The video of a source, whose content has this hash. Raises InputError for poses that cannot be read."""
    poses = find_poses(source)
    return Video(path, sha256, source.fps, source.lag, poses, hash_of(poses) if poses is not None else "")


def stages_of(dance: StyledDance | None) -> tuple[Stage, ...]:
    """The stages for a video of somebody, or for the drawn video of a dance whose poses are known."""
    if dance is None:
        return STAGES
    known = {
        "scan": replace(_SCAN, run=partial(scan_stage, people=False)),
        "motion": Stage("motion", 1, partial(known_motion_stage, dance), needs=("scan",)),
    }
    rest = (replace(stage, needs=tuple(n for n in stage.needs if n != "people")) for stage in STAGES)
    return tuple(known.get(stage.name, stage) for stage in rest if stage.name != "people")


def clips_file(video: Video, options: BuildOptions, folder: Path, dance: StyledDance | None = None) -> Path:
    """The tar file of a video's clips; beside it, with the ending ``.json``, lies what became of the video."""
    return result_paths(stages_of(dance), video, options, folder)[-1].with_suffix(".tar")


def build_video(video: Video, options: BuildOptions, folder: Path, dance: StyledDance | None = None) -> None:
    """Do all work on a video that is not done yet.

    Args:
        video: to work on.
        options: of the clips.
        folder: of the results of this video's content.
        dance: whose drawn skeleton the video is, where its poses are known; drawn if the file is not there.

    Raises:
        InputError: the video cannot be used.
    """
    tar = clips_file(video, options, folder, dance)
    report = tar.with_suffix(".json")
    if report.exists() and tar.exists():
        return
    if dance is not None and not video.path.exists():
        draw_dance(video.path, dance)
    results = run_stages(stages_of(dance), video, options, folder)
    files = write_clips(tar, video, results)
    scan = results["scan"]
    seconds = float(scan.arrays["times"][-1] - scan.arrays["times"][0])
    dropped = [*results["motion"].facts["dropped"]]
    stated = results["probe"].facts
    lost = min(stated["seconds"] - seconds, (stated["frames"] - len(scan.arrays["times"])) / stated["fps"])
    if lost > max(_LOST_SECONDS, _LOST_SHARE * seconds) and not video.fps:
        dropped.append(("the file is cut short, or has more sound than picture", lost))
    facts = {
        "seconds": seconds,
        "frames": len(scan.arrays["times"]),
        "breaks": scan.facts["breaks"],
        "dropped": dropped,
        "given_poses": results["people"].facts["given_poses"] if dance is None else 1.0,
        "clips": [clip | written for clip, written in zip(results["clips"].facts["clips"], files, strict=True)],
    }
    # Written last: where it is, the clips are complete.
    with atomic_output(report) as part:
        part.write_text(json.dumps(facts, sort_keys=True), encoding="utf-8")


def clip_rows(
    video: Video, source: Source, clips: list[dict[str, Any]], movement: str = FILMED
) -> list[dict[str, Any]]:
    """What the index says of each clip of a video, in the order of their ends.

    Args:
        video: of the clips.
        source: what is known about it beforehand.
        clips: of the report that `build_video` wrote.
        movement: where it comes from, see `stgmamba.datasets.clips.FILMED`.
    """
    known = {name: value for name, value in asdict(source).items() if name not in ("file", "fps", "lag", "poses")}
    rows = []
    for clip in clips:
        row = {"key": clip_name(video, clip), "source": source.file, "sha256": video.sha256, **known, "lag": video.lag}
        row["movement"] = movement
        row |= {name: value for name, value in clip.items() if name not in ("part", "first", "last", "crop", "size")}
        row |= {"frames": clip["last"] - clip["first"], "width": clip["size"][0], "height": clip["size"][1]}
        row |= dict(zip(("crop_left", "crop_top", "crop_width", "crop_height"), clip["crop"], strict=True))
        rows.append(row)
    return sorted(rows, key=lambda row: (row["end"], row["person"]))
