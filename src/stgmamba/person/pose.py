"""Finding the person in a picture or a video: joints, mask, who else is there, what cannot be seen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from stgmamba.arrays import DoubleArray, FloatArray
from stgmamba.errors import InputError
from stgmamba.options import FPS
from stgmamba.person.blazepose import Pose, PoseDetector
from stgmamba.person.matting import refine_mask
from stgmamba.person.picture import Picture, is_picture, load_picture
from stgmamba.progress import Progress
from stgmamba.skeleton.anthropometry import STANDING_ADULT
from stgmamba.skeleton.convert import convert
from stgmamba.skeleton.layouts import MEDIAPIPE_33, OPENPOSE_18_FEET
from stgmamba.skeleton.sequence import Skeleton

GUESSED = 0.05  # confidence of a joint that cannot be seen and was placed by the proportions of a standing body
_UNSEEN = 0.2  # visibility below which a joint counts as not seen
_SURE, _UNSURE = 0.5, 0.2  # detector thresholds: the second is for paintings, statues and comics

_TEMPLATE = np.array([STANDING_ADULT[joint] for joint in OPENPOSE_18_FEET.joints], np.float32)
_TORSO = [MEDIAPIPE_33.index(name) for name in ("left_shoulder", "right_shoulder", "left_hip", "right_hip")]
_HEAD_AND_SHOULDERS = [MEDIAPIPE_33.index(name) for name in ("nose", "left_shoulder", "right_shoulder")]
_UPPER_BODY = [
    MEDIAPIPE_33.index(name)
    for name in ("nose", *(f"{side}_{part}" for side in ("left", "right") for part in ("shoulder", "elbow", "hip")))
]
_LARGE_HALF = 0.25  # of the picture's height that the upper body of a person cut by its edge takes at least
_BYSTANDER = 0.25  # people smaller than this part of the largest are background


PersonChoice = int | tuple[float, float]
"""Which of several persons: a number from 1, or a point (x, y) in pixels."""


@dataclass(frozen=True)
class DetectedPerson:
    """The person found in a picture.

    Attributes:
        skeleton: one frame, ``OPENPOSE_18_FEET``, pixels, with the picture's size. Joints of ``missing`` have the
            confidence ``GUESSED`` and may lie outside of the picture.
        mask: float32 [H, W] in 0..1, soft at the edges, at the picture's resolution.
        others: how many further persons were seen.
        missing: names of joints that cannot be seen (outside of the picture or hidden): their places are guessed.
        depth: float32 [22], metres relative to the hips, smaller is nearer to the camera; an estimate.
        hands: float32 [2, 2], pixels of the middle of the knuckles, left and right; None where not detected.
    """

    skeleton: Skeleton
    mask: FloatArray
    others: int
    missing: tuple[str, ...]
    depth: FloatArray
    hands: FloatArray | None = None


def find_person(picture: Picture, which: PersonChoice | None = None) -> DetectedPerson:
    """Joints and mask of the person in a picture.

    Args:
        picture: the picture.
        which: of several persons: a number of ``find_people``, from 1, or a point (x, y) of the picture's file on the
            person, in pixels. By default the first, the most prominent.

    Raises:
        InputError: nobody found, or fewer than the number.
    """
    people = find_people(picture)
    chosen = _choose(people, which, picture) if people else None
    closer = None if chosen is None else _refine_detection(picture.rgb, chosen)
    if closer is None:
        raise InputError(
            f"{picture.name}: no person was found; use a picture that shows one whole person, upright, not too small, "
            "or say where a drawing's joints are (dance --pose)."
        )
    pose, coarse = closer
    mask = refine_mask(picture.rgb, coarse)
    if picture.alpha is not None:
        mask = np.minimum(mask, picture.alpha)
    skeleton, missing = _to_skeleton(pose, picture.size)
    return DetectedPerson(skeleton, mask, len(people) - 1, missing, _depth(pose), _hands(pose))


def find_people(picture: Picture) -> list[Pose]:
    """Everybody in a picture, the most prominent first: the largest, sharpest, most central person."""
    people = _detect_people(picture.rgb)
    sharpness = [_sharpness(picture.rgb, pose) for pose in people]
    clearest = max(sharpness, default=0.0) or 1.0

    def prominence(i: int) -> float:
        width, height = picture.size
        middle = (people[i].points[_TORSO].mean(axis=0) / (width, height) - 0.5) * 2
        central = 1 - 0.5 * min(1.0, float(np.linalg.norm(middle)))
        return _area(people[i], picture.size) * central * max(0.5, sharpness[i] / clearest)

    return [people[i] for i in sorted(range(len(people)), key=prominence, reverse=True)]


def _choose(people: list[Pose], which: PersonChoice | None, picture: Picture) -> Pose:
    if which is None:
        return people[0]
    if isinstance(which, int):
        if not 1 <= which <= len(people):
            raise InputError(
                f"{picture.name}: there is no person {which}; {len(people)} found, numbered from 1 "
                "(`stgmamba pose --show` draws them)."
            )
        return people[which - 1]
    point = np.array(which, np.float32) * (picture.size[0] / (picture.original_size or picture.size)[0])
    if (point < 0).any() or (point >= picture.size).any():
        raise InputError(f"{picture.name}: the point {which[0]:g},{which[1]:g} lies outside of the picture.")
    return min(people, key=lambda pose: _distance_to(pose, point))


def _distance_to(pose: Pose, point: FloatArray) -> float:
    """From a point to a person's box, in pixels; inside of it to its middle, in parts of its size, below 0."""
    low, high = pose.points.min(axis=0), pose.points.max(axis=0)
    outside = float(np.linalg.norm(np.maximum(np.maximum(low - point, point - high), 0)))
    if outside > 0:
        return outside
    return float(np.linalg.norm((point - (low + high) / 2) / np.maximum(high - low, 1))) - 1


