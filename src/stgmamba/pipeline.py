"""The pipeline: a song and a subject in, a dance video out. The only place that orders the stages.

    from stgmamba import DancePipeline
    DancePipeline.from_pretrained().dance("song.mp3", image="me.jpg").save("out.mp4")

The command line and the Python API call the same functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stgmamba.arrays import Frame
from stgmamba.errors import InputError
from stgmamba.files import check_can_write, check_can_write_video
from stgmamba.music.decode import Song, load_song
from stgmamba.music.rhythm import Rhythm, excerpt, read_beats
from stgmamba.options import (
    BACKGROUND,
    BODY,
    CHARACTER_ASPECT,
    ENERGY,
    FPS,
    FRAMING,
    QUALITY,
    REPEATS,
    SEED,
    STYLE,
    TRAVEL,
    Facing,
    Repeats,
    Size,
    check_options,
    frame_size,
    parse_facing,
    parse_repeats,
)
from stgmamba.progress import Reporter, Silent
from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton, convert
from stgmamba.subject import PoseLike, Subject, check_subject, load_avatar, load_subject

if TYPE_CHECKING:
    from stgmamba.body.avatar import Avatar
    from stgmamba.music_to_skeleton.sampler import DanceSampler
    from stgmamba.music_to_skeleton.styles import Choice
    from stgmamba.person.picture import ImageLike
    from stgmamba.person.pose import PersonChoice


@dataclass(frozen=True)
class DanceVideo:
    """A dance and who dances it; frames are drawn when they are needed, one after the other.

    Attributes:
        skeleton: the dance, 3-D, OPENPOSE_18_FEET, at the video's frame rate.
        subject: who dances it.
        song: the file whose sound accompanies it, or None for a silent video.
        start: the second of the song at which the dance begins.
    """

    skeleton: Skeleton
    subject: Subject
    song: Path | None = None
    start: float = 0.0

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for the user about the picture."""
        return self.subject.notes

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.subject.renderer.size

    @property
    def fps(self) -> float:
        """Frames per second."""
        return self.skeleton.fps

    @property
    def seconds(self) -> float:
        """Duration."""
        return self.skeleton.seconds

    def frames(self) -> Iterator[Frame]:
        """The frames, uint8 RGB [H, W, 3] (RGBA where the background is transparent), drawn one at a time."""
        return self.subject.renderer.frames(self.skeleton)

    def save(self, path: str | Path, report: Reporter | None = None) -> Path:
        """Draw all frames into a video with the song's sound (H.264 and AAC). Nothing is left behind if it fails.

        Args:
            path: the file to write, ending in .mp4, or in .mov where the background is transparent (ProRes 4444);
                an older one is replaced.
            report: told of the stage ``video`` and its progress in frames.

        Raises:
            InputError: the file cannot be written.
        """
        from stgmamba.video_io import write_video

        path = check_can_write_video(path, self.subject.transparent)
        with (report or Silent()).stage("video") as progress:
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

    def save_glb(self, path: str | Path) -> Path:
        """Write the dancer as a textured, rigged mesh with the dance as its animation (binary glTF).

        Args:
            path: the file to write, ending in .glb; an older one is replaced.

        Raises:
            InputError: the subject has no 3-D body, or the file cannot be written.
        """
        from stgmamba.body.gltf import write_glb

        path = check_can_write(path, (".glb",))
        if self.subject.avatar is None:
            raise InputError(
                f"{path}: {self.subject.name} has no 3-D body; use a picture of one whole person, or --body 3d."
            )
        write_glb(path, self.subject.avatar, self.skeleton)
        return path


