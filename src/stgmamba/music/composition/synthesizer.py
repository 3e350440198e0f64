"""Synthesiser of the composed songs: pitched voices in one compiled loop, and drum kits with random parameters.

Realism is not the aim: networks trained on these sounds must learn rhythm, so the sounds vary as widely as possible.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stgmamba.arrays import DoubleArray, FloatArray
from stgmamba.jit import jit
from stgmamba.music.decode import SAMPLE_RATE

_HIGHEST_PITCH = 9000.0  # Hz; higher notes would be aliases
SAW, PULSE, TRIANGLE, FM, UNISON, PLUCK, ORGAN, STRUCK = range(8)
"""Waveforms: UNISON is three detuned saws, FM two operators (Chowning 1973), PLUCK a string of Karplus and Strong
(1983), ORGAN four sustained partials, STRUCK five partials that die away, the higher the faster."""


@dataclass(frozen=True)
class Patch:
    """Settings of one pitched instrument.

    Attributes:
        waveform: one of the constants above.
        attack, release: seconds of linear rise, and of linear fall after the end of a note.
        decay: seconds in which a held note falls to 1/e.
        cutoff: Hz of the low-pass filter when its envelope has ended.
        sweep: by which factor (minus one) the attack opens the filter.
        sweep_time: seconds in which the filter's envelope falls to 1/e.
        resonance: damping of the filter, 2 none .. 0.3 a strong peak.
        colour: pulse width 0..1 of PULSE, frequency ratio of FM, relative detuning of UNISON; else unused.
        index: modulation index of FM.
        vibrato: relative depth of a vibrato of 5.5 Hz.
    """

    waveform: int
    attack: float = 0.003
    release: float = 0.05
    decay: float = 1.0
    cutoff: float = 4000.0
    sweep: float = 0.0
    sweep_time: float = 0.1
    resonance: float = 1.0
    colour: float = 0.5
    index: float = 2.0
    vibrato: float = 0.0


def play(
    track: FloatArray, onsets: DoubleArray, seconds: DoubleArray, pitches: DoubleArray, gains: DoubleArray, patch: Patch
) -> None:
    """Add notes to a track, in place.

    Args:
        track: [N] at SAMPLE_RATE.
        onsets: [K] seconds; notes that begin before 0 are heard from 0.
        seconds: [K] lengths of the notes, without their release.
        pitches: [K] MIDI notes.
        gains: [K] amplitudes.
        patch: of the instrument.
    """
    hertz = 440 * 2 ** ((pitches - 69) / 12)
    audible = hertz < _HIGHEST_PITCH
    # The burst of noise that plucks a string; the same for every note of a pitch, as on a sampler.
    burst = np.random.default_rng(len(onsets)).uniform(-1, 1, 2048)
    _add_notes(
        track,
        np.round(onsets[audible] * SAMPLE_RATE).astype(np.int64),
        np.maximum(1, np.round(seconds[audible] * SAMPLE_RATE)).astype(np.int64),
        hertz[audible],
        gains[audible],
        patch.waveform,
        patch.attack,
        patch.release,
        patch.decay,
        patch.cutoff,
        patch.sweep,
        patch.sweep_time,
        patch.resonance,
        patch.colour,
        patch.index,
        patch.vibrato,
        burst,
        SAMPLE_RATE,
    )


@jit("contract", "reassoc", "nsz")
def _add_notes(
    track: FloatArray,
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    hertz: DoubleArray,
    gains: DoubleArray,
    waveform: int,
    attack: float,
    release: float,
    decay: float,
    cutoff: float,
    sweep: float,
    sweep_time: float,
    resonance: float,
    colour: float,
    index: float,
    vibrato: float,
    burst: DoubleArray,
    rate: int,
) -> None:
    """The loop of `play`: times in samples, frequencies in Hz; what the settings mean stands in `Patch`."""
    string = np.zeros(len(burst))
    turn = 2 * math.pi
    decay_factor = math.exp(-1 / (decay * rate))
    sweep_factor = math.exp(-1 / (sweep_time * rate))
    rise, fall = int(attack * rate) + 1, int(release * rate) + 1
    for note in range(len(starts)):
        phase = (note * 0.37) % 1.0
        second, third, modulator = (note * 0.71) % 1.0, (note * 0.13) % 1.0, 0.0
        low = band = 0.0
        envelope, opening, partial_decay = 1.0, sweep, 1.0
        period = min(max(int(rate / hertz[note]), 2), len(string) - 1)
        place = 0
        if waveform == 5:
            string[:period] = burst[:period]
        for i in range(lengths[note] + fall):
            t = starts[note] + i
            if t >= len(track):
                break
            step = hertz[note] / rate
            if vibrato > 0.0:
                step *= 1 + vibrato * math.sin(turn * 5.5 * i / rate)
            phase += step
            if phase >= 1.0:
                phase -= 1.0
            if waveform == 0:
                value = 2 * phase - 1
            elif waveform == 1:
                value = 1.0 if phase < colour else -1.0
            elif waveform == 2:
                value = 4 * abs(phase - 0.5) - 1
            elif waveform == 3:
                modulator += colour * step
                value = math.sin(turn * phase + index * opening / max(sweep, 1e-6) * math.sin(turn * modulator))
            elif waveform == 4:
                second += step * (1 + colour)
                third += step * (1 - colour)
                second -= math.floor(second)
                third -= math.floor(third)
                value = 0.7 * (2 * (phase + second + third) - 3)
            elif waveform == 5:
                value = 1.5 * string[place]
                following = place + 1 if place + 1 < period else 0
                string[place] = 0.498 * (string[place] + string[following])
                place = following
            elif waveform == 6:
                angle = turn * phase
                value = 0.5 * math.sin(angle) + 0.4 * math.sin(2 * angle) + 0.25 * math.sin(3 * angle)
                value += 0.2 * math.sin(4 * angle)
            else:
                partial_decay *= decay_factor
                angle = turn * phase
                level, value = 0.6, 0.0
                for k in range(1, 6):
                    value += level * math.sin(k * angle)
                    level *= 0.75 * partial_decay
            envelope *= decay_factor
            opening *= sweep_factor
            level = envelope * gains[note]
            if i < rise:
                level *= i / rise
            if i > lengths[note]:
                level *= 1 - (i - lengths[note]) / fall
            # A state-variable filter (Chamberlin 1985), stable below a sixth of the sample rate.
            speed = min(turn * cutoff * (1 + opening) / rate, 0.9)
            low += speed * band
            band += speed * (value - low - resonance * band)
            if t >= 0:
                track[t] += low * level


def strike(track: FloatArray, sound: FloatArray, onsets: DoubleArray, gains: DoubleArray) -> None:
    """Add the sound of a drum to a track at some times, in place.

    Args:
        track: [N] at SAMPLE_RATE.
        sound: [n].
        onsets: [K] seconds; strokes outside the track are left out.
        gains: [K].
    """
    for start, gain in zip(np.round(onsets * SAMPLE_RATE).astype(int), gains, strict=True):
        if 0 <= start < len(track):
            piece = sound[: len(track) - start]
            track[start : start + len(piece)] += gain * piece


def drum_kit(rng: np.random.Generator) -> dict[str, FloatArray]:
    """One random sound [n] of peak 1 for each of `styles.DRUMS`."""
    metal_edge = _between(rng, 3500, 7500)
    kit = {
        "kick": _kick(rng),
        "snare": _snare(rng),
        "clap": _clap(rng),
        "rim": _click(rng, 700, 1900, 0.15),
        "hat": 0.7 * _metal(rng, 0.12, _between(rng, 0.008, 0.04), metal_edge),
        "open_hat": 0.7 * _metal(rng, 0.4, _between(rng, 0.06, 0.25), metal_edge),
        "crash": 0.8 * _metal(rng, 1.5, _between(rng, 0.3, 0.8), _between(rng, 2500, 5000)),
        "ride": 0.6 * _metal(rng, 0.5, _between(rng, 0.08, 0.3), _between(rng, 2500, 6000)),
        "shaker": 0.6 * _shaker(rng),
        "tom_low": _membrane(rng, 60, 110, 0.45),
        "tom_high": _membrane(rng, 110, 200, 0.35),
        "conga_low": _membrane(rng, 160, 260, 0.25),
        "conga_high": _membrane(rng, 270, 430, 0.2),
        "cowbell": _cowbell(rng),
        "claves": _click(rng, 1800, 2700, 0.08),
    }
    return {name: sound.astype(np.float32) for name, sound in kit.items()}


def band_noise(rng: np.random.Generator, seconds: float, low: float, high: float) -> DoubleArray:
    """White noise between two frequencies in Hz (fourth-order slopes), of peak 1."""
    n = max(16, round(seconds * SAMPLE_RATE))
    spectrum = np.fft.rfft(rng.standard_normal(n))
    hertz = np.fft.rfftfreq(n, 1 / SAMPLE_RATE)
    spectrum /= (1 + (low / np.maximum(hertz, 1)) ** 4) * (1 + (hertz / high) ** 4)
    return _normalised(np.fft.irfft(spectrum, n))


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    """A log-uniform random number."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _time(seconds: float) -> DoubleArray:
    return np.arange(max(16, round(seconds * SAMPLE_RATE))) / SAMPLE_RATE


