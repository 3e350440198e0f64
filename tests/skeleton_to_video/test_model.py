"""G_r: what it returns before it is trained, and for frames of all sizes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from stgmamba.skeleton_to_video.model import Config, FrameGenerator, Inputs, within_reach
from stgmamba.skeleton_to_video.pose_maps import CHANNELS, HEAD, TORSO, UPPER_ARMS

SMALL = Config(widths=(8, 8, 8, 8), blocks=(0, 1, 0, 1), flow=8.0)


def inputs_of(height: int, width: int, count: int = 1) -> Inputs:
    """A square person in the middle of noise."""
    random = torch.Generator().manual_seed(3)
    background = torch.rand(count, 3, height, width, generator=random)
    alpha = torch.zeros(count, 1, height, width)
    alpha[..., height // 3 : height // 2, width // 3 : width // 2] = 1
    alpha[..., height // 3, :] *= 0.5
    colours = torch.rand(count, 3, height, width, generator=random) * alpha
    pose = torch.zeros(count, CHANNELS, height // 4, width // 4)
    return Inputs(torch.cat([colours, alpha], 1), background, pose)


def composite_of(inputs: Inputs) -> Tensor:
    return inputs.warped[:, :3] + (1 - inputs.warped[:, 3:]) * inputs.background


def disturbed(config: Config) -> FrameGenerator:
    """As if trained: with weights that answer something."""
    torch.manual_seed(0)
    model = FrameGenerator(config).eval()
    torch.nn.init.normal_(model.leave.weight, std=0.3)
    return model


@pytest.mark.parametrize("size", [(256, 256), (512, 384), (48, 16), (16, 112)])
def test_untrained_it_is_the_limb_warp(size: tuple[int, int]) -> None:
    inputs = inputs_of(*size)
    with torch.inference_mode():
        frame = FrameGenerator(SMALL)(inputs)
    assert frame.shape == (1, 3, *size)
    assert torch.allclose(frame, composite_of(inputs), atol=1e-5)


def test_a_larger_frame_by_the_answer_for_a_smaller_one() -> None:
    small, large = inputs_of(96, 96), inputs_of(192, 192)
    with torch.inference_mode():
        plain = FrameGenerator(SMALL)
        frame = plain.compose(plain.answer(small), large.warped, large.background)
        assert torch.allclose(frame, composite_of(large), atol=1e-5)
        model = disturbed(SMALL)
        frame = model.compose(model.answer(small), large.warped, large.background)
        assert not torch.allclose(frame, composite_of(large), atol=1e-2)


def test_far_from_the_body_nothing_ever_changes() -> None:
    inputs = inputs_of(192, 192)
    with torch.inference_mode():
        frame = disturbed(SMALL)(inputs)
    near = (within_reach(inputs, SMALL.reach) > 0) | (inputs.warped[:, 3:] > 0)
    near = F.max_pool2d(near.float(), 2 * round(SMALL.flow) + 1, 1, round(SMALL.flow))[0, 0] > 0
    changed = (frame - composite_of(inputs))[0].abs().amax(0) > 1e-5
    assert changed.any()
    assert near[changed].all()
    assert near.float().mean() < 0.25
    assert torch.allclose(frame[0, :, ~near], inputs.background[0, :, ~near], atol=1e-6)


def test_own_pixels_begin_inside_the_sheets_outline_and_fill_narrow_gaps() -> None:
    inputs = inputs_of(192, 192)
    gap = inputs.warped.clone()
    gap[..., 78:82] = 0  # a slit of four pixels down the middle of the person
    near = within_reach(inputs._replace(warped=gap), SMALL.reach)[0, 0]
    alpha = inputs.warped[0, 3]
    assert (near[74:86, 78:82] == 1).all()
    assert (near[alpha == 0] == 0).all()
    assert near.max() == 1


def test_the_face_stays_the_pictures() -> None:
    inputs = inputs_of(192, 192)
    inputs.pose[:, HEAD, 16:24, 16:24] = 1  # the upper left part of the person
    face = (slice(None), slice(None), slice(72, 88), slice(72, 88))
    with torch.inference_mode():
        model = disturbed(SMALL)
        frame, other = model(inputs), model(inputs._replace(pose=torch.zeros_like(inputs.pose)))
    assert torch.allclose(frame[face], inputs.warped[:, :3][face], atol=1e-5)
    assert not torch.allclose(other[face], inputs.warped[:, :3][face], atol=1e-2)


def test_without_flow_what_the_sheets_cover_is_never_repainted() -> None:
    inputs = inputs_of(192, 192)
    with torch.inference_mode():
        frame = disturbed(Config(SMALL.widths, SMALL.blocks))(inputs)
    covered = (inputs.warped[:, 3:] == 1).expand_as(frame)
    assert torch.allclose(frame[covered], inputs.warped[:, :3][covered], atol=1e-5)
    assert not torch.allclose(frame, composite_of(inputs), atol=1e-2)


def test_sheets_are_repainted_where_arms_and_legs_join_the_torso() -> None:
    inputs = inputs_of(192, 192)
    inputs.pose.zero_()
    inputs.pose[:, TORSO, 16:22, 16:22] = 1
    inputs.pose[:, UPPER_ARMS[0], 18:24, 18:24] = 1
    with torch.inference_mode():
        frame = disturbed(Config(SMALL.widths, SMALL.blocks))(inputs)
        without = disturbed(Config(SMALL.widths, SMALL.blocks, seams=False))(inputs)
    covered = (inputs.warped[:, 3:] == 1)[0, 0]
    shoulder = torch.zeros_like(covered)
    shoulder[66:94, 66:94] = True
    changed = (frame - inputs.warped[:, :3])[0].abs().amax(0) > 1e-5
    assert changed[covered & shoulder].float().mean() > 0.5
    assert not changed[covered & ~shoulder].any()
    assert torch.allclose(without[0, :, covered], inputs.warped[0, :3, covered], atol=1e-5)


def test_without_paint_only_outlines_change() -> None:
    inputs = inputs_of(192, 192)
    with torch.inference_mode():
        frame = disturbed(Config(SMALL.widths, SMALL.blocks, paint=False))(inputs)
    soft = (inputs.warped[:, 3:] > 0) & (inputs.warped[:, 3:] < 1)
    changed = (frame - composite_of(inputs)).abs().amax(1, keepdim=True) > 1e-5
    assert changed.any()
    assert soft[changed].all()


def test_frames_do_not_know_of_each_other() -> None:
    inputs = inputs_of(64, 64, count=3)
    model = disturbed(SMALL)
    with torch.inference_mode():
        together = model(inputs)
        alone = model(inputs_part(inputs, 1))
    assert torch.allclose(together[1:2], alone, atol=1e-5)


def inputs_part(inputs: Inputs, n: int) -> Inputs:
    return Inputs(*(part[n : n + 1] for part in inputs if part is not None))


def test_the_flow_moves_pixels_by_what_it_says() -> None:
    inputs = inputs_of(64, 64)
    flow = torch.zeros(1, 2, 32, 32)
    flow[:, 0] = 0.5
    with torch.inference_mode():
        moved = FrameGenerator(SMALL).move(inputs.warped, flow, 64)
    shift = round(0.5 * SMALL.flow)
    assert torch.allclose(moved[..., :-shift], inputs.warped[..., shift:], atol=1e-5)


def test_without_warps_it_paints_from_the_condition() -> None:
    inputs = inputs_of(64, 48)
    condition = inputs._replace(condition=inputs.background, condition_pose=inputs.pose, previous=inputs.background)
    for config in (
        Config(SMALL.widths, SMALL.blocks, warps=False),
        Config(SMALL.widths, SMALL.blocks, warps=False, background=False, previous=1),
    ):
        model = disturbed(config)
        with torch.inference_mode():
            frame = model(condition)
            other = model(condition._replace(warped=torch.zeros_like(inputs.warped)))
        assert frame.shape == (1, 3, 64, 48)
        assert torch.equal(frame, other)  # the sheets are not looked at


def test_sizes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="four resolutions"):
        Config(widths=(8, 8))
    with pytest.raises(ValueError, match="background"):
        Config(background=False)
