"""What an evaluation saw, as plots: when the steps fall, where the dancers go, what the poses look like.

Every method keeps its colour in all pictures and in the film.
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
_PALE = "#dddddd"
_DPI = 110
_COLUMNS = 4
_BIN = 0.04  # seconds: one frame, as exact as a kinematic beat can be
_SECTORS = 16
_FEW = 2 * _SECTORS  # foot strikes below which a dial says nothing
_PAIRS = 3  # songs beside each other in the trajectories


@dataclass(frozen=True)
class EvalResult:
    """The dances of an evaluation, to be shown.

    Attributes:
        songs: what was danced to, with the real dances.
        beats: for each song its beats in seconds.
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
        """A method's dances with their beats; of the real ones those whose timing was fitted, as in the report."""
        for song, beats, dances in zip(self.songs, self.beats, self.dances[name], strict=True):
            if name != REAL or song.sync:
                for dance in dances:
                    yield dance, beats


@dataclass(frozen=True)
class Section:
    """A piece of the report.

    Attributes:
        title: of the section.
        text: how to read what is shown.
        files: pictures, or a film, in their order.
    """

    title: str
    text: str
    files: tuple[Path, ...]


def check_can_draw(folder: Path) -> None:
    """Refuse early pictures that cannot be drawn or written.

    Raises:
        InputError: matplotlib is not installed, or the folder's name belongs to a file.
    """
    if find_spec("matplotlib") is None:
        raise InputError("The report's plots need matplotlib; install it with: pip install stgmamba[train].")
    if folder.exists():
        if not folder.is_dir():
            raise InputError(f"{folder}: the report's plots go into a folder of this name, and a file has it; move it.")
        check_can_write(folder / "plot.png")


def draw_pictures(result: EvalResult, folder: Path) -> list[Section]:
    """All plots of an evaluation.

    Args:
        result: what is to be shown.
        folder: where the pictures go; it is there already.

    Returns:
        The sections of the report, in their order.

    Raises:
        InputError: a file cannot be written.
    """
    dark = "The dark outline is `real`, its dances with fitted timing"
    return [
        Section(
            "When the dances halt and step",
            "Time from the nearest musical beat to each kinematic beat (a moment at which the whole body slows down) "
            f"and to each foot strike, over all songs and seeds. {dark}. A dance that hears the music has its peak at "
            "one place, a flat histogram is chance; the edges fall off where songs have shorter beats. The floors of "
            "BC and SC stand in brackets.",
            (
                _save(_histograms(result, kinematic_beats, "bc", "kinematic beats"), folder / "kinematic_beats.png"),
                _save(_histograms(result, foot_strikes, "sc", "foot strikes"), folder / "foot_strikes.png"),
            ),
        ),
        Section(
            "At which phase of the beat feet land",
            "Foot strikes around the clock of one beat: on the beat at the top, a quarter of a beat late at the right, "
            f"between two beats at the bottom. {dark}; the dotted circle is what chance gives. R is Rayleigh's: 0 for "
            "strikes spread evenly, 1 for all at one phase; the needle points to the mean phase, and would reach "
            "the rim at R = 1.",
            (_save(_clocks(result), folder / "strike_phase.png"),),
        ),
        Section(
            "Where the dancers go",
            "The path of the pelvis from above, the audience below the picture, one square to the metre; a dot marks "
            "the start. Real dancers use the whole hall, ours are kept on a small stage so that a camera can see them.",
            (_save(_paths(result), folder / "trajectories.png"),),
        ),
        Section(
            "What the poses look like",
            f"Twelve poses in {STRIP_SECONDS:g} s from the middle of each song, seen from the front, the dancer kept "
            "in the middle.",
            tuple(
                _save(_strips(result, i), folder / f"poses_{Path(song.id).name}.png")
                for i, song in enumerate(result.songs)
            ),
        ),
    ]


