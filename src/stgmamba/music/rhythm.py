"""Beats and bars of a song, however they were found: by a tracker, or given by the user in a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stgmamba.arrays import DoubleArray, FloatArray
from stgmamba.errors import InputError

BEATS_PER_BAR = {"2/4": 2, "3/4": 3, "4/4": 4, "6/8": 2}
"""Metre -> beats in a bar; those of 6/8 are dotted quarters."""

USUAL_INTERVAL = 0.5
"""Seconds between beats where a song says nothing of them."""

_SHORTEST_INTERVAL, _LONGEST_INTERVAL = 0.15, 3.0  # seconds; 400 and 20 beats per minute


@dataclass(frozen=True)
class Rhythm:
    """Beats and bars of a song.

    Attributes:
        beats: [K] seconds, increasing, K > 0.
        positions: [K] position of each beat in its bar, 0 on downbeats.
        metre: a key of BEATS_PER_BAR.
    """

    beats: DoubleArray
    positions: NDArray[np.int64]
    metre: str

    @property
    def downbeats(self) -> DoubleArray:
        """Times of the beats that begin a bar."""
        return np.asarray(self.beats[self.positions == 0])

    @property
    def beats_per_bar(self) -> int:
        """Beats in a bar."""
        return BEATS_PER_BAR[self.metre]

    @property
    def tempo(self) -> float:
        """Beats per minute, of the intervals near their median."""
        return 60 / typical_interval(self.beats)


@dataclass(frozen=True)
class Section:
    """A section of a song: seconds of begin and end, and a letter; sections of equal letters are alike."""

    start: float
    end: float
    label: str


def typical_interval(beats: DoubleArray) -> float:
    """Mean of the beat intervals within 10 % of their median, seconds; USUAL_INTERVAL for a single beat."""
    if len(beats) < 2:
        return USUAL_INTERVAL
    intervals = np.diff(beats)
    middle = np.sort(intervals)[len(intervals) // 2]
    return float(intervals[np.abs(intervals - middle) <= 0.1 * middle].mean())


def beat_phase(beats: DoubleArray, fps: float, frames: int) -> FloatArray:
    """How far each frame is on its way from one beat to the next.

    Before the first and after the last beat the typical interval is continued.

    Args:
        beats: [K] seconds, increasing, K > 0.
        fps: frames per second.
        frames: number of frames.

    Returns:
        float32 [frames], 0 (on the beat) <= phase < 1.
    """
    beats = np.asarray(beats, np.float64)
    if not len(beats):
        raise ValueError("beat_phase needs at least one beat")
    interval = typical_interval(beats)
    at = np.arange(frames) / fps
    count = np.interp(at, beats, np.arange(len(beats)))
    count += np.minimum(at - beats[0], 0) / interval + np.maximum(at - beats[-1], 0) / interval
    phase = (count % 1.0).astype(np.float32)
    phase[phase >= 1.0] = 0.0  # rounding to float32
    return phase


def read_beats(path: str | Path) -> Rhythm:
    """Beats that a user gives: one per line, in seconds, as beat trackers and Sonic Visualiser write them.

    A second number, after a tab, space or comma, is the position in the bar, 1 for the downbeat; without it the first
    beat begins the first bar and bars have four beats. Other second words, empty lines, and lines that begin with #
    are passed over. The times count from the beginning of the song file.

    Raises:
        InputError: no such file, not such lines, fewer than two beats, or beats that are not in order or too close.
    """
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: the beats cannot be read ({error}); give a text file of seconds.") from error
    times, positions = [], []
    for number, line in enumerate(lines, 1):
        words = line.replace(",", " ").replace(";", " ").split()
        if not words or words[0].startswith("#"):
            continue
        try:
            times.append(float(words[0]))
        except ValueError:
            raise InputError(
                f"{path}: line {number}, {line.strip()[:40]!r}, does not begin with a time; "
                "write one beat per line, in seconds, such as 12.48."
            ) from None
        positions.append(int(words[1]) if len(words) > 1 and words[1].isdecimal() else 0)
    beats = np.array(times)
    if len(beats) < 2:
        raise InputError(f"{path}: {len(beats)} beat{'s' * (len(beats) != 1)} in it; give at least two, one per line.")
    intervals = np.diff(beats)
    if not np.isfinite(beats).all() or beats[0] < 0 or (intervals < _SHORTEST_INTERVAL).any():
        bad = int(np.argmax(~(intervals >= _SHORTEST_INTERVAL))) if np.isfinite(beats).all() else 0
        raise InputError(
            f"{path}: beats must rise from 0 by at least {_SHORTEST_INTERVAL:g} s each; "
            f"look at {beats[bad]:g} and {beats[bad + 1]:g}."
        )
    if (intervals > _LONGEST_INTERVAL).any():
        bad = int(np.argmax(intervals > _LONGEST_INTERVAL))
        raise InputError(
            f"{path}: {intervals[bad]:.1f} s without a beat after {beats[bad]:g} s; "
            f"beats may be {_LONGEST_INTERVAL:g} s apart at most, also in pauses."
        )
    return Rhythm(beats, *_bars(np.array(positions)))


def _bars(numbers: NDArray[np.int64]) -> tuple[NDArray[np.int64], str]:
    """Positions in the bar from 0, and the metre, from numbers that count from 1; 0 where a line has none."""
    longest = int(numbers.max())
    if not (numbers > 0).all() or longest not in (2, 3, 4):
        return np.arange(len(numbers)) % 4, "4/4"
    return numbers - 1, f"{longest}/4"


def excerpt(rhythm: Rhythm, start: float, seconds: float) -> Rhythm:
    """The rhythm of a part of a song, in seconds from its beginning.

    Where the part has fewer than two beats, beats are continued into it at the typical interval.
    """
    beats = rhythm.beats - start
    within = (beats >= 0) & (beats <= seconds)
    if within.sum() >= 2:
        return Rhythm(beats[within], rhythm.positions[within], rhythm.metre)
    interval = typical_interval(rhythm.beats)
    first = int(np.ceil(-beats[0] / interval))
    count = np.arange(first, max(first + 1, int((seconds - beats[0]) / interval) + 1))
    return Rhythm(beats[0] + count * interval, (rhythm.positions[0] + count) % rhythm.beats_per_bar, rhythm.metre)
