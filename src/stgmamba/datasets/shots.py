"""Where a video stops being one shot: hard cuts, cross-fades, fades to and from a plain picture.

A cut changes much of the picture from one frame to the next, and little before and after. In a fade each frame is a
mixture of the frames before and after it, which differ in much of the picture. A person who moves fast and near to the
camera, a zoom, a pan and a change of the light do that too, to the eye of a thumbnail. So a mixture counts as a fade
only if two other explanations fail: that what is in one frame has moved to its place in the next (optical flow), and
that the same picture has become brighter or darker.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from stgmamba.arrays import FloatArray, Frame

_WIDTH = 32  # of a thumbnail, pixels
_CHANGED = 12.0  # grey levels by which a pixel has changed, averaged over the colours
_BRIGHT = 128.0  # grey levels of the brightest parts of a picture, below which less of a change counts
_DARKEST = 0.2  # part of _CHANGED that counts in the darkest pictures, whose noise it is above
_CUT = 0.4  # share of changed pixels from one frame to the next
_SUDDEN = 3.0  # times as many as between the frames before and after
_FAINT_CUT = 0.15  # share of changed pixels of a cut between pictures that are much alike
_LONELY = 6.0  # times as many as in the _AROUND frames before and after, where a low frame rate would show itself
_AROUND = 8
_FADE = 0.3  # share of changed pixels over a fade
_PURE = 0.08  # share of the other shot's picture that a frame of a shot may seem to hold
_BETWEEN_FADES = 8  # frames between two fades up to which they are one
_FADE_MARGIN = 1  # frames on either side of a fade that are counted to it
_MIXTURE = 0.4  # what a mixture of the frames around may leave unexplained in the middle of a fade
_REACHES = (8, 16)  # frames from the middle of a fade to the frames it is a mixture of; the second for slow fades
_REACH = _REACHES[-1]
_GREY_WIDTH = 96  # of the pictures between which motion is estimated, pixels
_MOTION_STEP = 4  # frames between them
_FLOW_WINDOW = 21  # pixels over which motion is uniform: a more flexible flow explains part of a fade too
# Of the change between them, what motion leaves unexplained at most. On nine clips, whole and cut out so that the
# person is near, at most 0.65 where a mixture seems to fit; in fades between them 0.88 or more, in a real one 0.77.
_MOVED = 0.71
_SAME_STRUCTURE = 0.6  # correlation of local structure from which on it is the same picture in another light
# Below this one it is another picture, if motion leaves so much of the change of the structure unexplained: in fades
# between plain pictures 0.89 or more, in 15 changes of the light that have as low a correlation 0.86 at most.
_OTHER_STRUCTURE, _FADING_STRUCTURE = 0.3, 0.88
_PLAIN = 6.0  # grey levels; standard deviation below which a picture is plain, as at the end of a fade to black


@dataclass(frozen=True, order=True)
class Break:
    """The end of a shot.

    Attributes:
        start: first frame that is not of the shot before.
        end: first frame of the shot after; ``start`` for a cut.
        kind: ``cut`` or ``cross-fade`` or ``fade``, to or from a plain picture.
    """

    start: int
    end: int
    kind: str


class ShotDetector:
    """Finds the breaks of a video whose frames are added one by one; holds twice `_REACH` of them."""

    def __init__(self) -> None:
        self._frames: deque[tuple[FloatArray, Frame]] = deque(maxlen=2 * _REACH + 1)
        self._changes: list[float] = []  # share of changed pixels from frame i to i + 1
        self._fades: dict[int, tuple[int, int, str]] = {}  # middle frame of a fade -> its start, end and kind
        self._count = 0

    def add(self, frame: Frame) -> None:
        """Add the next frame, uint8 [H, W, 3]; all are of one size, at least 96 pixels wide for the best result."""
        small = thumbnail(frame)
        if self._frames:
            self._changes.append(_share_changed(self._frames[-1][0], small))
        self._frames.append((small, _grey(frame)))
        self._count += 1
        for reach in _REACHES:
            middle = self._count - 1 - reach
            if middle >= reach and middle not in self._fades:
                window = list(self._frames)[-2 * reach - 1 :]
                kind = _kind_of_fade(window)
                if kind is not None:
                    first, stop = _mixed_frames([small for small, _ in window])
                    self._fades[middle] = middle - reach + first, middle - reach + stop, kind

    def breaks(self) -> list[Break]:
        """The breaks among the frames added so far, in order; they do not overlap."""
        fades = self._fade_breaks()
        cuts = [cut for cut in self._cuts() if not any(fade.start <= cut.start <= fade.end for fade in fades)]
        return sorted(cuts + fades)

    def _cuts(self) -> list[Break]:
        changes = np.asarray(self._changes)
        cuts = []
        for i in np.flatnonzero(changes > _FAINT_CUT):
            reach, times = (2, _SUDDEN) if changes[i] > _CUT else (_AROUND, _LONELY)
            around = np.concatenate([changes[max(0, i - reach) : i], changes[i + 1 : i + 1 + reach]])
            if changes[i] > times * around.max(initial=0.0):
                cuts.append(Break(int(i) + 1, int(i) + 1, "cut"))
        return cuts

    def _fade_breaks(self) -> list[Break]:
        """Fades; those that overlap or are near are parts of one, such as one to a plain picture and from it."""
        breaks: list[Break] = []
        for _, (first, stop, kind) in sorted(self._fades.items()):
            start, end = max(1, first - _FADE_MARGIN), min(self._count, stop + _FADE_MARGIN)
            if breaks and start <= breaks[-1].end + _BETWEEN_FADES:
                breaks[-1] = Break(min(breaks[-1].start, start), max(breaks[-1].end, end), breaks[-1].kind)
            else:
                breaks.append(Break(start, end, kind))
        return breaks


def _mixed_frames(thumbnails: list[FloatArray]) -> tuple[int, int]:
    """First frame that is mixed of the window's ends, and the one after the last: by each frame's share of the end."""
    before, way = thumbnails[0], thumbnails[-1] - thumbnails[0]
    shares = np.array([float((way * (each - before)).sum()) for each in thumbnails]) / float(np.square(way).sum())
    return int(np.argmax(shares > _PURE)), len(shares) - int(np.argmax(shares[::-1] < 1 - _PURE))


def _kind_of_fade(window: list[tuple[FloatArray, Frame]]) -> str | None:
    """Kind of the fade that the middle frame of a window is in, if any; each frame a thumbnail and a grey picture."""
    before, middle, after = (window[i][0] for i in (0, len(window) // 2, -1))
    if _share_changed(before, after) < _FADE:
        return None
    way = after - before
    share = float((way * (middle - before)).sum() / np.square(way).sum())
    rest = float(np.sqrt(np.square(middle - before - share * way).mean() / np.square(way).mean()))
    if not (0.25 < share < 0.75 and rest < _MIXTURE):
        return None
    greys = [grey for _, grey in window]
    if min(float(greys[0].std()), float(greys[-1].std())) < _PLAIN * _exposure(before, after):
        return "fade"
    if _explained_by_light(window) or _unexplained_by_motion(greys) < _MOVED:
        return None
    return "cross-fade"


def find_breaks(frames: Iterable[Frame]) -> list[Break]:
    """The breaks of successive frames, uint8 [H, W, 3], in order; frames are read one at a time."""
    detector = ShotDetector()
    for frame in frames:
        detector.add(frame)
    return detector.breaks()


def shots(breaks: Iterable[Break], frames: int) -> list[tuple[int, int]]:
    """The parts start..stop-1 of a video of ``frames`` frames that lie between its breaks."""
    bounds = [0]
    for each in sorted(breaks):
        bounds += [each.start, each.end]
    bounds.append(frames)
    return [(start, stop) for start, stop in zip(bounds[::2], bounds[1::2], strict=True) if stop > start]


def thumbnail(frame: Frame) -> FloatArray:
    """A frame at 32 pixels of width, float32."""
    height = max(1, round(_WIDTH * frame.shape[0] / frame.shape[1]))
    return np.asarray(cv2.resize(frame, (_WIDTH, height), interpolation=cv2.INTER_AREA), np.float32)


def _grey(frame: Frame) -> Frame:
    height = max(16, round(_GREY_WIDTH * frame.shape[0] / frame.shape[1]))
    small = cv2.resize(frame, (_GREY_WIDTH, height), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY))


def _share_changed(a: FloatArray, b: FloatArray) -> float:
    return float((np.abs(a - b).mean(axis=-1) > _CHANGED * _exposure(a, b)).mean())


def _exposure(a: FloatArray, b: FloatArray) -> float:
    """Of the brighter of two pictures, the brightness of its brightest parts; 1 from ordinary pictures on."""
    return float(np.clip(max(np.percentile(a, 98), np.percentile(b, 98)) / _BRIGHT, _DARKEST, 1.0))


def _unexplained_by_motion(greys: list[Frame]) -> float:
    """Of the change along the frames, the share that remains once each is warped onto the next by optical flow.

    Near 1 in a fade, in which contours stay where they are and others appear; the flow of things that move leaves
    little.
    """
    changed = remaining = 0.0
    for a, b in zip(greys[:-_MOTION_STEP:_MOTION_STEP], greys[_MOTION_STEP::_MOTION_STEP], strict=False):
        flow = cv2.calcOpticalFlowFarneback(
            b, a, np.zeros((*a.shape, 2), np.float32), 0.5, 3, _FLOW_WINDOW, 3, 5, 1.1, 0
        )
        y, x = np.mgrid[: b.shape[0], : b.shape[1]].astype(np.float32)
        warped = cv2.remap(a, x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        changed += float(np.abs(b.astype(np.float32) - a).mean())
        remaining += float(np.abs(b.astype(np.float32) - warped).mean())
    return remaining / max(changed, 1e-6)


def _explained_by_light(window: list[tuple[FloatArray, Frame]]) -> bool:
    """Whether the ends of a window show the same in another light: the same contours, or colours but for a gain.

    The latter do not count where the contours are others and do not move, but fade.
    """
    before, after = window[0], window[-1]
    correlation = np.corrcoef(_structure(before[1]).ravel(), _structure(after[1]).ravel())[0, 1]
    if correlation > _SAME_STRUCTURE:
        return True
    lit = np.empty_like(before[0])
    for colour in range(lit.shape[-1]):
        x, y = before[0][..., colour], after[0][..., colour]
        gain = float(((x - x.mean()) * (y - y.mean())).mean() / max(float(x.var()), 1e-6))
        lit[..., colour] = y.mean() + gain * (x - x.mean())
    if _share_changed(lit, after[0]) >= _FADE:
        return False
    if correlation > _OTHER_STRUCTURE:
        return True
    # Grey levels of 128 and 50 for each unit of local contrast hold what the structure has.
    structures = [np.clip(128 + 50 * _structure(grey), 0, 255).astype(np.uint8) for _, grey in window]
    return _unexplained_by_motion(structures) < _FADING_STRUCTURE


def _structure(grey: Frame) -> FloatArray:
    """A picture with local mean 0 and local contrast 1, [H, W]."""
    values = grey.astype(np.float32)
    mean = cv2.GaussianBlur(values, (0, 0), 4)
    contrast = np.sqrt(np.maximum(cv2.GaussianBlur(np.square(values), (0, 0), 4) - np.square(mean), 0))
    return np.asarray((values - mean) / (contrast + 4.0), np.float32)
