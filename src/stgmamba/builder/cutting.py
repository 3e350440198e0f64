"""Stage `clips`: parts are divided into clips, cropped to the person and scored. Then the clips' files are written.

A clip is two files of one name: ``.mp4``, its picture and sound, and ``.npz``, poses, dance and beats. All clips of a
video are in one tar file, from which shards are put together.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from stgmamba.arrays import DoubleArray, FloatArray, Frame
from stgmamba.builder.stages import BuildOptions, Previous, Result, Video
from stgmamba.errors import InputError
from stgmamba.files import atomic_output
from stgmamba.video_io import probe, read_video, write_video

_MARGIN = 0.15  # of the person's height, around all poses of a clip
_NARROWEST = 0.75  # width of a clip by its height, where the frame allows it: as a dancer with open arms needs
_VISIBLE = 0.5  # confidence below which a joint is hidden
_STILL = 0.08  # heights per second; mean speed of the joints below which only breathing and jitter move
_FLOW_ROWS = 512  # rows of the picture whose pixels the score `flow` counts
_FADE_FRAMES = 2  # between a clip and a fade it borders on
_WORN = 0.8  # of a line of text, that lies within the person's box from which on it is on their clothes
_ENCODING = {"crf": 20, "preset": "superfast", "threads": 1}
"""Of the clips. Beside the preset veryfast: half the time, 0.5 dB better, files a fifth larger."""


def clips_stage(video: Video, options: BuildOptions, previous: Previous) -> Result:
    """The clips of all parts.

    Returns:
        Facts ``clips``, a list of dicts: ``part``, first and last row in the arrays of `motion`, ``crop`` (left, top,
        width, height in the frame), size of the clip, and all scores.
    """
    motion, sound, sync = previous["motion"], previous["sound"], previous["sync"]
    fps = float(motion.facts["fps"])
    clips = []
    for part, (shot, person, main, first, last) in enumerate(motion.facts["parts"]):
        for start, stop in divide(last - first, fps, options):
            rows = slice(first + start, first + stop)
            crop = crop_box(motion.arrays["positions"][rows], tuple(motion.facts["size"]))
            facts = {
                "part": part,
                "shot": shot,
                "person": person,
                "main": main,
                "first": first + start,
                "last": first + stop,
                "start": float(motion.arrays["time"][first + start]),
                "end": float(motion.arrays["time"][first + stop - 1]) + 1 / fps,
                "crop": list(crop),
                "size": list(_clip_size(crop, options.height)),
                "tempo": sound.facts["sounds"][part]["tempo"],
                **sync.facts["syncs"][part],
            }
            facts |= _scores(facts, rows, previous)
            clips.append(facts)
    return Result({"clips": clips})


def divide(frames: int, fps: float, options: BuildOptions) -> list[tuple[int, int]]:
    """Start and stop of clips of about equal length, none longer than the options allow."""
    count = max(1, int(np.ceil(frames / fps / options.longest - 1e-9)))
    if frames / count / fps < options.shortest:  # more than the longest, less than twice the shortest
        count = max(1, int(frames / fps / options.shortest))
        frames = min(frames, int(count * options.longest * fps))
    bounds = [round(frames * i / count) for i in range(count + 1)]
    return list(pairwise(bounds))


def crop_box(positions: FloatArray, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Left, top, width and height of the part of a frame that holds all poses, with a margin; even numbers.

    Args:
        positions: [T, 22, 2], pixels.
        size: (width, height) of the frame.
    """
    points = positions.reshape(-1, 2)
    low, high = np.percentile(points, 0.5, axis=0), np.percentile(points, 99.5, axis=0)
    margin = _MARGIN * float(np.median(np.ptp(positions[..., 1], axis=1)))
    low, high = np.maximum(low - margin, 0), np.minimum(high + margin, np.array(size))
    high = np.maximum(high, low + 2)
    wanted = _NARROWEST * (high[1] - low[1])
    if high[0] - low[0] < wanted:
        width = min(wanted, size[0])
        left = float(np.clip((low[0] + high[0] - width) / 2, 0, size[0] - width))
        low[0], high[0] = left, left + width
    left, top = (int(np.clip(v, 0, s - 2)) // 2 * 2 for v, s in zip(low, size, strict=True))
    width, height = (max(2, int(min(v, s) - o) // 2 * 2) for v, s, o in zip(high, size, (left, top), strict=True))
    return left, top, width, height


def clip_name(video: Video, clip: dict[str, Any]) -> str:
    """Name of a clip's files: content of its video, shot, person, first row."""
    return f"{video.sha256[:12]}-{clip['shot']:04d}-{clip['person']}-{clip['first']:07d}"


def write_clips(path: Path, video: Video, previous: Previous) -> list[dict[str, Any]]:
    """Write the clips of a video into a tar file; the same clips give the same bytes.

    Frames of a clip are held until it is complete: at most `BuildOptions.longest` seconds of each person.

    Args:
        path: of the tar file.
        video: of the clips.
        previous: results of all stages.

    Returns:
        For each clip ``mp4_bytes``, ``mp4_sha256``, ``npz_bytes`` and ``npz_sha256``.
    """
    rows = previous["clips"].facts["clips"]
    files: list[dict[str, Any]] = [{} for _ in rows]
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        atomic_output(path) as part,
        tarfile.open(part, "w", format=tarfile.USTAR_FORMAT) as tar,
        tempfile.TemporaryDirectory(dir=path.parent, prefix=".clips-") as folder,
    ):
        film = Path(folder) / "clip.mp4"
        for number, frames in _frames_of_clips(video, rows, previous):
            row = rows[number]
            _write_film(film, frames, float(row["fps"]), video, row)
            for suffix, content in (("mp4", film.read_bytes()), ("npz", _pose_file(row, previous))):
                add_file(tar, f"{clip_name(video, row)}.{suffix}", content)
                files[number][f"{suffix}_bytes"] = len(content)
                files[number][f"{suffix}_sha256"] = hashlib.sha256(content).hexdigest()
    return files


def add_file(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    """Add a file to a tar without anything that depends on when or by whom."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))


def _frames_of_clips(video: Video, rows: list[dict[str, Any]], previous: Previous) -> Iterator[tuple[int, list[Frame]]]:
    """Number and frames of each clip, in one pass through the video, in the order in which they are complete."""
    arrays = previous["motion"].arrays
    wanted = {n: arrays["frame"][row["first"] : row["last"]].astype(int) for n, row in enumerate(rows)}
    collected: dict[int, list[Frame]] = {n: [] for n in wanted}
    end = max((int(indices[-1]) for indices in wanted.values()), default=-1)
    frame_size = previous["motion"].facts["size"]
    # Frames are decoded no larger than the largest clip needs them.
    scale = max((row["size"][1] / row["crop"][3] for row in rows), default=1.0)
    for i, (_, rgb) in enumerate(read_video(video.path, int(np.ceil(scale * frame_size[1])))):
        if i > end:
            break
        for n, indices in list(wanted.items()):
            if indices[0] <= i <= indices[-1]:
                # A frame that the even grid shows twice is there twice.
                count = int((indices == i).sum())
                if count:
                    collected[n] += [_cropped(rgb, frame_size, rows[n]["crop"], rows[n]["size"])] * count
            if i >= indices[-1]:
                del wanted[n]
                yield n, collected.pop(n)


def _cropped(rgb: Frame, frame_size: list[int], crop: list[int], size: list[int]) -> Frame:
    """The part ``crop`` of a frame of ``frame_size``, which may have been shrunk, at a clip's size."""
    left, top, width, height = crop
    if [rgb.shape[1], rgb.shape[0]] == frame_size and [width, height] == size:
        return np.ascontiguousarray(rgb[top : top + height, left : left + width])
    shrunk = np.array([rgb.shape[1], rgb.shape[0]]) / np.array(frame_size)
    scale = shrunk * [width, height] / np.array(size)
    # Centres of pixels lie at halves.
    shift = shrunk * [left, top] + scale / 2 - 0.5
    to_frame = np.array([[scale[0], 0, shift[0]], [0, scale[1], shift[1]]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(rgb, to_frame, (size[0], size[1]), flags=flags, borderMode=cv2.BORDER_REPLICATE))


def _write_film(path: Path, frames: list[Frame], fps: float, video: Video, row: dict[str, Any]) -> None:
    if row["sound"]:
        start = max(0.0, row["start"] + video.lag)
        try:
            write_video(path, frames, fps, video.path, start, **_ENCODING)  # type: ignore[arg-type]
            return
        except InputError:  # the sound ends before this clip
            if probe(video.path).audio_codec is None:
                raise
    write_video(path, frames, fps, **_ENCODING)  # type: ignore[arg-type]


def _pose_file(row: dict[str, Any], previous: Previous) -> bytes:
    """The arrays of a clip: positions in its own pixels, times and beats in its own seconds."""
    motion, sound = previous["motion"].arrays, previous["sound"]
    rows = slice(row["first"], row["last"])
    left, top, width, height = row["crop"]
    scale = np.asarray(row["size"], np.float32) / np.asarray([width, height], np.float32)
    positions = (motion["positions"][rows] - [left, top] + 0.5) * scale - 0.5
    heard = sound.facts["sounds"][row["part"]]
    beats = sound.arrays["beats"][heard["first"] : heard["last"]]
    beats = beats[(beats >= row["start"]) & (beats < row["end"])] - row["start"]
    content = io.BytesIO()
    np.savez(
        content,
        positions=positions.astype(np.float32),
        confidence=motion["confidence"][rows].astype(np.float16),
        world=motion["world"][rows].astype(np.float32),
        dance=motion["dance"][rows].astype(np.float32),
        found=motion["found"][rows].astype(bool),
        beats=beats,
        fps=np.float64(row["fps"]),
    )
    return content.getvalue()


def _clip_size(crop: tuple[int, int, int, int], height: int) -> tuple[int, int]:
    _, _, width, rows = crop
    if rows <= height:
        return width, rows
    return max(2, round(width * height / rows / 2) * 2), height // 2 * 2


def _scores(clip: dict[str, Any], rows: slice, previous: Previous) -> dict[str, float]:
    """All of `stgmamba.datasets.scores.SCORES`, of one clip."""
    motion, scan = previous["motion"], previous["scan"]
    arrays, fps = motion.arrays, float(motion.facts["fps"])
    width, height = motion.facts["size"]
    positions, confidence = arrays["positions"][rows], arrays["confidence"][rows]
    person = np.maximum(np.ptp(positions[..., 1], axis=1), 1.0)
    tall = float(np.median(person))
    outside = ((positions < 0) | (positions >= [width, height])).any(axis=2)
    hidden = ~outside & (confidence < _VISIBLE)
    way = np.linalg.norm(np.diff(positions, axis=0), axis=2).mean(axis=1)
    speed = way * fps / tall
    frames = arrays["frame"][rows].astype(int)
    span = slice(int(frames[0]), int(frames[-1]) + 1)
    heard = previous["sound"].facts["sounds"][clip["part"]]
    intervals = np.diff(scan.arrays["times"][span])
    rate = 1 / float(np.median(intervals)) if len(intervals) else fps
    scanned_width, scanned_height = scan.facts["size"]
    scores = {
        "seconds": clip["end"] - clip["start"],
        "fps": fps,
        "person_height": tall / height,
        "person_pixels": tall * clip["size"][1] / clip["crop"][3],
        "pose_found": arrays["found"][rows].mean(),
        "pose_confidence": confidence.mean(),
        "cut_off_joints": outside.mean(),
        "occlusion": hidden.mean(),
        "sharpness": np.median(arrays["sharpness"][rows]),
        "jitter": arrays["jitter"][rows].mean(),
        "stillness": (speed < _STILL).mean(),
        "speed": speed.mean(),
        "motion": way.mean() / height,
        "flow": scan.arrays["flow"][span].mean() * _FLOW_ROWS * scanned_width / scanned_height,
        "camera_motion": np.median(scan.arrays["camera"][span]) * rate,
        "other_people": arrays["others"][rows].mean(),
        "text": _text_share(scan, span, positions, arrays["frame"][rows], (width, height)),
        "brightness": scan.arrays["brightness"][span].mean(),
        "aspect": clip["size"][0] / clip["size"][1],
        "fade": float(_borders_on_fade(scan, span)),
        "sound": float(heard["sound"]),
        "loudness": heard["loudness"],
        "pulse": heard["pulse"],
        "low_energy": heard["low_energy"],
        "sync_strength": clip["sync_strength"],
    }
    return {name: round(float(value), 5) for name, value in scores.items()}


def _text_share(scan: Result, span: slice, positions: FloatArray, frames: DoubleArray, size: tuple[int, int]) -> float:
    """Share of the frame under text that stays for several looks, and is not on the person's clothes."""
    times = scan.arrays["text_frames"]
    chosen = np.flatnonzero((times >= span.start - 1) & (times < span.stop))
    if not len(chosen):
        chosen = np.array([int(np.abs(times - span.start).argmin())])
    masks = np.unpackbits(scan.arrays["text"][chosen], axis=2, count=scan.facts["size"][0]).astype(bool)
    scale = np.array(masks.shape[:0:-1]) / np.array(size)
    # Text stays; folds and leaves that look like it move. A caption lasts two seconds or more.
    steady = masks[:-1] & masks[1:] if len(masks) > 1 else masks
    shares = []
    for mask, time in zip(steady, times[chosen], strict=False):
        points = positions[int(np.abs(frames - time).argmin())] * scale
        left, top = np.maximum(points.min(axis=0), 0).astype(int)
        right, bottom = np.maximum(points.max(axis=0), 0).astype(int)
        _, labels = cv2.connectedComponents(mask.astype(np.uint8))
        areas = np.bincount(labels.ravel())
        worn = np.bincount(labels[top : bottom + 1, left : right + 1].ravel(), minlength=len(areas))
        # What lies on the person almost whole is on their clothes.
        shares.append(areas[1:][worn[1:] < _WORN * areas[1:]].sum() / mask.size)
    return float(max(shares))


def _borders_on_fade(scan: Result, span: slice) -> bool:
    return any(
        kind != "cut" and (abs(span.start - end) <= _FADE_FRAMES or abs(start - span.stop) <= _FADE_FRAMES)
        for start, end, kind in scan.facts["breaks"]
    )
