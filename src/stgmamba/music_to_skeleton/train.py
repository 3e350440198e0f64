"""Training of stage 1.

    stgmamba train skeleton --config configs/music_to_skeleton.yaml

The same loop on a laptop, under torchrun and on many nodes (Lightning Fabric). Everything random in a step follows
from (seed, process, step), and a checkpoint is replaced in one move: a run that was killed at any moment goes on from
its last checkpoint along the very curve it would have taken.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from lightning.fabric import Fabric
from lightning.fabric.loggers import TensorBoardLogger
from lightning.fabric.strategies import DDPStrategy
from safetensors.torch import save_file
from torch import Tensor, nn

from stgmamba.datasets import data_folder
from stgmamba.datasets.tang2018 import load_dances
from stgmamba.errors import InputError
from stgmamba.files import atomic_output
from stgmamba.music_to_skeleton.adversarial import Adversarial
from stgmamba.music_to_skeleton.corpus import Corpus, Sampling, examples
from stgmamba.music_to_skeleton.flow import FlowMatching
from stgmamba.music_to_skeleton.model import Config
from stgmamba.music_to_skeleton.networks import Network, build_network
from stgmamba.music_to_skeleton.perceptual import PerceptualLoss, pretrained
from stgmamba.music_to_skeleton.pictures import sample_strip

_LOG_STEPS = 20  # steps whose mean is logged as one point
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
_CLIP = 1.0  # largest norm of the gradient
# Share of the learning rate. Critics at the full one won within forty steps, and then their judgement taught nothing.
_PACE = {"generator": 1.0, "critics": 0.1}


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the outcome of a training run, as read from a YAML file of the same keys.

    ``objective`` is ``flow`` (flow.py) or ``adversarial`` (adversarial.py), ``weights`` those of its terms, by default
    `WEIGHTS`; a term of weight 0 is left out.
    ``data`` is relative to the data folder (``STGM_DATA``). The learning rate falls to zero over the last fifth of
    ``steps``. ``batch`` is that of one process. ``rates`` are the tempo changes, of song and dance together, that each
    dance is also trained at. ``compile`` lets torch compile the network, which needs a C++ compiler and pays from a few
    hundred steps on. ``precision``, ``accelerator``, ``devices`` and ``nodes`` are those of Lightning Fabric.
    """

    data: str
    out: str
    objective: str = "flow"
    steps: int = 4000
    batch: int = 16
    window: int = 96
    learning_rate: float = 1e-3
    warmup: int = 100
    weight_decay: float = 0.01
    ema: float = 0.998
    genre_dropout: float = 0.15
    music_dropout: float = 0.1
    rates: tuple[float, ...] = (0.92, 1.0, 1.08)
    seed: int = 0
    threads: int = 2
    compile: bool = True
    precision: str = "32-true"
    accelerator: str = "auto"
    devices: int = 1
    nodes: int = 1
    checkpoint_minutes: float = 3.0
    picture_minutes: float = 15.0
    weights: dict[str, float] = field(default_factory=dict)
    model: dict[str, Any] = field(default_factory=dict)


