"""Tests of the work on a Ray cluster: two nodes on this machine, one of which is killed."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from stgmamba.builder.build import build_dataset
from stgmamba.builder.ray_cluster import run_on_ray
from stgmamba.builder.stages import BuildOptions
from stgmamba.builder.workers import Limits
from stgmamba.errors import InputError
from stgmamba.video_io import write_video

from ..support.character_clips import character_frames
from ..support.recordings import write_clicks


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A cluster of two nodes of one core each, and no connection to it yet."""
    pytest.importorskip("ray", reason="needs the extra `cluster`")
    from ray.cluster_utils import Cluster

    # Worker processes are started in folders of their own; they find what the tests find.
    root = Path(__file__).parents[2]
    monkeypatch.setenv("PYTHONPATH", f"{root / 'src'}:{root}")
    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    nodes.add_node(num_cpus=1)
    yield nodes
    nodes.shutdown()


def _note(folder: Path, name: str) -> None:
    """Leave a file; every second of these calls takes long, one dies, one is refused."""
    with (folder / f"{name}.begun").open("a") as file:
        file.write("x")
    if name == "refused":
        raise InputError("refused: cannot be used; use another.")
    if name == "hanging":
        time.sleep(600)
    if name.startswith("long"):
        time.sleep(8)
    (folder / f"{name}.done").touch()


@pytest.mark.slow
def test_a_machine_that_dies_loses_nothing(cluster: Any, tmp_path: Path) -> None:
    names = [f"long{i}" for i in range(3)] + [f"short{i}" for i in range(4)] + ["refused"]
    outcomes = run_on_ray(partial(_note, tmp_path), names, cluster.address, Limits(60), tmp_path)
    found = [next(outcomes)]
    # One of the two cores is still at one of the long items: whichever node it is on, the second one dies now.
    cluster.remove_node(cluster.worker_nodes.copy().pop(), allow_graceful=False)
    found += outcomes
    assert sorted(outcome.item for outcome in found) == sorted(names)
    reasons = {outcome.item: outcome.reason for outcome in found if outcome.reason}
    assert reasons == {"refused": "refused: cannot be used; use another."}
    assert sorted(path.stem for path in tmp_path.glob("*.done")) == sorted(set(names) - {"refused"})
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.slow
def test_limits_hold_there(cluster: Any, tmp_path: Path) -> None:
    [outcome] = run_on_ray(partial(_note, tmp_path), ["hanging"], cluster.address, Limits(5), tmp_path)
    assert outcome.reason == "it took more than 5 s; raise --time-limit or cut it."


@pytest.mark.slow
def test_the_data_set_is_that_of_one_machine(cluster: Any, tmp_path: Path) -> None:
    clicks = write_clicks(tmp_path / "clicks.wav", 0.5, 2.0)
    for number in range(2):
        write_video(tmp_path / f"{number}.mp4", list(character_frames(frames=30 + 5 * number)), 25, clicks)
    sources = [str(tmp_path / f"{number}.mp4") for number in range(2)]
    options = BuildOptions(shortest=0.5, longest=1.0)
    for name, address in (("here", None), ("there", cluster.address)):
        build_dataset(sources, tmp_path / name / "set", options, workers=1, ray=address)
    files = [[path for path in sorted((tmp_path / name).rglob("*")) if path.is_file()] for name in ("here", "there")]
    compared = [
        {str(path.relative_to(tmp_path / name)): path.read_bytes() for path in paths}
        for name, paths in zip(("here", "there"), files, strict=True)
    ]
    assert compared[0] == compared[1]


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "somewhere", "127.0.0.1:port"])
def test_a_cluster_that_is_not_there_is_said(address: str, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="needs the extra `cluster`")
    with pytest.raises(InputError, match=f"--ray {address}: no Ray cluster answers there"):
        list(run_on_ray(partial(_note, tmp_path), ["short"], address, Limits(), tmp_path))


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"pip install 'stgmamba\[cluster\]'"):
        list(run_on_ray(partial(_note, tmp_path), ["short"], "auto", Limits(), tmp_path))
