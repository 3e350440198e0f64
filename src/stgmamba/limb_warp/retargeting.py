"""Retargeting of a 3-D dance to the person of a picture: their proportions, their feet on the picture's floor."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import gaussian_filter1d

from stgmamba.arrays import BoolArray, ComplexArray, DoubleArray
from stgmamba.errors import InputError
from stgmamba.skeleton.anthropometry import PHOTO_PROPORTIONS
from stgmamba.skeleton.body import Body, measure, mid_hip, rebuild
from stgmamba.skeleton.layouts import OPENPOSE_18_FEET
from stgmamba.skeleton.rotations import line_yaw
from stgmamba.skeleton.sequence import Skeleton

SIDES = ("right", "left")

_ENDS = {
    "upper_arm": ("shoulder", "elbow"),
    "forearm": ("elbow", "wrist"),
    "thigh": ("hip", "knee"),
    "shin": ("knee", "ankle"),
}
# A bone shorter in the picture than this fraction of the average is regarded as foreshortened.
_MIN_BONE = 0.78
_SHOWN = 0.3  # confidence of a joint that the picture shows

_FACE = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
_HEAD_RADIUS = 0.32  # in neck-to-ear lengths
_NOSE_DEPTH = 1.2  # from the axis through the ears to the tip of the nose, in head radii
_MAX_HEAD_ROLL = 0.6  # radians
_MAX_FACE_SHIFT = 0.5  # in head radii; a larger one would uncover what the picture does not show

_CAMERA_DISTANCE = 3.0  # in body heights
_CAMERA_HEIGHT = 0.55  # in body heights


@dataclass(frozen=True)
class PhotoBody:
    """Measurements of a picture's person.

    Attributes:
        joints: float64 [22, 2] pixels, OPENPOSE_18_FEET; joints that the picture does not show are estimated.
        visible: bool [22], whether the picture shows the joint.
        lengths: unforeshortened bone lengths in pixels, by the names of ``PHOTO_PROPORTIONS``.
        from_behind: whether the person is seen from behind; left and right are then exchanged in all the above.
    """

    joints: DoubleArray
    visible: BoolArray
    lengths: dict[str, float]
    from_behind: bool = False

    @property
    def joint_order(self) -> list[int]:
        """For each of its joints the index of the joint in the picture's pose."""
        return list(OPENPOSE_18_FEET.mirror) if self.from_behind else list(range(len(OPENPOSE_18_FEET)))

    def joint(self, name: str) -> DoubleArray:
        """Pixel position of one joint, [2]."""
        return np.asarray(self.joints[_index(name)])

    def has(self, *names: str) -> bool:
        """Whether the picture shows all these joints."""
        return all(bool(self.visible[_index(name)]) for name in names)

    @property
    def torso(self) -> float:
        """Neck to the middle of the hips, pixels."""
        return float(np.linalg.norm(self.joint("neck") - self.hips))

    @property
    def hips(self) -> DoubleArray:
        """Middle of the hips, [2]."""
        return np.asarray((self.joint("left_hip") + self.joint("right_hip")) / 2)

    @property
    def head(self) -> DoubleArray:
        """Middle of the head at ear height, [2]."""
        if self.has("left_ear", "right_ear"):
            return np.asarray((self.joint("left_ear") + self.joint("right_ear")) / 2)
        return self.joint("nose")

    @property
    def head_radius(self) -> float:
        """Half the head's width without hair, pixels: half the distance of the ears, or an average head's if larger."""
        half_distance = float(np.linalg.norm(self.joint("left_ear") - self.joint("right_ear"))) / 2
        return max(half_distance, _HEAD_RADIUS * self.lengths["head"])

    @property
    def face_visible(self) -> bool:
        """Whether the picture shows nose and both ears from the front, so that the face can be shifted."""
        return not self.from_behind and self.has("nose", "left_ear", "right_ear")

    @property
    def height(self) -> float:
        """Standing height in pixels, from the bone lengths."""
        lengths = self.lengths
        return self.torso * 1.0 + lengths["thigh"] + lengths["shin"] + 2.1 * lengths["head"]

    def scaled(self, factor: float) -> PhotoBody:
        """The same body in a picture resized by ``factor``."""
        lengths = {name: length * factor for name, length in self.lengths.items()}
        return replace(self, joints=self.joints * factor, lengths=lengths)


def _index(name: str) -> int:
    return OPENPOSE_18_FEET.index(name)


