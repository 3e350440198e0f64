from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from stgmamba.errors import InputError
from stgmamba.music_to_skeleton.initialisation import read_teacher, start_from
from stgmamba.music_to_skeleton.model import Config, MusicToSkeleton


def small(styles: tuple[str, ...], channels: int = 8) -> Config:
    return Config(channels=channels, inner=16, states=2, blocks=1, music_channels=8, styles=styles)


SMALL = small(("waltz", "tango"))


def weights(folder: Path) -> tuple[Path, MusicToSkeleton]:
    torch.manual_seed(0)
    model = MusicToSkeleton(SMALL)
    model.mean += 0.5
    path = folder / "weights.safetensors"
    save_file(model.state_dict(), path, {"config": json.dumps(dataclasses.asdict(SMALL))})
    return path, model


def test_a_new_style_is_added_and_the_old_ones_stay(tmp_path: Path) -> None:
    path, old = weights(tmp_path)
    styles = ("shuffle", "waltz", "tango", "jumpstyle")
    new, again = MusicToSkeleton(small(styles)), MusicToSkeleton(small(styles))
    start_from(new, path)
    start_from(again, path)
    assert torch.equal(again.style.weight, new.style.weight)
    before, after = old.style.weight.chunk(2), new.style.weight.chunk(2)
    for plain, grown in zip(before, after, strict=True):  # as they are, and mirrored
        assert torch.equal(grown[1:3], plain[:2])
        assert torch.equal(grown[4], plain[2])  # the null class
        apart = torch.cdist(grown[:4], grown[:4])[torch.triu_indices(4, 4, 1).unbind()]
        assert apart.min() > 0.2 * torch.dist(plain[0], plain[1])
    assert torch.equal(new.mean, old.mean)
    assert torch.equal(new.head, old.head)


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path, _ = weights(tmp_path)
    with pytest.raises(InputError, match="knows tango; name all its styles"):
        start_from(MusicToSkeleton(small(("waltz",))), path)
    with pytest.raises(InputError, match="of other sizes"):
        start_from(MusicToSkeleton(dataclasses.replace(SMALL, channels=16)), path)


def test_a_style_added_to_those_of_the_shipped_weights_leaves_their_settings() -> None:
    shipped, grown = Config(), Config(styles=(*Config().styles, "shuffle"))
    for name in ("temperatures", "guidance", "music_inputs", "style_sources", "smoothing"):
        assert getattr(grown, name)[:-1] == getattr(shipped, name)
    assert (grown.temperatures[-1], grown.guidance[-1], grown.music_inputs[-1]) == (1.0, 1.0, "sound")


def test_music_that_the_weights_do_not_hear_changes_nothing_at_first(tmp_path: Path) -> None:
    path, old = weights(tmp_path)
    new = MusicToSkeleton(dataclasses.replace(SMALL, music_modulation=True, music_features=6))
    start_from(new, path)
    wave, features = torch.randn(1, 4, SMALL.window_samples), torch.randn(1, 4, 6)
    style = torch.zeros(1, dtype=torch.long)
    x, t = torch.randn(1, 8, 23, 3), torch.tensor([0.5])
    dances = [each.eval()(x, t, each.encode_audio(wave, features), style, style) for each in (old, new)]
    torch.testing.assert_close(dances[0], dances[1])


def test_a_teacher_must_dance_as_the_student_can_learn_to(tmp_path: Path) -> None:
    path, old = weights(tmp_path)
    student = MusicToSkeleton(dataclasses.replace(SMALL, sampling_steps=2))
    with pytest.raises(InputError, match="normalises dances otherwise"):
        read_teacher(path, student)
    student.mean = old.mean
    assert torch.equal(read_teacher(path, student).head, old.head)
    with pytest.raises(InputError, match="has styles"):
        read_teacher(path, MusicToSkeleton(small(("waltz",))))
