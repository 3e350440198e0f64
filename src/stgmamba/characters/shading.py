"""Shading of the rasterised samples: procedural materials, lighting, compositing over the background.

A sample's material computes its albedo from the texture coordinates (stripes, collar, eyes, mouth). Its lighting is a
wrapped Lambertian key light with a shadow map, a half-Lambertian fill light, hemispherical ambient light times ambient
occlusion, specular highlights (Blinn-Phong; Kajiya-Kay on hair) and a rim light. Colours are linear RGB.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from stgmamba.arrays import DoubleArray, FloatArray, IntArray
from stgmamba.characters.materials import (
    ARMHOLE,
    CLOTH,
    COLOUR,
    FACE,
    FRONT_DETAIL,
    GLOSS,
    HAIR,
    KIND,
    LACES,
    NECK_HEIGHT,
    NECK_SHAPE,
    NECK_WIDTH,
    PATTERN,
    PATTERN_SCALE,
    PLACKET,
    POCKET,
    SECOND,
    SHOE,
    SKIN,
    SPINE,
    TOP,
    UNDER,
    UNIFORM,
    UNROLLED,
)
from stgmamba.jit import jit

# Rows of the light table: directions towards the lights (unit vectors) and their colours (linear RGB).
KEY_DIRECTION, KEY, FILL_DIRECTION, FILL, RIM_DIRECTION, RIM, SKY, GROUND = range(8)


@jit("contract", "arcp", "nsz", "reassoc")
def _smoothstep(low: float, high: float, x: float) -> float:
    """``stgmamba.arrays.smoothstep``, compiled."""
    t = min(max((x - low) / (high - low), 0.0), 1.0)
    return t * t * (3 - 2 * t)


@jit("contract", "arcp", "nsz", "reassoc")
def _pattern(kind: int, scale: float, y: float, around: float) -> float:
    """Weight of the second colour in a pattern, 0..1.

    Args:
        kind: index in ``PATTERNS``.
        scale: period, metres.
        y: along the part, metres.
        around: arc length round the part, metres.
    """
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
        return _smoothstep(0.05, 0.45, y)
    return 0.0


@jit("contract", "arcp", "nsz", "reassoc")
def _paint_face(
    x: float, y: float, z: float, table: FloatArray, m: int, parameters: FloatArray, out: DoubleArray
) -> float:
    """Colour of the head at (x, y, z) in its own axes, written to ``out`` [3]; returns gloss to add (lips, eyes)."""
    r, g, b = 1.0 * (table[m, COLOUR]), 1.0 * (table[m, COLOUR + 1]), 1.0 * (table[m, COLOUR + 2])
    shine = 0.0
    if z < 0.015:
        out[0], out[1], out[2] = r, g, b
        return shine
    eye_size, brow_size, fullness, smile = (
        1.0 * (parameters[3]),
        1.0 * (parameters[4]),
        1.0 * (parameters[5]),
        1.0 * (parameters[6]),
    )
    blush, lashes, beard = 1.0 * (parameters[7]), 1.0 * (parameters[8]), 1.0 * (parameters[9])
    ax = abs(x)
    # Cheeks.
    d = ((ax - 0.046) / 0.020) ** 2 + ((y + 0.022) / 0.017) ** 2
    weight = 0.42 * blush * math.exp(-d)
    r += weight * (min(r * 1.12, 1.0) - r)
    g += weight * (g * 0.62 - g)
    b += weight * (b * 0.62 - b)
    # Beard: jaw, chin and moustache.
    if beard > 0:
        jaw = _smoothstep(-0.026, -0.056, y - 0.55 * (ax - 0.03) * (1.0 if ax > 0.03 else 0.0))
        side = _smoothstep(0.054, 0.070, ax) * _smoothstep(0.030, -0.010, y)
        lip = _smoothstep(0.027, 0.021, ax) * _smoothstep(-0.048, -0.045, y) * _smoothstep(-0.032, -0.037, y)
        free = 1 - _smoothstep(1.1, 0.8, (ax / 0.026) ** 2 + ((y + 0.060) / 0.012) ** 2)
        weight = min(1.0, max(max(jaw * free, side), lip)) * min(1.0, 0.35 + 0.6 * beard) * (0.35 + 0.65 * beard)
        r += weight * (table[m, SECOND] * 0.9 - r)
        g += weight * (table[m, SECOND + 1] * 0.9 - g)
        b += weight * (table[m, SECOND + 2] * 0.9 - b)
    # Under the nose.
    d = ((ax - 0.0075) / 0.0042) ** 2 + ((y + 0.031) / 0.0026) ** 2
    weight = 0.55 * math.exp(-d)
    r, g, b = r * (1 - weight), g * (1 - weight * 1.05), b * (1 - weight * 1.05)
    # Mouth: a line, curved up by the smile, the lips above and below it, and teeth when the smile is wide.
    half = 0.0225 + 0.004 * smile
    u = ax / half
    if u < 1.25:
        bend = 0.011 * smile * u * u
        line = y - (-0.060 + bend)
        arch = max(0.0, 1 - u * u)
        gap = 0.0075 * max(0.0, (smile - 0.62) / 0.38) * arch
        upper = 0.0062 * fullness * arch * (1 - 0.25 * math.exp(-((ax / 0.004) ** 2)))
        lower = 0.0090 * fullness * arch**0.8
        soft = 0.0012
        lips = (
            _smoothstep(upper + soft, upper - soft, line)
            * _smoothstep(-gap - lower - soft, -gap - lower + soft, line)
            * _smoothstep(1.06, 0.96, u)
        )
        tone = 0.88 if line > 0 else 1.06
        r += lips * (table[m, UNDER] * tone - r)
        g += lips * (table[m, UNDER + 1] * tone - g)
        b += lips * (table[m, UNDER + 2] * tone - b)
        shine += 0.35 * lips
        if gap > 0.0008:
            open_mouth = _smoothstep(soft, -soft, line) * _smoothstep(-gap - soft, -gap + soft, line)
            r += open_mouth * (0.80 - r)
            g += open_mouth * (0.77 - g)
            b += open_mouth * (0.73 - b)
        dark = 0.75 * math.exp(-((line / 0.0014) ** 2)) * _smoothstep(1.12, 0.98, u)
        r, g, b = r * (1 - dark), g * (1 - dark), b * (1 - dark)
    # Eyes.
    ex = ax - 0.0315
    ey = y - 0.019 - 0.06 * ex
    width, height = 0.0178 * eye_size, 0.0118 * eye_size
    u = ex / width
    if abs(u) < 1.5 and abs(ey) < 0.035:
        lid = height * max(0.0, 1 - u * u) ** 0.75
        low = -0.72 * height * max(0.0, 1 - u * u)
        soft = 0.0010
        # The eye socket is a little darker than the skin around it.
        weight = 0.16 * math.exp(-((ex / 0.020) ** 2) - ((ey - 0.006) / 0.012) ** 2)
        r, g, b = r * (1 - weight), g * (1 - 1.2 * weight), b * (1 - 1.2 * weight)
        inside = (
            _smoothstep(lid + soft, lid - soft, ey)
            * _smoothstep(low - soft, low + soft, ey)
            * (1.0 if abs(u) < 1 else 0.0)
        )
        if inside > 0:
            # The eyelid above casts a soft shadow on the white.
            shade = 0.80 - 0.35 * _smoothstep(lid - 0.006, lid, ey)
            er, eg, eb = shade, shade * 0.98, shade * 0.96
            distance = math.sqrt((ex + 0.0008) ** 2 + (ey - 0.0008) ** 2)
            iris = _smoothstep(0.0094 * eye_size, 0.0082 * eye_size, distance)
            ring = 1 - 0.55 * _smoothstep(0.0060, 0.0090, distance)
            er += iris * (parameters[0] * ring * 1.15 - er)
            eg += iris * (parameters[1] * ring * 1.15 - eg)
            eb += iris * (parameters[2] * ring * 1.15 - eb)
            pupil = _smoothstep(0.0049, 0.0037, distance)
            er, eg, eb = er * (1 - 0.95 * pupil), eg * (1 - 0.95 * pupil), eb * (1 - 0.95 * pupil)
            # The highlight lies on the same side of both eyes.
            glint_x = x - (0.0315 if x > 0 else -0.0315) + 0.0032
            glint = _smoothstep(0.0030, 0.0020, math.sqrt(glint_x**2 + (ey - 0.0042) ** 2))
            er += glint * (1.3 - er)
            eg += glint * (1.3 - eg)
            eb += glint * (1.3 - eb)
            r += inside * (er - r)
            g += inside * (eg - g)
            b += inside * (eb - b)
            shine += 0.2 * inside
        # Lashes of the upper lid, thicker outwards; a faint lower lid.
        thick = (0.0012 + 0.0016 * lashes) * (1 + 0.6 * u)
        wing = 1.0 + 0.14 * lashes
        lash_y = ey - lid - (0.004 * lashes * max(0.0, u - 0.85) / 0.3)
        lash = 0.92 * math.exp(-((lash_y / max(thick, 0.0008)) ** 2)) * _smoothstep(wing + 0.10, wing - 0.05, abs(u))
        lower_lid = 0.35 * math.exp(-(((ey - low) / 0.0011) ** 2)) * _smoothstep(1.0, 0.8, abs(u))
        dark = max(lash, lower_lid)
        r += dark * (0.018 - r)
        g += dark * (0.012 - g)
        b += dark * (0.010 - b)
        crease = 0.22 * math.exp(-(((ey - lid - 0.0045) / 0.0012) ** 2)) * _smoothstep(1.05, 0.7, abs(u))
        r, g, b = r * (1 - crease), g * (1 - 1.2 * crease), b * (1 - 1.2 * crease)
    # Brows.
    bx = (ax - 0.034) / 0.021
    if abs(bx) < 1.2:
        arc = 0.0425 + 0.0035 * (1 - (bx - 0.25) ** 2) - 0.0022 * max(0.0, bx)
        thick = 0.0036 * brow_size * (1 - 0.45 * _smoothstep(0.0, 1.0, bx))
        weight = 0.9 * _smoothstep(thick + 0.0012, thick - 0.0010, abs(y - arc)) * _smoothstep(1.05, 0.88, abs(bx))
        r += weight * (table[m, SECOND] * 0.72 - r)
        g += weight * (table[m, SECOND + 1] * 0.70 - g)
        b += weight * (table[m, SECOND + 2] * 0.70 - b)
    out[0], out[1], out[2] = r, g, b
    return shine


@jit("contract", "arcp", "nsz", "reassoc")
def _paint(
    table: FloatArray, m: int, x: float, y: float, z: float, face_parameters: FloatArray, out: DoubleArray
) -> tuple[int, float]:
    """Colour of material ``m`` at texture coordinates (x, y, z), written to ``out`` [3]; returns its kind and gloss."""
    kind = int(table[m, KIND])
    r, g, b = 1.0 * (table[m, COLOUR]), 1.0 * (table[m, COLOUR + 1]), 1.0 * (table[m, COLOUR + 2])
    gloss = 1.0 * (table[m, GLOSS])
    if kind == FACE:
        gloss += _paint_face(x, y, z, table, m, face_parameters, out)
        return SKIN, gloss
    if kind == TOP:
        spine = 1.0 * (table[m, SPINE])
        up = y - spine
        ax = abs(x)
        neck_width = 1.0 * (table[m, NECK_WIDTH])
        front = z > -0.02
        # The neckline runs down from the sides of the neck to the middle of the front; behind it is shallow.
        side_height = 0.050
        if front:
            u = min(ax / neck_width, 1.0)
            if table[m, NECK_SHAPE] == 1:
                line = table[m, NECK_HEIGHT] + (side_height - table[m, NECK_HEIGHT]) * u
            else:
                line = table[m, NECK_HEIGHT] + (side_height - table[m, NECK_HEIGHT]) * (1 - math.sqrt(1 - u * u))
            edge = line if ax < neck_width else 9.0
        else:
            u = min(ax / neck_width, 1.0)
            edge = 0.030 + 0.020 * u * u if ax < neck_width else 9.0
        bare = up > edge
        if ax < neck_width and up > 0.052:
            bare = True
        if table[m, ARMHOLE] > 0 and up > -0.155:
            # Armholes.
            hole = table[m, ARMHOLE] * (0.86 + 0.75 * max(0.0, -up / 0.155) ** 2.2)
            if ax > hole:
                bare = True
        if bare:
            out[0], out[1], out[2] = table[m, UNDER], table[m, UNDER + 1], table[m, UNDER + 2]
            return SKIN, 0.10
        around = x if z > 0 else x + 0.01
        weight = _pattern(int(table[m, PATTERN]), 1.0 * (table[m, PATTERN_SCALE]), y, around)
        if table[m, PATTERN] == 5:
            weight = 1.0 if 0.52 * spine < y < 0.72 * spine else (0.0 if not 0.745 * spine < y < 0.765 * spine else 1.0)
        if table[m, PATTERN] == 7 and front:
            dx, dy = x / 0.062, (y - 0.66 * spine) / 0.062
            angle = math.atan2(dy, dx)
            weight = 1.0 if math.sqrt(dx * dx + dy * dy) < 0.80 + 0.16 * math.cos(6 * angle) else 0.0
            weight = weight if math.sqrt(dx * dx + dy * dy) > 0.30 else 0.0
        r += weight * (table[m, SECOND] - r)
        g += weight * (table[m, SECOND + 1] - g)
        b += weight * (table[m, SECOND + 2] - b)
        tone = 1.0
        if edge < 1.0 and edge - up < 0.011:
            tone = 0.86
        if table[m, FRONT_DETAIL] == PLACKET and z > 0 and ax < 0.014:
            tone *= 1.06 if ax < 0.0115 else 0.78
            v = (y / 0.085) % 1.0 - 0.5
            if (x / 0.0045) ** 2 + (v * 0.085 / 0.0045) ** 2 < 1:
                tone *= 0.55
        if table[m, FRONT_DETAIL] == POCKET and z > 0:  # with cords
            pocket = 0.04 < y < 0.155 and ax < 0.105 - 0.35 * max(0.0, y - 0.075)
            if pocket:
                edge_distance = min(min(y - 0.04, 0.155 - y), 0.105 - 0.35 * max(0.0, y - 0.075) - ax)
                tone *= 0.80 if edge_distance < 0.004 else 0.96
            if abs(ax - 0.030 - 0.004 * math.sin(y * 40)) < 0.0035 and -0.17 < up < 0.03:
                r, g, b = table[m, SECOND], table[m, SECOND + 1], table[m, SECOND + 2]
        if table[m, FRONT_DETAIL] == POCKET and y < 0.012:
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
        # Texture coordinates: x across in metres, y in units of the sole's height, z along 0..1.
        if y < 1.0:
            tone = 0.82 if y > 0.80 else 1.0
            out[0], out[1], out[2] = table[m, SECOND] * tone, table[m, SECOND + 1] * tone, table[m, SECOND + 2] * tone
            return CLOTH, 0.08
        if table[m, LACES] > 0 and 0.40 < z < 0.66 and abs(x) < 0.020 and (z * 16) % 1.0 < 0.42 and y > 1.6:
            out[0], out[1], out[2] = table[m, SECOND], table[m, SECOND + 1], table[m, SECOND + 2]
            return CLOTH, 0.05
        tone = 0.86 if table[m, LACES] > 0 and z > 0.80 else 1.0
        out[0], out[1], out[2] = r * tone, g * tone, b * tone
        return CLOTH, gloss
    if kind == CLOTH:
        # On limbs the arc length is the angle times a mean radius.
        weight = _pattern(
            int(table[m, PATTERN]),
            1.0 * (table[m, PATTERN_SCALE]),
            y,
            x if table[m, UNROLLED] > 0 else math.atan2(x, z) * 0.075,
        )
        r += weight * (table[m, SECOND] - r)
        g += weight * (table[m, SECOND + 1] - g)
        b += weight * (table[m, SECOND + 2] - b)
        out[0], out[1], out[2] = r, g, b
        return CLOTH, gloss
    out[0], out[1], out[2] = r, g, b
    return kind, gloss


@jit("contract", "arcp", "nsz", "reassoc")
def _key_visibility(
    shadow_map: FloatArray, shadow_matrix: FloatArray, x: float, y: float, z: float, bias: float
) -> float:
    """Visibility of the key light at a point, 0..1: percentage-closer filtering over 2 x 2 texels of the shadow map."""
    px = shadow_matrix[0, 0] * x + shadow_matrix[0, 1] * y + shadow_matrix[0, 2] * z + shadow_matrix[0, 3] - 0.5
    py = shadow_matrix[1, 0] * x + shadow_matrix[1, 1] * y + shadow_matrix[1, 2] * z + shadow_matrix[1, 3] - 0.5
    closeness = shadow_matrix[2, 0] * x + shadow_matrix[2, 1] * y + shadow_matrix[2, 2] * z + shadow_matrix[2, 3] + bias
    ix, iy = math.floor(px), math.floor(py)
    height, width = shadow_map.shape
    if ix < 1 or iy < 1 or ix >= width - 2 or iy >= height - 2:
        return 1.0
    fx, fy = px - ix, py - iy
    top = (1.0 if shadow_map[iy, ix] <= closeness else 0.0) * (1 - fx) + (
        1.0 if shadow_map[iy, ix + 1] <= closeness else 0.0
    ) * fx
    bottom = (1.0 if shadow_map[iy + 1, ix] <= closeness else 0.0) * (1 - fx) + (
        1.0 if shadow_map[iy + 1, ix + 1] <= closeness else 0.0
    ) * fx
    lit: float = top * (1 - fy) + bottom * fy
    return lit


@jit("contract", "arcp", "nsz", "reassoc")
def _lighting(
    point: tuple[float, float, float],
    normal: tuple[float, float, float],
    kind: int,
    ambient: float,
    eye: FloatArray,
    lights: FloatArray,
    shadow_map: FloatArray,
    shadow_matrix: FloatArray,
    out: DoubleArray,
) -> None:
    """Lighting of a point, written to ``out`` [9].

    Args:
        point: metres.
        normal: any length.
        kind: of the material.
        ambient: visibility of the surroundings, 0..1.
        eye: the camera's position, [3].
        lights: light table, [8, 3].
        shadow_map: as in ``shade``.
        shadow_matrix: as in ``shade``.
        out: diffuse irradiance (3), specular radiance (3), rim light (3), linear RGB.
    """
    n0, n1, n2 = normal
    scale = 1.0 / (math.sqrt(n0 * n0 + n1 * n1 + n2 * n2) + 1e-9)
    n0, n1, n2 = n0 * scale, n1 * scale, n2 * scale
    v0, v1, v2 = eye[0] - point[0], eye[1] - point[1], eye[2] - point[2]
    scale = 1.0 / (math.sqrt(v0 * v0 + v1 * v1 + v2 * v2) + 1e-9)
    v0, v1, v2 = v0 * scale, v1 * scale, v2 * scale
    facing = n0 * v0 + n1 * v1 + n2 * v2
    if facing < -0.25:
        # A back face: the inside of a sleeve or a skirt.
        n0, n1, n2, facing = -n0, -n1, -n2, -facing
        ambient *= 0.55
    k0, k1, k2 = (
        1.0 * (lights[KEY_DIRECTION, 0]),
        1.0 * (lights[KEY_DIRECTION, 1]),
        1.0 * (lights[KEY_DIRECTION, 2]),
    )
    key = n0 * k0 + n1 * k1 + n2 * k2
    wrap = 0.35 if kind in (SKIN, HAIR) else 0.22
    visible = 1.0
    if key > -wrap:
        visible = _key_visibility(
            shadow_map, shadow_matrix, point[0] + 0.012 * n0, point[1] + 0.012 * n1, point[2] + 0.012 * n2, 0.010
        )
    diffuse = max(0.0, (key + wrap) / (1 + wrap)) * (0.25 + 0.75 * visible)
    fill = 0.5 + 0.5 * (
        n0 * lights[FILL_DIRECTION, 0] + n1 * lights[FILL_DIRECTION, 1] + n2 * lights[FILL_DIRECTION, 2]
    )
    edge = min(max(1.0 - facing, 0.0), 1.0)
    rim = max(0.0, n0 * lights[RIM_DIRECTION, 0] + n1 * lights[RIM_DIRECTION, 1] + n2 * lights[RIM_DIRECTION, 2])
    rim = rim * edge * edge * edge * 1.6 * ambient
    h0, h1, h2 = k0 + v0, k1 + v1, k2 + v2
    scale = 1.0 / (math.sqrt(h0 * h0 + h1 * h1 + h2 * h2) + 1e-9)
    h0, h1, h2 = h0 * scale, h1 * scale, h2 * scale
    if kind == HAIR:
        # Hair strands run down the head; their highlight lies across them (Kajiya, Kay 1989).
        t0, t1, t2 = -n1 * n0, 1 - n1 * n1, -n1 * n2
        along = (t0 * h0 + t1 * h1 + t2 * h2) / (math.sqrt(t0 * t0 + t1 * t1 + t2 * t2) + 1e-6)
        shine = max(0.0, 1 - along * along)
        shine = shine * shine * shine
        shine = shine * shine * shine * shine * diffuse
    else:
        shine = max(0.0, n0 * h0 + n1 * h1 + n2 * h2) if key > 0 else 0.0
        shine = shine * shine
        shine = shine * shine
        shine = shine * shine
        shine = shine * shine * (0.2 + 0.8 * visible)
    up = 0.5 + 0.5 * n1
    # Subsurface scattering in skin: a scatter glow along the terminator.
    glow = max(0.0, 1 - abs(key + 0.05) * 2.2) * visible if kind == SKIN else 0.0
    for i in range(3):
        hemisphere = (lights[GROUND, i] + (lights[SKY, i] - lights[GROUND, i]) * up) * ambient
        scatter = 0.10 if i == 0 else (0.025 if i == 1 else 0.012)
        out[i] = (
            lights[KEY, i] * (diffuse * (0.45 + 0.55 * ambient) + glow * scatter)
            + lights[FILL, i] * fill * ambient
            + hemisphere
        )
        out[3 + i] = lights[KEY, i] * shine
        out[6 + i] = lights[RIM, i] * rim


@jit("contract", "arcp", "nsz", "reassoc")
def _interpolate(values: FloatArray, corners: tuple[int, int, int], wa: float, wb: float) -> tuple[float, float, float]:
    """A vertex attribute [V, 3] at barycentric weights (wa, wb, 1 - wa - wb) of a triangle."""
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
    triangle_index: IntArray,
    weights: FloatArray,
    vertices: FloatArray,
    normals: FloatArray,
    texcoords: FloatArray,
    triangles: IntArray,
    materials: IntArray,
    table: FloatArray,
    face_parameters: FloatArray,
    ambient: FloatArray,
    shadow_map: FloatArray,
    shadow_matrix: FloatArray,
    eye: FloatArray,
    lights: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Colour and coverage of each pixel: the mean over its 2 x 2 samples.

    The albedo is computed per sample, the lighting once per pixel where its samples lie on one surface.

    Args:
        depth: inverse depth of the samples, 1 / metres, 0 where nothing was drawn, [2H, 2W].
        triangle_index: visible triangle of each sample, [2H, 2W].
        weights: barycentric weights of its first two vertices, [2H, 2W, 2].
        vertices: of the mesh, [V, 3] metres.
        normals: of the vertices, [V, 3].
        texcoords: texture coordinates of the vertices, [V, 3].
        triangles: [F, 3].
        materials: row of the material table of each triangle, [F].
        table: of ``materials.material_table``.
        face_parameters: of ``materials.face_parameters``.
        ambient: visibility of the surroundings, 0..1, [H, W].
        shadow_map: coordinate towards the key light of the surface nearest to it, metres, [N, N].
        shadow_matrix: [3, 4], takes a point to (column, row, coordinate towards the light) of the shadow map.
        eye: the camera's position, [3].
        lights: light table, [8, 3].

    Returns:
        Linear colour times coverage, float32 [H, W, 3]; coverage, float32 [H, W] in 0..1.
    """
    height, width = depth.shape[0] // 2, depth.shape[1] // 2
    colour = np.zeros((height, width, 3), np.float32)
    coverage = np.zeros((height, width), np.float32)
    albedo = np.zeros(3)
    lighting = np.zeros(9)
    for py in range(height):
        for px in range(width):
            lit_material = -1
            lit_depth = 0.0
            kind, gloss = 0, 0.0
            red, green, blue, samples = 0.0, 0.0, 0.0, 0
            for k in range(4):
                y, x = 2 * py + (k >> 1), 2 * px + (k & 1)
                sample_depth = 1.0 * (depth[y, x])
                if sample_depth <= 0:
                    continue
                f = triangle_index[y, x]
                corners = (triangles[f, 0], triangles[f, 1], triangles[f, 2])
                wa, wb = 1.0 * (weights[y, x, 0]), 1.0 * (weights[y, x, 1])
                material = materials[f]
                reuse_lighting = (
                    material == lit_material and abs(sample_depth - lit_depth) < 0.03 * sample_depth * sample_depth
                )
                if not (reuse_lighting and table[material, UNIFORM] > 0):
                    sx, sy, sz = _interpolate(texcoords, corners, wa, wb)
                    kind, gloss = _paint(table, material, sx, sy, sz, face_parameters, albedo)
                if not reuse_lighting:
                    _lighting(
                        _interpolate(vertices, corners, wa, wb), _interpolate(normals, corners, wa, wb), kind,
                        1.0 * ambient[py, px], eye, lights, shadow_map, shadow_matrix, lighting,
                    )  # fmt: skip
                    lit_material, lit_depth = material, sample_depth
                red += (
                    albedo[0] * lighting[0]
                    + gloss * lighting[3] * (albedo[0] + 0.25)
                    + lighting[6] * (0.25 + albedo[0])
                )
                green += (
                    albedo[1] * lighting[1]
                    + gloss * lighting[4] * (albedo[1] + 0.25)
                    + lighting[7] * (0.25 + albedo[1])
                )
                blue += (
                    albedo[2] * lighting[2]
                    + gloss * lighting[5] * (albedo[2] + 0.25)
                    + lighting[8] * (0.25 + albedo[2])
                )
                samples += 1
            colour[py, px, 0], colour[py, px, 1], colour[py, px, 2] = 0.25 * red, 0.25 * green, 0.25 * blue
            coverage[py, px] = 0.25 * samples
    return colour, coverage


