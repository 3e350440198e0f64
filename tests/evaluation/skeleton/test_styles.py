from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stgmamba.datasets.smpl22 import CAPTURED, StyledDance
from stgmamba.errors import InputError
from stgmamba.evaluation.skeleton.styles import evaluate_styles, fit_classifier, markdown, run, window_features
from stgmamba.skeleton import Skeleton

from ...support.synthetic_dances import stepping, still, wandering

SONGS = [Path("a.ogg"), Path("b.ogg")]


def walk(seed: int, seconds: float = 20.0) -> Skeleton:
    steps = stepping(np.arange(1.2, seconds - 0.5, 0.5), seconds)
    sway = wandering(seconds, seed, size=0.01).positions - still(seconds).positions
    return Skeleton(steps.positions + sway, steps.fps, steps.layout)


def floating(seed: int, seconds: float = 20.0) -> Skeleton:
    return wandering(seconds, seed, size=0.04)


MAKE = {"walk": walk, "float": floating}
TRAIN = [StyledDance(f"{style}{i}", style, CAPTURED, make(i)) for style, make in MAKE.items() for i in range(3)]
HELD_OUT = [StyledDance("late", "walk", CAPTURED, walk(9))]


def report_of(generate: Any) -> dict[str, Any]:
    return evaluate_styles(generate, ("walk", "float", "never seen"), SONGS, TRAIN, HELD_OUT)


def test_dances_of_the_asked_style_are_nearest_to_it_and_recognised() -> None:
    steps: list[tuple[int, int | None]] = []
    report = evaluate_styles(
        lambda song, style, seed: MAKE[style](100 + seed),
        ("walk", "float", "never seen"),
        SONGS,
        TRAIN,
        HELD_OUT,
        progress=lambda *step: steps.append(step),
    )
    assert steps[-1] == (4, 4)
    assert set(report["styles"]) == {"walk", "float"}  # a style without real dances cannot be judged
    assert (report["own_nearest_pfd"], report["own_nearest_vfd"]) == (2, 2)
    assert report["mean_recognised"] > 0.9
    walks = report["styles"]["walk"]
    assert walks["pfd"]["walk"] < walks["pfd"]["float"]
    assert walks["recognised_held_out"] > 0.9
    assert report["styles"]["float"]["recognised_held_out"] is None
    assert walks["jerk"] == pytest.approx(walks["real_jerk"], rel=0.1)
    assert walks["real_pfd"] >= 0


def test_a_network_that_dances_one_style_whatever_is_asked_is_found_out() -> None:
    report = report_of(lambda song, style, seed: walk(100 + seed))
    assert report["styles"]["float"]["nearest_pfd"] == report["styles"]["float"]["nearest_vfd"] == "walk"
    assert report["styles"]["float"]["recognised"] < 0.1
    assert (report["own_nearest_pfd"], report["own_nearest_vfd"]) == (1, 1)


def test_the_report_is_a_table_of_styles_and_two_of_confusions() -> None:
    text = markdown(report_of(lambda song, style, seed: MAKE[style](100 + seed)))
    assert sum(line.startswith("| walk |") for line in text.splitlines()) == 3
    assert "own style is the nearest for 2 of 2" in text.replace("\n", " ")


def test_the_classifier_needs_two_windows_of_a_style() -> None:
    assert len(window_features(walk(0, 4.0))) == 2
    assert len(window_features(walk(0, 1.0))) == 0
    with pytest.raises(InputError, match="'float'"):
        fit_classifier({"walk": [walk(0)], "float": [floating(0, 1.0)]})


def test_missing_songs_and_styles_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no songs"):
        evaluate_styles(lambda *_: still(), ("walk",), [], TRAIN, [])
    with pytest.raises(InputError, match="no style"):
        evaluate_styles(lambda *_: still(), ("never seen",), SONGS, TRAIN, [])
    with pytest.raises(InputError, match="nowhere"):
        run(songs=tmp_path / "nowhere")
