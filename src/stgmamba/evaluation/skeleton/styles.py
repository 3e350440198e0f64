"""Evaluation of stage 1 by style: are the dances that it makes in a style those of that style?

Every style is danced to the same songs. Its dances are compared with the real dances of every style (PFD, VFD: the own
style should be the nearest), and a classifier that was fitted to real training dances names their style from two
seconds. A sample of real dances of the same length goes through the same comparisons: its distances are those that a
perfect dancer would have, who dances for as short a time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stgmamba.arrays import DoubleArray
from stgmamba.datasets import data_folder
from stgmamba.datasets.smpl22 import StyledDance
from stgmamba.datasets.styled import load_split
from stgmamba.errors import InputError
from stgmamba.evaluation.figures import cell, rounded, write_json
from stgmamba.evaluation.frechet import frechet_distance
from stgmamba.evaluation.skeleton.metrics.features import pose_features, velocity_features
from stgmamba.evaluation.skeleton.metrics.foot_skate import foot_skate
from stgmamba.evaluation.skeleton.metrics.jerk import jerk
from stgmamba.evaluation.skeleton.metrics.variance import pvar
from stgmamba.files import atomic_output, check_can_write
from stgmamba.machine import machine
from stgmamba.music.decode import load_song
from stgmamba.options import FPS
from stgmamba.progress import Progress
from stgmamba.skeleton import Skeleton

SECONDS = 20.0
"""Length of a dance."""

_SONG_ENDINGS = (".flac", ".m4a", ".mp3", ".ogg", ".opus", ".wav")
_WINDOW, _HOP = 50, 25  # frames that the classifier sees, and between two of its windows: 2 s and 1 s
_SHRINKAGE = 0.3  # of the classifier's covariance towards the identity; its features are standardised
_STILL = 0.05  # cm per frame, added to the spread of velocities before its logarithm

Generate = Callable[[Path, str, int], Skeleton]
"""A dance to a song's file, in a style, with a seed."""


@dataclass(frozen=True)
class StyleClassifier:
    """Linear discriminant analysis of windows of two seconds (Fisher 1936).

    Attributes:
        mean, scale: of the features, [D].
        directions: [D, S].
        bias: [S].
    """

    mean: DoubleArray
    scale: DoubleArray
    directions: DoubleArray
    bias: DoubleArray

    def __call__(self, dance: Skeleton) -> DoubleArray:
        """Index of the style of each window, [K]; empty for a dance that is shorter than a window."""
        windows = window_features(dance)
        return np.asarray(((windows - self.mean) / self.scale @ self.directions + self.bias).argmax(axis=1), np.float64)


def window_features(dance: Skeleton) -> DoubleArray:
    """Mean and spread of poses and velocities in windows of two seconds, [K, D]."""
    poses, velocities = pose_features(dance), velocity_features(dance)
    rows = [
        np.concatenate(
            [
                poses[i : i + _WINDOW].mean(axis=0),
                poses[i : i + _WINDOW].std(axis=0),
                np.abs(velocities[i : i + _WINDOW]).mean(axis=0),
                np.log(velocities[i : i + _WINDOW].std(axis=0) + _STILL),
            ]
        )
        for i in range(0, len(poses) - _WINDOW, _HOP)
    ]
    size = 2 * (poses.shape[1] + velocities.shape[1])
    return np.asarray(rows, np.float64).reshape(len(rows), size)


def fit_classifier(dances: Mapping[str, Sequence[Skeleton]]) -> StyleClassifier:
    """A classifier of the styles of real dances, each of which counts alike.

    Raises:
        InputError: a style has less than two windows.
    """
    windows = {style: np.concatenate([window_features(dance) for dance in of]) for style, of in dances.items()}
    for style, rows in windows.items():
        if len(rows) < 2:
            raise InputError(
                f"style {style!r}: its training dances are too short to tell it from others; leave it out."
            )
    every = np.concatenate(list(windows.values()))
    mean, scale = every.mean(axis=0), every.std(axis=0) + 1e-6
    standard = [(rows - mean) / scale for rows in windows.values()]
    means = np.stack([rows.mean(axis=0) for rows in standard])
    within = np.mean([np.cov(rows.T) for rows in standard], axis=0) + _SHRINKAGE * np.eye(every.shape[1])
    directions = np.linalg.solve(within, means.T)
    return StyleClassifier(mean, scale, directions, -0.5 * (means * directions.T).sum(axis=1))


