"""What the training of both stages has in common: recipes, the loop, exact resumption.

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
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
import yaml
from lightning.fabric import Fabric
from lightning.fabric.loggers import TensorBoardLogger
from lightning.fabric.strategies import DDPStrategy
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn

from stgmamba.errors import InputError
from stgmamba.files import atomic_output

_LOG_STEPS = 20  # steps whose mean is logged as one point
_CLIP = 1.0  # largest norm of the gradient
# Share of the learning rate. Critics at the full one won within forty steps, and then their judgement taught nothing.
_PACE = {"generator": 1.0, "critics": 0.1}


@dataclass(frozen=True)
class Recipe:
    """What every recipe says, as read from a YAML file of the same keys.

    ``data`` is relative to the data folder (``STGM_DATA``). The learning rate falls to zero over the last fifth of
    ``steps``. ``batch`` is that of one process. ``weights`` are those of the loss terms, a term of weight 0 is left
    out; ``model`` are settings of the network. ``compile`` lets torch compile the network, which needs a C++ compiler
    and pays from a few hundred steps on. ``precision``, ``accelerator``, ``devices`` and ``nodes`` are those of
    Lightning Fabric.
    """

    data: str
    out: str
    steps: int = 4000
    batch: int = 16
    learning_rate: float = 1e-3
    warmup: int = 100
    weight_decay: float = 0.01
    ema: float = 0.998
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

    def check(self) -> None:
        """Raise ValueError or TypeError for what would only fail, or train nonsense, later on."""
        for setting in dataclasses.fields(self):
            value, default = getattr(self, setting.name), setting.default
            numeric = isinstance(default, float | int) and not isinstance(default, bool)
            if numeric and (isinstance(value, bool) or not isinstance(value, float | int) or value < 0):
                raise ValueError(f"{setting.name} must be a number, not {value!r}")
            if isinstance(default, bool | str) and not isinstance(value, type(default)):
                raise ValueError(f"{setting.name} must be of the kind of {default!r}, not {value!r}")
            if isinstance(default, tuple) and not (isinstance(value, tuple) and len(value)):
                raise ValueError(f"{setting.name} must be a list like {list(default)}, not {value!r}")

    def check_weights(self, known: dict[str, float]) -> None:
        """Raise ValueError for weights of terms that there are not."""
        unknown = self.weights.keys() - known.keys()
        if unknown:
            raise ValueError(f"weights of unknown terms: {', '.join(sorted(unknown))}")


R = TypeVar("R", bound=Recipe)


def read_recipe(path: str | Path, kind: type[R]) -> R:
    """Read a recipe.

    A recipe may name another one as its ``base``, a path from its own folder, and say only what differs.

    Raises:
        InputError: missing, not YAML, keys that a recipe does not have, or values that do not fit them.
    """
    try:
        values = _settings(Path(path))
        for setting in dataclasses.fields(kind):
            if isinstance(setting.default, tuple) and setting.name in values:
                values[setting.name] = tuple(map(type(setting.default[0]), values[setting.name]))
        recipe = kind(**values)
        recipe.check()
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


class Objective(Protocol):
    """A module that holds the network and says what to minimise; the players of an adversarial game take turns."""

    model: Any
    players: tuple[str, ...]

    def __call__(self, batch: Any, player: str) -> dict[str, Tensor]:
        """Weighted loss terms of one player, to be added up."""
        ...


class Run:
    """What a checkpoint holds: the networks, their moving average, the optimisers, the step.

    Args:
        recipe: of the run.
        objective: an `Objective` that is a module.
        build: makes a network like the objective's.
        out: folder of checkpoint and weights.
    """

    def __init__(self, recipe: Recipe, objective: nn.Module, build: Callable[[], nn.Module], out: Path) -> None:
        self.recipe, self.objective, self._build = recipe, objective, build
        self.checkpoint, self.weights = out / "checkpoint.pt", out / "weights.safetensors"
        self.step = 0
        self.average = {name: value.clone() for name, value in self.model.state_dict().items()}
        self.optimisers = {player: _optimisers(objective, player, recipe) for player in self.players}

    @property
    def model(self) -> nn.Module:
        """The network that is trained."""
        return self.objective.get_submodule("model")

    @property
    def players(self) -> tuple[str, ...]:
        """Who takes turns in a step."""
        return tuple(str(player) for player in self.objective.players)  # type: ignore[union-attr]

    def follow(self) -> None:
        """Move the average towards the network; quickly at first."""
        decay = min(self.recipe.ema, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            current = self.model.state_dict()
            torch._foreach_lerp_([self.average[name] for name in current], list(current.values()), 1 - decay)

    def averaged(self) -> nn.Module:
        """A network with the averaged weights, on the CPU."""
        model = self._build()
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
        config: Any = self.model.config
        metadata = {"config": json.dumps(dataclasses.asdict(config)), "step": str(self.step)}
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


def fit(
    fabric: Fabric,
    run: Run,
    batch: Callable[[int], Any],
    picture: Callable[[nn.Module], NDArray[np.uint8]],
    minutes: float | None,
    log: Callable[[str], object],
) -> Path:
    """Train, or go on training, and write the averaged weights.

    Args:
        fabric: launched.
        run: at its first step; it goes on from its checkpoint if there is one.
        batch: makes the batch of a step.
        picture: makes a picture, uint8 [H, W, 3], of what the averaged network does.
        minutes: stop by the clock after so many, with the weights as they are then.
        log: called with one line every so often.

    Returns:
        Path of the safetensors file.
    """
    recipe = run.recipe
    if run.resume(fabric.device):
        log(f"continuing from step {run.step}")
    if recipe.compile:
        run.model.compile()
    wrapped = fabric.setup_module(run.objective)
    optimisers = {name: [fabric.setup_optimizers(each) for each in own] for name, own in run.optimisers.items()}

    def show() -> None:
        fabric.logger.experiment.add_image("dance", picture(run.averaged()), run.step, dataformats="HWC")

    started = saved = pictured = time.monotonic()
    sums: dict[str, Tensor] = {}
    summed = 0
    while run.step < recipe.steps and (minutes is None or time.monotonic() - started < minutes * 60):
        examples = batch(run.step)
        torch.manual_seed(_step_seed(recipe.seed, fabric.global_rank, run.step))
        for player, own in optimisers.items():
            terms = wrapped(examples, player)
            run.objective.zero_grad(set_to_none=True)
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
            if fabric.is_global_zero:
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


def launch(recipe: Recipe) -> tuple[Fabric, Path]:
    """The recipe's devices, ready; and its output folder, which is made."""
    torch.set_num_threads(recipe.threads)
    out = Path(recipe.out)
    out.mkdir(parents=True, exist_ok=True)
    many = recipe.devices * recipe.nodes > 1
    # The players of an adversarial game use only their own share of the parameters in a step.
    strategy = DDPStrategy(find_unused_parameters=True) if many else "auto"
    fabric = Fabric(
        accelerator=recipe.accelerator,
        devices=recipe.devices,
        num_nodes=recipe.nodes,
        strategy=strategy,
        precision=recipe.precision,
        loggers=TensorBoardLogger(out, name="tensorboard", version=""),
    )
    fabric.launch()
    torch.manual_seed(recipe.seed)
    return fabric, out


def _optimisers(objective: nn.Module, player: str, recipe: Recipe) -> list[torch.optim.Optimizer]:
    """What trains the parameters of one player: AdamW, and Muon (Jordan 2024) for the generator's linear layers.

    Muon makes all directions of a matrix' step equally long, scaled as AdamW's would be. After five minutes of one core
    PFD of stage 1 on train songs was 1474 with it and 1716 with AdamW alone.
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


def _step_seed(*numbers: int) -> int:
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


def _schedule(step: int, recipe: Recipe) -> float:
    """Linear warm-up, a plateau, and a linear fall to zero over the last fifth of the steps.

    On the plateau a run does not know how long it will be: more steps can be asked for without starting again.
    """
    return min(1.0, (step + 1) / recipe.warmup, (recipe.steps - step) / (0.2 * recipe.steps))
