"""The figures of docs/benchmarks.md about G_r on the CPU: `python benchmarks/frame_generator.py`, some five minutes.

What runs the network fastest, by how many threads and in what batches, and where the time of a film goes. ONNX Runtime
and OpenVINO take part where they are installed (`pip install onnx onnxruntime openvino`; with the protobuf that
MediaPipe wants, onnx 1.17), torch.compile with `--compile`, which takes minutes and a C++ compiler. The network has the
size of ours and random weights: speed does not depend on them, errors do, so its last layer is drawn such that it
changes frames visibly.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import io
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median, quantiles
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from stgmamba import DancePipeline
from stgmamba.characters import CHARACTERS
from stgmamba.characters.render import CharacterRenderer
from stgmamba.limb_warp.renderer import LimbWarpRenderer, retarget_in_view
from stgmamba.machine import machine
from stgmamba.music.demo_song import repeated_demo_song
from stgmamba.person.picture import Picture, as_picture
from stgmamba.person.pose import DetectedPerson, find_person
from stgmamba.skeleton import Skeleton
from stgmamba.skeleton_to_video.compositing import composite
from stgmamba.skeleton_to_video.model import Config, FrameGenerator, Inputs, Prediction
from stgmamba.skeleton_to_video.pose_maps import pose_maps
from stgmamba.skeleton_to_video.rendering import TRAINED_HEIGHT, NeuralRenderer
from stgmamba.video_io import write_video

WINDOW = 160, TRAINED_HEIGHT
"""What the network sees of a frame, width and height: the median of our real clips."""

BATCH = 4
BATCHES = (1, 2, 4, 8)
SIZES = (256, 512)
ROUNDS = 9
SECONDS = 4.0
USED = "torch, channels last"
"""What `NeuralRenderer` uses."""

Run = Callable[[], Any]
Build = Callable[[FrameGenerator, Inputs, int], Run]


class Scene(NamedTuple):
    """A person in a picture, and a dance."""

    picture: Picture
    person: DetectedPerson
    dance: Skeleton


class Times(NamedTuple):
    """Milliseconds a frame of one contender, by turns: on the clock, and of all processors."""

    wall: list[float]
    processor: list[float]


def make_scene() -> Scene:
    """A built-in dancer drawn large, and our dance to the built-in song."""
    dance = DancePipeline.from_pretrained().skeleton(repeated_demo_song(SECONDS), facing="camera", seed=0)
    picture = as_picture(next(CharacterRenderer(CHARACTERS["kofi"], size=(768, 768)).frames(dance.slice(0, 1))))
    return Scene(picture, find_person(picture), dance)


def make_network() -> FrameGenerator:
    torch.manual_seed(0)
    model = FrameGenerator(Config())
    nn.init.normal_(model.head.weight, std=0.1)
    return model.eval()


class Whole(nn.Module):
    """G_r's answer as a function of tensors, as exporters want it."""

    def __init__(self, model: FrameGenerator) -> None:
        super().__init__()
        self.model = model

    def forward(self, warped: Tensor, background: Tensor, pose: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.model.predict(Inputs(warped, background, pose)))


def eager(model: FrameGenerator, inputs: Inputs, _: int) -> Run:
    return lambda: model.predict(inputs)


def channels_last(model: FrameGenerator, inputs: Inputs, _: int) -> Run:
    return eager(_channels_last(model), _inputs_last(inputs), 0)


def bfloat16(model: FrameGenerator, inputs: Inputs, _: int) -> Run:
    run = channels_last(model, inputs, 0)

    def predict() -> Any:
        with torch.autocast("cpu", torch.bfloat16):
            return run()

    return predict


def traced(model: FrameGenerator, inputs: Inputs, _: int) -> Run:
    tensors = _tensors(inputs)
    frozen = torch.jit.freeze(torch.jit.trace(Whole(model).eval(), tensors))  # type: ignore[no-untyped-call]
    network = torch.jit.optimize_for_inference(frozen)
    return lambda: network(*tensors)


