from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from stgmamba.datasets.smpl22 import CAPTURED, Rhythm, StyledDance
from stgmamba.datasets.styled import load_split
from stgmamba.errors import InputError
from stgmamba.music_to_skeleton.audio_features import HOP, WINDOW
from stgmamba.music_to_skeleton.dataset import DanceDataset, Example, WindowSampling, load_examples, mirror
from stgmamba.music_to_skeleton.model import Config
from stgmamba.music_to_skeleton.representation import encode
from stgmamba.skeleton import Skeleton

from ..support.synthetic_dances import stepping, wandering

STYLES = ("cha-cha", "tango", "waltz")
CONFIG = Config(styles=STYLES)
RATIO = 2  # frames of the dance per frame of the music
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def data(dances: Path) -> list[Example]:
    return load_examples(load_split(dances / "small", None, "train"), (0.8, 1.0), CONFIG, 40)


def test_every_dance_comes_at_every_tempo(data: list[Example]) -> None:
    assert len(data) == 6
    slow, normal = data[:2]
    assert len(slow.nodes) == pytest.approx(len(normal.nodes) / 0.8, abs=2)
    beats = [60 / np.median(np.diff(example.audio.beats)) for example in (slow, normal)]
    assert beats[0] == pytest.approx(0.8 * beats[1], rel=0.02)
    assert all(len(example.nodes) == RATIO * len(example.audio) for example in data)
    assert [example.sync for example in data] == [True, True, True, True, False, False]


def test_an_unknown_style_is_named(dances: Path) -> None:
    with pytest.raises(InputError, match="tango"):
        load_examples(load_split(dances / "small", None, "train"), (1.0,), Config(styles=("waltz",)), 40)


