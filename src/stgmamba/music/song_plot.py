"""A picture of a song's form: loudness, bars, sections, and the tempo from beat to beat."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from stgmamba.errors import InputError
from stgmamba.files import atomic_output
from stgmamba.music.decode import load_song

_WIDTH, _HEIGHT = 1400, 420
_LEFT, _RIGHT, _TOP = 60, 20, 44
_WAVE, _TEMPO = (_TOP + 34, 220), (250, 380)  # upper and lower edges of the two panels
_COLOURS = ("#4c78a8", "#f58518", "#54a24b", "#b279a2", "#e45756", "#72b7b2", "#eeca3b", "#9d755d")
_GREY, _DARK = "#bbbbbb", "#333333"


def plot_song(path: str | Path, song: str | Path, facts: Mapping[str, Any]) -> None:
    """Draw what `stgmamba.info.describe` says of a song into a PNG.

    Args:
        path: of the picture.
        song: the song's file.
        facts: of the song.

    Raises:
        InputError: the facts are not those of a song, or the picture cannot be written.
    """
    if "sections" not in facts:
        raise InputError(f"{song}: only songs can be plotted; leave --plot out.")
    samples = load_song(song).samples
    picture = Image.new("RGB", (_WIDTH, _HEIGHT), "white")
    draw = ImageDraw.Draw(picture)
    small, large = (ImageFont.load_default(size) for size in (14, 18))
    seconds = float(facts["seconds"])

    def x(second: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * second / max(seconds, 1e-6)

    title = f"{Path(song).name}: {facts['tempo']:g} beats per minute, {facts['metre']}, {facts['bars']} bars"
    draw.text((_LEFT, 10), title, _DARK, large)
    letters = sorted({section["label"] for section in facts["sections"]}, key=lambda label: (len(label), label))
    for section in facts["sections"]:
        colour = _COLOURS[letters.index(section["label"]) % len(_COLOURS)]
        draw.rectangle((x(section["start"]), _TOP, x(section["end"]) - 1, _TOP + 24), colour)
        draw.text((x(section["start"]) + 5, _TOP + 3), section["label"], "white", small)
    for downbeat in facts["downbeats"]:
        draw.line((x(downbeat), _WAVE[0], x(downbeat), _WAVE[1]), "#e6e6e6")
    columns = _WIDTH - _LEFT - _RIGHT
    edges = np.linspace(0, len(samples), columns + 1).astype(int)
    peaks = np.maximum.reduceat(np.abs(samples), np.minimum(edges[:-1], len(samples) - 1))
    middle, half = (_WAVE[0] + _WAVE[1]) / 2, (_WAVE[1] - _WAVE[0]) / 2
    for column, peak in enumerate(peaks / max(float(peaks.max()), 1e-9)):
        draw.line((_LEFT + column, middle - half * peak, _LEFT + column, middle + half * peak), "#7f9fbf")
    _draw_tempo(draw, small, np.asarray(facts["beats"], np.float64), x)
    for second in range(0, int(seconds) + 1, _tick(seconds)):
        draw.line((x(second), _TEMPO[1], x(second), _TEMPO[1] + 5), _DARK)
        draw.text((x(second), _TEMPO[1] + 7), f"{second // 60}:{second % 60:02d}", _DARK, small, anchor="ma")
    with atomic_output(path) as part:
        picture.save(part)


def _draw_tempo(draw: ImageDraw.ImageDraw, font: Any, beats: np.ndarray[Any, Any], x: Any) -> None:
    tempo = 60 / np.diff(beats) if len(beats) > 1 else np.array([120.0])
    low, high = np.floor(tempo.min() / 10) * 10 - 10, np.ceil(tempo.max() / 10) * 10 + 10

    def y(bpm: float) -> float:
        return float(_TEMPO[1] - (_TEMPO[1] - _TEMPO[0]) * (bpm - low) / (high - low))

    draw.rectangle((_LEFT, _TEMPO[0], _WIDTH - _RIGHT, _TEMPO[1]), outline=_GREY)
    for bpm in (low, (low + high) / 2, high):
        draw.text((_LEFT - 6, y(bpm)), f"{bpm:.0f}", _DARK, font, anchor="rm")
    draw.text((6, _TEMPO[0] - 22), "bpm", _DARK, font)
    points = [(x(second), y(bpm)) for second, bpm in zip(beats[:-1], tempo, strict=False)]
    if len(points) > 1:
        draw.line(points, "#e45756", 2)


def _tick(seconds: float) -> int:
    """Seconds between ticks of the time axis: about ten in all."""
    return next((step for step in (1, 2, 5, 10, 15, 30, 60, 120, 300) if seconds / step <= 12), 600)
