"""Plots of an evaluation of stage 1: timing of motion events, trajectories, poses.

Every method has the same colour in all plots and in the comparison video.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stgmamba.arrays import DoubleArray
from stgmamba.datasets.tang2018 import Dance
from stgmamba.errors import InputError
from stgmamba.evaluation.skeleton.metrics.beats import offsets, phases, resultant
from stgmamba.files import atomic_output, check_can_write
from stgmamba.skeleton import Skeleton
from stgmamba.skeleton.body import mid_hip
from stgmamba.skeleton.motion_events import foot_strikes, kinematic_beats

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

REAL, OURS = "real", "ours"
STRIP_SECONDS = 6.0
"""Length of the part of a dance whose poses are shown."""

_COLOURS = {REAL: "#454545", OURS: "#0b6fa4"}
_OTHER_COLOURS = (
    "#b8590a",
    "#1f7a3d",
    "#8c3b86",
    "#a3262a",
    "#2a7f80",
    "#7a5a24",
    "#4b4fa8",
    "#6a7a1c",
    "#b23a6f",
    "#3f6f52",
    "#8a4a35",
    "#5d6b78",
)
_GRID_COLOUR = "#dddddd"
_DPI = 110
_COLUMNS = 4
_BIN = 0.04  # seconds: one frame, the resolution of kinematic beats
_SECTORS = 16
_MIN_STRIKES = 2 * _SECTORS  # a phase histogram of fewer foot strikes is not shown
_SONGS_PER_ROW = 3  # in the trajectories


@dataclass(frozen=True)
class EvalResult:
    """The dances and metrics of an evaluation.

    Attributes:
        songs: the songs, with their real dances.
        beats: for each song the times of its beats, seconds.
        dances: method -> for each song its dances, one per seed; ``real`` first.
        rows: method -> metric -> value, as in the report.
    """

    songs: Sequence[Dance]
    beats: Sequence[NDArray[np.float64]]
    dances: Mapping[str, Sequence[Sequence[Skeleton]]]
    rows: Mapping[str, Mapping[str, float | None]]

    @property
    def colours(self) -> dict[str, str]:
        """Method -> #rrggbb."""
        others = [name for name in self.dances if name not in _COLOURS]
        return _COLOURS | {name: _OTHER_COLOURS[i % len(_OTHER_COLOURS)] for i, name in enumerate(others)}

    def timed(self, name: str) -> Iterator[tuple[Skeleton, NDArray[np.float64]]]:
        """The dances of a method with the beats of their songs; of ``real`` only those with fitted timing."""
        for song, beats, dances in zip(self.songs, self.beats, self.dances[name], strict=True):
            if name != REAL or song.sync:
                for dance in dances:
                    yield dance, beats


@dataclass(frozen=True)
class Section:
    """A section of the report.

    Attributes:
        title: heading.
        text: explanation of the files.
        files: pictures or a video, in order.
    """

    title: str
    text: str
    files: tuple[Path, ...]


def check_can_plot(folder: Path) -> None:
    """Check before an evaluation that plots can be drawn and written.

    Raises:
        InputError: matplotlib is not installed, or the folder's name belongs to a file.
    """
    if find_spec("matplotlib") is None:
        raise InputError("The report's plots need matplotlib; install it with: pip install stgmamba[train].")
    if folder.exists():
        if not folder.is_dir():
            raise InputError(f"{folder}: the report's plots go into a folder of this name, and a file has it; move it.")
        check_can_write(folder / "plot.png")


