"""Training of stage 2.

    stgmamba train video --config configs/skeleton_to_video.yaml

First the examples are made (examples.py), which a later run finds again; then the loop of both stages runs
(stgmamba/training.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from stgmamba.datasets import data_folder
from stgmamba.datasets.held_out import load_held_out
from stgmamba.datasets.tang2018 import load_dances
from stgmamba.progress import Progress
from stgmamba.skeleton_to_video.dataset import Corpus, Sources, make_examples
from stgmamba.skeleton_to_video.model import MULTIPLE, Config, FrameGenerator
from stgmamba.skeleton_to_video.objective import WEIGHTS, Batch, Objective
from stgmamba.skeleton_to_video.training_pairs import SIZE
from stgmamba.training import loop as training

_SHOWN = 6  # examples in a picture


@dataclass(frozen=True)
class Recipe(training.Recipe):
    """Everything that decides the outcome of a training run.

    ``data`` are the dances that drawn people dance (split ``train`` of the format of tang2018), ``clips`` is a folder
    of real videos and ``people`` one of pictures, of one person each, all relative to the data folder; "" leaves clips
    or people out. ``held_out`` names what is not touched, ``examples`` is the folder in which examples are made:
    ``drawn`` scenes of made-up people, ``scenes`` conditions of each clip and ``poses`` of each picture, by
    ``examples_seed``. ``crop`` is the width and height of what is cut out of each, ``clip_share`` and ``people_share``
    the shares of real ones in a batch, ``face`` how much more the head counts. ``weights`` are
    those of the loss terms, by default `WEIGHTS`. FSR and BSR, which make a step twice as long, set in at the step
    ``regularise_from``. ``half`` lets the network's convolutions run in bfloat16; ``precision`` stays 32-true, since
    Fabric's mixed precision would round the pictures too.
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
        """Raise ValueError or TypeError for what would only fail, or train nonsense, later on."""
        super().check()
        self.check_weights(WEIGHTS)
        if len(self.crop) != 2 or any(
            side % MULTIPLE or not 0 < side <= most for side, most in zip(self.crop, SIZE, strict=False)
        ):
            raise ValueError(f"crop must be two multiples of {MULTIPLE} up to {SIZE[0]} x {SIZE[1]}")
        if self.precision != "32-true":
            raise ValueError("precision stays 32-true: mixed precision would round the pictures too; use half: true")
        if min(self.clip_share, self.people_share) < 0 or self.clip_share + self.people_share > 1:
            raise ValueError("clip_share and people_share must be 0 or more, and 1 or less together")
        if Config(**self.model).previous > 1:
            raise ValueError("examples hold one frame before theirs: previous is 0 or 1")


def read_recipe(path: str | Path) -> Recipe:
    """Read a recipe, see `stgmamba.training.loop.read_recipe`."""
    return training.read_recipe(path, Recipe)


def prepare(recipe: Recipe, progress: Progress | None = None) -> None:
    """Make the examples of a recipe that are not there yet.

    Raises:
        InputError: the data cannot be used, or the folder holds examples made in another way.
    """
    dances = [dance.skeleton for dance in load_dances(data_folder() / recipe.data, "train")]
    clips, people = (data_folder() / name if name else None for name in (recipe.clips, recipe.people))
    held_out = load_held_out(recipe.held_out)
    sources = Sources(dances, recipe.drawn, clips, recipe.scenes, people, recipe.poses, held_out, recipe.examples_seed)
    make_examples(Path(recipe.examples), sources, progress)


def train(recipe: Recipe, minutes: float | None = None, log: Callable[[str], object] = print) -> Path:
    """Train, or go on training, on prepared examples, and write the averaged weights.

    Args:
        recipe: what to train.
        minutes: stop by the clock after so many, with the weights as they are then.
        log: called with one line every so often.

    Returns:
        Path of the safetensors file.

    Raises:
        InputError: there are no examples, or a checkpoint of another recipe is in the way.
    """
    fabric, out = training.launch(recipe)
    folder = Path(recipe.examples)
    width, height = recipe.crop
    shares = (recipe.clip_share, recipe.people_share)
    corpus = Corpus(folder, recipe.batch, (width, height), shares, recipe.face, fabric.device)
    log(f"{len(corpus)} examples")

    config = Config(**recipe.model)
    torch.manual_seed(recipe.seed)
    model = FrameGenerator(config)
    objective = Objective(model, WEIGHTS | recipe.weights, recipe.half).to(fabric.device)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # the faster order on CPUs
    run = training.Run(recipe, objective, lambda: FrameGenerator(config), out)

    def picture(network: nn.Module) -> NDArray[np.uint8]:
        return strip(network, corpus)

    def batch(step: int) -> Batch:
        drawn = corpus.batch(recipe.seed, fabric.global_rank, step)
        return drawn._replace(regularised=step >= recipe.regularise_from)

    return training.fit(fabric, run, batch, picture, minutes, log)


def strip(network: nn.Module, corpus: Corpus) -> NDArray[np.uint8]:
    """Some examples, a row each: condition, limb warp, what the network makes of it, truth; uint8 [H, W, 3]."""
    batch = corpus.first(_SHOWN)
    inputs = batch.baseline
    with torch.inference_mode():
        made = network(inputs)
    composite = inputs.warped[:, :3] + (1 - inputs.warped[:, 3:]) * inputs.background
    assert inputs.condition is not None, "examples have their condition"
    rows = torch.cat([inputs.condition, composite, made, batch.truth], dim=3).clamp(0, 1)
    picture = rows.permute(0, 2, 3, 1).flatten(0, 1).mul(255).round()
    return np.asarray(picture.to(torch.uint8).numpy())
