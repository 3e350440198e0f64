from dataclasses import replace

import pytest

from stgmamba.characters import DANCERS, random_look
from stgmamba.characters.looks import Cloth, Hair, linear


def test_at_least_six_named_dancers() -> None:
    assert len(DANCERS) >= 6
    assert all(name == look.name for name, look in DANCERS.items())
    assert len({look.hair.style for look in DANCERS.values()}) >= 6


def test_random_look_is_the_same_for_the_same_seed() -> None:
    assert random_look(7) == random_look(7)


def test_every_seed_gives_another_look() -> None:
    looks = {replace(random_look(seed), name="") for seed in range(400)}
    assert len(looks) == 400
    assert len({(look.hair.style, look.top.kind, look.bottom.kind, look.shoes.kind) for look in looks}) > 150


def test_bodies_stay_human() -> None:
    for seed in range(60):
        body = random_look(seed).body
        assert 0.65 < body.leg < 1.05
        assert 0.25 < body.shoulders < 0.45


def test_unknown_kinds_and_colours_are_refused() -> None:
    look = DANCERS["mira"]
    with pytest.raises(ValueError, match="hair style"):
        replace(look, hair=Hair("mohawk"))
    with pytest.raises(ValueError, match="top"):
        replace(look, top=Cloth("toga", "#ffffff"))
    with pytest.raises(ValueError, match="#rrggbb"):
        replace(look, skin="#12")


def test_linear_light() -> None:
    assert linear("#000000") == pytest.approx((0, 0, 0), abs=1e-3)
    assert linear("#ffffff") == pytest.approx((1, 1, 1))
    assert linear("#808080")[0] == pytest.approx(0.2159, abs=1e-3)
