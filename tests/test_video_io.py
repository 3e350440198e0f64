from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.io import wavfile

from stgmamba.errors import InputError
from stgmamba.music.decode import load_song
from stgmamba.video_io import exact_fps, probe, read_video, write_video

from .support.display_matrix import with_rotation

RED, DARK = (230, 30, 20), (20, 24, 30)


def plain(count: int, size: tuple[int, int] = (48, 32), colour: tuple[int, int, int] = RED) -> Iterator[np.ndarray]:
    for _ in range(count):
        yield np.full((size[1], size[0], 3), colour, np.uint8)


def boxes(path: Path) -> list[str]:
    """Return the names of an mp4's outermost boxes, in order."""
    content, names, at = path.read_bytes(), [], 0
    while at < len(content):
        names.append(content[at + 4 : at + 8].decode())
        at += int.from_bytes(content[at : at + 4], "big")
    return names


def click_song(path: Path, times: np.ndarray, seconds: float, rate: int = 44_100, channels: int = 1) -> Path:
    sound = np.zeros((round(seconds * rate), channels), np.float32)
    tone = np.sin(2 * np.pi * 1500 * np.arange(round(0.03 * rate)) / rate)
    for at in times:
        begin = round(at * rate)
        sound[begin : begin + len(tone)] += 0.7 * tone[: len(sound) - begin, None]
    wavfile.write(path, rate, sound)
    return path


@pytest.mark.parametrize("fps", [29.97, 24])
def test_flashes_and_clicks_stay_together_for_a_minute(tmp_path: Path, fps: float) -> None:
    rate, start = exact_fps(fps), 1.25
    times = np.arange(0.5, 60, 1.0)  # of the video
    song = click_song(tmp_path / "song.wav", times + start, 64)
    count = round(60 * rate)
    flashing = {int(np.ceil(t * rate)) for t in times}

    def frames() -> Iterator[np.ndarray]:
        for index in range(count):
            yield np.full((16, 16, 3), 255 if index in flashing else 0, np.uint8)

    out = tmp_path / "out.mp4"
    assert write_video(out, frames(), fps, song, audio_start=start) == count
    shown = np.array([second for second, picture in read_video(out) if picture.mean() > 128])
    sound = load_song(out)
    audio = np.array(
        [np.argmax(np.abs(sound.samples[round((t - 0.3) * 22_050) :]) > 0.2) / 22_050 + t - 0.3 for t in times]
    )
    np.testing.assert_allclose(audio, times, atol=0.002)
    assert len(shown) == len(times)
    # A flash is on the first frame that begins after its click: never early, never a frame late.
    assert (shown - audio > -0.002).all()
    assert (shown - audio < float(1 / rate) + 0.002).all()
    with av.open(str(out)) as container:
        lengths = [float(s.duration * s.time_base) for s in container.streams]
    assert lengths[0] == pytest.approx(float(count / rate), abs=1e-3)
    assert lengths[1] == pytest.approx(lengths[0], abs=1e-3)


