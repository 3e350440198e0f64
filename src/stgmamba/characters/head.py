"""Meshes of head, hair, hats and glasses at rest, in the head's own axes and metres, before the head size is applied.

The origin is the middle between the ears; x to the head's left, y up, z forward. Profiles are those of
``data/head.yaml``.
"""

from __future__ import annotations

import numpy as np

from stgmamba.arrays import FloatArray, smoothstep
from stgmamba.characters.appearance import HAIR_STYLES, Appearance
from stgmamba.characters.mesh import interpolate_profile
from stgmamba.characters.tables import load_numbers, load_profile

_HEAD_RINGS = np.concatenate(
    [np.linspace(-0.113, -0.100, 4), np.linspace(-0.093, 0.060, 23), np.linspace(0.075, 0.138, 8)]
).astype(np.float32)
_HEAD_SIDES = 38
_HAIR_STYLES = tuple(style for style in HAIR_STYLES if style != "bald")


def _skull(
    appearance: Appearance, heights: FloatArray, sides: int, front_density: float = 0.0
) -> tuple[FloatArray, FloatArray]:
    """The head without features: points [R, S, 3] and azimuth [S] (0 in front, growing to the head's left).

    Args:
        appearance: whose jaw and girth apply.
        heights: of the rings, [R].
        sides: S.
        front_density: concentration of the points in front, 0..1.
    """
    width, front, back = interpolate_profile(load_profile("head", "skull", columns=4), heights)
    width = (
        width
        * (1 + (appearance.face.jaw - 1) * smoothstep(0.03, -0.06, heights))
        * (0.97 + 0.03 * appearance.figure.girth)
    )
    step = np.arange(sides, dtype=np.float32) * np.float32(2 * np.pi / sides)
    azimuth = step - front_density * np.sin(step)
    sin, cos = np.sin(azimuth), np.cos(azimuth)
    # Slightly boxier than an ellipse: a face has a front and two sides.
    x = np.sign(sin) * np.abs(sin) ** 0.92
    z = np.sign(cos) * np.abs(cos) ** 0.92
    depth = np.where(cos[None] > 0, front[:, None], back[:, None])
    points = np.stack([width[:, None] * x, np.broadcast_to(heights[:, None], (len(heights), sides)), depth * z], -1)
    return points.astype(np.float32), azimuth.astype(np.float32)


def _bump(points: FloatArray, x: float, y: float, width: float, height: float) -> FloatArray:
    """A Gaussian bump on the front of the face: 1 at (|x|, y), 1 / e at the distances ``width`` and ``height``."""
    d = ((np.abs(points[..., 0]) - x) / width) ** 2 + ((points[..., 1] - y) / height) ** 2
    return np.asarray(np.exp(-d) * (points[..., 2] > 0), np.float32)


def head(appearance: Appearance) -> FloatArray:
    """The head with nose, eye sockets, cheeks and lips, [R, S, 3]."""
    p, _ = _skull(appearance, _HEAD_RINGS, _HEAD_SIDES, 0.42)
    face = appearance.face
    bridge = np.clip((0.030 - p[..., 1]) / 0.050, 0.0, 1.0) * smoothstep(-0.034, -0.020, p[..., 1])
    z = 0.020 * face.nose * bridge * np.exp(-((p[..., 0] / (0.008 + 0.005 * bridge)) ** 2)) * (p[..., 2] > 0)
    z = z + 0.005 * face.nose * _bump(p, 0.010, -0.020, 0.007, 0.008)
    z = z - 0.007 * _bump(p, 0.031, 0.022, 0.017, 0.012) + 0.003 * _bump(p, 0.030, 0.045, 0.025, 0.010)
    z = (
        z
        + 0.005 * _bump(p, 0.042, -0.020, 0.022, 0.020)
        + 0.004 * appearance.face.lip_fullness * _bump(p, 0.0, -0.056, 0.024, 0.012)
    )
    z = z + 0.004 * _bump(p, 0.0, -0.093, 0.020, 0.013)
    p[..., 2] += z
    return p


def ear(side: float) -> FloatArray:
    """An ear, a flat oval, [R, S, 3]; side 1 is the left one, -1 the right."""
    t = np.linspace(0, np.pi, 8, dtype=np.float32)
    a = np.arange(12, dtype=np.float32) * np.float32(2 * np.pi / 12)
    y = 0.030 * -np.cos(t)[:, None] + 0 * a[None]
    z = 0.017 * np.sin(t)[:, None] * np.cos(a)[None]
    x = 0.010 * np.sin(t)[:, None] * np.sin(a)[None]
    tilt = 0.25
    return np.asarray(
        np.stack([side * (0.072 + x - z * 0.45), y * np.cos(tilt) + z * 0.2 + 0.002, z - y * 0.2 - 0.008], -1),
        np.float32,
    )


