import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from stgmamba.errors import InputError
from stgmamba.music.decode import SAMPLE_RATE, Song
from stgmamba.music.rhythm import Section
from stgmamba.music_to_skeleton.audio_features import extract_audio_features, music_energy
from stgmamba.music_to_skeleton.model import Config, MusicToSkeleton
from stgmamba.music_to_skeleton.registry import build_network
from stgmamba.music_to_skeleton.sampler import DanceSampler, load_sampler
from stgmamba.music_to_skeleton.styles import plan_of, style_weights
from stgmamba.skeleton import OPENPOSE_18_FEET
from stgmamba.skeleton.motion_events import foot_strikes
from stgmamba.skeleton.root_trajectory import body_heading, to_local


def clicks(seconds: float, bpm: float = 120.0) -> Song:
    """A click on every beat over quiet noise."""
    rng = np.random.default_rng(0)
    samples = rng.normal(0, 0.01, round(seconds * SAMPLE_RATE)).astype(np.float32)
    for beat in np.arange(0, seconds - 0.05, 60 / bpm):
        at = round(beat * SAMPLE_RATE)
        samples[at : at + 400] += np.exp(-np.arange(400) / 80).astype(np.float32) * 0.8
    return Song(samples, SAMPLE_RATE, None)


@pytest.fixture(scope="module")
def generator() -> DanceSampler:
    return load_sampler()


@pytest.mark.parametrize("seconds", [1.0, 9.3, 21.0])
def test_a_dance_lasts_as_long_as_asked_and_is_a_body(generator: DanceSampler, seconds: float) -> None:
    dance = generator.generate(clicks(seconds), seed=3)
    assert dance.layout == OPENPOSE_18_FEET
    assert dance.fps == 25.0
    assert abs(dance.seconds - seconds) <= 1 / 25
    assert np.isfinite(dance.positions).all()
    for a, b in OPENPOSE_18_FEET.tree:
        lengths = np.linalg.norm(dance.positions[:, a] - dance.positions[:, b], axis=-1)
        assert np.ptp(lengths) < 0.01 * lengths.mean(), (a, b)


def test_the_package_weights_dance(generator: DanceSampler) -> None:
    dance = generator.generate(clicks(20.0), seed=0, travel=1.0)
    p = dance.positions
    speed = np.linalg.norm(np.diff(p, axis=0), axis=-1) * dance.fps
    assert 0.15 < speed.mean() < 2.0  # neither frozen nor frantic (m/s)
    assert speed.max() < 12.0
    wrist = OPENPOSE_18_FEET.index("left_wrist")
    assert np.ptp(p[:, wrist], axis=0).max() > 0.3
    # Upright: the head over the feet; on the floor: no foot below it or floating for long.
    assert np.median(p[:, OPENPOSE_18_FEET.index("nose"), 1]) > 1.2
    low = p[:, [18, 19, 20, 21], 1].min(axis=1)
    assert low.min() > -0.05
    assert np.median(low) < 0.08
    # On the stage.
    assert np.abs(p[:, :, [0, 2]]).max() < 3.0


def test_same_seed_same_dance_other_seed_other_dance(generator: DanceSampler) -> None:
    song = clicks(6.0)
    a, b, c = (generator.generate(song, seed=seed).positions for seed in (1, 1, 2))
    np.testing.assert_array_equal(a, b)
    assert np.abs(a - c).mean() > 0.02


def test_the_same_seed_on_another_song_is_another_dance_and_a_preview_begins_alike(generator: DanceSampler) -> None:
    long, other = clicks(20.0), clicks(20.0, bpm=90.0)
    whole, elsewhere = (generator.generate(song, seed=1, align_beats=False).positions for song in (long, other))
    assert np.abs(whole - elsewhere).mean() > 0.02
    preview = generator.generate(long, seconds=18.0, seed=1, align_beats=False).positions
    still = whole[:250, :, 1] - preview[:250, :, 1]  # heights; where on the stage depends on the whole path
    assert np.abs(still).mean() < 0.02