def _histograms(result: EvalResult, events: Callable[[Skeleton], DoubleArray], metric: str, what: str) -> Figure:
    """A panel per method: how long after the nearest beat the events come."""
    from matplotlib.ticker import MaxNLocator

    found = {
        name: _pooled([offsets(events(dance), beats) for dance, beats in result.timed(name)]) for name in result.dances
    }
    intervals = [np.median(np.diff(beats)) for beats in result.beats if len(beats) > 1]
    bins = max(1, int(np.ceil(max(intervals, default=0.5) / 2 / _BIN - 0.5)))
    edges = _BIN * (np.arange(-bins, bins + 2) - 0.5)

    def shares(name: str) -> DoubleArray:
        counts = np.histogram(found[name], edges)[0]
        return np.asarray(100.0 * counts / max(1, counts.sum()), np.float64)

    figure, panels = _grid(result, height=1.9)
    for name, panel in panels.items():
        panel.set_title(name, fontsize=9, loc="left", color=result.colours[name])
        if not len(found[name]):
            _note(panel, f"no {what}")
            continue
        panel.set_title(_against_chance(result.rows[name], metric), fontsize=7, loc="right")
        panel.stairs(shares(name), 1000 * edges, fill=True, color=result.colours[name], alpha=0.8)
        if name != REAL:
            panel.stairs(shares(REAL), 1000 * edges, color=_COLOURS[REAL], linewidth=1.0)
        panel.axvline(0, color="black", linewidth=0.6)
    top = max(float(shares(name).max()) for name in found)
    for panel in panels.values():
        panel.set_ylim(0, 1.05 * top or 1)
        panel.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        panel.set_xlim(1000 * edges[0], 1000 * edges[-1])
    figure.supxlabel(f"{what}, ms after the nearest beat", fontsize=9)
    figure.supylabel("% per 40 ms", fontsize=9)
    return figure


def _clocks(result: EvalResult) -> Figure:
    """A dial per method: share of the foot strikes in each sixteenth of a beat."""
    found = {
        name: _pooled([phases(foot_strikes(dance), beats) for dance, beats in result.timed(name)])
        for name in result.dances
    }
    # The first sector has the beat in its middle.
    edges = (np.arange(_SECTORS + 1) - 0.5) / _SECTORS

    def shares(name: str) -> DoubleArray:
        counts = np.histogram((found[name] + 0.5 / _SECTORS) % 1.0 - 0.5 / _SECTORS, edges)[0]
        return np.asarray(100.0 * counts / max(1, counts.sum()), np.float64)

    figure, panels = _grid(result, height=2.5, projection="polar")
    # All dials have one scale; who hardly steps would set it by chance.
    top = 1.1 * max((float(shares(name).max()) for name in found if len(found[name]) >= _FEW), default=0.0) or 1.0
    around = np.linspace(0, 2 * np.pi, 100)
    centres = 2 * np.pi * (edges[:-1] + edges[1:]) / 2
    for name, panel in panels.items():
        dial: Any = panel
        dial.set_theta_zero_location("N")
        dial.set_theta_direction(-1)
        panel.set_ylim(0, top)
        panel.set_xticks(np.pi / 2 * np.arange(4), ["on the beat", "¼", "½", "¾"], fontsize=7, color="#555555")
        panel.tick_params(axis="x", pad=-2)
        panel.set_yticks([])
        panel.grid(False)
        panel.spines["polar"].set_color(_PALE)
        if len(found[name]) < _FEW:
            panel.set_title(name, fontsize=9, color=result.colours[name])
            _note(panel, f"{len(found[name])} foot strikes" if len(found[name]) else "no foot strikes")
            continue
        mean = resultant(found[name])
        panel.set_title(f"{name}   R = {abs(mean):.2f}", fontsize=9, color=result.colours[name])
        panel.bar(centres, shares(name), 2 * np.pi / _SECTORS, color=result.colours[name], alpha=0.8, linewidth=0)
        if name != REAL and len(found[REAL]) >= _FEW:
            rim = np.append(np.repeat(shares(REAL), 2), shares(REAL)[0])
            panel.plot(2 * np.pi * np.repeat(edges, 2)[1:], rim, color=_COLOURS[REAL], linewidth=1.0)
        panel.plot(around, np.full(100, 100 / _SECTORS), ":", color="black", linewidth=0.7)
        panel.plot([0.0, float(np.angle(mean))], [0.0, abs(mean) * top], color="black", linewidth=1.8)
    return figure


