"""Skinning of the layers: triangle meshes that follow the bones, smooth at the joints. Points are complex, x + iy."""

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
from stgmamba.skeleton.rotations import wrap_angle

_TORSO = ("neck", "left_shoulder", "right_shoulder", "left_hip", "right_hip")
_NECK = OPENPOSE_18_FEET.index("neck")
_DEPTH_TO_WIDTH = 0.6  # of a body seen from above
_DIRECTION_SIGMA = 1.2  # frames, of the smoothing of bone directions
_NOSE = OPENPOSE_18_FEET.index("nose")
_EARS = (OPENPOSE_18_FEET.index("left_ear"), OPENPOSE_18_FEET.index("right_ear"))


@dataclass(frozen=True)
class Mesh:
    """Triangle mesh of a layer.

    Attributes:
        vertices: complex128 [V], pixels of the picture.
        triangles: vertex indices, int64 [N, 3].
        source: corners of the triangles in the texture, float64 [N, 3, 2] (x, y).
    """

    vertices: ComplexArray
    triangles: NDArray[np.int64]
    source: DoubleArray


def grid_mesh(texture: NDArray[np.float32], step: int) -> Mesh:
    """A regular grid of triangles over the opaque part of a texture [H, W, 4], with cells of ``step`` pixels."""
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
    used_index, flat = np.unique(triangles, return_inverse=True)
    flat = flat.reshape(-1, 3)
    vertices = (used_index % (columns + 1)) * step + 1j * (used_index // (columns + 1)) * step
    corners = vertices[flat]
    return Mesh(vertices.astype(np.complex128), flat.astype(np.int64), np.stack([corners.real, corners.imag], -1))


def _rotation(angle: DoubleArray | float) -> ComplexArray:
    """Unit complex numbers of angles in radians."""
    return np.asarray(np.exp(1j * np.asarray(angle)))


def bend(parent: ComplexArray, child: ComplexArray, joint: complex, angle: float, weight: DoubleArray) -> ComplexArray:
    """Blend of two bones' transforms along an arc about their joint, which preserves the thickness of a bent limb.

    Args:
        parent: points transformed by the proximal bone, complex [V].
        child: points transformed by the distal bone, complex [V].
        joint: of the two bones.
        angle: rotation of the child relative to the parent, radians in -pi..pi.
        weight: of the child, [V] in 0..1.

    Returns:
        Complex [V].
    """
    a, b = parent - joint, child - joint
    radius = (1 - weight) * np.abs(a) + weight * np.abs(b)
    rotation = angle + wrap_angle(np.angle(b) - np.angle(a) - angle)
    return np.asarray(joint + radius * np.exp(1j * (np.angle(a) + weight * rotation)))


@dataclass(frozen=True)
class Bone:
    """A bone of the picture, from ``start`` to ``end``."""

    start: complex
    end: complex

    def transform(self, points: ComplexArray, start: complex, end: complex, width: float, tip: float) -> ComplexArray:
        """Points transformed with the bone: rotated, translated, scaled differently along and across it.

        Args:
            points: of the picture, complex [V].
            start: where the bone's start is moved to.
            end: where its end is moved to.
            width: scale across the bone, and along it before its start.
            tip: scale along the bone beyond its end.

        Returns:
            Complex [V].
        """
        source, target = self.end - self.start, end - start
        length, target_length = max(abs(source), 1e-6), abs(target)
        local = (points - self.start) * np.conj(source / length)
        u, v = local.real, local.imag
        along = np.where(
            u < 0, u * width, np.where(u > length, target_length + (u - length) * tip, u * target_length / length)
        )
        direction = target / target_length if target_length > 1e-9 else source / length
        return np.asarray(start + direction * (along + 1j * v * width))


def smooth_bone_directions(start: DoubleArray, end: DoubleArray) -> ComplexArray:
    """Bone vectors with directions smoothed over time: they are ill-defined where a bone points at the camera.

    The Gaussian over time weighs directions with the squared projected length.

    Args:
        start: float [T, 2] pixels.
        end: float [T, 2] pixels.

    Returns:
        Complex [T], with the lengths unchanged.
    """
    bone = (end - start)[..., 0] + 1j * (end - start)[..., 1]
    length = np.abs(bone)
    weighted = bone * length
    mean = gaussian_filter1d(weighted.real, _DIRECTION_SIGMA, mode="nearest") + 1j * gaussian_filter1d(
        weighted.imag, _DIRECTION_SIGMA, mode="nearest"
    )
    return np.asarray(mean / np.maximum(np.abs(mean), 1e-9) * length)


class TorsoDeformer:
    """Deformation of the torso layer (head, torso, skirt), driven by spine, shoulders, hips, thighs and head.

    Args:
        vertices: of the layer's mesh, complex [V].
        body: the picture's person.
        layers: of the person.
    """

    def __init__(self, vertices: ComplexArray, body: PhotoBody, layers: PersonLayers) -> None:
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
        self._head_warp = HeadWarp.of(body)
        self._face_weight = self._head_warp.shift_weight(vertices - self._head)
        self._head_weight = smoothstep(0.12, 0.62, along) * smoothstep(0.95, 1.05, self._t)
        self._vertices = vertices
        self._thighs = {side: Bone(point[f"{side}_hip"], complex(*body.joint(f"{side}_knee"))) for side in SIDES}
        hang = layers.skirt if layers.skirt > 0 else 0.45 * self._length
        self._leg_weight = 0.9 * smoothstep(0.0, 1.0, -self._t * self._length / hang)
        half = max(abs(point["left_hip"] - point["right_hip"]), 1e-6)
        middle = (point["left_hip"] + point["right_hip"]) / 2
        sideways = ((vertices - middle) * np.conj((point["left_hip"] - point["right_hip"]) / half)).real
        left = smoothstep(-0.7 * half, 0.7 * half, sideways)
        self._thigh_weight = {"left": left, "right": 1 - left}
        self._joint_weights = {
            name: self._joint_weight(vertices, point[name], part)
            for part in ("shoulder", "hip")
            for name in (f"{side}_{part}" for side in SIDES)
        }

    def _joint_weight(self, vertices: ComplexArray, joint: complex, part: str) -> DoubleArray:
        """Gaussian weight [V] of the displacement of a shoulder or a hip."""
        reach = 0.55 * self._body.lengths[part] + 0.1 * self._length
        return np.asarray(np.exp(-0.5 * (np.abs(vertices - joint) / reach) ** 2) * (1 - self._head_weight))

    def deform(self, placement: Placement, frame: int) -> ComplexArray:
        """Positions of the vertices in one frame of a placement, complex [V]."""
        target = {name: complex(*placement.joint(name)[frame]) for name in _TORSO}
        hips = (target["left_hip"] + target["right_hip"]) / 2
        magnification = float(placement.magnification[frame, _NECK])
        result = self._along_spine(self._t, self._across, hips, target["neck"], placement, frame, magnification)
        for name, weight in self._joint_weights.items():
            source = (self._source[name] - self._hips) * np.conj(self._axis)
            joint = self._along_spine(
                np.asarray([source.real / self._length]),
                np.asarray([source.imag]),
                hips,
                target["neck"],
                placement,
                frame,
                magnification,
            )[0]
            shift = target[name] - joint
            limit = 0.35 * self._body.lengths["shoulder"] * magnification
            shift *= min(1.0, limit / max(abs(shift), 1e-9))
            result = result + weight * shift
        result = self._blend_thighs(result, placement, frame)
        return self._blend_head(result, placement, frame, magnification, target["neck"])

    def _blend_thighs(self, points: ComplexArray, placement: Placement, frame: int) -> ComplexArray:
        """Points with those below the hips (crotch, hem, skirt) blended to the thighs' transforms, complex [V]."""
        with_thighs = np.zeros_like(points)
        for side, weight in self._thigh_weight.items():
            bone = self._thighs[side]
            start, end = (complex(*placement.joint(f"{side}_{part}")[frame]) for part in ("hip", "knee"))
            magnification = float(placement.magnification[frame, OPENPOSE_18_FEET.index(f"{side}_knee")])
            with_thighs += weight * bone.transform(self._vertices, start, end, magnification, magnification)
        return np.asarray((1 - self._leg_weight) * points + self._leg_weight * with_thighs)

    def _along_spine(
        self,
        t: DoubleArray,
        across: DoubleArray,
        hips: complex,
        neck: complex,
        placement: Placement,
        frame: int,
        magnification: float,
    ) -> ComplexArray:
        """Points of the torso: position, roll and width are interpolated along the spine.

        Args:
            t: positions along the spine, [V]; 0 at the hips, 1 at the neck.
            across: offsets across the spine, [V] pixels of the picture.
            hips: middle of the hips in the frame.
            neck: in the frame.
            placement: of the dance.
            frame: its frame.
            magnification: at the neck.

        Returns:
            Complex [V].
        """
        up = np.clip(t, 0, 1)
        spine = neck - hips
        along = hips + spine * np.clip(t, 0, 1)
        over = np.where(t > 1, t - 1, np.where(t < 0, t, 0.0)) * self._length * magnification
        roll = {
            "shoulder": float(placement.roll_shoulders[frame]) - self._roll["shoulder"],
            "hip": float(placement.roll_hips[frame]) - self._roll["hip"],
        }
        tilt = (1 - up) * wrap_angle(np.asarray(roll["hip"])) + up * wrap_angle(np.asarray(roll["shoulder"]))
        width = (1 - up) * _relative_width(float(placement.yaw_hips[frame])) + up * _relative_width(
            float(placement.yaw_shoulders[frame])
        )
        direction = self._axis * _rotation(tilt)
        return np.asarray(along + direction * (over + 1j * across * width * magnification))

    def _blend_head(
        self, points: ComplexArray, placement: Placement, frame: int, magnification: float, neck: complex
    ) -> ComplexArray:
        """Points with those of the head blended to the head warp, complex [V]."""
        ears = (placement.points[frame, _EARS[0]] + placement.points[frame, _EARS[1]]) / 2
        rotation, centre = self._head_warp.head_transform(np.asarray(complex(*ears) - neck), np.asarray(magnification))
        local = self._vertices - self._head_warp.head
        if self._body.face_visible:
            nose = complex(*(placement.points[frame, _NOSE] - ears)) / (rotation * magnification)
            local = local + self._head_warp.limit_shift(nose - self._head_warp.nose) * self._face_weight
        rigid = neck + centre + rotation * local * magnification
        weight = self._head_weight
        return np.asarray((1 - weight) * points + weight * rigid)


def _relative_width(yaw: float) -> float:
    """Projected width of a rotated elliptic body, relative to yaw 0."""
    return float(np.hypot(np.cos(yaw), _DEPTH_TO_WIDTH * np.sin(yaw)))


class LimbDeformer:
    """Deformation of an arm's or a leg's layer, driven by its bones.

    Args:
        name: of the layer.
        mesh: of the layer.
        axis: of the limb.

    Attributes:
        distal: whether a triangle belongs to the forearm or the shin, bool [N].
    """

    def __init__(self, name: str, mesh: Mesh, axis: LimbAxis) -> None:
        self.name = name
        self._vertices = mesh.vertices
        self._bones = [Bone(complex(a), complex(b)) for a, b in zip(axis.points[:-1], axis.points[1:], strict=True)]
        knots = axis.knots
        _, arc = axis.nearest(mesh.vertices)
        widths = axis.width(knots)
        self._bend = [smoothstep(-0.9 * w, 0.9 * w, arc - k) for k, w in zip(knots[1:3], widths[1:3], strict=True)]
        self._root = smoothstep(-0.5 * widths[0], 0.8 * widths[0], arc) if name in LEGS else np.ones(len(arc))
        centre = arc[mesh.triangles].mean(axis=1)
        self.distal = centre > knots[1]
        self._order = np.argsort(centre, kind="stable")

    def drawing_order(self, outwards: bool) -> NDArray[np.int64]:
        """Indices of the triangles, back to front; ``outwards``: with the distal end in front."""
        return self._order if outwards else self._order[::-1]

    def deform(self, track: LimbTrack, frame: int, hip_attached: ComplexArray) -> ComplexArray:
        """Positions of the vertices in one frame, complex [V].

        Args:
            track: of the limb's joints.
            frame: of the track.
            hip_attached: the vertices as the torso deforms them, complex [V]; read for legs only.
        """
        joints = track.joints[frame]
        parts = []
        for k, bone in enumerate(self._bones[:2]):
            magnification = float(track.magnification[frame, k])
            ratio = abs(joints[k + 1] - joints[k]) / max(abs(bone.end - bone.start), 1e-6)
            tip = float(np.clip(ratio, 0.6 * magnification, 1.1 * magnification))
            parts.append(bone.transform(self._vertices, joints[k], joints[k + 1], magnification, tip))
        rotations = [np.angle((joints[k + 1] - joints[k]) / (b.end - b.start)) for k, b in enumerate(self._bones[:2])]
        result = parts[0]
        if self.name in LEGS:
            rotation = float(np.angle((joints[1] - joints[0]) / (self._bones[0].end - self._bones[0].start)))
            result = bend(hip_attached, parts[0], joints[0], rotation, self._root)
        result = bend(
            result, parts[1], joints[1], float(wrap_angle(np.asarray(rotations[1] - rotations[0]))), self._bend[0]
        )
        if self.name in LEGS:
            ankle = self._bones[1].end
            rotation = float(track.foot_rotation[frame])
            foot = joints[2] + np.exp(1j * rotation) * (self._vertices - ankle) * float(track.magnification[frame, 1])
            relative = float(wrap_angle(np.asarray(rotation - rotations[1])))
            result = bend(result, np.asarray(foot), joints[2], relative, self._bend[1])
        return result


@dataclass(frozen=True)
class LimbTrack:
    """Joints of a limb over time.

    Attributes:
        joints: first, middle and last joint, complex128 [T, 3].
        magnification: of the two bones, float64 [T, 2].
        foot_rotation: rotation of the foot in the picture, float64 [T] radians; 0 for arms.
    """

    joints: ComplexArray
    magnification: DoubleArray
    foot_rotation: DoubleArray


def track_limb(name: str, placement: Placement, body: PhotoBody) -> LimbTrack:
    """Joints of a limb (``<side>_arm`` or ``<side>_leg``) in a placement, with smoothed bone directions."""
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
        # Smoothing may move the knee, but not the ankle: feet must not slide.
        joints[:, 2] = points[:, 2, 0] + 1j * points[:, 2, 1]
    at_joints = placement.magnification[:, indices]
    magnification = (at_joints[:, 1:] + at_joints[:, :-1]) / 2
    foot_rotation = _foot_rotation(side, placement, body) if limb == "leg" else np.zeros(len(root))
    return LimbTrack(joints, magnification, foot_rotation)


def _foot_rotation(side: str, placement: Placement, body: PhotoBody) -> DoubleArray:
    """Smoothed rotation of a foot in the picture, [T] radians in -0.7..0.7.

    Weighted with the foot's projected length: the direction of a foot that points at the camera is ill-defined.
    """
    source = complex(*(body.joint(f"{side}_toe") - body.joint(f"{side}_heel")))
    toe, heel = placement.joint(f"{side}_toe"), placement.joint(f"{side}_heel")
    target = (toe - heel)[:, 0] + 1j * (toe - heel)[:, 1]
    weight = np.clip(np.abs(target) / (0.3 * body.torso), 0, 1)
    rotation = wrap_angle(np.angle(target) - np.angle(source))
    rotation = np.clip(rotation, -0.7, 0.7) * weight
    return np.asarray(gaussian_filter1d(rotation, 1.5, mode="nearest"))
