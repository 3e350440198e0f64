"""What stage 2 is judged on: scenes with a condition, target poses and the true frames.

A scene is a real clip (its first frame is the condition, its own pose track the target), or a drawn dancer of whom all
is known. Pictures and poses are at the size that is judged, so that all methods get the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from stgmamba.arrays import Frame
from stgmamba.characters import random_appearance
from stgmamba.characters.background import random_background
from stgmamba.characters.render import SceneRenderer, cloth_lag
from stgmamba.characters.surface import CharacterSurface
from stgmamba.datasets.held_out import HeldOut
from stgmamba.datasets.tang2018 import Dance
from stgmamba.errors import InputError
from stgmamba.evaluation.video.shots import first_break, thumbnail
from stgmamba.limb_warp.letterbox import scaled_size
from stgmamba.limb_warp.pose_track import PoseTrack, estimate_track, project_track
from stgmamba.options import CHARACTER_ASPECT, FPS
from stgmamba.person.picture import Picture
from stgmamba.person.pose import DetectedPerson, estimate_frames, find_person
from stgmamba.skeleton import Skeleton
from stgmamba.skeleton.body import retarget
from stgmamba.skeleton.camera import frame_dance
from stgmamba.skeleton.rotations import body_yaw
from stgmamba.video_io import read_video

LONGEST = 6000
"""Frames of a clip that are read at most; they are held in memory."""

SHORTEST = 10
"""Frames of a clip that must remain to be judged."""

DRAWN_FRAMES = 75
"""Frames of a drawn scene: 3 s."""

# The pose models smooth by the clock, and headers of clips lie about it; 25 is near to what cameras do.
_LOST = 6  # frames without the person that a scene may hold
_FACING = np.radians(60)  # how far drawn dancers turn from the camera: what a renderer of one photo is made for
_YAW_STEP = 25  # frames between the beginnings of scenes in a dance


@dataclass(frozen=True)
class Condition:
    """The picture that fixes who dances, with the person in it.

    Attributes:
        picture: at the size that is judged, both sides even.
        person: pose and mask in it.
        track: the same pose as a track of one frame.
    """

    picture: Picture
    person: DetectedPerson
    track: PoseTrack


@dataclass(frozen=True)
class Scene:
    """One person filmed, and the picture to make the film from.

    Attributes:
        name: of the clip, or of the drawn dancer with the dance.
        condition: who dances.
        target: where the joints are in every frame, in the condition's pixels.
        truth: uint8 [T, H, W, 3].
        seen: what the pose models see in the true frames: what is to be found again in those of a method.
        seen_in_condition: what they see in the condition, one frame.
        facts: for the report.
    """

    name: str
    condition: Condition
    target: PoseTrack
    truth: Frame
    seen: Skeleton
    seen_in_condition: Skeleton
    facts: dict[str, object]


def clip_scene(path: Path, size: int, held_out: HeldOut | None = None) -> Scene:
    """A real clip: from the second frame to where the first shot ends or the person is lost.

    Args:
        path: any video of one person.
        size: height of the frames in pixels.
        held_out: what was kept from training; given, only that last part of the clip is judged.

    Raises:
        InputError: not a video, nobody in its first frame, or too little remains to be judged.
    """
    reader = read_video(path)
    if reader.frames > LONGEST:
        raise InputError(f"{path}: about {reader.frames} frames are too many to judge; cut it to {LONGEST} or fewer.")
    wanted = scaled_size(reader.size, size)
    first: list[Frame] = []
    small: list[Frame] = []
    thumbnails = []

    def watched() -> Iterator[tuple[float, Frame]]:
        for i, (_, rgb) in zip(range(LONGEST), reader, strict=False):
            first.extend([rgb] if i == 0 else [])
            small.append(resized(rgb, wanted))
            thumbnails.append(thumbnail(rgb))
            yield i / FPS, rgb

    track = estimate_track(watched(), FPS, reader.size).resized(wanted)
    begin = max(1, held_out.first_frame(len(track)) if held_out is not None else 1)
    end, notes = _end_of_shot(path, np.stack(thumbnails), track)
    if end - begin < SHORTEST:
        why = f"{notes[0][:-1]}, so" if notes else f"{path.name}:"
        raise InputError(f"{why} fewer than {SHORTEST} frames remain to be judged; it is left out.")
    picture = Picture(first[0], path)
    person = find_person(picture)
    condition = _condition(small[0], person, track.slice(0, 1))
    facts: dict[str, object] = {
        "frames": len(track),
        "judged": [begin, end],
        "fps": round(reader.fps, 3),
        "size": list(reader.size),
        "judged_size": list(wanted),
    }
    if notes:
        facts["note"] = notes[0]
    target = track.slice(begin, end)
    truth = np.stack(small[begin:end])
    return Scene(path.name, condition, target, truth, target.skeleton, track.skeleton.slice(0, 1), facts)


def _end_of_shot(path: Path, thumbnails: NDArray[np.float32], track: PoseTrack) -> tuple[int, list[str]]:
    """One past the last frame to judge, and why it is not the clip's last."""
    ends = [(len(track), "")]
    broken = first_break(thumbnails)
    if broken is not None:
        ends.append((broken[0], f"{path.name}: there is a {broken[1]}; frames from {broken[0]} on are left out."))
    lost = ~(track.skeleton.confidence > 0).any(axis=1)
    for i in np.flatnonzero(lost):
        if lost[i : i + _LOST].sum() == _LOST or i == 0:
            ends.append((int(i), f"{path.name}: the person is lost; frames from {i} on are left out."))
            break
    end, note = min(ends)
    return end, [note] if note else []


