"""Training configuration: YAML files of settings, which may build on one another."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from stgmamba.errors import InputError
from stgmamba.files import parse_yaml
from stgmamba.training.weights import default_weights

_LARGEST = 1_000_000  # of a setting of a network
_COUNTS = ("steps", "batch", "warmup", "threads", "devices", "nodes")
"""Settings that count something of which there is at least one."""


@dataclass(frozen=True)
class TrainConfig:
    """Settings that the training of every network has, as read from a YAML file of the same keys.

    Attributes:
        data: data set, relative to the data folder (``STGM_DATA``).
        profile: name or file of the thresholds on the clips' scores, where the data are a data set of clips.
        init: weights to start from; empty starts from random ones.
        out: output folder.
        steps: optimizer steps; over the last fifth the learning rate falls to zero.
        batch: examples per step and process.
        learning_rate: on the plateau.
        warmup: steps over which the learning rate rises to it.
        weight_decay: of AdamW and Muon.
        ema: decay of the exponential moving average of the weights, per step.
        seed: everything random in a step follows from it, the process and the step.
        threads: of torch on a CPU.
        compile: whether torch compiles the network, which needs a C++ compiler and pays from a few hundred steps on.
        precision, accelerator, devices, nodes: those of Lightning Fabric.
        checkpoint_minutes, preview_minutes: time between checkpoints, and between pictures in tensorboard.
        loss_weights: per loss term, on top of the objective's defaults; a term of weight 0 is not computed.
        model: settings of the network's config.
    """

    data: str
    out: str
    steps: int = 4000
    batch: int = 16
    profile: str = "paper"
    init: str = ""
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
    preview_minutes: float = 15.0
    loss_weights: dict[str, float] = field(default_factory=dict)
    model: dict[str, Any] = field(default_factory=dict)

    def check(self) -> None:
        """Raise ValueError or TypeError for settings with which training would fail later or learn nonsense."""
        for setting in dataclasses.fields(self):
            value, default = getattr(self, setting.name), setting.default
            numeric = isinstance(default, float | int) and not isinstance(default, bool)
            if numeric and (isinstance(value, bool) or not isinstance(value, float | int) or not 0 <= value < math.inf):
                raise ValueError(f"{setting.name} must be a number of 0 or more, not {value!r}")
            if setting.name in _COUNTS and (value < 1 or value != int(value)):
                raise ValueError(f"{setting.name} must be a whole number of 1 or more, not {value!r}")
            if isinstance(default, bool | str) and not isinstance(value, type(default)):
                raise ValueError(f"{setting.name} must be of the kind of {default!r}, not {value!r}")
            if isinstance(default, tuple) and not (isinstance(value, tuple) and len(value)):
                raise ValueError(f"{setting.name} must be a list like {list(default)}, not {value!r}")

    def check_model(self, kind: type[Any], values: Mapping[str, Any]) -> None:
        """Raise ValueError for settings of a network that are not of the type of its configuration's defaults.

        Args:
            kind: the network's configuration, a dataclass.
            values: settings of it.
        """
        for setting in dataclasses.fields(kind):
            default, value = setting.default, values.get(setting.name, setting.default)
            if isinstance(default, bool | str) and not isinstance(value, type(default)):
                raise ValueError(f"model.{setting.name} must be of the kind of {default!r}, not {value!r}")
            if isinstance(default, bool) or not isinstance(default, int | float):
                continue
            allowed = int if isinstance(default, int) else (int, float)
            if isinstance(value, bool) or not isinstance(value, allowed) or not 0 <= value < _LARGEST:
                raise ValueError(f"model.{setting.name} must be a number like {default!r}, not {value!r}")

    def check_loss_weights(self, known: Mapping[str, float]) -> None:
        """Raise ValueError for weights of loss terms that the objective does not have."""
        unknown = self.loss_weights.keys() - known.keys()
        if unknown:
            raise ValueError(f"loss_weights of unknown terms: {', '.join(sorted(unknown))}")


C = TypeVar("C", bound=TrainConfig)


def read_config(path: str | Path, kind: type[C]) -> C:
    """Read a training configuration.

    A file may name another one as its ``base``, a path from its own folder, and say only what differs.

    Args:
        path: a YAML file.
        kind: the configuration class of the network that is trained.

    Raises:
        InputError: missing, not YAML, unknown keys, or values that do not fit.
    """
    try:
        values = _read_settings(Path(path))
        for setting in dataclasses.fields(kind):
            if isinstance(setting.default, tuple) and setting.name in values:
                values[setting.name] = tuple(map(type(setting.default[0]), values[setting.name]))
        config = kind(**values)
        config.check()
        return config
    except FileNotFoundError as error:
        raise InputError(
            f"{error.filename}: no such training configuration; the ones shipped with the project are in configs/."
        ) from None
    except (TypeError, ValueError, OSError) as error:
        raise InputError(
            f"{path}: not a training configuration ({error}); compare it with those in configs/."
        ) from error


def with_options(
    config: C, weights: str, data_setting: str, data: Path | None, profile: str | None, init: str | None
) -> C:
    """A configuration with what a user says on the command line in its place.

    Args:
        config: as it was read.
        weights: name of the network's weights in the package, which ``init`` may name as ``default``.
        data_setting: which setting names the data.
        data: folder of a data set.
        profile: of thresholds on its scores.
        init: weights to start from.
    """
    changes: dict[str, Any] = {}
    if data is not None:
        changes[data_setting] = str(data.resolve())
    if profile is not None:
        changes["profile"] = profile
    if init is not None:
        changes["init"] = str(default_weights(weights)) if init == "default" else init
    return dataclasses.replace(config, **changes)


def _read_settings(path: Path) -> dict[str, Any]:
    """Settings of a file on top of those of its base."""
    values = parse_yaml(path.read_text(encoding="utf-8"))
    if not isinstance(values, dict):
        raise ValueError("no list of settings")
    base = values.pop("base", None)
    if base is None:
        return values
    settings = _read_settings(path.parent / base)
    for name, value in values.items():
        both = isinstance(value, dict) and isinstance(settings.get(name), dict)
        settings[name] = settings[name] | value if both else value
    return settings
