"""All methods dance to one song, side by side, with the sound."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from stgmamba.arrays import Frame
from stgmamba.evaluation.skeleton.metrics.features import at_25_fps
from stgmamba.evaluation.skeleton.plots import EvalResult, Section
from stgmamba.options import FPS
from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton
from stgmamba.skeleton.body import mid_hip
from stgmamba.skeleton.camera import Camera, frame_dance, project_skeleton
from stgmamba.skeleton.drawing import draw_skeleton
from stgmamba.video_io import write_video

SECONDS = 20.0

_CELL = (240, 320)  # width and height of one dancer
_LABEL = 28  # height of the bar with the name
_COLUMNS = 6
_BACKGROUND, _TILES = 24, 58  # grey levels
_FLOOR = 2  # metres of floor to each side of the dancer
# The camera follows the dancer over this time (seconds), so that steps stay visible against the floor.
_FOLLOW = 0.6


def render_comparison(result: EvalResult, folder: Path) -> Section:
    """Film the first song, at most 20 s of it.

    Raises:
        InputError: the film cannot be written, or the song has no sound.
    """
    song = result.songs[0]
    path = folder / "side_by_side.mp4"
    dances = {name: at_25_fps(songs[0][0]) for name, songs in result.dances.items()}
    frames = min(round(SECONDS * FPS), *(len(dance) for dance in dances.values()))
    write_video(path, _frames({n: d.slice(0, frames) for n, d in dances.items()}, result.colours), FPS, song.audio_path)
    text = (
        f"The first {frames / FPS:.0f} s of {song.id}, with sound: the camera follows each dancer, a tile is a metre."
    )
    return Section("All of them dancing", text, (path,))


def _frames(dances: dict[str, Skeleton], colours: dict[str, str]) -> Iterator[Frame]:
    names = list(dances)
    columns = min(_COLUMNS, len(names))
    ways = {name: _followed(dance) for name, dance in dances.items()}
    on_the_spot = {name: _moved(dance, ways[name]) for name, dance in dances.items()}
    # One camera for all, so that nobody looks larger than the others.
    together = np.concatenate([np.nan_to_num(dance.positions) for dance in on_the_spot.values()])
    camera = frame_dance(Skeleton(together, FPS, OPENPOSE_18_FEET), _CELL, margin=0.04)
    seen = {name: project_skeleton(dance, camera) for name, dance in on_the_spot.items()}
    labels = {name: _label(name, colours[name]) for name in names}
    empty = np.full((_CELL[1] + _LABEL, _CELL[0], 3), _BACKGROUND, np.uint8)
    for i in range(len(ways[names[0]])):
        cells = []
        for name in names:
            dance = seen[name]
            stage = _floor(camera, ways[name][i])
            drawn = draw_skeleton(stage, dance.positions[i], dance.confidence[i], dance.layout, thickness=5.0)
            cells.append(np.concatenate([labels[name], drawn]))
        cells += [empty] * (-len(cells) % columns)
        rows = [np.concatenate(cells[start : start + columns], axis=1) for start in range(0, len(cells), columns)]
        yield np.concatenate(rows)


def _followed(dance: Skeleton) -> NDArray[np.float64]:
    """Where the camera looks on the floor, x and z, [T, 2] metres."""
    way = mid_hip(dance.positions)[:, [0, 2]].astype(np.float64)
    return np.asarray(gaussian_filter1d(np.nan_to_num(way), _FOLLOW * dance.fps, axis=0, mode="nearest"), np.float64)


def _moved(dance: Skeleton, way: NDArray[np.float64]) -> Skeleton:
    positions = dance.positions.copy()
    positions[..., [0, 2]] -= way[:, None]
    known = dance.confidence * np.isfinite(positions).all(axis=-1)
    return Skeleton(np.nan_to_num(positions), dance.fps, dance.layout, known)


def _floor(camera: Camera, at: NDArray[np.float64]) -> Frame:
    """The empty stage: lines a metre apart that pass under the dancer who is at ``at`` in the room."""
    canvas = np.full((_CELL[1], _CELL[0], 3), _BACKGROUND, np.uint8)
    for axis in (0, 1):
        for line in np.arange(np.ceil(at[axis] - _FLOOR), at[axis] + _FLOOR) - at[axis]:
            ends = np.zeros((2, 3))
            ends[:, 2 * axis] = line
            ends[:, 2 - 2 * axis] = (-_FLOOR, _FLOOR)
            (a, b), _ = camera.project(ends)
            start, end = np.round(16 * a).astype(int), np.round(16 * b).astype(int)
            cv2.line(canvas, tuple(start.tolist()), tuple(end.tolist()), (_TILES,) * 3, 1, cv2.LINE_AA, 4)
    return canvas


def _label(name: str, colour: str) -> Frame:
    """The name of a method, white on its colour."""
    from matplotlib.font_manager import findfont
    from PIL import Image, ImageDraw, ImageFont

    bar = Image.new("RGB", (_CELL[0], _LABEL), colour)
    font = ImageFont.truetype(findfont("DejaVu Sans"), 15)
    ImageDraw.Draw(bar).text((_CELL[0] / 2, _LABEL / 2), name, "white", font, anchor="mm")
    return np.array(bar)
