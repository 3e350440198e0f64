"""Training pairs of G_r, from drawn characters, real clips and photos.

A pair is a real frame i with the adjacent frames, a condition I_0 of the same person in the same scene, and the limb
warps of I_0, I_{i-1} and I_{i+1} to the pose S_i. The background is inpainted from I_0, as in rendering, and shared by
the three warps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

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
from stgmamba.skeleton.rotations import body_yaw, rotate_yaw, wrap_angle
from stgmamba.video_io import read_video

SIZE = (192, 256)
"""Width and height of the training pairs, pixels."""

FIRST_APPEARANCE_SEED = 1_000_000
"""Seeds of drawn characters are from here on; those below are for evaluation."""

_TARGETS_PER_SCENE = 4  # target frames of a drawn scene
_WINDOW = 50  # frames of the part of a dance from which the frames of a scene are taken
_MAX_YAW = np.radians(115)  # of target frames relative to the camera: one picture does not show the back
_DETECTED = 0.4  # fraction of drawn conditions with an estimated mask, which has typical errors
_JITTER = 0.012  # standard deviation of the noise on joints, torso lengths
_TARGETS_PER_CLIP = 5  # target frames per condition of a clip
_MAX_HEIGHT = 720  # rows of clips and photos; larger ones are shrunk
_HIPS = [OPENPOSE_18_FEET.index(f"{side}_hip") for side in ("left", "right")]
_SHOULDERS = [OPENPOSE_18_FEET.index(f"{side}_shoulder") for side in ("left", "right")]


@dataclass(frozen=True)
class TrainingPair:
    """A target frame and the inputs of G_r for it; images are uint8 [H, W, 3], layers premultiplied uint8 [H, W, 4].

    Attributes:
        before, target, after: frames i-1, i and i+1.
        condition: I_0.
        background: the scene without the person, inpainted from I_0.
        baseline, forward, backward: layers of I_0, I_{i-1} and I_{i+1}, warped to the pose of frame i.
        points: float32 [22, 2], joints of frame i, pixels.
        depth: float32 [22], pixels towards the camera, relative to the person in I_0.
        condition_points, condition_depth: joints of I_0.
        torso: torso length of the person in I_0, pixels.
    """

    before: Frame
    target: Frame
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
class _PosedFrame:
    """A frame of a person: image, mask, and the pose as a track of one frame."""

    rgb: Frame
    mask: FloatArray
    track: PoseTrack


def drawn_scene(seed: tuple[int, ...], dances: Sequence[Skeleton]) -> list[TrainingPair]:
    """Training pairs of a random character in front of a random background, in poses of a real dance.

    Args:
        seed: of all random choices.
        dances: 3-D OPENPOSE_18_FEET, 25 fps; one of them is chosen.
    """
    rng = np.random.default_rng(seed)
    appearance = random_appearance(FIRST_APPEARANCE_SEED + int(rng.integers(2**40)))
    background = random_background(int(rng.integers(2**31)))
    dance = dances[int(rng.integers(len(dances)))]
    start = int(rng.integers(max(1, len(dance) - _WINDOW)))
    dance = retarget(dance.slice(start, start + _WINDOW), appearance.body)
    yaws = body_yaw(dance.positions).astype(np.float64)
    condition = int(rng.integers(1, len(dance) - 1))
    yaw = float(yaws[condition] + rng.normal(0, 0.3))
    difference = np.abs(wrap_angle(yaws - yaw))
    targets = np.flatnonzero(difference[1:-1] < _MAX_YAW) + 1
    targets = np.sort(rng.choice(targets, min(_TARGETS_PER_SCENE, len(targets)), replace=False))
    frames = sorted({condition, *(int(target) + d for target in targets for d in (-1, 0, 1))})
    camera = _camera(Skeleton(dance.positions[frames], dance.fps, dance.layout), yaw, rng)
    scene, surface, lag = SceneRenderer(background, camera), CharacterSurface(appearance), cloth_lag(dance)
    drawings = {f: scene.draw(surface, dance.positions[f], lag[f]) for f in frames}
    track = project_track(dance, camera)
    detected = rng.random() < _DETECTED
    posed = {f: _drawn_frame(d, track.slice(f, f + 1), detected and f == condition, rng) for f, d in drawings.items()}
    return _pairs(posed, condition, targets.tolist(), rng)


def clip_scenes(path: Path, frames: int, seed: tuple[int, ...], scenes: int) -> Iterator[list[TrainingPair]]:
    """Training pairs of a real clip, for several conditions.

    Args:
        path: a video of one person.
        frames: number of frames that may be used, from the first on.
        seed: of all random choices.
        scenes: number of conditions.

    Yields:
        The pairs of one condition; none where the person is not detected in it.

    Raises:
        InputError: the clip cannot be read or has fewer than 3 frames.
    """
    images = [_limit_height(rgb) for _, (_, rgb) in zip(range(frames), read_video(path), strict=False)]
    if len(images) < 3:
        raise InputError(f"{path}: too short to learn from; use clips of 10 frames or more.")
    size = images[0].shape[1], images[0].shape[0]
    track = estimate_track(((i / FPS, rgb) for i, rgb in enumerate(images)), FPS, size)
    yield from tracked_scenes(images, track, seed, scenes)


def tracked_scenes(
    images: Sequence[Frame], track: PoseTrack, seed: tuple[int, ...], scenes: int
) -> Iterator[list[TrainingPair]]:
    """As `clip_scenes`, of frames whose poses are known.

    Args:
        images: frames of one size.
        track: their poses, in pixels of the frames.
        seed: of all random choices.
        scenes: number of conditions.
    """
    rng = np.random.default_rng(seed)
    size = images[0].shape[1], images[0].shape[0]
    detected = (track.skeleton.confidence > 0.3).mean(axis=1) > 0.5
    usable = np.flatnonzero(detected[:-2] & detected[1:-1] & detected[2:]) + 1
    with PoseDetector(masks=True, threshold=0.3) as detector:
        for _ in range(scenes):
            if len(usable) == 0:
                return
            condition = int(rng.choice(usable))
            targets = np.sort(rng.choice(usable, min(_TARGETS_PER_CLIP, len(usable)), replace=False)).tolist()
            used = sorted({condition, *(target + d for target in targets for d in (-1, 0, 1))})
            box = _crop_box(track.skeleton.positions[used], size, rng)
            crops = {f: _crop_frame(images[f], track.slice(f, f + 1), box, detector) for f in used}
            posed = {f: crop for f, crop in crops.items() if crop is not None}
            targets = [target for target in targets if all(target + d in posed for d in (-1, 0, 1))]
            yield _pairs(posed, condition, targets, rng) if condition in posed else []


def photo_scenes(
    picture: Picture, dances: Sequence[Skeleton], seed: tuple[int, ...], scenes: int
) -> Iterator[list[TrainingPair]]:
    """Training pairs of a photo, without a video of its person: the limb warp of the photo is the condition.

    The limb warp moves the person to a pose of a dance; its result is the condition, and the photo is the target frame,
    and the frame before and after it.

    Args:
        picture: of one person.
        dances: 3-D OPENPOSE_18_FEET, 25 fps; one of them is chosen for each pose.
        seed: of all random choices.
        scenes: number of poses.

    Yields:
        The pair of one pose; none where the person cannot be segmented.

    Raises:
        InputError: no person is detected in the photo.
    """
    rng = np.random.default_rng(seed)
    rgb = _limit_height(picture.rgb)
    track = estimate_track([(0.0, rgb)], FPS, (rgb.shape[1], rgb.shape[0]))
    if not track.skeleton.confidence.any():
        raise InputError(f"{picture.path}: nobody is found in it; use pictures that show one person.")
    with PoseDetector(masks=True, threshold=0.3) as detector:
        for _ in range(scenes):
            dance = dances[int(rng.integers(len(dances)))]
            pose = _turn_to_yaw(dance, int(rng.integers(len(dance))), float(rng.normal(0, 0.3)))
            box = _crop_box(track.skeleton.positions, (rgb.shape[1], rgb.shape[0]), rng)
            photo = _crop_frame(rgb, track, box, detector)
            warped = None if photo is None else _warp_to_pose(photo, pose, rng)
            if photo is None or warped is None:
                yield []
                continue
            yield _pairs({0: warped, 1: photo, 2: photo, 3: photo}, 0, [2], rng)


def _turn_to_yaw(dance: Skeleton, frame: int, yaw: float) -> Skeleton:
    """One frame of a dance, rotated about the vertical axis to a body yaw."""
    positions = dance.positions[frame : frame + 1].copy()
    rotation = (yaw - body_yaw(positions)).astype(np.float32)
    positions[..., [0, 2]] = rotate_yaw(positions[..., [0, 2]], rotation)
    return Skeleton(positions, dance.fps, dance.layout)


def _warp_to_pose(photo: _PosedFrame, pose: Skeleton, rng: np.random.Generator) -> _PosedFrame | None:
    """The limb warp of a photo to a pose of a dance; None where the photo shows no shoulder."""
    try:
        renderer, track = _renderer(photo, rng)
    except InputError:
        return None
    placement = retarget_to_picture(pose, renderer.body, renderer.size)
    (layer,) = renderer.foreground(placement)
    alpha = np.clip(layer[..., 3:], 0, 1)
    rgb = np.clip(layer[..., :3] + (1 - alpha) * renderer.background() + 0.5, 0, 255).astype(np.uint8)
    order = renderer.body.joint_order
    positions = placement.points[:, order].astype(np.float32)
    scale = track.scale * placement.magnification[:, order]
    depth = placement.depth[:, order] / float(track.scale[0, _HIPS].mean())
    warped_track = PoseTrack(replace(track.skeleton, positions=positions), depth, scale)
    return _PosedFrame(rgb, np.asarray(alpha[..., 0], np.float32), warped_track)


def _pairs(
    posed: dict[int, _PosedFrame], condition: int, targets: list[int], rng: np.random.Generator
) -> list[TrainingPair]:
    """Training pairs of target frames with one condition; ``posed`` holds the condition and, by index, all frames."""
    first = posed[condition]
    renderers: dict[int, tuple[LimbWarpRenderer, PoseTrack]] = {}

    def warp(source: int, target: PoseTrack) -> tuple[Frame, NDArray[np.float64], NDArray[np.float64]] | None:
        """Layers of a frame in a pose, with joints and depth of the pose; None where the frame shows no shoulder."""
        if source not in renderers:
            try:
                renderers[source] = _renderer(posed[source], rng)
            except InputError:
                return None
        renderer, track = renderers[source]
        placement = placement_from_track(target, track, renderer.body)
        (layer,) = renderer.foreground(placement)
        layer[..., 3] *= 255
        return np.clip(layer + 0.5, 0, 255).astype(np.uint8), placement.points[0], placement.depth[0]

    unmoved = warp(condition, first.track)
    if unmoved is None:
        return []
    background = np.clip(renderers[condition][0].background() + 0.5, 0, 255).astype(np.uint8)
    torso = renderers[condition][0].body.torso
    pairs = []
    for i in targets:
        target = _jitter(posed[i].track, torso, rng)
        baseline, forward, backward = (warp(source, target) for source in (condition, i - 1, i + 1))
        if baseline is None or forward is None or backward is None:
            continue
        pairs.append(
            TrainingPair(
                posed[i - 1].rgb, posed[i].rgb, posed[i + 1].rgb, first.rgb, background,
                baseline[0], forward[0], backward[0],
                baseline[1].astype(np.float32), baseline[2].astype(np.float32),
                unmoved[1].astype(np.float32), unmoved[2].astype(np.float32), torso,
            )
        )  # fmt: skip
    return pairs


def _renderer(posed: _PosedFrame, rng: np.random.Generator) -> tuple[LimbWarpRenderer, PoseTrack]:
    """Limb warp renderer of a frame, whose joints get noise like that of detected joints; and the noisy track."""
    width, height = SIZE
    torso = float(np.linalg.norm(_middle(posed.track, _SHOULDERS) - _middle(posed.track, _HIPS)))
    track = _jitter(posed.track, torso, rng)
    points = track.skeleton.positions[0]
    outside = ((points < -5) | (points > np.array([width + 5, height + 5]))).any(axis=1)
    confidence = np.where(outside, GUESSED, track.skeleton.confidence[0]).astype(np.float32)
    skeleton = replace(track.skeleton, confidence=confidence[None])
    person = DetectedPerson(skeleton, posed.mask, 0, (), np.zeros(len(OPENPOSE_18_FEET), np.float32))
    seed = int(rng.integers(2**31))
    return LimbWarpRenderer(Picture(posed.rgb), person, size=height, seed=seed), track


def _middle(track: PoseTrack, joints: list[int]) -> FloatArray:
    return np.asarray(track.skeleton.positions[0, joints].mean(axis=0))


def _jitter(track: PoseTrack, torso: float, rng: np.random.Generator) -> PoseTrack:
    """A track with Gaussian noise on its joints."""
    skeleton = track.skeleton
    noise = rng.normal(0, _JITTER * torso, skeleton.positions.shape).astype(np.float32)
    return replace(track, skeleton=replace(skeleton, positions=skeleton.positions + noise))


def _camera(dance: Skeleton, yaw: float, rng: np.random.Generator) -> Camera:
    """A random camera in front of the character; one in four frames the upper body only."""
    camera = frame_dance(dance, SIZE, yaw, float(rng.uniform(0.7, 1.7)), float(rng.uniform(0.02, 0.14)))
    if rng.random() < 0.25:
        x, y, z = camera.target
        zoom = float(rng.uniform(1.3, 1.8))
        camera = replace(camera, focal=camera.focal * zoom, target=(x, y + float(rng.uniform(0.15, 0.4)), z))
    return camera


def _drawn_frame(drawing: RenderedCharacter, track: PoseTrack, detected: bool, rng: np.random.Generator) -> _PosedFrame:
    mask = _estimate_mask(drawing.rgb) if detected else None
    return _PosedFrame(drawing.rgb, _perturb_mask(drawing.mask, rng) if mask is None else mask, track)


def _perturb_mask(mask: FloatArray, rng: np.random.Generator) -> FloatArray:
    """A mask with random errors of about a pixel along its outline, like those of estimated masks."""
    soft = cv2.GaussianBlur(mask, (0, 0), 1.2)
    coarse = rng.normal(0, 1, (mask.shape[0] // 12, mask.shape[1] // 12)).astype(np.float32)
    wave = cv2.resize(coarse, (mask.shape[1], mask.shape[0]), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip((soft - 0.5 + 0.13 * wave) * 2.2 + 0.5, 0, 1), np.float32)


def _estimate_mask(rgb: Frame) -> FloatArray | None:
    """The mask of a person as it is estimated for a photo; None where no person is detected."""
    with PoseDetector(masks=True, threshold=0.3) as detector:
        detections = detector.detect(cv2.resize(rgb, None, fx=2, fy=2))
    if not detections or detections[0].mask is None:
        return None
    coarse = cv2.resize(detections[0].mask, (rgb.shape[1], rgb.shape[0]), interpolation=cv2.INTER_AREA)
    return refine_mask(rgb, coarse)


def _limit_height(rgb: Frame) -> Frame:
    """An image, shrunk to _MAX_HEIGHT rows where it has more."""
    if rgb.shape[0] <= _MAX_HEIGHT:
        return rgb
    width = round(rgb.shape[1] * _MAX_HEIGHT / rgb.shape[0])
    return np.asarray(cv2.resize(rgb, (width, _MAX_HEIGHT), interpolation=cv2.INTER_AREA))


def _crop_box(points: FloatArray, size: tuple[int, int], rng: np.random.Generator) -> tuple[float, float, float]:
    """Left, top and height of a random crop around the person, of the aspect ratio of SIZE and within the image."""
    width, height = size
    aspect = SIZE[0] / SIZE[1]
    lower, upper = points.min(axis=(0, 1)), points.max(axis=(0, 1))
    extent = max(float(upper[1] - lower[1]) * 1.25, float(upper[0] - lower[0]) * 1.2 / aspect)
    crop_height = min(extent * float(rng.uniform(0.8, 1.3)), height, width / aspect)
    centre = (lower + upper) / 2 + rng.normal(0, 0.04, 2) * crop_height
    left = float(np.clip(centre[0] - crop_height * aspect / 2, 0, width - crop_height * aspect))
    top = float(np.clip(centre[1] - crop_height / 2, 0, height - crop_height))
    return left, top, crop_height


def _crop_frame(
    rgb: Frame, track: PoseTrack, box: tuple[float, float, float], detector: PoseDetector
) -> _PosedFrame | None:
    """A crop of a frame, resized to SIZE, with its estimated mask; None where no person is detected in it."""
    left, top, crop_height = round(box[0]), round(box[1]), round(box[2])
    crop_width = round(crop_height * SIZE[0] / SIZE[1])
    crop = np.ascontiguousarray(rgb[top : top + crop_height, left : left + crop_width])
    detections = detector.detect(crop)
    if not detections or detections[0].mask is None:
        return None
    mask = refine_mask(crop, detections[0].mask)
    scale = np.array([SIZE[0] / crop.shape[1], SIZE[1] / crop.shape[0]])
    method = cv2.INTER_AREA if scale[1] < 1 else cv2.INTER_CUBIC
    positions = (track.skeleton.positions - [left, top] + 0.5) * scale - 0.5
    skeleton = replace(track.skeleton, positions=positions, size=SIZE)
    return _PosedFrame(
        np.asarray(cv2.resize(crop, SIZE, interpolation=method)),
        np.asarray(cv2.resize(mask, SIZE, interpolation=cv2.INTER_AREA if scale[1] < 1 else cv2.INTER_LINEAR)),
        PoseTrack(skeleton, track.depth, track.scale * scale[1]),
    )
