"""Evaluation of stage 1: our dances, baselines and real dances on the songs of one split, in one run.

How one figure comes about: each method dances to each song with several seeds. The figures of single dances are
averaged over seeds, then over songs. PFD and VFD compare all dances of a method with all real dances of the same split.

The row ``real`` cannot be compared with itself: there PFD and VFD are those of real dances of other songs of the same
genre (halves of the same dances fare worse, a minute or two of dance being a small sample for 66 dimensions), diversity
is that between real dances of a genre over the whole folder, and the beat metrics take only dances whose timing against
the music was fitted. That fit used foot strikes, so the SC of ``real`` is a little flattered.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stgmamba.datasets import data_folder
from stgmamba.datasets.tang2018 import Dance, load_dances
from stgmamba.errors import InputError
from stgmamba.evaluation.figures import rounded, write_json
from stgmamba.evaluation.methods import compared_weights
from stgmamba.evaluation.skeleton.baselines import BASELINES, Baseline
from stgmamba.evaluation.skeleton.baselines.other_song import other_song
from stgmamba.evaluation.skeleton.metrics import METRICS, EvalSample
from stgmamba.evaluation.skeleton.metrics.diversity import diversity
from stgmamba.evaluation.skeleton.plots import OURS, REAL, EvalResult, Section, check_can_draw, draw_pictures
from stgmamba.evaluation.skeleton.report import write_markdown
from stgmamba.files import check_can_write
from stgmamba.machine import machine
from stgmamba.music.decode import Song, load_song
from stgmamba.music.features import onset_strength, track_beats
from stgmamba.progress import Progress
from stgmamba.skeleton import Skeleton

SEEDS = 3
"""Dances per song and method."""

UNALIGNED = "ours_free_timing"
"""Our weights without beat alignment: the timing of the network itself."""

_TRAIN = "train"
# Which real dances give a figure of the row ``real``, where it is not simply those of the songs.
_REAL_SAMPLES = {
    "pfd": "others",
    "vfd": "others",
    "bc": "timed",
    "bc_floor": "timed",
    "sc": "timed",
    "sc_floor": "timed",
}
_ONSET_FPS = 100.0
_PACKAGES = ("stgmamba", "numpy", "scipy", "librosa", "torch")


def run(
    data: str | Path | None = None,
    split: str = "val",
    json_path: str | Path | None = None,
    *,
    seed: int = 0,
    seeds: int = SEEDS,
    weights: str | Path | None = None,
    compare: bool = True,
    compared: Path | None = None,
    methods: Sequence[str] = (),
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Evaluate stage 1 and write the report: what ``stgmamba evaluate skeleton`` does.

    Args:
        data: folder of dances as ``datasets.tang2018`` reads them; by default ``tang2018`` of the data folder.
        split: the songs to dance to.
        json_path: the file to write, ending in .json; a report for people (.md) goes beside it, with a folder of the
            same name for its pictures. None writes nothing.
        seed: the first seed; ``seeds`` consecutive ones are used.
        seeds: dances per song and method.
        weights: of ours; the default weights when not given.
        compare: whether to evaluate the networks for comparison too, each under its file's name.
        compared: folder of their weights; by default that of the repository.
        methods: more weights to evaluate, ``NAME=FILE`` each.
        progress: called with (songs done, songs in all), over all methods and seeds.

    Returns:
        What ``evaluate_skeletons`` returns.

    Raises:
        InputError: data, weights, a name or the output cannot be used, or matplotlib is missing.
    """
    if json_path is not None:
        json_path = check_can_write(json_path, (".json",))
        check_can_draw(json_path.with_suffix(""))
    networks = compared_weights("skeleton", compare, compared, methods, (OURS, UNALIGNED, REAL, *BASELINES))
    contestants = {OURS: _network(weights), UNALIGNED: _network(weights, align_beats=False)}
    contestants |= {name: _network(path) for name, path in networks.items()}
    data = data_folder() / "tang2018" if data is None else data
    result, report = _evaluate(data, split, seed, contestants, progress, seeds)
    if json_path is not None:
        write_json(json_path, report)
        write_markdown(json_path.with_suffix(".md"), report, _render_report(result, json_path.with_suffix("")))
    return report


def evaluate_skeletons(
    folder: str | Path,
    split: str,
    seed: int = 0,
    methods: Mapping[str, Baseline] | None = None,
    progress: Progress | None = None,
    seeds: int = SEEDS,
) -> dict[str, Any]:
    """All metrics of some methods, of the baselines and of the real dances.

    Args:
        folder: dances as ``datasets.tang2018`` reads them.
        split: the songs to dance to; baselines learn from the split ``train`` where there is one.
        seed: the first seed; ``seeds`` consecutive ones are used.
        methods: name -> what makes a dance from a song and a seed. The baselines are added.
        progress: called with (songs done, songs in all), over all methods and seeds.
        seeds: dances per song and method, >= 1.

    Returns:
        ``methods``: name -> metric -> value (None where it is not defined), with ``seconds_per_minute``, the time to
        make one minute of dance from the song's file (median over the dances); ``real`` first.
        ``split``, ``seed``, ``seeds``, ``versions``, ``machine`` (processor, cores, threads), ``songs`` (id, genre,
        seconds, tempo, fitted) beside it.

    Raises:
        InputError: the folder cannot be used, or ``seeds`` is not positive.
    """
    return _evaluate(folder, split, seed, methods or {}, progress, seeds)[1]


