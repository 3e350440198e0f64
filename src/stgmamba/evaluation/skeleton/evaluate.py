"""Evaluation of stage 1: networks, baselines and real dances on the songs of one split.

Each method makes dances to each song with several seeds. Metrics of single dances are averaged over seeds, then over
songs. PFD and VFD compare all dances of a method with all real dances of the split.

In the row ``real`` PFD and VFD are those of real dances of other songs of the same style, since real dances cannot be
compared with themselves (halves of the same dances have larger distances: a minute or two of dance is a small sample
for 66 dimensions). Diversity is that between real dances of a style in the whole folder, and the beat metrics use only
dances whose timing was fitted to the music. The fit used foot strikes, which biases the SC of ``real`` upwards.
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
from stgmamba.evaluation.methods import Comparison
from stgmamba.evaluation.skeleton.baselines import BASELINES, Baseline
from stgmamba.evaluation.skeleton.baselines.other_song import other_song
from stgmamba.evaluation.skeleton.metrics import METRICS, EvalSample
from stgmamba.evaluation.skeleton.metrics.diversity import diversity
from stgmamba.evaluation.skeleton.plots import OURS, REAL, EvalResult, Section, check_can_plot, draw_plots
from stgmamba.evaluation.skeleton.report import write_markdown
from stgmamba.files import check_can_write
from stgmamba.machine import machine
from stgmamba.music.beat_tracking.tracker import track_beats
from stgmamba.music.decode import Song, load_song
from stgmamba.music.features import onset_strength
from stgmamba.options import STYLE
from stgmamba.progress import Progress
from stgmamba.skeleton import Skeleton

SEEDS = 3
"""Dances per song and method."""

UNALIGNED = "ours_free_timing"
"""Name of our network without beat alignment."""

_TRAIN = "train"
# Sample of real dances for the metrics of the row ``real``; where not named, the dances of the songs.
_REAL_SAMPLES = {
    "pfd": "others",
    "vfd": "others",
    "bc": "fitted",
    "bc_floor": "fitted",
    "sc": "fitted",
    "sc_floor": "fitted",
    "fid_k": "others",
    "fid_g": "others",
    "bas": "fitted",
}
_ONSET_FPS = 100.0  # of the onset strength in `song_beats`
_PACKAGES = ("stgmamba", "numpy", "scipy", "librosa", "torch")


def run(
    data: str | Path | None = None,
    split: str = "val",
    json_path: str | Path | None = None,
    *,
    seed: int = 0,
    seeds: int = SEEDS,
    comparison: Comparison | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Evaluate stage 1 and write the report: what ``stgmamba evaluate skeleton`` does.

    Args:
        data: folder of dances in the format of ``datasets.tang2018``; by default ``tang2018`` of the data folder.
        split: of the songs.
        json_path: the file to write, ending in .json; a Markdown report (.md) is written beside it, with a folder of
            the same name for its pictures. None writes nothing.
        seed: the first seed; ``seeds`` consecutive ones are used.
        seeds: dances per song and method.
        comparison: networks to evaluate; ours and those of the repository when not given.
        progress: called with (songs done, songs in total), over all methods.

    Returns:
        See ``evaluate_skeletons``.

    Raises:
        InputError: data, weights, a name or the output cannot be used, or matplotlib is missing.
    """
    if json_path is not None:
        json_path = check_can_write(json_path, (".json",))
        check_can_plot(json_path.with_suffix(""))
    comparison = comparison or Comparison()
    others = comparison.other_weights("skeleton", (OURS, UNALIGNED, REAL, *BASELINES))
    ours = comparison.weights
    built: dict[str, Baseline] = {OURS: _network(ours), UNALIGNED: _network(ours, align_beats=False)}
    built |= {name: _network(path) for name, path in others.items()}
    data = data_folder() / "tang2018" if data is None else data
    result, report = _evaluate(data, split, seed, built, progress, seeds)
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
    """All metrics of methods, of the baselines and of the real dances.

    Args:
        folder: dances in the format of ``datasets.tang2018``.
        split: of the songs; baselines use the dances of the split ``train`` where there is one.
        seed: the first seed; ``seeds`` consecutive ones are used.
        methods: name -> function from a song and a seed to a dance. The baselines are added.
        progress: called with (songs done, songs in total), over all methods.
        seeds: dances per song and method, >= 1.

    Returns:
        ``methods``: name -> metric -> value (None where it is not defined), ``real`` first; with
        ``seconds_per_minute``, the computation time per minute of dance from the song's file (median over the dances).
        Also ``split``, ``seed``, ``seeds``, ``versions``, ``machine`` (processor, cores, threads) and ``songs`` (id,
        style, seconds, tempo, fitted).

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
    """The dances, and the report that ``evaluate_skeletons`` returns."""
    if seeds < 1:
        raise InputError(f"seeds is {seeds}; give 1 or more dances per song.")
    songs = load_dances(folder, split)
    train = _training_dances(folder, songs)
    beats = [song_beats(song) for song in songs]
    methods = {**methods, **{name: build(train) for name, build in BASELINES.items()}}
    rows = {REAL: _real_row(songs, beats, load_dances(folder), range(seed, seed + seeds))}
    dances: dict[str, Sequence[Sequence[Skeleton]]] = {REAL: [[song.skeleton] for song in songs]}
    done, total = 0, len(methods) * len(songs)
    for name, method in methods.items():
        generated, durations = [], []
        for song in songs:
            song_dances, seconds_per_minute = _generate(method, song, range(seed, seed + seeds))
            generated.append(song_dances)
            durations += seconds_per_minute
            done += 1
            if progress is not None:
                progress(done, total)
        sample = EvalSample(generated, beats, [song.skeleton for song in songs])
        row = {metric: rounded(entry.compute(sample)) for metric, entry in METRICS.items()}
        rows[name] = row | {"seconds_per_minute": rounded(float(np.median(durations)))}
        dances[name] = generated
    report = {
        "split": split,
        "seed": seed,
        "seeds": seeds,
        "versions": {package: version(package) for package in _PACKAGES},
        "machine": machine(),
        "songs": [
            {
                "id": song.id,
                "style": song.style,
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
    """A trained network as a method, in the song's style; where it does not know that, in the one it chooses."""
    from stgmamba.music_to_skeleton.sampler import load_sampler

    sampler = load_sampler(weights)

    def method(song: Dance, seed: int) -> Skeleton:
        style = song.style if song.style in sampler.styles else STYLE
        audio = load_song(song.audio_path)
        return sampler.generate(audio, seconds=song.skeleton.seconds, seed=seed, style=style, align_beats=align_beats)

    return method


