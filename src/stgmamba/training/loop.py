"""The training loop of all networks, on Lightning Fabric.

The same loop on a laptop, under torchrun and on many nodes. Everything random in a step follows from (seed, process,
step), and a checkpoint is replaced in one move: a run that was killed at any moment goes on from its last checkpoint
along the curve it would have taken.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from lightning.fabric import Fabric
from lightning.fabric.loggers import TensorBoardLogger
from lightning.fabric.strategies import DDPStrategy
from lightning.fabric.utilities.exceptions import MisconfigurationException
from numpy.typing import NDArray
from torch import Tensor, nn

from stgmamba.errors import InputError
from stgmamba.training.checkpoint import TrainingState
from stgmamba.training.config import TrainConfig

_LOG_INTERVAL = 20  # steps whose mean is logged as one point
_MAX_GRADIENT_NORM = 1.0
_TRIAL_STEPS = 3  # that are timed in a dry run
# Factor on the learning rate per optimizer group. Discriminators at the full rate won within forty steps, after which
# their gradient carried no information.
_LEARNING_RATE_SCALE = {"generator": 1.0, "discriminators": 0.1}


class Objective(Protocol):
    """A module that holds the network and computes its losses.

    ``optimizer_groups`` names the groups of parameters that are stepped in turn: ``generator``, and ``discriminators``
    where the objective is adversarial.
    """

    model: Any
    optimizer_groups: tuple[str, ...]

    def __call__(self, batch: Any, group: str) -> dict[str, Tensor]:
        """Weighted loss terms of one optimizer group, to be added up."""
        ...


def fit(
    fabric: Fabric,
    state: TrainingState,
    batch: Callable[[int], Any],
    preview: Callable[[nn.Module], NDArray[np.uint8]],
    minutes: float | None,
    log: Callable[[str], object],
) -> Path:
    """Train, or continue from the checkpoint, and write the averaged weights.

    Args:
        fabric: launched.
        state: at step 0.
        batch: makes the batch of a step.
        preview: makes a picture, uint8 [H, W, 3], from the averaged network, for tensorboard.
        minutes: stop after so many, with the weights as they are then; None trains all steps.
        log: called with one line every `_LOG_INTERVAL` steps.

    Returns:
        Path of the safetensors file.
    """
    config = state.config
    if state.load(fabric.device):
        log(f"continuing from step {state.step}")
    if config.compile:
        state.model.compile()
    objective, optimizers = _set_up(fabric, state)

    def log_preview() -> None:
        fabric.logger.experiment.add_image("dance", preview(state.averaged_model()), state.step, dataformats="HWC")

    started = saved = previewed = time.monotonic()
    sums: dict[str, Tensor] = {}
    summed = 0
    while state.step < config.steps and (minutes is None or time.monotonic() - started < minutes * 60):
        examples = batch(state.step)
        torch.manual_seed(_step_seed(config.seed, fabric.global_rank, state.step))
        for name, value in _train_step(fabric, state, objective, optimizers, examples).items():
            sums[name] = sums.get(name, torch.zeros((), device=value.device)) + value
        state.step, summed = state.step + 1, summed + 1
        state.update_average()
        if state.step % _LOG_INTERVAL == 0:
            means = {name: (value / summed).item() for name, value in sums.items()}
            sums, summed = {}, 0
            fabric.log_dict({f"loss/{name}": value for name, value in means.items()}, state.step)
            values = "  ".join(f"{name} {value:.4f}" for name, value in means.items())
            if fabric.is_global_zero:
                log(f"step {state.step}/{config.steps}  {values}  {time.monotonic() - started:.0f} s")
        if fabric.is_global_zero and time.monotonic() - saved > config.checkpoint_minutes * 60:
            state.save()
            saved = time.monotonic()
        if fabric.is_global_zero and time.monotonic() - previewed > config.preview_minutes * 60:
            log_preview()
            previewed = time.monotonic()
    if fabric.is_global_zero:
        state.save()
        log_preview()
    fabric.logger.finalize("success")
    fabric.barrier()
    return state.weights


def seconds_per_step(fabric: Fabric, state: TrainingState, batch: Callable[[int], Any]) -> float:
    """Median duration of the last steps of a run, which are the most expensive, measured on a few; nothing is written.

    The first, in which code is compiled and caches are filled, is not counted.
    """
    objective, optimizers = _set_up(fabric, state)
    taken = []
    for n in range(1 + _TRIAL_STEPS):
        begun = time.perf_counter()
        _train_step(fabric, state, objective, optimizers, batch(max(0, state.config.steps - 1 - n)))
        taken.append(time.perf_counter() - begun)
    return float(np.median(taken[1:]))


def _set_up(fabric: Fabric, state: TrainingState) -> tuple[Any, dict[str, list[Any]]]:
    """Objective and optimizers as Fabric wants them."""
    objective = fabric.setup_module(state.objective)
    return objective, {
        group: [fabric.setup_optimizers(each) for each in several] for group, several in state.optimizers.items()
    }


def _train_step(
    fabric: Fabric, state: TrainingState, objective: Any, optimizers: dict[str, list[Any]], examples: Any
) -> dict[str, Tensor]:
    """One step of all optimizer groups; returns the loss terms."""
    found: dict[str, Tensor] = {}
    for group, several in optimizers.items():
        terms = objective(examples, group)
        state.objective.zero_grad(set_to_none=True)
        fabric.backward(torch.stack(list(terms.values())).sum())
        rate = state.config.learning_rate * _schedule(state.step, state.config) * _LEARNING_RATE_SCALE[group]
        for optimizer in several:
            for parameters in optimizer.param_groups:
                parameters["lr"] = rate
            fabric.clip_gradients(objective, optimizer, max_norm=_MAX_GRADIENT_NORM)
            optimizer.step()
        for name, value in terms.items():
            found[name] = found.get(name, torch.zeros((), device=value.device)) + value.detach()
    return found


def launch(config: TrainConfig) -> tuple[Fabric, Path]:
    """Start Fabric on the configured devices and make the output folder.

    Raises:
        InputError: this machine lacks the devices, or Fabric does not know them or the precision.
    """
    torch.set_num_threads(config.threads)
    out = Path(config.out)
    out.mkdir(parents=True, exist_ok=True)
    distributed = config.devices * config.nodes > 1
    # Each optimizer group uses only its own share of the parameters in a step.
    strategy = DDPStrategy(find_unused_parameters=True) if distributed else "auto"
    try:
        fabric = Fabric(
            accelerator=config.accelerator,
            devices=config.devices,
            num_nodes=config.nodes,
            strategy=strategy,
            precision=config.precision,
            loggers=TensorBoardLogger(out, name="tensorboard", version=""),
        )
    except (RuntimeError, ValueError, MisconfigurationException) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise InputError(
            f"accelerator {config.accelerator}, {config.devices} devices, precision {config.precision}: {reason}; "
            "say what this machine has in the configuration (`accelerator: cpu` everywhere)."
        ) from error
    fabric.launch()
    if fabric.device.type == "cuda":
        torch.set_float32_matmul_precision("high")  # TF32: 10 bits of mantissa in the factors of matrix products
    torch.manual_seed(config.seed)
    return fabric, out


def _step_seed(*numbers: int) -> int:
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


def _schedule(step: int, config: TrainConfig) -> float:
    """Linear warm-up, a plateau, and a linear fall to zero over the last fifth of the steps.

    The plateau does not depend on ``steps``, so a finished run can be given more steps without starting again.
    """
    return min(1.0, (step + 1) / config.warmup, (config.steps - step) / (0.2 * config.steps))
