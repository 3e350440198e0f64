"""Composes songs with exactly known rhythm, for training and measuring: from a score to the damaged recording.

    song = compose(np.random.default_rng(7), seconds=30)

The same generator state gives the same song, sample for sample (lossy codecs: with the same FFmpeg).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from stgmamba.arrays import DoubleArray, FloatArray
from stgmamba.music.composition.effects import CODECS, compress, equalise, reverberate, rms, transcode
from stgmamba.music.composition.score import Part, Score, write_score
from stgmamba.music.composition.styles import Style, load_styles
from stgmamba.music.composition.synthesizer import (
    FM,
    ORGAN,
    PLUCK,
    PULSE,
    SAW,
    STRUCK,
    TRIANGLE,
    UNISON,
    Patch,
    drum_kit,
    play,
    strike,
)
from stgmamba.music.composition.timing import TempoKind, Timing, beat_intervals, choose_tempo_kind
from stgmamba.music.decode import SAMPLE_RATE
from stgmamba.music.rhythm import Section

SLOWEST, FASTEST = 50.0, 215.0
"""Tempos of composed songs, beats per minute."""

_LEVELS = {"bass": 0.55, "chords": 0.4, "pad": 0.25, "arpeggio": 0.35, "melody": 0.45}
_DRUM_LEVELS = {
    "kick": 1.0,
    "snare": 0.75,
    "clap": 0.6,
    "rim": 0.4,
    "hat": 0.28,
    "open_hat": 0.32,
    "ride": 0.3,
    "crash": 0.4,
    "shaker": 0.25,
    "tom_low": 0.6,
    "tom_high": 0.5,
    "conga_low": 0.45,
    "conga_high": 0.4,
    "cowbell": 0.25,
    "claves": 0.3,
}


@dataclass(frozen=True)
class ComposedSong:
    """A recording and what is known of it.

    Attributes:
        samples: float32 [N], mono at SAMPLE_RATE, -1..1.
        beats: float64 [K], seconds, within the song.
        downbeats: float64 [D], those of the beats that begin a bar.
        beats_per_bar: of the song.
        metre: ``2/4``, ``3/4``, ``4/4`` or ``6/8``.
        sections: in order.
        style: name in ``data/styles.yaml``.
        tempo_kind: how the tempo moves; ``mix`` for two songs cut together.
    """

    samples: FloatArray
    beats: DoubleArray
    downbeats: DoubleArray
    beats_per_bar: int
    metre: str
    sections: tuple[Section, ...]
    style: str
    tempo_kind: TempoKind | str


@dataclass(frozen=True)
class Recording:
    """How clean a song is recorded; each a probability 0..1.

    Attributes:
        codec: of damage by a lossy codec of 32 to 96 kbit/s.
        narrow: of a low-pass at 2 to 8 kHz, as from a telephone or an old record.
        noise: of noise 15 to 45 dB below the song.
        voices: of people who talk or sing over it, in their own time.
    """

    codec: float = 0.15
    narrow: float = 0.1
    noise: float = 0.3
    voices: float = 0.15


CLEAN = Recording(0, 0, 0, 0)


def compose(
    rng: np.random.Generator,
    seconds: float,
    style: str | None = None,
    tempo_kind: TempoKind | None = None,
    recording: Recording = Recording(),
) -> ComposedSong:
    """Compose a song, or an excerpt that begins anywhere in one.

    Args:
        rng: source of all randomness.
        seconds: length, at least 4.
        style: a name of ``data/styles.yaml``; by default at random.
        tempo_kind: by default at random, steady in most songs.
        recording: how it is damaged.

    Raises:
        KeyError: there is no such style.
    """
    styles = load_styles()
    if style is None:
        weights = np.array([each.weight for each in styles.values()])
        style = list(styles)[rng.choice(len(styles), p=weights / weights.sum())]
    chosen = styles[style]
    tempo_kind = tempo_kind or choose_tempo_kind(rng, chosen.rubato)
    timing = _time_song(rng, chosen, tempo_kind, seconds)
    bars = (len(timing.beats) - 1) // chosen.beats
    score = write_score(rng, chosen, bars)
    while not score.parts and not score.drums:
        score = write_score(rng, chosen, bars)
    samples = _record(rng, _perform(rng, chosen, score, timing, round(seconds * SAMPLE_RATE)), recording)
    within = (timing.beats > -0.01) & (timing.beats < seconds)
    downbeats = timing.beats[:: chosen.beats]
    edges = [timing.beats[section.first_bar * chosen.beats] for section in score.form] + [timing.beats[-1]]
    sections = tuple(
        Section(float(max(start, 0)), float(min(end, seconds)), section.label)
        for section, start, end in zip(score.form, edges[:-1], edges[1:], strict=True)
        if end > 0 and start < seconds
    )
    return ComposedSong(
        samples,
        np.maximum(timing.beats[within], 0),
        np.maximum(downbeats[(downbeats > -0.01) & (downbeats < seconds)], 0),
        chosen.beats,
        chosen.metre,
        sections,
        style,
        tempo_kind,
    )


def compose_mix(rng: np.random.Generator, seconds: float, recording: Recording = Recording()) -> ComposedSong:
    """Two songs cut together at some time, each in its own tempo and metre, as in a medley or a hard cut of a DJ.

    ``beats_per_bar``, ``metre`` and ``style`` are those of the first.
    """
    cut = float(rng.uniform(0.3, 0.7) * seconds)
    first, second = (compose(rng, length, recording=CLEAN) for length in (max(cut, 4.0), max(seconds - cut, 4.0)))
    second = dataclasses.replace(second, beats=second.beats + cut, downbeats=second.downbeats + cut)
    n = round(cut * SAMPLE_RATE)
    samples = np.concatenate([first.samples[:n], second.samples])[: round(seconds * SAMPLE_RATE)]
    # A beat of the second song that would follow the last of the first at once is the same beat to a listener.
    before = first.beats[first.beats < cut]
    after = second.beats[second.beats > (before[-1] + 0.15 if len(before) else 0)]
    moved = [Section(each.start + cut, min(each.end + cut, seconds), f"{each.label}'") for each in second.sections]
    return dataclasses.replace(
        first,
        samples=_record(rng, samples, recording),
        beats=np.concatenate([before, after[after < seconds]]),
        downbeats=np.concatenate(
            [first.downbeats[first.downbeats < cut], np.intersect1d(second.downbeats, after[after < seconds])]
        ),
        sections=(*(s for s in first.sections if s.start < cut), *moved),
        tempo_kind="mix",
    )


def _time_song(rng: np.random.Generator, style: Style, kind: TempoKind, seconds: float) -> Timing:
    tempo = float(np.exp(rng.uniform(*np.log(style.tempo))))
    if rng.random() < 0.35:
        tempo = float(round(tempo))
    # Enough bars for the length even where the tempo rises by half.
    bars = int(np.ceil((seconds + 2) * tempo * 1.6 / 60 / style.beats)) + 2
    intervals = beat_intervals(rng, kind, tempo, bars * style.beats, style.beats, (SLOWEST, FASTEST))
    beats = np.concatenate([[0.0], np.cumsum(intervals)])
    if rng.random() < 0.7:
        beats -= rng.uniform(0, style.beats * intervals[0])  # an excerpt begins anywhere in a bar
    elif rng.random() < 0.5:
        beats += rng.uniform(0, 1.2)  # silence first
    last = int(np.searchsorted(beats, seconds + 1.0)) // style.beats + 1
    beats = beats[: min(last, bars) * style.beats + 1]
    return Timing(beats, style.steps, rng.uniform(*style.swing) if rng.random() < 0.6 else 0.0)


# --- performance ------------------------------------------------------------------------------------------------------


def _perform(rng: np.random.Generator, style: Style, score: Score, timing: Timing, n: int) -> FloatArray:
    """Play and mix a score; [n]."""
    electronic = bool(rng.random() < style.electronic)
    # Standard deviation of a player's timing, seconds; a tight drummer has about 10 ms (Repp 2005).
    looseness = float(rng.choice([0, 0, 0.003, 0.006])) if electronic else float(rng.uniform(0.003, 0.014))
    music = np.zeros(n, np.float32)
    for name, part in score.parts.items():
        track = np.zeros(n, np.float32)
        _play_part(rng, track, part, _patch(rng, name, style, electronic), timing, looseness)
        music += _LEVELS[name] * float(np.exp(rng.normal(0, 0.45))) * track / rms(track)
    drums = np.zeros(n, np.float32)
    _play_drums(rng, drums, score, timing, looseness)
    if "kick" in score.drums and rng.random() < style.pump:
        music *= _ducking(rng, timing.seconds(np.sort(score.drums["kick"][0])), n)
    if rng.random() < 0.6:
        music = reverberate(music, rng, rng.uniform(0.1, 0.9), _log_uniform(rng, 0.2, 2.5))
    mix = 0.18 * music / rms(music)
    if score.drums:
        mix += 0.18 * float(np.exp(rng.normal(0, 0.65))) * drums / rms(drums)
    if rng.random() < 0.15:
        _stop(rng, mix, timing)
    return mix


def _play_part(
    rng: np.random.Generator, track: FloatArray, part: Part, patch: Patch, timing: Timing, looseness: float
) -> None:
    positions, lengths = np.array(part.positions), np.array(part.lengths)
    onsets = timing.seconds(positions)
    seconds = np.maximum(timing.seconds(positions + lengths) - onsets, 0.03)
    onsets = onsets + rng.normal(0, 0.5 * looseness) + rng.normal(0, 1, len(onsets)) * looseness
    # What swells is played a little early, so that it arrives on the beat.
    onsets -= 0.3 * max(patch.attack - 0.02, 0)
    play(track, onsets, seconds, np.array(part.pitches), np.array(part.velocities), patch)
    if patch.index < 0:  # distortion
        np.tanh(track * (-patch.index / rms(track)), out=track)


def _play_drums(rng: np.random.Generator, track: FloatArray, score: Score, timing: Timing, looseness: float) -> None:
    kit = drum_kit(rng)
    shift = rng.normal(0, 0.003) if looseness else 0.0
    for drum, (positions, velocities) in score.drums.items():
        onsets = timing.seconds(positions) + shift + rng.normal(0, 1, len(positions)) * looseness
        strike(track, kit[drum], onsets, velocities * (_DRUM_LEVELS[drum] * float(np.exp(rng.normal(0, 0.6)))))
    if score.drums and rng.random() < 0.35:
        track[:] = reverberate(track, rng, rng.uniform(0.1, 0.6), rng.uniform(0.1, 0.8))


def _patch(rng: np.random.Generator, name: str, style: Style, electronic: bool) -> Patch:
    """A random instrument for a part."""
    bass, sustained = name == "bass", name == "pad"
    if not electronic:
        if bass:
            return Patch(
                int(rng.choice([PLUCK, TRIANGLE, STRUCK])),
                decay=_log_uniform(rng, 0.3, 1.5),
                cutoff=_log_uniform(rng, 300, 2000),
            )
        return _acoustic(rng, str(style.timbres[rng.integers(len(style.timbres))]) if not sustained else "strings")
    waveform = int(rng.choice([SAW, PULSE, TRIANGLE, FM, UNISON] if bass or sustained else
                              [SAW, PULSE, TRIANGLE, FM, FM, UNISON, UNISON, PLUCK, ORGAN, STRUCK]))  # fmt: skip
    if style.name == "chiptune":
        waveform = int(rng.choice([PULSE, TRIANGLE] if bass else [PULSE, PULSE, TRIANGLE]))
    ratios = {
        PULSE: [0.125, 0.25, 0.5, 0.5],
        FM: [1, 2, 0.5] if bass else [1, 2, 3, 3.5, 7, 1.41],
        UNISON: [0.002, 0.005, 0.012],
    }
    return Patch(
        waveform,
        attack=float(rng.uniform(0.02, 0.4)) if sustained else float(rng.choice([0.002, 0.003, 0.01])),
        release=float(rng.uniform(0.01, 0.3)),
        decay=9.0 if sustained else float(rng.choice([0.1, 0.3, 0.6, 1.5, 9.0, 9.0])),
        cutoff=_log_uniform(rng, 120, 1500) if bass else _log_uniform(rng, 300, 6000),
        sweep=float(rng.uniform(0, 5)),
        sweep_time=float(rng.uniform(0.03, 0.5)),
        resonance=float(rng.uniform(0.3, 1.4)),
        colour=float(rng.choice(ratios.get(waveform, [0.5]))),
        index=float(rng.uniform(0.5, 6)),
    )


def _acoustic(rng: np.random.Generator, timbre: str) -> Patch:
    """An instrument with strings, hammers, bow or breath."""
    bright = _log_uniform(rng, 1500, 6000)
    if timbre == "piano":
        return Patch(STRUCK, 0.002, rng.uniform(0.05, 0.4), _log_uniform(rng, 0.4, 2.0), bright)
    if timbre == "plucked":
        return Patch(PLUCK, 0.001, rng.uniform(0.05, 0.3), 9.0, bright)
    if timbre == "organ":
        return Patch(ORGAN, 0.01, 0.05, 9.0, bright, vibrato=float(rng.choice([0, 0.004])))
    if timbre == "strings":
        attack = rng.uniform(0.03, 0.2)
        return Patch(UNISON, attack, rng.uniform(0.1, 0.3), 9.0, bright / 2, colour=0.005, vibrato=0.004)
    if timbre == "brass":
        return Patch(SAW, rng.uniform(0.015, 0.06), 0.08, 9.0, bright / 3, 2.0, 0.2, vibrato=0.003)
    if timbre == "reeds":  # accordion, clarinet
        return Patch(PULSE, rng.uniform(0.015, 0.07), 0.06, 9.0, bright / 2, colour=0.4, vibrato=0.004)
    return Patch(SAW, 0.002, 0.05, 3.0, bright, colour=0.5, index=-float(rng.uniform(2, 8)))  # distorted guitar


def _ducking(rng: np.random.Generator, kicks: DoubleArray, n: int) -> FloatArray:
    """The gain [n] by which kicks push the rest away."""
    t = np.arange(n) / SAMPLE_RATE
    last = np.searchsorted(kicks, t) - 1
    since = np.where(last >= 0, t - kicks[np.maximum(last, 0)], 9.0)
    dips = np.exp(-((since / rng.uniform(0.06, 0.2)) ** 2))
    return np.asarray(1 - rng.uniform(0.4, 1) * dips, np.float32)


def _stop(rng: np.random.Generator, mix: FloatArray, timing: Timing) -> None:
    """A general pause of one to four beats, in place; the beat goes on unheard."""
    first = int(rng.integers(0, max(1, len(timing.beats) - 5)))
    start, end = timing.beats[first], timing.beats[min(first + int(rng.integers(1, 5)), len(timing.beats) - 1)]
    mix[max(0, round(start * SAMPLE_RATE)) : max(0, round(end * SAMPLE_RATE))] *= rng.uniform(0, 0.1)


# --- recording --------------------------------------------------------------------------------------------------------


def _record(rng: np.random.Generator, mix: FloatArray, recording: Recording) -> FloatArray:
    """Master, damage and level a mix; [N], -1..1."""
    n = len(mix)
    if rng.random() < 0.12:  # a long crescendo or fade
        quiet = 10 ** (-rng.uniform(3, 22) / 20)
        rise = np.linspace(quiet, 1, n, dtype=np.float32)
        mix = mix * (rise if rng.random() < 0.6 else rise[::-1])
    if rng.random() < recording.voices:
        mix = mix + _babble(rng, n) * np.float32(rms(mix) * rng.uniform(0.3, 1.2))
    hertz = np.array([20.0, 60, 200, 800, 3000, 11025])
    curve = np.cumsum(rng.normal(0, 3, len(hertz)))
    mix = equalise(mix, hertz, curve - curve.mean())
    if rng.random() < recording.narrow:
        edge = _log_uniform(rng, 2000, 8000)
        mix = equalise(mix, np.array([20.0, edge, 2 * edge, 4 * edge]), np.array([0.0, 0, -30, -60]))
    mix = mix / np.float32(np.abs(mix).max() + 1e-9)
    if rng.random() < 0.6:
        compress(mix, rng.uniform(0.08, 0.4), rng.uniform(1.5, 8), rng.uniform(0.04, 0.3) * SAMPLE_RATE)
    if rng.random() < 0.25:
        mix = np.tanh(mix * np.float32(rng.uniform(1, 6)))
    mix = mix * np.float32(10 ** (-rng.uniform(0.5, 16) / 20) / (np.abs(mix).max() + 1e-9))
    if rng.random() < recording.noise:
        level = rms(mix) * 10 ** (-rng.uniform(15, 45) / 20)
        mix = mix + (level * rng.standard_normal(n)).astype(np.float32)
    if rng.random() < recording.codec:
        codec = str(rng.choice(list(CODECS), p=[0.8, 0.2]))
        mix = transcode(mix, codec, int(rng.choice([32_000, 48_000, 64_000, 96_000])))
    return np.clip(mix, -1, 1).astype(np.float32)


def _babble(rng: np.random.Generator, n: int) -> FloatArray:
    """Something like a voice whose syllables do not keep to the beat; [n] of root mean square 1."""
    seconds = n / SAMPLE_RATE
    t = np.arange(n) / SAMPLE_RATE
    syllables = np.arange(0, seconds + 0.3, rng.uniform(0.1, 0.25))
    loudness = np.interp(t, syllables, np.maximum(0, rng.normal(0.2, 1, len(syllables))))
    pitch = rng.uniform(110, 320) * 2 ** (np.interp(t, syllables, rng.integers(-5, 6, len(syllables))) / 12)
    buzz = 2 * (np.cumsum(pitch / SAMPLE_RATE) % 1) - 1 + 0.2 * rng.standard_normal(n)
    formants = equalise(
        buzz.astype(np.float32),
        np.array([60.0, rng.uniform(250, 500), rng.uniform(1500, 3500), 8000]),
        np.array([-30.0, 0, 0, -30]),
    )
    voice = (formants * loudness).astype(np.float32)
    return np.asarray(voice / rms(voice), np.float32)


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
