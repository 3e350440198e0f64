"""Training of stage 2.

    stgmamba train video --config configs/skeleton_to_video.yaml

Training pairs are made first (training_pairs.py, dataset.py) and found again by a later run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from stgmamba.arrays import Frame
from stgmamba.datasets import data_folder
from stgmamba.datasets.held_out import load_held_out
from stgmamba.datasets.tang2018 import load_dances
from stgmamba.progress import Progress
from stgmamba.skeleton_to_video.dataset import PairDataset, Sources, make_examples
from stgmamba.skeleton_to_video.model import MULTIPLE, Config, FrameGenerator
from stgmamba.skeleton_to_video.objective import LOSS_WEIGHTS, Batch, SelfSupervisedObjective
from stgmamba.skeleton_to_video.training_pairs import SIZE
from stgmamba.training.checkpoint import TrainingState
from stgmamba.training.config import TrainConfig, read_config
from stgmamba.training.loop import fit, launch

_PREVIEWS = 6  # examples in a preview


@dataclass(frozen=True)
class VideoTrainConfig(TrainConfig):
    """Everything that decides the outcome of a training run of stage 2.

    ``data`` are the dances that drawn characters dance (split ``train``); ``precision`` stays 32-true, since Fabric's
    mixed precision would round pictures too.

    Attributes:
        clips: folder of real videos of one person each, relative to the data folder; "" for none.
        people: folder of pictures of one person each, likewise.
        held_out: file that names what training may not see.
        examples: folder of the training pairs.
        drawn: number of scenes of procedural characters.
        scenes: conditions per clip.
        poses: poses per picture.
        examples_seed: of the training pairs.
        crop: width and height of a training crop, pixels.
        clip_share, people_share: of a batch, from clips and from pictures.
        face: additional weight of the head's pixels in L1.
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
    clip_share: float = 0.35
    people_share: float = 0.2
    face: float = 2.0
    regularise_from: int = 0
    half: bool = False

    def check(self) -> None:
        """Raise ValueError or TypeError for settings with which training would fail later or learn nonsense."""
        super().check()
        self.check_loss_weights(LOSS_WEIGHTS)
        if len(self.crop) != 2 or any(
            side % MULTIPLE or not 0 < side <= largest for side, largest in zip(self.crop, SIZE, strict=False)
        ):
            raise ValueError(f"crop must be two multiples of {MULTIPLE} up to {SIZE[0]} x {SIZE[1]}")
        if self.precision != "32-true":
            raise ValueError("precision stays 32-true: mixed precision would round the pictures too; use half: true")
        if min(self.clip_share, self.people_share) < 0 or self.clip_share + self.people_share > 1:
            raise ValueError("clip_share and people_share must be 0 or more, and 1 or less together")
        if Config(**self.model).previous > 1:
            raise ValueError("training pairs hold one previous frame: previous is 0 or 1")


def read_video_config(path: str | Path) -> VideoTrainConfig:
    """Read a training configuration, see `stgmamba.training.config.read_config`."""
    return read_config(path, VideoTrainConfig)


def prepare(config: VideoTrainConfig, progress: Progress | None = None) -> None:
    """Make the training pairs that are not there yet.

    Raises:
        InputError: the data cannot be used, or the folder holds pairs made with other settings.
    """
    dances = [dance.skeleton for dance in load_dances(data_folder() / config.data, "train")]
    clips, people = (data_folder() / name if name else None for name in (config.clips, config.people))
    held_out = load_held_out(config.held_out)
    sources = Sources(dances, config.drawn, clips, config.scenes, people, config.poses, held_out, config.examples_seed)
    make_examples(Path(config.examples), sources, progress)


def train(config: VideoTrainConfig, minutes: float | None = None, log: Callable[[str], object] = print) -> Path:
    """Train, or continue from the checkpoint, on prepared pairs, and write the averaged weights.

    Args:
        config: what to train.
        minutes: stop after so many, with the weights as they are then.
        log: called with one line every so often.

    Returns:
        Path of the safetensors file.

    Raises:
        InputError: there are no training pairs, or a checkpoint of another configuration is in the way.
    """
    fabric, out = launch(config)
    folder = Path(config.examples)
    width, height = config.crop
    shares = (config.clip_share, config.people_share)
    dataset = PairDataset(folder, config.batch, (width, height), shares, config.face, fabric.device)
    log(f"{len(dataset)} examples")

    model_config = Config(**config.model)
    torch.manual_seed(config.seed)
    model = FrameGenerator(model_config)
    objective = SelfSupervisedObjective(model, LOSS_WEIGHTS | config.loss_weights, config.half).to(fabric.device)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # the faster order on CPUs
    state = TrainingState(config, objective, lambda: FrameGenerator(model_config), out)

    def preview(network: nn.Module) -> Frame:
        return strip(network, dataset)

    def batch(step: int) -> Batch:
        drawn = dataset.batch(config.seed, fabric.global_rank, step)
        return drawn._replace(regularised=step >= config.regularise_from)

    return fit(fabric, state, batch, preview, minutes, log)


def strip(network: nn.Module, dataset: PairDataset) -> Frame:
    """Some examples, a row each: condition, limb warp, what the network makes of it, truth; uint8 [H, W, 3]."""
    batch = dataset.first(_PREVIEWS)
    inputs = batch.baseline
    with torch.inference_mode():
        generated = network(inputs)
    composite = inputs.warped[:, :3] + (1 - inputs.warped[:, 3:]) * inputs.background
    assert inputs.condition is not None, "examples have their condition"
    rows = torch.cat([inputs.condition, composite, generated, batch.truth], dim=3).clamp(0, 1)
    preview = rows.permute(0, 2, 3, 1).flatten(0, 1).mul(255).round()
    return np.asarray(preview.to(torch.uint8).numpy())
