"""A person drawn of capsules, every joint known."""

import types

import cv2
import numpy as np

from stgmamba.person.picture import Picture
from stgmamba.person.pose import DetectedPerson
from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton

WIDTH, HEIGHT = 260, 360
INDEX = OPENPOSE_18_FEET.index

# An A-pose in metres, y up, facing the camera; own left at +x.
POSE = {
    "nose": (0, 1.58, 0.0), "neck": (0, 1.40, 0), "right_eye": (-0.03, 1.61, 0), "left_eye": (0.03, 1.61, 0),
    "right_ear": (-0.07, 1.59, 0), "left_ear": (0.07, 1.59, 0),
    "right_shoulder": (-0.18, 1.40, 0), "right_elbow": (-0.34, 1.17, 0), "right_wrist": (-0.48, 0.97, 0),
    "left_shoulder": (0.18, 1.40, 0), "left_elbow": (0.34, 1.17, 0), "left_wrist": (0.48, 0.97, 0),
    "right_hip": (-0.10, 0.90, 0), "right_knee": (-0.15, 0.49, 0), "right_ankle": (-0.19, 0.09, 0),
    "left_hip": (0.10, 0.90, 0), "left_knee": (0.15, 0.49, 0), "left_ankle": (0.19, 0.09, 0),
    "right_heel": (-0.18, 0.02, 0), "right_toe": (-0.24, 0.0, 0),
    "left_heel": (0.18, 0.02, 0), "left_toe": (0.24, 0.0, 0),
}  # fmt: skip
METRE = 165.0  # pixels
COLOURS = {
    "right_arm": (220, 40, 40),
    "left_arm": (40, 40, 220),
    "right_leg": (30, 150, 40),
    "left_leg": (30, 160, 170),
}
TORSO, HEAD = (230, 200, 40), (240, 180, 150)


def pose_array() -> np.ndarray:
    return np.asarray([POSE[name] for name in OPENPOSE_18_FEET.joints], np.float32)


def to_pixels(pose: np.ndarray) -> np.ndarray:
    return np.stack([WIDTH / 2 + pose[:, 0] * METRE, HEIGHT - 40 - pose[:, 1] * METRE], -1).astype(np.float32)


def draw_figure(background: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Capsules over a background; picture and mask."""
    points = to_pixels(pose_array())
    picture, mask = background.copy(), np.zeros((HEIGHT, WIDTH), np.uint8)

    def capsule(names: tuple[str, ...], colour: tuple[int, int, int], thickness: int) -> None:
        line = np.rint(np.asarray([points[INDEX(n)] for n in names]) * 8).astype(np.int32)
        for image, value in ((picture, colour), (mask, 255)):
            cv2.polylines(image, [line], False, value, thickness, cv2.LINE_AA, shift=3)

    for side in ("right", "left"):
        capsule((f"{side}_hip", f"{side}_knee", f"{side}_ankle"), COLOURS[f"{side}_leg"], 26)
        capsule((f"{side}_ankle", f"{side}_toe"), COLOURS[f"{side}_leg"], 14)
    corners = [points[INDEX(n)] for n in ("right_shoulder", "left_shoulder", "left_hip", "right_hip")]
    for image, value in ((picture, TORSO), (mask, 255)):
        cv2.fillPoly(image, [np.rint(np.asarray(corners) * 8).astype(np.int32)], value, cv2.LINE_AA, shift=3)
    for side in ("right", "left"):
        capsule((f"{side}_shoulder", f"{side}_elbow", f"{side}_wrist"), COLOURS[f"{side}_arm"], 20)
    capsule(("neck", "nose"), HEAD, 16)
    centre = tuple(int(v) for v in points[INDEX("nose")])
    for image, value in ((picture, HEAD), (mask, 255)):
        cv2.circle(image, centre, 20, value, -1, cv2.LINE_AA)
    return picture, mask.astype(np.float32) / 255


def wall() -> np.ndarray:
    ramp = np.linspace(120, 180, HEIGHT)[:, None, None] + np.linspace(0, 20, WIDTH)[None, :, None]
    return np.repeat(ramp, 3, axis=2).astype(np.uint8)


def picture_of(rgb: np.ndarray) -> Picture:
    return types.SimpleNamespace(rgb=rgb, size=(rgb.shape[1], rgb.shape[0]), path=None, note=None)  # type: ignore[return-value]


def person_of(mask: np.ndarray, confidence: np.ndarray | None = None) -> DetectedPerson:
    conf = np.ones((1, 22), np.float32) if confidence is None else confidence[None]
    skeleton = Skeleton(to_pixels(pose_array())[None], 25, OPENPOSE_18_FEET, conf, (mask.shape[1], mask.shape[0]))
    return types.SimpleNamespace(skeleton=skeleton, mask=mask, others=0, missing=())  # type: ignore[return-value]


def dance_of(*poses: np.ndarray) -> Skeleton:
    return Skeleton(np.stack(poses), 25, OPENPOSE_18_FEET)


def moved(**joints: tuple[float, float, float]) -> np.ndarray:
    """The A-pose with some joints elsewhere."""
    pose = pose_array()
    for name, position in joints.items():
        pose[INDEX(name)] = position
    return pose
