"""LPIPS, FID and FVD with random weights of the names and shapes of the published ones."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from stgmamba.errors import InputError
from stgmamba.evaluation.video.metrics.fid import FidInception, load_fid
from stgmamba.evaluation.video.metrics.fvd import I3d, load_fvd
from stgmamba.evaluation.video.metrics.lpips import Lpips, load_lpips
from stgmamba.evaluation.video.metrics.networks import Networks, load_networks
from stgmamba.evaluation.video.metrics.weights import load_weights, read_tensors


def random_weights(network: nn.Module, **extra: torch.Tensor) -> dict[str, torch.Tensor]:
    """Random weights scaled such that the variance of signals is about constant over layers."""
    generator = torch.Generator().manual_seed(0)
    state = dict(network.state_dict()) | extra
    for name, value in state.items():
        if name.endswith("weight") and value.ndim > 1:
            fan = value[0].numel()
            state[name] = torch.randn(value.shape, generator=generator) * (2 / fan) ** 0.5
    return state


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Files in the published form, with parts that are not used."""
    folder = tmp_path_factory.mktemp("weights")
    paths = {name: folder / f"{name}.pth" for name in ("lpips", "fid", "fvd")}
    torch.save(random_weights(Lpips(), **{"classifier.6.bias": torch.zeros(1000)}), paths["lpips"])
    torch.save(random_weights(FidInception(), **{"fc.weight": torch.zeros(1008, 2048)}), paths["fid"])
    torch.save(random_weights(I3d()), paths["fvd"])
    return paths


def frames(seed: int, count: int = 2, side: int = 64) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def test_lpips_is_a_distance(files: dict[str, Path]) -> None:
    measure = load_lpips(files["lpips"])
    a, b = frames(0), frames(1)
    assert measure(a, a) == 0
    assert measure(a, b) == pytest.approx(measure(b, a), rel=1e-5)
    near = np.clip(a.astype(int) + 4, 0, 255).astype(np.uint8)
    assert 0 < measure(near, a) < 0.5 * measure(b, a)


def test_lpips_by_its_definition(files: dict[str, Path]) -> None:
    """The first layer by numpy; the heads of the others are set to zero."""
    network = Lpips()
    load_weights(network, files["lpips"], "AlexNet", ignore=("classifier.",))
    network.heads = [network.heads[0], *(0 * head for head in network.heads[1:])]
    a, b = (torch.from_numpy(frames(seed, 1)).permute(0, 3, 1, 2) / 255 for seed in (0, 1))
    weights, bias = network.features[0].weight, network.features[0].bias
    units = []
    for x in (a, b):
        scaled = (2 * x - 1 - torch.tensor([-0.030, -0.088, -0.188]).view(3, 1, 1)) / torch.tensor(
            [0.458, 0.448, 0.450]
        ).view(3, 1, 1)
        y = torch.conv2d(scaled, weights, bias, stride=4, padding=2).clamp(min=0)[0].detach().numpy()
        units.append(y / np.linalg.norm(y, axis=0))
    head = network.heads[0].numpy()[0]
    expected = (head * (units[0] - units[1]) ** 2).sum(axis=0).mean()
    assert float(network(a, b)) == pytest.approx(float(expected), rel=1e-4)


def test_fid_and_fvd_features_have_their_shapes(files: dict[str, Path]) -> None:
    inception, i3d = load_fid(files["fid"]), load_fvd(files["fvd"])
    features = inception(frames(0))
    assert features.shape == (2, 2048)
    assert np.isfinite(features).all()
    assert np.abs(features[0] - features[1]).max() > 0
    clips = i3d(frames(0, 20))
    assert clips.shape == (1, 400)
    assert clips.std() > 0
    assert i3d(frames(0, 15)).shape == (0, 400)


def test_numbers_of_parameters_are_those_of_the_published_networks() -> None:
    # Parameters of Inception v3 without its classifiers (torchvision's 27,161,264 less 3,326,696 of the auxiliary one
    # and 2,049,000 of the last layer), of I3D with 400 actions, and of AlexNet's convolutions.
    def count(network: nn.Module) -> int:
        return sum(parameter.numel() for parameter in network.parameters())

    assert count(FidInception()) == 27_161_264 - 3_326_696 - 2_049_000
    assert count(I3d()) == 12_697_264
    assert count(Lpips()) == 2_469_696


def test_only_networks_with_weights_are_loaded(files: dict[str, Path]) -> None:
    assert load_networks() == Networks()
    assert list(load_networks(fid=files["fid"]).embeddings) == ["fid"]


def test_safetensors_are_read_too(tmp_path: Path) -> None:
    save_file(random_weights(Lpips()), tmp_path / "alex.safetensors")
    assert load_lpips(tmp_path / "alex.safetensors")(frames(0), frames(0)) == 0


def test_weights_of_another_network_are_refused(files: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="AlexNet"):
        load_lpips(files["fvd"])
    with pytest.raises(InputError, match="pytorch-fid"):
        load_fid(files["lpips"])
    state = torch.load(files["lpips"], weights_only=True)
    torch.save(state | {"more.weight": torch.zeros(1)}, tmp_path / "more.pth")
    with pytest.raises(InputError, match=r"no more\.weight"):
        load_lpips(tmp_path / "more.pth")
    torch.save(state | {"features.0.bias": torch.zeros(3)}, tmp_path / "shape.pth")
    with pytest.raises(InputError, match=r"\[64\] and is \[3\]"):
        load_lpips(tmp_path / "shape.pth")


class Trap:
    """Unpickling it would execute code."""

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path("sprung"),))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_nothing_in_a_file_is_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"features.0.weight": Trap()}, tmp_path / "trap.pth")
    torch.jit.save(torch.jit.script(nn.Linear(2, 2)), str(tmp_path / "script.pt"))
    (tmp_path / "text.pth").write_text("no weights")
    (tmp_path / "text.safetensors").write_text("no weights")
    torch.save([torch.zeros(1)], tmp_path / "list.pth")
    for name in ("trap.pth", "script.pt", "text.pth", "text.safetensors", "list.pth", "nosuch.pth"):
        with pytest.raises(InputError, match=name):
            read_tensors(tmp_path / name, "weights")
    assert not (tmp_path / "sprung").exists()
