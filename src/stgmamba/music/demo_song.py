"""The built-in demo song: composed and synthesised here, so that its beats are known exactly.

Ten bars of 4/4 at 120 bpm and a last chord: two bars of intro, four of verse, two with a melody, two that lead home.
The seed chooses key, progression, groove, melody and all the small irregularities.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stgmamba.files import atomic_output, check_can_write
from stgmamba.music.decode import SAMPLE_RATE, Song

Wave = NDArray[np.float64]
"""Sound, [n] mono or [n, 2] stereo."""

RATE = 44_100
TEMPO = 120.0

_BEAT = 60 / TEMPO
_STEP = _BEAT / 4  # a sixteenth note
_BARS = 10
_TAIL = 1.6  # seconds in which the last chord dies away
_MAJOR = np.array([0, 2, 4, 5, 7, 9, 11])
_PROGRESSIONS = ((5, 3, 0, 4), (0, 5, 3, 4), (3, 4, 2, 5), (1, 4, 0, 5), (5, 1, 3, 4))  # degrees of the major scale
_RHYTHMS = ((0, 3, 6, 8, 11, 14), (0, 2, 3, 6, 10, 12), (0, 4, 6, 7, 10, 13), (0, 3, 4, 6, 8, 12, 14))  # melody, steps
_CONTOURS = ((0, 1, 2, 1, 3, 2, 1), (2, 1, 0, 1, 2, 4, 3), (0, 2, 1, 3, 2, 4, 3), (4, 3, 2, 3, 1, 2, 0))  # scale steps


@dataclass(frozen=True)
class DemoSong:
    """A song with its true beats.

    Attributes:
        samples: float32 [N, 2] stereo, -1..1.
        rate: samples per second.
        beats: float64 [K], seconds.
        tempo: beats per minute.
    """

    samples: NDArray[np.float32]
    rate: int
    beats: NDArray[np.float64]
    tempo: float = TEMPO


@dataclass(frozen=True)
class _Groove:
    """One bar of drums and bass: steps of sixteen, and how late every second sixteenth comes, in steps."""

    kick: tuple[int, ...]
    snare: tuple[int, ...]
    rim: tuple[int, ...]
    open_hat: tuple[int, ...]
    bass: tuple[tuple[int, int, int], ...]  # step, length in steps, semitones above the root
    chords: tuple[tuple[int, int], ...]  # step, length in steps
    swing: float


_GROOVES = (
    _Groove(  # house
        kick=(0, 4, 8, 12),
        snare=(4, 12),
        rim=(),
        open_hat=(2, 6, 10, 14),
        bass=((0, 2, 0), (2, 2, 12), (6, 2, 0), (8, 1, 0), (10, 2, 12), (13, 1, 7), (14, 2, 12)),
        chords=((0, 3), (3, 3), (6, 4), (11, 3), (14, 2)),
        swing=0.0,
    ),
    _Groove(  # funk
        kick=(0, 4, 7, 8, 10, 12),
        snare=(4, 12),
        rim=(7, 9, 15),
        open_hat=(14,),
        bass=((0, 3, 0), (3, 1, 12), (4, 2, 0), (7, 1, 10), (8, 2, 12), (10, 2, 7), (12, 2, 0), (15, 1, -2)),
        chords=((0, 2), (4, 1), (6, 2), (10, 1), (12, 3)),
        swing=0.16,
    ),
    _Groove(  # reggaeton
        kick=(0, 4, 8, 12),
        snare=(3, 6, 11, 14),
        rim=(2, 7, 10, 15),
        open_hat=(14,),
        bass=((0, 3, 0), (3, 3, 0), (6, 2, 7), (8, 3, 0), (11, 3, 12), (14, 2, 7)),
        chords=((0, 4), (4, 2), (8, 4), (12, 2), (14, 2)),
        swing=0.0,
    ),
)


def compose(seed: int = 0) -> DemoSong:
    """Compose and synthesise a song of about 21 s; the same seed gives the same song, sample for sample.

    Args:
        seed: chooses key, chords, groove, melody.
    """
    rng = np.random.default_rng(seed)
    key = 45 + int(rng.integers(0, 12))  # MIDI note of the bass register, A2 to G sharp 3
    key -= 12 * (key > 50)
    progression = _PROGRESSIONS[rng.integers(len(_PROGRESSIONS))]
    groove = _GROOVES[seed % len(_GROOVES)]
    home = 5 if progression[0] == 5 else 0  # minor songs end in minor
    degrees = [*progression, *progression, 3, 4, home]

    drums, bass, chords, lead = (np.zeros((int((_BARS * 4 * _BEAT + _TAIL) * RATE), 2)) for _ in range(4))
    _play_drums(drums, groove, rng)
    _play_bass(bass, groove, key, degrees)
    _play_chords(chords, groove, key, degrees)
    _play_melody(lead, key, degrees, rng)

    pumping = _side_chain(len(drums), groove)
    lead = _echoes(lead, delay=3 * _STEP, feedback=0.35)
    wet = _reverb(0.5 * chords * pumping + 0.8 * lead + 0.1 * drums, rng)
    mix = 0.9 * drums + 0.62 * bass * pumping + 0.5 * chords * pumping + 0.42 * lead + 0.5 * wet
    samples = _master(mix).astype(np.float32)
    return DemoSong(samples, RATE, np.arange(_BARS * 4 + 1) * _BEAT)


def write_demo_song(path: str | Path, seed: int = 0) -> DemoSong:
    """Compose a song and write it as 16-bit stereo wav.

    Args:
        path: file ending in .wav.
        seed: as for `compose`.

    Raises:
        InputError: the file cannot be written.
    """
    from scipy.io import wavfile

    path = check_can_write(path, (".wav",))
    song = compose(seed)
    with atomic_output(path) as part:
        wavfile.write(part, song.rate, np.round(song.samples * 32767).astype(np.int16))
    return song


# --- who plays when ---------------------------------------------------------------------------------------------------


def _seconds(bar: int, step: float, swing: float = 0.0) -> float:
    late = swing if step % 2 == 1 else 0.0
    return (bar * 16 + step + late) * _STEP


def _add(track: Wave, at: float, sound: Wave, pan: float = 0.0) -> None:
    """Add a mono or stereo sound at a time; pan -1 (left) to 1, of constant power."""
    begin = round(at * RATE)
    length = min(len(sound), len(track) - begin)
    angle = (pan + 1) * np.pi / 4
    for side, gain in enumerate((np.sqrt(2) * np.cos(angle), np.sqrt(2) * np.sin(angle))):
        track[begin : begin + length, side] += gain * (sound if sound.ndim == 1 else sound[:, side])[:length]


def _play_drums(track: Wave, groove: _Groove, rng: np.random.Generator) -> None:
    for bar in range(_BARS):
        intro, melody, last = bar < 2, bar >= 6, bar == _BARS - 1
        kicks = (0, 4, 8, 12) if intro else groove.kick
        for step in kicks:
            on_beat = step % 4 == 0
            _add(
                track,
                _seconds(bar, step, groove.swing),
                _kick(rng) * (0.95 if on_beat else 0.6) * (0.8 if intro else 1),
            )
        snares = () if bar == 0 else (4, 12) if intro else groove.snare
        for step in snares:
            _add(track, _seconds(bar, step, groove.swing), _snare(rng) * (0.4 if intro else 0.62), pan=0.05)
            if melody and step % 4 == 0:
                _add(track, _seconds(bar, step, groove.swing), _clap(rng) * 0.4, pan=-0.15)
        for step in range(0, 16, 2 if intro else 1):
            level = (0.30, 0.12, 0.2, 0.14)[step % 4] * rng.uniform(0.8, 1.1)
            _add(track, _seconds(bar, step, groove.swing), _hat(rng, 0.025) * level, pan=0.35)
        if not intro:
            for step in groove.open_hat:
                _add(track, _seconds(bar, step, groove.swing), _hat(rng, 0.11) * 0.28, pan=0.3)
            for step in groove.rim:
                _add(track, _seconds(bar, step, groove.swing), _conga(rng, 320 if step % 4 else 240) * 0.22, pan=-0.4)
        if last or bar == 5:  # a fill leads into what follows
            for count, step in enumerate((12, 13, 14, 15)):
                _add(track, _seconds(bar, step), _snare(rng) * (0.25 + 0.1 * count), pan=0.3 - 0.2 * count)
        if bar in (2, 6):
            _add(track, _seconds(bar, 0), _hat(rng, 0.6) * 0.4, pan=-0.2)
    _add(track, _seconds(_BARS, 0), _kick(rng))
    _add(track, _seconds(_BARS, 0), _hat(rng, 0.7) * 0.4, pan=-0.2)


def _play_bass(track: Wave, groove: _Groove, key: int, degrees: Sequence[int]) -> None:
    tone = cache(_bass)
    for bar, degree in enumerate(degrees):
        root = _bass_note(key, degree)
        if bar == _BARS:
            _add(track, _seconds(bar, 0), tone(root, _TAIL, 0.6))
        elif bar >= 2:
            for step, length, above in groove.bass:
                sound = tone(root + above, length * _STEP * 0.92, 1.0 if bar < 6 else 1.3)
                _add(track, _seconds(bar, step, groove.swing), sound * (1.0 if step % 4 == 0 else 0.85))
        else:
            _add(track, _seconds(bar, 0), tone(root, 12 * _STEP, 0.5) * 0.8)


def _play_chords(track: Wave, groove: _Groove, key: int, degrees: Sequence[int]) -> None:
    piano, pad = cache(_piano), cache(_pad)  # the same chords come back
    notes: Sequence[int] = (60, 64, 67, 71)
    for bar, degree in enumerate(degrees):
        notes = _lead_voices(notes, key, degree)
        for note in notes:
            _add(track, _seconds(bar, 0), pad(note, 16 * _STEP + 0.25) * (0.05 if bar >= 6 else 0.035))
        stabs = ((0, 12),) if bar == _BARS else groove.chords if bar >= 2 else ((0, 6), (6, 6), (12, 4))
        for step, length in stabs:
            for voice, note in enumerate(notes):
                sound = piano(note, max(length, 2) * _STEP + 0.35) * (0.13 if step % 4 == 0 else 0.105)
                strum = 0.004 * voice
                _add(track, _seconds(bar, step, groove.swing) + strum, sound, pan=(-0.5, -0.15, 0.2, 0.5)[voice])


def _play_melody(track: Wave, key: int, degrees: Sequence[int], rng: np.random.Generator) -> None:
    """Play one motif bar after bar, moved to each bar's chord; the answer in every second bar ends lower."""
    rhythm = _RHYTHMS[rng.integers(len(_RHYTHMS))]
    contour = _CONTOURS[rng.integers(len(_CONTOURS))]
    for bar, degree in enumerate(degrees[:_BARS]):
        if bar < 4:
            continue
        sparse = bar < 6  # only its head, as an announcement
        steps = rhythm[:2] if sparse else rhythm
        for index, step in enumerate(steps):
            rung = contour[index] - (2 if bar % 2 and index >= len(steps) - 2 else 0)
            strong = step % 4 == 0
            note = _scale_note(key + 24, degree + (2 * (rung // 2) if strong else rung))
            while note > 84:
                note -= 12
            until = steps[index + 1] if index + 1 < len(steps) else 16
            sound = _lead(note, min(until - step, 5) * _STEP * 0.95 + 0.08)
            _add(track, _seconds(bar, step), sound * (0.34 if strong else 0.27) * (0.7 if sparse else 1), pan=0.12)
    _add(track, _seconds(_BARS, 0), _lead(_scale_note(key + 24, degrees[-1]), _TAIL) * 0.25)


# --- harmony ----------------------------------------------------------------------------------------------------------


def _scale_note(key: int, degree: int) -> int:
    return int(key + 12 * (degree // 7) + _MAJOR[degree % 7])


def _bass_note(key: int, degree: int) -> int:
    """Return the chord's root in the octave from E1 to D sharp 2."""
    return 28 + (_scale_note(key, degree) - 28) % 12


def _lead_voices(before: Sequence[int], key: int, degree: int) -> tuple[int, ...]:
    """Return the seventh chord on a degree in the position that moves the four voices least, near the middle."""
    classes = [_scale_note(key, degree + third) % 12 for third in (0, 2, 4, 6)]
    octaves = product(*(range(54 + (c - 54) % 12, 77, 12) for c in classes))
    positions = {tuple(sorted(notes)) for notes in octaves}
    spread = [p for p in positions if p[-1] - p[0] <= 17 and min(np.diff(p)) >= 1]

    def effort(position: tuple[int, ...]) -> float:
        return float(np.abs(np.subtract(position, before)).sum() + 0.3 * abs(np.mean(position) - 65))

    return min(sorted(spread), key=effort)


# --- instruments ------------------------------------------------------------------------------------------------------


def _time(seconds: float) -> Wave:
    return np.arange(round(seconds * RATE)) / RATE


def _hertz(note: float) -> float:
    return float(440 * 2 ** ((note - 69) / 12))


def _fades(sound: Wave, attack: float, release: float) -> Wave:
    """Take the clicks off both ends (seconds)."""
    up, down = max(1, round(attack * RATE)), max(1, round(release * RATE))
    shape = np.ones(len(sound))
    shape[:up] = np.linspace(0, 1, up)[: len(shape)]
    shape[-down:] *= np.linspace(1, 0, down)[-len(shape) :]
    return sound * (shape if sound.ndim == 1 else shape[:, None])


def _noise(rng: np.random.Generator, seconds: float, low: float, high: float) -> Wave:
    """Return noise between two frequencies, of standard deviation about 1."""
    from scipy.signal import sosfilt

    noise = sosfilt(_band(low, high), rng.standard_normal(round(seconds * RATE)))
    return np.asarray(noise / max(float(noise.std()), 1e-9))


@lru_cache(maxsize=16)
def _band(low: float, high: float) -> Wave:
    from scipy.signal import butter

    return np.asarray(butter(2, (low, high), "bandpass", fs=RATE, output="sos"))


def _partials(phase: Wave, levels: Sequence[float | Wave]) -> Wave:
    """Return the sum over k >= 1 of levels[k - 1] sin(k phase), by Horner's rule on exp(i phase)."""
    turn = np.exp(1j * phase).astype(np.complex64)
    total = np.zeros(len(phase), np.complex64)
    for level in reversed(levels):
        total = (total + level) * turn
    return np.asarray(total.imag)


def _kick(rng: np.random.Generator) -> Wave:
    t = _time(0.38)
    sweep = 47 + 150 * np.exp(-t / 0.022)
    body = np.sin(2 * np.pi * np.cumsum(sweep) / RATE) * np.exp(-t / 0.13)
    click = _noise(rng, 0.38, 1500, 6000) * np.exp(-t / 0.003) * 0.12
    return _fades(np.tanh(1.6 * body) + click, 0.0005, 0.05)


def _snare(rng: np.random.Generator) -> Wave:
    t = _time(0.24)
    wires = _noise(rng, 0.24, 900, 9000) * np.exp(-t / 0.06) * 0.3
    head = (np.sin(2 * np.pi * 190 * t) + 0.6 * np.sin(2 * np.pi * 330 * t)) * np.exp(-t / 0.04) * 0.5
    return _fades(wires + head, 0.0005, 0.03)


def _clap(rng: np.random.Generator) -> Wave:
    t = _time(0.22)
    hands = sum((t >= d) * np.exp(-np.maximum(t - d, 0) / w) for d, w in ((0, 0.006), (0.011, 0.006), (0.021, 0.05)))
    return _fades(_noise(rng, 0.22, 900, 3500) * hands * 0.35, 0.0005, 0.03)


def _hat(rng: np.random.Generator, decay: float) -> Wave:
    length = min(6 * decay, 1.5)
    return _fades(_noise(rng, length, 6500, 15000) * np.exp(-_time(length) / decay) * 0.3, 0.0005, 0.01)


def _conga(rng: np.random.Generator, pitch: float) -> Wave:
    t = _time(0.22)
    skin = np.sin(2 * np.pi * pitch * (1 + 0.12 * np.exp(-t / 0.015)) * t) * np.exp(-t / 0.07)
    return _fades(skin + _noise(rng, 0.22, 1000, 5000) * np.exp(-t / 0.004) * 0.15, 0.001, 0.03)


def _bass(note: int, seconds: float, bright: float) -> Wave:
    """Return a saw wave behind a low-pass that closes after the attack, built partial by partial."""
    t = _time(seconds)
    pitch = _hertz(note)
    openness = ((pitch / (bright * (180 + 900 * np.exp(-t / 0.09)))) ** 2).astype(np.float32)
    sound = _partials(2 * np.pi * pitch * t, [1 / (k * (1 + k * k * openness)) for k in range(1, 21)])
    return _fades(np.tanh(0.9 * sound) * np.exp(-t / 1.2), 0.004, 0.03)


def _piano(note: int, seconds: float) -> Wave:
    """Return an electric piano: two-operator FM (Chowning 1973) with a short bell-like tine."""
    t = _time(seconds)
    pitch = _hertz(note)
    warm = np.sin(2 * np.pi * pitch * t + 1.1 * np.exp(-t / 0.25) * np.sin(2 * np.pi * pitch * t))
    tine = np.sin(2 * np.pi * pitch * t + 0.5 * np.exp(-t / 0.04) * np.sin(2 * np.pi * 14 * pitch * t))
    return _fades((warm + 0.35 * tine) * np.exp(-t / 0.45), 0.003, 0.12)


def _pad(note: int, seconds: float) -> Wave:
    """Return a stereo string pad: slightly detuned saws, few partials, slow attack."""
    t = _time(seconds)
    levels = [k**-1.4 for k in range(1, 7)]
    sides = [
        sum((_partials(2 * np.pi * _hertz(note + c / 100) * t + c, levels) for c in cents), np.zeros(len(t)))
        for cents in ((-7, 2), (6, -3))
    ]
    return _fades(np.stack(sides, axis=1), 0.12, 0.3)


def _lead(note: int, seconds: float) -> Wave:
    """Return a soft square-wave lead with late vibrato."""
    t = _time(seconds)
    vibrato = 0.004 * np.clip((t - 0.15) / 0.2, 0, 1) * np.sin(2 * np.pi * 5.5 * t)
    phase = 2 * np.pi * np.cumsum(_hertz(note) * (1 + vibrato)) / RATE
    sound = _partials(
        phase, [level * np.exp(-t * k * 0.9) for k, level in enumerate((1, 0.25, 0.3, 0, 0.1, 0, 0.04), 1)]
    )
    return _fades(sound * (0.55 + 0.45 * np.exp(-t / 0.12)), 0.008, 0.08)


# --- the mixing desk --------------------------------------------------------------------------------------------------


def _side_chain(length: int, groove: _Groove) -> Wave:
    """Return the gain [length, 1] that makes room for each kick on the beat."""
    t = np.arange(length) / RATE
    since = t % _BEAT if set(groove.kick) >= {0, 4, 8, 12} else t % (2 * _BEAT)
    return np.asarray(1 - 0.55 * np.exp(-since / 0.1) * np.minimum(since / 0.004, 1))[:, None]


def _echoes(track: Wave, delay: float, feedback: float) -> Wave:
    """Add echoes that change sides."""
    result = track.copy()
    shift = round(delay * RATE)
    echo = track
    for _ in range(4):
        echo = feedback * np.concatenate([np.zeros((shift, 2)), echo[:-shift, ::-1]]) * [0.7, 1.2]
        result += echo
    return result


def _reverb(track: Wave, rng: np.random.Generator) -> Wave:
    """Return the answer of a room: dying noise, independent on both sides."""
    from scipy.signal import fftconvolve

    t = _time(1.1)
    room = np.stack([_noise(rng, 1.1, 250, 6000) for _ in range(2)], axis=1) * np.exp(-t / 0.22)[:, None]
    room[: round(0.012 * RATE)] = 0  # the walls are some metres away
    room /= np.sqrt((room**2).sum(axis=0))
    return np.asarray(fftconvolve(track, room, axes=0)[: len(track)])


def _master(mix: Wave) -> Wave:
    """Cut what is below hearing, round the peaks off, fade out, leave 1 dB to full scale."""
    from scipy.signal import butter, sosfilt

    clean = sosfilt(butter(2, 28, "highpass", fs=RATE, output="sos"), mix, axis=0)
    level = float(np.sqrt((clean**2).mean()))
    rounded = np.tanh(clean * (0.21 / level))
    fade = round(1.2 * RATE)
    rounded[-fade:] *= (np.cos(np.linspace(0, np.pi, fade)) * 0.5 + 0.5)[:, None]
    return np.asarray(rounded * (10 ** (-1 / 20) / np.abs(rounded).max()))


def repeated_demo_song(seconds: float) -> Song:
    """The demo song's ten bars, mono at SAMPLE_RATE, repeated to a length in seconds without missing a beat."""
    from scipy.signal import resample_poly

    song = compose()
    mono = resample_poly(song.samples.mean(axis=1), SAMPLE_RATE, song.rate).astype(np.float32)
    bars = mono[: round(song.beats[-1] * SAMPLE_RATE)]  # without the last chord, which dies away
    return Song(np.resize(bars, round(seconds * SAMPLE_RATE)), SAMPLE_RATE)