def measure_body(skeleton: Skeleton) -> PhotoBody:
    """Measure the person in a picture; joints that it does not show are estimated.

    A foreshortened bone takes the length of its counterpart on the other side, or a fraction of an average person's.

    Args:
        skeleton: 2-D OPENPOSE_18_FEET, one frame.

    Raises:
        InputError: neither shoulder is shown.
    """
    joints = skeleton.positions[0].astype(np.float64).copy()
    visible = skeleton.confidence[0] >= _SHOWN
    _estimate_missing(joints, visible)
    # Seen from behind, left and right are exchanged: the person then dances with the back to the camera.
    from_behind = all(
        joints[_index(f"left_{part}"), 0] < joints[_index(f"right_{part}"), 0] for part in ("shoulder", "hip")
    )
    body = PhotoBody(joints, visible, {}, from_behind)
    body = replace(body, joints=joints[body.joint_order], visible=visible[body.joint_order])
    torso = body.torso
    lengths = {}
    for bone, (a, b) in _ENDS.items():
        measured = [float(np.linalg.norm(body.joint(f"{s}_{a}") - body.joint(f"{s}_{b}"))) for s in SIDES]
        lengths[bone] = max(*measured, _MIN_BONE * PHOTO_PROPORTIONS[bone] * torso)
    lengths["shoulder"] = float(np.linalg.norm(body.joint("left_shoulder") - body.joint("right_shoulder")) / 2)
    lengths["hip"] = float(np.linalg.norm(body.joint("left_hip") - body.joint("right_hip")) / 2)
    lengths["head"] = float(np.linalg.norm(body.head - body.joint("neck")))
    return replace(body, lengths=lengths)


def _estimate_missing(joints: DoubleArray, visible: BoolArray) -> None:
    """Estimate joints [22, 2] that are not visible, in place: torso first, then each from its parent."""

    def has(name: str) -> bool:
        return bool(visible[_index(name)])

    def put(name: str, position: DoubleArray) -> None:
        if not has(name):
            joints[_index(name)] = position

    def get(name: str) -> DoubleArray:
        return np.asarray(joints[_index(name)])

    if not (has("left_shoulder") or has("right_shoulder")):
        raise InputError(
            "the picture shows no shoulder of the person; use one that shows at least head and upper body."
        )
    scale = _estimate_torso(joints, visible)
    middle = (get("left_hip") + get("right_hip")) / 2
    down = middle - get("neck")
    down /= max(float(np.linalg.norm(down)), 1e-6)
    put("nose", get("neck") - down * PHOTO_PROPORTIONS["head"] * scale)
    for bone, (a, b) in _ENDS.items():
        for side, other in (SIDES, SIDES[::-1]):
            name = f"{side}_{b}"
            if has(f"{other}_{a}") and has(f"{other}_{b}"):
                offset = (get(f"{other}_{b}") - get(f"{other}_{a}")) * (-1, 1)
            else:
                offset = down * PHOTO_PROPORTIONS[bone] * scale
            put(name, get(f"{side}_{a}") + offset)
    for side in SIDES:
        outward = 1.0 if get(f"{side}_hip")[0] > middle[0] else -1.0
        put(f"{side}_heel", get(f"{side}_ankle") + np.asarray([-0.02 * outward, 0.07]) * scale)
        put(f"{side}_toe", get(f"{side}_ankle") + np.asarray([0.06 * outward, 0.16]) * scale)
    for name in ("eye", "ear"):
        for side in SIDES:
            put(f"{side}_{name}", get("nose"))


def _estimate_torso(joints: DoubleArray, visible: BoolArray) -> float:
    """Estimate shoulders, neck and hips that are not visible, in place; returns the torso's length in pixels."""
    shoulders, hips = ([_index(f"{side}_{part}") for side in SIDES] for part in ("shoulder", "hip"))
    nose, neck = _index("nose"), _index("neck")
    for one, other in (shoulders, shoulders[::-1]):
        if not visible[one]:
            middle = joints[nose, 0] if visible[nose] else joints[other, 0]
            joints[one] = (2 * middle - joints[other, 0], joints[other, 1])
    if not visible[neck]:
        joints[neck] = joints[shoulders].mean(axis=0)
    width = max(float(np.linalg.norm(joints[shoulders[0]] - joints[shoulders[1]])), 1.0)
    if not visible[hips].any():
        across = (joints[shoulders[1]] - joints[shoulders[0]]) / width
        down = np.asarray([-across[1], across[0]])
        down = down if down[1] > 0 else -down
        middle = joints[neck] + down * width / (2 * PHOTO_PROPORTIONS["shoulder"])
        for one, sign in zip(hips, (-1, 1), strict=True):
            joints[one] = middle + sign * across * width * PHOTO_PROPORTIONS["hip"] / (
                2 * PHOTO_PROPORTIONS["shoulder"]
            )
    else:
        for one, other in (hips, hips[::-1]):
            if not visible[one]:
                joints[one] = (2 * joints[neck, 0] - joints[other, 0], joints[other, 1])
    return max(float(np.linalg.norm(joints[hips].mean(axis=0) - joints[neck])), 1.0)


