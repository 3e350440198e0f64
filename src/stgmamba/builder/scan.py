"""Stages `probe` and `scan`: what the header says, and one quick look at every frame, at a small size.

The look tells the times of the frames, where shots end, how the camera moves, how bright it is, where text lies, and
how many people are there. Nothing of it needs the full picture, so frames are shrunk while they are decoded.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from stgmamba.arrays import BoolArray, DoubleArray, FloatArray, Frame
from stgmamba.builder.stages import BuildOptions, Previous, Result, Video
from stgmamba.datasets.shots import ShotDetector, shots
from stgmamba.errors import InputError
from stgmamba.person.blazepose import PoseDetector
from stgmamba.video_io import VideoReader, probe, read_video

SCAN_HEIGHT = 288
"""Rows of the frames that are scanned."""

HIGHEST_FPS = 30.5
"""Of two, three, ... frames one is used until no more than so many a second remain."""

PEOPLE = 4
"""Persons that are told apart in a frame at most."""

_UNEVEN_FPS = 25.0  # frames per second taken from a video of variable frame rate
_UNEVEN = 0.25  # of the median interval, by which intervals differ in a variable frame rate
_PEOPLE_SECONDS = 0.5  # between frames in which people are counted
_FLOW_WIDTH = 96  # pixels, of the frames between which motion is estimated
_TEXT_CONTRAST = 40.0  # grey levels between letters and what is around them
_TEXT_SECONDS = 1.0  # between frames in which text is looked for


def probe_stage(video: Video, options: BuildOptions, previous: Previous) -> Result:
    """Properties that the header states. Raises InputError for a file that is not a video."""
    media = probe(video.path)
    if media.size is None or media.fps is None:
        raise InputError(f"{video.path}: there is no video in this file; leave it out.")
    facts = dataclasses.asdict(media)
    del facts["path"]
    return Result(facts)


def scan_stage(video: Video, options: BuildOptions, previous: Previous) -> Result:
    """Times of the frames, shots, and measures of each frame.

    Returns:
        Facts: ``fps`` of the frames used, ``breaks`` (start, end, kind), ``shots`` (start, stop) in frames of the file.
        Arrays, T frames in the file: ``times`` float64 [T], seconds; ``brightness`` [T], 0..1; ``flow`` and ``camera``
        [T], mean motion of the picture and that of its border since the frame before, in picture widths;
        ``people_frames`` [K] and ``people`` [K], how many persons those frames show; ``text`` [K', h, w / 8],
        where there is text, in frames ``text_frames``, of the size of the scanned frames, eight pixels in a byte.

    Raises:
        InputError: no frame can be decoded.
    """
    reader = read_video(video.path, SCAN_HEIGHT)
    detector, times, measures = ShotDetector(), [], []
    people: list[tuple[int, int]] = []
    text: list[tuple[int, NDArray[np.uint8]]] = []
    before: Frame | None = None
    # Its quicker presets let plain walls move with whoever dances before them.
    flow_of = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    poses = _pose_detector()
    for i, (seconds, rgb) in enumerate(_true_times(reader, video.fps)):
        times.append(seconds)
        detector.add(rgb)
        grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
        small = cv2.resize(grey, (_FLOW_WIDTH, max(16, round(_FLOW_WIDTH * rgb.shape[0] / rgb.shape[1]))))
        flow = np.zeros((*small.shape, 2), np.float32) if before is None else flow_of.calc(before, small, None)
        measures.append((float(small.mean()) / 255, *_motion(flow)))
        before = small
        if not people or seconds >= times[people[-1][0]] + _PEOPLE_SECONDS:
            people.append((i, len(poses.detect(rgb))))
        if not text or seconds >= times[text[-1][0]] + _TEXT_SECONDS:
            text.append((i, np.packbits(find_text(grey), axis=1)))
    if not times:
        raise InputError(f"{video.path}: no frame of it can be decoded; it is damaged.")
    breaks = detector.breaks()
    stamps = np.asarray(times)
    brightness, motion, camera = np.asarray(measures, np.float32).T
    return Result(
        {
            "fps": used_fps(stamps),
            "breaks": [[each.start, each.end, each.kind] for each in breaks],
            "shots": shots(breaks, len(stamps)),
            "size": list(reader.size),
        },
        {
            "times": stamps,
            "brightness": brightness,
            "flow": motion,
            "camera": camera,
            "people_frames": np.array([i for i, _ in people]),
            "people": np.array([count for _, count in people]),
            "text_frames": np.array([i for i, _ in text]),
            "text": np.stack([mask for _, mask in text]),
        },
    )


@lru_cache(maxsize=1)
def _pose_detector() -> PoseDetector:
    """The detector that counts people; each picture is one of its own, so a process loads it once for all videos."""
    return PoseDetector(people=PEOPLE)


def used_fps(times: DoubleArray) -> float:
    """Frames per second that are used of a video with frames at these times."""
    intervals = np.diff(times)
    intervals = intervals[intervals > 0]
    if not len(intervals):
        return _UNEVEN_FPS
    median = float(np.median(intervals))
    if np.mean(np.abs(intervals - median) > _UNEVEN * median) > 0.05:
        return _UNEVEN_FPS
    # The mean of the even ones: time stamps of many containers are rounded to milliseconds.
    fps = 1 / float(intervals[np.abs(intervals - median) <= _UNEVEN * median].mean())
    return float(fps / np.ceil(fps / HIGHEST_FPS))


def frame_grid(times: DoubleArray, shot: tuple[int, int], fps: float) -> NDArray[np.int64]:
    """Frames of the file, [N], that show a shot at an even rate: the nearest to each i / fps after its first."""
    start, stop = shot
    count = max(1, round((times[stop - 1] - times[start]) * fps) + 1)
    wanted = times[start] + np.arange(count) / fps
    after = np.clip(np.searchsorted(times, wanted), start, stop - 1)
    before = np.maximum(after - 1, start)
    return np.where(np.abs(times[before] - wanted) < np.abs(times[after] - wanted), before, after)


def find_text(grey: Frame) -> BoolArray:
    """Where captions and watermarks may lie: rows of narrow strokes of high contrast on either side.

    Args:
        grey: uint8 [H, W].

    Returns:
        bool [H, W].
    """
    unit = max(3, grey.shape[0] // 48)  # about the height of small letters
    kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (unit, unit))
    # Bright strokes on darker ground, or dark ones on brighter: what opening or closing with a stroke's width removes.
    top, black = cv2.morphologyEx(grey, cv2.MORPH_TOPHAT, kernel), cv2.morphologyEx(grey, cv2.MORPH_BLACKHAT, kernel)
    found = np.zeros(grey.shape, bool)
    for strokes in (top, black):
        mask = _letters((strokes > _TEXT_CONTRAST).astype(np.uint8), unit)
        joined = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((max(3, unit // 2), 3 * unit), np.uint8))
        count, labels, stats, _ = cv2.connectedComponentsWithStats(joined)
        for k in range(1, count):
            left, top_row, width, height, area = stats[k]
            inside = mask[top_row : top_row + height, left : left + width]
            # A line of text is long, of the height of letters, filled by its strokes by a fifth to two thirds, and the
            # strokes alternate with the ground many times along it.
            turns = np.abs(np.diff(inside.astype(np.int8), axis=1)).sum(axis=1).max(initial=0)
            if (
                width >= 3 * height
                and unit <= height <= 6 * unit
                and area > 0.5 * width * height
                and 0.15 < inside.mean() < 0.7
                and turns >= 1.5 * width / height
                and turns >= 8
            ):
                found |= labels == k
    return found


def _letters(strokes: Frame, unit: int) -> Frame:
    """Strokes without those that are larger than a letter: seams of tiles, edges of things; uint8 0 or 1 [H, W]."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(strokes)
    small = (stats[:, cv2.CC_STAT_HEIGHT] <= 4 * unit) & (stats[:, cv2.CC_STAT_WIDTH] <= 8 * unit)
    small[0] = False
    return np.asarray(small[labels], np.uint8)


def _true_times(reader: VideoReader, fps: float) -> Iterator[tuple[float, Frame]]:
    """The frames with the times of a known rate, or with their own."""
    for i, (seconds, rgb) in enumerate(reader):
        yield (i / fps if fps else seconds), rgb


def _motion(flow: FloatArray) -> tuple[float, float]:
    """Mean length of a flow [H, W, 2] and length of its median along the border, in widths."""
    width = flow.shape[1]
    rim = max(2, width // 8)
    border = np.concatenate(
        [
            flow[:rim].reshape(-1, 2),
            flow[-rim:].reshape(-1, 2),
            flow[:, :rim].reshape(-1, 2),
            flow[:, -rim:].reshape(-1, 2),
        ]
    )
    mean = float(np.linalg.norm(flow, axis=-1).mean())
    return mean / width, float(np.linalg.norm(np.median(border, axis=0))) / width
