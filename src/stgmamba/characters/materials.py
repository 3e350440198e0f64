"""The material table: one row of numbers per material of a person, from which the shading kernel computes colours."""

from __future__ import annotations

import numpy as np

from stgmamba.arrays import FloatArray
from stgmamba.characters.appearance import NECKLINES, PATTERNS, Appearance, Cloth, linear_rgb
from stgmamba.characters.garments import neckline, pattern_scales
from stgmamba.characters.tables import REFERENCE_HEIGHT

# Values of the column KIND.
SKIN, FACE, HAIR, CLOTH, TOP, SHOE, PLAIN = range(7)

# Columns. COLOUR, SECOND and UNDER take three each: linear RGB of the material, of its pattern (of the hair on a face,
# of a shoe's sole), and of what is under it (skin under a top, the lips of a face).
KIND, COLOUR, SECOND, UNDER = 0, 1, 4, 7
PATTERN, PATTERN_SCALE, GLOSS = 10, 11, 12
# 1 where the colour is the same all over the material, so that it is computed once per pixel.
UNIFORM = 13
# Of TOP: height of the neckline in front over the shoulder joints, its half-width, its index in NECKLINES, half-width
# of the cloth between the armholes (0 with sleeves), FRONT_DETAIL, and height of the shoulder joints over the hips.
NECK_HEIGHT, NECK_WIDTH, NECK_SHAPE, ARMHOLE, FRONT_DETAIL, SPINE = range(14, 20)
# Of CLOTH: 1 where the texture coordinate x is already an arc length round the body.
UNROLLED = 14
# Of SHOE: 1 with laces.
LACES = 14
COLUMNS = 20

# Values of FRONT_DETAIL.
NO_DETAIL, PLACKET, POCKET = range(3)

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
"""Row of each material."""


def material_table(appearance: Appearance) -> FloatArray:
    """Materials of an appearance, float32 [len(ROWS), COLUMNS]."""
    table = np.zeros((len(ROWS), COLUMNS), np.float32)

    def add_material(
        name: str, kind: int, colour: str, second: str | None = None, under: str | None = None, gloss: float = 0.04
    ) -> FloatArray:
        row: FloatArray = table[ROWS[name]]
        row[KIND] = kind
        row[COLOUR : COLOUR + 3] = linear_rgb(colour)
        row[SECOND : SECOND + 3] = linear_rgb(second or colour)
        row[UNDER : UNDER + 3] = linear_rgb(under or colour)
        row[GLOSS] = gloss
        return row

    def add_cloth(name: str, kind: int, garment: Cloth, under: str | None = None) -> FloatArray:
        row = add_material(name, kind, garment.colour, garment.second_colour, under, 0.03)
        row[PATTERN] = PATTERNS.index(garment.pattern)
        row[PATTERN_SCALE] = pattern_scales()[garment.pattern]
        return row

    add_material("skin", SKIN, appearance.skin, gloss=0.10)
    add_material("face", FACE, appearance.skin, appearance.hair.colour, appearance.face.lips, 0.10)
    add_material("leg", SKIN, appearance.skin, gloss=0.10)
    add_material("hair", HAIR, appearance.hair.colour, gloss=0.35)
    top = add_cloth("top", TOP, appearance.top, appearance.skin)
    height = appearance.figure.height
    neck = neckline(appearance)
    top[NECK_HEIGHT] = neck.height * height / REFERENCE_HEIGHT if neck.scaled else neck.height
    top[NECK_WIDTH] = neck.half_width * height / REFERENCE_HEIGHT if neck.scaled else neck.half_width
    top[NECK_SHAPE] = NECKLINES.index(neck.shape)
    if appearance.top.kind in ("tank", "crop"):
        top[ARMHOLE] = 0.120 * height / REFERENCE_HEIGHT * appearance.figure.shoulders
    top[FRONT_DETAIL] = {"shirt": PLACKET, "hoodie": POCKET}.get(appearance.top.kind, NO_DETAIL)
    top[SPINE] = appearance.body.spine
    # Patterns that lie on the chest do not go on over sleeves, hood and trousers.
    sleeve = add_cloth("sleeve", CLOTH, appearance.top)
    if appearance.top.pattern in ("band", "fade", "print"):
        sleeve[PATTERN] = 0
    add_cloth("hood", CLOTH, appearance.top)[PATTERN] = 0
    bottom = add_cloth("bottom", CLOTH, appearance.bottom)
    if appearance.bottom.pattern in ("band", "print"):
        bottom[PATTERN] = 0
    add_cloth("skirt", CLOTH, appearance.bottom)[UNROLLED] = 1.0
    shoe = add_material("shoe", SHOE, appearance.shoes.colour, appearance.shoes.sole, gloss=0.18)
    shoe[LACES] = float(appearance.shoes.kind in ("sneaker", "hightop"))
    add_material("sock", CLOTH, appearance.shoes.socks)
    for name in ("jacket", "jacket_sleeve"):
        add_cloth(name, CLOTH, appearance.jacket or appearance.top)[GLOSS] = 0.08
    add_material("headwear", CLOTH, appearance.hair.accent)
    add_material("brim", PLAIN, appearance.hair.accent)
    add_material("glasses", PLAIN, appearance.face.glasses or "#1a1a1c", gloss=0.5)
    add_material("earring", PLAIN, appearance.face.earrings or "#d8b04a", gloss=0.9)
    add_material("band", PLAIN, appearance.hair.accent)
    for row in table:
        row[UNIFORM] = float(row[KIND] in (SKIN, HAIR, PLAIN) or (row[KIND] == CLOTH and row[PATTERN] == 0))
    return table


def face_parameters(appearance: Appearance) -> FloatArray:
    """Parameters of the painted face, [10]: iris colour (3), eye size, brows, lips, smile, blush, lashes, beard."""
    face = appearance.face
    return np.asarray(
        [
            *linear_rgb(face.eyes),
            face.eye_size,
            face.brows,
            face.lip_fullness,
            face.smile,
            face.blush,
            face.lashes,
            face.beard,
        ],
        np.float32,
    )
