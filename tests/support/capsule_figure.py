"""A person drawn of capsules, with every joint, every layer's extent and every width known."""

from __future__ import annotations

from dataclasses import dataclass

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
PIXELS_PER_METRE = 165.0
COLOURS = {
    "right_arm": (220, 40, 40),
    "left_arm": (40, 40, 220),
    "right_leg": (30, 150, 40),
    "left_leg": (30, 160, 170),
}
TORSO, HEAD = (230, 200, 40), (240, 180, 150)
ARM_WIDTH, LEG_WIDTH = 20, 26  # pixels


@dataclass(frozen=True)
class LayeredFigure:
    """A drawn figure with the ground truth of its segmentation.

    Attributes:
        rgb: uint8 [H, W, 3].
        mask: float32 [H, W] in 0..1.
        extents: of each layer, bool [H, W], with the parts that other layers occlude.
        visible: of each layer, bool [H, W], without them.
    """

    rgb: np.ndarray
    mask: np.ndarray
    extents: dict[str, np.ndarray]
    visible: dict[str, np.ndarray]


def pose_array() -> np.ndarray:
    return np.asarray([POSE[name] for name in OPENPOSE_18_FEET.joints], np.float32)


def to_pixels(pose: np.ndarray) -> np.ndarray:
    x, y = WIDTH / 2 + pose[:, 0] * PIXELS_PER_METRE, HEIGHT - 40 - pose[:, 1] * PIXELS_PER_METRE
    return np.stack([x, y], -1).astype(np.float32)


def draw_layers(
    background: np.ndarray,
    pose: np.ndarray | None = None,
    arm_width: int = ARM_WIDTH,
    leg_width: int = LEG_WIDTH,
    skirt: float = 0.0,
    hand: float = 0.0,
    colours: dict[str, tuple[int, int, int]] = COLOURS,
) -> LayeredFigure:
    """Draw legs, torso, arms and head over a background, in this order.

    Args:
        background: uint8 [HEIGHT, WIDTH, 3].
        pose: joints [22, 3] in metres; the A-pose when not given.
        arm_width, leg_width: pixels.
        skirt: its length below the hips, pixels; it belongs to the torso and has its colour.
        hand: length of the hands, pixels; they belong to the arms and have the head's colour.
        colours: of the limbs.
    """
    points = to_pixels(pose_array() if pose is None else pose)
    picture, mask = background.copy(), np.zeros((HEIGHT, WIDTH), np.uint8)
    extents = {name: np.zeros((HEIGHT, WIDTH), np.uint8) for name in ("torso", *colours)}
    order = np.zeros((HEIGHT, WIDTH), int)  # of the layer on top, 0 for none
    names = ("torso", *colours)

    def draw(layer: str, shape: np.ndarray) -> None:
        """Register a shape, uint8 [H, W], as a layer's topmost part."""
        np.maximum(extents[layer], shape, out=extents[layer])
        order[shape > 127] = names.index(layer) + 1

    def joints(*names: str) -> np.ndarray:
        return np.asarray([points[INDEX(name)] for name in names])

    def capsule(layer: str, axis: np.ndarray, colour: tuple[int, int, int], width: int) -> None:
        line = np.rint(axis * 8).astype(np.int32)
        shape = np.zeros((HEIGHT, WIDTH), np.uint8)
        for image, value in ((picture, colour), (mask, 255), (shape, 255)):
            cv2.polylines(image, [line], False, value, width, cv2.LINE_AA, shift=3)
        draw(layer, shape)

    def polygon(corners: np.ndarray) -> None:
        shape = np.zeros((HEIGHT, WIDTH), np.uint8)
        for image, value in ((picture, TORSO), (mask, 255), (shape, 255)):
            cv2.fillPoly(image, [np.rint(corners * 8).astype(np.int32)], value, cv2.LINE_AA, shift=3)
        draw("torso", shape)

    for side in ("right", "left"):
        leg = f"{side}_leg"
        capsule(leg, joints(f"{side}_hip", f"{side}_knee", f"{side}_ankle"), colours[leg], leg_width)
        capsule(leg, joints(f"{side}_ankle", f"{side}_toe"), colours[leg], 14)
    polygon(joints("right_shoulder", "left_shoulder", "left_hip", "right_hip"))
    if skirt > 0:
        right, left = points[INDEX("right_hip")], points[INDEX("left_hip")]
        waist, flare = np.array([leg_width / 2, -4]), np.array([0.35 * skirt + leg_width / 2, skirt])
        mirror = np.array([-1, 1])
        polygon(np.asarray([right + mirror * waist, left + waist, left + flare, right + mirror * flare]))
    for side in ("right", "left"):
        arm = f"{side}_arm"
        if hand > 0:
            elbow, wrist = points[INDEX(f"{side}_elbow")], points[INDEX(f"{side}_wrist")]
            tip = wrist + hand * (wrist - elbow) / np.linalg.norm(wrist - elbow)
            capsule(arm, np.stack([wrist, tip]), HEAD, arm_width)
        capsule(arm, joints(f"{side}_shoulder", f"{side}_elbow", f"{side}_wrist"), colours[arm], arm_width)
    capsule("torso", joints("neck", "nose"), HEAD, 16)
    centre = tuple(int(v) for v in points[INDEX("nose")])
    head = np.zeros((HEIGHT, WIDTH), np.uint8)
    for image, value in ((picture, HEAD), (mask, 255), (head, 255)):
        cv2.circle(image, centre, 20, value, -1, cv2.LINE_AA)
    draw("torso", head)
    return LayeredFigure(
        picture,
        mask.astype(np.float32) / 255,
        {name: extent > 127 for name, extent in extents.items()},
        {name: order == i + 1 for i, name in enumerate(names)},
    )


def draw_figure(background: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The figure in the A-pose over a background: picture and mask."""
    figure = draw_layers(background)
    return figure.rgb, figure.mask


def wall() -> np.ndarray:
    ramp = np.linspace(120, 180, HEIGHT)[:, None, None] + np.linspace(0, 20, WIDTH)[None, :, None]
    return np.repeat(ramp, 3, axis=2).astype(np.uint8)


def picture_of(rgb: np.ndarray) -> Picture:
    return Picture(np.ascontiguousarray(rgb))


def person_of(mask: np.ndarray, confidence: np.ndarray | None = None, pose: np.ndarray | None = None) -> DetectedPerson:
    """The figure as detected in a pose (the A-pose when not given), in a picture of the mask's size."""
    conf = np.ones((1, 22), np.float32) if confidence is None else confidence[None]
    points = to_pixels(pose_array() if pose is None else pose)
    skeleton = Skeleton(points[None], 25, OPENPOSE_18_FEET, conf, (mask.shape[1], mask.shape[0]))
    return DetectedPerson(skeleton, mask, 0, (), np.zeros(22, np.float32))


def dance_of(*poses: np.ndarray) -> Skeleton:
    return Skeleton(np.stack(poses), 25, OPENPOSE_18_FEET)


def moved(**joints: tuple[float, float, float]) -> np.ndarray:
    """The A-pose with other positions of some joints."""
    pose = pose_array()
    for name, position in joints.items():
        pose[INDEX(name)] = position
    return pose