def _sharpness(rgb: NDArray[np.uint8], pose: Pose) -> float:
    """Mean absolute Laplacian of a person's box; a blurred background has little."""
    size = np.array(rgb.shape[1::-1])
    low = np.clip(pose.points.min(axis=0), 0, size - 1).astype(int)
    high = np.clip(pose.points.max(axis=0) + 1, low + 1, size).astype(int)
    part = cv2.cvtColor(np.ascontiguousarray(rgb[low[1] : high[1], low[0] : high[0]]), cv2.COLOR_RGB2GRAY)
    return float(np.abs(cv2.Laplacian(part, cv2.CV_32F)).mean())


def detection_notes(picture: Picture, person: DetectedPerson) -> tuple[str, ...]:
    """Sentences for the user on what was detected in a picture and what had to be guessed."""
    notes = [picture.note] if picture.note else []
    if person.others:
        found = "another person is" if person.others == 1 else f"{person.others} other persons are"
        notes.append(
            f"{picture.name}: {found} in the picture; choose with --person NUMBER (numbers: `stgmamba pose --show`)."
        )
    if person.missing:
        joints = ", ".join(joint.replace("_", " ") for joint in person.missing)
        notes.append(f"{picture.name}: these joints cannot be seen, so their places are guessed: {joints}.")
    return tuple(notes)


def estimate_pose(
    path: str | Path, progress: Progress | None = None, which: PersonChoice | None = None
) -> tuple[Skeleton, tuple[str, ...]]:
    """The 2-D skeleton of the person in a picture (one frame) or in a video (all of its frames).

    Args:
        path: a picture or a video file.
        progress: called with (frames done, frames in all) of a video.
        which: of several persons in a picture, as for ``find_person``.

    Returns:
        The skeleton, OPENPOSE_18_FEET in pixels, and sentences for the user.

    Raises:
        InputError: neither a picture nor a video, or nobody in it.
    """
    path = Path(path)
    if not is_picture(path):
        skeleton = estimate_video(path, progress)
        lost = int((skeleton.confidence == 0).all(axis=1).sum())
        return skeleton, (f"{path}: nobody was found in {lost} of {len(skeleton)} frames.",) if lost else ()
    picture = load_picture(path)
    person = find_person(picture, which)
    return person.skeleton, detection_notes(picture, person)


