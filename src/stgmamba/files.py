"""Checking inputs and outputs early, and writing files so that a reader never sees half of one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stgmamba.errors import InputError


def check_input(path: str | Path, folder: bool = False) -> Path:
    """Refuse early an input that is missing.

    Args:
        path: the file that will be read.
        folder: whether it may be a folder.

    Raises:
        InputError: there is no such file, or it is a folder.
    """
    path = Path(path)
    if path.is_dir() and not folder:
        raise InputError(f"{path}: this is a folder; name a file in it.")
    if not path.exists():
        raise InputError(f"{path}: there is no such file; check the name.")
    return path


def check_can_write(
    path: str | Path, suffixes: tuple[str, ...] = (), inputs: tuple[str | Path | None, ...] = ()
) -> Path:
    """Refuse early an output that cannot be written, before any long work is done for it.

    Args:
        path: the file that will be written.
        suffixes: accepted endings with their dot, lower case; empty accepts any.
        inputs: files that it is made from, which it may not replace.

    Raises:
        InputError: wrong ending, missing folder, folder in the file's place, no permission, or one of the inputs.
    """
    path = Path(path)
    if suffixes and path.suffix.lower() not in suffixes:
        wanted = " or ".join(suffixes)
        raise InputError(f"{path}: the output's name must end in {wanted}; try {path.with_suffix(suffixes[0]).name}.")
    if path.is_dir():
        raise InputError(f"{path}: this is a folder; name a file in it.")
    folder = path.parent
    if not folder.is_dir():
        raise InputError(f"{path}: the folder {folder} does not exist; create it or choose another place.")
    if not os.access(folder, os.W_OK):
        raise InputError(f"{path}: no permission to write in {folder}; choose another place.")
    for source in inputs:
        if source is not None and path.exists() and Path(source).exists() and path.samefile(source):
            raise InputError(f"{path}: this is what the output is to be made from; give the output another name.")
    return path


@contextmanager
def atomic_output(path: str | Path) -> Iterator[Path]:
    """Give a temporary name beside ``path`` to write to, renamed to ``path`` only when the block succeeds.

    The temporary name keeps the ending of ``path``, because writers choose their format by it.
    Whatever stops the block (an error, Ctrl-C) removes the temporary file and leaves an older ``path`` as it was.

    Raises:
        InputError: the disk is full or the file cannot be written.
    """
    path = Path(path)
    part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        yield part
        part.replace(path)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written ({error.strerror or error}); free some space or choose another place."
        ) from error
    finally:
        part.unlink(missing_ok=True)
