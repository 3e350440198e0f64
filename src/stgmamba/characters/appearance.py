"""Appearance of a procedural person, as data: body shape, face, hair, clothes; built-in people and random ones."""

from __future__ import annotations

import colorsys
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any

import numpy as np

from stgmamba.characters.tables import load_numbers, load_tables, to_record
from stgmamba.skeleton.body import Body

HAIR_STYLES = ("bald", "buzz", "short", "quiff", "curly", "afro", "bob", "long", "ponytail", "bun", "cap", "beanie")
TOPS = ("tshirt", "longsleeve", "hoodie", "tank", "crop", "shirt")
BOTTOMS = ("slim", "wide", "joggers", "shorts", "skirt", "dress", "leggings")
SHOES = ("sneaker", "boot", "flat", "hightop")
PATTERNS = ("plain", "stripes", "pinstripes", "checks", "dots", "band", "fade", "print")
NECKLINES = ("crew", "v", "scoop")

_BONES = (
    "spine", "hips", "shoulders", "neck", "neck_head", "head", "upper_arm", "forearm", "thigh", "shin", "heel", "toe",
)  # fmt: skip
_COLOUR_FIELDS = ("skin", "eyes", "lips", "glasses", "earrings", "colour", "second_colour", "accent", "sole", "socks")


@dataclass(frozen=True)
class Figure:
    """Body shape.

    Attributes:
        height: metres, sole to crown.
        girth: thickness of the limbs and the trunk; 1 is average, 0.8 slim, 1.3 heavy.
        shoulders, waist, hips: widths relative to the average.
        bust: 0..1.
        head: size of the head relative to an anatomical one.
    """

    height: float = 1.70
    girth: float = 1.0
    shoulders: float = 1.0
    waist: float = 1.0
    hips: float = 1.0
    bust: float = 0.0
    head: float = 1.12


@dataclass(frozen=True)
class Face:
    """Features of the face.

    Attributes:
        eyes, lips: colours ``#rrggbb``.
        eye_size, brows, nose, jaw, lip_fullness: sizes relative to the average.
        smile, blush, lashes, beard: 0..1.
        glasses, earrings: colour of each, or None without.
    """

    eyes: str = "#4a3220"
    eye_size: float = 1.0
    brows: float = 1.0
    nose: float = 1.0
    jaw: float = 1.0
    lips: str = "#b5685f"
    lip_fullness: float = 1.0
    smile: float = 0.6
    blush: float = 0.4
    lashes: float = 0.3
    beard: float = 0.0
    glasses: str | None = None
    earrings: str | None = None


@dataclass(frozen=True)
class Hair:
    """Hair.

    Attributes:
        style: one of ``HAIR_STYLES``.
        colour: ``#rrggbb``.
        volume: relative to the style's usual one.
        accent: colour of cap, beanie and hair band.
    """

    style: str = "short"
    colour: str = "#2b1b12"
    volume: float = 1.0
    accent: str = "#c0392b"


@dataclass(frozen=True)
class Cloth:
    """A garment.

    Attributes:
        kind: one of ``TOPS`` or ``BOTTOMS``, or ``jacket``.
        colour, second_colour: of the cloth, and of its pattern, cords and collar.
        pattern: one of ``PATTERNS``.
        looseness: distance from the body relative to the usual one.
        neckline: one of ``NECKLINES``.
    """

    kind: str
    colour: str
    second_colour: str = "#f4f1ea"
    pattern: str = "plain"
    looseness: float = 1.0
    neckline: str = "crew"


@dataclass(frozen=True)
class Shoes:
    """Shoes: kind (one of ``SHOES``), and colours of upper, sole and socks."""

    kind: str = "sneaker"
    colour: str = "#f2f2f0"
    sole: str = "#ffffff"
    socks: str = "#f2f2f0"


