import itertools
import threading
from collections.abc import Iterator

import pytest

from stgmamba.parallel import ordered_map


def test_results_come_in_order_however_long_each_takes() -> None:
    gate = threading.Event()

    def slow_first(i: int) -> int:
        if i == 0:
            gate.wait(5)
        elif i == 1:
            gate.set()
        return i * i

    assert list(ordered_map(slow_first, range(20), workers=3)) == [i * i for i in range(20)]


def test_endless_items_are_read_only_a_little_ahead() -> None:
    read = []

    def items() -> Iterator[int]:
        for i in itertools.count():
            read.append(i)
            yield i

    results = ordered_map(lambda i: i, items(), workers=2)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    assert len(read) <= 8
    results.close()


def test_an_error_reaches_the_caller() -> None:
    def fail(i: int) -> int:
        if i == 4:
            raise ValueError("four")
        return i

    results = ordered_map(fail, range(10), workers=2)
    with pytest.raises(ValueError, match="four"):
        list(results)
