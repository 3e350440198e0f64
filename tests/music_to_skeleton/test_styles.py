from __future__ import annotations

import numpy as np
import pytest

from stgmamba.errors import InputError
from stgmamba.music.rhythm import Rhythm
from stgmamba.music_to_skeleton.audio_features import MUSIC_FPS, AudioFeatures
from stgmamba.music_to_skeleton.model import STYLES
from stgmamba.music_to_skeleton.styles import Section, choose_style, parse_style, plan_of, style_weights


def rhythm(bpm: float, accents: tuple[float, ...], seconds: float = 60.0) -> AudioFeatures:
    """Music whose beats have these accents in turn."""
    beats = np.arange(0.2, seconds, 60 / bpm)
    features = np.zeros((round(seconds * MUSIC_FPS), 4), np.float32)
    at = np.minimum(np.round(beats * MUSIC_FPS).astype(int), len(features) - 1)
    for k, frame in enumerate(at):
        features[frame, :2] = accents[k % len(accents)]
    positions = np.arange(len(beats)) % len(accents)
    return AudioFeatures(np.zeros(0, np.float32), features, Rhythm(beats, positions, "4/4"))


@pytest.mark.parametrize(
    ("text", "sections"),
    [
        ("lock", [Section(0.0, {"lock": 1.0})]),
        ("LA hip hop", [Section(0.0, {"la-hip-hop": 1.0})]),
        ("pop:3,lock:1", [Section(0.0, {"pop": 0.75, "lock": 0.25})]),
        ("pop, lock", [Section(0.0, {"pop": 0.5, "lock": 0.5})]),
        ("0:00=modern,0:45=krump", [Section(0.0, {"modern": 1.0}), Section(45.0, {"krump": 1.0})]),
        ("0=waltz,1:30.5=pop+lock", [Section(0.0, {"waltz": 1.0}), Section(90.5, {"pop": 0.5, "lock": 0.5})]),
        ("5=waltz", [Section(0.0, {"waltz": 1.0})]),
    ],
)
def test_styles_mixes_and_sections_are_read(text: str, sections: list[Section]) -> None:
    assert parse_style(text, STYLES) == sections


def test_auto_leaves_the_choice_to_the_music() -> None:
    assert parse_style(" Auto ", STYLES) is None


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("polka", "'polka'"),
        ("", "names none"),
        ("pop:much", "'much' is no weight"),
        ("pop:-1", "weight"),
        ("0:00=modern,krump", "every section a time"),
        ("0:30=modern,0:10=krump", "rise"),
        ("noon=modern", "'noon' is no time"),
        ("0:00=polka", "'polka'"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        parse_style(text, STYLES)


def test_weights_pass_from_one_section_into_the_next() -> None:
    weights = style_weights([Section(0.0, {"waltz": 1.0}), Section(4.0, {"lock": 0.5, "pop": 0.5})], STYLES, 100, 12.5)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, atol=1e-6)
    waltz, lock = weights[:, STYLES.index("waltz")], weights[:, STYLES.index("lock")]
    assert (waltz[:43] == 1).all()
    assert (lock[57:] == 0.5).all()
    assert waltz[50] == pytest.approx(0.5, abs=0.05)
    assert (np.diff(waltz) <= 0).all()
    np.testing.assert_array_equal(style_weights(plan_of("lock"), STYLES, 3, 12.5)[:, STYLES.index("lock")], 1.0)


@pytest.mark.parametrize("bpm", [70.0, 95.0, 120.0, 150.0, 180.0])
def test_four_beats_never_get_a_waltz_and_three_slow_ones_do(bpm: float) -> None:
    four, three = (
        choose_style(rhythm(bpm, (0.9, 0.3, 0.6, 0.3)), STYLES),
        choose_style(rhythm(bpm, (0.9, 0.3, 0.3)), STYLES),
    )
    assert four.style != "waltz"
    assert "four" in four.reason
    assert (three.style == "waltz") == (bpm < 120)  # faster beats are often half beats


def test_tempo_and_strength_of_the_beat_choose_among_the_others() -> None:
    chosen = {bpm: choose_style(rhythm(bpm, (0.8, 0.6)), STYLES).style for bpm in (95.0, 124.0, 145.0)}
    assert chosen == {95.0: "krump", 124.0: "k-pop", 145.0: "j-pop"}
    assert choose_style(rhythm(96.0, (0.3, 0.2)), STYLES).style == "rumba"


def test_a_style_is_always_found() -> None:
    assert choose_style(rhythm(100.0, (0.5, 0.4)), ("waltz",)).style == "waltz"
    silent = AudioFeatures(
        np.zeros(0, np.float32), np.zeros((50, 4), np.float32), Rhythm(np.array([0.5]), np.zeros(1, int), "4/4")
    )
    assert choose_style(silent, STYLES).style in STYLES
