"""What a built-in dancer looks like, as data: body, face, hair, clothes; and how to make up a new one from a seed."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass, field, fields

import numpy as np

from stgmamba.skeleton.body import Body

HAIR_STYLES = ("bald", "buzz", "short", "quiff", "curly", "afro", "bob", "long", "ponytail", "bun", "cap", "beanie")
TOPS = ("tshirt", "longsleeve", "hoodie", "tank", "crop", "shirt")
BOTTOMS = ("slim", "wide", "joggers", "shorts", "skirt", "dress", "leggings")
SHOES = ("sneaker", "boot", "flat", "hightop")
PATTERNS = ("plain", "stripes", "pinstripes", "checks", "dots", "band", "fade", "print")
NECKLINES = ("crew", "v", "scoop")


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
    """Features of the face; lengths relative to the average, colours as ``#rrggbb``."""

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
    """A hair style (one of ``HAIR_STYLES``) and its colours; ``accent`` colours cap, beanie and hair band."""

    style: str = "short"
    colour: str = "#2b1b12"
    volume: float = 1.0
    accent: str = "#c0392b"


@dataclass(frozen=True)
class Cloth:
    """A garment: its kind, two colours, pattern (one of ``PATTERNS``) and how loosely it sits (1 is usual)."""

    kind: str
    colour: str
    second: str = "#f4f1ea"
    pattern: str = "plain"
    loose: float = 1.0
    neckline: str = "crew"


@dataclass(frozen=True)
class Shoes:
    """Shoes: kind (one of ``SHOES``), upper, sole and sock colours."""

    kind: str = "sneaker"
    colour: str = "#f2f2f0"
    sole: str = "#ffffff"
    socks: str = "#f2f2f0"


@dataclass(frozen=True)
class Appearance:
    """Everything that makes one dancer look unlike another.

    Attributes:
        name: what to call the dancer.
        figure: body shape.
        skin: colour ``#rrggbb``.
        face, hair, top, bottom, shoes: see there.
        jacket: an open jacket over the top, or None.
    """

    name: str = "dancer"
    figure: Figure = field(default_factory=Figure)
    skin: str = "#d9a47c"
    face: Face = field(default_factory=Face)
    hair: Hair = field(default_factory=Hair)
    top: Cloth = field(default_factory=lambda: Cloth("tshirt", "#e8e4da"))
    bottom: Cloth = field(default_factory=lambda: Cloth("slim", "#2f3b52"))
    shoes: Shoes = field(default_factory=Shoes)
    jacket: Cloth | None = None

    def __post_init__(self) -> None:
        """Raises ValueError for a kind that cannot be drawn."""
        for what, value, known in (
            ("hair style", self.hair.style, HAIR_STYLES),
            ("top", self.top.kind, TOPS),
            ("bottom", self.bottom.kind, BOTTOMS),
            ("shoes", self.shoes.kind, SHOES),
            ("pattern", self.top.pattern, PATTERNS),
            ("pattern", self.bottom.pattern, PATTERNS),
            ("neckline", self.top.neckline, NECKLINES),
        ):
            if value not in known:
                raise ValueError(f"{what} must be one of {', '.join(known)}, got {value!r}")
        for part in (self, self.face, self.hair, self.top, self.bottom, self.shoes, self.jacket):
            for colour in fields(part) if part is not None else ():
                value = getattr(part, colour.name)
                if isinstance(value, str) and value.startswith("#"):
                    linear(value)

    @property
    def body(self) -> Body:
        """The bone lengths of this body, metres."""
        h = self.figure.height
        head = self.figure.head
        return Body(
            spine=0.285 * h,
            hips=0.112 * h * self.figure.hips,
            shoulders=0.196 * h * self.figure.shoulders,
            neck=0.092 * h + 0.032 * h * head,
            head=0.086 * h * head,
            upper_arm=0.164 * h,
            forearm=0.147 * h,
            thigh=0.248 * h,
            shin=0.240 * h,
            heel=0.048 * h,
            toe=0.108 * h,
        )


def linear(colour: str) -> tuple[float, float, float]:
    """A colour ``#rrggbb`` as linear light, three values in 0..1. Raises ValueError when malformed."""
    if len(colour) != 7 or not colour.startswith("#"):
        raise ValueError(f"a colour must read #rrggbb, got {colour!r}")
    r, g, b = (((int(colour[i : i + 2], 16) / 255) + 0.055) / 1.055 for i in (1, 3, 5))
    return (max(r, 0.0) ** 2.4, max(g, 0.0) ** 2.4, max(b, 0.0) ** 2.4)


