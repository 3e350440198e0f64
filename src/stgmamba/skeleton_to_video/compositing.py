"""Compositing of G_r's prediction into a frame: `FrameGenerator.compose` for the CPU, in one compiled pass.

Most pixels are background far from the body or the middle of a layer, which the prediction does not change. In torch
every pixel of a large frame goes through some fifteen passes.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from stgmamba.arrays import FloatArray
from stgmamba.jit import jit


@jit("contract")
def composite(
    frame: NDArray[np.uint8], layers: FloatArray, background: FloatArray, prediction: FloatArray, scale: int
) -> None:
    """Composite a person into a frame by a network's prediction; colours 0..255.

    The result of `FrameGenerator.compose` to within one unit of a colour. The frame may end before the prediction does,
    at the right and below.

    Args:
        frame: uint8 [H, W, 3], the background already; changed in place.
        layers: float32 [H, W, 4], warped layers: colours times coverage, and coverage 0..1.
        background: float32 [H, W, 3].
        prediction: float32 [h, w, 8], the channels of `Prediction` in order.
        scale: size of the frame over that of the prediction, which is resized bilinearly.
    """
    height, width = frame.shape[:2]
    rows, columns = prediction.shape[:2]
    one = np.float32(1)
    row = np.empty((columns, 8), np.float32)  # the prediction, interpolated vertically only
    for y in range(height):
        at = max((y + 0.5) / scale - 0.5, 0.0)
        i = int(at)
        j, part = min(i + 1, rows - 1), np.float32(at - i)
        for column in range(columns):
            for k in range(8):
                row[column, k] = prediction[i, column, k] + part * (prediction[j, column, k] - prediction[i, column, k])
        for x in range(width):
            at = max((x + 0.5) / scale - 0.5, 0.0)
            i = int(at)
            j, part = min(i + 1, columns - 1), np.float32(at - i)
            alpha = min(max(layers[y, x, 3], np.float32(0)), one)
            paint = row[i, 6] + part * (row[j, 6] - row[i, 6])
            repaint = row[i, 7] + part * (row[j, 7] - row[i, 7])
            paintable = max(paint * (one - alpha), repaint)
            if paintable == 0 and (alpha == 0 or alpha == one):
                if alpha == one:
                    for k in range(3):
                        frame[y, x, k] = _rounded(layers[y, x, k])
                continue
            # Softmax relative to the first logit; logits are bounded, so nothing overflows.
            first = row[i, 0] + part * (row[j, 0] - row[i, 0])
            second = row[i, 1] + part * (row[j, 1] - row[i, 1])
            third = row[i, 2] + part * (row[j, 2] - row[i, 2])
            empty = (one - alpha) * math.exp(second - first)
            painted = paintable * math.exp(third - first)
            norm = one / (alpha + empty + painted)
            for k in range(3):
                rgb = np.float32(255) * (row[i, 3 + k] + part * (row[j, 3 + k] - row[i, 3 + k]))
                foreground, behind = layers[y, x, k], background[y, x, k]
                rgb += foreground + (one - alpha) * behind
                frame[y, x, k] = _rounded((foreground + empty * behind + painted * rgb) * norm)


@jit()
def _rounded(colour: float) -> np.uint8:
    return np.uint8(min(max(colour + np.float32(0.5), np.float32(0)), np.float32(255)))
