"""What is in a data set, for people: its card, and the figures of ``stgmamba data info``."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from stgmamba.arrays import Frame
from stgmamba.datasets.clips import ClipDataset, read_index
from stgmamba.datasets.scores import SCORES, Profile, load_profile, profile_names
from stgmamba.files import atomic_output
from stgmamba.skeleton.drawing import draw_skeleton
from stgmamba.video_io import read_video

SHEET = "contact_sheet.jpg"
_TILES = 24  # clips on the contact sheet
_COLUMNS = 8
_TILE = (192, 256)  # width and height of one, pixels
_BARS = "▁▂▃▄▅▆▇█"


def describe_dataset(folder: Path, profile: str | Path | None = None) -> dict[str, Any]:
    """Figures of a data set.

    Args:
        folder: of the data set.
        profile: name or file; its losses are counted by reason. By default all that come with the project.

    Returns:
        ``clips``, ``hours``, ``videos``, counts of ``styles`` and ``licences``, ``scores`` (lowest, median, highest of
        each), and ``profiles``: clips and hours that remain, and how many are left out for each reason.

    Raises:
        InputError: not a data set, or no such profile.
    """
    rows = read_index(folder)
    profiles = [load_profile(name) for name in ([profile] if profile is not None else profile_names())]
    facts: dict[str, Any] = {
        "clips": len(rows),
        "hours": round(sum(row["seconds"] for row in rows) / 3600, 4),
        "videos": len({row["sha256"] for row in rows}),
        "styles": dict(Counter(row["style"] or "unknown" for row in rows)),
        "licences": dict(Counter(row["licence"] or "unknown" for row in rows)),
        "scores": {name: np.percentile([row[name] for row in rows], [0, 50, 100]).round(4).tolist() for name in SCORES},
        "profiles": {each.name: judge(rows, each) for each in profiles},
    }
    if any("split" in row for row in rows):
        facts["splits"] = dict(Counter(row.get("split") or "none" for row in rows))
    return facts


def judge(rows: Sequence[dict[str, Any]], profile: Profile) -> dict[str, Any]:
    """``clips`` and ``hours`` that a profile lets through, and the number of clips for each ``reason`` against one."""
    reasons = [profile.reasons(row) for row in rows]
    kept = [row for row, against in zip(rows, reasons, strict=True) if not against]
    counts = Counter(reason.split(" (")[0] for against in reasons for reason in against)
    return {
        "clips": len(kept),
        "hours": round(sum(row["seconds"] for row in kept) / 3600, 4),
        "left_out": dict(counts.most_common()),
    }


def write_card(folder: Path) -> None:
    """Write the card of a data set: ``README.md`` with a contact sheet, from its index and report."""
    facts = describe_dataset(folder)
    dataset = ClipDataset(folder)
    with atomic_output(folder / SHEET) as part:
        cv2.imwrite(str(part), contact_sheet(dataset)[..., ::-1])
    with atomic_output(folder / "README.md") as part:
        part.write_text(_card(folder, facts, dataset.rows), encoding="utf-8")


def contact_sheet(dataset: ClipDataset) -> Frame:
    """The middle frame of clips from all over the set, with the pose drawn, uint8 [H, W, 3]."""
    numbers = np.unique(np.linspace(0, len(dataset) - 1, min(_TILES, len(dataset))).round().astype(int))
    tiles = [_tile(dataset, int(n)) for n in numbers]
    columns = min(_COLUMNS, len(tiles))
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % columns)
    return np.concatenate([np.concatenate(tiles[i : i + columns], axis=1) for i in range(0, len(tiles), columns)])


def _tile(dataset: ClipDataset, number: int) -> Frame:
    skeleton = dataset.poses(number).skeleton
    middle = len(skeleton) // 2
    with tempfile.TemporaryDirectory() as folder, dataset.video(number, Path(folder)) as path:
        frame = next(rgb for i, (_, rgb) in enumerate(read_video(path)) if i == middle)
    frame = draw_skeleton(frame, skeleton.positions[middle], skeleton.confidence[middle], skeleton.layout)
    scale = min(_TILE[0] / frame.shape[1], _TILE[1] / frame.shape[0])
    size = max(1, round(frame.shape[1] * scale)), max(1, round(frame.shape[0] * scale))
    tile = np.full((_TILE[1], _TILE[0], 3), 24, np.uint8)
    left, top = (_TILE[0] - size[0]) // 2, (_TILE[1] - size[1]) // 2
    tile[top : top + size[1], left : left + size[0]] = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
    return tile


def _card(folder: Path, facts: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    lines = [
        f"# Data set {folder.resolve().name}",
        "",
        f"{facts['clips']} clips of {facts['videos']} videos, {facts['hours']:.2f} hours, by `stgmamba data build`.",
        "",
        f"![Clips from all over the set]({SHEET})",
        "",
        "| style | clips |   | licence | clips |",
        "| --- | ---: | --- | --- | ---: |",
    ]
    styles, licences = list(facts["styles"].items()), list(facts["licences"].items())
    for i in range(max(len(styles), len(licences))):
        left = f"{styles[i][0]} | {styles[i][1]}" if i < len(styles) else " | "
        right = f"{licences[i][0]} | {licences[i][1]}" if i < len(licences) else " | "
        lines.append(f"| {left} |   | {right} |")
    lines += ["", "## Profiles", "", "| profile | clips | hours | left out, by reason |", "| --- | ---: | ---: | --- |"]
    for name, judged in facts["profiles"].items():
        reasons = "; ".join(f"{reason}: {count}" for reason, count in judged["left_out"].items())
        lines.append(f"| {name} | {judged['clips']} | {judged['hours']:.2f} | {reasons} |")
    lines += ["", "## Scores", "", "| score | lowest | median | highest | clips from lowest to highest |"]
    lines.append("| --- | ---: | ---: | ---: | --- |")
    for name, (low, median, high) in facts["scores"].items():
        bars = _histogram([row[name] for row in rows])
        lines.append(f"| {SCORES[name].meaning} (`{name}`) | {low:.4g} | {median:.4g} | {high:.4g} | `{bars}` |")
    return "\n".join([*lines, *_sources(folder), ""])


def _sources(folder: Path) -> list[str]:
    """What became of the sources of which not every second is in a clip."""
    path = folder / "report.json"
    if not path.exists():
        return []
    lines = ["", "## Sources", ""]
    for entry in json.loads(path.read_text(encoding="utf-8"))["sources"]:
        name = " ".join(str(entry["source"]).split())
        if entry["state"] != "done":
            lines.append(f"- {name}: {' '.join(entry['reason'].split())}")
            continue
        dropped = "; ".join(f"{reason}: {seconds:.1f} s" for reason, seconds in entry["dropped"])
        lines.append(f"- {name}: {entry['clips']} clips" + (f"; left out: {dropped}" if dropped else ""))
    return lines


def _histogram(values: Sequence[float]) -> str:
    counts = np.histogram(values, bins=16)[0]
    return "".join(_BARS[round(count / max(1, counts.max()) * (len(_BARS) - 1))] if count else " " for count in counts)
