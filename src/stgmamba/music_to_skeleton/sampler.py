"""Generation of stage 1: a song in, a dance out, any length.

The flow is integrated for the whole song at once, but the network only ever sees overlapping chunks, and their answers
are blended in every step: memory for the network does not grow with the song and no seam can show.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stgmamba.errors import InputError
from stgmamba.music.decode import SAMPLE_RATE, Song
from stgmamba.music_to_skeleton.audio_features import HOP, Heard, listen
from stgmamba.music_to_skeleton.beat_alignment import moments, retimed, time_map
from stgmamba.music_to_skeleton.flow_matching import solve
from stgmamba.music_to_skeleton.model import Config
from stgmamba.music_to_skeleton.registry import Network, build_network
from stgmamba.music_to_skeleton.representation import GRAPH, decode
from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton
from stgmamba.skeleton.foot_contacts import contacts, drop_to_floor, follow_feet, plant_feet
from stgmamba.skeleton.root_trajectory import Path as Placement
from stgmamba.skeleton.root_trajectory import apply_path, face_camera, stay
from stgmamba.skeleton.sequence import FloatArray
from stgmamba.training.weights import read_network

FPS = 25.0
_CHUNK = 192
_OVERLAP = 48
_BATCH = 8
# How far from the middle the dancer may go, metres.
_STAGE_RADIUS = 0.8
# The flow starts from noise this much stronger than in training, which gives back the liveliness that few steps and
# answers averaged over chunks take away. On seven train songs, 1 against 1.4: PFD 829 and 288, VFD 17 and 9.0, PVar 61
# and 95 (real 107), foot skate 21 and 28 (real 25); stronger still, poses and speeds leave those of real dances again.
_TEMPERATURE = 1.4

Facing = Literal["camera", "free"]
Progress = Callable[[int, int], None]


class Generator:
    """Makes dances with a trained network."""

    def __init__(self, model: Network) -> None:
        self.model = model.eval()

    @property
    def genres(self) -> tuple[str, ...]:
        """Names of the genres that the network was trained on."""
        return self.model.config.genres

    def generate(
        self,
        song: Song,
        seconds: float | None = None,
        seed: int = 0,
        genre: str | None = None,
        facing: Facing = "free",
        progress: Progress | None = None,
        on_beat: bool = True,
    ) -> Skeleton:
        """A dance to a song.

        Args:
            song: mono at SAMPLE_RATE.
            seconds: length of the dance; by default that of the song.
            seed: another seed, another dance.
            genre: one of ``genres``, or None to leave it to chance.
            facing: ``camera`` keeps the body within about 45 degrees of +z, ``free`` lets it turn.
            progress: called with (steps done, steps in all).
            on_beat: stretch and squeeze the dance a little so that steps fall on beats (timing.py).

        Returns:
            3-D, OPENPOSE_18_FEET, 25 fps, metres; bones of constant length, standing feet on the floor at y = 0.

        Raises:
            InputError: a genre that the network does not know.
        """
        if genre is not None and genre not in self.genres:
            raise InputError(f"genre {genre!r} is not known; choose one of {', '.join(self.genres)} or leave it out.")
        frames = max(2, round((seconds or song.seconds) * song.rate / HOP))
        heard = listen(song.samples, frames)
        nodes = self.flow(heard, seed, len(self.genres) if genre is None else self.genres.index(genre), progress)
        count = max(1, round((seconds or song.seconds) * FPS))
        return settle(nodes, count, facing, heard.beats if on_beat else None)

    @torch.inference_mode()
    def flow(self, heard: Heard, seed: int, genre: int, progress: Progress | None) -> np.ndarray:  # type: ignore[type-arg]
        """Walk the flow from noise to nodes [T, 23, 3]."""
        frames, steps = len(heard), self.model.config.flow_steps
        noise = torch.randn(frames, len(GRAPH), 3, generator=torch.Generator().manual_seed(_seed(heard, seed)))
        if steps > 1:
            noise *= _TEMPERATURE
        starts = _chunk_starts(frames)
        length = min(_CHUNK, frames)
        groups = [starts[i : i + _BATCH] for i in range(0, len(starts), _BATCH)]
        hidden = [self._hear(heard, group, length) for group in groups]
        ramp = _ramp(length)
        done = 0

        def predict(x: Tensor, t: float) -> Tensor:
            nonlocal done
            total, weight = torch.zeros_like(x), torch.zeros(frames, 1, 1)
            for group, tokens in zip(groups, hidden, strict=True):
                pieces = torch.stack([x[start : start + length] for start in group])
                condition = torch.full((len(group),), genre)
                clean = self.model(pieces, torch.full((len(group),), t), tokens, condition)
                for start, piece in zip(group, clean, strict=True):
                    total[start : start + length] += piece * ramp
                    weight[start : start + length] += ramp
                done += 1
                if progress is not None:
                    progress(done, steps * len(groups))
            return total / weight

        x = solve(predict, noise, steps)
        return (x * self.model.scale + self.model.mean).numpy()

    def _hear(self, heard: Heard, starts: list[int], length: int) -> Tensor:
        wave = np.stack([heard.windows(start, start + length) for start in starts])
        features = np.stack([heard.features[start : start + length] for start in starts])
        return self.model.hear(torch.from_numpy(wave), torch.from_numpy(features))


def settle(
    nodes: np.ndarray,  # type: ignore[type-arg]
    frames: int,
    facing: Facing,
    beats: NDArray[np.float64] | None = None,
) -> Skeleton:
    """Nodes [T, 23, 3] as a dance on the floor: path bent to the stage, facing as asked, standing feet held.

    With ``beats`` (seconds) its timing is fitted to them first.
    """
    poses, path = decode(nodes, FPS)
    if beats is not None:
        # Steps are looked for where they will be seen: on the floor.
        dance = Skeleton(stage(poses, path, facing), FPS, OPENPOSE_18_FEET)
        poses, path = retimed(poses, path, time_map(moments(dance), beats, dance.seconds, FPS) * FPS)
    index = np.minimum(np.arange(frames), len(poses) - 1)
    return Skeleton(stage(poses, path, facing)[index], FPS, OPENPOSE_18_FEET)


def stage(poses: FloatArray, path: Placement, facing: Facing) -> FloatArray:
    """Poses [T, 22, 3] on their path as a dance on the stage at FPS, [T, 22, 3]: what ``settle`` does with them."""
    # Where feet stand is read before the path is bent, while steps and path still belong together.
    always = np.ones((len(poses), 2), bool)
    path = follow_feet(drop_to_floor(apply_path(poses, path), always, FPS), path, FPS)
    standing = contacts(drop_to_floor(apply_path(poses, path), always, FPS), FPS)
    if facing == "camera":
        path = face_camera(path, FPS)
    world = apply_path(poses, stay(path, FPS, _STAGE_RADIUS))
    world = drop_to_floor(world, standing, FPS)
    return plant_feet(world, standing, FPS)


def load_generator(weights: str | Path | None = None) -> Generator:
    """The generator with the weights in the package, or with others.

    Raises:
        InputError: not a weights file of this network.
    """
    if weights is None:
        with resources.as_file(resources.files("stgmamba") / "weights" / "music_to_skeleton.safetensors") as path:
            return _load(path)
    return _load(Path(weights))


def _load(path: Path) -> Generator:
    return Generator(read_network(path, lambda values: build_network(Config(**values))))


def _seed(heard: Heard, seed: int) -> int:
    """Seed of the noise, from the user's and the song's beginning: the same seed is another dance on another song.

    The end of the song has no say, so that a preview begins like the whole dance.
    """
    beginning = np.clip(np.round(heard.samples[: 5 * SAMPLE_RATE] * 1000), -32768, 32767).astype("<i2")
    return int(np.random.SeedSequence((seed, zlib.crc32(beginning.tobytes()))).generate_state(1)[0])


def _chunk_starts(frames: int) -> list[int]:
    """Starts of overlapping chunks that cover all frames; the last one ends with the song."""
    if frames <= _CHUNK:
        return [0]
    return [*range(0, frames - _CHUNK, _CHUNK - _OVERLAP), frames - _CHUNK]


def _ramp(length: int) -> Tensor:
    """Weight of a chunk's frames, [length, 1, 1]: rising and falling over the overlap, never zero."""
    edge = torch.arange(1, length + 1).float()
    return torch.minimum(edge, edge.flip(0)).clamp(max=_OVERLAP)[:, None, None] / _OVERLAP
