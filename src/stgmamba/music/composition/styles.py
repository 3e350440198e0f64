"""Styles of the composed songs, read from ``data/styles.yaml`` and checked on reading."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import yaml

DRUMS = (
    "kick",
    "snare",
    "clap",
    "rim",
    "hat",
    "open_hat",
    "ride",
    "crash",
    "shaker",
    "tom_low",
    "tom_high",
    "conga_low",
    "conga_high",
    "cowbell",
    "claves",
)
"""Percussion instruments that a groove may use."""

TIMBRES = ("piano", "plucked", "organ", "strings", "brass", "reeds", "distorted")
"""Acoustic (and electric) instruments of chords and melody."""


@dataclass(frozen=True)
class Style:
    """How songs of one style are composed; units and meanings stand in ``data/styles.yaml``."""

    name: str
    weight: float
    tempo: tuple[float, float]
    drums: tuple[Mapping[str, str], ...]
    bass: tuple[str, ...]
    chords: tuple[str, ...]
    beats: int = 4
    steps: int = 4
    swing: tuple[float, float] = (0.0, 0.0)
    drummed: float = 0.96
    electronic: float = 0.3
    pump: float = 0.03
    arpeggio: float = 0.1
    rubato: float = 0.03
    timbres: tuple[str, ...] = TIMBRES

    @property
    def metre(self) -> str:
        """``2/4``, ``3/4``, ``4/4``, or ``6/8`` for compound beats."""
        return "6/8" if self.steps == 6 else f"{self.beats}/4"

    def __post_init__(self) -> None:
        for groove in self.drums:
            for drum, pattern in groove.items():
                if drum not in DRUMS:
                    raise ValueError(f"style {self.name}: there is no drum {drum!r}; choose from {', '.join(DRUMS)}")
                if set(pattern) - set("xo.") or len(pattern) % (self.beats * self.steps):
                    raise ValueError(f"style {self.name}: {drum} {pattern!r} is not a pattern of whole bars of x, o, .")
        unknown = set(self.timbres) - set(TIMBRES)
        if unknown:
            raise ValueError(f"style {self.name}: unknown timbres {', '.join(sorted(unknown))}")


@cache
def load_styles() -> Mapping[str, Style]:
    """All styles by name.

    Raises:
        ValueError: the table has a mistake; the message names the style.
    """
    table = _table()
    return {name: _style(name, values, table["patterns"]) for name, values in table["styles"].items()}


@cache
def load_rhythms() -> Mapping[str, str]:
    """Named rhythms of bass and chords, one bar of 4/4 in sixteen steps: x where a note begins, . elsewhere."""
    rhythms: Mapping[str, str] = _table()["rhythms"]
    return rhythms


@cache
def _table() -> Mapping[str, Any]:
    text = resources.files(__package__).joinpath("data/styles.yaml").read_text(encoding="utf-8")
    table: Mapping[str, Any] = yaml.safe_load(text)
    return table


def _style(name: str, values: Mapping[str, Any], patterns: Mapping[str, str]) -> Style:
    unknown = values.keys() - {setting.name for setting in dataclasses.fields(Style)}
    if unknown:
        raise ValueError(f"style {name}: unknown settings {', '.join(sorted(unknown))}")
    settings: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
    }
    settings["drums"] = tuple(
        {drum: patterns.get(pattern, pattern) for drum, pattern in groove.items()} for groove in values["drums"]
    )
    return Style(name=name, **settings)
