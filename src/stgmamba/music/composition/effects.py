"""What happens to a composed song on its way to a listener: room, tone, compression, codecs, noise."""

from __future__ import annotations

import tempfile
from pathlib import Path

import av
import numpy as np

from stgmamba.arrays import DoubleArray, FloatArray
from stgmamba.jit import jit
from stgmamba.music.decode import SAMPLE_RATE, load_song

CODECS = {"mp3": ("libmp3lame", ".mp3"), "opus": ("libopus", ".ogg")}
"""Name -> encoder of FFmpeg and ending of its container; those whose files state the encoder's delay."""


def rms(sound: FloatArray) -> float:
    """Root mean square, > 0."""
    return float(np.sqrt(np.mean(sound.astype(np.float64) ** 2))) + 1e-9


def reverberate(sound: FloatArray, rng: np.random.Generator, wet: float, seconds: float) -> FloatArray:
    """Add the answer of a room: noise that falls by 60 dB in so many seconds; ``wet``: its relative level."""
    from scipy.signal import fftconvolve

    n = max(64, round(min(seconds, 2.5) * SAMPLE_RATE))
    room = rng.standard_normal(n) * np.exp(-6.9 * np.arange(n) / SAMPLE_RATE / seconds)
    room[: round(rng.uniform(0, 0.02) * SAMPLE_RATE)] = 0  # the walls are some metres away
    room *= wet / max(float(np.sqrt((room**2).sum())), 1e-9)
    return np.asarray(sound + fftconvolve(sound, room.astype(np.float32))[: len(sound)], np.float32)


def equalise(sound: FloatArray, hertz: DoubleArray, decibels: DoubleArray) -> FloatArray:
    """Filter a sound by a curve through some frequencies (rising) and their gains, linear in octaves, without delay."""
    from scipy.fft import irfft, next_fast_len, rfft

    size = next_fast_len(len(sound), real=True)
    octaves = np.log2(np.maximum(np.arange(size // 2 + 1) * (SAMPLE_RATE / size), 16))
    gain = 10 ** (np.interp(octaves, np.log2(hertz), decibels) / 20)
    return np.asarray(irfft(rfft(sound, size) * gain, size)[: len(sound)], np.float32)


@jit()
def compress(sound: FloatArray, threshold: float, ratio: float, release: float) -> None:
    """Compress in place, by a peak follower with the attack of a sample.

    Args:
        sound: [N].
        threshold: amplitude above which the gain falls.
        ratio: decibels above the threshold that become one.
        release: samples in which the follower falls to 1/e.
    """
    level = 0.0
    fall = np.exp(-1.0 / release)
    for i in range(len(sound)):
        level = max(abs(sound[i]), level * fall)
        if level > threshold:
            sound[i] *= (level / threshold) ** (1.0 / ratio - 1.0)


def transcode(sound: FloatArray, codec: str, bit_rate: int) -> FloatArray:
    """Encode and decode a sound with a lossy codec; its delay is taken out as for every file (`music.decode`).

    Args:
        sound: [N] mono at SAMPLE_RATE, at least 1 s.
        codec: a key of `CODECS`.
        bit_rate: bits per second.

    Returns:
        [N], float32.
    """
    with tempfile.TemporaryDirectory(prefix="stgmamba-") as folder:
        path = Path(folder) / f"song{CODECS[codec][1]}"
        encode(path, sound, codec, bit_rate)
        decoded = load_song(path).samples[: len(sound)]
    return np.pad(decoded, (0, len(sound) - len(decoded)))


def encode(path: Path, sound: FloatArray, codec: str, bit_rate: int) -> None:
    """Write a mono sound at SAMPLE_RATE as a file of a codec in `CODECS`."""
    rate = 48_000 if codec == "opus" else SAMPLE_RATE  # Opus knows no 22,050 Hz
    with av.open(str(path), "w") as container:
        stream = container.add_stream(CODECS[codec][0], rate=rate, layout="mono")
        stream.bit_rate = bit_rate
        frame = av.AudioFrame.from_ndarray(np.clip(sound, -1, 1)[None].astype(np.float32), "fltp", "mono")
        frame.sample_rate = SAMPLE_RATE
        resample = av.AudioResampler(stream.codec_context.format or "fltp", "mono", rate)
        for part in (*resample.resample(frame), None):
            container.mux(stream.encode(part))
