"""The data files of the procedural people, and what their reader refuses."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from stgmamba.characters import CHARACTERS, Appearance, tables
from stgmamba.characters.appearance import load_characters
from stgmamba.characters.garments import bottom_cuts, neckline, pattern_scales, shoe_cuts, top_cuts
from stgmamba.characters.tables import (
    check_array,
    load_array,
    load_numbers,
    load_profile,
    load_records,
    load_tables,
    to_record,
)

PROFILES = [
    ("body", "trunk", 4), ("body", "spine", 2), ("body", "arm", 4), ("body", "leg", 4), ("body", "shoe", 3),
    ("body", "palm", 3), ("body", "back", 4), ("head", "skull", 4), ("head", "ponytail", 2),
]  # fmt: skip


@pytest.fixture
def tables_of(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Any], None]]:
    """Replaces the contents of every file."""
    cached = (load_array, load_profile, load_numbers)

    def use(content: Any) -> None:
        for function in cached:
            function.cache_clear()
        monkeypatch.setattr(tables, "load_tables", lambda name: content)
        monkeypatch.setattr("stgmamba.characters.appearance.load_tables", lambda name: content)

    yield use
    for function in cached:
        function.cache_clear()


@dataclass(frozen=True)
class Inner:
    size: float
    name: str = "x"


@dataclass(frozen=True)
class Outer:
    inner: Inner
    colour: str | None = None
    open: bool = False


@pytest.mark.parametrize(("file", "table", "columns"), PROFILES)
def test_profiles_are_read_only_tables_of_metres(file: str, table: str, columns: int) -> None:
    profile = load_profile(file, table, columns=columns)
    assert profile.shape[1] == columns
    assert (np.diff(profile[:, 0]) > 0).all()
    assert np.abs(profile[:, 1:]).max() < 0.25
    with pytest.raises(ValueError, match="read-only"):
        profile[0, 0] = 1.0


def test_files_are_read_once() -> None:
    assert load_tables("body") is load_tables("body")
    assert load_profile("body", "arm", columns=4) is load_profile("body", "arm", columns=4)


def test_every_kind_of_garment_has_a_cut() -> None:
    assert 0 <= min(cut.sleeve for cut in top_cuts().values()) < max(cut.sleeve for cut in top_cuts().values()) <= 2
    assert {kind for kind, cut in bottom_cuts().items() if cut.hem is None} == {"skirt", "dress"}
    assert {kind for kind, cut in shoe_cuts().items() if cut.shaft is None} == {"flat"}
    assert all(0.01 < scale < 0.1 for scale in pattern_scales().values())


def test_a_neckline_is_the_appearances_unless_the_top_has_one_of_its_own() -> None:
    zoe = CHARACTERS["zoe"]  # wears a tank, which has its own
    for shape in ("crew", "v", "scoop"):
        assert neckline(replace(zoe, top=replace(zoe.top, neckline=shape))).shape == "scoop"
        assert neckline(replace(zoe, top=replace(zoe.top, kind="tshirt", neckline=shape))).shape == shape


def test_a_character_is_an_entry_of_the_file(tables_of: Callable[[Any], None]) -> None:
    entry = {
        "skin": "#102030",
        "figure": {"height": 2},
        "hair": {"style": "bun"},
        "top": {"kind": "shirt", "colour": "#ffffff"},
    }
    tables_of({"max": entry})
    (character,) = load_characters().values()
    assert (character.name, character.skin, character.hair.style) == ("max", "#102030", "bun")
    assert isinstance(character.figure.height, float)
    assert character.shoes == Appearance().shoes  # fields that are left out take the defaults


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("tall", r"characters\.yaml: max: not a mapping"),
        ({"figure": {"size": 1}}, r"characters\.yaml: max: figure: there is no 'size'; known are height, girth"),
        ({"figure": {"height": "tall"}}, "max: figure: height: 'tall' is not a float"),
        ({"figure": {"height": True}}, "max: figure: height: True is not a float"),
        ({"hair": {"style": "mohawk"}}, "max: hair style must be one of bald"),
        ({"skin": "brown"}, "max: a colour must read #rrggbb"),
        ({"top": {"kind": "shirt"}}, "max: top: .*colour"),
        ({"name": "maximilian"}, "name is the key"),
    ],
)
def test_a_faulty_entry_is_named(tables_of: Callable[[Any], None], entry: Any, message: str) -> None:
    tables_of({"max": entry})
    with pytest.raises(ValueError, match=message):
        load_characters()


def test_records_nest_and_may_be_none() -> None:
    assert to_record(Outer, {"inner": {"size": 2}, "colour": None, "open": True}, "t") == Outer(Inner(2.0), None, True)
    with pytest.raises(ValueError, match="t: inner: not a mapping of size, name"):
        to_record(Outer, {"inner": 3}, "t")
    with pytest.raises(ValueError, match="t: open: 1 is not a bool"):
        to_record(Outer, {"inner": {"size": 1}, "open": 1}, "t")


@pytest.mark.parametrize(
    "rows", [None, "x", [], [0, 1], [[0, 1], [1]], [[0, 1, 2], [1, 2, 3]], [[0, 1], [1, "a"]], [[0, float("nan")]]]
)
def test_malformed_arrays_raise(rows: Any) -> None:
    with pytest.raises(ValueError, match=r"^f\.yaml: t: "):
        check_array(rows, (None, 2), "f.yaml: t")


@pytest.mark.parametrize("rows", [[[0, 1]], [[0, 1], [0, 2]], [[1, 1], [0, 2]]])
def test_profiles_increase(tables_of: Callable[[Any], None], rows: Any) -> None:
    tables_of({"t": rows})
    with pytest.raises(ValueError, match=r"^f\.yaml: t: the first column does not increase"):
        load_profile("f", "t", columns=2)


def test_missing_tables_and_other_keys_raise(tables_of: Callable[[Any], None]) -> None:
    tables_of({"sizes": {"a": 1, "c": 2}, "names": {"a": {"size": 1}}})
    with pytest.raises(ValueError, match=r"f\.yaml: arm: missing"):
        load_profile("f", "arm", columns=2)
    for keys in (("a", "b"), ("a",), ("c", "a")):
        with pytest.raises(ValueError, match=r"f\.yaml: sizes: the entries must be"):
            load_numbers("f", "sizes", keys)
    with pytest.raises(ValueError, match=r"f\.yaml: names: the entries must be a, b"):
        load_records("f", "names", Inner, ("a", "b"))
    assert load_numbers("f", "sizes", ("a", "c")) == {"a": 1.0, "c": 2.0}