@dataclass(frozen=True)
class Placement:
    """A dance in the coordinates of a picture.

    Attributes:
        points: joints, float64 [T, 22, 2] pixels.
        depth: float64 [T, 22] pixels towards the camera from where the picture's person stands.
        magnification: perspective magnification at each joint, float64 [T, 22]; 1 at depth 0.
        yaw_shoulders, yaw_hips: rotation of the shoulder and hip lines about the vertical, float64 [T] radians; 0 is
            parallel to the picture.
        roll_shoulders, roll_hips: rotation of these lines in the picture, float64 [T] radians, positive clockwise.
    """

    points: DoubleArray
    depth: DoubleArray
    magnification: DoubleArray
    yaw_shoulders: DoubleArray
    yaw_hips: DoubleArray
    roll_shoulders: DoubleArray
    roll_hips: DoubleArray

    def joint(self, name: str) -> DoubleArray:
        """One joint, [T, 2] pixels."""
        return np.asarray(self.points[:, _index(name)])


@dataclass(frozen=True)
class HeadWarp:
    """Warp of a picture's head: a similarity transform that follows the neck, and a shift of the face in its outline.

    A small yaw or pitch of a head is approximated by a shift of the facial features: largest in the middle of the face
    and 0 at the outline.

    Attributes:
        neck, head: positions of the neck and of the middle of the head at ear height in the picture, x + iy pixels.
        nose: position of the nose relative to ``head``.
        radius: half the head's width without hair, pixels.
    """

    neck: complex
    head: complex
    nose: complex
    radius: float

    @classmethod
    def of(cls, body: PhotoBody) -> HeadWarp:
        """The head warp of a measured person."""
        head = complex(*body.head)
        return cls(complex(*body.joint("neck")), head, complex(*body.joint("nose")) - head, body.head_radius)

    @property
    def upright(self) -> complex:
        """Unit complex number by which directions in the picture are multiplied to make the head upright."""
        axis = self.head - self.neck
        return (axis / max(abs(axis), 1e-6)).conjugate() * -1j

    def head_transform(self, target: ComplexArray, magnification: DoubleArray) -> tuple[ComplexArray, ComplexArray]:
        """Rotation and translation of the head for a dance's head.

        Args:
            target: vectors from the neck to the middle of the ears, complex [T].
            magnification: perspective magnification, [T].

        Returns:
            The head's rotation in the picture as unit complex numbers [T], at most ``_MAX_HEAD_ROLL``; and the vectors
            from the neck to the middle of the head, complex [T]. A nod shortens the neck; the head keeps its size.
        """
        source = self.head - self.neck
        rotation = np.exp(1j * np.clip(np.angle(target / source), -_MAX_HEAD_ROLL, _MAX_HEAD_ROLL))
        nod = np.clip(np.abs(target) / np.maximum(abs(source) * magnification, 1e-6), 0.85, 1.05)
        return rotation, rotation * source * nod * magnification

    def shift_weight(self, points: ComplexArray) -> DoubleArray:
        """Displacement of points relative to that of the nose, [V]; points are complex [V], relative to ``head``."""
        return np.asarray(self._bump(points) / max(float(self._bump(np.asarray(self.nose))), 0.3))

    def _bump(self, points: ComplexArray) -> DoubleArray:
        local = points * self.upright
        square = (local.real / (1.25 * self.radius)) ** 2 + (local.imag / (1.6 * self.radius)) ** 2
        return np.asarray(np.maximum(1 - square, 0) ** 2)

    def limit_shift(self, shift: ComplexArray) -> ComplexArray:
        """A shift of the nose, limited to ``_MAX_FACE_SHIFT``, for which the warp is injective."""
        return np.asarray(shift * np.minimum(1, _MAX_FACE_SHIFT * self.radius / np.maximum(np.abs(shift), 1e-9)))


