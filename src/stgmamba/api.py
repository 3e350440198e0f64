"""The main job in Python: a song and a picture in, a dance video out.

    from stgmamba import Dancer
    Dancer.from_pretrained().dance("song.mp3", image="me.jpg").save("out.mp4")

The command line is a thin layer over this module.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from stgmamba import defaults
from stgmamba.errors import InputError
from stgmamba.files import check_can_write
from stgmamba.info import is_picture
from stgmamba.music.decode import Song, load_song
from stgmamba.progress import Progress
from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton, convert

if TYPE_CHECKING:
    from stgmamba.music_to_skeleton.sampler import Generator
    from stgmamba.person.picture import Picture
    from stgmamba.person.pose import PersonInPicture
    from stgmamba.person.pose_file import GivenPose

Frame = NDArray[np.uint8]
Facing = Literal["camera", "free"]
FACINGS: tuple[Facing, ...] = ("camera", "free")
QUALITIES = ("best", "fast")
ImageLike = str | Path | Image.Image | NDArray[Any]
PoseLike = str | Path | Mapping[str, Any] | Skeleton


class Renderer(Protocol):
    """Draws one video: constructed once per video, then handed the dance."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of its frames in pixels."""

    def frames(self, dance: Skeleton) -> Iterator[Frame]:
        """One uint8 RGB frame [H, W, 3] per frame of ``dance`` (3-D, OPENPOSE_18_FEET, metres), one at a time."""