def estimate_video(path: str | Path, progress: Progress | None = None) -> Skeleton:
    """Joints of the person in every frame of a video.

    Args:
        path: anything that ``stgmamba.video_io`` reads.
        progress: called with (frames done, frames in all).

    Returns:
        2-D ``OPENPOSE_18_FEET`` at the video's own rate, frame k shown k / fps seconds after the first; confidence 0
        where the person was not found. A variable frame rate is resampled to the one that most frames have.

    Raises:
        InputError: not a readable video, or nobody in any of its frames.
    """
    return estimate_video_3d(path, progress)[0]


def estimate_video_3d(path: str | Path, progress: Progress | None = None) -> tuple[Skeleton, FloatArray]:
    """As ``estimate_video``, and where the joints are in space, as of ``estimate_frames_3d``."""
    from stgmamba.video_io import read_video

    reader = read_video(path)
    recorded: list[float] = []
    frames = _record_times(_with_progress(iter(reader), reader.frames, progress), recorded)
    try:
        flat, world = estimate_frames_3d(frames, reader.fps, reader.size)
    except ValueError as error:
        if recorded or isinstance(error, InputError):
            raise
        raise InputError(f"{path}: no frame of it can be read; it is damaged, try another copy.") from error
    times = np.array(recorded)
    flat, space = (resample_times(one, times) for one in (flat, replace(flat, positions=world, size=None)))
    if not flat.confidence.any():
        raise InputError(f"{path}: no person was found in any frame; use a video that shows one whole person.")
    return flat, space.positions


def resample_times(skeleton: Skeleton, times: DoubleArray) -> Skeleton:
    """Bring frames with times of their own to a uniform rate by linear interpolation.

    Args:
        skeleton: T frames; its rate is kept where the times are uniform.
        times: rising, seconds [T].

    Returns:
        Frame k is that of ``times[0] + k / fps``. A joint between two frames has the lower of their confidences,
        and one that is unknown in one of them is unknown.
    """
    if len(times) < 3:
        return skeleton
    step = float(np.median(np.diff(times)))
    regular = np.polyval(np.polyfit(np.arange(len(times)), times, 1), np.arange(len(times)))
    if step <= 0 or np.abs(times - regular).max() < 0.75 * step:  # containers round times, to 1 ms and worse
        return skeleton
    grid = np.arange(round((times[-1] - times[0]) / step) + 1) * step + times[0]
    after = np.clip(np.searchsorted(times, grid), 1, len(times) - 1)
    before = after - 1
    share = np.clip((grid - times[before]) / np.maximum(times[after] - times[before], 1e-9), 0, 1)
    weight = share[:, None, None].astype(np.float32)
    positions = (1 - weight) * skeleton.positions[before] + weight * skeleton.positions[after]
    confidence = np.minimum(skeleton.confidence[before], skeleton.confidence[after])
    for end, at in ((before, 0.0), (after, 1.0)):
        exact = np.abs(share - at) < 1e-6
        positions[exact], confidence[exact] = skeleton.positions[end[exact]], skeleton.confidence[end[exact]]
    positions[confidence == 0] = 0
    return replace(skeleton, positions=positions, confidence=confidence, fps=1 / step)


def estimate_frames(frames: Iterable[tuple[float, NDArray[np.uint8]]], fps: float, size: tuple[int, int]) -> Skeleton:
    """Joints of the person in successive frames.

    Args:
        frames: (seconds, rgb uint8 [H, W, 3]) in rising order of time; read one at a time.
        fps: the frames' rate.
        size: (width, height) of the frames.

    Returns:
        2-D ``OPENPOSE_18_FEET``, one frame per picture given; positions and confidence 0 where nobody was found.
    """
    return estimate_frames_3d(frames, fps, size)[0]


