"""Evaluation of stage 2: videos generated from one picture and poses, compared with the ground truth.

In each scene all methods get the same condition and target poses. Metrics are averaged over the frames of a scene, then
over scenes, so that scenes have equal weights; FID and FVD compare all frames of a method with all ground truth frames.

Four sections, each optional: ``clips`` of a folder (the report's ``methods``), ``drawn`` characters with exact poses,
the same ``turning`` once, and ``photos``, which have no ground truth: there only PCK of the detected poses is
evaluated.
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
from stgmamba.datasets.tang2018 import Dance, load_dances
from stgmamba.errors import InputError
from stgmamba.evaluation.figures import mean, rounded, write_json
from stgmamba.evaluation.frechet import frechet_distance
from stgmamba.evaluation.methods import Comparison
from stgmamba.evaluation.video.baselines import BASELINES, BuildBaseline
from stgmamba.evaluation.video.metrics import METRICS, MethodOutput
from stgmamba.evaluation.video.metrics.fidelity import check_can_measure
from stgmamba.evaluation.video.metrics.networks import Networks
from stgmamba.evaluation.video.metrics.redetection import pck
from stgmamba.evaluation.video.report import ROWS, SceneFigure, write_report
from stgmamba.evaluation.video.scenes import Scene, clip_scene, drawn_scene, resized, turning_scene
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
"""Default height of the frames, pixels."""

OURS, TRUTH = "ours", "truth"

_PHOTO_SECONDS = 6.0
_PACKAGES = ("stgmamba", "numpy", "opencv-contrib-python", "mediapipe", "torch", "torchmetrics")


@dataclass(frozen=True)
class EvalInputs:
    """Data of the evaluation; sections that are None or 0 are left out.

    Attributes:
        clips: folder of videos of one person each.
        photos: folder of pictures of one person each.
        drawn: number of drawn characters.
        turning: number of drawn characters that turn once.
        dances: folder of dances in the format of ``datasets.tang2018``; drawn characters use the split ``test``.
        held_out: file of what was held out from training (the last part of each clip, and the photos named). Where
            given, only that is evaluated.
    """

    clips: Path | None = None
    photos: Path | None = None
    drawn: int = 0
    turning: int = 0
    dances: Path | None = None
    held_out: Path | None = None

    @classmethod
    def with_defaults(
        cls,
        clips: Path | None,
        photos: Path | None,
        drawn: int,
        turning: int,
        dances: Path | None,
        held_out: Path | None,
    ) -> EvalInputs:
        """Inputs given by a user; by default the clips, and the dances for drawn characters, of the data folder."""
        if clips is None and not drawn and not turning and photos is None:
            clips = data_folder() / "clips"
        if (drawn or turning) and dances is None:
            dances = data_folder() / "tang2018"
        return cls(clips, photos, drawn, turning, dances, held_out)


def run(
    inputs: EvalInputs,
    json_path: str | Path | None = None,
    *,
    size: int = SIZE,
    seed: int = 0,
    networks: Networks | None = None,
    comparison: Comparison | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Evaluate stage 2 and write the report: what ``stgmamba evaluate video`` does.

    Args:
        inputs: what to evaluate on.
        json_path: the file to write, ending in .json; a Markdown report (.md) is written beside it, with a folder of
            the same name for its pictures. None writes nothing.
        size: height of the frames, pixels.
        seed: the first seed of the drawn characters, and that of the dance of the photos.
        networks: for LPIPS, FID and FVD, from ``load_networks``.
        comparison: networks to evaluate; ours and those of the repository when not given.
        progress: called with (steps done, steps in total); a step is a scene that is read or rendered by one method.

    Returns:
        ``size``, ``seed``, ``versions``, ``machine``; ``methods``: name -> metric -> value (None where it is not
        defined), with ``fps``, frames per second of rendering; ``truth``: metrics of the ground truth frames, an upper
        bound; ``clips``: facts of the scenes; ``left_out``: reasons. ``drawn``: ``methods``, ``truth``, ``scenes`` and
        ``left_out`` of drawn characters; ``turning``: likewise. ``photos``: ``methods`` with the mean ``pck`` over
        photos, ``photos``: name -> method -> pck, and ``left_out``. Sections without data are missing.

    Raises:
        InputError: an input or the output cannot be used, or no scene can be evaluated.
    """
    check_options(size=size, seed=seed)
    check_can_measure()
    if json_path is not None:
        json_path = check_can_write(json_path, (".json",))
    comparison = comparison or Comparison()
    built = _build_methods(comparison.weights, comparison.other_weights("video", (OURS, TRUTH, *BASELINES)))
    networks = networks or Networks()
    held_out = None if inputs.held_out is None else load_held_out(inputs.held_out)
    sections = [
        (name, sources)
        for name, sources in (
            ("clips", _clips(inputs.clips, size, held_out)),
            ("drawn", _drawn(inputs, inputs.drawn, drawn_scene, size, seed)),
            ("turning", _drawn(inputs, inputs.turning, turning_scene, size, seed)),
        )
        if sources
    ]
    photos = _photo_paths(inputs.photos, held_out)
    if not sections and not photos:
        raise InputError("There is nothing to evaluate; give a folder of clips or photos, or a number of characters.")
    steps = _ProgressCounter(progress, (sum(len(s) for _, s in sections) + len(photos)) * (1 + len(built)))
    report: dict[str, Any] = {
        "size": size,
        "seed": seed,
        "held_out": None if inputs.held_out is None else str(inputs.held_out),
        "versions": {package: version(package) for package in _PACKAGES},
        "machine": machine(),
    }
    figures: dict[str, list[SceneFigure]] = {}
    for name, sources in sections:
        results, figures[name] = evaluate_scenes(sources, built, networks, steps)
        if not results["scenes"]:
            raise InputError(f"No scene can be evaluated: {' '.join(results['left_out'])}")
        if name == "clips":
            report |= {"methods": results["methods"], "truth": results["truth"], "clips": results["scenes"]}
            report |= {"left_out": results["left_out"]}
        else:
            report[name] = results
    if photos:
        report["photos"], figures["photos"] = evaluate_photos(photos, built, size, seed, steps)
    if json_path is not None:
        write_json(json_path, report)
        write_report(json_path, report, figures)
    return report


