"""Stage `people`: the poses of everybody in every shot, as tracks.

A shot with one person is tracked by MediaPipe itself. In a shot with several, everybody is detected and joined to the
track that was nearest before. Poses that another estimator found in the frames (OpenPose JSON) take the place of those
in the picture; the poses in space remain MediaPipe's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stgmamba.arrays import BoolArray, DoubleArray, FloatArray, Frame
from stgmamba.builder.given_poses import GivenPoses
from stgmamba.builder.scan import PEOPLE, frame_grid
from stgmamba.builder.stages import BuildOptions, Previous, Result, Video
from stgmamba.person.blazepose import Pose, PoseDetector
from stgmamba.person.pose import detect_in
from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton, convert
from stgmamba.skeleton.layouts import MEDIAPIPE_33
from stgmamba.video_io import read_video

POSE_HEIGHT = 720
"""Rows of the frames in which poses are estimated; the models see 256 of a person."""

_WINDOW_AREA = 0.4  # of the frame, up to which the part that people are in is looked at instead of all of it
_NEAR = 0.6  # of a person's height, the way that they go at most from one frame to the next
_TWICE = 0.1  # of a person's height, mean distance of the joints up to which two poses are of one person
_MANY_LOOKS = 4  # at a shot, from which on one count above all others does not mean that others are there
_TRACK_SECONDS = 0.5  # of absence after which a person who appears begins a new track
_SHARP_ROWS = 256  # of the person, to which the frame is scaled before its sharpness is measured
_EDGES = 98  # percentile of the gradient from which on a pixel is on one of the strongest edges
_EDGE_PIXELS = 15  # around an edge, in which its contrast is measured


@dataclass
class _Track:
    """A person in successive frames of a shot."""

    frames: list[int] = field(default_factory=list)
    poses: list[Pose] = field(default_factory=list)
    sharpness: list[float] = field(default_factory=list)
    others: list[int] = field(default_factory=list)

    def add(self, frame: int, pose: Pose, sharpness: float, others: int) -> None:
        self.frames.append(frame)
        self.poses.append(pose)
        self.sharpness.append(sharpness)
        self.others.append(others)


def people_stage(video: Video, options: BuildOptions, previous: Previous) -> Result:
    """Tracks of the persons of all shots.

    Returns:
        Facts: ``tracks``, a list of shot (its number), first and last row in the arrays, ``main`` (whether this is the
        shot's dancer at that time). Arrays, N rows, those of a track in successive order: ``frame`` [N], index in the
        file;
        ``slot`` [N], index in the even grid of the shot; ``positions`` [N, 22, 2], pixels of the full frame,
        ``confidence`` [N, 22], ``world`` [N, 22, 3], metres relative to the hips; ``sharpness`` [N]; ``others`` [N].
        Fact ``given_poses``: share of the rows whose positions another estimator gave.

    Raises:
        InputError: given poses cannot be read, or are of another number of frames.
    """
    scan = previous["scan"]
    times, fps = scan.arrays["times"], float(scan.facts["fps"])
    shots = [(int(start), int(stop)) for start, stop in scan.facts["shots"]]
    grids = [frame_grid(times, shot, fps) for shot in shots]
    counts = [_people_in(scan, shot) for shot in shots]
    size = tuple(previous["probe"].facts["size"])
    given = None if video.poses is None else GivenPoses(video.poses, len(times), size)
    reader = read_video(video.path, POSE_HEIGHT)
    factor = np.asarray(size, np.float32) / np.asarray(reader.size, np.float32)
    facts, columns = [], _Columns()
    frames = enumerate(rgb for _, rgb in reader)
    for number, (shot, grid, (count, sure)) in enumerate(zip(shots, grids, counts, strict=True)):
        if count == 0:
            continue
        window = _window(scan, shot, reader.size)
        tracks = _track_shot(_frames_of(frames, shot[1]), times, grid, count, sure, window)
        main = {id(track) for track in _main_tracks(tracks, reader.size)}
        for track in tracks:
            if options.all_people or id(track) in main:
                first = len(columns)
                columns.extend(track, grid, factor, given)
                facts.append([number, first, len(columns), id(track) in main])
    share = columns.given / max(1, len(columns))
    return Result({"tracks": facts, "size": list(size), "given_poses": round(share, 4)}, columns.arrays())


def _people_in(scan: Result, shot: tuple[int, int]) -> tuple[int, int]:
    """Persons in a shot at most, of the frames in which they were counted, and in more than one of these frames."""
    counts = np.sort(scan.arrays["people"][_looks_at(scan, shot)])
    if not len(counts):
        return 1, 1
    return int(counts[-1]), int(counts[-2 if len(counts) >= _MANY_LOOKS else -1])


def _window(scan: Result, shot: tuple[int, int], size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of where people are looked for: the frame, or where a shot's small people are."""
    boxes = scan.arrays["people_box"][_looks_at(scan, shot)]
    boxes = boxes[~np.isnan(boxes[:, 0])]
    if not len(boxes):
        return 0, 0, *size
    low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    if (high - low).prod() > _WINDOW_AREA:
        return 0, 0, *size
    left, top, right, bottom = np.concatenate([np.floor(low * size), np.ceil(high * size)]).astype(int).tolist()
    return left, top, right, bottom


def _looks_at(scan: Result, shot: tuple[int, int]) -> BoolArray:
    """Which of the frames in which people were counted are of a shot, [K]."""
    frames = scan.arrays["people_frames"]
    return np.asarray((frames >= shot[0]) & (frames < shot[1]))


def _frames_of(frames: Iterator[tuple[int, Frame]], stop: int) -> Iterator[tuple[int, Frame]]:
    """Frames of the file up to ``stop`` - 1; the rest stays in the iterator."""
    for i, rgb in frames:
        yield i, rgb
        if i == stop - 1:
            return


def _track_shot(
    frames: Iterator[tuple[int, Frame]],
    times: DoubleArray,
    grid: NDArray[np.int64],
    count: int,
    sure: int,
    window: tuple[int, int, int, int],
) -> list[_Track]:
    wanted = set(grid.tolist())
    tracks: list[_Track] = []
    # One more than were counted, so that somebody who enters is seen.
    people = 1 if count == 1 else min(PEOPLE, count + 1)
    with PoseDetector(people=people, video=True) as detector:
        clock = -0.001
        for i, rgb in frames:
            if i not in wanted:
                continue
            clock = max(
                float(times[i]), clock + 0.001
            )  # the tracker takes whole milliseconds and insists that they rise
            found = _distinct(detect_in(detector, rgb, window, clock))
            for pose, track in _assign(found, tracks, i, times):
                track.add(i, pose, sharpness(rgb, pose.points), max(len(found), sure) - 1)
    return tracks


def _distinct(poses: list[Pose]) -> list[Pose]:
    """Poses without those that are another one's once more, as the models find them where fewer are there."""
    kept: list[Pose] = []
    for pose in poses:
        if all(_distance(pose, other) > _TWICE for other in kept):
            kept.append(pose)
    return kept


def _assign(found: list[Pose], tracks: list[_Track], frame: int, times: DoubleArray) -> Iterator[tuple[Pose, _Track]]:
    """Each pose with its track, a new one where no person was near."""
    free = [track for track in tracks if times[frame] - times[track.frames[-1]] <= _TRACK_SECONDS]
    pairs = sorted(
        (_distance(pose, track.poses[-1]), n, k) for n, pose in enumerate(found) for k, track in enumerate(free)
    )
    taken: dict[int, int] = {}
    for distance, n, k in pairs:
        if distance < _NEAR and n not in taken and k not in taken.values():
            taken[n] = k
    for n, pose in enumerate(found):
        if n in taken:
            yield pose, free[taken[n]]
        else:
            tracks.append(_Track())
            yield pose, tracks[-1]


def _distance(pose: Pose, before: Pose) -> float:
    """Mean distance of the joints in heights of the person."""
    height = max(float(np.ptp(before.points[:, 1])), float(np.ptp(before.points[:, 0])), 1.0)
    return float(np.linalg.norm(pose.points - before.points, axis=1).mean()) / height


def _main_tracks(tracks: list[_Track], size: tuple[int, int]) -> list[_Track]:
    """The dancer of a shot at each time: who is seen long, large and in the middle, and nobody beside them.

    Whoever leaves and comes back has a track for each time, all of which are taken.
    """

    def weight(track: _Track) -> float:
        points = np.stack([pose.points for pose in track.poses])
        extent = np.ptp(points, axis=1).prod(axis=1).clip(0, size[0] * size[1])
        centre = (points[..., 0].min(axis=1) + points[..., 0].max(axis=1)) / 2
        off_centre = np.abs(centre / size[0] - 0.5)
        return float((extent * (1 - off_centre)).sum())

    chosen: list[_Track] = []
    for track in sorted(tracks, key=weight, reverse=True):
        if all(track.frames[-1] < other.frames[0] or other.frames[-1] < track.frames[0] for other in chosen):
            chosen.append(track)
    return chosen


def sharpness(rgb: Frame, points: FloatArray) -> float:
    """Steepness of the strongest edges of a person, 1 / (their width in pixels of a person of 256 rows): 0..0.35.

    Gradient by the contrast around it, so that neither plain clothes nor dim light count as blur (edge width as a
    measure of blur: Marziliano et al., "A no-reference perceptual blur metric", ICIP 2002).

    Args:
        rgb: uint8 [H, W, 3].
        points: [J, 2], joints of the person, pixels.
    """
    low = np.clip(points.min(axis=0), 0, [rgb.shape[1] - 1, rgb.shape[0] - 1]).astype(int)
    high = np.clip(points.max(axis=0), 0, [rgb.shape[1] - 1, rgb.shape[0] - 1]).astype(int)
    if (high - low).min() < 8:
        return 0.0
    part = rgb[low[1] : high[1], low[0] : high[0]]
    width = max(8, round(part.shape[1] * _SHARP_ROWS / part.shape[0]))
    small = cv2.resize(part, (min(width, 4 * _SHARP_ROWS), _SHARP_ROWS), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)
    smooth = cv2.GaussianBlur(grey, (0, 0), 1.0)  # noise and compression have steep edges, too
    # Sobel's weights sum to 8: this is the gradient in grey levels per pixel.
    gradient = np.hypot(*(cv2.Sobel(smooth, cv2.CV_32F, x, 1 - x, scale=1 / 8) for x in (1, 0)))
    around = np.ones((_EDGE_PIXELS, _EDGE_PIXELS), np.uint8)
    contrast = cv2.dilate(smooth, around) - cv2.erode(smooth, around)
    edges = gradient >= np.percentile(gradient, _EDGES)
    return float(np.median(gradient[edges] / np.maximum(contrast[edges], 1)))


class _Columns:
    """The rows of all tracks."""

    def __init__(self) -> None:
        self._parts: dict[str, list[NDArray[Any]]] = {}
        self._length = 0
        self.given = 0  # rows of positions that another estimator gave

    def __len__(self) -> int:
        return self._length

    def extend(
        self, track: _Track, grid: NDArray[np.int64], factor: FloatArray, given: GivenPoses | None = None
    ) -> None:
        """Append a track; a frame that the grid shows twice has one row, at its first slot."""
        points = np.stack([pose.points for pose in track.poses])
        confidence = np.stack([pose.visibility for pose in track.poses])
        world = np.stack([pose.world for pose in track.poses]) * np.array([1, -1, -1], np.float32)
        flat = convert(Skeleton((points + 0.5) * factor - 0.5, 1.0, MEDIAPIPE_33, confidence), OPENPOSE_18_FEET)
        space = convert(Skeleton(world, 1.0, MEDIAPIPE_33, confidence), OPENPOSE_18_FEET)
        frames = np.array(track.frames)
        if given is not None:
            flat, taken = given.replace(flat, track.frames)
            self.given += taken
        rows = {
            "frame": frames,
            "slot": np.searchsorted(grid, frames),
            "positions": flat.positions,
            "confidence": flat.confidence,
            "world": space.positions,
            "sharpness": np.array(track.sharpness, np.float32),
            "others": np.array(track.others),
        }
        for name, values in rows.items():
            self._parts.setdefault(name, []).append(values)
        self._length += len(frames)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The columns; empty ones where there is no track."""
        joints = len(OPENPOSE_18_FEET)
        shapes = {"positions": (0, joints, 2), "confidence": (0, joints), "world": (0, joints, 3)}
        names = ("frame", "slot", "positions", "confidence", "world", "sharpness", "others")
        return {
            name: np.concatenate(self._parts[name]) if name in self._parts else np.zeros(shapes.get(name, (0,)))
            for name in names
        }