def _normalised(sound: DoubleArray) -> DoubleArray:
    return np.asarray(sound / max(float(np.abs(sound).max()), 1e-9))


def _kick(rng: np.random.Generator) -> DoubleArray:
    seconds = _between(rng, 0.12, 0.6)
    t = _time(seconds)
    pitch, fall, fall_time = _between(rng, 38, 78), _between(rng, 60, 500), _between(rng, 0.008, 0.06)
    phase = pitch * t + fall * fall_time * (1 - np.exp(-t / fall_time))
    sound = np.sin(2 * np.pi * phase) * np.exp(-t / (seconds * _between(rng, 0.15, 0.5)))
    if rng.random() < 0.4:
        sound = np.tanh(sound * _between(rng, 1, 6))
    beater = band_noise(rng, seconds, _between(rng, 500, 3000), 9000) * np.exp(-t / _between(rng, 0.002, 0.015))
    return _normalised(sound + _between(rng, 0.01, 0.4) * beater)


def _snare(rng: np.random.Generator) -> DoubleArray:
    seconds = _between(rng, 0.08, 0.4)
    t = _time(seconds)
    skin = np.sin(2 * np.pi * _between(rng, 140, 260) * t) * np.exp(-t / _between(rng, 0.02, 0.1))
    wires = band_noise(rng, seconds, _between(rng, 400, 2500), _between(rng, 4000, 10000))
    wires *= np.exp(-t / _between(rng, 0.03, 0.15))
    return _normalised(_between(rng, 0.2, 1.2) * skin + _between(rng, 0.3, 1.2) * wires)


