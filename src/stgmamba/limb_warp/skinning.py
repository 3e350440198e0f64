"""Moving the sheets: triangle meshes that follow the bones, smooth at the joints."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from stgmamba.arrays import ComplexArray, DoubleArray, smoothstep
from stgmamba.limb_warp.retargeting import SIDES, HeadWarp, PhotoBody, Placement
from stgmamba.limb_warp.segmentation import LEGS, LimbAxis, PersonLayers
from stgmamba.skeleton.layouts import OPENPOSE_18_FEET

_TORSO = ("neck", "left_shoulder", "right_shoulder", "left_hip", "right_hip")
_NECK = OPENPOSE_18_FEET.index("neck")
_NOSE = OPENPOSE_18_FEET.index("nose")
_EARS = (OPENPOSE_18_FEET.index("left_ear"), OPENPOSE_18_FEET.index("right_ear"))


@dataclass(frozen=True)
class Mesh:
    """A sheet's triangles.

    Attributes:
        vertices: complex128 [V], source pixels (x + iy).
        triangles: int64 [N, 3].
        source: float64 [N, 3, 2], the triangles' corners in the texture.
    """

    vertices: ComplexArray
    triangles: NDArray[np.int64]
    source: DoubleArray


def grid_mesh(texture: NDArray[np.float32], step: int) -> Mesh:
    """A regular grid of triangles over the opaque part of a texture [H, W, 4], cells of ``step`` pixels."""
    height, width = texture.shape[:2]
    alpha = cv2.dilate(texture[..., 3], np.ones((3, 3), np.uint8))
    rows, columns = -(-height // step), -(-width // step)
    padded = np.zeros((rows * step, columns * step), np.float32)
    padded[:height, :width] = alpha
    used = padded.reshape(rows, step, columns, step).max(axis=(1, 3)) > 0.004
    y, x = np.nonzero(used)
    index = y * (columns + 1) + x
    right, below = index + 1, index + columns + 1
    triangles = np.concatenate([np.stack([index, right, below], 1), np.stack([right, below + 1, below], 1)])
    names, flat = np.unique(triangles, return_inverse=True)
    flat = flat.reshape(-1, 3)
    vertices = (names % (columns + 1)) * step + 1j * (names // (columns + 1)) * step
    corners = vertices[flat]
    return Mesh(vertices.astype(np.complex128), flat.astype(np.int64), np.stack([corners.real, corners.imag], -1))


def _turn(angle: DoubleArray | float) -> ComplexArray:
    return np.asarray(np.exp(1j * np.asarray(angle)))


def _wrap(angle: DoubleArray) -> DoubleArray:
    return np.asarray((angle + np.pi) % (2 * np.pi) - np.pi)


def bend(parent: ComplexArray, child: ComplexArray, joint: complex, angle: float, weight: DoubleArray) -> ComplexArray:
    """Between two rigid positions, along an arc about their joint, so that a bent limb keeps its thickness.

    Args:
        parent: complex [V], where the bone nearer the body would carry the points.
        child: complex [V], where the further bone would carry them.
        joint: where the bones meet.
        angle: by how much the child bone turns against the parent, radians in -pi..pi.
        weight: float [V], 0 on the parent's side, 1 on the child's.
    """
    a, b = parent - joint, child - joint
    radius = (1 - weight) * np.abs(a) + weight * np.abs(b)
    turn = angle + _wrap(np.angle(b) - np.angle(a) - angle)
    return np.asarray(joint + radius * np.exp(1j * (np.angle(a) + weight * turn)))


@dataclass(frozen=True)
class Bone:
    """One bone's similarity, stretched along the bone only."""

    start: complex
    end: complex

    def transform(self, points: ComplexArray, start: complex, end: complex, width: float, tip: float) -> ComplexArray:
        """Points of the picture as the bone at ``start``-``end`` carries them.

        ``width`` scales across the bone and before its start, ``tip`` along it beyond its end.
        """
        source, target = self.end - self.start, end - start
        length, wanted = max(abs(source), 1e-6), abs(target)
        local = (points - self.start) * np.conj(source / length)
        u, v = local.real, local.imag
        along = np.where(u < 0, u * width, np.where(u > length, wanted + (u - length) * tip, u * wanted / length))
        direction = target / wanted if wanted > 1e-9 else source / length
        return np.asarray(start + direction * (along + 1j * v * width))