def _paths(result: EvalResult) -> Figure:
    """Two panels per song, real and ours: the pelvis from above."""
    from matplotlib.figure import Figure

    names = [name for name in (REAL, OURS) if name in result.dances]
    across = min(_PAIRS, len(result.songs))
    down = -(-len(result.songs) // across)
    figure = Figure((2.0 * len(names) * across, 2.4 * down + 0.3), layout="constrained")
    figure.supxlabel("squares of 1 m", fontsize=8)
    cells = figure.subfigures(down, across, squeeze=False, wspace=0.05).ravel()
    for i, (song, cell) in enumerate(zip(result.songs, cells, strict=False)):
        cell.suptitle(f"{song.id}, {song.genre}", fontsize=9)
        walks = {name: mid_hip(result.dances[name][i][0].positions)[:, [0, 2]] for name in names}
        walks = {name: walk - (walk.min(axis=0) + walk.max(axis=0)) / 2 for name, walk in walks.items()}
        reach = max(1.0, np.ceil(2.2 * max(float(np.nanmax(np.abs(walk))) for walk in walks.values())) / 2)
        for panel, (name, walk) in zip(cell.subplots(1, len(names), squeeze=False)[0], walks.items(), strict=True):
            panel.plot(*walk.T, color=result.colours[name], linewidth=0.9)
            panel.plot(*walk[0], "o", color=result.colours[name], markersize=4)
            panel.set_title(name, fontsize=8, color=result.colours[name])
            metres = np.arange(-int(reach), int(reach) + 1)
            panel.set(xlim=(-reach, reach), ylim=(reach, -reach), xticks=metres, yticks=metres, aspect="equal")
            panel.grid(color=_PALE, linewidth=0.6)
            panel.set_axisbelow(True)
            panel.tick_params(length=0, labelbottom=False, labelleft=False)
            for spine in panel.spines.values():
                spine.set_color(_PALE)
    return figure


def _strips(result: EvalResult, song: int) -> Figure:
    """A row per method: poses of one song from its middle."""
    from matplotlib.figure import Figure

    from stgmamba.music_to_skeleton.previews import draw_poses

    rows = {name: draw_poses(_middle(dances[song][0]), STRIP_SECONDS) for name, dances in result.dances.items()}
    picture = np.concatenate(list(rows.values()))
    height, width = picture.shape[:2]
    # Pixel by pixel, with a margin at the left for the names and one at the top for the title.
    left, top = 20 + 9 * max(map(len, rows)), 28
    figure = Figure(((left + width) / _DPI, (top + height) / _DPI))
    panel = figure.add_axes((left / (left + width), 0, width / (left + width), height / (top + height)))
    panel.imshow(picture, aspect="auto", interpolation="none")
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
        f"{dance.id}, {dance.genre}, seconds {start:.0f} to {start + STRIP_SECONDS:.0f}", fontsize=9, loc="left"
    )
    return figure


def _middle_second(dance: Skeleton) -> float:
    return max(0.0, (dance.seconds - STRIP_SECONDS) / 2)


def _middle(dance: Skeleton) -> Skeleton:
    """A few seconds from the middle of a dance, on the spot."""
    start = round(_middle_second(dance) * dance.fps)
    piece = dance.slice(start, start + max(1, round(STRIP_SECONDS * dance.fps)))
    positions = piece.positions.copy()
    positions[..., [0, 2]] -= mid_hip(positions)[:, None, [0, 2]]
    # What is not finite has no place in a picture: all of it goes to one point.
    return Skeleton(np.nan_to_num(positions), piece.fps, piece.layout)


def _grid(result: EvalResult, height: float, projection: str | None = None) -> tuple[Figure, dict[str, Axes]]:
    """A panel per method, ``height`` inches each."""
    from matplotlib.figure import Figure

    names = list(result.dances)
    down = -(-len(names) // _COLUMNS)
    across = -(-len(names) // down)  # rows as even as can be
    figure = Figure((2.5 * across, height * down + 0.3), layout="constrained")
    panels: dict[str, Axes] = {}
    for i, name in enumerate(names):
        panel = figure.add_subplot(down, across, i + 1, projection=projection)
        if projection is None:
            panel.spines[["top", "right"]].set_visible(False)
            # Numbers only at the rim of the grid.
            panel.tick_params(labelsize=8, labelleft=i % across == 0, labelbottom=i + across >= len(names))
        panels[name] = panel
    return figure, panels


def _pooled(arrays: Sequence[DoubleArray]) -> DoubleArray:
    """All in one, without what is not finite."""
    together = np.concatenate([np.zeros(0), *arrays])
    return np.asarray(together[np.isfinite(together)], np.float64)


def _against_chance(row: Mapping[str, float | None], metric: str) -> str:
    value, floor = row[metric], row[f"{metric}_floor"]
    return "" if value is None or floor is None else f"{metric.upper()} {value:.2f} ({floor:.2f})"


def _note(panel: Axes, text: str) -> None:
    panel.text(0.5, 0.5, text, transform=panel.transAxes, ha="center", va="center", fontsize=8, color="#777777")


def _save(figure: Figure, path: Path) -> Path:
    with atomic_output(path) as part:
        figure.savefig(part, dpi=_DPI)
    return path
