"""Styles of a dance: which one a song asks for, and plans that mix styles or change them in the course of a song."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stgmamba.arrays import FloatArray
from stgmamba.errors import InputError
from stgmamba.music_to_skeleton.audio_features import MUSIC_FPS, AudioFeatures
from stgmamba.options import STYLE, match_name

_CHANGE_SECONDS = 1.0  # over which one section's style passes into the next one's

_TRIPLE_STYLES = frozenset({"waltz"})
_PROFILES = {
    "cha-cha": (120, 0.35),
    "rumba": (96, 0.25),
    "tango": (126, 0.25),
    "waltz": (88, 0.25),
    "krump": (95, 0.70),
    "la-hip-hop": (92, 0.55),
    "lock": (106, 0.50),
    "pop": (100, 0.60),
    "salsa": (184, 0.45),
    "modern": (75, 0.20),
    "j-pop": (145, 0.45),
    "k-pop": (124, 0.55),
}
# Usual tempo, beats per minute, and strength of the beat of a style's music: tempos of ballroom as competitions play
# them or as tracked in the training songs, of street dance those of the training takes; strengths by ear and judgement.
_USUAL_TEMPO, _USUAL_STRENGTH = 105.0, 0.4
_TEMPO_SPREAD, _STRENGTH_SPREAD = 0.12, 0.12  # octaves and units of strength that count as equally far off
_TRIPLE = 0.5
_FASTEST_TRIPLE = 120.0  # beats per minute; faster beats are often half beats, of which three are no bar
_FEWEST_BEATS = 12  # for a metre to be told


@dataclass(frozen=True)
class Section:
    """From when on which styles are danced.

    Attributes:
        start: second of the dance.
        weights: style -> weight > 0; of sum 1.
    """

    start: float
    weights: dict[str, float]


@dataclass(frozen=True)
class Choice:
    """A style that was chosen for a song.

    Attributes:
        style: its name.
        reason: why, a phrase for the user.
    """

    style: str
    reason: str


def plan_of(style: str) -> list[Section]:
    """One style from beginning to end."""
    return [Section(0.0, {style: 1.0})]


def parse_style(text: str, names: Sequence[str]) -> list[Section] | None:
    """Sections of a dance as a user writes them.

    Args:
        text: a style, ``lock``; a mix, ``pop:0.7,lock:0.3``; sections with the times at which they begin,
            ``0:00=modern,0:45=krump``; or ``auto``.
        names: of the styles that the network knows.

    Returns:
        Sections by time, the first at 0; None for ``auto``.

    Raises:
        InputError: written otherwise, or an unknown style.
    """
    if text.strip().casefold() == STYLE:
        return None
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts:
        raise InputError(f"style {text!r} names none; use one of {', '.join(names)}, or {STYLE}.")
    timed = ["=" in part for part in parts]
    if not any(timed):
        return [Section(0.0, _mix(text, parts, names))]
    if not all(timed):
        raise InputError(f"style {text!r}: give every section a time, as in 0:00=modern,0:45=krump.")
    sections = []
    for part in parts:
        time, _, style = part.partition("=")
        sections.append(Section(_seconds(text, time), _mix(text, style.split("+"), names)))
    starts = [section.start for section in sections]
    if starts != sorted(set(starts)):
        raise InputError(f"style {text!r}: the times must rise; write the sections in their order.")
    return [Section(0.0, sections[0].weights), *sections[1:]]


def _mix(text: str, parts: Sequence[str], names: Sequence[str]) -> dict[str, float]:
    """Weights of ``NAME`` or ``NAME:WEIGHT`` parts, of sum 1."""
    weights: dict[str, float] = {}
    for part in parts:
        name, colon, number = part.partition(":")
        try:
            weight = float(number) if colon else 1.0
        except ValueError:
            weight = 0.0
        if not 0 < weight < float("inf"):
            raise InputError(f"style {text!r}: {number.strip()!r} is no weight; use a positive number, as in pop:0.7.")
        style = match_name(name, names, "style")
        weights[style] = weights.get(style, 0.0) + weight
    total = sum(weights.values())
    return {style: weight / total for style, weight in weights.items()}


def _seconds(text: str, time: str) -> float:
    """Seconds of a time written as seconds or as minutes:seconds."""
    minutes, colon, seconds = time.strip().rpartition(":")
    try:
        value = (float(minutes) * 60 if colon else 0.0) + float(seconds)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise InputError(f"style {text!r}: {time.strip()!r} is no time; use minutes:seconds, as in 0:45.")
    return value


def style_weights(sections: Sequence[Section], names: Sequence[str], frames: int, fps: float) -> FloatArray:
    """Weights of the styles over time, [T, S], rows of sum 1; sections pass into one another within a second.

    Args:
        sections: by time, the first at 0.
        names: of the S styles.
        frames: T.
        fps: frames per second.
    """
    times = np.arange(frames) / fps
    weights = np.zeros((frames, len(names)))
    for k, section in enumerate(sections):
        row = np.array([section.weights.get(name, 0.0) for name in names])
        since = (times - section.start) / _CHANGE_SECONDS + 0.5
        share = np.ones(frames) if k == 0 else np.clip(since, 0, 1)
        weights = weights * (1 - share[:, None]) + row * share[:, None]
    return weights.astype(np.float32)


def choose_style(audio: AudioFeatures, names: Sequence[str]) -> Choice:
    """The style that a song asks for: a waltz for three beats to the bar; else by tempo and by how strong the beat is.

    Args:
        audio: of the song.
        names: of the styles that the network knows.
    """
    tempo = 60 / float(np.median(np.diff(audio.beats))) if len(audio.beats) > 1 else _USUAL_TEMPO
    strength = _beat_strength(audio)
    triple = tempo < _FASTEST_TRIPLE and _triple_metre(audio) > _TRIPLE
    suited = [name for name in names if (name in _TRIPLE_STYLES) == triple] or list(names)

    def distance(name: str) -> float:
        usual_tempo, usual_strength = _PROFILES.get(name, (_USUAL_TEMPO, _USUAL_STRENGTH))
        return float(
            np.hypot(np.log2(tempo / usual_tempo) / _TEMPO_SPREAD, (strength - usual_strength) / _STRENGTH_SPREAD)
        )

    metre = "three" if triple else "four"
    reason = f"{metre} beats to the bar, {tempo:.0f} beats a minute, strength of the beat {strength:.2f}"
    return Choice(min(suited, key=distance), reason)


def _beat_strength(audio: AudioFeatures) -> float:
    """Mean onset strength on the beats relative to the song's strongest onset, 0..1: drums have 0.4 and more."""
    strengths = _at_beats(audio)[0]
    return float(strengths.mean()) if len(strengths) else _USUAL_STRENGTH


def _triple_metre(audio: AudioFeatures) -> float:
    """How much more the beats of a song resemble those 3 and 6 later than those 2 and 4 later; positive: waltz time.

    Autocorrelations of onset strength and loudness at the beats, added up. Of six training waltzes five have more than
    `_TRIPLE`, of six other training dances one, a rumba whose half beats are tracked.
    """
    total = 0.0
    for values in _at_beats(audio):
        if len(values) < _FEWEST_BEATS or values.std() < 1e-6:
            continue
        x = (values - values.mean()) / values.std()
        total += sum(sign * float((x[lag:] * x[:-lag]).mean()) for lag, sign in ((3, 1), (6, 1), (2, -1), (4, -1)))
    return total


def _at_beats(audio: AudioFeatures) -> tuple[FloatArray, FloatArray]:
    """Onset strength and loudness at the beats of a song, [K] each."""
    onset, loudness = audio.features[:, 0], audio.features[:, 1]
    frames = np.round(audio.beats * MUSIC_FPS).astype(int)
    frames = frames[(frames > 0) & (frames < len(audio) - 1)]
    around = np.maximum(np.maximum(onset[frames - 1], onset[frames]), onset[frames + 1])
    return around, np.maximum(loudness[frames], loudness[frames + 1])