def draw_plots(result: EvalResult, folder: Path) -> list[Section]:
    """Draw all plots of an evaluation.

    Args:
        result: of the evaluation.
        folder: of the files; it must exist.

    Returns:
        Sections of the report, in order.

    Raises:
        InputError: a file cannot be written.
    """
    outline = "The dark outline is `real`, dances with fitted timing"
    return [
        Section(
            "Timing of kinematic beats and foot strikes",
            "Time from the nearest musical beat to each kinematic beat (a local minimum of the body's speed) and to "
            f"each foot strike, over all songs and seeds. {outline}. Synchronous dances have a peak, a flat histogram "
            "is the chance level; it decreases at the edges, which songs of fast beats do not reach. The floors of BC "
            "and SC are in brackets.",
            (
                _save(_histograms(result, kinematic_beats, "bc", "kinematic beats"), folder / "kinematic_beats.png"),
                _save(_histograms(result, foot_strikes, "sc", "foot strikes"), folder / "foot_strikes.png"),
            ),
        ),
        Section(
            "Beat phase of foot strikes",
            "Foot strikes by beat phase: on the beat at the top, a quarter of a beat late at the right, between two "
            f"beats at the bottom. {outline}; the dotted circle is the chance level. R is Rayleigh's: 0 for a uniform "
            "distribution, 1 for equal phases; the line points to the mean phase and has the length R, relative to the "
            "radius.",
            (_save(_phase_histograms(result), folder / "strike_phase.png"),),
        ),
        Section(
            "Trajectories",
            "The path of the pelvis from above, the camera at the bottom, squares of 1 m; a dot marks the start. Real "
            "dancers use the whole hall; the travel of generated dances is limited, so that they fit into a frame.",
            (_save(_trajectories(result), folder / "trajectories.png"),),
        ),
        Section(
            "Poses",
            f"Twelve poses in {STRIP_SECONDS:g} s from the middle of each song, from the front, without travel.",
            tuple(
                _save(_pose_strips(result, i), folder / f"poses_{Path(song.id).name}.png")
                for i, song in enumerate(result.songs)
            ),
        ),
    ]


def _histograms(result: EvalResult, events: Callable[[Skeleton], DoubleArray], metric: str, what: str) -> Figure:
    """Histograms of the time from the nearest beat to events, a panel per method."""
    from matplotlib.ticker import MaxNLocator

    delays = {
        name: _pool([offsets(events(dance), beats) for dance, beats in result.timed(name)]) for name in result.dances
    }
    intervals = [np.median(np.diff(beats)) for beats in result.beats if len(beats) > 1]
    bins = max(1, int(np.ceil(max(intervals, default=0.5) / 2 / _BIN - 0.5)))
    edges = _BIN * (np.arange(-bins, bins + 2) - 0.5)

    def percentages(name: str) -> DoubleArray:
        counts = np.histogram(delays[name], edges)[0]
        return np.asarray(100.0 * counts / max(1, counts.sum()), np.float64)

    figure, panels = _grid(result, height=1.9)
    for name, panel in panels.items():
        panel.set_title(name, fontsize=9, loc="left", color=result.colours[name])
        if not len(delays[name]):
            _write(panel, f"no {what}")
            continue
        panel.set_title(_with_floor(result.rows[name], metric), fontsize=7, loc="right")
        panel.stairs(percentages(name), 1000 * edges, fill=True, color=result.colours[name], alpha=0.8)
        if name != REAL:
            panel.stairs(percentages(REAL), 1000 * edges, color=_COLOURS[REAL], linewidth=1.0)
        panel.axvline(0, color="black", linewidth=0.6)
    top = max(float(percentages(name).max()) for name in delays)
    for panel in panels.values():
        panel.set_ylim(0, 1.05 * top or 1)
        panel.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        panel.set_xlim(1000 * edges[0], 1000 * edges[-1])
    figure.supxlabel(f"{what}, ms after the nearest beat", fontsize=9)
    figure.supylabel("% per 40 ms", fontsize=9)
    return figure