def _build_methods(weights: Path | None, networks: Mapping[str, Path]) -> dict[str, BuildBaseline]:
    """All methods that are evaluated, ours first."""
    from stgmamba.evaluation.video.baselines.network import network

    files = {OURS: weights or default_weights("skeleton_to_video"), **networks}
    return {name: network(path) for name, path in files.items()} | BASELINES


@dataclass
class _ProgressCounter:
    """Counts steps and reports them."""

    progress: Progress | None
    total: int
    done: int = 0

    def advance(self, steps: int = 1) -> None:
        self.done += steps
        if self.progress is not None:
            self.progress(self.done, self.total)


def _clips(folder: Path | None, size: int, held_out: HeldOut | None) -> list[Callable[[], Scene]]:
    if folder is None:
        return []
    files = _files(folder)
    return [lambda path=path: clip_scene(path, size, held_out) for path in files]  # type: ignore[misc]


def _files(folder: Path) -> list[Path]:
    """The files of a folder except hidden ones, sorted by name."""
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder; check the name.")
    files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    if not files:
        raise InputError(f"{folder}: the folder is empty; put clips or photos of people in it.")
    return files


def _drawn(
    inputs: EvalInputs, count: int, make: Callable[[Sequence[Dance], int, int], Scene], size: int, seed: int
) -> list[Callable[[], Scene]]:
    if count == 0:
        return []
    if count < 0 or inputs.dances is None:
        raise InputError("To evaluate on drawn characters give how many (1 or more) and a folder of dances.")
    dances = load_dances(inputs.dances, "test")
    return [lambda seed=seed: make(dances, seed, size) for seed in range(seed, seed + count)]  # type: ignore[misc]


def evaluate_scenes(
    sources: Sequence[Callable[[], Scene]],
    methods: Mapping[str, BuildBaseline],
    networks: Networks,
    steps: _ProgressCounter | None = None,
) -> tuple[dict[str, Any], list[SceneFigure]]:
    """All metrics of all methods on scenes.

    Args:
        sources: functions that make a scene each; one scene is held in memory at a time. Where one raises InputError,
            its message is reported in ``left_out``.
        methods: name -> function that builds the method for a condition.
        networks: for LPIPS, FID and FVD.
        steps: counts the scenes that are read and rendered.

    Returns:
        ``methods``, ``truth``, ``scenes`` (name -> facts), ``left_out``; and a figure of each scene.
    """
    steps = steps or _ProgressCounter(None, 0)
    accumulators = {name: MetricAccumulator() for name in (TRUTH, *methods)}
    scenes: dict[str, Any] = {}
    left_out: list[str] = []
    figures = []
    for make in sources:
        try:
            scene = make()
            built = {
                name: build(scene.condition.picture, scene.condition.person, scene.condition.picture.size[1])
                for name, build in methods.items()
            }
        except InputError as error:
            left_out.append(str(error))
            steps.advance(1 + len(methods))
            continue
        steps.advance()
        scenes[scene.name] = scene.facts
        size = scene.condition.picture.size
        shown = _shown_frames(len(scene.truth))
        images = {}
        truth_output = MethodOutput(scene, scene.truth, _detect_poses(scene.truth, size))
        accumulators[TRUTH].add(truth_output, networks, None)
        for name, baseline in built.items():
            placement = placement_from_track(scene.target, scene.condition.track, baseline.body)
            frames, seconds = _render_timed(baseline.render_placement(placement), scene.truth.shape)
            output = MethodOutput(scene, frames, _detect_poses(frames, size))
            accumulators[name].add(output, networks, len(frames) / seconds)
            images[name] = frames[shown]
            steps.advance()
        images[TRUTH] = scene.truth[shown]
        target = scene.target.skeleton
        targets = Skeleton(target.positions[shown], target.fps, OPENPOSE_18_FEET, target.confidence[shown], size)
        figures.append(SceneFigure(scene.name, scene.condition.picture.rgb, targets, images))
    truth = accumulators.pop(TRUTH)
    rows = {name: accumulator.row(truth) for name, accumulator in accumulators.items()}
    truth_row = truth.row(truth)
    bounds = {name: truth_row.get(name) for name in ("pck", "identity")}
    return {"methods": rows, "truth": bounds, "scenes": scenes, "left_out": left_out}, figures


