"""Dances of corpora of motion in the place of videos: the skeleton is drawn, and its poses need no estimation."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter1d

from stgmamba.builder.people import sharpness
from stgmamba.builder.stages import BuildOptions, Previous, Result, Video
from stgmamba.datasets.smpl22 import StyledDance
from stgmamba.errors import InputError
from stgmamba.options import FPS
from stgmamba.skeleton import Skeleton
from stgmamba.skeleton.body import mid_hip
from stgmamba.skeleton.camera import frame_dance
from stgmamba.skeleton.drawing import draw_sequence
from stgmamba.video_io import write_video

SIZE = (512, 512)
"""(width, height) of the drawn pictures, pixels."""

_FOLLOWING_SECONDS = 0.5  # over which the camera's way is the mean of the dancer's; a still one would have to stand far
_GROUND = (190, 192, 196)  # colour behind the skeleton


def content_hash(dance: StyledDance) -> str:
    """SHA-256 of a dance's movement and of the file of its music, hexadecimal.

    Raises:
        InputError: the music cannot be read.
    """
    digest = hashlib.sha256(np.ascontiguousarray(dance.skeleton.positions).tobytes())
    digest.update(f"{dance.start:.6f} {_has_music(dance)}".encode())
    if _has_music(dance) and dance.audio_path is not None:
        try:
            with dance.audio_path.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
        except OSError as error:
            raise InputError(f"{dance.audio_path}: cannot be read ({error.strerror}).") from error
    return digest.hexdigest()


def draw_dance(path: Path, dance: StyledDance) -> None:
    """Write the film of a dance: its skeleton before a camera that follows it through the room, with its music.

    Music whose timing is not reliable is left out, since training could learn nothing true from it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    music = dance.audio_path if _has_music(dance) else None
    write_video(path, draw_sequence(_in_picture(dance), background=_GROUND), FPS, music, dance.start, threads=1)


def known_motion_stage(dance: StyledDance, video: Video, options: BuildOptions, previous: Previous) -> Result:
    """What the stage `motion` finds out, known: one part, the whole dance, each frame of it found and certain.

    Raises:
        InputError: the dance is shorter than the shortest clip.
    """
    times = previous["scan"].arrays["times"]
    frames = len(dance.skeleton)
    if len(times) != frames:
        raise InputError(f"{video.path}: {len(times)} frames of a dance of {frames}; remove it, it is drawn again.")
    if frames / FPS < options.shortest:
        raise InputError(f"{dance.id}: {frames / FPS:.1f} s are too short for a clip of {options.shortest:g} s.")
    flat, positions = _in_picture(dance), dance.skeleton.positions
    first = next(draw_sequence(flat.slice(0, 1), background=_GROUND))
    facts = {"fps": FPS, "parts": [[0, 0, True, 0, frames]], "dropped": [], "size": list(SIZE)}
    return Result(
        facts,
        {
            "frame": np.arange(frames),
            "time": times,
            "found": np.ones(frames, bool),
            "positions": flat.positions,
            "confidence": np.ones(flat.positions.shape[:2], np.float32),
            "world": positions - mid_hip(positions)[:, None],
            "dance": positions,
            "jitter": np.zeros(frames, np.float32),
            "sharpness": np.full(frames, sharpness(first, flat.positions[0]), np.float32),
            "others": np.zeros(frames),
        },
    )


def _has_music(dance: StyledDance) -> bool:
    return dance.audio_path is not None and dance.sync


def _in_picture(dance: StyledDance) -> Skeleton:
    """The dance in pixels of its film."""
    followed = dance.skeleton.positions.copy()
    way = mid_hip(followed)[:, [0, 2]]
    followed[..., [0, 2]] -= gaussian_filter1d(way, _FOLLOWING_SECONDS * FPS, axis=0, mode="nearest")[:, None]
    camera = frame_dance(Skeleton(followed, FPS, dance.skeleton.layout), SIZE)
    positions, _ = camera.project(followed)
    return Skeleton(positions.astype(np.float32), FPS, dance.skeleton.layout, size=SIZE)
