from __future__ import annotations

import re
from pathlib import Path

import pytest

from stgmamba.builder.page import strip, write_page
from stgmamba.datasets.clips import ClipDataset
from stgmamba.errors import InputError

from ..support.clip_dataset import write_clip_dataset


def test_the_page_shows_clips_with_the_reasons_against_them(tmp_path: Path) -> None:
    write_clip_dataset(tmp_path, [{"source": "<b>.mp4"}, {"text": 0.5, "seconds": 3.0}])
    page = tmp_path / "page.html"
    assert write_page(tmp_path, page) == 2
    text = page.read_text()
    assert text.count("<article>") == text.count("data:image/jpeg;base64,") == 2
    assert "&lt;b&gt;.mp4" in text
    assert "captions cover too much (text 0.5, at most 0.07)" in text
    assert not re.search(r'src="(?!data:)|href=', text)  # it needs nothing beside it
    assert write_page(tmp_path, page, clips=1) == 1


def test_beats_and_steps_are_under_the_frames(tmp_path: Path) -> None:
    write_clip_dataset(tmp_path, [{}], frames=25)
    picture = strip(ClipDataset(tmp_path), 0)
    line = picture[-28:]
    grey = (line == 150).all(axis=2).any(axis=0)
    columns = [i for i in range(len(grey)) if grey[i] and not grey[i - 1]]
    assert columns == pytest.approx([0, picture.shape[1] / 2], abs=2)  # beats at 0 and 0.5 s of 1 s


def test_pages_that_cannot_be_are_refused(tmp_path: Path) -> None:
    write_clip_dataset(tmp_path, [{}])
    with pytest.raises(InputError, match=r"must end in \.html"):
        write_page(tmp_path, tmp_path / "page.txt")
    with pytest.raises(InputError, match="0 clips shows nothing"):
        write_page(tmp_path, tmp_path / "page.html", clips=0)
