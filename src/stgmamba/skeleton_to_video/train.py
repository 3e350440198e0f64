"""Training of stage 2: ``stgmamba train video --config configs/skeleton_to_video.yaml``.

Examples are computed first (training_pairs.py, dataset.py) and reused by later runs.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.fabric import Fabric
from torch import nn

from stgmamba.arrays import Frame
from stgmamba.datasets import data_folder
from stgmamba.datasets.clips import is_clip_dataset
from stgmamba.datasets.held_out import load_held_out
from stgmamba.datasets.scores import load_profile
from stgmamba.datasets.styled import load_split
from stgmamba.errors import InputError
from stgmamba.progress import Progress
from stgmamba.skeleton_to_video.dataset import PairDataset, Sources, clip_names, make_examples
from stgmamba.skeleton_to_video.model import MULTIPLE, Config, FrameGenerator
from stgmamba.skeleton_to_video.objective import LOSS_WEIGHTS, Batch, SelfSupervisedObjective
from stgmamba.skeleton_to_video.training_pairs import SIZE
from stgmamba.training.checkpoint import TrainingState
from stgmamba.training.config import TrainConfig, read_config
from stgmamba.training.loop import fit, launch, seconds_per_step
from stgmamba.training.weights import read_network

_PREVIEWS = 6  # examples in a preview


@dataclass(frozen=True)
class VideoTrainConfig(TrainConfig):
    """Configuration of a training run of stage 2.

    ``data`` are the dances of drawn characters and photos (split ``train``), "" where there are neither;
    ``precision`` is always 32-true, since Fabric's mixed precision would round images too.

    Attributes:
        clips: folder of real videos of one person each, or a data set of clips, relative to the data folder; "" for
            none.
        people: folder of pictures of one person each, relative to the data folder; "" for none.
        held_out: file that lists what is held out from training.
        examples: folder of the examples.
        drawn: number of scenes of procedural characters.
        scenes: number of conditions per clip.
        poses: number of poses per picture.
        examples_seed: of the examples.
        crop: width and height of a training crop, pixels.
        clip_fraction, people_fraction: of the examples of a batch, from clips and from pictures.
        face_weight: additional weight of the head's pixels in L1.
        regularise_from: step from which L_fsr and L_bsr are used; with them a step takes twice as long.
        half: whether the network's convolutions run in bfloat16.
    """

    clips: str = "clips"
    people: str = "people"
    held_out: str = "configs/video_held_out.yaml"
    examples: str = "runs/video_examples"
    drawn: int = 600
    scenes: int = 14
    poses: int = 8
    examples_seed: int = 0
    crop: tuple[int, ...] = (144, 192)
    clip_fraction: float = 0.35
    people_fraction: float = 0.2
    face_weight: float = 2.0
    regularise_from: int = 0
    half: bool = False

    def check(self) -> None:
        """Raise ValueError or TypeError for invalid settings."""
        super().check()
        self.check_loss_weights(LOSS_WEIGHTS)
        if len(self.crop) != 2 or any(
            side % MULTIPLE or not 0 < side <= largest for side, largest in zip(self.crop, SIZE, strict=False)
        ):
            raise ValueError(f"crop must be two multiples of {MULTIPLE} up to {SIZE[0]} x {SIZE[1]}")
        if self.precision != "32-true":
            raise ValueError("precision must be 32-true: mixed precision would round the images too; use half: true")
        if min(self.clip_fraction, self.people_fraction) < 0 or self.clip_fraction + self.people_fraction > 1:
            raise ValueError("clip_fraction and people_fraction must be 0 or more, and 1 or less together")
        self.check_model(Config, self.model)
        if Config(**self.model).previous > 1:
            raise ValueError("examples hold one previous frame: previous must be 0 or 1")


def read_video_config(path: str | Path) -> VideoTrainConfig:
    """Read a training configuration, see `stgmamba.training.config.read_config`."""
    return read_config(path, VideoTrainConfig)


def prepare(config: VideoTrainConfig, progress: Progress | None = None) -> None:
    """Compute the examples that do not exist yet.

    Raises:
        InputError: the data cannot be used, or the folder holds examples of other settings.
    """
    make_examples(Path(config.examples), sources_of(config), progress)


def sources_of(config: VideoTrainConfig) -> Sources:
    """The sources of a run's examples. Raises InputError where they cannot be used."""
    clips, people = (data_folder() / name if name else None for name in (config.clips, config.people))
    # Only drawn characters and photos need dances.
    dances = [each.skeleton for each in load_split(data_folder() / config.data, None, "train")] if config.data else []
    if not dances and (people or config.drawn):
        raise InputError("drawn characters and photos need dances: set `data`, or drawn to 0 and people to ''.")
    profile = load_profile(config.profile) if clips is not None and is_clip_dataset(clips) else None
    held_out = load_held_out(config.held_out)
    return Sources(
        dances, config.drawn, clips, config.scenes, people, config.poses, held_out, config.examples_seed, profile
    )