def evaluate_styles(
    generate: Generate,
    styles: Sequence[str],
    songs: Sequence[Path],
    train: Sequence[StyledDance],
    held_out: Sequence[StyledDance],
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Figures of every style.

    Args:
        generate: makes a dance.
        styles: names; those without real training dances are left out.
        songs: files.
        train: real dances; the classifier is fitted to them.
        held_out: real dances of val and test.
        seed: of the dances; song i is danced with ``seed + i``.
        progress: called with (dances made, in total).

    Returns:
        ``styles``: style -> ``pfd``, ``vfd`` to the real dances of each style; ``nearest_pfd``, ``nearest_vfd``;
        ``real_pfd``, ``real_vfd`` of a real sample of the same length; ``pvar``, ``jerk``, ``foot_skate`` and the same
        of real dances; ``recognised``, the share of windows that the classifier takes for the style, and
        ``recognised_held_out`` that of real dances held out. ``mean_recognised``, ``own_nearest_pfd`` and
        ``own_nearest_vfd`` sum up.

    Raises:
        InputError: there are no songs, or no style has real dances.
    """
    if not songs:
        raise InputError("there are no songs to dance to; name a folder of songs.")
    real = {style: [dance.skeleton for dance in (*train, *held_out) if dance.style == style] for style in styles}
    training = {style: [dance.skeleton for dance in train if dance.style == style] for style in styles}
    styles = [style for style in styles if training[style]]
    if not styles:
        raise InputError("no style of the network has real dances to compare with; name folders that hold some.")
    classify = fit_classifier({style: training[style] for style in styles})
    features = {style: (_pool(real[style], pose_features), _pool(real[style], velocity_features)) for style in styles}
    rows: dict[str, Any] = {}
    for k, style in enumerate(styles):
        made = []
        for i, song in enumerate(songs):
            made.append(generate(song, style, seed + i))
            if progress is not None:
                progress(k * len(songs) + i + 1, len(styles) * len(songs))
        frames = sum(map(len, made))
        sample = _sample(real[style], frames, np.random.default_rng(seed))
        poses, velocities = _pool(made, pose_features), _pool(made, velocity_features)
        pfd = {other: frechet_distance(poses, features[other][0]) for other in styles}
        vfd = {other: frechet_distance(velocities, features[other][1]) for other in styles}
        test = [dance.skeleton for dance in held_out if dance.style == style]
        row = {
            "pfd": {other: rounded(value) for other, value in pfd.items()},
            "vfd": {other: rounded(value) for other, value in vfd.items()},
            "nearest_pfd": min(pfd, key=pfd.__getitem__),
            "nearest_vfd": min(vfd, key=vfd.__getitem__),
            "real_pfd": rounded(frechet_distance(_pool(sample, pose_features), features[style][0])),
            "real_vfd": rounded(frechet_distance(_pool(sample, velocity_features), features[style][1])),
            "recognised": _share(classify, made, k),
            "recognised_held_out": _share(classify, test, k),
        }
        for name, metric in (("pvar", pvar), ("jerk", jerk), ("foot_skate", foot_skate)):
            row[name] = rounded(float(np.mean([metric(dance) for dance in made])))
            row[f"real_{name}"] = rounded(float(np.mean([metric(dance) for dance in _long(real[style])])))
        rows[style] = row
    return {
        "styles": rows,
        "own_nearest_pfd": sum(row["nearest_pfd"] == style for style, row in rows.items()),
        "own_nearest_vfd": sum(row["nearest_vfd"] == style for style, row in rows.items()),
        "mean_recognised": rounded(float(np.mean([row["recognised"] for row in rows.values()]))),
        "songs": [song.name for song in songs],
        "seed": seed,
        "machine": machine(),
    }


def run(
    data: str | Path | None = None,
    styles_data: str | Path | None = None,
    songs: str | Path | None = None,
    json_path: str | Path | None = None,
    *,
    count: int = 6,
    seconds: float = SECONDS,
    seed: int = 0,
    weights: str | Path | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Evaluate the styles of stage 1 and write the report: what ``stgmamba evaluate styles`` does.

    Args:
        data: folder in the format of ``datasets.tang2018``; by default ``tang2018`` of the data folder.
        styles_data: folder in the format of ``datasets.smpl22``; by default ``dances`` of the data folder.
        songs: folder of songs; by default ``songs/cc0`` of the data folder.
        json_path: the file to write, ending in .json, with a Markdown report (.md) beside it; None writes nothing.
        count: songs that every style is danced to.
        seconds: length of a dance.
        seed: of the first song's dances.
        weights: of our network; the default weights when not given.
        progress: called with (dances made, in total).

    Raises:
        InputError: data, songs, weights or the output cannot be used.
    """
    from stgmamba.music_to_skeleton.sampler import load_sampler

    if json_path is not None:
        json_path = check_can_write(json_path, (".json",))
    sampler = load_sampler(weights)
    data = data_folder() / "tang2018" if data is None else data
    styles_data = data_folder() / "dances" if styles_data is None else styles_data
    folder = Path(data_folder() / "songs" / "cc0" if songs is None else songs)
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder; name one of songs.")
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in _SONG_ENDINGS)[:count]

    def generate(song: Path, style: str, number: int) -> Skeleton:
        return sampler.generate(load_song(song, seconds=seconds), seed=number, style=style)

    held_out = [*load_split(data, styles_data, "val"), *load_split(data, styles_data, "test")]
    report = evaluate_styles(
        generate, sampler.styles, files, load_split(data, styles_data, "train"), held_out, seed, progress
    )
    if json_path is not None:
        write_json(json_path, report)
        with atomic_output(json_path.with_suffix(".md")) as part:
            part.write_text(markdown(report), encoding="utf-8")
    return report


