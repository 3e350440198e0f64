"""Light and paint: colours of the pixels that the rasteriser found.

One kernel, sample by sample: the part's material gives a colour from the part's own coordinates (stripes, collar, eyes,
mouth), then a key light with cast shadow, a fill light, light from sky and floor dimmed by ambient occlusion, and a rim
light make it round. Colours are linear light.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from stgmamba.arrays import DoubleArray, FloatArray, IntArray
from stgmamba.characters.materials import (
    CLOTH,
    COLOUR,
    FACE,
    GLOSS,
    HAIR,
    KIND,
    PATTERN,
    PLAIN_PAINT,
    SCALE,
    SECOND,
    SHOE,
    SKIN,
    TOP,
    UNDER,
    A,
    B,
    C,
    D,
    E,
    F,
)  # fmt: skip
from stgmamba.jit import jit

# Rows of the light table: directions towards the lights and their colours.
KEY_DIRECTION, KEY, FILL_DIRECTION, FILL, RIM_DIRECTION, RIM, SKY, GROUND = range(8)


@jit("contract", "arcp", "nsz", "reassoc")
def _step(low: float, high: float, x: float) -> float:
    t = min(max((x - low) / (high - low), 0.0), 1.0)
    return t * t * (3 - 2 * t)


@jit("contract", "arcp", "nsz", "reassoc")
def _pattern(kind: int, scale: float, x: float, y: float, around: float) -> float:
    """Share of the second colour, 0..1, at (x across, y along) metres; ``around`` runs round the part."""
    if kind == 1:  # stripes
        return 1.0 if (y / scale) % 1.0 < 0.42 else 0.0
    if kind == 2:  # pinstripes
        return 0.75 if (around / scale) % 1.0 < 0.16 else 0.0
    if kind == 3:  # checks
        a = 1.0 if (y / scale) % 1.0 < 0.5 else 0.0
        b = 1.0 if (around / scale) % 1.0 < 0.5 else 0.0
        line = 0.25 if (y / scale + 0.23) % 1.0 < 0.06 or (around / scale + 0.23) % 1.0 < 0.06 else 0.0
        return min(1.0, 0.38 * a + 0.38 * b + line)
    if kind == 4:  # dots
        row = math.floor(y / scale)
        u = (around / scale + 0.5 * (row % 2.0)) % 1.0 - 0.5
        v = (y / scale) % 1.0 - 0.5
        return 1.0 if u * u + v * v < 0.045 else 0.0
    if kind == 6:  # fade
        return _step(0.05, 0.45, y)
    return 0.0


@jit("contract", "arcp", "nsz", "reassoc")
def _paint_face(x: float, y: float, z: float, row: FloatArray, m: int, face: FloatArray, out: DoubleArray) -> float:
    """Colour of the head at (x, y, z) in its own axes into ``out`` [3]; answers how wet it shines."""
    r, g, b = 1.0 * (row[m, COLOUR]), 1.0 * (row[m, COLOUR + 1]), 1.0 * (row[m, COLOUR + 2])
    shine = 0.0
    if z < 0.015:
        out[0], out[1], out[2] = r, g, b
        return shine
    eye_size, brows, full, smile = 1.0 * (face[3]), 1.0 * (face[4]), 1.0 * (face[5]), 1.0 * (face[6])
    blush, lashes, beard = 1.0 * (face[7]), 1.0 * (face[8]), 1.0 * (face[9])
    ax = abs(x)
    # Cheeks.
    d = ((ax - 0.046) / 0.020) ** 2 + ((y + 0.022) / 0.017) ** 2
    share = 0.42 * blush * math.exp(-d)
    r += share * (min(r * 1.12, 1.0) - r)
    g += share * (g * 0.62 - g)
    b += share * (b * 0.62 - b)
    # Beard: jaw, chin and moustache.
    if beard > 0:
        jaw = _step(-0.026, -0.056, y - 0.55 * (ax - 0.03) * (1.0 if ax > 0.03 else 0.0))
        side = _step(0.054, 0.070, ax) * _step(0.030, -0.010, y)
        lip = _step(0.027, 0.021, ax) * _step(-0.048, -0.045, y) * _step(-0.032, -0.037, y)
        free = 1 - _step(1.1, 0.8, (ax / 0.026) ** 2 + ((y + 0.060) / 0.012) ** 2)
        share = min(1.0, max(max(jaw * free, side), lip)) * min(1.0, 0.35 + 0.6 * beard) * (0.35 + 0.65 * beard)
        r += share * (row[m, SECOND] * 0.9 - r)
        g += share * (row[m, SECOND + 1] * 0.9 - g)
        b += share * (row[m, SECOND + 2] * 0.9 - b)
    # Under the nose.
    d = ((ax - 0.0075) / 0.0042) ** 2 + ((y + 0.031) / 0.0026) ** 2
    share = 0.55 * math.exp(-d)
    r, g, b = r * (1 - share), g * (1 - share * 1.05), b * (1 - share * 1.05)
    # Mouth: a line that smiles, lips above and below it, teeth when the smile is wide.
    half = 0.0225 + 0.004 * smile
    u = ax / half
    if u < 1.25:
        bend = 0.011 * smile * u * u
        line = y - (-0.060 + bend)
        arch = max(0.0, 1 - u * u)
        gap = 0.0075 * max(0.0, (smile - 0.62) / 0.38) * arch
        upper = 0.0062 * full * arch * (1 - 0.25 * math.exp(-((ax / 0.004) ** 2)))
        lower = 0.0090 * full * arch**0.8
        soft = 0.0012
        lips = (
            _step(upper + soft, upper - soft, line)
            * _step(-gap - lower - soft, -gap - lower + soft, line)
            * _step(1.06, 0.96, u)
        )
        tone = 0.88 if line > 0 else 1.06
        r += lips * (row[m, UNDER] * tone - r)
        g += lips * (row[m, UNDER + 1] * tone - g)
        b += lips * (row[m, UNDER + 2] * tone - b)
        shine += 0.35 * lips
        if gap > 0.0008:
            open_mouth = _step(soft, -soft, line) * _step(-gap - soft, -gap + soft, line)
            r += open_mouth * (0.80 - r)
            g += open_mouth * (0.77 - g)
            b += open_mouth * (0.73 - b)
        dark = 0.75 * math.exp(-((line / 0.0014) ** 2)) * _step(1.12, 0.98, u)
        r, g, b = r * (1 - dark), g * (1 - dark), b * (1 - dark)
    # Eyes.
    ex = ax - 0.0315
    ey = y - 0.019 - 0.06 * ex
    wide, high = 0.0178 * eye_size, 0.0118 * eye_size
    u = ex / wide
    if abs(u) < 1.5 and abs(ey) < 0.035:
        lid = high * max(0.0, 1 - u * u) ** 0.75
        low = -0.72 * high * max(0.0, 1 - u * u)
        soft = 0.0010
        # The socket is a little darker than the skin around.
        share = 0.16 * math.exp(-((ex / 0.020) ** 2) - ((ey - 0.006) / 0.012) ** 2)
        r, g, b = r * (1 - share), g * (1 - 1.2 * share), b * (1 - 1.2 * share)
        inside = _step(lid + soft, lid - soft, ey) * _step(low - soft, low + soft, ey) * (1.0 if abs(u) < 1 else 0.0)
        if inside > 0:
            # Both eyes look ahead: the white's shade comes from the lid above.
            shade = 0.80 - 0.35 * _step(lid - 0.006, lid, ey)
            er, eg, eb = shade, shade * 0.98, shade * 0.96
            distance = math.sqrt((ex + 0.0008) ** 2 + (ey - 0.0008) ** 2)
            iris = _step(0.0094 * eye_size, 0.0082 * eye_size, distance)
            ring = 1 - 0.55 * _step(0.0060, 0.0090, distance)
            er += iris * (face[0] * ring * 1.15 - er)
            eg += iris * (face[1] * ring * 1.15 - eg)
            eb += iris * (face[2] * ring * 1.15 - eb)
            pupil = _step(0.0049, 0.0037, distance)
            er, eg, eb = er * (1 - 0.95 * pupil), eg * (1 - 0.95 * pupil), eb * (1 - 0.95 * pupil)
            # The light's reflection sits on the same side of both eyes.
            glint_x = x - (0.0315 if x > 0 else -0.0315) + 0.0032
            glint = _step(0.0030, 0.0020, math.sqrt(glint_x**2 + (ey - 0.0042) ** 2))
            er += glint * (1.3 - er)
            eg += glint * (1.3 - eg)
            eb += glint * (1.3 - eb)
            r += inside * (er - r)
            g += inside * (eg - g)
            b += inside * (eb - b)
            shine += 0.2 * inside
        # Lash line, thicker outwards, and a faint lower lid.
        thick = (0.0012 + 0.0016 * lashes) * (1 + 0.6 * u)
        wing = 1.0 + 0.14 * lashes
        lash_y = ey - lid - (0.004 * lashes * max(0.0, u - 0.85) / 0.3)
        lash = 0.92 * math.exp(-((lash_y / max(thick, 0.0008)) ** 2)) * _step(wing + 0.10, wing - 0.05, abs(u))
        lower_lid = 0.35 * math.exp(-(((ey - low) / 0.0011) ** 2)) * _step(1.0, 0.8, abs(u))
        dark = max(lash, lower_lid)
        r += dark * (0.018 - r)
        g += dark * (0.012 - g)
        b += dark * (0.010 - b)
        crease = 0.22 * math.exp(-(((ey - lid - 0.0045) / 0.0012) ** 2)) * _step(1.05, 0.7, abs(u))
        r, g, b = r * (1 - crease), g * (1 - 1.2 * crease), b * (1 - 1.2 * crease)
    # Brows.
    bx = (ax - 0.034) / 0.021
    if abs(bx) < 1.2:
        arc = 0.0425 + 0.0035 * (1 - (bx - 0.25) ** 2) - 0.0022 * max(0.0, bx)
        thick = 0.0036 * brows * (1 - 0.45 * _step(0.0, 1.0, bx))
        share = 0.9 * _step(thick + 0.0012, thick - 0.0010, abs(y - arc)) * _step(1.05, 0.88, abs(bx))
        r += share * (row[m, SECOND] * 0.72 - r)
        g += share * (row[m, SECOND + 1] * 0.70 - g)
        b += share * (row[m, SECOND + 2] * 0.70 - b)
    out[0], out[1], out[2] = r, g, b
    return shine


@jit("contract", "arcp", "nsz", "reassoc")
def _paint(
    row: FloatArray, m: int, x: float, y: float, z: float, face: FloatArray, out: DoubleArray
) -> tuple[int, float]:
    """Colour of material m at the part's own coordinates into ``out`` [3]; answers its kind and its gloss."""
    kind = int(row[m, KIND])
    r, g, b = 1.0 * (row[m, COLOUR]), 1.0 * (row[m, COLOUR + 1]), 1.0 * (row[m, COLOUR + 2])
    gloss = 1.0 * (row[m, GLOSS])
    if kind == FACE:
        gloss += _paint_face(x, y, z, row, m, face, out)
        return SKIN, gloss
    if kind == TOP:
        spine = 1.0 * (row[m, F])
        up = y - spine
        ax = abs(x)
        neck = 1.0 * (row[m, B])
        front = z > -0.02
        # The neckline falls from the side of the neck to the middle of the front; behind it is shallow.
        side_height = 0.050
        if front:
            u = min(ax / neck, 1.0)
            if row[m, C] == 1:
                line = row[m, A] + (side_height - row[m, A]) * u
            else:
                line = row[m, A] + (side_height - row[m, A]) * (1 - math.sqrt(1 - u * u))
            edge = line if ax < neck else 9.0
        else:
            u = min(ax / neck, 1.0)
            edge = 0.030 + 0.020 * u * u if ax < neck else 9.0
        bare = up > edge
        if ax < neck and up > 0.052:
            bare = True
        if row[m, D] > 0 and up > -0.155:
            # Armholes.
            hole = row[m, D] * (0.86 + 0.75 * max(0.0, -up / 0.155) ** 2.2)
            if ax > hole:
                bare = True
        if bare:
            out[0], out[1], out[2] = row[m, UNDER], row[m, UNDER + 1], row[m, UNDER + 2]
            return SKIN, 0.10
        around = x if z > 0 else x + 0.01
        share = _pattern(int(row[m, PATTERN]), 1.0 * (row[m, SCALE]), x, y, around)
        if row[m, PATTERN] == 5:
            share = 1.0 if 0.52 * spine < y < 0.72 * spine else (0.0 if not 0.745 * spine < y < 0.765 * spine else 1.0)
        if row[m, PATTERN] == 7 and front:
            dx, dy = x / 0.062, (y - 0.66 * spine) / 0.062
            angle = math.atan2(dy, dx)
            share = 1.0 if math.sqrt(dx * dx + dy * dy) < 0.80 + 0.16 * math.cos(6 * angle) else 0.0
            share = share if math.sqrt(dx * dx + dy * dy) > 0.30 else 0.0
        r += share * (row[m, SECOND] - r)
        g += share * (row[m, SECOND + 1] - g)
        b += share * (row[m, SECOND + 2] - b)
        tone = 1.0
        if edge < 1.0 and edge - up < 0.011:
            tone = 0.86
        if row[m, E] == 1.0 and z > 0 and ax < 0.014:  # a shirt's button placket
            tone *= 1.06 if ax < 0.0115 else 0.78
            v = (y / 0.085) % 1.0 - 0.5
            if (x / 0.0045) ** 2 + (v * 0.085 / 0.0045) ** 2 < 1:
                tone *= 0.55
        if row[m, E] == 2.0 and z > 0:  # a hoodie's pocket and cords
            pocket = 0.04 < y < 0.155 and ax < 0.105 - 0.35 * max(0.0, y - 0.075)
            if pocket:
                near = min(min(y - 0.04, 0.155 - y), 0.105 - 0.35 * max(0.0, y - 0.075) - ax)
                tone *= 0.80 if near < 0.004 else 0.96
            if abs(ax - 0.030 - 0.004 * math.sin(y * 40)) < 0.0035 and -0.17 < up < 0.03:
                r, g, b = row[m, SECOND], row[m, SECOND + 1], row[m, SECOND + 2]
        if row[m, E] == 2.0 and y < 0.012:
            tone *= 0.90 + 0.08 * math.sin(x * 700)
        out[0], out[1], out[2] = r * tone, g * tone, b * tone
        return CLOTH, gloss
    if kind == SKIN:
        out[0], out[1], out[2] = r, g, b
        return SKIN, gloss
    if kind == HAIR:
        azimuth = math.atan2(x, z)
        strand = (
            math.sin(azimuth * 38 + 3 * math.sin(y * 38)) * 0.5
            + math.sin(azimuth * 91 + 5 * math.sin(y * 21 + 1)) * 0.5
        )
        tone = 1.0 + 0.20 * strand
        out[0], out[1], out[2] = r * tone, g * tone, b * tone
        return HAIR, gloss * (1 + 0.5 * strand)
    if kind == SHOE:
        # Texture: x across, y in soles' heights, z along 0..1.
        if y < 1.0:
            tone = 0.82 if y > 0.80 else 1.0
            out[0], out[1], out[2] = row[m, SECOND] * tone, row[m, SECOND + 1] * tone, row[m, SECOND + 2] * tone
            return CLOTH, 0.08
        if row[m, A] > 0 and 0.40 < z < 0.66 and abs(x) < 0.020 and (z * 16) % 1.0 < 0.42 and y > 1.6:
            out[0], out[1], out[2] = row[m, SECOND], row[m, SECOND + 1], row[m, SECOND + 2]
            return CLOTH, 0.05
        tone = 0.86 if row[m, A] > 0 and z > 0.80 else 1.0
        out[0], out[1], out[2] = r * tone, g * tone, b * tone
        return CLOTH, gloss
    if kind == CLOTH:
        # Skirts bring their own coordinate around; on limbs it is the angle times a mean radius.
        share = _pattern(
            int(row[m, PATTERN]), 1.0 * (row[m, SCALE]), x, y, x if row[m, A] > 0 else math.atan2(x, z) * 0.075
        )
        r += share * (row[m, SECOND] - r)
        g += share * (row[m, SECOND + 1] - g)
        b += share * (row[m, SECOND + 2] - b)
        out[0], out[1], out[2] = r, g, b
        return CLOTH, gloss
    out[0], out[1], out[2] = r, g, b
    return kind, gloss


