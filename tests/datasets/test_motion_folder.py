from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stgmamba.datasets.styled import load_split
from stgmamba.errors import InputError
from stgmamba.options import FPS
from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton
from stgmamba.skeleton.formats import write_skeleton

from ..skeleton.formats.test_bvh import bvh
from ..support.recordings import write_clicks
from ..support.synthetic_dances import stepping

LANDINGS = np.arange(0.7, 5, 0.5)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "salsa").mkdir()
    write_skeleton(tmp_path / "salsa" / "steps.npz", stepping(LANDINGS, 6.0).resampled(50))
    write_clicks(tmp_path / "salsa" / "steps.wav", 0.5, 6.0)
    (tmp_path / "still.bvh").write_text(bvh(frames=100))
    return tmp_path


def test_styles_and_music_are_found_by_name(folder: Path) -> None:
    [dance, *others] = load_split(folder, None, "train")
    assert (dance.id, dance.style, dance.sync) == ("salsa/steps", "salsa", True)
    assert dance.audio_path == folder / "salsa" / "steps.wav"
    assert (dance.skeleton.fps, dance.skeleton.layout) == (FPS, OPENPOSE_18_FEET)
    assert len(dance.skeleton) == pytest.approx(6.0 * FPS, abs=FPS)
    assert not others  # nobody moves in the other


def test_a_list_says_more(folder: Path) -> None:
    (folder / "motions.csv").write_text(
        "file,style,music,start,source,split\n"
        "salsa/steps.npz,mambo,salsa/steps.wav,1.5,key-framed,train\n"
        "salsa/steps.npz,mambo,,,,test\n"
    )
    [dance] = load_split(folder, None, "train")
    assert (dance.style, dance.source, dance.sync) == ("mambo", "key-framed", True)
    assert dance.start == pytest.approx(1.5, abs=0.5)
    [held_out] = load_split(folder, None, "test")
    assert (held_out.audio_path, held_out.sync, held_out.source) == (None, False, "captured")
    with pytest.raises(InputError, match="there is no dance of split 'val'"):
        load_split(folder, None, "val")


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("file,tempo\nsalsa/steps.npz,3\n", "unknown column 'tempo'"),
        ("file,style\n,salsa\n", "every row needs a `file`"),
        ("file,music\nsalsa/steps.npz,no.wav\n", "there is no .*no.wav"),
        ("file,source\nsalsa/steps.npz,dreamt\n", "source 'dreamt'"),
        ("file,start\nsalsa/steps.npz,soon\n", "could not convert"),
    ],
)
def test_a_list_that_is_wrong_is_refused(folder: Path, row: str, complaint: str) -> None:
    (folder / "motions.csv").write_text(row)
    with pytest.raises(InputError, match=rf"motions\.csv: not a list of motions \(.*{complaint}"):
        load_split(folder, None, "train")


def test_flat_dances_are_refused(folder: Path) -> None:
    flat = Skeleton(np.random.default_rng(0).random((30, 22, 2), np.float32) * 100, 25, OPENPOSE_18_FEET)
    write_skeleton(folder / "flat.npz", flat)
    with pytest.raises(InputError, match=r"flat\.npz: a dance in the picture plane"):
        load_split(folder, None, "train")
