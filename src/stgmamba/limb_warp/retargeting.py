"""Where a 3-D dance stands in a picture: the person's own proportions, feet on the picture's floor."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from stgmamba.arrays import DoubleArray
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
# A bone seen shorter than this share of the average is taken to point at the camera.
_SHORTEST = 0.78

_FACE = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
_HEAD_RADIUS = 0.32  # in neck-to-ear lengths
_NOSE_REACH = 1.2  # from the axis of the ears to the tip of the nose, in head radii
_MOST_TILT = 0.6  # radians
_MOST_SHIFT = 0.5  # of the face, in head radii: further the picture does not show what would come into sight

_CAMERA_DISTANCE = 3.0  # in body heights
_CAMERA_HEIGHT = 0.55  # in body heights


@dataclass(frozen=True)
class PhotoBody:
    """The person of a picture, measured.

    Attributes:
        joints: float64 [22, 2] pixels, OPENPOSE_18_FEET; joints the picture does not show are guessed.
        seen: bool [22], which were really seen.
        lengths: true (unforeshortened) bone lengths in pixels, by the names of the average body.
        exchanged: whether left and right are exchanged, because the person is seen from behind.
    """

    joints: DoubleArray
    seen: NDArray[np.bool_]
    lengths: dict[str, float]
    exchanged: bool = False

    @property
    def order(self) -> list[int]:
        """For each of its joints which joint of the picture's pose it is."""
        return list(OPENPOSE_18_FEET.mirror) if self.exchanged else list(range(len(OPENPOSE_18_FEET)))

    def joint(self, name: str) -> DoubleArray:
        """Pixel position of one joint, [2]."""
        return np.asarray(self.joints[_index(name)])

    def has(self, *names: str) -> bool:
        """Whether all these joints were seen."""
        return all(bool(self.seen[_index(name)]) for name in names)

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
        """Half the head's width without hair, pixels: of the ears as they are seen, or of an average head."""
        apart = float(np.linalg.norm(self.joint("left_ear") - self.joint("right_ear"))) / 2
        return max(apart, _HEAD_RADIUS * self.lengths["head"])

    @property
    def shows_face(self) -> bool:
        """Whether the picture shows nose and ears, so that the head can be turned a little."""
        return not self.exchanged and self.has("nose", "left_ear", "right_ear")

    @property
    def height(self) -> float:
        """Standing height in pixels, from the bones."""
        lengths = self.lengths
        return self.torso * 1.0 + lengths["thigh"] + lengths["shin"] + 2.1 * lengths["head"]

    def scaled(self, factor: float, shift: tuple[float, float] = (0.0, 0.0)) -> PhotoBody:
        """The same body in a picture resized by ``factor`` after moving by ``shift`` pixels."""
        lengths = {name: length * factor for name, length in self.lengths.items()}
        return replace(self, joints=(self.joints + shift) * factor, lengths=lengths)


def _index(name: str) -> int:
    return OPENPOSE_18_FEET.index(name)


def measure_body(skeleton: Skeleton, threshold: float = 0.3) -> PhotoBody:
    """Measure the person in a picture; guess what the picture does not show.

    A foreshortened bone takes the length of its counterpart on the other side, or an average person's.

    Args:
        skeleton: 2-D OPENPOSE_18_FEET, one frame.
        threshold: joints of lower confidence count as not seen.

    Raises:
        InputError: neither shoulder is seen.
    """
    joints = skeleton.positions[0].astype(np.float64).copy()
    seen = skeleton.confidence[0] >= threshold
    _guess_missing(joints, seen)
    # Seen from behind: the limb on the picture's right then plays the left one, and dances with its back to us.
    behind = all(joints[_index(f"left_{part}"), 0] < joints[_index(f"right_{part}"), 0] for part in ("shoulder", "hip"))
    body = PhotoBody(joints, seen, {}, behind)
    body = replace(body, joints=joints[body.order], seen=seen[body.order])
    torso = body.torso
    lengths = {}
    for bone, (a, b) in _ENDS.items():
        measured = [float(np.linalg.norm(body.joint(f"{s}_{a}") - body.joint(f"{s}_{b}"))) for s in SIDES]
        lengths[bone] = max(*measured, _SHORTEST * PHOTO_PROPORTIONS[bone] * torso)
    lengths["shoulder"] = float(np.linalg.norm(body.joint("left_shoulder") - body.joint("right_shoulder")) / 2)
    lengths["hip"] = float(np.linalg.norm(body.joint("left_hip") - body.joint("right_hip")) / 2)
    lengths["head"] = float(np.linalg.norm(body.head - body.joint("neck")))
    return replace(body, lengths=lengths)


