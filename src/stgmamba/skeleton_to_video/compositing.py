"""G_r's answer laid over a frame: `FrameGenerator.compose` for the CPU, in one pass and only where it matters.

Most pixels are the background far from the body or the middle of a sheet, and there the answer has no say. In torch
every pixel of a large frame goes through some fifteen passes.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from stgmamba.jit import jit

FloatArray = NDArray[np.float32]


@jit("contract")
def composite(
    frame: NDArray[np.uint8], layer: FloatArray, background: FloatArray, answer: FloatArray, times: int
) -> None:
    """Draw a person over a frame as a network's answer means it; colours 0..255.

    What `FrameGenerator.compose` makes of the same, rounded: to one unit of a colour. The frame may end before the
    answer does, at the right and below.

    Args:
        frame: uint8 [H, W, 3], the background already; changed in place.
        layer: float32 [H, W, 4], the warped sheets: colours times coverage, and coverage 0..1.
        background: float32 [H, W, 3].
        answer: float32 [h, w, 8], logits, own colours (0..1), nearness and seams, as `Answer` has them.
        times: how many times larger its pixels are than the frame's; it is enlarged bilinearly.
    """
    height, width = frame.shape[:2]
    rows, columns = answer.shape[:2]
    one = np.float32(1)
    line = np.empty((columns, 8), np.float32)  # the answer, enlarged downwards only
    for y in range(height):
        at = max((y + 0.5) / times - 0.5, 0.0)
        i = int(at)
        j, part = min(i + 1, rows - 1), np.float32(at - i)
        for column in range(columns):
            for k in range(8):
                line[column, k] = answer[i, column, k] + part * (answer[j, column, k] - answer[i, column, k])
        for x in range(width):
            at = max((x + 0.5) / times - 0.5, 0.0)
            i = int(at)
            j, part = min(i + 1, columns - 1), np.float32(at - i)
            alpha = min(max(layer[y, x, 3], np.float32(0)), one)
            near = line[i, 6] + part * (line[j, 6] - line[i, 6])
            seam = line[i, 7] + part * (line[j, 7] - line[i, 7])
            free = max(near * (one - alpha), seam)
            if free == 0 and (alpha == 0 or alpha == one):
                if alpha == one:
                    for k in range(3):
                        frame[y, x, k] = _rounded(layer[y, x, k])
                continue
            # The softmax over its first logit, which counts as 0: logits are bounded, so nothing overflows.
            first = line[i, 0] + part * (line[j, 0] - line[i, 0])
            second = line[i, 1] + part * (line[j, 1] - line[i, 1])
            third = line[i, 2] + part * (line[j, 2] - line[i, 2])
            empty = (one - alpha) * math.exp(second - first)
            mine = free * math.exp(third - first)
            scale = one / (alpha + empty + mine)
            for k in range(3):
                own = np.float32(255) * (line[i, 3 + k] + part * (line[j, 3 + k] - line[i, 3 + k]))
                sheet, behind = layer[y, x, k], background[y, x, k]
                own += sheet + (one - alpha) * behind
                frame[y, x, k] = _rounded((sheet + empty * behind + mine * own) * scale)


@jit()
def _rounded(colour: float) -> np.uint8:
    return np.uint8(min(max(colour + np.float32(0.5), np.float32(0)), np.float32(255)))
