"""Evaluation of beat tracking: ours and the baselines on songs whose beats are known, and on the same songs damaged.

``stgmamba evaluate beats``: a folder of songs as they are, slower, faster and through a 64 kbit/s mp3; composed songs
by kind; the published tempos of dances.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from stgmamba.arrays import DoubleArray, FloatArray
from stgmamba.datasets import data_folder
from stgmamba.datasets.beat_songs import BeatSong, load_beat_songs
from stgmamba.datasets.tang2018 import load_dances
from stgmamba.errors import InputError
from stgmamba.evaluation.beats.baselines import BASELINES
from stgmamba.evaluation.beats.metrics import METRICS, averaged, measure
from stgmamba.evaluation.figures import ARROWS, cell, rounded, write_json
from stgmamba.files import atomic_output, check_can_write
from stgmamba.music.beat_tracking.tracker import load_tracker
from stgmamba.music.composition.composer import ComposedSong, compose, compose_mix
from stgmamba.music.composition.effects import transcode
from stgmamba.music.composition.styles import load_styles
from stgmamba.music.composition.timing import TEMPO_KINDS
from stgmamba.music.decode import SAMPLE_RATE, load_song
from stgmamba.progress import Progress

COMPOSED_SECONDS = 45.0
"""Length of the composed songs for validation."""

_COMPOSED_SEED = 1_000_003  # no training song has it
_RATES = {"0.94 x": 0.94, "1.06 x": 1.06}
_TANG_TOLERANCE = 0.04

Method = Callable[[FloatArray], tuple[DoubleArray, DoubleArray | None]]


@dataclass(frozen=True)
class BeatInputs:
    """What is judged.

    Attributes:
        data: folder of songs with known beats (`stgmamba.datasets.beat_songs`); None for none.
        transformed: whether to judge on the same songs slower, faster and through an mp3 too.
        composed: number of composed songs.
        dances: folder of dances with published tempos; None for none.
        dances_split: of them; None for all.
    """

    data: Path | None = None
    transformed: bool = True
    composed: int = 0
    dances: Path | None = None
    dances_split: str | None = None

    @classmethod
    def with_defaults(
        cls, data: Path | None, transformed: bool, composed: int, dances: Path | None, dances_split: str | None
    ) -> BeatInputs:
        """Where nothing at all is named, the folder ``beats`` of the research data."""
        if data is None and dances is None and not composed:
            data = data_folder() / "beats"
        return cls(data, transformed, composed, dances, dances_split)


def run(
    inputs: BeatInputs,
    output: Path | None = None,
    *,
    weights: Path | None = None,
    seed: int = 0,
    compare: bool = True,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Judge beat trackers.

    Args:
        inputs: what they are judged on.
        output: write the report as JSON here, and beside it as Markdown.
        weights: of our tracker; those in the package when not given.
        seed: of the composed songs.
        compare: whether to judge the baselines too.
        progress: called with (songs done, songs in all).

    Returns:
        ``songs``: condition -> number of songs; ``methods``: condition -> method -> metric -> value;
        ``details``: condition -> method -> song -> metrics; ``tempos``: method -> share of published tempos found.

    Raises:
        InputError: songs or weights cannot be used, or mir_eval is not installed.
    """
    if output is not None:
        check_can_write(output, (".json",))
    methods = _methods(weights, compare)
    conditions = _conditions(inputs, seed)
    tempos = _dance_tempos(inputs)
    total, done = sum(map(len, conditions.values())) + len(tempos), 0
    report: dict[str, Any] = {"songs": {}, "methods": {}, "details": {}, "tempos": {}}
    for condition, songs in conditions.items():
        rows: dict[str, dict[str, dict[str, float]]] = {name: {} for name in methods}
        kinds = {song.name: song.kind for song in songs}
        for song in songs:
            for name, method in methods.items():
                start = time.perf_counter()
                beats, downbeats = method(song.samples)
                seconds = time.perf_counter() - start
                figures = measure(beats, downbeats, song.beats, song.downbeats)
                figures["seconds_per_minute"] = seconds / (len(song.samples) / SAMPLE_RATE / 60)
                rows[name][song.name] = figures
            done += 1
            if progress is not None:
                progress(done, total)
        for kind in sorted(set(kinds.values())):
            title = condition if kind == "all" else f"{condition}, {kind}"
            names = [name for name in kinds if kinds[name] == kind]
            report["songs"][title] = len(names)
            report["methods"][title] = {
                method: {
                    metric: None if value is None else rounded(value)
                    for metric, value in averaged([by_song[name] for name in names]).items()
                }
                for method, by_song in rows.items()
            }
            report["details"][title] = {
                method: {name: _plain(by_song[name]) for name in names} for method, by_song in rows.items()
            }
    hits: dict[str, list[bool]] = {name: [] for name in methods}
    for samples, tempo in tempos:
        for name, method in methods.items():
            found = 60 / float(np.median(np.diff(method(samples)[0])))
            hits[name].append(abs(found / tempo - 1) <= _TANG_TOLERANCE)
        done += 1
        if progress is not None:
            progress(done, total)
    report["tempos"] = {name: {"right": sum(right), "songs": len(right)} for name, right in hits.items() if right}
    if output is not None:
        write_json(output, report)
        with atomic_output(output.with_suffix(".md")) as part:
            part.write_text(markdown(report), encoding="utf-8")
    return report


