"""G_r, skeleton to video: a condition picture and two skeletons in, a frame out (Tang et al. 2025, section 2).

What is notable:
- It starts as the limb warp. The condition's sheets, warped by the two skeletons (limb_warp.py), and the background
  behind them are its input, and its answer is a soft choice of warped pixels, own pixels and background, as in
  Balakrishnan et al. 2018 and in vid2vid's flow branch (Wang et al. 2018). Untrained, it returns the limb warp.
- The warps do not depend on its weights: every loss reaches every weight without a gradient through them, so they are
  drawn by compiled loops and not by torch.
- It works at 1/2, 1/4, 1/8 and 1/16 of the resolution and is fully convolutional: frames of any size whose sides are
  multiples of `MULTIPLE`.
- It changes nothing far from the body: the background stands still because it is never touched. Nor does it repaint
  what the sheets cover fully: face, clothes and hands stay the picture's. It decides their outlines, fills the gaps
  between them, and mends the seams where sheets of arms and legs meet that of the torso. Free to move and repaint
  everything, it gained more in PSNR, but it softened faces and let hands vanish.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stgmamba.skeleton_to_video.pose_maps import CHANNELS as POSE_CHANNELS
from stgmamba.skeleton_to_video.pose_maps import HEAD, THIGHS, TORSO, UPPER_ARMS

MULTIPLE = 16
"""Frames have sides that are multiples of this."""

_INSET = 2  # how far inside the sheets' outline own pixels begin, in pixels of half the resolution
_SEAM = 0.6  # how narrow seams are, 0 to 2
_OUTLINE, _OWN = 1.0, 6.0  # largest logits: of the sheets and the background, of own pixels


@dataclass(frozen=True)
class Config:
    """Size of the network and what it is given.

    Attributes:
        widths: channels at 1/2, 1/4, 1/8 and 1/16 of the resolution.
        blocks: residual blocks at each of them, on the way down and on the way up.
        flow: pixels by which the warped sheets can be moved once more; 0 leaves them where they are.
        reach: half the width of the gaps between sheets that may be filled, in pixels of a frame of 256 rows.
        paint: whether it has pixels of its own where there are sheets; else it decides their outlines only.
        seams: whether it may repaint sheets at shoulders, hips and crotch, where they tear.
        warps: whether it sees the condition as warped sheets (else as it is, with its pose).
        background: whether it sees the background and can choose it.
        previous: how many frames before this one it sees (vid2vid).
    """

    widths: tuple[int, ...] = (24, 40, 64, 96)
    blocks: tuple[int, ...] = (0, 1, 1, 2)
    flow: float = 0.0
    reach: int = 8
    paint: bool = True
    seams: bool = True
    warps: bool = True
    background: bool = True
    previous: int = 0

    def __post_init__(self) -> None:
        """Raises ValueError for sizes that do not fit together."""
        object.__setattr__(self, "widths", tuple(self.widths))
        object.__setattr__(self, "blocks", tuple(self.blocks))
        if len(self.widths) != 4 or len(self.blocks) != 4 or min(self.widths) < 1 or min(self.blocks) < 0:
            raise ValueError("widths and blocks are of four resolutions each")
        if self.warps and not self.background:
            raise ValueError("warped sheets need the background behind them")


class Inputs(NamedTuple):
    """What G_r is given for B frames. Colours are 0..1.

    Attributes:
        warped: [B, 4, H, W], the condition's sheets moved to the target pose, colours times coverage, and coverage.
        background: [B, 3, H, W], the scene without the person.
        pose: [B, P, H/4, W/4], maps of the target pose (pose_maps.py).
        condition: [B, 3, H, W], the condition as it is, for a network without warps.
        condition_pose: [B, P, H/4, W/4], its pose, for a network without warps.
        previous: [B, 3 K, H, W], the K frames before, for a network that sees them.
    """

    warped: Tensor
    background: Tensor
    pose: Tensor
    condition: Tensor | None = None
    condition_pose: Tensor | None = None
    previous: Tensor | None = None


class Answer(NamedTuple):
    """What the network says of B frames.

    Attributes:
        logits: [B, 3, H, W], for warped pixels, background and own pixels.
        own: [B, 3, H, W], own colours, as a change where there are sheets.
        flow: [B, 2, H/2, W/2] in -1..1, where to take the sheets' pixels from, x and y.
        near: [B, 1, H, W], 1 on the sheets and in their gaps, 0 beyond and in the face.
        seam: [B, 1, H, W], 1 where sheets may be repainted, 0 elsewhere.
    """

    logits: Tensor
    own: Tensor
    flow: Tensor
    near: Tensor
    seam: Tensor


class Block(nn.Module):
    """Residual block of two convolutions, the identity at first."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(width, width, 3, padding=1), nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, h, w] -> the same shape."""
        change: Tensor = self.second(F.relu(self.first(F.relu(x))))
        return x + change


