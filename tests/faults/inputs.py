"""One good file of every kind that is read, with the commands that read it."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import yaml
from PIL import Image

from stgmamba.skeleton import COCO_17, convert
from stgmamba.skeleton.formats import write_skeleton
from stgmamba.video_io import write_video

from ..conftest import swaying
from ..skeleton.formats.test_bvh import bvh
from ..support.capsule_figure import POSE, draw_figure, pose_array, to_pixels, wall
from ..support.character_clips import character_frames
from ..support.clip_dataset import write_clip_dataset
from ..support.recordings import write_clicks, write_dances
from ..support.synthetic_dances import stepping
from . import mutations
from .mutations import Mutation


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes:
        file: path of the good file in the folder of inputs.
        commands: each reads it; they write into ``out/``.
        mutations: that suit it.
    """

    file: str
    commands: tuple[tuple[str, ...], ...]
    mutations: tuple[Mutation, ...]


_FIGURE = ("render", "dance.npz", "--image", "figure.png", "-o", "out/a.mp4", "--size", "96", "--body", "flat")
_FIGURE += ("--quality", "fast")


def _song(name: str) -> Kind:
    commands = (("skeleton", name, "-o", "out/a.npz", "--seconds", "1"), ("info", name))
    return Kind(name, commands, mutations.BYTES)


def _picture(name: str) -> Kind:
    return Kind(name, (("pose", name, "-o", "out/a.json"),), mutations.PICTURE)


def _dance(name: str, kinds: tuple[Mutation, ...]) -> Kind:
    render = ("render", name, "--character", "mira", "-o", "out/a.mp4", "--size", "96")
    return Kind(name, (render, ("info", name)), kinds)


KINDS = {
    **{f"song {name}": _song(f"song.{name}") for name in ("wav", "flac", "mp3", "mkv", "opus", "m4a")},
    **{f"picture {name}": _picture(f"person.{name}") for name in ("png", "jpg", "webp", "gif", "tiff", "bmp")},
    **{
        f"video {name}": Kind(
            f"film.{name}", (("pose", f"film.{name}", "-o", "out/a.npz"), ("info", f"film.{name}")), mutations.BYTES
        )
        for name in ("mp4", "mkv", "gif")
    },
    "dance npz": _dance("dance.npz", mutations.NPZ),
    "dance OpenPose JSON": _dance("dance.json", mutations.TEXT),
    "dance BVH": _dance("dance.bvh", mutations.TEXT),
    "names of joints": Kind("dance.joints.yaml", (("info", "dance.bvh"),), mutations.TEXT),
    "pose": Kind("pose.yaml", ((*_FIGURE, "--pose", "pose.yaml"),), mutations.TEXT),
    "mask": Kind("mask.png", ((*_FIGURE, "--pose", "pose.yaml", "--mask", "mask.png"),), mutations.PICTURE),
    "beats": Kind("beats.txt", (("skeleton", "song.wav", "--beats", "beats.txt", "-o", "out/a.npz"),), mutations.TEXT),
    "configuration": Kind(
        "config.yaml", (("train", "skeleton", "--config", "config.yaml", "--dry-run"),), mutations.TEXT
    ),
    "profile": Kind("profile.yaml", (("data", "info", "set", "--profile", "profile.yaml"),), mutations.TEXT),
    "list of videos": Kind(
        "list.csv",
        (("data", "build", "list.csv", "-o", "out/set", "--workers", "1", "--shortest", "0.5"),),
        mutations.TEXT,
    ),
    "weights": Kind(
        "weights.safetensors",
        (
            ("info", "weights.safetensors"),
            ("train", "skeleton", "--config", "config.yaml", "--init", "weights.safetensors", "--dry-run"),
        ),
        mutations.WEIGHTS,
    ),
    "checkpoint": Kind("run/checkpoint.pt", (("train", "skeleton", "--config", "longer.yaml"),), mutations.PICKLE),
    "index of a data set": Kind(
        "set/index.parquet", (("data", "verify", "set"), ("data", "info", "set")), mutations.BYTES
    ),
    "shard": Kind(
        "set/shards/SHARD", (("data", "verify", "set"), ("data", "view", "set", "-o", "out/a.html")), mutations.TAR
    ),
    "AIST++ pickle": Kind(
        "aist/keypoints3d/gPO_sBM_cAll_d10_mPO0_ch01.pkl",
        (("train", "skeleton", "--config", "config.yaml", "--data", "aist", "--dry-run"),),
        mutations.PICKLE,
    ),
    "list of dances": Kind(
        "dances/index.json", (("train", "skeleton", "--config", "config.yaml", "--dry-run"),), mutations.TEXT
    ),
}


