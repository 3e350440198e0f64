import subprocess
import sys

import pytest

from stgmamba.machine import CAN_MEASURE_MEMORY, machine


def test_machine() -> None:
    assert machine()["processor"]
    assert machine()["cores"] >= 1


# In a process of its own: what other tests left behind is given back when it pleases, and hides what is held here.
_WORK = """
import time
import numpy as np
from stgmamba.machine import peak_memory, resident_memory

def work():
    held = np.ones(64_000_000, np.uint8)
    time.sleep(0.2)  # on a busy machine the watcher looks more seldom than every millisecond
    del held

before = resident_memory()
print(peak_memory(work) - before)
"""


@pytest.mark.skipif(not CAN_MEASURE_MEMORY, reason="the system does not tell resident memory")
def test_the_peak_counts_memory_that_was_given_back() -> None:
    out = subprocess.run([sys.executable, "-c", _WORK], check=True, capture_output=True, text=True).stdout
    assert 0.8 * 64e6 < int(out) < 1.5 * 64e6