def _render_report(result: EvalResult, folder: Path) -> list[Section]:
    """Write the plots and the comparison video of an evaluation to a folder."""
    from stgmamba.evaluation.skeleton.comparison_video import render_comparison

    folder.mkdir(exist_ok=True)
    return [*draw_plots(result, folder), render_comparison(result, folder)]


def song_beats(song: Dance) -> NDArray[np.float64]:
    """Times of the beats of a dance's music at its published tempo, seconds.

    Beat trackers often report twice the tempo of a waltz or a rumba. Every other beat is kept then, of the two choices
    the one with the stronger onsets; twice the beats would raise the floors of BC and SC.
    """
    audio = load_song(song.audio_path)
    rhythm = track_beats(audio.samples, audio.rate)
    if rhythm.tempo < 1.6 * song.tempo:
        return rhythm.beats
    return max((rhythm.beats[::2], rhythm.beats[1::2]), key=lambda times: _onset_strength_at(audio, times))


def _generate(method: Baseline, song: Dance, seeds: Sequence[int]) -> tuple[list[Skeleton], list[float]]:
    """The dances of one song, and the computation time per minute of each, seconds."""
    dances, durations = [], []
    for seed in seeds:
        start = time.perf_counter()
        dance = method(song, seed)
        durations.append((time.perf_counter() - start) / (dance.seconds / 60))
        dances.append(dance)
    return dances, durations


def _training_dances(folder: str | Path, songs: list[Dance]) -> list[Dance]:
    """Real dances for the baselines: the split ``train``, or those of the songs where the folder has no such split."""
    try:
        return load_dances(folder, _TRAIN)
    except InputError:
        return songs


def _real_row(
    songs: list[Dance], beats: Sequence[NDArray[np.float64]], all_dances: list[Dance], seeds: Sequence[int]
) -> dict[str, float | None]:
    """The row ``real`` (see the module's docstring)."""
    dances = [song.skeleton for song in songs]
    fitted = [i for i, song in enumerate(songs) if song.sync]
    samples = {"all": EvalSample([[dance] for dance in dances], beats, dances)}
    if fitted:
        samples["fitted"] = EvalSample([[dances[i]] for i in fitted], [beats[i] for i in fitted], dances)
    ids = {song.id for song in songs}
    others = [dance for dance in all_dances if dance.id not in ids]
    if others:
        baseline = other_song(others)
        samples["others"] = EvalSample([[baseline(song, seed) for seed in seeds] for song in songs], beats, dances)
    row: dict[str, float | None] = {}
    for name, metric in METRICS.items():
        sample = samples.get(_REAL_SAMPLES.get(name, "all"))
        row[name] = None if sample is None else rounded(metric.compute(sample))
    return row | {"diversity": _real_diversity(songs, all_dances), "seconds_per_minute": None}


def _real_diversity(songs: list[Dance], all_dances: list[Dance]) -> float | None:
    """Mean over the songs' styles of the diversity of real dances of a style; None where no style has two dances."""
    values = []
    for style in sorted({song.style for song in songs}):
        dances = [dance.skeleton for dance in all_dances if dance.style == style]
        if len(dances) > 1:
            values.append(diversity(dances))
    return rounded(float(np.mean(values))) if values else None


def _onset_strength_at(song: Song, times: NDArray[np.float64]) -> float:
    """Mean onset strength of a song at times [K], seconds."""
    onsets = onset_strength(song.samples, song.rate, _ONSET_FPS)
    frames = np.minimum(np.round(times * _ONSET_FPS).astype(int), len(onsets) - 1)
    return float(onsets[frames].mean())
