from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

MODULE = """
import numpy as np
from stgmamba.jit import jit

@jit()
def total(values):
    result = values[0] * 0
    for value in values:
        result += value
    return result
"""
CALL = """
import sys
import numpy as np
sys.path.insert(0, sys.argv[1])
from kernel import total
for kind in sys.argv[2:]:
    assert total(np.arange(10, dtype=kind)) == 45, kind
"""
KINDS = ["float32", "float64", "int32", "int64"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "kernel.py").write_text(MODULE)
    return tmp_path


def call(folder: Path, *kinds: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", CALL, str(folder), *kinds])


def test_processes_that_compile_at_once_leave_a_whole_cache(folder: Path) -> None:
    """Numba's own cache loses entries here, and now and then calls the code of another signature."""
    running = [call(folder, *KINDS[i:], *KINDS[:i]) for i in range(4)]
    assert [process.wait() for process in running] == [0, 0, 0, 0]
    assert len(list(folder.glob("__pycache__/*.nbc"))) == len(KINDS)
    assert call(folder, *KINDS).wait() == 0
    assert len(list(folder.glob("__pycache__/*.nbc"))) == len(KINDS)


@pytest.fixture
def read_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """A read-only installation, and a home that cannot be written either."""
    monkeypatch.setenv("NUMBA_CACHE_LOCATOR_CLASSES", "UserProvidedCacheLocator")
    monkeypatch.setenv("NUMBA_CACHE_DIR", "")


@pytest.mark.usefixtures("read_only")
def test_a_read_only_installation_caches_with_the_temporary_files(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (temporary := tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    assert call(folder, "float32").wait() == 0
    assert not list(folder.glob("__pycache__/*.nbc"))
    assert len(list(temporary.rglob("*.nbc"))) == 1
    (own,) = temporary.glob("stgmamba-numba-*")
    assert own.stat().st_mode & 0o077 == 0


@pytest.mark.usefixtures("read_only")
def test_a_folder_of_temporary_files_that_others_can_write_is_not_trusted(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (planted := tmp_path / f"stgmamba-numba-{os.getuid()}").mkdir()
    planted.chmod(0o777)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert call(folder, "float32").wait() == 0
    assert not list(planted.iterdir())


@pytest.mark.usefixtures("read_only")
def test_libraries_that_need_a_cache_can_be_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    program = "import stgmamba.jit; from librosa.core.notation import fifths_to_note"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_works_where_nothing_can_be_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_CACHE_LOCATOR_CLASSES", "UserProvidedCacheLocator")
    monkeypatch.setenv("NUMBA_CACHE_DIR", "")
    monkeypatch.setattr("tempfile.tempdir", None)
    program = "import tempfile; tempfile._candidate_tempdir_list = list\n" + CALL
    running = subprocess.run([sys.executable, "-c", program, str(folder), "float32"], check=False)
    assert running.returncode == 0
    assert not list(folder.glob("__pycache__/*.nbc"))


@pytest.mark.parametrize("damage", [b"", b"not a pickle", None])
@pytest.mark.parametrize("kind", ["nbi", "nbc"])
def test_a_damaged_cache_is_made_anew(folder: Path, kind: str, damage: bytes | None) -> None:
    """None: a pickle of a module that is gone, as after an update that moved files."""
    assert call(folder, "float32").wait() == 0
    [file] = folder.glob(f"__pycache__/*.{kind}")
    gone = b"cstgmamba.gone\nname\n."
    file.write_bytes(gone if damage is None else damage)
    assert call(folder, "float32").wait() == 0
    assert file.stat().st_size > 100
    assert call(folder, "float32").wait() == 0
