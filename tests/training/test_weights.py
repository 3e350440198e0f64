import dataclasses
import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from stgmamba.errors import InputError
from stgmamba.music_to_skeleton.model import Config as SkeletonConfig
from stgmamba.skeleton_to_video.model import Config as VideoConfig
from stgmamba.training.weights import default_weights, read_network


def build(values: dict[str, int]) -> nn.Linear:
    return nn.Linear(values["inputs"], 2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_a_network_comes_back_from_its_file(tmp_path: Path, dtype: torch.dtype) -> None:
    kept = nn.Linear(3, 2)
    path = tmp_path / "weights.safetensors"
    save_file({name: value.to(dtype) for name, value in kept.state_dict().items()}, path, {"config": '{"inputs": 3}'})
    network = read_network(path, build)
    assert not network.training
    assert network.weight.dtype == torch.float32
    torch.testing.assert_close(network.weight, kept.weight, atol=1e-3 if dtype == torch.float16 else 0, rtol=0)


@pytest.mark.parametrize("metadata", [{}, {"config": "no json"}, {"config": json.dumps({"inputs": 4})}])
def test_other_files_are_refused_in_a_sentence(tmp_path: Path, metadata: dict[str, str]) -> None:
    path = tmp_path / "weights.safetensors"
    save_file(nn.Linear(3, 2).state_dict(), path, metadata)
    with pytest.raises(InputError, match="not weights of this network"):
        read_network(path, build)
    with pytest.raises(InputError, match="no such weights"):
        read_network(tmp_path / "none.safetensors", build)


@pytest.mark.parametrize(
    ("name", "config"),
    [("music_to_skeleton", SkeletonConfig()), ("skeleton_to_video", VideoConfig())],
)
def test_the_default_config_is_that_of_the_shipped_weights(name: str, config: object) -> None:
    with safe_open(default_weights(name), framework="pt") as file:
        shipped = json.loads(file.metadata()["config"])
    assert shipped == json.loads(json.dumps(dataclasses.asdict(config)))  # type: ignore[call-overload]


def test_weights_that_the_package_lacks_are_a_sentence() -> None:
    assert default_weights("music_to_skeleton").is_file()
    with pytest.raises(InputError, match=r"nosuch\.safetensors: .*train some"):
        default_weights("nosuch")
