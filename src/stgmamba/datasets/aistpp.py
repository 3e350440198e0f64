"""Reader of AIST++ (Li et al., "AI Choreographer", ICCV 2021).

Get it: annotations (``keypoints3d/*.pkl``, CC BY 4.0) from https://google.github.io/aistplusplus_dataset, music
(``mBR0.wav`` and so on) from the AIST Dance Database, for research; put the wav files into ``music/`` beside
``keypoints3d/``. Names say what they are: ``gBR_sBM_cAll_d04_mBR0_ch01`` is break dance (gBR) to the song mBR0.

What is lost: keypoints are COCO's 17 at 60 frames a second, cm, so feet are derived from ankles and the body's
direction. ``ignore_list.txt`` in the folder, the authors' list of bad sequences, is read if it is there. Dances begin
with their music.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stgmamba.arrays import FloatArray
from stgmamba.datasets.array_pickle import read_array_pickle
from stgmamba.datasets.smpl22 import CAPTURED, StyledDance
from stgmamba.errors import InputError
from stgmamba.options import FPS
from stgmamba.skeleton import COCO_17, OPENPOSE_18_FEET, Skeleton, convert
from stgmamba.skeleton.body import Body, retarget
from stgmamba.skeleton.foot_contacts import SOLE
from stgmamba.skeleton.rotations import body_yaw, rotate_yaw

STYLES = {
    "gBR": "break", "gPO": "pop", "gLO": "lock", "gMH": "middle-hip-hop", "gLH": "la-hip-hop", "gHO": "house",
    "gWA": "waack", "gKR": "krump", "gJS": "street-jazz", "gJB": "ballet-jazz",
}  # fmt: skip
"""Genre code of a file's name -> style."""

_RATE = 60.0  # frames per second of the annotations
_FOOT = {"heel": (0.0, -0.06, -0.05), "toe": (0.02, -0.06, 0.13)}
# Metres from the ankle outwards, up and forward, of a foot flat on the floor; their lengths become those of the body.
_FEET = [OPENPOSE_18_FEET.index(f"{side}_{part}") for side in ("left", "right") for part in _FOOT]


def is_aistpp(folder: Path) -> bool:
    """Whether a folder has the annotations of AIST++."""
    return any((folder / "keypoints3d").glob("g*.pkl"))


def load_aistpp_dances(folder: str | Path) -> list[StyledDance]:
    """All dances of a folder but those of its ignore list, in the order of their names.

    Raises:
        InputError: there is none, or a file is malformed.
    """
    folder = Path(folder)
    ignore = folder / "ignore_list.txt"
    ignored = set(ignore.read_text(encoding="utf-8").split()) if ignore.exists() else set()
    paths = [path for path in sorted((folder / "keypoints3d").glob("g*.pkl")) if path.stem not in ignored]
    if not paths:
        raise InputError(f"{folder}: there is no keypoints3d/g*.pkl in it; name the folder of AIST++.")
    return [_load(path, folder / "music") for path in paths]


def _load(path: Path, music: Path) -> StyledDance:
    arrays = read_array_pickle(path)
    words = path.stem.split("_")
    try:
        joints = np.asarray(arrays.get("keypoints3d_optim", arrays.get("keypoints3d")), np.float32) / 100
        style = STYLES[words[0]]
        if joints.ndim != 3 or joints.shape[1:] != (17, 3) or len(joints) < 2 or not np.isfinite(joints).all():
            raise ValueError(f"keypoints of shape {joints.shape}")
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: not a dance of AIST++ ({error}); download it again.") from error
    skeleton = convert(Skeleton(joints, _RATE, COCO_17), OPENPOSE_18_FEET)
    positions = _with_feet(skeleton.positions)
    positions[..., 1] -= np.percentile(positions[:, _FEET, 1].min(axis=1), 20) - SOLE
    dance = retarget(Skeleton(positions, _RATE, OPENPOSE_18_FEET).resampled(FPS), Body())
    songs = [music / f"{word}.wav" for word in words if word.startswith("m") and (music / f"{word}.wav").exists()]
    return StyledDance(path.stem, style, CAPTURED, dance, songs[0] if songs else None, sync=bool(songs))


def _with_feet(positions: FloatArray) -> FloatArray:
    """Joints [T, 22, 3] with heels and toes as of a person who stands in the body's direction."""
    out = positions.copy()
    yaw = body_yaw(positions)
    for side, outward in (("left", 1), ("right", -1)):
        ankle = OPENPOSE_18_FEET.index(f"{side}_ankle")
        for part, (across, up, forward) in _FOOT.items():
            offset = np.array([outward * across, up, forward], np.float32)
            out[:, OPENPOSE_18_FEET.index(f"{side}_{part}")] = positions[:, ankle] + _turned(offset, yaw)
    return out


def _turned(offset: FloatArray, yaw: FloatArray) -> FloatArray:
    """An offset [3] turned about the vertical by each yaw, [T, 3]."""
    level = rotate_yaw(np.broadcast_to(offset[[0, 2]], (len(yaw), 2)).astype(np.float32), yaw)
    return np.asarray(np.stack([level[:, 0], np.full(len(yaw), offset[1]), level[:, 1]], axis=-1), np.float32)
