"""A picture with the people that were found in it, and their numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from stgmamba.errors import InputError
from stgmamba.files import atomic_output
from stgmamba.person.picture import is_picture, load_picture
from stgmamba.person.pose import find_people
from stgmamba.skeleton.layouts import MEDIAPIPE_33

_COLOURS = ("#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#008080", "#9a6324")
_SEEN = 0.2  # visibility of both ends of a bone that is drawn


def draw_people(path: str | Path, output: str | Path) -> int:
    """Draw bones, boxes and the numbers of ``--person`` on a picture.

    Args:
        path: a picture.
        output: the .png or .jpg to write.

    Returns:
        How many people were found.

    Raises:
        InputError: not a picture, or the output cannot be written.
    """
    path = Path(path)
    if not is_picture(path):
        raise InputError(f"{path}: people are numbered in pictures only; name a picture, or leave out --show.")
    picture = load_picture(path)
    people = find_people(picture)
    image = Image.fromarray(picture.rgb)
    draw = ImageDraw.Draw(image)
    unit = max(1, max(picture.size) // 400)
    font = ImageFont.load_default(size=16 * unit)
    for i, pose in reversed(list(enumerate(people))):  # the most prominent last, above the others
        colour = _COLOURS[i % len(_COLOURS)]
        for a, b in MEDIAPIPE_33.tree:
            if min(pose.visibility[a], pose.visibility[b]) > _SEEN:
                draw.line([*map(float, pose.points[a]), *map(float, pose.points[b])], fill=colour, width=2 * unit)
        left, top = np.maximum(pose.points.min(axis=0), 0)
        right, bottom = np.minimum(pose.points.max(axis=0), np.array(picture.size) - 1)
        draw.rectangle([float(left), float(top), float(right), float(bottom)], outline=colour, width=unit)
        draw.text(
            (float(left) + 4 * unit, float(top)), str(i + 1), colour, font, stroke_width=unit, stroke_fill="white"
        )
    with atomic_output(output) as part:
        image.save(part)
    return len(people)
