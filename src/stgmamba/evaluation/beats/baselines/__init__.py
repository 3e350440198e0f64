"""Beat trackers that ours is compared with, one file each, and their registry.

To add one: a file with a function from samples at SAMPLE_RATE to ``Tracked``, and a line in ``BASELINES``. Those of
packages that are not installed are left out of the table.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass

from stgmamba.arrays import DoubleArray, FloatArray
from stgmamba.evaluation.beats.baselines.ellis import ellis
from stgmamba.evaluation.beats.baselines.librosa import librosa_beats
from stgmamba.evaluation.beats.baselines.madmom import madmom_beats


@dataclass(frozen=True)
class Baseline:
    """A beat tracker.

    Attributes:
        track: samples [N], mono at SAMPLE_RATE -> beats [K] and, or None, downbeats [D], seconds.
        package: which it needs; empty for none beyond ours.
    """

    track: Callable[[FloatArray], tuple[DoubleArray, DoubleArray | None]]
    package: str = ""

    @property
    def installed(self) -> bool:
        """Whether its package can be imported."""
        return not self.package or importlib.util.find_spec(self.package) is not None


BASELINES = {
    "ellis": Baseline(lambda samples: (ellis(samples), None)),
    "librosa": Baseline(librosa_beats, "librosa"),
    "madmom": Baseline(madmom_beats, "madmom"),
}
