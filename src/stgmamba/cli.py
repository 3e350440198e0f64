"""The verbs a user types. No logic: each verb calls the library and reports.

Nothing heavy is imported before a verb runs, so that --help answers at once.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.exceptions import Abort, TyperException

from stgmamba import defaults
from stgmamba.errors import InputError
from stgmamba.files import check_can_write
from stgmamba.progress import Terminal

if TYPE_CHECKING:
    from stgmamba.api import DanceVideo

# rich's help panels alone would take longer to import than everything else here.
app = typer.Typer(
    name="stgmamba",
    help="A song and one picture of somebody in, a video of that somebody dancing to that song out.",
    epilog="Start with: stgmamba dance song.mp3 --image me.jpg -o out.mp4",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
bench = typer.Typer(help="Measure the speed of this machine.", no_args_is_help=True, rich_markup_mode=None)
train = typer.Typer(help="Train a model.", no_args_is_help=True, rich_markup_mode=None)
evaluate = typer.Typer(help="Measure the quality of a model.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(bench, name="bench")
app.add_typer(train, name="train")
app.add_typer(evaluate, name="evaluate")

Song = Annotated[Path, typer.Argument(help="Any file with sound: mp3, m4a, ogg, opus, flac, wav, mp4.", metavar="SONG")]
Image = Annotated[Path | None, typer.Option("--image", "-i", help="A picture of one person.", metavar="IMG")]
DancerName = Annotated[
    str | None,
    typer.Option("--dancer", "-d", help="A built-in dancer instead (see: stgmamba dancers).", metavar="NAME"),
]
Pose = Annotated[
    Path | None,
    typer.Option(
        "--pose",
        help="Where the picture's joints are, for drawings: YAML or JSON of joint names and pixels, or char_cfg.yaml "
        "of AnimatedDrawings.",
        metavar="FILE",
    ),
]
Mask = Annotated[
    Path | None,
    typer.Option("--mask", help="The outline of who shall dance, a picture that is white on them.", metavar="FILE"),
]
Film = Annotated[Path, typer.Option("--output", "-o", help="The video to write, ending in .mp4.", metavar="OUT.mp4")]
SkeletonFile = Annotated[
    Path, typer.Option("--output", "-o", help="The skeleton file to write: .npz or .json (OpenPose).", metavar="FILE")
]
Seconds = Annotated[float | None, typer.Option(help="How long to dance; by default to the end of the song.")]
Start = Annotated[float, typer.Option(help="Second of the song at which to begin.")]
Seed = Annotated[int, typer.Option(help="Another seed, another dance.")]
Size = Annotated[
    str | None, typer.Option(help=f"Height in pixels, or WIDTHxHEIGHT. [default: {defaults.SIZE}]", metavar="SIZE")
]
Fps = Annotated[float, typer.Option(help="Frames per second.")]
FacingOption = Annotated[
    str | None,
    typer.Option(
        "--facing",
        help="camera: keep facing the camera (default with --image); free: turn at will (default without).",
        metavar="camera|free",
    ),
]
Genre = Annotated[
    str | None, typer.Option(help="Style of dance (a wrong name lists the right ones); by default left to chance.")
]
OnBeat = Annotated[
    bool,
    typer.Option(
        "--on-beat/--free-timing", help="Fit the timing of the steps to the song's beats, or leave it as it is."
    ),
]
Quality = Annotated[
    str,
    typer.Option(
        help="How a person in a picture is drawn: best by the network, fast by the limb warp alone.",
        metavar="best|fast",
    ),
]
RecipeFile = Annotated[Path, typer.Option(help="The recipe, a YAML file.", metavar="FILE")]
Minutes = Annotated[float | None, typer.Option(help="Stop by the clock, with the weights as they are then.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON, for machines.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show where an error came from.")]


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        from stgmamba import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.command()
def dance(
    song: Song,
    output: Film,
    image: Image = None,
    dancer: DancerName = None,
    pose: Pose = None,
    mask: Mask = None,
    seconds: Seconds = None,
    start: Start = 0.0,
    seed: Seed = defaults.SEED,
    size: Size = None,
    fps: Fps = defaults.FPS,
    facing: FacingOption = None,
    genre: Genre = None,
    on_beat: OnBeat = True,
    quality: Quality = defaults.QUALITY,
    skeleton_out: Annotated[
        Path | None, typer.Option(help="Also write the dance itself: .npz or .json.", metavar="FILE")
    ] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """A song in, a video of somebody dancing to it out."""
    _check_film(output, song, image)
    if skeleton_out is not None:
        _check_skeleton_file(skeleton_out)
    _check_is_there(song)
    _film(
        song,
        output,
        image=image,
        dancer=dancer,
        pose=pose,
        mask=mask,
        seconds=seconds,
        start=start,
        seed=seed,
        size=size,
        fps=fps,
        facing=facing,
        genre=genre,
        on_beat=on_beat,
        quality=quality,
        skeleton_out=skeleton_out,
        as_json=as_json,
    )


@app.command()
def skeleton(
    song: Song,
    output: SkeletonFile,
    seconds: Seconds = None,
    start: Start = 0.0,
    seed: Seed = defaults.SEED,
    fps: Fps = defaults.FPS,
    facing: FacingOption = None,
    genre: Genre = None,
    on_beat: OnBeat = True,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """A song in, the dance as a 3-D skeleton file out."""
    _check_skeleton_file(output)
    _check_is_there(song)
    with Terminal() as terminal:
        from stgmamba.api import Dancer, check_options, facing_of
        from stgmamba.music.decode import load_song
        from stgmamba.skeleton.formats import write_skeleton

        check_options(fps=fps, seconds=seconds, start=start, seed=seed, facing=facing)
        with terminal.stage("song", "Hearing the song"):
            heard = load_song(song, start=start, seconds=seconds)
        with terminal.stage("load", "Loading the model"):
            generator = Dancer.from_pretrained()
        with terminal.stage("skeleton", "Making up the dance") as progress:
            made = generator.skeleton(
                heard,
                seed=seed,
                fps=fps,
                genre=genre,
                facing=facing_of(facing or "free"),
                on_beat=on_beat,
                progress=progress,
            )
            write_skeleton(output, made)
    _report(
        as_json,
        terminal,
        output,
        seconds=made.seconds,
        frames=len(made),
        fps=made.fps,
        song=str(song),
        seed=seed,
        facing=facing or "free",
        genre=genre,
    )


@app.command()
def render(
    skeleton: Annotated[Path, typer.Argument(help="A 3-D skeleton file.", metavar="SKELETON")],
    output: Film,
    image: Image = None,
    dancer: DancerName = None,
    pose: Pose = None,
    mask: Mask = None,
    song: Annotated[Path | None, typer.Option(help="A file whose sound goes with it.", metavar="SONG")] = None,
    start: Start = 0.0,
    seed: Annotated[int, typer.Option(help="For --dancer random: another seed, another look.")] = defaults.SEED,
    size: Size = None,
    fps: Annotated[float | None, typer.Option(help="Frames per second; by default the skeleton's own.")] = None,
    quality: Quality = defaults.QUALITY,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """A skeleton file in, a video of somebody dancing it out."""
    _check_film(output, song, image)
    _check_is_there(skeleton, folder_too=True)
    if song is not None:
        _check_is_there(song)
    with Terminal() as terminal:
        from stgmamba import api
        from stgmamba.skeleton.formats import read_skeleton

        read = api.danceable(read_skeleton(skeleton), str(skeleton))
        with terminal.stage("performer", "Looking at the dancer"):
            video = api.render(
                read,
                image,
                dancer=dancer,
                pose=pose,
                mask=mask,
                song=song,
                start=start,
                size=_size(size),
                fps=fps,
                seed=seed,
                quality=quality,
            )
        for note in video.notes:
            terminal.warn(note)
        with terminal.stage("video", "Filming") as progress:
            video.save(output, progress=progress)
    _report(
        as_json,
        terminal,
        output,
        **_video_facts(video),
        skeleton=str(skeleton),
        song=None if song is None else str(song),
    )


@app.command()
def pose(
    source: Annotated[Path, typer.Argument(help="A picture or a video of one person.", metavar="IMAGE_OR_VIDEO")],
    output: SkeletonFile,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """A picture or a video in, the person's 2-D skeleton out."""
    _check_skeleton_file(output)
    _check_is_there(source)
    with Terminal() as terminal:
        from stgmamba.api import find_pose
        from stgmamba.skeleton.formats import write_skeleton

        with terminal.stage("pose", "Finding the person") as progress:
            found, notes = find_pose(source, progress)
            write_skeleton(output, found)
        for note in notes:
            terminal.warn(note)
    _report(
        as_json,
        terminal,
        output,
        seconds=found.seconds,
        frames=len(found),
        fps=found.fps,
        size=found.size,
        source=str(source),
    )


