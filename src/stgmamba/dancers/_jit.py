"""Numba with types kept: the decorator of all the kernels in this folder."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numba

Kernel = TypeVar("Kernel", bound=Callable[..., object])


def jit(function: Kernel) -> Kernel:
    """Compile on first call, once per machine (the result is cached on disk)."""
    return cast(
        Kernel,
        numba.njit(cache=True, nogil=True, fastmath={"contract", "arcp", "nsz", "reassoc"}, error_model="numpy")(
            function
        ),
    )
