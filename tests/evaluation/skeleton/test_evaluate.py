import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from stgmamba.datasets.tang2018 import Dance, load_dances
from stgmamba.errors import InputError
from stgmamba.evaluation.figures import write_json
from stgmamba.evaluation.methods import Comparison
from stgmamba.evaluation.skeleton.baselines import BASELINES
from stgmamba.evaluation.skeleton.evaluate import (
    UNALIGNED,
    evaluate_skeletons,
    run,
    song_beats,
)
from stgmamba.evaluation.skeleton.metrics import METRICS
from stgmamba.evaluation.skeleton.report import markdown, write_markdown
from stgmamba.music.decode import Song
from stgmamba.skeleton import Skeleton

from ...support.recordings import write_clicks, write_dances
from ...support.synthetic_dances import glide, stepping, still, wandering

SECONDS = 12.0
PERIOD = 0.6


def walk(seed: int) -> Skeleton:
    """Steps that land every PERIOD, with smooth random movement of the body."""
    steps = stepping(np.arange(1.2, SECONDS - 0.5, PERIOD), SECONDS)
    sway = wandering(SECONDS, seed, size=0.02).positions - still(SECONDS).positions
    return Skeleton(steps.positions + sway, steps.fps, steps.layout)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two dances of the split train and two of val, in the format of tang2018."""
    entries = []
    for i, (split, style) in enumerate([("train", "waltz"), ("train", "waltz"), ("val", "waltz"), ("val", "tango")]):
        sync = "fitted" if i != 3 else "assumed"
        entries.append(({"genre": style, "split": split, "tempo_bpm": 60 / PERIOD, "sync": sync}, walk(i)))
    return write_dances(tmp_path_factory.mktemp("corpus"), entries)


@pytest.fixture(scope="module")
def report(corpus: Path) -> dict:  # type: ignore[type-arg]
    def sliding(song: Dance, seed: int) -> Skeleton:
        return glide(0.1 * (1 + seed), song.skeleton.seconds)

    steps: list[tuple[int, int | None]] = []
    result = evaluate_skeletons(
        corpus, "val", seed=5, methods={"sliding": sliding}, progress=lambda *step: steps.append(step), seeds=2
    )
    assert steps[-1] == (len(steps), len(steps)) == (2 * (1 + len(BASELINES)),) * 2
    return result


def test_every_method_has_every_metric(report: dict) -> None:  # type: ignore[type-arg]
    assert set(report["methods"]) == {"sliding", "real", *BASELINES}
    for row in report["methods"].values():
        assert set(row) == {*METRICS, "seconds_per_minute"}
    assert (report["split"], report["seed"], report["seeds"]) == ("val", 5, 2)
    assert [song["id"] for song in report["songs"]] == ["D2", "D3"]
    assert report["versions"]["numpy"] == np.__version__
    assert report["machine"]["processor"]
    assert report["machine"]["cores"] >= report["machine"]["threads"] >= 1


def test_values_of_the_metrics(report: dict) -> None:  # type: ignore[type-arg]
    rows = report["methods"]
    # Seeds 5 and 6 glide at 60 and 70 cm/s.
    assert rows["sliding"]["foot_skate"] == pytest.approx(65, rel=0.01)
    assert rows["sliding"]["diversity"] == pytest.approx(0, abs=1e-3)
    assert rows["mean_pose"]["pvar"] == pytest.approx(0, abs=1e-9)
    assert rows["mean_pose"]["bone_variation"] == pytest.approx(0, abs=1e-6)
    assert rows["mean_pose"]["pfd"] > 3 * rows["other_song"]["pfd"]
    assert rows["mean_pose"]["vfd"] > 3 * rows["real"]["vfd"]
    assert rows["shifted"]["pfd"] == pytest.approx(0, abs=0.1)
    assert rows["real"]["diversity"] > 0
    assert rows["real"]["seconds_per_minute"] is None
    assert rows["sliding"]["seconds_per_minute"] > 0
    # Real steps have a constant offset to the clicks.
    assert abs(rows["real"]["sc"] - rows["real"]["sc_floor"]) > 0.2


def test_same_seed_same_values(corpus: Path, report: dict) -> None:  # type: ignore[type-arg]
    again = evaluate_skeletons(corpus, "val", seed=5, seeds=2)
    for name in BASELINES:
        for metric in METRICS:
            assert again["methods"][name][metric] == report["methods"][name][metric]


def test_a_folder_of_one_split_works_too(corpus: Path, tmp_path: Path) -> None:
    held_out = tmp_path / "held_out"
    held_out.mkdir()
    entries = [entry | {"split": "test"} for entry in json.loads((corpus / "index.json").read_text())[2:]]
    (held_out / "index.json").write_text(json.dumps(entries))
    for entry in entries:
        (held_out / entry["id"]).symlink_to(corpus / entry["id"])
    real = evaluate_skeletons(held_out, "test", seeds=1)["methods"]["real"]
    assert real["pfd"] is None
    assert real["diversity"] is None
    assert real["jerk"] > 0


def test_invalid_input(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"index\.json"):
        evaluate_skeletons(tmp_path, "val")
    with pytest.raises(InputError, match="nosuch"):
        evaluate_skeletons(corpus, "nosuch")
    with pytest.raises(InputError, match="seeds"):
        evaluate_skeletons(corpus, "val", seeds=0)


def test_metrics_of_positions_that_are_not_finite_are_undefined(corpus: Path, tmp_path: Path) -> None:
    def broken(song: Dance, seed: int) -> Skeleton:
        dance = still(song.skeleton.seconds)
        return Skeleton(np.full_like(dance.positions, np.nan), dance.fps, dance.layout)

    result = evaluate_skeletons(corpus, "val", methods={"broken": broken}, seeds=1)
    assert result["methods"]["broken"]["pfd"] is None
    write_json(tmp_path / "out.json", result)
    assert json.loads((tmp_path / "out.json").read_text()) == result


def test_report_files(report: dict, tmp_path: Path) -> None:  # type: ignore[type-arg]
    write_json(tmp_path / "out.json", report)
    write_markdown(tmp_path / "out.md", report)
    assert json.loads((tmp_path / "out.json").read_text()) == report
    text = (tmp_path / "out.md").read_text()
    assert text == markdown(report)
    table = [line for line in text.splitlines() if line.startswith("| ")]
    assert len({line.count("|") for line in table[: 2 + len(report["methods"])]}) == 1
    assert "| D3 | tango | 12.0 | 100.0 | no |" in table
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.json", "out.md"]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list:  # type: ignore[type-arg]
    """Replaces networks by a dance that glides at 50 cm/s; their weights and the arguments of their calls."""
    calls = []

    class Stub:
        styles = ("waltz",)

        def __init__(self, weights: Path | None) -> None:
            self.weights = weights

        def generate(self, song: Song, seconds: float, seed: int, style: str, align_beats: bool) -> Skeleton:
            calls.append((self.weights, round(song.seconds), seed, style, align_beats))
            return glide(0.5, seconds)

    monkeypatch.setattr("stgmamba.music_to_skeleton.sampler.load_sampler", Stub)
    return calls


def test_run_evaluates_the_network_and_writes_both_reports(
    corpus: Path,
    tmp_path: Path,
    calls: list,  # type: ignore[type-arg]
) -> None:
    result = run(corpus, "val", tmp_path / "out.json", seed=3, seeds=1, comparison=Comparison(compare=False))
    assert calls == [(None, 12, 3, style, align_beats) for align_beats in (True, False) for style in ("waltz", "auto")]
    assert list(result["methods"])[:3] == ["real", "ours", UNALIGNED]
    assert result["methods"]["ours"]["foot_skate"] == pytest.approx(50, rel=0.01)
    assert json.loads((tmp_path / "out.json").read_text()) == result
    text = (tmp_path / "out.md").read_text()
    assert "| ours |" in text
    links = re.findall(r"\]\((.*?)\)", text)
    assert {tmp_path / file for file in links} == set((tmp_path / "out").iterdir())
    assert "out/poses_D3.png" in links
    assert "out/side_by_side.mp4" in links
    with pytest.raises(InputError, match=r"\.json"):
        run(corpus, "val", tmp_path / "out.txt")


def test_compared_networks(
    corpus: Path,
    tmp_path: Path,
    calls: list,  # type: ignore[type-arg]
) -> None:
    for name in ("b", "a"):
        (tmp_path / f"{name}.safetensors").touch()
    mine = tmp_path / "a.safetensors"
    result = run(corpus, "val", seeds=1, comparison=Comparison(folder=tmp_path, named=[f"mine={mine}"]))
    assert list(result["methods"]) == ["real", "ours", UNALIGNED, "a", "b", "mine", *BASELINES]
    weights = [None, None, mine, tmp_path / "b.safetensors", mine]
    assert [call[0] for call in calls] == [file for file in weights for _ in range(2)]
    alone = run(corpus, "val", seeds=1, comparison=Comparison(compare=False))
    assert list(alone["methods"]) == ["real", "ours", UNALIGNED, *BASELINES]


def test_outputs_and_packages_are_checked_before_the_evaluation(
    corpus: Path,
    tmp_path: Path,
    calls: list,  # type: ignore[type-arg]
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(InputError, match="folder of this name"):
        run(corpus, "val", tmp_path / "out.json")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(InputError, match=r"pip install stgmamba\[train\]"):
        run(corpus, "val", tmp_path / "other.json")
    assert not calls


def test_beats_keep_the_published_tempo(corpus: Path, tmp_path: Path) -> None:
    dance = load_dances(corpus, "val")[0]
    assert np.diff(song_beats(dance)) == pytest.approx(PERIOD, abs=0.03)
    # Clicks at 200 bpm, published as 100: the strong ones are kept.
    write_clicks(tmp_path / "fast.wav", PERIOD / 2, SECONDS, strong=2)
    fast = Dance(dance.id, dance.style, dance.skeleton, tmp_path / "fast.wav", 100.0, True)
    beats = song_beats(fast)
    assert np.diff(beats) == pytest.approx(PERIOD, abs=0.05)
    assert np.abs(beats - PERIOD * np.round(beats / PERIOD)).max() < 0.06


def test_other_song_has_the_style_and_the_length_of_the_song(corpus: Path) -> None:
    train, (waltz, tango) = load_dances(corpus, "train"), load_dances(corpus, "val")
    long = Dance("X", "waltz", still(30.0), waltz.audio_path, 100.0, True)
    method = BASELINES["other_song"](train)
    dance = method(long, 0)
    assert len(dance) == 750
    assert np.abs(np.diff(dance.positions, axis=0)).max() < 0.2
    assert not np.array_equal(method(long, 0).positions, method(long, 1).positions)
    only_tango = BASELINES["other_song"]([waltz, tango])(long, 0)
    assert np.array_equal(only_tango.positions[:100], waltz.skeleton.positions[:100])


@pytest.mark.slow
def test_real_dances_are_better_than_shifted_ones_and_the_mean_pose(research_data: Path) -> None:
    rows = evaluate_skeletons(research_data / "tang2018", "test", seeds=1)["methods"]
    assert rows["real"]["sc"] > rows["real"]["sc_floor"] + 0.05
    assert rows["shifted"]["sc"] < rows["real"]["sc"]
    assert rows["real"]["pfd"] < 0.2 * rows["mean_pose"]["pfd"]
    assert rows["real"]["vfd"] < 0.2 * rows["mean_pose"]["vfd"]