def write_inputs(folder: Path) -> dict[str, Kind]:
    """Write a good file of every kind; returns the kinds, with the names that only now are known."""
    folder.mkdir(parents=True)
    (folder / "out").mkdir()
    _write_songs(folder)
    frames = character_frames(frames=30)
    figure, mask = draw_figure(wall())
    for name in ("png", "jpg", "webp", "gif", "tiff", "bmp"):
        Image.fromarray(frames[0]).save(folder / f"person.{name}")
    Image.fromarray(figure).save(folder / "figure.png")
    Image.fromarray(mask.astype(np.uint8) * 255).save(folder / "mask.png")
    points = dict(zip(POSE, to_pixels(pose_array()).tolist(), strict=False))
    (folder / "pose.yaml").write_text(yaml.safe_dump(points, default_flow_style=None))
    write_video(folder / "film.mp4", list(frames), 25, folder / "song.wav")
    _remux(folder / "film.mp4", folder / "film.mkv")
    pictures = [Image.fromarray(frame) for frame in frames[:4]]
    pictures[0].save(folder / "film.gif", save_all=True, append_images=pictures[1:], duration=40)
    for name in ("npz", "json"):
        write_skeleton(folder / f"dance.{name}", swaying(6))
    (folder / "dance.bvh").write_text(bvh(frames=6))
    (folder / "dance.joints.yaml").write_text("left_knee: mixamorig:LeftLeg\nhead: mixamorig:Head\n")
    (folder / "beats.txt").write_text("0.0 1\n0.5 2\n1.0 3\n1.5 4\n2.0 1\n")
    write_dances(
        folder / "dances", [({"genre": "waltz", "split": "train", "sync": "fitted", "tempo_bpm": 120.0}, swaying(100))]
    )
    config = {
        "data": "dances", "out": "run", "steps": 1, "batch": 1, "warmup": 1, "threads": 1, "window": 24,
        "rates": [1.0], "compile": False,
        "model": {"channels": 8, "inner": 16, "states": 2, "blocks": 1, "music_channels": 8},
    }  # fmt: skip
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    (folder / "longer.yaml").write_text(yaml.safe_dump(config | {"steps": 2}))
    (folder / "profile.yaml").write_text("pulse: {min: 0.1}\nseconds: {min: 0.1, max: 20}\n")
    (folder / "list.csv").write_text("file,style,fps,lag\nfilm.mp4,waltz,25,0.1\n")
    write_clip_dataset(folder / "set", [{}, {"style": "waltz"}])
    joints = convert(stepping(np.arange(0.7, 2, 0.5), 2.5).resampled(60), COCO_17).positions
    aist = folder / "aist" / "keypoints3d"
    aist.mkdir(parents=True)
    (aist / "gPO_sBM_cAll_d10_mPO0_ch01.pkl").write_bytes(pickle.dumps({"keypoints3d_optim": 100 * joints}))
    return KINDS


def train_once(folder: Path) -> None:
    """Make checkpoint and weights among the inputs, by one step of training."""
    command = [sys.executable, "-m", "stgmamba", "train", "skeleton", "--config", "config.yaml"]
    subprocess.run(command, check=True, cwd=folder, env=os.environ | {"STGM_DATA": "."}, stdout=subprocess.DEVNULL)
    shutil.copy(folder / "run" / "weights.safetensors", folder / "weights.safetensors")


def _write_songs(folder: Path) -> None:
    write_clicks(folder / "song.wav", 0.5, 2.5)
    codecs = {"flac": "flac", "mp3": "mp3", "mkv": "libopus", "opus": "libopus", "m4a": "aac"}
    for name, codec in codecs.items():
        rate = 48_000 if codec == "libopus" else 44_100
        with av.open(str(folder / "song.wav")) as source, av.open(str(folder / f"song.{name}"), "w") as target:
            stream = target.add_stream(codec, rate=rate)
            resampler = av.AudioResampler(stream.format, stream.layout, rate)
            for frame in (*source.decode(audio=0), None):
                for part in resampler.resample(frame):
                    target.mux(stream.encode(part))
            target.mux(stream.encode(None))


def _remux(source: Path, target: Path) -> None:
    with av.open(str(source)) as read, av.open(str(target), "w") as write:
        streams = {stream.index: write.add_stream_from_template(stream) for stream in read.streams}
        for packet in read.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                write.mux(packet)
