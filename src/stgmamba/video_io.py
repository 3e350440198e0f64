"""Reading and writing of video files (PyAV): the project's only video reader and writer."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator, Sized
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from stgmamba.errors import InputError
from stgmamba.files import atomic_output, check_can_write, check_can_write_video
from stgmamba.music.decode import decode_packets, open_media, origin_seconds, stream_audio, video_stream
from stgmamba.progress import Progress

_BT709 = 1  # code of matrix, primaries and transfer in ITU-T H.273, and of the colour space in swscale
_UNSPECIFIED = 2
_LIMITED_RANGE = 1
_ESTIMATED_DURATION = ("mp3", "aac")  # containers whose header may state none; FFmpeg then guesses by the bit rate
_BITS_PER_CHANNEL = 128_000  # per second; FFmpeg's AAC encoder is good at this rate, and slower at lower ones


@dataclass(frozen=True)
class MediaInfo:
    """Properties of a media file, from its header.

    Attributes:
        path: the file.
        seconds: duration, of mp3 and raw AAC counted in packets; 0 where the header does not state it.
        fps: frames per second; None without video. Headers may be wrong: see `VideoReader.timestamps`.
        size: (width, height) as displayed, rotation applied; None without video.
        frames: number of frames stated by the header, or seconds x fps; None without video.
        video_codec: such as "h264"; None without video.
        pixel_format: such as "yuv420p"; None without video.
        audio_codec: such as "aac"; None without audio.
        audio_rate: samples per second; None without audio.
        audio_channels: None without audio.
    """

    path: Path
    seconds: float
    fps: float | None = None
    size: tuple[int, int] | None = None
    frames: int | None = None
    video_codec: str | None = None
    pixel_format: str | None = None
    audio_codec: str | None = None
    audio_rate: int | None = None
    audio_channels: int | None = None


def exact_fps(fps: float | Fraction) -> Fraction:
    """Return a frame rate as an exact fraction; 23.976, 29.97 and 59.94 become n x 1000/1001.

    Raises:
        InputError: not a number between 1/10 and 1000.
    """
    if not 0.1 <= fps <= 1000:
        raise InputError(f"fps {fps}: frames per second must lie between 0.1 and 1000; 25 or 30 is usual.")
    ntsc = Fraction(round(float(fps) * 1.001) * 1000, 1001)
    if ntsc and abs(float(fps) - ntsc) < 2e-5 * ntsc:
        return ntsc
    return Fraction(fps).limit_denominator(1001)


def write_video(
    path: str | Path,
    frames: Iterable[NDArray[np.uint8]],
    fps: float | Fraction,
    audio: str | Path | None = None,
    audio_start: float = 0.0,
    seconds: float | None = None,
    progress: Progress | None = None,
    crf: int = 18,
    preset: str = "fast",
    threads: int = 2,
) -> int:
    """Write an mp4 (H.264 yuv420p BT.709, AAC) that plays in a browser, its index in front; with alpha, a mov.

    Frames with an alpha channel (not premultiplied) become ProRes 4444, in which video editors exchange alpha.

    Frames are consumed one by one, so memory does not grow with length. An odd width or height is padded by one column
    or row, a copy of the last, since yuv420p halves both. The audio is truncated, or padded with silence, to the
    duration of the frames; frame i is shown i / fps seconds after ``audio_start``.

    Args:
        path: the .mp4 to write, .mov for frames with alpha; complete, or not there at all.
        frames: uint8 [H, W, 3] RGB or [H, W, 4] RGBA, all of one size.
        fps: frames per second.
        audio: source file of the audio (more than two channels are downmixed to two).
        audio_start: second of ``audio`` at the first frame.
        seconds: maximum duration; None for all frames.
        progress: called after each frame.
        crf: H.264 quality, 0 (lossless) to 51; 18 is visually lossless. Without effect on ProRes.
        preset: of x264, trades encoding time for file size.
        threads: of the encoder.

    Returns:
        The number of frames written.

    Raises:
        InputError: no frames, output that cannot be written (folder missing, disk full), audio that cannot be read.
    """
    path = check_can_write(path, (".mp4", ".mov"))
    rate = exact_fps(fps)
    total = len(frames) if isinstance(frames, Sized) else None
    if seconds is not None:
        limit = max(1, round(seconds * rate))
        frames, total = islice(frames, limit), min(limit, total or limit)
    remaining = iter(frames)
    first = next(remaining, None)
    if first is None:
        raise InputError(f"{path}: there are no frames to write; the dance is empty.")
    check_can_write_video(path, transparent=first.shape[-1] == 4)
    track = None if audio is None else _AudioTrack(Path(audio), audio_start)
    convert = VideoReformatter()  # reused, since setting up a conversion takes longer than converting a frame
    done = 0
    with atomic_output(path) as part:
        try:
            with av.open(str(part), "w", format=path.suffix[1:].lower(), options={"movflags": "+faststart"}) as output:
                stream = _add_video_stream(output, rate, first.shape, crf, preset, threads)
                if track is not None:
                    track.attach(output)
                for frame in chain([first], remaining):
                    output.mux(stream.encode(_video_frame(convert, frame, first.shape, done)))
                    done += 1
                    if track is not None:
                        track.write_until(done / rate)
                    if progress is not None:
                        progress(done, total)
                output.mux(stream.encode(None))
                if track is not None:
                    track.finish()
        except av.error.FFmpegError as error:
            raise OSError(error.errno or errno.EIO, error.strerror or str(error)) from error
    return done


def _add_video_stream(output: Any, rate: Fraction, shape: tuple[int, ...], crf: int, preset: str, threads: int) -> Any:
    height, width = shape[:2]
    if shape[-1] == 4:
        stream = output.add_stream("prores_ks", rate=rate, options={"profile": "4444", "vendor": "apl0"})
    else:
        # With mbtree the encoder's output is not deterministic. Files are up to a third larger without it.
        options = {"crf": str(crf), "preset": preset, "x264-params": "mbtree=0"}
        stream = output.add_stream("libx264", rate=rate, options=options)
    stream.width, stream.height = width + width % 2, height + height % 2
    stream.pix_fmt = _pixel_format(shape)
    stream.time_base = 1 / rate
    context = stream.codec_context
    context.time_base = 1 / rate
    context.thread_count = threads
    context.colorspace = context.color_primaries = context.color_trc = _BT709
    context.color_range = _LIMITED_RANGE
    return stream


def _pixel_format(shape: tuple[int, ...]) -> str:
    """FFmpeg's name of the encoded format of frames of a shape, by their channels."""
    return "yuva444p10le" if shape[-1] == 4 else "yuv420p"


