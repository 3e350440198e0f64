"""Decoding of audio from any file that FFmpeg (PyAV) opens: the project's only audio decoder.

Time 0 is the earliest audio sample or video frame of a file. Encoder delay (mp3, AAC, Opus) is removed as far as the
file states it. Times of `stgmamba.video_io` have the same origin.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from stgmamba.errors import InputError

SAMPLE_RATE = 22050
"""Sample rate of the models' input, samples per second."""

SHORTEST_SONG = 1.0
"""Minimum length of a song, seconds."""

SILENCE = 10 ** (-60 / 20)
"""Peak amplitude (-60 dBFS) below which a song counts as silent."""

_PREROLL = 1.0  # seconds decoded before the start, after which the output of every lossy codec is exact
_TIMESTAMP_JITTER = 0.1  # seconds; Matroska rounds to 1 ms, live recordings deviate by some tens of ms
_LONGEST_GAP = 10.0  # seconds; a longer jump is a fault of the clock (joined recordings), not a pause
_BLOCK = 16384  # samples per block: large enough that the time spent in Python is small
_DEFAULT_CHANNELS = {
    2: ["FL", "FR"],
    6: ["FL", "FR", "FC", "LFE", "BL", "BR"],
    8: ["FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"],
}
_OUT_OF_PHASE = 0.1  # of the channels' energy in their mean, below which the channels cancel each other
_SURROUND_GAIN = 0.5**0.5  # ITU-R BS.775 down-mix: centre and surrounds 3 dB lower


@dataclass(frozen=True)
class Song:
    """Decoded audio of a song.

    Attributes:
        samples: float32 [N], mono, -1..1.
        rate: samples per second.
        path: source file, if any.
    """

    samples: NDArray[np.float32]
    rate: int
    path: Path | None = None

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.rate


def open_media(path: str | Path) -> Any:
    """Open an audio or video file as a PyAV input container, a context manager.

    Raises:
        InputError: missing, a folder, empty, not readable, or not a media file.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path}: this is a folder; name a file in it.")
    if not path.exists():
        raise InputError(f"{path}: no such file; check the name.")
    try:
        if path.stat().st_size == 0:
            raise InputError(f"{path}: the file is empty; choose another one.")
        # The prefix makes FFmpeg treat a name with a colon as a file; the whitelist prevents a playlist from opening
        # other protocols. Tags in unexpected encodings are no error.
        return av.open(f"file:{path}", metadata_errors="replace", container_options={"protocol_whitelist": "file"})
    except PermissionError as error:
        raise InputError(f"{path}: no permission to read it; change its permissions or copy it.") from error
    except (av.error.FFmpegError, OSError) as error:
        raise InputError(
            f"{path}: this is not a sound or video file that can be read, or it is damaged; "
            "try another file or convert it to wav or mp4."
        ) from error


def video_stream(container: Any) -> Any | None:
    """Return the first video stream of an open container, or None; embedded cover art is not counted."""
    attached = av.stream.Disposition.attached_pic
    return next((s for s in container.streams.video if not s.disposition & attached), None)


def decode_packets(container: Any, stream: Any) -> Iterator[Any]:
    """Yield the decoded frames of one stream; damaged packets are skipped, and an unreadable end ends the stream."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except (av.error.FFmpegError, OSError):
            packet = None  # nothing more can be read: flush the decoder
        with suppress(av.error.FFmpegError):
            yield from stream.decode(packet) if packet is None else packet.decode()
        if packet is None:
            return


def origin_seconds(container: Any, audio_start: float | None) -> float:
    """Return the timestamp of time 0, the earlier of the starts of audio and video, seconds."""
    video = video_stream(container)
    starts = [] if audio_start is None else [audio_start]
    if video is not None and video.start_time is not None:
        starts.append(video.start_time * float(video.time_base))
    return min(starts, default=0.0)


