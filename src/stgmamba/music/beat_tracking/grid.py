"""Constant tempo: the grid of exactly equal intervals that a stretch of beats follows, where it follows one."""

from __future__ import annotations

import numpy as np

from stgmamba.arrays import DoubleArray, FloatArray
from stgmamba.jit import jit
from stgmamba.music.beat_tracking.spectrogram import FPS

_TEMPO_TOLERANCE = 0.03  # the grid's interval differs from the decoded beats' by no more
_CLOSE = 0.025  # seconds from the grid within which a beat follows it
_FOLLOWING = 0.93  # share of the confident beats that must do so
_CONFIDENT = 0.7  # of the 85th percentile of the beats' activations
_LEAST_BEATS = 8
_JUMP = 0.12  # relative change of the interval that parts two stretches
_SUPPORT = 4  # beats on either side over which the interval is taken


def steady_stretches(activation: FloatArray, beats: DoubleArray) -> list[DoubleArray]:
    """Stretches of beats at constant tempo, put on exact grids where they follow one; else as they are.

    Bands who play to a metronome and programmed music keep their tempo exactly; a grid carries the beat over breaks, in
    which a decoder goes astray, and corrects single beats. Where one grid fits the whole song, that is one stretch.

    Args:
        activation: [T] at FPS.
        beats: [K] decoded, seconds.

    Returns:
        Of each stretch the beats, seconds, increasing.
    """
    whole = on_grid(activation, beats)
    if whole is not None:
        return [whole]
    stretches = []
    for stretch in split_at_jumps(beats):
        snapped = on_grid(activation, stretch)
        stretches.append(stretch if snapped is None else snapped)
    return stretches


def split_at_jumps(beats: DoubleArray) -> list[DoubleArray]:
    """Stretches of beats between which the tempo jumps by more than 12 %."""
    if len(beats) < 4 * _SUPPORT:
        return [beats]
    intervals = np.diff(beats)
    windows = np.lib.stride_tricks.sliding_window_view(intervals, _SUPPORT)
    medians = np.median(windows, axis=1)
    # Change between the intervals before and after each beat.
    change = np.abs(np.log(medians[_SUPPORT:] / medians[:-_SUPPORT]))
    cuts, at = [], 0
    while at < len(change):
        if change[at] > _JUMP:
            run = at
            while run < len(change) and change[run] > _JUMP:
                run += 1
            cuts.append(at + int(np.argmax(change[at:run])) + _SUPPORT)
            at = run
        at += 1
    return [stretch for stretch in np.split(beats, cuts) if len(stretch)]


def on_grid(activation: FloatArray, beats: DoubleArray) -> DoubleArray | None:
    """The beats of the constant grid that decoded beats follow; None where they follow none."""
    if len(beats) < _LEAST_BEATS:
        return None
    interval, phase = _best_grid(activation, beats)
    strength = activation_at(activation, beats)
    confident = beats[strength >= max(0.2, _CONFIDENT * float(np.percentile(strength, 85)))]
    # Half beats count as followed: which of the two phases is the beat is not decided here.
    off = np.abs((((confident - phase) / (interval / 2)) + 0.5) % 1 - 0.5) * interval / 2
    if not len(confident) or np.mean(off < _CLOSE) < _FOLLOWING:
        return None
    first = phase + interval * np.ceil((beats[0] - interval / 2 - phase) / interval)
    return np.arange(first, beats[-1] + interval / 2, interval)


def _best_grid(activation: FloatArray, beats: DoubleArray) -> tuple[float, float]:
    """Interval and phase, seconds, of the grid on which most activation lies."""
    first, last = max(0, round(beats[0] * FPS) - 5), min(len(activation), round(beats[-1] * FPS) + 6)
    times = np.arange(first, last) / FPS
    weights = np.maximum(activation[first:last].astype(np.float64) - 0.03, 0)
    middle = float(np.median(np.diff(beats)))
    # Steps so fine that over the whole stretch a beat moves by 12 ms from one candidate to the next.
    step = max(0.012 / (beats[-1] - beats[0]), 1e-5)
    candidates = middle * (1 + np.arange(-_TEMPO_TOLERANCE, _TEMPO_TOLERANCE, step))
    keep = weights > 0
    interval, phase = _comb(times[keep], weights[keep], candidates, max(8, int(middle / 0.01)))
    return interval, phase


@jit()
def _comb(times: DoubleArray, weights: DoubleArray, intervals: DoubleArray, bins: int) -> tuple[float, float]:
    """The interval, of some, and the phase in seconds whose grid has most weight, by histograms of the phase."""
    best, best_interval, best_phase = -1.0, intervals[0], 0.0
    histogram = np.zeros(bins)
    for interval in intervals:
        histogram[:] = 0
        for i in range(len(times)):
            histogram[int(times[i] / interval % 1.0 * bins) % bins] += weights[i]
        for b in range(bins):
            value = histogram[b] + 0.7 * (histogram[b - 1] + histogram[(b + 1) % bins])
            if value > best:
                best, best_interval, best_phase = value, interval, (b + 0.5) / bins
    # The mean of the weight near the best bin.
    total = moment = 0.0
    for i in range(len(times)):
        off = (times[i] / best_interval - best_phase + 0.5) % 1.0 - 0.5
        if abs(off) < 0.06:
            total += weights[i]
            moment += weights[i] * off
    if total > 0:
        best_phase += moment / total
    return best_interval, best_phase * best_interval


def activation_at(activation: FloatArray, times: DoubleArray) -> FloatArray:
    """The largest activation within a frame of each time; [K] -> [K]."""
    frames = np.clip(np.round(times * FPS).astype(int), 0, len(activation) - 1)
    last = len(activation) - 1
    return np.asarray(np.maximum.reduce([activation[np.clip(frames + shift, 0, last)] for shift in (-1, 0, 1)]))
