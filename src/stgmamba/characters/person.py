"""A person's surface in any pose: joints in, grids of points out.

Every part is a tube that follows the joints: the trunk follows hips and neck, limbs bend smoothly at elbow and knee,
cloth is a second tube round them, a skirt spans both legs, hair hangs from the head.
Sizes are those of the look for a body 1.70 m tall, scaled with its height; nothing here depends on the picture.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from stgmamba.arrays import FloatArray, smoothstep, unit
from stgmamba.characters import head as heads
from stgmamba.characters.appearance import Appearance
from stgmamba.characters.materials import ROWS, face_numbers, table
from stgmamba.characters.mesh import Part, Rigid, Sweep, Topology, cross, frame, profile, reject, ring, sweep, topology
from stgmamba.skeleton.layouts import OPENPOSE_18_FEET

_J = {name: i for i, name in enumerate(OPENPOSE_18_FEET.joints)}
_SIDES = ("left", "right")
Tube = tuple[
    FloatArray, FloatArray, FloatArray, FloatArray, int
]  # places, offsets across and forward, texture, material: as ``sweep`` takes them

# Place along the spine (0 hips, 1 neck), half width, reach to the front and to the back.
_TRUNK = [
    (-0.24, 0.020, 0.030, 0.030),
    (-0.20, 0.075, 0.068, 0.075),
    (-0.12, 0.138, 0.090, 0.106),
    (0.00, 0.166, 0.096, 0.120),
    (0.12, 0.161, 0.096, 0.106),
    (0.28, 0.140, 0.092, 0.085),
    (0.42, 0.132, 0.090, 0.079),
    (0.58, 0.141, 0.099, 0.088),
    (0.74, 0.156, 0.107, 0.102),
    (0.86, 0.162, 0.103, 0.107),
    (0.95, 0.167, 0.088, 0.098),
    (1.01, 0.164, 0.072, 0.086),
    (1.06, 0.143, 0.062, 0.077),
    (1.11, 0.112, 0.056, 0.070),
    (1.16, 0.082, 0.052, 0.064),
    (1.21, 0.062, 0.050, 0.058),
    (1.27, 0.050, 0.048, 0.054),
]
# Place along the spine, how far its middle lies forward.
_SPINE = [(-0.24, 0.0), (0.0, -0.004), (0.35, 0.010), (0.75, -0.010), (1.0, -0.018), (1.27, -0.006)]
# Place along the limb (0 first joint, 1 middle joint, 2 last joint), half width across the hinge's plane, front, back.
_ARM = [
    (-0.105, 0.004, 0.004, 0.004),
    (-0.098, 0.018, 0.018, 0.018),
    (-0.070, 0.034, 0.034, 0.034),
    (-0.02, 0.045, 0.045, 0.045),
    (0.12, 0.050, 0.050, 0.050),
    (0.40, 0.044, 0.047, 0.047),
    (0.80, 0.037, 0.039, 0.039),
    (1.00, 0.036, 0.038, 0.038),
    (1.22, 0.039, 0.041, 0.038),
    (1.50, 0.032, 0.036, 0.034),
    (1.85, 0.021, 0.027, 0.027),
    (2.02, 0.019, 0.027, 0.027),
]
_LEG = [
    (-0.22, 0.020, 0.020, 0.020),
    (-0.18, 0.052, 0.050, 0.060),
    (-0.08, 0.080, 0.078, 0.092),
    (0.05, 0.087, 0.083, 0.098),
    (0.25, 0.081, 0.081, 0.087),
    (0.55, 0.068, 0.072, 0.070),
    (0.88, 0.054, 0.057, 0.052),
    (1.00, 0.051, 0.056, 0.047),
    (1.15, 0.048, 0.047, 0.053),
    (1.35, 0.050, 0.043, 0.064),
    (1.60, 0.041, 0.037, 0.050),
    (1.85, 0.032, 0.033, 0.037),
    (2.00, 0.032, 0.035, 0.038),
    (2.20, 0.030, 0.030, 0.034),
]
# Place along the shoe, half width, height.
_SHOE = [
    (0.00, 0.006, 0.028),
    (0.02, 0.020, 0.052),
    (0.08, 0.031, 0.070),
    (0.20, 0.035, 0.082),
    (0.32, 0.036, 0.083),
    (0.42, 0.037, 0.074),
    (0.55, 0.042, 0.060),
    (0.70, 0.045, 0.050),
    (0.85, 0.041, 0.044),
    (0.94, 0.029, 0.037),
    (0.985, 0.014, 0.029),
    (1.00, 0.003, 0.022),
]
# Height of the heel and toe joints above the sole.
SOLE = 0.03


class Person:
    """The surface of one look.

    Args:
        appearance: who.

    Attributes:
        materials, face: what ``shading`` paints it with.
    """

    def __init__(self, appearance: Appearance) -> None:
        self.appearance = appearance
        self.materials = table(appearance)
        self.face = face_numbers(appearance)
        self._size = np.float32(appearance.figure.height / 1.70)
        self._girth = np.float32(appearance.figure.girth) * self._size
        self._bare_legs = appearance.bottom.kind in ("skirt", "dress")
        self._trunk = self._trunk_tubes()
        self._arm = self._arm_tubes()
        self._leg = self._leg_tubes()
        self._hands = {"left": Rigid(_hand(1.0)), "right": Rigid(_hand(-1.0))}
        self._shoe, self._shoe_texture = self._shoe_grid()
        self._head = self._head_parts()
        self._curtain = heads.curtain(appearance)
        (self._bow,) = profile(_SPINE, self._trunk.at) * self._size

    @cached_property
    def topology(self) -> Topology:
        """Triangles and materials, the same for every pose."""
        hollow = {ROWS[name] for name in ("skirt", "sleeve", "top", "jacket", "jacket_sleeve")}
        light = {ROWS[name] for name in ("glasses", "earring", "sock")}
        return topology(self.parts(rest_pose(self.appearance), np.zeros(3, np.float32)), hollow, light)

    # What no pose changes.

    def _trunk_shape(self, v: FloatArray, ease: float, cloth: bool = False) -> FloatArray:
        """Half width, front and back, [3, R], of the trunk or of cloth on it."""
        appearance, size = self.appearance, self._size
        figure = appearance.figure
        shape = profile(_TRUNK, v) * size
        heavy = figure.girth - 1.0
        middle = np.exp(-(((v - 0.38) / 0.22) ** 2))
        shape[0] *= np.interp(
            v, [0.0, 0.4, 0.85, 1.03, 1.13], [figure.hips, figure.waist, figure.shoulders, figure.shoulders, 1.0]
        )
        shape[0] *= 1 + 0.5 * heavy
        shape[1] *= 1 + 0.7 * heavy + 0.5 * max(heavy, 0.0) * middle
        shape[2] *= (1 + 0.6 * heavy) * (1 + 0.5 * (figure.hips - 1.0) * np.exp(-((v / 0.2) ** 2)))
        if not cloth:
            return np.asarray(shape + ease * size, np.float32)
        # Cloth hangs straight from the chest instead of following the waist, and goes round both thighs.
        loose = appearance.top.loose
        chest = (
            profile(_TRUNK, np.asarray([0.80], np.float32))
            * size
            * np.asarray([[0.97 * figure.shoulders], [1.0], [1.0]])
        )
        hang = np.clip(0.55 * loose, 0.0, 0.9) * smoothstep(0.85, 0.55, v)
        shape += hang * np.maximum(chest - shape, 0.0)
        shape += (
            ease * (0.5 + 0.5 * loose) * smoothstep(1.22, 0.95, v) + 0.010 * smoothstep(0.25, -0.10, v) + 0.004
        ) * size
        baggy = {"wide": 0.016, "joggers": 0.018, "shorts": 0.022}.get(appearance.bottom.kind, 0.012)
        thighs = appearance.body.hips / 2 + 0.087 * self._girth + (baggy + 0.004) * size
        low = smoothstep(0.30, -0.02, v)
        shape[0] = np.maximum(shape[0], thighs * low)
        shape[1] = np.maximum(shape[1], (0.085 * self._girth + (baggy + 0.010) * size) * low)
        shape[2] = np.maximum(shape[2], (0.100 * self._girth + (baggy + 0.010) * size) * low)
        if appearance.top.kind == "hoodie":
            shape += (0.010 * smoothstep(1.0, 0.8, v) - 0.010 * smoothstep(0.02, -0.03, v)) * size
        return np.asarray(shape, np.float32)

    def _trunk_tube(
        self, v: FloatArray, shape: FloatArray, inputs: str, bust: float = 0.0, opening: float = 0.0
    ) -> Tube:
        # Boxier towards the shoulders, where the chest meets the arms.
        boxy = 0.20 if opening == 0 else 0.06
        power = (0.88 - boxy * np.exp(-(((v - 0.94) / 0.10) ** 2)))[:, None]
        cos, sin = ring(30)
        cos, sin = np.sign(cos) * np.abs(cos) ** power, np.sign(sin) * np.abs(sin) ** power
        x = shape[0][:, None] * cos
        z = np.where(sin > 0, shape[1][:, None], shape[2][:, None]) * sin
        if bust > 0:
            swell = np.exp(-(((v[:, None] - 0.70) / 0.105) ** 2) - ((np.abs(x) / self._size - 0.068) / 0.060) ** 2)
            z = z + 0.048 * self._size * bust * swell * (sin > 0)
        if opening > 0:
            # Where an open jacket gapes its points dip below the cloth under it.
            gap = opening * self._size * (1 - 0.35 * smoothstep(0.5, 1.0, v))[:, None]
            z = z - 0.035 * self._size * smoothstep(gap + 0.012, gap - 0.004, np.abs(x)) * (sin > 0)
        height = np.broadcast_to((v * np.float32(self.appearance.body.spine))[:, None], x.shape)
        return v, x, z, np.stack([x, height, z], -1), ROWS[inputs]

    def _trunk_tubes(self) -> Sweep:
        appearance, size, bust = self.appearance, self._size, self.appearance.figure.bust
        # A top that is worn inside the waistband ends below it.
        tucked = appearance.bottom.kind == "dress" or (
            appearance.bottom.kind == "skirt" and appearance.top.kind != "hoodie"
        )
        hem = (
            0.20
            if tucked
            else {"crop": 0.44, "shirt": -0.12, "hoodie": -0.06, "tank": -0.07}.get(appearance.top.kind, -0.08)
        )

        def hemmed(shape: FloatArray) -> FloatArray:
            # The first ring folds the hem in, so that the cloth has an edge.
            shape[:, 0] -= 0.012 * size
            return shape

        v = np.linspace(-0.24, 0.36, 13).astype(np.float32)
        lower = self._trunk_tube(
            v,
            self._trunk_shape(v, 0.003 if appearance.bottom.kind == "leggings" else 0.008),
            "leg" if self._bare_legs else "bottom",
        )
        tubes = [lower]
        if appearance.top.kind == "crop":
            v = np.linspace(0.24, 0.56, 8).astype(np.float32)
            tubes.append(self._trunk_tube(v, self._trunk_shape(v, 0.0), "skin", bust))
        v = np.concatenate([[hem], np.linspace(hem, 0.9, 17), np.linspace(0.94, 1.27, 12)]).astype(np.float32)
        tubes.append(self._trunk_tube(v, hemmed(self._trunk_shape(v, 0.010, cloth=True)), "top", bust))
        if appearance.jacket is not None:
            v = np.concatenate([[-0.11], np.linspace(-0.11, 0.9, 17), np.linspace(0.94, 1.18, 9)]).astype(np.float32)
            tubes.append(
                self._trunk_tube(
                    v, hemmed(self._trunk_shape(v, 0.026, cloth=True) + 0.012 * size), "jacket", bust, opening=0.060
                )
            )
        return sweep(tubes)

    def _limb_tube(self, t: FloatArray, shape: FloatArray, inputs: str) -> Tube:
        cos, sin = ring(16)
        x = shape[0][:, None] * cos
        z = np.where(sin > 0, shape[1][:, None], shape[2][:, None]) * sin
        return (
            t,
            x,
            z,
            np.stack([x, np.broadcast_to(t[:, None] * (-0.26 * self._size), x.shape), z], -1),
            ROWS[inputs],
        )

    def _arm_tubes(self) -> Sweep:
        appearance = self.appearance
        kind, loose = appearance.top.kind, appearance.top.loose
        end = {"tshirt": 0.62, "longsleeve": 1.92, "hoodie": 1.95, "shirt": 1.30, "tank": 0.0, "crop": 0.0}[kind]
        covered = max(end, 1.88 if appearance.jacket is not None else 0.0)
        # What a sleeve covers is not drawn.
        start = covered - 0.12 if covered > 0 else -0.105
        t = np.concatenate(
            [
                [-0.105, -0.098, -0.085, -0.065, -0.035, 0.0],
                np.linspace(0.08, 0.8, 7),
                np.linspace(0.87, 1.13, 6),
                np.linspace(1.2, 2.02, 8),
            ]
        )
        t = t[t >= start].astype(np.float32)
        tubes = [self._limb_tube(t, profile(_ARM, t) * self._girth, "skin")]
        if end > 0:
            ease = 0.017 if kind == "hoodie" else 0.008 + 0.007 * loose
            tubes.append(self._sleeve(end, ease, "sleeve", cuff=kind in ("hoodie", "longsleeve")))
        if appearance.jacket is not None:
            tubes.append(self._sleeve(1.88, 0.024, "jacket_sleeve", cuff=False))
        return sweep(tubes)

    def _sleeve(self, end: float, ease: float, inputs: str, cuff: bool) -> Tube:
        t = np.concatenate(
            [
                [-0.105, -0.098, -0.085, -0.065, -0.035, 0.0],
                np.linspace(0.08, 0.82, 8),
                np.linspace(0.87, 1.13, 7),
                np.linspace(1.18, 1.95, 9),
            ]
        )
        t = np.concatenate([t[t < end - 0.02], [end, end]]).astype(np.float32)
        shape = profile(_ARM, t) * self._girth + ease * self._size * smoothstep(-0.105, 0.04, t)
        # Creases where the elbow bends.
        shape *= 1 + 0.03 * np.sin(t * 33) * np.exp(-(((t - 1.0) / 0.3) ** 2))
        if cuff:
            shape -= 0.6 * ease * self._size * smoothstep(end - 0.12, end - 0.06, t)
        else:
            shape *= 1 + 0.06 * smoothstep(end - 0.5, end, t)
        shape[:, -1] -= 0.8 * ease * self._size
        return self._limb_tube(t, shape, inputs)

    def _leg_tubes(self) -> Sweep:
        appearance, size, girth = self.appearance, self._size, self._girth
        kind, loose = appearance.bottom.kind, np.float32(appearance.bottom.loose)
        start = {"shorts": 0.5, "skirt": 0.2, "dress": 0.2}.get(kind, 1.72)
        t = np.concatenate([np.linspace(0.2, 0.86, 8), np.linspace(0.9, 1.1, 6), np.linspace(1.16, 2.15, 13)])
        t = t[t >= start - 1e-6].astype(np.float32)
        tubes = [self._limb_tube(t, profile(_LEG, t) * girth, "leg")]
        if not self._bare_legs:
            end = {"shorts": 0.72, "slim": 1.90, "wide": 2.0, "joggers": 1.90, "leggings": 1.86}[kind]
            t = np.concatenate([np.linspace(-0.22, 0.84, 11), np.linspace(0.88, 1.12, 7), np.linspace(1.18, 1.86, 11)])
            t = np.concatenate([t[t < end - 0.02], [end, end]]).astype(np.float32)
            shape = profile(_LEG, t) * girth
            if kind == "slim":
                shape += ((0.006 + 0.004 * loose) * smoothstep(-0.2, 0.3, t) + 0.006 * smoothstep(1.3, 1.8, t)) * size
            elif kind == "wide":
                straight = (
                    np.asarray([[0.092], [0.088], [0.092]], np.float32)
                    * girth
                    * (0.95 + 0.12 * loose * smoothstep(0.8, 2.0, t))
                )
                shape += smoothstep(0.0, 0.9, t) * np.maximum(straight - shape, 0) + 0.006 * size
            elif kind == "joggers":
                shape += ((0.010 + 0.008 * loose) * smoothstep(-0.2, 0.3, t) * smoothstep(1.93, 1.78, t) + 0.007) * size
            elif kind == "shorts":
                shape += (0.010 + 0.018 * loose * smoothstep(0.0, 0.7, t)) * size
            else:
                shape += 0.003 * size
            if kind != "leggings":
                shape *= 1 + 0.018 * np.sin(t * 21) * smoothstep(0.5, 0.9, t) * smoothstep(2.1, 1.5, t)
            shape[:, -1] -= 0.010 * size
            tubes.append(self._limb_tube(t, shape, "bottom"))
        if appearance.shoes.kind != "flat":
            # The sock, or the shaft of the shoe.
            low = {"sneaker": 1.80, "hightop": 1.74, "boot": 1.62}[appearance.shoes.kind]
            t = np.asarray([low, low, *np.linspace(low + 0.03, 2.12, 6)], np.float32)
            shape = profile(_LEG, t) * girth + (0.003 if appearance.shoes.kind == "sneaker" else 0.009) * size
            shape[:, 0] -= 0.008 * size
            tubes.append(self._limb_tube(t, shape, "sock" if appearance.shoes.kind == "sneaker" else "shoe"))
        return sweep(tubes)

    def _shoe_grid(self) -> tuple[FloatArray, FloatArray]:
        """Points (across, up from the sole, share of the length) and texture of a shoe, [R, S, 3]."""
        size, flat = self._size, self.appearance.shoes.kind == "flat"
        s = np.concatenate(
            [[0.0, 0.025, 0.06, 0.1], np.linspace(0.17, 0.82, 9), [0.88, 0.93, 0.965, 0.985, 1.0]]
        ).astype(np.float32)
        width, height = profile(_SHOE, s) * size
        height = height * (0.72 if flat else 1.0)
        sole = (0.009 if flat else 0.020) * size
        cos, sin = ring(18)
        x = width[:, None] * np.sign(cos) * np.abs(cos) ** 0.75 * (1 + 0.06 * (sin < 0))
        above = sole + np.maximum(height[:, None] - sole, 0.002) * np.abs(sin) ** 0.9
        below = np.broadcast_to(sole * (1 - np.abs(sin) ** 0.35), above.shape)
        # Toes spring up a little from the floor.
        y = np.where(sin > 0, above, below) + 0.012 * size * smoothstep(0.82, 1.0, s)[:, None]
        along = np.broadcast_to(s[:, None], x.shape)
        return np.stack([x, y, along], -1).astype(np.float32), np.stack([x, y / sole, along], -1).astype(np.float32)

    def _head_parts(self) -> Rigid:
        appearance = self.appearance
        rest: list[tuple[FloatArray, str]] = [
            (heads.head(appearance), "face"),
            (heads.ear(1.0), "skin"),
            (heads.ear(-1.0), "skin"),
        ]
        hair = heads.hair_cap(appearance)
        if hair is not None:
            rest.append((hair, "hair"))
        style = appearance.hair.style
        if style in ("cap", "beanie"):
            rest.append((heads.dome(appearance, style), "headwear"))
        if style == "cap":
            rest.append((heads.brim(), "brim"))
            rest.append((heads.ball((0.0, 0.153, 0.0), 0.007), "brim"))
        if style == "bun":
            rest.append((heads.ball((0.0, 0.135, -0.060), 0.045 * appearance.hair.volume**0.5, 0.003), "hair"))
        if style == "ponytail":
            rest.append((heads.ball((0.0, 0.070, -0.108), 0.020), "band"))
        if appearance.face.glasses:
            rest.extend((part, "glasses") for part in heads.glasses())
        if appearance.face.earrings:
            rest.extend((heads.ball((side * 0.083, -0.036, -0.006), 0.008), "earring") for side in (-1.0, 1.0))
        return Rigid([Part(points, points, ROWS[inputs]) for points, inputs in rest])

    # What follows the pose.

    def parts(self, positions: FloatArray, sway: FloatArray) -> list[Part]:
        """All parts of the person.

        Args:
            positions: joints of OPENPOSE_18_FEET, [22, 3] metres; bones of length 0 are drawn as well as can be.
            sway: how far loose ends of hair and cloth hang behind, [3] metres.
        """
        pose = _Pose(np.asarray(positions, np.float32), np.float32(self.appearance.figure.head) * self._size)
        parts = self._trunk.along(*pose.along_spine(self._trunk.at, self._bow))
        parts += self._collars(pose)
        parts.append(self._neck(pose))
        for side in _SIDES:
            parts += self._arm_and_hand(pose, side)
            parts += self._leg_and_shoe(pose, side)
        if self._bare_legs:
            parts.append(self._skirt(pose, sway))
        parts += self._head.place(pose.head_turn, pose.ears)
        if self._curtain is not None:
            parts.append(self._hanging_hair(pose, self._curtain, sway))
        if self.appearance.hair.style == "ponytail":
            parts.append(self._ponytail(pose, sway))
        return parts

    def _collars(self, pose: _Pose) -> list[Part]:
        if self.appearance.top.kind == "hoodie":
            return [self._collar(pose, "hood", 0.070, 0.018, 0.042, 1.115, 0.030)]
        if self.appearance.top.kind == "shirt":
            return [self._collar(pose, "hood", 0.056, 0.0, 0.017, 1.15, 0.030)]
        if self.appearance.jacket is not None:
            return [self._collar(pose, "jacket_sleeve", 0.070, 0.008, 0.024, 1.13, 0.060)]
        return []

    def _collar(
        self, pose: _Pose, inputs: str, radius: float, thin: float, thick: float, v: float, drop: float
    ) -> Part:
        """A rolled collar or a hood round the neck; thicker and higher behind than in front."""
        size = self._size
        a = np.linspace(0, 2 * np.pi, 25, dtype=np.float32)
        back = (0.5 - 0.5 * np.sin(a)).astype(np.float32)
        thickness = (thin + (thick - thin) * back**1.2) * size
        place = np.asarray([v], np.float32)
        centre, across, forward = (item[0] for item in pose.along_spine(place, profile(_SPINE, place)[0] * size))
        radial = across * np.cos(a)[:, None] + forward * np.sin(a)[:, None]
        line = (
            centre
            + radial * (radius * size + 0.5 * thickness)[:, None]
            + pose.up * ((back - 0.6) * drop * size)[:, None]
        )
        b = np.arange(9, dtype=np.float32) * np.float32(2 * np.pi / 9)
        points = line[:, None] + thickness[:, None, None] * (
            radial[:, None] * np.cos(b)[:, None] + 1.15 * pose.up * np.sin(b)[:, None]
        )
        return Part(points.astype(np.float32), _plain(points), ROWS[inputs])

    def _neck(self, pose: _Pose) -> Part:
        size = self._size
        base = pose.neck - 0.018 * size * pose.chest[2]
        top = pose.ears + np.asarray([0.0, -0.030, -0.012], np.float32) @ pose.head_turn
        t = np.linspace(0, 1, 8, dtype=np.float32)[:, None]
        across, _, forward = frame(pose.chest[0] + unit(pose.head_turn[0], pose.chest[0]), unit(top - base, pose.up))
        radius = (
            np.asarray([0.062, 0.057, 0.053, 0.050, 0.050, 0.051, 0.052, 0.052], np.float32)
            * (0.6 + 0.4 * self.appearance.figure.girth)
            * size
        )
        radius = radius * np.float32(0.92 if self.appearance.figure.bust > 0 else 1.06)
        cos, sin = ring(16)
        points = (base + t * (top - base))[:, None] + radius[:, None, None] * (
            across * cos[:, None] + forward * sin[:, None]
        )
        return Part(points.astype(np.float32), _plain(points), ROWS["skin"])

    def _arm_and_hand(self, pose: _Pose, side: str) -> list[Part]:
        shoulder, elbow, wrist = (pose[f"{side}_{name}"] for name in ("shoulder", "elbow", "wrist"))
        across, up, forward = pose.chest
        sign = np.float32(1.0 if side == "left" else -1.0)
        upper, fore = unit(elbow - shoulder, -up), unit(wrist - elbow, -up)
        # A straight elbow shows no hinge; the way the arm would bend, forwards and inwards, decides then.
        would = forward + 0.5 * up - 0.4 * sign * across
        hinge = unit(reject(cross(upper, fore) + 0.15 * unit(cross(upper, would), -across), upper), -across)
        centre, tangent = _bend((shoulder, elbow, wrist), self._arm.at)
        sideways = unit(reject(np.broadcast_to(-hinge, tangent.shape), tangent), across)
        parts = self._arm.along(centre, sideways, cross(tangent, sideways))
        # A relaxed hand turns its back somewhat forward.
        normal = unit(reject(hinge, fore), across)
        thumb = cross(normal, fore)
        cos, sin = np.float32(np.cos(0.5)), np.float32(np.sin(0.5)) * sign
        turn = np.stack([cos * thumb - sin * normal, fore, cos * normal + sin * thumb]) * np.float32(1.06 * self._size)
        return parts + self._hands[side].place(turn, wrist)

    def _leg_and_shoe(self, pose: _Pose, side: str) -> list[Part]:
        hip, knee, ankle, heel, toe = (pose[f"{side}_{name}"] for name in ("hip", "knee", "ankle", "heel", "toe"))
        across, up, forward = pose.pelvis
        thigh, shin, foot = unit(knee - hip, -up), unit(ankle - knee, -up), unit(toe - heel, forward)
        # Knees bend about an axis to the left; the foot shows which way a straight leg is turned.
        bend = cross(thigh, shin)
        upper = unit(reject(bend + 0.6 * across, thigh), across)
        lower = unit(reject(bend + 0.25 * across + 0.35 * cross(-shin, foot), shin), across)
        centre, tangent = _bend((hip, knee, ankle), self._leg.at)
        share = smoothstep(0.5, 1.5, self._leg.at)[:, None]
        sideways = unit(reject(upper + share * (lower - upper), tangent), across)
        parts = self._leg.along(centre, sideways, cross(tangent, sideways))
        world_up = np.asarray([0.0, 1.0, 0.0], np.float32)
        rise = unit(reject(ankle - (heel + toe) / 2, foot), unit(reject(world_up, foot), forward))
        length = np.linalg.norm(toe - heel) + 0.072 * self._size
        turn = np.stack([cross(rise, foot), rise, length * foot])
        points = self._shoe @ turn + (heel - SOLE * rise - 0.036 * self._size * foot)
        # Shoes stand on the floor, not in it.
        points[..., 1] = np.where(points[..., 1] > -0.03, np.maximum(points[..., 1], 0.0), points[..., 1])
        return [*parts, Part(points.astype(np.float32), self._shoe_texture, ROWS["shoe"])]

    def _skirt(self, pose: _Pose, sway: FloatArray) -> Part:
        """Waistband to hem; wide enough for both thighs wherever they go."""
        dress = self.appearance.bottom.kind == "dress"
        size, loose = self._size, self.appearance.bottom.loose
        top = 0.34 if dress else 0.30
        v = np.concatenate([[top], np.linspace(top, 0.0, 7)]).astype(np.float32)
        t = np.linspace(0.05, 0.95 if dress else 0.78, 13).astype(np.float32)
        count = 44
        cos, sin = ring(count, 0.95)
        angle = np.arange(count, dtype=np.float32) * np.float32(2 * np.pi / count)
        shape = self._trunk_shape(v, 0.014)
        shape[:, 0] -= 0.015 * size
        centre, across, forward = pose.along_spine(v, profile(_SPINE, v)[0] * size)
        x = shape[0][:, None] * cos
        z = np.where(sin > 0, shape[1][:, None], shape[2][:, None]) * sin
        upper = centre[:, None] + across[:, None] * x[..., None] + forward[:, None] * z[..., None]
        left, _ = _bend((pose["left_hip"], pose["left_knee"], pose["left_ankle"]), t)
        right, _ = _bend((pose["right_hip"], pose["right_knee"], pose["right_ankle"]), t)
        middle, half = (left + right) / 2, (left - right) / 2
        direction = pose.pelvis[0] * cos[:, None] + pose.pelvis[2] * sin[:, None]
        flat = reject(half, pose.up)
        spread = np.abs(flat @ direction.T) + (profile(_LEG, t)[1] * self._girth + 0.012 * size)[:, None]
        rest = np.where(sin > 0, shape[1][-1], shape[2][-1]) * np.abs(sin) + shape[0][-1] * np.abs(cos)
        reach = t[:, None] * np.float32(self.appearance.body.thigh)
        flare = rest * (1 - 0.06 * t[:, None]) + (0.20 + 0.16 * loose) * reach
        folds = 1 + (0.045 * np.sin(9 * angle + 0.7) + 0.02 * np.sin(14 * angle)) * t[:, None]
        radius = np.maximum(flare, spread) * folds
        slope = (half @ pose.up) / np.maximum((flat * flat).sum(-1), 0.02)
        tilt = np.clip((flat @ direction.T) * radius * slope[:, None], -0.25, 0.25)
        # Over a raised thigh the cloth lies on top of it.
        for side in _SIDES:
            thigh = reject(unit(pose[f"{side}_knee"] - pose[f"{side}_hip"], -pose.up), pose.up)
            tilt = tilt + 0.13 * self._girth * np.maximum(direction @ thigh, 0.0) * smoothstep(0.0, 0.3, t)[:, None]
        lower = (
            middle[:, None] + direction * radius[..., None] + pose.up * tilt[..., None] + sway * (t**2)[:, None, None]
        )
        points = np.concatenate([upper, lower])
        # Round the body a whole number of dots, checks and stripes.
        around = np.broadcast_to(angle * np.float32(1.08 / (2 * np.pi)), points.shape[:2])
        down = np.concatenate(
            [
                np.broadcast_to(v[:, None] * np.float32(self.appearance.body.spine), x.shape),
                np.broadcast_to(-reach, radius.shape),
            ]
        )
        return Part(
            points.astype(np.float32),
            np.stack([around, down, np.zeros_like(down)], -1).astype(np.float32),
            ROWS["skirt"],
        )

    def _hanging_hair(self, pose: _Pose, rest: FloatArray, sway: FloatArray) -> Part:
        """Hair hangs from the head: below the ears it follows gravity more than the head, and lies on the back."""
        level = np.float32(-0.03)
        kept = rest.copy()
        kept[..., 1] = np.maximum(rest[..., 1], level)
        drop = np.maximum(level - rest[..., 1], 0.0)[..., None] * pose.head_scale
        down = unit(np.asarray([0.0, -1.4, 0.0], np.float32) - pose.head_turn[1] / pose.head_scale, (0.0, -1.0, 0.0))
        points = kept @ pose.head_turn + pose.ears + drop * down + sway * (drop / 0.25) ** 2
        return Part(self._behind_trunk(pose, points), rest, ROWS["hair"])

    def _ponytail(self, pose: _Pose, sway: FloatArray) -> Part:
        s = np.linspace(0, 1, 14, dtype=np.float32)
        volume = np.float32(self.appearance.hair.volume)
        start = np.asarray([0.0, 0.068, -0.100], np.float32) @ pose.head_turn + pose.ears
        left, up, forward = pose.head_turn / pose.head_scale
        line = start - forward * (0.075 * np.sin(np.minimum(s * 2.6, 1.9)) * self._size)[:, None]
        line = line - np.asarray([0.0, 0.27, 0.0], np.float32) * (self._size * volume * s**1.5)[:, None]
        line = line + up * (0.020 * np.sin(s * np.pi) * self._size)[:, None] + sway * (1.3 * s**2)[:, None]
        knots = [(0.0, 0.014), (0.12, 0.026), (0.4, 0.034), (0.75, 0.028), (0.95, 0.010), (1.0, 0.001)]
        radius = profile(knots, s)[0] * self._size * volume**0.5
        tangent = unit(np.gradient(line, axis=0).astype(np.float32), (0.0, -1.0, 0.0))
        across = unit(reject(np.broadcast_to(left, tangent.shape), tangent), pose.chest[0])
        other = cross(tangent, across)
        cos, sin = ring(12)
        points = line[:, None] + radius[:, None, None] * (
            across[:, None] * cos[:, None] + other[:, None] * sin[:, None]
        )
        flat = np.zeros(points.shape[:2], np.float32)
        texture = np.stack([flat + 0.06 * cos, flat - 0.25 * s[:, None], flat + 0.06 * sin], -1)
        return Part(self._behind_trunk(pose, points), texture, ROWS["hair"])

    def _behind_trunk(self, pose: _Pose, points: FloatArray) -> FloatArray:
        """Points moved backwards out of the trunk and the shoulders."""
        across, up, forward = pose.chest
        size = self._size
        relative = points - pose.neck
        x, y, z = relative @ across, relative @ up, relative @ forward
        thick = 0.015 + (
            0.03 if self.appearance.top.kind == "hoodie" else 0.016 if self.appearance.jacket is not None else 0.0
        )
        levels = np.asarray([-0.4, -0.05, 0.02, 0.05, 0.08, 0.12], np.float32) * size
        deep = np.interp(
            y, levels, np.asarray([0.100, 0.125, 0.115, 0.095, 0.075, 0.0]) * (0.5 + 0.5 * self._girth) + thick * size
        )
        if self.appearance.top.kind == "hoodie":
            deep = deep + np.interp(y, levels, np.asarray([0.0, 0.03, 0.075, 0.085, 0.08, 0.0]) * size)
        wide = np.interp(y, levels, np.asarray([0.20, 0.24, 0.24, 0.18, 0.13, 0.08]) * size)
        surface = -deep * np.sqrt(np.maximum(1 - (x / wide) ** 2, 0.0))
        # Only what hangs low and already lies near the back: strands beside the neck stay where they are.
        share = smoothstep(0.12 * size, 0.06 * size, y)
        push = np.maximum(z - surface, 0.0) * share
        return np.asarray(points - push[..., None] * forward, np.float32)


class _Pose:
    """Joints of one frame with the axes (left, up, forward) of pelvis, chest and head."""

    def __init__(self, p: FloatArray, head_scale: np.float32) -> None:
        self._p = p
        self.hips = (self["left_hip"] + self["right_hip"]) / 2
        self.neck = self["neck"]
        self.spine = self.neck - self.hips
        self.pelvis = frame(self["left_hip"] - self["right_hip"], self.spine)
        self.chest = frame(self["left_shoulder"] - self["right_shoulder"], self.spine)
        self.up = self.pelvis[1]
        left, right = self["left_ear"], self["right_ear"]
        self.ears = (left + right) / 2
        self.head_scale = head_scale
        across = unit(left - right, self.chest[0])
        forward = unit(reject(self["nose"] - self.ears, across), unit(reject(self.chest[2], across), self.up))
        up = cross(forward, across)
        # The nose joint hangs a little below the level of the ears.
        forward, up = unit(forward + 0.093 * up), unit(up - 0.093 * forward)
        self.head_turn = np.stack([across, up, forward]) * head_scale

    def __getitem__(self, joint: str) -> FloatArray:
        found: FloatArray = self._p[_J[joint]]
        return found

    def along_spine(self, v: FloatArray, bow: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Middle of the trunk and axes across and forward at places v, each [R, 3]; it lies ``bow`` forward."""
        turn = smoothstep(0.1, 0.8, v)[:, None]
        across = unit(self.pelvis[0] + turn * (self.chest[0] - self.pelvis[0]), self.chest[0])
        forward = cross(across, self.up)
        return self.hips + self.spine * v[:, None] + forward * bow[:, None], across, forward


