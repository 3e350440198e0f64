"""Training of stage 1.

    stgmamba train skeleton --config configs/music_to_skeleton.yaml

The loop is that of both stages (stgmamba/training.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from stgmamba.datasets import data_folder
from stgmamba.datasets.tang2018 import load_dances
from stgmamba.music_to_skeleton.adversarial import Adversarial
from stgmamba.music_to_skeleton.dataset import Corpus, Sampling, examples
from stgmamba.music_to_skeleton.flow_matching import FlowMatching
from stgmamba.music_to_skeleton.model import Config
from stgmamba.music_to_skeleton.perceptual import PerceptualLoss, pretrained
from stgmamba.music_to_skeleton.previews import sample_strip
from stgmamba.music_to_skeleton.registry import Network, build_network
from stgmamba.training import loop as training

WEIGHTS = {
    "flow": {"reconstruction": 1.0, "velocity": 3.0, "contact": 0.02},
    "adversarial": {
        "reconstruction": 1.0,
        "velocity": 3.0,
        "contact": 0.02,
        "perceptual": 1.0,
        "matching": 1.0,
        "adversarial": 0.1,
    },
}


@dataclass(frozen=True)
class Recipe(training.Recipe):
    """Everything that decides the outcome of a training run.

    ``objective`` is ``flow`` (flow.py) or ``adversarial`` (adversarial.py), ``weights`` those of its terms, by default
    `WEIGHTS`. ``rates`` are the tempo changes, of song and dance together, that each dance is also trained at.
    """

    objective: str = "flow"
    window: int = 96
    genre_dropout: float = 0.15
    music_dropout: float = 0.1
    rates: tuple[float, ...] = (0.92, 1.0, 1.08)

    def check(self) -> None:
        """Raise ValueError or TypeError for what would only fail, or train nonsense, later on."""
        super().check()
        if self.objective not in WEIGHTS:
            raise ValueError(f"objective is {self.objective!r}; choose one of {', '.join(WEIGHTS)}")
        self.check_weights(WEIGHTS[self.objective])
        Config(**self.model)


def read_recipe(path: str | Path) -> Recipe:
    """Read a recipe, see `stgmamba.training.loop.read_recipe`."""
    return training.read_recipe(path, Recipe)


def train(recipe: Recipe, minutes: float | None = None, log: Callable[[str], object] = print) -> Path:
    """Train, or go on training, and write the averaged weights.

    Args:
        recipe: what to train.
        minutes: stop by the clock after so many, with the weights as they are then.
        log: called with one line every so often.

    Returns:
        Path of the safetensors file.

    Raises:
        InputError: the data cannot be used, or a checkpoint of another recipe is in the way.
    """
    fabric, out = training.launch(recipe)
    config = Config(**recipe.model)
    data = examples(load_dances(data_folder() / recipe.data, "train"), recipe.rates, config.genres)
    sampling = Sampling(recipe.batch, recipe.window, recipe.genre_dropout, recipe.music_dropout)
    corpus = Corpus(data, sampling, len(config.genres), fabric.device)
    log(f"{len(corpus.data)} dances, {corpus.minutes:.0f} minutes with tempo changes")

    model = build_network(config).to(fabric.device)
    model.mean, model.scale = corpus.statistics()
    objective = _objective(recipe, model, corpus, out, log)
    run = training.Run(recipe, objective, lambda: build_network(config), out)

    def picture(network: nn.Module) -> NDArray[np.uint8]:
        assert isinstance(network, Network)
        return sample_strip(network, data)

    return training.fit(
        fabric, run, lambda step: corpus.batch(recipe.seed, fabric.global_rank, step), picture, minutes, log
    )


def _objective(
    recipe: Recipe, model: Network, corpus: Corpus, out: Path, log: Callable[[str], object]
) -> FlowMatching | Adversarial:
    weights = WEIGHTS[recipe.objective] | recipe.weights
    if recipe.objective == "flow":
        return FlowMatching(model, weights)
    network = pretrained(out / "perceptual.safetensors", corpus, recipe.seed, log)
    return Adversarial(model, weights, PerceptualLoss(network)).to(corpus.nodes[0].device)
