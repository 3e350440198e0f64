"""Scenes of the evaluation of stage 2: a condition, target poses and ground truth frames.

A scene is a real clip (its first frame is the condition, its pose track the target), or a drawn character with exact
poses. Frames and poses are at the size of the evaluation, so that all methods get the same input.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from stgmamba.arrays import Frame
from stgmamba.characters import random_appearance
from stgmamba.characters.background import random_background
from stgmamba.characters.render import SceneRenderer, cloth_lag
from stgmamba.characters.surface import CharacterSurface
from stgmamba.datasets.held_out import HeldOut
from stgmamba.datasets.shots import Break, ShotDetector
from stgmamba.datasets.tang2018 import Dance
from stgmamba.errors import InputError
from stgmamba.limb_warp.letterbox import scaled_size
from stgmamba.limb_warp.pose_track import PoseTrack, estimate_track, project_track
from stgmamba.options import CHARACTER_ASPECT, FPS
from stgmamba.person.picture import Picture
from stgmamba.person.pose import DetectedPerson, estimate_frames, find_person
from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton
from stgmamba.skeleton.body import mid_hip, retarget
from stgmamba.skeleton.camera import Camera, frame_dance
from stgmamba.skeleton.rotations import body_yaw, rotate_yaw
from stgmamba.video_io import read_video

LONGEST = 6000
"""Maximum number of frames of a clip, which are held in memory."""

SHORTEST = 10
"""Minimum number of frames to evaluate of a clip."""

DRAWN_FRAMES = 75
"""Frames of a drawn scene: 3 s."""

_LOST = 6  # successive frames without a detected person that end a scene
_FACING = np.radians(60)  # maximum yaw of drawn characters relative to the camera: a photo shows one side only
_START_STEP = 25  # frames between possible starts of a scene in a dance


@dataclass(frozen=True)
class Condition:
    """The picture of the person that is animated.

    Attributes:
        picture: at the size of the evaluation, both sides even.
        person: pose and mask in it.
        track: the same pose as a track of one frame.
    """

    picture: Picture
    person: DetectedPerson
    track: PoseTrack


@dataclass(frozen=True)
class Scene:
    """Inputs and ground truth of one video.

    Attributes:
        name: of the clip, or of character and dance.
        condition: input of all methods.
        target: poses of the frames, in the condition's pixels, T frames; input of all methods.
        truth: ground truth frames, uint8 [T, H, W, 3].
        detected: poses detected in the ground truth frames, the reference of PCK.
        detected_in_condition: pose detected in the condition, one frame.
        facts: properties for the report.
    """

    name: str
    condition: Condition
    target: PoseTrack
    truth: Frame
    detected: Skeleton
    detected_in_condition: Skeleton
    facts: dict[str, object]


def clip_scene(path: Path, size: int, held_out: HeldOut | None = None) -> Scene:
    """Scene of a real clip, from its second frame to the end of the first shot or the loss of the person.

    Args:
        path: any video of one person.
        size: height of the frames, pixels.
        held_out: where given, only the held-out last part of the clip is evaluated.

    Raises:
        InputError: not a video, no person in its first frame, or fewer than SHORTEST frames to evaluate.
    """
    reader = read_video(path)
    if reader.frames > LONGEST:
        raise InputError(f"{path}: about {reader.frames} frames are too many to evaluate; cut it to {LONGEST}.")
    target_size = scaled_size(reader.size, size)
    first: list[Frame] = []
    frames: list[Frame] = []
    detector = ShotDetector()

    def record() -> Iterator[tuple[float, Frame]]:
        # Pose models smooth over time. Time stamps are those of 25 fps, since headers of clips may be wrong.
        for i, (_, rgb) in zip(range(LONGEST), reader, strict=False):
            first.extend([rgb] if i == 0 else [])
            frames.append(resized(rgb, target_size))
            detector.add(rgb)
            yield i / FPS, rgb

    track = estimate_track(record(), FPS, reader.size).resized(target_size)
    start = max(1, held_out.first_frame(len(track)) if held_out is not None else 1)
    end, note = _end_of_shot(path, detector.breaks(), track)
    if end - start < SHORTEST:
        reason = f"{note[:-1]}, so" if note else f"{path.name}:"
        raise InputError(f"{reason} fewer than {SHORTEST} frames remain to be evaluated; it is left out.")
    person = find_person(Picture(first[0], path))
    condition = _condition(frames[0], person, track.slice(0, 1))
    facts: dict[str, object] = {
        "frames": len(track),
        "evaluated": [start, end],
        "fps": round(reader.fps, 3),
        "size": list(reader.size),
        "evaluated_size": list(target_size),
    }
    if note:
        facts["note"] = note
    target = track.slice(start, end)
    truth = np.stack(frames[start:end])
    return Scene(path.name, condition, target, truth, target.skeleton, track.skeleton.slice(0, 1), facts)


def _end_of_shot(path: Path, breaks: list[Break], track: PoseTrack) -> tuple[int, str]:
    """Index after the last frame to evaluate, and the reason where that is not the clip's last; else ""."""
    ends = [(len(track), "")]
    for each in breaks[:1]:
        ends.append((each.start, f"{path.name}: there is a {each.kind}; frames from {each.start} on are left out."))
    lost = ~(track.skeleton.confidence > 0).any(axis=1)
    for i in np.flatnonzero(lost):
        if lost[i : i + _LOST].sum() == _LOST or i == 0:
            ends.append((int(i), f"{path.name}: the person is lost; frames from {i} on are left out."))
            break
    return min(ends)


