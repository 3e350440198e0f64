"""Stage 2 judged: films made from one picture and poses, against the true ones, all methods in one run.

How one figure comes about: in each scene every method gets the same condition and the same target poses. A metric is
averaged over the frames of a scene, then over scenes, so that each scene counts the same; FID and FVD compare all
frames of a method with all true ones.

Three sections, each optional: ``clips`` of a folder (their rows are the report's ``methods``), ``drawn`` dancers of
whom all is known, and ``photos``, of which there is no true film: there the pose is looked for in what was drawn.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stgmamba.arrays import Frame
from stgmamba.datasets import data_folder
from stgmamba.datasets.held_out import HeldOut, load_held_out
from stgmamba.datasets.tang2018 import load_dances
from stgmamba.errors import InputError
from stgmamba.evaluation.figures import mean, rounded, write_json
from stgmamba.evaluation.frechet import frechet_distance
from stgmamba.evaluation.methods import compared_weights
from stgmamba.evaluation.video.baselines import BASELINES, BuildBaseline
from stgmamba.evaluation.video.metrics import METRICS, MethodOutput
from stgmamba.evaluation.video.metrics.fidelity import check_can_measure
from stgmamba.evaluation.video.metrics.networks import Networks
from stgmamba.evaluation.video.metrics.redetection import pck
from stgmamba.evaluation.video.report import ROWS, Strip, write_report
from stgmamba.evaluation.video.scenes import Scene, clip_scene, drawn_scene, resized
from stgmamba.files import check_can_write
from stgmamba.limb_warp.letterbox import scaled_size
from stgmamba.limb_warp.pose_track import placement_from_track
from stgmamba.limb_warp.renderer import retarget_in_view
from stgmamba.machine import machine
from stgmamba.options import FPS, check_options
from stgmamba.person.picture import load_picture
from stgmamba.person.pose import estimate_frames, find_person
from stgmamba.progress import Progress
from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton
from stgmamba.training.weights import default_weights

Row = dict[str, float | None]

SIZE = 256
"""Height of the frames that are judged, pixels."""

OURS, TRUTH = "ours", "truth"

_PHOTO_SECONDS = 6.0
_PACKAGES = ("stgmamba", "numpy", "opencv-contrib-python", "mediapipe", "torch", "torchmetrics")


@dataclass(frozen=True)
class EvalInputs:
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

    @classmethod
    def with_defaults(
        cls, clips: Path | None, photos: Path | None, drawn: int, dances: Path | None, held_out: Path | None
    ) -> EvalInputs:
        """Inputs as a user names them: the clips and dances of the data folder where nothing else is named."""
        if clips is None and not drawn and photos is None:
            clips = data_folder() / "clips"
        if drawn and dances is None:
            dances = data_folder() / "tang2018"
        return cls(clips, photos, drawn, dances, held_out)


def run(
    inputs: EvalInputs,
    json_path: str | Path | None = None,
    *,
    size: int = SIZE,
    seed: int = 0,
    networks: Networks | None = None,
    weights: Path | None = None,
    compare: bool = True,
    compared: Path | None = None,
    methods: Sequence[str] = (),
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Evaluate stage 2 and write the report: what ``stgmamba evaluate video`` does.

    Args:
        inputs: what to evaluate on.
        json_path: the file to write, ending in .json; a report for people (.md) goes beside it, with a folder of the
            same name for its pictures. None writes nothing.
        size: height of the frames in pixels.
        seed: the first seed of the drawn dancers, and that of the dance of the photos.
        networks: for LPIPS, FID and FVD, as ``load_networks`` returns them.
        weights: of ours; the default weights when not given.
        compare: whether to evaluate the networks for comparison too, each under its file's name.
        compared: folder of their weights; by default that of the repository.
        methods: more weights to evaluate, ``NAME=FILE`` each.
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
    check_options(size=size, seed=seed)
    check_can_measure()
    if json_path is not None:
        json_path = check_can_write(json_path, (".json",))
    networks_compared = compared_weights("video", compare, compared, methods, (OURS, TRUTH, *BASELINES))
    contestants = _contestants(weights, networks_compared)
    networks = networks or Networks()
    held_out = None if inputs.held_out is None else load_held_out(inputs.held_out)
    sections = [
        (name, sources)
        for name, sources in (
            ("clips", _clips(inputs.clips, size, held_out)),
            ("drawn", _drawn(inputs, size, seed)),
        )
        if sources
    ]
    photos = _photo_paths(inputs.photos, held_out)
    if not sections and not photos:
        raise InputError("There is nothing to judge; give a folder of clips or photos, or a number of drawn dancers.")
    steps = _ProgressCounter(progress, (sum(len(s) for _, s in sections) + len(photos)) * (1 + len(contestants)))
    report: dict[str, Any] = {
        "size": size,
        "seed": seed,
        "held_out": None if inputs.held_out is None else str(inputs.held_out),
        "versions": {package: version(package) for package in _PACKAGES},
        "machine": machine(),
    }
    strips: dict[str, list[Strip]] = {}
    for name, sources in sections:
        figures, strips[name] = evaluate_scenes(sources, contestants, networks, steps)
        if not figures["scenes"]:
            raise InputError(f"No scene can be judged: {' '.join(figures['left_out'])}")
        if name == "clips":
            report |= {"methods": figures["methods"], "truth": figures["truth"], "clips": figures["scenes"]}
            report |= {"left_out": figures["left_out"]}
        else:
            report[name] = figures
    if photos:
        report["photos"], strips["photos"] = evaluate_photos(photos, contestants, size, seed, steps)
    if json_path is not None:
        write_json(json_path, report)
        write_report(json_path, report, strips)
    return report


def _contestants(weights: Path | None, networks: Mapping[str, Path]) -> dict[str, BuildBaseline]:
    """Everything that is evaluated, ours first."""
    from stgmamba.evaluation.video.baselines.network import network

    files = {OURS: weights or default_weights("skeleton_to_video"), **networks}
    return {name: network(path) for name, path in files.items()} | BASELINES


@dataclass
class _ProgressCounter:
    """Counts towards the progress."""

    progress: Progress | None
    total: int
    done: int = 0

    def output(self, steps: int = 1) -> None:
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


def _drawn(inputs: EvalInputs, size: int, seed: int) -> list[Callable[[], Scene]]:
    if inputs.drawn == 0:
        return []
    if inputs.drawn < 0 or inputs.dances is None:
        raise InputError("To judge on drawn dancers give how many (1 or more) and a folder of dances.")
    dances = load_dances(inputs.dances, "test")
    seeds = range(seed, seed + inputs.drawn)
    return [lambda seed=seed: drawn_scene(dances, seed, size) for seed in seeds]  # type: ignore[misc]


def evaluate_scenes(
    sources: Sequence[Callable[[], Scene]],
    methods: Mapping[str, BuildBaseline],
    networks: Networks,
    steps: _ProgressCounter | None = None,
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
    steps = steps or _ProgressCounter(None, 0)
    accumulators = {name: MetricAccumulator() for name in (TRUTH, *methods)}
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
            steps.output(1 + len(methods))
            continue
        steps.output()
        scenes[scene.name] = scene.facts
        size = scene.condition.picture.size
        shown = [round(share * (len(scene.truth) - 1)) for share in np.linspace(0.1, 0.9, ROWS)]
        pictures = {}
        accumulators[TRUTH].add(MethodOutput(scene, scene.truth, _found(scene.truth, size)), networks, None)
        for name, baseline in built.items():
            placement = placement_from_track(scene.target, scene.condition.track, baseline.body)
            frames, seconds = _timed(baseline.render_placement(placement), scene.truth.shape)
            accumulators[name].add(MethodOutput(scene, frames, _found(frames, size)), networks, len(frames) / seconds)
            pictures[name] = frames[shown]
            steps.output()
        pictures[TRUTH] = scene.truth[shown]
        targets = Skeleton(
            scene.target.skeleton.positions[shown],
            scene.target.skeleton.fps,
            OPENPOSE_18_FEET,
            scene.target.skeleton.confidence[shown],
            size,
        )
        strips.append(Strip(scene.name, scene.condition.picture.rgb, targets, pictures))
    truth = accumulators.pop(TRUTH)
    rows = {name: accumulator.row(truth) for name, accumulator in accumulators.items()}
    ceiling = truth.row(truth)
    best = {name: ceiling.get(name) for name in ("pck", "identity")}
    return {"methods": rows, "truth": best, "scenes": scenes, "left_out": left_out}, strips


@dataclass
class MetricAccumulator:
    """The figures of one method, scene by scene."""

    values: dict[str, list[float]] = field(default_factory=dict)
    features: dict[str, list[NDArray[np.float64]]] = field(default_factory=dict)

    def add(self, output: MethodOutput, networks: Networks, fps: float | None) -> None:
        """Measure what one method made of one scene."""
        figures = {name: metric.compute(output) for name, metric in METRICS.items()}
        if networks.lpips is not None:
            figures["lpips"] = networks.lpips(output.frames, output.scene.truth)
        if fps is not None:
            figures["fps"] = fps
        for name, value in figures.items():
            self.values.setdefault(name, []).append(value)
        for name, embed in networks.embeddings.items():
            self.features.setdefault(name, []).append(embed(output.frames))

    def row(self, truth: MetricAccumulator) -> Row:
        """Means over scenes, and distances of distributions to those of the truth."""
        row: Row = {name: mean(values) for name, values in self.values.items()}
        for name, features in self.features.items():
            pair = np.concatenate(features), np.concatenate(truth.features[name])
            row[name] = rounded(frechet_distance(*pair)) if len(pair[0]) > 1 else None
        return row


def _timed(frames: Iterator[Frame], shape: tuple[int, ...]) -> tuple[Frame, float]:
    """All frames, and how long their drawing took, seconds."""
    made = np.empty(shape, np.uint8)
    start = time.perf_counter()
    for i, frame in enumerate(frames):
        made[i] = frame
    return made, time.perf_counter() - start


def _found(frames: Frame, size: tuple[int, int]) -> Skeleton:
    return estimate_frames(((i / FPS, rgb) for i, rgb in enumerate(frames)), FPS, size)


def _photo_paths(folder: Path | None, held_out: HeldOut | None) -> list[Path]:
    if folder is None:
        return []
    files = [path for path in _files(folder) if held_out is None or path.name in held_out.people]
    if not files:
        raise InputError(f"{folder}: none of these pictures is held out; name the folder that the list is about.")
    return files


def evaluate_photos(
    paths: Sequence[Path],
    methods: Mapping[str, BuildBaseline],
    size: int,
    seed: int,
    steps: _ProgressCounter | None = None,
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
    steps = steps or _ProgressCounter(None, 0)
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
            steps.output(1 + len(methods))
            continue
        steps.output()
        photos[path.name] = {}
        shown = [round(share * (len(dance) - 1)) for share in np.linspace(0.1, 0.9, ROWS)]
        pictures = {}
        target: Skeleton | None = None
        for name, baseline in built.items():
            placement, view = retarget_in_view(dance, baseline.body, baseline.size)
            zoom, origin = view
            points = ((placement.points - (origin.real, origin.imag)) * zoom).astype(np.float32)
            seen = np.repeat(baseline.body.visible[None].astype(np.float32), len(dance), axis=0)
            points, seen = points[:, baseline.body.joint_order], seen[:, baseline.body.joint_order]
            target = Skeleton(points, dance.fps, OPENPOSE_18_FEET, seen, baseline.size)
            frames = np.stack(list(baseline.render_placement(placement, view)))
            value = pck(_found(frames, baseline.size), target)
            photos[path.name][name] = rounded(value)
            pooled[name].append(value)
            pictures[name] = frames[shown]
            steps.output()
        assert target is not None
        targets = Skeleton(target.positions[shown], target.fps, target.layout, target.confidence[shown], target.size)
        condition = resized(picture.rgb, scaled_size(picture.size, size))
        strips.append(Strip(path.name, condition, targets, pictures))
    rows = {name: {"pck": mean(values)} for name, values in pooled.items()}
    return {"methods": rows, "photos": photos, "left_out": left_out}, strips


def _photo_dance(seed: int) -> Skeleton:
    from stgmamba.music.demo_song import repeated_demo_song
    from stgmamba.music_to_skeleton.sampler import load_sampler

    return load_sampler().generate(repeated_demo_song(_PHOTO_SECONDS), seed=seed, facing="camera")