_SKINS = ("#f3d3bd", "#ecc3a4", "#e3b08b", "#d39b73", "#c28659", "#a66a41", "#8b5433", "#6f4128", "#57321f", "#462818")
_HAIRS = ("#15100d", "#241710", "#3a2416", "#55341d", "#7a4e2a", "#a8743d", "#d3ab68", "#8e3f1f", "#b9b4ac", "#5a1f2c")
_FUN_HAIRS = ("#3b6fb5", "#d0669a", "#6a4fa3", "#2f8f83")
_EYES = ("#3a2415", "#4f3420", "#5d6b3a", "#4a6f8f", "#6b7780", "#2b1c12")
_LIPS = ("#b5685f", "#a8544f", "#c4726c", "#9c4a52", "#b03a48")


def random_appearance(seed: int) -> Appearance:
    """A person made up from a seed: the same seed gives the same person, nearly every other seed another.

    Args:
        seed: any integer >= 0.
    """
    rng = np.random.default_rng(seed)

    def pick(options: tuple[str, ...], weights: tuple[float, ...] | None = None) -> str:
        p = None if weights is None else np.asarray(weights) / np.sum(weights)
        return str(rng.choice(options, p=p))

    feminine = bool(rng.random() < 0.5)
    skin_index = int(rng.integers(len(_SKINS)))
    skin = _jitter(_SKINS[skin_index], rng, 0.03)
    hair_colour = pick(_FUN_HAIRS) if rng.random() < 0.06 else _hair_colour(rng, skin_index)
    base, contrast = _palette(rng)
    figure = Figure(
        height=float(rng.normal(1.66 if feminine else 1.77, 0.07)),
        girth=float(np.clip(rng.normal(0.95 if feminine else 1.04, 0.10), 0.78, 1.35)),
        shoulders=float(rng.normal(0.95 if feminine else 1.06, 0.03)),
        waist=float(rng.normal(0.95 if feminine else 1.04, 0.04)),
        hips=float(rng.normal(1.06 if feminine else 0.97, 0.03)),
        bust=float(rng.uniform(0.4, 0.95)) if feminine else 0.0,
        head=float(rng.uniform(1.06, 1.16)),
    )
    lip = pick(_LIPS) if feminine and rng.random() < 0.6 else _mix(skin, "#a04a48", 0.4)
    face = Face(
        eyes=pick(_EYES[:2] + _EYES[5:]) if skin_index > 5 else pick(_EYES),
        eye_size=float(rng.uniform(0.92, 1.12)),
        brows=float(rng.uniform(0.7, 1.0) if feminine else rng.uniform(0.95, 1.35)),
        nose=float(rng.uniform(0.8, 1.2)),
        jaw=float(rng.uniform(0.90, 0.99) if feminine else rng.uniform(1.0, 1.12)),
        lips=lip,
        lip_fullness=float(rng.uniform(0.85, 1.3)),
        smile=float(rng.uniform(0.2, 0.9)),
        blush=float(rng.uniform(0.2, 0.6)),
        lashes=float(rng.uniform(0.5, 1.0) if feminine else rng.uniform(0.1, 0.3)),
        beard=0.0 if feminine else float(rng.choice([0.0, 0.0, 0.35, 0.8, 1.0])),
        glasses=pick(("#1a1a1c", "#5b3a20", "#8a2f35")) if rng.random() < 0.15 else None,
        earrings=pick(("#d8b04a", "#d5d8dc")) if feminine and rng.random() < 0.4 else None,
    )
    styles = (
        ("long", "bob", "ponytail", "bun", "curly", "short", "afro", "cap", "beanie")
        if feminine
        else ("short", "quiff", "buzz", "curly", "bald", "afro", "cap", "beanie", "bun", "long")
    )
    weights = (5, 3, 4, 2, 2, 1, 1.5, 0.7, 0.7) if feminine else (5, 4, 2, 3, 1, 1.5, 1.5, 1, 0.6, 0.6)
    hair = Hair(
        pick(styles, tuple(weights)), hair_colour, float(rng.uniform(0.8, 1.3)), _jitter(pick(contrast), rng, 0.05)
    )
    bottoms = BOTTOMS if feminine else BOTTOMS[:4]
    bottom = Cloth(
        pick(bottoms, (4, 2, 2, 2, 2, 3, 3) if feminine else (4, 2, 3, 2)),
        _jitter(pick(base), rng, 0.04),
        _jitter(pick(contrast), rng, 0.04),
        pick(PATTERNS, (8, 0.5, 0.8, 0.6, 0.4, 0.0, 0.4, 0.5)),
        float(rng.uniform(0.8, 1.3)),
    )
    tops: tuple[str, ...] = (
        ("tshirt", "longsleeve", "hoodie", "tank", "crop", "shirt")
        if feminine
        else ("tshirt", "longsleeve", "hoodie", "tank", "shirt")
    )
    if bottom.kind == "dress":
        tops = ("tshirt", "longsleeve", "tank")
    top = Cloth(
        pick(tops, (4, 2, 2, 1.6, 1.2, 1.2)[: len(tops)]),
        bottom.colour if bottom.kind == "dress" else _jitter(pick(contrast), rng, 0.06),
        bottom.second if bottom.kind == "dress" else _jitter(pick(base + contrast), rng, 0.04),
        bottom.pattern if bottom.kind == "dress" else pick(PATTERNS, (6, 1.5, 0.5, 0.8, 0.6, 1.2, 0.8, 0.8)),
        float(rng.uniform(0.7, 1.4)),
        pick(NECKLINES, (3, 1, 1)),
    )
    jacket = None
    if top.kind in ("tshirt", "tank", "longsleeve") and rng.random() < 0.22:
        jacket = Cloth(
            "jacket",
            _jitter(pick(base), rng, 0.05),
            _jitter(pick(contrast), rng, 0.05),
            "plain",
            float(rng.uniform(0.9, 1.2)),
        )
    shoes = Shoes(
        pick(SHOES, (5, 1.2, 1.5, 2)),
        _jitter(pick((*base, "#f0efec", "#1c1c1f", *contrast)), rng, 0.03),
        pick(("#ffffff", "#efe9dc", "#2a2826", "#b98a5c")),
        pick(("#f2f2f0", "#2a2a2e", "#c9c3b6")),
    )
    return Appearance(f"seed {seed}", figure, skin, face, hair, top, bottom, shoes, jacket)