def drawn_scene(dances: Sequence[Dance], seed: int, size: int) -> Scene:
    """A made-up dancer in a made-up place who dances three seconds of a real dance, facing the camera.

    Args:
        dances: whose, ``seed`` counts through them.
        seed: of look, place and part of the dance, below 1,000,000: training takes looks from there on.
        size: height of the frames in pixels.

    Raises:
        InputError: the dance never faces one side for three seconds.
    """
    rng = np.random.default_rng((seed, 20182018))
    dance = dances[seed % len(dances)]
    appearance = random_appearance(seed)
    own = retarget(dance.skeleton, appearance.body)
    start, yaw = _facing_part(own, dance.id, rng)
    own = own.slice(start, start + DRAWN_FRAMES + 1)
    camera = frame_dance(own, scaled_size(CHARACTER_ASPECT, size), yaw=yaw)
    scene, surface, lags = SceneRenderer(random_background(seed), camera), CharacterSurface(appearance), cloth_lag(own)
    drawings = [scene.draw(surface, pose, lag) for pose, lag in zip(own.positions, lags, strict=True)]
    track = project_track(own, camera)
    truth = np.stack([drawing.rgb for drawing in drawings[1:]])
    person_in_first = DetectedPerson(
        track.skeleton.slice(0, 1), drawings[0].mask, 0, (), -track.depth[0].astype(np.float32)
    )
    condition = _condition(drawings[0].rgb, person_in_first, track.slice(0, 1))
    seen = estimate_frames(((i / FPS, drawing.rgb) for i, drawing in enumerate(drawings)), FPS, camera.size)
    facts: dict[str, object] = {"look": seed, "dance": dance.id, "first_frame": start, "frames": len(truth)}
    name = f"dancer {seed}, {dance.id}"
    facts |= {"size": list(camera.size)}
    target = track.slice(1, len(track))
    return Scene(name, condition, target, truth, seen.slice(1, len(seen)), seen.slice(0, 1), facts)


def _facing_part(own: Skeleton, name: str, rng: np.random.Generator) -> tuple[int, float]:
    """First frame of a part in which the dancer faces one side, and the side's yaw."""
    heading = np.exp(1j * body_yaw(own.positions))
    parts = []
    for start in range(0, len(own) - DRAWN_FRAMES, _YAW_STEP):
        turned = np.abs(np.angle(heading[start : start + DRAWN_FRAMES + 1] / heading[start]))
        if turned.max() < _FACING:
            parts.append(start)
    if not parts:
        raise InputError(f"{name}: the dancer never faces one side for {DRAWN_FRAMES / FPS:g} s; it is left out.")
    start = int(rng.choice(parts))
    return start, float(np.angle(heading[start]))


def _condition(rgb: Frame, person: DetectedPerson, track: PoseTrack) -> Condition:
    """At the size of ``rgb``. The pose is that of the track, so that the first frame's target is the picture's pose."""
    mask = cv2.resize(person.mask, (rgb.shape[1], rgb.shape[0]), interpolation=cv2.INTER_AREA)
    return Condition(Picture(rgb), replace(person, skeleton=track.skeleton, mask=mask), track)


def resized(rgb: Frame, size: tuple[int, int]) -> Frame:
    """A frame resized to (width, height)."""
    shrinks = size[1] < rgb.shape[0]
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC))
