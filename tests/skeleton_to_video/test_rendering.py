"""Rendering with G_r on synthetic figures with known joints."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from stgmamba.limb_warp.renderer import LimbWarpRenderer, retarget_in_view
from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton
from stgmamba.skeleton_to_video.model import Config, FrameGenerator, Inputs
from stgmamba.skeleton_to_video.pose_maps import pose_maps
from stgmamba.skeleton_to_video.rendering import NeuralRenderer, _window

from ..support.capsule_figure import HEIGHT, dance_of, draw_figure, moved, person_of, picture_of, pose_array, wall

SMALL = Config(widths=(8, 8, 8, 8), blocks=(0, 0, 0, 0))


@pytest.fixture(scope="module")
def figure() -> tuple[np.ndarray, np.ndarray]:
    return draw_figure(wall())


def network(trained: bool) -> FrameGenerator:
    torch.manual_seed(0)
    model = FrameGenerator(SMALL)
    if trained:
        torch.nn.init.normal_(model.head.weight, std=0.2)
    return model


def _tensor(picture: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))[None] / 255


@pytest.mark.parametrize("size", [130, 256, HEIGHT])
def test_the_untrained_network_renders_the_limb_warp(figure: tuple[np.ndarray, np.ndarray], size: int) -> None:
    picture, person = picture_of(figure[0]), person_of(figure[1])
    dance = dance_of(pose_array(), moved(right_elbow=(-0.44, 1.50, 0), right_wrist=(-0.40, 1.74, 0)))
    ours = NeuralRenderer(picture, person, size, model=network(trained=False))
    plain = LimbWarpRenderer(picture, person, size)
    assert ours.size == plain.size
    frames = list(ours.frames(dance))
    assert len(frames) == len(dance) == 2
    for frame, expected in zip(frames, plain.frames(dance), strict=True):
        assert frame.dtype == np.uint8
        assert np.abs(frame.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("size", [256, 512])
def test_frames_equal_the_networks_output(figure: tuple[np.ndarray, np.ndarray], size: int) -> None:
    torch.manual_seed(0)
    model = FrameGenerator(SMALL)
    torch.nn.init.normal_(model.head.weight, std=0.2)
    ours = NeuralRenderer(picture_of(figure[0]), person_of(figure[1]), size, model=model)
    placement, view = retarget_in_view(dance_of(pose_array()), ours.body, ours.size)
    plain = LimbWarpRenderer(picture_of(figure[0]), person_of(figure[1]), size)
    window = _window(placement, view, ours.body.torso, ours.size)
    background, (layer,) = plain.background(view), plain.foreground(placement, view)
    layers, empty = _tensor(window.padded_crop(layer)), _tensor(window.padded_crop(background))
    layers[:, 3:] *= 255
    points = (placement.points[0] - (view[1].real, view[1].imag)) * view[0] - (window.left, window.top)
    points, scale = (points + 0.5) * window.input_scale - 0.5, view[0] * window.input_scale
    poses = pose_maps(points, placement.depth[0] * scale, ours.body.torso * scale, window.input_size)
    small = (torch.nn.functional.interpolate(x, size=window.input_size[::-1], mode="area") for x in (layers, empty))
    with torch.no_grad():
        prediction = model.predict(Inputs(*small, torch.from_numpy(poses)[None]))
        composed = model.compose(prediction, layers, empty)[0].permute(1, 2, 0).numpy()
    expected = np.clip(background + 0.5, 0, 255).astype(np.uint8)
    part = window.crop(expected)
    part[:] = np.clip(composed * 255 + 0.5, 0, 255).astype(np.uint8)[: part.shape[0], : part.shape[1]]
    (frame,) = ours.render_placement(placement, view)
    difference = np.abs(frame.astype(int) - expected)
    assert difference.max() <= 1
    assert (difference > 0).mean() < 1e-3


def test_a_trained_network_changes_the_person_only(figure: tuple[np.ndarray, np.ndarray]) -> None:
    picture, person = picture_of(figure[0]), person_of(figure[1])
    ours = NeuralRenderer(picture, person, 256, model=network(trained=True))
    plain = LimbWarpRenderer(picture, person, 256)
    dance = dance_of(*[pose_array()] * 5)
    frames, expected = list(ours.frames(dance)), list(plain.frames(dance))
    changed = np.abs(frames[0].astype(int) - expected[0]).max(axis=2) > 2
    assert 0.01 < changed.mean() < 0.8
    corners = [frame[:30, :15] for frame in (*frames, *expected)]
    assert all(np.array_equal(corner, corners[0]) for corner in corners)
    # A pose that does not change gives equal frames, but for rounding in batches of different sizes.
    assert all(np.abs(frame.astype(int) - frames[0]).max() <= 1 for frame in frames)


def test_frames_are_lazy_and_deterministic(figure: tuple[np.ndarray, np.ndarray]) -> None:
    ours = NeuralRenderer(picture_of(figure[0]), person_of(figure[1]), 128, model=network(trained=True))
    dance = Skeleton(np.repeat(pose_array()[None], 20_000, axis=0), 25, OPENPOSE_18_FEET)
    assert np.array_equal(next(ours.frames(dance)), next(ours.frames(dance)))


def test_a_network_without_warps_is_refused(figure: tuple[np.ndarray, np.ndarray]) -> None:
    model = FrameGenerator(Config(SMALL.widths, SMALL.blocks, warps=False))
    with pytest.raises(ValueError, match="warped layers"):
        NeuralRenderer(picture_of(figure[0]), person_of(figure[1]), 128, model=model)