def drawn_scene(dances: Sequence[Dance], seed: int, size: int) -> Scene:
    """Scene of a random character in front of a random background, three seconds of a real dance facing the camera.

    Args:
        dances: number ``seed`` of them, modulo their number, is used.
        seed: of appearance, background and part of the dance; below 1,000,000, since training uses those from there on.
        size: height of the frames, pixels.

    Raises:
        InputError: the dance has no part of three seconds with a nearly constant yaw.
    """
    dance, skeleton, start, yaw = _danced_part(dances, seed)
    skeleton = skeleton.slice(start, start + DRAWN_FRAMES + 1)
    camera = frame_dance(skeleton, scaled_size(CHARACTER_ASPECT, size), yaw=yaw)
    return _character_scene(
        f"character {seed}, {dance.id}", seed, skeleton, camera, {"dance": dance.id, "first_frame": start}
    )


def turning_scene(dances: Sequence[Dance], seed: int, size: int) -> Scene:
    """Scene of the character of `drawn_scene` who turns once about the vertical in the first pose of that dance.

    The condition faces the camera; what it does not show is known, since the character is drawn.

    Args, raises: see `drawn_scene`.
    """
    dance, skeleton, start, yaw = _danced_part(dances, seed)
    pose = skeleton.positions[start].astype(np.float64)
    angles = np.linspace(0, 2 * np.pi, DRAWN_FRAMES + 1)
    hips = mid_hip(pose)[[0, 2]]
    positions = np.repeat(pose[None], len(angles), axis=0)
    positions[..., [0, 2]] = rotate_yaw(pose[None, :, [0, 2]] - hips, angles[:, None]) + hips
    turning = Skeleton(positions.astype(np.float32), FPS, OPENPOSE_18_FEET)
    camera = frame_dance(turning, scaled_size(CHARACTER_ASPECT, size), yaw=yaw)
    facts: dict[str, object] = {"dance": dance.id, "frame": start}
    return _character_scene(f"character {seed}, turning", seed, turning, camera, facts)


def _danced_part(dances: Sequence[Dance], seed: int) -> tuple[Dance, Skeleton, int, float]:
    """A dance, the same on a character's body, and a part's first frame and yaw."""
    rng = np.random.default_rng((seed, 20182018))
    dance = dances[seed % len(dances)]
    skeleton = retarget(dance.skeleton, random_appearance(seed).body)
    return dance, skeleton, *_facing_part(skeleton, dance.id, rng)


def _character_scene(name: str, seed: int, skeleton: Skeleton, camera: Camera, facts: dict[str, object]) -> Scene:
    """Scene of a random character in the poses of a skeleton; the first frame is the condition."""
    appearance = random_appearance(seed)
    scene, person, lags = (
        SceneRenderer(random_background(seed), camera),
        CharacterSurface(appearance),
        cloth_lag(skeleton),
    )
    drawings = [scene.draw(person, pose, lag) for pose, lag in zip(skeleton.positions, lags, strict=True)]
    track = project_track(skeleton, camera)
    truth = np.stack([drawing.rgb for drawing in drawings[1:]])
    depth = -track.depth[0].astype(np.float32)
    detected_person = DetectedPerson(track.skeleton.slice(0, 1), drawings[0].mask, 0, (), depth)
    condition = _condition(drawings[0].rgb, detected_person, track.slice(0, 1))
    detected = estimate_frames(((i / FPS, drawing.rgb) for i, drawing in enumerate(drawings)), FPS, camera.size)
    facts = {"appearance": seed, **facts, "frames": len(truth), "size": list(camera.size)}
    target = track.slice(1, len(track))
    return Scene(name, condition, target, truth, detected.slice(1, len(detected)), detected.slice(0, 1), facts)


def _facing_part(dance: Skeleton, name: str, rng: np.random.Generator) -> tuple[int, float]:
    """First frame and yaw of a random part of DRAWN_FRAMES + 1 frames whose yaw changes by less than _FACING."""
    heading = np.exp(1j * body_yaw(dance.positions))
    starts = []
    for start in range(0, len(dance) - DRAWN_FRAMES, _START_STEP):
        difference = np.abs(np.angle(heading[start : start + DRAWN_FRAMES + 1] / heading[start]))
        if difference.max() < _FACING:
            starts.append(start)
    if not starts:
        raise InputError(f"{name}: the dancer never faces one side for {DRAWN_FRAMES / FPS:g} s; it is left out.")
    start = int(rng.choice(starts))
    return start, float(np.angle(heading[start]))


def _condition(rgb: Frame, person: DetectedPerson, track: PoseTrack) -> Condition:
    """The condition at the size of ``rgb``, with the pose of the track, which the target poses are relative to."""
    mask = cv2.resize(person.mask, (rgb.shape[1], rgb.shape[0]), interpolation=cv2.INTER_AREA)
    hands = None
    if person.hands is not None:
        factor = np.asarray(mask.shape[::-1], np.float32) / np.asarray(person.mask.shape[::-1], np.float32)
        hands = (person.hands + 0.5) * factor - 0.5  # whole numbers are pixel centres
    return Condition(Picture(rgb), replace(person, skeleton=track.skeleton, mask=mask, hands=hands), track)


def resized(rgb: Frame, size: tuple[int, int]) -> Frame:
    """A frame resized to (width, height)."""
    method = cv2.INTER_AREA if size[1] < rgb.shape[0] else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(rgb, size, interpolation=method))
