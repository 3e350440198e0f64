"""The verbs a user types. No logic: each verb calls the library and reports.

Nothing heavy is imported before a verb runs, so that --help answers at once.
"""

from __future__ import annotations

import io
import json
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.exceptions import Abort, TyperException

from stgmamba import options
from stgmamba.errors import InputError
from stgmamba.files import check_can_write, check_can_write_video, check_input
from stgmamba.progress import Terminal

if TYPE_CHECKING:
    from stgmamba.pipeline import DancePipeline, DanceVideo

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
data = typer.Typer(help="Make data sets of dance videos.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(data, name="data")


def _file(path: Path | None) -> Path | None:
    return None if path is None else check_input(path)


def _optional_folder(path: Path | None) -> Path | None:
    return None if path is None else check_input(path, folder=True)


def _file_or_folder(path: Path) -> Path:
    return check_input(path, folder=True)


Song = Annotated[
    Path,
    typer.Argument(help="Any file with sound: mp3, m4a, ogg, opus, flac, wav, mp4.", metavar="SONG", callback=_file),
]
Image = Annotated[
    Path | None,
    typer.Option(
        "--image", "-i", help="A picture of one person, or a short video of them.", metavar="IMG", callback=_file
    ),
]
ImageBack = Annotated[
    Path | None,
    typer.Option(help="Another picture of that person, from behind, for the back.", metavar="IMG", callback=_file),
]
Character = Annotated[
    str | None,
    typer.Option("--character", "-c", help="A built-in character instead (see: stgmamba characters).", metavar="NAME"),
]
Pose = Annotated[
    Path | None,
    typer.Option(
        "--pose",
        help="Where the picture's joints are, for drawings: YAML or JSON of joint names and pixels, or char_cfg.yaml "
        "of AnimatedDrawings.",
        metavar="FILE",
        callback=_file,
    ),
]
Person = Annotated[
    str | None,
    typer.Option(
        "--person",
        help="Who of several persons: a number from 1, the most prominent (pose --show), or a point X,Y in pixels.",
        metavar="N|X,Y",
    ),
]
Framing = Annotated[
    str,
    typer.Option(
        help="What of the picture is filmed: the scene, a crop to the person, or a crop only of a small person.",
        metavar="auto|person|scene",
    ),
]
Mask = Annotated[
    Path | None,
    typer.Option(
        "--mask",
        help="The outline of who shall dance, a picture that is white on them.",
        metavar="FILE",
        callback=_file,
    ),
]
VideoFile = Annotated[
    Path, typer.Option("--output", "-o", help="The video to write, ending in .mp4.", metavar="OUT.mp4")
]
FilmFile = Annotated[
    Path,
    typer.Option(
        "--output",
        "-o",
        help="The video to write, ending in .mp4; in .mov with a transparent background.",
        metavar="OUT.mp4",
    ),
]
SkeletonFile = Annotated[
    Path, typer.Option("--output", "-o", help="The skeleton file to write: .npz or .json (OpenPose).", metavar="FILE")
]
ReportFile = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        help="Write the figures here, and beside it a report (.md) with pictures.",
        metavar="FILE.json",
    ),
]
Seconds = Annotated[float | None, typer.Option(help="How long to dance; by default to the end of the song.")]
Start = Annotated[float, typer.Option(help="Second of the song at which to begin.")]
Seed = Annotated[int, typer.Option(help="Another seed, another dance.")]
Size = Annotated[
    str | None, typer.Option(help=f"Height in pixels, or WIDTHxHEIGHT. [default: {options.HEIGHT}]", metavar="SIZE")
]
Fps = Annotated[float, typer.Option(help="Frames per second.")]
Facing = Annotated[
    str | None,
    typer.Option(
        help="free: turn at will (default); camera: keep facing the camera (default for a flat person, see --body).",
        metavar="camera|free",
    ),
]
Style = Annotated[
    str,
    typer.Option(
        help="auto: by the song; or a style (a wrong name lists the right ones), a mix as pop:0.7,lock:0.3, or "
        "sections as 0:00=modern,0:45=krump.",
        metavar="STYLE",
    ),
]
Travel = Annotated[float, typer.Option(help="Radius in metres within which the dancer stays.", metavar="METRES")]
Energy = Annotated[
    float, typer.Option(help="How much larger movements are where the music is louder and denser, 0 to 2.")
]
Repeats = Annotated[
    str,
    typer.Option(
        help="Whether sections of the song that return bring their phrase back: exact, varied, or off.", metavar="KIND"
    ),
]
AlignBeats = Annotated[
    bool,
    typer.Option(
        "--align-beats/--free-timing", help="Align the steps with the song's beats, or leave the timing as generated."
    ),
]
Beats = Annotated[
    Path | None,
    typer.Option(
        "--beats",
        help="The song's beats, where the tracker is wrong: a text file of seconds, one beat per line.",
        metavar="FILE",
        callback=_file,
    ),
]
Quality = Annotated[
    str,
    typer.Option(
        help="How a flat person is drawn (--body): best by the network, fast by the limb warp alone.",
        metavar="best|fast",
    ),
]
Background = Annotated[
    str,
    typer.Option(
        help="Behind a picture's person: photo, their own place; blur, that blurred; a colour (green, #00ff00); "
        "transparent (the output then ends in .mov); or the file of a picture or video.",
        metavar="photo|blur|COLOUR|transparent|FILE",
    ),
]
BodyKind = Annotated[
    str,
    typer.Option(
        "--body",
        help="What a person in a picture becomes: 3d, a body that turns; flat, limbs that face the camera; auto, 3d "
        "where it fits the picture.",
        metavar="auto|3d|flat",
    ),
]
Weights = Annotated[Path | None, typer.Option(help="Other weights than those of the package.", metavar="FILE")]
Compare = Annotated[bool, typer.Option(help="Judge the networks for comparison too.")]
Compared = Annotated[
    Path | None,
    typer.Option(help="Folder of their weights; by default compared/ of the repository.", metavar="FOLDER"),
]
Method = Annotated[
    list[str] | None,
    typer.Option(help="Judge these weights too, under this name; may be repeated.", metavar="NAME=FILE"),
]
ConfigFile = Annotated[
    Path, typer.Option("--config", help="The training configuration, a YAML file.", metavar="FILE", callback=_file)
]
Minutes = Annotated[float | None, typer.Option(help="Stop by the clock, with the weights as they are then.")]
Dataset = Annotated[Path, typer.Argument(help="Folder of a data set of clips.", metavar="DATASET")]
ProfileName = Annotated[
    str | None, typer.Option(help="strict, paper, all, or a YAML file of thresholds.", metavar="NAME|FILE")
]
TrainingData = Annotated[
    Path | None,
    typer.Option(
        help="A data set of clips (stgmamba data build) in the place of the configuration's.",
        metavar="DATASET",
        callback=_optional_folder,
    ),
]
Init = Annotated[
    str | None, typer.Option(help="Weights to start from; default: those of the package.", metavar="FILE|default")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what it would train on and how long it would take, and do nothing.")
]
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
    output: FilmFile,
    image: Image = None,
    character: Character = None,
    pose: Pose = None,
    mask: Mask = None,
    person: Person = None,
    framing: Framing = options.FRAMING,
    image_back: ImageBack = None,
    seconds: Seconds = None,
    start: Start = 0.0,
    seed: Seed = options.SEED,
    size: Size = None,
    fps: Fps = options.FPS,
    facing: Facing = None,
    style: Style = options.STYLE,
    travel: Travel = options.TRAVEL,
    energy: Energy = options.ENERGY,
    repeats: Repeats = options.REPEATS,
    align_beats: AlignBeats = True,
    beats: Beats = None,
    quality: Quality = options.QUALITY,
    body: BodyKind = options.BODY,
    background: Background = options.BACKGROUND,
    weights: Weights = None,
    skeleton_out: Annotated[
        Path | None, typer.Option(help="Also write the dance itself: .npz or .json.", metavar="FILE")
    ] = None,
    glb: Annotated[
        Path | None,
        typer.Option(help="Also write the dancer of a picture as a mesh that moves (binary glTF).", metavar="OUT.glb"),
    ] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """A song in, a video of somebody dancing to it out."""
    check_can_write_video(output, options.is_transparent(background), inputs=(song, image, background))
    if glb is not None:
        check_can_write(glb, (".glb",), inputs=(song, image))
    with Terminal() as terminal:
        from stgmamba.pipeline import DancePipeline
        from stgmamba.skeleton.formats import check_can_write_skeleton, write_skeleton

        if skeleton_out is not None:
            check_can_write_skeleton(skeleton_out)
        pipeline = DancePipeline() if weights is None else DancePipeline.from_pretrained(weights)
        video = pipeline.dance(
            song,
            image,
            character=character,
            pose=pose,
            mask=mask,
            person=options.parse_person(person),
            framing=framing,
            image_back=image_back,
            seconds=seconds,
            start=start,
            seed=seed,
            size=options.parse_size(size),
            fps=fps,
            facing=facing,
            style=style,
            travel=travel,
            energy=energy,
            repeats=repeats,
            align_beats=align_beats,
            beats=beats,
            quality=quality,
            body=body,
            background=background,
            report=terminal,
        )
        if skeleton_out is not None:
            write_skeleton(skeleton_out, video.skeleton)
        if glb is not None:
            video.save_glb(glb)
        video.save(output, terminal)
    facts = _dance_facts(song, start, seed, facing or video.subject.facing, style, travel, energy, repeats, align_beats)
    facts |= _choice_facts(pipeline)
    facts |= _subject_facts(pose, mask, image_back, person, framing, quality, body, background) | {
        "skeleton": _name(skeleton_out),
        "glb": _name(glb),
    }
    _report(as_json, terminal, output, **_video_facts(video), **facts)