def smooth_bone_directions(start: DoubleArray, end: DoubleArray, sigma: float = 1.2) -> ComplexArray:
    """Bone vectors [T] whose direction does not flicker where the bone points at the camera.

    Directions are averaged over neighbouring frames with the squared visible length as weight; lengths stay.
    """
    bone = (end - start)[..., 0] + 1j * (end - start)[..., 1]
    length = np.abs(bone)
    weighted = bone * length
    mean = gaussian_filter1d(weighted.real, sigma, mode="nearest") + 1j * gaussian_filter1d(
        weighted.imag, sigma, mode="nearest"
    )
    return np.asarray(mean / np.maximum(np.abs(mean), 1e-9) * length)


class TorsoDeformer:
    """Head, torso and skirt as one elastic sheet hung on spine, shoulders and hips."""

    def __init__(self, vertices: ComplexArray, body: PhotoBody, cut: PersonLayers) -> None:
        self._body = body
        point = {name: complex(*body.joint(name)) for name in _TORSO}
        self._source = point
        self._hips, self._neck = complex(*body.hips), point["neck"]
        self._head = complex(*body.head)
        axis = self._neck - self._hips
        self._length = max(abs(axis), 1e-6)
        self._axis = axis / self._length
        local = (vertices - self._hips) * np.conj(self._axis)
        self._t = local.real / self._length
        self._across = local.imag
        self._roll = {
            part: float(np.angle(point[f"left_{part}"] - point[f"right_{part}"])) for part in ("shoulder", "hip")
        }
        head_axis = self._head - self._neck
        along = ((vertices - self._neck) * np.conj(head_axis / max(abs(head_axis), 1e-6))).real / max(
            abs(head_axis), 1e-6
        )
        self._face = HeadWarp.of(body)
        self._face_share = self._face.share(vertices - self._head)
        self._head_weight = smoothstep(0.12, 0.62, along) * smoothstep(0.95, 1.05, self._t)
        self._vertices = vertices
        self._thighs = {side: Bone(point[f"{side}_hip"], complex(*body.joint(f"{side}_knee"))) for side in SIDES}
        hang = cut.skirt if cut.skirt > 0 else 0.45 * self._length
        self._leg_weight = 0.9 * smoothstep(0.0, 1.0, -self._t * self._length / hang)
        half = max(abs(point["left_hip"] - point["right_hip"]), 1e-6)
        middle = (point["left_hip"] + point["right_hip"]) / 2
        sideways = ((vertices - middle) * np.conj((point["left_hip"] - point["right_hip"]) / half)).real
        left = smoothstep(-0.7 * half, 0.7 * half, sideways)
        self._thigh_share = {"left": left, "right": 1 - left}
        self._handles = {
            name: self._influence(vertices, point[name], part)
            for part in ("shoulder", "hip")
            for name in (f"{side}_{part}" for side in SIDES)
        }

    def _influence(self, vertices: ComplexArray, at: complex, part: str) -> DoubleArray:
        reach = 0.55 * self._body.lengths[part] + 0.1 * self._length
        return np.asarray(np.exp(-0.5 * (np.abs(vertices - at) / reach) ** 2) * (1 - self._head_weight))

    def pose(self, placement: Placement, frame: int) -> ComplexArray:
        """Positions of the sheet's vertices in one frame, complex [V]."""
        at = {name: complex(*placement.joint(name)[frame]) for name in _TORSO}
        hips = (at["left_hip"] + at["right_hip"]) / 2
        near = float(placement.magnification[frame, _NECK])
        result = self._frame(self._t, self._across, hips, at["neck"], placement, frame, near)
        for name, weight in self._handles.items():
            source = (self._source[name] - self._hips) * np.conj(self._axis)
            head_transform = self._frame(
                np.asarray([source.real / self._length]),
                np.asarray([source.imag]),
                hips,
                at["neck"],
                placement,
                frame,
                near,
            )[0]
            shift = at[name] - head_transform
            limit = 0.35 * self._body.lengths["shoulder"] * near
            shift *= min(1.0, limit / max(abs(shift), 1e-9))
            result = result + weight * shift
        result = self._with_legs(result, placement, frame)
        return self._with_head(result, placement, frame, near, at["neck"])

    def _with_legs(self, points: ComplexArray, placement: Placement, frame: int) -> ComplexArray:
        """What hangs below the hips goes with the thighs: crotch, hem, skirt."""
        head_transform = np.zeros_like(points)
        for side, share in self._thigh_share.items():
            bone = self._thighs[side]
            start, end = (complex(*placement.joint(f"{side}_{part}")[frame]) for part in ("hip", "knee"))
            near = float(placement.magnification[frame, OPENPOSE_18_FEET.index(f"{side}_knee")])
            head_transform += share * bone.transform(self._vertices, start, end, near, near)
        return np.asarray((1 - self._leg_weight) * points + self._leg_weight * head_transform)

    def _frame(
        self,
        t: DoubleArray,
        across: DoubleArray,
        hips: complex,
        neck: complex,
        placement: Placement,
        frame: int,
        near: float,
    ) -> ComplexArray:
        """The torso's frame: spine position, tilt and squeeze blend from hips (t = 0) to neck (t = 1)."""
        up = np.clip(t, 0, 1)
        spine = neck - hips
        along = hips + spine * np.clip(t, 0, 1)
        over = np.where(t > 1, t - 1, np.where(t < 0, t, 0.0)) * self._length * near
        roll = {
            "shoulder": float(placement.roll_shoulders[frame]) - self._roll["shoulder"],
            "hip": float(placement.roll_hips[frame]) - self._roll["hip"],
        }
        tilt = (1 - up) * _wrap(np.asarray(roll["hip"])) + up * _wrap(np.asarray(roll["shoulder"]))
        squeeze = (1 - up) * _squeeze(float(placement.yaw_hips[frame])) + up * _squeeze(
            float(placement.yaw_shoulders[frame])
        )
        direction = self._axis * _turn(tilt)
        return np.asarray(along + direction * (over + 1j * across * squeeze * near))

    def _with_head(
        self, points: ComplexArray, placement: Placement, frame: int, near: float, neck: complex
    ) -> ComplexArray:
        ears = (placement.points[frame, _EARS[0]] + placement.points[frame, _EARS[1]]) / 2
        turn, centre = self._face.head_transform(np.asarray(complex(*ears) - neck), np.asarray(near))
        own = self._vertices - self._face.head
        if self._body.shows_face:
            nose = complex(*(placement.points[frame, _NOSE] - ears)) / (turn * near)
            own = own + self._face.limited(nose - self._face.nose) * self._face_share
        rigid = neck + centre + turn * own * near
        weight = self._head_weight
        return np.asarray((1 - weight) * points + weight * rigid)


