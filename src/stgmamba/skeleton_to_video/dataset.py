"""Training data of G_r: examples (training_pairs.py) in files, and random batches of them.

Segmentation and warping take longer than a training step, so examples are precomputed, one file per drawn scene, clip
and photo, and memory-mapped. Files that exist are not computed again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from stgmamba.datasets.clips import FILMED, ClipDataset, is_clip_dataset, movement_of
from stgmamba.datasets.held_out import HeldOut
from stgmamba.datasets.scores import Profile
from stgmamba.errors import InputError
from stgmamba.files import atomic_output
from stgmamba.limb_warp.pose_track import track_from_world
from stgmamba.person.picture import load_picture
from stgmamba.progress import Progress
from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton
from stgmamba.skeleton_to_video.model import MULTIPLE, Inputs
from stgmamba.skeleton_to_video.objective import Batch
from stgmamba.skeleton_to_video.pose_maps import HEAD, STRIDE, pose_maps
from stgmamba.skeleton_to_video.training_pairs import (
    SIZE,
    TrainingPair,
    clip_scenes,
    drawn_scene,
    photo_scenes,
    tracked_scenes,
)
from stgmamba.video_io import probe, read_video

# Attributes of TrainingPair in the order of a file's channels and numbers.
_IMAGES = ("before", "target", "after", "condition", "background", "baseline", "forward", "backward")
_CHANNELS = (3, 3, 3, 3, 3, 4, 4, 4)
_POSES = ("points", "depth", "condition_points", "condition_depth")
_JOINTS = len(OPENPOSE_18_FEET)
_NUMBERS = (2 * _JOINTS, _JOINTS, 2 * _JOINTS, _JOINTS, 1)
_CLIP_SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".gif")
_PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")

_Scenes = Callable[[tuple[int, ...]], Iterator[list[TrainingPair]]]


@dataclass(frozen=True)
class Sources:
    """Sources of examples.

    Attributes:
        dances: of drawn characters and photos, 3-D OPENPOSE_18_FEET at 25 fps.
        drawn: number of drawn scenes.
        clips: folder of videos of one person each, or a data set of clips, or None.
        scenes: number of conditions per clip.
        people: folder of pictures of one person each, or None.
        poses: number of poses that each picture is warped to.
        held_out: frames of clips and pictures that are not used.
        seed: of all random choices.
        profile: thresholds on the scores of a data set of clips, of which the split ``train`` is used; None for all.
    """

    dances: Sequence[Skeleton]
    drawn: int
    clips: Path | None
    scenes: int
    people: Path | None
    poses: int
    held_out: HeldOut
    seed: int
    profile: Profile | None = None


def make_examples(folder: Path, sources: Sources, progress: Progress | None = None) -> None:
    """Compute the examples that are not in the folder yet.

    Args:
        folder: of the examples; created where it does not exist.
        sources: of the examples.
        progress: called with (sources done, sources in total).

    Raises:
        InputError: the folder holds examples of other settings, or a clip cannot be read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _check_settings(folder, sources)
    clips = _clips_of(sources)
    photos = [
        path
        for path in _files_in(sources.people, _PHOTO_SUFFIXES, "pictures")
        if path.name not in sources.held_out.people
    ]
    total = len(clips) + len(photos) + sources.drawn
    # Clips first: they take longest and are the most likely to fail.
    for n, (name, scenes_of) in enumerate(clips):
        path = folder / f"clip_{name}.npy"
        if not _complete(path):
            scenes = list(scenes_of((sources.seed, 1, n)))
            write_examples(path, [example for scene in scenes for example in scene])
        if progress is not None:
            progress(n + 1, total)
    for n, photo in enumerate(photos):
        path = folder / f"photo_{photo.name}.npy"
        if not _complete(path):
            try:
                scenes = list(photo_scenes(load_picture(photo), sources.dances, (sources.seed, 2, n), sources.poses))
            except InputError:  # no person is detected, which some pictures of a folder may lack
                scenes = []
            write_examples(path, [example for scene in scenes for example in scene])
        if progress is not None:
            progress(len(clips) + n + 1, total)
    for n in range(sources.drawn):
        path = folder / f"drawn_{n:05d}.npy"
        if not _complete(path):
            write_examples(path, drawn_scene((sources.seed, 0, n), sources.dances))
        if progress is not None:
            progress(len(clips) + len(photos) + n + 1, total)


def clip_names(sources: Sources) -> list[str]:
    """Names of the clips that examples are made of. Raises InputError where there are none though there should be."""
    return [name for name, _ in _clips_of(sources)]


def _clips_of(sources: Sources) -> list[tuple[str, _Scenes]]:
    """Name of each clip, and a function of a seed that makes its examples."""
    if sources.clips is not None and is_clip_dataset(sources.clips):
        dataset = ClipDataset(sources.clips, sources.profile)
        numbers = [
            n
            for n, row in enumerate(dataset.rows)
            if (row.get("split") or "train") == "train" and movement_of(row) == FILMED
        ]
        if not numbers:
            raise InputError(
                f"{sources.clips}: no clip of split train was filmed; stage 2 learns from pictures of people."
            )
        return [(dataset.rows[n]["key"], partial(_scenes_of_clip, dataset, n, sources.scenes)) for n in numbers]
    files = _files_in(sources.clips, _CLIP_SUFFIXES, "videos")
    return [(path.stem, partial(_scenes_of_file, path, sources)) for path in files]


