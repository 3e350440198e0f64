import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from stgmamba.datasets.tang2018 import Dance, load_dances
from stgmamba.errors import InputError
from stgmamba.evaluation.figures import write_json
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
    """Steps that land every PERIOD, under a body that wanders a little."""
    steps = stepping(np.arange(1.2, SECONDS - 0.5, PERIOD), SECONDS)
    sway = wandering(SECONDS, seed, size=0.02).positions - still(SECONDS).positions
    return Skeleton(steps.positions + sway, steps.fps, steps.layout)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two training dances and two to be judged, in the format of tang2018."""
    made = []
    for i, (split, genre) in enumerate([("train", "waltz"), ("train", "waltz"), ("val", "waltz"), ("val", "tango")]):
        sync = "fitted" if i != 3 else "assumed"
        made.append(({"genre": genre, "split": split, "tempo_bpm": 60 / PERIOD, "sync": sync}, walk(i)))
    return write_dances(tmp_path_factory.mktemp("corpus"), made)


@pytest.fixture(scope="module")
def report(corpus: Path) -> dict:  # type: ignore[type-arg]
    def sliding(song: Dance, seed: int) -> Skeleton:
        return glide(0.1 * (1 + seed), song.skeleton.seconds)

    seen: list[tuple[int, int]] = []
    result = evaluate_skeletons(
        corpus, "val", seed=5, methods={"sliding": sliding}, progress=lambda *done: seen.append(done), seeds=2
    )
    assert seen[-1] == (len(seen), len(seen)) == (2 * (1 + len(BASELINES)),) * 2
    return result


def test_every_method_has_every_figure(report: dict) -> None:  # type: ignore[type-arg]
    assert set(report["methods"]) == {"sliding", "real", *BASELINES}
    for row in report["methods"].values():
        assert set(row) == {*METRICS, "seconds_per_minute"}
    assert (report["split"], report["seed"], report["seeds"]) == ("val", 5, 2)
    assert [song["id"] for song in report["songs"]] == ["D2", "D3"]
    assert report["versions"]["numpy"] == np.__version__
    assert report["machine"]["processor"]
    assert report["machine"]["cores"] >= report["machine"]["threads"] >= 1


def test_figures_make_sense(report: dict) -> None:  # type: ignore[type-arg]
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
    # Real steps fall on the clicks, or all equally off them: that is what a fitted offset is for.
    assert abs(rows["real"]["sc"] - rows["real"]["sc_floor"]) > 0.2


def test_same_seed_same_figures(corpus: Path, report: dict) -> None:  # type: ignore[type-arg]
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


def test_unusable_input(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"index\.json"):
        evaluate_skeletons(tmp_path, "val")
    with pytest.raises(InputError, match="nosuch"):
        evaluate_skeletons(corpus, "nosuch")
    with pytest.raises(InputError, match="seeds"):
        evaluate_skeletons(corpus, "val", seeds=0)


def test_a_method_that_breaks_down_is_reported_as_undefined(corpus: Path, tmp_path: Path) -> None:
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
def asked(monkeypatch: pytest.MonkeyPatch) -> list:  # type: ignore[type-arg]
    """In the place of networks: all glide at 50 cm/s. What they were loaded from and asked for."""
    asked = []

    class Stub:
        genres = ("waltz",)

        def __init__(self, weights: Path | None) -> None:
            self.weights = weights

        def generate(self, song: Song, seconds: float, seed: int, genre: str | None, align_beats: bool) -> Skeleton:
            asked.append((self.weights, round(song.seconds), seed, genre, align_beats))
            return glide(0.5, seconds)

    monkeypatch.setattr("stgmamba.music_to_skeleton.sampler.load_sampler", Stub)
    return asked


def test_run_judges_the_generator_and_writes_both_reports(
    corpus: Path,
    tmp_path: Path,
    asked: list,  # type: ignore[type-arg]
) -> None:
    result = run(corpus, "val", tmp_path / "out.json", seed=3, seeds=1, compare=False)
    assert asked == [(None, 12, 3, genre, align_beats) for align_beats in (True, False) for genre in ("waltz", None)]
    assert list(result["methods"])[:3] == ["real", "ours", UNALIGNED]
    assert result["methods"]["ours"]["foot_skate"] == pytest.approx(50, rel=0.01)
    assert json.loads((tmp_path / "out.json").read_text()) == result
    text = (tmp_path / "out.md").read_text()
    assert "| ours |" in text
    shown = re.findall(r"\]\((.*?)\)", text)
    assert {tmp_path / file for file in shown} == set((tmp_path / "out").iterdir())
    assert "out/poses_D3.png" in shown
    assert "out/side_by_side.mp4" in shown
    with pytest.raises(InputError, match=r"\.json"):
        run(corpus, "val", tmp_path / "out.txt")


def test_networks_to_compare_with(
    corpus: Path,
    tmp_path: Path,
    asked: list,  # type: ignore[type-arg]
) -> None:
    for name in ("b", "a"):
        (tmp_path / f"{name}.safetensors").touch()
    mine = tmp_path / "a.safetensors"
    result = run(corpus, "val", seeds=1, compared=tmp_path, methods=[f"mine={mine}"])
    assert list(result["methods"]) == ["real", "ours", UNALIGNED, "a", "b", "mine", *BASELINES]
    weights = [None, None, mine, tmp_path / "b.safetensors", mine]
    assert [question[0] for question in asked] == [file for file in weights for _ in range(2)]
    assert list(run(corpus, "val", seeds=1, compare=False)["methods"]) == ["real", "ours", UNALIGNED, *BASELINES]


def test_what_cannot_be_drawn_is_said_before_anything_is_danced(
    corpus: Path,
    tmp_path: Path,
    asked: list,  # type: ignore[type-arg]
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(InputError, match="folder of this name"):
        run(corpus, "val", tmp_path / "out.json")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(InputError, match=r"pip install stgmamba\[train\]"):
        run(corpus, "val", tmp_path / "other.json")
    assert not asked


def test_beats_keep_the_published_tempo(corpus: Path, tmp_path: Path) -> None:
    dance = load_dances(corpus, "val")[0]
    assert np.diff(song_beats(dance)) == pytest.approx(PERIOD, abs=0.03)
    # Clicks at 200 bpm, published as 100: the strong ones stay.
    write_clicks(tmp_path / "fast.wav", PERIOD / 2, SECONDS, strong=2)
    fast = Dance(dance.id, dance.genre, dance.skeleton, tmp_path / "fast.wav", 100.0, True)
    beats = song_beats(fast)
    assert np.diff(beats) == pytest.approx(PERIOD, abs=0.05)
    assert np.abs(beats - PERIOD * np.round(beats / PERIOD)).max() < 0.06


def test_other_song_takes_the_genre_and_fills_the_song(corpus: Path) -> None:
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
def test_real_dances_step_to_the_music_and_beat_the_mean_pose(research_data: Path) -> None:
    rows = evaluate_skeletons(research_data / "tang2018", "test", seeds=1)["methods"]
    assert rows["real"]["sc"] > rows["real"]["sc_floor"] + 0.05
    assert rows["shifted"]["sc"] < rows["real"]["sc"]
    assert rows["real"]["pfd"] < 0.2 * rows["mean_pose"]["pfd"]
    assert rows["real"]["vfd"] < 0.2 * rows["mean_pose"]["vfd"]
