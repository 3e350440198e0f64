"""Surface of a procedural person in any pose: joints to a mesh.

Every part is a tube along the skeleton: the trunk along hips and neck, limbs with rounded bends at elbow and knee,
cloth as a second tube round them, a skirt round both legs, hair from the head. Lengths are metres on a body of 1.70 m
and scale with its height; the profiles are those of ``data/body.yaml``, the cuts of the clothes those of
``data/garments.yaml``.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from stgmamba.arrays import FloatArray, smoothstep, unit
from stgmamba.characters import head as heads
from stgmamba.characters.appearance import Appearance
from stgmamba.characters.garments import bottom_cuts, shoe_cuts, top_cuts
from stgmamba.characters.materials import ROWS, face_parameters, material_table
from stgmamba.characters.mesh import (
    Part,
    RigidParts,
    Sweep,
    Topology,
    Tube,
    cross,
    interpolate_profile,
    orthonormal_axes,
    reject,
    superellipse,
    triangulate,
)
from stgmamba.characters.tables import REFERENCE_HEIGHT, load_array, load_profile
from stgmamba.skeleton.anthropometry import FACE_POINTS
from stgmamba.skeleton.foot_contacts import SOLE
from stgmamba.skeleton.layouts import OPENPOSE_18_FEET

_J = {name: i for i, name in enumerate(OPENPOSE_18_FEET.joints)}
_SIDES = ("left", "right")
_COLUMNS = {"trunk": 4, "spine": 2, "arm": 4, "leg": 4, "shoe": 3}
_JACKET_SLEEVE = 1.88  # position along the arm where a jacket's sleeve ends
_ARM_CAP = [-0.105, -0.098, -0.085, -0.065, -0.035, 0.0]  # positions of the rings that round off the shoulder


def _profile(name: str, positions: FloatArray) -> FloatArray:
    """Columns of a profile of ``data/body.yaml`` at positions [N], float32 [columns, N]."""
    return interpolate_profile(load_profile("body", name, columns=_COLUMNS[name]), positions)


class CharacterSurface:
    """The surface of one person.

    Args:
        appearance: of the person.

    Attributes:
        materials, face: tables that ``shading`` reads.
    """

    def __init__(self, appearance: Appearance) -> None:
        self.appearance = appearance
        self.materials = material_table(appearance)
        self.face = face_parameters(appearance)
        self._size = np.float32(appearance.figure.height / REFERENCE_HEIGHT)
        self._girth = np.float32(appearance.figure.girth) * self._size
        self._bare_legs = bottom_cuts()[appearance.bottom.kind].hem is None  # under a skirt or a dress
        self._trunk = self._trunk_tubes()
        self._arm = self._arm_tubes()
        self._leg = self._leg_tubes()
        self._hands = {"left": RigidParts(_hand(1.0)), "right": RigidParts(_hand(-1.0))}
        self._shoe, self._shoe_texcoords = self._shoe_grid()
        self._head = self._head_parts()
        self._hanging_hair = heads.hanging_hair(appearance)
        (self._spine_offset,) = _profile("spine", self._trunk.position) * self._size

    @cached_property
    def topology(self) -> Topology:
        """Triangles and materials, the same for every pose."""
        open_materials = {ROWS[name] for name in ("skirt", "sleeve", "top", "jacket", "jacket_sleeve")}
        shadowless = {ROWS[name] for name in ("glasses", "earring", "sock")}
        parts = self.parts(rest_pose(self.appearance), np.zeros(3, np.float32))
        return triangulate(parts, open_materials, shadowless)

    # Pose-independent shapes, computed once.

    def _trunk_shape(self, v: FloatArray, ease: float, cloth: bool = False) -> FloatArray:
        """Half-width and extents to the front and the back, [3, R], of the trunk or of the clothes on it.

        Args:
            v: positions along the spine, [R].
            ease: distance from the skin, metres on the reference body.
            cloth: whether the tube is a top or a jacket, which hangs from the chest and covers the thighs' roots.
        """
        appearance, size = self.appearance, self._size
        figure = appearance.figure
        shape = _profile("trunk", v) * size
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
        # Cloth hangs straight down from the chest instead of following the waist, and spans both thighs.
        looseness = appearance.top.looseness
        chest = (
            _profile("trunk", np.asarray([0.80], np.float32))
            * size
            * np.asarray([[0.97 * figure.shoulders], [1.0], [1.0]])
        )
        hang = np.clip(0.55 * looseness, 0.0, 0.9) * smoothstep(0.85, 0.55, v)
        shape += hang * np.maximum(chest - shape, 0.0)
        shape += (
            ease * (0.5 + 0.5 * looseness) * smoothstep(1.22, 0.95, v) + 0.010 * smoothstep(0.25, -0.10, v) + 0.004
        ) * size
        thigh_ease = bottom_cuts()[appearance.bottom.kind].ease
        thighs = appearance.body.hips / 2 + 0.087 * self._girth + (thigh_ease + 0.004) * size
        below = smoothstep(0.30, -0.02, v)
        shape[0] = np.maximum(shape[0], thighs * below)
        shape[1] = np.maximum(shape[1], (0.085 * self._girth + (thigh_ease + 0.010) * size) * below)
        shape[2] = np.maximum(shape[2], (0.100 * self._girth + (thigh_ease + 0.010) * size) * below)
        if appearance.top.kind == "hoodie":
            shape += (0.010 * smoothstep(1.0, 0.8, v) - 0.010 * smoothstep(0.02, -0.03, v)) * size
        return np.asarray(shape, np.float32)

    def _trunk_tube(
        self, v: FloatArray, shape: FloatArray, material: str, bust: float = 0.0, opening: float = 0.0
    ) -> Tube:
        """A tube round the spine.

        Args:
            v: positions along the spine, [R].
            shape: of ``_trunk_shape``, [3, R].
            material: key of ``ROWS``.
            bust: 0..1.
            opening: half-width of the opening of a jacket in front, metres on the reference body; 0 for a closed tube.
        """
        # Boxier towards the shoulders, where the chest meets the arms.
        boxy = 0.20 if opening == 0 else 0.06
        power = (0.88 - boxy * np.exp(-(((v - 0.94) / 0.10) ** 2)))[:, None]
        cos, sin = superellipse(30)
        cos, sin = np.sign(cos) * np.abs(cos) ** power, np.sign(sin) * np.abs(sin) ** power
        x = shape[0][:, None] * cos
        z = np.where(sin > 0, shape[1][:, None], shape[2][:, None]) * sin
        if bust > 0:
            swell = np.exp(-(((v[:, None] - 0.70) / 0.105) ** 2) - ((np.abs(x) / self._size - 0.068) / 0.060) ** 2)
            z = z + 0.048 * self._size * bust * swell * (sin > 0)
        if opening > 0:
            # The points of an open jacket's gap lie below the cloth under it.
            gap = opening * self._size * (1 - 0.35 * smoothstep(0.5, 1.0, v))[:, None]
            z = z - 0.035 * self._size * smoothstep(gap + 0.012, gap - 0.004, np.abs(x)) * (sin > 0)
        height = np.broadcast_to((v * np.float32(self.appearance.body.spine))[:, None], x.shape)
        return Tube(v, x, z, np.stack([x, height, z], -1), ROWS[material])

    def _trunk_tubes(self) -> Sweep:
        appearance, size, bust = self.appearance, self._size, self.appearance.figure.bust
        # A top that is tucked in ends below the waistband.
        tucked = appearance.bottom.kind == "dress" or (
            appearance.bottom.kind == "skirt" and appearance.top.kind != "hoodie"
        )
        hem = 0.20 if tucked else top_cuts()[appearance.top.kind].hem

        def hemmed(shape: FloatArray) -> FloatArray:
            # The first ring is folded in, so that the hem has an edge.
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
        return Sweep.of(tubes)

    def _limb_tube(self, t: FloatArray, shape: FloatArray, material: str) -> Tube:
        cos, sin = superellipse(16)
        x = shape[0][:, None] * cos
        z = np.where(sin > 0, shape[1][:, None], shape[2][:, None]) * sin
        along = np.broadcast_to(t[:, None] * (-0.26 * self._size), x.shape)
        return Tube(t, x, z, np.stack([x, along, z], -1), ROWS[material])

    def _arm_tubes(self) -> Sweep:
        appearance = self.appearance
        cut = top_cuts()[appearance.top.kind]
        covered = max(cut.sleeve, _JACKET_SLEEVE if appearance.jacket is not None else 0.0)
        # Skin under a sleeve is left out.
        start = covered - 0.12 if covered > 0 else -0.105
        t = np.concatenate(
            [
                _ARM_CAP,
                np.linspace(0.08, 0.8, 7),
                np.linspace(0.87, 1.13, 6),
                np.linspace(1.2, 2.02, 8),
            ]
        )
        t = t[t >= start].astype(np.float32)
        tubes = [self._limb_tube(t, _profile("arm", t) * self._girth, "skin")]
        if cut.sleeve > 0:
            ease = 0.017 if appearance.top.kind == "hoodie" else 0.008 + 0.007 * appearance.top.looseness
            tubes.append(self._sleeve(cut.sleeve, ease, "sleeve", cut.cuff))
        if appearance.jacket is not None:
            tubes.append(self._sleeve(_JACKET_SLEEVE, 0.024, "jacket_sleeve", cuff=False))
        return Sweep.of(tubes)

    def _sleeve(self, end: float, ease: float, material: str, cuff: bool) -> Tube:
        t = np.concatenate(
            [
                _ARM_CAP,
                np.linspace(0.08, 0.82, 8),
                np.linspace(0.87, 1.13, 7),
                np.linspace(1.18, 1.95, 9),
            ]
        )
        t = np.concatenate([t[t < end - 0.02], [end, end]]).astype(np.float32)
        shape = _profile("arm", t) * self._girth + ease * self._size * smoothstep(-0.105, 0.04, t)
        # Creases where the elbow bends.
        shape *= 1 + 0.03 * np.sin(t * 33) * np.exp(-(((t - 1.0) / 0.3) ** 2))
        if cuff:
            shape -= 0.6 * ease * self._size * smoothstep(end - 0.12, end - 0.06, t)
        else:
            shape *= 1 + 0.06 * smoothstep(end - 0.5, end, t)
        shape[:, -1] -= 0.8 * ease * self._size
        return self._limb_tube(t, shape, material)

    def _leg_tubes(self) -> Sweep:
        appearance, size, girth = self.appearance, self._size, self._girth
        kind, looseness = appearance.bottom.kind, np.float32(appearance.bottom.looseness)
        cut = bottom_cuts()[kind]
        t = np.concatenate([np.linspace(0.2, 0.86, 8), np.linspace(0.9, 1.1, 6), np.linspace(1.16, 2.15, 13)])
        t = t[t >= cut.skin - 1e-6].astype(np.float32)
        tubes = [self._limb_tube(t, _profile("leg", t) * girth, "leg")]
        if cut.hem is not None:
            t = np.concatenate([np.linspace(-0.22, 0.84, 11), np.linspace(0.88, 1.12, 7), np.linspace(1.18, 1.86, 11)])
            t = np.concatenate([t[t < cut.hem - 0.02], [cut.hem, cut.hem]]).astype(np.float32)
            shape = _profile("leg", t) * girth
            if kind == "slim":
                shape += (
                    (0.006 + 0.004 * looseness) * smoothstep(-0.2, 0.3, t) + 0.006 * smoothstep(1.3, 1.8, t)
                ) * size
            elif kind == "wide":
                straight = (
                    np.asarray([[0.092], [0.088], [0.092]], np.float32)
                    * girth
                    * (0.95 + 0.12 * looseness * smoothstep(0.8, 2.0, t))
                )
                shape += smoothstep(0.0, 0.9, t) * np.maximum(straight - shape, 0) + 0.006 * size
            elif kind == "joggers":
                shape += (
                    (0.010 + 0.008 * looseness) * smoothstep(-0.2, 0.3, t) * smoothstep(1.93, 1.78, t) + 0.007
                ) * size
            elif kind == "shorts":
                shape += (0.010 + 0.018 * looseness * smoothstep(0.0, 0.7, t)) * size
            else:
                shape += 0.003 * size
            if kind != "leggings":
                shape *= 1 + 0.018 * np.sin(t * 21) * smoothstep(0.5, 0.9, t) * smoothstep(2.1, 1.5, t)
            shape[:, -1] -= 0.010 * size
            tubes.append(self._limb_tube(t, shape, "bottom"))
        shaft = shoe_cuts()[appearance.shoes.kind].shaft
        if shaft is not None:
            t = np.asarray([shaft, shaft, *np.linspace(shaft + 0.03, 2.12, 6)], np.float32)
            shape = _profile("leg", t) * girth + (0.003 if appearance.shoes.kind == "sneaker" else 0.009) * size
            shape[:, 0] -= 0.008 * size
            tubes.append(self._limb_tube(t, shape, "sock" if appearance.shoes.kind == "sneaker" else "shoe"))
        return Sweep.of(tubes)

    def _shoe_grid(self) -> tuple[FloatArray, FloatArray]:
        """A shoe, [R, S, 3]: points (across, up from the sole, fraction of the length) and texture coordinates."""
        size, flat = self._size, self.appearance.shoes.kind == "flat"
        s = np.concatenate(
            [[0.0, 0.025, 0.06, 0.1], np.linspace(0.17, 0.82, 9), [0.88, 0.93, 0.965, 0.985, 1.0]]
        ).astype(np.float32)
        width, height = _profile("shoe", s) * size
        height = height * (0.72 if flat else 1.0)
        sole = (0.009 if flat else 0.020) * size
        cos, sin = superellipse(18)
        x = width[:, None] * np.sign(cos) * np.abs(cos) ** 0.75 * (1 + 0.06 * (sin < 0))
        above = sole + np.maximum(height[:, None] - sole, 0.002) * np.abs(sin) ** 0.9
        below = np.broadcast_to(sole * (1 - np.abs(sin) ** 0.35), above.shape)
        # Toe spring: the tip is a little above the floor.
        y = np.where(sin > 0, above, below) + 0.012 * size * smoothstep(0.82, 1.0, s)[:, None]
        along = np.broadcast_to(s[:, None], x.shape)
        return np.stack([x, y, along], -1).astype(np.float32), np.stack([x, y / sole, along], -1).astype(np.float32)

    def _head_parts(self) -> RigidParts:
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
            rest.append((heads.hat_crown(appearance, style), "headwear"))
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
        return RigidParts([Part(points, points, ROWS[material]) for points, material in rest])

    # Pose-dependent parts.

    def parts(self, positions: FloatArray, lag: FloatArray) -> list[Part]:
        """All parts of the person, always in the same order and of the same shapes.

        Args:
            positions: joints of OPENPOSE_18_FEET, [22, 3] metres, finite; bones of length 0 give finite points too.
            lag: displacement of the free ends of hair and cloth, [3] metres.
        """
        pose = _Pose(np.asarray(positions, np.float32), np.float32(self.appearance.figure.head) * self._size)
        parts = self._trunk.place(*pose.spine_axes(self._trunk.position, self._spine_offset))
        parts += self._collars(pose)
        parts.append(self._neck(pose))
        for side in _SIDES:
            parts += self._arm_and_hand(pose, side)
            parts += self._leg_and_shoe(pose, side)
        if self._bare_legs:
            parts.append(self._skirt(pose, lag))
        parts += self._head.place(pose.head_axes, pose.ears)
        if self._hanging_hair is not None:
            parts.append(self._posed_hair(pose, self._hanging_hair, lag))
        if self.appearance.hair.style == "ponytail":
            parts.append(self._ponytail(pose, lag))
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
        self, pose: _Pose, material: str, radius: float, thin: float, thick: float, v: float, drop: float
    ) -> Part:
        """A rolled collar or a hood round the neck; thicker and higher behind than in front.

        Args:
            pose: where it lies.
            material: key of ``ROWS``.
            radius: of the opening.
            thin: thickness in front.
            thick: thickness behind.
            v: position along the spine.
            drop: height difference between back and front.
        """
        size = self._size
        a = np.linspace(0, 2 * np.pi, 25, dtype=np.float32)
        back = (0.5 - 0.5 * np.sin(a)).astype(np.float32)
        thickness = (thin + (thick - thin) * back**1.2) * size
        position = np.asarray([v], np.float32)
        centre, across, forward = (item[0] for item in pose.spine_axes(position, _profile("spine", position)[0] * size))
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
        return Part(points.astype(np.float32), _no_texcoords(points), ROWS[material])

    def _neck(self, pose: _Pose) -> Part:
        size = self._size
        base = pose.neck - 0.018 * size * pose.chest[2]
        top = pose.ears + np.asarray([0.0, -0.030, -0.012], np.float32) @ pose.head_axes
        t = np.linspace(0, 1, 8, dtype=np.float32)[:, None]
        across, _, forward = orthonormal_axes(
            pose.chest[0] + unit(pose.head_axes[0], pose.chest[0]), unit(top - base, pose.up)
        )
        radius = (
            load_array("body", "neck", shape=(8,)).astype(np.float32)
            * (0.6 + 0.4 * self.appearance.figure.girth)
            * size
        )
        radius = radius * np.float32(0.92 if self.appearance.figure.bust > 0 else 1.06)
        cos, sin = superellipse(16)
        points = (base + t * (top - base))[:, None] + radius[:, None, None] * (
            across * cos[:, None] + forward * sin[:, None]
        )
        return Part(points.astype(np.float32), _no_texcoords(points), ROWS["skin"])

    def _arm_and_hand(self, pose: _Pose, side: str) -> list[Part]:
        shoulder, elbow, wrist = (pose[f"{side}_{name}"] for name in ("shoulder", "elbow", "wrist"))
        across, up, forward = pose.chest
        sign = np.float32(1.0 if side == "left" else -1.0)
        upper, fore = unit(elbow - shoulder, -up), unit(wrist - elbow, -up)
        # A straight elbow has no hinge axis of its own: it then follows the direction of flexion, forward and inward.
        flexion = forward + 0.5 * up - 0.4 * sign * across
        hinge = unit(reject(cross(upper, fore) + 0.15 * unit(cross(upper, flexion), -across), upper), -across)
        centre, tangent = _limb_curve((shoulder, elbow, wrist), self._arm.position)
        sideways = unit(reject(np.broadcast_to(-hinge, tangent.shape), tangent), across)
        parts = self._arm.place(centre, sideways, cross(tangent, sideways))
        # The back of a relaxed hand is rotated somewhat forward.
        normal = unit(reject(hinge, fore), across)
        thumb = cross(normal, fore)
        cos, sin = np.float32(np.cos(0.5)), np.float32(np.sin(0.5)) * sign
        axes = np.stack([cos * thumb - sin * normal, fore, cos * normal + sin * thumb]) * np.float32(1.06 * self._size)
        return parts + self._hands[side].place(axes, wrist)

    def _leg_and_shoe(self, pose: _Pose, side: str) -> list[Part]:
        hip, knee, ankle, heel, toe = (pose[f"{side}_{name}"] for name in ("hip", "knee", "ankle", "heel", "toe"))
        across, up, forward = pose.pelvis
        thigh, shin, foot = unit(knee - hip, -up), unit(ankle - knee, -up), unit(toe - heel, forward)
        # The hinge axis of the knee points to the left; that of a straight leg follows the foot.
        hinge = cross(thigh, shin)
        upper = unit(reject(hinge + 0.6 * across, thigh), across)
        lower = unit(reject(hinge + 0.25 * across + 0.35 * cross(-shin, foot), shin), across)
        centre, tangent = _limb_curve((hip, knee, ankle), self._leg.position)
        weight = smoothstep(0.5, 1.5, self._leg.position)[:, None]
        sideways = unit(reject(upper + weight * (lower - upper), tangent), across)
        parts = self._leg.place(centre, sideways, cross(tangent, sideways))
        world_up = np.asarray([0.0, 1.0, 0.0], np.float32)
        rise = unit(reject(ankle - (heel + toe) / 2, foot), unit(reject(world_up, foot), forward))
        length = np.linalg.norm(toe - heel) + 0.072 * self._size
        axes = np.stack([cross(rise, foot), rise, length * foot])
        points = self._shoe @ axes + (heel - SOLE * rise - 0.036 * self._size * foot)
        # Shoes do not penetrate the floor.
        points[..., 1] = np.where(points[..., 1] > -0.03, np.maximum(points[..., 1], 0.0), points[..., 1])
        return [*parts, Part(points.astype(np.float32), self._shoe_texcoords, ROWS["shoe"])]

    def _skirt(self, pose: _Pose, lag: FloatArray) -> Part:
        """A skirt or the lower part of a dress, from waistband to hem, wide enough for both thighs in any pose."""
        dress = self.appearance.bottom.kind == "dress"
        size, looseness = self._size, self.appearance.bottom.looseness
        top = 0.34 if dress else 0.30
        v = np.concatenate([[top], np.linspace(top, 0.0, 7)]).astype(np.float32)
        t = np.linspace(0.05, 0.95 if dress else 0.78, 13).astype(np.float32)
        count = 44
        cos, sin = superellipse(count, 0.95)
        angle = np.arange(count, dtype=np.float32) * np.float32(2 * np.pi / count)
        shape = self._trunk_shape(v, 0.014)
        shape[:, 0] -= 0.015 * size
        centre, across, forward = pose.spine_axes(v, _profile("spine", v)[0] * size)
        x = shape[0][:, None] * cos
        z = np.where(sin > 0, shape[1][:, None], shape[2][:, None]) * sin
        upper = centre[:, None] + across[:, None] * x[..., None] + forward[:, None] * z[..., None]
        left, _ = _limb_curve((pose["left_hip"], pose["left_knee"], pose["left_ankle"]), t)
        right, _ = _limb_curve((pose["right_hip"], pose["right_knee"], pose["right_ankle"]), t)
        middle, half = (left + right) / 2, (left - right) / 2
        direction = pose.pelvis[0] * cos[:, None] + pose.pelvis[2] * sin[:, None]
        flat = reject(half, pose.up)
        spread = np.abs(flat @ direction.T) + (_profile("leg", t)[1] * self._girth + 0.012 * size)[:, None]
        rest = np.where(sin > 0, shape[1][-1], shape[2][-1]) * np.abs(sin) + shape[0][-1] * np.abs(cos)
        reach = t[:, None] * np.float32(self.appearance.body.thigh)
        flare = rest * (1 - 0.06 * t[:, None]) + (0.20 + 0.16 * looseness) * reach
        folds = 1 + (0.045 * np.sin(9 * angle + 0.7) + 0.02 * np.sin(14 * angle)) * t[:, None]
        radius = np.maximum(flare, spread) * folds
        slope = (half @ pose.up) / np.maximum((flat * flat).sum(-1), 0.02)
        tilt = np.clip((flat @ direction.T) * radius * slope[:, None], -0.25, 0.25)
        # Cloth lies on top of a raised thigh.
        for side in _SIDES:
            thigh = reject(unit(pose[f"{side}_knee"] - pose[f"{side}_hip"], -pose.up), pose.up)
            tilt = tilt + 0.13 * self._girth * np.maximum(direction @ thigh, 0.0) * smoothstep(0.0, 0.3, t)[:, None]
        lower = (
            middle[:, None] + direction * radius[..., None] + pose.up * tilt[..., None] + lag * (t**2)[:, None, None]
        )
        points = np.concatenate([upper, lower])
        # A circumference that holds a whole number of periods of the patterns.
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

    def _posed_hair(self, pose: _Pose, rest: FloatArray, lag: FloatArray) -> Part:
        """Hanging hair: below the ears it follows gravity more than the head, and it lies on the back.

        Args:
            pose: of the head and the trunk.
            rest: [R, S, 3] in the head's axes.
            lag: displacement of the tips, [3] metres.
        """
        level = np.float32(-0.03)
        rigid = rest.copy()
        rigid[..., 1] = np.maximum(rest[..., 1], level)
        drop = np.maximum(level - rest[..., 1], 0.0)[..., None] * pose.head_scale
        down = unit(np.asarray([0.0, -1.4, 0.0], np.float32) - pose.head_axes[1] / pose.head_scale, (0.0, -1.0, 0.0))
        points = rigid @ pose.head_axes + pose.ears + drop * down + lag * (drop / 0.25) ** 2
        return Part(self._behind_trunk(pose, points), rest, ROWS["hair"])

    def _ponytail(self, pose: _Pose, lag: FloatArray) -> Part:
        s = np.linspace(0, 1, 14, dtype=np.float32)
        volume = np.float32(self.appearance.hair.volume)
        start = np.asarray([0.0, 0.068, -0.100], np.float32) @ pose.head_axes + pose.ears
        left, up, forward = pose.head_axes / pose.head_scale
        line = start - forward * (0.075 * np.sin(np.minimum(s * 2.6, 1.9)) * self._size)[:, None]
        line = line - np.asarray([0.0, 0.27, 0.0], np.float32) * (self._size * volume * s**1.5)[:, None]
        line = line + up * (0.020 * np.sin(s * np.pi) * self._size)[:, None] + lag * (1.3 * s**2)[:, None]
        radius = interpolate_profile(load_profile("head", "ponytail", columns=2), s)[0] * self._size * volume**0.5
        tangent = unit(np.gradient(line, axis=0).astype(np.float32), (0.0, -1.0, 0.0))
        across = unit(reject(np.broadcast_to(left, tangent.shape), tangent), pose.chest[0])
        other = cross(tangent, across)
        cos, sin = superellipse(12)
        points = line[:, None] + radius[:, None, None] * (
            across[:, None] * cos[:, None] + other[:, None] * sin[:, None]
        )
        flat = np.zeros(points.shape[:2], np.float32)
        texcoords = np.stack([flat + 0.06 * cos, flat - 0.25 * s[:, None], flat + 0.06 * sin], -1)
        return Part(self._behind_trunk(pose, points), texcoords, ROWS["hair"])

    def _behind_trunk(self, pose: _Pose, points: FloatArray) -> FloatArray:
        """Points [..., 3] of hair with those inside the trunk and the shoulders moved backwards to their surface."""
        across, up, forward = pose.chest
        size = self._size
        relative = points - pose.neck
        x, y, z = relative @ across, relative @ up, relative @ forward
        thick = 0.015 + (
            0.03 if self.appearance.top.kind == "hoodie" else 0.016 if self.appearance.jacket is not None else 0.0
        )
        levels, depths, hoods, half_widths = load_profile("body", "back", columns=4).T
        levels = levels.astype(np.float32) * size
        depth = np.interp(y, levels, depths * (0.5 + 0.5 * self._girth) + thick * size)
        if self.appearance.top.kind == "hoodie":
            depth = depth + np.interp(y, levels, hoods * size)
        half_width = np.interp(y, levels, half_widths * size)
        surface = -depth * np.sqrt(np.maximum(1 - (x / half_width) ** 2, 0.0))
        # Strands beside the neck are left where they are.
        weight = smoothstep(0.12 * size, 0.06 * size, y)
        push = np.maximum(z - surface, 0.0) * weight
        return np.asarray(points - push[..., None] * forward, np.float32)


class _Pose:
    """Joints of one frame; axes (left, up, forward) of pelvis and chest, and of the head times its scale."""

    def __init__(self, positions: FloatArray, head_scale: np.float32) -> None:
        self._positions = positions
        self.hips = (self["left_hip"] + self["right_hip"]) / 2
        self.neck = self["neck"]
        self.spine = self.neck - self.hips
        self.pelvis = orthonormal_axes(self["left_hip"] - self["right_hip"], self.spine)
        self.chest = orthonormal_axes(self["left_shoulder"] - self["right_shoulder"], self.spine)
        self.up = self.pelvis[1]
        left, right = self["left_ear"], self["right_ear"]
        self.ears = (left + right) / 2
        self.head_scale = head_scale
        across = unit(left - right, self.chest[0])
        forward = unit(reject(self["nose"] - self.ears, across), unit(reject(self.chest[2], across), self.up))
        up = cross(forward, across)
        # The nose joint lies a little below the level of the ears.
        forward, up = unit(forward + 0.093 * up), unit(up - 0.093 * forward)
        self.head_axes = np.stack([across, up, forward]) * head_scale

    def __getitem__(self, joint: str) -> FloatArray:
        position: FloatArray = self._positions[_J[joint]]
        return position

    def spine_axes(self, v: FloatArray, offset: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Axis of the trunk at positions v [R] on the spine: its points and the axes across and forward, each [R, 3].

        Args:
            v: 0 at the hips, 1 at the neck.
            offset: of the axis from the line between them, forward, [R] metres.
        """
        weight = smoothstep(0.1, 0.8, v)[:, None]
        across = unit(self.pelvis[0] + weight * (self.chest[0] - self.pelvis[0]), self.chest[0])
        forward = cross(across, self.up)
        return self.hips + self.spine * v[:, None] + forward * offset[:, None], across, forward