def test_timing_fitted_to_the_beats_or_free(generator: DanceSampler) -> None:
    song = clicks(20.0)
    beats = np.arange(0, 20, 0.5)
    fitted, free = (generator.generate(song, seed=2, style="waltz", align_beats=on) for on in (True, False))
    off = [np.abs(foot_strikes(dance)[:, None] - beats).min(axis=1).mean() for dance in (fitted, free)]
    assert off[0] < 0.8 * off[1]


def test_chunks_leave_no_seam(generator: DanceSampler) -> None:
    song = clicks(30.0)
    p = generator.generate(song, seed=0).positions
    jump = np.linalg.norm(np.diff(p, n=2, axis=0), axis=-1).max(axis=1)
    # A seam would stand out from the accelerations elsewhere.
    assert jump.max() < 12 * np.median(jump) + 0.05


def test_facing_the_camera(generator: DanceSampler) -> None:
    dance = generator.generate(clicks(20.0), seed=0, facing="camera")
    heading = np.degrees(body_heading(dance.positions, 25.0))
    assert np.percentile(np.abs(heading), 95) < 50


def test_styles_are_checked(generator: DanceSampler) -> None:
    with pytest.raises(InputError, match="waltz"):
        generator.generate(clicks(2.0), style="polka")
    assert len(generator.generate(clicks(2.0), style="waltz")) == 50


def test_auto_tells_what_it_chose_and_dances_it(generator: DanceSampler) -> None:
    song, choices = clicks(8.0), []
    dance = generator.generate(song, seed=1, chosen=choices.append)
    (choice,) = choices
    assert "beats a minute" in choice.reason
    np.testing.assert_array_equal(dance.positions, generator.generate(song, seed=1, style=choice.style).positions)


def test_sections_are_danced_in_their_styles(generator: DanceSampler) -> None:
    song = clicks(12.0)
    waltz, tango, both = (
        generator.generate(song, seed=1, style=style, align_beats=False).positions[..., 1]
        for style in ("waltz", "tango", "0:00=waltz,0:10=tango")
    )
    begin = slice(0, 100)
    assert np.abs(both - waltz)[begin].mean() < 0.5 * np.abs(both - tango)[begin].mean()


def test_guidance_goes_beyond_the_style_away_from_the_null_class() -> None:
    torch.manual_seed(0)
    sizes: dict[str, Any] = {"channels": 8, "inner": 16, "states": 1, "blocks": 1, "music_channels": 8}
    plain = MusicToSkeleton(Config(**sizes, styles=("waltz",)))
    guided = MusicToSkeleton(Config(**sizes, styles=("waltz",), guidance=(3.0,)))
    for parameter in plain.parameters():
        parameter.data.add_(0.1 * torch.randn_like(parameter))
    guided.load_state_dict(plain.state_dict())
    song = clicks(2.0)
    a, b = (DanceSampler(model).generate(song, align_beats=False).positions for model in (plain, guided))
    assert np.abs(a - b).max() > 1e-4
    # Where style and null class are alike there is nothing to go away from.
    for model in (plain, guided):
        model.style.weight.data[:] = model.style.weight.data[0]
    a, b = (DanceSampler(model).generate(song, align_beats=False).positions for model in (plain, guided))
    np.testing.assert_allclose(a, b, atol=1e-4)


def test_the_dancer_stays_within_the_travel_asked_for(generator: DanceSampler) -> None:
    song = clicks(20.0)
    near, free = (generator.generate(song, seed=0, style="waltz", travel=travel).positions for travel in (0.5, None))
    hips = [OPENPOSE_18_FEET.index("left_hip"), OPENPOSE_18_FEET.index("right_hip")]
    extents = [np.abs(p[:, hips].mean(axis=1)[:, [0, 2]]).max() for p in (near, free)]
    assert extents[0] <= 0.5
    assert extents[1] > extents[0]


