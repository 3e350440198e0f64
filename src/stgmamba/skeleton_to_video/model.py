"""G_r, the frame generator of skeleton-to-video: a frame from a condition image and two poses (Tang et al. 2025).

Notable, and ours where the paper is silent:
- Inputs are the condition's layers, warped from its pose to the target pose (limb_warp), and the inpainted background;
  the output is a soft selection among warped pixels, background and generated pixels, as in Balakrishnan et al. 2018
  and in vid2vid's flow branch (Wang et al. 2018). The last convolution is initialised to zero, so the untrained network
  returns exactly the limb warp.
- The warps do not depend on the network's weights, so they need no gradients and are computed by compiled loops.
- A U-Net at 1/2, 1/4, 1/8 and 1/16 of the resolution, fully convolutional: any frame whose sides are multiples of
  `MULTIPLE`.
- Generated pixels are confined to `paint_region` (layers and the gaps between them) and `seam_region` (where arms and
  legs join the torso). Where coverage is full, outside of seams, the output is the warped condition. Without these
  masks PSNR was higher, but faces were blurred and hands vanished.
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
"""Width and height of the network's input are multiples of this."""

_REACH = 8  # half the width of the gaps between layers that may be painted, pixels of a frame of 256 rows
_INSET = 2  # distance of the painted region from the layers' outline, pixels of half the resolution
_SEAM_THRESHOLD = 0.6  # subtracted from twice the product of limb maps, 0..2; the larger, the narrower the seams
_MAX_SELECT_LOGIT, _MAX_PAINT_LOGIT = 1.0, 6.0  # bounds of the logits of layers and background, and of generated pixels


@dataclass(frozen=True)
class Config:
    """Hyperparameters and inputs of the network; the defaults are those of the weights in the package.

    Attributes:
        widths: channels at 1/2, 1/4, 1/8 and 1/16 of the resolution.
        blocks: residual blocks at each resolution, of the encoder and (but for the lowest resolution) of the decoder.
        warps: whether the condition is input as warped layers; else unwarped, with its pose (pix2pix).
        background: whether the inpainted background is an input and can be selected.
        previous: number of previous frames in the input (vid2vid).
    """

    widths: tuple[int, ...] = (24, 40, 64, 96)
    blocks: tuple[int, ...] = (0, 1, 1, 2)
    warps: bool = True
    background: bool = True
    previous: int = 0

    def __post_init__(self) -> None:
        """Raises ValueError for invalid combinations."""
        object.__setattr__(self, "widths", tuple(self.widths))
        object.__setattr__(self, "blocks", tuple(self.blocks))
        if len(self.widths) != 4 or len(self.blocks) != 4 or min(self.widths) < 1 or min(self.blocks) < 0:
            raise ValueError("widths and blocks are of four resolutions each")
        if self.warps and not self.background:
            raise ValueError("warped layers need the background behind them")


class Inputs(NamedTuple):
    """Inputs of G_r for B frames; colours 0..1.

    Attributes:
        warped: [B, 4, H, W], the condition's layers in the target pose: colours times coverage, and coverage.
        background: [B, 3, H, W], the scene without the person.
        pose: [B, P, H/4, W/4], maps of the target pose (pose_maps.py).
        condition: [B, 3, H, W], the condition image; used by networks without warps.
        condition_pose: [B, P, H/4, W/4], maps of its pose; used by networks without warps.
        previous: [B, 3 K, H, W], the K previous frames; used by networks with ``Config.previous`` = K.
    """

    warped: Tensor
    background: Tensor
    pose: Tensor
    condition: Tensor | None = None
    condition_pose: Tensor | None = None
    previous: Tensor | None = None


class Prediction(NamedTuple):
    """Output of the network for B frames, before compositing.

    Attributes:
        logits: [B, 3, H, W], of the selection of warped pixels, background and generated pixels.
        rgb: [B, 3, H, W] in -1..1, generated colours as an offset to the composite of layers and background.
        paint_mask: [B, 1, H, W], 1 in the layers and the gaps between them, 0 outside and in the face.
        seam_mask: [B, 1, H, W], 1 where covered pixels may be replaced by generated ones, 0 elsewhere.
    """

    logits: Tensor
    rgb: Tensor
    paint_mask: Tensor
    seam_mask: Tensor


class ResidualBlock(nn.Module):
    """Two convolutions with a residual connection; the second is initialised to zero."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(width, width, 3, padding=1), nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, h, w] -> the same shape."""
        residual: Tensor = self.second(F.relu(self.first(F.relu(x))))
        return x + residual