def _hair_colour(rng: np.random.Generator, skin_index: int) -> str:
    darkness = np.asarray([1.0, 1.2, 1.2, 1.0, 0.9, 0.8, 0.7, 0.5, 0.5, 0.3])
    # Fair hair is rare on dark skin.
    allowed = darkness * (np.asarray([1, 1, 0.7, 0.3, 0.05, 0, 0, 0, 0.3, 0.2]) if skin_index > 4 else 1.0)
    return _jitter(str(rng.choice(_HAIRS, p=allowed / allowed.sum())), rng, 0.03)


def _palette(rng: np.random.Generator) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Colours that go together: quiet ones and brighter ones around one hue and its neighbours."""
    hue = float(rng.random())
    quiet = [
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
    return tuple(_hsv(*c) for c in quiet), tuple(_hsv(*c) for c in bright)


def _hsv(h: float, s: float, v: float) -> str:
    return _hex(colorsys.hsv_to_rgb(h % 1.0, s, v))


def _hex(rgb: tuple[float, float, float]) -> str:
    return "#" + "".join(f"{round(255 * min(max(c, 0.0), 1.0)):02x}" for c in rgb)


def _rgb(colour: str) -> tuple[float, float, float]:
    return (int(colour[1:3], 16) / 255, int(colour[3:5], 16) / 255, int(colour[5:7], 16) / 255)


def _jitter(colour: str, rng: np.random.Generator, amount: float) -> str:
    h, s, v = colorsys.rgb_to_hsv(*_rgb(colour))
    dh, ds, dv = rng.normal(0.0, amount, 3)
    return _hsv(h + 0.3 * dh, min(max(s + ds, 0.0), 1.0), min(max(v + dv, 0.03), 0.98))


def _mix(a: str, b: str, share: float) -> str:
    x, y = _rgb(a), _rgb(b)
    return _hex((x[0] + share * (y[0] - x[0]), x[1] + share * (y[1] - x[1]), x[2] + share * (y[2] - x[2])))


CHARACTERS: dict[str, Appearance] = {
    appearance.name: appearance
    for appearance in (
        Appearance(
            "mira",
            Figure(1.66, 0.92, 0.96, 0.93, 1.05, 0.6),
            "#d9a27a",
            Face("#4a2f1c", 1.08, 0.85, 0.9, 0.94, "#b8505a", 1.15, 0.75, 0.5, 0.9, earrings="#d8b04a"),
            Hair("ponytail", "#2a1812", 1.0, "#e4572e"),
            Cloth("crop", "#f2b134", "#ffffff", "plain", 0.8),
            Cloth("wide", "#2e5e6e", "#23424d"),
            Shoes("sneaker", "#f5f3ee", "#ffffff", "#f2f2f0"),
        ),
        Appearance(
            "kofi",
            Figure(1.80, 1.04, 1.08, 1.0, 0.97),
            "#5d3822",
            Face("#24150d", 1.0, 1.1, 1.15, 1.04, "#7a3f38", 1.25, 0.7, 0.2, 0.2, beard=0.5),
            Hair("afro", "#120d0b", 0.8),
            Cloth("tshirt", "#e9e2d0", "#d1495b", "band", 1.1),
            Cloth("joggers", "#30343f", "#e9e2d0"),
            Shoes("hightop", "#d1495b", "#ffffff", "#f2f2f0"),
        ),
        Appearance(
            "lena",
            Figure(1.71, 0.9, 0.97, 0.92, 1.02, 0.5),
            "#f0c9ae",
            Face("#4c7391", 1.1, 0.75, 0.88, 0.94, "#c2555f", 1.05, 0.6, 0.6, 0.8),
            Hair("bob", "#b5622d", 1.05),
            Cloth("tank", "#2f6b4f", "#f3e9d2"),
            Cloth("dress", "#2f6b4f", "#f3e9d2", "dots", 1.0),
            Shoes("flat", "#7c3b2e", "#3a2018", "#7c3b2e"),
        ),
        Appearance(
            "diego",
            Figure(1.76, 1.06, 1.06, 1.04, 0.98),
            "#c98f64",
            Face("#3a2415", 1.0, 1.25, 1.05, 1.06, "#a35a50", 1.0, 0.55, 0.35, 0.2, beard=0.9),
            Hair("quiff", "#1d130e", 1.1),
            Cloth("tshirt", "#f1ede4", "#1f2a44", "stripes", 1.0),
            Cloth("slim", "#37517a", "#2b3f60"),
            Shoes("boot", "#8a5a34", "#2a1d14", "#2a2a2e"),
            Cloth("jacket", "#7d2e2e", "#5d2020"),
        ),
        Appearance(
            "yuki",
            Figure(1.62, 0.9, 0.95, 0.97, 1.0, 0.35),
            "#f0cfb2",
            Face("#2b1c12", 1.05, 0.9, 0.82, 0.95, "#c46a6a", 1.0, 0.65, 0.65, 0.6),
            Hair("long", "#191314", 1.0),
            Cloth("hoodie", "#9d8ec7", "#f4f1ea", "plain", 1.15),
            Cloth("skirt", "#2b2d42", "#8d99ae", "checks", 1.0),
            Shoes("hightop", "#f0efec", "#ffffff", "#2b2d42"),
        ),
        Appearance(
            "amara",
            Figure(1.73, 1.08, 1.0, 1.02, 1.08, 0.85),
            "#7b4a2e",
            Face("#2a180f", 1.06, 0.95, 1.1, 0.98, "#9c3a48", 1.35, 0.8, 0.35, 0.9, earrings="#e0b84c"),
            Hair("bun", "#17100d", 1.2, "#f2c14e"),
            Cloth("longsleeve", "#d8572a", "#f4d6a0", "plain", 0.8, "scoop"),
            Cloth("leggings", "#1d3557", "#457b9d"),
            Shoes("sneaker", "#1d3557", "#ffffff", "#f2f2f0"),
        ),
        Appearance(
            "noah",
            Figure(1.84, 0.94, 1.02, 0.98, 0.95),
            "#efc5a5",
            Face("#5b7a5a", 1.0, 1.0, 1.0, 1.02, "#b9706a", 0.95, 0.6, 0.55, 0.2, glasses="#1a1a1c"),
            Hair("curly", "#a06a35", 1.0),
            Cloth("shirt", "#8fb8de", "#f4f1ea", "pinstripes", 1.1),
            Cloth("slim", "#b89b72", "#9c8260"),
            Shoes("sneaker", "#3c4a5a", "#f6f3ea", "#c9c3b6"),
        ),
        Appearance(
            "zoe",
            Figure(1.68, 1.0, 0.98, 0.98, 1.04, 0.6),
            "#a96c44",
            Face("#33200f", 1.08, 0.9, 1.0, 0.97, "#a4484d", 1.2, 0.85, 0.4, 0.8),
            Hair("cap", "#231612", 1.0, "#20639b"),
            Cloth("tank", "#f6d55c", "#ed553b", "plain", 1.0, "scoop"),
            Cloth("shorts", "#20639b", "#f4f1ea"),
            Shoes("hightop", "#ed553b", "#ffffff", "#ffffff"),
        ),
    )
}
