"""What each part of a person is painted with: rows of numbers that the shading kernel reads."""

from __future__ import annotations

import numpy as np

from stgmamba.arrays import FloatArray
from stgmamba.characters.appearance import NECKLINES, PATTERNS, Appearance, Cloth, linear

SKIN, FACE, HAIR, CLOTH, TOP, SHOE, PLAIN = range(7)

# Columns of the table.
KIND, COLOUR, SECOND, UNDER, PATTERN, SCALE, GLOSS, PLAIN_PAINT, A, B, C, D, E, F = (
    0,
    1,
    4,
    7,
    10,
    11,
    12,
    13,
    14,
    15,
    16,
    17,
    18,
    19,
)
COLUMNS = 20

# Rows of the table.
ROWS = {
    name: i
    for i, name in enumerate(
        (
            "skin", "face", "leg", "hair", "top", "sleeve", "bottom", "skirt", "shoe", "sock", "jacket",
            "jacket_sleeve",
            "headwear", "brim", "glasses", "earring", "hood", "band",
        )
    )
}  # fmt: skip


def table(appearance: Appearance) -> FloatArray:
    """Materials of a look, [rows, COLUMNS], in the order of ``ROWS``."""
    rows = np.zeros((len(ROWS), COLUMNS), np.float32)

    def put(
        name: str, kind: int, colour: str, second: str | None = None, under: str | None = None, gloss: float = 0.04
    ) -> FloatArray:
        row: FloatArray = rows[ROWS[name]]
        row[KIND] = kind
        row[COLOUR : COLOUR + 3] = linear(colour)
        row[SECOND : SECOND + 3] = linear(second or colour)
        row[UNDER : UNDER + 3] = linear(under or colour)
        row[GLOSS] = gloss
        return row

    def cloth(name: str, kind: int, garment: Cloth, under: str | None = None) -> FloatArray:
        row = put(name, kind, garment.colour, garment.second, under, 0.03)
        row[PATTERN] = PATTERNS.index(garment.pattern)
        row[SCALE] = {"stripes": 0.055, "pinstripes": 0.028, "checks": 0.06, "dots": 0.045}.get(garment.pattern, 0.05)
        return row

    put("skin", SKIN, appearance.skin, under=appearance.skin, gloss=0.10)
    put("face", FACE, appearance.skin, appearance.hair.colour, appearance.face.lips, 0.10)
    # Bare legs end in socks; column A is the share of the shin at which they begin.
    put("leg", SKIN, appearance.skin, appearance.shoes.socks, gloss=0.10)
    put("hair", HAIR, appearance.hair.colour, gloss=0.35)
    top = cloth("top", TOP, appearance.top, appearance.skin)
    height = appearance.figure.height
    neckline = NECKLINES.index(appearance.top.neckline)
    # How far above the shoulder joints the neckline lies in front, and how wide it opens there.
    top[A] = (0.030, -0.055, -0.045)[neckline] * height / 1.7
    top[B] = (0.078, 0.080, 0.098)[neckline] * height / 1.7
    top[C] = neckline
    top[D] = 0.0
    if appearance.top.kind in ("tank", "crop"):
        top[A] = -0.060 * height / 1.7
        top[B] = 0.080 * height / 1.7
        top[C] = 2
        # Width of what covers the shoulder, from the middle of the body.
        top[D] = 0.120 * height / 1.7 * appearance.figure.shoulders
    elif appearance.top.kind in ("hoodie", "shirt"):
        top[A], top[B], top[C] = (0.026, 0.07, 0) if appearance.top.kind == "hoodie" else (-0.02, 0.062, 1)
    top[E] = {"shirt": 1.0, "hoodie": 2.0}.get(appearance.top.kind, 0.0)
    top[F] = appearance.body.spine
    cloth("sleeve", CLOTH, appearance.top)
    if appearance.top.pattern in ("band", "fade", "print"):
        rows[ROWS["sleeve"], PATTERN] = 0
    cloth("hood", CLOTH, appearance.top)
    rows[ROWS["hood"], PATTERN] = 0
    cloth("bottom", CLOTH, appearance.bottom)
    if appearance.bottom.pattern in ("band", "print"):
        rows[ROWS["bottom"], PATTERN] = 0
    cloth("skirt", CLOTH, appearance.bottom)[A] = 1.0
    put("shoe", SHOE, appearance.shoes.colour, appearance.shoes.sole, gloss=0.18)[A] = float(
        appearance.shoes.kind in ("sneaker", "hightop")
    )
    put("sock", CLOTH, appearance.shoes.socks)
    jacket = appearance.jacket or appearance.top
    for name in ("jacket", "jacket_sleeve"):
        cloth(name, CLOTH, jacket)
        rows[ROWS[name], GLOSS] = 0.08
    put("headwear", CLOTH, appearance.hair.accent)
    put("brim", PLAIN, appearance.hair.accent)
    put("glasses", PLAIN, appearance.face.glasses or "#1a1a1c", gloss=0.5)
    put("earring", PLAIN, appearance.face.earrings or "#d8b04a", gloss=0.9)
    put("band", PLAIN, appearance.hair.accent)
    # One colour all over: painted once per pixel.
    for row in rows:
        row[PLAIN_PAINT] = float(row[KIND] in (SKIN, HAIR, PLAIN) or (row[KIND] == CLOTH and row[PATTERN] == 0))
    return rows


def face_numbers(appearance: Appearance) -> FloatArray:
    """What the face is painted from: eye colour (3), eye size, brows, lips, smile, blush, lashes, beard, jaw."""
    face = appearance.face
    return np.asarray(
        [
            *linear(face.eyes),
            face.eye_size,
            face.brows,
            face.lip_fullness,
            face.smile,
            face.blush,
            face.lashes,
            face.beard,
            face.jaw,
        ],
        np.float32,
    )
