"""Stage 2 judged: films made from one picture and poses, against the true ones, all methods in one run.

How one figure comes about: in each scene every method gets the same condition and the same target poses. A metric is
averaged over the frames of a scene, then over scenes, so that each scene counts the same; FID and FVD compare all
frames of a method with all true ones.

Three sections, each optional: ``clips`` of a folder (their rows are the report's ``methods``), ``drawn`` dancers of
whom all is known, and ``photos``, of which there is no true film: there the pose is looked for in what was drawn.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stgmamba import defaults
from stgmamba.datasets.held_out import HeldOut, load_held_out
from stgmamba.datasets.tang2018 import load_dances
from stgmamba.errors import InputError
from stgmamba.evaluation.skeleton.metrics.frechet import frechet_distance
from stgmamba.evaluation.skeleton.report import write_json
from stgmamba.evaluation.video.baselines import REENACTORS, Build
from stgmamba.evaluation.video.metrics import METRICS, Take
from stgmamba.evaluation.video.metrics.fidelity import check_can_measure
from stgmamba.evaluation.video.metrics.networks import Networks
from stgmamba.evaluation.video.metrics.redetection import pck
from stgmamba.evaluation.video.report import ROWS, Strip, write_report
from stgmamba.evaluation.video.scenes import Scene, clip_scene, drawn_scene, resized
from stgmamba.files import check_can_write
from stgmamba.limb_warp.letterbox import frame_size
from stgmamba.limb_warp.pose_track import placement_from_track
from stgmamba.limb_warp.renderer import placed_in_view
from stgmamba.machine import machine
from stgmamba.person.picture import load_picture
from stgmamba.person.pose import estimate_frames, find_person
from stgmamba.progress import Progress
from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton

Frames = NDArray[np.uint8]
Row = dict[str, float | None]

SIZE = 256
"""Height of the frames that are judged, pixels."""

OURS, TRUTH = "ours", "truth"

WEIGHTS = Path(__file__).parents[2] / "weights" / "skeleton_to_video.safetensors"
"""Ours, in the package."""

COMPARED = WEIGHTS.parent / "compared_video"
"""Weights of the networks that ours is compared with."""

_PHOTO_SECONDS = 6.0
_PACKAGES = ("stgmamba", "numpy", "opencv-contrib-python", "mediapipe", "torch", "torchmetrics")


@dataclass(frozen=True)
class Material:
    """What stage 2 is to be judged on; what is None or 0 is left out.

    Attributes:
        clips: folder of videos of one person each.
        photos: folder of pictures of one person each.
        drawn: number of drawn dancers.
        dances: folder of dances as ``datasets.tang2018`` reads them, of which the drawn dance the split ``test``.
        held_out: file that says what was kept from training: only that is judged (of clips the last part, of photos
            those named). Without it everything is.
    """

    clips: Path | None = None
    photos: Path | None = None
    drawn: int = 0
    dances: Path | None = None
    held_out: Path | None = None


def run(
    material: Material,
    json_path: str | Path | None = None,
    size: int = SIZE,
    seed: int = 0,
    networks: Networks | None = None,
    weights: Path | None = None,
    compare: bool = True,
    others: Mapping[str, Path] | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Judge all methods and write the report: what ``stgmamba evaluate video`` does.

    Args:
        material: what to judge on.
        json_path: the file to write, ending in .json; a report for people (.md) goes beside it, with a folder of the
            same name for its pictures. None writes nothing.
        size: height of the frames in pixels.
        seed: the first seed of the drawn dancers, and that of the dance of the photos.
        networks: for LPIPS, FID and FVD, as ``load_networks`` returns them.
        weights: of ``ours``; by default those in the package, where it has some.
        compare: judge the networks in the package's folder ``weights/compared_video`` too, each under its file's name.
        others: name -> weights of more networks to judge.
        progress: called with (steps done, steps in all); a step is a scene read or danced by one method.

    Returns:
        ``size``, ``seed``, ``versions``, ``machine``; ``methods``: name -> metric -> value (None where it is not
        defined), with ``fps``, frames a second of drawing; ``truth``: the same of the true frames, as the most that can
        be reached; ``clips``: what was judged; ``left_out``: sentences. ``drawn``: the same five for drawn dancers.
        ``photos``: ``methods`` with ``pck`` over all joints of all photos, ``photos``: name -> method -> pck, and
        ``left_out``. Sections that were not asked for are missing.

    Raises:
        InputError: an input or the output cannot be used, or nothing remains to be judged.
    """
    if not defaults.SMALLEST_SIZE <= size <= defaults.LARGEST_SIZE:
        raise InputError(
            f"size {size} is out of range; use {defaults.SMALLEST_SIZE} to {defaults.LARGEST_SIZE} pixels."
        )
    if seed < 0:
        raise InputError(f"seed {seed} is out of range; use 0 or more.")
    check_can_measure()
    if json_path is not None:
        json_path = check_can_write(json_path, (".json",))
    methods = _methods(weights, compare, others or {})
    networks = networks or Networks()
    held_out = None if material.held_out is None else load_held_out(material.held_out)
    sections = [
        (name, sources)
        for name, sources in (
            ("clips", _clips(material.clips, size, held_out)),
            ("drawn", _drawn(material, size, seed)),
        )
        if sources
    ]
    photos = _photo_paths(material.photos, held_out)
    if not sections and not photos:
        raise InputError("There is nothing to judge; give a folder of clips or photos, or a number of drawn dancers.")
    steps = _Steps(progress, (sum(len(s) for _, s in sections) + len(photos)) * (1 + len(methods)))
    report: dict[str, Any] = {
        "size": size,
        "seed": seed,
        "held_out": None if material.held_out is None else str(material.held_out),
        "versions": {package: version(package) for package in _PACKAGES},
        "machine": machine(),
    }
    strips: dict[str, list[Strip]] = {}
    for name, sources in sections:
        judged, strips[name] = judge(sources, methods, networks, steps)
        if not judged["scenes"]:
            raise InputError(f"No scene can be judged: {' '.join(judged['left_out'])}")
        if name == "clips":
            report |= {"methods": judged["methods"], "truth": judged["truth"], "clips": judged["scenes"]}
            report |= {"left_out": judged["left_out"]}
        else:
            report[name] = judged
    if photos:
        report["photos"], strips["photos"] = judge_photos(photos, methods, size, seed, steps)
    if json_path is not None:
        write_json(json_path, report)
        write_report(json_path, report, strips)
    return report


