"""Loading of pretrained weights of published networks from files of tensors."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from stgmamba.arrays import DoubleArray, Frame
from stgmamba.errors import InputError

Embedding = Callable[[Frame], DoubleArray]
"""Frames uint8 [T, H, W, 3] to features [N, D]."""


def load_weights(network: nn.Module, path: Path, description: str, ignore: tuple[str, ...] = ()) -> None:
    """Load a file of weights into a network and set the network to inference.

    Args:
        network: the file must have all its parameters and buffers in their shapes, except for counters of batch norm.
        path: safetensors, or a state dict saved by torch. Nothing in it is executed.
        description: of the expected weights, for messages.
        ignore: prefixes of names in the file that are not loaded.

    Raises:
        InputError: missing, not such a file, or weights of another network.
    """
    given = {name: value for name, value in read_tensors(path, description).items() if not name.startswith(ignore)}
    expected = {name: value for name, value in network.state_dict().items() if not name.endswith("num_batches_tracked")}
    given = {name: value for name, value in given.items() if not name.endswith("num_batches_tracked")}
    for name, value in expected.items():
        if name not in given or given[name].shape != value.shape:
            shape = list(given[name].shape) if name in given else "nothing"
            raise InputError(f"{path}: not {description}: {name} should be {list(value.shape)} and is {shape}.")
    if unknown := sorted(set(given) - set(expected)):
        raise InputError(f"{path}: not {description}: the network has no {unknown[0]}.")
    network.load_state_dict(given, strict=False)
    network.eval().requires_grad_(False)


def read_tensors(path: Path, description: str) -> dict[str, Tensor]:
    """Read a file of named tensors; ``description`` is that of the expected weights, for messages.

    Raises:
        InputError: missing, or not such a file.
    """
    if not path.is_file():
        raise InputError(f"{path}: there is no such file; give {description}.")
    try:
        values = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
        if not isinstance(values, dict) or not all(isinstance(value, Tensor) for value in values.values()):
            raise ValueError("it is no dictionary of tensors")
    except (SafetensorError, OSError, ValueError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"{path}: neither safetensors nor a state dict of tensors ({reason[:120]}); give {description}."
        ) from error
    return values