def _bend(joints: tuple[FloatArray, FloatArray, FloatArray], t: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Points and unit tangents, each [R, 3], along two bones with a rounded bend between them; t as in ``_ARM``."""
    a, b, c = joints
    first, second = b - a, c - b
    soft = np.float32(0.16)
    s = np.clip((t - (1 - soft)) / (2 * soft), 0.0, 1.0)[:, None]
    curve = (1 - s) ** 2 * (b - soft * first) + 2 * s * (1 - s) * b + s**2 * (b + soft * second)
    line = curve + np.minimum(t - (1 - soft), 0.0)[:, None] * first + np.maximum(t - (1 + soft), 0.0)[:, None] * second
    one, two = unit(first, (0.0, -1.0, 0.0)), unit(second, (0.0, -1.0, 0.0))
    return line.astype(np.float32), unit((1 - s) * one + s * two, one)


def _hand(sign: float) -> list[Part]:
    """Palm, four fingers and thumb, a little curled; axes: towards the thumb, along the forearm, hinge of the elbow.

    Args:
        sign: 1 for the left hand, -1 for the right: the side on which the palm lies.
    """
    thumb, along, palm = np.eye(3, dtype=np.float32) * np.asarray([[1], [1], [sign]], np.float32)
    t = np.asarray([-0.025, 0.0, 0.02, 0.045, 0.07, 0.086, 0.094], np.float32)
    wide = np.asarray([0.022, 0.024, 0.030, 0.037, 0.038, 0.034, 0.026], np.float32)
    thick = np.asarray([0.018, 0.016, 0.016, 0.016, 0.014, 0.011, 0.004], np.float32)
    cos, sin = ring(10)
    points = (
        (t[:, None] * along)[:, None]
        + wide[:, None, None] * thumb * cos[:, None]
        + thick[:, None, None] * palm * sin[:, None]
    )
    parts = [Part(points.astype(np.float32), _plain(points), ROWS["skin"])]
    for offset, length, curl in ((0.027, 0.064, 0.40), (0.009, 0.072, 0.5), (-0.010, 0.067, 0.6), (-0.027, 0.053, 0.7)):
        parts.append(_finger(0.080 * along + offset * thumb, along + 2.2 * offset * thumb, palm, length, 0.0092, curl))
    start = 0.022 * along + 0.022 * thumb + 0.004 * palm
    parts.append(_finger(start, 0.70 * along + 0.65 * thumb + 0.2 * palm, along - thumb, 0.066, 0.0115, 0.45))
    return parts


def _finger(start: FloatArray, along: FloatArray, palm: FloatArray, length: float, radius: float, curl: float) -> Part:
    """A curved finger that tapers, bending towards the palm."""
    along = unit(along)
    palm = unit(reject(palm, along))
    s = np.asarray([0.0, 0.35, 0.7, 0.95, 1.0], np.float32)
    size = np.asarray([1.0, 0.96, 0.87, 0.62, 0.1], np.float32) * radius
    angle = curl * s
    line = start + length * ((s * np.cos(angle * 0.6))[:, None] * along + (s * np.sin(angle))[:, None] * palm)
    side = cross(along, palm)
    normal = np.cos(angle)[:, None] * palm - np.sin(angle)[:, None] * along
    cos, sin = ring(6)
    points = line[:, None] + size[:, None, None] * (side * cos[:, None] + normal[:, None] * sin[:, None])
    return Part(points.astype(np.float32), _plain(points), ROWS["skin"])


def _plain(points: FloatArray) -> FloatArray:
    return np.zeros(points.shape, np.float32)


def rest_pose(appearance: Appearance) -> FloatArray:
    """Standing upright, facing +z, arms a little away from the body: joints [22, 3] of OPENPOSE_18_FEET, metres."""
    body = appearance.body
    p = np.zeros((len(OPENPOSE_18_FEET), 3), np.float32)
    foot = SOLE + 0.065 * appearance.figure.height / 1.70
    hip = foot + body.leg * 0.998
    neck = hip + body.spine
    ears = neck + 0.114 * appearance.figure.height
    p[_J["neck"]] = (0, neck, 0)
    for side, s in (("left", 1.0), ("right", -1.0)):
        p[_J[f"{side}_hip"]] = (s * body.hips / 2, hip, 0)
        p[_J[f"{side}_knee"]] = (s * (body.hips / 2 + 0.005), foot + body.shin, 0.015)
        p[_J[f"{side}_ankle"]] = (s * (body.hips / 2 + 0.01), foot, 0)
        p[_J[f"{side}_heel"]] = (s * (body.hips / 2 + 0.01), SOLE, -0.042)
        p[_J[f"{side}_toe"]] = (s * (body.hips / 2 + 0.025), SOLE, 0.155)
        shoulder = np.asarray([s * body.shoulders / 2, neck, 0])
        elbow = shoulder + body.upper_arm * np.asarray([s * 0.26, -0.965, -0.02])
        p[_J[f"{side}_shoulder"]], p[_J[f"{side}_elbow"]] = shoulder, elbow
        p[_J[f"{side}_wrist"]] = elbow + body.forearm * np.asarray([s * 0.12, -0.97, 0.2])
        for name, (x, y, z) in {"ear": (0.5, 0.0, 0.0), "eye": (0.23, 0.18, 0.61)}.items():
            p[_J[f"{side}_{name}"]] = (s * x * body.head, ears + y * body.head, 0.015 + z * body.head)
    p[_J["nose"]] = (0, ears - 0.07 * body.head, 0.015 + 0.75 * body.head)
    return p