class DancePipeline:
    """Generates dances and lets people dance them.

    Args:
        sampler: stage 1, music to skeleton; the default weights, loaded at first use, when not given.

    Attributes:
        choice: the style that ``auto`` chose for the latest dance, and why; None where the style was given.
    """

    def __init__(self, sampler: DanceSampler | None = None) -> None:
        self._sampler = sampler
        self.choice: Choice | None = None

    @classmethod
    def from_pretrained(cls, weights: str | Path | None = None) -> DancePipeline:
        """A pipeline with the default weights of stage 1, or with those of a file (safetensors), loaded now.

        Raises:
            InputError: the file is missing or not ours.
        """
        from stgmamba.music_to_skeleton.sampler import load_sampler

        return cls(load_sampler(weights))

    @property
    def sampler(self) -> DanceSampler:
        """Stage 1, music to skeleton."""
        if self._sampler is None:
            from stgmamba.music_to_skeleton.sampler import load_sampler

            self._sampler = load_sampler()
        return self._sampler

    def skeleton(
        self,
        song: str | Path | Song,
        *,
        seconds: float | None = None,
        start: float = 0.0,
        seed: int = SEED,
        fps: float = FPS,
        style: str = STYLE,
        facing: str = "free",
        travel: float | None = None,
        energy: float = ENERGY,
        repeats: str = REPEATS,
        align_beats: bool = True,
        beats: str | Path | None = None,
        report: Reporter | None = None,
    ) -> Skeleton:
        """Generate a dance to a song.

        Args:
            song: any file with sound; or decoded samples, for which ``seconds`` and ``start`` have no effect.
            seconds: length of the dance; to the end of the song when not given.
            start: the second of the song at which to begin.
            seed: another seed, another dance.
            fps: frames per second of the result.
            style: a style of dance the weights know; a mix as ``pop:0.7,lock:0.3``, or sections as
                ``0:00=modern,0:45=krump``; ``auto`` chooses by the music.
            facing: ``camera`` takes out slow turning, ``free`` keeps it.
            travel: radius in metres within which the dancer stays; the whole floor when not given.
            energy: how much larger movements are where the music is louder and denser, 0 to 2.
            repeats: whether sections of the song that return bring their phrase back: ``exact``, ``varied`` or ``off``.
            align_beats: align the steps with the song's beats.
            beats: file of the song's beats (`stgmamba.music.rhythm.read_beats`); tracked when not given.
            report: receives the progress of the stages ``model``, ``song`` and ``skeleton``.

        Returns:
            3-D, OPENPOSE_18_FEET, metres.

        Raises:
            InputError: the song cannot be used, or an option is out of range.
        """
        check_options(fps=fps, seconds=seconds, start=start, seed=seed, facing=facing, travel=travel, energy=energy)
        report = report or Silent()
        again = parse_repeats(repeats)
        rhythm = None if beats is None else read_beats(beats)
        self._check_style(style, report)
        if isinstance(song, Song):
            start = 0.0
        else:
            with report.stage("song"):
                song = load_song(song, start=start, seconds=seconds)
        given = None if rhythm is None else excerpt(rhythm, start, song.seconds)
        return self._generate(
            song, seed, fps, style, parse_facing(facing), travel, energy, again, align_beats, given, report
        )

    def dance(
        self,
        song: str | Path,
        image: ImageLike | None = None,
        *,
        character: str | None = None,
        pose: PoseLike | None = None,
        mask: ImageLike | None = None,
        seconds: float | None = None,
        start: float = 0.0,
        seed: int = SEED,
        size: Size | None = None,
        fps: float = FPS,
        facing: str | None = None,
        style: str = STYLE,
        travel: float = TRAVEL,
        energy: float = ENERGY,
        repeats: str = REPEATS,
        align_beats: bool = True,
        beats: str | Path | None = None,
        quality: str = QUALITY,
        body: str = BODY,
        background: str | Path = BACKGROUND,
        person: PersonChoice | None = None,
        framing: str = FRAMING,
        image_back: ImageLike | None = None,
        report: Reporter | None = None,
    ) -> DanceVideo:
        """Let the person of a picture, or a built-in character, dance to a song.

        Args:
            song: any file with sound.
            image: the picture of one person: a file, a PIL image, or an array uint8 [H, W, 3].
            character: instead of ``image``, the name of a built-in character.
            pose: the joints in ``image``, for drawings in which nobody is detected (`stgmamba.subject.PoseLike`).
            mask: the outline in ``image``, white on the figure; estimated when not given.
            seconds: length of the dance; to the end of the song when not given.
            start: the second of the song at which to begin.
            seed: another seed, another dance.
            size: height of the video in pixels, or (width, height).
            fps: frames per second.
            facing: by default ``free``; ``camera`` for a picture whose person is flat.
            style: as for ``skeleton``.
            travel: radius in metres within which the dancer stays.
            energy: as for ``skeleton``.
            repeats: as for ``skeleton``.
            align_beats: align the steps with the song's beats.
            beats: file of the song's beats (`stgmamba.music.rhythm.read_beats`); tracked when not given.
            quality: of a picture's flat person: ``best`` by the network, ``fast`` by the limb warp alone.
            body: of a picture's person: ``3d``, ``flat``, or ``auto``: 3-D where that fits the picture.
            background: behind a picture's person: ``photo``, ``blur``, a colour, ``transparent``, a picture, a video.
            person: of several persons in ``image``: a number from 1, the most prominent, or a point (x, y) in pixels.
            framing: what of ``image`` is filmed: ``scene``, ``person`` or ``auto``, a crop where the person is small.
            image_back: another picture of the person, from behind, for the back of a 3-D body.
            report: receives the progress of the stages ``model``, ``song``, ``subject`` and
                ``skeleton``; drawing comes with ``save``.

        Raises:
            InputError: song, picture or an option cannot be used.
        """
        check_options(
            fps=fps,
            seconds=seconds,
            start=start,
            seed=seed,
            facing=facing,
            size=size,
            quality=quality,
            travel=travel,
            energy=energy,
            body=body,
        )
        check_subject(image, character, pose, mask, image_back, person, background)
        report = report or Silent()
        again = parse_repeats(repeats)
        rhythm = None if beats is None else read_beats(beats)
        self._check_style(style, report)
        with report.stage("song"):
            decoded = load_song(song, start=start, seconds=seconds)
        options: dict[str, Any] = {
            "size": size,
            "seed": seed,
            "quality": quality,
            "body": body,
            "background": background,
            "pose": pose,
            "mask": mask,
            "person": person,
            "framing": framing,
            "image_back": image_back,
        }
        subject = _prepare_subject(report, partial(load_subject, image, character, **options))
        facing = subject.facing if facing is None else parse_facing(facing)
        given = None if rhythm is None else excerpt(rhythm, start, decoded.seconds)
        skeleton = self._generate(decoded, seed, fps, style, facing, travel, energy, again, align_beats, given, report)
        return DanceVideo(skeleton, subject, Path(song), start)

    def _check_style(self, style: str, report: Reporter) -> None:
        """Load stage 1 and refuse early a style that it does not know."""
        with report.stage("model"):
            self.sampler.check_style(style)

    def _generate(
        self,
        song: Song,
        seed: int,
        fps: float,
        style: str,
        facing: Facing,
        travel: float | None,
        energy: float,
        repeats: Repeats,
        align_beats: bool,
        rhythm: Rhythm | None,
        report: Reporter,
    ) -> Skeleton:
        def choose(choice: Choice) -> None:
            self.choice = choice
            report.say(f"Style {choice.style}: {choice.reason}.")

        self.choice = None
        with report.stage("skeleton") as progress:
            dance = self.sampler.generate(
                song,
                seed=seed,
                style=style,
                facing=facing,
                travel=travel,
                energy=energy,
                repeats=repeats,
                align_beats=align_beats,
                rhythm=rhythm,
                chosen=choose,
                progress=progress,
            )
        # Frames of the model and of the video seldom end together; the video ends with the song.
        return dance.resampled(fps).slice(0, max(1, round(song.seconds * fps)))