def markdown(report: Mapping[str, Any]) -> str:
    """The tables of a report as Markdown."""
    lines = ["# Beat tracking", ""]
    for condition, methods in report["methods"].items():
        lines += [
            f"## {condition}: {report['songs'][condition]} songs",
            "",
            "| method | " + " | ".join(f"{name} {ARROWS[better]}" for name, better in METRICS.items()) + " |",
            "| --- |" + " ---: |" * len(METRICS),
        ]
        for name, row in methods.items():
            lines.append(f"| {name} | " + " | ".join(cell(row[metric]) for metric in METRICS) + " |")
        lines.append("")
    if report["tempos"]:
        lines += ["## Published tempos found within 4 %", "", "| method | right | songs |", "| --- | ---: | ---: |"]
        lines += [f"| {name} | {row['right']} | {row['songs']} |" for name, row in report["tempos"].items()]
    return "\n".join(lines).rstrip() + "\n"


def _methods(weights: Path | None, compare: bool) -> dict[str, Method]:
    tracker = load_tracker(weights)

    def ours(samples: FloatArray) -> tuple[DoubleArray, DoubleArray]:
        rhythm = tracker.track(samples)
        return rhythm.beats, rhythm.downbeats

    baselines = {name: each.track for name, each in BASELINES.items() if compare and each.installed}
    return {"ours": ours, **baselines}


def _conditions(inputs: BeatInputs, seed: int) -> dict[str, Sequence[BeatSong]]:
    conditions: dict[str, Sequence[BeatSong]] = {}
    if inputs.data is not None:
        songs = load_beat_songs(inputs.data)
        conditions["as it is"] = songs
        if inputs.transformed:
            conditions |= {name: [_at_rate(song, rate) for song in songs] for name, rate in _RATES.items()}
            conditions["mp3, 64 kbit/s"] = [
                replace(song, samples=transcode(song.samples, "mp3", 64_000)) for song in songs
            ]
    if inputs.composed:
        conditions["composed"] = [composed_song(seed, index) for index in range(inputs.composed)]
    return conditions


def composed_song(seed: int, index: int) -> BeatSong:
    """A composed song for validation; the kinds take turns: each kind of tempo, mixes, 6/8, triple metre."""
    rng = np.random.default_rng((_COMPOSED_SEED, seed, index))
    kinds = [*TEMPO_KINDS, "mix", "6/8", "3/4"]
    kind = kinds[index % len(kinds)]
    song: ComposedSong
    if kind == "mix":
        song = compose_mix(rng, COMPOSED_SECONDS)
    elif kind in ("6/8", "3/4"):
        styles = [name for name, style in load_styles().items() if style.metre == kind]
        song = compose(rng, COMPOSED_SECONDS, style=str(rng.choice(styles)))
    else:
        song = compose(rng, COMPOSED_SECONDS, tempo_kind=kind)  # type: ignore[arg-type]
    return BeatSong(f"{index}_{song.style}", song.samples, song.beats, song.downbeats, kind)


def _at_rate(song: BeatSong, rate: float) -> BeatSong:
    """The song played at another rate, with its pitch, by linear interpolation as on a turntable."""
    position = np.arange(int(len(song.samples) / rate)) * rate
    samples = np.interp(position, np.arange(len(song.samples)), song.samples).astype(np.float32)
    downbeats = None if song.downbeats is None else song.downbeats / rate
    return replace(song, samples=samples, beats=song.beats / rate, downbeats=downbeats)


def _dance_tempos(inputs: BeatInputs) -> list[tuple[FloatArray, float]]:
    if inputs.dances is None:
        return []
    dances = load_dances(inputs.dances, inputs.dances_split)
    if not dances:
        raise InputError(f"{inputs.dances}: there are no dances in it; name another folder.")
    return [(load_song(dance.audio_path).samples, dance.tempo) for dance in dances]


def _plain(row: Mapping[str, float]) -> dict[str, float | None]:
    return {name: rounded(value) for name, value in row.items()}
