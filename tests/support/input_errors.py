"""Reading what may be damaged: it is read, or refused in one sentence that names the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from stgmamba.errors import InputError

Result = TypeVar("Result")


def read_or_refused(read: Callable[[Path], Result], path: Path) -> Result | None:
    """What ``read`` returns for the file, or None where it raises an InputError whose message is as it must be."""
    try:
        return read(path)
    except InputError as error:
        message = str(error)
    assert message.startswith(f"{path}: ")
    assert message.endswith(".")
    assert "\n" not in message
    return None
