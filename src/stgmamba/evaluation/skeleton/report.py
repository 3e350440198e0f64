"""The report of an evaluation of stage 1 for people."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stgmamba.evaluation.figures import ARROWS, cell
from stgmamba.evaluation.skeleton.metrics import METRICS
from stgmamba.files import atomic_output

if TYPE_CHECKING:
    from stgmamba.evaluation.skeleton.plots import Section

_LEGEND = """\
↓ lower is better, ↑ higher is better, = as in the row `real` is best.
`bc` and `sc` mean something only above their floors: what the same dances reach when shifted against the music at
random.

- `real`: `pfd` and `vfd` are those of real dances of other songs of the same genre, `diversity` is that between real
  dances of a genre in the whole folder; `bc`, `sc` and their floors take only dances with fitted timing ({fitted} of
  {songs}), and the fit used foot strikes, which flatters `sc`.
- `shifted` plays the songs' own dances out of step: its `pfd` is near 0 by construction, its `vfd` and `jerk` come from
  the one jump where the end meets the start.
"""


def write_markdown(path: str | Path, report: Mapping[str, Any], sections: Sequence[Section] = ()) -> None:
    """Write a report for people: one table, how to read it, and pictures, shown from where they lie.

    Raises:
        InputError: the file cannot be written.
    """
    text = markdown(report)
    for section in sections:
        text += f"\n## {section.title}\n\n{section.text}\n"
        for file in section.files:
            where = Path(os.path.relpath(file, Path(path).parent)).as_posix().replace(" ", "%20")
            shown = "" if file.suffix == ".mp4" else "!"
            text += f"\n{shown}[{file.name if not shown else section.title}]({where})\n"
    with atomic_output(path) as part:
        part.write_text(text, encoding="utf-8")


def markdown(report: Mapping[str, Any]) -> str:
    """The figures as one page of Markdown."""
    columns = {
        name: f"{name}{f' [{metric.unit}]' if metric.unit else ''} {ARROWS[metric.better]}".strip()
        for name, metric in METRICS.items()
    } | {"seconds_per_minute": "seconds per minute ↓"}
    lines = [
        f"# Music to skeleton on `{report['split']}`",
        "",
        f"{len(report['songs'])} songs, dances per song and method: {report['seeds']}, seeds from {report['seed']}.",
        "",
        "| method | " + " | ".join(columns.values()) + " |",
        "| --- |" + " ---: |" * len(columns),
    ]
    for name, row in report["methods"].items():
        lines.append(f"| {name} | " + " | ".join(cell(row.get(column)) for column in columns) + " |")
    fitted = sum(song["fitted"] for song in report["songs"])
    lines += ["", _LEGEND.format(fitted=fitted, songs=len(report["songs"]))]
    lines += ["| song | genre | seconds | tempo | fitted |", "| --- | --- | ---: | ---: | --- |"]
    for song in report["songs"]:
        fitted = "yes" if song["fitted"] else "no"
        lines.append(f"| {song['id']} | {song['genre']} | {song['seconds']} | {song['tempo']} | {fitted} |")
    machine = report["machine"]
    lines += ["", ", ".join(f"{package} {number}" for package, number in report["versions"].items()), ""]
    lines += [f"{machine['processor']}, {machine['cores']} cores, {machine['threads']} threads", ""]
    return "\n".join(lines)
