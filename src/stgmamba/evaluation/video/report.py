"""Markdown report of an evaluation of stage 2: tables, and figures of scenes."""

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
"""Frames of a scene that its figure shows."""

_COLUMNS = {name: f"{metric.unit} {ARROWS[metric.better]}".strip() for name, metric in METRICS.items()} | {
    "lpips": ARROWS["lower"],
    "fid": ARROWS["lower"],
    "fvd": ARROWS["lower"],
    "fps": ARROWS["higher"],
}
_GAP, _LABEL = 4, 20  # pixels
_DRAWN = {"drawn": "Drawn characters", "turning": "Drawn characters that turn once"}

_LEGEND = """\
↓ lower is better, ↑ higher is better. `pck`: fraction of joints detected within a tenth of the torso length of their
targets; `flicker`: change between successive frames in excess of that of the ground truth, at static pixels;
`identity`: distance of face and clothes to those in the picture; `fps`: frames per second of rendering. `truth`: values
of the ground truth frames.
"""


@dataclass(frozen=True)
class SceneFigure:
    """Some frames of a scene by all methods.

    Attributes:
        name: of the scene.
        condition: uint8 [H, W, 3].
        targets: 2-D, target poses of the ROWS frames, with the frames' size.
        images: method -> uint8 [ROWS, H, W, 3].
    """

    name: str
    condition: Frame
    targets: Skeleton
    images: Mapping[str, Frame]


def write_report(json_path: Path, report: Mapping[str, Any], figures: Mapping[str, Sequence[SceneFigure]]) -> None:
    """Write the report beside the JSON file, and its figures (section -> figures) to a folder of the same name.

    Raises:
        InputError: a file cannot be written.
    """
    folder = json_path.with_suffix("")
    folder.mkdir(exist_ok=True)
    check_can_write(folder / "figure.png")
    text = markdown(report)
    for section, scenes in figures.items():
        text += f"\n## Figures: {section}\n\nCondition, target pose and frames of all methods; time runs downwards.\n"
        for i, figure in enumerate(scenes):
            path = folder / f"{section}_{i:02d}.png"
            with atomic_output(path) as part:
                Image.fromarray(draw_figure(figure)).save(part)
            text += f"\n{figure.name}\n\n![{figure.name}]({folder.name.replace(' ', '%20')}/{path.name})\n"
    with atomic_output(json_path.with_suffix(".md")) as part:
        part.write_text(text, encoding="utf-8")


def markdown(report: Mapping[str, Any]) -> str:
    """The tables and their legend, as Markdown."""
    data = "what was held out from training" if report["held_out"] else "all data given"
    lines = [
        "# Skeleton to video",
        "",
        f"Frames of {report['size']} pixels' height, seed {report['seed']}; evaluated on {data}.",
        "",
    ]
    if "methods" in report:
        lines += ["## Clips", "", *_table(report["methods"], report["truth"]), "", *_scenes(report["clips"])]
        lines += _sentences(report["left_out"])
    for section, heading in _DRAWN.items():
        if section in report:
            drawn = report[section]
            lines += [f"## {heading}", "", *_table(drawn["methods"], drawn["truth"]), "", *_scenes(drawn["scenes"])]
            lines += _sentences(drawn["left_out"])
    if "photos" in report:
        photos = report["photos"]
        names = list(photos["methods"])
        lines += ["## Photos: pck", "", f"| photo | {' | '.join(names)} |"]
        lines += ["| --- |" + " ---: |" * len(names)]
        for photo, row in photos["photos"].items():
            lines.append(f"| {photo} | " + " | ".join(cell(row[name]) for name in names) + " |")
        means = [cell(photos["methods"][name]["pck"]) for name in names]
        lines += [f"| mean | {' | '.join(means)} |", "", *_sentences(photos["left_out"])]
    rows = [*report.get("methods", {}).values()]
    rows += [row for section in _DRAWN for row in report.get(section, {}).get("methods", {}).values()]
    if rows:
        lines += [_LEGEND]
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
        text = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in facts.items() if key != "note")
        lines.append(f"| {name} | {text}{'. ' + facts['note'] if 'note' in facts else ''} |")
    return [*lines, ""]


def _sentences(sentences: Sequence[str]) -> list[str]:
    return [f"- {sentence}" for sentence in sentences] + ([""] if sentences else [])


def draw_figure(figure: SceneFigure) -> Frame:
    """One row per frame: condition, target pose, all methods; names above; uint8 [H, W, 3]."""
    width, height = figure.targets.size or (0, 0)
    columns: dict[str, Sequence[Frame]] = {
        "condition": [_crop_or_pad(figure.condition, (width, height))] * ROWS,
        "target": [_draw_pose(figure.targets, i, (width, height)) for i in range(ROWS)],
    }
    columns |= {
        name: [_crop_or_pad(image, (width, height)) for image in images] for name, images in figure.images.items()
    }
    canvas = np.full((_LABEL + ROWS * (height + _GAP), len(columns) * (width + _GAP), 3), 255, np.uint8)
    for c, images in enumerate(columns.values()):
        for r, image in enumerate(images):
            top, left = _LABEL + r * (height + _GAP), c * (width + _GAP)
            canvas[top : top + height, left : left + width] = image
    labelled = Image.fromarray(canvas)
    draw, font = ImageDraw.Draw(labelled), ImageFont.load_default(13)
    for c, name in enumerate(columns):
        draw.text((c * (width + _GAP) + width / 2, _LABEL / 2), name, "black", font, anchor="mm")
    return np.asarray(labelled)


def _draw_pose(targets: Skeleton, frame: int, size: tuple[int, int]) -> Frame:
    canvas = np.full((size[1], size[0], 3), 235, np.uint8)
    known = targets.confidence[frame] * np.isfinite(targets.positions[frame]).all(axis=-1)
    return draw_skeleton(canvas, np.nan_to_num(targets.positions[frame]), known, targets.layout, thickness=size[1] / 90)


def _crop_or_pad(image: Frame, size: tuple[int, int]) -> Frame:
    """The image cropped, or padded with white, at its right and lower edges to (width, height)."""
    canvas = np.full((size[1], size[0], 3), 255, np.uint8)
    part = image[: size[1], : size[0]]
    canvas[: part.shape[0], : part.shape[1]] = part
    return canvas
