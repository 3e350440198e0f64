from __future__ import annotations

import json
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from stgmamba.builder.sources import Source, fetch, list_sources
from stgmamba.errors import InputError


def test_folders_are_searched_with_their_subfolders_and_links_in_a_circle_end(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    names = ["1.mp4", "with space.MOV", "quote'\".mp4", "line\nbreak.mp4", "танец.webm", "notes.txt"]
    for name in names:
        (tmp_path / "a" / name).touch()
    (tmp_path / "a" / "circle").symlink_to(tmp_path)
    found = list_sources([str(tmp_path)])
    assert sorted(Path(source.file).name for source in found) == sorted(names[:-1])


@pytest.mark.parametrize("suffix", ["txt", "csv", "jsonl"])
def test_lists_name_files_beside_them_and_addresses(tmp_path: Path, suffix: str) -> None:
    rows = [{"file": "a.mp4", "style": "waltz", "fps": 25}, {"file": "https://example.org/b.mp4", "licence": "CC0"}]
    text = {
        "txt": "# dances\na.mp4\n\nhttps://example.org/b.mp4\n",
        "csv": "file,style,fps,licence\na.mp4,waltz,25,\nhttps://example.org/b.mp4,,,CC0\n",
        "jsonl": "\n".join(map(json.dumps, rows)),
    }[suffix]
    path = tmp_path / f"list.{suffix}"
    path.write_text(text)
    known = suffix != "txt"
    assert list_sources([str(path)]) == [
        Source(str(tmp_path / "a.mp4"), style="waltz" if known else "", fps=25.0 if known else 0.0),
        Source("https://example.org/b.mp4", licence="CC0" if known else ""),
    ]


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("a.csv", "path\nx.mp4\n", "every row needs a `file`"),
        ("a.csv", "file,colour\nx.mp4,red\n", "unknown column 'colour'"),
        ("a.csv", "file,fps\nx.mp4,fast\n", "could not convert"),
        ("a.jsonl", "{", "not a list of videos"),
        ("a.txt", "\n", "there is no video here"),
    ],
)
def test_malformed_lists_are_refused(tmp_path: Path, name: str, text: str, complaint: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=complaint):
        list_sources([str(tmp_path / name)])


def test_what_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such file or folder"):
        list_sources([str(tmp_path / "none.mp4")])
    with pytest.raises(InputError, match="there is no such file"):
        fetch(Source(str(tmp_path / "none.mp4")), tmp_path)


def test_addresses_are_downloaded_once(tmp_path: Path) -> None:
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "a.mp4").write_bytes(b"moving pictures")
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "served"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        path = fetch(Source(f"{url}/a.mp4"), tmp_path / "downloads")
        with pytest.raises(InputError, match="cannot be downloaded"):
            fetch(Source(f"{url}/none.mp4"), tmp_path / "downloads")
        server.shutdown()
    assert path.read_bytes() == b"moving pictures"
    assert fetch(Source(f"{url}/a.mp4"), tmp_path / "downloads") == path
    assert [file.name for file in (tmp_path / "downloads").iterdir()] == [path.name]
