"""Pickle files that hold arrays, from other people, read without running anything they say.

A pickle is a program: it may name any function and call it. This reader knows dictionaries, lists, numbers, strings
and the parts of which numpy puts arrays together, and refuses every other name before it is called.
"""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from stgmamba.errors import InputError


def _encode(text: str, encoding: str) -> bytes:
    """Bytes of an array in a pickle of protocol 2 or less, which writes them as text."""
    return text.encode(encoding)


_ALLOWED = {
    ("_codecs", "encode"): _encode,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): np.core.multiarray._reconstruct,  # type: ignore[attr-defined]
    ("numpy._core.multiarray", "_reconstruct"): np.core.multiarray._reconstruct,  # type: ignore[attr-defined]
    ("numpy.core.multiarray", "scalar"): np.core.multiarray.scalar,  # type: ignore[attr-defined]
    ("numpy._core.multiarray", "scalar"): np.core.multiarray.scalar,  # type: ignore[attr-defined]
}


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """The object of a name that may be used; any other is an error."""
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no array needs") from None


def read_array_pickle(path: Path) -> dict[str, Any]:
    """The dictionary of a pickle file, its arrays of numbers.

    Raises:
        InputError: not a pickle, one that asks for anything but arrays, or not a dictionary.
    """
    try:
        found = _ArrayUnpickler(io.BytesIO(path.read_bytes()), encoding="latin1").load()
    except Exception as error:  # a broken pickle raises nearly anything
        raise InputError(f"{path}: not a file of arrays ({error}); download it again.") from error
    if not isinstance(found, dict) or any(isinstance(v, np.ndarray) and v.dtype.hasobject for v in found.values()):
        raise InputError(f"{path}: not a dictionary of arrays of numbers; download it again.")
    return found
