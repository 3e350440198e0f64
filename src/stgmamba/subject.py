"""Who dances: the person of a picture, or a built-in character, with the renderer that draws them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stgmamba.errors import InputError
from stgmamba.options import (
    BACKGROUND,
    BODY,
    CHARACTER_ASPECT,
    FRAMING,
    QUALITY,
    SEED,
    Facing,
    Framing,
    Size,
    frame_size,
    is_transparent,
    match_name,
    parse_body,
    parse_framing,
    parse_quality,
    size_notes,
)
from stgmamba.renderer import Renderer
from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton

if TYPE_CHECKING:
    from stgmamba.arrays import Frame
    from stgmamba.body.avatar import Avatar
    from stgmamba.person.picture import ImageLike, Picture
    from stgmamba.person.pose import DetectedPerson, PersonChoice
    from stgmamba.person.pose_file import ManualPose

PoseLike = str | Path | Mapping[str, Any] | Skeleton
"""Joints given by hand: a file, OPENPOSE_18_FEET names to [x, y] in pixels, or the 2-D skeleton of one picture."""


@dataclass(frozen=True)
class Subject:
    """Who dances, ready to be drawn.

    Attributes:
        name: the picture's file name or the character's name.
        renderer: draws the subject.
        facing: default facing: ``free``, except where a picture's person is flat and has no back.
        notes: sentences for the user on what was found in the picture and what had to be guessed.
        avatar: the textured, rigged mesh of a picture's person; None where it is flat, and of a character.
        transparent: whether the frames have an alpha channel and nothing is behind the subject.
    """

    name: str
    renderer: Renderer
    facing: Facing
    notes: tuple[str, ...] = ()
    avatar: Avatar | None = None
    transparent: bool = False


def load_subject(
    image: ImageLike | None = None,
    character: str | None = None,
    *,
    size: Size | None = None,
    seed: int = SEED,
    quality: str = QUALITY,
    pose: PoseLike | None = None,
    mask: ImageLike | None = None,
    body: str = BODY,
    background: str | Path = BACKGROUND,
    person: PersonChoice | None = None,
    framing: str = FRAMING,
    image_back: ImageLike | None = None,
) -> Subject:
    """The person of a picture, or a built-in character (the first of the list when neither is given).

    Args:
        image: a file, a PIL image, or an array uint8 [H, W, 3]; or a short video's file, whose best frame is taken, and
            one from behind where they turn.
        character: a name of ``stgmamba characters``, or ``random`` for one generated from the seed.
        size: of the video.
        seed: of the random character.
        quality: of a picture's flat person: ``best`` by the network, ``fast`` by the limb warp alone.
        pose: the joints in ``image``, for drawings in which nobody is detected.
        mask: the outline in ``image``, white on the figure; estimated when not given.
        body: of a picture's person: ``3d``, ``flat``, or ``auto``: 3-D where that fits the picture.
        background: behind a picture's person: ``photo``, ``blur``, a colour (``green``, ``#00ff00``), ``transparent``
            or a video's file (these two with 3-D bodies only), or a picture's.
        person: of several persons in ``image``: a number from 1, the most prominent, or a point (x, y) in pixels.
        framing: ``scene``, all of the picture; ``person``, a crop; ``auto``, a crop where the person is small. With
            ``pose`` or ``mask``, whose pixels are the picture's, it is all of the picture.
        image_back: another picture of the person, from behind, for the back of a 3-D body.

    Raises:
        InputError: both given, no such character, the picture, its pose or its mask cannot be used, or a transparent
            background behind a character or a flat person.
    """
    check_subject(image, character, pose, mask, image_back, person, background)
    if image is not None:
        return _load_picture_subject(image, size, quality, pose, mask, body, background, person, framing, image_back)
    return _load_character(character, size, seed)


def check_subject(
    image: ImageLike | None = None,
    character: str | None = None,
    pose: PoseLike | None = None,
    mask: ImageLike | None = None,
    image_back: ImageLike | None = None,
    person: PersonChoice | None = None,
    background: str | Path = BACKGROUND,
) -> None:
    """Refuse early what does not go together, or a character that does not exist; arguments as of `load_subject`.

    Raises:
        InputError: which of these it is.
    """
    if image is not None and character is not None:
        raise InputError("Choose one: an image (--image) or a built-in character (--character), not both.")
    given = {
        "A pose (--pose)": pose,
        "A mask (--mask)": mask,
        "A picture from behind (--image-back)": image_back,
        "The choice of a person (--person)": person,
        "A background (--background)": None if background == BACKGROUND else background,
    }
    for what, value in given.items():
        if image is None and value is not None:
            raise InputError(f"{what} belongs to a picture; name it with --image.")
    if character is not None:
        _character_name(character)


def _load_picture_subject(
    image: ImageLike,
    size: Size | None,
    quality: str,
    pose: PoseLike | None,
    mask: ImageLike | None,
    body: str,
    background: str | Path,
    which: PersonChoice | None,
    framing: str,
    image_back: ImageLike | None,
) -> Subject:
    from stgmamba.limb_warp.backdrop import VideoBackdrop, make_backdrop
    from stgmamba.limb_warp.letterbox import Letterbox, fitting_height, scaled_size

    parse_quality(quality)
    kind = parse_body(body)
    if kind == "flat" and image_back is not None:
        raise InputError("A picture from behind (--image-back) is for 3-D bodies; leave out --body flat.")
    views = _views(image, image_back, by_hand=pose is not None or mask is not None)
    picture, person, notes = _find_person(views.front, pose, mask, which, parse_framing(framing))
    notes = (*views.notes, *notes)
    video_size = frame_size(size, picture.size)
    notes = (*notes, *size_notes(size, video_size))
    height = fitting_height(picture.size, video_size)
    backdrop = make_backdrop(background, picture, scaled_size(picture.size, height))
    behind = None if backdrop is None else backdrop(person.mask)
    avatar = None
    if kind != "flat":
        avatar, body_notes = _fitting_avatar(picture, person, views, always=kind == "3d")
        notes = (*notes, *body_notes)
    transparent = is_transparent(background)
    renderer: Renderer
    if avatar is None:
        if transparent or isinstance(behind, VideoBackdrop):
            raise InputError(
                f"{picture.name}: a background that is {'transparent' if transparent else 'a video'} needs a 3-D body, "
                "and the person would be flat; use --body 3d, or a colour or picture as the background."
            )
        renderer = _flat_renderer(picture, person, height, quality, behind)
    else:
        from stgmamba.body.renderer import BodyRenderer

        renderer = BodyRenderer(picture, person, avatar, height, background=behind)
    if renderer.size != video_size:
        renderer = Letterbox(renderer, video_size)
    return Subject(picture.name, renderer, "camera" if avatar is None else "free", notes, avatar, transparent)


@dataclass(frozen=True)
class _Views:
    """Pictures of a person.

    Attributes:
        front: shows the person from the front.
        behind: from behind, where there is one.
        chosen: whether ``behind`` was found in a video, and may be left out.
        notes: sentences for the user.
    """

    front: Picture
    behind: Picture | None
    chosen: bool = False
    notes: tuple[str, ...] = ()


def _views(image: ImageLike, image_back: ImageLike | None, by_hand: bool) -> _Views:
    """The pictures of a person from what the user named: pictures, or a short video.

    Args:
        image: a picture, or a video's file.
        image_back: a picture from behind.
        by_hand: whether the joints or the outline are given by hand, which belong to a picture.
    """
    from stgmamba.person.clip_views import clip_views, is_clip
    from stgmamba.person.picture import as_picture

    back = None if image_back is None else as_picture(image_back)
    if not isinstance(image, str | Path) or not is_clip(image):
        return _Views(as_picture(image), back)
    if by_hand:
        raise InputError(
            f"{image}: a pose or a mask given by hand belongs to a picture, and this is a video; save a frame."
        )
    views = clip_views(image)
    return _Views(views.front, back or views.behind, back is None, (views.note,))


def _fitting_avatar(
    picture: Picture, person: DetectedPerson, views: _Views, always: bool
) -> tuple[Avatar | None, tuple[str, ...]]:
    """The person as a 3-D body, None where that does not fit the picture and need not be; and notes on that."""
    from stgmamba.body.avatar import make_avatar
    from stgmamba.body.quality import find_fault

    notes: tuple[str, ...] = ()
    try:
        avatar = make_avatar(picture, person, None if views.behind is None else _find_back(views.behind))
    except InputError:
        if not views.chosen:
            raise
        avatar = make_avatar(picture, person)
        notes = (f"{picture.name}: the frame from behind does not show a whole person; the back is made up.",)
    fault = find_fault(avatar, person)
    if fault is None:
        return avatar, notes
    if always:
        return avatar, (*notes, f"{picture.name}: the 3-D body may look wrong: {fault}.")
    return None, (f"{picture.name}: the person is drawn flat, facing the camera, because {fault} (--body 3d insists).",)


def _find_back(picture: Picture) -> tuple[Picture, DetectedPerson]:
    """A picture from behind, upright and without bars, and the person in it."""
    from stgmamba.person.preparation import prepare_person

    picture, person, _ = prepare_person(picture, framing="scene")
    left, right = (OPENPOSE_18_FEET.index(f"{side}_shoulder") for side in ("left", "right"))
    across = person.skeleton.positions[0, left, 0] - person.skeleton.positions[0, right, 0]
    if across > 0:  # seen from behind, the left shoulder is on the left
        raise InputError(f"{picture.name}: the person faces the camera; --image-back takes a picture from behind.")
    return picture, person


def _flat_renderer(
    picture: Picture, person: DetectedPerson, height: int, quality: str, background: Frame | None
) -> Renderer:
    """The person as moving limbs."""
    if quality == "fast":
        from stgmamba.limb_warp.renderer import LimbWarpRenderer

        return LimbWarpRenderer(picture, person, height, background=background)
    from stgmamba.skeleton_to_video.rendering import NeuralRenderer, load_network  # imports torch

    return NeuralRenderer(picture, person, height, background, model=load_network())


def load_avatar(
    image: ImageLike,
    pose: PoseLike | None = None,
    mask: ImageLike | None = None,
    which: PersonChoice | None = None,
    image_back: ImageLike | None = None,
) -> tuple[Avatar, tuple[str, ...]]:
    """The person of a picture as a textured, rigged mesh, and sentences for the user; arguments as of `load_subject`.

    Raises:
        InputError: the picture, its pose or its mask cannot be used.
    """
    views = _views(image, image_back, by_hand=pose is not None or mask is not None)
    picture, person, notes = _find_person(views.front, pose, mask, which, "scene")
    avatar, body_notes = _fitting_avatar(picture, person, views, always=True)
    assert avatar is not None
    return avatar, (*views.notes, *notes, *body_notes)


def _find_person(
    picture: Picture, pose: PoseLike | None, mask: ImageLike | None, which: PersonChoice | None, framing: Framing
) -> tuple[Picture, DetectedPerson, tuple[str, ...]]:
    """The picture to film, the person in it as detected or as given by hand, and the notes on both."""
    from stgmamba.person.posture import posture_notes

    picture, person, notes = _detect_or_read(picture, pose, mask, which, framing)
    return picture, person, (*notes, *posture_notes(picture, person))


def _detect_or_read(
    picture: Picture, pose: PoseLike | None, mask: ImageLike | None, which: PersonChoice | None, framing: Framing
) -> tuple[Picture, DetectedPerson, tuple[str, ...]]:
    from stgmamba.person.drawn_figure import figure_from_pose, masked_person
    from stgmamba.person.picture import as_picture
    from stgmamba.person.pose import detection_notes, find_person
    from stgmamba.person.preparation import prepare_person

    if pose is None and mask is None:
        picture, person, notes = prepare_person(picture, which, framing)
        return picture, person, (*detection_notes(picture, person), *notes)
    if pose is None:
        assert mask is not None
        person = masked_person(find_person(picture, which), as_picture(mask), picture)
        return picture, person, detection_notes(picture, person)
    manual = _as_manual_pose(pose)
    mask = manual.mask if mask is None else mask
    person, notes = figure_from_pose(picture, manual, None if mask is None else as_picture(mask))
    return picture, person, (*detection_notes(picture, person), *notes)


def _as_manual_pose(pose: PoseLike) -> ManualPose:
    from stgmamba.person.pose_file import joints_to_pose, pose_of, read_pose

    if isinstance(pose, Skeleton):
        return pose_of(pose)
    return joints_to_pose(pose) if isinstance(pose, Mapping) else read_pose(pose)


def _character_name(name: str) -> str:
    from stgmamba.characters import CHARACTERS

    return match_name(name, (*CHARACTERS, "random"), "character")


def _load_character(name: str | None, size: Size | None, seed: int) -> Subject:
    from stgmamba.characters import CHARACTERS, random_appearance
    from stgmamba.characters.render import CharacterRenderer

    name = next(iter(CHARACTERS)) if name is None else _character_name(name)
    appearance = random_appearance(seed) if name == "random" else CHARACTERS[name]
    video_size = frame_size(size, CHARACTER_ASPECT)
    return Subject(name, CharacterRenderer(appearance, size=video_size), "free", notes=size_notes(size, video_size))
