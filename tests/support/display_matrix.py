"""Rotation metadata, as phones write it."""

from __future__ import annotations

import numpy as np


def with_rotation(content: bytes, degrees: int) -> bytes:
    """Put a display matrix (counterclockwise) into the track header of an mp4 (ISO 14496-12, 8.3.2)."""
    cosine, sine = round(np.cos(np.radians(degrees))), round(np.sin(np.radians(degrees)))
    matrix = [cosine << 16, -sine << 16, 0, sine << 16, cosine << 16, 0, 0, 0, 1 << 30]
    at = content.index(b"tkhd") + 4 + 40
    return content[:at] + b"".join(value.to_bytes(4, "big", signed=True) for value in matrix) + content[at + 36 :]