def stream_audio(
    path: str | Path,
    rate: int = SAMPLE_RATE,
    channels: int = 1,
    start: float = 0.0,
    seconds: float | None = None,
) -> Iterator[NDArray[np.float32]]:
    """Decode a file's audio block by block, in constant memory.

    Surround audio is downmixed by ITU-R BS.775 (without its low-frequency effects channel), scaled so that it cannot
    clip. Gaps in the timestamps (up to 10 s) become silence, which keeps audio and video synchronous.

    Args:
        path: any file with audio that PyAV opens.
        rate: samples per second of the output.
        channels: 1 (mono) or 2 (stereo; mono sources are duplicated).
        start: seconds to skip, by seeking; exact to one sample (to about 1 ms in Matroska and WebM, whose timestamps
            have that resolution).
        seconds: maximum length; None for the whole file.

    Yields:
        float32 [n, channels], -1..1, of varying n > 0.

    Raises:
        InputError: the file cannot be read, has no sound, or ends before ``start``.
    """
    path = Path(path)
    if start < 0 or (seconds is not None and seconds <= 0):
        raise InputError(f"{path}: the part asked for (start {start:g} s, length {seconds} s) must lie in the song.")
    first = round(start * rate)
    end = None if seconds is None else first + round(seconds * rate)
    cursor = first  # position of the next sample to yield
    decoded = None  # number of samples from time 0 to the end of what has been decoded
    with open_media(path) as container:
        stream = container.streams.best("audio")
        if stream is None:
            raise InputError(f"{path}: there is no sound in this file; give a song, for example an mp3 or wav file.")
        for position, block in _positioned_blocks(*_seek_frames(container, stream, start), rate, channels):
            decoded = position + len(block)
            piece = block[max(0, cursor - position) :]
            if position > cursor:
                piece = np.concatenate([np.zeros((position - cursor, channels), np.float32), piece])
            if end is not None:
                piece = piece[: end - cursor]
            if len(piece):
                yield piece
                cursor += len(piece)
            if cursor == end:
                return
    if decoded is None:
        raise InputError(f"{path}: no sound could be decoded from this file; it is damaged or protected, try another.")
    if cursor == first:
        raise InputError(
            f"{path}: the sound is {decoded / rate:.1f} s long and cannot start at {start:g} s; choose an earlier one."
        )


def load_song(path: str | Path, rate: int = SAMPLE_RATE, start: float = 0.0, seconds: float | None = None) -> Song:
    """Decode a song, or part of one, to mono.

    Mono is the mean of left and right or, where these cancel each other (opposite phase), half their difference.
    Memory: 4 bytes per sample and about an eighth more while decoding; an hour at 22,050 Hz is 318 MB.

    Args:
        path: any file with audio that PyAV opens.
        rate: samples per second of the output.
        start: seconds to skip.
        seconds: maximum length; None for the whole file.

    Raises:
        InputError: as `stream_audio`; also for less than 1 s of audio, or a peak below -60 dBFS.
    """
    path = Path(path)
    samples, share = _mixed_song(stream_audio(path, rate, 2, start, seconds), 1.0)
    if share < _OUT_OF_PHASE:
        samples, _ = _mixed_song(stream_audio(path, rate, 2, start, seconds), -1.0)
    song = Song(samples, rate, path)
    peak = max(float(samples.max(initial=0.0)), -float(samples.min(initial=0.0)))
    if song.seconds < SHORTEST_SONG:
        raise InputError(
            f"{path}: only {song.seconds:.2f} s of sound, too short to dance to; give at least {SHORTEST_SONG:g} s."
        )
    if peak < SILENCE:
        raise InputError(f"{path}: silence (nothing above -60 dBFS), nothing to dance to; choose another part.")
    return song


def _mixed_song(blocks: Iterable[NDArray[np.float32]], sign: float) -> tuple[NDArray[np.float32], float]:
    """Mix stereo blocks [n, 2] to (left + sign * right) / 2.

    Returns:
        float32 [N], and the mix's share of the mean energy of the two channels: 1 where they are equal, 0 where they
        cancel or are silent.
    """
    samples = bytearray()  # grows in place, so that no second copy of the samples exists
    mixed_energy, energy = 0.0, 0.0
    for block in blocks:
        mixed = (block[:, 0] + np.float32(sign) * block[:, 1]) * np.float32(0.5)
        mixed_energy += float(mixed @ mixed)
        energy += float(np.vdot(block, block)) / 2
        samples += mixed.tobytes()
    return np.frombuffer(samples, dtype=np.float32), mixed_energy / energy if energy > 0 else 1.0


