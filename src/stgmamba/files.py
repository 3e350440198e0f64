"""Checking inputs and outputs early, and writing files so that a reader never sees half of one."""

from __future__ import annotations

import atexit
import hashlib
import itertools
import json
import os
import platform
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from stgmamba.errors import InputError

_COUNT = itertools.count()


def parse_json(text: str | bytes) -> Any:
    """Values of a JSON text. Raises ValueError where it is none, or nested deeper than can be read."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def parse_yaml(text: str) -> Any:
    """Values of a YAML text. Raises ValueError, of one line, where it is none or nested deeper than can be read."""
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = "" if mark is None else f" in line {mark.line + 1}"
        raise ValueError(f"no YAML: {getattr(error, 'problem', None) or str(error).splitlines()[0]}{line}") from error
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def check_input(path: str | Path, folder: bool = False) -> Path:
    """Refuse early an input that is missing, and make one that can be read again of one that cannot.

    Args:
        path: the file that will be read; ``-`` is the standard input.
        folder: whether it may be a folder.

    Returns:
        ``path``; of a pipe or the standard input the name of a copy, which is there until the process ends.

    Raises:
        InputError: there is no such file, or it is a folder, a device or an empty pipe.
    """
    path = Path(path)
    if str(path) == "-":
        return _copy_of_pipe(path)
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"{path}: there is no such file; check the name.") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the name and its permissions.") from error
    if stat.S_ISDIR(mode):
        if not folder:
            raise InputError(f"{path}: this is a folder; name a file in it.")
    elif stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        return _copy_of_pipe(path)
    elif not stat.S_ISREG(mode):
        raise InputError(f"{path}: this is a device, not a file; name a file.")
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
        InputError: wrong ending, a name too long, a missing folder, a folder or device in the file's place, no
            permission, or one of the inputs.
    """
    path = Path(path)
    if suffixes and path.suffix.lower() not in suffixes:
        endings = " or ".join(suffixes)
        try:
            better = f"; try {path.with_suffix(suffixes[0]).name}" if path.name else ""
        except ValueError:  # a name of dots only
            better = ""
        raise InputError(f"{path}: the output's name must end in {endings}{better}.")
    try:
        target = path.resolve()  # an output that is a symbolic link is written where it points to
        folder = target.parent
        if target.is_dir():
            raise InputError(f"{path}: this is a folder; name a file in it.")
        if target.exists() and not target.is_file():
            raise InputError(f"{path}: this is a device or a pipe, not a file; name a file.")
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{path}: {path.parent} is a file, not a folder; choose another place.")
        if not folder.exists():
            raise InputError(f"{path}: the folder {path.parent} does not exist; create it or choose another place.")
    except (OSError, RuntimeError) as error:  # a name of too many bytes, links in a circle
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: cannot be a file's name ({reason}); choose another.") from error
    if not os.access(folder, os.W_OK):
        raise InputError(f"{path}: no permission to write in {path.parent}; choose another place.")
    for source in inputs:
        if source is not None and target.exists() and Path(source).exists() and target.samefile(source):
            raise InputError(f"{path}: this is what the output is to be made from; give the output another name.")
    return path


def check_can_write_video(
    path: str | Path, transparent: bool = False, inputs: tuple[str | Path | None, ...] = ()
) -> Path:
    """Refuse early a video that cannot be written: an .mp4, or a .mov where its background is transparent.

    Args:
        path: the file that will be written.
        transparent: whether frames have an alpha channel, which H.264 in an mp4 does not keep.
        inputs: files that it is made from, which it may not replace.

    Raises:
        InputError: wrong ending, or as of `check_can_write`.
    """
    path = Path(path)
    if transparent and path.suffix.lower() == ".mp4":
        better = path.with_suffix(".mov").name
        raise InputError(
            f"{path}: an mp4 keeps no transparent background; name a .mov (ProRes 4444), such as {better}."
        )
    return check_can_write(path, (".mov" if transparent else ".mp4",), inputs)


@contextmanager
def atomic_output(path: str | Path) -> Iterator[Path]:
    """Give a temporary name beside ``path`` to write to, renamed to ``path`` only when the block succeeds.

    The temporary name keeps the ending of ``path``, because writers choose their format by it.
    Whatever stops the block (an error, Ctrl-C) removes the temporary file and leaves an older ``path`` as it was. What
    a killed process left behind for the same ``path`` is removed by the next that writes it.

    Raises:
        InputError: the disk is full or the file cannot be written.
    """
    path = Path(path)
    target = path.resolve()
    # Short, so that a name of 255 bytes still has one; of the machine too, since folders are shared.
    stem = hashlib.sha256(f"{platform.node()}/{target.name}".encode(errors="surrogateescape")).hexdigest()[:12]
    part = target.with_name(f".{stem}.{os.getpid()}-{next(_COUNT)}.part{target.suffix}")
    try:
        _remove_left_behind(target.parent, stem)
        yield part
        part.replace(target)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written ({error.strerror or error}); free some space or choose another place."
        ) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _remove_left_behind(folder: Path, stem: str) -> None:
    """Remove temporary files of processes of this machine that are gone."""
    for part in folder.glob(f".{stem}.*.part*"):
        writer = re.match(r"\.\w+\.(\d+)-", part.name)
        if writer and not _is_running(int(writer.group(1))):
            with suppress(OSError):
                part.unlink()


def _is_running(process: int) -> bool:
    if os.name == "nt":
        return process == os.getpid()  # a file that is open cannot be removed there
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True


def _copy_of_pipe(path: Path) -> Path:
    """Copy all that comes out of a pipe into a temporary file."""
    folder = Path(tempfile.mkdtemp(prefix="stgmamba-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    copy = folder / "standard input"
    try:
        with sys.stdin.buffer if str(path) == "-" else path.open("rb") as source, copy.open("wb") as output:
            shutil.copyfileobj(source, output)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}); give a file.") from error
    if copy.stat().st_size == 0:
        raise InputError(f"{path}: nothing came out of this pipe; give a file.")
    return copy
