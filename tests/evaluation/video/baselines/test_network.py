"""Networks without training: they have to fit in, not to be good."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("stgmamba.skeleton_to_video.rendering")

from dataclasses import asdict

from safetensors.torch import save_file

from stgmamba.evaluation.video.baselines import REENACTORS
from stgmamba.evaluation.video.baselines.network import PeerRenderer, network
from stgmamba.evaluation.video.evaluate import _methods
from stgmamba.limb_warp.retargeting import place_dance
from stgmamba.person.picture import Picture
from stgmamba.person.pose import PersonInPicture
from stgmamba.skeleton_to_video.model import Config, FrameGenerator
from stgmamba.skeleton_to_video.rendering import NetworkRenderer

from ....support.capsule_figure import HEIGHT, dance_of, draw_figure, moved, person_of, pose_array, wall

TINY = {"widths": (8, 8, 8, 8), "blocks": (0, 0, 0, 0)}


def weights(path: Path, **options: object) -> Path:
    torch.manual_seed(0)
    config = Config(**TINY, **options)  # type: ignore[arg-type]
    model = FrameGenerator(config)
    torch.nn.init.normal_(model.leave.weight, std=0.02)
    save_file(model.state_dict(), path, {"config": json.dumps(asdict(config))})
    return path


def person(mask: np.ndarray) -> PersonInPicture:
    found = person_of(mask)
    return PersonInPicture(found.skeleton, found.mask, 0, (), np.zeros(22, np.float32))


@pytest.mark.parametrize(
    "options", [{"warps": False}, {"warps": False, "background": False, "previous": 1}, {"previous": 1}, {}]
)
@pytest.mark.parametrize("size", [HEIGHT, 128])
def test_all_kinds_of_networks_draw(tmp_path: Path, options: dict[str, object], size: int) -> None:
    rgb, mask = draw_figure(wall())
    reenactor = network(weights(tmp_path / "w.safetensors", **options))(Picture(rgb), person(mask), size)
    assert isinstance(reenactor, PeerRenderer if options else NetworkRenderer)
    placement = place_dance(dance_of(pose_array(), moved(right_wrist=(-0.3, 1.6, 0.1))), reenactor.body, reenactor.size)
    frames = list(reenactor.frames_of(placement))
    assert [frame.shape for frame in frames] == [(*reenactor.size[::-1], 3)] * 2
    assert all(frame.dtype == np.uint8 for frame in frames)
    assert not np.array_equal(frames[0], frames[1])
    again = list(reenactor.frames_of(placement, (0.9, complex(-5, -8))))
    assert not np.array_equal(again[0], frames[0])


def test_an_untrained_network_with_warps_is_the_limb_warp_in_the_peers_renderer_too() -> None:
    rgb, mask = draw_figure(wall())
    model = FrameGenerator(Config(**TINY, previous=1))  # type: ignore[arg-type]
    peer = PeerRenderer(Picture(rgb), person(mask), 256, model=model)
    warp = REENACTORS["limb_warp"](Picture(rgb), person(mask), 256)
    placement = place_dance(dance_of(pose_array(), moved(left_wrist=(0.3, 1.6, 0.1))), warp.body, warp.size)
    for made, wanted in zip(peer.frames_of(placement), warp.frames_of(placement), strict=True):
        assert np.abs(made.astype(int) - wanted).mean() < 1.5


def test_what_is_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stgmamba.evaluation.video.evaluate.WEIGHTS", tmp_path / "nosuch.safetensors")
    monkeypatch.setattr("stgmamba.evaluation.video.evaluate.COMPARED", tmp_path / "compared")
    (tmp_path / "compared").mkdir()
    weights(tmp_path / "compared" / "pix2pix.safetensors", warps=False, background=False)
    mine = weights(tmp_path / "mine.safetensors")
    assert list(_methods(mine, True, {"mine": mine})) == ["ours", "pix2pix", "mine", *REENACTORS]
    assert list(_methods(None, False, {})) == list(REENACTORS)
