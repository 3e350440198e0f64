from pathlib import Path

import pytest

from stgmamba.errors import InputError
from stgmamba.evaluation.methods import Comparison


def test_weights_of_the_repository_and_of_the_user(tmp_path: Path) -> None:
    assert {"full", "attention", "ren2020"} <= Comparison().other_weights("skeleton", ()).keys()
    assert {"full", "no_fsr", "pix2pix"} <= Comparison().other_weights("video", ()).keys()
    mine = tmp_path / "a=b.safetensors"
    mine.touch()
    assert Comparison(compare=False, named=[f"mine={mine}"]).other_weights("video", ()) == {"mine": mine}
    (tmp_path / "x.safetensors").touch()
    assert Comparison(folder=tmp_path).other_weights("video", ()).keys() == {"a=b", "x"}


@pytest.mark.parametrize("text", ["a", "=x", "a="])
def test_texts_of_another_form_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="NAME=FILE"):
        Comparison(compare=False, named=[text]).other_weights("video", ())


def test_names_are_used_once_and_files_exist(tmp_path: Path) -> None:
    file = tmp_path / "w.safetensors"
    file.touch()
    for named, reserved in (([f"a={file}", f"a={file}"], ()), ([f"ours={file}"], ("ours",))):
        with pytest.raises(InputError, match="another method has this name"):
            Comparison(compare=False, named=named).other_weights("video", reserved)
    with pytest.raises(InputError, match="no such file"):
        Comparison(compare=False, named=[f"a={tmp_path / 'nosuch'}"]).other_weights("video", ())
    with pytest.raises(InputError, match="no such folder"):
        Comparison(folder=tmp_path / "nosuch").other_weights("video", ())
