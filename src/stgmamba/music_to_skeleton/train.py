"""Training of stage 1: ``stgmamba train skeleton --config configs/music_to_skeleton.yaml``."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.fabric import Fabric
from torch import nn

from stgmamba.arrays import Frame
from stgmamba.datasets import data_folder
from stgmamba.datasets.scores import load_profile
from stgmamba.datasets.styled import load_split
from stgmamba.music_to_skeleton import adversarial, flow_matching
from stgmamba.music_to_skeleton.adversarial import AdversarialObjective
from stgmamba.music_to_skeleton.dataset import DanceDataset, Example, WindowSampling, load_examples
from stgmamba.music_to_skeleton.flow_matching import FlowMatchingObjective
from stgmamba.music_to_skeleton.initialisation import read_teacher, start_from
from stgmamba.music_to_skeleton.model import RHYTHM, SOUND, Config
from stgmamba.music_to_skeleton.perceptual import PerceptualLoss, load_or_pretrain
from stgmamba.music_to_skeleton.previews import PREVIEW_SECONDS, draw_samples
from stgmamba.music_to_skeleton.registry import Network, build_network
from stgmamba.music_to_skeleton.teacher import Teacher
from stgmamba.training.checkpoint import TrainingState
from stgmamba.training.config import TrainConfig, read_config
from stgmamba.training.loop import fit, launch, seconds_per_step

LOSS_WEIGHTS = {"flow": flow_matching.LOSS_WEIGHTS, "adversarial": adversarial.LOSS_WEIGHTS}
"""Objective -> default weights of its terms."""


@dataclass(frozen=True)
class SkeletonTrainConfig(TrainConfig):
    """Configuration of a training run of stage 1.

    Attributes:
        objective: ``flow`` (flow_matching.py) or ``adversarial`` (adversarial.py, the paper's).
        teacher: weights that the adversarial objective distils; without them it learns from the real dances alone.
        align_teacher: whether the teacher's dances are brought onto the beats of the music (beat_alignment.py).
        window: frames of a training window at MODEL_FPS.
        styles_data: second folder of dances to learn from (datasets/styled.py), in the data folder.
        style_dropout, music_dropout: probabilities that style or music of a window are dropped.
        phase_only: probability that of the music of a window only the phases of beat and bar are kept.
        sound_dropout: probability that of the music of a window the sound is dropped, but not the rhythm features.
        mirror: probability that a window is mirrored.
        shares: style -> share of the windows; ``mixed`` for dances of several styles. Empty: by the square root of the
            styles' lengths.
        rates: playback rates, of song and dance together, at which each dance is in the training data.
    """

    objective: str = "flow"
    teacher: str = ""
    align_teacher: bool = False
    window: int = 96
    styles_data: str = ""
    style_dropout: float = 0.15
    music_dropout: float = 0.1
    phase_only: float = 0.0
    sound_dropout: float = 0.0
    mirror: float = 0.5
    shares: dict[str, float] = field(default_factory=dict)
    rates: tuple[float, ...] = (0.92, 1.0, 1.08)

    @property
    def network(self) -> Config:
        """The network's configuration; where the sound is never learnt, styles do not get it when they are danced."""
        network = Config(**self.model)
        if self.sound_dropout < 1 or "music_inputs" in self.model:
            return network
        inputs = tuple(RHYTHM if each == SOUND else each for each in network.music_inputs)
        return dataclasses.replace(network, music_inputs=inputs)

    def check(self) -> None:
        """Raise ValueError or TypeError for invalid settings."""
        super().check()
        if self.objective not in LOSS_WEIGHTS:
            raise ValueError(f"objective is {self.objective!r}; choose one of {', '.join(LOSS_WEIGHTS)}")
        self.check_loss_weights(LOSS_WEIGHTS[self.objective])
        if self.teacher and (self.objective != "adversarial" or self.style_dropout):
            raise ValueError("a teacher needs the objective adversarial and a style_dropout of 0")
        if self.align_teacher and not self.teacher:
            raise ValueError("align_teacher needs a teacher")
        if not all(0.1 <= rate <= 10 for rate in self.rates):
            raise ValueError(f"rates are {self.rates}; use 0.1 to 10")
        self.check_model(Config, self.model)
        if self.window % self.network.frames_per_music_frame:
            raise ValueError(f"window is {self.window}; give a multiple of the frames per frame of the music")


def read_skeleton_config(path: str | Path) -> SkeletonTrainConfig:
    """Read a training configuration, see `stgmamba.training.config.read_config`."""
    return read_config(path, SkeletonTrainConfig)


def train(config: SkeletonTrainConfig, minutes: float | None = None, log: Callable[[str], object] = print) -> Path:
    """Train, or continue from the checkpoint, and write the averaged weights.

    Args:
        config: of the run.
        minutes: maximum duration; None for all steps.
        log: called with one line at regular intervals.

    Returns:
        Path of the safetensors file.

    Raises:
        InputError: the data cannot be used, or the output folder has a checkpoint of another configuration.
    """
    fabric, out = launch(config)
    dataset, data = _load_data(config, fabric, out)
    log(f"{len(dataset.data)} dances, {dataset.minutes:.0f} minutes with tempo changes")
    state = _build_state(config, dataset, fabric, out, log)

    def preview(network: nn.Module) -> Frame:
        assert isinstance(network, Network)
        return draw_samples(network, data)

    return fit(fabric, state, lambda step: dataset.batch(config.seed, fabric.global_rank, step), preview, minutes, log)


def dry_run(config: SkeletonTrainConfig) -> dict[str, Any]:
    """What a run would train on and how long it would take, from a few steps that leave nothing behind.

    Returns:
        ``dances``, ``minutes`` (with tempo changes) and ``styles`` (minutes of each), ``parameters``, ``steps``,
        ``seconds_per_step`` and ``hours``.

    Raises:
        InputError: as `train`.
    """
    with tempfile.TemporaryDirectory(prefix="stgmamba-") as folder:
        fabric, out = launch(dataclasses.replace(config, out=folder, compile=False))
        dataset, _ = _load_data(config, fabric, out)
        state = _build_state(config, dataset, fabric, out, lambda _: None)
        seconds = seconds_per_step(fabric, state, lambda step: dataset.batch(config.seed, fabric.global_rank, step))
    names = (*config.network.styles, "mixed")
    styles: dict[str, float] = {}
    for example in dataset.data:
        name = names[example.style]
        styles[name] = styles.get(name, 0.0) + len(example.nodes) / dataset.fps / 60
    return {
        "dances": len(dataset.data),
        "minutes": round(dataset.minutes, 1),
        "styles": {name: round(minutes, 1) for name, minutes in styles.items()},
        "parameters": sum(each.numel() for each in state.model.parameters()),
        "steps": config.steps,
        "seconds_per_step": round(seconds, 4),
        "hours": round(seconds * config.steps / 3600, 3),
    }


def _load_data(config: SkeletonTrainConfig, fabric: Fabric, out: Path) -> tuple[DanceDataset, list[Example]]:
    """The data set of a run, and all its examples, whose arrays lie on the disk of ``out``."""
    model_config = config.network
    styles_data = data_folder() / config.styles_data if config.styles_data else None
    dances = load_split(data_folder() / config.data, styles_data, "train", load_profile(config.profile))
    sound = np.inf if config.sound_dropout < 1 else PREVIEW_SECONDS
    data = load_examples(dances, config.rates, model_config, config.window, sound, out)
    sampling = WindowSampling(
        config.batch,
        config.window,
        config.style_dropout,
        config.music_dropout,
        config.phase_only,
        config.sound_dropout,
        {None if name == "mixed" else name: share for name, share in config.shares.items()},
        config.mirror,
    )
    return DanceDataset(data, sampling, model_config, fabric.device), data


def _build_state(
    config: SkeletonTrainConfig, dataset: DanceDataset, fabric: Fabric, out: Path, log: Callable[[str], object]
) -> TrainingState:
    """The state of a run at step 0."""
    model_config = config.network
    torch.manual_seed(config.seed)  # reading the data may have drawn numbers, or not, where a network was loaded before
    model = build_network(model_config).to(fabric.device)
    if config.init:
        # The statistics of the nodes are kept, so that the network means the same movement by the same numbers.
        start_from(model, Path(config.init))
    else:
        model.mean, model.scale = dataset.statistics()
    objective = _build_objective(config, model, dataset, out, log)
    return TrainingState(config, objective, lambda: build_network(model_config), out)


def _build_objective(
    config: SkeletonTrainConfig, model: Network, dataset: DanceDataset, out: Path, log: Callable[[str], object]
) -> FlowMatchingObjective | AdversarialObjective:
    loss_weights = LOSS_WEIGHTS[config.objective] | config.loss_weights
    if config.objective == "flow":
        return FlowMatchingObjective(model, loss_weights)
    perceptual = None
    if loss_weights["perceptual"]:
        perceptual = PerceptualLoss(load_or_pretrain(out / "perceptual.safetensors", dataset, config.seed, log))
    teacher = Teacher(read_teacher(config.teacher, model), config.align_teacher) if config.teacher else None
    return AdversarialObjective(model, loss_weights, perceptual, teacher).to(dataset.device)