def test_the_file_plays_in_a_browser(tmp_path: Path) -> None:
    song = click_song(tmp_path / "song.wav", np.array([0.5]), 3, channels=2)
    out = tmp_path / "out.mp4"
    write_video(out, plain(50), 25, song)
    order = boxes(out)
    assert order.index("moov") < order.index("mdat")
    with av.open(str(out)) as container:
        video, sound = container.streams.video[0], container.streams.audio[0]
        context = video.codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
        assert (context.colorspace, context.color_primaries, context.color_trc, context.color_range) == (1, 1, 1, 1)
        assert (sound.codec_context.name, sound.codec_context.sample_rate, sound.codec_context.channels) == (
            "aac",
            44_100,
            2,
        )
        assert sum(1 for _ in container.decode(video)) == 50
        packets = [(p.stream.type, float(p.pts * p.time_base)) for p in _demuxed(out)]
    sound_ahead = [t for kind, t in packets[: len(packets) // 4] if kind == "audio"]
    assert sound_ahead
    assert max(sound_ahead) < 1.5  # interleaved, not one track behind the other


def _demuxed(path: Path) -> Iterator[av.Packet]:
    with av.open(str(path)) as container:
        yield from (packet for packet in container.demux() if packet.size)


@pytest.mark.parametrize("colour", [RED, (20, 200, 60), (40, 60, 220), (128, 128, 128), (255, 255, 255), (0, 0, 0)])
def test_colours_come_back(tmp_path: Path, colour: tuple[int, int, int]) -> None:
    out = tmp_path / "out.mp4"
    write_video(out, plain(3, colour=colour), 25)
    frames = np.stack([frame for _, frame in read_video(out)])
    assert len(frames) == 3
    assert np.abs(frames.astype(int) - colour).max() <= 3


@pytest.mark.parametrize("size", [(33, 47), (1, 1), (2, 3), (64, 36)])
def test_odd_sizes_get_one_more_row_or_column(tmp_path: Path, size: tuple[int, int]) -> None:
    out = tmp_path / "out.mp4"
    write_video(out, plain(3, size), 25)
    wanted = (size[0] + size[0] % 2, size[1] + size[1] % 2)
    assert probe(out).size == read_video(out).size == wanted
    assert [frame.shape for _, frame in read_video(out)] == [(wanted[1], wanted[0], 3)] * 3


@pytest.mark.parametrize("fps", [23.976, 25, 29.97, 59.94, 60, 12.5, Fraction(24_000, 1001)])
def test_frame_times_are_exact(tmp_path: Path, fps: float | Fraction) -> None:
    out = tmp_path / "out.mp4"
    write_video(out, plain(40), fps)
    reader = read_video(out)
    expected = np.arange(40) / float(exact_fps(fps))
    np.testing.assert_allclose([second for second, _ in reader], expected, atol=1e-4)
    np.testing.assert_allclose(reader.timestamps(), expected, atol=1e-4)
    assert reader.fps == pytest.approx(float(fps), rel=1e-4)
    assert reader.frames == 40


@given(st.fractions(min_value=1, max_value=240, max_denominator=1001))
def test_fractions_are_kept(fps: Fraction) -> None:
    assert abs(float(exact_fps(fps)) - float(fps)) <= 3e-5 * float(fps)


def test_meant_fractions_are_found() -> None:
    assert exact_fps(29.97) == Fraction(30_000, 1001)
    assert exact_fps(23.976) == Fraction(24_000, 1001)
    assert exact_fps(25) == 25
    for wrong in (0, -25, float("nan"), float("inf")):
        with pytest.raises(InputError, match="fps"):
            exact_fps(wrong)


def test_seconds_and_progress(tmp_path: Path) -> None:
    song = click_song(tmp_path / "song.wav", np.array([0.5]), 1.0)  # shorter than the video: silence follows
    calls: list[tuple[int, int | None]] = []
    out = tmp_path / "out.mp4"
    endless = (picture for _ in iter(int, 1) for picture in plain(1))
    assert (
        write_video(out, endless, 10, song, seconds=2.0, progress=lambda done, total: calls.append((done, total))) == 20
    )
    assert calls == [(i, 20) for i in range(1, 21)]
    info = probe(out)
    assert info.seconds == pytest.approx(2.0, abs=0.03)
    assert load_song(out).seconds == pytest.approx(2.0, abs=0.03)


def test_memory_does_not_grow_with_length(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        tracemalloc.start()
        write_video(tmp_path / "out.mp4", plain(count, (320, 240)), 25, preset="ultrafast")
        result = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return result

    peak(5)
    assert peak(120) < 1.5 * peak(20) + 500_000


@pytest.mark.parametrize("fault", [ValueError, KeyboardInterrupt])
def test_an_interrupted_video_leaves_nothing(tmp_path: Path, fault: type[BaseException]) -> None:
    out = tmp_path / "out.mp4"
    out.write_bytes(b"older")

    def broken() -> Iterator[np.ndarray]:
        yield from plain(5)
        raise fault("stop")

    with pytest.raises(fault):
        write_video(out, broken(), 25)
    assert [p.name for p in tmp_path.iterdir()] == ["out.mp4"]
    assert out.read_bytes() == b"older"


def test_bad_outputs_and_frames_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\.mp4"):
        write_video(tmp_path / "out.avi", plain(2), 25)
    with pytest.raises(InputError, match="does not exist"):
        write_video(tmp_path / "no" / "out.mp4", plain(2), 25)
    with pytest.raises(InputError, match="no frames"):
        write_video(tmp_path / "out.mp4", [], 25)
    with pytest.raises(InputError, match="no such file"):
        write_video(tmp_path / "out.mp4", plain(2), 25, tmp_path / "song.mp3")
    with pytest.raises(ValueError, match="frame 1"):
        write_video(tmp_path / "out.mp4", [*plain(1), *plain(1, (20, 20))], 25)
    assert not list(tmp_path.iterdir())


FULL_DISK = """
import resource, sys
import numpy as np
from stgmamba.errors import InputError
from stgmamba.video_io import write_video
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
rng = np.random.default_rng(0)
try:
    write_video(sys.argv[1], (rng.integers(0, 255, (64, 64, 3), np.uint8) for _ in range(100)), 25)
except InputError as error:
    print(error)
"""


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    run = subprocess.run([sys.executable, "-c", FULL_DISK, str(out)], capture_output=True, text=True, check=True)
    assert run.stdout.startswith(f"{out}: cannot be written"), run.stdout + run.stderr
    assert not list(tmp_path.iterdir())


def test_a_gif_is_read_with_its_own_times(tmp_path: Path) -> None:
    from PIL import Image

    pictures = [Image.new("RGB", (30, 20), colour) for colour in (RED, DARK, (0, 200, 0))]
    path = tmp_path / "dance.gif"
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=[100, 300, 200], loop=0)
    reader = read_video(path)
    frames = list(reader)
    np.testing.assert_allclose([second for second, _ in frames], [0, 0.1, 0.4], atol=0.005)
    np.testing.assert_allclose(reader.timestamps(), [0, 0.1, 0.4], atol=0.005)
    assert np.abs(frames[0][1].astype(int) - RED).max() < 12
    assert not reader.has_audio


def test_a_varying_frame_rate_keeps_its_times(tmp_path: Path) -> None:
    path, stamps = tmp_path / "phone.mp4", [0, 1, 3, 4, 8, 9, 20]
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for stamp in stamps:
            frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8))
            frame.pts, frame.time_base = stamp, Fraction(1, 30)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    np.testing.assert_allclose([second for second, _ in read_video(path)], np.array(stamps) / 30, atol=1e-3)


