from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from stgmamba.builder.build import import_corpus
from stgmamba.builder.stages import BuildOptions
from stgmamba.cli import main
from stgmamba.datasets.clips import ClipDataset, read_index
from stgmamba.datasets.held_out import HeldOut
from stgmamba.datasets.styled import load_corpus, load_split
from stgmamba.errors import InputError
from stgmamba.skeleton.formats import write_skeleton
from stgmamba.skeleton_to_video.dataset import Sources, clip_names

from ..support.recordings import write_clicks
from ..support.synthetic_dances import stepping

LANDINGS = np.arange(0.7, 7, 0.5)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A captured dance with music, and one of key frames without."""
    folder = tmp_path_factory.mktemp("corpus")
    write_skeleton(folder / "a.npz", stepping(LANDINGS, 8.0))
    write_skeleton(folder / "b.npz", stepping(LANDINGS + 0.1, 8.0))
    write_clicks(folder / "a.wav", 0.5, 10.0)
    (folder / "motions.csv").write_text(
        "file,style,music,start,source,split\na.npz,salsa,a.wav,1.0,captured,train\nb.npz,k-pop,,,key-framed,test\n"
    )
    return folder


@pytest.fixture(scope="module")
def imported(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("imported") / "set"
    import_corpus(corpus, output, BuildOptions(shortest=2.0, longest=4.0), licence="CC0", workers=1)
    return output


def test_clips_are_those_of_a_filmed_set_with_drawn_pictures(imported: Path) -> None:
    clips = ClipDataset(imported)
    assert {(row["style"], row["movement"], row["split"], row["sound"]) for row in clips.rows} == {
        ("salsa", "captured", "train", 1.0),
        ("k-pop", "key-framed", "test", 0.0),
    }
    assert {row["licence"] for row in clips.rows} == {"CC0"}
    assert clips.verify() == []
    poses = clips.poses(0)
    assert poses.found.all()
    assert (poses.skeleton.confidence == 1).all()
    assert (poses.skeleton.positions >= 0).all()
    assert (poses.skeleton.positions < np.array([clips.rows[0]["width"], clips.rows[0]["height"]])).all()


def test_a_file_of_any_split_that_cannot_be_read_is_an_error(corpus: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(corpus, broken)
    (broken / "b.npz").write_bytes(b"no skeleton")
    with pytest.raises(InputError, match=r"b\.npz"):
        load_corpus(broken)


def test_a_corpus_may_be_of_one_split(corpus: Path, tmp_path: Path) -> None:
    divided = tmp_path / "divided"
    shutil.copytree(corpus, divided)
    (divided / "motions.csv").write_text("file,split\nb.npz,test\n")
    assert {split for split, _ in load_corpus(divided)} == {"test"}


def test_dances_shorter_than_a_clip_are_reported(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no clip of a person was found"):
        import_corpus(corpus, tmp_path, BuildOptions(shortest=20.0, longest=30.0), workers=1)
    report = json.loads((tmp_path / "report.json").read_text())
    assert [entry["state"] for entry in report["sources"]] == ["failed", "failed"]
    assert "too short" in report["sources"][0]["reason"]


def test_training_reads_the_dances_as_from_the_corpus(corpus: Path, imported: Path) -> None:
    [ours] = load_split(imported, None, "train")
    theirs = load_split(corpus, None, "train")[0]
    assert np.abs(ours.skeleton.positions - theirs.skeleton.positions[: len(ours.skeleton)]).max() < 1e-4
    assert len(ours.skeleton) == len(theirs.skeleton)
    assert (ours.style, ours.source, ours.sync, ours.start) == ("salsa", "captured", True, 0.0)
    [still] = load_split(imported, None, "test")
    assert (still.style, still.source, still.sync, still.audio_path) == ("k-pop", "key-framed", False, None)


def test_stage_2_does_not_learn_from_drawn_skeletons(imported: Path) -> None:
    with pytest.raises(InputError, match="no clip of split train was filmed"):
        clip_names(Sources([], 0, imported, 1, None, 0, HeldOut(frozenset(), 0.0), 0))


def test_running_again_gives_the_same_bytes(corpus: Path, imported: Path) -> None:
    before = (imported / "index.parquet").read_bytes()
    import_corpus(corpus, imported, BuildOptions(shortest=2.0, longest=4.0), licence="CC0", workers=1)
    assert (imported / "index.parquet").read_bytes() == before
    assert len(read_index(imported)) == len(ClipDataset(imported))


def test_a_set_of_clips_and_an_empty_folder_are_no_corpus(
    imported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InputError, match="a data set of clips already"):
        load_corpus(imported)
    assert main(["data", "import", str(tmp_path), "-o", str(tmp_path / "set")]) == 2
    assert "index.json" in capsys.readouterr().err
    assert main(["data", "import", str(tmp_path / "none"), "-o", str(tmp_path / "set")]) == 2
    assert "no such folder" in capsys.readouterr().err
