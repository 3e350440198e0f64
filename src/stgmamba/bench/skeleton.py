"""Benchmark of stage 1: time of a dance, scaling with the length of the song, memory, comparison with attention.

All songs are repetitions of the built-in demo song. Loading of weights and compilation are not included.
"""

from __future__ import annotations

import multiprocessing
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from stgmamba.machine import CAN_MEASURE_MEMORY, machine, peak_memory, resident_memory
from stgmamba.music.decode import Song
from stgmamba.music.demo_song import repeated_demo_song
from stgmamba.music_to_skeleton.audio_features import HOP, MUSIC_FPS, extract_audio_features
from stgmamba.music_to_skeleton.model import Config, MusicToSkeleton
from stgmamba.music_to_skeleton.postprocessing import postprocess
from stgmamba.music_to_skeleton.representation import GRAPH
from stgmamba.music_to_skeleton.sampler import DanceSampler, load_sampler
from stgmamba.music_to_skeleton.styles import plan_of, style_weights
from stgmamba.options import FPS

SECONDS = 180.0
SHORT, TIMES = 45.0, 16

_PARTS = ("audio features", "network", "post-processing")


def bench_skeleton(
    weights: str | Path | None = None,
    seconds: float = SECONDS,
    short: float = SHORT,
    times: int = TIMES,
    repeats: int = 3,
) -> dict[str, Any]:
    """Measure stage 1 on the CPU; times are medians of ``repeats`` runs.

    Args:
        weights: of the network; the default weights when not given.
        seconds: length of the song of the measurements of time, memory and attention.
        short: length of the shorter song of the measurement of scaling.
        times: length of the longer song, relative to the shorter.
        repeats: runs per measurement.

    Returns:
        A dictionary for JSON: ``machine``; ``song`` (``seconds`` of the song; time of a skeleton at 25 fps, ``total``
        and its parts ``audio features``, ``network`` and ``post-processing``, seconds); ``length`` (seconds for the
        ``short`` and the ``long`` song, and their ``ratio`` divided by ``times``: 1 is linear scaling); ``memory``
        (resident MB of a separate process before and at the peak of generating the dance; None where the system has no
        /proc); ``attention`` (seconds of one evaluation of the network, and of the attention baseline, with random
        weights and the song as one sequence; their numbers of parameters; ``speedup``).

    Raises:
        InputError: not weights of this network.
    """
    sampler = load_sampler(weights)
    _time_parts(sampler, repeated_demo_song(5.0))  # compiles
    runs = [_time_parts(sampler, repeated_demo_song(seconds)) for _ in range(repeats)]
    lengths = [
        [
            sum(_time_parts(sampler, song).values())
            for song in (repeated_demo_song(short), repeated_demo_song(short * times))
        ]
        for _ in range(repeats)
    ]
    short_time, long_time = (median(column) for column in zip(*lengths, strict=True))
    return {
        "machine": machine() | {"torch": torch.__version__},
        "song": {
            "seconds": seconds,
            "total": median(sum(run.values()) for run in runs),
            **{part: median(run[part] for run in runs) for part in _PARTS},
        },
        "length": {
            "short_seconds": short,
            "long_seconds": short * times,
            "short": short_time,
            "long": long_time,
            "ratio": long_time / short_time / times,
        },
        "memory": _peak_memory(weights, seconds),
        "attention": _time_attention(sampler.model.config, seconds, repeats),
    }


def print_table(figures: dict[str, Any], console: Console | None = None) -> None:
    """Print the results of ``bench_skeleton``."""
    song, length, memory, attention = (figures[part] for part in ("song", "length", "memory", "attention"))
    table = Table(title=f"Music to skeleton, {figures['machine']['threads']} threads, medians")
    table.add_column("what")
    table.add_column("figure", justify="right")
    table.add_row(f"{song['seconds']:g} s of song to a dance", f"{song['total']:.2f} s")
    for part in _PARTS:
        table.add_row(f"  of it {part}", f"{song[part]:.2f} s")
    table.add_row(f"{length['short_seconds']:g} s of song", f"{length['short']:.2f} s")
    table.add_row(f"{length['long_seconds']:g} s of song", f"{length['long']:.2f} s")
    table.add_row("  time per second of song, long over short", f"{length['ratio']:.2f}")
    if memory is not None:
        table.add_row("peak resident memory", f"{memory['peak_mb']:.0f} MB")
        table.add_row("  before the dance", f"{memory['before_mb']:.0f} MB")
    table.add_row(f"network once, {song['seconds']:g} s in one piece", f"{attention['ours']:.2f} s")
    table.add_row("  with attention", f"{attention['attention']:.2f} s")
    table.add_row("  speed-up", f"{attention['speedup']:.1f} x")
    (console or Console()).print(table)


def _time_parts(sampler: DanceSampler, song: Song) -> dict[str, float]:
    """Seconds of each part of ``DanceSampler.generate``."""
    times = [time.perf_counter()]
    audio = extract_audio_features(song.samples, round(len(song.samples) / HOP))
    times.append(time.perf_counter())
    weights = style_weights(plan_of(sampler.styles[0]), sampler.styles, len(audio), MUSIC_FPS)
    nodes = sampler.sample_nodes(audio, 0, weights)
    times.append(time.perf_counter())
    postprocess(nodes, sampler.model.config.fps, round(song.seconds * FPS), "free", audio.beats)
    times.append(time.perf_counter())
    return dict(zip(_PARTS, np.diff(times).tolist(), strict=True))


def _time_attention(config: Config, seconds: float, repeats: int) -> dict[str, float]:
    """Times of one evaluation of our network and of the attention baseline, alternately.

    Without ``music_modulation``, which attention has nothing to apply to.
    """
    config = replace(config, music_modulation=False)
    ratio = config.frames_per_music_frame
    frames = round(seconds * MUSIC_FPS) * ratio
    networks = {"ours": MusicToSkeleton(config), "attention": MusicToSkeleton(replace(config, mixer="attention"))}
    x, t = torch.randn(1, frames, len(GRAPH), 3), torch.full((1,), 0.5)
    hidden, index = torch.randn(1, frames // ratio, config.music_channels), torch.zeros(1, dtype=torch.long)
    times: dict[str, list[float]] = {name: [] for name in networks}
    with torch.inference_mode():
        for network in networks.values():
            network.eval()(x[:, :64], t, hidden[:, : 64 // ratio], index, index)  # compiles
        for _ in range(repeats):
            for name, network in networks.items():
                start = time.perf_counter()
                network(x, t, hidden, index, index)
                times[name].append(time.perf_counter() - start)
    ours, attention = (median(times[name]) for name in networks)
    ours_size, attention_size = (sum(p.numel() for p in network.parameters()) for network in networks.values())
    return {
        "frames": frames,
        "ours": ours,
        "attention": attention,
        "speedup": attention / ours,
        "ours_parameters": ours_size,
        "attention_parameters": attention_size,
    }


def _peak_memory(weights: str | Path | None, seconds: float) -> dict[str, float] | None:
    """Memory of generating a dance, in a new process, independent of earlier measurements."""
    if not CAN_MEASURE_MEMORY:
        return None
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measure_memory, (weights, seconds))


def _measure_memory(weights: str | Path | None, seconds: float) -> dict[str, float]:
    sampler, song = load_sampler(weights), repeated_demo_song(seconds)
    _time_parts(sampler, repeated_demo_song(5.0))  # compiles
    before = resident_memory()
    peak = peak_memory(lambda: _time_parts(sampler, song))
    return {"before_mb": before / 1e6, "peak_mb": peak / 1e6}
