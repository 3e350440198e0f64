"""Baseline ``ellis``: onset strength and dynamic programming, without anything learnt.

Ellis (2007), "Beat tracking by dynamic programming", with the tempo free to change slowly. It was the tracker of this
project before `stgmamba.music.beat_tracking`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stgmamba.arrays import DoubleArray, FloatArray
from stgmamba.evaluation.beats.baselines.beat_path import best_predecessors
from stgmamba.music.decode import SAMPLE_RATE
from stgmamba.music.features import ONSET_HOP, spectral_flux

_ONSET_DELAY = 0.003  # seconds by which flux peaks lead a drum's attack; measured on the demo songs
_TIGHTNESS = 400.0  # weight of a steady tempo against loud onsets, alpha of Ellis (2007)
_BEAT_WEIGHTS = np.array([0.5, 0.5], np.float32)  # drums of any pitch, and bass and kick, which hats would drown
_TEMPO_STRETCH = 12.0  # seconds over which the tempo is taken as constant
_MULTIPLES = (1, 2, 3, 4)  # of a period, at which the song must resemble itself
_TEMPO_RANGE = (40.0, 240.0)  # beats per minute
_USUAL_TEMPO = 105.0  # beats per minute; centre of the prior: with it all training dances have their published tempo
_TEMPO_SPREAD = 0.6  # octaves; standard deviation of the prior


def ellis(samples: FloatArray, rate: int = SAMPLE_RATE) -> DoubleArray:
    """Beats of a song; music without clear onsets gets regular ones at the likeliest tempo.

    Args:
        samples: [N] mono, -1..1.
        rate: samples per second.

    Returns:
        [K] seconds, increasing, K > 0.
    """
    flux = spectral_flux(samples, rate) @ _BEAT_WEIGHTS
    periods = _beat_periods(flux)
    begin, end = _sounding(samples, rate)
    times = _beats_on_onsets(flux, periods) * ONSET_HOP + _ONSET_DELAY
    if len(times) < 2:
        period = float(np.median(periods)) * ONSET_HOP
        times = times if len(times) else np.array([begin])
        times = np.arange(times[0] - period * np.floor((times[0] - begin) / period), max(end, begin + 1e-9), period)
        return np.asarray(times)
    times = _regular_end(times, end)
    times = -_regular_end(-times[::-1], -begin)[::-1]
    return np.asarray(times)


def _beats_on_onsets(flux: NDArray[np.float32], periods: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the flux frames that are beats, given the period around each; empty if nothing stands out.

    The dynamic programme of Ellis (2007), eq. 5 to 7, with a period for each frame.
    """
    if not flux.any():
        return np.zeros(0, np.int64)
    from scipy.ndimage import gaussian_filter1d
    from scipy.signal import argrelmax

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

    shortest, longest = (60 / (bpm * ONSET_HOP) for bpm in reversed(_TEMPO_RANGE))
    lags = np.arange(int(shortest), int(longest) + 1)
    centres, correlation = _autocorrelation(flux, _MULTIPLES[-1] * int(lags[-1]) + 1)
    # A beat recurs at every multiple of its period; a syncopated figure repeats at its own length only.
    likeness = np.mean([correlation[:, m * lags] for m in _MULTIPLES], axis=0)
    whole = _best_lag(lags, likeness.mean(axis=0), 60 / (_USUAL_TEMPO * ONSET_HOP), _TEMPO_SPREAD)
    near = uniform_filter1d(likeness, size=5, axis=0, mode="nearest")
    local = [_best_lag(lags, row, whole, octaves=0.1) for row in near]
    return np.interp(np.arange(len(flux)), centres, local)


def _autocorrelation(flux: NDArray[np.float32], lags: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return centres [S] (flux frames) of stretches of the song and their normalised autocorrelation [S, lags]."""
    from scipy.fft import irfft, next_fast_len, rfft
    from scipy.ndimage import gaussian_filter1d

    length = min(len(flux), round(_TEMPO_STRETCH / ONSET_HOP))
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