def markdown(report: Mapping[str, Any]) -> str:
    """The table of all styles and both confusion tables, as Markdown."""
    rows, styles = report["styles"], list(report["styles"])
    lines = [
        "# Styles of music to skeleton",
        "",
        f"{len(report['songs'])} songs per style. In brackets: real dances; for PFD and VFD a sample as long as ours.",
        f"The own style is the nearest for {report['own_nearest_pfd']} of {len(styles)} styles by PFD, for "
        f"{report['own_nearest_vfd']} by VFD; {report['mean_recognised']:.0%} of the windows are recognised.",
        "",
        "| style | PFD cm² ↓ | nearest | VFD (cm/frame)² ↓ | nearest | recognised (held out) ↑ | PVar cm² | jerk m/s³ "
        "| foot skate cm/s |",
        "| --- | ---: | --- | ---: | --- | ---: | ---: | ---: | ---: |",
    ]
    for style, row in rows.items():
        held_out = "–" if row["recognised_held_out"] is None else f"{row['recognised_held_out']:.0%}"
        pairs = (f"{cell(row[name])} ({cell(row[f'real_{name}'])})" for name in ("pvar", "jerk", "foot_skate"))
        lines.append(
            f"| {style} | {cell(row['pfd'][style])} ({cell(row['real_pfd'])}) | {row['nearest_pfd']} "
            f"| {cell(row['vfd'][style])} ({cell(row['real_vfd'])}) | {row['nearest_vfd']} "
            f"| {row['recognised']:.0%} ({held_out}) | " + " | ".join(pairs) + " |"
        )
    for name, title in (("pfd", "PFD"), ("vfd", "VFD")):
        lines += ["", f"## {title} of ours (rows) to real dances (columns)", ""]
        lines += ["| | " + " | ".join(styles) + " |", "| --- |" + " ---: |" * len(styles)]
        for style, row in rows.items():
            lines.append(f"| {style} | " + " | ".join(cell(row[name][other]) for other in styles) + " |")
    return "\n".join(lines) + "\n"


def _pool(dances: Sequence[Skeleton], features: Callable[[Skeleton], DoubleArray]) -> DoubleArray:
    return np.concatenate([features(dance) for dance in dances])


def _sample(dances: Sequence[Skeleton], frames: int, rng: np.random.Generator) -> list[Skeleton]:
    """Pieces of dances of so many frames together, from random places; each at most as long as one of our dances."""
    lengths = np.array([len(dance) for dance in dances], np.float64)
    pieces: list[Skeleton] = []
    while frames > 1:
        dance = dances[rng.choice(len(dances), p=lengths / lengths.sum())]
        size = min(frames, len(dance), round(SECONDS * FPS))
        start = int(rng.integers(len(dance) - size + 1))
        pieces.append(dance.slice(start, start + size))
        frames -= size
    return pieces


def _share(classify: StyleClassifier, dances: Sequence[Skeleton], style: int) -> float | None:
    """Share of the windows of dances that are taken for a style; None where there are none."""
    found = np.concatenate([classify(dance) for dance in dances]) if dances else np.zeros(0)
    return rounded(float((found == style).mean())) if len(found) else None


def _long(dances: Sequence[Skeleton]) -> list[Skeleton]:
    """Dances of more than four seconds, or all: shorter ones have no percentile of heights to speak of."""
    return [dance for dance in dances if dance.seconds > 4] or list(dances)