class FrameGenerator(nn.Module):
    """G_r."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        half, quarter, eighth, sixteenth = config.widths
        colours = (4 if config.warps else 3) + 3 * config.background + 3 * config.previous
        poses = POSE_CHANNELS if config.warps else 2 * POSE_CHANNELS

        def blocks(level: int) -> nn.Sequential:
            return nn.Sequential(*(Block(config.widths[level]) for _ in range(config.blocks[level])))

        self.enter = nn.Conv2d(4 * colours, half, 3, padding=1)
        self.enter_pose = nn.Conv2d(poses, quarter, 3, padding=1)
        self.down = nn.ModuleList(
            nn.Conv2d(a, b, 3, 2, 1) for a, b in ((half, quarter), (quarter, eighth), (eighth, sixteenth))
        )
        self.going_down = nn.ModuleList(blocks(level) for level in range(4))
        self.up = nn.ModuleList(
            nn.Conv2d(b, a, 1) for a, b in ((half, quarter), (quarter, eighth), (eighth, sixteenth))
        )
        self.going_up = nn.ModuleList(blocks(level) for level in range(3))
        self.last = nn.Conv2d(half, half, 3, padding=1)
        # Per pixel three logits and three colours; per 2 x 2 pixels one displacement.
        self.leave = nn.Conv2d(half, 4 * 6 + 2, 3, padding=1)
        # There are no norms: torch's own start would let what the deep levels see fade away (He et al. 2015).
        for part in self.modules():
            if isinstance(part, nn.Conv2d):
                nn.init.kaiming_normal_(part.weight, nonlinearity="linear" if part.kernel_size == (1, 1) else "relu")
                nn.init.zeros_(part.bias)  # type: ignore[arg-type]
        for block in self.modules():
            if isinstance(block, Block):
                nn.init.zeros_(block.second.weight)
        nn.init.zeros_(self.leave.weight)

    def forward(self, inputs: Inputs) -> Tensor:
        """I_i = G_r(I, S_i): frames [B, 3, H, W]; colours may leave 0..1 slightly."""
        return self.compose(self.answer(inputs), inputs.warped, inputs.background)

    def answer(self, inputs: Inputs) -> Answer:
        """What the network says of frames."""
        answer = self.leave(self.features(inputs)).float()  # [B, 26, H/2, W/2]
        # Bounded smoothly, so that no pixel ever gets stuck. Outlines closely: a sheet's soft edge may be moved, but
        # not made hard, which would show as stairs in a frame larger than what the network sees.
        outline = _OUTLINE * torch.tanh(answer[:, :8] / _OUTLINE)
        mine = _OWN * torch.tanh(answer[:, 8:12] / _OWN)
        bounded = torch.tanh(answer[:, 12:])
        logits = F.pixel_shuffle(torch.cat([outline, mine], 1), 2)
        own, flow = F.pixel_shuffle(bounded[:, :12], 2), bounded[:, 12:]
        near = within_reach(inputs, self.config.reach)
        return Answer(logits, own, flow, near, near * seams(inputs) if self.config.seams else torch.zeros_like(near))

    def compose(self, answer: Answer, warped: Tensor, background: Tensor) -> Tensor:
        """The frames that an answer means, [B, 3, H, W].

        Sheets and background may be finer than what the answer was given for: it is enlarged to them. A large frame so
        keeps its own pixels and costs the network no more than a small one.
        """
        size = warped.shape[-2:]
        logits, own, near, seam = (
            _enlarged(part, size) for part in (answer.logits, answer.own, answer.near, answer.seam)
        )
        if not self.config.warps:
            made = 0.5 + own
            # Without sheets nothing says where the body is, but their background may still be chosen.
            return background + torch.sigmoid(logits[:, 2:]) * (made - background) if self.config.background else made
        flow = answer.flow * F.avg_pool2d(answer.near, 2)
        warped = self.move(warped, flow, answer.own.shape[-2]) if self.config.flow else warped
        alpha = warped[:, 3:].clamp(0, 1)
        # Softmax over {warped, background, own}, with the coverage of the sheets as prior: where they cover fully, and
        # no seam is near, nothing else counts. Own pixels are a change of what the others give, zero before training.
        scale = torch.exp(logits)
        person, empty = alpha * scale[:, :1], (1 - alpha) * scale[:, 1:2]
        mine = torch.maximum(near * (1 - alpha), seam) * scale[:, 2:] * self.config.paint
        composite = warped[:, :3] + (1 - alpha) * background
        chosen = warped[:, :3] * scale[:, :1] + empty * background + mine * (composite + own)
        return chosen / (person + empty + mine).clamp(min=1e-4)

    def features(self, inputs: Inputs) -> Tensor:
        """The U-Net: [B, C, H/2, W/2]."""
        if self.config.warps:
            colours, pose = [inputs.warped], inputs.pose
        else:
            assert inputs.condition is not None, "a network without warps needs the condition"
            assert inputs.condition_pose is not None, "a network without warps needs the condition's pose"
            colours, pose = [inputs.condition], torch.cat([inputs.pose, inputs.condition_pose], 1)
        if self.config.background:
            colours.append(inputs.background)
        if self.config.previous:
            assert inputs.previous is not None, "a network that sees frames before needs them"
            colours.append(inputs.previous)
        x = self.going_down[0](self.enter(F.pixel_unshuffle(torch.cat(colours, 1), 2)))  # [B, C0, H/2, W/2]
        skips = [x]
        for level in range(3):
            x = self.down[level](F.relu(x))
            if level == 0:
                x = x + self.enter_pose(pose)  # [B, C1, H/4, W/4]
            x = self.going_down[level + 1](x)
            skips.append(x)
        for level in (2, 1, 0):
            x = skips[level] + F.interpolate(self.up[level](x), scale_factor=2.0, mode="nearest")
            x = self.going_up[level](x)
        result: Tensor = F.relu(self.last(F.relu(x)))
        return result

    def move(self, warped: Tensor, flow: Tensor, rows: int) -> Tensor:
        """The sheets [B, 4, H, W] displaced by ``config.flow`` pixels of a frame of so many rows, times a flow."""
        height, width = warped.shape[-2:]
        flow = _enlarged(flow, warped.shape[-2:])
        step = flow.new_tensor([2 / width, 2 / height]) * (self.config.flow * height / rows)
        y = (torch.arange(height, device=flow.device, dtype=flow.dtype) + 0.5) * 2 / height - 1
        x = (torch.arange(width, device=flow.device, dtype=flow.dtype) + 0.5) * 2 / width - 1
        still = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)
        grid = still + flow.permute(0, 2, 3, 1) * step
        return F.grid_sample(warped, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _enlarged(x: Tensor, size: torch.Size) -> Tensor:
    if x.shape[-2:] == size:
        return x
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False)


def within_reach(inputs: Inputs, reach: int) -> Tensor:
    """Where G_r may move and paint, [B, 1, H, W]: 1 in the sheets and their gaps, falling softly to 0 at their outline.

    It is 0 in the middle of the face too. Painting beyond the outline was tried: it gains up to a tenth of a decibel,
    and leaves a shade around the body, because a mean error is smallest so where an outline is uncertain.
    """
    body = (F.avg_pool2d(inputs.warped[:, 3:], 2) > 0.5).to(inputs.pose.dtype)  # [B, 1, H/2, W/2]
    closed = 1 - _grown(1 - _grown(body, reach // 2), reach // 2 + _INSET)
    soft = F.avg_pool2d(closed, 3, 1, 1, count_include_pad=False)
    return _doubled(soft * (1 - _doubled(inputs.pose[:, HEAD : HEAD + 1])))


def _grown(region: Tensor, radius: int) -> Tensor:
    return F.max_pool2d(region, 2 * radius + 1, 1, radius)


def _doubled(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def seams(inputs: Inputs) -> Tensor:
    """Where arms and legs join the torso, [B, 1, H, W]: 1 there, falling softly to 0 around it."""

    def limb(*channels: int) -> Tensor:
        return inputs.pose[:, list(channels)].amax(1, keepdim=True)

    ends = limb(TORSO) * limb(*UPPER_ARMS, *THIGHS)
    crotch = limb(THIGHS[0]) * limb(THIGHS[1])
    # Narrow: painted cloth is smoother than the picture's.
    return _doubled(_doubled((2 * torch.maximum(ends, crotch) - _SEAM).clamp(0, 1)))
