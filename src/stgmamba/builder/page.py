"""A page to look through a data set with: strips of frames with poses, beats and steps, and scores; one HTML file."""

from __future__ import annotations

import base64
import html
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from stgmamba.arrays import Frame
from stgmamba.datasets.clips import ClipDataset, ClipPoses
from stgmamba.datasets.scores import SCORES, load_profile
from stgmamba.errors import InputError
from stgmamba.files import atomic_output, check_can_write
from stgmamba.progress import Reporter, Silent
from stgmamba.skeleton.drawing import draw_skeleton
from stgmamba.skeleton.motion_events import foot_strikes
from stgmamba.video_io import read_video

_FRAMES = 8  # of a strip
_ROWS = 180  # pixels
_LINE = 28  # pixels of height, of the line of beats and steps
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; color: #222 }
article { border-top: 1px solid #ccc; padding: 1rem 0 } img { max-width: 100%; display: block }
h2 { font-size: 1rem; margin: 0 } .left { color: #a30 } small { color: #666 }
dl { display: flex; flex-wrap: wrap; gap: 0 1.2rem; margin: .3rem 0; font-size: .85rem }
dt, dd { display: inline; margin: 0 }
dt { color: #666 } dd { font-variant-numeric: tabular-nums }
"""


def write_page(
    folder: Path, output: Path, profile: str | Path = "paper", clips: int = 100, report: Reporter | None = None
) -> int:
    """Write the page of a data set.

    Args:
        folder: of the data set.
        output: the .html file; it needs nothing beside it.
        profile: name or file; what it leaves out is on the page with the reasons.
        clips: at most so many, from all over the set.
        report: is told of the progress.

    Returns:
        Number of clips on the page.

    Raises:
        InputError: not a data set, no such profile, or the page cannot be written.
    """
    check_can_write(output, (".html",))
    if clips < 1:
        raise InputError(f"a page of {clips} clips shows nothing; use 1 or more.")
    rules, dataset = load_profile(profile), ClipDataset(folder)
    numbers = np.unique(np.linspace(0, len(dataset) - 1, min(clips, len(dataset))).round().astype(int)).tolist()
    articles = []
    with (report or Silent()).stage("page") as progress:
        for done, number in enumerate(numbers):
            articles.append(_article(dataset, number, rules.reasons(dataset.rows[number])))
            progress(done + 1, len(numbers))
    title = html.escape(f"Data set {folder.resolve().name}")
    count = f"{len(numbers)} of {len(dataset)} clips, profile {html.escape(rules.name)}"
    legend = "Under each strip: beats of the music (grey) and foot strikes (red); then why the profile leaves it out."
    head = f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title><style>{_STYLE}</style>"
    body = f"<h1>{title}</h1><p>{count}. {legend}</p>" + "\n".join(articles)
    with atomic_output(output) as part:
        part.write_text(f"{head}{body}</html>\n", encoding="utf-8")
    return len(numbers)


def strip(dataset: ClipDataset, number: int) -> Frame:
    """Frames of a clip with its poses, over a line of beats and foot strikes, uint8 [H, W, 3]."""
    poses = dataset.poses(number)
    chosen = set(np.linspace(0, len(poses.skeleton) - 1, _FRAMES).round().astype(int).tolist())
    tiles = []
    with tempfile.TemporaryDirectory() as folder, dataset.video(number, Path(folder)) as path:
        for i, (_, rgb) in enumerate(read_video(path)):
            if i in chosen:
                skeleton = poses.skeleton
                drawn = draw_skeleton(rgb, skeleton.positions[i], skeleton.confidence[i], skeleton.layout)
                width = max(1, round(rgb.shape[1] * _ROWS / rgb.shape[0]))
                tiles.append(cv2.resize(drawn, (width, _ROWS), interpolation=cv2.INTER_AREA))
    picture = np.concatenate(tiles, axis=1)
    return np.concatenate([picture, _events(poses, picture.shape[1])])


def _events(poses: ClipPoses, width: int) -> Frame:
    """A line of the clip's length: beats in grey, foot strikes in red."""
    line = np.full((_LINE, width, 3), 255, np.uint8)
    per_second = (width - 1) / max(poses.dance.seconds, 1e-6)
    for times, rows, colour in (
        (poses.beats, slice(4, _LINE - 4), (150, 150, 150)),
        (foot_strikes(poses.dance), slice(_LINE // 2, _LINE), (210, 40, 20)),
    ):
        for time in times:
            column = int(np.clip(round(time * per_second), 0, width - 2))
            line[rows, column : column + 2] = colour
    return line


def _article(dataset: ClipDataset, number: int, reasons: list[str]) -> str:
    row = dataset.rows[number]
    encoded = cv2.imencode(".jpg", strip(dataset, number)[..., ::-1])[1]
    source = base64.b64encode(np.asarray(encoded).tobytes()).decode("ascii")
    against = "".join(f"<div class=left>{html.escape(reason)}</div>" for reason in reasons)
    where = f"{row['source']}, {row['start']:.2f} to {row['end']:.2f} s, person {row['person']}"
    scores = "".join(f"<div><dt>{name}</dt> <dd>{_short(row[name])}</dd></div>" for name in SCORES)
    return (
        f"<article><h2>{html.escape(row['key'])} <small>{html.escape(where)}</small></h2>"
        f'<img alt="frames with poses" src="data:image/jpeg;base64,{source}">{against}<dl>{scores}</dl></article>'
    )


def _short(value: Any) -> str:
    return f"{value:.3g}"