def _scenes_of_file(path: Path, sources: Sources, seed: tuple[int, ...]) -> Iterator[list[TrainingPair]]:
    frames = sources.held_out.first_frame(probe(path).frames or 0)
    return clip_scenes(path, frames, seed, sources.scenes)


def _scenes_of_clip(
    dataset: ClipDataset, number: int, scenes: int, seed: tuple[int, ...]
) -> Iterator[list[TrainingPair]]:
    """Examples of a clip whose poses are in the data set."""
    poses = dataset.poses(number)
    with dataset.video(number, dataset.folder / "work") as path:
        images = [rgb for _, rgb in read_video(path)]
    confidence = poses.skeleton.confidence * poses.found[:, None]
    track = track_from_world(replace(poses.skeleton, confidence=confidence), poses.world)
    frames = min(len(images), len(track))
    if frames >= 3:
        yield from tracked_scenes(images[:frames], track.slice(0, frames), seed, scenes)


def _files_in(folder: Path | None, suffixes: tuple[str, ...], what: str) -> list[Path]:
    if folder is None:
        return []
    files = sorted(path for path in folder.glob("*") if path.suffix.lower() in suffixes)
    if not files:
        raise InputError(f"{folder}: there are no {what} in this folder; name one that has, or leave it out.")
    return files


def _check_settings(folder: Path, sources: Sources) -> None:
    """Compare the settings of the folder's examples, or write them where there are none yet."""
    path = folder / "examples.json"
    settings = {
        "seed": sources.seed,
        "scenes": sources.scenes,
        "poses": sources.poses,
        "size": list(SIZE),
        "held_out": {"people": sorted(sources.held_out.people), "clips": sources.held_out.clips},
        "dances": _digest(sources.dances),
    }
    if sources.profile is not None:
        settings["profile"] = {name: list(limits) for name, limits in sources.profile.limits.items()}
    if not path.exists():
        with atomic_output(path) as part:
            part.write_text(json.dumps(settings), encoding="utf-8")
        return
    made_with = json.loads(path.read_text(encoding="utf-8"))
    different = [name for name, value in settings.items() if made_with.get(name) != value]
    if different:
        names = ", ".join(different)
        raise InputError(f"{folder}: its examples were made with other settings ({names}); name another folder.")


def _digest(dances: Sequence[Skeleton]) -> str:
    """SHA-256 of the positions of dances, so that other dances are noticed."""
    digest = hashlib.sha256()
    for dance in dances:
        digest.update(f"{dance.layout.name} {dance.fps} {dance.positions.shape}".encode())
        digest.update(dance.positions.tobytes())
    return digest.hexdigest()


def _complete(path: Path) -> bool:
    return _poses_of(path).exists()


def _poses_of(path: Path) -> Path:
    return path.with_name(f"{path.stem}.poses.npy")


def write_examples(path: Path, examples: Sequence[TrainingPair]) -> None:
    """Write examples to a file and their poses to another one beside it.

    Args:
        path: ``drawn_*.npy``, ``clip_*.npy`` or ``photo_*.npy`` in the folder of the examples.
        examples: of one source; may be empty.
    """
    images = np.empty((len(examples), sum(_CHANNELS), SIZE[1], SIZE[0]), np.uint8)
    poses = np.empty((len(examples), sum(_NUMBERS)), np.float32)
    for n, example in enumerate(examples):
        values = vars(example)
        images[n] = np.concatenate([values[name] for name in _IMAGES], axis=2).transpose(2, 0, 1)
        poses[n] = np.concatenate([*(values[name].ravel() for name in _POSES), [example.torso]])
    # Poses are written last: where they exist, the images are complete.
    for file, array in ((path, images), (_poses_of(path), poses)):
        with atomic_output(file) as part, part.open("wb") as stream:
            np.save(stream, array, allow_pickle=False)