def _video_frame(convert: Any, rgb: NDArray[np.uint8], shape: tuple[int, ...], index: int) -> Any:
    """Frame number ``index`` of the output, converted to BT.709, 4:2:0 or 4:4:4 with alpha."""
    if rgb.shape != shape or rgb.ndim != 3 or rgb.shape[2] not in (3, 4) or rgb.dtype != np.uint8:
        raise ValueError(f"frame {index} is {rgb.dtype} {rgb.shape}; it must be uint8 {shape[:2]} x 3")
    height, width = shape[:2]
    if height % 2 or width % 2:
        rgb = np.pad(rgb, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgba" if rgb.shape[-1] == 4 else "rgb24")
    frame = convert.reformat(
        frame, format=_pixel_format(shape), dst_colorspace=_BT709, dst_color_range=_LIMITED_RANGE, threads=1
    )
    frame.pts = index
    return frame


class _AudioTrack:
    """The audio stream of a video that is being written, at most one block ahead of the frames."""

    def __init__(self, path: Path, start: float) -> None:
        info = probe(path)
        if info.audio_rate is None or info.audio_channels is None:
            raise InputError(f"{path}: there is no sound in this file; give a song, for example an mp3 or wav file.")
        self._channels = min(info.audio_channels, 2)
        self._rate = 44_100 if info.audio_rate % 11_025 == 0 else 48_000
        self._blocks = stream_audio(path, self._rate, self._channels, start)
        self._block = next(self._blocks)  # raises for a faulty file before anything is written
        self._written = 0
        self._output: Any = None
        self._stream: Any = None

    def attach(self, output: Any) -> None:
        self._output = output
        self._stream = output.add_stream("aac", rate=self._rate, layout="stereo" if self._channels == 2 else "mono")
        self._stream.bit_rate = _BITS_PER_CHANNEL * self._channels

    def write_until(self, seconds: Fraction) -> None:
        end = round(seconds * self._rate)
        while self._written < end:
            if not len(self._block):
                self._block = next(self._blocks, np.zeros((0, self._channels), np.float32))
            if not len(self._block):
                self._block = np.zeros((end - self._written, self._channels), np.float32)
            piece, self._block = np.split(self._block, [end - self._written])
            frame = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(piece.T), format="fltp", layout="stereo" if self._channels == 2 else "mono"
            )
            frame.sample_rate = self._rate
            frame.time_base = Fraction(1, self._rate)
            frame.pts = self._written
            self._output.mux(self._stream.encode(frame))
            self._written += len(piece)

    def finish(self) -> None:
        self._output.mux(self._stream.encode(None))