def compiled(mode: str) -> Build:
    def build(model: FrameGenerator, inputs: Inputs, _: int) -> Run:
        torch._dynamo.reset()
        network = torch.compile(Whole(_channels_last(model)), mode=mode, dynamic=False)
        tensors = _tensors(_inputs_last(inputs))
        return lambda: network(*tensors)

    return build


def onnx_runtime(model: FrameGenerator, inputs: Inputs, threads: int) -> Run:
    runtime = importlib.import_module("onnxruntime")
    file, names = io.BytesIO(), ["warped", "background", "pose"]
    # The older exporter: the newer one needs one more package, and writes the same operators.
    torch.onnx.export(Whole(model), _tensors(inputs), file, dynamo=False, opset_version=17, input_names=names)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    session = runtime.InferenceSession(file.getvalue(), options, providers=["CPUExecutionProvider"])
    arrays = dict(zip(names, (tensor.numpy() for tensor in _tensors(inputs)), strict=True))
    return lambda: session.run(None, arrays)


def openvino(precision: str) -> Build:
    def build(model: FrameGenerator, inputs: Inputs, threads: int) -> Run:
        runtime = importlib.import_module("openvino")
        tensors = _tensors(inputs)
        network = runtime.convert_model(Whole(model), example_input=tensors)
        network.reshape({part: list(x.shape) for part, x in zip(network.inputs, tensors, strict=True)})
        options = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": precision}
        request = runtime.compile_model(network, "CPU", options).create_infer_request()
        arrays = [tensor.numpy() for tensor in tensors]
        return lambda: list(request.infer(arrays, share_inputs=True, share_outputs=True).values())

    return build


CONTENDERS: dict[str, Build] = {
    USED: channels_last,
    "torch, channels first": eager,
    "torch.jit, frozen": traced,
    "torch, bfloat16": bfloat16,
    "ONNX Runtime": onnx_runtime,
    "OpenVINO": openvino("f32"),
    "OpenVINO, bfloat16": openvino("bf16"),
}
COMPILED: dict[str, Build] = {
    "torch.compile": compiled("default"),
    "torch.compile, max-autotune": compiled("max-autotune-no-cudagraphs"),
}


def _tensors(inputs: Inputs) -> tuple[Tensor, ...]:
    return inputs.warped, inputs.background, inputs.pose


def _channels_last(model: FrameGenerator) -> FrameGenerator:
    copy = FrameGenerator(model.config).eval()
    copy.load_state_dict(model.state_dict())
    return copy.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def _inputs_last(inputs: Inputs) -> Inputs:
    return Inputs(*(tensor.contiguous(memory_format=torch.channels_last) for tensor in _tensors(inputs)))


def network_inputs(scene: Scene, size: int) -> Iterator[tuple[dict[str, float], NDArray[np.float32], Inputs]]:
    """Per frame of a film: milliseconds by part, the layers in the window, and what the network is given."""
    renderer = LimbWarpRenderer(scene.picture, scene.person, size)
    placement, view = retarget_in_view(scene.dance, renderer.body, renderer.size)
    zoom, origin = view
    times = size // TRAINED_HEIGHT
    left = (renderer.size[0] - WINDOW[0] * times) // 2
    window = slice(left, left + WINDOW[0] * times)
    background = _seen(renderer.background(view)[:, window])
    layers = renderer.foreground(placement, view)
    for frame in range(len(scene.dance)):
        parts: dict[str, float] = {}
        start = time.thread_time()

        def tick(name: str, parts: dict[str, float] = parts) -> None:
            nonlocal start
            parts[name], start = 1e3 * (time.thread_time() - start), time.thread_time()

        layer = next(layers)[:, window]
        tick("limb warp")
        seen = _seen(layer)
        tick("layers made small")
        points = (placement.points[frame] - (origin.real, origin.imag)) * zoom - (left, 0)
        points = (points + 0.5) / times - 0.5
        scale = zoom / times
        pose = pose_maps(points, placement.depth[frame] * scale, renderer.body.torso * scale, WINDOW)
        tick("pose maps")
        yield parts, layer, Inputs(seen, background, torch.from_numpy(pose)[None])