def _guess_missing(joints: DoubleArray, seen: NDArray[np.bool_]) -> None:
    """Fill in unseen joints, torso first, each from its parent."""

    def has(name: str) -> bool:
        return bool(seen[_index(name)])

    def put(name: str, position: DoubleArray) -> None:
        if not has(name):
            joints[_index(name)] = position

    def get(name: str) -> DoubleArray:
        return np.asarray(joints[_index(name)])

    if not (has("left_shoulder") or has("right_shoulder")):
        raise InputError(
            "the picture shows no shoulder of the person; use one that shows at least head and upper body."
        )
    scale = _guess_torso(joints, seen)
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


def _guess_torso(joints: DoubleArray, seen: NDArray[np.bool_]) -> float:
    """Fill in shoulders, neck and hips; returns the torso's length in pixels."""
    shoulders, hips = ([_index(f"{side}_{part}") for side in SIDES] for part in ("shoulder", "hip"))
    nose, neck = _index("nose"), _index("neck")
    for one, other in (shoulders, shoulders[::-1]):
        if not seen[one]:
            middle = joints[nose, 0] if seen[nose] else joints[other, 0]
            joints[one] = (2 * middle - joints[other, 0], joints[other, 1])
    if not seen[neck]:
        joints[neck] = joints[shoulders].mean(axis=0)
    width = max(float(np.linalg.norm(joints[shoulders[0]] - joints[shoulders[1]])), 1.0)
    if not seen[hips].any():
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
            if not seen[one]:
                joints[one] = (2 * joints[neck, 0] - joints[other, 0], joints[other, 1])
    return max(float(np.linalg.norm(joints[hips].mean(axis=0) - joints[neck])), 1.0)


@dataclass(frozen=True)
class Placement:
    """A dance placed in a picture.

    Attributes:
        points: float64 [T, 22, 2] pixels.
        depth: float64 [T, 22] pixels towards the camera, 0 where the photo's person stands.
        magnification: float64 [T, 22] perspective magnification at each joint, 1 at depth 0.
        yaw_shoulders, yaw_hips: float64 [T] radians by which the shoulder and hip lines are turned from the camera.
        roll_shoulders, roll_hips: float64 [T] radians by which they are tilted, positive clockwise in the picture.
    """

    points: DoubleArray
    depth: DoubleArray
    magnification: DoubleArray
    yaw_shoulders: DoubleArray
    yaw_hips: DoubleArray
    roll_shoulders: DoubleArray
    roll_hips: DoubleArray

    def joint(self, name: str) -> DoubleArray:
        """Pixel track of one joint, [T, 2]."""
        return np.asarray(self.points[:, _index(name)])


