"""One dance, every built-in character: python examples/one_dance_all_characters.py song.mp3 folder."""

import sys
from pathlib import Path

from stgmamba import DancePipeline
from stgmamba.characters import CHARACTERS
from stgmamba.pipeline import render


def main(song: str, folder: str) -> None:
    dance = DancePipeline.from_pretrained().skeleton(song, seconds=10, seed=3)
    Path(folder).mkdir(exist_ok=True)
    for name in CHARACTERS:
        film = render(dance, character=name, song=song, size=360).save(Path(folder) / f"{name}.mp4")
        print(film)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