def _seen(picture: NDArray[np.float32]) -> Tensor:
    small = cv2.resize(picture, WINDOW, interpolation=cv2.INTER_AREA)
    small[..., :3] /= 255
    return torch.from_numpy(small).permute(2, 0, 1)[None]


@torch.inference_mode()
def race(
    contenders: dict[str, Build], model: FrameGenerator, inputs: Inputs, threads: int
) -> tuple[dict[str, Times], dict[str, float], dict[str, float]]:
    """All in turns, several times; a turn is two calls of which the second counts.

    Returns their times; their seconds to set up, the first call included; and the largest error of a frame, in 1/255.
    """
    torch.set_num_threads(threads)
    count = len(inputs.warped)
    right = model(inputs)
    runs, setups, errors = {}, {}, {}
    for name, build in contenders.items():
        start = time.perf_counter()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # exporters warn of what does not concern us
                run = build(model, inputs, threads)
                predict = Prediction(*(torch.as_tensor(np.asarray(part)).float() for part in run()))
        except ImportError as error:
            print(f"{name}: {error}; left out")
            continue
        setups[name] = time.perf_counter() - start
        made = model.compose(predict, inputs.warped, inputs.background)
        errors[name] = 255 * float((made - right).abs().max())
        runs[name] = run
    taken = {name: Times([], []) for name in runs}
    for _ in range(ROUNDS):
        for name, run in runs.items():
            run()
            wall, busy = time.perf_counter(), time.process_time()
            run()
            taken[name].wall.append(1e3 * (time.perf_counter() - wall) / count)
            taken[name].processor.append(1e3 * (time.process_time() - busy) / count)
    return taken, setups, errors


def ratios(slow: list[float], fast: list[float]) -> str:
    """Median and quartiles of the ratios of turns that followed one another."""
    each = [a / b for a, b in zip(slow, fast, strict=True)]
    low, _, high = quantiles(each, n=4)
    return f"{median(each):.2f} ({low:.2f} to {high:.2f})"


def compare_runtimes(model: FrameGenerator, given: Inputs, contenders: dict[str, Build], console: Console) -> None:
    for threads in (1, 2):
        taken, setups, errors = race(contenders, model, given, threads)
        table = Table(title=f"One frame of {WINDOW[0]} x {WINDOW[1]}, batch {BATCH}, threads: {threads}")
        for column in (
            "what",
            "ms",
            "processor ms",
            "times as fast (quartiles)",
            "of processor time",
            "set up",
            "error",
        ):
            table.add_column(column)
        for name, times in taken.items():
            table.add_row(
                name,
                f"{median(times.wall):.1f}",
                f"{median(times.processor):.1f}",
                ratios(taken[USED].wall, times.wall),
                ratios(taken[USED].processor, times.processor),
                f"{setups[name]:.1f} s",
                f"{errors[name]:.3f}",
            )
        console.print(table)


def compare_batches(model: FrameGenerator, given: list[Inputs], console: Console) -> None:
    table = Table(title="One frame by the size of the batch, processor ms in one thread")
    names = [name for name in (USED, "OpenVINO") if name == USED or _installed("openvino")]
    for column in ("batch", *names):
        table.add_column(column)
    for batch in BATCHES:
        taken, _, _ = race({name: CONTENDERS[name] for name in names}, model, _stacked(given[:batch]), 1)
        table.add_row(str(batch), *(f"{median(times.processor):.1f}" for times in taken.values()))
    console.print(table)


def measure_films(model: FrameGenerator, scene: Scene, console: Console) -> None:
    """Where the time of a film goes, each part alone in one thread; and whole films, with one and two threads."""
    table = Table(title="A film: processor ms a frame by part, and to the finished mp4")
    table.add_column("")
    films: list[dict[str, str]] = []
    for size in SIZES:
        table.add_column(f"{size} x {size}")
        films.append(_parts(model, scene, size) | _films(model, scene, size))
    for label in films[0]:
        table.add_row(label, *(film[label] for film in films))
    console.print(table)


