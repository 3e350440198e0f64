"""G_r: output before training, masks of generated pixels, frame sizes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from stgmamba.skeleton_to_video.model import Config, FrameGenerator, Inputs, paint_region
from stgmamba.skeleton_to_video.pose_maps import CHANNELS, HEAD, TORSO, UPPER_ARMS

SMALL = Config(widths=(8, 8, 8, 8), blocks=(0, 1, 0, 1))


def inputs_of(height: int, width: int, count: int = 1) -> Inputs:
    """A rectangle as the person in front of noise."""
    generator = torch.Generator().manual_seed(3)
    background = torch.rand(count, 3, height, width, generator=generator)
    alpha = torch.zeros(count, 1, height, width)
    alpha[..., height // 3 : height // 2, width // 3 : width // 2] = 1
    alpha[..., height // 3, :] *= 0.5
    colours = torch.rand(count, 3, height, width, generator=generator) * alpha
    pose = torch.zeros(count, CHANNELS, height // 4, width // 4)
    return Inputs(torch.cat([colours, alpha], 1), background, pose)


def composite_of(inputs: Inputs) -> Tensor:
    return inputs.warped[:, :3] + (1 - inputs.warped[:, 3:]) * inputs.background


def randomised(config: Config) -> FrameGenerator:
    """A network with a non-zero output layer, as after training."""
    torch.manual_seed(0)
    model = FrameGenerator(config).eval()
    torch.nn.init.normal_(model.head.weight, std=0.3)
    return model


@pytest.mark.parametrize("size", [(256, 256), (512, 384), (48, 16), (16, 112)])
def test_the_untrained_network_returns_the_limb_warp(size: tuple[int, int]) -> None:
    inputs = inputs_of(*size)
    with torch.inference_mode():
        frame = FrameGenerator(SMALL)(inputs)
    assert frame.shape == (1, 3, *size)
    assert torch.allclose(frame, composite_of(inputs), atol=1e-5)


def test_a_prediction_is_upscaled_to_a_larger_frame() -> None:
    small, large = inputs_of(96, 96), inputs_of(192, 192)
    with torch.inference_mode():
        untrained = FrameGenerator(SMALL)
        frame = untrained.compose(untrained.predict(small), large.warped, large.background)
        assert torch.allclose(frame, composite_of(large), atol=1e-5)
        model = randomised(SMALL)
        frame = model.compose(model.predict(small), large.warped, large.background)
        assert not torch.allclose(frame, composite_of(large), atol=1e-2)


def test_nothing_changes_outside_of_the_paint_region() -> None:
    inputs = inputs_of(192, 192)
    with torch.inference_mode():
        frame = randomised(SMALL)(inputs)
    paint_mask = (paint_region(inputs) > 0) | (inputs.warped[:, 3:] > 0)
    paint_mask = paint_mask[0, 0]
    changed = (frame - composite_of(inputs))[0].abs().amax(0) > 1e-5
    assert changed.any()
    assert paint_mask[changed].all()
    assert paint_mask.float().mean() < 0.25
    assert torch.allclose(frame[0, :, ~paint_mask], inputs.background[0, :, ~paint_mask], atol=1e-6)


def test_the_paint_region_is_inside_the_outline_and_includes_narrow_gaps() -> None:
    inputs = inputs_of(192, 192)
    gap = inputs.warped.clone()
    gap[..., 78:82] = 0  # a slit of four pixels down the middle of the person
    paint_mask = paint_region(inputs._replace(warped=gap))[0, 0]
    alpha = inputs.warped[0, 3]
    assert (paint_mask[74:86, 78:82] == 1).all()
    assert (paint_mask[alpha == 0] == 0).all()
    assert paint_mask.max() == 1


def test_nothing_is_painted_in_the_face() -> None:
    inputs = inputs_of(192, 192)
    gap = inputs.warped.clone()
    gap[..., 78:82] = 0  # a slit of four pixels, as between strands of hair
    inputs = inputs._replace(warped=gap)
    inputs.pose[:, HEAD, 16:24, 16:24] = 1  # the upper left part of the person
    face = (slice(None), slice(None), slice(72, 88), slice(78, 82))
    with torch.inference_mode():
        model = randomised(SMALL)
        frame, other = model(inputs), model(inputs._replace(pose=torch.zeros_like(inputs.pose)))
    assert torch.allclose(frame[face], composite_of(inputs)[face], atol=1e-5)
    assert not torch.allclose(other[face], composite_of(inputs)[face], atol=1e-2)


def test_covered_pixels_are_not_repainted() -> None:
    inputs = inputs_of(192, 192)
    with torch.inference_mode():
        frame = randomised(SMALL)(inputs)
    covered = (inputs.warped[:, 3:] == 1).expand_as(frame)
    assert torch.allclose(frame[covered], inputs.warped[:, :3][covered], atol=1e-5)
    assert not torch.allclose(frame, composite_of(inputs), atol=1e-2)


def test_layers_are_repainted_where_arms_and_legs_join_the_torso() -> None:
    inputs = inputs_of(192, 192)
    inputs.pose.zero_()
    inputs.pose[:, TORSO, 16:22, 16:22] = 1
    inputs.pose[:, UPPER_ARMS[0], 18:24, 18:24] = 1
    with torch.inference_mode():
        frame = randomised(SMALL)(inputs)
    covered = (inputs.warped[:, 3:] == 1)[0, 0]
    shoulder = torch.zeros_like(covered)
    shoulder[66:94, 66:94] = True
    changed = (frame - inputs.warped[:, :3])[0].abs().amax(0) > 1e-5
    assert changed[covered & shoulder].float().mean() > 0.5
    assert not changed[covered & ~shoulder].any()


def test_frames_of_a_batch_are_independent() -> None:
    inputs = inputs_of(64, 64, count=3)
    model = randomised(SMALL)
    with torch.inference_mode():
        together = model(inputs)
        alone = model(inputs_part(inputs, 1))
    assert torch.allclose(together[1:2], alone, atol=1e-5)


def inputs_part(inputs: Inputs, n: int) -> Inputs:
    return Inputs(*(part[n : n + 1] for part in inputs if part is not None))


def test_a_network_without_warps_uses_the_condition() -> None:
    inputs = inputs_of(64, 48)
    condition = inputs._replace(condition=inputs.background, condition_pose=inputs.pose, previous=inputs.background)
    for config in (
        Config(SMALL.widths, SMALL.blocks, warps=False),
        Config(SMALL.widths, SMALL.blocks, warps=False, background=False, previous=1),
    ):
        model = randomised(config)
        with torch.inference_mode():
            frame = model(condition)
            other = model(condition._replace(warped=torch.zeros_like(inputs.warped)))
        assert frame.shape == (1, 3, 64, 48)
        assert torch.equal(frame, other)  # the layers are not used


def test_invalid_configs_are_refused() -> None:
    with pytest.raises(ValueError, match="four resolutions"):
        Config(widths=(8, 8))
    with pytest.raises(ValueError, match="background"):
        Config(background=False)
