"""Stages `sound` and `sync`: the music of each part, its beats, and how the dance lies against them."""

from __future__ import annotations

from typing import Any

import numpy as np

from stgmamba.arrays import DoubleArray, FloatArray
from stgmamba.builder.stages import BuildOptions, Previous, Result, Video
from stgmamba.datasets.sync import fit_sync
from stgmamba.errors import InputError
from stgmamba.music.beat_tracking.spectrogram import FPS, log_mel
from stgmamba.music.beat_tracking.tracker import default_tracker
from stgmamba.music.decode import SAMPLE_RATE, SHORTEST_SONG, load_song
from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton
from stgmamba.skeleton.motion_events import foot_strikes

_LONGEST = 600.0  # seconds that are decoded at once
_PERIODS = (0.25, 1.5)  # seconds between beats: 240 to 40 beats per minute
_CONTEXT = 8.0  # seconds that are heard of the music of a part at least, where there are so many
_BLOCK = 0.02  # seconds over which loudness is measured
_WINDOW = 1.0  # seconds over which low energy is defined


def sound_stage(video: Video, options: BuildOptions, previous: Previous) -> Result:
    """The sound of each part.

    Returns:
        Facts: ``sounds``, for each part of the stage `motion` a dict of ``sound`` (whether there is any, and it is
        long enough), ``loudness`` (dB below full scale, -100 for silence), ``pulse`` (see `pulse_clarity`),
        ``low_energy`` (see `low_energy_share`), ``tempo`` (beats per minute), and first and last row in ``beats``;
        ``beats`` float64 [K], seconds in the file's picture, the known lag of the sound removed.
    """
    motion = previous["motion"]
    heard: dict[tuple[float, float], tuple[dict[str, Any], DoubleArray]] = {}
    sounds, beats, length = [], [], 0
    for _, _, _, first, last in motion.facts["parts"]:
        start, stop = float(motion.arrays["time"][first]), float(motion.arrays["time"][last - 1])
        if (start, stop) not in heard:
            silent = previous["probe"].facts["audio_codec"] is None
            heard[start, stop] = _no_sound() if silent else _hear(video, start, stop)
        facts, times = heard[start, stop]
        sounds.append({**facts, "first": length, "last": length + len(times)})
        beats.append(times)
        length += len(times)
    return Result({"sounds": sounds}, {"beats": np.concatenate(beats) if beats else np.zeros(0)})


def sync_stage(video: Video, options: BuildOptions, previous: Previous) -> Result:
    """Facts ``syncs``: for each part, how foot strikes lie against the beats; picture and sound share one clock."""
    motion, sound = previous["motion"], previous["sound"]
    syncs = []
    for (_, _, _, first, last), facts in zip(motion.facts["parts"], sound.facts["sounds"], strict=True):
        start = float(motion.arrays["time"][first])
        dance = Skeleton(motion.arrays["dance"][first:last], float(motion.facts["fps"]), OPENPOSE_18_FEET)
        beats = sound.arrays["beats"][facts["first"] : facts["last"]] - start
        syncs.append(fit_sync(foot_strikes(dance), beats).facts())
    return Result({"syncs": syncs})


