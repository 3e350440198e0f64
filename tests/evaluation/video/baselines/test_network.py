"""Renderers of networks with random weights."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from stgmamba.evaluation.video.baselines import BASELINES
from stgmamba.evaluation.video.baselines.network import ComparisonRenderer, network
from stgmamba.evaluation.video.evaluate import _build_methods
from stgmamba.limb_warp.retargeting import retarget_to_picture
from stgmamba.person.picture import Picture
from stgmamba.person.pose import DetectedPerson
from stgmamba.skeleton_to_video.model import Config, FrameGenerator
from stgmamba.skeleton_to_video.rendering import NeuralRenderer

from ....support.capsule_figure import HEIGHT, dance_of, draw_figure, moved, person_of, pose_array, wall

TINY = {"widths": (8, 8, 8, 8), "blocks": (0, 0, 0, 0)}


def weights(path: Path, **options: object) -> Path:
    torch.manual_seed(0)
    config = Config(**TINY, **options)  # type: ignore[arg-type]
    model = FrameGenerator(config)
    torch.nn.init.normal_(model.head.weight, std=0.02)
    save_file(model.state_dict(), path, {"config": json.dumps(asdict(config))})
    return path


def person(mask: np.ndarray) -> DetectedPerson:
    figure = person_of(mask)
    return DetectedPerson(figure.skeleton, figure.mask, 0, (), np.zeros(22, np.float32))


@pytest.mark.parametrize(
    "options", [{"warps": False}, {"warps": False, "background": False, "previous": 1}, {"previous": 1}, {}]
)
@pytest.mark.parametrize("size", [HEIGHT, 128])
def test_all_kinds_of_networks_render(tmp_path: Path, options: dict[str, object], size: int) -> None:
    rgb, mask = draw_figure(wall())
    baseline = network(weights(tmp_path / "w.safetensors", **options))(Picture(rgb), person(mask), size)
    assert isinstance(baseline, ComparisonRenderer if options else NeuralRenderer)
    placement = retarget_to_picture(
        dance_of(pose_array(), moved(right_wrist=(-0.3, 1.6, 0.1))), baseline.body, baseline.size
    )
    frames = list(baseline.render_placement(placement))
    assert [frame.shape for frame in frames] == [(*baseline.size[::-1], 3)] * 2
    assert all(frame.dtype == np.uint8 for frame in frames)
    assert not np.array_equal(frames[0], frames[1])
    again = list(baseline.render_placement(placement, (0.9, complex(-5, -8))))
    assert not np.array_equal(again[0], frames[0])


def test_comparison_renderer_of_an_untrained_network_with_warps_is_the_limb_warp() -> None:
    rgb, mask = draw_figure(wall())
    model = FrameGenerator(Config(**TINY, previous=1))  # type: ignore[arg-type]
    renderer = ComparisonRenderer(Picture(rgb), person(mask), 256, model=model)
    warp = BASELINES["limb_warp"](Picture(rgb), person(mask), 256)
    placement = retarget_to_picture(dance_of(pose_array(), moved(left_wrist=(0.3, 1.6, 0.1))), warp.body, warp.size)
    frames = list(renderer.render_placement(placement))
    assert len(frames) == 2
    for frame, expected in zip(frames, warp.render_placement(placement), strict=True):
        assert np.abs(frame.astype(int) - expected).mean() < 1.5


def test_methods_of_an_evaluation(tmp_path: Path) -> None:
    mine = weights(tmp_path / "mine.safetensors")
    pix2pix = weights(tmp_path / "pix2pix.safetensors", warps=False, background=False)
    assert list(_build_methods(mine, {"pix2pix": pix2pix})) == ["ours", "pix2pix", *BASELINES]
    assert list(_build_methods(None, {})) == ["ours", *BASELINES]