def _evaluate(
    folder: str | Path,
    split: str,
    seed: int,
    methods: Mapping[str, Baseline],
    progress: Progress | None,
    seeds: int,
) -> tuple[EvalResult, dict[str, Any]]:
    """The dances, and what ``evaluate_skeletons`` returns."""
    if seeds < 1:
        raise InputError(f"seeds is {seeds}; give 1 or more dances per song.")
    songs = load_dances(folder, split)
    train = _training_dances(folder, songs)
    beats = [song_beats(song) for song in songs]
    contestants = {**methods, **{name: build(train) for name, build in BASELINES.items()}}
    rows = {REAL: _real_row(songs, beats, load_dances(folder), range(seed, seed + seeds))}
    dances: dict[str, Sequence[Sequence[Skeleton]]] = {REAL: [[song.skeleton] for song in songs]}
    done, total = 0, len(contestants) * len(songs)
    for name, method in contestants.items():
        made, speeds = [], []
        for song in songs:
            for_song, seconds_per_minute = _dance(method, song, range(seed, seed + seeds))
            made.append(for_song)
            speeds += seconds_per_minute
            done += 1
            if progress is not None:
                progress(done, total)
        sample = EvalSample(made, beats, [song.skeleton for song in songs])
        row = {metric: rounded(entry.compute(sample)) for metric, entry in METRICS.items()}
        rows[name] = row | {"seconds_per_minute": rounded(float(np.median(speeds)))}
        dances[name] = made
    report = {
        "split": split,
        "seed": seed,
        "seeds": seeds,
        "versions": {package: version(package) for package in _PACKAGES},
        "machine": machine(),
        "songs": [
            {
                "id": song.id,
                "genre": song.genre,
                "seconds": round(song.skeleton.seconds, 2),
                "tempo": song.tempo,
                "fitted": song.sync,
            }
            for song in songs
        ],
        "methods": rows,
    }
    return EvalResult(songs, beats, dances, rows), report


def _network(weights: str | Path | None, align_beats: bool = True) -> Baseline:
    """A trained network as a method: it hears the song's file, and is told the genre where it knows it.

    All networks are brought onto the beat in the same way, so that they are compared as dances are made.
    """
    from stgmamba.music_to_skeleton.sampler import load_sampler

    generator = load_sampler(weights)

    def dance(song: Dance, seed: int) -> Skeleton:
        genre = song.genre if song.genre in generator.genres else None
        audio = load_song(song.audio_path)
        return generator.generate(audio, seconds=song.skeleton.seconds, seed=seed, genre=genre, align_beats=align_beats)

    return dance


def _render_report(result: EvalResult, folder: Path) -> list[Section]:
    """Plots and film of an evaluation, in a folder of their own."""
    from stgmamba.evaluation.skeleton.comparison_video import render_comparison

    folder.mkdir(exist_ok=True)
    return [*draw_pictures(result, folder), render_comparison(result, folder)]


def song_beats(song: Dance) -> NDArray[np.float64]:
    """Beats of a dance's music in seconds, at its published tempo.

    Trackers often count a waltz or a rumba twice as fast as its dancers. Where that happened every other beat is
    kept, of the two choices the one with the stronger onsets: twice the beats would lift the floor of BC and SC.
    """
    audio = load_song(song.audio_path)
    beats = track_beats(audio.samples, audio.rate)
    if beats.tempo < 1.6 * song.tempo:
        return beats.times
    return max((beats.times[::2], beats.times[1::2]), key=lambda times: _onset_strength_at(audio, times))


def _dance(method: Baseline, song: Dance, seeds: Sequence[int]) -> tuple[list[Skeleton], list[float]]:
    """The dances of one song, and the seconds that a minute of each took."""
    dances, speeds = [], []
    for seed in seeds:
        begin = time.perf_counter()
        dance = method(song, seed)
        speeds.append((time.perf_counter() - begin) / (dance.seconds / 60))
        dances.append(dance)
    return dances, speeds


def _training_dances(folder: str | Path, songs: list[Dance]) -> list[Dance]:
    """Real dances that baselines may learn from; those of the songs themselves in a folder without a training split."""
    try:
        return load_dances(folder, _TRAIN)
    except InputError:
        return songs


def _real_row(
    songs: list[Dance], beats: Sequence[NDArray[np.float64]], everything: list[Dance], seeds: Sequence[int]
) -> dict[str, float | None]:
    dances = [song.skeleton for song in songs]
    fitted = [i for i, song in enumerate(songs) if song.sync]
    samples = {"whole": EvalSample([[dance] for dance in dances], beats, dances)}
    if fitted:
        samples["timed"] = EvalSample([[dances[i]] for i in fitted], [beats[i] for i in fitted], dances)
    inside = {song.id for song in songs}
    others = [dance for dance in everything if dance.id not in inside]
    if others:
        baseline = other_song(others)
        samples["others"] = EvalSample([[baseline(song, seed) for seed in seeds] for song in songs], beats, dances)
    row: dict[str, float | None] = {}
    for name, metric in METRICS.items():
        sample = samples.get(_REAL_SAMPLES.get(name, "whole"))
        row[name] = None if sample is None else rounded(metric.compute(sample))
    return row | {"diversity": _real_diversity(songs, everything), "seconds_per_minute": None}


def _real_diversity(songs: list[Dance], everything: list[Dance]) -> float | None:
    """Mean over the songs' genres of the diversity between real dances of that genre; None where none has two."""
    values = []
    for genre in sorted({song.genre for song in songs}):
        dances = [dance.skeleton for dance in everything if dance.genre == genre]
        if len(dances) > 1:
            values.append(diversity(dances))
    return rounded(float(np.mean(values))) if values else None


def _onset_strength_at(song: Song, times: NDArray[np.float64]) -> float:
    onsets = onset_strength(song.samples, song.rate, _ONSET_FPS)
    frames = np.minimum(np.round(times * _ONSET_FPS).astype(int), len(onsets) - 1)
    return float(onsets[frames].mean())