def train(config: VideoTrainConfig, minutes: float | None = None, log: Callable[[str], object] = print) -> Path:
    """Train, or continue from the checkpoint, on existing examples, and write the averaged weights.

    Args:
        config: of the run.
        minutes: maximum duration; None for all steps.
        log: called with one line at regular intervals.

    Returns:
        Path of the safetensors file.

    Raises:
        InputError: there are no examples, or the output folder has a checkpoint of another configuration.
    """
    fabric, out = launch(config)
    dataset = _load_data(config, fabric)
    log(f"{len(dataset)} examples")
    state = _build_state(config, fabric, out)

    def preview(network: nn.Module) -> Frame:
        return draw_preview(network, dataset)

    return fit(fabric, state, _batches(config, dataset, fabric), preview, minutes, log)


def dry_run(config: VideoTrainConfig) -> dict[str, Any]:
    """What a run would train on and how long it would take, from a few steps on the examples that there are.

    Returns:
        ``clips`` and ``drawn`` scenes, ``examples`` that exist already (0: they are made first), ``parameters``,
        ``steps``, and where there are examples ``seconds_per_step`` (of the last, regularised steps) and ``hours``.

    Raises:
        InputError: as `train`; but examples may be missing.
    """
    sources = sources_of(config)
    facts: dict[str, Any] = {"clips": len(clip_names(sources)), "drawn": config.drawn, "steps": config.steps}
    with tempfile.TemporaryDirectory(prefix="stgmamba-") as folder:
        fabric, out = launch(dataclasses.replace(config, out=folder, compile=False))
        state = _build_state(config, fabric, out)
        facts["parameters"] = sum(each.numel() for each in state.model.parameters())
        try:
            dataset = _load_data(config, fabric)
        except InputError:
            return {**facts, "examples": 0}
        seconds = seconds_per_step(fabric, state, _batches(config, dataset, fabric))
    facts |= {"examples": len(dataset), "seconds_per_step": round(seconds, 4)}
    return {**facts, "hours": round(seconds * config.steps / 3600, 3)}


def _load_data(config: VideoTrainConfig, fabric: Fabric) -> PairDataset:
    width, height = config.crop
    fractions = (config.clip_fraction, config.people_fraction)
    folder = Path(config.examples)
    return PairDataset(folder, config.batch, (width, height), fractions, config.face_weight, fabric.device)


def _build_state(config: VideoTrainConfig, fabric: Fabric, out: Path) -> TrainingState:
    """The state of a run at step 0."""
    model_config = Config(**config.model)
    torch.manual_seed(config.seed)
    model = FrameGenerator(model_config)
    if config.init:
        start = read_network(Path(config.init), lambda _: FrameGenerator(model_config))
        model.load_state_dict(start.state_dict())
    objective = SelfSupervisedObjective(model, LOSS_WEIGHTS | config.loss_weights, config.half).to(fabric.device)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # the faster order on CPUs
    return TrainingState(config, objective, lambda: FrameGenerator(model_config), out)


def _batches(config: VideoTrainConfig, dataset: PairDataset, fabric: Fabric) -> Callable[[int], Batch]:
    """The batch of each step."""

    def batch(step: int) -> Batch:
        examples = dataset.batch(config.seed, fabric.global_rank, step)
        return examples._replace(regularised=step >= config.regularise_from)

    return batch


def draw_preview(network: nn.Module, dataset: PairDataset) -> Frame:
    """Some examples, a row each: condition, limb warp, output of the network, target; uint8 [H, W, 3]."""
    batch = dataset.first(_PREVIEWS)
    inputs = batch.baseline
    with torch.inference_mode():
        generated = network(inputs)
    composite = inputs.warped[:, :3] + (1 - inputs.warped[:, 3:]) * inputs.background
    assert inputs.condition is not None, "examples contain the condition"
    rows = torch.cat([inputs.condition, composite, generated, batch.target], dim=3).clamp(0, 1)
    preview = rows.permute(0, 2, 3, 1).flatten(0, 1).mul(255).round()
    return np.asarray(preview.to(torch.uint8).numpy())
