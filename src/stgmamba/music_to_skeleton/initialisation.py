"""Training of stage 1 from weights that there are, also of a network that knows or hears less."""

from __future__ import annotations

import zlib
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from stgmamba.errors import InputError
from stgmamba.music_to_skeleton.registry import Network, load_network


def start_from(model: Network, path: Path) -> None:
    """Copy weights into a network.

    A style that the weights do not know begins as far from those they know as these are from one another, in a random
    direction that follows from its name: three that began at the mean of the known ones were still the same dance after
    300 steps. Music that the weights do not hear (more rhythm features, ``music_modulation``) changes nothing at first.
    Everything else, the statistics of the nodes too, is as in the weights.

    Args:
        model: of the same sizes; its styles, sources and rhythm features hold all of those of the weights.
        path: of the weights.

    Raises:
        InputError: not weights of such a network.
    """
    known = load_network(path)
    old, new = known.config, model.config
    missing = [name for name in (*old.styles, *old.sources) if name not in (*new.styles, *new.sources)]
    if missing:
        raise InputError(f"{path}: knows {', '.join(missing)}; name all its styles and sources in the model's config.")
    state = known.state_dict()
    with torch.no_grad():
        state["style.weight"] = _style_rows(state["style.weight"], old.styles, new.styles)
        if "source.weight" in state:
            state["source.weight"] = _rows(state["source.weight"], old.sources, new.sources)
        more = new.music_features - old.music_features
        if more > 0:
            state["audio.features.weight"] = F.pad(state["audio.features.weight"], (0, more))
        if new.music_modulation and not old.music_modulation:
            ours = model.state_dict()  # zeros, so that B and C are as they were
            state |= {name: ours[name] for name in ours if "music_modulation" in name}
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise InputError(f"{path}: weights of a network of other sizes ({reason}); use its configuration.") from error


def read_teacher(path: str | Path, student: Network) -> Network:
    """The network that a distillation learns from.

    Args:
        path: of its weights.
        student: the network that learns.

    Raises:
        InputError: not weights of this network, or of one whose dances the student cannot learn: of other styles, frame
            rate or noise, or normalised otherwise.
    """
    teacher = load_network(path)
    for name in ("styles", "sources", "fps", "noise_order", "temperatures"):
        theirs, ours = getattr(teacher.config, name), getattr(student.config, name)
        if theirs != ours:
            raise InputError(f"{path}: has {name} {theirs}, the network to be trained {ours}; let them be the same.")
    alike = [torch.allclose(getattr(teacher, name).cpu(), getattr(student, name).cpu()) for name in ("mean", "scale")]
    if not all(alike):
        raise InputError(f"{path}: normalises dances otherwise; begin with it, or with weights that began with it.")
    return teacher


def _style_rows(weight: Tensor, old: tuple[str, ...], new: tuple[str, ...]) -> Tensor:
    """Rows of the styles and the null class, then of the same mirrored."""
    halves = weight.chunk(2)
    return torch.cat([torch.cat([_rows(half[:-1], old, new), half[-1:]]) for half in halves])


def _rows(weight: Tensor, old: tuple[str, ...], new: tuple[str, ...]) -> Tensor:
    """A row for each new name: that of the old one of this name, or a random one of the mean and spread of all."""
    return torch.stack([weight[old.index(name)] if name in old else _random_row(weight, name) for name in new])


def _random_row(weight: Tensor, name: str) -> Tensor:
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    spread = weight.std(dim=0) if len(weight) > 1 else torch.ones_like(weight[0])
    return weight.mean(dim=0) + spread * torch.randn(weight.shape[1], generator=generator)