def _shown_frames(count: int) -> list[int]:
    """Indices of the frames of a scene that its figure shows."""
    return [round(fraction * (count - 1)) for fraction in np.linspace(0.1, 0.9, ROWS)]


@dataclass
class MetricAccumulator:
    """Values and features of one method, one entry per scene."""

    values: dict[str, list[float]] = field(default_factory=dict)
    features: dict[str, list[NDArray[np.float64]]] = field(default_factory=dict)

    def add(self, output: MethodOutput, networks: Networks, fps: float | None) -> None:
        """Compute the metrics of one scene; ``fps`` are the frames per second of rendering."""
        values = {name: metric.compute(output) for name, metric in METRICS.items()}
        if networks.lpips is not None:
            values["lpips"] = networks.lpips(output.frames, output.scene.truth)
        if fps is not None:
            values["fps"] = fps
        for name, value in values.items():
            self.values.setdefault(name, []).append(value)
        for name, embed in networks.embeddings.items():
            self.features.setdefault(name, []).append(embed(output.frames))

    def row(self, truth: MetricAccumulator) -> Row:
        """Means over scenes, and Fréchet distances of the features to those of the ground truth."""
        row: Row = {name: mean(values) for name, values in self.values.items()}
        for name, features in self.features.items():
            a, b = np.concatenate(features), np.concatenate(truth.features[name])
            row[name] = rounded(frechet_distance(a, b)) if len(a) > 1 else None
        return row


def _render_timed(frames: Iterator[Frame], shape: tuple[int, ...]) -> tuple[Frame, float]:
    """All frames of an iterator, and the time of their computation, seconds."""
    rendered = np.empty(shape, np.uint8)
    start = time.perf_counter()
    for i, frame in enumerate(frames):
        rendered[i] = frame
    return rendered, time.perf_counter() - start


def _detect_poses(frames: Frame, size: tuple[int, int]) -> Skeleton:
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
) -> tuple[dict[str, Any], list[SceneFigure]]:
    """PCK of the poses detected in videos generated from photos.

    The dance of all photos is the one that the default weights generate to the first six seconds of the built-in song.
    Joints that are not visible in the photo are not evaluated.

    Args:
        paths: pictures of one person each; the reasons why some cannot be used are reported in ``left_out``.
        methods: name -> function that builds the method for a photo.
        size: height of the frames, pixels.
        seed: of the dance.
        steps: counts the photos that are read and rendered.

    Returns:
        ``methods``, ``photos`` (name -> method -> pck), ``left_out``; and a figure of each photo.
    """
    steps = steps or _ProgressCounter(None, 0)
    dance = _photo_dance(seed)
    photos: dict[str, dict[str, float | None]] = {}
    values: dict[str, list[float]] = {name: [] for name in methods}
    left_out: list[str] = []
    figures = []
    for path in paths:
        try:
            picture = load_picture(path)
            person = find_person(picture)
            built = {name: build(picture, person, size) for name, build in methods.items()}
        except InputError as error:
            left_out.append(str(error))
            steps.advance(1 + len(methods))
            continue
        steps.advance()
        photos[path.name] = {}
        shown = _shown_frames(len(dance))
        images = {}
        target: Skeleton | None = None
        for name, baseline in built.items():
            placement, view = retarget_in_view(dance, baseline.body, baseline.size)
            zoom, origin = view
            points = ((placement.points - (origin.real, origin.imag)) * zoom).astype(np.float32)
            visible = np.repeat(baseline.body.visible[None].astype(np.float32), len(dance), axis=0)
            points, visible = points[:, baseline.body.joint_order], visible[:, baseline.body.joint_order]
            target = Skeleton(points, dance.fps, OPENPOSE_18_FEET, visible, baseline.size)
            frames = np.stack(list(baseline.render_placement(placement, view)))
            value = pck(_detect_poses(frames, baseline.size), target)
            photos[path.name][name] = rounded(value)
            values[name].append(value)
            images[name] = frames[shown]
            steps.advance()
        assert target is not None
        targets = Skeleton(target.positions[shown], target.fps, target.layout, target.confidence[shown], target.size)
        condition = resized(picture.rgb, scaled_size(picture.size, size))
        figures.append(SceneFigure(path.name, condition, targets, images))
    rows = {name: {"pck": mean(each)} for name, each in values.items()}
    return {"methods": rows, "photos": photos, "left_out": left_out}, figures


def _photo_dance(seed: int) -> Skeleton:
    from stgmamba.music.demo_song import repeated_demo_song
    from stgmamba.music_to_skeleton.sampler import load_sampler

    return load_sampler().generate(repeated_demo_song(_PHOTO_SECONDS), seed=seed, facing="camera")