def _limb_curve(joints: tuple[FloatArray, FloatArray, FloatArray], t: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Points and unit tangents, each [R, 3], of a limb: two straight bones with a quadratic Bezier bend between them.

    Args:
        joints: first, middle and last joint, [3] each.
        t: positions [R]; 0, 1 and 2 at the joints.
    """
    a, b, c = joints
    first, second = b - a, c - b
    radius = np.float32(0.16)  # of the bend, in bone lengths
    s = np.clip((t - (1 - radius)) / (2 * radius), 0.0, 1.0)[:, None]
    curve = (1 - s) ** 2 * (b - radius * first) + 2 * s * (1 - s) * b + s**2 * (b + radius * second)
    line = (
        curve + np.minimum(t - (1 - radius), 0.0)[:, None] * first + np.maximum(t - (1 + radius), 0.0)[:, None] * second
    )
    tangent_a, tangent_b = unit(first, (0.0, -1.0, 0.0)), unit(second, (0.0, -1.0, 0.0))
    return line.astype(np.float32), unit((1 - s) * tangent_a + s * tangent_b, tangent_a)


def _hand(sign: float) -> list[Part]:
    """Palm, four fingers and thumb, a little curled; axes: towards the thumb, along the forearm, hinge of the elbow.

    Args:
        sign: 1 for the left hand, -1 for the right: the side on which the palm lies.
    """
    thumb, along, palm = np.eye(3, dtype=np.float32) * np.asarray([[1], [1], [sign]], np.float32)
    distance, half_width, half_thickness = load_profile("body", "palm", columns=3).T.astype(np.float32)
    cos, sin = superellipse(10)
    points = (
        (distance[:, None] * along)[:, None]
        + half_width[:, None, None] * thumb * cos[:, None]
        + half_thickness[:, None, None] * palm * sin[:, None]
    )
    parts = [Part(points.astype(np.float32), _no_texcoords(points), ROWS["skin"])]
    for offset, length, curl in load_array("body", "fingers", shape=(4, 3)).tolist():
        parts.append(_finger(0.080 * along + offset * thumb, along + 2.2 * offset * thumb, palm, length, 0.0092, curl))
    start = 0.022 * along + 0.022 * thumb + 0.004 * palm
    parts.append(_finger(start, 0.70 * along + 0.65 * thumb + 0.2 * palm, along - thumb, 0.066, 0.0115, 0.45))
    return parts


def _finger(start: FloatArray, along: FloatArray, palm: FloatArray, length: float, radius: float, curl: float) -> Part:
    """A tapering finger that curves towards the palm.

    Args:
        start: its root, [3] metres.
        along: its direction at the root, [3].
        palm: direction of the curl, [3].
        length: metres.
        radius: at the root, metres.
        curl: angle between root and tip, radians.
    """
    along = unit(along)
    palm = unit(reject(palm, along))
    s = np.asarray([0.0, 0.35, 0.7, 0.95, 1.0], np.float32)
    radii = np.asarray([1.0, 0.96, 0.87, 0.62, 0.1], np.float32) * radius
    angle = curl * s
    line = start + length * ((s * np.cos(angle * 0.6))[:, None] * along + (s * np.sin(angle))[:, None] * palm)
    side = cross(along, palm)
    normal = np.cos(angle)[:, None] * palm - np.sin(angle)[:, None] * along
    cos, sin = superellipse(6)
    points = line[:, None] + radii[:, None, None] * (side * cos[:, None] + normal[:, None] * sin[:, None])
    return Part(points.astype(np.float32), _no_texcoords(points), ROWS["skin"])


def _no_texcoords(points: FloatArray) -> FloatArray:
    return np.zeros(points.shape, np.float32)


def rest_pose(appearance: Appearance) -> FloatArray:
    """Joints [22, 3] of OPENPOSE_18_FEET in metres: upright, facing +z, the arms a little away from the body."""
    body = appearance.body
    p = np.zeros((len(OPENPOSE_18_FEET), 3), np.float32)
    foot = SOLE + 0.065 * appearance.figure.height / REFERENCE_HEIGHT
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
    for name, (x, y, z) in FACE_POINTS.items():
        p[_J[name]] = (x * body.head, ears + y * body.head, 0.015 + z * body.head)
    return p
