"""Training of stage 2 on synthetic examples."""

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
from stgmamba.skeleton_to_video.rendering import load_network
from stgmamba.skeleton_to_video.train import read_video_config, train

from ..support.training_pairs import write_example_folder

CONFIGS = Path(__file__).parents[2] / "configs"
SHIPPED = sorted([*CONFIGS.glob("skeleton_to_video*.yaml"), *CONFIGS.glob("compared_video/*.yaml")])
SMALL = {
    "data": "nothing",
    "drawn": 2,
    "steps": 60,
    "batch": 2,
    "crop": [64, 64],
    "regularise_from": 20,
    "warmup": 5,
    "learning_rate": 0.005,
    "threads": 1,
    "compile": False,
    "checkpoint_minutes": 0,
    "model": {"widths": [8, 8, 8, 8], "blocks": [0, 0, 0, 0]},
}


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("train") / "examples"
    write_example_folder(folder)
    return folder


def config(folder: Path, examples: Path, name: str = "run", **changes: object) -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(SMALL | {"out": str(folder / name), "examples": str(examples)} | changes))
    return path


def test_training_lowers_the_loss_and_writes_weights(tmp_path: Path, examples: Path) -> None:
    lines: list[str] = []
    weights = train(read_video_config(config(tmp_path, examples, checkpoint_minutes=10)), log=lines.append)
    steps = [line for line in lines if line.startswith("step")]
    first, last = (float(line.split("reconstruction ")[1].split()[0]) for line in (steps[0], steps[-1]))
    assert last < 0.97 * first  # only outlines and gaps can be learnt: covered pixels are fixed
    assert "fsr" not in steps[0]
    assert "fsr" in steps[1]
    assert load_network(weights).config.widths == (8, 8, 8, 8)
    assert list((tmp_path / "run" / "tensorboard").glob("events*"))


def test_a_killed_run_resumes_with_the_same_results(tmp_path: Path, examples: Path) -> None:
    adversarial = {"loss_weights": {"adversarial": 0.1, "matching": 0.1}, "steps": 15, "batch": 1, "regularise_from": 8}
    whole = train(read_video_config(config(tmp_path, examples, "whole", **adversarial)), log=lambda _: None)
    path = config(tmp_path, examples, "killed", **adversarial)
    program = f"from stgmamba.skeleton_to_video.train import *; train(read_video_config({str(path)!r}))"
    running = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.DEVNULL)
    checkpoint, begun = tmp_path / "killed" / "checkpoint.pt", time.monotonic()
    while not checkpoint.exists() and time.monotonic() - begun < 120:
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    running.wait()
    stopped_at = torch.load(checkpoint, weights_only=True)["step"]
    assert 0 < stopped_at < 15
    resumed = train(read_video_config(path), log=lambda _: None)
    expected, actual = load_file(whole), load_file(resumed)
    assert expected.keys() == actual.keys()
    for name, value in expected.items():
        assert torch.equal(value, actual[name]), name


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.stem)
def test_shipped_configurations_can_be_read(path: Path) -> None:
    assert read_video_config(path).out.startswith("runs/")


def test_there_are_shipped_configurations() -> None:
    assert {"skeleton_to_video", "skeleton_to_video_gpu", "full", "no_bsr"} <= {path.stem for path in SHIPPED}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"crop": [60, 64]}, "multiples of 16"),
        ({"crop": 64}, "not a training configuration"),
        ({"loss_weights": {"beauty": 1.0}}, "beauty"),
        ({"model": {"widths": [8]}}, "four resolutions"),
        ({"model": {"previous": 2}}, "previous"),
        ({"clip_fraction": 2}, "clip_fraction"),
        ({"clip_fraction": 0.7, "people_fraction": 0.5}, "people_fraction"),
        ({"batch": "many"}, "batch"),
    ],
)
def test_invalid_configurations_are_refused(
    change: dict[str, object], message: str, tmp_path: Path, examples: Path
) -> None:
    with pytest.raises(InputError, match=message):
        read_video_config(config(tmp_path, examples, **change))


def test_other_weights_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    with pytest.raises(InputError, match="no such weights"):
        load_network(path)
    path.write_bytes(b"not weights")
    with pytest.raises(InputError, match="not weights of this network"):
        load_network(path)


def test_an_empty_folder_of_examples_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no examples"):
        train(read_video_config(config(tmp_path, tmp_path / "empty")), log=lambda _: None)