def _squeeze(yaw: float, depth: float = 0.6) -> float:
    """Visible width of a turned body whose depth is ``depth`` times its width (an ellipse seen from the side)."""
    return float(np.hypot(np.cos(yaw), depth * np.sin(yaw)))


class LimbDeformer:
    """An arm or a leg as a bending strip."""

    def __init__(self, name: str, mesh: Mesh, axis: LimbAxis, body: PhotoBody) -> None:
        self.name = name
        self._vertices = mesh.vertices
        self._bones = [Bone(complex(a), complex(b)) for a, b in zip(axis.points[:-1], axis.points[1:], strict=True)]
        knots = axis.knots
        _, arc = axis.nearest(mesh.vertices)
        widths = axis.width(knots)
        self._bend = [smoothstep(-0.9 * w, 0.9 * w, arc - k) for k, w in zip(knots[1:3], widths[1:3], strict=True)]
        self._root = smoothstep(-0.5 * widths[0], 0.8 * widths[0], arc) if name in LEGS else np.ones(len(arc))
        centre = arc[mesh.triangles].mean(axis=1)
        self.second = centre > knots[1]  # triangles of forearm or shin
        self._order = np.argsort(centre, kind="stable")

    def order(self, outwards: bool) -> NDArray[np.int64]:
        """Triangles from the one drawn first to the one drawn last; ``outwards``: the far end on top."""
        return self._order if outwards else self._order[::-1]

    def pose(self, track: LimbTrack, frame: int, core: ComplexArray) -> ComplexArray:
        """Positions of the sheet's vertices in one frame, complex [V].

        Args:
            track: where the limb's bones are.
            frame: which frame.
            core: complex [V], where the torso would carry these vertices.
        """
        joints = track.joints[frame]
        parts = []
        for k, bone in enumerate(self._bones[:2]):
            near = float(track.magnification[frame, k])
            ratio = abs(joints[k + 1] - joints[k]) / max(abs(bone.end - bone.start), 1e-6)
            tip = float(np.clip(ratio, 0.6 * near, 1.1 * near))
            parts.append(bone.transform(self._vertices, joints[k], joints[k + 1], near, tip))
        turns = [np.angle((joints[k + 1] - joints[k]) / (b.end - b.start)) for k, b in enumerate(self._bones[:2])]
        result = parts[0]
        if self.name in LEGS:
            turn = float(np.angle((joints[1] - joints[0]) / (self._bones[0].end - self._bones[0].start)))
            result = bend(core, parts[0], joints[0], turn, self._root)
        result = bend(result, parts[1], joints[1], float(_wrap(np.asarray(turns[1] - turns[0]))), self._bend[0])
        if self.name in LEGS:
            ankle = self._bones[1].end
            turn = float(track.foot_turn[frame])
            foot = joints[2] + np.exp(1j * turn) * (self._vertices - ankle) * float(track.magnification[frame, 1])
            relative = float(_wrap(np.asarray(turn - turns[1])))
            result = bend(result, np.asarray(foot), joints[2], relative, self._bend[1])
        return result


