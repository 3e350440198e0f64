"""Training of stage 1: flow matching on windows of real dances.

    stgmamba train skeleton --config configs/music_to_skeleton.yaml

The loop is plain: draw windows, add noise, predict the clean dance, step. A checkpoint holds weights, their moving
average, optimiser and random state, is written atomically, and a run that finds one continues from it.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from safetensors.torch import save_file
from torch import Tensor

from stgmamba.datasets import data_folder
from stgmamba.datasets.tang2018 import Dance, load_dances
from stgmamba.errors import InputError
from stgmamba.files import atomic_output
from stgmamba.music.decode import load_song
from stgmamba.music_to_skeleton import losses
from stgmamba.music_to_skeleton.listening import HOP, Heard, listen
from stgmamba.music_to_skeleton.model import Config, MusicToSkeleton
from stgmamba.music_to_skeleton.motion import encode, mirror
from stgmamba.skeleton import Skeleton


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the outcome of a training run, as read from a YAML file of the same keys.

    ``data`` is relative to the data folder (``STGM_DATA``). The learning rate falls to zero over ``steps``.
    ``compile`` lets torch compile the network, which needs a C++ compiler and pays from a few hundred steps on.
    ``rates`` are the tempo changes, of song and dance together, that each dance is also trained at.
    """

    data: str
    out: str
    steps: int = 4000
    batch: int = 16
    window: int = 96
    learning_rate: float = 1e-3
    warmup: int = 100
    weight_decay: float = 0.01
    ema: float = 0.998
    velocity_weight: float = 1.0
    contact_weight: float = 0.02
    genre_dropout: float = 0.15
    music_dropout: float = 0.1
    rates: tuple[float, ...] = (0.92, 1.0, 1.08)
    seed: int = 0
    threads: int = 2
    compile: bool = True
    checkpoint_minutes: float = 3.0
    model: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Example:
    """One dance at one tempo: nodes [T, 23, 3], the music beside it, genre index, whether its timing is trusted."""

    nodes: np.ndarray[Any, np.dtype[np.float32]]
    heard: Heard
    genre: int
    sync: bool


def read_recipe(path: str | Path) -> Recipe:
    """Read a recipe.

    Raises:
        InputError: missing, not YAML, or keys that a recipe does not have.
    """
    try:
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        if "rates" in values:
            values["rates"] = tuple(values["rates"])
        return Recipe(**values)
    except FileNotFoundError:
        raise InputError(f"{path}: no such recipe; the ones shipped with the project are in configs/.") from None
    except (yaml.YAMLError, TypeError) as error:
        raise InputError(f"{path}: not a training recipe ({error}); compare it with those in configs/.") from error


def examples(dances: list[Dance], rates: tuple[float, ...], genres: tuple[str, ...]) -> list[Example]:
    """Every dance at every tempo, nodes and music cut to the same length."""
    found = []
    for dance in dances:
        samples = load_song(dance.audio_path).samples
        for rate in rates:
            skeleton = dance.skeleton
            sped = Skeleton(skeleton.positions, skeleton.fps * rate, skeleton.layout)
            # The song's pitch follows its tempo, as on a turntable: cheap, and one more variation.
            position = np.arange(int(len(samples) / rate)) * rate
            heard = listen(np.interp(position, np.arange(len(samples)), samples).astype(np.float32))
            nodes = encode(sped)
            frames = min(len(nodes), len(heard))
            heard = dataclasses.replace(heard, features=heard.features[:frames])
            found.append(Example(nodes[:frames], heard, genres.index(dance.genre), dance.sync))
    return found


def batches(
    data: list[Example], recipe: Recipe, null_genre: int, rng: np.random.Generator
) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
    """Endless batches (nodes [B, T, J, 3], wave [B, T, W], features [B, T, F], genre [B]) of random windows.

    Rare genres are drawn more often than their share, in proportion to the square root of their length.
    """
    seconds = np.array([len(example.heard) for example in data], np.float64)
    genre = np.array([example.genre for example in data])
    per_genre = np.bincount(genre, weights=seconds)
    probability = seconds / np.sqrt(per_genre[genre])
    probability /= probability.sum()
    while True:
        rows = []
        for index in rng.choice(len(data), recipe.batch, p=probability):
            example = data[index]
            start = int(rng.integers(0, max(1, len(example.nodes) - recipe.window)))
            nodes = example.nodes[start : start + recipe.window]
            if rng.random() < 0.5:
                nodes = mirror(nodes)
            # Music whose timing against the dance is not known would only teach noise, so such dances train without it.
            heard = float(example.sync and rng.random() >= recipe.music_dropout)
            wave = example.heard.windows(start, start + recipe.window) * (heard * rng.uniform(0.5, 1.2))
            features = example.heard.features[start : start + recipe.window] * heard
            known = rng.random() >= recipe.genre_dropout
            rows.append(
                (nodes, wave.astype(np.float32), features.astype(np.float32), example.genre if known else null_genre)
            )
        nodes, wave, features, genres = zip(*rows, strict=True)
        yield (
            torch.from_numpy(np.stack(nodes)),
            torch.from_numpy(np.stack(wave)),
            torch.from_numpy(np.stack(features)),
            torch.tensor(genres),
        )


