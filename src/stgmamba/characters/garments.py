"""Cuts of the garments, ``data/garments.yaml``: where hems and sleeves end, pattern scales, necklines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from stgmamba.characters.appearance import BOTTOMS, NECKLINES, PATTERNS, SHOES, TOPS, Appearance
from stgmamba.characters.tables import load_numbers, load_records, load_tables, to_record


@dataclass(frozen=True)
class TopCut:
    """Cut of a top.

    Attributes:
        hem: position of the lower edge along the spine, 0 middle of the hips, 1 neck.
        sleeve: position along the arm (0 shoulder, 1 elbow, 2 wrist) where the sleeve ends; 0 without sleeves.
        cuff: whether the sleeve is gathered at its end.
    """

    hem: float
    sleeve: float
    cuff: bool


@dataclass(frozen=True)
class BottomCut:
    """Cut of trousers, skirts and dresses; positions along the leg are 0 at the hip, 1 at the knee, 2 at the ankle.

    Attributes:
        skin: position from which on the bare leg is drawn.
        hem: position where the trousers end; None for a skirt or a dress, which spans both legs.
        ease: distance of the cloth from the leg at the hips, metres on a body of 1.70 m.
    """

    skin: float
    hem: float | None
    ease: float


@dataclass(frozen=True)
class ShoeCut:
    """Cut of shoes.

    Attributes:
        shaft: position along the leg where the shaft, or the sock in the shoe, begins; None without either.
    """

    shaft: float | None


@dataclass(frozen=True)
class Neckline:
    """Opening of a top at the neck.

    Attributes:
        height: of its lowest point in front above the shoulder joints, metres.
        half_width: metres.
        shape: one of ``NECKLINES``.
        scaled: whether the lengths are those on a body of 1.70 m and scale with the height.
    """

    height: float
    half_width: float
    shape: str
    scaled: bool

    def __post_init__(self) -> None:
        if self.shape not in NECKLINES:
            raise ValueError(f"shape must be one of {', '.join(NECKLINES)}, got {self.shape!r}")


@cache
def top_cuts() -> dict[str, TopCut]:
    """Cut of each kind of top."""
    return load_records("garments", "tops", TopCut, TOPS)


@cache
def bottom_cuts() -> dict[str, BottomCut]:
    """Cut of each kind of trousers, skirts and dresses."""
    return load_records("garments", "bottoms", BottomCut, BOTTOMS)


@cache
def shoe_cuts() -> dict[str, ShoeCut]:
    """Cut of each kind of shoes."""
    return load_records("garments", "shoes", ShoeCut, SHOES)


def pattern_scales() -> Mapping[str, float]:
    """Period of each pattern, metres."""
    return load_numbers("garments", "pattern_scales", PATTERNS)


def neckline(appearance: Appearance) -> Neckline:
    """The neckline of a top: its own, where its kind has one, else the appearance's."""
    necklines = load_tables("garments").get("top_necklines", {})
    kind = appearance.top.kind
    if kind in necklines:
        return to_record(Neckline, necklines[kind], f"garments.yaml: top_necklines: {kind}")
    return _necklines()[appearance.top.neckline]


@cache
def _necklines() -> dict[str, Neckline]:
    return load_records("garments", "necklines", Neckline, NECKLINES)
