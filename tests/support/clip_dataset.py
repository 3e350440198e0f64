"""Data sets of clips made without videos: a short grey film and a swaying dance in each clip."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from stgmamba.builder.shards import write_shards
from stgmamba.datasets.clips import write_index
from stgmamba.datasets.scores import SCORES
from stgmamba.video_io import write_video

from ..conftest import swaying
from .character_clips import SIZE, character_frames
from .recordings import write_clicks


@lru_cache(maxsize=4)
def film(frames: int, period: float) -> bytes:
    """A character who sways to clicks, an mp4."""
    with TemporaryDirectory() as folder:
        clicks = write_clicks(Path(folder) / "clicks.wav", period, frames / 25)
        pictures = character_frames(frames=24)
        write_video(Path(folder) / "a.mp4", [pictures[i % 24] for i in range(frames)], 25, clicks)
        return (Path(folder) / "a.mp4").read_bytes()


def write_clip_dataset(folder: Path, rows: Sequence[dict[str, Any]], frames: int = 10, period: float = 0.5) -> Path:
    """A data set whose index says of each clip what is given, and of the rest what is usual."""
    folder.mkdir(parents=True, exist_ok=True)
    dance = swaying(frames)
    flat = dance.positions[..., :2] * [90, -90] + [SIZE[0] / 2, SIZE[1] - 20]
    content = io.BytesIO()
    np.savez(
        content,
        positions=flat.astype(np.float32),
        confidence=np.ones((frames, 22), np.float16),
        world=(dance.positions - dance.positions[:, 8:9]).astype(np.float32),
        dance=dance.positions,
        found=np.ones(frames, bool),
        beats=np.arange(0, frames / 25, period),
        fps=np.float64(25),
    )
    files = {"mp4": film(frames, period), "npz": content.getvalue()}
    full = []
    for number, row in enumerate(rows):
        usual = dict.fromkeys(SCORES, 0.5) | {"seconds": frames / 25, "fps": 25.0, "sound": 1.0}
        usual |= {"key": f"clip{number:05d}", "source": "a.mp4", "sha256": "0" * 64, "width": SIZE[0]}
        usual |= {"height": SIZE[1], "frames": frames, "style": "", "song": "", "licence": "", "performer": ""}
        usual |= {
            "shot": 0,
            "person": 0,
            "tempo": 60 / period,
            "sync_applied": False,
            "sync_scale": 1.0,
            "sync_offset": 0.0,
            "start": 0.0,
            "end": frames / 25,
        }
        for suffix, data in files.items():
            usual |= {f"{suffix}_bytes": len(data), f"{suffix}_sha256": hashlib.sha256(data).hexdigest()}
        full.append(usual | row)
    write_index(folder, write_shards(folder, full, lambda row, suffix: files[suffix]))
    return folder
