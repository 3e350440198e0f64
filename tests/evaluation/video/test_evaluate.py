import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from stgmamba.errors import InputError
from stgmamba.evaluation.methods import Comparison
from stgmamba.evaluation.video.baselines import BASELINES
from stgmamba.evaluation.video.evaluate import EvalInputs, evaluate_scenes, run
from stgmamba.evaluation.video.metrics import METRICS
from stgmamba.evaluation.video.metrics.networks import Networks
from stgmamba.evaluation.video.report import ROWS, SceneFigure, draw_figure, markdown
from stgmamba.evaluation.video.scenes import clip_scene
from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton

from ...conftest import swaying
from ...support.character_clips import character_frames, write_clip
from ...support.recordings import write_dances


@pytest.fixture(autouse=True, scope="module")
def _without_networks() -> Iterator[None]:
    """Evaluate baselines only."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("stgmamba.evaluation.video.evaluate._build_methods", lambda weights, networks: dict(BASELINES))
        yield


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of a character, and a file that is not a video."""
    folder = tmp_path_factory.mktemp("clips")
    write_clip(folder / "mira.mp4", character_frames())
    (folder / "notes.txt").write_text("not a clip")
    (folder / ".hidden").write_text("not looked at")
    return folder


@pytest.fixture(scope="module")
def report(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    out = tmp_path_factory.mktemp("out") / "report.json"
    steps: list[tuple[int, int | None]] = []
    networks = Networks(
        lpips=lambda frames, truth: float(np.abs(frames.astype(float) - truth).mean()),
        fid=lambda frames: frames.reshape(len(frames), -1)[:, :3].astype(np.float64),
    )
    result = run(EvalInputs(clips), out, size=128, networks=networks, progress=lambda *step: steps.append(step))
    total = 2 * (1 + len(result["methods"]))  # two files, read once and rendered by each method
    assert steps[-1] == (total, total)
    return result, out


def test_every_method_has_every_metric(report: tuple[dict[str, Any], Path]) -> None:
    methods = report[0]["methods"]
    assert set(methods) == set(BASELINES)
    for row in methods.values():
        assert set(row) == {*METRICS, "lpips", "fid", "fps"}
    assert json.loads(report[1].read_text()) == report[0]
    assert report[0]["clips"]["mira.mp4"]["evaluated"] == [1, 24]
    assert len(report[0]["left_out"]) == 1
    assert "notes.txt" in report[0]["left_out"][0]
    assert set(report[0]) >= {"size", "seed", "versions", "machine", "truth"}


def test_limb_warp_is_better_than_copy(report: tuple[dict[str, Any], Path]) -> None:
    warp, still = (report[0]["methods"][name] for name in ("limb_warp", "copy"))
    assert warp["ssim"] > still["ssim"]
    assert warp["psnr"] > still["psnr"] + 2
    assert warp["lpips"] < still["lpips"]
    assert warp["pck"] > still["pck"]
    assert still["flicker"] == 0
    assert still["identity"] < 0.1
    assert report[0]["truth"]["pck"] > 0.97


def test_the_report_has_tables_and_figures(report: tuple[dict[str, Any], Path]) -> None:
    text = report[1].with_suffix(".md").read_text()
    for piece in ("| limb_warp |", "| copy |", "| truth |", "mira.mp4", "notes.txt", "lpips ↓"):
        assert piece in text
    assert "Not measured, since no weights were given (`--fvd-weights`): fvd." in text
    picture = report[1].parent / "report" / "clips_00.png"
    assert f"({picture.parent.name}/{picture.name})" in text
    wide, high = Image.open(picture).size
    assert wide > 5 * 96
    assert high > ROWS * 128


def test_same_scenes_same_values(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "short.mp4", character_frames()[:12])
    rows = [evaluate_scenes([lambda: clip_scene(path, 64)], BASELINES, Networks())[0]["methods"] for _ in range(2)]
    for row in (*rows[0].values(), *rows[1].values()):
        row.pop("fps")
    assert rows[0] == rows[1]


def test_drawn_characters_use_the_test_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stgmamba.evaluation.video.scenes.DRAWN_FRAMES", 12)
    entry = {"genre": "waltz", "split": "test", "tempo_bpm": 100.0, "sync": "fitted"}
    dances = write_dances(tmp_path / "dances", [(entry, swaying(60))])
    report = run(EvalInputs(drawn=1, turning=1, dances=dances), size=128)
    assert "methods" not in report
    drawn, turning = report["drawn"], report["turning"]
    assert turning["methods"]["body"]["pck"] > turning["methods"]["copy"]["pck"]
    assert list(turning["scenes"]) == ["character 0, turning"]
    assert "that turn once" in markdown(report)
    assert drawn["methods"]["limb_warp"]["ssim"] > drawn["methods"]["copy"]["ssim"]
    assert list(drawn["scenes"]) == ["character 0, D0"]
    assert "Drawn characters" in markdown(report)


def test_photos(tmp_path: Path, person_picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stgmamba.evaluation.video.evaluate._photo_dance", lambda seed: swaying(10))
    (tmp_path / "people").mkdir()
    (tmp_path / "people" / "mira.png").write_bytes(person_picture.read_bytes())
    Image.new("RGB", (128, 128)).save(tmp_path / "people" / "nobody.png")
    report = run(EvalInputs(photos=tmp_path / "people"), tmp_path / "photos.json", size=256)
    photos = report["photos"]
    assert photos["photos"]["mira.png"]["limb_warp"] > 0.85
    assert photos["photos"]["mira.png"]["copy"] < photos["photos"]["mira.png"]["limb_warp"]
    assert photos["methods"]["limb_warp"]["pck"] == photos["photos"]["mira.png"]["limb_warp"]
    assert "nobody.png" in photos["left_out"][0]
    assert "| mira.png |" in (tmp_path / "photos.md").read_text()
    held_out = tmp_path / "held.yaml"
    held_out.write_text("people: [somebody.png]\nclips: 0.3")
    with pytest.raises(InputError, match="none of these pictures is held out"):
        run(EvalInputs(photos=tmp_path / "people", held_out=held_out))


def test_invalid_inputs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to evaluate"):
        run(EvalInputs())
    with pytest.raises(InputError, match="no such folder"):
        run(EvalInputs(tmp_path / "nosuch"))
    with pytest.raises(InputError, match="empty"):
        run(EvalInputs(tmp_path))
    (tmp_path / "text.mp4").write_text("no clip")
    with pytest.raises(InputError, match=r"No scene can be evaluated: .*text\.mp4"):
        run(EvalInputs(tmp_path))
    with pytest.raises(InputError, match="1 or more"):
        run(EvalInputs(drawn=-1, dances=tmp_path))
    with pytest.raises(InputError, match="how many"):
        run(EvalInputs(turning=1))
    for method, message in (("copy=x", "name"), ("ours=x", "name"), ("mine=nosuch", "no such file")):
        with pytest.raises(InputError, match=message):
            run(EvalInputs(tmp_path), comparison=Comparison(named=[method]))
    with pytest.raises(InputError, match=r"\.json"):
        run(EvalInputs(tmp_path), tmp_path / "report.txt")


def test_a_figure_has_a_column_for_condition_target_and_each_method() -> None:
    targets = Skeleton(np.full((ROWS, 22, 2), 5, np.float32), 25, OPENPOSE_18_FEET, None, (40, 50))  # type: ignore[arg-type]
    images = {"one": np.full((ROWS, 50, 40, 3), 90, np.uint8), "two": np.full((ROWS, 50, 40, 3), 30, np.uint8)}
    image = draw_figure(SceneFigure("scene", np.full((50, 40, 3), 200, np.uint8), targets, images))
    assert image.shape[1] == 4 * 44
    lower = image[-30]
    assert (lower[:40] == 200).all()
    assert (lower[88:128] == 90).all()
    assert (lower[132:172] == 30).all()