def read_recipe(path: str | Path) -> Recipe:
    """Read a recipe.

    A recipe may name another one as its ``base``, a path from its own folder, and say only what differs.

    Raises:
        InputError: missing, not YAML, keys that a recipe does not have, or values that do not fit them.
    """
    try:
        values = _settings(Path(path))
        if "rates" in values:
            values["rates"] = tuple(float(rate) for rate in values["rates"])
        recipe = Recipe(**values)
        _check(recipe)
        return recipe
    except FileNotFoundError as error:
        raise InputError(
            f"{error.filename}: no such recipe; the ones shipped with the project are in configs/."
        ) from None
    except (yaml.YAMLError, TypeError, ValueError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a training recipe ({error}); compare it with those in configs/.") from error


def _settings(path: Path) -> dict[str, Any]:
    """What a recipe says, on top of what its base says."""
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(values, dict):
        raise ValueError("no list of settings")
    base = values.pop("base", None)
    if base is None:
        return values
    settings = _settings(path.parent / base)
    for name, value in values.items():
        both = isinstance(value, dict) and isinstance(settings.get(name), dict)
        settings[name] = settings[name] | value if both else value
    return settings


def _check(recipe: Recipe) -> None:
    """Raise ValueError or TypeError for what would only fail, or train nonsense, later on."""
    for setting in dataclasses.fields(Recipe):
        value, default = getattr(recipe, setting.name), setting.default
        numeric = isinstance(default, float | int) and not isinstance(default, bool)
        if numeric and (isinstance(value, bool) or not isinstance(value, float | int) or value < 0):
            raise ValueError(f"{setting.name} must be a number, not {value!r}")
        if isinstance(default, bool | str) and not isinstance(value, type(default)):
            raise ValueError(f"{setting.name} must be of the kind of {default!r}, not {value!r}")
    if recipe.objective not in WEIGHTS:
        raise ValueError(f"objective is {recipe.objective!r}; choose one of {', '.join(WEIGHTS)}")
    unknown = recipe.weights.keys() - WEIGHTS[recipe.objective].keys()
    if unknown:
        raise ValueError(f"weights of unknown terms: {', '.join(sorted(unknown))}")
    Config(**recipe.model)


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
    torch.set_num_threads(recipe.threads)
    out = Path(recipe.out)
    out.mkdir(parents=True, exist_ok=True)
    fabric = _fabric(recipe, out)
    fabric.launch()
    torch.manual_seed(recipe.seed)
    config = Config(**recipe.model)
    data = examples(load_dances(data_folder() / recipe.data, "train"), recipe.rates, config.genres)
    sampling = Sampling(recipe.batch, recipe.window, recipe.genre_dropout, recipe.music_dropout)
    corpus = Corpus(data, sampling, len(config.genres), fabric.device)
    log(f"{len(corpus.data)} dances, {corpus.minutes:.0f} minutes with tempo changes")

    model = build_network(config).to(fabric.device)
    model.mean, model.scale = corpus.statistics()
    objective = _objective(recipe, model, corpus, out, log)
    run = _Run(recipe, config, objective, out)
    if run.resume(fabric.device):
        log(f"continuing from step {run.step}")
    if recipe.compile:
        model.compile()
    wrapped = fabric.setup_module(objective)
    optimisers = {name: [fabric.setup_optimizers(each) for each in own] for name, own in run.optimisers.items()}

    def show() -> None:
        picture = sample_strip(run.averaged(), data)
        fabric.logger.experiment.add_image("dance", picture, run.step, dataformats="HWC")

    started = saved = pictured = time.monotonic()
    sums: dict[str, Tensor] = {}
    summed = 0
    while run.step < recipe.steps and (minutes is None or time.monotonic() - started < minutes * 60):
        batch = corpus.batch(recipe.seed, fabric.global_rank, run.step)
        torch.manual_seed(_step_seed(recipe.seed, fabric.global_rank, run.step))
        for player, own in optimisers.items():
            terms = wrapped(batch, player)
            objective.zero_grad(set_to_none=True)
            fabric.backward(torch.stack(list(terms.values())).sum())
            for optimiser in own:
                for group in optimiser.param_groups:
                    group["lr"] = recipe.learning_rate * _schedule(run.step, recipe) * _PACE[player]
                fabric.clip_gradients(wrapped, optimiser, max_norm=_CLIP)
                optimiser.step()
            for name, value in terms.items():
                sums[name] = sums.get(name, torch.zeros((), device=value.device)) + value.detach()
        run.step, summed = run.step + 1, summed + 1
        run.follow()
        if run.step % _LOG_STEPS == 0:
            means = {name: (value / summed).item() for name, value in sums.items()}
            sums, summed = {}, 0
            fabric.log_dict({f"loss/{name}": value for name, value in means.items()}, run.step)
            values = "  ".join(f"{name} {value:.4f}" for name, value in means.items())
            log(f"step {run.step}/{recipe.steps}  {values}  {time.monotonic() - started:.0f} s")
        if fabric.is_global_zero and time.monotonic() - saved > recipe.checkpoint_minutes * 60:
            run.save()
            saved = time.monotonic()
        if fabric.is_global_zero and time.monotonic() - pictured > recipe.picture_minutes * 60:
            show()
            pictured = time.monotonic()
    if fabric.is_global_zero:
        run.save()
        show()
    fabric.logger.finalize("success")
    fabric.barrier()
    return run.weights


def _objective(
    recipe: Recipe, model: Network, corpus: Corpus, out: Path, log: Callable[[str], object]
) -> FlowMatching | Adversarial:
    weights = WEIGHTS[recipe.objective] | recipe.weights
    if recipe.objective == "flow":
        return FlowMatching(model, weights)
    network = pretrained(out / "perceptual.safetensors", corpus, recipe.seed, log)
    return Adversarial(model, weights, PerceptualLoss(network)).to(corpus.nodes[0].device)


class _Run:
    """What a checkpoint holds: the networks, their moving average, the optimisers, the step."""

    def __init__(self, recipe: Recipe, config: Config, objective: FlowMatching | Adversarial, out: Path) -> None:
        self.recipe, self.config, self.objective = recipe, config, objective
        self.checkpoint, self.weights = out / "checkpoint.pt", out / "weights.safetensors"
        self.step = 0
        self.average = {name: value.clone() for name, value in objective.model.state_dict().items()}
        self.optimisers = {player: _optimisers(objective, player, recipe) for player in objective.players}

    def follow(self) -> None:
        """Move the average towards the network; quickly at first."""
        decay = min(self.recipe.ema, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            current = self.objective.model.state_dict()
            torch._foreach_lerp_([self.average[name] for name in current], list(current.values()), 1 - decay)

    def averaged(self) -> Network:
        """A network with the averaged weights, on the CPU."""
        model = build_network(self.config)
        model.load_state_dict(self.average)
        return model.eval()

    def save(self) -> None:
        """Write checkpoint and averaged weights, each replaced in one move."""
        state = {
            "objective": self.objective.state_dict(),
            "average": self.average,
            "optimisers": {player: [each.state_dict() for each in own] for player, own in self.optimisers.items()},
            "step": self.step,
        }
        with atomic_output(self.checkpoint) as part:
            torch.save(state, part)
        metadata = {"config": json.dumps(dataclasses.asdict(self.config)), "step": str(self.step)}
        with atomic_output(self.weights) as part:
            save_file({name: value.contiguous().cpu() for name, value in self.average.items()}, part, metadata)

    def resume(self, device: torch.device) -> bool:
        """Load the checkpoint if there is one.

        Raises:
            InputError: it does not fit this recipe.
        """
        if not self.checkpoint.exists():
            return False
        try:
            state = torch.load(self.checkpoint, map_location=device, weights_only=True)
            self.objective.load_state_dict(state["objective"])
            for player, own in self.optimisers.items():
                for optimiser, kept in zip(own, state["optimisers"][player], strict=True):
                    optimiser.load_state_dict(kept)
        except (KeyError, ValueError, RuntimeError) as error:
            raise InputError(
                f"{self.checkpoint}: of another recipe ({str(error).splitlines()[0]}); give this one another `out`."
            ) from error
        self.average, self.step = state["average"], state["step"]
        return True


def _optimisers(objective: nn.Module, player: str, recipe: Recipe) -> list[torch.optim.Optimizer]:
    """What trains the parameters of one player: AdamW, and Muon (Jordan 2024) for the generator's linear layers.

    Muon makes all directions of a matrix' step equally long, scaled as AdamW's would be. After five minutes of one core
    PFD on train songs was 1474 with it and 1716 with AdamW alone.
    """
    generator = player == "generator"
    module = objective.get_submodule("model" if generator else player)
    matrices = [part.weight for part in module.modules() if isinstance(part, nn.Linear) and generator]
    chosen = {id(matrix) for matrix in matrices}
    others = [parameter for parameter in module.parameters() if id(parameter) not in chosen]
    rate, decay = recipe.learning_rate, recipe.weight_decay
    found: list[torch.optim.Optimizer] = [torch.optim.AdamW(others, rate, betas=(0.9, 0.99), weight_decay=decay)]
    if matrices:
        found.append(torch.optim.Muon(matrices, rate, weight_decay=decay, adjust_lr_fn="match_rms_adamw"))
    return found


def _fabric(recipe: Recipe, out: Path) -> Fabric:
    many = recipe.devices * recipe.nodes > 1
    # The players of an adversarial game use only their own share of the parameters in a step.
    strategy = DDPStrategy(find_unused_parameters=True) if many else "auto"
    return Fabric(
        accelerator=recipe.accelerator,
        devices=recipe.devices,
        num_nodes=recipe.nodes,
        strategy=strategy,
        precision=recipe.precision,
        loggers=TensorBoardLogger(out, name="tensorboard", version=""),
    )


def _step_seed(*numbers: int) -> int:
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


def _schedule(step: int, recipe: Recipe) -> float:
    """Linear warm-up, a plateau, and a linear fall to zero over the last fifth of the steps.

    On the plateau a run does not know how long it will be: more steps can be asked for without starting again.
    """
    return min(1.0, (step + 1) / recipe.warmup, (recipe.steps - step) / (0.2 * recipe.steps))
