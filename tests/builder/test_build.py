from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
import yaml

from stgmamba.builder.build import build_dataset, parse_part
from stgmamba.builder.filtering import filter_dataset
from stgmamba.builder.stages import BuildOptions
from stgmamba.cli import main
from stgmamba.datasets.clips import ClipDataset, read_index
from stgmamba.errors import InputError
from stgmamba.info import describe
from stgmamba.video_io import write_video

from ..support.character_clips import character_frames
from ..support.recordings import write_clicks

HELD_OUT = Path(__file__).parents[2] / "configs" / "video_held_out.yaml"
OPTIONS = BuildOptions(shortest=1.0, longest=1.5)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dancing video, the same again, one cut short, a text and an empty room, under difficult names."""
    folder = tmp_path_factory.mktemp("videos")
    frames = character_frames(frames=50)
    clicks = write_clicks(folder / "clicks.wav", 0.5, 2.0)
    write_video(folder / 'a dance\'s "name".mp4', list(frames), 25, clicks)
    shutil.copy(folder / 'a dance\'s "name".mp4', folder / "same\nagain.mp4")
    content = (folder / 'a dance\'s "name".mp4').read_bytes()
    (folder / "cut.mp4").write_bytes(content[: len(content) // 10])
    (folder / "text.mp4").write_text("not a video")
    write_video(folder / "пусто.mp4", [np.full((96, 128, 3), 90, np.uint8)] * 12, 25)
    return folder


@pytest.fixture(scope="module")
def built(videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("data") / "set"
    build_dataset([str(videos)], output, OPTIONS, workers=1)
    return output


def test_the_report_says_what_became_of_each_file(built: Path) -> None:
    report = json.loads((built / "report.json").read_text())
    states = {Path(entry["source"]).name: entry for entry in report["sources"]}
    assert states['a dance\'s "name".mp4']["state"] == "done"
    assert states["same\nagain.mp4"]["reason"].startswith("the same content as")
    assert "not a sound or video file" in states["text.mp4"]["reason"]
    assert states["cut.mp4"]["state"] == "failed"
    assert [reason for reason, _ in states["пусто.mp4"]["dropped"]] == ["nobody was found"]
    assert (report["clips"], report["failed"]) == (2, 2)


def test_clips_hold_picture_sound_poses_and_scores(built: Path) -> None:
    clips = ClipDataset(built)
    assert len(clips) == 2
    for number, row in enumerate(clips.rows):
        poses = clips.poses(number)
        assert poses.skeleton.size == (row["width"], row["height"])
        assert len(poses.skeleton) == len(poses.dance) == len(poses.world) == row["frames"] == 25
        assert poses.found.mean() > 0.95
        assert np.abs(np.diff(poses.beats) - 0.5).max(initial=0) < 0.1
        with clips.video(number, built / "work") as path:
            facts = describe(path)
        assert (facts["frames"], facts["sound"], facts["size"]) == (25, True, (row["width"], row["height"]))
        assert row["person_height"] > 0.5
        assert row["cut_off_joints"] == 0
    assert clips.verify() == []


def test_shards_are_webdataset_tars_and_the_index_says_where_clips_lie(built: Path) -> None:
    rows = read_index(built)
    with tarfile.open(built / rows[0]["shard"]) as tar:
        names = tar.getnames()
        assert names == [f"{row['key']}.{suffix}" for row in rows for suffix in ("mp4", "npz", "json")]
        for row in rows:
            for suffix in ("mp4", "npz", "json"):
                member = tar.getmember(f"{row['key']}.{suffix}")
                assert (member.offset_data, member.size) == (row[f"{suffix}_offset"], row[f"{suffix}_bytes"])


def test_building_again_changes_nothing(built: Path, videos: Path) -> None:
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in (built / "work").rglob("*.npz")}
    index = (built / "index.parquet").read_bytes()
    build_dataset([str(videos)], built, OPTIONS, workers=1)
    assert (built / "index.parquet").read_bytes() == index
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in (built / "work").rglob("*.npz")} == before


def test_filters_keep_what_passes_and_refer_to_its_shards(built: Path, tmp_path: Path) -> None:
    profile = tmp_path / "mine.yaml"
    start = [row["seconds"] for row in read_index(built)]
    profile.write_text("pulse: {min: 0.9}\n")
    assert filter_dataset(built, profile)["left_out"] == {"there is no beat in the sound": 2}
    with pytest.raises(InputError, match="there is no clip that profile mine lets through"):
        filter_dataset(built, profile, tmp_path / "none")
    profile.write_text(f"seconds: {{min: {min(start) - 0.01}}}\n")
    for name, copy in (("referring", False), ("copied", True)):
        assert filter_dataset(built, profile, tmp_path / name, copy)["clips"] == 2
        assert ClipDataset(tmp_path / name).verify() == []
    with pytest.raises(InputError, match="there is a data set already"):
        filter_dataset(built, profile, tmp_path / "copied")


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["skeleton", "video"])
def test_training_takes_steps_on_it(stage: str, built: Path, tmp_path: Path) -> None:
    common = {"out": str(tmp_path / "run"), "steps": 3, "batch": 2, "warmup": 1, "threads": 1, "compile": False}
    settings = {
        "skeleton": {
            "data": "", "window": 24, "rates": [1.0],
            "model": {"channels": 8, "inner": 16, "states": 2, "blocks": 1, "music_channels": 8},
        },
        "video": {
            "data": "", "drawn": 0, "people": "", "scenes": 1, "crop": [64, 64], "examples": str(tmp_path / "examples"),
            "held_out": str(HELD_OUT), "model": {"widths": [8, 8, 8, 8], "blocks": [0, 0, 0, 0]},
        },
    }[stage]  # fmt: skip
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump(common | settings))
    command = ["train", stage, "--config", str(config), "--data", str(built), "--profile", "all"]
    assert main(command) == 0
    assert int(describe(tmp_path / "run" / "weights.safetensors")["step"]) == 3
    assert main([*command, "--dry-run"]) == 0
    config.write_text(yaml.safe_dump(common | settings | {"out": str(tmp_path / "next")}))
    assert main([*command, "--init", str(tmp_path / "run" / "weights.safetensors")]) == 0


def test_damage_is_found(built: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(built, copy)
    row = read_index(copy)[1]
    with (copy / row["shard"]).open("r+b") as shard:
        shard.seek(row["mp4_offset"] + 50)
        shard.write(b"x")
    faults = ClipDataset(copy).verify()
    assert len(faults) == 1
    assert row["key"] in faults[0]
    (copy / "index.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match="not an index that can be read"):
        ClipDataset(copy)


@pytest.mark.slow
def test_no_clip_at_all_is_said_with_the_place_of_the_reasons(videos: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"report\.json: no clip of a person was found"):
        build_dataset([str(videos / "text.mp4")], tmp_path / "set", workers=1)


@pytest.mark.slow
def test_a_build_that_is_killed_again_and_again_ends_with_the_same_bytes(
    built: Path, videos: Path, tmp_path: Path
) -> None:
    output = tmp_path / "set"
    command = [sys.executable, "-m", "stgmamba", "data", "build", str(videos), "-o", str(output), "--workers", "1"]
    command += ["--shortest", "1", "--longest", "1.5"]
    rng = np.random.default_rng(0)
    for _ in range(4):
        running = subprocess.Popen(
            command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.wait(timeout=float(rng.uniform(1, 12)))
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        running.wait()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    names = sorted(path.relative_to(built) for path in [built / "index.parquet", *(built / "shards").iterdir()])
    assert names == sorted(
        path.relative_to(output) for path in [output / "index.parquet", *(output / "shards").iterdir()]
    )
    assert all((built / name).read_bytes() == (output / name).read_bytes() for name in names)
    assert not list(output.rglob("*.part*"))


@pytest.mark.parametrize("text", ["", "1", "a/b", "1/", "-1/2"])
def test_parts_are_written_in_one_way(text: str) -> None:
    assert parse_part("2/10") == (2, 10)
    with pytest.raises(InputError, match="write K/N"):
        parse_part(text)


@pytest.mark.parametrize(
    ("options", "part", "complaint"),
    [
        (BuildOptions(shortest=5, longest=2), (1, 1), "out of range"),
        (BuildOptions(height=10), (1, 1), "height 10"),
        (BuildOptions(), (3, 2), "part 3/2"),
    ],
)
def test_options_out_of_range_are_refused(
    tmp_path: Path, options: BuildOptions, part: tuple[int, int], complaint: str
) -> None:
    with pytest.raises(InputError, match=complaint):
        build_dataset(["x"], tmp_path / "set", options, part=part)