@dataclass(frozen=True)
class Performer:
    """Who dances, ready to be drawn.

    Attributes:
        name: the picture's file name or the built-in dancer's name.
        renderer: draws the performer.
        facing: how the performer should turn unless the user says otherwise; a single photo has no back.
        notes: sentences for the user: what was found in the picture and what had to be guessed.
    """

    name: str
    renderer: Renderer
    facing: Facing
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class DanceVideo:
    """A dance that is drawn when it is asked for: ``save`` and ``frames`` make one frame after the other.

    Attributes:
        skeleton: the dance, 3-D, OPENPOSE_18_FEET, at the video's frame rate.
        performer: who dances it.
        song: the file whose sound accompanies it, or None for a silent video.
        start: the second of the song at which the dance begins.
    """

    skeleton: Skeleton
    performer: Performer
    song: Path | None = None
    start: float = 0.0

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for the user about the picture."""
        return self.performer.notes

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.performer.renderer.size

    @property
    def fps(self) -> float:
        """Frames per second."""
        return self.skeleton.fps

    @property
    def seconds(self) -> float:
        """Duration."""
        return self.skeleton.seconds

    def frames(self) -> Iterator[Frame]:
        """The frames, uint8 RGB [H, W, 3], drawn one at a time."""
        return self.performer.renderer.frames(self.skeleton)

    def save(self, path: str | Path, progress: Progress | None = None) -> Path:
        """Draw all frames into an mp4 with the song's sound (H.264 and AAC). Nothing is left behind if it fails.

        Args:
            path: the file to write, ending in .mp4; an older one is replaced.
            progress: called with (frames done, frames in all).

        Raises:
            InputError: the file cannot be written.
        """
        from stgmamba.video_io import write_video

        path = check_can_write(path, (".mp4",))
        write_video(
            path,
            self.frames(),
            self.fps,
            audio=self.song,
            audio_start=self.start,
            seconds=self.seconds,
            progress=progress,
        )
        return path


class Dancer:
    """Hears songs and makes up dances.

    Args:
        generator: stage 1, music to skeleton.
    """

    def __init__(self, generator: Generator) -> None:
        self.generator = generator

    @classmethod
    def from_pretrained(cls, weights: str | Path | None = None) -> Dancer:
        """The dancer with the weights that come with the package, or with those of a file (safetensors).

        Raises:
            InputError: the file is missing or not ours.
        """
        from stgmamba.music_to_skeleton.sampler import load_generator

        return cls(load_generator(weights))

    def skeleton(
        self,
        song: str | Path | Song,
        *,
        seconds: float | None = None,
        start: float = 0.0,
        seed: int = defaults.SEED,
        fps: float = defaults.FPS,
        genre: str | None = None,
        facing: Facing = "free",
        on_beat: bool = True,
        progress: Progress | None = None,
    ) -> Skeleton:
        """Make up a dance to a song.

        Args:
            song: any file with sound; or the samples, heard already (then ``seconds`` and ``start`` are not asked for).
            seconds: how long to dance; to the end of the song when not given.
            start: the second of the song at which to begin.
            seed: another seed, another dance.
            fps: frames per second of the result.
            genre: a style of dance the weights know; left to chance when not given.
            facing: ``camera`` takes out slow turning, ``free`` keeps it.
            on_beat: fit the timing of the steps to the song's beats.
            progress: called with (done, total).

        Returns:
            3-D, OPENPOSE_18_FEET, metres.

        Raises:
            InputError: the song cannot be used, or an option is out of range.
        """
        check_options(fps=fps, seconds=seconds, start=start, seed=seed, facing=facing)
        heard = song if isinstance(song, Song) else load_song(song, start=start, seconds=seconds)
        dance = self.generator.generate(
            heard, seed=seed, genre=genre, facing=facing, on_beat=on_beat, progress=progress
        )
        # Frames of the model and of the video seldom end together; the video ends with the song.
        return dance.resampled(fps).slice(0, max(1, round(heard.seconds * fps)))

    def dance(
        self,
        song: str | Path,
        image: ImageLike | None = None,
        *,
        dancer: str | None = None,
        pose: PoseLike | None = None,
        mask: ImageLike | None = None,
        seconds: float | None = None,
        start: float = 0.0,
        seed: int = defaults.SEED,
        size: int | tuple[int, int] | None = None,
        fps: float = defaults.FPS,
        facing: Facing | None = None,
        genre: str | None = None,
        on_beat: bool = True,
        quality: str = defaults.QUALITY,
        progress: Progress | None = None,
    ) -> DanceVideo:
        """Let the person of a picture, or a built-in dancer, dance to a song.

        Args:
            song: any file with sound.
            image: the picture of one person: a file, a PIL image, or an array uint8 [H, W, 3].
            dancer: instead of ``image``, the name of a built-in dancer.
            pose: the joints in ``image``, for drawings in which nobody is found: a file, a mapping of OPENPOSE_18_FEET
                names to [x, y] in pixels, or the 2-D skeleton of one picture.
            mask: the outline in ``image``, white on the figure; found when not given.
            size: height of the video in pixels, or (width, height).
            seconds: how long to dance; to the end of the song when not given.
            start: the second of the song at which to begin.
            seed: another seed, another dance.
            fps: frames per second.
            facing: by default ``camera`` for a picture, ``free`` for a built-in dancer.
            genre: a style of dance the weights know; left to chance when not given.
            on_beat: fit the timing of the steps to the song's beats.
            quality: of a picture's person: ``best`` by the network, ``fast`` by the limb warp alone.
            progress: called with (done, total) while the dance is made up; drawing comes with ``save``.

        Raises:
            InputError: song, picture or an option cannot be used.
        """
        check_options(fps=fps, seconds=seconds, start=start, seed=seed, facing=facing, size=size, quality=quality)
        heard = load_song(song, start=start, seconds=seconds)
        performer = cast_performer(image, dancer, size=size, seed=seed, quality=quality, pose=pose, mask=mask)
        skeleton = self.skeleton(
            heard,
            seed=seed,
            fps=fps,
            genre=genre,
            facing=facing or performer.facing,
            on_beat=on_beat,
            progress=progress,
        )
        return DanceVideo(skeleton, performer, Path(song), start)


def check_options(
    *,
    fps: float = defaults.FPS,
    seconds: float | None = None,
    start: float = 0.0,
    seed: int = defaults.SEED,
    size: int | tuple[int, int] | None = None,
    facing: str | None = None,
    quality: str = defaults.QUALITY,
) -> None:
    """Refuse numbers that cannot be meant.

    Raises:
        InputError: which option is out of which range.
    """
    if not defaults.LOWEST_FPS <= fps <= defaults.HIGHEST_FPS:
        raise InputError(f"fps {fps:g} is out of range; use {defaults.LOWEST_FPS:g} to {defaults.HIGHEST_FPS:g}.")
    if seconds is not None and not 1 <= seconds < float("inf"):
        raise InputError(f"seconds {seconds:g} is too short for a dance; use 1 or more, or leave it out.")
    if not 0 <= start < float("inf"):
        raise InputError(f"start {start:g} is before the song; use 0 or more.")
    if not 0 <= seed < 2**63:
        raise InputError(f"seed {seed} is out of range; use a whole number from 0 to 2^63 - 1.")
    for side in () if size is None else (size,) if isinstance(size, int) else size:
        if not defaults.SMALLEST_SIZE <= side <= defaults.LARGEST_SIZE:
            raise InputError(
                f"size {side} is out of range; use {defaults.SMALLEST_SIZE} to {defaults.LARGEST_SIZE} pixels."
            )
    if facing is not None:
        facing_of(facing)
    if quality not in QUALITIES:
        raise InputError(f"quality {quality!r} is not known; use {' or '.join(QUALITIES)}.")


def facing_of(text: str) -> Facing:
    """One of ``FACINGS`` by its name.

    Raises:
        InputError: no such facing.
    """
    for facing in FACINGS:
        if facing == text:
            return facing
    raise InputError(f"facing {text!r} is not known; use {' or '.join(FACINGS)}.")


def cast_performer(
    image: ImageLike | None = None,
    dancer: str | None = None,
    *,
    size: int | tuple[int, int] | None = None,
    seed: int = defaults.SEED,
    quality: str = defaults.QUALITY,
    pose: PoseLike | None = None,
    mask: ImageLike | None = None,
) -> Performer:
    """Find the person in a picture, or take a built-in dancer (the first of the list when neither is given).

    Args:
        image: a file, a PIL image, or an array uint8 [H, W, 3].
        dancer: a name of ``stgmamba dancers``, or ``random`` for one made up from the seed.
        size: height in pixels, the width then follows the picture; or (width, height).
        seed: of the random dancer.
        quality: of a picture's person: ``best`` by the network, ``fast`` by the limb warp alone.
        pose: the joints in ``image``, for drawings in which nobody is found: a file, a mapping of OPENPOSE_18_FEET
            names to [x, y] in pixels, or the 2-D skeleton of one picture.
        mask: the outline in ``image``, white on the figure; found when not given.

    Raises:
        InputError: both given, no such dancer, or the picture, its pose or its mask cannot be used.
    """
    if image is not None and dancer is not None:
        raise InputError("Choose one: an image (--image) or a built-in dancer (--dancer), not both.")
    if image is not None:
        return _performer_from(as_picture(image), size, quality, pose, mask)
    for option, given in (("pose", pose), ("mask", mask)):
        if given is not None:
            raise InputError(f"A {option} (--{option}) belongs to a picture; name it with --image.")
    return _built_in(dancer, size, seed)


def _performer_from(
    picture: Picture,
    size: int | tuple[int, int] | None,
    quality: str,
    pose: PoseLike | None,
    mask: ImageLike | None,
) -> Performer:
    from stgmamba.limb_warp.letterbox import Letterbox, inner_height
    from stgmamba.limb_warp.renderer import LimbWarpRenderer

    check_options(quality=quality)
    wanted = _size(size, picture.size)
    person, notes = _person_in(picture, pose, mask)
    height = inner_height(picture.size, wanted)
    renderer: Renderer
    if quality == "fast":
        renderer = LimbWarpRenderer(picture, person, height)
    else:
        from stgmamba.skeleton_to_video.rendering import NetworkRenderer, load_network  # brings torch along

        renderer = NetworkRenderer(picture, person, height, model=load_network())
    if renderer.size != wanted:
        renderer = Letterbox(renderer, wanted)
    return Performer(picture.name, renderer, "camera", notes)


def _person_in(
    picture: Picture, pose: PoseLike | None, mask: ImageLike | None
) -> tuple[PersonInPicture, tuple[str, ...]]:
    """The person as found, or as the user says; and the notes on it."""
    from stgmamba.person.drawn_figure import figure_by_hand, mask_from
    from stgmamba.person.pose import find_person

    if pose is None:
        person = find_person(picture)
        if mask is not None:
            person = replace(person, mask=mask_from(as_picture(mask), picture))
        return person, _notes(picture, person)
    given = _as_pose(pose)
    mask = given.mask if mask is None else mask
    person, notes = figure_by_hand(picture, given, None if mask is None else as_picture(mask))
    return person, (*_notes(picture, person), *notes)


def _as_pose(pose: PoseLike) -> GivenPose:
    from stgmamba.person.pose_file import joints_to_pose, pose_of, read_pose

    if isinstance(pose, Skeleton):
        return pose_of(pose)
    return joints_to_pose(pose) if isinstance(pose, Mapping) else read_pose(pose)


def _notes(picture: Picture, person: PersonInPicture) -> tuple[str, ...]:
    """What the user should know about how a picture was read."""
    notes = [picture.note] if picture.note else []
    if person.others:
        found = "another person is" if person.others == 1 else f"{person.others} other persons are"
        notes.append(f"{picture.name}: {found} in the picture; the largest one is taken.")
    if person.missing:
        joints = ", ".join(joint.replace("_", " ") for joint in person.missing)
        notes.append(f"{picture.name}: these joints cannot be seen, so their places are guessed: {joints}.")
    return tuple(notes)


def _built_in(name: str | None, size: int | tuple[int, int] | None, seed: int) -> Performer:
    from stgmamba.characters import DANCERS, random_look
    from stgmamba.characters.render import DancerRenderer

    name = name or next(iter(DANCERS))
    if name != "random" and name not in DANCERS:
        raise InputError(f"There is no dancer {name!r}; choose one of {', '.join(DANCERS)} or random.")
    look = random_look(seed) if name == "random" else DANCERS[name]
    return Performer(name, DancerRenderer(look, size=_size(size, defaults.DANCER_SHAPE)), "free")


def _size(size: int | tuple[int, int] | None, shape: tuple[int, int]) -> tuple[int, int]:
    """(width, height); where only the height is given the width follows the shape (width, height). Both even."""
    check_options(size=size)
    width, height = shape
    if size is None or isinstance(size, int):
        tall = defaults.SIZE if size is None else size
        wide = round(np.clip(tall * width / height, defaults.SMALLEST_SIZE, defaults.LARGEST_SIZE))
    else:
        wide, tall = size
    return round(wide / 2) * 2, round(tall / 2) * 2


def as_picture(image: ImageLike) -> Picture:
    """A picture from a file, a PIL image, or an array uint8 [H, W], [H, W, 3] or [H, W, 4].

    Raises:
        InputError: not a picture that can be used.
    """
    from stgmamba.person.picture import BACKGROUND, MAX_SIDE, MIN_SIDE, Picture, load_picture

    if isinstance(image, str | Path):
        return load_picture(image)
    if isinstance(image, np.ndarray):
        if image.dtype != np.uint8 or image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] not in (3, 4)):
            raise InputError(
                f"The image array is {image.dtype} {list(image.shape)}; hand in uint8 RGB [height, width, 3]."
            )
        image = Image.fromarray(image)
    if min(image.size) < MIN_SIDE:
        raise InputError(
            f"The image has {image.width} x {image.height} pixels, too few to see a person in; use 256 or more."
        )
    image = ImageOps.exif_transpose(image)
    original_size = image.size if max(image.size) > MAX_SIDE else None
    image.thumbnail((MAX_SIDE, MAX_SIDE))
    if not image.has_transparency_data:
        return Picture(np.array(image.convert("RGB")), original_size=original_size)
    rgba = image.convert("RGBA")
    base = Image.new("RGB", image.size, BACKGROUND)
    base.paste(rgba, mask=rgba.getchannel("A"))
    alpha = np.asarray(rgba.getchannel("A"), np.float32) / np.float32(255)
    return Picture(np.array(base), alpha=alpha, original_size=original_size)


def render(
    skeleton: Skeleton,
    image: ImageLike | None = None,
    *,
    dancer: str | None = None,
    song: str | Path | None = None,
    start: float = 0.0,
    size: int | tuple[int, int] | None = None,
    fps: float | None = None,
    seed: int = defaults.SEED,
    quality: str = defaults.QUALITY,
    pose: PoseLike | None = None,
    mask: ImageLike | None = None,
) -> DanceVideo:
    """Let somebody dance a given dance.

    Args:
        skeleton: 3-D, any layout that converts to OPENPOSE_18_FEET.
        image: the picture of one person: a file, a PIL image, or an array uint8 [H, W, 3].
        dancer: instead of ``image``, the name of a built-in dancer.
        song: a file whose sound accompanies the dance.
        start: the second of the song that sounds at the first frame.
        size: height of the video in pixels, or (width, height).
        seed: of the dancer ``random``.
        fps: frames per second of the video; the skeleton's own when not given.
        quality: of a picture's person: ``best`` by the network, ``fast`` by the limb warp alone.
        pose: the joints in ``image``, as for ``Dancer.dance``.
        mask: the outline in ``image``, white on the figure; found when not given.

    Raises:
        InputError: the skeleton is flat or lacks joints, or an option cannot be used.
    """
    check_options(start=start, size=size, quality=quality)
    dance = danceable(skeleton)
    if fps is not None:
        check_options(fps=fps)
        dance = dance.resampled(fps)
    performer = cast_performer(image, dancer, size=size, seed=seed, quality=quality, pose=pose, mask=mask)
    return DanceVideo(dance, performer, None if song is None else Path(song), start)


def danceable(skeleton: Skeleton, name: str = "The skeleton") -> Skeleton:
    """The skeleton in the layout that is drawn, or a sentence saying why it cannot be.

    Raises:
        InputError: flat, empty, or with unknown joints.
    """
    if len(skeleton) == 0:
        raise InputError(f"{name}: there are no frames in it; make another with `stgmamba skeleton`.")
    if skeleton.dims != 3:
        raise InputError(
            f"{name}: it is flat (2-D) and only 3-D dances can be drawn; make one with `stgmamba skeleton`."
        )
    dance = convert(skeleton, OPENPOSE_18_FEET)
    unknown = [joint for j, joint in enumerate(dance.layout.joints) if not (dance.confidence[:, j] > 0).any()]
    if unknown:
        joints = ", ".join(joint.replace("_", " ") for joint in unknown)
        raise InputError(f"{name}: it does not say where these joints are: {joints}; use a skeleton that does.")
    if not np.isfinite(dance.positions).all():
        raise InputError(f"{name}: some positions are not numbers; make it again.")
    # Resampling to its own rate does nothing, so gaps in time are bridged here.
    if not (dance.confidence > 0).all():
        dance = _without_gaps(dance)
    return dance


def _without_gaps(dance: Skeleton) -> Skeleton:
    """Joints that are unknown for a while move evenly from where they were to where they will be."""
    positions = dance.positions.copy()
    times = np.arange(len(dance))
    for j in range(len(dance.layout)):
        known = dance.confidence[:, j] > 0
        for d in range(dance.dims):
            positions[:, j, d] = np.interp(times, times[known], positions[known, j, d])
    return replace(dance, positions=positions, confidence=np.ones_like(dance.confidence))


def check_skeleton_path(path: str | Path) -> Path:
    """Refuse early a name that no skeleton can be written under.

    Raises:
        InputError: unknown ending, missing folder, or no permission.
    """
    from stgmamba.skeleton.formats import FORMATS

    path = Path(path)
    if not path.suffix:  # a folder of one file per frame
        check_can_write(path / "frame.json" if path.is_dir() else path)
        return path
    suffixes = tuple(suffix for entry in FORMATS.values() for suffix in entry.suffixes if suffix)
    return check_can_write(path, suffixes)


def find_pose(path: str | Path, progress: Progress | None = None) -> tuple[Skeleton, tuple[str, ...]]:
    """The 2-D skeleton of the person in a picture (one frame) or in a video (all of its frames).

    Args:
        path: a picture or a video file.
        progress: called with (thousandths done, 1000) while a video is watched.

    Returns:
        The skeleton, OPENPOSE_18_FEET in pixels, and sentences for the user.

    Raises:
        InputError: neither a picture nor a video, or nobody in it.
    """
    from stgmamba.person.picture import load_picture
    from stgmamba.person.pose import estimate_video, find_person

    path = Path(path)
    if not is_picture(path):
        skeleton = estimate_video(path, None if progress is None else lambda part: progress(round(part * 1000), 1000))
        lost = int((skeleton.confidence == 0).all(axis=1).sum())
        return skeleton, (f"{path}: nobody was found in {lost} of {len(skeleton)} frames.",) if lost else ()
    picture = load_picture(path)
    person = find_person(picture)
    return person.skeleton, _notes(picture, person)
