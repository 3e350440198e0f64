"""What G_r is trained on: moments of drawn dancers, of real clips and photos, each with three conditions warped to it.

An example is a true frame i with the frames before and after it, a condition I_0 of the same person in the same place,
and the limb warps that take I_0, I_{i-1} and I_{i+1} to the pose S_i. All three uses of G_r see the background behind
I_0: it is filled once, as in rendering.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from stgmamba.arrays import FloatArray, Frame
from stgmamba.characters.appearance import random_appearance
from stgmamba.characters.background import random_background
from stgmamba.characters.render import RenderedCharacter, SceneRenderer, cloth_lag
from stgmamba.characters.surface import CharacterSurface
from stgmamba.errors import InputError
from stgmamba.limb_warp.pose_track import PoseTrack, estimate_track, placement_from_track, project_track
from stgmamba.limb_warp.renderer import LimbWarpRenderer
from stgmamba.limb_warp.retargeting import retarget_to_picture
from stgmamba.options import FPS
from stgmamba.person.blazepose import PoseDetector
from stgmamba.person.matting import refine_mask
from stgmamba.person.picture import Picture
from stgmamba.person.pose import GUESSED, DetectedPerson
from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton
from stgmamba.skeleton.body import retarget
from stgmamba.skeleton.camera import Camera, frame_dance
from stgmamba.skeleton.rotations import body_yaw, rotate_yaw
from stgmamba.video_io import read_video

Item = TypeVar("Item")

SIZE = (192, 256)
"""Width and height of the examples."""

LOOKS = 1_000_000
"""Looks of drawn dancers have seeds from here on: those below are for evaluation."""

_TARGETS_PER_SCENE = 4  # examples of one drawn scene
_WINDOW = 50  # frames of the dance that a scene takes its moments from
_FURTHEST = np.radians(115)  # how far a drawn dancer may be turned from the camera: one picture shows no back
_DETECTED = 0.4  # share of drawn conditions whose mask is found as in a photo, with its real faults
_JITTER = 0.012  # error of joints, in torso lengths
_TARGETS_PER_CLIP = 5  # examples for one condition of a clip
_HIPS = [OPENPOSE_18_FEET.index(f"{side}_hip") for side in ("left", "right")]
_SHOULDERS = [OPENPOSE_18_FEET.index(f"{side}_shoulder") for side in ("left", "right")]


@dataclass(frozen=True)
class TrainingPair:
    """One true frame and what G_r may make it from; pictures uint8 [H, W, 3 or 4], the sheets premultiplied.

    Attributes:
        before, truth, after: frames i-1, i and i+1.
        condition: I_0.
        background: the scene without the person, filled in from I_0.
        baseline, forward, backward: sheets of I_0, I_{i-1} and I_{i+1} in the pose of frame i.
        points: float32 [22, 2], joints of frame i, pixels.
        depth: float32 [22], pixels towards the camera from where I_0's person stands.
        condition_points, condition_depth: those of I_0.
        torso: torso length of I_0's person, pixels.
    """

    before: Frame
    truth: Frame
    after: Frame
    condition: Frame
    background: Frame
    baseline: Frame
    forward: Frame
    backward: Frame
    points: FloatArray
    depth: FloatArray
    condition_points: FloatArray
    condition_depth: FloatArray
    torso: float


@dataclass(frozen=True)
class _Shot:
    """One frame of a person: picture, mask, and the pose as a track of one frame."""

    rgb: Frame
    mask: FloatArray
    track: PoseTrack


def drawn_scene(seed: tuple[int, ...], dances: Sequence[Skeleton]) -> list[TrainingPair]:
    """A made-up dancer in a made-up place, moments of a real dance.

    Args:
        seed: of everything: same seed, same examples.
        dances: 3-D OPENPOSE_18_FEET, 25 fps; one of them is danced.
    """
    rng = np.random.default_rng(seed)
    appearance = random_appearance(LOOKS + int(rng.integers(2**40)))
    background = random_background(int(rng.integers(2**31)))
    dance = dances[int(rng.integers(len(dances)))]
    start = int(rng.integers(max(1, len(dance) - _WINDOW)))
    own = retarget(dance.slice(start, start + _WINDOW), appearance.body)
    ways = body_yaw(own.positions).astype(np.float64)
    condition = int(rng.integers(1, len(own) - 1))
    yaw = float(ways[condition] + rng.normal(0, 0.3))
    off = np.abs((ways - yaw + np.pi) % (2 * np.pi) - np.pi)
    events = np.flatnonzero(off[1:-1] < _FURTHEST) + 1
    events = np.sort(rng.choice(events, min(_TARGETS_PER_SCENE, len(events)), replace=False))
    frames = sorted({condition, *(int(m) + d for m in events for d in (-1, 0, 1))})
    seen = Skeleton(own.positions[frames], own.fps, own.layout)
    camera = _camera(seen, yaw, rng)
    scene, surface, lag = SceneRenderer(background, camera), CharacterSurface(appearance), cloth_lag(own)
    drawings = {f: scene.draw(surface, own.positions[f], lag[f]) for f in frames}
    exact = project_track(own, camera)
    detected = rng.random() < _DETECTED
    shots = {f: _drawn_shot(d, exact.slice(f, f + 1), detected and f == condition, rng) for f, d in drawings.items()}
    return _examples(shots, condition, events.tolist(), rng)


def clip_scenes(path: Path, frames: int, seed: tuple[int, ...], scenes: int) -> Iterator[list[TrainingPair]]:
    """Moments of a real clip, for several conditions.

    Args:
        path: a video of one person.
        frames: how many of its frames may be used, from the first on.
        seed: of everything.
        scenes: how many conditions to take.

    Yields:
        The examples of one condition; none where the person was lost in it.
    """
    rng = np.random.default_rng(seed)
    pictures = [_at_most(rgb, 720) for _, (_, rgb) in zip(range(frames), read_video(path), strict=False)]
    if len(pictures) < 3:
        raise InputError(f"{path}: too short to learn from; use clips of 10 frames or more.")
    size = pictures[0].shape[1], pictures[0].shape[0]
    track = estimate_track(((i / FPS, rgb) for i, rgb in enumerate(pictures)), FPS, size)
    found = (track.skeleton.confidence > 0.3).mean(axis=1) > 0.5
    usable = np.flatnonzero(found[:-2] & found[1:-1] & found[2:]) + 1
    with PoseDetector(masks=True, threshold=0.3) as detector:
        for _ in range(scenes):
            if len(usable) == 0:
                return
            condition = int(rng.choice(usable))
            events = np.sort(rng.choice(usable, min(_TARGETS_PER_CLIP, len(usable)), replace=False)).tolist()
            chosen = sorted({condition, *(m + d for m in events for d in (-1, 0, 1))})
            window = _window(track.skeleton.positions[chosen], size, rng)
            shots = {f: _clip_shot(pictures[f], track.slice(f, f + 1), window, detector) for f in chosen}
            whole = {f: shot for f, shot in shots.items() if shot is not None}
            kept = [m for m in events if all(m + d in whole for d in (-1, 0, 1))]
            yield _examples(whole, condition, kept, rng) if condition in whole else []


def photo_scenes(
    picture: Picture, dances: Sequence[Skeleton], seed: tuple[int, ...], scenes: int
) -> Iterator[list[TrainingPair]]:
    """A photo that is danced away and back: there is no film of its person, but where it ends is known.

    The limb warp moves the person to a pose of a dance; that picture is the condition, and the photo the true frame. A
    photo stands still, so it is its own frame before and after.

    Args:
        picture: one person.
        dances: 3-D OPENPOSE_18_FEET, 25 fps; one of them is danced in each scene.
        seed: of everything.
        scenes: how many poses to take.

    Yields:
        The example of one pose; none where the person cannot be cut out of the photo.

    Raises:
        InputError: nobody is found in the photo.
    """
    rng = np.random.default_rng(seed)
    rgb = _at_most(picture.rgb, 720)
    track = estimate_track([(0.0, rgb)], FPS, (rgb.shape[1], rgb.shape[0]))
    if not track.skeleton.confidence.any():
        raise InputError(f"{picture.path}: nobody is found in it; use pictures that show one person.")
    with PoseDetector(masks=True, threshold=0.3) as detector:
        for _ in range(scenes):
            dance = dances[int(rng.integers(len(dances)))]
            pose = _facing(dance, int(rng.integers(len(dance))), float(rng.normal(0, 0.3)))
            window = _window(track.skeleton.positions, (rgb.shape[1], rgb.shape[0]), rng)
            photo = _clip_shot(rgb, track, window, detector)
            away = None if photo is None else _danced_away(photo, pose, rng)
            if photo is None or away is None:
                yield []
                continue
            yield _examples({0: away, 1: photo, 2: photo, 3: photo}, 0, [2], rng)


def _facing(dance: Skeleton, frame: int, yaw: float) -> Skeleton:
    """One frame of a dance, turned to face the camera but for a yaw."""
    positions = dance.positions[frame : frame + 1].copy()
    turn = (yaw - body_yaw(positions)).astype(np.float32)
    positions[..., [0, 2]] = rotate_yaw(positions[..., [0, 2]], turn)
    return Skeleton(positions, dance.fps, dance.layout)


def _danced_away(photo: _Shot, pose: Skeleton, rng: np.random.Generator) -> _Shot | None:
    """The limb warp of a photo in a pose of a dance."""
    try:
        renderer, own = _renderer(photo, rng)
    except InputError:  # the photo shows no shoulder
        return None
    placement = retarget_to_picture(pose, renderer.body, renderer.size)
    (layer,) = renderer.foreground(placement)
    cover = np.clip(layer[..., 3:], 0, 1)
    rgb = np.clip(layer[..., :3] + (1 - cover) * renderer.background() + 0.5, 0, 255).astype(np.uint8)
    order = renderer.body.joint_order
    positions = placement.points[:, order].astype(np.float32)
    scale = own.scale * placement.magnification[:, order]
    depth = placement.depth[:, order] / float(own.scale[0, _HIPS].mean())
    moved = PoseTrack(replace(own.skeleton, positions=positions), depth, scale)
    return _Shot(rgb, np.asarray(cover[..., 0], np.float32), moved)


def _examples(
    shots: dict[int, _Shot], condition: int, events: list[int], rng: np.random.Generator
) -> list[TrainingPair]:
    first = shots[condition]
    renderers: dict[int, tuple[LimbWarpRenderer, PoseTrack]] = {}

    def sheets(source: int, target: PoseTrack) -> tuple[Frame, NDArray[np.float64], NDArray[np.float64]] | None:
        if source not in renderers:
            try:
                renderers[source] = _renderer(shots[source], rng)
            except InputError:  # the frame shows no shoulder
                return None
        renderer, own = renderers[source]
        placement = placement_from_track(target, own, renderer.body)
        (layer,) = renderer.foreground(placement)
        layer[..., 3] *= 255
        return np.clip(layer + 0.5, 0, 255).astype(np.uint8), placement.points[0], placement.depth[0]

    still = sheets(condition, first.track)
    if still is None:
        return []
    background = np.clip(renderers[condition][0].background() + 0.5, 0, 255).astype(np.uint8)
    torso = renderers[condition][0].body.torso
    examples = []
    for i in events:
        target = _jittered(shots[i].track, torso, rng)
        baseline, forward, backward = (sheets(source, target) for source in (condition, i - 1, i + 1))
        if baseline is None or forward is None or backward is None:
            continue
        examples.append(
            TrainingPair(
                shots[i - 1].rgb, shots[i].rgb, shots[i + 1].rgb, first.rgb, background,
                baseline[0], forward[0], backward[0],
                baseline[1].astype(np.float32), baseline[2].astype(np.float32),
                still[1].astype(np.float32), still[2].astype(np.float32), torso,
            )
        )  # fmt: skip
    return examples


def _renderer(shot: _Shot, rng: np.random.Generator) -> tuple[LimbWarpRenderer, PoseTrack]:
    """A condition cut into sheets, its joints a little wrong, as they are found in pictures."""
    width, height = SIZE
    torso = float(np.linalg.norm(_middle(shot.track, _SHOULDERS) - _middle(shot.track, _HIPS)))
    track = _jittered(shot.track, torso, rng)
    points = track.skeleton.positions[0]
    outside = ((points < -5) | (points > np.array([width + 5, height + 5]))).any(axis=1)
    confidence = np.where(outside, GUESSED, track.skeleton.confidence[0]).astype(np.float32)
    skeleton = replace(track.skeleton, confidence=confidence[None])
    person = DetectedPerson(skeleton, shot.mask, 0, (), np.zeros(len(OPENPOSE_18_FEET), np.float32))
    seed = int(rng.integers(2**31))
    return LimbWarpRenderer(Picture(shot.rgb), person, size=height, seed=seed), track


def _middle(track: PoseTrack, joints: list[int]) -> FloatArray:
    return np.asarray(track.skeleton.positions[0, joints].mean(axis=0))


def _jittered(track: PoseTrack, torso: float, rng: np.random.Generator) -> PoseTrack:
    skeleton = track.skeleton
    noise = rng.normal(0, _JITTER * torso, skeleton.positions.shape).astype(np.float32)
    return replace(track, skeleton=replace(skeleton, positions=skeleton.positions + noise))


def _camera(seen: Skeleton, yaw: float, rng: np.random.Generator) -> Camera:
    """In front of the dancer; one in four shows the upper body only."""
    camera = frame_dance(seen, SIZE, yaw, float(rng.uniform(0.7, 1.7)), float(rng.uniform(0.02, 0.14)))
    if rng.random() < 0.25:
        x, y, z = camera.target
        zoom = float(rng.uniform(1.3, 1.8))
        camera = replace(camera, focal=camera.focal * zoom, target=(x, y + float(rng.uniform(0.15, 0.4)), z))
    return camera


def _drawn_shot(drawing: RenderedCharacter, track: PoseTrack, detected: bool, rng: np.random.Generator) -> _Shot:
    mask = _found_mask(drawing.rgb) if detected else None
    return _Shot(drawing.rgb, _worn(drawing.mask, rng) if mask is None else mask, track)


def _worn(mask: FloatArray, rng: np.random.Generator) -> FloatArray:
    """An outline that is off by a pixel here and there, as found ones are."""
    soft = cv2.GaussianBlur(mask, (0, 0), 1.2)
    coarse = rng.normal(0, 1, (mask.shape[0] // 12, mask.shape[1] // 12)).astype(np.float32)
    wave = cv2.resize(coarse, (mask.shape[1], mask.shape[0]), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip((soft - 0.5 + 0.13 * wave) * 2.2 + 0.5, 0, 1), np.float32)


def _found_mask(rgb: Frame) -> FloatArray | None:
    with PoseDetector(masks=True, threshold=0.3) as detector:
        found = detector.detect(cv2.resize(rgb, None, fx=2, fy=2))
    if not found or found[0].mask is None:
        return None
    coarse = cv2.resize(found[0].mask, (rgb.shape[1], rgb.shape[0]), interpolation=cv2.INTER_AREA)
    return refine_mask(rgb, coarse)


def _at_most(rgb: Frame, height: int) -> Frame:
    if rgb.shape[0] <= height:
        return rgb
    return np.asarray(
        cv2.resize(rgb, (round(rgb.shape[1] * height / rgb.shape[0]), height), interpolation=cv2.INTER_AREA)
    )


def _window(points: FloatArray, size: tuple[int, int], rng: np.random.Generator) -> tuple[float, float, float]:
    """Left, top and height of a cut of the examples' shape around the person, inside the picture where it fits."""
    width, height = size
    aspect = SIZE[0] / SIZE[1]
    low, high = points.min(axis=(0, 1)), points.max(axis=(0, 1))
    wanted = max(float(high[1] - low[1]) * 1.25, float(high[0] - low[0]) * 1.2 / aspect) * float(rng.uniform(0.8, 1.3))
    tall = min(wanted, height, width / aspect)
    centre = (low + high) / 2 + rng.normal(0, 0.04, 2) * tall
    left = float(np.clip(centre[0] - tall * aspect / 2, 0, width - tall * aspect))
    top = float(np.clip(centre[1] - tall / 2, 0, height - tall))
    return left, top, tall


def _clip_shot(
    rgb: Frame, track: PoseTrack, window: tuple[float, float, float], detector: PoseDetector
) -> _Shot | None:
    left, top, tall = round(window[0]), round(window[1]), round(window[2])
    wide = round(tall * SIZE[0] / SIZE[1])
    cut = np.ascontiguousarray(rgb[top : top + tall, left : left + wide])
    found = detector.detect(cut)
    if not found or found[0].mask is None:
        return None
    mask = refine_mask(cut, found[0].mask)
    scale = np.array([SIZE[0] / cut.shape[1], SIZE[1] / cut.shape[0]])
    method = cv2.INTER_AREA if scale[1] < 1 else cv2.INTER_CUBIC
    positions = (track.skeleton.positions - [left, top] + 0.5) * scale - 0.5
    skeleton = replace(track.skeleton, positions=positions, size=SIZE)
    moved = PoseTrack(skeleton, track.depth, track.scale * scale[1])
    return _Shot(
        np.asarray(cv2.resize(cut, SIZE, interpolation=method)),
        np.asarray(cv2.resize(mask, SIZE, interpolation=cv2.INTER_AREA if scale[1] < 1 else cv2.INTER_LINEAR)),
        moved,
    )
