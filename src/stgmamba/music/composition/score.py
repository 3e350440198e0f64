"""What is played in a composed song: form, drums, bass, chords, arpeggio and melody as notes at steps of the bar."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from stgmamba.arrays import BoolArray, DoubleArray
from stgmamba.music.composition.styles import Style, load_rhythms

_SCALES = (
    np.array([0, 2, 4, 5, 7, 9, 11]),  # major
    np.array([0, 2, 3, 5, 7, 8, 10]),  # minor
    np.array([0, 2, 3, 5, 7, 9, 10]),  # Dorian
)
_PROGRESSIONS = (  # degrees of the scale
    (0, 4, 5, 3),
    (5, 3, 0, 4),
    (0, 5, 3, 4),
    (0, 3, 4, 3),
    (5, 4, 3, 4),
    (1, 4, 0, 0),
    (0, 6, 5, 6),
    (0, 0, 3, 4),
    (0, 4, 0),
    (0, 3),
    (0, 5),
    (0, 0, 0, 0),
)
_FORMS = ("ABAB", "AABA", "IABABCB", "IAABAB", "ABCABC", "ABACA", "AB", "IABB")
"""Sections of equal letters are alike; I is an introduction."""

_DENSITY = {"syncopated": 0.5, "stabs": 0.42, "gated": 0.85, "strummed": 0.6, "wobble": 0.7, "long_notes": 0.3}
"""Kinds of rhythm that are drawn at random: on which share of strong steps notes begin."""


@dataclass(frozen=True)
class FormSection:
    """One section: its letter, its first bar, and its number of bars."""

    label: str
    first_bar: int
    bars: int


@dataclass
class Part:
    """Notes of one instrument, in any order: positions and lengths in steps, MIDI pitches, velocities 0..1."""

    positions: list[float] = field(default_factory=list)
    lengths: list[float] = field(default_factory=list)
    pitches: list[float] = field(default_factory=list)
    velocities: list[float] = field(default_factory=list)

    def add(self, position: float, length: float, pitches: list[int], velocity: float) -> None:
        """Add a note or a chord."""
        for pitch in pitches:
            self.positions.append(position)
            self.lengths.append(length)
            self.pitches.append(pitch)
            self.velocities.append(velocity / np.sqrt(len(pitches)))


@dataclass(frozen=True)
class Score:
    """All that is played.

    Attributes:
        form: sections in order; they cover all bars.
        parts: by name: ``bass``, ``chords``, ``pad``, ``arpeggio``, ``melody``.
        drums: per instrument positions [K] in steps and velocities [K].
    """

    form: tuple[FormSection, ...]
    parts: Mapping[str, Part]
    drums: Mapping[str, tuple[DoubleArray, DoubleArray]]


def write_score(rng: np.random.Generator, style: Style, bars: int) -> Score:
    """Compose a song of some bars in a style."""
    form = _write_form(rng, bars)
    layers = {label: _Layers.choose(rng) for label in {section.label for section in form}}
    drums = _write_drums(rng, style, form, layers) if style.drums and rng.random() < style.drummed else {}
    return Score(form, _write_parts(rng, style, form, layers, bare=not drums), drums)


@dataclass(frozen=True)
class _Layers:
    """What is heard in the sections of one letter."""

    drums: bool
    kick: bool
    hats_only: bool
    bass: bool
    chords: bool
    melody: bool

    @classmethod
    def choose(cls, rng: np.random.Generator) -> _Layers:
        return cls(*(bool(rng.random() < p) for p in (0.85, 0.9, 0.08, 0.88, 0.85, 0.62)))


def _write_form(rng: np.random.Generator, bars: int) -> tuple[FormSection, ...]:
    letters = _FORMS[rng.integers(len(_FORMS))]
    length = int(rng.choice([2, 4, 4, 8, 8]))
    bar = -int(rng.integers(0, length)) if rng.random() < 0.5 else 0  # the song may begin within a section
    form, count = [], 0
    while bar < bars:
        last = min(bar + length, bars)
        if last > 0:
            form.append(FormSection(letters[count % len(letters)], max(bar, 0), last - max(bar, 0)))
        bar, count = bar + length, count + 1
    return tuple(form)


def _write_drums(
    rng: np.random.Generator, style: Style, form: tuple[FormSection, ...], layers: Mapping[str, _Layers]
) -> dict[str, tuple[DoubleArray, DoubleArray]]:
    bar_steps = style.beats * style.steps
    strokes: dict[str, list[tuple[float, float]]] = {}
    groove = style.drums[rng.integers(len(style.drums))]
    grooves = {label: _vary_groove(rng, style, groove) for label in sorted(layers)}
    filled, crashed = rng.random() < 0.7, rng.random() < 0.6
    for section in form:
        layer = layers[section.label]
        if not layer.drums:
            continue
        end = section.first_bar + section.bars
        fill = int(rng.choice([style.steps, 2 * style.steps, bar_steps])) if filled and rng.random() < 0.7 else 0
        fill_start = end * bar_steps - min(fill, bar_steps)
        for drum, pattern in grooves[section.label].items():
            if (drum == "kick" and not layer.kick) or (layer.hats_only and drum not in ("hat", "open_hat", "shaker")):
                continue
            for position in range(section.first_bar * bar_steps, fill_start):
                stroke = pattern[position % len(pattern)]
                if stroke != ".":
                    accent = 1.0 if drum in ("kick", "snare", "clap") else _accent(position, style)
                    velocity = accent * (0.4 if stroke == "o" else 1.0) * rng.uniform(0.85, 1)
                    strokes.setdefault(drum, []).append((position, velocity))
        if fill:
            chosen = (("snare",), ("tom_high", "tom_low", "snare"), ("snare", "kick"), ("clap",))[rng.integers(4)]
            for position in range(fill_start, end * bar_steps):
                if rng.random() < 0.7:
                    stroke_of = chosen[rng.integers(len(chosen))]
                    strokes.setdefault(stroke_of, []).append((position, rng.uniform(0.5, 1)))
        if crashed and section.first_bar and rng.random() < 0.7:
            strokes.setdefault("crash", []).append((section.first_bar * bar_steps, rng.uniform(0.6, 1)))
    return {
        drum: (np.array([p for p, _ in pairs], np.float64), np.array([v for _, v in pairs], np.float64))
        for drum, pairs in strokes.items()
    }


def _vary_groove(rng: np.random.Generator, style: Style, groove: Mapping[str, str]) -> dict[str, str]:
    """A groove with some strokes left out, added, and instruments left out or exchanged."""
    if rng.random() < 0.2:
        groove = style.drums[rng.integers(len(style.drums))]
    varied = {}
    for drum, pattern in groove.items():
        steps = list(pattern)
        if rng.random() < 0.35:
            for i, stroke in enumerate(steps):
                if stroke != "." and rng.random() < 0.08:
                    steps[i] = "."
                elif stroke == "." and rng.random() < 0.04:
                    steps[i] = "o"
        if drum in ("hat", "open_hat", "shaker", "ride") and rng.random() < 0.08:
            continue
        varied[drum] = "".join(steps)
    if rng.random() < 0.15:  # a percussionist who plays anything
        drum = str(rng.choice(["conga_low", "conga_high", "rim", "claves", "tom_low"]))
        varied[drum] = "".join("x" if rng.random() < 0.2 else "." for _ in range(style.beats * style.steps))
    return varied


def _accent(position: float, style: Style) -> float:
    if position % style.steps == 0:
        return 1.0
    return 0.85 if style.steps % 2 == 0 and position % (style.steps // 2) == 0 else 0.7


def rhythm(rng: np.random.Generator, kind: str, style: Style) -> BoolArray:
    """Where in a bar the notes of an accompaniment begin.

    Args:
        rng: source of randomness, for kinds that are not fixed.
        kind: a name of ``data/styles.yaml``'s rhythms or of the kinds below.
        style: gives beats in a bar and steps in a beat.

    Returns:
        bool [beats * steps].
    """
    beats, steps = style.beats, style.steps
    named = load_rhythms().get(kind)
    if named is not None and len(named) == beats * steps:
        return np.array([character == "x" for character in named])
    bar = np.zeros(beats * steps, np.bool_)
    # The even subdivision of a beat that is felt first: halves of four, thirds of three and six.
    subdivision = 2 if steps in (4, 6) else 1
    middle = 2 * steps // 3 if steps in (3, 6) else steps // 2
    fixed: Mapping[str, tuple[int, int]] = {  # (first, every)
        "quarters": (0, steps),
        "walking": (0, steps),
        "downbeat": (0, beats * steps),
        "half": (0, 2 * steps),
        "alternating": (0, 2 * steps if beats == 4 else steps),
        "eighths": (0, subdivision),
        "broken": (0, subdivision),
        "octaves": (0, subdivision),
        "sixteenths": (0, 1),
        "broken_sixteenths": (0, 1),
        "offbeats": (middle, steps),
        "sustained": (0, beats * steps),
    }
    if kind in fixed:
        first, every = fixed[kind]
        bar[first::every] = True
        return bar
    if kind == "backbeats":
        if beats == 3:
            bar[[steps, 2 * steps]] = True
        else:
            bar[steps :: 2 * steps] = True
        return bar
    weights = np.full(beats * steps, 0.4)
    weights[::steps] = 0.5 if kind == "stabs" and rng.random() < 0.5 else 1.0
    if steps % 2 == 0:
        weights[steps // 2 :: steps] = 0.8
    bar = rng.random(beats * steps) < weights * _DENSITY.get(kind, 0.5)
    bar[0] |= bool(rng.random() < 0.75) or not bar.any()
    return bar


def _write_parts(
    rng: np.random.Generator,
    style: Style,
    form: tuple[FormSection, ...],
    layers: Mapping[str, _Layers],
    bare: bool,
) -> dict[str, Part]:
    harmony = _Harmony(rng, style)
    writers: dict[str, _BassLine | _Accompaniment | _Melody] = {
        "bass": _BassLine(rng, style, harmony),
        "chords": _Accompaniment(rng, style, harmony),
        "melody": _Melody(rng, style, harmony, sorted(layers)),
    }
    pad, arpeggio = rng.random() < 0.3, rng.random() < style.arpeggio
    running = _Arpeggio(rng, style, harmony)
    parts: dict[str, Part] = {}
    for section in form:
        layer = layers[section.label]
        audible = {
            "bass": layer.bass or bare,
            "chords": layer.chords or bare,
            "melody": layer.melody,
        }
        for bar in range(section.first_bar, section.first_bar + section.bars):
            for name, writer in writers.items():
                if audible[name]:
                    writer.write_bar(parts.setdefault(name, Part()), bar, section)
            if pad and bar % max(1, int(harmony.bars_per_chord)) == 0:
                length = style.beats * style.steps * max(1.0, harmony.bars_per_chord)
                chord = harmony.chord(bar * style.beats * style.steps, (0, 2, 4), 48)
                parts.setdefault("pad", Part()).add(bar * style.beats * style.steps, length, chord, 0.8)
            if arpeggio and (layer.melody or layer.chords):
                running.write_bar(parts.setdefault("arpeggio", Part()), bar)
    return {name: part for name, part in parts.items() if part.positions}


class _Harmony:
    """Key and chords; a chord lasts a fixed number of bars."""

    def __init__(self, rng: np.random.Generator, style: Style) -> None:
        self.key = int(rng.integers(0, 12))
        self.scale = _SCALES[rng.choice(3, p=[0.45, 0.4, 0.15])]
        self.progression = _PROGRESSIONS[rng.integers(len(_PROGRESSIONS))]
        self.bar_steps = style.beats * style.steps
        choices = [1.0, 2.0] if style.beats % 2 else [0.5, 1.0, 1.0, 1.0, 2.0, 2.0, 4.0]
        self.bars_per_chord = float(rng.choice(choices))
        # In pop music a chord is often pushed: it enters half a beat before its bar.
        self.push = style.steps // 2 if style.beats == 4 and rng.random() < 0.1 else 0

    def pitch(self, degree: int, base: int) -> int:
        return base + self.key + 12 * (degree // 7) + int(self.scale[degree % 7])

    def degree(self, position: float) -> int:
        """Root of the chord at a position in steps."""
        count = int((position + self.push) / self.bar_steps / self.bars_per_chord)
        return self.progression[count % len(self.progression)]

    def chord(self, position: float, thirds: tuple[int, ...], base: int) -> list[int]:
        return [self.pitch(self.degree(position) + third, base) for third in thirds]


class _BassLine:
    def __init__(self, rng: np.random.Generator, style: Style, harmony: _Harmony) -> None:
        self.rng, self.style, self.harmony = rng, style, harmony
        self.kind = str(style.bass[rng.integers(len(style.bass))])
        self.patterns = [rhythm(rng, self.kind, style) for _ in range(int(rng.choice([1, 1, 2])))]
        self.base = int(rng.choice([24, 31, 36, 36]))
        self.gate = rng.uniform(0.4, 1)

    def write_bar(self, part: Part, bar: int, section: FormSection) -> None:
        if self.kind == "none":
            return
        steps, bar_steps = self.style.steps, self.harmony.bar_steps
        pattern = self.patterns[(bar - section.first_bar) % len(self.patterns)].copy()
        if self.harmony.bars_per_chord < 1 and self.kind in ("downbeat", "long_notes"):
            pattern[bar_steps // 2] = True
        hits = np.flatnonzero(pattern)
        for i, hit in enumerate(hits):
            position = bar * bar_steps + int(hit)
            # The tumbao's last note belongs to the next bar's chord.
            anticipated = steps if self.kind == "tumbao" and i == len(hits) - 1 else 0
            degree = self.harmony.degree(position + anticipated)
            if self.kind == "walking" and hit:
                degree += int(self.rng.choice([1, 2, 4, 3, -1]))
            elif self.kind == "alternating" and (hit // steps) % self.style.beats == self.style.beats // 2:
                degree -= 3
            pitch = self.harmony.pitch(degree, self.base)
            if self.kind == "octaves" and i % 2:
                pitch += 12
            elif self.kind == "syncopated" and self.rng.random() < 0.15:
                pitch += int(self.rng.choice([12, 7, -5]))
            following = int(hits[i + 1]) if i + 1 < len(hits) else bar_steps
            accent = _accent(hit, self.style) if hit else 1.0
            part.add(position, max((following - hit) * self.gate, 0.4), [pitch], accent * self.rng.uniform(0.85, 1))


class _Accompaniment:
    """Chords: struck, sustained, or broken into single notes."""

    _ORDERS = ((0, 1, 2), (0, 1, 2, 3), (0, 2, 1, 2), (0, 1, 2, 1), (0, 2, 1, 3))

    def __init__(self, rng: np.random.Generator, style: Style, harmony: _Harmony) -> None:
        self.rng, self.style, self.harmony = rng, style, harmony
        self.kind = str(style.chords[rng.integers(len(style.chords))])
        self.patterns = [rhythm(rng, self.kind, style) for _ in range(int(rng.choice([1, 1, 2])))]
        self.base = int(rng.choice([43, 48, 55, 60]))
        self.voicing = ((0, 2, 4), (0, 2, 4, 7), (0, 4), (0, 2, 4, 6), (0, 2, 4))[rng.integers(5)]
        self.order = self._ORDERS[rng.integers(len(self._ORDERS))]
        self.gate = rng.uniform(0.2, 1)

    def write_bar(self, part: Part, bar: int, section: FormSection) -> None:
        if self.kind == "none":
            return
        bar_steps, harmony = self.harmony.bar_steps, self.harmony
        if self.kind == "sustained" and harmony.bars_per_chord > 1 and bar % int(harmony.bars_per_chord):
            return
        pattern = self.patterns[(bar - section.first_bar) % len(self.patterns)].copy()
        if self.kind == "sustained" and harmony.bars_per_chord < 1:
            pattern[bar_steps // 2] = True
        hits = np.flatnonzero(pattern)
        for i, hit in enumerate(hits):
            position = bar * bar_steps + int(hit)
            accent = (1.0 if hit == 0 else _accent(hit, self.style)) * self.rng.uniform(0.85, 1)
            following = int(hits[i + 1]) if i + 1 < len(hits) else bar_steps
            length = (following - hit) * self.gate
            if self.kind in ("broken", "broken_sixteenths", "montuno"):
                third = (0, 2, 4, 7)[self.order[i % len(self.order)]]
                part.add(position, max(length, 1.0), harmony.chord(position, (third,), self.base), accent)
                continue
            if self.kind == "sustained":
                length = max(1.0, harmony.bars_per_chord) * (following - hit)
            part.add(
                position - harmony.push * (self.kind == "sustained" and position > 0),
                max(length, 0.4),
                harmony.chord(position, self.voicing, self.base),
                accent,
            )


class _Arpeggio:
    def __init__(self, rng: np.random.Generator, style: Style, harmony: _Harmony) -> None:
        self.rng, self.style, self.harmony = rng, style, harmony
        self.every = int(rng.choice([1, 1, 2])) if style.steps == 4 else 2 if style.steps == 6 else 1
        cycle = int(rng.choice([3, 4, 4, 6, 8]))
        self.thirds = rng.choice([0, 2, 4, 7, 9, 11, 14], cycle)
        self.base = int(rng.choice([60, 60, 72]))
        self.restarts = bool(rng.random() < 0.7)
        self.length = rng.uniform(0.4, 1.5)

    def write_bar(self, part: Part, bar: int) -> None:
        for hit in range(0, self.harmony.bar_steps, self.every):
            position = bar * self.harmony.bar_steps + hit
            count = (hit if self.restarts else position) // self.every
            third = int(self.thirds[count % len(self.thirds)])
            accent = _accent(hit, self.style) * self.rng.uniform(0.85, 1)
            part.add(position, self.every * self.length, self.harmony.chord(position, (third,), self.base), accent)


class _Melody:
    """A motif of one to four bars per letter of the form, which returns with it."""

    def __init__(self, rng: np.random.Generator, style: Style, harmony: _Harmony, letters: list[str]) -> None:
        self.rng, self.style, self.harmony = rng, style, harmony
        self.base = int(rng.choice([60, 60, 67, 72]))
        self.gate = rng.uniform(0.4, 1)
        self.syncopation = rng.random()
        self.motifs = {letter: [self._motif() for _ in range(int(rng.choice([1, 2, 2, 4])))] for letter in letters}

    def _motif(self) -> list[tuple[int, int]]:
        """Steps of the bar and degrees above the chord's root."""
        steps = self.style.steps
        weights = np.full(self.harmony.bar_steps, 0.05 + 0.25 * self.syncopation)
        weights[::steps] = 1.0
        if steps % 2 == 0:
            weights[steps // 2 :: steps] = 0.5 + 0.4 * self.syncopation
        hits = np.flatnonzero(self.rng.random(len(weights)) < weights * self.rng.uniform(0.3, 0.9))
        height, motif = 0, []
        for hit in hits:
            height = int(np.clip(height + self.rng.choice([-2, -1, -1, 0, 1, 1, 2, 4, -3]), -4, 9))
            motif.append((int(hit), height))
        return motif

    def write_bar(self, part: Part, bar: int, section: FormSection) -> None:
        motifs = self.motifs[section.label]
        motif = motifs[(bar - section.first_bar) % len(motifs)]
        for i, (hit, height) in enumerate(motif):
            position = bar * self.harmony.bar_steps + hit
            following = motif[i + 1][0] if i + 1 < len(motif) else self.harmony.bar_steps
            pitch = self.harmony.pitch(self.harmony.degree(position) + height, self.base)
            accent = _accent(hit, self.style) * self.rng.uniform(0.85, 1)
            part.add(position, max((following - hit) * self.gate, 0.4), [pitch], accent)
