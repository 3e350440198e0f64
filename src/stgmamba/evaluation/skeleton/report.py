"""Markdown report of an evaluation of stage 1."""

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
↓ lower is better, ↑ higher is better, = nearest to the row `real` is best.
`bc` and `sc` have to be compared with their floors, the mean values of the same dances at random time offsets to the
music.

- `real`: `pfd` and `vfd` are those of real dances of other songs of the same style, `diversity` is that between real
  dances of a style in the whole folder; `bc`, `sc` and their floors use only dances with fitted timing ({fitted} of
  {songs}), and the fit used foot strikes, which biases `sc` upwards.
- `shifted` is the songs' real dances at a wrong time offset: its `pfd` is near 0 by construction, its `vfd` and `jerk`
  are those of the jump from the last to the first frame.
"""


def write_markdown(path: str | Path, report: Mapping[str, Any], sections: Sequence[Section] = ()) -> None:
    """Write a report as Markdown: a table of all metrics, its legend, and sections with pictures and videos.

    Raises:
        InputError: the file cannot be written.
    """
    text = markdown(report)
    for section in sections:
        text += f"\n## {section.title}\n\n{section.text}\n"
        for file in section.files:
            link = Path(os.path.relpath(file, Path(path).parent)).as_posix().replace(" ", "%20")
            text += f"\n[{file.name}]({link})\n" if file.suffix == ".mp4" else f"\n![{section.title}]({link})\n"
    with atomic_output(path) as part:
        part.write_text(text, encoding="utf-8")


def markdown(report: Mapping[str, Any]) -> str:
    """The table of all metrics and its legend, as Markdown."""
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
    lines += ["| song | style | seconds | tempo | fitted |", "| --- | --- | ---: | ---: | --- |"]
    for song in report["songs"]:
        fitted = "yes" if song["fitted"] else "no"
        lines.append(f"| {song['id']} | {song['style']} | {song['seconds']} | {song['tempo']} | {fitted} |")
    machine = report["machine"]
    lines += ["", ", ".join(f"{package} {number}" for package, number in report["versions"].items()), ""]
    lines += [f"{machine['processor']}, {machine['cores']} cores, {machine['threads']} threads", ""]
    return "\n".join(lines)
