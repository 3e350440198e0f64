"""A parallel map over threads that keeps the order of its items."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def ordered_map(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int | None = None
) -> Iterator[Result]:
    """Apply a function that releases the GIL in several threads; yields the results in the order of the items.

    At most two items per worker are pending, so memory does not grow with the number of items.

    Args:
        function: called from the worker threads.
        items: read lazily, from the caller's thread.
        workers: number of threads; by default one per core.

    Raises:
        Whatever the function raises, in place of its result.
    """
    workers = workers or os.cpu_count() or 1
    with ThreadPoolExecutor(workers) as pool:
        pending: deque[Future[Result]] = deque()
        try:
            for item in items:
                pending.append(pool.submit(function, item))
                if len(pending) >= 2 * workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            # Where the caller stops early, calls that have not started are cancelled.
            for future in pending:
                future.cancel()
