"""Reader of songs with known beats.

A folder holds the songs and ``index.json``, a list of songs at constant tempo: ``file``, ``bpm``,
``first_beat_seconds``, ``beats_per_bar`` (where it is 2, 3 or 4 the first beat is a downbeat; else the bars are not
known), and, where the song does not sound from its first beat on, ``first_sound_seconds``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stgmamba.arrays import DoubleArray, FloatArray
from stgmamba.errors import InputError
from stgmamba.files import parse_json
from stgmamba.music.decode import load_song


@dataclass(frozen=True)
class BeatSong:
    """A song with its true beats.

    Attributes:
        name: of the song.
        samples: [N], mono at SAMPLE_RATE.
        beats: [K] seconds.
        downbeats: [D] seconds; None where they are not known.
        kind: what the song is an example of; songs of one kind are reported together.
    """

    name: str
    samples: FloatArray
    beats: DoubleArray
    downbeats: DoubleArray | None
    kind: str = "all"

    @property
    def tempo(self) -> float:
        """Beats per minute, by the median interval."""
        return 60 / float(np.median(np.diff(self.beats)))


def load_beat_songs(folder: str | Path) -> list[BeatSong]:
    """All songs of a folder.

    Raises:
        InputError: the folder, its index or a song is missing or malformed.
    """
    index = Path(folder) / "index.json"
    try:
        entries = parse_json(index.read_text(encoding="utf-8"))
        songs = [(Path(folder) / entry["file"], entry) for entry in entries]
        return [_load(path, entry) for path, entry in songs]
    except FileNotFoundError:
        raise InputError(f"{index}: not found; name a folder of songs that holds an index.json.") from None
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{index}: not a list of songs with file, bpm and beats_per_bar ({error}); mend it."
        ) from error


def _load(path: Path, entry: dict[str, object]) -> BeatSong:
    song = load_song(path)
    interval = 60 / float(str(entry["bpm"]))
    beats = np.arange(float(str(entry.get("first_beat_seconds", 0.0))), song.seconds, interval)
    # Nobody hears a beat before the first sound, but one that the attack follows at once.
    heard = beats >= float(str(entry.get("first_sound_seconds", 0.0))) - 0.02
    bar = int(str(entry["beats_per_bar"]))
    first = -int(np.argmax(heard)) % bar
    return BeatSong(path.stem, song.samples, beats[heard], beats[heard][first::bar] if bar in (2, 3, 4) else None)
