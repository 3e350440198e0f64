"""Stage `motion`: even, smooth tracks, and from them the dance in space.

Tracks are divided where the person is lost for long. Short gaps are bridged. The smoothing filter has no delay and
passes what dancers do: Savitzky-Golay over 0.2 s and of order 3 keeps movement up to about 8 Hz, while the landmarks'
jitter is mostly above.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, maximum_filter1d, median_filter, percentile_filter
from scipy.signal import savgol_filter

from stgmamba.arrays import DoubleArray, FloatArray
from stgmamba.builder.scan import frame_grid
from stgmamba.builder.stages import BuildOptions, Previous, Result, Video
from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton
from stgmamba.skeleton.camera import pixels_per_metre
from stgmamba.skeleton.foot_contacts import SOLE

_GAP_SECONDS = 0.3  # without a pose, that are bridged
_SMOOTH_SECONDS = 0.2
_ORDER = 3
_OUTLIER = 0.12  # heights of the person, from the median of five frames: a joint that was confused
_LEAST = 4.0  # frames of a part, below which nothing can be said about motion
_DISTANCE = 5.0  # metres to the camera, assumed; scales how far the dancer comes nearer and goes away
_WAY_SECONDS = 0.3  # smoothing of the way to and from the camera, known from the person's size only
_FLOOR_SECONDS = 2.0  # over which the lowest foot in the picture is on the floor at some time
_LIFT = 0.06  # metres; a lowest foot that is less above the floor stands on it
_FEET = [OPENPOSE_18_FEET.index(f"{side}_{part}") for side in ("left", "right") for part in ("heel", "toe")]
_HIPS = [OPENPOSE_18_FEET.index(f"{side}_hip") for side in ("left", "right")]


def motion_stage(video: Video, options: BuildOptions, previous: Previous) -> Result:
    """Parts of the tracks without long gaps, of `BuildOptions.shortest` seconds or more.

    Returns:
        Facts: ``fps``; ``parts``, a list of shot, person (number in the shot), whether it is the dancer, first and last
        row; ``dropped``, a list of reasons with the seconds they cost. Arrays, M rows: ``frame`` [M], index in the
        file; ``time`` [M], seconds in the file; ``found`` [M] bool; ``positions`` [M, 22, 2], ``confidence`` [M, 22],
        ``world`` [M, 22, 3], all smoothed; ``dance`` [M, 22, 3], in the room (see `lift`); ``jitter``, ``sharpness``
        and ``others`` [M].
    """
    people, scan = previous["people"], previous["scan"]
    times, fps = scan.arrays["times"], float(scan.facts["fps"])
    size = tuple(people.facts["size"])
    parts: list[list[Any]] = []
    dropped: list[tuple[str, float]] = []
    columns: dict[str, list[NDArray[Any]]] = {}
    length = 0
    shots_with_people = {track[0] for track in people.facts["tracks"]}
    for number, (start, stop) in enumerate(scan.facts["shots"]):
        if number not in shots_with_people:
            dropped.append(("nobody was found", float(times[stop - 1] - times[start])))
    persons: dict[int, int] = {}
    for number, first, last, main in people.facts["tracks"]:
        person = persons.get(number, 0)
        persons[number] = person + 1
        grid = frame_grid(times, tuple(scan.facts["shots"][number]), fps)
        slots = people.arrays["slot"][first:last].astype(int)
        for piece in _pieces(slots, _GAP_SECONDS * fps):
            rows = first + piece
            if (slots[piece[-1]] - slots[piece[0]] + 1) / fps < options.shortest or len(rows) < _LEAST:
                dropped.append((f"a person was seen for less than {options.shortest:g} s", float(len(rows) / fps)))
                continue
            part = _even_part({name: values[rows] for name, values in people.arrays.items()}, grid, times)
            part |= _smooth(part, fps)
            part["dance"] = lift(
                Skeleton(part["positions"], fps, OPENPOSE_18_FEET, part["confidence"], size), part["world"]
            )
            for name, values in part.items():
                columns.setdefault(name, []).append(values)
            parts.append([number, person, bool(main), length, length + len(part["frame"])])
            length += len(part["frame"])
    arrays = {name: np.concatenate(values) for name, values in columns.items()}
    return Result({"fps": fps, "parts": parts, "dropped": dropped, "size": list(size)}, arrays)


def _pieces(slots: NDArray[np.int64], gap: float) -> list[NDArray[np.int64]]:
    """Indices of the pieces of a track between which more than ``gap`` slots are missing."""
    return np.split(np.arange(len(slots)), np.flatnonzero(np.diff(slots) > gap + 1) + 1)


def _even_part(rows: dict[str, NDArray[Any]], grid: NDArray[np.int64], times: DoubleArray) -> dict[str, NDArray[Any]]:
    """A piece of a track with a row for each slot; what is missing is interpolated and marked as not found."""
    slots = rows["slot"].astype(int)
    every = np.arange(slots[0], slots[-1] + 1)
    frame = grid[every]
    even: dict[str, NDArray[Any]] = {"frame": frame, "time": times[frame], "found": np.isin(every, slots)}
    for name in ("positions", "confidence", "world", "sharpness", "others"):
        flat = rows[name].reshape(len(slots), -1).astype(np.float64)
        filled = np.stack([np.interp(every, slots, column) for column in flat.T], axis=1)
        even[name] = filled.reshape(len(every), *rows[name].shape[1:]).astype(np.float32)
    return even


def _smooth(part: dict[str, NDArray[Any]], fps: float) -> dict[str, NDArray[Any]]:
    """Positions and world coordinates without outliers and jitter; ``jitter`` [M], what was taken away, in heights."""
    height = np.maximum(np.ptp(part["positions"][..., 1], axis=1), 1.0)
    smooth = {
        "positions": smooth_track(part["positions"], fps, float(np.median(height))),
        "world": smooth_track(part["world"], fps, 1.7),
    }
    distance = np.linalg.norm(smooth["positions"] - part["positions"], axis=-1)
    weight = np.maximum(part["confidence"], 1e-3)
    jitter = (distance * weight).sum(axis=1) / weight.sum(axis=1) / height
    return {**smooth, "jitter": jitter.astype(np.float32)}


def smooth_track(positions: FloatArray, fps: float, height: float) -> FloatArray:
    """Joints without jitter, without delay.

    Args:
        positions: [T, J, D].
        fps: frames per second.
        height: of the person, in the unit of the positions.
    """
    size = min(5, len(positions) - (1 - len(positions) % 2))
    typical = median_filter(positions, (size, 1, 1), mode="nearest")
    far = np.linalg.norm(positions - typical, axis=-1, keepdims=True) > _OUTLIER * height
    cleaned = np.where(far, typical, positions)
    window = 2 * round(_SMOOTH_SECONDS * fps / 2) + 1
    window = min(window, len(positions) - (1 - len(positions) % 2))
    if window <= _ORDER:
        return np.asarray(cleaned, np.float32)
    return np.asarray(savgol_filter(cleaned, window, _ORDER, axis=0, mode="interp"), np.float32)


def lift(skeleton: Skeleton, world: FloatArray) -> FloatArray:
    """The dance in the room, [T, 22, 3] metres, floor at y = 0, as a level camera sees it.

    The pose is that of the 3-D estimate. To the side the dancer goes as their hips do in the picture; to and from the
    camera as their size does, whose noise is smoothed away over 0.3 s; the lowest foot stands on the floor, but for
    jumps, in which both feet leave the line where feet are lowest in the picture.

    Args:
        skeleton: 2-D, smoothed, with its size.
        world: [T, 22, 3], the joints in metres relative to the hips: right, up, towards the camera.
    """
    assert skeleton.size is not None, "positions are pixels of a frame of known size"
    fps = skeleton.fps
    scale = pixels_per_metre(skeleton, world)
    hips = skeleton.positions[:, _HIPS].mean(axis=1)
    nearer = gaussian_filter1d(_DISTANCE * (1 - np.median(scale) / scale), _WAY_SECONDS * fps, mode="nearest")
    sideways = (hips[:, 0] - skeleton.size[0] / 2) / scale
    lowest = world[:, _FEET, 1].min(axis=1)
    # The floor in the picture: below the feet, never above one of them, and slow to change.
    feet = skeleton.positions[:, _FEET, 1].max(axis=1)
    size = max(1, round(_FLOOR_SECONDS * fps))
    floor = gaussian_filter1d(percentile_filter(feet, 80, size=size, mode="nearest"), size / 4, mode="nearest")
    above = np.maximum((floor - feet) / scale - _LIFT, 0.0)
    above = np.minimum(above, maximum_filter1d(above, 3))
    height = SOLE - lowest + above
    root = np.stack([sideways, height, nearer], axis=-1)
    return np.asarray(world - world[:, _HIPS].mean(axis=1, keepdims=True) + root[:, None], np.float32)
