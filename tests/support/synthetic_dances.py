"""Synthetic dances whose metrics are known beforehand."""

from __future__ import annotations

import numpy as np

from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton
from stgmamba.skeleton.body import Body, rebuild

J = {name: i for i, name in enumerate(OPENPOSE_18_FEET.joints)}


def standing() -> np.ndarray:
    """A person standing at the origin, facing +z, [22, 3]."""
    rough = np.zeros((22, 3), np.float32)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        rough[J[f"{side}_hip"]] = (sign * 0.1, 0.9, 0)
        rough[J[f"{side}_knee"]] = (sign * 0.1, 0.5, 0)
        rough[J[f"{side}_ankle"]] = (sign * 0.1, 0.1, 0)
        rough[J[f"{side}_heel"]] = (sign * 0.1, 0.04, -0.06)
        rough[J[f"{side}_toe"]] = (sign * 0.1, 0.03, 0.15)
        rough[J[f"{side}_shoulder"]] = (sign * 0.16, 1.35, 0)
        rough[J[f"{side}_elbow"]] = (sign * 0.3, 1.1, 0)
        rough[J[f"{side}_wrist"]] = (sign * 0.3, 0.9, 0.1)
        rough[J[f"{side}_ear"]] = (sign * 0.07, 1.55, 0)
        rough[J[f"{side}_eye"]] = (sign * 0.03, 1.57, 0.09)
    rough[J["neck"]] = (0, 1.35, 0)
    rough[J["nose"]] = (0, 1.54, 0.1)
    return rebuild(rough, Body())


def still(seconds: float = 4.0, fps: float = 25.0) -> Skeleton:
    """Nobody moves."""
    return Skeleton(np.repeat(standing()[None], round(seconds * fps), axis=0), fps, OPENPOSE_18_FEET)


def glide(speed: float, seconds: float = 4.0, fps: float = 25.0) -> Skeleton:
    """The standing person slides along +z at a constant speed in m/s."""
    dance = still(seconds, fps)
    positions = dance.positions.copy()
    positions[..., 2] += speed * np.arange(len(dance))[:, None] / fps
    return Skeleton(positions, fps, OPENPOSE_18_FEET)


def stepping(landings: np.ndarray, seconds: float, swing: float = 0.3) -> Skeleton:
    """On the spot: left and right foot in turn swing for ``swing`` seconds and land at the given times.

    A swing carries the foot 20 cm forward (the next one back) on a smooth path whose speed is a raised cosine.
    """
    dance = still(seconds)
    positions = dance.positions.copy()
    times = np.arange(len(dance)) / dance.fps
    for i, landing in enumerate(landings):
        side = "left" if i % 2 == 0 else "right"
        foot = [J[f"{side}_{part}"] for part in ("ankle", "heel", "toe")]
        phase = np.clip((times - (landing - swing)) / swing, 0, 1)
        direction = 1 if i % 4 < 2 else -1
        positions[:, foot, 2] += (0.2 * direction * (phase - np.sin(2 * np.pi * phase) / (2 * np.pi)))[:, None]
    return Skeleton(positions, dance.fps, OPENPOSE_18_FEET)


def wandering(seconds: float, seed: int, size: float = 0.05) -> Skeleton:
    """Smooth random movement of every joint about the standing pose, ``size`` metres strong."""
    rng = np.random.default_rng(seed)
    dance = still(seconds)
    times = np.arange(len(dance)) / dance.fps
    phases = rng.uniform(0, 2 * np.pi, (4, 22, 3))
    rates = rng.uniform(0.3, 1.5, (4, 22, 3))
    waves = np.sin(2 * np.pi * rates * times[:, None, None, None] + phases).sum(axis=1)
    return Skeleton(dance.positions + size * waves.astype(np.float32), dance.fps, OPENPOSE_18_FEET)


def moved(dance: Skeleton, yaw: float, offset: tuple[float, float, float]) -> Skeleton:
    """The same dance turned about the vertical and put elsewhere."""
    cos, sin = np.cos(yaw), np.sin(yaw)
    x, y, z = np.moveaxis(dance.positions, -1, 0)
    turned = np.stack([cos * x + sin * z, y, -sin * x + cos * z], axis=-1) + np.asarray(offset, np.float32)
    return Skeleton(turned, dance.fps, dance.layout)


def pulsing(period: float, seconds: float) -> Skeleton:
    """The whole body sways; it halts at every multiple of ``period``."""
    dance = still(seconds)
    positions = dance.positions.copy()
    times = np.arange(len(dance)) / dance.fps
    positions[..., 0] += 0.2 * np.cos(np.pi * times / period)[:, None]
    return Skeleton(positions, dance.fps, dance.layout)
