from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from stgmamba.datasets.styled import load_split
from stgmamba.errors import InputError
from stgmamba.skeleton import COCO_17, OPENPOSE_18_FEET, convert
from stgmamba.skeleton.motion_events import foot_strikes

from ..support.recordings import write_clicks
from ..support.synthetic_dances import moved, stepping

LANDINGS = np.arange(0.7, 5, 0.5)


def write_dance(folder: Path, name: str, joints: np.ndarray) -> None:
    (folder / "keypoints3d").mkdir(parents=True, exist_ok=True)
    (folder / "keypoints3d" / f"{name}.pkl").write_bytes(pickle.dumps({"keypoints3d_optim": 100 * joints}))


def test_dances_are_read_with_their_music_and_feet(tmp_path: Path) -> None:
    dance = moved(stepping(LANDINGS, 6.0), 0.7, (1.0, 0.4, -2.0)).resampled(60)
    joints = convert(dance, COCO_17).positions
    write_dance(tmp_path, "gBR_sBM_cAll_d04_mBR0_ch01", joints)
    write_dance(tmp_path, "gWA_sBM_cAll_d25_mWA1_ch02", joints)
    write_dance(tmp_path, "gPO_sBM_cAll_d10_mPO0_ch01", joints)
    (tmp_path / "ignore_list.txt").write_text("gPO_sBM_cAll_d10_mPO0_ch01\n")
    (tmp_path / "music").mkdir()
    write_clicks(tmp_path / "music" / "mBR0.wav", 0.5, 6.0)
    first, second = load_split(tmp_path, None, "train")
    assert (first.style, first.sync, first.audio_path) == ("break", True, tmp_path / "music" / "mBR0.wav")
    assert (second.style, second.sync, second.audio_path) == ("waack", False, None)
    positions = first.skeleton.positions
    toes, heels = (
        positions[:, [OPENPOSE_18_FEET.index(f"{side}_{part}") for side in ("left", "right")]]
        for part in ("toe", "heel")
    )
    assert np.percentile(np.minimum(toes[..., 1], heels[..., 1]).min(axis=1), 20) == pytest.approx(0.03, abs=0.02)
    forward = (toes - heels).mean(axis=(0, 1))
    assert np.arctan2(forward[0], forward[2]) == pytest.approx(0.7, abs=0.1)  # toes point where the body faces
    strikes = foot_strikes(first.skeleton)
    assert np.abs(strikes[:, None] - LANDINGS).min(axis=1).max() < 0.08


def test_what_is_not_a_dance_is_refused(tmp_path: Path) -> None:
    write_dance(tmp_path, "gBR_sBM_cAll_d04_mBR0_ch01", np.zeros((10, 5, 3)))
    with pytest.raises(InputError, match="not a dance of AIST"):
        load_split(tmp_path, None, "train")
