"""The report of an evaluation of stage 2 for people: tables and strips of pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from stgmamba.arrays import Frame
from stgmamba.evaluation.figures import ARROWS, cell
from stgmamba.evaluation.video.metrics import METRICS
from stgmamba.files import atomic_output, check_can_write
from stgmamba.skeleton import Skeleton
from stgmamba.skeleton.drawing import draw_skeleton

ROWS = 4
"""Moments of a scene that are shown."""

_COLUMNS = {name: f"{metric.unit} {ARROWS[metric.better]}".strip() for name, metric in METRICS.items()} | {
    "lpips": ARROWS["lower"],
    "fid": ARROWS["lower"],
    "fvd": ARROWS["lower"],
    "fps": ARROWS["higher"],
}
_GAP, _LABEL = 4, 20  # pixels
_LEGEND = """\
↓ lower is better, ↑ higher is better. `pck`: share of joints found again within a tenth of the torso; `flicker`: change
from frame to frame beyond that of the true frames, where these stand still; `identity`: distance of face and clothes to
the picture; `fps`: frames a second of drawing. `truth` is what the true frames reach.
"""


@dataclass(frozen=True)
class Strip:
    """Pictures of one scene.

    Attributes:
        name: of the scene.
        condition: uint8 [H, W, 3].
        targets: 2-D, the poses of the moments shown, with the frames' size.
        pictures: method -> uint8 [ROWS, H, W, 3].
    """

    name: str
    condition: Frame
    targets: Skeleton
    pictures: Mapping[str, Frame]


def write_report(json_path: Path, report: Mapping[str, Any], strips: Mapping[str, Sequence[Strip]]) -> None:
    """Write the report beside the JSON file, and its pictures in a folder of the same name.

    Raises:
        InputError: a file cannot be written.
    """
    folder = json_path.with_suffix("")
    folder.mkdir(exist_ok=True)
    check_can_write(folder / "strip.png")
    text = markdown(report)
    for section, shown in strips.items():
        text += f"\n## Pictures: {section}\n\nCondition, target pose, and what was made of them; from above, moments.\n"
        for i, strip in enumerate(shown):
            path = folder / f"{section}_{i:02d}.png"
            with atomic_output(path) as part:
                Image.fromarray(draw_strip(strip)).save(part)
            text += f"\n{strip.name}\n\n![{strip.name}]({folder.name.replace(' ', '%20')}/{path.name})\n"
    with atomic_output(json_path.with_suffix(".md")) as part:
        part.write_text(text, encoding="utf-8")


def markdown(report: Mapping[str, Any]) -> str:
    """The figures as one page of Markdown."""
    what = "what was kept from training" if report["held_out"] else "everything given"
    lines = [
        "# Skeleton to video",
        "",
        f"Frames of {report['size']} pixels' height, seed {report['seed']}; judged on {what}.",
        "",
    ]
    if "methods" in report:
        lines += ["## Clips", "", *_table(report["methods"], report["truth"]), "", *_scenes(report["clips"])]
        lines += _sentences(report["left_out"])
    if "drawn" in report:
        drawn = report["drawn"]
        lines += ["## Drawn dancers", "", *_table(drawn["methods"], drawn["truth"]), "", *_scenes(drawn["scenes"])]
        lines += _sentences(drawn["left_out"])
    if "photos" in report:
        photos = report["photos"]
        names = list(photos["methods"])
        lines += ["## Photos: pose found again (pck)", "", f"| photo | {' | '.join(names)} |"]
        lines += ["| --- |" + " ---: |" * len(names)]
        for photo, row in photos["photos"].items():
            lines.append(f"| {photo} | " + " | ".join(cell(row[name]) for name in names) + " |")
        means = [cell(photos["methods"][name]["pck"]) for name in names]
        lines += [f"| mean | {' | '.join(means)} |", "", *_sentences(photos["left_out"])]
    if "methods" in report or "drawn" in report:
        lines += [_LEGEND]
        rows = [*report.get("methods", {}).values(), *report.get("drawn", {}).get("methods", {}).values()]
        missing = [name for name in ("lpips", "fid", "fvd") if not any(name in row for row in rows)]
        if missing:
            options = ", ".join(f"`--{name}-weights`" for name in missing)
            lines += [f"Not measured, since no weights were given ({options}): {', '.join(missing)}.", ""]
    machine = report["machine"]
    lines += [", ".join(f"{package} {number}" for package, number in report["versions"].items()), ""]
    lines += [f"{machine['processor']}, {machine['cores']} cores, {machine['threads']} threads", ""]
    return "\n".join(lines)


def _table(rows: Mapping[str, Mapping[str, float | None]], truth: Mapping[str, float | None]) -> list[str]:
    columns = [name for name in _COLUMNS if any(name in row for row in rows.values())]
    heads = [f"{name} {_COLUMNS[name]}" for name in columns]
    lines = [f"| method | {' | '.join(heads)} |", "| --- |" + " ---: |" * len(columns)]
    for method, row in [*rows.items(), ("truth", truth)]:
        lines.append(f"| {method} | " + " | ".join(cell(row.get(name)) for name in columns) + " |")
    return lines


def _scenes(scenes: Mapping[str, Mapping[str, Any]]) -> list[str]:
    lines = ["| scene | facts |", "| --- | --- |"]
    for name, facts in scenes.items():
        told = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in facts.items() if key != "note")
        lines.append(f"| {name} | {told}{'. ' + facts['note'] if 'note' in facts else ''} |")
    return [*lines, ""]


def _sentences(sentences: Sequence[str]) -> list[str]:
    return [f"- {sentence}" for sentence in sentences] + ([""] if sentences else [])


def draw_strip(strip: Strip) -> Frame:
    """One row per moment: condition, target pose, every method; names above."""
    wide, high = strip.targets.size or (0, 0)
    columns: dict[str, Sequence[Frame]] = {
        "condition": [_fitted(strip.condition, (wide, high))] * ROWS,
        "target": [_pose(strip.targets, i, (wide, high)) for i in range(ROWS)],
    }
    columns |= {
        name: [_fitted(picture, (wide, high)) for picture in pictures] for name, pictures in strip.pictures.items()
    }
    sheet = np.full((_LABEL + ROWS * (high + _GAP), len(columns) * (wide + _GAP), 3), 255, np.uint8)
    for c, pictures in enumerate(columns.values()):
        for r, picture in enumerate(pictures):
            top, left = _LABEL + r * (high + _GAP), c * (wide + _GAP)
            sheet[top : top + high, left : left + wide] = picture
    image = Image.fromarray(sheet)
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(13)
    for c, name in enumerate(columns):
        pen.text((c * (wide + _GAP) + wide / 2, _LABEL / 2), name, "black", font, anchor="mm")
    return np.asarray(image)


def _pose(targets: Skeleton, frame: int, size: tuple[int, int]) -> Frame:
    paper = np.full((size[1], size[0], 3), 235, np.uint8)
    known = targets.confidence[frame] * np.isfinite(targets.positions[frame]).all(axis=-1)
    return draw_skeleton(paper, np.nan_to_num(targets.positions[frame]), known, targets.layout, thickness=size[1] / 90)


def _fitted(picture: Frame, size: tuple[int, int]) -> Frame:
    """The picture in the upper left corner of a frame of (width, height)."""
    paper = np.full((size[1], size[0], 3), 255, np.uint8)
    part = picture[: size[1], : size[0]]
    paper[: part.shape[0], : part.shape[1]] = part
    return paper
