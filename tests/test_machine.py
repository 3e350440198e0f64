import time

import numpy as np
import pytest

from stgmamba.machine import CAN_WATCH_MEMORY, machine, peak_resident, resident


def test_machine() -> None:
    assert machine()["processor"]
    assert machine()["cores"] >= 1


@pytest.mark.skipif(not CAN_WATCH_MEMORY, reason="the system does not tell resident memory")
def test_the_peak_counts_memory_that_was_given_back() -> None:
    size = 64_000_000

    def work() -> None:
        held = np.ones(size, np.uint8)
        time.sleep(0.1)  # on a busy machine the watcher looks more seldom than every millisecond
        del held

    before = resident()
    assert peak_resident(work) > before + 0.8 * size
