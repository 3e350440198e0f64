"""What about a person's posture in a picture makes for a poorer dance, said to the user."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from stgmamba.arrays import FloatArray, Frame
from stgmamba.person.picture import Picture
from stgmamba.person.pose import DetectedPerson
from stgmamba.skeleton.layouts import OPENPOSE_18_FEET

# Lengths in the picture, of the trunk from neck to hips. Of forty photos of people who stand or stride, hips are 1.1 to
# 1.9 above the ankles and shoulders 0.56 to 0.75 apart; hands beside a head are 0.34 from the nose and more.
_SITTING = 0.95
_SIDEWAYS = 0.3
_BEFORE_FACE = 0.3
_FACE, _HAND = 0.10, 0.09  # radii of discs on the face and on the knuckles

_LIGHTNESS_SHARE = 0.35  # of differences in CIELAB: shade changes it and the material does not
_SKIN_DIFFERENCE = 16.0
_BARE = 0.12  # share of skin on a hand; in those photos hands in pockets have none, hands in wide sleeves up to 0.07
_LEAST_PIXELS = 20

_J = {name: i for i, name in enumerate(OPENPOSE_18_FEET.joints)}


def posture_notes(picture: Picture, person: DetectedPerson) -> tuple[str, ...]:
    """Sentences for the user on a person who sits or is seen from the side, and on hands that hide or are hidden."""
    return tuple(f"{picture.name}: {fault}." for fault in _faults(picture.rgb, person))


def _faults(rgb: Frame, person: DetectedPerson) -> Iterator[str]:
    points = person.skeleton.positions[0]

    def middle(joint: str) -> FloatArray:
        return np.asarray((points[_J[f"left_{joint}"]] + points[_J[f"right_{joint}"]]) / 2)

    def seen(*joints: str) -> bool:
        return not {f"{side}_{joint}" for side in ("left", "right") for joint in joints} & set(person.missing)

    trunk = float(np.linalg.norm(points[_J["neck"]] - middle("hip")))
    if trunk < 1 or not seen("shoulder", "hip"):
        return
    if seen("ankle") and (middle("ankle") - middle("hip"))[1] < _SITTING * trunk:
        yield "the person sits or crouches, so legs may be too short or torn; who stands in the picture dances better"
    across = np.linalg.norm(points[_J["left_shoulder"]] - points[_J["right_shoulder"]])
    if across < _SIDEWAYS * trunk:
        yield "the person is seen from the side; the other side repeats it, and the face is half a guess"
    if person.hands is None:
        return
    nose = points[_J["nose"]]
    hands = dict(zip(("left", "right"), person.hands, strict=True))
    before = [side for side in hands if np.linalg.norm(hands[side] - nose) < _BEFORE_FACE * trunk]
    for side in before:
        yield f"the {side} hand is before the face; what it hides of the face is guessed"
    skin = _disc(rgb, person.mask, nose + 0.25 * (nose - middle("eye")), _FACE * trunk)
    for side, hand in hands.items():
        if side in before or f"{side}_wrist" in person.missing:
            continue
        if _is_covered(_disc(rgb, person.mask, hand, _HAND * trunk), skin):
            yield f"the {side} hand is hidden (in a pocket, a sleeve or a glove); it is drawn bare"


def _disc(rgb: Frame, mask: FloatArray, centre: FloatArray, radius: float) -> FloatArray:
    """CIELAB colours [N, 3] of the person's pixels in a disc."""
    height, width = mask.shape
    left, right = (int(np.clip(centre[0] + side * radius, 0, width)) for side in (-1, 1))
    top, bottom = (int(np.clip(centre[1] + side * radius, 0, height)) for side in (-1, 1))
    if right <= left or bottom <= top:
        return np.zeros((0, 3), np.float32)
    y, x = np.mgrid[top:bottom, left:right]
    inside = ((x - centre[0]) ** 2 + (y - centre[1]) ** 2 < radius**2) & (mask[top:bottom, left:right] > 0.5)
    part = np.ascontiguousarray(rgb[top:bottom, left:right], np.float32) / 255
    return np.asarray(cv2.cvtColor(part, cv2.COLOR_RGB2LAB)[inside])


def _is_covered(hand: FloatArray, face: FloatArray) -> bool:
    """Whether hardly any colour of a hand [N, 3] is like the median of a face's [M, 3]."""
    if min(len(hand), len(face)) < _LEAST_PIXELS:
        return False
    off = (hand - np.median(face, axis=0)) * np.asarray([_LIGHTNESS_SHARE, 1, 1], np.float32)
    return bool((np.linalg.norm(off, axis=1) < _SKIN_DIFFERENCE).mean() < _BARE)
