"""What a dancer hears: log-mel spectrum, onset strength, tempo and beats.

Frame i of every feature belongs to the second i/fps, for any fps. Everything is computed in stretches of bounded size,
so that an hour of music needs little more memory than its features.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

"""Mel power below which nothing is heard: -80 dB against a full-scale sine."""

_STRETCH = 2048  # frames computed at once
_ONSET_HOP = 128 / 22050  # seconds between onset frames: fine enough to place a beat within 3 ms
_ONSET_DELAY = 0.003  # seconds by which flux peaks lead a drum's attack; measured on the demo songs
_ONSET_WINDOW = 1024 / 22050  # seconds
_FLUX_FLOOR = 1e-6  # power; softer sounds make no beat
_TIGHTNESS = 400.0  # weight of a steady tempo against loud onsets, alpha of Ellis (2007)
_FLUX_LAG = 2  # onset frames between the levels compared
_BEAT_WEIGHTS = np.array([0.5, 0.5], np.float32)  # drums of any pitch, and bass and kick, which hats would drown
_TEMPO_STRETCH = 12.0  # seconds over which the tempo is taken as constant
_MULTIPLES = (1, 2, 3, 4)  # of a period, at which the song must resemble itself
_TEMPO_RANGE = (40.0, 240.0)  # beats per minute
_USUAL_TEMPO = 105.0  # beats per minute; centre of the prior: with it all training dances have their published tempo
_TEMPO_SPREAD = 0.6  # octaves; standard deviation of the prior


@dataclass(frozen=True)
class Beats:
    """Where the beats of a song are.

    Attributes:
        times: float64 [K], seconds, increasing, K > 0.
        tempo: beats per minute.
    """

    times: NDArray[np.float64]
    tempo: float


def frame_count(samples: int, rate: int, fps: float) -> int:
    """Return how many whole frames fit in so many samples (at least one)."""
    return max(1, int(samples * fps / rate + 1e-6))


def onset_strength(samples: NDArray[np.float32], rate: int, fps: float) -> NDArray[np.float32]:
    """Return how strongly something begins at each frame: spectral flux (Böck and Widmer 2013).

    The flux is taken at 172 Hz and each frame gets the strongest within half a frame on either side, so that no onset
    falls between two frames of a slow fps.

    Args:
        samples: [N] mono, -1..1.
        rate: samples per second.
        fps: frames per second, any positive number.

    Returns:
        float32 [T], >= 0; mean over mel bands of the rise in log10 power (0.5 and more: a drum).
    """
    flux = _flux(samples, rate)[:, 0]
    frames = frame_count(len(samples), rate, fps)
    edges = np.clip(np.round((np.arange(frames + 1) - 0.5) / (fps * _ONSET_HOP)).astype(int), 0, len(flux) - 1)
    # A frame shorter than a hop takes the nearest flux value.
    return np.maximum.reduceat(np.append(flux, 0.0), edges)[:frames].astype(np.float32)


def track_beats(samples: NDArray[np.float32], rate: int) -> Beats:
    """Find tempo and beats (dynamic programming, Ellis 2007), with the tempo free to change slowly.

    Music without clear onsets gets regular beats at the likeliest tempo.

    Args:
        samples: [N] mono, -1..1.
        rate: samples per second.
    """
    flux = _flux(samples, rate) @ _BEAT_WEIGHTS
    periods = _beat_periods(flux)
    begin, end = _sounding(samples, rate)
    times = _beats_on_onsets(flux, periods) * _ONSET_HOP + _ONSET_DELAY
    if len(times) < 2:
        period = float(np.median(periods)) * _ONSET_HOP
        times = times if len(times) else np.array([begin])
        times = np.arange(times[0] - period * np.floor((times[0] - begin) / period), max(end, begin + 1e-9), period)
        return Beats(times, 60 / period)
    times = _regular_end(times, end)
    times = -_regular_end(-times[::-1], -begin)[::-1]
    return Beats(times, 60 / _typical_interval(times))


def beat_phase(times: NDArray[np.float64], fps: float, frames: int) -> NDArray[np.float32]:
    """Return how far each frame is on its way from one beat to the next.

    Before the first and after the last beat the neighbouring interval is continued.

    Args:
        times: [K] seconds of the beats, increasing, K > 0; a single beat is taken to recur every half second.
        fps: frames per second.
        frames: number of frames.

    Returns:
        float32 [frames], 0 (on the beat) <= phase < 1.
    """
    times = np.asarray(times, np.float64)
    if not len(times):
        raise ValueError("beat_phase needs at least one beat")
    interval = _typical_interval(times)
    at = np.arange(frames) / fps
    count = np.interp(at, times, np.arange(len(times)))
    count += np.minimum(at - times[0], 0) / interval + np.maximum(at - times[-1], 0) / interval
    phase = (count % 1.0).astype(np.float32)
    phase[phase >= 1.0] = 0.0  # rounding to float32
    return phase


def _typical_interval(times: NDArray[np.float64]) -> float:
    """Return the mean of the beat intervals that are close to their median; 0.5 s for a single beat."""
    if len(times) < 2:
        return 60 / _USUAL_TEMPO
    intervals = np.diff(times)
    middle = np.sort(intervals)[len(intervals) // 2]
    return float(intervals[np.abs(intervals - middle) <= 0.1 * middle].mean())


def _window_length(seconds: float, rate: int) -> int:
    return int(2 ** max(6, round(np.log2(seconds * rate))))


def _mel_stretches(
    samples: NDArray[np.float32], rate: int, fps: float, frames: int, window: int, n_mels: int
) -> Iterator[NDArray[np.float32]]:
    """Yield mel power [n, n_mels] of consecutive frames, windows centred on i/fps, zeros beyond the song's ends."""
    from librosa.filters import mel
    from scipy.fft import rfft
    from scipy.signal.windows import hann

    bands = mel(sr=rate, n_fft=window, n_mels=n_mels, fmin=20.0, norm=None, dtype=np.float32).T
    shape = hann(window, sym=False).astype(np.float32)
    shape *= 2 / shape.sum()  # a full-scale sine has power 1
    for begin in range(0, frames, _STRETCH):
        centres = np.round(np.arange(begin, min(begin + _STRETCH, frames)) * (rate / fps)).astype(np.int64)
        low, high = int(centres[0]) - window // 2, int(centres[-1]) + window // 2
        piece = np.pad(samples[max(low, 0) : max(high, 0)], (max(-low, 0), max(high - max(len(samples), 0), 0)))
        pieces = np.lib.stride_tricks.sliding_window_view(piece, window)[centres - centres[0]]
        spectrum = rfft(pieces * shape, axis=1)
        yield (spectrum.real**2 + spectrum.imag**2) @ bands