def hair_cap(appearance: Appearance) -> FloatArray | None:
    """The hair on the skull, [R, S, 3]; None for a bald head.

    Where no hair grows the surface lies inside the skull, so that the hairline is where the two intersect.
    """
    style = appearance.hair.style
    if style == "bald":
        return None
    heights = np.concatenate([np.linspace(-0.085, 0.095, 21), np.linspace(0.104, 0.138, 6)]).astype(np.float32)
    p, azimuth = _skull(appearance, heights, 40, 0.12)
    from_front = np.abs(np.where(azimuth > np.pi, azimuth - 2 * np.pi, azimuth)).astype(np.float32)
    knots = load_profile("head", "hairline", "low" if style in ("bob", "long") else "high", columns=2)
    (hairline,) = interpolate_profile(knots, from_front)
    density = smoothstep(-0.004, 0.010 if style == "buzz" else 0.016, p[..., 1] - hairline[None])
    outward = p - np.asarray([0.0, 0.03, 0.0], np.float32)
    outward /= np.linalg.norm(outward, axis=-1, keepdims=True)
    thicknesses = load_numbers("head", "hair_thickness", _HAIR_STYLES)
    thickness = np.full(p.shape[:2], thicknesses[style] * appearance.hair.volume, np.float32)
    top = smoothstep(0.02, 0.12, p[..., 1])
    if style == "short":
        thickness = thickness * (0.55 + 0.85 * top) + 0.0025 * np.sin(9 * azimuth)[None] * top
    elif style == "quiff":
        front = smoothstep(-0.02, 0.075, p[..., 2]) * top
        thickness = thickness * (0.35 + 0.9 * top) + 0.034 * appearance.hair.volume * front * (
            1 + 0.12 * np.sin(7 * azimuth + 1)[None]
        )
    elif style == "afro":
        # The distance along the outward direction to a wavy sphere round the head.
        centre = np.asarray([0.0, 0.045, -0.022], np.float32)
        radius = (0.128 + 0.022 * appearance.hair.volume) * (
            1 + 0.012 * np.sin(13 * azimuth)[None] * np.sin(120 * p[..., 1])
        )
        along = (outward * (p - centre)).sum(-1)
        power = ((p - centre) ** 2).sum(-1) - radius**2
        thickness = np.maximum(-along + np.sqrt(np.maximum(along**2 - power, 0.0)), 0.006).astype(np.float32)
        density = smoothstep(-0.004, 0.045, p[..., 1] - hairline[None])
    elif style == "curly":
        curls = np.sin(11 * azimuth)[None] * np.sin(95 * p[..., 1]) + 0.7 * np.sin(17 * azimuth + 1)[None] * np.sin(
            150 * p[..., 1] + 2
        )
        thickness = thickness * (0.75 + 0.35 * top) + 0.0045 * curls
    elif style in ("bob", "long"):
        thickness = thickness * (0.75 + 0.3 * top) * (1 - 0.25 * smoothstep(0.35, 0.0, from_front)[None])
    if style in ("cap", "beanie"):
        density = density * smoothstep(0.085, 0.055, p[..., 1])
    return np.asarray(p + outward * (thickness * density - 0.012 * (1 - density))[..., None], np.float32)


def hanging_hair(appearance: Appearance) -> FloatArray | None:
    """Hair that hangs round the sides and the back, an outer and an inner surface, [R, S, 3]; None without."""
    style = appearance.hair.style
    if style not in ("bob", "long"):
        return None
    bob = style == "bob"
    length = (0.105 if bob else 0.27) * (0.85 + 0.15 * appearance.hair.volume)
    heights = np.concatenate([np.linspace(0.075, -0.06, 11), np.linspace(-0.075, -length, 6 if bob else 11)]).astype(
        np.float32
    )
    opening = interpolate_profile(load_profile("head", "hair_opening", style, columns=2), heights)[0]
    skull = load_profile("head", "skull", columns=4)
    width, front, back = interpolate_profile(skull, np.maximum(heights, 0.012))
    count = 16
    s = np.linspace(0.0, 1.0, count, dtype=np.float32)
    azimuth = opening[:, None] + s[None] * (2 * np.pi - 2 * opening[:, None])
    drop = np.maximum(0.0, 0.03 - heights)
    swell = 0.020 + (0.013 if bob else 0.004) * np.sin(np.clip(drop / 0.13, 0, 1) * np.pi * 0.85)
    swell = (swell * appearance.hair.volume)[:, None] + 0.0018 * np.sin(azimuth * 14)
    end = smoothstep(0.0, 0.02, heights - heights.min())[:, None]
    edge = smoothstep(0.0, 0.10, s)[None] * smoothstep(1.0, 0.90, s)[None]
    # Above the ears the surface runs under the hair on the skull.
    start = smoothstep(0.075, -0.045, heights)[:, None]
    outer = 0.008 + (swell * (0.35 + 0.65 * edge) * (0.6 + 0.4 * end) - 0.008) * start
    inner = outer - 0.016 * (0.3 + 0.7 * end)

    def surface(offset: FloatArray) -> FloatArray:
        depth = np.where(np.cos(azimuth) > 0, front[:, None], back[:, None])
        return np.asarray(
            np.stack(
                [
                    (width[:, None] + offset) * np.sin(azimuth),
                    np.broadcast_to(heights[:, None], azimuth.shape),
                    (depth + offset) * np.cos(azimuth),
                ],
                -1,
            ),
            np.float32,
        )

    return np.concatenate([surface(outer), surface(inner)[:, ::-1]], axis=1)


