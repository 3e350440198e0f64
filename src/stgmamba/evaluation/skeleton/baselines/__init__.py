"""What our dances are compared with, one file each, and the registry.

To add a baseline: write one file with a function that takes the real dances of the training songs and returns a
``Baseline``, then one line in ``BASELINES``.
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
"""Called as method(song, seed): a dance of the song's length, 3-D, OPENPOSE_18_FEET.

The song comes as a ``Dance``, with its real dance in it; only ``shifted`` may look at that.
"""

BASELINES: dict[str, Callable[[Sequence[Dance]], Baseline]] = {
    "mean_pose": mean_pose,
    "other_song": other_song,
    "retrieval": retrieval,
    "shifted": shifted,
}