def _flux(samples: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    """Return the spectral flux [F, 2] every `_ONSET_HOP` seconds: mean rise of log power, all bands and low bands."""
    frames = frame_count(len(samples), rate, 1 / _ONSET_HOP) + 1
    window = _window_length(_ONSET_WINDOW, rate)
    bands, low = 64, 8
    before: NDArray[np.float32] | None = None
    flux = []
    for power in _mel_stretches(samples, rate, 1 / _ONSET_HOP, frames, window, bands):
        level = np.log10(np.maximum(power, _FLUX_FLOOR))
        level = np.concatenate(
            [np.full((_FLUX_LAG, bands), np.log10(_FLUX_FLOOR)) if before is None else before, level]
        )
        rise = np.maximum(level[_FLUX_LAG:] - level[:-_FLUX_LAG], 0)
        flux.append(np.stack([rise.mean(axis=1), rise[:, :low].mean(axis=1)], axis=1).astype(np.float32))
        before = level[-_FLUX_LAG:]
    result = np.concatenate(flux)
    # What sounds from the first sample on may have begun before: let it count as an ordinary onset, not as a huge one.
    head = round(_ONSET_WINDOW / _ONSET_HOP)
    result[:head] = np.minimum(result[:head], np.percentile(result, 98, axis=0))
    return np.asarray(result)


def _beats_on_onsets(flux: NDArray[np.float32], periods: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the flux frames that are beats, given the period around each; empty if nothing stands out.

    The dynamic programme of Ellis (2007), eq. 5 to 7, with a period for each frame.
    """
    if not flux.any():
        return np.zeros(0, np.int64)
    from scipy.ndimage import gaussian_filter1d
    from scipy.signal import argrelmax

    from stgmamba.music.beat_path import best_predecessors

    width = float(np.median(periods)) / 32
    local = width * np.sqrt(2 * np.pi) * gaussian_filter1d(flux / flux.std(ddof=1), width, mode="constant")
    score, before = best_predecessors(local.astype(np.float64), periods, _TIGHTNESS)
    # The song may fade out: the last beat is the last peak of the score that is no dwarf among them.
    peaks = argrelmax(np.append(score, -np.inf))[0]
    if not len(peaks):
        return np.zeros(0, np.int64)
    beat = int(peaks[2 * score[peaks] >= np.median(score[peaks])].max())
    beats = []
    while beat >= 0:
        beats.append(beat)
        beat = int(before[beat])
    return np.array(beats[::-1], np.int64)


def _regular_end(times: NDArray[np.float64], end: float) -> NDArray[np.float64]:
    """Drop irregular last beats, which the tracker places badly, and continue regularly up to ``end``."""
    period = float(np.median(np.diff(times[-9:])))
    while len(times) > 2 and abs(times[-1] - times[-2] - period) > 0.12 * period:
        times = times[:-1]
    times = times[times <= end] if (times <= end).sum() > 1 else times
    return np.concatenate([times, np.arange(times[-1] + period, end + 0.04, period)])


def _sounding(samples: NDArray[np.float32], rate: int) -> tuple[float, float]:
    """Return the seconds between which the song can be heard (above -50 dB of its peak)."""
    block = max(1, rate // 100)
    peaks = np.array([np.abs(samples[i : i + block]).max() for i in range(0, len(samples), block)])
    audio = np.flatnonzero(peaks > 10 ** (-50 / 20) * peaks.max())
    if not len(audio):
        return 0.0, len(samples) / rate
    return float(audio[0] * block / rate), float((audio[-1] + 1) * block / rate)


def _beat_periods(flux: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the likeliest beat period, in flux frames, around each flux frame.

    One period for the whole song is chosen first, by the mean autocorrelation and a prior; each stretch
    of the song may then differ from it a little, so that live bands and long mixes are followed without jumping
    between a tempo and its double.
    """
    from scipy.ndimage import uniform_filter1d

    shortest, longest = (60 / (bpm * _ONSET_HOP) for bpm in reversed(_TEMPO_RANGE))
    lags = np.arange(int(shortest), int(longest) + 1)
    centres, correlation = _autocorrelation(flux, _MULTIPLES[-1] * int(lags[-1]) + 1)
    # A beat recurs at every multiple of its period; a syncopated figure repeats at its own length only.
    likeness = np.mean([correlation[:, m * lags] for m in _MULTIPLES], axis=0)
    whole = _best_lag(lags, likeness.mean(axis=0), 60 / (_USUAL_TEMPO * _ONSET_HOP), _TEMPO_SPREAD)
    near = uniform_filter1d(likeness, size=5, axis=0, mode="nearest")
    local = [_best_lag(lags, row, whole, octaves=0.1) for row in near]
    return np.interp(np.arange(len(flux)), centres, local)


def _autocorrelation(flux: NDArray[np.float32], lags: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return centres [S] (flux frames) of stretches of the song and their normalised autocorrelation [S, lags]."""
    from scipy.fft import irfft, next_fast_len, rfft
    from scipy.ndimage import gaussian_filter1d

    length = min(len(flux), round(_TEMPO_STRETCH / _ONSET_HOP))
    size = next_fast_len(length + lags, real=True)
    overlap = np.maximum(length - np.arange(lags), 0.25 * length) / length  # fewer products at longer lags
    centres, rows = [], []
    for begin in range(0, len(flux) - length + 1, max(1, length // 2)):
        piece = flux[begin : begin + length].astype(np.float64)
        correlation = irfft(np.abs(rfft(piece - piece.mean(), size)) ** 2, size)[:lags]
        correlation = gaussian_filter1d(correlation, 2.0, mode="mirror")  # beats are not exact to the frame
        rows.append(correlation / (overlap * max(correlation[0], 1e-12)))
        centres.append(begin + length / 2)
    return np.array(centres), np.array(rows)


def _best_lag(lags: NDArray[np.int64], likeness: NDArray[np.float64], usual: float, octaves: float) -> float:
    """Return the lag of highest likeness times a log-normal prior around ``usual``, refined by a parabola."""
    prior = np.exp(-0.5 * (np.log2(lags / usual) / octaves) ** 2)
    score = np.maximum(likeness, 0) * prior
    best = int(np.argmax(score))
    if score[best] <= 0:
        return usual
    if not 0 < best < len(lags) - 1:
        return float(lags[best])
    left, top, right = likeness[best - 1 : best + 2]
    bend = left - 2 * top + right
    shift = 0.5 * (left - right) / bend if bend < 0 else 0.0
    return float(lags[best] + np.clip(shift, -1, 1))
