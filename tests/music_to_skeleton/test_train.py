from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file

from stgmamba.errors import InputError
from stgmamba.music_to_skeleton.sampler import load_sampler
from stgmamba.music_to_skeleton.train import read_skeleton_config, train
from stgmamba.skeleton.formats import write_skeleton

from ..support.synthetic_dances import wandering

SMALL = {
    "data": "small",
    "steps": 40,
    "batch": 2,
    "window": 24,
    "rates": [1.0],
    "warmup": 5,
    "learning_rate": 0.01,
    "threads": 1,
    "compile": False,
    "checkpoint_minutes": 0,
    "model": {"channels": 8, "inner": 16, "states": 2, "blocks": 1, "music_channels": 8},
}


def config(folder: Path, name: str = "run", **changes: object) -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(SMALL | {"out": str(folder / name)} | changes))
    return path


@pytest.fixture(autouse=True)
def _data(dances: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STGM_DATA", str(dances))
    monkeypatch.setattr("stgmamba.music_to_skeleton.perceptual.STEPS", 3)


@pytest.mark.parametrize("objective", ["flow", "adversarial"])
def test_training_lowers_the_loss_and_leaves_weights_that_dance(objective: str, tmp_path: Path) -> None:
    lines: list[str] = []
    path = config(tmp_path, objective=objective, steps=60, learning_rate=0.003, checkpoint_minutes=10)
    weights = train(read_skeleton_config(path), log=lines.append)
    steps = [line for line in lines if line.startswith("step")]
    # With discriminators the first loss to fall is theirs, and the generator is drawn away from the mean dance.
    term = "reconstruction" if objective == "flow" else "discriminators"
    first, last = (float(line.split(f"{term} ")[1].split()[0]) for line in (steps[0], steps[-1]))
    assert last < 0.9 * first
    generator = load_sampler(weights)
    assert generator.model.config.channels == 8
    assert list((tmp_path / "run" / "tensorboard").glob("events*"))


def test_dances_without_any_music_can_be_learnt(tmp_path: Path) -> None:
    """Of motions alone, with a picture of samples, which needs a song, in the log."""
    (tmp_path / "motions" / "waltz").mkdir(parents=True)
    write_skeleton(tmp_path / "motions" / "waltz" / "a.npz", wandering(12.0, 0))
    (tmp_path / "motions" / "motions.csv").write_text("file,style\nwaltz/a.npz,waltz\n")
    path = config(tmp_path, data=str(tmp_path / "motions"), steps=2, preview_minutes=0)
    assert load_sampler(train(read_skeleton_config(path), log=lambda _: None)).styles


def test_a_new_style_is_not_danced_to_sound_that_was_never_learnt(tmp_path: Path) -> None:
    styles = {**SMALL["model"], "styles": ["waltz", "of our own"]}  # type: ignore[dict-item]
    for dropout, expected in ((0.0, "sound"), (1.0, "rhythm")):
        path = config(tmp_path, sound_dropout=dropout, model=styles)
        assert read_skeleton_config(path).network.music_inputs == (expected, expected)


def test_a_run_that_was_killed_goes_on_along_the_same_curve(tmp_path: Path) -> None:
    whole = train(read_skeleton_config(config(tmp_path, "whole")), log=lambda _: None)
    command = [sys.executable, "-m", "stgmamba", "train", "skeleton", "--config", str(config(tmp_path, "killed"))]
    running = subprocess.Popen(command, stderr=subprocess.PIPE)
    checkpoint, begun = tmp_path / "killed" / "checkpoint.pt", time.monotonic()
    while not checkpoint.exists() and time.monotonic() - begun < 120:
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    running.wait()
    stopped_at = torch.load(checkpoint, weights_only=True)["step"]
    assert 0 < stopped_at < 40
    resumed = train(read_skeleton_config(tmp_path / "killed.yaml"), log=lambda _: None)
    expected, found = load_file(whole), load_file(resumed)
    for name, value in expected.items():
        assert torch.equal(value, found[name]), name


def test_ablations_leave_their_terms_out(tmp_path: Path) -> None:
    lines: list[str] = []
    weights = {"perceptual": 0.0, "adversarial": 0.0, "matching": 0.0}
    path = config(tmp_path, objective="adversarial", steps=20, loss_weights=weights)
    train(read_skeleton_config(path), log=lines.append)
    assert not any("perceptual" in line or "adversarial" in line or "discriminators" in line for line in lines)
    assert any("reconstruction" in line for line in lines)
    assert not (tmp_path / "run" / "perceptual.safetensors").exists()
    checkpoint = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)
    assert checkpoint["optimizers"].keys() == {"generator"}


