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
from scipy.sparse.csgraph import connected_components

from stgmamba.arrays import BoolArray, DoubleArray, FloatArray, Frame
from stgmamba.builder.stages import BuildOptions, Previous, Result, Video
from stgmamba.datasets.shots import ShotDetector, shots
from stgmamba.errors import InputError
from stgmamba.person.blazepose import Pose, PoseDetector
from stgmamba.person.pose import detect_in, overlap
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
_SMALL_PERSON = 0.4  # of the frame's height, below which the models may miss somebody
_PART = 0.6  # of the frame's height, sides of the parts that are looked at
_PART_STEP = 0.75  # of their side, between two of them at most
_PART_COLUMNS = 6  # at most, as in a picture of 21:9; wider ones are strips without people
_SAME_PERSON = 0.4  # of the smaller box, what lies in the other one where both are of one person
_ARMS = 0.5  # of a person's height, what they reach from their place between two looks
_FLOW_WIDTH = 96  # pixels, of the frames between which motion is estimated
_TEXT_CONTRAST = 40.0  # grey levels between letters and what is around them
_WHITE, _BLACK = 210, 45  # grey levels of white and black letters
_TEXT_SECONDS = 1.0  # between frames in which text is looked for


def probe_stage(video: Video, options: BuildOptions, previous: Previous) -> Result:
    """Properties that the header states. Raises InputError for a file that is not a video."""
    media = probe(video.path)
    if media.size is None or media.fps is None:
        raise InputError(f"{video.path}: there is no video in this file; leave it out.")
    facts = dataclasses.asdict(media)
    del facts["path"]
    return Result(facts)


def scan_stage(video: Video, options: BuildOptions, previous: Previous, people: bool = True) -> Result:
    """Times of the frames, shots, and measures of each frame.

    Args:
        video: to scan.
        options: of the clips.
        previous: results of `probe`.
        people: whether people are looked for; where not, no frame shows any.

    Returns:
        Facts: ``fps`` of the frames used, ``breaks`` (start, end, kind), ``shots`` (start, stop) in frames of the file.
        Arrays, T frames in the file: ``times`` float64 [T], seconds; ``brightness`` [T], 0..1; ``flow`` and ``camera``
        [T], mean motion of the picture and that of its border since the frame before, in picture widths;
        ``people_frames`` [K] and ``people`` [K], how many persons those frames show; ``people_box`` [K, 4], left, top,
        right and bottom of what they may reach, in parts of the frame, NaN where there is nobody; ``text``
        [K', h, w / 8], boxes of text, in frames ``text_frames``, of the size of the scanned frames, eight pixels in a
        byte.

    Raises:
        InputError: no frame can be decoded.
    """
    reader = read_video(video.path, SCAN_HEIGHT)
    detector, times, measures = ShotDetector(), [], []
    looks: list[int] = []
    counts: list[int] = []
    boxes: list[FloatArray] = []
    text: list[tuple[int, NDArray[np.uint8]]] = []
    before: Frame | None = None
    # Its quicker presets let plain walls move with whoever dances before them.
    flow_of = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    for i, (seconds, rgb) in enumerate(_true_times(reader, video.fps)):
        times.append(seconds)
        detector.add(rgb)
        grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
        small = cv2.resize(grey, (_FLOW_WIDTH, max(16, round(_FLOW_WIDTH * rgb.shape[0] / rgb.shape[1]))))
        flow = np.zeros((*small.shape, 2), np.float32) if before is None else flow_of.calc(before, small, None)
        measures.append((float(small.mean()) / 255, *_motion(flow)))
        before = small
        if not looks or seconds >= times[looks[-1]] + _PEOPLE_SECONDS:
            found = find_people(_pose_detector(), rgb) if people else []
            looks.append(i)
            counts.append(len(found))
            boxes.append(_reach(found, rgb.shape))
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
            "people_frames": np.array(looks),
            "people": np.array(counts),
            "people_box": np.stack(boxes),
            "text_frames": np.array([i for i, _ in text]),
            "text": np.stack([mask for _, mask in text]),
        },
    )


@lru_cache(maxsize=1)
def _pose_detector() -> PoseDetector:
    """The detector that counts people; each picture is one of its own, so a process loads it once for all videos."""
    return PoseDetector(people=PEOPLE)


def find_people(detector: PoseDetector, rgb: Frame) -> list[Pose]:
    """The people in a picture, `PEOPLE` at most.

    The models see it at 224 pixels. Where nobody is found in all of it, or only people who are small, its parts are
    looked at, too.

    Args:
        detector: for single pictures.
        rgb: uint8 [H, W, 3].
    """
    found = detector.detect(rgb)
    height, width = rgb.shape[:2]
    if any(np.ptp(pose.points[:, 1]) > _SMALL_PERSON * height for pose in found):
        return found
    side = round(_PART * height)
    columns = int(np.clip(np.ceil(width / (_PART_STEP * side)), 1, _PART_COLUMNS))
    for top in (0, height - side):
        for left in np.linspace(0, max(0, width - side), columns).astype(int).tolist():
            for pose in detect_in(detector, rgb, (left, top, min(left + side, width), top + side)):
                if all(max(overlap(pose, known), overlap(known, pose)) <= _SAME_PERSON for known in found):
                    found.append(pose)
    return found[:PEOPLE]


