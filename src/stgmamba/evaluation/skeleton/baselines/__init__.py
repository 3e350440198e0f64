"""Baselines of stage 1, one file each, and their registry.

To add a baseline: a file with a function from the real dances of the training songs to a ``Baseline``, and a line in
``BASELINES``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from stgmamba.datasets.tang2018 import Dance
from stgmamba.evaluation.skeleton.baselines.mean_pose import mean_pose
from stgmamba.evaluation.skeleton.baselines.other_song import other_song
from stgmamba.evaluation.skeleton.baselines.retrieval import retrieval
from stgmamba.evaluation.skeleton.baselines.shifted import shifted
from stgmamba.skeleton import Skeleton

Baseline = Callable[[Dance, int], Skeleton]
"""Called as method(song, seed), returns a dance of the song's length, 3-D, OPENPOSE_18_FEET.

The song is a ``Dance``, which includes its real dance; only ``shifted`` may use that.
"""

BASELINES: dict[str, Callable[[Sequence[Dance]], Baseline]] = {
    "mean_pose": mean_pose,
    "other_song": other_song,
    "retrieval": retrieval,
    "shifted": shifted,
}
