from pathlib import Path

import pytest

from stgmamba.datasets.held_out import HeldOut, load_held_out
from stgmamba.errors import InputError

CONFIG = Path(__file__).parents[2] / "configs" / "video_held_out.yaml"


def test_the_projects_own_list() -> None:
    held_out = load_held_out(CONFIG)
    assert len(held_out.people) == 10
    assert held_out.first_frame(300) in (200, 201)
    assert "oot_model_5.png" in held_out.people


def test_its_people_exist(research_data: Path) -> None:
    there = {path.name for path in (research_data / "people").iterdir()}
    assert load_held_out(CONFIG).people <= there


def test_the_part_is_the_last_one() -> None:
    assert HeldOut(frozenset(), 0.25).first_frame(8) == 6
    assert HeldOut(frozenset(), 0.0).first_frame(8) == 8
    assert HeldOut(frozenset(), 1.0).first_frame(8) == 0


@pytest.mark.parametrize(
    "text",
    ["", "people: [a]", "people: 3\nclips: 0.3", "people: [1]\nclips: 0.3", "people: []\nclips: 2", "a: [", "-"],
)
def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "held.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match="held out"):
        load_held_out(path)
    with pytest.raises(InputError, match="no such file"):
        load_held_out(tmp_path / "nosuch.yaml")
