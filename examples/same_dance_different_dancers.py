"""One dance, every built-in dancer: python examples/same_dance_different_dancers.py song.mp3 folder."""

import sys
from pathlib import Path

from stgmamba import Dancer
from stgmamba.api import render
from stgmamba.characters import DANCERS


def main(song: str, folder: str) -> None:
    dance = Dancer.from_pretrained().skeleton(song, seconds=10, seed=3)
    Path(folder).mkdir(exist_ok=True)
    for name in DANCERS:
        film = render(dance, dancer=name, song=song, size=360).save(Path(folder) / f"{name}.mp4")
        print(film)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
