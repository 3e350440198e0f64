"""The command line end to end: what a user sees, good input and bad."""

from __future__ import annotations

import json
import os
import resource
import shlex
import signal
import subprocess
import sys
import time
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from stgmamba import options
from stgmamba.cli import main
from stgmamba.music_to_skeleton.styles import Choice
from stgmamba.skeleton import Skeleton
from stgmamba.skeleton.formats import read_skeleton, write_skeleton
from stgmamba.training.weights import default_weights
from stgmamba.video_io import probe, read_video, write_video

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch, swaying_sampler: Any) -> Any:
    """The dance comes by formula, so that tests of everything around it are quick."""
    monkeypatch.setattr("stgmamba.music_to_skeleton.sampler.load_sampler", lambda weights=None: swaying_sampler)
    return swaying_sampler


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line; gives (exit code, stdout, stderr)."""

    def command(*arguments: object) -> tuple[int, str, str]:
        code = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return command


def is_one_sentence(text: str, *mentioned: str) -> bool:
    lines = text.strip().splitlines()
    return len(lines) == 1 and lines[0].endswith(".") and "Traceback" not in text and all(m in text for m in mentioned)


def write_wav(path: Path, samples: np.ndarray, rate: int = 22050) -> Path:
    """Samples [N] or [N, channels] in -1..1 as 16-bit wav."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1 if samples.ndim == 1 else samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((samples * 32767).astype("<i2").tobytes())
    return path


def clicks(seconds: float, rate: int = 22050, tempo: float = 120.0) -> np.ndarray:
    """A metronome with a hum under it."""
    times = np.arange(round(seconds * rate)) / rate
    since = times % (60 / tempo)
    return 0.6 * np.exp(-40 * since) * np.sin(2 * np.pi * 880 * times) + 0.1 * np.sin(2 * np.pi * 110 * times)


@pytest.fixture(scope="session")
def short_song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_wav(tmp_path_factory.mktemp("song") / "short.wav", clicks(3.0))


@pytest.fixture
def dance_file(tmp_path: Path, sway: Skeleton) -> Path:
    write_skeleton(tmp_path / "sway.npz", sway)
    return tmp_path / "sway.npz"


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if ".part" in path.name]


# What a user reads before doing anything


def test_help_imports_nothing_heavy() -> None:
    code = "import sys; from stgmamba.cli import main; main(['--help']); print(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    modules = set(out.splitlines()[-1].split())
    assert not modules & {
        "numpy",
        "torch",
        "cv2",
        "librosa",
        "mediapipe",
        "scipy",
        "av",
        "numba",
        "PIL",
        "rich.progress",
    }


def test_help_names_every_verb(run: Run) -> None:
    code, out, _ = run("--help")
    assert code == 0
    for verb in (
        "dance",
        "skeleton",
        "render",
        "pose",
        "avatar",
        "info",
        "characters",
        "demo",
        "bench",
        "train",
        "evaluate",
    ):
        assert f"  {verb} " in out


@pytest.mark.parametrize("verb", ["dance", "skeleton", "render", "pose", "avatar", "info", "characters", "demo"])
def test_each_verb_explains_itself(run: Run, verb: str) -> None:
    code, out, _ = run(verb, "--help")
    assert code == 0
    assert "--json" in out


def test_a_quality_that_is_not_known_is_a_sentence(run: Run, dance_file: Path, tmp_path: Path) -> None:
    output = tmp_path / "x.mp4"
    code, _, err = run("render", str(dance_file), "--character", "mira", "--quality", "lovely", "-o", str(output))
    assert code == 2
    assert "best, fast" in err
    assert not output.exists()


