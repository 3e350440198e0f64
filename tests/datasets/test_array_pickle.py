from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from stgmamba.datasets.array_pickle import read_array_pickle
from stgmamba.errors import InputError


class Harmful:
    """What a pickle of somebody else might do when it is opened."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_arrays_and_numbers_are_read(tmp_path: Path, protocol: int) -> None:
    values = {"joints": np.arange(12.0).reshape(2, 2, 3), "fps": np.float64(60), "name": "dance", "list": [1, 2.5]}
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps(values, protocol))
    found = read_array_pickle(path)
    np.testing.assert_array_equal(found.pop("joints"), values.pop("joints"))
    assert found == values


def test_nothing_else_is_built(tmp_path: Path) -> None:
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps({"joints": Harmful(tmp_path / "harm")}))
    with pytest.raises(InputError, match="mkdir, which no array needs"):
        read_array_pickle(path)
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize("content", [b"", b"text", pickle.dumps([1]), pickle.dumps({"a": np.array([None])})])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.pkl"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.pkl: not a"):
        read_array_pickle(path)
