"""Let the person of a photo dance to a song: python examples/dance_photo.py song.mp3 me.jpg out.mp4."""

import sys

from stgmamba import DancePipeline, InputError


def main(song: str, image: str, output: str) -> None:
    video = DancePipeline().dance(song, image=image, seconds=15)
    for note in video.notes:
        print(note)
    video.save(output, progress=lambda done, total: print(f"\r{done} of {total} frames", end="", flush=True))
    print(f"\n{output}: {video.seconds:.1f} s")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (InputError, TypeError) as error:
        sys.exit(str(error) if isinstance(error, InputError) else __doc__)
