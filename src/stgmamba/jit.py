"""Compiled inner loops: Numba, kept on disk, safe when several processes start at once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from filelock import FileLock
from numba.core.caching import FunctionCache

F = TypeVar("F", bound=Callable[..., Any])


class _LockedCache(FunctionCache):  # type: ignore[misc]
    """Numba's cache with one lock a folder.

    Numba reads the index of a function's compiled versions, adds its own and writes it back. Two processes that do so
    at once can leave an index that names the machine code of another signature, and every later process crashes.
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

    The machine code is kept beside the source or, where that folder cannot be written, in the user's cache; where
    neither can be, it is made anew in every process. Numba's cache watches one file only: what a compiled function
    calls must stand in the same file.

    Args:
        fastmath: what the compiler may assume of floating-point numbers, in LLVM's words: "contract", "reassoc"...
    """

    def decorate(function: F) -> F:
        compiled = numba.njit(nogil=True, fastmath=set(fastmath), error_model="numpy")(function)
        with contextlib.suppress(RuntimeError):  # Numba found no folder to keep compiled code in
            compiled._cache = _LockedCache(function)
        return cast(F, compiled)

    return decorate