@jit("contract", "arcp", "nsz", "reassoc")
def compose(
    background: FloatArray,
    colour: FloatArray,
    coverage: FloatArray,
    left: int,
    top: int,
    encoding: NDArray[np.uint8],
    out: NDArray[np.uint8],
) -> None:
    """Composite a person over the background.

    Args:
        background: linear RGB, [H, W, 3].
        colour: linear RGB times coverage, [h, w, 3].
        coverage: [h, w].
        left: column of the person's window in the picture.
        top: its row.
        encoding: table from linear 0..1 to sRGB.
        out: sRGB [H, W, 3], written.
    """
    last = len(encoding) - 1
    for y in range(colour.shape[0]):
        for x in range(colour.shape[1]):
            if coverage[y, x] <= 0:
                continue
            for i in range(3):
                value = background[top + y, left + x, i] * (1 - coverage[y, x]) + colour[y, x, i]
                # Highlights are compressed instead of clipped.
                if value > 0.7:
                    value = 0.7 + 0.3 * (1 - math.exp(-(value - 0.7) / 0.3))
                out[top + y, left + x, i] = encoding[int(min(max(value, 0.0), 1.0) * last + 0.5)]


@jit("contract", "arcp", "nsz", "reassoc")
def floor_shadow(
    out: NDArray[np.uint8],
    background: FloatArray,
    rays: FloatArray,
    eye: FloatArray,
    blurred_map: FloatArray,
    shadow_matrix: FloatArray,
    contacts: FloatArray,
    strength: float,
    encoding: NDArray[np.uint8],
    box: tuple[int, int, int, int],
) -> None:
    """Darken the floor by the cast shadow and by contact shadows of the feet, in place.

    Args:
        out: picture, sRGB [H, W, 3]; pixels of ``box`` are written.
        background: linear RGB of the picture without shadows, [H, W, 3].
        rays: [3, 3] matrix from pixel (x, y, 1) to direction.
        eye: the camera's position, [3].
        blurred_map: the person's outline in the shadow map, blurred, 0..1, [N, N].
        shadow_matrix: as in ``shade``.
        contacts: per point of a foot x, z, radius in metres and weight, [N, 4].
        strength: darkness of the cast shadow, 0..1.
        encoding: table from linear 0..1 to sRGB.
        box: (left, top, right, bottom) of the pixels to process.
    """
    last = len(encoding) - 1
    height, width = blurred_map.shape
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
            px = shadow_matrix[0, 0] * fx + shadow_matrix[0, 2] * fz + shadow_matrix[0, 3] - 0.5
            py = shadow_matrix[1, 0] * fx + shadow_matrix[1, 2] * fz + shadow_matrix[1, 3] - 0.5
            ix, iy = math.floor(px), math.floor(py)
            density = 0.0
            if 0 <= ix < width - 1 and 0 <= iy < height - 1:
                ux, uy = px - ix, py - iy
                density = (blurred_map[iy, ix] * (1 - ux) + blurred_map[iy, ix + 1] * ux) * (1 - uy) + (
                    blurred_map[iy + 1, ix] * (1 - ux) + blurred_map[iy + 1, ix + 1] * ux
                ) * uy
            transmission = 1 - strength * density
            for k in range(len(contacts)):
                d = ((fx - contacts[k, 0]) ** 2 + (fz - contacts[k, 1]) ** 2) / contacts[k, 2] ** 2
                if d < 6:
                    transmission *= 1 - contacts[k, 3] * math.exp(-d)
            if transmission < 0.998:
                for i in range(3):
                    out[y, x, i] = encoding[int(min(max(background[y, x, i] * transmission, 0.0), 1.0) * last + 0.5)]
