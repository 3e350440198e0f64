"""A standing and stepping person in SMPL's 22 joints, and folders of such dances."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from stgmamba.skeleton import SMPL_22

# Metres, y up, facing +z, soles at y = 0; the ankles are 7.5 cm and the balls of the feet 2 cm above the floor.
_MIDDLE = {"pelvis": 0.95, "spine1": 1.05, "spine2": 1.15, "spine3": 1.25, "neck": 1.42, "head": 1.5}
_SIDE = {
    "hip": (0.09, 0.9, 0.0),
    "knee": (0.09, 0.49, 0.01),
    "ankle": (0.09, 0.075, 0.0),
    "foot": (0.1, 0.02, 0.13),
    "collar": (0.05, 1.38, 0.0),
    "shoulder": (0.17, 1.38, 0.0),
    "elbow": (0.25, 1.12, 0.0),
    "wrist": (0.28, 0.88, 0.05),
}


def standing_smpl() -> np.ndarray:
    """Joints of a standing person, [22, 3]."""
    joints = np.zeros((len(SMPL_22), 3))
    for j, name in enumerate(SMPL_22.joints):
        if name in _MIDDLE:
            joints[j] = (0, _MIDDLE[name], 0)
        else:
            x, y, z = _SIDE[name.split("_")[1]]
            joints[j] = (x if name.startswith("left") else -x, y, z)
    return joints


def swaying_smpl(frames: int, fps: float = 30.0, rate: float = 1.0) -> np.ndarray:
    """The person sways from side to side ``rate`` times a second and swings the left arm, [T, 22, 3]."""
    joints = np.repeat(standing_smpl()[None], frames, axis=0)
    phase = 2 * np.pi * rate * np.arange(frames) / fps
    joints[:, :, 0] += 0.1 * np.sin(phase)[:, None] * joints[:, :, 1] / 1.5
    arm = [SMPL_22.index("left_elbow"), SMPL_22.index("left_wrist")]
    joints[:, arm, 2] += 0.15 * np.sin(phase)[:, None] * np.array([1.0, 2.0])
    return joints


def write_smpl_dance(folder: Path, name: str, joints: np.ndarray, fps: float = 30.0, **entry: object) -> None:
    """Add a dance to a folder in the format of `stgmamba.datasets.smpl22`."""
    index = folder / "index.json"
    entries = json.loads(index.read_text()) if index.exists() else []
    defaults = {"id": name, "source": "made", "genre": "lock", "split": "train", "toes": "given"}
    (folder / name).mkdir(parents=True)
    root = joints[:, 0]
    np.savez(
        folder / name / "motion.npz",
        root=root.astype(np.float32),
        local=(joints - root[:, None]).astype(np.float16),
        fps=fps,
    )
    index.write_text(json.dumps([*entries, defaults | entry]))
