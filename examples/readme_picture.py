"""Make the picture in the README: a built-in character, and a still picture that is made to dance.

python examples/readme_picture.py docs/images/demo.jpg
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from stgmamba import DancePipeline
from stgmamba.characters import CHARACTERS
from stgmamba.characters.render import CharacterRenderer
from stgmamba.characters.surface import rest_pose
from stgmamba.music.demo_song import write_demo_song
from stgmamba.options import FPS
from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton

COLUMNS, WIDTH, HEIGHT = 7, 180, 240

with tempfile.TemporaryDirectory() as folder:
    song = Path(folder) / "song.wav"
    write_demo_song(song)
    pipeline = DancePipeline()

    appearance = CHARACTERS["zoe"]
    still = next(
        CharacterRenderer(appearance, (576, 768)).frames(Skeleton(rest_pose(appearance)[None], FPS, OPENPOSE_18_FEET))
    )
    videos = [
        pipeline.dance(song, character="mira", facing="camera", seconds=12, size=512),
        pipeline.dance(song, image=still, seconds=12, size=512, seed=4),
    ]
    rows = []
    for video, first in zip(videos, (None, still), strict=True):
        wanted = np.linspace(30, len(video.skeleton) - 20, COLUMNS - (first is not None)).astype(int)
        cells = [frame for i, frame in enumerate(video.frames()) if i in wanted]
        cells = cells if first is None else [first, *cells]
        rows.append(np.hstack([np.array(Image.fromarray(cell).resize((WIDTH, HEIGHT))) for cell in cells]))
    Image.fromarray(np.vstack(rows)).save(sys.argv[1], quality=88)
