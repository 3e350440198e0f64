"""Metrics of stage 2, a pure function in a file each, and their registry.

Metrics that need a trained network, whose weights the user provides, are in ``networks``.
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
    """The frames of one method for one scene.

    Attributes:
        scene: the scene.
        frames: uint8 [T, H, W, 3].
        detected: poses detected in the frames, T frames.
    """

    scene: Scene
    frames: NDArray[np.uint8]
    detected: Skeleton


@dataclass(frozen=True)
class Metric:
    """A metric of one scene; reports have its mean over the scenes.

    Attributes:
        compute: its value; NaN where it is not defined.
        unit: for reports; empty for dimensionless values.
        better: which values are good.
    """

    compute: Callable[[MethodOutput], float]
    unit: str
    better: Better


METRICS: dict[str, Metric] = {
    "ssim": Metric(lambda output: ssim(output.frames, output.scene.truth), "", "higher"),
    "psnr": Metric(lambda output: psnr(output.frames, output.scene.truth), "dB", "higher"),
    "pck": Metric(lambda output: pck(output.detected, output.scene.detected), "", "higher"),
    "flicker": Metric(lambda output: flicker(output.frames, output.scene.truth), "of 255", "lower"),
    "identity": Metric(
        lambda output: identity_distance(
            output.frames,
            output.detected,
            output.scene.condition.picture.rgb,
            output.scene.detected_in_condition,
        ),
        "",
        "lower",
    ),
}
