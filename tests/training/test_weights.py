import dataclasses
import json
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from stgmamba.errors import InputError
from stgmamba.music_to_skeleton.model import Config as SkeletonConfig
from stgmamba.music_to_skeleton.train import read_skeleton_config
from stgmamba.skeleton_to_video.model import Config as VideoConfig
from stgmamba.training.weights import default_weights, read_network, save_weights

CONFIGS = Path(__file__).parents[2] / "configs"


def build(values: dict[str, int]) -> nn.Linear:
    return nn.Linear(values["inputs"], 2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_a_network_comes_back_from_its_file(tmp_path: Path, dtype: torch.dtype) -> None:
    kept = nn.Linear(3, 2)
    path = tmp_path / "weights.safetensors"
    save_weights(path, {name: value.to(dtype) for name, value in kept.state_dict().items()}, {"inputs": 3}, step="7")
    network = read_network(path, build)
    assert not network.training
    assert network.weight.dtype == torch.float32
    torch.testing.assert_close(network.weight, kept.weight, atol=1e-3 if dtype == torch.float16 else 0, rtol=0)


@pytest.mark.parametrize("padding", range(0, 256, 8))
def test_a_header_of_any_length_is_no_pickle(tmp_path: Path, padding: int) -> None:
    """A file begins with the length of its header, whose lowest byte may be that of a pickle."""
    path = tmp_path / "weights.safetensors"
    save_weights(path, nn.Linear(3, 2).state_dict(), {"inputs": 3}, note=" " * padding)
    assert read_network(path, build).weight.shape == (2, 3)


@pytest.mark.parametrize("metadata", [{}, {"config": "no json"}, {"config": json.dumps({"inputs": 4})}])
def test_other_files_are_refused_in_a_sentence(tmp_path: Path, metadata: dict[str, str]) -> None:
    path = tmp_path / "weights.safetensors"
    save_file(nn.Linear(3, 2).state_dict(), path, metadata)
    with pytest.raises(InputError, match="not weights of this network"):
        read_network(path, build)
    with pytest.raises(InputError, match="no such weights"):
        read_network(tmp_path / "none.safetensors", build)


def test_the_shipped_weights_are_of_the_networks_of_their_recipes() -> None:
    recipes = {
        name: SkeletonConfig(**read_skeleton_config(CONFIGS / f"music_to_skeleton_{run}.yaml").model)
        for name, run in (("music_to_skeleton", 5), ("music_to_skeleton_flow", 4))
    }
    for name, config in {**recipes, "skeleton_to_video": VideoConfig()}.items():
        with safe_open(default_weights(name), framework="pt") as file:
            shipped = json.loads(file.metadata()["config"])
        assert shipped == json.loads(json.dumps(dataclasses.asdict(config)))


def test_weights_that_the_package_lacks_are_a_sentence() -> None:
    assert default_weights("music_to_skeleton").is_file()
    with pytest.raises(InputError, match=r"nosuch\.safetensors: .*train some"):
        default_weights("nosuch")


def test_the_default_weights_are_those_whose_checksums_were_released(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder := tmp_path / "weights").mkdir()
    original = default_weights("beat_tracking")
    for path in original.parent.glob("*"):
        (folder / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr("stgmamba.training.weights.resources.files", lambda package: tmp_path)
    for path in folder.glob("*.safetensors"):
        assert default_weights(path.stem) == path
    damaged = bytearray(original.read_bytes())
    damaged[-1] ^= 1
    (folder / original.name).write_bytes(damaged)
    with pytest.raises(InputError, match="damaged or were changed"):
        default_weights("beat_tracking")


@pytest.mark.parametrize("new_format", [False, True])
def test_pickled_weights_are_refused_with_the_reason(tmp_path: Path, new_format: bool) -> None:
    path = tmp_path / "weights.pth"
    torch.save(nn.Linear(3, 2).state_dict(), path, _use_new_zipfile_serialization=new_format)
    with pytest.raises(InputError, match=r"weights\.pth: this is a pickled file .* use weights in safetensors"):
        read_network(path, build)


@settings(max_examples=30, deadline=None)
@given(
    st.dictionaries(st.text(min_size=1, max_size=5), st.lists(st.integers(0, 4), max_size=3), max_size=5),
    st.dictionaries(st.from_regex("[a-z]{2,6}", fullmatch=True), st.text(max_size=9), max_size=6),
)
def test_weights_are_the_same_bytes_whoever_writes_them_and_come_back(
    tmp_path_factory: pytest.TempPathFactory, shapes: dict[str, list[int]], metadata: dict[str, str]
) -> None:
    path = tmp_path_factory.mktemp("weights") / "w.safetensors"
    tensors = {name: torch.rand(shape) for name, shape in shapes.items() if name != "__metadata__"}
    known = {name: value for name, value in metadata.items() if name != "config"}
    contents = {save_weights(path, tensors, {"inputs": 3}, **known).read_bytes() for _ in range(8)}
    assert len(contents) == 1
    with safe_open(path, "pt") as file:
        assert file.metadata() == {"config": '{"inputs": 3}', **known}
        assert set(file.keys()) == set(tensors)
        for name, value in tensors.items():
            assert torch.equal(file.get_tensor(name), value)