def make_avatar(
    image: ImageLike,
    *,
    glb: str | Path | None = None,
    turntable: str | Path | None = None,
    pose: PoseLike | None = None,
    mask: ImageLike | None = None,
    person: PersonChoice | None = None,
    image_back: ImageLike | None = None,
    size: Size | None = None,
    fps: float = FPS,
    report: Reporter | None = None,
) -> Avatar:
    """Make the person of a picture a 3-D body, and write it as a mesh, as a video of one turn, or both.

    Args:
        image: the picture of one person: a file, a PIL image, or an array uint8 [H, W, 3].
        glb: the mesh to write, textured and rigged (binary glTF), ending in .glb.
        turntable: the video to write, ending in .mp4.
        pose: the joints in ``image``, as for ``DancePipeline.dance``.
        mask: the outline in ``image``, white on the figure; estimated when not given.
        person: of several persons in ``image``, as for ``DancePipeline.dance``.
        image_back: another picture of the person, from behind.
        size: of the video: height in pixels, or (width, height).
        fps: frames per second of the video.
        report: receives the notes on the picture and the progress of the stages ``subject`` and ``video``.

    Raises:
        InputError: the picture or an option cannot be used, or a file cannot be written.
    """
    check_options(size=size, fps=fps)
    glb = None if glb is None else check_can_write(glb, (".glb",))
    turntable = None if turntable is None else check_can_write(turntable, (".mp4",))
    report = report or Silent()
    with report.stage("subject"):
        avatar, notes = load_avatar(image, pose, mask, person, image_back)
    for note in notes:
        report.warn(note)
    if glb is not None:
        from stgmamba.body.gltf import write_glb

        write_glb(glb, avatar)
    if turntable is not None:
        from stgmamba.body.turntable import save_turntable

        with report.stage("video") as progress:
            save_turntable(avatar, turntable, frame_size(size, CHARACTER_ASPECT), fps, progress)
    return avatar