def _phase_histograms(result: EvalResult) -> Figure:
    """Polar histograms of the beat phases of foot strikes, a panel per method."""
    strikes = {
        name: _pool([phases(foot_strikes(dance), beats) for dance, beats in result.timed(name)])
        for name in result.dances
    }
    # The first sector is centred on the beat.
    edges = (np.arange(_SECTORS + 1) - 0.5) / _SECTORS

    def percentages(name: str) -> DoubleArray:
        counts = np.histogram((strikes[name] + 0.5 / _SECTORS) % 1.0 - 0.5 / _SECTORS, edges)[0]
        return np.asarray(100.0 * counts / max(1, counts.sum()), np.float64)

    figure, panels = _grid(result, height=2.5, projection="polar")
    # All panels have the same scale.
    shown = [name for name in strikes if len(strikes[name]) >= _MIN_STRIKES]
    top = 1.1 * max((float(percentages(name).max()) for name in shown), default=0.0) or 1.0
    around = np.linspace(0, 2 * np.pi, 100)
    centres = 2 * np.pi * (edges[:-1] + edges[1:]) / 2
    for name, panel in panels.items():
        polar: Any = panel
        polar.set_theta_zero_location("N")
        polar.set_theta_direction(-1)
        panel.set_ylim(0, top)
        panel.set_xticks(np.pi / 2 * np.arange(4), ["on the beat", "¼", "½", "¾"], fontsize=7, color="#555555")
        panel.tick_params(axis="x", pad=-2)
        panel.set_yticks([])
        panel.grid(False)
        panel.spines["polar"].set_color(_GRID_COLOUR)
        if name not in shown:
            panel.set_title(name, fontsize=9, color=result.colours[name])
            _write(panel, f"{len(strikes[name])} foot strikes" if len(strikes[name]) else "no foot strikes")
            continue
        mean = resultant(strikes[name])
        panel.set_title(f"{name}   R = {abs(mean):.2f}", fontsize=9, color=result.colours[name])
        panel.bar(centres, percentages(name), 2 * np.pi / _SECTORS, color=result.colours[name], alpha=0.8, linewidth=0)
        if name != REAL and REAL in shown:
            outline = np.append(np.repeat(percentages(REAL), 2), percentages(REAL)[0])
            panel.plot(2 * np.pi * np.repeat(edges, 2)[1:], outline, color=_COLOURS[REAL], linewidth=1.0)
        panel.plot(around, np.full(100, 100 / _SECTORS), ":", color="black", linewidth=0.7)
        panel.plot([0.0, float(np.angle(mean))], [0.0, abs(mean) * top], color="black", linewidth=1.8)
    return figure


