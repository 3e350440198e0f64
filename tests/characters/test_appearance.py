from dataclasses import replace

import pytest

from stgmamba.characters import CHARACTERS, random_appearance
from stgmamba.characters.appearance import BOTTOMS, HAIR_STYLES, SHOES, TOPS, Cloth, Hair, linear_rgb

SEED_901 = ("#ac673c", "quiff", "#3a2518", "shirt", "joggers", "sneaker", 1.8255585134082797, "#f2f2f0")


def test_at_least_six_characters_with_distinct_hair() -> None:
    assert len(CHARACTERS) >= 6
    assert all(name == appearance.name for name, appearance in CHARACTERS.items())
    assert len({appearance.hair.style for appearance in CHARACTERS.values()}) >= 6


def test_random_appearance_is_deterministic() -> None:
    assert random_appearance(7) == random_appearance(7)


def test_random_appearance_of_a_seed_does_not_change_between_versions() -> None:
    """Evaluation scenes and training data are named by their seeds."""
    appearance = random_appearance(901)
    assert (appearance.skin, appearance.hair.style, appearance.hair.colour) == SEED_901[:3]
    assert (appearance.top.kind, appearance.bottom.kind, appearance.shoes.kind) == SEED_901[3:6]
    assert appearance.figure.height == pytest.approx(SEED_901[6], abs=1e-12)
    assert appearance.shoes.socks == SEED_901[7]  # drawn last: the whole sequence of random numbers is the same


def test_random_appearances_are_distinct() -> None:
    appearances = {replace(random_appearance(seed), name="") for seed in range(400)}
    assert len(appearances) == 400
    kinds = {(each.hair.style, each.top.kind, each.bottom.kind, each.shoes.kind) for each in appearances}
    assert len(kinds) > 150


def test_random_appearances_cover_all_kinds() -> None:
    appearances = [random_appearance(seed) for seed in range(400)]
    assert {each.hair.style for each in appearances} == set(HAIR_STYLES)
    assert {each.top.kind for each in appearances} == set(TOPS)
    assert {each.bottom.kind for each in appearances} == set(BOTTOMS)
    assert {each.shoes.kind for each in appearances} == set(SHOES)


def test_bone_lengths_are_those_of_adults() -> None:
    for seed in range(60):
        body = random_appearance(seed).body
        assert 0.65 < body.leg < 1.05
        assert 0.25 < body.shoulders < 0.45


def test_unknown_kinds_and_malformed_colours_raise() -> None:
    appearance = CHARACTERS["mira"]
    with pytest.raises(ValueError, match="hair style"):
        replace(appearance, hair=Hair("mohawk"))
    with pytest.raises(ValueError, match="top"):
        replace(appearance, top=Cloth("toga", "#ffffff"))
    for colour in ("#12", "red", "#12345g"):
        with pytest.raises(ValueError, match="#rrggbb"):
            replace(appearance, skin=colour)


def test_linear_rgb_decodes_srgb() -> None:
    assert linear_rgb("#000000") == pytest.approx((0, 0, 0), abs=1e-3)
    assert linear_rgb("#ffffff") == pytest.approx((1, 1, 1))
    assert linear_rgb("#808080")[0] == pytest.approx(0.2159, abs=1e-3)
