from dataclasses import replace

import pytest

from stgmamba.characters import CHARACTERS, random_appearance
from stgmamba.characters.appearance import Cloth, Hair, linear


def test_at_least_six_named_dancers() -> None:
    assert len(CHARACTERS) >= 6
    assert all(name == appearance.name for name, appearance in CHARACTERS.items())
    assert len({appearance.hair.style for appearance in CHARACTERS.values()}) >= 6


def test_random_look_is_the_same_for_the_same_seed() -> None:
    assert random_appearance(7) == random_appearance(7)


def test_every_seed_gives_another_look() -> None:
    appearance = {replace(random_appearance(seed), name="") for seed in range(400)}
    assert len(appearance) == 400
    assert (
        len(
            {
                (appearance.hair.style, appearance.top.kind, appearance.bottom.kind, appearance.shoes.kind)
                for appearance in appearance
            }
        )
        > 150
    )


def test_bodies_stay_human() -> None:
    for seed in range(60):
        body = random_appearance(seed).body
        assert 0.65 < body.leg < 1.05
        assert 0.25 < body.shoulders < 0.45


def test_unknown_kinds_and_colours_are_refused() -> None:
    appearance = CHARACTERS["mira"]
    with pytest.raises(ValueError, match="hair style"):
        replace(appearance, hair=Hair("mohawk"))
    with pytest.raises(ValueError, match="top"):
        replace(appearance, top=Cloth("toga", "#ffffff"))
    with pytest.raises(ValueError, match="#rrggbb"):
        replace(appearance, skin="#12")


def test_linear_light() -> None:
    assert linear("#000000") == pytest.approx((0, 0, 0), abs=1e-3)
    assert linear("#ffffff") == pytest.approx((1, 1, 1))
    assert linear("#808080")[0] == pytest.approx(0.2159, abs=1e-3)