@dataclass(frozen=True)
class HeadWarp:
    """How the picture's face can be moved: the head goes with the neck, and within its outline the face shifts.

    A head that turns a little shows the same outline, and its face further to one side: features shift most in the
    middle of the face, and not at all where the outline is.

    Attributes:
        neck, head: positions of the neck and of the head's middle at ear height in the picture, x + iy.
        nose: of the nose from ``head``.
        radius: half the head's width without hair, pixels.
    """

    neck: complex
    head: complex
    nose: complex
    radius: float

    @classmethod
    def of(cls, body: PhotoBody) -> HeadWarp:
        """That of a measured person."""
        head = complex(*body.head)
        return cls(complex(*body.joint("neck")), head, complex(*body.joint("nose")) - head, body.head_radius)

    @property
    def upright(self) -> complex:
        """What directions in the picture are to be multiplied with for the head to stand upright."""
        axis = self.head - self.neck
        return (axis / max(abs(axis), 1e-6)).conjugate() * -1j

    def head_transform(
        self, target: NDArray[np.complex128], near: DoubleArray
    ) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
        """How the head follows a dance's.

        Args:
            target: complex [T], from the neck to the middle of the ears.
            near: [T], perspective magnification.

        Returns:
            Complex [T] each: the head's turn in the picture, and from the neck to its middle. A nod shortens the neck;
            the head itself keeps its size.
        """
        source = self.head - self.neck
        turn = np.exp(1j * np.clip(np.angle(target / source), -_MOST_TILT, _MOST_TILT))
        nod = np.clip(np.abs(target) / np.maximum(abs(source) * near, 1e-6), 0.85, 1.05)
        return turn, turn * source * nod * near

    def share(self, places: NDArray[np.complex128]) -> DoubleArray:
        """How much of the nose's shift points of the head take part in, [V]; ``places`` are counted from ``head``."""
        return np.asarray(self._bump(places) / max(float(self._bump(np.asarray(self.nose))), 0.3))

    def _bump(self, places: NDArray[np.complex128]) -> DoubleArray:
        local = places * self.upright
        square = (local.real / (1.25 * self.radius)) ** 2 + (local.imag / (1.6 * self.radius)) ** 2
        return np.asarray(np.maximum(1 - square, 0) ** 2)

    def limited(self, shift: NDArray[np.complex128]) -> NDArray[np.complex128]:
        """A shift of the nose that folds nothing."""
        return np.asarray(shift * np.minimum(1, _MOST_SHIFT * self.radius / np.maximum(np.abs(shift), 1e-9)))


def retarget_to_picture(dance: Skeleton, body: PhotoBody, size: tuple[int, int]) -> Placement:
    """Put a dance into a picture in the place of its person.

    Bone directions come from the dance, bone lengths from the picture; the standing foot stays where the dance has it.
    The first frame stands on the photo's feet. Travel through the room is scaled down until the dance fits the
    picture's width (by at most two thirds).

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
    track = dance.positions.astype(np.float64) * scale
    if legs:
        root = _stand(track, pose, body.height)
        root[:, [0, 2]] -= _feet(pose + root[:, None])[0, [0, 2]]
    else:
        middle = (track[:, _index("left_hip")] + track[:, _index("right_hip")]) / 2
        # Nothing of the photo stands on a floor: it sways in place, and never lifts its cut lower edge into view.
        root = 0.5 * (middle - middle.mean(axis=0))
        root[:, 1] -= root[:, 1].max()
    root = _limit_travel(root, pose, body, size, dance.fps)
    if legs:
        root[:, 2] -= _too_near(pose + root[:, None], body, size[1])
    return _with_own_face(_project(pose + root[:, None], body, legs), body)


def _with_photo_lengths(dance: Skeleton, body: PhotoBody) -> tuple[DoubleArray, float]:
    """The dance on the photo's bone lengths, [T, 22, 3] in pixels about the hips, and pixels per metre."""
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


def _with_own_face(placement: Placement, body: PhotoBody) -> Placement:
    """The picture's own face on the dance's head, turned as the dance turns it, as far as one picture can show it."""
    if not body.shows_face:
        return placement
    points = placement.points.copy()
    flat = points @ (1, 1j)
    face = HeadWarp.of(body)
    sides = [_index("left_ear"), _index("right_ear")]
    ears = flat[:, sides].mean(axis=1)
    near = placement.magnification[:, _index("neck")]
    neck = flat[:, _index("neck")]
    turn, centre = face.head_transform(ears - neck, near)
    # Where the dance's nose points, as a share of a nose that points straight to one side.
    aside = (flat[:, _index("nose")] - ears).real / near
    ahead = placement.depth[:, _index("nose")] - placement.depth[:, sides].mean(axis=1)
    sine = np.where(ahead > 0, aside / np.maximum(np.hypot(ahead, aside), 1e-6), np.sign(aside))
    most = _MOST_SHIFT * face.radius
    shift = most * np.tanh((_NOSE_REACH * face.radius * sine - (face.nose * face.upright).real) / most)
    for name in _FACE:
        own = complex(*body.joint(name)) - face.head
        at = neck + centre + turn * (own + shift / face.upright * face.share(np.asarray(own))) * near
        points[:, _index(name)] = np.stack([at.real, at.imag], -1)
    return replace(placement, points=points)