@dataclass(frozen=True)
class Appearance:
    """Appearance of one person.

    Attributes:
        name: for reports.
        figure: body shape.
        skin: colour ``#rrggbb``.
        face, hair, top, bottom, shoes: see there.
        jacket: an open jacket over the top, or None.

    Raises:
        ValueError: a kind that cannot be drawn, or a malformed colour.
    """

    name: str = "character"
    figure: Figure = field(default_factory=Figure)
    skin: str = "#d9a47c"
    face: Face = field(default_factory=Face)
    hair: Hair = field(default_factory=Hair)
    top: Cloth = field(default_factory=lambda: Cloth("tshirt", "#e8e4da"))
    bottom: Cloth = field(default_factory=lambda: Cloth("slim", "#2f3b52"))
    shoes: Shoes = field(default_factory=Shoes)
    jacket: Cloth | None = None

    def __post_init__(self) -> None:
        for name, value, known in (
            ("hair style", self.hair.style, HAIR_STYLES),
            ("top", self.top.kind, TOPS),
            ("bottom", self.bottom.kind, BOTTOMS),
            ("shoes", self.shoes.kind, SHOES),
            ("pattern", self.top.pattern, PATTERNS),
            ("pattern", self.bottom.pattern, PATTERNS),
            ("neckline", self.top.neckline, NECKLINES),
        ):
            if value not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}, got {value!r}")
        for part in (self, self.face, self.hair, self.top, self.bottom, self.shoes, self.jacket):
            for entry in fields(part) if part is not None else ():
                colour = getattr(part, entry.name)
                if entry.name in _COLOUR_FIELDS and colour is not None:
                    linear_rgb(colour)

    @property
    def body(self) -> Body:
        """The bone lengths of this body, metres."""
        fraction = load_numbers("body", "bones", _BONES)
        h = self.figure.height
        head = self.figure.head
        return Body(
            spine=fraction["spine"] * h,
            hips=fraction["hips"] * h * self.figure.hips,
            shoulders=fraction["shoulders"] * h * self.figure.shoulders,
            neck=fraction["neck"] * h + fraction["neck_head"] * h * head,
            head=fraction["head"] * h * head,
            upper_arm=fraction["upper_arm"] * h,
            forearm=fraction["forearm"] * h,
            thigh=fraction["thigh"] * h,
            shin=fraction["shin"] * h,
            heel=fraction["heel"] * h,
            toe=fraction["toe"] * h,
        )


def linear_rgb(colour: str) -> tuple[float, float, float]:
    """Linear light, 0..1 each, of a colour ``#rrggbb``, by the power segment of the sRGB curve throughout.

    Raises:
        ValueError: a malformed colour.
    """
    if not re.fullmatch("#[0-9a-fA-F]{6}", colour):
        raise ValueError(f"a colour must read #rrggbb, got {colour!r}")
    r, g, b = (((int(colour[i : i + 2], 16) / 255) + 0.055) / 1.055 for i in (1, 3, 5))
    return (max(r, 0.0) ** 2.4, max(g, 0.0) ** 2.4, max(b, 0.0) ** 2.4)


def load_characters() -> dict[str, Appearance]:
    """The built-in characters by name, from ``data/characters.yaml``.

    Raises:
        ValueError: an entry that is not an appearance; the message names the file and the entry.
    """
    characters = {}
    for name, values in load_tables("characters").items():
        where = f"characters.yaml: {name}"
        if not isinstance(values, Mapping):
            raise ValueError(f"{where}: not a mapping of an appearance's fields")
        if not isinstance(name, str) or name == "random" or "name" in values:
            raise ValueError(f"{where}: a character's name is the key of its entry, and `random` is not free")
        characters[name] = to_record(Appearance, {"name": name, **values}, where)
    return characters


CHARACTERS: dict[str, Appearance] = load_characters()
"""The built-in characters by name."""