def estimate_frames_3d(
    frames: Iterable[tuple[float, NDArray[np.uint8]]], fps: float, size: tuple[int, int]
) -> tuple[Skeleton, FloatArray]:
    """As ``estimate_frames``, and where the joints are in space.

    Returns:
        The 2-D skeleton; and float32 [T, 22, 3], metres from the middle of the hips: right, up, towards the camera,
        an estimate, 0 where nobody was found.
    """
    positions, confidence, world = [], [], []
    with PoseDetector(video=True) as detector:
        clock = -0.001
        for seconds, rgb in frames:
            clock = max(seconds, clock + 0.001)  # the tracker takes whole milliseconds and insists that they rise
            found = detector.detect(rgb, clock)
            if found:
                positions.append(found[0].points)
                confidence.append(found[0].visibility)
                world.append(found[0].world * np.array([1, -1, -1], np.float32))
            else:
                positions.append(np.zeros((len(MEDIAPIPE_33), 2), np.float32))
                confidence.append(np.zeros(len(MEDIAPIPE_33), np.float32))
                world.append(np.zeros((len(MEDIAPIPE_33), 3), np.float32))
    if not positions:
        raise ValueError("no frames")
    flat = Skeleton(np.stack(positions), fps, MEDIAPIPE_33, np.stack(confidence), size)
    space = Skeleton(np.stack(world), fps, MEDIAPIPE_33, np.stack(confidence))
    return convert(flat, OPENPOSE_18_FEET), convert(space, OPENPOSE_18_FEET).positions


def _record_times(
    frames: Iterator[tuple[float, NDArray[np.uint8]]], times: list[float]
) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    for seconds, rgb in frames:
        times.append(seconds)
        yield seconds, rgb


def _with_progress(
    frames: Iterator[tuple[float, NDArray[np.uint8]]], total: int, progress: Progress | None
) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    for i, frame in enumerate(frames):
        yield frame
        if progress is not None:
            progress(i + 1, total)


def _detect_people(rgb: NDArray[np.uint8]) -> list[Pose]:
    """Everybody in the picture, each once. Small and doubtful people are only looked for when there is nobody else."""
    size = rgb.shape[1], rgb.shape[0]
    for threshold, parts in ((_SURE, 2), (_SURE, 4), (_UNSURE, 2)):
        with PoseDetector(people=5, threshold=threshold) as detector:
            people: list[Pose] = []
            for pose in detect_in(detector, rgb, (0, 0, *size)):
                if (threshold == _SURE or _whole(pose)) and not any(_is_same_person(pose, known) for known in people):
                    people.append(pose)
            windows = _windows(*size, parts)
            candidates = [
                found
                for window in windows
                for found in detect_in(detector, rgb, window)
                if _whole(found) or (threshold == _SURE and _half(found, size))
            ]
            for pose in sorted(candidates, key=lambda found: -_extent(found)):
                # A part of the picture easily shows a person in a sleeve or a bag of the one who stands there.
                if any(_is_same_person(pose, known) or overlap(pose, known) > 0.5 for known in people):
                    continue
                if any(_is_same_person(pose, again) for again in detect_in(detector, rgb, _person_window(pose))):
                    people.append(pose)
        if people:
            largest = max(map(_extent, people))
            return [pose for pose in people if _extent(pose) > _BYSTANDER * largest]
    return []


def _windows(width: int, height: int, parts: int) -> Iterator[tuple[int, int, int, int]]:
    """(left, top, right, bottom) parts of a picture to search: all of it with a rim, then overlapping squares.

    The detector sees 224 pixels: who fills the picture is found when it has a rim, who is small when cut out.
    """
    rim = max(width, height) // 4
    yield -rim, -rim, width + rim, height + rim
    side = max(width, height) // parts
    for top in _starts(height, side):
        for left in _starts(width, side):
            yield left, top, left + side, top + side


