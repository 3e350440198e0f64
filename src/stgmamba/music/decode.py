"""Sound out of any file that FFmpeg (PyAV) opens: the project's only audio decoder.

Second 0 of a song is the first instant of its file: the first sample a player would play (encoder delay of mp3, AAC and
Opus removed, as far as the file states it), or the first picture where a video's picture starts before its sound.
Times of `stgmamba.video_io` count from the same instant.
"""

from __future__ import annotations

from collections.abc import Iterator
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
"""Samples per second of the sound that the models hear."""

SHORTEST_SONG = 1.0
"""Seconds below which there is nothing to dance to."""

SILENCE = 10 ** (-60 / 20)
"""Peak amplitude (-60 dBFS) below which a song counts as silent."""

_PREROLL = 1.0  # seconds decoded before the wanted start: every lossy codec has settled by then
_TIMESTAMP_JITTER = 0.1  # seconds; Matroska rounds to 1 ms, live recordings wander by some tens of ms
_LONGEST_GAP = 10.0  # seconds; a longer jump is a faulty clock (joined recordings), not a pause
_BLOCK = 16384  # samples per block: large enough that Python's share of the time is small
_USUAL_ORDER = {
    2: ["FL", "FR"],
    6: ["FL", "FR", "FC", "LFE", "BL", "BR"],
    8: ["FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"],
}
_SURROUND_GAIN = 0.5**0.5  # ITU-R BS.775 down-mix: centre and surrounds 3 dB lower


@dataclass(frozen=True)
class Song:
    """Decoded music.

    Attributes:
        samples: float32 [N], mono, -1..1.
        rate: samples per second.
        path: the file it came from, if any.
    """

    samples: NDArray[np.float32]
    rate: int
    path: Path | None = None

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.rate


def open_media(path: str | Path) -> Any:
    """Open a sound or video file as a PyAV input container (use it in a ``with``).

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
        # The prefix keeps a name with a colon from being taken for an address; the whitelist keeps a playlist
        # from fetching anything from elsewhere. Tags in odd encodings must not hinder decoding.
        return av.open(f"file:{path}", metadata_errors="replace", container_options={"protocol_whitelist": "file"})
    except PermissionError as error:
        raise InputError(f"{path}: no permission to read it; change its permissions or copy it.") from error
    except (av.error.FFmpegError, OSError) as error:
        raise InputError(
            f"{path}: this is not a sound or video file that can be read, or it is damaged; "
            "try another file or convert it to wav or mp4."
        ) from error


def moving_picture(container: Any) -> Any | None:
    """Return the video stream of an open container, or None; a cover picture inside a song is not a video."""
    attached = av.stream.Disposition.attached_pic
    return next((s for s in container.streams.video if not s.disposition & attached), None)


def decode_packets(container: Any, stream: Any) -> Iterator[Any]:
    """Yield the decoded frames of one stream; damaged packets are passed over, a damaged end is the end."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except (av.error.FFmpegError, OSError):
            packet = None  # nothing more can be read: take out what the decoder still holds
        with suppress(av.error.FFmpegError):
            yield from stream.decode(packet) if packet is None else packet.decode()
        if packet is None:
            return


def origin_seconds(container: Any, first_sound: float | None) -> float:
    """Return the timestamp that counts as second 0 of the file: its earliest sound or picture."""
    video = moving_picture(container)
    starts = [] if first_sound is None else [first_sound]
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
    """Decode a file's sound block by block, in constant memory.

    Surround sound is mixed down by ITU-R BS.775 (without its low-frequency effects channel), scaled so that it cannot
    clip. Pauses in the timestamps (up to 10 s) become silence, so that sound and pictures of a video stay together.

    Args:
        path: any file with sound that PyAV opens.
        rate: wanted samples per second.
        channels: 1 (mono) or 2 (stereo; mono sources are doubled).
        start: seconds to leave out at the beginning; reached by seeking, exact to one sample
            (to about 1 ms in Matroska and WebM, whose clock is that coarse).
        seconds: length to decode at most; None for everything.

    Yields:
        float32 [n, channels], -1..1, n > 0, of varying n.

    Raises:
        InputError: the file cannot be read, has no sound, or ends before ``start``.
    """
    path = Path(path)
    if start < 0 or (seconds is not None and seconds <= 0):
        raise InputError(f"{path}: the part asked for (start {start:g} s, length {seconds} s) must lie in the song.")
    first = round(start * rate)
    end = None if seconds is None else first + round(seconds * rate)
    cursor = first  # samples given out so far, counted from second 0
    ends_at = None
    with open_media(path) as container:
        stream = container.streams.best("audio")
        if stream is None:
            raise InputError(f"{path}: there is no sound in this file; give a song, for example an mp3 or wav file.")
        for position, block in _positioned_blocks(*_frames_from(container, stream, start), rate, channels):
            ends_at = position + len(block)
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
    if ends_at is None:
        raise InputError(f"{path}: no sound could be decoded from this file; it is damaged or protected, try another.")
    if cursor == first:
        raise InputError(
            f"{path}: the sound is {ends_at / rate:.1f} s long and cannot start at {start:g} s; choose an earlier one."
        )