def _reach(people: list[Pose], shape: tuple[int, ...]) -> FloatArray:
    """What people reach while the camera looks away, in parts of a frame; NaN [4] for nobody."""
    if not people:
        return np.full(4, np.nan, np.float32)
    points = np.stack([pose.points for pose in people])
    margin = _ARMS * float(np.ptp(points[..., 1], axis=1).max())
    low, high = points.min(axis=(0, 1)) - margin, points.max(axis=(0, 1)) + margin
    size = np.array([shape[1], shape[0]], np.float32)
    return np.asarray(np.clip(np.concatenate([low / size, high / size]), 0, 1), np.float32)


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
    """Where captions and watermarks may lie: the boxes of rows of letters.

    Letters are strokes of high contrast on either side; a line is a chain of them of like height and stroke width
    (Epshtein et al., "Detecting text in natural scenes with stroke width transform", CVPR 2010, whose rules these are,
    on strokes found by morphology).

    Args:
        grey: uint8 [H, W].

    Returns:
        bool [H, W].
    """
    unit = max(3, grey.shape[0] // 48)  # about the height of small letters
    found = np.zeros(grey.shape, bool)
    for size in (unit, 2 * unit):
        kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (size, size))
        # Bright strokes on darker ground, or dark ones on brighter: what opening or closing with their width removes.
        bright = cv2.morphologyEx(grey, cv2.MORPH_TOPHAT, kernel) > _TEXT_CONTRAST
        dark = cv2.morphologyEx(grey, cv2.MORPH_BLACKHAT, kernel) > _TEXT_CONTRAST
        # White and black ones by themselves, too: seams of tiles and what shows between letters would join them.
        for strokes in (bright, dark, bright & (grey >= _WHITE), dark & (grey <= _BLACK)):
            for left, top, right, bottom in _lines(strokes.astype(np.uint8), unit):
                found[top:bottom, left:right] = True
    return found


def _lines(strokes: Frame, unit: int) -> Iterator[tuple[int, int, int, int]]:
    """Boxes (left, top, right, bottom) of lines of text among strokes, uint8 0 or 1 [H, W]; ``unit``: least height."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(strokes)
    left, top, width, height, area = (stats[:, k].astype(np.float64) for k in range(5))
    # Inside a stroke the distance from its edge is a quarter of its width on average.
    distance = cv2.distanceTransform(strokes, cv2.DIST_L2, 3)
    thick = 4 * np.bincount(labels.ravel(), distance.ravel(), count) / np.maximum(area, 1)
    # Letters, or words whose letters touch; not seams of tiles or edges of things.
    letters = (height >= unit) & (height <= 6 * unit) & (width <= 12 * height) & (area >= unit)
    letters[0] = False
    chosen = np.flatnonzero(letters)
    if not len(chosen):
        return
    left, top, width, height, area, thick = (x[chosen] for x in (left, top, width, height, area, thick))
    right, bottom = left + width, top + height
    low, high = np.minimum(height[:, None], height), np.maximum(height[:, None], height)
    overlap = np.minimum(bottom[:, None], bottom) - np.maximum(top[:, None], top)
    gap = np.maximum(left[:, None], left) - np.minimum(right[:, None], right)
    alike = (high <= 2.2 * low) & (np.maximum(thick[:, None], thick) <= 1.8 * np.minimum(thick[:, None], thick))
    lines, line = connected_components(alike & (overlap >= 0.5 * low) & (gap <= 1.2 * low), directed=False)
    member = np.zeros(count, bool)  # of the lines until here: each component is in one
    for k in range(lines):
        of = np.flatnonzero(line == k)
        box = int(left[of].min()), int(top[of].min()), int(right[of].max()), int(bottom[of].max())
        tall, wide = float(np.median(height[of])), box[2] - box[0]
        # Letters have holes and gaps, tiles and stripes fill their boxes.
        filled = float(np.average(area[of] / (width[of] * height[of]), weights=width[of]))
        if wide < 2.5 * tall or box[3] - box[1] > 2.2 * tall or filled > 0.7:
            continue
        member[chosen[of]] = True
        inside = member[labels[box[1] : box[3], box[0] : box[2]]]
        # Strokes alternate with the ground many times along a line, in most of its rows.
        turns = float(np.median(np.abs(np.diff(inside.astype(np.int8), axis=1)).sum(axis=1)))
        if 0.12 < inside.mean() < 0.7 and turns >= max(8, 0.8 * wide / tall):
            yield box


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