def _starts(total: int, side: int) -> list[int]:
    """Where windows begin that cover a length and overlap by half."""
    if side >= total:
        return [(total - side) // 2]
    return [round(start) for start in np.linspace(0, total - side, int(np.ceil((total - side) / (side / 2))) + 1)]


def detect_in(
    detector: PoseDetector, rgb: NDArray[np.uint8], window: tuple[int, int, int, int], seconds: float = 0.0
) -> list[Pose]:
    """People in a part of the picture, in the whole picture's pixels; masks are cut or filled to its size.

    Args:
        detector: of poses.
        rgb: uint8 [H, W, 3].
        window: left, top, right and bottom of the part; outside of the picture its border is repeated.
        seconds: the frame's time, for a detector of successive frames.
    """
    left, top, right, bottom = window
    height, width = rgb.shape[:2]
    inner = rgb[max(0, top) : min(height, bottom), max(0, left) : min(width, right)]
    pads = max(0, -top), max(0, bottom - height), max(0, -left), max(0, right - width)
    part = cv2.copyMakeBorder(inner, *pads, cv2.BORDER_REPLICATE) if any(pads) else inner
    found = []
    for pose in detector.detect(part, seconds):
        mask = pose.mask
        if mask is not None:
            whole = np.zeros((height, width), np.float32)
            whole[max(0, top) : min(height, bottom), max(0, left) : min(width, right)] = mask[
                pads[0] : mask.shape[0] - pads[1], pads[2] : mask.shape[1] - pads[3]
            ]
            mask = whole
        found.append(replace(pose, points=pose.points + np.array([left, top], np.float32), mask=mask))
    return found


def _refine_detection(rgb: NDArray[np.uint8], pose: Pose) -> tuple[Pose, FloatArray] | None:
    """Detect a known person again in a square cut around them, with their mask."""
    whole = (0, 0, rgb.shape[1], rgb.shape[0])
    with PoseDetector(people=5, masks=True, threshold=_UNSURE) as detector:
        for window in (_person_window(pose), whole, *_windows(*whole[2:], parts=2)):
            again = [found for found in detect_in(detector, rgb, window) if _is_same_person(found, pose)]
            best = max(again, key=lambda found: float(found.visibility.mean()), default=None)
            if best is not None and best.mask is not None:
                return best, best.mask
    return None


def _scale(pose: Pose) -> float:
    """A length that does not shrink when a person turns: the larger of torso height and shoulder width, pixels."""
    shoulders, hips = pose.points[_TORSO[:2]], pose.points[_TORSO[2:]]
    torso = float(np.linalg.norm(shoulders.mean(axis=0) - hips.mean(axis=0)))
    return max(torso, float(np.linalg.norm(shoulders[0] - shoulders[1])), 1.0)


def _person_window(pose: Pose) -> tuple[int, int, int, int]:
    """A square window around a person, with some room."""
    low, high = pose.points.min(axis=0), pose.points.max(axis=0)
    centre, half = (low + high) / 2, 0.65 * float((high - low).max())
    left, top, right, bottom = np.round([*(centre - half), *(centre + half)]).astype(int).tolist()
    return left, top, right, bottom


def _whole(pose: Pose) -> bool:
    """Whether head and shoulders and nearly all of the rest can be seen: what the models see in a scribble is not."""
    return bool(pose.visibility[_HEAD_AND_SHOULDERS].min() > 0.5 and pose.visibility.mean() > 0.75)


def _half(pose: Pose, size: tuple[int, int]) -> bool:
    """Whether a large person's head, trunk and arms can be seen: one whom the picture's lower edge cuts."""
    tall = float(np.ptp(pose.points[_UPPER_BODY, 1])) > _LARGE_HALF * size[1]
    upper = pose.visibility[_UPPER_BODY]
    return bool(tall and pose.visibility[_HEAD_AND_SHOULDERS].min() > 0.5 and upper.mean() > 0.7)


def _extent(pose: Pose) -> float:
    """Diagonal of the box around the joints, pixels."""
    return float(np.linalg.norm(np.ptp(pose.points, axis=0)))


def overlap(pose: Pose, other: Pose) -> float:
    """The part of a person's box that lies in another's, 0..1."""
    low = np.maximum(pose.points.min(axis=0), other.points.min(axis=0))
    high = np.minimum(pose.points.max(axis=0), other.points.max(axis=0))
    return float(np.prod(np.maximum(high - low, 0)) / max(1.0, float(np.prod(np.ptp(pose.points, axis=0)))))


def _is_same_person(a: Pose, b: Pose) -> bool:
    """Whether two finds are one person: the joints that both see lie within half a torso of each other."""
    seen = (a.visibility > 0.5) & (b.visibility > 0.5)
    joints = np.nonzero(seen)[0] if seen.sum() >= 6 else np.array(_TORSO)
    distance = float(np.linalg.norm(a.points[joints] - b.points[joints], axis=1).mean())
    return distance < 0.5 * max(_scale(a), _scale(b))


def _area(pose: Pose, size: tuple[int, int]) -> float:
    """Area of the box around the joints that lie in the picture, pixels."""
    inside = np.clip(pose.points, 0, np.array(size) - 1)
    return float(np.prod(inside.max(axis=0) - inside.min(axis=0)))


def _depth(pose: Pose) -> FloatArray:
    world = Skeleton(pose.world[None], FPS, MEDIAPIPE_33)
    return np.asarray(convert(world, OPENPOSE_18_FEET).positions[0, :, 2])


def _hands(pose: Pose) -> FloatArray:
    knuckles = [[MEDIAPIPE_33.index(f"{side}_{finger}") for finger in ("index", "pinky")] for side in ("left", "right")]
    return np.asarray(pose.points[knuckles].mean(axis=1))


def _to_skeleton(pose: Pose, size: tuple[int, int]) -> tuple[Skeleton, tuple[str, ...]]:
    """The model layout's joints, those that cannot be seen guessed and named."""
    raw = Skeleton(pose.points[None], FPS, MEDIAPIPE_33, np.maximum(pose.visibility, 1e-3)[None], size)
    skeleton = convert(raw, OPENPOSE_18_FEET)
    points, confidence = skeleton.positions[0].copy(), skeleton.confidence[0].copy()
    slack = 0.1 * _scale(pose)  # a toe on the rim is a toe in the picture
    outside = ((points < -slack) | (points > np.array(size) + slack)).any(axis=1)
    unseen = outside | (confidence < _UNSEEN)
    if outside.any():
        points = guess_joints(points, outside)
    confidence[unseen] = GUESSED
    names = tuple(OPENPOSE_18_FEET.joints[j] for j in np.nonzero(unseen)[0])
    return replace(skeleton, positions=points[None], confidence=confidence[None]), names


def guess_joints(points: FloatArray, unknown: NDArray[np.bool_]) -> FloatArray:
    """Place unknown joints as on a standing body of the size of the known part.

    Args:
        points: float32 [22, 2], pixels.
        unknown: bool [22].
    """
    tree = np.array(OPENPOSE_18_FEET.tree)
    known = tree[~unknown[tree].any(axis=1)]
    if len(known) == 0:
        return points
    template = _TEMPLATE.copy()
    lengths = np.linalg.norm(points[known[:, 0]] - points[known[:, 1]], axis=1)
    model = np.linalg.norm(template[known[:, 0]] - template[known[:, 1]], axis=1)
    scale = float(np.sum(lengths * model) / np.sum(model**2))  # long bones say more about the size than short ones
    right, left = (OPENPOSE_18_FEET.index(f"{side}_shoulder") for side in ("right", "left"))
    turned = float(points[left, 0] - points[right, 0]) / (scale * float(template[left, 0] - template[right, 0]))
    template[:, 0] *= np.clip(turned, -1.0, 1.0)  # who stands sideways or faces away does so below the rim as well
    guessed = points.copy()
    root = OPENPOSE_18_FEET.root
    if unknown[root]:
        guessed[root] = (points - scale * template)[~unknown].mean(axis=0)
    for parent, child in OPENPOSE_18_FEET.tree:
        if unknown[child]:
            guessed[child] = guessed[parent] + scale * (template[child] - template[parent])
    return guessed