def load_song(path: str | Path, rate: int = SAMPLE_RATE, start: float = 0.0, seconds: float | None = None) -> Song:
    """Decode a song, or part of one, to mono.

    Memory: 4 bytes per sample and about an eighth more while decoding; an hour at 22,050 Hz is 318 MB.

    Args:
        path: any file with sound that PyAV opens.
        rate: wanted samples per second.
        start: seconds to leave out at the beginning.
        seconds: length to decode at most; None for everything.

    Raises:
        InputError: as `stream_audio`; also a part shorter than 1 s or quieter than -60 dBFS throughout.
    """
    path = Path(path)
    samples = bytearray()  # grows in place: the sound is never held twice
    peak = 0.0
    for block in stream_audio(path, rate, 1, start, seconds):
        peak = max(peak, float(np.abs(block).max()))
        samples += block.tobytes()
    song = Song(np.frombuffer(samples, dtype=np.float32), rate, path)
    if song.seconds < SHORTEST_SONG:
        raise InputError(
            f"{path}: only {song.seconds:.2f} s of sound, too short to dance to; give at least {SHORTEST_SONG:g} s."
        )
    if peak < SILENCE:
        raise InputError(f"{path}: silence (nothing above -60 dBFS), nothing to dance to; choose another part.")
    return song


def _frames_from(container: Any, stream: Any, start: float) -> tuple[Iterator[Any], float]:
    """Return an iterator of frames that begins at or before ``start``, and the timestamp of second 0."""
    frames = decode_packets(container, stream)
    head = next(frames, None)
    if head is None:
        return iter(()), 0.0
    origin = origin_seconds(container, _timestamp(head))
    if start <= 2 * _PREROLL:
        return chain([head], frames), origin
    target = origin + start
    for moment in (target - _PREROLL, origin):  # some indexes are wrong; the beginning is always there
        try:
            container.seek(int(moment / float(stream.time_base)), stream=stream)
        except av.error.FFmpegError:
            continue
        frames = decode_packets(container, stream)
        head = next(frames, None)
        at = None if head is None else _timestamp(head)
        if at is not None and at <= target:
            return chain([head], frames), origin
    container.seek(0)
    return decode_packets(container, stream), origin


def _timestamp(frame: Any) -> float | None:
    return None if frame.pts is None or frame.time_base is None else frame.pts * float(frame.time_base)


def _positioned_blocks(
    frames: Iterator[Any], origin: float, rate: int, channels: int
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield (position, samples [n, channels]) at ``rate``; positions count from second 0 and leave out pauses."""
    resample = _Resampler(rate, channels)
    position: int | None = None
    played = 0.0  # seconds from second 0 to the end of the sound so far
    fault = 0.0  # seconds by which the file's clock has jumped without meaning it
    for frame in frames:
        at = _timestamp(frame)
        ahead = 0.0 if at is None else at - origin - fault - played
        if position is None or abs(ahead) > _TIMESTAMP_JITTER:
            for block in resample.flush():
                yield position or 0, block
            if position is None or 0 < ahead <= _LONGEST_GAP:
                played += max(ahead, 0.0)
            else:
                fault += ahead
            position = round(played * rate)
        for block in resample(frame):
            yield position, block
            position += len(block)
        played += frame.samples / frame.sample_rate
    for block in resample.flush():
        yield position or 0, block
        position = (position or 0) + len(block)


class _Resampler:
    """Frames of any format, rate and channel layout to float32 [n, channels] at one rate."""

    def __init__(self, rate: int, channels: int) -> None:
        self._rate, self._channels = rate, channels
        self._source: tuple[Any, ...] = ()
        self._convert: Any = None
        self._gains = np.ones((channels, 1), np.float32)

    def __call__(self, frame: Any) -> Iterator[NDArray[np.float32]]:
        source = (frame.format.name, frame.layout.name, frame.sample_rate)
        if source != self._source:  # joined recordings may change any of these in the middle
            yield from self.flush()
            self._source = source
            self._gains = mix_gains([c.name for c in frame.layout.channels], self._channels)
        if self._convert is None:
            self._convert = av.AudioResampler("fltp", frame.layout, self._rate, frame_size=_BLOCK)
        frame.pts = None  # time is kept outside
        yield from self._mixed(frame)

    def flush(self) -> Iterator[NDArray[np.float32]]:
        """Give out what the filter still holds; the next frame starts afresh."""
        if self._convert is not None:
            yield from self._mixed(None)
            self._convert = None

    def _mixed(self, frame: Any) -> Iterator[NDArray[np.float32]]:
        for converted in self._convert.resample(frame):
            if converted is not None and converted.samples:
                mixed = (self._gains @ converted.to_ndarray()).T
                yield np.clip(np.nan_to_num(mixed, nan=0.0, posinf=1.0, neginf=-1.0), -1.0, 1.0)


def mix_gains(names: list[str], channels: int) -> NDArray[np.float32]:
    """Return the down-mix (or doubling) matrix [channels, len(names)] of ITU-R BS.775, each row's sum at most 1.

    Args:
        names: FFmpeg's channel names, such as FL, FR, FC, LFE, SL, SR; those of a file that names none
            (NONE, as many wav) are taken by their usual order.
        channels: 1 or 2.
    """
    if set(names) == {"NONE"}:
        names = _USUAL_ORDER.get(len(names), names)
    gains = np.zeros((2, len(names)), np.float32)
    for column, name in enumerate(names):
        side = "L" if name.endswith(("L", "LC")) else "R" if name.endswith(("R", "RC")) else ""
        gain = 1.0 if name in ("FL", "FR", "DL", "DR") or len(names) == 1 else _SURROUND_GAIN
        if name.startswith("LFE") and len(names) > 1:
            gain = 0.0
        gains[:, column] = (gain * (side != "R"), gain * (side != "L"))
    gains /= max(1.0, float(gains.sum(axis=1).max()))
    return gains if channels == 2 else gains.mean(axis=0, keepdims=True)
