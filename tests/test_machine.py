import numpy as np
import pytest

from stgmamba.machine import CAN_WATCH_MEMORY, machine, peak_resident, resident


def test_machine() -> None:
    assert machine()["processor"]
    assert machine()["cores"] >= 1


@pytest.mark.skipif(not CAN_WATCH_MEMORY, reason="the system does not tell resident memory")
def test_peak_sees_memory_that_is_given_back() -> None:
    size = 64_000_000

    def work() -> None:
        for _ in range(5):
            np.ones(size, np.uint8)

    before = resident()
    assert peak_resident(work) > before + 0.8 * size
    assert resident() < before + 0.5 * size
