"""From a picture as it was handed in to an upright picture of the person who dances: bars, turns, crops."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stgmamba.errors import InputError
from stgmamba.options import Framing
from stgmamba.person.borders import find_borders
from stgmamba.person.picture import MIN_SIDE, Picture
from stgmamba.person.pose import DetectedPerson, PersonChoice, find_person
from stgmamba.skeleton.layouts import OPENPOSE_18_FEET

_UPRIGHT = 0.5  # cosine of the trunk's lean above which a person stands: 60 degrees
_SMALL = 0.3  # of the picture's height, below which a person is small in it
_CROPPED = 0.7  # of the crop's height that the person then takes
_TURNS = {1: "a quarter turn to the left", 2: "half a turn", 3: "a quarter turn to the right"}  # counterclockwise
_NECK, *_HIPS = (OPENPOSE_18_FEET.index(joint) for joint in ("neck", "right_hip", "left_hip"))


def prepare_person(
    picture: Picture, which: PersonChoice | None = None, framing: Framing = "auto"
) -> tuple[Picture, DetectedPerson, tuple[str, ...]]:
    """The person of a picture, and the part of the picture that is filmed, upright.

    Bars of one colour around the picture are cut off. Where nobody is found, or only somebody who lies or hangs, the
    picture is tried in its three other orientations.

    Args:
        picture: the picture.
        which: of several persons, as for ``find_person``.
        framing: ``scene`` keeps the whole picture, ``person`` crops it to the person, ``auto`` crops where the person
            takes less than 30 % of its height.

    Returns:
        The picture, the person in it, and sentences for the user on what was changed.

    Raises:
        InputError: nobody is found.
    """
    box = find_borders(picture.rgb)
    notes: list[str] = []
    if box != (0, 0, *picture.size) and min(box[2] - box[0], box[3] - box[1]) >= MIN_SIDE:
        which = _moved(which, box[:2], picture)
        picture = crop_picture(picture, box)
        notes.append(f"{picture.name}: the bars around the picture were cut off.")
    turns, person = _find_upright(picture, which)
    if turns:
        picture = turn_picture(picture, turns)
        notes.append(f"{picture.name}: the person does not stand upright; the picture was given {_TURNS[turns]}.")
    window = _person_box(picture, person)
    tall = (window[3] - window[1]) / picture.size[1]
    if framing == "person" or (framing == "auto" and tall < _SMALL):
        crop = _crop_around(window, picture.size)
        if crop != (0, 0, *picture.size):
            picture, person = crop_picture(picture, crop), _crop_person(person, crop)
            notes.append(
                f"{picture.name}: the picture was cropped to the person, who takes {100 * tall:.0f} % of its height "
                "(--framing scene keeps it whole)."
            )
    return picture, person, tuple(notes)


def crop_picture(picture: Picture, box: tuple[int, int, int, int]) -> Picture:
    """The part (left, top, right, bottom) of a picture."""
    left, top, right, bottom = box
    rgb = np.ascontiguousarray(picture.rgb[top:bottom, left:right])
    alpha = None if picture.alpha is None else np.ascontiguousarray(picture.alpha[top:bottom, left:right])
    return replace(picture, rgb=rgb, alpha=alpha, original_size=None)


def turn_picture(picture: Picture, turns: int) -> Picture:
    """A picture turned counterclockwise by quarter turns."""
    rgb = np.ascontiguousarray(np.rot90(picture.rgb, turns))
    alpha = None if picture.alpha is None else np.ascontiguousarray(np.rot90(picture.alpha, turns))
    size = picture.original_size
    return replace(picture, rgb=rgb, alpha=alpha, original_size=size[::-1] if size and turns % 2 else size)


def _find_upright(picture: Picture, which: PersonChoice | None) -> tuple[int, DetectedPerson]:
    """The orientation, in quarter turns, in which a person stands upright, and that person."""
    try:
        person = find_person(picture, which)
    except InputError:
        if which is not None:
            raise
        best = _best_turn(picture, None)
        if best is None:
            raise
        return best
    if which is not None or _uprightness(person) >= _UPRIGHT:
        return 0, person
    return _best_turn(picture, person) or (0, person)


def _best_turn(picture: Picture, lying: DetectedPerson | None) -> tuple[int, DetectedPerson] | None:
    """The first other orientation in which somebody stands who is seen as clearly as in the picture as it is."""
    order = (2, 1, 3) if lying is None or abs(_uprightness(lying)) > np.sqrt(0.5) else _sideways(lying)
    for turns in order:
        try:
            person = find_person(turn_picture(picture, turns))
        except InputError:
            continue
        if _uprightness(person) >= _UPRIGHT and (lying is None or _clarity(person) >= 0.9 * _clarity(lying)):
            return turns, person
    return None


def _sideways(person: DetectedPerson) -> tuple[int, ...]:
    """Orientations to try for somebody who lies, the one that puts the neck above the hips first."""
    points = person.skeleton.positions[0]
    return (3, 1, 2) if points[_NECK, 0] < points[_HIPS, 0].mean() else (1, 3, 2)


def _uprightness(person: DetectedPerson) -> float:
    """Cosine of the angle between the trunk, from hips to neck, and the vertical; 1 stands, -1 hangs."""
    points = person.skeleton.positions[0]
    x, y = points[_HIPS].mean(axis=0) - points[_NECK]
    return float(y / max(np.hypot(x, y), 1e-6))


def _clarity(person: DetectedPerson) -> float:
    return float(person.skeleton.confidence.mean())


def _person_box(picture: Picture, person: DetectedPerson) -> tuple[int, int, int, int]:
    """Box (left, top, right, bottom) of the mask, or of the joints where it is empty, in the picture."""
    y, x = np.nonzero(person.mask > 0.5)
    if len(x) == 0:
        x, y = np.clip(person.skeleton.positions[0].T, 0, np.array([picture.size]).T - 1)
    return int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1


def _crop_around(window: tuple[int, int, int, int], size: tuple[int, int]) -> tuple[int, int, int, int]:
    """A crop of the picture's own proportions in which a person's box takes `_CROPPED` of the height."""
    left, top, right, bottom = window
    scale = max((bottom - top) / _CROPPED / size[1], (right - left) / _CROPPED / size[0], MIN_SIDE / min(size))
    width, height = (min(side, round(side * scale)) for side in size)
    x = int(np.clip((left + right - width) // 2, 0, size[0] - width))
    y = int(np.clip((top + bottom - height) // 2, 0, size[1] - height))
    return x, y, x + width, y + height


def _crop_person(person: DetectedPerson, box: tuple[int, int, int, int]) -> DetectedPerson:
    left, top, right, bottom = box
    positions = person.skeleton.positions - np.array([left, top], np.float32)
    skeleton = replace(person.skeleton, positions=positions, size=(right - left, bottom - top))
    return replace(person, skeleton=skeleton, mask=np.ascontiguousarray(person.mask[top:bottom, left:right]))


def _moved(which: PersonChoice | None, corner: tuple[int, int], picture: Picture) -> PersonChoice | None:
    """A choice by a point of the picture's file, as a point of the crop that begins at a corner."""
    if not isinstance(which, tuple):
        return which
    scale = picture.size[0] / (picture.original_size or picture.size)[0]
    return which[0] * scale - corner[0], which[1] * scale - corner[1]