def retarget_to_picture(dance: Skeleton, body: PhotoBody, size: tuple[int, int]) -> Placement:
    """Retarget a dance to the person of a picture.

    Bone directions are the dance's, bone lengths the picture's; contacts of the feet are preserved. The first frame
    stands on the picture's feet. Slow travel is scaled down until the dance fits into the picture's width, to 15 % at
    least.

    Args:
        dance: 3-D OPENPOSE_18_FEET, metres.
        body: the picture's person.
        size: (width, height) of the picture, pixels.

    Raises:
        ValueError: the dance is not a 3-D OPENPOSE_18_FEET skeleton.
    """
    if dance.layout != OPENPOSE_18_FEET or dance.dims != 3:
        raise ValueError(f"a 3-D {OPENPOSE_18_FEET.name} dance is needed, got {dance.dims}-D {dance.layout.name}")
    pose, scale = _with_photo_lengths(dance, body)  # pixels, y up, root at the origin
    legs = body.has("left_knee") or body.has("right_knee")
    original = dance.positions.astype(np.float64) * scale
    if legs:
        root = _root_from_contacts(original, pose, body.height)
        root[:, [0, 2]] -= _feet(pose + root[:, None])[0, [0, 2]]
    else:
        middle = mid_hip(original)
        # A half-length picture has no floor: it sways in place, and its lower edge never rises into view.
        root = 0.5 * (middle - middle.mean(axis=0))
        root[:, 1] -= root[:, 1].max()
    root = _limit_travel(root, pose, body, size, dance.fps)
    if legs:
        root[:, 2] -= _excess_depth(pose + root[:, None], body, size[1])
    return _shift_face(_project(pose + root[:, None], body, legs), body)


def _with_photo_lengths(dance: Skeleton, body: PhotoBody) -> tuple[DoubleArray, float]:
    """The dance with the picture's bone lengths, [T, 22, 3] pixels relative to the hips; and pixels per metre."""
    source = measure(dance)
    photo = body.lengths
    scale = (photo["thigh"] + photo["shin"]) / source.leg
    lengths = Body(
        spine=body.torso,
        hips=2 * photo["hip"],
        shoulders=2 * photo["shoulder"],
        neck=photo["head"],
        head=source.head * scale,
        upper_arm=photo["upper_arm"],
        forearm=photo["forearm"],
        thigh=photo["thigh"],
        shin=photo["shin"],
        heel=source.heel * scale,
        toe=source.toe * scale,
    )
    positions = dance.positions.astype(np.float64)
    return rebuild(positions - mid_hip(positions)[:, None], lengths), scale


def _shift_face(placement: Placement, body: PhotoBody) -> Placement:
    """The placement with the joints of the face moved to where the head warp shows them for the dance's head pose."""
    if not body.face_visible:
        return placement
    points = placement.points.copy()
    flat = points @ (1, 1j)
    warp = HeadWarp.of(body)
    ear_indices = [_index("left_ear"), _index("right_ear")]
    ears = flat[:, ear_indices].mean(axis=1)
    magnification = placement.magnification[:, _index("neck")]
    neck = flat[:, _index("neck")]
    rotation, centre = warp.head_transform(ears - neck, magnification)
    # Sine of the head's yaw from the offset of the nose to the side and to the front of the ears.
    sideways = (flat[:, _index("nose")] - ears).real / magnification
    ahead = placement.depth[:, _index("nose")] - placement.depth[:, ear_indices].mean(axis=1)
    sine = np.where(ahead > 0, sideways / np.maximum(np.hypot(ahead, sideways), 1e-6), np.sign(sideways))
    limit = _MAX_FACE_SHIFT * warp.radius
    shift = limit * np.tanh((_NOSE_DEPTH * warp.radius * sine - (warp.nose * warp.upright).real) / limit)
    for name in _FACE:
        source = complex(*body.joint(name)) - warp.head
        local = source + shift / warp.upright * warp.shift_weight(np.asarray(source))
        position = neck + centre + rotation * local * magnification
        points[:, _index(name)] = np.stack([position.real, position.imag], -1)
    return replace(placement, points=points)


def line_angles(part: str, joints: DoubleArray) -> tuple[DoubleArray, DoubleArray]:
    """Yaw and roll, [T] radians each, of the line from the right to the left shoulder or hip; see ``Placement``.

    Args:
        part: ``shoulder`` or ``hip``.
        joints: [T, 22, 3], x right, y up, z towards the camera.
    """
    across = joints[:, _index(f"left_{part}")] - joints[:, _index(f"right_{part}")]
    return line_yaw(across), np.arctan2(-across[:, 1], np.hypot(across[:, 0], across[:, 2]))


