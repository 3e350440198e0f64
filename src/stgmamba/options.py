"""Defaults and ranges of users' options, in one place. Imports nothing heavy, since the command line needs it."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeVar

from stgmamba.errors import InputError

FPS = 25.0
"""Frames per second: of dances as the model makes them, of metrics, and by default of videos."""

HEIGHT = 512
"""Height of a video in pixels; the width follows the picture, or CHARACTER_ASPECT."""

CHARACTER_ASPECT = (3, 4)
"""Width to height of a video of a built-in character."""

SMALLEST_SIDE, LARGEST_SIDE = 64, 4096
"""Accepted sides of a video in pixels; H.264 players stop at about the larger one."""

LOWEST_FPS, HIGHEST_FPS = 1.0, 120.0

SEED = 0
"""Same song, same picture, same seed: same frames."""

DEMO_OUTPUT = "out/demo.mp4"
"""Where `stgmamba demo` writes its video."""

Facing = Literal["camera", "free"]
"""``camera``: the dancer keeps facing the camera; ``free``: turns as the dance does."""

FACINGS: tuple[Facing, ...] = ("camera", "free")

Quality = Literal["best", "fast"]
"""How a picture's flat person is drawn: ``best`` by the network G_r over the limb warp, ``fast`` by the warp alone."""

QUALITIES: tuple[Quality, ...] = ("best", "fast")
QUALITY: Quality = "best"

STYLE = "auto"
"""Style of a dance: chosen by the music."""

TRAVEL = 0.8
"""Metres from the middle of the floor within which the dancer of a video stays; a skeleton's uses the floor freely."""

SMALLEST_TRAVEL, LARGEST_TRAVEL = 0.1, 50.0

ENERGY, LARGEST_ENERGY = 1.0, 2.0
"""How much larger movements are where the music is louder and denser; 0 not at all."""

Repeats = Literal["exact", "varied", "off"]
"""Whether sections of a song that return bring their phrase back: as it was, like it, or not."""

REPEAT_KINDS: tuple[Repeats, ...] = ("exact", "varied", "off")
REPEATS: Repeats = "varied"

BodyKind = Literal["auto", "3d", "flat"]
"""A picture's person: ``3d``, a body that turns; ``flat``, limbs that face the camera; ``auto``, 3-D where it fits."""

BODIES: tuple[BodyKind, ...] = ("auto", "3d", "flat")
BODY: BodyKind = "auto"

BACKGROUND = "photo"
"""Behind a picture's person: ``photo``, their place; ``blur``, that blurred; a colour; ``transparent``; or a file."""

Framing = Literal["auto", "person", "scene"]
"""What of a picture is filmed: ``scene``, all of it; ``person``, a crop; ``auto``, a crop where the person is small."""

FRAMINGS: tuple[Framing, ...] = ("auto", "person", "scene")
FRAMING: Framing = "auto"

Name = TypeVar("Name", bound=str)

Size = int | tuple[int, int]
"""Height of a video in pixels, its width then following the picture; or (width, height)."""


def check_options(
    *,
    fps: float = FPS,
    seconds: float | None = None,
    start: float = 0.0,
    seed: int = SEED,
    size: Size | None = None,
    facing: str | None = None,
    quality: str = QUALITY,
    travel: float | None = None,
    energy: float = ENERGY,
    body: str = BODY,
) -> None:
    """Refuse options that are out of range, before any work is done.

    Raises:
        InputError: which option is out of which range.
    """
    if not LOWEST_FPS <= fps <= HIGHEST_FPS:
        raise InputError(f"fps {fps:g} is out of range; use {LOWEST_FPS:g} to {HIGHEST_FPS:g}.")
    if seconds is not None and not 1 <= seconds < float("inf"):
        raise InputError(f"seconds {seconds:g} is too short for a dance; use 1 or more, or leave it out.")
    if not 0 <= start < float("inf"):
        raise InputError(f"start {start:g} is before the song; use 0 or more.")
    if not 0 <= seed < 2**63:
        raise InputError(f"seed {seed} is out of range; use a whole number from 0 to 2^63 - 1.")
    for side in () if size is None else (size,) if isinstance(size, int) else size:
        if not SMALLEST_SIDE <= side <= LARGEST_SIDE:
            raise InputError(f"size {side} is out of range; use {SMALLEST_SIDE} to {LARGEST_SIDE} pixels.")
    if facing is not None:
        parse_facing(facing)
    parse_quality(quality)
    parse_body(body)
    if not 0 <= energy <= LARGEST_ENERGY:
        raise InputError(f"energy {energy:g} is out of range; use 0 to {LARGEST_ENERGY:g}.")
    if travel is not None and not SMALLEST_TRAVEL <= travel <= LARGEST_TRAVEL:
        raise InputError(f"travel {travel:g} is out of range; use {SMALLEST_TRAVEL:g} to {LARGEST_TRAVEL:g} metres.")


