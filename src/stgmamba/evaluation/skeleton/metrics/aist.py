"""Metrics in use on AIST++: FID and diversity of two kinds of features, beat alignment, foot contact, floating.

Features are those of the AIST++ suite (Li et al., "AI Choreographer", ICCV 2021): kinetic ones after Onuma, Faloutsos,
Hodgins, "FMDistance" (2008), geometric ones after Müller, Röder, Clausen, "Efficient content-based retrieval of motion
capture data" (2005). Ours differ from that code where it does: joints are those of OPENPOSE_18_FEET on the default body
(chest and belly lie on the line from hips to neck), clips last 5 s, accelerations are second differences (a bracket in
the suite's code makes them positions), and speeds are in true seconds. Compare figures within one report only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.ndimage import center_of_mass, label, maximum_filter1d, minimum_filter1d, uniform_filter1d
from scipy.spatial.distance import pdist

from stgmamba.arrays import BoolArray, DoubleArray
from stgmamba.evaluation.frechet import frechet_distance
from stgmamba.evaluation.skeleton.metrics.features import at_25_fps, at_fps, on_default_body
from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton
from stgmamba.skeleton.body import FEET, mid_hip

CLIP_SECONDS = 5.0
"""Length of the clips whose features are compared, as in EDGE (Tseng et al., CVPR 2023); shorter dances are a clip."""

_FPS = 30.0  # of the features and of PFC, as in EDGE
_WINDOW = 5  # frames over which velocities and accelerations are averaged
_BEAT_FPS, _BEAT_ORDER, _BEAT_SIGMA = 60.0, 10, 3.0  # frames, as in the AIST++ suite
_PFC_UNIT = 1e4  # as in EDGE's code
_CHEST, _BELLY = 2 / 3, 1 / 3  # of the way from the hips to the neck
_FLOAT_TOLERANCE = 0.005  # metres, as in PhysDiff
_SHORTEST = 3  # frames that an acceleration needs
_EPSILON = 1e-10


def fid_k(generated: Sequence[Skeleton], real: Sequence[Skeleton]) -> float:
    """FID_k: Fréchet distance of the kinetic features of clips, in real standard deviations; lower is better."""
    return frechet_distance(*_normalised(generated, real, kinetic_features))


def fid_g(generated: Sequence[Skeleton], real: Sequence[Skeleton]) -> float:
    """FID_g: as ``fid_k``, of geometric features."""
    return frechet_distance(*_normalised(generated, real, geometric_features))


def div_k(generated: Sequence[Skeleton], real: Sequence[Skeleton]) -> float:
    """Div_k: mean distance of the kinetic features of two clips, in real standard deviations; 0 for one clip."""
    return _mean_distance(_normalised(generated, real, kinetic_features)[0])


def div_g(generated: Sequence[Skeleton], real: Sequence[Skeleton]) -> float:
    """Div_g: as ``div_k``, of geometric features."""
    return _mean_distance(_normalised(generated, real, geometric_features)[0])


def bas(skeleton: Skeleton, beats: DoubleArray) -> float:
    """Beat alignment score: mean over kinematic beats of exp(-d^2 / (2 sigma^2)), 0..1, higher is better.

    d is the distance to the nearest beat of the music, sigma 1/20 s; kinematic beats are minima, within 1/6 s, of the
    joints' summed speed (Li et al. 2021, and the suite's code). 0 without beats or where positions are not
    finite.
    """
    if not len(beats) or not np.isfinite(skeleton.positions).all():
        return 0.0
    positions = _at(skeleton, _BEAT_FPS).positions.astype(np.float64)
    speed = np.linalg.norm(np.diff(positions, axis=0), axis=2).sum(axis=1)
    window = 2 * _BEAT_ORDER + 1
    least = (speed == minimum_filter1d(speed, window)) & (speed < maximum_filter1d(speed, window))
    least[[0, -1]] = False
    # A halt between two frames is two equal minima.
    halts, count = label(least)
    if not count:
        return 0.0
    kinematic = np.asarray(center_of_mass(least, halts, range(1, count + 1)))[:, 0] + 1
    off = np.abs(kinematic[:, None] - np.asarray(beats)[None] * _BEAT_FPS).min(axis=1)
    return float(np.exp(-(off**2) / (2 * _BEAT_SIGMA**2)).mean())


def pfc(skeleton: Skeleton) -> float:
    """Physical foot contact score: how far the body accelerates while neither foot stands still; lower is better.

    Mean over frames of the product of both feet's least movement in a frame (of ankle and toe, metres) and the pelvis'
    acceleration (upwards or level, in parts of its maximum), times 10^4 (Tseng et al., "EDGE", CVPR 2023,
    and its code); mean over clips.
    """
    return float(np.mean([_clip_pfc(clip) for clip in _clips(skeleton)]))


def floating(skeleton: Skeleton) -> float:
    """Mean height of the lowest heel or toe above the floor where it exceeds 5 mm, over all frames; cm.

    After PhysDiff (Yuan et al., ICCV 2023), which measures meshes above a known floor; here a foot's point stands at
    the 5th percentile of its height over the dance. Leaps count, too.
    """
    height = at_25_fps(skeleton).positions[:, FEET, 1].astype(np.float64)
    above = (height - np.percentile(height, 5, axis=0)).min(axis=1)
    return float(100.0 * np.where(above <= _FLOAT_TOLERANCE, 0.0, above).mean())


def kinetic_features(clip: DoubleArray) -> DoubleArray:
    """Kinetic features of a clip [T, 22, 3] in metres at 30 fps: [66].

    Of each joint the mean squared horizontal and vertical speed, m^2/s^2, and the mean size of the acceleration, m/s^2.
    """
    velocity = np.diff(clip, axis=0) * _FPS
    smooth = uniform_filter1d(velocity, _WINDOW, axis=0, mode="nearest")
    acceleration = uniform_filter1d(np.diff(velocity, axis=0) * _FPS, _WINDOW, axis=0, mode="nearest")
    horizontal = (smooth[..., [0, 2]] ** 2).sum(axis=-1).mean(axis=0)
    vertical = (smooth[..., 1] ** 2).mean(axis=0)
    return np.concatenate([horizontal, vertical, np.linalg.norm(acceleration, axis=-1).mean(axis=0)])


def geometric_features(clip: DoubleArray) -> DoubleArray:
    """Geometric features of a clip [T, 22, 3] in metres at 30 fps: the share of frames in which each holds, [32].

    In the order of the suite: the right hand that moves backwards, the left one forwards (its normals have the same
    handedness on both sides); hands that are above the neck, move up; bent elbows; hands apart, hands that part, hands
    that move to the root; fast hands; feet beyond the plane of the other leg, raised, apart; bent knees; fast feet;
    arms and legs away from the trunk; the root before the feet; a level trunk; hands near the floor; a fast root.
    """
    joint = _named_joints(clip)
    arm, shoulders, hips = (
        float(np.median(np.linalg.norm(joint[a] - joint[b], axis=1)))
        for a, b in (
            ("left_shoulder", "left_elbow"),
            ("left_shoulder", "right_shoulder"),
            ("left_hip", "right_hip"),
        )
    )

    def toward(direction: DoubleArray, part: str, base: str, speed: float) -> BoolArray:
        """Whether a part moves along a direction, against a base, faster than a speed."""
        relative = joint[part] - joint[base]
        moved = np.diff(relative, axis=0, prepend=relative[:1]) * _FPS
        return np.asarray(_along(moved, direction) > speed)

    def beyond(direction: DoubleArray, part: str, base: str, distance: float) -> BoolArray:
        """Whether a part lies further along a direction than a distance from a base."""
        return np.asarray(_along(joint[part] - joint[base], direction) > distance)

    def normal(a: str, b: str, c: str) -> DoubleArray:
        return np.asarray(np.cross(joint[c] - joint[a], joint[b] - joint[a]))

    def line(a: str, b: str) -> DoubleArray:
        return joint[b] - joint[a]

    def angle(first: DoubleArray, second: DoubleArray, low: float, high: float) -> BoolArray:
        cosine = np.sum(first * second, axis=1) / np.maximum(
            np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1), _EPSILON
        )
        degrees = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
        return np.asarray((degrees > low) & (degrees < high))

    def fast(part: str, speed: float) -> BoolArray:
        moved = np.diff(joint[part], axis=0, prepend=joint[part][:1]) * _FPS
        return np.asarray(np.linalg.norm(moved, axis=1) > speed)

    up = np.broadcast_to(np.asarray([0.0, 1.0, 0.0]), (len(clip), 3))
    sides = (("right", "left"), ("left", "right"))
    rows = [
        *(toward(normal("neck", f"{s}_hip", f"{o}_hip"), f"{s}_wrist", "neck", 1.8 * arm) for s, o in sides),
        *(beyond(line("chest", "neck"), f"{s}_wrist", "neck", 0.2 * arm) for s, _ in sides),
        *(toward(line("belly", "chest"), f"{s}_wrist", "belly", 1.8 * arm) for s, _ in sides),
        *(angle(line(f"{s}_elbow", f"{s}_shoulder"), line(f"{s}_elbow", f"{s}_wrist"), 0, 110) for s, _ in sides),
        beyond(line("left_shoulder", "right_shoulder"), "right_wrist", "left_wrist", 2.5 * shoulders),
        toward(line("left_wrist", "right_wrist"), "right_wrist", "left_wrist", 1.4 * arm),
        *(toward(line(f"{s}_wrist", "root"), f"{o}_wrist", f"{s}_wrist", 1.4 * arm) for s, o in sides),
        *(fast(f"{s}_wrist", 2.5 * arm) for s, _ in sides),
        *(beyond(normal("root", f"{o}_hip", f"{o}_toe"), f"{s}_ankle", "root", 0.38 * arm) for s, o in sides),
        *(beyond(up, f"{s}_ankle", "lowest", 1.2 * arm) for s, _ in sides),
        beyond(line("left_hip", "right_hip"), "right_ankle", "left_ankle", 2.1 * hips),
        *(angle(line(f"{s}_knee", f"{s}_hip"), line(f"{s}_knee", f"{s}_ankle"), 0, 110) for s, _ in sides),
        *(fast(f"{s}_ankle", 2.5 * arm) for s, _ in sides),
        *(angle(line("neck", "root"), line(f"{s}_shoulder", f"{s}_elbow"), 25, 180) for s, _ in sides),
        *(angle(line("neck", "root"), line(f"{s}_hip", f"{s}_knee"), 50, 180) for s, _ in sides),
        beyond(normal("right_ankle", "neck", "left_ankle"), "root", "right_ankle", 0.5 * arm),
        angle(line("neck", "root"), up, 70, 110),
        *(beyond(-up, f"{s}_wrist", "lowest", -1.2 * arm) for s, _ in sides),
        fast("root", 2.3 * arm),
    ]
    return np.asarray(np.mean(rows, axis=1), np.float64)


def _named_joints(clip: DoubleArray) -> dict[str, DoubleArray]:
    """Joints [T, 3] by name, with ``root``, ``belly``, ``chest`` and ``lowest``, the height of the lowest joint."""
    joint = {name: clip[:, i] for i, name in enumerate(OPENPOSE_18_FEET.joints)}
    root = mid_hip(clip)
    spine = joint["neck"] - root
    lowest = np.zeros_like(root)
    lowest[:, 1] = clip[..., 1].min(axis=1)
    return {**joint, "root": root, "belly": root + _BELLY * spine, "chest": root + _CHEST * spine, "lowest": lowest}


def _along(vectors: DoubleArray, direction: DoubleArray) -> DoubleArray:
    """Components [T] of vectors [T, 3] along directions [T, 3]."""
    length = np.maximum(np.linalg.norm(direction, axis=1), _EPSILON)
    return np.asarray(np.sum(vectors * direction, axis=1) / length)


def _normalised(
    generated: Sequence[Skeleton], real: Sequence[Skeleton], features: Callable[[DoubleArray], DoubleArray]
) -> tuple[DoubleArray, DoubleArray]:
    """Features [N, D] and [M, D] of the clips of both, in standard deviations of the real ones from their mean.

    NaN where positions are not finite.
    """
    if not generated or not real:
        raise ValueError("features need at least one dance on each side")
    found, true = (
        np.stack(
            [features(clip) if np.isfinite(clip).all() else np.nan * features(np.zeros_like(clip)) for clip in clips]
        )
        for clips in ([clip for dance in dances for clip in _clips(dance)] for dances in (generated, real))
    )
    mean, deviation = true.mean(axis=0), true.std(axis=0)
    # What never varies in real dances says nothing; scaled by the suite's 1e-10 it would outweigh all else.
    scale = np.where(deviation > 1e-6, deviation, np.inf)
    return (found - mean) / scale, (true - mean) / scale


def _clips(skeleton: Skeleton) -> list[DoubleArray]:
    """Clips [T, 22, 3] of a dance on the default body, metres at 30 fps."""
    if not np.isfinite(skeleton.positions).all():
        return [np.full((_SHORTEST, len(OPENPOSE_18_FEET), 3), np.nan)]
    relative, root = on_default_body(_at(skeleton, _FPS).positions)
    positions = relative + root[:, None]
    length = round(CLIP_SECONDS * _FPS)
    count = max(1, len(positions) // length)
    return [positions[i * length : (i + 1) * length] for i in range(count)]


def _at(skeleton: Skeleton, fps: float) -> Skeleton:
    """The dance at another frame rate, with at least `_SHORTEST` frames; checked as by ``at_fps``."""
    resampled = at_fps(skeleton, fps)
    if len(resampled) >= _SHORTEST:
        return resampled
    positions = np.repeat(resampled.positions[:1], _SHORTEST, axis=0)
    return Skeleton(positions, fps, resampled.layout)


def _clip_pfc(clip: DoubleArray) -> float:
    if not np.isfinite(clip).all():
        return float("nan")
    acceleration = np.diff(mid_hip(clip), n=2, axis=0) * _FPS**2
    acceleration[:, 1] = np.maximum(acceleration[:, 1], 0)
    size = np.linalg.norm(acceleration, axis=1)
    if not size.any():
        return 0.0
    least = []
    for side in ("left", "right"):
        foot = clip[:, [OPENPOSE_18_FEET.index(f"{side}_{part}") for part in ("ankle", "toe")]][..., [0, 2]]
        least.append(np.linalg.norm(np.diff(foot, axis=0)[1:], axis=-1).min(axis=1))
    return float((least[0] * least[1] * size / size.max()).mean() * _PFC_UNIT)


def _mean_distance(features: DoubleArray) -> float:
    """Mean distance of two rows; 0 for a single one."""
    if not np.isfinite(features).all():
        return float("nan")
    return float(pdist(features).mean()) if len(features) > 1 else 0.0
