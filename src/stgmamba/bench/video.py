"""Measures stage 2 as it is used: a dance and a picture to an mp4, encoding included.

The picture is a built-in dancer drawn large, the dance that of our own weights to the built-in song, repeated to and
fro. Finding the person and filling the background are timed apart, since they are done once per film. On a machine that
does other work the processor's time per frame says more than frames a second.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from stgmamba.characters import CHARACTERS
from stgmamba.characters.render import CharacterRenderer
from stgmamba.machine import CAN_MEASURE_MEMORY, machine, peak_memory, resident_memory
from stgmamba.music.demo_song import repeated_demo_song
from stgmamba.options import QUALITY, SEED
from stgmamba.pipeline import DancePipeline, DanceVideo
from stgmamba.skeleton import Skeleton
from stgmamba.subject import load_subject
from stgmamba.video_io import write_video

SIZES = (256, 512)
SECONDS = 10.0
LONG = 600.0

_PICTURE = 768  # pixels, both sides
_DANCE = 20.0  # seconds before it is danced backwards
_MEMORY_SIZE = 256


def bench_video(
    seconds: float = SECONDS,
    long: float = LONG,
    sizes: tuple[int, ...] = SIZES,
    quality: str = QUALITY,
) -> dict[str, Any]:
    """Measure the renderer that ``stgmamba dance`` uses for a picture, on the CPU.

    Args:
        seconds: length of the films that are timed, and of the shorter one whose memory is watched.
        long: length of the longer film whose memory is watched; 0 leaves memory out.
        sizes: sides of the films in pixels; they are square.
        quality: ``best`` or ``fast``.

    Returns:
        A dictionary for JSON: ``machine``; ``quality``; ``films``: for each size ``frames``, ``prepare`` (seconds: the
        person found and cut out, the background filled), ``total`` (seconds for all frames to the finished mp4),
        ``fps`` (frames over total), ``processor_ms`` (processor time per frame, all threads), and of the same frames
        ``draw`` and ``encode`` (seconds, each alone); ``memory``: for 256 pixels resident MB ``before_mb``,
        ``short_mb`` and ``long_mb`` at the peak of films of ``short_seconds`` and ``long_seconds``, each in a process
        of its own; None where the system has no /proc or ``long`` is 0.
    """
    dance = _dance(seconds)
    picture = _picture(dance)
    return {
        "machine": machine(),
        "quality": quality,
        "films": {str(size): _time_film(dance, picture, size, quality) for size in sizes},
        "memory": _watch(seconds, long, quality) if CAN_MEASURE_MEMORY and long > 0 else None,
    }


def print_table(figures: dict[str, Any], console: Console | None = None) -> None:
    """Print what ``bench_video`` returned."""
    table = Table(title=f"Skeleton to video ({figures['quality']}), {figures['machine']['cores']} cores")
    table.add_column("what")
    for size in figures["films"]:
        table.add_column(f"{size} x {size}", justify="right")
    films = list(figures["films"].values())
    for name, unit in (("fps", "frames/s"), ("processor_ms", "ms"), ("total", "s"), ("draw", "s"), ("encode", "s")):
        label = {"processor_ms": "processor time per frame", "fps": "to the finished mp4"}.get(name, name)
        table.add_row(label, *(f"{film[name]:.1f} {unit}" for film in films))
    table.add_row("prepare, once", *(f"{film['prepare']:.1f} s" for film in films))
    (console or Console()).print(table)
    memory = figures["memory"]
    if memory is not None:
        short, long = (
            f"{memory[f'{which}_seconds']:g} s: {memory[f'{which}_mb']:.0f} MB" for which in ("short", "long")
        )
        (console or Console()).print(f"Peak memory of a film of {short}; of {long}.")


def _time_film(dance: Skeleton, picture: NDArray[np.uint8], size: int, quality: str) -> dict[str, float]:
    start = time.perf_counter()
    film = _film(dance, picture, size, quality)
    next(film.frames())  # fills the background, and compiles
    prepared = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        busy, begin = time.process_time(), time.perf_counter()
        film.save(Path(folder) / "film.mp4")
        total, work = time.perf_counter() - begin, time.process_time() - busy
        begin = time.perf_counter()
        frames = list(film.frames())
        draw = time.perf_counter() - begin
        begin = time.perf_counter()
        write_video(Path(folder) / "again.mp4", frames, dance.fps)
        encode = time.perf_counter() - begin
    return {
        "frames": len(dance),
        "prepare": prepared - start,
        "total": total,
        "fps": len(dance) / total,
        "processor_ms": 1000 * work / len(dance),
        "draw": draw,
        "encode": encode,
    }


def _film(dance: Skeleton, picture: NDArray[np.uint8], size: int, quality: str) -> DanceVideo:
    return DanceVideo(dance, load_subject(picture, size=(size, size), quality=quality))


def _picture(dance: Skeleton) -> NDArray[np.uint8]:
    """A built-in dancer in a dance's first pose."""
    look = next(iter(CHARACTERS.values()))
    return next(CharacterRenderer(look, size=(_PICTURE, _PICTURE)).frames(dance.slice(0, 1)))


def _dance(seconds: float) -> Skeleton:
    """The built-in song's dance, to and fro, of any length."""
    dance = DancePipeline.from_pretrained().skeleton(repeated_demo_song(_DANCE), facing="camera", seed=SEED)
    way = np.arange(round(seconds * dance.fps)) % (2 * len(dance))
    frames = np.where(way < len(dance), way, 2 * len(dance) - 1 - way)
    return Skeleton(dance.positions[frames], dance.fps, dance.layout)


def _watch(seconds: float, long: float, quality: str) -> dict[str, float]:
    """Memory of two films, each in a fresh process, so that nothing done before counts."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1, maxtasksperchild=1) as fresh:
        before, short_peak = fresh.apply(_watch_film, (seconds, quality))
        _, long_peak = fresh.apply(_watch_film, (long, quality))
    return {
        "before_mb": before / 1e6,
        "short_seconds": seconds,
        "short_mb": short_peak / 1e6,
        "long_seconds": long,
        "long_mb": long_peak / 1e6,
    }


def _watch_film(seconds: float, quality: str) -> tuple[int, int]:
    dance = _dance(seconds)
    film = _film(dance, _picture(dance), _MEMORY_SIZE, quality)
    next(film.frames())
    before = resident_memory()
    with tempfile.TemporaryDirectory() as folder:
        peak = peak_memory(lambda: film.save(Path(folder) / "film.mp4"))
    return before, peak
