"""Progress of long work: a callback inside the library, a reporter per stage, bars on the terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.progress import Progress as Bars

Progress = Callable[[int, int | None], None]
"""Called as progress(done, total), at any rate, in any unit; total is None where it is not known."""

TITLES = {
    "song": "Decoding the song",
    "subject": "Finding the person",
    "model": "Loading the model",
    "skeleton": "Generating the dance",
    "video": "Rendering the video",
    "pose": "Estimating the pose",
    "examples": "Making training pairs",
    "songs": "Composing songs",
    "train": "Training",
    "evaluate": "Evaluating",
    "benchmark": "Measuring",
    "sources": "Reading the sources",
    "videos": "Analysing the videos",
    "shards": "Writing the data set",
    "page": "Drawing the page",
}
"""Stages of work, and what the terminal calls them."""


class Reporter(Protocol):
    """What long work of several stages reports to: the terminal, a Studio, nobody."""

    def stage(self, name: str) -> AbstractContextManager[Progress]:
        """One stage, a key of `TITLES`, for as long as the block lasts; what it yields is called with the progress."""
        ...

    def say(self, sentence: str) -> None:
        """A sentence about what is done."""
        ...

    def warn(self, sentence: str) -> None:
        """A sentence that the user should read."""
        ...


class Silent:
    """A reporter that discards everything."""

    @contextmanager
    def stage(self, name: str) -> Iterator[Progress]:
        """Nothing is shown."""
        yield lambda done, total: None

    def say(self, sentence: str) -> None:
        """Nothing is shown."""

    def warn(self, sentence: str) -> None:
        """Nothing is shown."""


class Terminal:
    """Bars with the time left on stderr, and one line per warning, for as long as the block lasts.

    Where stderr is not a terminal only the warnings are written.

    Attributes:
        seconds: duration of each finished stage.
        warnings: all that was warned of.
    """

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._bars: Bars = Progress(
            TextColumn("{task.description:<21}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self.seconds: dict[str, float] = {}
        self.warnings: list[str] = []

    def __enter__(self) -> Terminal:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    @contextmanager
    def stage(self, name: str) -> Iterator[Progress]:
        """One bar; what is yielded moves it. The duration is kept in ``seconds[name]``."""
        task = self._bars.add_task(TITLES[name], total=None)
        start = time.perf_counter()
        yield lambda done, total: self._bars.update(task, completed=done, total=total)
        self.seconds[name] = time.perf_counter() - start
        self._bars.update(task, completed=1, total=1)

    def say(self, sentence: str) -> None:
        """Write one line that does not disturb the bars."""
        self._console.print(sentence, markup=False)

    def warn(self, sentence: str) -> None:
        """As ``say``, and kept in ``warnings``."""
        self.warnings.append(sentence)
        self._console.print(sentence, markup=False, style="yellow")
