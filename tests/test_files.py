from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from stgmamba.errors import InputError
from stgmamba.files import atomic_output, check_can_write, check_input, parse_json, parse_yaml


def write(path: Path, text: str = "new") -> None:
    with atomic_output(path) as part:
        part.write_text(text)


def test_an_output_through_a_link_is_written_where_it_points(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    target, link = tmp_path / "elsewhere" / "film.mp4", tmp_path / "link.mp4"
    link.symlink_to(target)
    check_can_write(link)
    write(link)
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["film.mp4"]


@pytest.mark.parametrize("name", ["x" * 251 + ".mp4", "ф" * 125 + ".mp4"])
def test_the_longest_names_can_be_written(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    check_can_write(path, (".mp4",))
    write(path)
    assert path.read_text() == "new"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("x" * 260 + ".mp4", "cannot be a file's name"),
        ("ф" * 130 + ".mp4", "cannot be a file's name"),
        ("file/out.mp4", "is a file, not a folder"),
        ("nowhere/out.mp4", "does not exist"),
        ("circle/out.mp4", "circle"),
        ("film.avi", "must end in .mp4"),
        (".", "must end in .mp4"),
    ],
)
def test_outputs_that_cannot_be_written_are_refused(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(InputError, match=message):
        check_can_write(tmp_path / name, (".mp4",))


def test_a_device_is_no_output(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="device or a pipe"):
        check_can_write(os.devnull)
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(InputError, match="device or a pipe"):
        check_can_write(tmp_path / "pipe.mp4")


def test_what_stops_a_write_leaves_the_older_file(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    write(path, "old")

    def half(fault: BaseException) -> None:
        with atomic_output(path) as part:
            part.write_text("half")
            raise fault

    with pytest.raises(KeyboardInterrupt):
        half(KeyboardInterrupt())
    with pytest.raises(InputError, match="no space left"):
        half(OSError(28, "no space left"))
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["film.mp4"]


def test_the_next_writer_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    path, other = tmp_path / "film.mp4", tmp_path / "other.mp4"
    code = """
import os, sys
from pathlib import Path
from stgmamba.files import atomic_output
for name in sys.argv[1:]:
    part = atomic_output(Path(name)).__enter__()
    part.write_text("half")
os.kill(os.getpid(), 9)
"""
    assert subprocess.run([sys.executable, "-c", code, path, other]).returncode == -9
    assert len(list(tmp_path.iterdir())) == 2
    write(path)
    assert path.read_text() == "new"
    assert len(list(tmp_path.glob("*.part*"))) == 1  # of the other output


def test_two_writers_of_one_output_do_not_disturb_each_other(tmp_path: Path) -> None:
    path, inside, leave = tmp_path / "film.mp4", threading.Event(), threading.Event()

    def slow() -> None:
        with atomic_output(path) as part:
            part.write_text("slow")
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=slow)
    thread.start()
    inside.wait(10)
    write(path, "fast")
    assert path.read_text() == "fast"
    leave.set()
    thread.join()
    assert path.read_text() == "slow"
    assert [file.name for file in tmp_path.iterdir()] == ["film.mp4"]


def test_a_pipe_becomes_a_file(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    thread = threading.Thread(target=lambda: pipe.write_bytes(b"sound" * 50_000))
    thread.start()
    copy = check_input(pipe)
    thread.join()
    assert copy.read_bytes() == b"sound" * 50_000
    thread = threading.Thread(target=lambda: pipe.write_bytes(b""))
    thread.start()
    with pytest.raises(InputError, match="nothing came out"):
        check_input(pipe)
    thread.join()


@pytest.mark.parametrize("name", ["missing", "file/below", "x" * 300, "circle"])
def test_missing_inputs_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(InputError, match=r"no such file|cannot be read"):
        check_input(tmp_path / name)
    with pytest.raises(InputError, match="is a folder"):
        check_input(tmp_path)
    assert check_input(tmp_path, folder=True) == tmp_path
    with pytest.raises(InputError, match="device"):
        check_input(os.devnull)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "[" * 100_000 + "]" * 100_000])
def test_values_nested_too_deeply_are_refused(text: str) -> None:
    for parse in (parse_json, parse_yaml):
        with pytest.raises(ValueError, match=r"^(it is nested too deeply|Expecting|Unterminated|no YAML: .*)"):
            parse(text)


def test_what_is_no_yaml_is_said_in_one_line() -> None:
    with pytest.raises(ValueError, match=r"^no YAML: .* in line 3$") as caught:
        parse_yaml("a: 1\nb: [\n")
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="no YAML"):
        parse_yaml("!!python/object/apply:os.system ['true']")
    assert parse_yaml("a: [1, 2]") == parse_json('{"a": [1, 2]}') == {"a": [1, 2]}