@jit("contract", "arcp", "nsz", "reassoc")
def _lit(shadow: FloatArray, at: FloatArray, x: float, y: float, z: float, bias: float) -> float:
    """How much of the key light reaches a point, 0..1, from the shadow map by four nearest lookups."""
    px = at[0, 0] * x + at[0, 1] * y + at[0, 2] * z + at[0, 3] - 0.5
    py = at[1, 0] * x + at[1, 1] * y + at[1, 2] * z + at[1, 3] - 0.5
    near = at[2, 0] * x + at[2, 1] * y + at[2, 2] * z + at[2, 3] + bias
    ix, iy = math.floor(px), math.floor(py)
    height, width = shadow.shape
    if ix < 1 or iy < 1 or ix >= width - 2 or iy >= height - 2:
        return 1.0
    fx, fy = px - ix, py - iy
    top = (1.0 if shadow[iy, ix] <= near else 0.0) * (1 - fx) + (1.0 if shadow[iy, ix + 1] <= near else 0.0) * fx
    low = (1.0 if shadow[iy + 1, ix] <= near else 0.0) * (1 - fx) + (
        1.0 if shadow[iy + 1, ix + 1] <= near else 0.0
    ) * fx
    lit: float = top * (1 - fy) + low * fy
    return lit


@jit("contract", "arcp", "nsz", "reassoc")
def _light(
    point: tuple[float, float, float],
    normal: tuple[float, float, float],
    kind: int,
    sky: float,
    eye: FloatArray,
    lights: FloatArray,
    shadow: FloatArray,
    shadow_at: FloatArray,
    out: DoubleArray,
) -> None:
    """Light at a point: ``out`` [9] takes what multiplies the paint (3), the highlight (3) and the rim (3)."""
    n0, n1, n2 = normal
    scale = 1.0 / (math.sqrt(n0 * n0 + n1 * n1 + n2 * n2) + 1e-9)
    n0, n1, n2 = n0 * scale, n1 * scale, n2 * scale
    v0, v1, v2 = eye[0] - point[0], eye[1] - point[1], eye[2] - point[2]
    scale = 1.0 / (math.sqrt(v0 * v0 + v1 * v1 + v2 * v2) + 1e-9)
    v0, v1, v2 = v0 * scale, v1 * scale, v2 * scale
    facing = n0 * v0 + n1 * v1 + n2 * v2
    if facing < -0.25:
        # The inside of a sleeve or a skirt.
        n0, n1, n2, facing = -n0, -n1, -n2, -facing
        sky *= 0.55
    k0, k1, k2 = (
        1.0 * (lights[KEY_DIRECTION, 0]),
        1.0 * (lights[KEY_DIRECTION, 1]),
        1.0 * (lights[KEY_DIRECTION, 2]),
    )
    key = n0 * k0 + n1 * k1 + n2 * k2
    wrap = 0.35 if kind in (SKIN, HAIR) else 0.22
    lit = 1.0
    if key > -wrap:
        lit = _lit(shadow, shadow_at, point[0] + 0.012 * n0, point[1] + 0.012 * n1, point[2] + 0.012 * n2, 0.010)
    reach = max(0.0, (key + wrap) / (1 + wrap)) * (0.25 + 0.75 * lit)
    fill = 0.5 + 0.5 * (
        n0 * lights[FILL_DIRECTION, 0] + n1 * lights[FILL_DIRECTION, 1] + n2 * lights[FILL_DIRECTION, 2]
    )
    edge = min(max(1.0 - facing, 0.0), 1.0)
    rim = max(0.0, n0 * lights[RIM_DIRECTION, 0] + n1 * lights[RIM_DIRECTION, 1] + n2 * lights[RIM_DIRECTION, 2])
    rim = rim * edge * edge * edge * 1.6 * sky
    h0, h1, h2 = k0 + v0, k1 + v1, k2 + v2
    scale = 1.0 / (math.sqrt(h0 * h0 + h1 * h1 + h2 * h2) + 1e-9)
    h0, h1, h2 = h0 * scale, h1 * scale, h2 * scale
    if kind == HAIR:
        # Strands run down the head: the highlight lies across them (Kajiya, Kay 1989).
        t0, t1, t2 = -n1 * n0, 1 - n1 * n1, -n1 * n2
        along = (t0 * h0 + t1 * h1 + t2 * h2) / (math.sqrt(t0 * t0 + t1 * t1 + t2 * t2) + 1e-6)
        shine = max(0.0, 1 - along * along)
        shine = shine * shine * shine
        shine = shine * shine * shine * shine * reach
    else:
        shine = max(0.0, n0 * h0 + n1 * h1 + n2 * h2) if key > 0 else 0.0
        shine = shine * shine
        shine = shine * shine
        shine = shine * shine
        shine = shine * shine * (0.2 + 0.8 * lit)
    up = 0.5 + 0.5 * n1
    # Light that enters skin comes out redder, most where it fades.
    glow = max(0.0, 1 - abs(key + 0.05) * 2.2) * lit if kind == SKIN else 0.0
    for i in range(3):
        ambient = (lights[GROUND, i] + (lights[SKY, i] - lights[GROUND, i]) * up) * sky
        red = 0.10 if i == 0 else (0.025 if i == 1 else 0.012)
        out[i] = lights[KEY, i] * (reach * (0.45 + 0.55 * sky) + glow * red) + lights[FILL, i] * fill * sky + ambient
        out[3 + i] = lights[KEY, i] * shine
        out[6 + i] = lights[RIM, i] * rim