def random_appearance(seed: int) -> Appearance:
    """A random appearance, the same for the same seed, from the colours and frequencies of ``data/random_people.yaml``.

    Args:
        seed: any integer >= 0.
    """
    rng = np.random.default_rng(seed)
    tables = _random_people()

    def choose(options: Sequence[str] | Mapping[str, float]) -> str:
        """One of equally frequent options, or of options with relative frequencies."""
        if isinstance(options, Mapping):
            frequencies = list(options.values())
            return str(rng.choice(list(options), p=np.asarray(frequencies) / np.sum(frequencies)))
        return str(rng.choice(options))

    feminine = bool(rng.random() < 0.5)
    frequencies = tables["feminine" if feminine else "masculine"]
    skin_index = int(rng.integers(len(tables["skin"])))
    skin = _jitter(tables["skin"][skin_index], rng, 0.03)
    hair_colour = choose(tables["dyed_hair"]) if rng.random() < 0.06 else _hair_colour(rng, skin_index > 4)
    muted, bright = _palette(rng)
    figure = Figure(
        height=float(rng.normal(1.66 if feminine else 1.77, 0.07)),
        girth=float(np.clip(rng.normal(0.95 if feminine else 1.04, 0.10), 0.78, 1.35)),
        shoulders=float(rng.normal(0.95 if feminine else 1.06, 0.03)),
        waist=float(rng.normal(0.95 if feminine else 1.04, 0.04)),
        hips=float(rng.normal(1.06 if feminine else 0.97, 0.03)),
        bust=float(rng.uniform(0.4, 0.95)) if feminine else 0.0,
        head=float(rng.uniform(1.06, 1.16)),
    )
    lips = choose(tables["lipstick"]) if feminine and rng.random() < 0.6 else _mix(skin, "#a04a48", 0.4)
    face = Face(
        eyes=choose(tables["brown_eyes" if skin_index > 5 else "eyes"]),
        eye_size=float(rng.uniform(0.92, 1.12)),
        brows=float(rng.uniform(0.7, 1.0) if feminine else rng.uniform(0.95, 1.35)),
        nose=float(rng.uniform(0.8, 1.2)),
        jaw=float(rng.uniform(0.90, 0.99) if feminine else rng.uniform(1.0, 1.12)),
        lips=lips,
        lip_fullness=float(rng.uniform(0.85, 1.3)),
        smile=float(rng.uniform(0.2, 0.9)),
        blush=float(rng.uniform(0.2, 0.6)),
        lashes=float(rng.uniform(0.5, 1.0) if feminine else rng.uniform(0.1, 0.3)),
        beard=0.0 if feminine else float(rng.choice([0.0, 0.0, 0.35, 0.8, 1.0])),
        glasses=choose(tables["glasses"]) if rng.random() < 0.15 else None,
        earrings=choose(tables["earrings"]) if feminine and rng.random() < 0.4 else None,
    )
    hair = Hair(
        choose(frequencies["hair_styles"]),
        hair_colour,
        float(rng.uniform(0.8, 1.3)),
        _jitter(choose(bright), rng, 0.05),
    )
    bottom = Cloth(
        choose(frequencies["bottoms"]),
        _jitter(choose(muted), rng, 0.04),
        _jitter(choose(bright), rng, 0.04),
        choose(tables["bottom_patterns"]),
        float(rng.uniform(0.8, 1.3)),
    )
    dress = bottom.kind == "dress"
    top = Cloth(
        choose(tables["tops_with_dress"] if dress else frequencies["tops"]),
        bottom.colour if dress else _jitter(choose(bright), rng, 0.06),
        bottom.second_colour if dress else _jitter(choose(muted + bright), rng, 0.04),
        bottom.pattern if dress else choose(tables["top_patterns"]),
        float(rng.uniform(0.7, 1.4)),
        choose(tables["necklines"]),
    )
    jacket = None
    if top.kind in ("tshirt", "tank", "longsleeve") and rng.random() < 0.22:
        jacket = Cloth(
            "jacket",
            _jitter(choose(muted), rng, 0.05),
            _jitter(choose(bright), rng, 0.05),
            "plain",
            float(rng.uniform(0.9, 1.2)),
        )
    shoes = Shoes(
        choose(tables["shoes"]),
        _jitter(choose((*muted, tables["light_shoe"], tables["dark_shoe"], *bright)), rng, 0.03),
        choose(tables["soles"]),
        choose(tables["socks"]),
    )
    return Appearance(f"seed {seed}", figure, skin, face, hair, top, bottom, shoes, jacket)


