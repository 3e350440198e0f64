"""Weights of our networks: safetensors files whose metadata hold the network's config as JSON."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from stgmamba.errors import InputError
from stgmamba.files import atomic_output, parse_json

Network = TypeVar("Network", bound=nn.Module)


def save_weights(path: Path, tensors: Mapping[str, Tensor], config: Any, **metadata: str) -> Path:
    """Write a weights file: the same weights, the same bytes.

    Args:
        path: of the file.
        tensors: by their names.
        config: the network's, a dataclass or a dictionary of what JSON knows.
        metadata: more, as text.
    """
    values = config if isinstance(config, dict) else dataclasses.asdict(config)
    content = save(
        {name: value.detach().contiguous().cpu() for name, value in tensors.items()},
        {"config": json.dumps(values), **metadata},
    )
    # The library writes metadata in an order that differs from process to process.
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # tensors are aligned
    with atomic_output(path) as part, part.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.write(memoryview(content)[8 + length :])
    return path


def default_weights(name: str) -> Path:
    """The weights file of a network that comes with the package.

    Args:
        name: of the network: ``music_to_skeleton``, ``music_to_skeleton_flow`` (its teacher, which training goes on
            from), ``skeleton_to_video``.

    Raises:
        InputError: this copy of the package holds none, or they are not what was released (``SHA256SUMS``).
    """
    folder = Path(str(resources.files("stgmamba"))) / "weights"
    path = folder / f"{name}.safetensors"
    if not path.exists():
        raise InputError(
            f"{path}: this copy of stgmamba lacks these weights; install it again, "
            "or train some (docs/training.md) and put them there."
        )
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if f"{digest}  {path.name}" not in (folder / "SHA256SUMS").read_text(encoding="utf-8").splitlines():
        raise InputError(f"{path}: these weights are damaged or were changed; install stgmamba again.")
    return path


def comparison_weights(stage: str, folder: Path | None = None) -> dict[str, Path]:
    """Weights of the networks that ours is compared with; they lie in the repository, not in the installed package.

    Args:
        stage: ``skeleton`` or ``video``.
        folder: holds one .safetensors file per network; by default ``compared/<stage>`` of the repository, where the
            package runs from one.

    Returns:
        Name (the file's) -> path; empty where there are none.

    Raises:
        InputError: ``folder`` is given and there is no such folder.
    """
    if folder is not None and not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder; name one of .safetensors files, or leave it out.")
    folder = folder or Path(__file__).resolve().parents[3] / "compared" / stage
    return {path.stem: path for path in sorted(folder.glob("*.safetensors"))}


def is_pickle(path: Path) -> bool:
    """Whether a file is what ``torch.save`` or ``pickle`` write: a pickle, or a zip archive of them."""
    try:
        with path.open("rb") as file:
            start = file.read(9)
    except OSError:
        return False
    # A safetensors file begins with the length of its header, which may have the same lowest byte, and its header's {.
    return (start[:1] == b"\x80" and start[8:] != b"{") or start[:4] == b"PK\x03\x04"


def read_network(path: Path, build: Callable[[dict[str, Any]], Network]) -> Network:
    """The network of a weights file, in evaluation mode.

    Args:
        path: written by `stgmamba.training`; of any floating-point precision.
        build: makes an untrained network from the config's values.

    Raises:
        InputError: no such file, or not weights of this network.
    """
    if is_pickle(path):
        raise InputError(
            f"{path}: this is a pickled file (.pt, .pth, .ckpt), which can run any program when it is read; "
            "use weights in safetensors."
        )
    try:
        with safe_open(path, framework="pt") as file:
            network = build(parse_json((file.metadata() or {})["config"]))
            network.load_state_dict({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118 (not a dict)
    except FileNotFoundError:
        raise InputError(f"{path}: no such weights file; leave the option out to use those in the package.") from None
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError, OSError) as error:
        raise InputError(
            f"{path}: not weights of this network ({str(error).splitlines()[0]}); train them again."
        ) from error
    return network.eval()