def loss_terms(model: MusicToSkeleton, batch: tuple[Tensor, ...], generator: torch.Generator) -> dict[str, Tensor]:
    """The weighted terms' raw values for one batch: reconstruction, velocity, contact."""
    nodes, wave, features, genre = batch
    clean = (nodes - model.mean) / model.scale
    noise = torch.randn(clean.shape, generator=generator)
    t = torch.rand(len(clean), generator=generator)
    blend = t[:, None, None, None]
    predicted = model((1 - blend) * noise + blend * clean, t, model.hear(wave, features), genre)
    return {
        "reconstruction": losses.reconstruction(predicted, clean),
        "velocity": losses.velocity(predicted, clean),
        "contact": losses.foot_contact(predicted * model.scale + model.mean, nodes),
    }


def train(recipe: Recipe, minutes: float | None = None, log: Any = print) -> Path:
    """Train, or go on training, and write the averaged weights.

    Args:
        recipe: what to train.
        minutes: stop by the clock after so many, with the weights as they are then.
        log: called with one line every so often.

    Returns:
        Path of the safetensors file.
    """
    torch.set_num_threads(recipe.threads)
    torch.manual_seed(recipe.seed)
    rng = np.random.default_rng(recipe.seed)
    noise = torch.Generator().manual_seed(recipe.seed)
    config = Config(**recipe.model)
    data = examples(load_dances(data_folder() / recipe.data, "train"), recipe.rates, config.genres)
    log(f"{len(data)} dances, {sum(len(e.heard) for e in data) * HOP / 22050 / 60:.0f} minutes with tempo changes")

    model = MusicToSkeleton(config)
    every = np.concatenate([np.concatenate([e.nodes, mirror(e.nodes)]) for e in data])
    model.mean.copy_(torch.from_numpy(every.mean(axis=0)))
    model.scale.copy_(torch.from_numpy(every.std(axis=0)).clamp(min=0.02))
    average = {name: value.clone() for name, value in model.state_dict().items()}
    optimiser = torch.optim.AdamW(
        model.parameters(), recipe.learning_rate, betas=(0.9, 0.99), weight_decay=recipe.weight_decay
    )
    weights = {"reconstruction": 1.0, "velocity": recipe.velocity_weight, "contact": recipe.contact_weight}

    out = Path(recipe.out)
    out.mkdir(parents=True, exist_ok=True)
    checkpoint, step = out / "checkpoint.pt", 0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        average, step = state["average"], state["step"]
        noise.set_state(state["noise"])
        torch.set_rng_state(state["torch"])
        rng.bit_generator.state = json.loads(state["rng"])
        log(f"continuing from step {step}")

    def save() -> None:
        with atomic_output(checkpoint) as part:
            torch.save(
                {
                    "model": model.state_dict(),
                    "optimiser": optimiser.state_dict(),
                    "average": average,
                    "step": step,
                    "noise": noise.get_state(),
                    "torch": torch.get_rng_state(),
                    "rng": json.dumps(rng.bit_generator.state),
                },
                part,
            )
        with atomic_output(out / "weights.safetensors") as part:
            save_file(average, part, metadata={"config": json.dumps(dataclasses.asdict(config)), "step": str(step)})

    if recipe.compile:
        model.compile()
    started = saved = time.monotonic()
    running: dict[str, float] = {}
    for batch in batches(data, recipe, len(config.genres), rng):
        if step >= recipe.steps or (minutes is not None and time.monotonic() - started > minutes * 60):
            break
        for group in optimiser.param_groups:
            group["lr"] = recipe.learning_rate * _schedule(step, recipe)
        terms = loss_terms(model, batch, noise)
        loss = torch.stack([weights[name] * value for name, value in terms.items()]).sum()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        step += 1
        decay = min(recipe.ema, (1 + step) / (10 + step))
        with torch.no_grad():
            for name, value in model.state_dict().items():
                average[name].lerp_(value, 1 - decay)
        for name, value in terms.items():
            running[name] = 0.98 * running.get(name, value.item()) + 0.02 * value.item()
        if step % 20 == 0:
            values = "  ".join(f"{name} {value:.4f}" for name, value in running.items())
            log(f"step {step}/{recipe.steps}  {values}  {time.monotonic() - started:.0f} s")
        if time.monotonic() - saved > recipe.checkpoint_minutes * 60:
            save()
            saved = time.monotonic()
    save()
    return out / "weights.safetensors"


def _schedule(step: int, recipe: Recipe) -> float:
    """Linear warm-up, a plateau, and a linear fall to zero over the last fifth of the steps.

    On the plateau a run does not know how long it will be: more steps can be asked for without starting again.
    """
    return min(1.0, (step + 1) / recipe.warmup, (recipe.steps - step) / (0.2 * recipe.steps))