def _methods(weights: Path | None, compare: bool, others: Mapping[str, Path]) -> dict[str, Build]:
    """Everything that is judged, ours first."""
    compared = {path.stem: path for path in sorted(COMPARED.glob("*.safetensors"))} if compare else {}
    for name, path in others.items():
        if name in (OURS, TRUTH, *REENACTORS, *compared):
            raise InputError(f"--method {name}={path}: another method has this name; choose another one.")
        if not path.is_file():
            raise InputError(f"--method {name}={path}: there is no such file; check the name.")
    ours = {OURS: weights} if weights is not None or WEIGHTS.exists() else {}
    files = {**ours, **compared, **others}
    if not files:
        return dict(REENACTORS)
    from stgmamba.evaluation.video.baselines.network import network

    return {name: network(path) for name, path in files.items()} | REENACTORS


@dataclass
class _Steps:
    """Counts towards the progress."""

    progress: Progress | None
    total: int
    done: int = 0

    def take(self, steps: int = 1) -> None:
        self.done += steps
        if self.progress is not None:
            self.progress(self.done, self.total)


def _clips(folder: Path | None, size: int, held_out: HeldOut | None) -> list[Callable[[], Scene]]:
    if folder is None:
        return []
    files = _files(folder)
    return [lambda path=path: clip_scene(path, size, held_out) for path in files]  # type: ignore[misc]


def _files(folder: Path) -> list[Path]:
    """Everything in a folder but what is hidden, by name."""
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder; check the name.")
    files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    if not files:
        raise InputError(f"{folder}: the folder is empty; put clips or photos of people in it.")
    return files


