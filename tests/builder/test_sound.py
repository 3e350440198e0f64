"""Tests of what is heard of a video: the pulse of its sound."""

from __future__ import annotations

import numpy as np
import pytest

from stgmamba.arrays import FloatArray
from stgmamba.builder.sound import low_energy_share, pulse_clarity
from stgmamba.datasets.scores import load_profile
from stgmamba.music.beat_tracking.spectrogram import log_mel
from stgmamba.music.beat_tracking.tracker import default_tracker
from stgmamba.music.composition.composer import compose
from stgmamba.music.decode import SAMPLE_RATE


def speech(seed: int) -> FloatArray:
    """Sound that is uneven as speech is: voiced syllables of 0.08 to 0.25 s, hisses, and pauses."""
    rng = np.random.default_rng(seed)
    samples = rng.normal(0, 0.001, 6 * SAMPLE_RATE)
    begin, pitch = 0.0, rng.uniform(90, 220)
    while begin < 5.7:
        seconds = rng.uniform(0.08, 0.25)
        times = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
        tone = pitch * rng.uniform(0.85, 1.2)
        voice = sum(np.sin(2 * np.pi * tone * k * times) / k * rng.uniform(0.2, 1) for k in range(1, 15))
        hiss = rng.normal(0, 2, len(times))
        syllable = (voice if rng.random() < 0.6 else hiss) * np.hanning(len(times))
        first = round(begin * SAMPLE_RATE)
        samples[first : first + len(times)] += 0.1 * syllable
        begin += seconds + (rng.uniform(0.2, 0.6) if rng.random() < 0.15 else rng.uniform(0, 0.06))
    return samples.astype(np.float32)


def pulse(samples: FloatArray) -> float:
    spectrogram = log_mel(samples)
    activations = default_tracker().activations(spectrogram)
    return pulse_clarity(activations[0], default_tracker().decode(spectrogram, activations).beats)


STRICT = load_profile("strict").limits
THRESHOLD = STRICT["pulse"][0]


@pytest.mark.parametrize("style", ["house", "waltz", "ballad"])
def test_music_has_a_pulse(style: str) -> None:
    song = compose(np.random.default_rng(3), 8.0, style)
    assert THRESHOLD is not None
    assert pulse(song.samples.astype(np.float32)) > THRESHOLD


@pytest.mark.parametrize("seed", range(4))
def test_noise_has_none_and_speech_has_none_or_pauses(seed: int) -> None:
    noise = np.random.default_rng(seed).normal(0, 0.1, 5 * SAMPLE_RATE).astype(np.float32)
    pauses = STRICT["low_energy"][1]
    assert THRESHOLD is not None
    assert pauses is not None
    assert pulse(noise) < THRESHOLD
    assert pulse(speech(seed)) < THRESHOLD or low_energy_share(speech(seed), SAMPLE_RATE) > pauses


def test_silence_and_what_is_too_short_have_none() -> None:
    assert pulse_clarity(np.zeros(400, np.float32), np.arange(0, 8, 0.5)) == 0
    assert pulse_clarity(np.ones(10, np.float32), np.zeros(1)) == 0
