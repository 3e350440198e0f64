"""A song and one picture of somebody in, a video of that somebody dancing to that song out.

from stgmamba import DancePipeline
DancePipeline.from_pretrained().dance("song.mp3", image="me.jpg").save("out.mp4")
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from stgmamba.errors import InputError

if TYPE_CHECKING:
    from stgmamba.pipeline import DancePipeline, DanceVideo
    from stgmamba.skeleton import Skeleton

    __version__: str

__all__ = ["DancePipeline", "DanceVideo", "InputError", "Skeleton", "__version__"]

# Fetched on first use, so that importing the package (and with it `stgmamba --help`) costs nothing.
_LAZY = {"DancePipeline": "stgmamba.pipeline", "DanceVideo": "stgmamba.pipeline", "Skeleton": "stgmamba.skeleton"}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    if name == "__version__":
        from importlib.metadata import version

        return version("stgmamba")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_LAZY, "__version__"])