def _drawn(material: Material, size: int, seed: int) -> list[Callable[[], Scene]]:
    if material.drawn == 0:
        return []
    if material.drawn < 0 or material.dances is None:
        raise InputError("To judge on drawn dancers give how many (1 or more) and a folder of dances.")
    dances = load_dances(material.dances, "test")
    seeds = range(seed, seed + material.drawn)
    return [lambda seed=seed: drawn_scene(dances, seed, size) for seed in seeds]  # type: ignore[misc]


def judge(
    sources: Sequence[Callable[[], Scene]],
    methods: Mapping[str, Build],
    networks: Networks,
    steps: _Steps | None = None,
) -> tuple[dict[str, Any], list[Strip]]:
    """All metrics of all methods on some scenes.

    Args:
        sources: each makes one scene; one is held in memory at a time. A scene whose making raises InputError is left
            out, and what was said is reported.
        methods: name -> what builds a reenactor.
        networks: for LPIPS, FID and FVD.
        steps: told of each scene read and of each scene drawn.

    Returns:
        ``methods``, ``truth``, ``scenes`` (the scenes' facts by name), ``left_out``; and pictures of each scene.
    """
    steps = steps or _Steps(None, 0)
    tallies = {name: _Tally() for name in (TRUTH, *methods)}
    scenes: dict[str, Any] = {}
    left_out: list[str] = []
    strips = []
    for make in sources:
        try:
            scene = make()
            built = {
                name: build(scene.condition.picture, scene.condition.person, scene.condition.picture.size[1])
                for name, build in methods.items()
            }
        except InputError as error:
            left_out.append(str(error))
            steps.take(1 + len(methods))
            continue
        steps.take()
        scenes[scene.name] = scene.facts
        size = scene.condition.picture.size
        shown = [round(share * (len(scene.truth) - 1)) for share in np.linspace(0.1, 0.9, ROWS)]
        pictures = {}
        tallies[TRUTH].add(Take(scene, scene.truth, _found(scene.truth, size)), networks, None)
        for name, reenactor in built.items():
            placement = placement_from_track(scene.target, scene.condition.track, reenactor.body)
            frames, seconds = _timed(reenactor.frames_of(placement), scene.truth.shape)
            tallies[name].add(Take(scene, frames, _found(frames, size)), networks, len(frames) / seconds)
            pictures[name] = frames[shown]
            steps.take()
        pictures[TRUTH] = scene.truth[shown]
        targets = Skeleton(
            scene.target.skeleton.positions[shown],
            scene.target.skeleton.fps,
            OPENPOSE_18_FEET,
            scene.target.skeleton.confidence[shown],
            size,
        )
        strips.append(Strip(scene.name, scene.condition.picture.rgb, targets, pictures))
    truth = tallies.pop(TRUTH)
    rows = {name: tally.row(truth) for name, tally in tallies.items()}
    ceiling = truth.row(truth)
    best = {name: ceiling.get(name) for name in ("pck", "identity")}
    return {"methods": rows, "truth": best, "scenes": scenes, "left_out": left_out}, strips


@dataclass
class _Tally:
    """The figures of one method, scene by scene."""

    values: dict[str, list[float]] = field(default_factory=dict)
    features: dict[str, list[NDArray[np.float64]]] = field(default_factory=dict)

    def add(self, take: Take, networks: Networks, fps: float | None) -> None:
        figures = {name: metric.compute(take) for name, metric in METRICS.items()}
        if networks.lpips is not None:
            figures["lpips"] = networks.lpips(take.frames, take.scene.truth)
        if fps is not None:
            figures["fps"] = fps
        for name, value in figures.items():
            self.values.setdefault(name, []).append(value)
        for name, embed in networks.embeddings.items():
            self.features.setdefault(name, []).append(embed(take.frames))

    def row(self, truth: _Tally) -> Row:
        row: Row = {name: _mean(values) for name, values in self.values.items()}
        for name, features in self.features.items():
            pair = np.concatenate(features), np.concatenate(truth.features[name])
            row[name] = _rounded(frechet_distance(*pair)) if len(pair[0]) > 1 else None
        return row