def _trajectories(result: EvalResult) -> Figure:
    """Path of the pelvis from above, two panels per song: ``real`` and ``ours``."""
    from matplotlib.figure import Figure

    names = [name for name in (REAL, OURS) if name in result.dances]
    columns = min(_SONGS_PER_ROW, len(result.songs))
    rows = -(-len(result.songs) // columns)
    figure = Figure((2.0 * len(names) * columns, 2.4 * rows + 0.3), layout="constrained")
    figure.supxlabel("squares of 1 m", fontsize=8)
    cells = figure.subfigures(rows, columns, squeeze=False, wspace=0.05).ravel()
    for i, (song, cell) in enumerate(zip(result.songs, cells, strict=False)):
        cell.suptitle(f"{song.id}, {song.style}", fontsize=9)
        paths = {name: mid_hip(result.dances[name][i][0].positions)[:, [0, 2]] for name in names}
        paths = {name: path - (path.min(axis=0) + path.max(axis=0)) / 2 for name, path in paths.items()}
        limit = max(1.0, np.ceil(2.2 * max(float(np.nanmax(np.abs(path))) for path in paths.values())) / 2)
        for panel, (name, path) in zip(cell.subplots(1, len(names), squeeze=False)[0], paths.items(), strict=True):
            panel.plot(*path.T, color=result.colours[name], linewidth=0.9)
            panel.plot(*path[0], "o", color=result.colours[name], markersize=4)
            panel.set_title(name, fontsize=8, color=result.colours[name])
            metres = np.arange(-int(limit), int(limit) + 1)
            panel.set(xlim=(-limit, limit), ylim=(limit, -limit), xticks=metres, yticks=metres, aspect="equal")
            panel.grid(color=_GRID_COLOUR, linewidth=0.6)
            panel.set_axisbelow(True)
            panel.tick_params(length=0, labelbottom=False, labelleft=False)
            for spine in panel.spines.values():
                spine.set_color(_GRID_COLOUR)
    return figure


def _pose_strips(result: EvalResult, song: int) -> Figure:
    """Poses from the middle of one song, a row per method."""
    from matplotlib.figure import Figure

    from stgmamba.music_to_skeleton.previews import draw_poses

    rows = {name: draw_poses(_middle(dances[song][0]), STRIP_SECONDS) for name, dances in result.dances.items()}
    image = np.concatenate(list(rows.values()))
    height, width = image.shape[:2]
    # One image pixel per figure pixel, with a margin at the left for the names and one at the top for the title.
    left, top = 20 + 9 * max(map(len, rows)), 28
    figure = Figure(((left + width) / _DPI, (top + height) / _DPI))
    panel = figure.add_axes((left / (left + width), 0, width / (left + width), height / (top + height)))
    panel.imshow(image, aspect="auto", interpolation="none")
    middles = (np.arange(len(rows)) + 0.5) * height / len(rows)
    panel.set_yticks(middles, list(rows), fontsize=9)
    for name, label in zip(rows, panel.get_yticklabels(), strict=True):
        label.set_color(result.colours[name])
    panel.set_xticks([])
    panel.tick_params(length=0)
    panel.spines[:].set_visible(False)
    dance = result.songs[song]
    start = _middle_second(dance.skeleton)
    panel.set_title(
        f"{dance.id}, {dance.style}, seconds {start:.0f} to {start + STRIP_SECONDS:.0f}", fontsize=9, loc="left"
    )
    return figure


def _middle_second(dance: Skeleton) -> float:
    """Start time of the middle part of a dance, seconds."""
    return max(0.0, (dance.seconds - STRIP_SECONDS) / 2)


def _middle(dance: Skeleton) -> Skeleton:
    """The middle STRIP_SECONDS of a dance, without travel; positions that are not finite are set to 0."""
    start = round(_middle_second(dance) * dance.fps)
    part = dance.slice(start, start + max(1, round(STRIP_SECONDS * dance.fps)))
    positions = part.positions.copy()
    positions[..., [0, 2]] -= mid_hip(positions)[:, None, [0, 2]]
    return Skeleton(np.nan_to_num(positions), part.fps, part.layout)


def _grid(result: EvalResult, height: float, projection: str | None = None) -> tuple[Figure, dict[str, Axes]]:
    """A figure with a panel per method, each ``height`` inches high."""
    from matplotlib.figure import Figure

    names = list(result.dances)
    rows = -(-len(names) // _COLUMNS)
    columns = -(-len(names) // rows)  # rows of about equal length
    figure = Figure((2.5 * columns, height * rows + 0.3), layout="constrained")
    panels: dict[str, Axes] = {}
    for i, name in enumerate(names):
        panel = figure.add_subplot(rows, columns, i + 1, projection=projection)
        if projection is None:
            panel.spines[["top", "right"]].set_visible(False)
            # Tick labels at the outer panels only.
            panel.tick_params(labelsize=8, labelleft=i % columns == 0, labelbottom=i + columns >= len(names))
        panels[name] = panel
    return figure, panels


def _pool(arrays: Sequence[DoubleArray]) -> DoubleArray:
    """The finite values of all arrays."""
    values = np.concatenate([np.zeros(0), *arrays])
    return np.asarray(values[np.isfinite(values)], np.float64)


def _with_floor(row: Mapping[str, float | None], metric: str) -> str:
    value, floor = row[metric], row[f"{metric}_floor"]
    return "" if value is None or floor is None else f"{metric.upper()} {value:.2f} ({floor:.2f})"


def _write(panel: Axes, text: str) -> None:
    """Write a text in the middle of a panel."""
    panel.text(0.5, 0.5, text, transform=panel.transAxes, ha="center", va="center", fontsize=8, color="#777777")


def _save(figure: Figure, path: Path) -> Path:
    with atomic_output(path) as part:
        figure.savefig(part, dpi=_DPI)
    return path
