from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stgmamba.errors import InputError
from stgmamba.skeleton import LAYOUTS, Skeleton
from stgmamba.skeleton.formats import read_skeleton, write_skeleton

from ...support.input_errors import read_or_refused

quick = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@quick
@given(
    seed=st.integers(0, 9999),
    name=st.sampled_from(sorted(LAYOUTS)),
    frames=st.integers(1, 9),
    dims=st.sampled_from([2, 3]),
    fps=st.floats(0.1, 240.0),
    size=st.none() | st.tuples(st.integers(1, 9999), st.integers(1, 9999)),
)
def test_round_trip_is_exact(
    tmp_path: Path, seed: int, name: str, frames: int, dims: int, fps: float, size: tuple[int, int] | None
) -> None:
    rng = np.random.default_rng(seed)
    layout = LAYOUTS[name]
    positions = rng.normal(size=(frames, len(layout), dims)) * 10.0 ** rng.integers(-3, 5)
    skeleton = Skeleton(positions, fps, layout, rng.uniform(size=(frames, len(layout))), size)
    write_skeleton(tmp_path / "a.npz", skeleton)
    read = read_skeleton(tmp_path / "a.npz")
    np.testing.assert_array_equal(read.positions, skeleton.positions)
    np.testing.assert_array_equal(read.confidence, skeleton.confidence)
    assert (read.fps, read.layout, read.size) == (fps, layout, size)


@quick
@given(garbage=st.binary(max_size=200), length=st.floats(0, 1, exclude_max=True))
def test_garbage_and_truncated_files_are_refused(tmp_path: Path, garbage: bytes, length: float) -> None:
    path = tmp_path / "a.npz"
    write_skeleton(path, Skeleton(np.ones((2, 18, 2)), 25, LAYOUTS["openpose18"]))
    whole = path.read_bytes()
    for data in (garbage, whole[: int(length * len(whole))]):
        path.write_bytes(data)
        with pytest.raises(InputError, match=r"a\.npz"):
            read_skeleton(path)


@quick
@given(garbage=st.binary(min_size=1, max_size=40), position=st.floats(0, 1, exclude_max=True))
def test_flipped_bytes_are_refused_or_harmless(tmp_path: Path, garbage: bytes, position: float) -> None:
    path = tmp_path / "a.npz"
    skeleton = Skeleton(np.arange(72.0).reshape(2, 18, 2), 30, LAYOUTS["openpose18"], size=(64, 48))
    write_skeleton(path, skeleton)
    whole = path.read_bytes()
    start = int(position * len(whole))
    path.write_bytes(whole[:start] + garbage + whole[start + len(garbage) :])
    read = read_or_refused(read_skeleton, path)
    if read is not None:
        # Some bytes are not read, those of the date for example; arrays that are read have a checksum.
        np.testing.assert_array_equal(read.positions, skeleton.positions)
        np.testing.assert_array_equal(read.confidence, skeleton.confidence)
        assert (read.fps, read.layout) == (30, LAYOUTS["openpose18"])
        assert read.size in (skeleton.size, None)  # an array under another name is an optional one that is missing


GOOD = {
    "positions": np.zeros((2, 18, 2), np.float32),
    "fps": np.float64(25),
    "layout": np.array("openpose18"),
    "confidence": np.ones((2, 18), np.float32),
    "size": np.array([64, 48]),
}


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("positions", None, "'positions' is missing"),
        ("positions", np.zeros((0, 18, 2)), "no frames"),
        ("positions", np.zeros((2, 17, 2)), "positions must be"),
        ("positions", np.full((2, 18, 2), np.nan), "not finite"),
        ("positions", np.full((2, 18, 2), 1e300), "not finite"),
        ("positions", np.full((2, 18, 2), "x"), "not hold numbers"),
        ("positions", np.float32(3), "not a skeleton"),
        ("layout", np.array("spider"), "unknown layout 'spider'"),
        ("fps", np.float64(0), "fps must be positive"),
        ("fps", np.array([25.0, 30.0]), "fps is not one number"),
        ("confidence", np.full((2, 18), 1.5), "0..1"),
        ("confidence", np.ones((3, 18)), "confidence must be"),
        ("size", np.array([64, 0]), "size is not"),
        ("size", np.array([64]), "size is not"),
        ("positions", np.array([[{}]], dtype=object), "not a readable npz"),
    ],
)
def test_each_wrong_array_is_named(tmp_path: Path, name: str, value: np.ndarray | None, says: str) -> None:
    arrays = GOOD | {name: value}
    np.savez(tmp_path / "a.npz", **{key: array for key, array in arrays.items() if array is not None})
    with pytest.raises(InputError, match=says):
        read_skeleton(tmp_path / "a.npz")


def test_confidence_and_size_may_be_missing(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **{key: GOOD[key] for key in ("positions", "fps", "layout")})
    read = read_skeleton(tmp_path / "a.npz")
    assert (read.confidence == 1).all()
    assert read.size is None


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, sway: Skeleton, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.npz"
    write_skeleton(path, sway)
    before = path.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(InputError, match="No space left"):
        write_skeleton(path, sway)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