def _timed(frames: Iterator[Frames], shape: tuple[int, ...]) -> tuple[Frames, float]:
    """All frames, and how long their drawing took, seconds."""
    made = np.empty(shape, np.uint8)
    start = time.perf_counter()
    for i, frame in enumerate(frames):
        made[i] = frame
    return made, time.perf_counter() - start


def _found(frames: Frames, size: tuple[int, int]) -> Skeleton:
    return estimate_frames(((i / 25, rgb) for i, rgb in enumerate(frames)), 25.0, size)


def _photo_paths(folder: Path | None, held_out: HeldOut | None) -> list[Path]:
    if folder is None:
        return []
    files = [path for path in _files(folder) if held_out is None or path.name in held_out.people]
    if not files:
        raise InputError(f"{folder}: none of these pictures is held out; name the folder that the list is about.")
    return files


def judge_photos(
    paths: Sequence[Path], methods: Mapping[str, Build], size: int, seed: int, steps: _Steps | None = None
) -> tuple[dict[str, Any], list[Strip]]:
    """Whether the pose is found again in dancing photos.

    Every photo dances the same six seconds that our own weights make of the built-in song, as ``stgmamba dance`` would
    have it. Joints that the photo does not show do not count.

    Args:
        paths: pictures of one person each; those that cannot be used are left out, and what was said is reported.
        methods: name -> what builds a reenactor.
        size: height of the frames in pixels.
        seed: of the dance.
        steps: told of each photo read and of each dance drawn.
    """
    steps = steps or _Steps(None, 0)
    dance = _photo_dance(seed)
    photos: dict[str, dict[str, float | None]] = {}
    pooled: dict[str, list[float]] = {name: [] for name in methods}
    left_out: list[str] = []
    strips = []
    for path in paths:
        try:
            picture = load_picture(path)
            person = find_person(picture)
            built = {name: build(picture, person, size) for name, build in methods.items()}
        except InputError as error:
            left_out.append(str(error))
            steps.take(1 + len(methods))
            continue
        steps.take()
        photos[path.name] = {}
        shown = [round(share * (len(dance) - 1)) for share in np.linspace(0.1, 0.9, ROWS)]
        pictures = {}
        target: Skeleton | None = None
        for name, reenactor in built.items():
            placement, view = placed_in_view(dance, reenactor.body, reenactor.size)
            zoom, origin = view
            points = ((placement.points - (origin.real, origin.imag)) * zoom).astype(np.float32)
            seen = np.repeat(reenactor.body.seen[None].astype(np.float32), len(dance), axis=0)
            points, seen = points[:, reenactor.body.order], seen[:, reenactor.body.order]
            target = Skeleton(points, dance.fps, OPENPOSE_18_FEET, seen, reenactor.size)
            frames = np.stack(list(reenactor.frames_of(placement, view)))
            value = pck(_found(frames, reenactor.size), target)
            photos[path.name][name] = _rounded(value)
            pooled[name].append(value)
            pictures[name] = frames[shown]
            steps.take()
        assert target is not None
        targets = Skeleton(target.positions[shown], target.fps, target.layout, target.confidence[shown], target.size)
        condition = resized(picture.rgb, frame_size(picture.size, size))
        strips.append(Strip(path.name, condition, targets, pictures))
    rows = {name: {"pck": _mean(values)} for name, values in pooled.items()}
    return {"methods": rows, "photos": photos, "left_out": left_out}, strips


def _photo_dance(seed: int) -> Skeleton:
    from stgmamba.bench.skeleton import demo_song
    from stgmamba.music_to_skeleton.sampler import load_generator

    return load_generator().generate(demo_song(_PHOTO_SECONDS), seed=seed, facing="camera")


def _mean(values: Sequence[float]) -> float | None:
    """Over what is defined; None where nothing is."""
    defined = [value for value in values if math.isfinite(value)]
    return _rounded(float(np.mean(defined))) if defined else None


def _rounded(value: float) -> float | None:
    """Six digits, and None instead of what JSON cannot hold."""
    return float(f"{value:.6g}") if math.isfinite(value) else None