def _seek_frames(container: Any, stream: Any, start: float) -> tuple[Iterator[Any], float]:
    """Return an iterator of frames that begins at or before ``start``, and the timestamp of time 0."""
    frames = decode_packets(container, stream)
    head = next(frames, None)
    if head is None:
        return iter(()), 0.0
    origin = origin_seconds(container, _timestamp(head))
    if start <= 2 * _PREROLL:
        return chain([head], frames), origin
    target = origin + start
    for timestamp in (target - _PREROLL, origin):  # some indexes are wrong: then from the beginning
        try:
            container.seek(int(timestamp / float(stream.time_base)), stream=stream)
        except av.error.FFmpegError:
            continue
        frames = decode_packets(container, stream)
        head = next(frames, None)
        reached = None if head is None else _timestamp(head)
        if reached is not None and reached <= target:
            return chain([head], frames), origin
    container.seek(0)
    return decode_packets(container, stream), origin


def _timestamp(frame: Any) -> float | None:
    return None if frame.pts is None or frame.time_base is None else frame.pts * float(frame.time_base)


def _positioned_blocks(
    frames: Iterator[Any], origin: float, rate: int, channels: int
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield (position, samples [n, channels]) at ``rate``; the position is that of the first sample, from time 0."""
    resample = _Resampler(rate, channels)
    position: int | None = None
    end = 0.0  # of the audio so far, seconds
    clock_offset = 0.0  # seconds, accumulated faulty jumps of the timestamps
    for frame in frames:
        timestamp = _timestamp(frame)
        gap = 0.0 if timestamp is None else timestamp - origin - clock_offset - end
        if position is None or abs(gap) > _TIMESTAMP_JITTER:
            for block in resample.flush():
                yield position or 0, block
            if position is None or 0 < gap <= _LONGEST_GAP:
                end += max(gap, 0.0)
            else:
                clock_offset += gap
            position = round(end * rate)
        for block in resample(frame):
            yield position, block
            position += len(block)
        end += frame.samples / frame.sample_rate
    for block in resample.flush():
        yield position or 0, block
        position = (position or 0) + len(block)


class _Resampler:
    """Converts frames of any format, rate and channel layout to float32 [n, channels] at one rate."""

    def __init__(self, rate: int, channels: int) -> None:
        self._rate, self._channels = rate, channels
        self._source: tuple[Any, ...] = ()
        self._convert: Any = None
        self._gains = np.ones((channels, 1), np.float32)

    def __call__(self, frame: Any) -> Iterator[NDArray[np.float32]]:
        source = (frame.format.name, frame.layout.name, frame.sample_rate)
        if source != self._source:  # may change within a file of joined recordings
            yield from self.flush()
            self._source = source
            self._gains = downmix_matrix([c.name for c in frame.layout.channels], self._channels)
        if self._convert is None:
            self._convert = av.AudioResampler("fltp", frame.layout, self._rate, frame_size=_BLOCK)
        frame.pts = None  # timestamps are handled by `_positioned_blocks`
        yield from self._mixed(frame)

    def flush(self) -> Iterator[NDArray[np.float32]]:
        """Yield the samples left in the filter and reset it."""
        if self._convert is not None:
            yield from self._mixed(None)
            self._convert = None

    def _mixed(self, frame: Any) -> Iterator[NDArray[np.float32]]:
        for converted in self._convert.resample(frame):
            if converted is not None and converted.samples:
                mixed = (self._gains @ converted.to_ndarray()).T
                yield np.clip(np.nan_to_num(mixed, nan=0.0, posinf=1.0, neginf=-1.0), -1.0, 1.0)


def downmix_matrix(names: list[str], channels: int) -> NDArray[np.float32]:
    """Return the downmix (or duplication) matrix [channels, len(names)] of ITU-R BS.775; rows sum to at most 1.

    Args:
        names: FFmpeg's channel names, such as FL, FR, FC, LFE, SL, SR; where a file has none (NONE, as in many wav
            files) the default order for its number of channels is assumed.
        channels: 1 or 2.
    """
    if set(names) == {"NONE"}:
        names = _DEFAULT_CHANNELS.get(len(names), names)
    gains = np.zeros((2, len(names)), np.float32)
    for column, name in enumerate(names):
        side = "L" if name.endswith(("L", "LC")) else "R" if name.endswith(("R", "RC")) else ""
        gain = 1.0 if name in ("FL", "FR", "DL", "DR") or len(names) == 1 else _SURROUND_GAIN
        if name.startswith("LFE") and len(names) > 1:
            gain = 0.0
        gains[:, column] = (gain * (side != "R"), gain * (side != "L"))
    gains /= max(1.0, float(gains.sum(axis=1).max()))
    return gains if channels == 2 else gains.mean(axis=0, keepdims=True)