@pytest.mark.parametrize(
    ("degrees", "corner"), [(0, "top left"), (90, "bottom left"), (180, "bottom right"), (270, "top right")]
)
def test_phone_videos_are_turned_upright(tmp_path: Path, degrees: int, corner: str) -> None:
    picture = np.zeros((32, 64, 3), np.uint8)
    picture[:16, :16] = 255  # the picture's top left corner as stored
    path = tmp_path / "plain.mp4"
    write_video(path, [picture] * 3, 25)
    turned = tmp_path / "turned.mp4"
    turned.write_bytes(with_rotation(path.read_bytes(), degrees))
    reader = read_video(turned)
    _, shown = next(iter(reader))
    assert reader.size == ((32, 64) if degrees % 180 else (64, 32)) == (shown.shape[1], shown.shape[0])
    height, width = shown.shape[:2]
    vertical, horizontal = corner.split()
    row = 8 if vertical == "top" else height - 8
    column = 8 if horizontal == "left" else width - 8
    assert shown[row, column].min() > 200
    assert shown.mean() < 80


def test_probe_tells_what_is_there(tmp_path: Path) -> None:
    song = click_song(tmp_path / "song.wav", np.array([0.5]), 2)
    info = probe(song)
    assert (info.fps, info.size, info.frames, info.video_codec) == (None, None, None, None)
    assert (info.audio_rate, info.audio_channels, info.seconds) == (44_100, 1, 2.0)
    out = tmp_path / "out.mp4"
    write_video(out, plain(50), 25, song)
    info = probe(out)
    assert (info.fps, info.size, info.frames, info.video_codec, info.audio_codec) == (25, (48, 32), 50, "h264", "aac")
    with pytest.raises(InputError, match="no video"):
        read_video(song)
    (tmp_path / "text.mp4").write_text("no video at all " * 100)
    with pytest.raises(InputError, match="not a sound or video file"):
        probe(tmp_path / "text.mp4")