def test_training_on_what_is_not_there_is_a_sentence(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("lightning")
    code, _, err = run("train", "video", "--config", str(tmp_path / "none.yaml"))
    assert code == 2
    assert "none.yaml" in err
    monkeypatch.setenv("STGM_DATA", str(tmp_path))
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(f"data: nothing\nout: {tmp_path / 'run'}\nexamples: {tmp_path / 'examples'}\n")
    code, _, err = run("train", "video", "--config", str(recipe))
    assert code == 2
    assert "index.json" in err


def test_version(run: Run) -> None:
    from stgmamba import __version__

    assert run("--version") == (0, f"{__version__}\n", "")


def test_no_arguments_show_the_help(run: Run) -> None:
    code, out, err = run()
    assert (code, out) == (2, "")
    assert err.startswith("Usage: stgmamba [OPTIONS] COMMAND")
    assert "  dance  " in err


@pytest.mark.parametrize(
    ("method", "mentioned"), [("mine", "NAME=FILE"), ("mine=nosuch", "no such file"), ("shifted=x", "name")]
)
def test_methods_to_judge_are_checked_first(run: Run, method: str, mentioned: str) -> None:
    code, out, err = run("evaluate", "skeleton", "--no-compare", "--method", method)
    assert (code, out) == (2, "")
    assert is_one_sentence(err, method, mentioned)


def test_evaluate_video_says_what_is_wrong_first(run: Run, tmp_path: Path) -> None:
    for arguments, mentioned in (
        (("--data", str(tmp_path / "nosuch")), "no such folder"),
        (("--data", str(tmp_path)), "empty"),
        (("--lpips-weights", str(tmp_path / "nosuch.pth")), "AlexNet"),
        (("--fid-weights", str(tmp_path / "nosuch.pth")), "pytorch-fid"),
        (("--fvd-weights", str(tmp_path / "nosuch.pth")), "pytorch-i3d"),
        (("--drawn", "2", "--dances", str(tmp_path)), "index.json"),
        (("--data", str(tmp_path), "--held-out", str(tmp_path / "nosuch.yaml")), "no such file"),
        (("--data", str(tmp_path), "--size", "4"), "size"),
    ):
        code, out, err = run("evaluate", "video", *arguments)
        assert (code, out) == (2, "")
        assert is_one_sentence(err, mentioned)


def test_evaluate_video_writes_and_prints_the_report(run: Run, tmp_path: Path) -> None:
    from .support.character_clips import character_frames, write_clip

    (tmp_path / "clips").mkdir()
    write_clip(tmp_path / "clips" / "mira.mp4", character_frames()[:12])
    code, out, _ = run(
        "evaluate",
        "video",
        "--data",
        str(tmp_path / "clips"),
        "--size",
        "64",
        "-o",
        str(tmp_path / "out.json"),
        "--no-compare",
    )
    assert code == 0
    methods = json.loads((tmp_path / "out.json").read_text())["methods"]
    assert set(methods["limb_warp"]) == {"ssim", "psnr", "pck", "flicker", "identity", "fps"}
    assert "| limb_warp |" in out
    assert "no weights were given" in out


def test_bench_skeleton_prints_a_table_or_json(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = {
        "machine": {"processor": "abacus", "cores": 2, "threads": 2},
        "song": {"seconds": 180.0, "total": 6.0, "audio features": 1.0, "network": 4.0, "post-processing": 1.0},
        "length": {"short_seconds": 45.0, "long_seconds": 720.0, "short": 1.5, "long": 24.0, "ratio": 1.0},
        "memory": None,
        "attention": {"ours": 1.0, "attention": 7.0, "speedup": 7.0},
    }
    monkeypatch.setattr("stgmamba.bench.skeleton.bench_skeleton", lambda weights: figures)
    code, out, _ = run("bench", "skeleton", "--json")
    assert (code, json.loads(out)) == (0, figures)
    code, out, _ = run("bench", "skeleton")
    assert code == 0
    assert "7.0 x" in out
    assert "memory" not in out


# The verbs on good input


def test_characters_are_listed(run: Run) -> None:
    code, out, _ = run("characters", "--json")
    names = json.loads(out)["characters"]
    assert code == 0
    assert len(names) >= 7
    assert names[-1] == "random"


def test_render_makes_a_film_with_the_song(run: Run, dance_file: Path, short_song: Path, tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    code, out, err = run("render", dance_file, "--song", short_song, "-o", film, "--size", "128", "--json")
    assert code == 0, err
    result = json.loads(out)
    assert result["output"] == str(film)
    assert result["frames"] == 50
    assert set(result["stage_seconds"]) == {"subject", "video", "total"}
    assert result["versions"]["stgmamba"]
    chosen = ("skeleton", "song", "start", "seed", "pose", "mask", "quality")
    assert [result[name] for name in chosen] == [str(dance_file), str(short_song), 0.0, 0, None, None, "best"]
    media = probe(film)
    assert media.size == tuple(result["size"]) == (96, 128)
    assert (media.frames, media.fps, media.audio_codec) == (50, 25.0, "aac")
    assert leftovers(tmp_path) == []


def test_render_at_another_rate_and_shape(run: Run, dance_file: Path, tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    code, out, err = run("render", dance_file, "-o", film, "--size", "160x90", "--fps", "30", "--character", "random")
    assert code == 0, err
    assert out == f"{film}: 2.0 s at 30 frames per second, 160 x 90; took {out.split('took ')[1]}"
    media = probe(film)
    assert (media.size, media.fps, media.frames, media.audio_codec) == ((160, 90), 30.0, 60, None)


def test_same_seed_same_film(run: Run, dance_file: Path, tmp_path: Path) -> None:
    films = [tmp_path / name for name in ("a.mp4", "b.mp4", "c.mp4")]
    for film, seed in zip(films, (1, 1, 2), strict=True):
        assert run("render", dance_file, "-o", film, "--size", "96", "--character", "random", "--seed", seed)[0] == 0
    first, second, third = (np.stack([rgb for _, rgb in read_video(film)][:5]) for film in films)
    np.testing.assert_array_equal(first, second)
    assert (first != third).any()


def test_info_on_each_kind_of_file(
    run: Run, dance_file: Path, short_song: Path, person_picture: Path, tmp_path: Path
) -> None:
    film = tmp_path / "film.mp4"
    assert run("render", dance_file, "-o", film, "--size", "96")[0] == 0
    facts = {}
    for path in (dance_file, short_song, person_picture, film):
        code, out, err = run("info", path, "--json")
        assert code == 0, err
        facts[json.loads(out)["kind"]] = json.loads(out)
    assert facts["skeleton"]["frames"] == 50
    assert facts["song"]["tempo"] == pytest.approx(120, rel=0.03)
    assert facts["song"]["seconds"] == pytest.approx(3.0, abs=0.01)
    assert facts["picture"]["persons"] == 1
    assert facts["video"]["size"] == [72, 96]


def test_info_of_a_song_shows_its_form_and_takes_beats(run: Run, short_song: Path, tmp_path: Path) -> None:
    beats, plot = tmp_path / "beats.txt", tmp_path / "song.png"
    beats.write_text("".join(f"{0.2 + 0.4 * i:.2f}\t{1 + i % 3}\n" for i in range(7)), encoding="utf-8")
    code, out, err = run("info", short_song, "--beats", beats, "--plot", plot, "--json")
    assert code == 0, err
    facts = json.loads(out)
    assert (facts["tempo"], facts["metre"], facts["bars"]) == (150, "3/4", 3)
    assert facts["beats"] == pytest.approx([0.2 + 0.4 * i for i in range(7)])
    assert facts["downbeats"] == pytest.approx([0.2, 1.4, 2.6])
    assert [section["label"] for section in facts["sections"]] == ["A"]
    with Image.open(plot) as picture:
        assert picture.format == "PNG"
    code, out, _ = run("info", short_song, "--beats", beats)
    assert code == 0
    assert "metre" in out
    assert "downbeats" not in out
    beats.write_text("quick\n", encoding="utf-8")
    code, _, err = run("info", short_song, "--beats", beats)
    assert code == 2
    assert "write one beat per line" in err


def test_weights_of_ones_own_dance(run: Run, short_song: Path, tmp_path: Path) -> None:
    """``dance`` and ``skeleton`` take what ``train`` writes."""
    flow = default_weights("music_to_skeleton_flow")
    dances = []
    for name, options_ in (("ours", ()), ("theirs", ("--weights", flow))):
        path = tmp_path / f"{name}.npz"
        assert run("skeleton", short_song, "-o", path, "--style", "waltz", *options_)[0] == 0
        dances.append(read_skeleton(path).positions)
    assert not np.allclose(dances[0], dances[1])
    for verb, output in (("skeleton", "a.npz"), ("dance", "a.mp4")):
        other = default_weights("skeleton_to_video")
        code, _, err = run(verb, short_song, "-o", tmp_path / output, "--weights", other)
        assert code == 2
        assert is_one_sentence(err, str(other))
        assert not (tmp_path / output).exists()


def test_the_dance_gets_the_beats_of_the_user(
    run: Run, no_network: Any, monkeypatch: pytest.MonkeyPatch, short_song: Path, tmp_path: Path
) -> None:
    given: list[Any] = []
    generate = no_network.generate
    monkeypatch.setattr(no_network, "generate", lambda song, **options: (given.append(options), generate(song))[1])
    beats = tmp_path / "beats.txt"
    beats.write_text("0.5\n1.0\n1.5\n2.0\n2.5\n", encoding="utf-8")
    options = ("--beats", beats, "--start", "0.75", "-o", tmp_path / "dance.npz")
    assert run("skeleton", short_song, *options)[0] == 0
    np.testing.assert_allclose(given[0]["rhythm"].beats, [0.25, 0.75, 1.25, 1.75])


def test_json_says_which_style_was_chosen_and_why(
    run: Run, no_network: Any, monkeypatch: pytest.MonkeyPatch, short_song: Path, tmp_path: Path
) -> None:
    generate = no_network.generate

    def choosing(song: Any, **options: Any) -> Skeleton:
        options["chosen"](Choice("swaying", "two beats to the bar"))
        return generate(song, **options)

    monkeypatch.setattr(no_network, "generate", choosing)
    code, out, err = run("skeleton", short_song, "-o", tmp_path / "dance.npz", "--json")
    assert code == 0, err
    result = json.loads(out)
    assert (result["style"], result["style_reason"]) == ("swaying", "two beats to the bar")


def test_pose_of_a_picture(run: Run, person_picture: Path, tmp_path: Path) -> None:
    out_file = tmp_path / "pose.json"
    code, _, err = run("pose", person_picture, "-o", out_file)
    assert code == 0, err
    found = read_skeleton(out_file)
    assert (len(found), found.dims) == (1, 2)
    with Image.open(person_picture) as image:
        assert found.size == image.size


def test_a_pose_that_was_found_may_be_given_back(
    run: Run, no_network: Any, short_song: Path, dance_file: Path, person_picture: Path, tmp_path: Path
) -> None:
    found, film = tmp_path / "found.json", tmp_path / "film.mp4"
    assert run("pose", person_picture, "-o", found)[0] == 0
    options = ("--image", person_picture, "--pose", found, "-o", film, "--size", "96")
    for verb in (("dance", short_song, "--seconds", "1"), ("render", dance_file)):
        code, _, err = run(*verb, *options)
        assert code == 0, err
        assert probe(film).size == (72, 96)
        film.unlink()


def test_a_pose_or_mask_that_cannot_be_used_is_a_sentence(
    run: Run, dance_file: Path, person_picture: Path, tmp_path: Path
) -> None:
    pose, mask, film = tmp_path / "pose.yaml", tmp_path / "mask.png", tmp_path / "film.mp4"
    pose.write_text("right_shoulder: [150, 150]\nleft_sholder: [220, 150]\n")
    Image.new("L", (100, 100)).save(mask)
    for option, mentioned in (
        (("--pose", pose), "left_sholder"),
        (("--pose", tmp_path / "none.yaml"), "no such file"),
        (("--mask", mask), "100 x 100"),
        (("--mask", pose), "not a picture"),
    ):
        code, out, err = run("render", dance_file, "--image", person_picture, *option, "-o", film)
        assert (code, out) == (2, "")
        assert is_one_sentence(err.splitlines()[-1], str(option[1]), mentioned)
        assert not film.exists()


def test_a_transparent_background(run: Run, dance_file: Path, person_picture: Path, tmp_path: Path) -> None:
    film = tmp_path / "a.mov"
    render = "render", dance_file, "--background", "transparent", "--size", "96", "--fps", "5"
    code, _, err = run(*render, "--image", person_picture, "--body", "3d", "-o", film)
    assert code == 0, err
    assert (probe(film).video_codec, probe(film).size) == ("prores", (72, 96))
    for arguments, mentioned in (
        (("--image", person_picture, "-o", tmp_path / "b.mp4"), "b.mov"),
        (("--image", person_picture, "--body", "flat", "-o", tmp_path / "b.mov"), "--body 3d"),
        (("--character", "mira", "-o", tmp_path / "b.mov"), "--image"),
    ):
        code, out, err = run(*render, *arguments)
        assert (code, out) == (2, "")
        assert is_one_sentence(err.splitlines()[-1], mentioned), err
    assert not list(tmp_path.glob("b.*"))


def test_the_video_behind_is_not_overwritten(run: Run, dance_file: Path, person_picture: Path, tmp_path: Path) -> None:
    film = tmp_path / "sea.mp4"
    film.write_bytes(b"a video")
    code, out, err = run("render", dance_file, "--image", person_picture, "--background", film, "-o", film)
    assert (code, out) == (2, "")
    assert is_one_sentence(err.splitlines()[-1], str(film), "to be made from")
    assert film.read_bytes() == b"a video"


def test_avatar_writes_a_mesh_and_a_turntable(run: Run, person_picture: Path, tmp_path: Path) -> None:
    mesh, film = tmp_path / "me.glb", tmp_path / "turn.mp4"
    code, out, err = run(
        "avatar", person_picture, "-o", mesh, "--turntable", film, "--size", "96", "--fps", "5", "--json"
    )
    assert code == 0, err
    assert mesh.read_bytes()[:4] == b"glTF"
    result = json.loads(out)
    assert (result["output"], result["turntable"]) == (str(mesh), str(film))
    assert result["overlap"] > 0.85
    assert result["joint_error"] < 0.03
    assert (probe(film).frames, probe(film).size) == (30, (72, 96))


def test_a_picture_from_behind_must_be_one(run: Run, person_picture: Path, dance_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "me.glb"
    code, _, err = run("avatar", person_picture, "--image-back", person_picture, "-o", out)
    assert code == 2
    assert is_one_sentence(err, "person.png", "faces the camera", "--image-back"), err
    film = ("render", dance_file, "-o", tmp_path / "a.mp4", "--image-back", person_picture)
    for chosen, words in (((), "--image"), (("--image", person_picture, "--body", "flat"), "--body flat")):
        code, _, err = run(*film, *chosen)
        assert code == 2
        assert is_one_sentence(err, "--image-back", words), err
    assert not out.exists()
    assert not (tmp_path / "a.mp4").exists()


def test_avatar_refuses_what_it_cannot_use(run: Run, person_picture: Path, tmp_path: Path) -> None:
    noise = tmp_path / "noise.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (100, 100, 3)).astype(np.uint8)).save(noise)
    for arguments, mentioned in (
        ((noise, "--turntable", tmp_path / "turn.mp4"), "no person was found"),
        ((person_picture, "--turntable", tmp_path / "turn.gif"), ".mp4"),
        ((person_picture, "-o", tmp_path / "me.obj"), ".glb"),
        ((person_picture,), "nothing to write"),
        ((person_picture, "--turntable", tmp_path / "turn.mp4", "--size", "9"), "size 9"),
    ):
        code, out, err = run("avatar", *arguments)
        assert (code, out) == (2, "")
        assert is_one_sentence(err.splitlines()[-1], mentioned), err
    assert not (tmp_path / "turn.mp4").exists()


def test_a_picture_without_a_human_body_is_drawn_flat_and_says_why(
    run: Run, person_picture: Path, dance_file: Path, tmp_path: Path
) -> None:
    """The outline is a rectangle: no body has it."""
    with Image.open(person_picture) as image:
        mask = Image.new("L", image.size)
        mask.paste(255, (20, 20, image.size[0] - 20, image.size[1] - 20))
    mask.save(tmp_path / "mask.png")
    film = tmp_path / "film.mp4"
    options = ("--image", person_picture, "--mask", tmp_path / "mask.png", "--quality", "fast", "--size", "96")
    code, out, err = run("render", dance_file, *options, "-o", film, "--json")
    assert code == 0, err
    assert any("drawn flat" in warning and "outline" in warning for warning in json.loads(out)["warnings"])


def test_dance_writes_film_and_skeleton(
    run: Run, no_network: Any, short_song: Path, person_picture: Path, tmp_path: Path
) -> None:
    film, steps = tmp_path / "film.mp4", tmp_path / "dance.npz"
    code, out, err = run(
        "dance",
        short_song,
        "-i",
        person_picture,
        "-o",
        film,
        "--size",
        "128",
        "--skeleton-out",
        steps,
        "--glb",
        tmp_path / "me.glb",
        "--start",
        "1",
        "--fps",
        "24",
        "--seed",
        "5",
        "--json",
    )
    assert code == 0, err
    result = json.loads(out)
    assert set(result["stage_seconds"]) == {"song", "subject", "model", "skeleton", "video", "total"}
    quick_start = (Path(__file__).parents[1] / "docs" / "quickstart.md").read_text(encoding="utf-8")
    assert [key for key in result if f"`{key}`" not in quick_start.split("## For programs")[1]] == []
    del result["stage_seconds"], result["versions"], result["warnings"]
    assert result == {
        "output": str(film),
        "subject": str(person_picture),
        "song": str(short_song),
        "start": 1.0,
        "seconds": 2.0,
        "seed": 5,
        "facing": "free",
        "style": "auto",
        "travel": 0.8,
        "repeats": "varied",
        "energy": 1.0,
        "align_beats": True,
        "pose": None,
        "image_back": None,
        "mask": None,
        "person": None,
        "framing": "auto",
        "quality": "best",
        "body": "auto",
        "background": "photo",
        "glb": str(tmp_path / "me.glb"),
        "size": [96, 128],
        "fps": 24.0,
        "frames": 48,
        "skeleton": str(steps),
    }
    assert no_network.asked["seed"] == 5
    assert probe(film).frames == 48
    written = read_skeleton(steps)
    assert (len(written), written.dims, written.fps) == (48, 3, 24.0)


def test_skeleton_verb(run: Run, no_network: Any, short_song: Path, tmp_path: Path) -> None:
    code, out, err = run("skeleton", short_song, "-o", tmp_path / "dance.json", "--seconds", "2", "--facing", "camera")
    assert code == 0, err
    assert out.startswith(f"{tmp_path / 'dance.json'}: 2.0 s at 25 frames per second; took ")
    assert no_network.asked["facing"] == "camera"
    assert read_skeleton(tmp_path / "dance.json").dims == 3


def test_demo_needs_nothing(run: Run, no_network: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = run("demo", "--json", "--size", "64")
    assert code == 0, err
    result = json.loads(out)
    assert result["output"] == options.DEMO_OUTPUT
    assert result["seconds"] >= 15
    media = probe(options.DEMO_OUTPUT)
    assert (media.fps, media.audio_codec) == (25.0, "aac")
    assert media.seconds >= 15


def test_demo_where_its_folder_is_a_file(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("out").touch()
    code, _, err = run("demo")
    assert code == 2
    assert is_one_sentence(err, "out is a file"), err


def test_a_colon_in_names_is_no_protocol(
    run: Run, dance_file: Path, short_song: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path("http:")
    folder.mkdir()
    (folder / "song:1.wav").write_bytes(short_song.read_bytes())
    for output in ("take:2.mp4", "http:/take.mp4"):
        code, _, err = run("render", dance_file.name, "-o", output, "--song", "http:/song:1.wav", "--size", "64")
        assert code == 0, err
        assert probe(Path(output)).audio_codec == "aac"


def test_names_in_any_case(run: Run, dance_file: Path, tmp_path: Path) -> None:
    code, out, err = run("render", dance_file, "-o", tmp_path / "out.mp4", "-c", "Kofi", "--size", "64", "--json")
    assert code == 0, err
    assert json.loads(out)["subject"] == "kofi"


def test_a_song_from_a_pipe(tmp_path: Path, short_song: Path) -> None:
    """The standard input, and a shell's process substitution."""
    command = [sys.executable, "-m", "stgmamba", "info", "--json"]
    piped = subprocess.run([*command, "-"], input=short_song.read_bytes(), capture_output=True)
    assert json.loads(piped.stdout)["kind"] == "song", piped.stderr
    line = " ".join(shlex.quote(str(word)) for word in command) + f" <(cat {shlex.quote(str(short_song))})"
    substituted = subprocess.run(["bash", "-c", line], capture_output=True)
    assert json.loads(substituted.stdout)["kind"] == "song", substituted.stderr


# Unusual songs and pictures that must work


def test_surround_sound_at_8_khz(run: Run, no_network: Any, tmp_path: Path) -> None:
    sound = np.stack([clicks(2.0, 8000) * gain for gain in (1, 0.8, 0.5, 0, 0.3, 0.3)], axis=1)
    song = write_wav(tmp_path / "surround.wav", sound, 8000)
    code, _, err = run("dance", song, "-o", tmp_path / "out.mp4", "--size", "64")
    assert code == 0, err
    media = probe(tmp_path / "out.mp4")
    assert (media.audio_codec, media.audio_channels, media.frames) == ("aac", 2, 50)


def cmyk(image: Image.Image, folder: Path) -> Path:
    image.convert("CMYK").save(folder / "cmyk.jpg")
    return folder / "cmyk.jpg"


def alpha(image: Image.Image, folder: Path) -> Path:
    rgba = image.convert("RGBA")
    rgba.putpixel((0, 0), (0, 0, 0, 0))
    rgba.save(folder / "alpha.png")
    return folder / "alpha.png"


def turned_by_exif(image: Image.Image, folder: Path) -> Path:
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned by 90 degrees clockwise
    image.transpose(Image.Transpose.ROTATE_90).save(folder / "exif.jpg", exif=exif, quality=95)
    return folder / "exif.jpg"


def huge(image: Image.Image, folder: Path) -> Path:
    large = Image.new("RGB", (20_000, 2_600), (190, 200, 205))
    large.paste(image.resize((1950, 2600)), (9000, 0))
    large.save(folder / "huge.jpg")
    return folder / "huge.jpg"


@pytest.mark.parametrize("change", [cmyk, alpha, turned_by_exif])
def test_unusual_picture(run: Run, person_picture: Path, tmp_path: Path, change: Any) -> None:
    with Image.open(person_picture) as image:
        picture = change(image.convert("RGB"), tmp_path)
    code, out, err = run("pose", picture, "-o", tmp_path / "pose.npz", "--json")
    assert code == 0, err
    expected, found = (read_skeleton(path) for path in (pose_of(run, person_picture, tmp_path), tmp_path / "pose.npz"))
    assert json.loads(out)["size"] == [384, 512]
    torso = np.linalg.norm(expected.joint("neck") - expected.joint("left_hip"))
    assert np.abs(found.positions - expected.positions).max() < 0.15 * torso


def pose_of(run: Run, picture: Path, folder: Path) -> Path:
    assert run("pose", picture, "-o", folder / "expected.npz")[0] == 0
    return folder / "expected.npz"


def test_picture_20000_pixels_wide(run: Run, person_picture: Path, tmp_path: Path) -> None:
    with Image.open(person_picture) as image:
        picture = huge(image.convert("RGB"), tmp_path)
    code, out, err = run("pose", picture, "-o", tmp_path / "pose.npz", "--json")
    assert code == 0, err
    result = json.loads(out)
    assert max(result["size"]) <= 2048
    assert any("shrunk from 20000 x 2600" in warning for warning in result["warnings"])
    assert is_one_sentence(err, "shrunk"), err


def test_two_persons(run: Run, person_picture: Path, tmp_path: Path) -> None:
    with Image.open(person_picture) as image:
        both = Image.new("RGB", (800, 512), image.getpixel((2, 2)))
        both.paste(image, (0, 0))
        both.paste(image.resize((270, 360)), (480, 140))
    both.save(tmp_path / "both.png")
    code, out, err = run("pose", tmp_path / "both.png", "-o", tmp_path / "pose.npz", "--json")
    assert code == 0, err
    assert any("another person" in warning for warning in json.loads(out)["warnings"]), err
    assert read_skeleton(tmp_path / "pose.npz").joint("neck")[0, 0] < 400


def test_half_a_person(run: Run, person_picture: Path, no_network: Any, short_song: Path, tmp_path: Path) -> None:
    with Image.open(person_picture) as image:
        image.crop((0, 0, 384, 270)).save(tmp_path / "half.png")
    picture, film = tmp_path / "half.png", tmp_path / "out.mp4"
    code, out, err = run("dance", short_song, "-i", picture, "-o", film, "--size", "96", "--json")
    assert code == 0, err
    warnings = json.loads(out)["warnings"]
    assert any("guessed" in warning and "left ankle" in warning for warning in warnings)
    assert not any("nose" in warning for warning in warnings)


# Bad songs


def text_as_mp3(folder: Path) -> Path:
    (folder / "song.mp3").write_text("la la la\n" * 200)
    return folder / "song.mp3"


def empty_song(folder: Path) -> Path:
    (folder / "song.mp3").touch()
    return folder / "song.mp3"


def mute_video(folder: Path) -> Path:
    frames = [np.full((64, 64, 3), 40 * i, np.uint8) for i in range(5)]
    write_video(folder / "song.mp4", frames, 5)
    return folder / "song.mp4"


BAD_SONGS: dict[str, Callable[[Path], Path]] = {
    "missing": lambda folder: folder / "song.mp3",
    "folder": lambda folder: folder,
    "empty": empty_song,
    "text": text_as_mp3,
    "no sound": mute_video,
    "too short": lambda folder: write_wav(folder / "song.wav", clicks(0.6)),
    "silence": lambda folder: write_wav(folder / "song.wav", np.zeros(22050 * 3)),
}


@pytest.mark.parametrize("fault", BAD_SONGS)
def test_bad_song(run: Run, tmp_path: Path, fault: str) -> None:
    song = BAD_SONGS[fault](tmp_path)
    before = sorted(tmp_path.iterdir())
    code, out, err = run("dance", song, "-o", tmp_path / "out.mp4", "--size", "96")
    assert (code, out) == (2, "")
    assert is_one_sentence(err, str(song)), err
    assert sorted(tmp_path.iterdir()) == before


def test_error_as_json(run: Run, tmp_path: Path) -> None:
    code, out, err = run("dance", tmp_path / "no.mp3", "-o", tmp_path / "out.mp4", "--json")
    assert code == 2
    assert json.loads(out) == {"error": err.strip(), "code": 2}


# Bad pictures


def nobody(folder: Path) -> Path:
    Image.linear_gradient("L").resize((400, 500)).save(folder / "me.png")
    return folder / "me.png"


def cut_off(folder: Path) -> Path:
    noise = np.random.default_rng(0).integers(0, 255, (300, 300, 3), np.uint8)
    Image.fromarray(noise).save(folder / "whole.jpg")
    data = (folder / "whole.jpg").read_bytes()
    (folder / "whole.jpg").unlink()
    (folder / "me.jpg").write_bytes(data[: len(data) // 2])
    return folder / "me.jpg"


def tiny(folder: Path) -> Path:
    Image.new("RGB", (16, 16)).save(folder / "me.png")
    return folder / "me.png"


def text_as_jpg(folder: Path) -> Path:
    (folder / "me.jpg").write_text("cheese")
    return folder / "me.jpg"


BAD_PICTURES: dict[str, Callable[[Path], Path]] = {
    "missing": lambda folder: folder / "me.jpg",
    "folder": lambda folder: folder,
    "nobody": nobody,
    "cut off": cut_off,
    "16 px": tiny,
    "text": text_as_jpg,
}


@pytest.mark.parametrize("fault", BAD_PICTURES)
def test_bad_picture(run: Run, tmp_path: Path, short_song: Path, fault: str) -> None:
    picture = BAD_PICTURES[fault](tmp_path)
    before = sorted(tmp_path.iterdir())
    code, out, err = run("dance", short_song, "--image", picture, "-o", tmp_path / "out.mp4")
    assert (code, out) == (2, "")
    assert is_one_sentence(err, str(picture)), err
    assert sorted(tmp_path.iterdir()) == before


# Bad outputs and options


def test_output_folder_is_missing(run: Run, tmp_path: Path, short_song: Path) -> None:
    code, _, err = run("dance", short_song, "-o", tmp_path / "nowhere" / "out.mp4")
    assert code == 2
    assert is_one_sentence(err, "nowhere", "does not exist"), err


@pytest.mark.parametrize("name", ["out", "out.avi", "out.mp4.txt"])
def test_output_is_not_named_mp4(run: Run, tmp_path: Path, short_song: Path, name: str) -> None:
    code, _, err = run("dance", short_song, "-o", tmp_path / name)
    assert code == 2
    assert is_one_sentence(err, name, ".mp4"), err


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """As good as a full disk: no file can grow beyond so many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_disk_is_full(run: Run, dance_file: Path, tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    assert run("render", dance_file, "-o", film, "--size", "128")[0] == 0
    before = film.read_bytes()
    with largest_file(5_000):
        code, _, err = run("render", dance_file, "-o", film, "--size", "128")
    assert code == 2
    assert is_one_sentence(err, str(film)), err
    assert film.read_bytes() == before
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize(
    ("option", "value", "mentioned"),
    [
        ("--fps", "0", "fps"),
        ("--fps", "nan", "fps"),
        ("--fps", "fast", "--fps"),
        ("--size", "8", "size"),
        ("--size", "big", "--size"),
        ("--size", "512x", "--size"),
        ("--size", "100000", "size"),
        ("--seconds", "0.2", "seconds"),
        ("--seconds", "-3", "seconds"),
        ("--start", "-1", "start"),
        ("--start", "1000", "short.wav"),
        ("--seed", "-1", "seed"),
        ("--facing", "north", "facing"),
        ("--style", "yodelling", "yodelling"),
        ("--character", "nobody", "nobody"),
        ("--character", "Koffi", "did you mean kofi?"),
        ("--colour", "red", "--colour"),
        ("--skeleton-out", "dance.xyz", "dance.xyz"),
    ],
)
def test_bad_option(run: Run, tmp_path: Path, short_song: Path, option: str, value: str, mentioned: str) -> None:
    code, out, err = run("dance", short_song, "-o", tmp_path / "out.mp4", option, value)
    assert (code, out) == (2, "")
    assert is_one_sentence(err, mentioned), err
    assert list(tmp_path.iterdir()) == []


def test_picture_and_dancer_together(run: Run, tmp_path: Path, short_song: Path) -> None:
    picture = nobody(tmp_path)
    code, _, err = run("dance", short_song, "-i", picture, "-c", "random", "-o", tmp_path / "out.mp4")
    assert code == 2
    assert is_one_sentence(err, "--image", "--character"), err


def test_film_would_replace_its_song(run: Run, tmp_path: Path) -> None:
    song = mute_video(tmp_path)
    before = song.read_bytes()
    code, _, err = run("dance", song, "-o", song)
    assert code == 2
    assert is_one_sentence(err, str(song), "another name"), err
    assert song.read_bytes() == before


def test_flat_skeleton_cannot_dance(run: Run, tmp_path: Path, sway: Skeleton) -> None:
    flat = Skeleton(sway.positions[..., :2], sway.fps, sway.layout, size=(100, 100))
    write_skeleton(tmp_path / "flat.npz", flat)
    code, _, err = run("render", tmp_path / "flat.npz", "-o", tmp_path / "out.mp4")
    assert code == 2
    assert is_one_sentence(err, "flat.npz", "2-D"), err


def test_skeleton_that_is_none(run: Run, tmp_path: Path) -> None:
    (tmp_path / "dance.npz").write_bytes(b"PK\x03\x04 no")
    code, _, err = run("render", tmp_path / "dance.npz", "-o", tmp_path / "out.mp4")
    assert code == 2
    assert is_one_sentence(err, "dance.npz"), err


def test_fault_of_ours(run: Run, tmp_path: Path, dance_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("oh no")

    monkeypatch.setattr("stgmamba.pipeline.load_subject", broken)
    code, _, err = run("render", dance_file, "-o", tmp_path / "out.mp4")
    assert code == 1
    assert is_one_sentence(err, "ZeroDivisionError", "--debug"), err
    code, _, err = run("render", dance_file, "-o", tmp_path / "out.mp4", "--debug")
    assert code == 1
    assert "Traceback" in err
    assert 'raise ZeroDivisionError("oh no")' in err


def test_too_little_memory(run: Run, tmp_path: Path, dance_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def too_large(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("stgmamba.pipeline.load_subject", too_large)
    code, _, err = run("render", dance_file, "-o", tmp_path / "out.mp4")
    assert code == 2
    assert is_one_sentence(err, "not enough memory", "--size"), err
    assert not (tmp_path / "out.mp4").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_nothing_behind(
    tmp_path: Path, dance_file: Path, sway: Skeleton, number: signal.Signals
) -> None:
    long = Skeleton(np.tile(sway.positions, (200, 1, 1)), sway.fps, sway.layout)
    write_skeleton(dance_file, long)
    film = tmp_path / "film.mp4"
    command = [sys.executable, "-m", "stgmamba", "render", dance_file, "-o", film, "--size", "96"]

    def heed() -> None:
        signal.signal(number, signal.SIG_DFL)  # whoever runs the tests in the background ignores it

    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=heed)
    try:
        deadline = time.monotonic() + 300  # the first drawing on a machine compiles for a while
        while not leftovers(tmp_path) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert leftovers(tmp_path), "filming never began"
        os.kill(process.pid, number)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 128 + number
    assert is_one_sentence(err, "Stopped"), err
    assert list(tmp_path.iterdir()) == [dance_file]
