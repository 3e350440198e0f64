from __future__ import annotations

import os
import time

import numpy as np
import pytest

from stgmamba.builder.workers import Limits, run_in_workers
from stgmamba.errors import InputError


def work(item: str) -> None:
    """What a worker does with an item of this name."""
    if item == "refused":
        raise InputError("refused: it is not a video.")
    if item == "faulty":
        raise ZeroDivisionError("by nothing")
    if item == "crash":
        os.abort()
    if item == "hang":
        time.sleep(600)
    if item == "grow":
        ballast = [np.ones(2**20) for _ in range(200)]
        time.sleep(600)
        del ballast
    if item == "disk":
        raise InputError("a.tar: cannot be written (No space left on device); free some space.")


@pytest.mark.slow
def test_each_item_has_an_outcome_and_none_costs_another() -> None:
    items = ["good 1", "refused", "crash", "good 2", "faulty", "hang", "grow", "good 3"]
    outcomes = {o.item: o.reason for o in run_in_workers(work, items, 2, Limits(seconds=20, megabytes=1000))}
    assert set(outcomes) == set(items)
    assert [outcomes[f"good {i}"] for i in (1, 2, 3)] == ["", "", ""]
    assert outcomes["refused"] == "refused: it is not a video."
    assert "ZeroDivisionError" in outcomes["faulty"]
    assert "SIGABRT" in outcomes["crash"]
    assert "more than 20 s" in outcomes["hang"]
    assert "more than 1000 MB" in outcomes["grow"]


@pytest.mark.slow
def test_a_full_disk_ends_the_work() -> None:
    with pytest.raises(InputError, match="No space left on device"):
        list(run_in_workers(work, ["disk", "good"], 1, Limits()))


def test_no_items_need_no_workers() -> None:
    assert list(run_in_workers(work, [], 2, Limits())) == []