@torch.inference_mode()
def _parts(model: FrameGenerator, scene: Scene, size: int) -> dict[str, str]:
    torch.set_num_threads(1)
    network = _channels_last(model)
    times = size // TRAINED_HEIGHT
    taken: dict[str, list[float]] = {}
    frames = []
    for parts, layer, inputs in network_inputs(scene, size):
        behind = np.full((*layer.shape[:2], 3), 100, np.float32)
        frame = behind.astype(np.uint8)
        start = time.thread_time()
        predict = network.predict(inputs)
        parts["network"], start = 1e3 * (time.thread_time() - start), time.thread_time()
        channels = torch.cat(predict, 1)[0].permute(1, 2, 0)
        composite(frame, layer, behind, np.ascontiguousarray(channels.numpy()), times)
        parts["compositing"], start = 1e3 * (time.thread_time() - start), time.thread_time()
        layers = torch.from_numpy(layer / np.array([255, 255, 255, 1], np.float32)).permute(2, 0, 1)[None]
        empty = torch.from_numpy(behind / 255).permute(2, 0, 1)[None]
        start = time.thread_time()
        made = network.compose(predict, layers, empty).mul(255).add(0.5).clamp(0, 255).to(torch.uint8)
        parts["(in its place: compose() in torch)"] = 1e3 * (time.thread_time() - start)
        assert np.abs(made[0].permute(1, 2, 0).numpy().astype(int) - frame).max() <= 1
        for name, figure in parts.items():
            taken.setdefault(name, []).append(figure)
        frames.append(frame)
    with tempfile.TemporaryDirectory() as folder:
        busy = time.process_time()
        write_video(Path(folder) / "film.mp4", frames, scene.dance.fps)
        taken["encoding"] = [1e3 * (time.process_time() - busy) / len(frames)]
    return {name: f"{median(figures):.1f}" for name, figures in taken.items()}


def _films(model: FrameGenerator, scene: Scene, size: int) -> dict[str, str]:
    renderer = NeuralRenderer(scene.picture, scene.person, size, model=model)
    next(renderer.frames(scene.dance))  # fills the background
    count = len(scene.dance)
    taken = {threads: Times([], []) for threads in (1, 2)}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(3):
            for threads, times in taken.items():
                torch.set_num_threads(threads)
                wall, busy = time.perf_counter(), time.process_time()
                write_video(Path(folder) / "film.mp4", renderer.frames(scene.dance), scene.dance.fps)
                times.wall.append(1e3 * (time.perf_counter() - wall) / count)
                times.processor.append(1e3 * (time.process_time() - busy) / count)
    return {
        f"film, torch threads: {threads}": f"{median(times.processor):.1f}, {1e3 / median(times.wall):.0f} frames/s"
        for threads, times in taken.items()
    }


def _stacked(inputs: list[Inputs]) -> Inputs:
    return Inputs(*(torch.cat(parts).contiguous() for parts in zip(*(_tensors(x) for x in inputs), strict=True)))


def _installed(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure G_r on the CPU.")
    parser.add_argument("--compile", action="store_true", help="let torch.compile take part: minutes, a C++ compiler")
    contenders = CONTENDERS | (COMPILED if parser.parse_args().compile else {})
    console = Console(width=140)
    console.print({**machine(), "torch": torch.__version__})
    model, scene = make_network(), make_scene()
    given = [inputs for _, _, inputs in network_inputs(scene, TRAINED_HEIGHT)][:: len(scene.dance) // max(BATCHES)]
    compare_runtimes(model, _stacked(given[:BATCH]), contenders, console)
    compare_batches(model, given, console)
    measure_films(model, scene, console)


if __name__ == "__main__":
    main()
