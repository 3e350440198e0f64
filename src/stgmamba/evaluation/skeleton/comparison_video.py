"""Comparison video: the dances of all methods to one song, side by side, with its audio."""

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
"""Maximum length of the video."""

_CELL = (240, 320)  # width and height of a dance, pixels
_LABEL = 28  # height of the label with the name
_COLUMNS = 6
_BACKGROUND, _TILES = 24, 58  # grey levels
_FLOOR = 2  # metres of floor on each side of the body
_FOLLOW = 0.6  # seconds, smoothing of the camera's path: single steps stay visible relative to the floor


def render_comparison(result: EvalResult, folder: Path) -> Section:
    """Write the comparison video of the first song.

    Args:
        result: of the evaluation.
        folder: of the video; it must exist.

    Raises:
        InputError: the video cannot be written, or the song has no audio.
    """
    song = result.songs[0]
    path = folder / "side_by_side.mp4"
    dances = {name: at_25_fps(songs[0][0]) for name, songs in result.dances.items()}
    frames = min(round(SECONDS * FPS), *(len(dance) for dance in dances.values()))
    write_video(path, _frames({n: d.slice(0, frames) for n, d in dances.items()}, result.colours), FPS, song.audio_path)
    text = f"The first {frames / FPS:.0f} s of {song.id}, with audio; the camera follows each body, squares are 1 m."
    return Section("Comparison video", text, (path,))


def _frames(dances: dict[str, Skeleton], colours: dict[str, str]) -> Iterator[Frame]:
    names = list(dances)
    columns = min(_COLUMNS, len(names))
    paths = {name: _camera_path(dance) for name, dance in dances.items()}
    centred = {name: _subtract_path(dance, paths[name]) for name, dance in dances.items()}
    # The same camera for all, so that all have the same scale.
    positions = np.concatenate([np.nan_to_num(dance.positions) for dance in centred.values()])
    camera = frame_dance(Skeleton(positions, FPS, OPENPOSE_18_FEET), _CELL, margin=0.04)
    projected = {name: project_skeleton(dance, camera) for name, dance in centred.items()}
    labels = {name: _label(name, colours[name]) for name in names}
    empty = np.full((_CELL[1] + _LABEL, _CELL[0], 3), _BACKGROUND, np.uint8)
    for i in range(len(paths[names[0]])):
        cells = []
        for name in names:
            dance = projected[name]
            floor = _draw_floor(camera, paths[name][i])
            cell = draw_skeleton(floor, dance.positions[i], dance.confidence[i], dance.layout, thickness=5.0)
            cells.append(np.concatenate([labels[name], cell]))
        cells += [empty] * (-len(cells) % columns)
        rows = [np.concatenate(cells[start : start + columns], axis=1) for start in range(0, len(cells), columns)]
        yield np.concatenate(rows)


def _camera_path(dance: Skeleton) -> NDArray[np.float64]:
    """Smoothed floor position of the body, x and z, [T, 2] metres: the target of the camera."""
    path = mid_hip(dance.positions)[:, [0, 2]].astype(np.float64)
    return np.asarray(gaussian_filter1d(np.nan_to_num(path), _FOLLOW * dance.fps, axis=0, mode="nearest"), np.float64)


def _subtract_path(dance: Skeleton, path: NDArray[np.float64]) -> Skeleton:
    """A dance relative to a path on the floor [T, 2]; joints that are not finite get confidence 0."""
    positions = dance.positions.copy()
    positions[..., [0, 2]] -= path[:, None]
    known = dance.confidence * np.isfinite(positions).all(axis=-1)
    return Skeleton(np.nan_to_num(positions), dance.fps, dance.layout, known)


def _draw_floor(camera: Camera, position: NDArray[np.float64]) -> Frame:
    """The floor as a grid of lines 1 m apart, relative to a position (x, z) in the world."""
    canvas = np.full((_CELL[1], _CELL[0], 3), _BACKGROUND, np.uint8)
    for axis in (0, 1):
        for line in np.arange(np.ceil(position[axis] - _FLOOR), position[axis] + _FLOOR) - position[axis]:
            ends = np.zeros((2, 3))
            ends[:, 2 * axis] = line
            ends[:, 2 - 2 * axis] = (-_FLOOR, _FLOOR)
            (a, b), _ = camera.project(ends)
            start, end = np.round(16 * a).astype(int), np.round(16 * b).astype(int)
            cv2.line(canvas, tuple(start.tolist()), tuple(end.tolist()), (_TILES,) * 3, 1, cv2.LINE_AA, 4)
    return canvas


def _label(name: str, colour: str) -> Frame:
    """The name of a method, white on its colour, uint8 RGB [_LABEL, W, 3]."""
    from matplotlib.font_manager import findfont
    from PIL import Image, ImageDraw, ImageFont

    label = Image.new("RGB", (_CELL[0], _LABEL), colour)
    font = ImageFont.truetype(findfont("DejaVu Sans"), 15)
    ImageDraw.Draw(label).text((_CELL[0] / 2, _LABEL / 2), name, "white", font, anchor="mm")
    return np.array(label)
