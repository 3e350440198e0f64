"""Metrics of stage 2. Each is a pure function in a file of its own and has a line in ``METRICS`` below.

Those that need a trained network are in ``networks``: they take weights that the user gives.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stgmamba.evaluation.figures import Better
from stgmamba.evaluation.video.metrics.fidelity import psnr, ssim
from stgmamba.evaluation.video.metrics.flicker import flicker
from stgmamba.evaluation.video.metrics.identity import identity_distance
from stgmamba.evaluation.video.metrics.redetection import pck
from stgmamba.evaluation.video.scenes import Scene
from stgmamba.skeleton import Skeleton


@dataclass(frozen=True)
class MethodOutput:
    """What one method made of one scene.

    Attributes:
        scene: what was asked for.
        frames: uint8 [T, H, W, 3].
        found: what the pose models see in them.
    """

    scene: Scene
    frames: NDArray[np.uint8]
    found: Skeleton


@dataclass(frozen=True)
class Metric:
    """One figure about a take; the report has its mean over the scenes.

    Attributes:
        compute: the figure, NaN where it is not defined.
        unit: for people; empty for pure numbers.
        better: which way is good.
    """

    compute: Callable[[MethodOutput], float]
    unit: str
    better: Better


METRICS: dict[str, Metric] = {
    "ssim": Metric(lambda output: ssim(output.frames, output.scene.truth), "", "higher"),
    "psnr": Metric(lambda output: psnr(output.frames, output.scene.truth), "dB", "higher"),
    "pck": Metric(lambda output: pck(output.found, output.scene.seen), "", "higher"),
    "flicker": Metric(lambda output: flicker(output.frames, output.scene.truth), "of 255", "lower"),
    "identity": Metric(
        lambda output: identity_distance(
            output.frames, output.found, output.scene.condition.picture.rgb, output.scene.seen_in_condition
        ),
        "",
        "lower",
    ),
}
