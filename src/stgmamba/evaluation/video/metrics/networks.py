"""LPIPS, FID and FVD: distances in the features of trained networks, whose weights the user gives.

Weights are read as plain tensors (safetensors, or a state dict saved by torch); nothing in a file is executed, so
TorchScript is not taken.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stgmamba.arrays import Frame
from stgmamba.evaluation.video.metrics.fidelity import check_can_measure
from stgmamba.evaluation.video.metrics.weights import Embedding


@dataclass(frozen=True)
class Networks:
    """What the given weights allow to measure.

    Attributes:
        lpips: distance of frames to the true ones, or None.
        fid: features [N, 2048] of the frames of a film, or None.
        fvd: features [M, 400] of pieces of 16 frames, or None.
    """

    lpips: Callable[[Frame, Frame], float] | None = None
    fid: Embedding | None = None
    fvd: Embedding | None = None

    @property
    def embeddings(self) -> dict[str, Embedding]:
        """Those whose features are compared as distributions, over all scenes together."""
        return {name: embed for name, embed in (("fid", self.fid), ("fvd", self.fvd)) if embed is not None}


def load_networks(lpips: Path | None = None, fid: Path | None = None, fvd: Path | None = None) -> Networks:
    """Read the weights that were given.

    Raises:
        InputError: a file is missing or does not fit its network, or torchmetrics is not installed.
    """
    check_can_measure()
    from stgmamba.evaluation.video.metrics.fid import load_fid
    from stgmamba.evaluation.video.metrics.fvd import load_fvd
    from stgmamba.evaluation.video.metrics.lpips import load_lpips

    return Networks(
        None if lpips is None else load_lpips(lpips),
        None if fid is None else load_fid(fid),
        None if fvd is None else load_fvd(fvd),
    )