def _clap(rng: np.random.Generator) -> DoubleArray:
    t = _time(0.3)
    noise = band_noise(rng, 0.3, _between(rng, 700, 1500), _between(rng, 2000, 5000))
    hands = int(rng.integers(1, 4))
    sound = np.zeros(len(t))
    for hand in range(hands):
        since = t - 0.011 * hand
        dying = 0.01 if hand < hands - 1 else _between(rng, 0.03, 0.1)
        sound += noise * (since >= 0) * np.exp(-np.maximum(since, 0) / dying)
    return _normalised(sound)


def _metal(rng: np.random.Generator, seconds: float, dying: float, low: float) -> DoubleArray:
    t = _time(seconds)
    tones = [np.sign(np.sin(2 * np.pi * _between(rng, 2000, 9000) * t + rng.uniform(0, 6))) for _ in range(4)]
    noise = rng.standard_normal(len(t)) + 0.2 * np.sum(tones, axis=0)
    spectrum = np.fft.rfft(noise)
    spectrum /= 1 + (low / np.maximum(np.fft.rfftfreq(len(t), 1 / SAMPLE_RATE), 1)) ** 4
    return _normalised(np.fft.irfft(spectrum, len(t)) * np.exp(-t / dying))


def _shaker(rng: np.random.Generator) -> DoubleArray:
    # A shaker swells: what is heard as its onset is the middle of the rise, so the rise is short.
    seconds = _between(rng, 0.05, 0.12)
    t = _time(seconds)
    rise = _between(rng, 0.004, 0.02)
    return _normalised(band_noise(rng, seconds, 3500, 9500) * np.minimum(t / rise, 1) * np.exp(-t / (seconds / 3)))


def _click(rng: np.random.Generator, low: float, high: float, seconds: float) -> DoubleArray:
    t = _time(seconds)
    tone = np.sin(2 * np.pi * _between(rng, low, high) * t) * np.exp(-t / _between(rng, 0.006, 0.02))
    return _normalised(tone + 0.2 * rng.standard_normal(len(t)) * np.exp(-t / 0.004))


def _membrane(rng: np.random.Generator, low: float, high: float, seconds: float) -> DoubleArray:
    t = _time(seconds)
    pitch = _between(rng, low, high)
    phase = pitch * (t + 0.02 * (1 - np.exp(-t / 0.02)))
    skin = np.sin(2 * np.pi * phase) * np.exp(-t / (seconds * _between(rng, 0.15, 0.45)))
    return _normalised(skin + _between(rng, 0.05, 0.3) * band_noise(rng, seconds, 700, 5000) * np.exp(-t / 0.006))


def _cowbell(rng: np.random.Generator) -> DoubleArray:
    t = _time(0.3)
    pitch = _between(rng, 450, 900)
    tone = np.sign(np.sin(2 * np.pi * pitch * t)) + np.sign(np.sin(2 * np.pi * pitch * 1.48 * t))
    spectrum = np.fft.rfft(tone)
    hertz = np.maximum(np.fft.rfftfreq(len(t), 1 / SAMPLE_RATE), 1)
    spectrum /= (1 + (pitch / hertz) ** 4) * (1 + (hertz / (4 * pitch)) ** 4)
    return _normalised(np.fft.irfft(spectrum, len(t)) * np.exp(-t / _between(rng, 0.03, 0.1)))