@app.command()
def info(
    file: Annotated[Path, typer.Argument(help="A song, picture, video, skeleton or weights file.", metavar="FILE")],
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """What is in a file: a song, a picture, a video, a skeleton or weights."""
    from stgmamba.info import describe

    _check_is_there(file, folder_too=True)
    facts = describe(file)
    if as_json:
        typer.echo(json.dumps(facts))
        return
    width = max(map(len, facts))
    for name, value in facts.items():
        typer.echo(f"{name.replace('_', ' '):<{width}}  {_plain(value)}")


@app.command()
def dancers(as_json: AsJson = False, debug: Debug = False) -> None:
    """The built-in dancers' names."""
    from stgmamba.characters import DANCERS

    names = [*DANCERS, "random"]
    typer.echo(json.dumps({"dancers": names}) if as_json else "\n".join(names))


@app.command()
def demo(
    output: Film = Path(defaults.DEMO_OUTPUT),
    dancer: DancerName = None,
    seed: Seed = defaults.SEED,
    size: Size = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Film a built-in dancer to the built-in song: nothing needed."""
    import tempfile

    if output == Path(defaults.DEMO_OUTPUT):
        output.parent.mkdir(exist_ok=True)
    check_can_write(output, (".mp4",))
    with tempfile.TemporaryDirectory(prefix="stgmamba-") as folder:
        from stgmamba.music.demo_song import write_demo_song

        song = Path(folder) / "demo song.wav"
        write_demo_song(song)
        _film(song, output, dancer=dancer, seed=seed, size=size, as_json=as_json, song_name="the demo song")


@bench.command("scan")
def bench_scan(as_json: AsJson = False, debug: Debug = False) -> None:
    """The selective scan: ours against the reference and mambapy."""
    with Terminal() as terminal:
        from stgmamba.bench.scan import bench_scan as measure
        from stgmamba.bench.scan import print_table

        with terminal.stage("scan", "Measuring"):
            figures = measure()
    _report_figures(as_json, figures, print_table)


@bench.command("skeleton")
def bench_skeleton(
    weights: Annotated[
        Path | None, typer.Option(help="Other weights than those of the package.", metavar="FILE")
    ] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Stage 1, music to skeleton: seconds, memory, and against attention."""
    with Terminal() as terminal:
        from stgmamba.bench.skeleton import bench_skeleton as measure
        from stgmamba.bench.skeleton import print_table

        with terminal.stage("skeleton", "Measuring"):
            figures = measure(weights)
    _report_figures(as_json, figures, print_table)


@bench.command("video")
def bench_video(
    long: Annotated[
        float, typer.Option(help="Seconds of the long film whose memory is watched; 0 leaves it out.")
    ] = 600.0,
    quality: Quality = defaults.QUALITY,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Stage 2, skeleton to video: frames a second to the finished mp4, and memory."""
    with Terminal() as terminal:
        from stgmamba.bench.video import bench_video as measure
        from stgmamba.bench.video import print_table

        with terminal.stage("video", "Measuring"):
            figures = measure(long=long, quality=quality)
    _report_figures(as_json, figures, print_table)


@train.command("skeleton")
def train_skeleton(
    config: RecipeFile,
    minutes: Minutes = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Train stage 1, music to skeleton; a run that was stopped goes on where it was."""
    _check_is_there(config)
    with Terminal() as terminal:
        from stgmamba.music_to_skeleton.train import read_recipe, train

        with terminal.stage("train", "Training"):
            weights = train(read_recipe(config), minutes, log=terminal.say)
    _report_weights(as_json, terminal, weights)


@train.command("video")
def train_video(
    config: RecipeFile,
    minutes: Minutes = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Train stage 2, skeleton to video; a run that was stopped goes on where it was."""
    _check_is_there(config)
    with Terminal() as terminal:
        from stgmamba.skeleton_to_video.train import prepare, read_recipe, train

        recipe = read_recipe(config)
        with terminal.stage("examples", "Making examples") as progress:
            prepare(recipe, progress)
        with terminal.stage("train", "Training"):
            weights = train(recipe, minutes, log=terminal.say)
    _report_weights(as_json, terminal, weights)


@evaluate.command("skeleton")
def evaluate_skeleton(
    data: Annotated[Path | None, typer.Option(help="Folder of dances; by default tang2018 in $STGM_DATA.")] = None,
    split: Annotated[str, typer.Option(help="The songs to dance to.")] = "val",
    output: Annotated[
        Path | None,
        typer.Option(
            "--json",
            "-o",
            help="Write the figures here, and beside it a report (.md) with plots and a film.",
            metavar="FILE.json",
        ),
    ] = None,
    seed: Seed = defaults.SEED,
    seeds: Annotated[int, typer.Option(help="Dances per song.")] = 3,
    weights: Annotated[
        Path | None, typer.Option(help="Other weights than those of the package.", metavar="FILE")
    ] = None,
    compare: Annotated[bool, typer.Option(help="Judge the package's networks for comparison too.")] = True,
    method: Annotated[
        list[str] | None,
        typer.Option(help="Judge these weights too, under this name; may be repeated.", metavar="NAME=FILE"),
    ] = None,
    debug: Debug = False,
) -> None:
    """Measure stage 1, music to skeleton, against real dances, other networks and simple baselines."""
    with Terminal() as terminal:
        from stgmamba.datasets import data_folder
        from stgmamba.evaluation.skeleton.evaluate import named_weights, run
        from stgmamba.evaluation.skeleton.report import markdown

        others = named_weights(method or ())
        data = data or data_folder() / "tang2018"
        with terminal.stage("evaluate", "Dancing and measuring") as progress:
            report = run(data, split, output, seed, seeds, weights, progress, compare, others)
    typer.echo(markdown(report))


@evaluate.command("video")
def evaluate_video(
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder of clips of one person each; by default clips in $STGM_DATA. The first frame is the "
            "condition, the clip's own poses are the target."
        ),
    ] = None,
    drawn: Annotated[int, typer.Option(help="Judge on so many drawn dancers too, who dance real dances.")] = 0,
    dances: Annotated[
        Path | None, typer.Option(help="Folder of dances for the drawn dancers; by default tang2018 in $STGM_DATA.")
    ] = None,
    photos: Annotated[
        Path | None, typer.Option(help="Let the people of these pictures dance too, and look for their poses.")
    ] = None,
    held_out: Annotated[
        Path | None,
        typer.Option(
            help="Judge only on what this file keeps from training (configs/video_held_out.yaml).", metavar="FILE"
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--json",
            "-o",
            help="Write the figures here, and beside it a report (.md) with pictures.",
            metavar="FILE.json",
        ),
    ] = None,
    size: Annotated[int, typer.Option(help="Height of the frames in pixels.")] = 256,
    seed: Annotated[int, typer.Option(help="First of the drawn dancers.")] = defaults.SEED,
    weights: Annotated[
        Path | None, typer.Option(help="Other weights of ours than those of the package.", metavar="FILE")
    ] = None,
    compare: Annotated[bool, typer.Option(help="Judge the package's networks for comparison too.")] = True,
    method: Annotated[
        list[str] | None,
        typer.Option(help="Judge these weights too, under this name; may be repeated.", metavar="NAME=FILE"),
    ] = None,
    lpips_weights: Annotated[
        Path | None, typer.Option(help="torchvision's AlexNet: measure LPIPS too.", metavar="FILE")
    ] = None,
    fid_weights: Annotated[
        Path | None, typer.Option(help="pytorch-fid's Inception v3: measure FID too.", metavar="FILE")
    ] = None,
    fvd_weights: Annotated[
        Path | None, typer.Option(help="pytorch-i3d's I3D of Kinetics: measure FVD too.", metavar="FILE")
    ] = None,
    debug: Debug = False,
) -> None:
    """Measure stage 2, skeleton to video, against true frames and simple baselines."""
    with Terminal() as terminal:
        from stgmamba.datasets import data_folder
        from stgmamba.evaluation.skeleton.evaluate import named_weights
        from stgmamba.evaluation.video.evaluate import Material, run
        from stgmamba.evaluation.video.metrics.networks import load_networks
        from stgmamba.evaluation.video.report import markdown

        others = named_weights(method or ())
        if data is None and not drawn and photos is None:
            data = data_folder() / "clips"
        if drawn and dances is None:
            dances = data_folder() / "tang2018"
        with terminal.stage("evaluate", "Drawing and measuring") as progress:
            networks = load_networks(lpips_weights, fid_weights, fvd_weights)
            material = Material(data, photos, drawn, dances, held_out)
            report = run(material, output, size, seed, networks, weights, compare, others, progress)
    typer.echo(markdown(report))


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code.

    0: done. 1: a fault of ours. 2: something handed in cannot be used. 130: stopped by Ctrl-C.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    fault: BaseException
    try:
        code = int(app(args=arguments, prog_name="stgmamba", standalone_mode=False) or 0)
        if code != 130:  # typer's answer to Ctrl-C
            return code
        raise KeyboardInterrupt
    except InputError as error:
        fault, sentence, code = error, str(error), 2
    except TyperException as error:
        fault, sentence, code = error, f"{error.format_message().rstrip('.')}; see stgmamba --help.", 2
    except (KeyboardInterrupt, Abort) as error:
        fault, sentence, code = error, "Stopped.", 130
    except BrokenPipeError:
        return 1
    except Exception as error:
        what = f"{type(error).__name__}: {error}".splitlines()[0].rstrip(". :")
        sentence = f"This is a fault in stgmamba ({what}); run it again with --debug and report what it shows."
        fault, code = error, 1
    if "--debug" in arguments:
        traceback.print_exception(fault)
    typer.echo(sentence, err=True)
    if "--json" in arguments:
        typer.echo(json.dumps({"error": sentence, "code": code}))
    return code


def _report_weights(as_json: bool, terminal: Terminal, weights: Path) -> None:
    """What a training run says at its end."""
    facts = {"output": str(weights), "taken": terminal.seconds, "versions": _versions()}
    typer.echo(json.dumps(facts) if as_json else str(weights))


def _report_figures(as_json: bool, figures: Any, print_table: Callable[[Any], None]) -> None:
    """What a benchmark says at its end."""
    if as_json:
        typer.echo(json.dumps(figures))
    else:
        print_table(figures)


def _film(
    song: Path,
    output: Path,
    *,
    as_json: bool,
    image: Path | None = None,
    dancer: str | None = None,
    pose: Path | None = None,
    mask: Path | None = None,
    seconds: float | None = None,
    start: float = 0.0,
    seed: int = defaults.SEED,
    size: str | None = None,
    fps: float = defaults.FPS,
    facing: str | None = None,
    genre: str | None = None,
    on_beat: bool = True,
    quality: str = defaults.QUALITY,
    skeleton_out: Path | None = None,
    song_name: str | None = None,
) -> None:
    """What ``dance`` and ``demo`` do."""
    with Terminal() as terminal:
        from stgmamba.api import Dancer, DanceVideo, cast_performer, check_options, facing_of
        from stgmamba.music.decode import load_song
        from stgmamba.skeleton.formats import write_skeleton

        pixels = _size(size)
        check_options(fps=fps, seconds=seconds, start=start, seed=seed, facing=facing, size=pixels, quality=quality)
        with terminal.stage("song", "Hearing the song"):
            heard = load_song(song, start=start, seconds=seconds)
        with terminal.stage("performer", "Looking at the dancer"):
            performer = cast_performer(image, dancer, size=pixels, seed=seed, quality=quality, pose=pose, mask=mask)
        for note in performer.notes:
            terminal.warn(note)
        with terminal.stage("load", "Loading the model"):
            generator = Dancer.from_pretrained()
        facing = facing or performer.facing
        with terminal.stage("skeleton", "Making up the dance") as progress:
            skeleton = generator.skeleton(
                heard,
                seed=seed,
                fps=fps,
                genre=genre,
                facing=facing_of(facing),
                on_beat=on_beat,
                progress=progress,
            )
        if skeleton_out is not None:
            write_skeleton(skeleton_out, skeleton)
        video = DanceVideo(skeleton, performer, song, start)
        with terminal.stage("video", "Filming") as progress:
            video.save(output, progress=progress)
    facts = {"song": song_name or str(song), "seed": seed, "facing": facing, "genre": genre}
    if skeleton_out is not None:
        facts["skeleton"] = str(skeleton_out)
    _report(as_json, terminal, output, **_video_facts(video), **facts)


def _check_is_there(path: Path, folder_too: bool = False) -> None:
    """Say that an input is missing before any work is begun."""
    if path.is_dir() and not folder_too:
        raise InputError(f"{path}: this is a folder; name a file in it.")
    if not path.exists():
        raise InputError(f"{path}: there is no such file; check the name.")


def _check_film(path: Path, *inputs: Path | None) -> None:
    """Refuse early a film that cannot be written, or that would replace what it is made from."""
    check_can_write(path, (".mp4",))
    if any(given is not None and path.exists() and given.exists() and path.samefile(given) for given in inputs):
        raise InputError(f"{path}: this is what the video is to be made from; give the output another name.")


def _check_skeleton_file(path: Path) -> None:
    from stgmamba.api import check_skeleton_path

    check_skeleton_path(path)


def _size(text: str | None) -> int | tuple[int, int] | None:
    """``512`` or ``384x512``."""
    if text is None:
        return None
    sides = text.lower().replace("×", "x").split("x")
    if len(sides) > 2 or not all(side.strip().isdecimal() for side in sides):
        raise InputError(f"--size {text}: use the height in pixels, as in 512, or WIDTHxHEIGHT, as in 384x512.")
    numbers = [int(side) for side in sides]
    return numbers[0] if len(numbers) == 1 else (numbers[0], numbers[1])


def _video_facts(video: DanceVideo) -> dict[str, Any]:
    return {
        "seconds": video.seconds,
        "frames": len(video.skeleton),
        "fps": video.fps,
        "size": video.size,
        "dancer": video.performer.name,
    }


def _report(as_json: bool, terminal: Terminal, output: Path, **facts: Any) -> None:
    """Say what was made: one line, or JSON with everything needed to make it again."""
    taken = terminal.seconds
    total = sum(taken.values())
    if as_json:
        rounded = {name: round(value, 3) for name, value in {**taken, "total": total}.items()}
        result = {
            "output": str(output),
            **facts,
            "warnings": terminal.warnings,
            "taken": rounded,
            "versions": _versions(),
        }
        typer.echo(json.dumps(result))
        return
    size = f", {facts['size'][0]} x {facts['size'][1]}" if facts.get("size") else ""
    typer.echo(f"{output}: {facts['seconds']:.1f} s at {facts['fps']:g} frames per second{size}; took {total:.0f} s.")


def _versions() -> dict[str, str]:
    """Versions of whatever can change the result."""
    import platform
    from importlib.metadata import version

    names = ("stgmamba", "torch", "numpy", "mediapipe", "av", "librosa", "opencv-contrib-python")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return "\n".join(f"{name}: {_plain(item)}" for name, item in value.items())
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return ", ".join(_plain(item) for item in value)
    return str(value)