def hat_crown(appearance: Appearance, kind: str) -> FloatArray:
    """The crown of a ``cap`` or a ``beanie``, [R, S, 3]."""
    low = 0.052 if kind == "cap" else 0.040
    heights = np.concatenate([[low, low], np.linspace(low + 0.004, 0.10, 9), np.linspace(0.106, 0.138, 7)]).astype(
        np.float32
    )
    p, azimuth = _skull(appearance, heights, 40)
    outward = p - np.asarray([0.0, 0.03, 0.0], np.float32)
    outward /= np.linalg.norm(outward, axis=-1, keepdims=True)
    thickness = np.full(len(heights), 0.017 if kind == "cap" else 0.020, np.float32)
    if kind == "beanie":
        thickness += 0.007 * smoothstep(0.085, 0.075, heights) + 0.022 * smoothstep(0.08, 0.138, heights)
    thickness[0] = -0.004
    p = p + outward * thickness[:, None, None]
    # The rim is higher in front than behind.
    p[..., 1] += np.float32(0.016) * np.cos(azimuth)[None].astype(np.float32) * smoothstep(0.14, 0.05, heights)[:, None]
    return np.asarray(p, np.float32)


def brim() -> FloatArray:
    """A cap's brim, [R, S, 3], curved down to the sides."""
    s = np.linspace(0.0, 1.0, 10, dtype=np.float32)
    a = np.arange(24, dtype=np.float32) * np.float32(2 * np.pi / 24)
    reach = 0.078 + 0.072 * s
    half_width = 0.074 * np.sqrt(np.maximum(1 - np.maximum((s - 0.1) / 0.9, 0) ** 3, 0.0))
    x = half_width[:, None] * np.cos(a)[None]
    thickness = np.where(s[:, None] < 0.999, 0.004, 0.0) * np.sin(a)[None]
    y = 0.066 - 0.020 * s[:, None] ** 1.3 - 1.9 * x**2 + thickness
    z = reach[:, None] - 5.5 * x**2 * (1 - 0.5 * s[:, None])
    return np.asarray(np.stack([x, y, z], -1), np.float32)


def glasses() -> list[FloatArray]:
    """Two rims, a bridge and two temples, each [R, S, 3]."""
    parts = []
    around = np.linspace(0, 2 * np.pi, 21, dtype=np.float32)
    tube = np.arange(5, dtype=np.float32) * np.float32(2 * np.pi / 5)
    for side in (-1.0, 1.0):
        cos = np.sign(np.cos(around)) * np.abs(np.cos(around)) ** 0.8
        sin = np.sign(np.sin(around)) * np.abs(np.sin(around)) ** 0.8
        centre = np.stack(
            [
                side * 0.033 + 0.024 * cos,
                0.020 + 0.020 * sin,
                0.104 - 0.15 * np.abs(0.024 * cos * side + 0.033 * 1.0 - 0.02),
            ],
            -1,
        )
        radial = np.stack([cos, sin, 0 * cos], -1)
        forward = np.asarray([0.0, 0.0, 1.0])
        parts.append(
            (
                centre[:, None]
                + 0.0024 * (radial[:, None] * np.cos(tube)[None, :, None] + forward * np.sin(tube)[None, :, None])
            ).astype(np.float32)
        )
        parts.append(_rod((side * 0.057, 0.024, 0.098), (side * 0.079, 0.016, -0.004)))
    parts.append(_rod((-0.010, 0.024, 0.103), (0.010, 0.024, 0.103)))
    return parts


def _rod(start: tuple[float, float, float], end: tuple[float, float, float]) -> FloatArray:
    """A thin straight tube, [4, 5, 3]."""
    a, b = np.asarray(start), np.asarray(end)
    tube = np.arange(5) * (2 * np.pi / 5)
    line = a + np.linspace(0, 1, 4)[:, None] * (b - a)
    axis = (b - a) / np.linalg.norm(b - a)
    side = np.cross(axis, [0.0, 1.0, 0.0])
    side /= np.linalg.norm(side)
    up = np.cross(side, axis)
    return np.asarray(
        line[:, None] + 0.0022 * (side * np.cos(tube)[:, None] + up * np.sin(tube)[:, None])[None], np.float32
    )


def ball(centre: tuple[float, float, float], radius: float, waviness: float = 0.0) -> FloatArray:
    """A sphere, [R, S, 3], whose radius varies by ``waviness`` metres."""
    t = np.linspace(0, np.pi, 12, dtype=np.float32)[:, None]
    a = (np.arange(18, dtype=np.float32) * np.float32(2 * np.pi / 18))[None]
    r = radius + waviness * np.sin(6 * a) * np.sin(5 * t) * np.sin(t)
    return np.asarray(
        np.stack([r * np.sin(t) * np.cos(a), -r * np.cos(t) + 0 * a, r * np.sin(t) * np.sin(a)], -1)
        + np.asarray(centre, np.float32),
        np.float32,
    )