def test_a_checkpoint_of_another_configuration_is_not_overwritten(tmp_path: Path) -> None:
    train(read_skeleton_config(config(tmp_path, steps=1)), log=lambda _: None)
    before = (tmp_path / "run" / "checkpoint.pt").read_bytes()
    other = config(tmp_path, model={**SMALL["model"], "channels": 12})  # type: ignore[dict-item]
    with pytest.raises(InputError, match="another `out`"):
        train(read_skeleton_config(other), log=lambda _: None)
    assert (tmp_path / "run" / "checkpoint.pt").read_bytes() == before


@pytest.mark.parametrize(
    "change", [{"accelerator": "abacus"}, {"precision": "half"}, {"accelerator": "cpu", "devices": 0}]
)
def test_devices_that_this_machine_lacks_are_a_sentence(change: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"accelerator: cpu|devices must be"):
        train(read_skeleton_config(config(tmp_path, **change)), log=lambda _: None)


def test_a_teacher_is_distilled_into_fewer_steps(tmp_path: Path) -> None:
    """The paper's objective against a teacher's dances: the student comes nearer to them, and dances in two passes."""
    teacher = train(read_skeleton_config(config(tmp_path, "teacher", steps=60)), log=lambda _: None)
    lines: list[str] = []
    changes = {
        "objective": "adversarial", "teacher": str(teacher), "init": str(teacher), "style_dropout": 0.0, "steps": 60,
        "learning_rate": 0.003, "model": {**SMALL["model"], "sampling_steps": 2},  # type: ignore[dict-item]
    }  # fmt: skip
    weights = train(read_skeleton_config(config(tmp_path, "student", **changes)), log=lines.append)
    steps = [float(line.split("reconstruction ")[1].split()[0]) for line in lines if line.startswith("step")]
    assert steps[-1] < steps[0]
    assert load_sampler(weights).model.config.sampling_steps == 2
    other = {**changes, "model": {**SMALL["model"], "noise_order": 0.1}}  # type: ignore[dict-item]
    with pytest.raises(InputError, match="has noise_order"):
        train(read_skeleton_config(config(tmp_path, "other", **other)), log=lambda _: None)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"objective": "magic"}, "magic"),
        ({"steps": "many"}, "steps"),
        ({"batch": -1}, "batch"),
        ({"steps": 0}, "steps must be a whole number of 1 or more"),
        ({"warmup": 0}, "warmup must be a whole number of 1 or more"),
        ({"threads": 0}, "threads must be a whole number of 1 or more"),
        ({"learning_rate": float("inf")}, "learning_rate"),
        ({"batch": 1.5}, "batch must be a whole number of 1 or more"),
        ({"compile": "yes please"}, "compile"),
        ({"loss_weights": {"beauty": 1.0}}, "beauty"),
        ({"speed": 9000}, "speed"),
        ({"teacher": "weights.safetensors", "style_dropout": 0.0}, "objective adversarial"),
        ({"teacher": "weights.safetensors", "objective": "adversarial"}, "style_dropout of 0"),
        ({"mirror": -0.1}, "mirror"),
        ({"model": {"window_samples": 4410}}, "window_samples"),
        ({"model": {"spatial": False, "temporal_forward": False, "temporal_backward": False}}, "branches"),
    ],
)
def test_invalid_configurations_are_refused(change: dict[str, object], complaint: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=complaint):
        read_skeleton_config(config(tmp_path, **change))


def test_missing_and_broken_configurations_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nosuch\.yaml"):
        read_skeleton_config(tmp_path / "nosuch.yaml")
    (tmp_path / "broken.yaml").write_text("just a sentence")
    with pytest.raises(InputError, match=r"broken\.yaml"):
        read_skeleton_config(tmp_path / "broken.yaml")


def test_a_configuration_says_only_what_differs_from_its_base(tmp_path: Path) -> None:
    config(tmp_path, "base", loss_weights={"velocity": 2.0})
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "own.yaml").write_text("base: ../base.yaml\nsteps: 7\nmodel: {blocks: 2}\n")
    base, own = read_skeleton_config(tmp_path / "base.yaml"), read_skeleton_config(tmp_path / "more" / "own.yaml")
    assert (own.steps, own.model) == (7, base.model | {"blocks": 2})
    assert own.loss_weights == {"velocity": 2.0}
    (tmp_path / "orphan.yaml").write_text("base: gone.yaml\n")
    with pytest.raises(InputError, match=r"gone\.yaml"):
        read_skeleton_config(tmp_path / "orphan.yaml")


CONFIGS = Path(__file__).parents[2] / "configs"
SHIPPED = sorted([*CONFIGS.glob("music_to_skeleton*.yaml"), *CONFIGS.glob("compared_skeleton/*.yaml")])


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.stem)
def test_shipped_configurations_can_be_read(path: Path) -> None:
    assert read_skeleton_config(path).out.startswith("runs/")


def test_there_are_shipped_configurations() -> None:
    assert {"music_to_skeleton", "music_to_skeleton_gpu", "full", "no_spatial"} <= {path.stem for path in SHIPPED}