class PairDataset:
    """Random batches of the examples in a folder.

    Args:
        folder: written by `make_examples`.
        batch: examples in a batch.
        crop: width and height of the random crops around the person, pixels, multiples of `MULTIPLE`.
        fractions: of the examples, from clips and from photos, where there are any; the rest is from drawn scenes.
        face_weight: additional weight of the head's pixels in L1.
        device: of the batches.

    Raises:
        InputError: there are no examples in the folder.
    """

    def __init__(
        self,
        folder: Path,
        batch: int,
        crop: tuple[int, int],
        fractions: tuple[float, float],
        face_weight: float,
        device: torch.device | str = "cpu",
    ) -> None:
        if any(side % MULTIPLE for side in crop) or crop[0] > SIZE[0] or crop[1] > SIZE[1]:
            raise ValueError(f"crop must be multiples of {MULTIPLE} up to {SIZE[0]} x {SIZE[1]}, not {crop}")
        self.size, self.crop, self.face_weight, self.device = batch, crop, face_weight, device
        self._files = {kind: self._open(folder, kind) for kind in ("clip", "photo", "drawn")}
        if not len(self):
            raise InputError(f"{folder}: there are no examples in this folder; make some first.")
        weights = np.asarray([*fractions, 1 - sum(fractions)]) * [bool(files) for files in self._files.values()]
        # Where all kinds that exist have fraction 0, they are used equally.
        weights = weights if weights.any() else np.asarray([float(bool(files)) for files in self._files.values()])
        self._probabilities = weights / weights.sum()

    def __len__(self) -> int:
        return sum(len(poses) for files in self._files.values() for _, poses in files)

    @staticmethod
    def _open(folder: Path, kind: str) -> list[tuple[NDArray[np.uint8], NDArray[np.float32]]]:
        files = []
        for path in sorted(p for p in folder.glob(f"{kind}_*.npy") if not p.stem.endswith(".poses")):
            poses = np.load(_poses_of(path), allow_pickle=False) if _complete(path) else np.empty((0, 0), np.float32)
            if len(poses):
                files.append((np.load(path, mmap_mode="r", allow_pickle=False), poses))
        return files

    def batch(self, seed: int, rank: int, step: int) -> Batch:
        """The batch of one step of one process, a function of the arguments; with ``regularised`` set."""
        rng = np.random.default_rng((seed, rank, step))
        return _collate([self._random_crop(rng) for _ in range(self.size)], self.face_weight).to(self.device)

    def first(self, count: int) -> Batch:
        """The first example of each of ``count`` files, not cropped, for previews; on the CPU."""
        kinds = [files for files in self._files.values() if files]
        # Alternating between the kinds, so that a preview shows all of them.
        files = [kind[n] for n in range(count) for kind in kinds if n < len(kind)][:count]
        return _collate([_crop(images[0], poses[0], (0, 0), SIZE, False) for images, poses in files], self.face_weight)

    def _random_crop(self, rng: np.random.Generator) -> dict[str, NDArray[np.float32]]:
        files = list(self._files.values())[int(rng.choice(len(self._probabilities), p=self._probabilities))]
        images, poses = files[int(rng.integers(len(files)))]
        n = int(rng.integers(len(poses)))
        width, height = self.crop
        joint = int(rng.integers(_JOINTS))
        centre = poses[n, 2 * joint : 2 * joint + 2]
        left = int(np.clip(centre[0] + rng.normal(0, 20) - width / 2, 0, SIZE[0] - width))
        top = int(np.clip(centre[1] + rng.normal(0, 20) - height / 2, 0, SIZE[1] - height))
        crop = _crop(images[n], poses[n], (left, top), self.crop, bool(rng.random() < 0.5))
        # The same exposure and white balance for all images of the example.
        gain = (rng.uniform(0.75, 1.2) * rng.uniform(0.9, 1.1, (3, 1, 1))).astype(np.float32)
        for name in _IMAGES:
            crop[name][:3] *= gain
        return crop


def _crop(
    images: NDArray[np.uint8],
    poses: NDArray[np.float32],
    corner: tuple[int, int],
    size: tuple[int, int],
    mirror: bool,
) -> dict[str, NDArray[np.float32]]:
    """Images [C, H, W] in 0..1 and pose maps of a crop of an example at a corner (left, top), mirrored or not."""
    (left, top), (width, height) = corner, size
    crop = np.asarray(images[:, top : top + height, left : left + width], np.float32) / np.float32(255)
    crop = np.ascontiguousarray(crop[..., ::-1]) if mirror else crop
    arrays = dict(zip(_IMAGES, np.split(crop, np.cumsum(_CHANNELS)[:-1]), strict=True))
    *joints, torso = np.split(poses.astype(np.float64), np.cumsum(_NUMBERS)[:-1])
    order = list(OPENPOSE_18_FEET.mirror)
    for name, flat, depth in (("pose", joints[0], joints[1]), ("condition_pose", joints[2], joints[3])):
        points = flat.reshape(_JOINTS, 2) - corner
        if mirror:
            points, depth = points[order], depth[order]
            points[:, 0] = (width - 1) - points[:, 0]
        arrays[name] = pose_maps(points, depth, float(torso[0]), size)
    return arrays


def _collate(examples: list[dict[str, NDArray[np.float32]]], face_weight: float) -> Batch:
    def stack(name: str) -> Tensor:
        return torch.from_numpy(np.stack([example[name] for example in examples]))

    pose, before = stack("pose"), stack("before")
    inputs = Inputs(stack("baseline"), stack("background"), pose, stack("condition"), stack("condition_pose"), before)
    head = F.interpolate(pose[:, HEAD : HEAD + 1], scale_factor=float(STRIDE), mode="bilinear")
    weight = 1 + face_weight * head
    return Batch(inputs, stack("forward"), stack("backward"), before, stack("target"), stack("after"), weight)