def test_a_truncated_video_gives_the_frames_that_are_there(tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    noise = np.random.default_rng(0).integers(0, 255, (40, 64, 64, 3), np.uint8)
    write_video(out, noise, 25)
    content = out.read_bytes()
    out.write_bytes(content[: len(content) // 2])  # the index is in front, so it survives
    assert 5 < sum(1 for _ in read_video(out)) < 40


@pytest.mark.parametrize("change", ["cut", "removed", "replaced"])
def test_a_file_that_changes_while_it_is_read(tmp_path: Path, change: str) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / "film.mp4"
    write_video(path, list(rng.integers(0, 255, (150, 96, 96, 3), np.uint8)), 25)
    whole = path.stat().st_size
    frames = 0
    with contextlib.suppress(InputError):
        for _ in read_video(path):
            frames += 1
            if frames == 10 and change == "cut":
                os.truncate(path, whole // 3)
            elif frames == 10 and change == "removed":
                path.unlink()
            elif frames == 10:
                path.write_bytes(b"something else" * 9999)
    assert frames == 150 if change == "removed" else 10 <= frames < 150


@pytest.mark.parametrize(("name", "codec"), [("a.mp3", "libmp3lame"), ("a.aac", "aac")])
def test_length_of_sound_without_a_header_that_states_it(tmp_path: Path, name: str, codec: str) -> None:
    rate, seconds = 44_100, 20
    noise = np.random.default_rng(0).normal(0, 0.1, rate * seconds).astype(np.float32)
    noise[rate * 5 :] = 0  # of variable bit rate: FFmpeg's estimate from the beginning is far off
    options = {"write_xing": "0"} if name == "a.mp3" else {}
    with av.open(str(tmp_path / name), "w", options=options) as output:
        stream = output.add_stream(codec, rate=rate, layout="mono", options={"q": "2"} if name == "a.mp3" else {})
        for begin in range(0, len(noise), 4096):
            frame = av.AudioFrame.from_ndarray(noise[None, begin : begin + 4096], format="fltp", layout="mono")
            frame.sample_rate, frame.pts = rate, begin
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    assert probe(tmp_path / name).seconds == pytest.approx(seconds, abs=0.1)


def test_alpha_is_kept_in_a_mov_and_refused_in_an_mp4(tmp_path: Path) -> None:
    frame = np.zeros((47, 64, 4), np.uint8)
    frame[10:30, 10:30] = (200, 50, 20, 255)
    frame[10:30, 40:60] = (20, 50, 200, 128)
    wavfile.write(tmp_path / "song.wav", 22050, np.zeros(22050, np.int16))
    write_video(tmp_path / "a.mov", [frame] * 5, 25, tmp_path / "song.wav")
    info = probe(tmp_path / "a.mov")
    assert (info.video_codec, info.size, info.audio_codec) == ("prores", (64, 48), "aac")
    with av.open(str(tmp_path / "a.mov")) as container:
        back = next(container.decode(video=0)).to_ndarray(format="rgba").astype(int)
    for place, colour in (((20, 20), (200, 50, 20, 255)), ((20, 50), (20, 50, 200, 128)), ((5, 5), (0, 0, 0, 0))):
        assert np.abs(back[place] - colour).max() <= 4
    with pytest.raises(InputError, match=r"keeps no transparent background.*a\.mov"):
        write_video(tmp_path / "a.mp4", [frame] * 5, 25)
    with pytest.raises(InputError, match=r"must end in \.mp4"):
        write_video(tmp_path / "b.mov", [frame[..., :3]] * 5, 25)
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix in (".mp4", ".mov")) == ["a.mov"]