@dataclass(frozen=True)
class LimbTrack:
    """Where a limb's bones are in every frame.

    Attributes:
        joints: complex128 [T, 3], root, middle and end joint.
        magnification: float64 [T, 2], perspective magnification of the two bones.
        foot_turn: float64 [T], by how much the foot is turned in the picture, radians (legs).
    """

    joints: ComplexArray
    magnification: DoubleArray
    foot_turn: DoubleArray


def track_limb(name: str, placement: Placement, body: PhotoBody) -> LimbTrack:
    """Follow a limb through a placed dance."""
    side, limb = name.split("_")
    parts = ("shoulder", "elbow", "wrist") if limb == "arm" else ("hip", "knee", "ankle")
    names = [f"{side}_{part}" for part in parts]
    indices = [OPENPOSE_18_FEET.index(n) for n in names]
    points = placement.points[:, indices]
    first = smooth_bone_directions(points[:, 0], points[:, 1])
    second = smooth_bone_directions(points[:, 1], points[:, 2])
    root = points[:, 0, 0] + 1j * points[:, 0, 1]
    joints = np.stack([root, root + first, root + first + second], axis=1)
    if limb == "leg":
        # The foot stands where it stands; smoothing may move the knee, not the ankle.
        joints[:, 2] = points[:, 2, 0] + 1j * points[:, 2, 1]
    near = placement.magnification[:, indices]
    magnification = (near[:, 1:] + near[:, :-1]) / 2
    foot = np.zeros(len(root))
    if limb == "leg":
        foot = _foot_turn(side, placement, body)
    return LimbTrack(joints, magnification, foot)


def _foot_turn(side: str, placement: Placement, body: PhotoBody) -> DoubleArray:
    """A foot's turn in the picture: none while it stands, following its own pitch when it is lifted or points down."""
    source = complex(*(body.joint(f"{side}_toe") - body.joint(f"{side}_heel")))
    toe, heel = placement.joint(f"{side}_toe"), placement.joint(f"{side}_heel")
    target = (toe - heel)[:, 0] + 1j * (toe - heel)[:, 1]
    trust = np.clip(np.abs(target) / (0.3 * body.torso), 0, 1)
    turn = _wrap(np.angle(target) - np.angle(source))
    turn = np.clip(turn, -0.7, 0.7) * trust
    return np.asarray(gaussian_filter1d(turn, 1.5, mode="nearest"))