@app.command()
def skeleton(
    song: Song,
    output: SkeletonFile,
    seconds: Seconds = None,
    start: Start = 0.0,
    seed: Seed = options.SEED,
    fps: Fps = options.FPS,
    facing: Facing = None,
    style: Style = options.STYLE,
    travel: Annotated[
        float | None,
        typer.Option(
            help="Radius in metres within which the dancer stays; by default the whole floor.", metavar="METRES"
        ),
    ] = None,
    energy: Energy = options.ENERGY,
    repeats: Repeats = options.REPEATS,
    align_beats: AlignBeats = True,
    beats: Beats = None,
    weights: Weights = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """A song in, the dance as a 3-D skeleton file out."""
    with Terminal() as terminal:
        from stgmamba.pipeline import DancePipeline
        from stgmamba.skeleton.formats import check_can_write_skeleton, write_skeleton

        check_can_write_skeleton(output)
        pipeline = DancePipeline() if weights is None else DancePipeline.from_pretrained(weights)
        dance = pipeline.skeleton(
            song,
            seconds=seconds,
            start=start,
            seed=seed,
            fps=fps,
            style=style,
            travel=travel,
            energy=energy,
            repeats=repeats,
            facing=facing or "free",
            align_beats=align_beats,
            beats=beats,
            report=terminal,
        )
        write_skeleton(output, dance)
    facts = _dance_facts(song, start, seed, facing or "free", style, travel, energy, repeats, align_beats)
    facts |= _choice_facts(pipeline)
    _report(as_json, terminal, output, seconds=dance.seconds, frames=len(dance), fps=dance.fps, **facts)


@app.command()
def render(
    skeleton: Annotated[
        Path,
        typer.Argument(
            help="A 3-D skeleton file, or a video of one person who dances.", metavar="DANCE", callback=_file_or_folder
        ),
    ],
    output: FilmFile,
    image: Image = None,
    character: Character = None,
    pose: Pose = None,
    mask: Mask = None,
    person: Person = None,
    framing: Framing = options.FRAMING,
    image_back: ImageBack = None,
    song: Annotated[
        Path | None, typer.Option(help="A file whose sound goes with it.", metavar="SONG", callback=_file)
    ] = None,
    start: Start = 0.0,
    seed: Annotated[int, typer.Option(help="For --character random: another seed, another look.")] = options.SEED,
    size: Size = None,
    fps: Annotated[float | None, typer.Option(help="Frames per second; by default the skeleton's own.")] = None,
    quality: Quality = options.QUALITY,
    body: BodyKind = options.BODY,
    background: Background = options.BACKGROUND,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """A dance in, a video of somebody else dancing it out."""
    check_can_write_video(output, options.is_transparent(background), inputs=(song, image, background))
    with Terminal() as terminal:
        from stgmamba import pipeline

        dance, sound = pipeline.load_dance(skeleton, terminal)
        song = song or sound
        video = pipeline.render(
            dance,
            image,
            character=character,
            pose=pose,
            mask=mask,
            person=options.parse_person(person),
            framing=framing,
            image_back=image_back,
            song=song,
            start=start,
            size=options.parse_size(size),
            fps=fps,
            seed=seed,
            quality=quality,
            body=body,
            background=background,
            name=str(skeleton),
            report=terminal,
        )
        video.save(output, terminal)
    facts = {"skeleton": str(skeleton), "song": _name(song), "start": start, "seed": seed}
    facts |= _subject_facts(pose, mask, image_back, person, framing, quality, body, background)
    _report(as_json, terminal, output, **_video_facts(video), **facts)


@app.command()
def pose(
    source: Annotated[
        Path, typer.Argument(help="A picture or a video of one person.", metavar="IMAGE_OR_VIDEO", callback=_file)
    ],
    output: SkeletonFile,
    person: Person = None,
    show: Annotated[
        Path | None,
        typer.Option(help="Also draw who was found, with their numbers, on the picture.", metavar="OUT.png"),
    ] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """A picture or a video in, the person's 2-D skeleton out."""
    if show is not None:
        check_can_write(show, (".png", ".jpg"), inputs=(source,))
    with Terminal() as terminal:
        from stgmamba.person.drawing import draw_people
        from stgmamba.person.pose import estimate_pose
        from stgmamba.skeleton.formats import check_can_write_skeleton, write_skeleton

        check_can_write_skeleton(output)
        with terminal.stage("pose") as progress:
            if show is not None:
                draw_people(source, show)
            pose, notes = estimate_pose(source, progress, options.parse_person(person))
            write_skeleton(output, pose)
        for note in notes:
            terminal.warn(note)
    facts = {"size": pose.size, "source": str(source)}
    _report(as_json, terminal, output, seconds=pose.seconds, frames=len(pose), fps=pose.fps, **facts)


@app.command()
def avatar(
    image: Annotated[
        Path,
        typer.Argument(help="A picture of one person, or a short video of them.", metavar="IMAGE", callback=_file),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The textured, rigged mesh to write (binary glTF).", metavar="OUT.glb"),
    ] = None,
    turntable: Annotated[
        Path | None, typer.Option(help="A video in which they turn once round, ending in .mp4.", metavar="OUT.mp4")
    ] = None,
    pose: Pose = None,
    mask: Mask = None,
    person: Person = None,
    image_back: ImageBack = None,
    size: Size = None,
    fps: Fps = options.FPS,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """A picture in, its person as a 3-D body out: a mesh for other programs, a video, or both."""
    if output is None and turntable is None:
        raise InputError("There is nothing to write: name a mesh (-o me.glb), a video (--turntable me.mp4), or both.")
    for path, suffix in ((output, ".glb"), (turntable, ".mp4")):
        if path is not None:
            check_can_write(path, (suffix,), inputs=(image,))
    with Terminal() as terminal:
        from stgmamba.pipeline import make_avatar

        body = make_avatar(
            image,
            glb=output,
            turntable=turntable,
            pose=pose,
            mask=mask,
            person=options.parse_person(person),
            image_back=image_back,
            size=options.parse_size(size),
            fps=fps,
            report=terminal,
        )
    facts: dict[str, Any] = {"image": str(image), "pose": _name(pose), "mask": _name(mask)}
    facts |= {"image_back": _name(image_back)}
    facts |= {"turntable": _name(turntable)}
    facts |= {"overlap": round(body.overlap, 3), "joint_error": round(body.joint_error, 3)}
    _report(as_json, terminal, output, **facts)


@app.command()
def info(
    file: Annotated[
        Path,
        typer.Argument(
            help="A song, picture, video, skeleton or weights file.", metavar="FILE", callback=_file_or_folder
        ),
    ],
    beats: Beats = None,
    plot: Annotated[
        Path | None,
        typer.Option(help="Draw a song's tempo, bars and sections into this picture.", metavar="FILE.png"),
    ] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """What is in a file: a song (tempo, metre, bars, sections), a picture, a video, a skeleton or weights."""
    from stgmamba.info import describe

    if plot is not None:
        check_can_write(plot, (".png",), inputs=(file, beats))
    facts = describe(file, beats)
    if plot is not None:
        from stgmamba.music.song_plot import plot_song

        plot_song(plot, file, facts)
    if as_json:
        typer.echo(json.dumps(facts))
        return
    if "sections" in facts:  # a line each; all beats would fill the screen
        facts["sections"] = [f"{_clock(each['start'])} {each['label']}" for each in facts["sections"]]
        del facts["beats"], facts["downbeats"]
    width = max(map(len, facts))
    for name, value in facts.items():
        typer.echo(f"{name.replace('_', ' '):<{width}}  {_plain(value)}")


@app.command()
def characters(as_json: AsJson = False, debug: Debug = False) -> None:
    """The built-in characters' names."""
    from stgmamba.characters import CHARACTERS

    names = [*CHARACTERS, "random"]
    typer.echo(json.dumps({"characters": names}) if as_json else "\n".join(names))


@app.command()
def demo(
    output: VideoFile = Path(options.DEMO_OUTPUT),
    character: Character = None,
    seed: Seed = options.SEED,
    size: Size = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Film a built-in character to the built-in song: nothing needed."""
    import tempfile

    if output == Path(options.DEMO_OUTPUT) and not output.parent.exists():
        output.parent.mkdir()
    check_can_write(output, (".mp4",))
    with Terminal() as terminal, tempfile.TemporaryDirectory(prefix="stgmamba-") as folder:
        from stgmamba.music.demo_song import write_demo_song
        from stgmamba.pipeline import DancePipeline

        song = Path(folder) / "demo song.wav"
        write_demo_song(song)
        pipeline = DancePipeline()
        video = pipeline.dance(song, character=character, seed=seed, size=options.parse_size(size), report=terminal)
        video.save(output, terminal)
    style, travel, energy, repeats = options.STYLE, options.TRAVEL, options.ENERGY, options.REPEATS
    facts = _dance_facts("the demo song", 0.0, seed, video.subject.facing, style, travel, energy, repeats, True)
    facts |= _choice_facts(pipeline)
    _report(as_json, terminal, output, **_video_facts(video), **facts)


@bench.command("scan")
def bench_scan(as_json: AsJson = False, debug: Debug = False) -> None:
    """The selective scan: ours against the reference and mambapy."""
    with Terminal() as terminal:
        from stgmamba.bench.scan import bench_scan as measure
        from stgmamba.bench.scan import print_table

        with terminal.stage("benchmark"):
            figures = measure()
    _report_figures(as_json, figures, print_table)


@bench.command("skeleton")
def bench_skeleton(weights: Weights = None, as_json: AsJson = False, debug: Debug = False) -> None:
    """Stage 1, music to skeleton: seconds, memory, and against attention."""
    with Terminal() as terminal:
        from stgmamba.bench.skeleton import bench_skeleton as measure
        from stgmamba.bench.skeleton import print_table

        with terminal.stage("benchmark"):
            figures = measure(weights)
    _report_figures(as_json, figures, print_table)


@bench.command("video")
def bench_video(
    long: Annotated[
        float, typer.Option(help="Seconds of the long video whose memory is watched; 0 leaves it out.")
    ] = 600.0,
    quality: Quality = options.QUALITY,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Stage 2, skeleton to video: frames a second to the finished mp4, and memory."""
    with Terminal() as terminal:
        from stgmamba.bench.video import bench_video as measure
        from stgmamba.bench.video import print_table

        with terminal.stage("benchmark"):
            figures = measure(long=long, quality=quality)
    _report_figures(as_json, figures, print_table)


@train.command("skeleton")
def train_skeleton(
    config: ConfigFile,
    data: TrainingData = None,
    profile: ProfileName = None,
    init: Init = None,
    minutes: Minutes = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Train stage 1, music to skeleton; a run that was stopped goes on where it was."""
    with Terminal() as terminal:
        from stgmamba.music_to_skeleton.train import dry_run as estimate
        from stgmamba.music_to_skeleton.train import read_skeleton_config
        from stgmamba.music_to_skeleton.train import train as run
        from stgmamba.training.config import with_options

        settings = with_options(read_skeleton_config(config), "music_to_skeleton_flow", "data", data, profile, init)
        with terminal.stage("train"):
            result = estimate(settings) if dry_run else run(settings, minutes, log=terminal.say)
    _report_training(as_json, terminal, result)


@train.command("video")
def train_video(
    config: ConfigFile,
    data: TrainingData = None,
    profile: ProfileName = None,
    init: Init = None,
    minutes: Minutes = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Train stage 2, skeleton to video; a run that was stopped goes on where it was."""
    with Terminal() as terminal:
        from stgmamba.skeleton_to_video.train import dry_run as estimate
        from stgmamba.skeleton_to_video.train import prepare, read_video_config
        from stgmamba.skeleton_to_video.train import train as run
        from stgmamba.training.config import with_options

        settings = with_options(read_video_config(config), "skeleton_to_video", "clips", data, profile, init)
        if not dry_run:
            with terminal.stage("examples") as progress:
                prepare(settings, progress)
        with terminal.stage("train"):
            result = estimate(settings) if dry_run else run(settings, minutes, log=terminal.say)
    _report_training(as_json, terminal, result)


@train.command("beats")
def train_beats(config: ConfigFile, minutes: Minutes = None, as_json: AsJson = False, debug: Debug = False) -> None:
    """Train the beat tracker on songs composed for it; a run that was stopped goes on where it was."""
    with Terminal() as terminal:
        from stgmamba.music.beat_tracking.train import prepare, read_beat_config
        from stgmamba.music.beat_tracking.train import train as run

        settings = read_beat_config(config)
        with terminal.stage("songs") as progress:
            prepare(settings, progress)
        with terminal.stage("train"):
            weights = run(settings, minutes, log=terminal.say)
    _report_training(as_json, terminal, weights)


@evaluate.command("beats")
def evaluate_beats(
    data: Annotated[
        Path | None,
        typer.Option(help="Folder of songs with known beats; by default beats in $STGM_DATA."),
    ] = None,
    transformed: Annotated[
        bool, typer.Option(help="Judge on the same songs at 0.94 and 1.06 speed and through an mp3 too.")
    ] = True,
    composed: Annotated[int, typer.Option(help="Judge on so many composed songs, by kind.")] = 0,
    dances: Annotated[
        Path | None, typer.Option(help="Folder of dances: compare with the published tempos of their music.")
    ] = None,
    split: Annotated[str | None, typer.Option(help="Of the dances; by default all.")] = None,
    output: ReportFile = None,
    seed: Annotated[int, typer.Option(help="Other composed songs.")] = options.SEED,
    weights: Weights = None,
    compare: Annotated[bool, typer.Option(help="Judge other beat trackers too, those that are installed.")] = True,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Measure the beat tracker on songs whose beats are known, beside other trackers."""
    with Terminal() as terminal:
        from stgmamba.evaluation.beats.evaluate import BeatInputs, markdown, run

        with terminal.stage("evaluate") as progress:
            report = run(
                BeatInputs.with_defaults(data, transformed, composed, dances, split),
                output,
                weights=weights,
                seed=seed,
                compare=compare,
                progress=progress,
            )
    typer.echo(json.dumps(report) if as_json else markdown(report))


@evaluate.command("skeleton")
def evaluate_skeleton(
    data: Annotated[Path | None, typer.Option(help="Folder of dances; by default tang2018 in $STGM_DATA.")] = None,
    split: Annotated[str, typer.Option(help="The songs to dance to.")] = "val",
    output: ReportFile = None,
    seed: Seed = options.SEED,
    seeds: Annotated[int, typer.Option(help="Dances per song.")] = 3,
    weights: Weights = None,
    compare: Compare = True,
    compared: Compared = None,
    method: Method = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Measure stage 1, music to skeleton, against real dances, other networks and simple baselines."""
    with Terminal() as terminal:
        from stgmamba.evaluation.methods import Comparison
        from stgmamba.evaluation.skeleton.evaluate import run
        from stgmamba.evaluation.skeleton.report import markdown

        with terminal.stage("evaluate") as progress:
            report = run(
                data,
                split,
                output,
                seed=seed,
                seeds=seeds,
                comparison=Comparison(weights, compare, compared, method or ()),
                progress=progress,
            )
    typer.echo(json.dumps(report) if as_json else markdown(report))


@evaluate.command("styles")
def evaluate_styles(
    data: Annotated[Path | None, typer.Option(help="Folder of dances; by default tang2018 in $STGM_DATA.")] = None,
    styles_data: Annotated[
        Path | None, typer.Option(help="Folder of dances in SMPL's joints; by default dances in $STGM_DATA.")
    ] = None,
    songs: Annotated[
        Path | None, typer.Option(help="Folder of songs to dance to; by default songs/cc0 in $STGM_DATA.")
    ] = None,
    count: Annotated[int, typer.Option(help="Songs that every style is danced to.")] = 6,
    output: ReportFile = None,
    seed: Seed = options.SEED,
    weights: Weights = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Measure whether stage 1 dances the styles it is asked for, against real dances of each."""
    with Terminal() as terminal:
        from stgmamba.evaluation.skeleton.styles import markdown, run

        with terminal.stage("evaluate") as progress:
            report = run(data, styles_data, songs, output, count=count, seed=seed, weights=weights, progress=progress)
    typer.echo(json.dumps(report) if as_json else markdown(report))


@evaluate.command("video")
def evaluate_video(
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder of clips of one person each; by default clips in $STGM_DATA. The first frame is the "
            "condition, the clip's own poses are the target."
        ),
    ] = None,
    drawn: Annotated[int, typer.Option(help="Judge on so many drawn characters too, who dance real dances.")] = 0,
    turning: Annotated[int, typer.Option(help="Judge on so many drawn characters too, who turn once.")] = 0,
    dances: Annotated[
        Path | None, typer.Option(help="Folder of dances for the drawn characters; by default tang2018 in $STGM_DATA.")
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
    output: ReportFile = None,
    size: Annotated[int, typer.Option(help="Height of the frames in pixels.")] = 256,
    seed: Annotated[int, typer.Option(help="First of the drawn characters.")] = options.SEED,
    weights: Weights = None,
    compare: Compare = True,
    compared: Compared = None,
    method: Method = None,
    lpips_weights: Annotated[
        Path | None, typer.Option(help="torchvision's AlexNet: measure LPIPS too.", metavar="FILE")
    ] = None,
    fid_weights: Annotated[
        Path | None, typer.Option(help="pytorch-fid's Inception v3: measure FID too.", metavar="FILE")
    ] = None,
    fvd_weights: Annotated[
        Path | None, typer.Option(help="pytorch-i3d's I3D of Kinetics: measure FVD too.", metavar="FILE")
    ] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Measure stage 2, skeleton to video, against true frames and simple baselines."""
    with Terminal() as terminal:
        from stgmamba.evaluation.methods import Comparison
        from stgmamba.evaluation.video.evaluate import EvalInputs, run
        from stgmamba.evaluation.video.metrics.networks import load_networks
        from stgmamba.evaluation.video.report import markdown

        with terminal.stage("evaluate") as progress:
            report = run(
                EvalInputs.with_defaults(data, photos, drawn, turning, dances, held_out),
                output,
                size=size,
                seed=seed,
                networks=load_networks(lpips_weights, fid_weights, fvd_weights),
                comparison=Comparison(weights, compare, compared, method or ()),
                progress=progress,
            )
    typer.echo(json.dumps(report) if as_json else markdown(report))


@data.command("build")
def data_build(
    sources: Annotated[
        list[str],
        typer.Argument(help="Videos, folders, lists (.txt, .csv, .jsonl) of files or URLs, URLs.", metavar="SOURCE..."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the data set.", metavar="DATASET")],
    shortest: Annotated[float, typer.Option(help="Seconds of a clip at least.")] = 2.0,
    longest: Annotated[float, typer.Option(help="Seconds of a clip at most.")] = 10.0,
    all_people: Annotated[
        bool, typer.Option("--all-people", help="Clips of everybody, not of the dancer only.")
    ] = False,
    height: Annotated[int, typer.Option(help="Rows of the clips at most.")] = 512,
    workers: Annotated[int | None, typer.Option(help="Processes; by default one per core.")] = None,
    ray: Annotated[
        str | None,
        typer.Option(help="Work on a Ray cluster: auto, local, HOST:PORT.", metavar="ADDRESS"),
    ] = None,
    time_limit: Annotated[float, typer.Option(help="Seconds that one video may take.")] = 3600.0,
    memory_limit: Annotated[float, typer.Option(help="Megabytes that one video may take.")] = 4096.0,
    part: Annotated[
        str, typer.Option(help="Do the k-th of n parts only, on one of n machines; see data merge.", metavar="K/N")
    ] = "1/1",
    retry: Annotated[bool, typer.Option("--retry", help="Try again what failed in an earlier run.")] = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Make a data set of the people who dance in videos; running again goes on, and adds what is new."""
    with Terminal() as terminal:
        from stgmamba.builder.build import build_dataset, parse_part
        from stgmamba.builder.stages import BuildOptions
        from stgmamba.builder.workers import Limits

        report = build_dataset(
            sources,
            output,
            BuildOptions(shortest, longest, all_people, height),
            workers=workers,
            limits=Limits(time_limit, memory_limit),
            ray=ray,
            part=parse_part(part),
            retry=retry,
            report=terminal,
        )
    _print_build(output, report, terminal, as_json)


@data.command("import")
def data_import(
    corpus: Annotated[
        Path,
        typer.Argument(help="Folder: Tang 2018, AIST++, packed dances, or BVH and .npz files.", metavar="CORPUS"),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the data set.", metavar="DATASET")],
    shortest: Annotated[float, typer.Option(help="Seconds of a clip at least.")] = 2.0,
    longest: Annotated[float, typer.Option(help="Seconds of a clip at most.")] = 10.0,
    licence: Annotated[str, typer.Option(help="Of the corpus, for the index.", metavar="TEXT")] = "",
    workers: Annotated[int | None, typer.Option(help="Processes; by default one per core.")] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Make a data set of clips of a corpus of motion, with drawn skeletons as pictures; running again goes on."""
    with Terminal() as terminal:
        from stgmamba.builder.build import import_corpus
        from stgmamba.builder.stages import BuildOptions

        options = BuildOptions(shortest, longest)
        report = import_corpus(corpus, output, options, licence=licence, workers=workers, report=terminal)
    _print_build(output, report, terminal, as_json)


def _print_build(output: Path, report: dict[str, Any], terminal: Terminal, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({**report, "stage_seconds": terminal.seconds, "versions": _versions()}))
        return
    counts = f"{report['clips']} clips, {report['hours']:.2f} hours, of {len(report['sources'])} sources"
    failed = f", of which {report['failed']} failed" if report["failed"] else ""
    typer.echo(f"{output}: {counts}{failed}; {output / 'README.md'} tells more.")


@data.command("info")
def data_info(dataset: Dataset, profile: ProfileName = None, as_json: AsJson = False, debug: Debug = False) -> None:
    """How many clips there are, their scores, and what each profile leaves out and why."""
    from stgmamba.builder.card import describe_dataset

    facts = describe_dataset(dataset, profile)
    if as_json:
        typer.echo(json.dumps(facts))
        return
    width = max(map(len, facts["scores"]))
    for name in ("clips", "hours", "videos", "styles", "licences"):
        typer.echo(f"{name:<{width}}  {_plain(facts[name])}")
    for name, values in facts["scores"].items():
        typer.echo(f"{name:<{width}}  {_plain(values)}")
    for name, judged in facts["profiles"].items():
        typer.echo(f"profile {name}: {_judged(judged)}")


@data.command("filter")
def data_filter(
    dataset: Dataset,
    profile: Annotated[str, typer.Option(help="strict, paper, all, or a YAML file.", metavar="NAME|FILE")] = "paper",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write what remains as a data set.", metavar="DATASET")
    ] = None,
    copy: Annotated[bool, typer.Option("--copy", help="With clips of its own, not with references.")] = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Judge the clips by a profile of thresholds; takes seconds, since the scores are in the index."""
    with Terminal() as terminal:
        from stgmamba.builder.filtering import filter_dataset

        judged = filter_dataset(dataset, profile, output, copy, terminal)
    typer.echo(json.dumps(judged) if as_json else _judged(judged))


@data.command("view")
def data_view(
    dataset: Dataset,
    output: Annotated[Path, typer.Option("--output", "-o", help="The page to write.", metavar="FILE.html")],
    profile: Annotated[str, typer.Option(help="strict, paper, all, or a YAML file.", metavar="NAME|FILE")] = "paper",
    clips: Annotated[int, typer.Option(help="Clips on the page at most, from all over the set.")] = 100,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Write a page with strips of frames, poses, beats, steps and scores."""
    with Terminal() as terminal:
        from stgmamba.builder.page import write_page

        shown = write_page(dataset, output, profile, clips, terminal)
    typer.echo(json.dumps({"output": str(output), "clips": shown}) if as_json else f"{output}: {shown} clips.")


@data.command("split")
def data_split(
    dataset: Dataset,
    val: Annotated[float, typer.Option(help="Share of the seconds for choosing between models.")] = 0.1,
    test: Annotated[float, typer.Option(help="Share of the seconds for the final test.")] = 0.1,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Divide the clips into train, val and test, by video and by song."""
    from stgmamba.builder.arranging import split_dataset

    counts = split_dataset(dataset, val, test)
    typer.echo(json.dumps(counts) if as_json else _plain(counts))


@data.command("merge")
def data_merge(
    datasets: Annotated[list[Path], typer.Argument(help="Folders of data sets.", metavar="DATASET...")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the new one.", metavar="DATASET")],
    copy: Annotated[bool, typer.Option("--copy", help="With clips of its own, not with references.")] = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Join data sets, such as those that several machines made."""
    with Terminal() as terminal:
        from stgmamba.builder.arranging import merge_datasets

        counts = merge_datasets(datasets, output, copy, terminal)
    typer.echo(json.dumps(counts) if as_json else _plain(counts))


@data.command("verify")
def data_verify(dataset: Dataset, as_json: AsJson = False, debug: Debug = False) -> None:
    """Check that every clip is as it was written."""
    from stgmamba.datasets.clips import ClipDataset

    clips = ClipDataset(dataset)
    faults = clips.verify()
    if as_json:
        typer.echo(json.dumps({"clips": len(clips), "faults": faults}))
    else:
        typer.echo("\n".join(faults) if faults else f"{dataset}: all {len(clips)} clips are as they were written.")
    if faults and as_json:
        raise typer.Exit(2)
    if faults:
        raise InputError(f"{dataset}: {len(faults)} of {len(clips)} clips are damaged; build them again.")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code.

    0: done. 1: a fault of ours. 2: something handed in cannot be used. 128 and the number of the signal: stopped by
    it, 130 by Ctrl-C, 143 by SIGTERM.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a Windows console may lack a letter of a file's name
            stream.reconfigure(errors="replace")
    arguments = list(sys.argv[1:] if argv is None else argv)
    fault: BaseException
    stopped_by = [signal.SIGINT]
    try:
        with _signals_as_interrupts(stopped_by):
            code = int(app(args=arguments, prog_name="stgmamba", standalone_mode=False) or 0)
        if code != 130:  # typer's answer to an interrupt
            return code
        raise KeyboardInterrupt
    except InputError as error:
        fault, sentence, code = error, str(error), 2
    except TyperException as error:
        fault, sentence, code = error, f"{error.format_message().rstrip('.')}; see stgmamba --help.", 2
    except (KeyboardInterrupt, Abort) as error:
        fault, sentence, code = error, "Stopped.", 128 + stopped_by[-1]
    except BrokenPipeError:
        return 1
    except MemoryError as error:
        sentence = "There is not enough memory for this; close other programs, or take a smaller --size or picture."
        fault, code = error, 2
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


@contextmanager
def _signals_as_interrupts(received: list[signal.Signals]) -> Iterator[None]:
    """Let what asks a process to end do what Ctrl-C does: whatever is half done is put away."""

    def interrupt(number: int, _: object) -> None:
        received.append(signal.Signals(number))
        raise KeyboardInterrupt

    names = ("SIGTERM", "SIGHUP", "SIGBREAK")  # Windows has no SIGHUP, others no SIGBREAK
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    # One that is ignored stays so: that is how nohup lets a process live on.
    numbers = [number for number in numbers if signal.getsignal(number) == signal.SIG_DFL]
    if threading.current_thread() is not threading.main_thread():
        numbers = []  # only the main thread may set handlers
    replaced = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in replaced.items():
            signal.signal(number, handler)


def _report_training(as_json: bool, terminal: Terminal, result: Path | dict[str, Any]) -> None:
    """The weights of a training run, or what a dry run found."""
    facts = result if isinstance(result, dict) else {"output": str(result)}
    if as_json:
        typer.echo(json.dumps({**facts, "stage_seconds": terminal.seconds, "versions": _versions()}))
    elif isinstance(result, dict):
        width = max(map(len, result))
        typer.echo("\n".join(f"{name:<{width}}  {_plain(value)}" for name, value in result.items()))
    else:
        typer.echo(str(result))


def _judged(judged: dict[str, Any]) -> str:
    """What a profile lets through, and the reasons against the rest."""
    reasons = "".join(f"\n  {reason}: {count}" for reason, count in judged["left_out"].items())
    return f"{judged['clips']} clips, {judged['hours']:.2f} hours{reasons}"


def _report_figures(as_json: bool, figures: Any, print_table: Callable[[Any], None]) -> None:
    """The result of a benchmark."""
    if as_json:
        typer.echo(json.dumps(figures))
    else:
        print_table(figures)


def _video_facts(video: DanceVideo) -> dict[str, Any]:
    return {
        "seconds": video.seconds,
        "frames": len(video.skeleton),
        "fps": video.fps,
        "size": video.size,
        "subject": video.subject.name,
    }


def _dance_facts(
    song: str | Path,
    start: float,
    seed: int,
    facing: str,
    style: str,
    travel: float | None,
    energy: float,
    repeats: str,
    align_beats: bool,
) -> dict[str, Any]:
    """What a dance was generated from."""
    return {
        "song": str(song),
        "start": start,
        "seed": seed,
        "facing": facing,
        "style": style,
        "travel": travel,
        "energy": energy,
        "repeats": repeats,
        "align_beats": align_beats,
    }


def _choice_facts(pipeline: DancePipeline) -> dict[str, Any]:
    """The style that ``auto`` chose, in the place of ``auto``, and why."""
    choice = pipeline.choice
    return {} if choice is None else {"style": choice.style, "style_reason": choice.reason}


def _subject_facts(
    pose: Path | None,
    mask: Path | None,
    image_back: Path | None,
    person: str | None,
    framing: str,
    quality: str,
    body: str,
    background: str,
) -> dict[str, Any]:
    """How the person of a picture was found and drawn; None for files that were not given."""
    files = {"pose": _name(pose), "mask": _name(mask), "image_back": _name(image_back)}
    return files | {"person": person, "framing": framing, "quality": quality, "body": body, "background": background}


def _name(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _report(as_json: bool, terminal: Terminal, output: Path | None, **facts: Any) -> None:
    """The result of a verb: one line, or JSON with everything needed to repeat it."""
    stage_seconds = terminal.seconds
    total = sum(stage_seconds.values())
    if as_json:
        rounded = {name: round(value, 3) for name, value in {**stage_seconds, "total": total}.items()}
        result = {
            "output": _name(output),
            **facts,
            "warnings": terminal.warnings,
            "stage_seconds": rounded,
            "versions": _versions(),
        }
        typer.echo(json.dumps(result))
        return
    if "seconds" not in facts:
        written = " and ".join(str(path) for path in (output, facts.get("turntable")) if path is not None)
        typer.echo(f"{written}: took {total:.0f} s.")
        return
    size = f", {facts['size'][0]} x {facts['size'][1]}" if facts.get("size") else ""
    typer.echo(f"{output}: {facts['seconds']:.1f} s at {facts['fps']:g} frames per second{size}; took {total:.0f} s.")


def _versions() -> dict[str, str]:
    """Versions of whatever can change the result."""
    import platform
    from importlib.metadata import version

    names = ("stgmamba", "torch", "numpy", "mediapipe", "av", "librosa", "opencv-contrib-python")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def _clock(seconds: float) -> str:
    """Seconds as minutes and seconds: 1:05."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return "\n".join(f"{name}: {_plain(item)}" for name, item in value.items())
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return ", ".join(_plain(item) for item in value)
    return str(value)
