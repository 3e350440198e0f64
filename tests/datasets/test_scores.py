from __future__ import annotations

from pathlib import Path

import pytest

from stgmamba.datasets.scores import SCORES, load_profile, profile_names
from stgmamba.errors import InputError

GOOD = {
    "seconds": 6, "fps": 25, "person_height": 0.8, "person_pixels": 400, "pose_found": 1, "pose_confidence": 0.9,
    "cut_off_joints": 0, "occlusion": 0.05, "sharpness": 20, "jitter": 0.004, "stillness": 0.05, "speed": 0.6,
    "motion": 0.01, "flow": 3, "camera_motion": 0, "other_people": 0, "text": 0, "brightness": 0.5, "aspect": 0.75,
    "fade": 0, "sound": 1, "loudness": -15, "pulse": 0.5, "low_energy": 0.3, "sync_strength": 6,
}  # fmt: skip


def test_a_good_clip_passes_every_profile() -> None:
    assert set(GOOD) == set(SCORES)
    assert profile_names() == ["all", "paper", "strict"]
    for name in profile_names():
        assert load_profile(name).reasons(GOOD) == []


@pytest.mark.parametrize("name", list(SCORES))
def test_every_score_can_be_wrong_in_strict(name: str) -> None:
    far = {True: 1e6, False: -1e6}[not SCORES[name].low]
    reasons = load_profile("strict").reasons({**GOOD, name: far})
    assert len(reasons) == 1
    assert reasons[0].startswith(SCORES[name].low or SCORES[name].high)
    assert f"({name} " in reasons[0]


def test_reasons_are_in_words_with_figures() -> None:
    clip = {**GOOD, "text": 0.12, "person_height": 0.1}
    assert load_profile("paper").reasons(clip) == [
        "the person is too small (person_height 0.1, at least 0.3)",
        "captions cover too much (text 0.12, at most 0.07)",
    ]
    assert load_profile("all").reasons(clip) == []


def test_a_score_that_is_not_a_number_does_not_pass() -> None:
    assert load_profile("paper").reasons({**GOOD, "jitter": float("nan")}) != []


def test_own_profiles_are_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("speed: {min: 1}\n")
    assert load_profile(path).reasons(GOOD) == ["the person moves little (speed 0.6, at least 1)"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("glamour: {min: 1}", "'glamour' is not a score"),
        ("speed: 3", "speed needs `min` or `max`"),
        ("text: {min: 0.1}", "text has no `min`"),
        ("speed: {min: fast}", "could not convert"),
        ("- speed", "no list of thresholds"),
        ("speed: {", "not a profile"),
    ],
)
def test_malformed_profiles_are_refused(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=complaint):
        load_profile(path)


def test_unknown_profiles_are_named() -> None:
    with pytest.raises(InputError, match="profile 'nice' is not known; there are all, paper, strict"):
        load_profile("nice")
