"""Just-in-time compilation by Numba, with a disk cache that is safe for concurrent processes."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from filelock import FileLock
from numba.core.caching import FunctionCache


def _private_temporary_folder() -> str:
    """A folder for temporary files that nobody else can write to: what Numba finds in its cache it executes."""
    if not hasattr(os, "getuid"):  # Windows, whose folder of temporary files is the user's own
        return str(Path(tempfile.gettempdir()) / "stgmamba-numba")
    folder = Path(tempfile.gettempdir()) / f"stgmamba-numba-{os.getuid()}"
    with contextlib.suppress(OSError):
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
        if stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o077:
            return str(folder)
    return tempfile.mkdtemp(prefix="stgmamba-numba-")


def _ensure_cache_folder() -> None:
    """Let Numba cache in a temporary folder where neither the installation nor the user's home can be written.

    Libraries that ask for a cache fail on import without one. Where there is no folder for temporary files either,
    nothing is changed.
    """
    try:
        FunctionCache(_ensure_cache_folder)
    except RuntimeError:
        with contextlib.suppress(OSError):
            numba.config.CACHE_DIR = _private_temporary_folder()


_ensure_cache_folder()

F = TypeVar("F", bound=Callable[..., Any])


class _LockedCache(FunctionCache):  # type: ignore[misc]
    """Numba's disk cache with one file lock per folder.

    Numba reads the index of a function's compiled signatures, adds one and writes the index back. Two processes that do
    so at once can leave an index that refers to the machine code of another signature, and later processes crash.
    """

    def _lock(self) -> FileLock:
        folder = Path(self.cache_path)
        folder.mkdir(parents=True, exist_ok=True)
        return FileLock(folder / "numba.lock")

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            with self._lock():
                return super().load_overload(sig, target_context)
        except Exception:  # damaged, or of modules that have moved: pickles fail in too many ways to list
            with contextlib.suppress(OSError), self._lock():
                self.flush()
            return None  # compiled anew

    def save_overload(self, sig: Any, data: Any) -> None:
        with contextlib.suppress(OSError), self._lock():  # a full disk: compiled anew in the next process
            super().save_overload(sig, data)


def jit(*fastmath: str) -> Callable[[F], F]:
    """Return a decorator that compiles a function on first use, without the GIL, once per machine.

    The machine code is cached beside the source or, where that folder is not writable, in the user's cache folder, and
    where that is not either, with the temporary files; where nothing can be written, every process compiles anew. Numba
    invalidates the cache by the time stamp of one source file, so a compiled function and the compiled functions it
    calls must be in the same file.

    Args:
        fastmath: LLVM's fast-math flags: "contract", "reassoc", "nsz"...
    """

    def decorate(function: F) -> F:
        compiled = numba.njit(nogil=True, fastmath=set(fastmath), error_model="numpy")(function)
        with contextlib.suppress(RuntimeError):  # there is no writable folder for the cache
            compiled._cache = _LockedCache(function)
        return cast(F, compiled)

    return decorate
