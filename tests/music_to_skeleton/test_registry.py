from typing import Any

from stgmamba.music_to_skeleton.model import Config, MusicToSkeleton, SelectiveSSM
from stgmamba.music_to_skeleton.registry import build_network
from stgmamba.music_to_skeleton.ren2020 import Ren2020

SIZES: dict[str, Any] = {"channels": 8, "inner": 16, "states": 1, "blocks": 1, "music_channels": 8}


def test_a_config_names_its_network() -> None:
    ours = build_network(Config(**SIZES))
    assert isinstance(ours, MusicToSkeleton)
    assert any(isinstance(module, SelectiveSSM) for module in ours.modules())
    twin = build_network(Config(**SIZES, mixer="attention"))
    assert isinstance(twin, MusicToSkeleton)
    assert not any(isinstance(module, SelectiveSSM) for module in twin.modules())
    assert isinstance(build_network(Config(**SIZES, network="ren2020", fps=12.5)), Ren2020)
