"""Benchmark of stage 2: from a dance and a picture to an mp4, including encoding.

The picture shows a built-in character, the dance is that of the default weights to the built-in song, played forwards
and backwards alternately. Detection of the person and inpainting are timed separately, since they are done once per
video. Where other processes run, the processor time per frame is more meaningful than frames per second.
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

_PICTURE_SIZE = 768  # pixels, both sides
_DANCE_SECONDS = 20.0  # of the dance that is repeated
_MEMORY_SIZE = 256  # pixels, both sides of the videos of the measurement of memory


def bench_video(
    seconds: float = SECONDS,
    long: float = LONG,
    sizes: tuple[int, ...] = SIZES,
    quality: str = QUALITY,
) -> dict[str, Any]:
    """Measure the renderer of ``stgmamba dance`` for a picture, on the CPU.

    Args:
        seconds: length of the videos that are timed, and of the shorter one of the measurement of memory.
        long: length of the longer video of the measurement of memory; 0 leaves memory out.
        sizes: sides of the videos, which are square, pixels.
        quality: ``best`` or ``fast``.

    Returns:
        A dictionary for JSON: ``machine``; ``quality``; ``videos``: for each size ``frames``, ``prepare`` (seconds of
        detection, segmentation and inpainting), ``total`` (seconds from the first frame to the finished mp4), ``fps``
        (frames / total), ``processor_ms`` (processor time per frame, all threads), and, measured separately, ``draw``
        and ``encode`` (seconds for all frames); ``memory``: at 256 pixels, resident MB ``before_mb``, and ``short_mb``
        and ``long_mb`` at the peak of videos of ``short_seconds`` and ``long_seconds``, in separate processes; None
        where the system has no /proc or ``long`` is 0.
    """
    dance = _repeated_dance(seconds)
    picture = _draw_picture(dance)
    return {
        "machine": machine(),
        "quality": quality,
        "videos": {str(size): _time_video(dance, picture, size, quality) for size in sizes},
        "memory": _compare_memory(seconds, long, quality) if CAN_MEASURE_MEMORY and long > 0 else None,
    }


def print_table(figures: dict[str, Any], console: Console | None = None) -> None:
    """Print the results of ``bench_video``."""
    table = Table(title=f"Skeleton to video ({figures['quality']}), {figures['machine']['cores']} cores")
    table.add_column("what")
    for size in figures["videos"]:
        table.add_column(f"{size} x {size}", justify="right")
    videos = list(figures["videos"].values())
    for name, unit in (("fps", "frames/s"), ("processor_ms", "ms"), ("total", "s"), ("draw", "s"), ("encode", "s")):
        label = {"processor_ms": "processor time per frame", "fps": "to the finished mp4"}.get(name, name)
        table.add_row(label, *(f"{video[name]:.1f} {unit}" for video in videos))
    table.add_row("prepare, once", *(f"{video['prepare']:.1f} s" for video in videos))
    (console or Console()).print(table)
    memory = figures["memory"]
    if memory is not None:
        short, long = (
            f"{memory[f'{which}_seconds']:g} s: {memory[f'{which}_mb']:.0f} MB" for which in ("short", "long")
        )
        (console or Console()).print(f"Peak memory of a video of {short}; of {long}.")


def _time_video(dance: Skeleton, picture: NDArray[np.uint8], size: int, quality: str) -> dict[str, float]:
    start = time.perf_counter()
    video = _build_video(dance, picture, size, quality)
    next(video.frames())  # inpaints the background, and compiles
    prepare = time.perf_counter() - start
    with tempfile.TemporaryDirectory() as folder:
        processor_start, start = time.process_time(), time.perf_counter()
        video.save(Path(folder) / "video.mp4")
        total, processor = time.perf_counter() - start, time.process_time() - processor_start
        start = time.perf_counter()
        frames = list(video.frames())
        draw = time.perf_counter() - start
        start = time.perf_counter()
        write_video(Path(folder) / "frames.mp4", frames, dance.fps)
        encode = time.perf_counter() - start
    return {
        "frames": len(dance),
        "prepare": prepare,
        "total": total,
        "fps": len(dance) / total,
        "processor_ms": 1000 * processor / len(dance),
        "draw": draw,
        "encode": encode,
    }


def _build_video(dance: Skeleton, picture: NDArray[np.uint8], size: int, quality: str) -> DanceVideo:
    return DanceVideo(dance, load_subject(picture, size=(size, size), quality=quality, body="flat"))


def _draw_picture(dance: Skeleton) -> NDArray[np.uint8]:
    """A built-in character in the first pose of a dance."""
    appearance = next(iter(CHARACTERS.values()))
    return next(CharacterRenderer(appearance, size=(_PICTURE_SIZE, _PICTURE_SIZE)).frames(dance.slice(0, 1)))


def _repeated_dance(seconds: float) -> Skeleton:
    """The dance to the built-in song, played forwards and backwards alternately, of any length."""
    dance = DancePipeline.from_pretrained().skeleton(repeated_demo_song(_DANCE_SECONDS), facing="camera", seed=SEED)
    position = np.arange(round(seconds * dance.fps)) % (2 * len(dance))
    frames = np.where(position < len(dance), position, 2 * len(dance) - 1 - position)
    return Skeleton(dance.positions[frames], dance.fps, dance.layout)


def _compare_memory(seconds: float, long: float, quality: str) -> dict[str, float]:
    """Memory of two videos, each in a new process, independent of earlier measurements."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1, maxtasksperchild=1) as pool:
        before, short_peak = pool.apply(_measure_memory, (seconds, quality))
        _, long_peak = pool.apply(_measure_memory, (long, quality))
    return {
        "before_mb": before / 1e6,
        "short_seconds": seconds,
        "short_mb": short_peak / 1e6,
        "long_seconds": long,
        "long_mb": long_peak / 1e6,
    }


def _measure_memory(seconds: float, quality: str) -> tuple[int, int]:
    """Resident memory before and at the peak of writing a video, bytes."""
    dance = _repeated_dance(seconds)
    video = _build_video(dance, _draw_picture(dance), _MEMORY_SIZE, quality)
    next(video.frames())
    before = resident_memory()
    with tempfile.TemporaryDirectory() as folder:
        peak = peak_memory(lambda: video.save(Path(folder) / "video.mp4"))
    return before, peak
