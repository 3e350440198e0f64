"""Weights of the networks that an evaluation compares."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from stgmamba.errors import InputError
from stgmamba.training.weights import comparison_weights


@dataclass(frozen=True)
class Comparison:
    """Networks that an evaluation compares.

    Attributes:
        weights: of our network; the default weights when not given.
        compare: whether to include the networks of the repository.
        folder: of their weights; that of the repository when not given.
        named: weights of further networks, ``NAME=FILE`` each.
    """

    weights: Path | None = None
    compare: bool = True
    folder: Path | None = None
    named: Sequence[str] = ()

    def other_weights(self, stage: str, reserved: Collection[str]) -> dict[str, Path]:
        """Weights of all networks but ours: those of the repository, and those given by the user.

        Args:
            stage: ``skeleton`` or ``video``.
            reserved: names of other methods, which are not allowed.

        Returns:
            Name -> file.

        Raises:
            InputError: a text of another form, a missing file, or a name that is used twice.
        """
        weights = comparison_weights(stage, self.folder) if self.compare else {}
        for text in self.named:
            name, _, file = text.partition("=")
            if not name or not file:
                raise InputError(f"--method {text}: write NAME=FILE, as in mine=weights.safetensors.")
            if name in weights or name in reserved:
                raise InputError(f"--method {text}: another method has this name; choose another one.")
            if not Path(file).is_file():
                raise InputError(f"--method {text}: there is no such file; check the name.")
            weights[name] = Path(file)
        return weights