@cache
def _random_people() -> Mapping[str, Any]:
    """``data/random_people.yaml``, checked. Raises ValueError where a colour or the name of a kind is wrong."""
    tables = load_tables("random_people")
    for name, value in tables.items():
        where = f"random_people.yaml: {name}"
        if name in ("feminine", "masculine"):
            for part, frequencies in value.items():
                _check_kinds(frequencies, part, f"{where}: {part}")
        elif isinstance(value, Mapping):
            _check_kinds(value, name, where)
        else:
            for entry in [value] if isinstance(value, str) else value:
                linear_rgb(entry if isinstance(entry, str) else entry[0])
    return tables


def _check_kinds(frequencies: Mapping[str, float], name: str, where: str) -> None:
    part = name.removesuffix("_with_dress").removeprefix("top_").removeprefix("bottom_")
    known = {
        "hair_styles": HAIR_STYLES,
        "tops": TOPS,
        "bottoms": BOTTOMS,
        "shoes": SHOES,
        "patterns": PATTERNS,
        "necklines": NECKLINES,
    }[part]
    for kind, frequency in frequencies.items():
        if kind not in known or not frequency >= 0:
            raise ValueError(f"{where}: {kind}: {frequency!r} is not the frequency of one of {', '.join(known)}")


def _hair_colour(rng: np.random.Generator, dark_skin: bool) -> str:
    rows = _random_people()["hair"]
    frequency = np.asarray([row[1] for row in rows])
    frequency = frequency * (np.asarray([row[2] for row in rows]) if dark_skin else 1.0)
    return _jitter(str(rng.choice([row[0] for row in rows], p=frequency / frequency.sum())), rng, 0.03)


def _palette(rng: np.random.Generator) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Colours of clothes that go together: muted and bright ones around one hue and its neighbours."""
    hue = float(rng.random())
    muted = [
        (hue, 0.25, 0.30),
        (hue + 0.05, 0.12, 0.75),
        (0.6, 0.35, 0.28),
        (0.08, 0.25, 0.55),
        (0.0, 0.0, 0.13),
        (0.62, 0.45, 0.45),
    ]
    offset = float(rng.choice([0.08, -0.08, 0.42, 0.5]))
    bright = [
        (hue, 0.52, 0.74),
        (hue + offset, 0.50, 0.82),
        (hue + offset / 2, 0.24, 0.90),
        (0.11, 0.08, 0.93),
        (hue, 0.60, 0.50),
        (hue + offset, 0.62, 0.58),
    ]
    return tuple(_hsv(*c) for c in muted), tuple(_hsv(*c) for c in bright)


def _hsv(h: float, s: float, v: float) -> str:
    return _hex(colorsys.hsv_to_rgb(h % 1.0, s, v))


def _hex(rgb: tuple[float, float, float]) -> str:
    return "#" + "".join(f"{round(255 * min(max(c, 0.0), 1.0)):02x}" for c in rgb)


def _rgb(colour: str) -> tuple[float, float, float]:
    return (int(colour[1:3], 16) / 255, int(colour[3:5], 16) / 255, int(colour[5:7], 16) / 255)


def _jitter(colour: str, rng: np.random.Generator, sigma: float) -> str:
    """A colour with Gaussian noise on hue (0.3 sigma), saturation and value."""
    h, s, v = colorsys.rgb_to_hsv(*_rgb(colour))
    dh, ds, dv = rng.normal(0.0, sigma, 3)
    return _hsv(h + 0.3 * dh, min(max(s + ds, 0.0), 1.0), min(max(v + dv, 0.03), 0.98))


def _mix(a: str, b: str, weight: float) -> str:
    """The colour a fraction ``weight`` of the way from ``a`` to ``b``."""
    x, y = _rgb(a), _rgb(b)
    return _hex((x[0] + weight * (y[0] - x[0]), x[1] + weight * (y[1] - x[1]), x[2] + weight * (y[2] - x[2])))