def load_dance(path: str | Path, report: Reporter | None = None) -> tuple[Skeleton, Path | None]:
    """A dance to render: that of a skeleton file, or of the person in a video, lifted to 3-D.

    Args:
        path: a skeleton in any of our formats, or a video.
        report: receives the progress of the stage ``pose`` where it is a video.

    Returns:
        The skeleton, and the file whose sound belongs to it: the video, where it has sound.

    Raises:
        InputError: neither, or nobody in the video.
    """
    from stgmamba.skeleton.formats import is_skeleton_file, read_skeleton

    if is_skeleton_file(path):
        return read_skeleton(path), None
    from stgmamba.person.lifting import lift_video
    from stgmamba.video_io import read_video

    report = report or Silent()
    with report.stage("pose") as progress:
        dance, notes = lift_video(path, progress)
    for note in notes:
        report.warn(note)
    return dance, Path(path) if read_video(path).has_audio else None


def render(
    skeleton: Skeleton,
    image: ImageLike | None = None,
    *,
    character: str | None = None,
    song: str | Path | None = None,
    start: float = 0.0,
    size: Size | None = None,
    fps: float | None = None,
    seed: int = SEED,
    quality: str = QUALITY,
    body: str = BODY,
    background: str | Path = BACKGROUND,
    person: PersonChoice | None = None,
    framing: str = FRAMING,
    pose: PoseLike | None = None,
    mask: ImageLike | None = None,
    image_back: ImageLike | None = None,
    name: str = "The skeleton",
    report: Reporter | None = None,
) -> DanceVideo:
    """Let somebody dance a given dance.

    Args:
        skeleton: 3-D, any layout that converts to OPENPOSE_18_FEET.
        image: the picture of one person: a file, a PIL image, or an array uint8 [H, W, 3].
        character: instead of ``image``, the name of a built-in character.
        song: a file whose sound accompanies the dance.
        start: the second of the song that sounds at the first frame.
        size: height of the video in pixels, or (width, height).
        fps: frames per second of the video; the skeleton's own when not given.
        seed: of the character ``random``.
        quality: of a picture's flat person: ``best`` by the network, ``fast`` by the limb warp alone.
        body: of a picture's person: ``3d``, ``flat``, or ``auto``: 3-D where that fits the picture.
        background: behind a picture's person: ``photo``, ``blur``, a colour, ``transparent``, a picture, a video.
        person: of several persons in ``image``, as for ``DancePipeline.dance``.
        framing: what of ``image`` is filmed, as for ``DancePipeline.dance``.
        pose: the joints in ``image``, as for ``DancePipeline.dance``.
        mask: the outline in ``image``, white on the figure; estimated when not given.
        image_back: another picture of the person, from behind, for the back of a 3-D body.
        name: what to call the skeleton in a message.
        report: receives the progress of the stage ``subject``.

    Raises:
        InputError: the skeleton is flat or lacks joints, or an option cannot be used.
    """
    check_options(start=start, size=size, quality=quality, body=body, fps=FPS if fps is None else fps)
    dance = drawable(skeleton, name)
    if fps is not None:
        dance = dance.resampled(fps)
    options: dict[str, Any] = {"size": size, "seed": seed, "quality": quality, "body": body, "background": background}
    options |= {"person": person, "framing": framing, "pose": pose, "mask": mask, "image_back": image_back}
    subject = _prepare_subject(report or Silent(), partial(load_subject, image, character, **options))
    return DanceVideo(dance, subject, None if song is None else Path(song), start)


def drawable(skeleton: Skeleton, name: str = "The skeleton") -> Skeleton:
    """The skeleton in the layout that is drawn, its gaps in time interpolated.

    Raises:
        InputError: flat, empty, or with joints that are never known; ``name`` is what the message calls it.
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
    # Resampling to its own rate does nothing, so gaps in time are interpolated here.
    return dance if (dance.confidence > 0).all() else _interpolate_gaps(dance)


def _interpolate_gaps(dance: Skeleton) -> Skeleton:
    """Joints that are unknown for some frames, interpolated linearly in time."""
    positions = dance.positions.copy()
    times = np.arange(len(dance))
    for j in range(len(dance.layout)):
        known = dance.confidence[:, j] > 0
        for d in range(dance.dims):
            positions[:, j, d] = np.interp(times, times[known], positions[known, j, d])
    return replace(dance, positions=positions, confidence=np.ones_like(dance.confidence))


def _prepare_subject(report: Reporter, load: Callable[[], Subject]) -> Subject:
    """Load a subject as the stage ``subject`` and pass its notes on."""
    with report.stage("subject"):
        subject = load()
    for note in subject.notes:
        report.warn(note)
    return subject