def test_movements_are_larger_where_the_music_is_louder(generator: DanceSampler) -> None:
    quiet, loud = clicks(20.0).samples * 0.1, clicks(20.0).samples
    audio = extract_audio_features(np.concatenate([quiet, loud]))
    energy = music_energy(audio)
    assert energy[:200].mean() < -0.3
    assert energy[-200:].mean() > 0.3
    weights = style_weights(plan_of("waltz"), generator.styles, len(audio), 12.5)
    calm, lively = (generator.sample_nodes(audio, 0, weights, energy=energy)[:, 1:] for energy in (0.0, 2.0))
    half = len(calm) // 2

    def ratio(nodes: np.ndarray) -> float:
        return float(nodes[half:].std(axis=0).mean() / nodes[:half].std(axis=0).mean())

    assert ratio(lively) > 1.1 * ratio(calm)


def test_weights_files_that_are_none_are_input_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such weights"):
        load_sampler(tmp_path / "none.safetensors")
    garbage = tmp_path / "garbage.safetensors"
    garbage.write_bytes(b"pickle me not")
    with pytest.raises(InputError, match="garbage"):
        load_sampler(garbage)
    other = tmp_path / "other.safetensors"
    save_file({"x": torch.zeros(1)}, other, metadata={"config": json.dumps({"channels": 8})})
    with pytest.raises(InputError, match="other"):
        load_sampler(other)


@pytest.mark.parametrize(
    "choice", [{}, {"mixer": "attention"}, {"network": "ren2020", "sampling_steps": 1, "fps": 12.5}]
)
def test_weights_survive_the_file(tmp_path: Path, choice: dict[str, Any]) -> None:
    torch.manual_seed(0)
    model = build_network(Config(channels=16, inner=32, states=2, blocks=1, music_channels=16, **choice))
    path = tmp_path / "small.safetensors"
    save_file(model.state_dict(), path, metadata={"config": json.dumps(vars(model.config))})
    again = load_sampler(path)
    assert again.model.config == model.config
    song = clicks(2.0)
    np.testing.assert_array_equal(
        again.generate(song, seed=1).positions, DanceSampler(model).generate(song, seed=1).positions
    )


def test_weights_from_before_there_was_a_choice_of_networks_are_ours(tmp_path: Path) -> None:
    model = MusicToSkeleton(Config(channels=8, inner=16, states=1, blocks=1, music_channels=8))
    values = {name: value for name, value in vars(model.config).items() if name not in ("mixer", "network")}
    path = tmp_path / "old.safetensors"
    save_file(model.state_dict(), path, metadata={"config": json.dumps(values)})
    assert load_sampler(path).model.config == model.config
    save_file(model.state_dict(), path, metadata={"config": json.dumps(values | {"network": "gan"})})
    with pytest.raises(InputError, match="network is 'gan'"):
        load_sampler(path)


@pytest.mark.slow
def test_an_hour_of_song_gives_an_hour_of_dance() -> None:
    torch.manual_seed(0)
    small = DanceSampler(MusicToSkeleton(Config(channels=8, inner=16, states=1, blocks=1, music_channels=8)))
    dance = small.generate(clicks(3600.0), seed=0, travel=0.8)
    assert len(dance) == 90_000
    assert np.isfinite(dance.positions).all()
    assert np.abs(dance.positions[..., [0, 2]]).max() < 4.0


def test_what_returns_in_the_song_returns_in_the_dance(
    generator: DanceSampler, monkeypatch: pytest.MonkeyPatch
) -> None:
    song = clicks(30.0)
    sections = [Section(0, 12, "A"), Section(12, 18, "B"), Section(18, 30, "A")]
    monkeypatch.setattr("stgmamba.music_to_skeleton.sampler.find_sections", lambda *_: sections)
    likeness = {}
    for kind in ("off", "varied", "exact"):
        dance = generator.generate(song, seed=0, style="pop", align_beats=False, repeats=kind)
        poses = to_local(dance.positions, 25.0)[0]
        speed = np.diff(poses, axis=0)
        likeness[kind] = np.corrcoef(speed[50:250].ravel(), speed[500:700].ravel())[0, 1]
    assert likeness["off"] < 0.3
    assert likeness["off"] + 0.1 < likeness["varied"] < likeness["exact"]
    assert likeness["exact"] > 0.6