@jit("contract", "arcp", "nsz", "reassoc")
def _mixed(values: FloatArray, corners: tuple[int, int, int], wa: float, wb: float) -> tuple[float, float, float]:
    """A vertex attribute [V, 3] at barycentric weights."""
    a, b, c = corners
    wc = 1.0 - wa - wb
    return (
        wa * values[a, 0] + wb * values[b, 0] + wc * values[c, 0],
        wa * values[a, 1] + wb * values[b, 1] + wc * values[c, 1],
        wa * values[a, 2] + wb * values[b, 2] + wc * values[c, 2],
    )


@jit("contract", "arcp", "nsz", "reassoc")
def shade(
    depth: FloatArray,
    face_index: IntArray,
    weights: FloatArray,
    vertices: FloatArray,
    normals: FloatArray,
    texture: FloatArray,
    triangles: IntArray,
    inputs: IntArray,
    table: FloatArray,
    face: FloatArray,
    open_sky: FloatArray,
    shadow: FloatArray,
    shadow_at: FloatArray,
    eye: FloatArray,
    lights: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Colour and cover of a picture half as wide and high as the buffers: each pixel is the mean of its 2 x 2 samples.

    Every sample is painted; light is worked out once per pixel where all samples lie on one surface.

    Args:
        depth: the rasteriser's inverse depth, [2H, 2W].
        face_index: its triangles on top, [2H, 2W].
        weights: its barycentric weights, [2H, 2W, 2].
        vertices: of the mesh, [V, 3] metres.
        normals: of the vertices, [V, 3].
        texture: the parts' own coordinates at the vertices, [V, 3].
        triangles: [F, 3].
        inputs: row of the table for each triangle, [F].
        table: ``materials.table``.
        face: ``materials.face_numbers``.
        open_sky: ambient occlusion of the half-size picture, [H, W].
        shadow: nearness to the key light in the shadow map, [N, N].
        shadow_at: the [3, 4] matrix that takes a point to (x, y, nearness) in it.
        eye: the camera's place, [3].
        lights: light table, [8, 3].

    Returns:
        Linear colour times cover [H, W, 3], cover [H, W].
    """
    height, width = depth.shape[0] // 2, depth.shape[1] // 2
    colour = np.zeros((height, width, 3), np.float32)
    cover = np.zeros((height, width), np.float32)
    paint = np.zeros(3)
    light = np.zeros(9)
    for py in range(height):
        for px in range(width):
            lit_material = -1
            lit_depth = 0.0
            kind, gloss = 0, 0.0
            red, green, blue, samples = 0.0, 0.0, 0.0, 0
            for k in range(4):
                y, x = 2 * py + (k >> 1), 2 * px + (k & 1)
                here = 1.0 * (depth[y, x])
                if here <= 0:
                    continue
                f = face_index[y, x]
                corners = (triangles[f, 0], triangles[f, 1], triangles[f, 2])
                wa, wb = 1.0 * (weights[y, x, 0]), 1.0 * (weights[y, x, 1])
                m = inputs[f]
                same = m == lit_material and abs(here - lit_depth) < 0.03 * here * here
                if not (same and table[m, PLAIN_PAINT] > 0):
                    sx, sy, sz = _mixed(texture, corners, wa, wb)
                    kind, gloss = _paint(table, m, sx, sy, sz, face, paint)
                if not same:
                    _light(
                        _mixed(vertices, corners, wa, wb), _mixed(normals, corners, wa, wb), kind,
                        1.0 * open_sky[py, px], eye, lights, shadow, shadow_at, light,
                    )  # fmt: skip
                    lit_material, lit_depth = m, here
                red += paint[0] * light[0] + gloss * light[3] * (paint[0] + 0.25) + light[6] * (0.25 + paint[0])
                green += paint[1] * light[1] + gloss * light[4] * (paint[1] + 0.25) + light[7] * (0.25 + paint[1])
                blue += paint[2] * light[2] + gloss * light[5] * (paint[2] + 0.25) + light[8] * (0.25 + paint[2])
                samples += 1
            colour[py, px, 0], colour[py, px, 1], colour[py, px, 2] = 0.25 * red, 0.25 * green, 0.25 * blue
            cover[py, px] = 0.25 * samples
    return colour, cover


@jit("contract", "arcp", "nsz", "reassoc")
def compose(
    background: FloatArray,
    colour: FloatArray,
    cover: FloatArray,
    left: int,
    top: int,
    encode: NDArray[np.uint8],
    out: NDArray[np.uint8],
) -> None:
    """Lay a person over the background, both linear, its corner at (left, top); ``encode`` maps 0..1 to sRGB."""
    last = len(encode) - 1
    for y in range(colour.shape[0]):
        for x in range(colour.shape[1]):
            if cover[y, x] <= 0:
                continue
            for i in range(3):
                value = background[top + y, left + x, i] * (1 - cover[y, x]) + colour[y, x, i]
                # Highlights roll off instead of clipping.
                if value > 0.7:
                    value = 0.7 + 0.3 * (1 - math.exp(-(value - 0.7) / 0.3))
                out[top + y, left + x, i] = encode[int(min(max(value, 0.0), 1.0) * last + 0.5)]


@jit("contract", "arcp", "nsz", "reassoc")
def floor_shadow(
    out: NDArray[np.uint8],
    background: FloatArray,
    rays: FloatArray,
    eye: FloatArray,
    mask: FloatArray,
    shadow_at: FloatArray,
    contacts: FloatArray,
    strength: float,
    encode: NDArray[np.uint8],
    box: tuple[int, int, int, int],
) -> None:
    """Darken the floor under and behind the person in pixels of ``box`` (left, top, right, bottom), in place.

    Args:
        out: picture, [H, W, 3] sRGB.
        background: the same picture, linear, before any shadow.
        rays: [3, 3] matrix from pixel (x, y, 1) to direction.
        eye: the camera's place.
        mask: blurred cover of the shadow map.
        shadow_at: as in ``shade``.
        contacts: points of the feet and how near to the floor they are, [N, 4]: x, z, radius, weight.
        strength: darkness of the cast shadow, 0..1.
        encode: linear 0..1 to sRGB.
        box: part of the picture to look at.
    """
    last = len(encode) - 1
    height, width = mask.shape
    for y in range(box[1], box[3]):
        for x in range(box[0], box[2]):
            cx, cy = x + 0.5, y + 0.5
            d0 = rays[0, 0] * cx + rays[0, 1] * cy + rays[0, 2]
            d1 = rays[1, 0] * cx + rays[1, 1] * cy + rays[1, 2]
            d2 = rays[2, 0] * cx + rays[2, 1] * cy + rays[2, 2]
            if d1 >= -1e-6:
                continue
            t = -eye[1] / d1
            fx, fz = eye[0] + t * d0, eye[2] + t * d2
            px = shadow_at[0, 0] * fx + shadow_at[0, 2] * fz + shadow_at[0, 3] - 0.5
            py = shadow_at[1, 0] * fx + shadow_at[1, 2] * fz + shadow_at[1, 3] - 0.5
            ix, iy = math.floor(px), math.floor(py)
            dark = 0.0
            if 0 <= ix < width - 1 and 0 <= iy < height - 1:
                ux, uy = px - ix, py - iy
                dark = (mask[iy, ix] * (1 - ux) + mask[iy, ix + 1] * ux) * (1 - uy) + (
                    mask[iy + 1, ix] * (1 - ux) + mask[iy + 1, ix + 1] * ux
                ) * uy
            keep = 1 - strength * dark
            for k in range(len(contacts)):
                d = ((fx - contacts[k, 0]) ** 2 + (fz - contacts[k, 1]) ** 2) / contacts[k, 2] ** 2
                if d < 6:
                    keep *= 1 - contacts[k, 3] * math.exp(-d)
            if keep < 0.998:
                for i in range(3):
                    out[y, x, i] = encode[int(min(max(background[y, x, i] * keep, 0.0), 1.0) * last + 0.5)]
