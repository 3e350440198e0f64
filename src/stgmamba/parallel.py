"""Work in several threads, results in order."""

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
    """Apply a function that releases the GIL in several threads; results come one by one in the items' order.

    At most two results a worker wait to be taken, so memory does not grow with the number of items.

    Args:
        function: called from the worker threads.
        items: read one at a time, from the caller's thread.
        workers: number of threads; by default one per core.

    Raises:
        Whatever the function raises, when its result is due.
    """
    workers = workers or os.cpu_count() or 1
    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[Future[Result]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) >= 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            # Where the caller stops early, what has not begun is not done.
            for future in waiting:
                future.cancel()
