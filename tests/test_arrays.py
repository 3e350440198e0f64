"""Tests of arrays that lie on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stgmamba.arrays import ArrayFile

ARRAYS = hnp.arrays(
    st.sampled_from([np.float32, np.uint8, np.float64]), hnp.array_shapes(min_dims=1, max_dims=3, min_side=0)
)


@given(st.lists(ARRAYS, max_size=5))
def test_arrays_come_back_as_they_were(arrays: list[np.ndarray]) -> None:
    file = ArrayFile()
    assert [file.add(each) for each in arrays] == list(range(len(arrays)))
    for found, array in zip(file.arrays(), arrays, strict=True):
        assert found.dtype == array.dtype
        np.testing.assert_array_equal(found, array)


def test_no_file_is_seen_and_writing_changes_nothing_on_disk(tmp_path: Path) -> None:
    file = ArrayFile(tmp_path)
    file.add(np.arange(5.0)[::2])
    (first,) = file.arrays()
    first += 1
    np.testing.assert_array_equal(first, [1, 3, 5])
    np.testing.assert_array_equal(file.arrays()[0], [0, 2, 4])
    assert list(tmp_path.iterdir()) == []
