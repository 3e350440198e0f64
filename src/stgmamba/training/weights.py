"""Weights of our networks: safetensors files whose metadata hold the network's config as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from safetensors import SafetensorError, safe_open
from torch import nn

from stgmamba.errors import InputError

Network = TypeVar("Network", bound=nn.Module)


def read_network(path: Path, build: Callable[[dict[str, Any]], Network]) -> Network:
    """The network of a weights file, ready for use.

    Args:
        path: written by `stgmamba.training.loop`; of any floating-point precision.
        build: makes an untrained network from the config's values.

    Raises:
        InputError: no such file, or not weights of this network.
    """
    try:
        with safe_open(path, framework="pt") as file:
            network = build(json.loads((file.metadata() or {})["config"]))
            network.load_state_dict({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118 (not a dict)
    except FileNotFoundError:
        raise InputError(f"{path}: no such weights file; leave the option out to use those in the package.") from None
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError, OSError) as error:
        raise InputError(
            f"{path}: not weights of this network ({str(error).splitlines()[0]}); train them again."
        ) from error
    return network.eval()
