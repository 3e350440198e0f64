from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stgmamba.datasets.tang2018 import Dance
from stgmamba.evaluation.skeleton.comparison_video import render_comparison
from stgmamba.evaluation.skeleton.metrics import METRICS
from stgmamba.evaluation.skeleton.plots import EvalResult, draw_plots
from stgmamba.music.demo_song import write_demo_song
from stgmamba.skeleton import Skeleton
from stgmamba.video_io import probe, read_video

from ...support.synthetic_dances import stepping, still, wandering

SECONDS = 6.0
BEATS = np.arange(0.5, SECONDS, 0.5)


@pytest.fixture
def result(tmp_path: Path) -> EvalResult:
    """Two songs; one method returns a constant pose, another positions that are not finite."""
    write_demo_song(tmp_path / "song.wav")
    real = [stepping(BEATS[2:], SECONDS), wandering(SECONDS, 1)]
    songs = [Dance(f"D{i}", "waltz", dance, tmp_path / "song.wav", 120.0, i == 0) for i, dance in enumerate(real)]
    broken = Skeleton(np.full_like(real[0].positions, np.nan), 25.0, real[0].layout)
    dances = {
        "real": [[dance] for dance in real],
        "ours": [[wandering(SECONDS, seed), stepping(BEATS, SECONDS)] for seed in (2, 3)],
        "still": [[still(SECONDS)]] * 2,
        "broken": [[broken]] * 2,
    }
    rows = {name: dict.fromkeys(METRICS, 0.5) for name in dances}
    return EvalResult(songs, [BEATS, BEATS], dances, rows)


def test_methods_have_different_colours(result: EvalResult) -> None:
    assert set(result.colours) == set(result.dances)
    assert len(set(result.colours.values())) == len(result.dances)


def test_real_dances_without_fitted_timing_are_not_used_with_beats(result: EvalResult) -> None:
    assert [dance for dance, _ in result.timed("real")] == result.dances["real"][0]
    assert len(list(result.timed("ours"))) == 4


def test_plots(result: EvalResult, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    files = [file for section in draw_plots(result, folder) for file in section.files]
    assert set(files) == set(folder.iterdir())
    assert len(files) == 4 + len(result.songs)
    for file in files:
        image = np.asarray(Image.open(file).convert("RGB"))
        assert image.std() > 5, file
    # A row of poses per method, and a margin for the title.
    rows = Image.open(folder / "poses_D1.png")
    assert 4 * 192 <= rows.height <= 4 * 192 + 30


def test_comparison_video(result: EvalResult, tmp_path: Path) -> None:
    (path,) = render_comparison(result, tmp_path).files
    info = probe(path)
    assert (info.video_codec, info.audio_codec) == ("h264", "aac")
    assert info.seconds == pytest.approx(SECONDS, abs=0.05)
    assert info.size == (4 * 240, 348)
    frames = [frame for _, frame in read_video(path)]
    # Labels have the colours of the plots.
    for column, colour in enumerate(result.colours[name] for name in result.dances):
        expected = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
        np.testing.assert_allclose(frames[0][10:20, 240 * column + 10].mean(axis=0), expected, atol=8)
    # Positions that are not finite are not drawn, the constant pose does not change, dances do.
    change = np.abs(frames[100].astype(int) - frames[30]).reshape(348, 4, 240, 3)[40:].max(axis=(0, 2, 3))
    assert change[1] > 100
    assert change[2] < 40
    assert change[3] < 40
