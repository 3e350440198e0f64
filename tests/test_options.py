from __future__ import annotations

import pytest

from stgmamba.errors import InputError
from stgmamba.options import check_options, frame_size, match_name, parse_framing, parse_person, size_notes

NAMES = ("cha-cha", "Waltz", "la-hip-hop")


@pytest.mark.parametrize(
    ("text", "name"),
    [("Cha-Cha", "cha-cha"), ("cha cha", "cha-cha"), ("WALTZ ", "Waltz"), ("LA_Hip_Hop", "la-hip-hop")],
)
def test_case_and_separators_do_not_matter(text: str, name: str) -> None:
    assert match_name(text, NAMES, "style") == name


def test_a_near_miss_is_suggested() -> None:
    with pytest.raises(InputError, match=r"style 'walz' is not known; did you mean Waltz\?"):
        match_name("walz", NAMES, "style")
    with pytest.raises(InputError, match="style 'polka' is not known; there are cha-cha, Waltz, la-hip-hop"):
        match_name("polka", NAMES, "style")


def test_energy_has_a_range() -> None:
    check_options(energy=0.0)
    for energy in (-0.1, 2.1, float("nan")):
        with pytest.raises(InputError, match="energy"):
            check_options(energy=energy)


def test_travel_has_a_range() -> None:
    check_options(travel=2.0)
    for travel in (0.0, -1.0, 1e6, float("nan")):
        with pytest.raises(InputError, match="travel"):
            check_options(travel=travel)


def test_one_of_several_persons_as_users_write_it() -> None:
    assert parse_person(None) is None
    assert parse_person("2") == 2
    assert parse_person("640, 380.5") == (640.0, 380.5)
    for wrong in ("left", "1,2,3", "", "1;2"):
        with pytest.raises(InputError, match="use a number, as in 2, or a point X,Y"):
            parse_person(wrong)


def test_framings() -> None:
    assert parse_framing("Scene") == "scene"
    with pytest.raises(InputError, match="framing 'tight' is not known"):
        parse_framing("tight")


def test_a_size_that_is_not_the_one_asked_for_is_said() -> None:
    for size in (None, 512, (512, 640)):
        assert size_notes(size, frame_size(size, (3, 4))) == ()
    assert "instead of a height of 511" in size_notes(511, frame_size(511, (3, 4)))[0]
    assert "512x640 instead of 511x641" in size_notes((511, 641), frame_size((511, 641), (3, 4)))[0]
