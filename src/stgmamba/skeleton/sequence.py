"""The one representation between music and picture: a sequence of skeletons."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from scipy.interpolate import CubicSpline

from stgmamba.arrays import FloatArray
from stgmamba.skeleton.layouts import Layout


@dataclass(frozen=True)
class Skeleton:
    """Joint positions over time.

    Attributes:
        positions: float32 [T, J, D]. D = 3: metres, right-handed, y up, floor at y = 0, a person at yaw 0 faces +z with
            the left hand towards +x. D = 2: pixels of a picture of ``size``, x right, y down.
        fps: frames per second, > 0.
        layout: names and tree of the J joints.
        confidence: float32 [T, J] in 0..1; 0 marks a joint whose position is not known (all 1 when not given).
        size: (width, height) in pixels of the picture that 2-D positions refer to, where known.
    """

    positions: FloatArray
    fps: float
    layout: Layout
    confidence: FloatArray = field(default=None)  # type: ignore[arg-type]  # filled in __post_init__
    size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        positions = np.asarray(self.positions, dtype=np.float32)
        if positions.ndim != 3 or positions.shape[1] != len(self.layout) or positions.shape[2] not in (2, 3):
            raise ValueError(
                f"positions must be [T, {len(self.layout)}, 2 or 3] for {self.layout.name}, got {positions.shape}"
            )
        if not self.fps > 0:
            raise ValueError(f"fps must be positive, got {self.fps}")
        confidence = self.confidence
        confidence = np.ones(positions.shape[:2]) if confidence is None else confidence
        confidence = np.asarray(confidence, np.float32)
        if confidence.shape != positions.shape[:2]:
            raise ValueError(f"confidence must be {positions.shape[:2]}, got {confidence.shape}")
        object.__setattr__(self, "positions", positions)
        object.__setattr__(self, "confidence", confidence)

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def dims(self) -> int:
        """2 or 3."""
        return int(self.positions.shape[2])

    @property
    def seconds(self) -> float:
        """Duration: frames divided by fps."""
        return len(self) / self.fps

    def joint(self, name: str) -> FloatArray:
        """Positions of one joint by name, [T, D]."""
        return self.positions[:, self.layout.index(name)]

    def slice(self, start: int, stop: int) -> Skeleton:
        """Frames start..stop-1."""
        return replace(self, positions=self.positions[start:stop], confidence=self.confidence[start:stop])

    def mirrored(self) -> Skeleton:
        """The dance seen in a mirror: x flipped, left and right joints exchanged."""
        order = list(self.layout.mirror)
        positions = self.positions[:, order].copy()
        if self.dims == 3:
            positions[..., 0] *= -1
        elif self.size is None:
            raise ValueError("a 2-D skeleton needs its picture's size to be mirrored")
        else:
            positions[..., 0] = (self.size[0] - 1) - positions[..., 0]
        return replace(self, positions=positions, confidence=self.confidence[:, order])

    def resampled(self, fps: float) -> Skeleton:
        """The same movement at another frame rate, by cubic splines through the frames; same duration to half a frame.

        Frame i of the result lies at i / fps seconds. Confidence is interpolated linearly.
        Where a joint is unknown (confidence 0) its neighbours in time bridge the gap.
        """
        if fps == self.fps:
            return self
        frames = max(1, round(self.seconds * fps))
        if len(self) == 1:
            return replace(
                self,
                positions=np.repeat(self.positions, frames, axis=0),
                confidence=np.repeat(self.confidence, frames, axis=0),
                fps=fps,
            )
        source = np.arange(len(self)) / self.fps
        target = np.minimum(np.arange(frames) / fps, source[-1])
        positions = np.empty((frames, *self.positions.shape[1:]), np.float32)
        confidence = np.empty((frames, len(self.layout)), np.float32)
        complete = bool((self.confidence > 0).all())
        if complete:
            positions[:] = CubicSpline(source, self.positions, axis=0)(target)
        for j in range(len(self.layout)):
            confidence[:, j] = np.interp(target, source, self.confidence[:, j])
            if complete:
                continue
            known = self.confidence[:, j] > 0
            if known.sum() >= 2:
                inside = np.clip(target, source[known][0], source[known][-1])
                positions[:, j] = CubicSpline(source[known], self.positions[known, j], axis=0)(inside)
            else:
                positions[:, j] = self.positions[known, j][0] if known.any() else 0.0
        return replace(self, positions=positions, confidence=confidence, fps=fps)
