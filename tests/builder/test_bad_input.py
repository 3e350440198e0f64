"""Videos as cameras, phones, broadcasters and broken downloads make them, through `stgmamba data build`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from stgmamba.cli import main
from stgmamba.datasets.clips import read_index
from stgmamba.video_io import write_video

from ..support.character_clips import character_frames
from ..support.display_matrix import with_rotation
from ..support.recordings import write_clicks

_PQ, _BT2020 = 16, 9  # transfer function and primaries of HDR 10 (ITU-T H.273)


def encode(
    path: Path,
    frames: Sequence[np.ndarray],
    codec: str = "libx264",
    pixels: str = "yuv420p",
    fps: int = 25,
    options: dict[str, str] | None = None,
    times: np.ndarray | None = None,
    prepare: Callable[[Any], None] | None = None,
) -> Path:
    """Write frames uint8 [H, W, 3]; times are in milliseconds."""
    unit = Fraction(1, fps) if times is None else Fraction(1, 1000)
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=fps, options=options or {})
        stream.width, stream.height, stream.pix_fmt = frames[0].shape[1], frames[0].shape[0], pixels
        stream.codec_context.time_base = unit
        if prepare is not None:
            prepare(stream)
        for i, rgb in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
            frame.pts, frame.time_base = i if times is None else int(times[i]), unit
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def in_hdr(stream: Any) -> None:
    stream.codec_context.color_trc, stream.codec_context.color_primaries = _PQ, _BT2020
    stream.codec_context.colorspace = _BT2020


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What became of each file, by its name, with the rows of its clips."""
    videos, output = tmp_path_factory.mktemp("videos"), tmp_path_factory.mktemp("data") / "set"
    frames, rng = character_frames(frames=50), np.random.default_rng(0)
    silent = encode(videos / "silent.mp4", frames)
    encode(
        videos / "hdr10.mp4",
        frames,
        "libx265",
        "yuv420p10le",
        options={"x265-params": "log-level=none"},
        prepare=in_hdr,
    )
    encode(videos / "interlaced.mp4", frames, options={"flags": "+ildct+ilme", "x264-params": "interlaced=1:tff=1"})
    encode(videos / "variable.mp4", frames, times=np.cumsum(rng.integers(20, 70, len(frames))))
    write_video(videos / "short sound.mp4", list(frames), 25, write_clicks(videos / "clicks.wav", 0.5, 1.0))
    large = [cv2.resize(frame, (1620, 2160)) for frame in character_frames(frames=80)]
    encode(videos / "4k60.mp4", large, fps=60, options={"preset": "ultrafast"})
    lying = encode(videos / "lying.mp4", [np.rot90(frame) for frame in frames])
    (videos / "phone.mp4").write_bytes(with_rotation(lying.read_bytes(), 270))
    lying.unlink()
    flipped = bytearray(silent.read_bytes())
    for at in rng.integers(len(flipped) // 4, 3 * len(flipped) // 4, 40):
        flipped[at] ^= 255
    (videos / "flipped.mp4").write_bytes(bytes(flipped))
    (videos / "empty.mp4").write_bytes(b"")
    encode(videos / "one frame.mp4", frames[:1])
    (videos / "circle").symlink_to(videos)
    (videos / "gone.mp4").symlink_to(videos / "nothing.mp4")
    shutil.copy(silent, videos / "нем \"ая\" 'танец'.mp4")
    assert main(["data", "build", str(videos), "-o", str(output), "--shortest", "1", "--longest", "1.5"]) == 0
    sources = json.loads((output / "report.json").read_text())["sources"]
    rows = read_index(output)
    return {
        Path(entry["source"]).name: entry | {"rows": [row for row in rows if row["source"] == entry["source"]]}
        for entry in sources
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["hdr10.mp4", "interlaced.mp4", "variable.mp4", "short sound.mp4", "4k60.mp4", "phone.mp4"]
)
def test_unusual_videos_become_clips(report: dict[str, Any], name: str) -> None:
    entry = report[name]
    assert entry["state"] == "done"
    assert entry["rows"]
    for row in entry["rows"]:
        assert row["height"] > row["width"]  # the person stands
        assert row["fps"] <= 30
        assert row["frames"] / row["fps"] >= 0.95


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("empty.mp4", "the file is empty"),
        ("gone.mp4", "there is no such file"),
        ("нем \"ая\" 'танец'.mp4", "the same content as"),
    ],
)
def test_the_report_says_why_there_are_none(report: dict[str, Any], name: str, reason: str) -> None:
    assert reason in report[name]["reason"]
    assert not report[name]["rows"]


@pytest.mark.slow
def test_what_is_damaged_or_too_short_does_not_stop_the_others(report: dict[str, Any]) -> None:
    assert report["one frame.mp4"]["state"] == report["flipped.mp4"]["state"] == "done"
    assert not report["one frame.mp4"]["rows"]
    assert "circle" not in report
    assert len(report) == 12