def pulse_clarity(activation: FloatArray, beats: DoubleArray) -> float:
    """How regularly and clearly beats are heard: about 0.15 for noise, 0.2 for speech, 0.6 for dance music.

    Geometric mean of two parts, each 0..1: how sure the beat network is of the beats; and the largest autocorrelation
    of its activation at the lag of a beat that returns at twice the lag (Lartillot et al., "Multi-feature modeling of
    pulse clarity", ISMIR 2008, use the first, of an onset curve, which in a few seconds does not tell music without
    drums from noise).

    Args:
        activation: probability of a beat, [T] at the beat network's `FPS`.
        beats: that were found in it, seconds [K].
    """
    curve = activation.astype(np.float64) - activation.mean()
    longest = min(int(2 * _PERIODS[1] * FPS), len(curve) // 2)
    if longest <= 2 * _PERIODS[0] * FPS or not curve.any() or not len(beats):
        return 0.0
    spectrum = np.fft.rfft(curve, 2 * len(curve))
    correlation = np.fft.irfft(np.abs(spectrum) ** 2)[: longest + 3]
    # Beats are not exact to a frame.
    correlation = np.convolve(correlation, [0.25, 0.5, 0.25], mode="same") / max(float(correlation[0]), 1e-12)
    lags = np.arange(int(_PERIODS[0] * FPS), longest // 2 + 1)
    regular = float(np.clip(np.minimum(correlation[lags], correlation[2 * lags]).max(), 0, 1))
    near = np.rint(beats * FPS).astype(int)[:, None] + np.arange(-2, 3)
    sure = float(activation[np.clip(near, 0, len(activation) - 1)].max(axis=1).mean())
    return float(np.sqrt(regular * sure))


def low_energy_share(samples: FloatArray, rate: int) -> float:
    """Share of 20 ms blocks whose energy is below half of the mean over the second around.

    High for speech, which pauses between syllables and words, low for music (Scheirer and Slaney, "Construction and
    evaluation of a robust multifeature speech/music discriminator", ICASSP 1997).
    """
    block = max(1, round(_BLOCK * rate))
    count = len(samples) // block
    energy = np.square(samples[: count * block].reshape(count, block).astype(np.float64)).mean(axis=1)
    window = max(1, round(_WINDOW / _BLOCK))
    mean = np.convolve(energy, np.ones(window), mode="same") / np.convolve(np.ones(count), np.ones(window), mode="same")
    return float((energy < 0.5 * mean).mean()) if count else 0.0


def _no_sound() -> tuple[dict[str, Any], DoubleArray]:
    facts = {"sound": False, "loudness": -100.0, "pulse": 0.0, "low_energy": 0.0, "tempo": 0.0}
    return facts, np.zeros(0)


def _hear(video: Video, start: float, stop: float) -> tuple[dict[str, Any], DoubleArray]:
    """Facts and beats of the sound that belongs to a part, which is decoded in stretches.

    A pulse takes seconds to show: the music around a short part is heard, too.
    """
    pieces = []
    wider = max(0.0, (_CONTEXT - (stop - start)) / 2)
    for begin in np.arange(start, stop, _LONGEST):
        seconds = min(_LONGEST, stop - begin)
        if seconds < SHORTEST_SONG:
            continue
        first = max(0.0, begin + video.lag - wider)
        try:
            samples = load_song(video.path, start=first, seconds=begin + video.lag + seconds + wider - first).samples
        except InputError:  # silence, or the sound ends before
            continue
        inside = samples[round((max(0.0, begin + video.lag) - first) * SAMPLE_RATE) :][: round(seconds * SAMPLE_RATE)]
        if len(inside) < SHORTEST_SONG * SAMPLE_RATE:  # it ends before
            continue
        spectrogram = log_mel(samples)
        activations = default_tracker().activations(spectrogram)
        tracked = default_tracker().decode(spectrogram, activations)
        beats = tracked.beats + first - video.lag
        level = 10 * np.log10(max(float(np.square(inside.astype(np.float64)).mean()), 1e-10))
        measures = (
            level,
            pulse_clarity(activations[0], tracked.beats),
            low_energy_share(samples, SAMPLE_RATE),
            tracked.tempo,
        )
        pieces.append((len(inside), measures, beats[(beats >= begin) & (beats < begin + seconds)]))
    if not pieces:
        return _no_sound()
    weights = np.array([length for length, _, _ in pieces], np.float64)
    level, pulse, low_energy, tempo = (weights @ np.array([each for _, each, _ in pieces]) / weights.sum()).tolist()
    facts = {"sound": True, "loudness": level, "pulse": pulse, "low_energy": low_energy, "tempo": tempo}
    return facts, np.concatenate([times for _, _, times in pieces])