class FrameGenerator(nn.Module):
    """G_r: selection and generation of pixels by a U-Net."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        half, quarter, eighth, sixteenth = config.widths
        colours = (4 if config.warps else 3) + 3 * config.background + 3 * config.previous
        poses = POSE_CHANNELS if config.warps else 2 * POSE_CHANNELS

        def blocks(level: int) -> nn.Sequential:
            return nn.Sequential(*(ResidualBlock(config.widths[level]) for _ in range(config.blocks[level])))

        self.stem = nn.Conv2d(4 * colours, half, 3, padding=1)
        self.pose_stem = nn.Conv2d(poses, quarter, 3, padding=1)
        self.downsample = nn.ModuleList(
            nn.Conv2d(a, b, 3, 2, 1) for a, b in ((half, quarter), (quarter, eighth), (eighth, sixteenth))
        )
        self.encoder = nn.ModuleList(blocks(level) for level in range(4))
        self.upsample = nn.ModuleList(
            nn.Conv2d(b, a, 1) for a, b in ((half, quarter), (quarter, eighth), (eighth, sixteenth))
        )
        self.decoder = nn.ModuleList(blocks(level) for level in range(3))
        self.neck = nn.Conv2d(half, half, 3, padding=1)
        # Three logits and three colour channels for each of 2 x 2 pixels.
        self.head = nn.Conv2d(half, 4 * 6, 3, padding=1)
        # Without norm layers the signal of the deep levels would vanish with torch's initialisation (He et al. 2015).
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                linear = module.kernel_size == (1, 1)
                nn.init.kaiming_normal_(module.weight, nonlinearity="linear" if linear else "relu")
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]
        for block in self.modules():
            if isinstance(block, ResidualBlock):
                nn.init.zeros_(block.second.weight)
        nn.init.zeros_(self.head.weight)

    def forward(self, inputs: Inputs) -> Tensor:
        """I_i = G_r(I, S_i): frames [B, 3, H, W]; colours may exceed 0..1 slightly."""
        return self.compose(self.predict(inputs), inputs.warped, inputs.background)

    def predict(self, inputs: Inputs) -> Prediction:
        """Selection logits and generated colours, and the masks that confine generated pixels."""
        raw = self.head(self.features(inputs)).float()  # [B, 24, H/2, W/2]
        # Smooth bounds, so that gradients do not vanish. That of layers and background is tight: a soft outline can be
        # shifted but not sharpened, which would cause aliasing in frames larger than the network's input.
        select = _MAX_SELECT_LOGIT * torch.tanh(raw[:, :8] / _MAX_SELECT_LOGIT)
        paint = _MAX_PAINT_LOGIT * torch.tanh(raw[:, 8:12] / _MAX_PAINT_LOGIT)
        logits = F.pixel_shuffle(torch.cat([select, paint], 1), 2)
        rgb = F.pixel_shuffle(torch.tanh(raw[:, 12:]), 2)
        paint_mask = paint_region(inputs)
        return Prediction(logits, rgb, paint_mask, paint_mask * seam_region(inputs))

    def compose(self, prediction: Prediction, warped: Tensor, background: Tensor) -> Tensor:
        """Frames [B, 3, H, W] of a prediction.

        ``warped`` and ``background`` may be larger than the network's inputs; the prediction is then upscaled, so that
        large frames keep the resolution of their warped pixels at the computational cost of small ones.
        """
        size = warped.shape[-2:]
        logits, rgb, paint_mask, seam_mask = (_resize(x, size) for x in prediction)
        if not self.config.warps:
            generated = 0.5 + rgb
            if not self.config.background:
                return generated
            # Without layers there is no coverage, but the background can still be selected.
            return background + torch.sigmoid(logits[:, 2:]) * (generated - background)
        alpha = warped[:, 3:].clamp(0, 1)
        # Softmax over {warped, background, generated} with the coverage as prior: where it is 1, outside of seams, the
        # weight of the warped pixels is 1. Generated colours are an offset, zero before training.
        scale = torch.exp(logits)
        person, empty = alpha * scale[:, :1], (1 - alpha) * scale[:, 1:2]
        painted = torch.maximum(paint_mask * (1 - alpha), seam_mask) * scale[:, 2:]
        composite = warped[:, :3] + (1 - alpha) * background
        weighted = warped[:, :3] * scale[:, :1] + empty * background + painted * (composite + rgb)
        return weighted / (person + empty + painted).clamp(min=1e-4)

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
            assert inputs.previous is not None, "a network with previous frames as input needs them"
            colours.append(inputs.previous)
        x = self.encoder[0](self.stem(F.pixel_unshuffle(torch.cat(colours, 1), 2)))  # [B, C0, H/2, W/2]
        skips = [x]
        for level in range(3):
            x = self.downsample[level](F.relu(x))
            if level == 0:
                x = x + self.pose_stem(pose)  # [B, C1, H/4, W/4]
            x = self.encoder[level + 1](x)
            skips.append(x)
        for level in (2, 1, 0):
            x = skips[level] + F.interpolate(self.upsample[level](x), scale_factor=2.0, mode="nearest")
            x = self.decoder[level](x)
        result: Tensor = F.relu(self.neck(F.relu(x)))
        return result


def _resize(x: Tensor, size: torch.Size) -> Tensor:
    if x.shape[-2:] == size:
        return x
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False)


def paint_region(inputs: Inputs) -> Tensor:
    """Mask of the layers and the gaps between them, [B, 1, H, W] in 0..1, with a soft transition to 0 at their outline.

    It is 0 in the middle of the face too. Painting beyond the outline gained up to 0.1 dB, but left a halo around the
    body: where an outline is uncertain, blurred colours minimise the mean error.
    """
    body = (F.avg_pool2d(inputs.warped[:, 3:], 2) > 0.5).to(inputs.pose.dtype)  # [B, 1, H/2, W/2]
    closed = 1 - _dilate(1 - _dilate(body, _REACH // 2), _REACH // 2 + _INSET)
    soft = F.avg_pool2d(closed, 3, 1, 1, count_include_pad=False)
    return _upsample(soft * (1 - _upsample(inputs.pose[:, HEAD : HEAD + 1])))


def seam_region(inputs: Inputs) -> Tensor:
    """Mask of the regions where arms and legs join the torso, [B, 1, H, W] in 0..1, with a soft transition to 0."""

    def limb(*channels: int) -> Tensor:
        return inputs.pose[:, list(channels)].amax(1, keepdim=True)

    attachments = limb(TORSO) * limb(*UPPER_ARMS, *THIGHS)
    crotch = limb(THIGHS[0]) * limb(THIGHS[1])
    # Narrow, because generated cloth has less texture than the condition's.
    return _upsample(_upsample((2 * torch.maximum(attachments, crotch) - _SEAM_THRESHOLD).clamp(0, 1)))


def _dilate(region: Tensor, radius: int) -> Tensor:
    return F.max_pool2d(region, 2 * radius + 1, 1, radius)


def _upsample(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
