"""LPIPS, FID and FVD: distances of features of pretrained networks, whose weights the user provides.

Weights are read as tensors (safetensors, or a state dict saved by torch). Nothing in a file is executed, so TorchScript
is not supported.
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
    """Functions of the networks whose weights are given.

    Attributes:
        lpips: distance of frames to the ground truth, or None.
        fid: features [T, 2048] of frames, or None.
        fvd: features [T // 16, 400] of clips of 16 frames, or None.
    """

    lpips: Callable[[Frame, Frame], float] | None = None
    fid: Embedding | None = None
    fvd: Embedding | None = None

    @property
    def embeddings(self) -> dict[str, Embedding]:
        """The functions whose features are compared as distributions over all scenes."""
        return {name: embed for name, embed in (("fid", self.fid), ("fvd", self.fvd)) if embed is not None}


def load_networks(lpips: Path | None = None, fid: Path | None = None, fvd: Path | None = None) -> Networks:
    """Load the networks whose weights are given.

    Raises:
        InputError: a file is missing or not of its network, or torchmetrics is not installed.
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