def test_windows_are_pieces_of_dances_with_the_music_beside_them(data: list[Example]) -> None:
    dataset = DanceDataset(data, WindowSampling(16, 40, 0.3, 0.3), CONFIG, CPU)
    batch = dataset.batch(1, 2)
    assert batch.nodes.shape == (16, 40, 23, 3)
    assert batch.wave.shape[:2] == (16, 20)
    assert batch.features.shape[:2] == (16, 20)
    audio = 0
    for nodes, wave, features, style in zip(batch.nodes, batch.wave, batch.features, batch.style, strict=True):
        found = [
            (example, start, turned)
            for example in data
            for start in range(0, len(example.nodes) - 39, RATIO)
            for turned, dance in enumerate((example.nodes, mirror(torch.from_numpy(example.nodes)).numpy()))
            if np.array_equal(dance[start : start + 40], nodes.numpy())
            and (
                not features.any()
                or np.array_equal(features, example.audio.features[start // RATIO : start // RATIO + 20])
            )
        ]
        example, start, turned = found[0]
        # The upper half of the classes says that a dance is seen in a mirror.
        assert style - turned * (len(STYLES) + 1) in (example.style, len(STYLES))
        if features.any():
            audio += 1
            assert example.sync
            windows = torch.from_numpy(example.audio.windows(start // RATIO, start // RATIO + 20))
            loudness = wave.norm() / windows.norm()
            assert 0.5 <= loudness <= 1.2
            torch.testing.assert_close(wave, windows * loudness, rtol=1e-3, atol=1e-5)
        else:
            assert not wave.any()
    assert 0 < audio < 16


def test_the_same_seeds_draw_the_same_batch(data: list[Example]) -> None:
    dataset = DanceDataset(data, WindowSampling(4, 30, 0.1, 0.1), CONFIG, CPU)
    first, again, other = dataset.batch(0, 7), dataset.batch(0, 7), dataset.batch(0, 8)
    assert torch.equal(first.nodes, again.nodes)
    assert torch.equal(first.wave, again.wave)
    assert not torch.equal(first.nodes, other.nodes)


def test_a_window_longer_than_every_dance_is_refused(data: list[Example]) -> None:
    with pytest.raises(InputError, match=r"40\.0 s"):
        DanceDataset(data, WindowSampling(4, 1000, 0, 0), CONFIG, CPU)


def styled(skeleton: Skeleton, style: str | None = "tango", rhythm: Rhythm | None = None) -> StyledDance:
    return StyledDance("made", style, CAPTURED, skeleton, rhythm=rhythm)


def test_shares_decide_how_often_a_style_is_drawn(data: list[Example]) -> None:
    waltzes, tangos = 0.9, 0.1
    sampling = WindowSampling(400, 40, 0.0, 0.3, shares={"waltz": waltzes, "tango": tangos})
    batch = DanceDataset(data, sampling, CONFIG, CPU).batch(3)
    drawn = (batch.style % CONFIG.classes % (len(STYLES) + 1) == STYLES.index("waltz")).float().mean()
    assert abs(float(drawn) - waltzes) < 0.05
    with pytest.raises(InputError, match="polka"):
        DanceDataset(data, WindowSampling(4, 40, 0, 0, shares={"polka": 1.0}), CONFIG, CPU)
    only = DanceDataset(data, WindowSampling(4, 40, 0, 0, shares={"tango": 1.0}), CONFIG, CPU)
    assert {example.style for example in only.data} == {STYLES.index("tango")}


def test_of_the_music_the_phase_alone_may_be_kept(data: list[Example]) -> None:
    batch = DanceDataset(data, WindowSampling(30, 40, 0, 0, phase_only=1.0), CONFIG, CPU).batch(0)
    assert not batch.wave.any()
    assert not batch.features[..., :2].any()
    assert batch.features[..., 2:].any()


def test_a_dance_without_music_that_keeps_a_tempo_has_its_own_beat_phase() -> None:
    period = 0.5
    steady = stepping(np.arange(1.0, 39.0, period), 40.0)
    (example,) = load_examples([styled(steady)], (1.0,), CONFIG, 40)
    assert example.sync
    assert not len(example.audio.samples)
    phase = np.arctan2(example.audio.features[:, 3], example.audio.features[:, 2]) / (2 * np.pi) % 1
    on_beats = phase[np.round(np.arange(5.0, 35.0, period) * 12.5).astype(int)]
    assert np.abs((on_beats + 0.5) % 1 - 0.5).max() < 0.2
    (unsteady,) = load_examples([styled(wandering(40.0, 1))], (1.0,), CONFIG, 40)
    assert not unsteady.sync
    assert not unsteady.audio.features.any()


def test_features_of_a_rhythm_follow_the_playback_rate() -> None:
    frames = 1000
    onset = np.zeros(frames)
    onset[::25] = 1.0
    rhythm = Rhythm(onset, np.full(frames, 0.5), np.arange(0, 40, 1.0))
    (fast,) = load_examples([styled(wandering(40.0, 0), rhythm=rhythm)], (2.0,), CONFIG, 40)
    assert fast.sync
    assert len(fast.nodes) == pytest.approx(500, abs=RATIO)
    np.testing.assert_allclose(np.diff(fast.audio.beats), 0.5)
    np.testing.assert_allclose(fast.audio.features[:, 1], 0.5)


def test_short_takes_without_music_are_joined_without_jumps() -> None:
    takes = [wandering(4.0, seed) for seed in (1, 2, 3)]
    (joined,) = load_examples([styled(take) for take in takes], (1.0,), CONFIG, 384)
    assert len(joined.nodes) == pytest.approx(3 * 100 - 2 * 12, abs=RATIO)
    apart = [encode(take, CONFIG.fps)[:, 1:] for take in takes]
    own = max(np.abs(np.diff(nodes, axis=0)).max() for nodes in apart)
    assert np.abs(np.diff(joined.nodes[:, 1:], axis=0)).max() <= 1.2 * own
    assert not joined.sync


def test_dances_that_mix_styles_are_of_the_null_class() -> None:
    (mixed,) = load_examples([styled(wandering(40.0, 0), None)], (1.0,), CONFIG, 40)
    assert mixed.style == len(STYLES)


def test_the_sound_alone_may_be_dropped_and_mirroring_left_out(data: list[Example]) -> None:
    batch = DanceDataset(data, WindowSampling(16, 40, 0.0, 0.0, sound_dropout=1.0, mirror=0.0), CONFIG, CPU).batch(0)
    assert not batch.wave.any()
    heard = batch.features.flatten(1).any(dim=1)
    assert heard.any()
    assert batch.features[heard][..., 0].any(dim=1).all()  # onset strength stays
    assert (batch.style < len(STYLES)).all()  # no mirrored class


def test_mirrored_nodes_are_those_of_the_mirrored_dance() -> None:
    original = stepping(np.arange(0.6, 3, 0.5), 3.5)
    nodes = torch.from_numpy(encode(original, 25.0))
    np.testing.assert_allclose(mirror(nodes).numpy(), encode(original.mirrored(), 25.0), atol=2e-2)
    assert torch.equal(mirror(mirror(nodes)), nodes)


def test_sound_that_no_window_has_is_not_kept(dances: Path) -> None:
    split = load_split(dances / "small", None, "train")
    sampling = WindowSampling(16, 40, 0.0, 0.0, sound_dropout=1.0)
    whole, short = (DanceDataset(load_examples(split, (1.0,), CONFIG, 40, s), sampling, CONFIG, CPU) for s in (1e9, 1))
    assert max(len(example.audio.samples) for example in short.data) == 22_050
    for name in ("nodes", "wave", "features", "style"):
        assert torch.equal(getattr(whole.batch(3), name), getattr(short.batch(3), name))


def test_windows_of_sound_are_those_of_the_song(data: list[Example]) -> None:
    example = next(each for each in data if each.sync)
    wave = DanceDataset([example], WindowSampling(1, 40, 0.0, 0.0), CONFIG, CPU).batch(0).wave[0].numpy()
    song = np.pad(example.audio.samples, WINDOW)
    # The window of a frame is centred on its first sample.
    begins = np.arange(WINDOW - WINDOW // 2, len(song) - 4 * HOP, HOP)
    alike = [wave[0] @ song[begin : begin + WINDOW] for begin in begins]
    norms = [np.linalg.norm(song[begin : begin + WINDOW]) * np.linalg.norm(wave[0]) for begin in begins]
    found = int(np.argmax(np.array(alike) / np.maximum(norms, 1e-9)))
    gain = np.linalg.norm(wave[0]) / np.linalg.norm(song[begins[found] :][:WINDOW])
    assert 0.5 <= gain <= 1.2
    for frame in (0, 3):
        np.testing.assert_allclose(wave[frame], gain * song[begins[found + frame] :][:WINDOW], atol=1e-5)
