"""Compositing of G_r's prediction into a frame: `FrameGenerator.compose` for the CPU, in one compiled pass.

The prediction changes neither the background away from the body nor the inner pixels of layers, which are most of a
frame. In torch every pixel of a large frame would pass through about fifteen operations.
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
    """Composite a person into a frame, given the network's prediction; colours 0..255.

    Equal to `FrameGenerator.compose` to within one unit of colour. The frame may be smaller than the upscaled
    prediction, whose right and lower parts are then unused.

    Args:
        frame: uint8 [H, W, 3], initially the background; changed in place.
        layers: float32 [H, W, 4], warped layers: colours times coverage, and coverage 0..1.
        background: float32 [H, W, 3].
        prediction: float32 [h, w, 8], the channels of `Prediction` in order.
        scale: upscaling factor of the prediction, bilinear; H <= scale h, W <= scale w.
    """
    height, width = frame.shape[:2]
    rows, columns = prediction.shape[:2]
    one = np.float32(1)
    row = np.empty((columns, 8), np.float32)  # the prediction, interpolated vertically
    for y in range(height):
        position = max((y + 0.5) / scale - 0.5, 0.0)
        i = int(position)
        j, part = min(i + 1, rows - 1), np.float32(position - i)
        for column in range(columns):
            for k in range(8):
                row[column, k] = prediction[i, column, k] + part * (prediction[j, column, k] - prediction[i, column, k])
        for x in range(width):
            position = max((x + 0.5) / scale - 0.5, 0.0)
            i = int(position)
            j, part = min(i + 1, columns - 1), np.float32(position - i)
            alpha = min(max(layers[y, x, 3], np.float32(0)), one)
            paint_mask = row[i, 6] + part * (row[j, 6] - row[i, 6])
            seam_mask = row[i, 7] + part * (row[j, 7] - row[i, 7])
            paintable = max(paint_mask * (one - alpha), seam_mask)
            if paintable == 0 and (alpha == 0 or alpha == one):
                if alpha == one:
                    for k in range(3):
                        frame[y, x, k] = _rounded(layers[y, x, k])
                continue
            # Softmax relative to the first logit; logits are bounded, so the exponentials do not overflow.
            first = row[i, 0] + part * (row[j, 0] - row[i, 0])
            second = row[i, 1] + part * (row[j, 1] - row[i, 1])
            third = row[i, 2] + part * (row[j, 2] - row[i, 2])
            empty = (one - alpha) * math.exp(second - first)
            painted = paintable * math.exp(third - first)
            norm = one / (alpha + empty + painted)
            for k in range(3):
                rgb = np.float32(255) * (row[i, 3 + k] + part * (row[j, 3 + k] - row[i, 3 + k]))
                layer, back = layers[y, x, k], background[y, x, k]
                rgb += layer + (one - alpha) * back
                frame[y, x, k] = _rounded((layer + empty * back + painted * rgb) * norm)


@jit()
def _rounded(colour: float) -> np.uint8:
    return np.uint8(min(max(colour + np.float32(0.5), np.float32(0)), np.float32(255)))
