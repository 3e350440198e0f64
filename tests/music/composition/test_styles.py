from __future__ import annotations

import numpy as np
import pytest

from stgmamba.music.composition.score import rhythm, write_score
from stgmamba.music.composition.styles import Style, load_rhythms, load_styles


def test_the_styles_cover_tempos_and_metres() -> None:
    styles = load_styles().values()
    assert min(style.tempo[0] for style in styles) <= 50
    assert max(style.tempo[1] for style in styles) >= 215
    assert {style.metre for style in styles} == {"2/4", "3/4", "4/4", "6/8"}


@pytest.mark.parametrize(
    ("drums", "timbres", "sentence"),
    [
        ({"gong": "x..............."}, ("piano",), "no drum 'gong'"),
        ({"kick": "x..y............"}, ("piano",), "not a pattern"),
        ({"kick": "x..x"}, ("piano",), "not a pattern"),
        ({"kick": "x..............."}, ("kazoo",), "unknown timbres kazoo"),
    ],
)
def test_a_mistake_in_a_style_is_named(drums: dict[str, str], timbres: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(ValueError, match=f"style wrong.*{sentence}"):
        Style("wrong", 1, (100, 120), (drums,), ("quarters",), ("sustained",), timbres=timbres)


@pytest.mark.parametrize("name", load_styles())
def test_every_rhythm_of_a_style_fits_its_bar(name: str) -> None:
    style = load_styles()[name]
    for kind in {*style.bass, *style.chords} - {"none"}:
        bar = rhythm(np.random.default_rng(0), kind, style)
        assert bar.shape == (style.beats * style.steps,)
        assert bar.any(), kind


def test_named_rhythms_are_bars_of_sixteen() -> None:
    for name, pattern in load_rhythms().items():
        assert len(pattern) == 16, name
        assert set(pattern) <= {"x", "."}, name


def test_the_form_covers_all_bars_and_its_letters_return_with_their_melody() -> None:
    for seed in range(20):
        score = write_score(np.random.default_rng(seed), load_styles()["pop"], 24)
        ends = [section.first_bar + section.bars for section in score.form]
        assert score.form[0].first_bar == 0
        assert [section.first_bar for section in score.form[1:]] == ends[:-1]
        assert ends[-1] == 24
    assert any(len({section.label for section in score.form}) < len(score.form) for _ in [0])
