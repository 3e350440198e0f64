"""Dances of all styles that the weights know: python examples/rehearse_styles.py FOLDER SONG...

Two of each style, to the songs in turn, with the list that training reads: weights that learn a new style from videos
of it, and go on learning these, do not forget the old ones (docs/own_style.md).
"""

import csv
import sys
from pathlib import Path

from stgmamba import DancePipeline
from stgmamba.skeleton.formats import write_skeleton

SECONDS = 60
DANCES = 2  # of each style
KEY_FRAMED = ("j-pop", "k-pop")  # learnt from animators' key frames, the others from motion capture


def main(folder: str, *songs: str) -> None:
    pipeline = DancePipeline.from_pretrained()
    Path(folder).mkdir(parents=True, exist_ok=True)
    rows = []
    for number, style in enumerate(DANCES * list(pipeline.sampler.styles)):
        song = Path(songs[number % len(songs)]).absolute()
        dance = pipeline.skeleton(song, seconds=SECONDS, style=style, seed=number)
        file = f"{number:02d}-{style}.npz"
        write_skeleton(Path(folder) / file, dance)
        rows.append([file, style, song, "key-framed" if style in KEY_FRAMED else "captured"])
        print(f"{file} to {song.name}")
    with open(Path(folder) / "motions.csv", "w", newline="") as table:  # noqa: PTH123 (an example for everybody)
        csv.writer(table).writerows([["file", "style", "music", "source"], *rows])


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