class VideoReader:
    """Frames of a video, upright, with their timestamps; may be iterated more than once.

    Args:
        path: the file.
        height: maximum height of the frames; taller ones are shrunk while they are converted, which is cheaper than
            converting them whole.

    Iterating yields (seconds, uint8 [H, W, 3] RGB). Seconds have the origin of `stgmamba.music.decode` and are those of
    the frames' own timestamps, which a variable frame rate requires.

    Attributes:
        path: the file.
        fps: mean frames per second stated by the header; it may be wrong, see `timestamps`.
        size: (width, height) of the frames.
        frames: number of frames stated by the header.
        has_audio: whether the file has an audio stream.
    """

    def __init__(self, path: str | Path, height: int | None = None) -> None:
        info = probe(path)
        if info.fps is None or info.size is None or info.frames is None:
            raise InputError(f"{path}: there is no video in this file; give a video, for example an mp4.")
        self.path = Path(path)
        self._height = height
        self.fps = info.fps
        self.size = _limited(info.size, height)
        self.frames = info.frames
        self.has_audio = info.audio_codec is not None

    def __iter__(self) -> Iterator[tuple[float, NDArray[np.uint8]]]:
        with open_media(self.path) as container:
            stream: Any = video_stream(container)
            origin = origin_seconds(container, _audio_start(container))
            stream.thread_type = "AUTO"
            stream.codec_context.thread_count = 2
            seconds = -1 / self.fps
            convert = VideoReformatter()
            for frame in decode_packets(container, stream):
                seconds = seconds + 1 / self.fps if frame.pts is None else frame.pts * float(frame.time_base) - origin
                yield seconds, _upright_rgb(convert, frame, self._height)

    def timestamps(self) -> NDArray[np.float64]:
        """Return the times at which the frames are shown, seconds [N], without decoding them."""
        with open_media(self.path) as container:
            stream: Any = video_stream(container)
            origin = origin_seconds(container, _audio_start(container))
            stamps = [packet.pts for packet in container.demux(stream) if packet.size and packet.pts is not None]
            return np.asarray(np.sort(np.array(stamps, np.float64)) * float(stream.time_base) - origin)


def read_video(path: str | Path, height: int | None = None) -> VideoReader:
    """Open a video (mp4, mov, mkv, webm, gif and whatever else PyAV opens), its frames at most ``height`` rows high.

    Raises:
        InputError: the file cannot be read or has no video.
    """
    return VideoReader(path, height)


def probe(path: str | Path) -> MediaInfo:
    """Return the properties of a media file, from its header and first frame.

    Raises:
        InputError: the file cannot be read, or has neither audio nor video.
    """
    path = Path(path)
    with open_media(path) as container:
        video = video_stream(container)
        audio = container.streams.best("audio")
        if video is None and audio is None:
            raise InputError(f"{path}: there is neither sound nor video in this file; choose another one.")
        seconds = (container.duration or 0) / av.time_base
        properties: dict[str, Any] = {}
        if video is not None:
            fps = float(video.average_rate or video.guessed_rate or 25)
            first = next(decode_packets(container, video), None)
            size = (video.width, video.height) if first is None else _upright_size(first)
            properties = {
                "fps": fps,
                "size": size,
                "frames": video.frames or max(1, round(seconds * fps)),
                "video_codec": video.codec_context.name,
                "pixel_format": video.codec_context.pix_fmt,
            }
        if audio is not None:
            properties |= {
                "audio_codec": audio.codec_context.name,
                "audio_rate": audio.codec_context.sample_rate,
                "audio_channels": audio.codec_context.channels,
            }
        if video is None and container.format.name in _ESTIMATED_DURATION:
            seconds = _counted_seconds(container, audio) or seconds
        return MediaInfo(path, seconds, **properties)


def _counted_seconds(container: Any, stream: Any) -> float:
    """The sum of the durations of a stream's packets, seconds."""
    container.seek(0)
    ticks = 0
    with suppress(av.error.FFmpegError):  # a damaged end
        for packet in container.demux(stream):
            ticks += packet.duration or 0
    return ticks * float(stream.time_base)


def _audio_start(container: Any) -> float | None:
    """Start time of the audio stream, seconds; None where there is none or it states none."""
    audio = container.streams.best("audio")
    return None if audio is None or audio.start_time is None else audio.start_time * float(audio.time_base)


def _upright_size(frame: Any) -> tuple[int, int]:
    return (frame.height, frame.width) if frame.rotation % 180 == 90 else (frame.width, frame.height)


def _limited(size: tuple[int, int], height: int | None) -> tuple[int, int]:
    """A size shrunk to a height where it is higher."""
    if height is None or size[1] <= height:
        return size
    return max(1, round(size[0] * height / size[1])), height


def _upright_rgb(convert: Any, frame: Any, height: int | None) -> NDArray[np.uint8]:
    # Players take untagged video of 720 lines or more for BT.709.
    untagged_hd = frame.colorspace == _UNSPECIFIED and min(frame.width, frame.height) >= 720
    source = _BT709 if untagged_hd else None
    width, rows = _limited(_upright_size(frame), height)
    if frame.rotation % 180 == 90:
        width, rows = rows, width
    # Area averaging does not alias and takes a third to two thirds of the time of swscale's default, bicubic.
    filtered = {"interpolation": "AREA"} if (width, rows) != (frame.width, frame.height) else {}
    shown = convert.reformat(frame, width, rows, format="rgb24", src_colorspace=source, threads=1, **filtered)
    rgb = shown.to_ndarray()
    return np.ascontiguousarray(np.rot90(rgb, round(frame.rotation / 90) % 4))
