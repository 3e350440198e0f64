"""Procedural backgrounds for a camera: wall, floor and lights, by kind and seed.

The floor is the plane y = 0 in the camera that also sees the person. Lighting of the kinds: ``data/backgrounds.yaml``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from stgmamba.arrays import FloatArray, smoothstep
from stgmamba.characters.appearance import linear_rgb
from stgmamba.characters.tables import load_records
from stgmamba.characters.view import View

KINDS = ("studio", "stage", "room", "disco", "outdoor")


@dataclass(frozen=True)
class Lighting:
    """Lights and depth of a kind of background.

    Attributes:
        key, fill, ambient, rim: intensities of the lights, linear; 1 lights a white surface fully.
        rim_tint, fill_tint: how far these lights take the hue of a colour of the background, 0..1; the rim light takes
            the accent's.
        fill_colour: colour that the fill light takes the hue of: ``wall`` or ``accent``.
        shadow: darkness of the cast shadow, 0..1.
        wall: metres from the middle of the dance to the wall.
    """

    key: float
    fill: float
    ambient: float
    rim: float
    rim_tint: float
    fill_tint: float
    fill_colour: str
    shadow: float
    wall: float

    def __post_init__(self) -> None:
        if self.fill_colour not in ("wall", "accent"):
            raise ValueError(f"fill_colour must be wall or accent, got {self.fill_colour!r}")


@cache
def _lighting() -> dict[str, Lighting]:
    return load_records("backgrounds", None, Lighting, KINDS)


@dataclass(frozen=True)
class Background:
    """A background, as data.

    Attributes:
        kind: one of ``KINDS``.
        wall, floor, accent: colours ``#rrggbb`` of the wall (or sky), of the floor, and of lamps, stripes, pictures.
        seed: of the random arrangement of windows, lamps, hills, tiles.
        key_side: -1 for a key light from the left of the picture, 1 from the right.

    Raises:
        ValueError: an unknown kind or a malformed colour.
    """

    kind: str = "studio"
    wall: str = "#c9d6d8"
    floor: str = "#b9b2a8"
    accent: str = "#f2a65a"
    seed: int = 0
    key_side: float = -1.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"background must be one of {', '.join(KINDS)}, got {self.kind!r}")
        for colour in (self.wall, self.floor, self.accent):
            linear_rgb(colour)

    def paint(self, view: View) -> FloatArray:
        """The empty scene, linear RGB, float32 [H, W, 3] in 0..1."""
        wall, floor, accent = (np.asarray(linear_rgb(c), np.float32) for c in (self.wall, self.floor, self.accent))
        rng = np.random.default_rng(self.seed)
        picture = _PAINTERS[self.kind](view, _lighting()[self.kind].wall, wall, floor, accent, rng)
        # Grain hides the steps of gradients after compression.
        picture = picture * (1 + 0.012 * rng.standard_normal(picture.shape[:2]).astype(np.float32)[..., None])
        return np.ascontiguousarray(np.clip(picture, 0.0, 1.0), np.float32)

    def lights(self, view: View) -> FloatArray:
        """The light table of ``shading``, [8, 3]; the directions are fixed relative to the camera."""
        wall, floor, accent = (np.asarray(linear_rgb(c), np.float32) for c in (self.wall, self.floor, self.accent))
        side = self.key_side
        key_direction = side * 0.55 * view.right + 0.80 * view.up - 0.60 * view.forward
        fill_direction = -side * 0.8 * view.right + 0.25 * view.up - 0.6 * view.forward
        rim_direction = -side * 0.55 * view.right + 0.45 * view.up + 0.75 * view.forward
        white = np.ones(3, np.float32)

        def tint(colour: FloatArray, amount: float) -> FloatArray:
            return white + amount * (colour / max(float(colour.max()), 1e-3) - white)

        lighting = _lighting()[self.kind]
        warm_white = np.asarray([1.06, 1.0, 0.91], np.float32)
        rim_colour = tint(accent, lighting.rim_tint)
        fill_colour = tint(accent if lighting.fill_colour == "accent" else wall, lighting.fill_tint)
        return np.ascontiguousarray(
            np.stack(
                [
                    key_direction / np.linalg.norm(key_direction),
                    lighting.key * warm_white,
                    fill_direction / np.linalg.norm(fill_direction),
                    lighting.fill * fill_colour,
                    rim_direction / np.linalg.norm(rim_direction),
                    lighting.rim * rim_colour,
                    lighting.ambient * tint(wall, 0.35),
                    lighting.ambient * 0.55 * tint(floor, 0.5),
                ]
            ),
            np.float32,
        )

    @property
    def shadow_strength(self) -> float:
        """Darkness of the cast shadow, 0..1."""
        return _lighting()[self.kind].shadow


def random_background(seed: int) -> Background:
    """A random background, the same for the same seed."""
    rng = np.random.default_rng((seed, 7))
    kind = str(rng.choice(KINDS))
    hue = float(rng.random())

    def hsv(h: float, s: float, v: float) -> str:
        pixel = np.asarray([[[(h % 1.0) * 360, s, v]]], np.float32)
        r, g, b = cv2.cvtColor(pixel, cv2.COLOR_HSV2RGB)[0, 0]
        return f"#{round(255 * r):02x}{round(255 * g):02x}{round(255 * b):02x}"

    accent = hsv(hue + float(rng.choice([0.0, 0.33, 0.5])), float(rng.uniform(0.4, 0.8)), float(rng.uniform(0.8, 0.95)))
    if kind in ("stage", "disco"):
        wall, floor = (
            hsv(hue, float(rng.uniform(0.35, 0.7)), float(rng.uniform(0.16, 0.32))),
            hsv(hue + 0.05, 0.3, float(rng.uniform(0.22, 0.38))),
        )
    elif kind == "outdoor":
        wall = hsv(float(rng.uniform(0.52, 0.62)), float(rng.uniform(0.15, 0.5)), float(rng.uniform(0.8, 0.97)))
        floor = hsv(float(rng.choice([0.1, 0.25, 0.3])), float(rng.uniform(0.15, 0.45)), float(rng.uniform(0.5, 0.75)))
    else:
        wall = hsv(hue, float(rng.uniform(0.05, 0.35)), float(rng.uniform(0.55, 0.92)))
        floor = hsv(float(rng.uniform(0.05, 0.12)), float(rng.uniform(0.05, 0.45)), float(rng.uniform(0.45, 0.8)))
    return Background(kind, wall, floor, accent, seed, float(rng.choice([-1.0, 1.0])))


def _studio(
    view: View, wall_distance: float, wall: FloatArray, floor: FloatArray, accent: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """A seamless studio backdrop: the floor curves up into the wall; a soft glow behind the person."""
    x, z, height = view.floor_and_wall(wall_distance)
    glow = np.exp(-((x / 2.2) ** 2) - ((height - 1.2) / 1.7) ** 2)[..., None]
    back = wall * (0.66 + 0.42 * glow)
    ground = floor * (0.78 + 0.34 * np.exp(-((x / 2.4) ** 2) - (z / 2.4) ** 2)[..., None])
    bent = np.where(height > 0, 1.0 + height / 0.9, 1.0 - (wall_distance - z) / 2.6)
    return np.asarray(ground + smoothstep(0.0, 2.0, bent)[..., None] * (back - ground), np.float32)


def _stage(
    view: View, wall_distance: float, wall: FloatArray, floor: FloatArray, accent: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """A dark stage: curtain folds, spotlight beams from above and their pools of light on the boards."""
    x, z, height = view.floor_and_wall(wall_distance)
    folds = 0.5 + 0.5 * np.sin(x * 9 + 0.8 * np.sin(x * 2.3 + float(rng.uniform(0, 6))))
    back = wall * (0.35 + 0.65 * folds**1.5)[..., None] * (0.45 + 0.55 * smoothstep(3.2, 0.0, height)[..., None])
    seam = ((x / 0.19) % 1.0 < 0.035) & (height <= 0)
    ground = floor * (0.75 + 0.12 * np.sin(np.floor(x / 0.19) * 2.1))[..., None] * np.where(seam, 0.6, 1.0)[..., None]
    pool = np.exp(-((x / 1.15) ** 2) - (z / 0.95) ** 2)[..., None]
    ground = ground * (0.40 + 1.5 * pool * (0.6 + 0.4 * accent / accent.max()))
    picture = np.where(height[..., None] > 0, back, ground)
    for k in range(3):
        foot, top = float(rng.uniform(-1.6, 1.6)), float(rng.uniform(-2.5, 2.5))
        centre = foot + (top - foot) * np.clip(height, 0, 4) / 3.5
        beam = (
            np.exp(-(((x - centre) / (0.42 - 0.07 * np.clip(height, 0, 4))) ** 2))
            * (height > 0)
            * np.clip(0.15 + height / 3.5, 0, 1)
        )
        picture = picture + 0.10 * beam[..., None] * (accent if k % 2 == 0 else np.float32(0.8))
    return np.asarray(picture, np.float32)


def _room(
    view: View, wall_distance: float, wall: FloatArray, floor: FloatArray, accent: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """A rehearsal room: floor boards, skirting board, and a window or pictures on the wall."""
    x, z, height = view.floor_and_wall(wall_distance)
    back = wall * (0.80 + 0.25 * np.exp(-(((x + 1.0) / 2.5) ** 2) - ((height - 1.6) / 1.8) ** 2))[..., None]
    board = np.floor(z / 0.16)
    offset = (np.sin(board * 12.9898) * 43758.5) % 1.0
    tone = 0.86 + 0.16 * ((np.sin((board * 7.1 + np.floor(x / 1.2 + offset) * 3.3)) * 437.5) % 1.0)
    seam = ((z / 0.16) % 1.0 < 0.05) | ((x / 1.2 + offset) % 1.0 < 0.008)
    ground = (
        floor
        * (tone * np.where(seam, 0.72, 1.0) * (0.75 + 0.3 * np.exp(-((x / 2.5) ** 2) - (z / 2.2) ** 2)))[..., None]
    )
    skirting = (height > 0) & (height < 0.11)
    back = np.where(
        skirting[..., None], np.clip(wall * 1.25, 0, 0.95) * np.where(height > 0.10, 0.8, 1.0)[..., None], back
    )
    for k in range(int(rng.integers(1, 4))):
        cx, cy = float(rng.uniform(-2.6, 2.6)), float(rng.uniform(1.4, 1.8))
        w, h = float(rng.uniform(0.25, 0.7)), float(rng.uniform(0.3, 0.6))
        inside = (np.abs(x - cx) < w) & (np.abs(height - cy) < h) & (height > 0)
        rim = inside & ((np.abs(x - cx) > w - 0.04) | (np.abs(height - cy) > h - 0.04))
        if k == 0 and rng.random() < 0.5:
            pane = np.asarray([0.75, 0.86, 0.95], np.float32) * (0.75 + 0.25 * (height - cy) / h)[..., None]
            cross = inside & ((np.abs(x - cx) < 0.02) | (np.abs(height - cy) < 0.02))
            back = np.where(inside[..., None], pane, back)
            back = np.where((rim | cross)[..., None], np.float32(0.85), back)
        else:
            mix = float(rng.uniform(0.2, 0.8))
            art = accent * mix + wall * (1 - mix)
            art = art * (0.75 + 0.25 * np.sin(3 * x + 4 * height + k))[..., None]
            back = np.where(inside[..., None], art, back)
            back = np.where(rim[..., None], np.float32(0.10), back)
    crease = 1 - 0.30 * np.exp(-np.abs(np.where(height > 0, height, (wall_distance - z) * 0.6)) / 0.10)[..., None]
    return np.asarray(np.where(height[..., None] > 0, back, ground) * crease, np.float32)


def _disco(
    view: View, wall_distance: float, wall: FloatArray, floor: FloatArray, accent: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """A disco: lit floor tiles, dots of light on the wall."""
    x, z, height = view.floor_and_wall(wall_distance)
    tile_x, tile_z = np.floor(x / 0.6), np.floor(z / 0.6)
    phase = float(rng.uniform(0, 10))
    pick = (np.sin(tile_x * 12.99 + tile_z * 78.2 + phase) * 4375.5) % 1.0
    grout = ((x / 0.6) % 1.0 < 0.05) | ((z / 0.6) % 1.0 < 0.05)
    other = accent[[2, 0, 1]]
    lit = np.where((pick > 0.66)[..., None], accent, np.where((pick > 0.4)[..., None], other, floor))
    fade = np.exp(-((x / 3.0) ** 2) - (z / 2.6) ** 2)[..., None]
    ground = np.where(grout[..., None], floor * 0.4, lit * (0.22 + 0.38 * fade))
    back = wall * (0.30 + 0.7 * np.exp(-((height / 1.6) ** 2)))[..., None]
    for _ in range(60):
        cx, cy, r = float(rng.uniform(-4, 4)), float(rng.uniform(0.2, 3.5)), float(rng.uniform(0.03, 0.09))
        spot = np.exp(-((((x - cx) / r) ** 2 + ((height - cy) / (r * 0.8)) ** 2) ** 1.5)) * (height > 0)
        back = back + spot[..., None] * 0.35 * (accent if rng.random() < 0.6 else other)
    return np.asarray(np.where(height[..., None] > 0, back, ground), np.float32)


def _outdoor(
    view: View, wall_distance: float, wall: FloatArray, floor: FloatArray, accent: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """Outdoors: sky, two rows of hills or houses, a tiled square."""
    x, z, height = view.floor_and_wall(wall_distance)
    sky = (
        wall
        + smoothstep(0.0, 6.0, height)[..., None] * (wall * np.asarray([0.62, 0.78, 1.0], np.float32) - wall)
        + 0.18 * np.exp(-np.maximum(height, 0) / 1.2)[..., None]
    )
    ground = floor * (0.92 + 0.08 * np.sin(x * 0.9) * np.sin(z * 0.7))[..., None]
    tiles = ((x / 1.1) % 1.0 < 0.022) | ((z / 1.1) % 1.0 < 0.022)
    ground = np.where(tiles[..., None], ground * 0.86, ground)
    picture = np.where(height[..., None] > 0, sky, ground)
    houses = rng.random() < 0.5
    for row in range(2):
        phase = float(rng.uniform(0, 10))
        if houses:
            block = np.floor(x / (1.1 + 0.5 * row) + phase)
            top = 1.0 - 0.35 * row + 1.6 * ((np.sin(block * 91.7 + phase) * 437.5) % 1.0) * (1 - 0.35 * row)
        else:
            top = (
                1.5
                - 0.7 * row
                + 0.45 * np.sin(x * 0.55 + phase)
                + 0.2 * np.sin(x * 1.7 + 2 * phase)
                + 0.05 * np.sin(x * 9 + phase)
            )
        haze = 0.55 - 0.3 * row
        colour = (0.5 * floor + 0.5 * accent * 0.6) * (0.55 if houses else 0.45) * (1 - haze) + wall * haze
        edge = smoothstep(0.02, -0.02, height - top)[..., None] * (height > 0)[..., None]
        picture = picture + edge * (colour - picture)
    return np.asarray(picture, np.float32)


_Painter = Callable[[View, float, FloatArray, FloatArray, FloatArray, np.random.Generator], FloatArray]
_PAINTERS: dict[str, _Painter] = {
    "studio": _studio,
    "stage": _stage,
    "room": _room,
    "disco": _disco,
    "outdoor": _outdoor,
}
