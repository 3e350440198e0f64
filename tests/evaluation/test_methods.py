from pathlib import Path

import pytest

from stgmamba.errors import InputError
from stgmamba.evaluation.methods import compared_weights


def test_weights_of_the_repository_and_of_the_user(tmp_path: Path) -> None:
    assert {"full", "attention", "ren2020"} <= compared_weights("skeleton", True, None, (), ()).keys()
    assert {"full", "no_fsr", "pix2pix"} <= compared_weights("video", True, None, (), ()).keys()
    mine = tmp_path / "a=b.safetensors"
    mine.touch()
    assert compared_weights("video", False, None, [f"mine={mine}"], ()) == {"mine": mine}
    (tmp_path / "x.safetensors").touch()
    assert compared_weights("video", True, tmp_path, (), ()).keys() == {"a=b", "x"}


@pytest.mark.parametrize("text", ["a", "=x", "a="])
def test_texts_of_another_form_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="NAME=FILE"):
        compared_weights("video", False, None, [text], ())


def test_names_are_used_once_and_files_exist(tmp_path: Path) -> None:
    file = tmp_path / "w.safetensors"
    file.touch()
    for named, reserved in (([f"a={file}", f"a={file}"], ()), ([f"ours={file}"], ("ours",))):
        with pytest.raises(InputError, match="another method has this name"):
            compared_weights("video", False, None, named, reserved)
    with pytest.raises(InputError, match="no such file"):
        compared_weights("video", False, None, [f"a={tmp_path / 'nosuch'}"], ())
    with pytest.raises(InputError, match="no such folder"):
        compared_weights("video", True, tmp_path / "nosuch", (), ())