def _feet(points: DoubleArray) -> DoubleArray:
    """Middle of the ankles, [T, 3]."""
    return np.asarray((points[:, _index("left_ankle")] + points[:, _index("right_ankle")]) / 2)


def _root_from_contacts(original: DoubleArray, pose: DoubleArray, height: float) -> DoubleArray:
    """Positions of the hips, [T, 3], for which the lowest points of the feet are where they are in the original.

    Args:
        original: joints of the dance, [T, 22, 3] pixels, floor at y = 0.
        pose: joints with the picture's bone lengths relative to the hips, [T, 22, 3] pixels.
        height: of the person, pixels.
    """
    parts = [_index(f"{side}_{part}") for side in SIDES for part in ("heel", "toe", "ankle")]
    lowest = original[:, parts, 1]
    lowest = lowest - lowest.min(axis=1, keepdims=True)
    weight = np.exp(-lowest / (0.02 * height))
    weight /= weight.sum(axis=1, keepdims=True)
    root = np.einsum("tj,tjd->td", weight, original[:, parts] - pose[:, parts])
    # No sole goes below the floor where the weights change from one foot to the other.
    soles = (pose[:, parts, 1] + root[:, None, 1]).min(axis=1)
    root[:, 1] -= np.minimum(soles - np.minimum(original[:, parts, 1].min(axis=1), 0.0), 0.0)
    return np.asarray(root)


def _limit_travel(
    root: DoubleArray, pose: DoubleArray, body: PhotoBody, size: tuple[int, int], fps: float
) -> DoubleArray:
    """The root with slow travel scaled down to keep the body in the picture's width and close in depth, [T, 3]."""
    slow = gaussian_filter1d(root, fps, axis=0, mode="nearest")
    slow[:, 1] = 0
    slow -= slow[:1]
    fast = root - slow
    centre = body.hips[0]
    reach = pose[..., 0] + fast[:, None, 0]
    margin = 0.12 * body.torso
    lowest, highest = -(centre - margin), size[0] - centre - margin
    factor = 1.0
    for edge, sign in ((highest, 1.0), (-lowest, -1.0)):
        extent = (sign * reach).max(axis=1)
        travel = sign * slow[:, 0]
        outside = (extent + travel > edge) & (travel > 1e-6)
        if outside.any():
            factor = min(factor, float(((edge - extent[outside]) / travel[outside]).min()))
    factor = max(factor, 0.15)
    deepest = float(np.abs(slow[:, 2]).max())
    depth_factor = min(factor, 0.12 * body.height / max(deepest, 1e-6))
    slow *= (factor, 1.0, depth_factor)
    return np.asarray(fast + slow)


def _excess_depth(world: DoubleArray, body: PhotoBody, bottom: int) -> float:
    """Pixels by which the dance must move away from the camera for the feet to stay above the picture's lower edge."""
    parts = [_index(f"{side}_{part}") for side in SIDES for part in ("heel", "toe")]
    lowest = max(body.joint("left_ankle")[1], body.joint("right_ankle")[1])
    room = max(bottom - lowest - 0.12 * body.torso, 0.0)
    nearest = float(np.percentile(world[:, parts, 2], 99))
    return max(0.0, nearest - float(room) * _CAMERA_DISTANCE / _CAMERA_HEIGHT)


def _project(world: DoubleArray, body: PhotoBody, legs: bool) -> Placement:
    """Perspective projection onto the picture; at depth 0 the scale is 1, and nearer joints are larger and lower."""
    height = body.height
    distance = _CAMERA_DISTANCE * height
    horizon = _CAMERA_HEIGHT * height
    if legs:
        feet = _feet(np.stack([body.joints])[..., :2])[0]
        lowest = max(body.joint("left_ankle")[1], body.joint("right_ankle")[1])
        standing = float(np.median(np.minimum(world[:, _index("left_ankle"), 1], world[:, _index("right_ankle"), 1])))
        origin = np.asarray([feet[0], lowest + standing])
    else:
        origin = body.hips
        horizon = 0.0
    depth = world[..., 2]
    magnification = distance / np.maximum(distance - depth, 0.25 * distance)
    points = np.empty((*world.shape[:2], 2))
    points[..., 0] = origin[0] + world[..., 0] * magnification
    points[..., 1] = origin[1] - horizon + (horizon - world[..., 1]) * magnification

    yaw_shoulders, roll_shoulders = line_angles("shoulder", world)
    yaw_hips, roll_hips = line_angles("hip", world)
    return Placement(points, depth, magnification, yaw_shoulders, yaw_hips, roll_shoulders, roll_hips)