def line_angles(part: str, joints: DoubleArray) -> tuple[DoubleArray, DoubleArray]:
    """Yaw and roll, [T] radians each, of the line from the right to the left shoulder or hip, as in `Placement`.

    Args:
        part: ``shoulder`` or ``hip``.
        joints: [T, 22, 3], x right, y up, z towards the camera.
    """
    across = joints[:, _index(f"left_{part}")] - joints[:, _index(f"right_{part}")]
    return line_yaw(across), np.arctan2(-across[:, 1], np.hypot(across[:, 0], across[:, 2]))


def _feet(points: DoubleArray) -> DoubleArray:
    """Middle of the ankles, [T, 3]."""
    return np.asarray((points[:, _index("left_ankle")] + points[:, _index("right_ankle")]) / 2)


def _stand(track: DoubleArray, pose: DoubleArray, height: float) -> DoubleArray:
    """Where the hips must be for the standing feet to be where the dance has them, [T, 3]; floor at 0."""
    parts = [_index(f"{side}_{part}") for side in SIDES for part in ("heel", "toe", "ankle")]
    lowest = track[:, parts, 1]
    lowest = lowest - lowest.min(axis=1, keepdims=True)
    weight = np.exp(-lowest / (0.02 * height))
    weight /= weight.sum(axis=1, keepdims=True)
    root = np.einsum("tj,tjd->td", weight, track[:, parts] - pose[:, parts])
    # Soles may not dip below the floor where the weights hand over from one foot to the other.
    soles = (pose[:, parts, 1] + root[:, None, 1]).min(axis=1)
    root[:, 1] -= np.minimum(soles - np.minimum(track[:, parts, 1].min(axis=1), 0.0), 0.0)
    return np.asarray(root)


def _limit_travel(
    root: DoubleArray, pose: DoubleArray, body: PhotoBody, size: tuple[int, int], fps: float
) -> DoubleArray:
    """Shrink slow travel so that the body stays in the picture's width and near the photo's depth."""
    slow = gaussian_filter1d(root, fps, axis=0, mode="nearest")
    slow[:, 1] = 0
    slow -= slow[:1]
    fast = root - slow
    centre = body.hips[0]
    reach = pose[..., 0] + fast[:, None, 0]
    margin = 0.12 * body.torso
    lowest, highest = -(centre - margin), size[0] - centre - margin
    share = 1.0
    for edge, sign in ((highest, 1.0), (-lowest, -1.0)):
        extent = (sign * reach).max(axis=1)
        travel = sign * slow[:, 0]
        outside = (extent + travel > edge) & (travel > 1e-6)
        if outside.any():
            share = min(share, float(((edge - extent[outside]) / travel[outside]).min()))
    share = max(share, 0.15)
    deepest = float(np.abs(slow[:, 2]).max())
    depth_share = min(share, 0.12 * body.height / max(deepest, 1e-6))
    slow *= (share, 1.0, depth_share)
    return np.asarray(fast + slow)


def _too_near(world: DoubleArray, body: PhotoBody, bottom: int) -> float:
    """By how many pixels of depth the dance must step back for the feet to stay above the picture's lower edge."""
    parts = [_index(f"{side}_{part}") for side in SIDES for part in ("heel", "toe")]
    lowest = max(body.joint("left_ankle")[1], body.joint("right_ankle")[1])
    room = max(bottom - lowest - 0.12 * body.torso, 0.0)
    nearest = float(np.percentile(world[:, parts, 2], 99))
    return max(0.0, nearest - float(room) * _CAMERA_DISTANCE / _CAMERA_HEIGHT)


def _project(world: DoubleArray, body: PhotoBody, legs: bool) -> Placement:
    """Mild perspective onto the picture: depth 0 keeps the photo's size, what is nearer is larger and stands lower."""
    height = body.height
    distance = _CAMERA_DISTANCE * height
    horizon = _CAMERA_HEIGHT * height
    if legs:
        photo = _feet(np.stack([body.joints])[..., :2])[0]
        lowest = max(body.joint("left_ankle")[1], body.joint("right_ankle")[1])
        standing = float(np.median(np.minimum(world[:, _index("left_ankle"), 1], world[:, _index("right_ankle"), 1])))
        origin = np.asarray([photo[0], lowest + standing])
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