def match_name(text: str, names: Sequence[Name], kind: str) -> Name:
    """The one of ``names`` that a user means: upper and lower case, spaces, ``-`` and ``_`` are not told apart.

    Raises:
        InputError: none of them; the message suggests the nearest and lists all.
    """

    def plain(name: str) -> str:
        return name.casefold().strip().replace(" ", "-").replace("_", "-")

    by_plain = {plain(name): name for name in names}
    if plain(text) in by_plain:
        return by_plain[plain(text)]
    near = difflib.get_close_matches(plain(text), list(by_plain), n=1)
    hint = f"did you mean {by_plain[near[0]]}? There are" if near else "there are"
    raise InputError(f"{kind} {text!r} is not known; {hint} {', '.join(names)}.")


def parse_facing(text: str) -> Facing:
    """A facing by its name. Raises InputError where there is no such."""
    return match_name(text, FACINGS, "facing")


def parse_quality(text: str) -> Quality:
    """A quality by its name. Raises InputError where there is no such."""
    return match_name(text, QUALITIES, "quality")


def parse_repeats(text: str) -> Repeats:
    """A kind of repeats by its name. Raises InputError where there is no such."""
    return match_name(text, REPEAT_KINDS, "kind of repeats")


def parse_body(text: str) -> BodyKind:
    """A kind of body by its name. Raises InputError where there is no such."""
    return match_name(text, BODIES, "body")


def is_transparent(background: str | Path) -> bool:
    """Whether a background is the one that leaves the frames transparent."""
    return str(background).strip().casefold() == "transparent"


def parse_framing(text: str) -> Framing:
    """A framing by its name. Raises InputError where there is no such."""
    return match_name(text, FRAMINGS, "framing")


def parse_person(text: str | None) -> int | tuple[float, float] | None:
    """One of several persons as users write it: ``2``, a number from 1, or ``640,380``, a point in pixels.

    Raises:
        InputError: written otherwise.
    """
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    try:
        if len(parts) == 1:
            return int(parts[0])
        x, y = (float(part) for part in parts)
    except ValueError:
        raise InputError(f"--person {text}: use a number, as in 2, or a point X,Y in pixels, as in 640,380.") from None
    return x, y


def parse_size(text: str | None) -> Size | None:
    """A size as users write it: ``512``, the height, or ``384x512``.

    Raises:
        InputError: written otherwise.
    """
    if text is None:
        return None
    sides = text.lower().replace("×", "x").split("x")
    if len(sides) > 2 or not all(side.strip().isdecimal() for side in sides):
        raise InputError(f"--size {text}: use the height in pixels, as in 512, or WIDTHxHEIGHT, as in 384x512.")
    numbers = [int(side) for side in sides]
    return numbers[0] if len(numbers) == 1 else (numbers[0], numbers[1])


def frame_size(size: Size | None, aspect: tuple[int, int]) -> tuple[int, int]:
    """(width, height) of a video, both even.

    Args:
        size: as the user gave it; None for the default height.
        aspect: width and height that the width follows where only the height is given.

    Raises:
        InputError: a side is out of range.
    """
    check_options(size=size)
    if size is None or isinstance(size, int):
        height = HEIGHT if size is None else size
        width = round(min(max(height * aspect[0] / aspect[1], SMALLEST_SIDE), LARGEST_SIDE))
    else:
        width, height = size
    return round(width / 2) * 2, round(height / 2) * 2


def size_notes(size: Size | None, used: tuple[int, int]) -> tuple[str, ...]:
    """A sentence for the user where the size of the frames is not the one that was asked for."""
    asked = used[1] if size is None else size
    if asked in (used, used[1]):
        return ()
    text = f"{asked[0]}x{asked[1]}" if isinstance(asked, tuple) else f"a height of {asked}"
    return (f"The frames are {used[0]}x{used[1]} instead of {text}, since videos have even sides.",)
