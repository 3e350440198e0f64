from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from stgmamba.errors import InputError
from stgmamba.music.beat_tracking.dataset import BeatDataset, beat_targets, load_examples, make_examples, stretched
from stgmamba.music.beat_tracking.judge import Judge, level_loss
from stgmamba.music.beat_tracking.model import BeatNetwork, Config
from stgmamba.music.beat_tracking.spectrogram import FPS, MELS, log_mel
from stgmamba.music.beat_tracking.tracker import load_tracker
from stgmamba.music.beat_tracking.train import read_beat_config, train
from stgmamba.music.decode import SAMPLE_RATE

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fifty short composed songs."""
    folder = tmp_path_factory.mktemp("songs")
    make_examples(folder, seed=3, songs=50, seconds=6.0)
    return folder


def test_frames_of_the_spectrogram_are_centred_on_their_times() -> None:
    samples = np.zeros(10 * SAMPLE_RATE, np.float32)
    for second in (2.0, 5.5):
        samples[round(second * SAMPLE_RATE)] = 1
    loud = log_mel(samples).max(axis=1)
    for second in (2.0, 5.5):
        frame = round(second * FPS)
        assert loud[frame] == pytest.approx(loud.max(), abs=1e-5)
        assert loud[frame - 2] < 0.1 * loud[frame] > loud[frame + 2]
    np.testing.assert_allclose(log_mel(samples * 0.01), log_mel(samples), atol=1e-4)  # loudness does not count
    assert log_mel(np.zeros(3, np.float32)).shape == (1, MELS)


def test_long_songs_have_no_seams() -> None:
    sound = np.random.default_rng(0).standard_normal(100 * SAMPLE_RATE).astype(np.float32)
    sound[0] = 10  # the peak of both
    whole = log_mel(sound)
    head = log_mel(sound[: 90 * SAMPLE_RATE])
    np.testing.assert_allclose(whole[: 90 * FPS - 5], head[: 90 * FPS - 5], atol=1e-5)


def test_targets_are_on_the_frames_of_the_beats() -> None:
    targets = beat_targets(np.array([0.0, 0.1, 0.98, 1.3]), 50)
    np.testing.assert_array_equal(np.flatnonzero(targets == 1), [0, 5, 49])
    np.testing.assert_array_equal(np.flatnonzero(targets == 0.5), [1, 4, 6, 48])


def test_stretching_moves_what_is_heard() -> None:
    x = np.zeros((100, MELS), np.float32)
    x[60] = 1
    assert int(stretched(x, 1.2).sum(axis=1).argmax()) == 50
    np.testing.assert_array_equal(stretched(x, 1.0), x)


def test_songs_are_composed_once_and_more_can_follow(folder: Path) -> None:
    path = next(folder.glob("*.npz"))
    before = path.stat().st_mtime_ns
    assert make_examples(folder, seed=3, songs=50, seconds=6.0) == [path]
    assert path.stat().st_mtime_ns == before
    examples = load_examples([path])
    assert len(examples) == 50
    for example in examples:
        assert example.spectrogram.shape == (301, MELS)
        assert np.isin(example.downbeats, example.beats).all()
        assert example.metre in ("2/4", "3/4", "4/4", "6/8")


def test_damaged_songs_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "songs.npz"
    path.write_bytes(b"not an archive")
    with pytest.raises(InputError, match="remove it and it will be composed again"):
        load_examples([path])


def test_a_batch_is_a_function_of_its_seed(folder: Path) -> None:
    data = BeatDataset(load_examples(list(folder.glob("*.npz"))), 4, 250)
    first, again, other = data.batch(0, 1), data.batch(0, 1), data.batch(0, 2)
    torch.testing.assert_close(first.spectrogram, again.spectrogram)
    assert not torch.equal(first.spectrogram, other.spectrogram)
    assert first.targets.shape == (4, 2, 250)
    assert (first.targets[:, 0] >= first.targets[:, 1]).all()  # a downbeat is a beat


def test_the_network_accepts_any_length_and_sees_ten_seconds() -> None:
    torch.manual_seed(0)
    network = BeatNetwork(Config()).eval()
    x = torch.rand(1, 2000, MELS)
    changed = x.clone()
    changed[0, 1000] += 1
    with torch.inference_mode():
        difference = (network(x) - network(changed)).abs().sum(dim=(0, 1))
        assert network(x[:, :1]).shape == (1, 2, 1)
    reached = torch.nonzero(difference > 1e-6).flatten()
    assert 1000 - 515 <= reached[0] < 700
    assert 1300 < reached[-1] <= 1000 + 515


def test_the_judge_learns_to_prefer_what_agrees() -> None:
    scores = torch.tensor([[2.0, 0.0, -1.0]])
    agreement, present = torch.tensor([[0.3, 0.9, 0.89]]), torch.tensor([[True, True, False]])
    wrong = level_loss(scores, agreement, present)
    right = level_loss(-scores, agreement, present)
    assert right < 0.2 < wrong
    judge = Judge()
    assert judge.level_scores(torch.zeros(5, judge.level[0].mean.shape[0])).shape == (5,)


def test_the_shipped_configuration_is_valid() -> None:
    config = read_beat_config(ROOT / "configs" / "beat_tracking.yaml")
    assert Config(**config.model) == Config()


def test_a_run_of_training_writes_a_tracker_and_goes_on(folder: Path, tmp_path: Path) -> None:
    settings = {
        "base": str(ROOT / "configs" / "beat_tracking.yaml"),
        "data": str(folder),
        "out": str(tmp_path / "run"),
        "songs": 50,
        "judge_songs": 10,
        "song_seconds": 6.0,
        "songs_seed": 3,
        "window": 4.0,
        "steps": 2,
        "batch": 2,
        "model": {"front": 8, "channels": 8, "blocks": 3},
    }
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    lines: list[str] = []
    weights = train(read_beat_config(path), log=lines.append)
    assert lines[0].startswith("40 songs")
    assert lines[-1].startswith("judge on its")
    tracker = load_tracker(weights)
    assert tracker.config.channels == 8
    path.write_text(yaml.safe_dump(settings | {"steps": 3}), encoding="utf-8")
    lines.clear()
    train(read_beat_config(path), log=lines.append)
    assert "continuing from step 2" in lines


@pytest.mark.parametrize("change", [{"window": 30}, {"judge_songs": 4000}, {"loss_weights": {"bar": 1}}])
def test_settings_that_cannot_work_are_refused(tmp_path: Path, change: dict[str, object]) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump({"base": str(ROOT / "configs" / "beat_tracking.yaml"), **change}), encoding="utf-8")
    with pytest.raises(InputError, match="not a training configuration"):
        read_beat_config(path)
