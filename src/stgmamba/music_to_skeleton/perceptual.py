"""Pose perceptual loss: distance of the features of a spatial-temporal graph network (Ren et al., ACM MM 2020).

The network is an ST-GCN (Yan et al. 2018), pretrained on the training split with three tasks on windows of dances: the
style, whether time is reversed, and the beat phase of the middle frame (dances with reliable timing only). The tasks
need features of poses, of the dynamics of movement, and of the timing of steps.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from stgmamba.files import parse_json
from stgmamba.music_to_skeleton.audio_features import BEAT_COSINE, BEAT_SINE
from stgmamba.music_to_skeleton.dataset import Batch, DanceDataset
from stgmamba.music_to_skeleton.representation import GRAPH
from stgmamba.training.weights import save_weights

STEPS = 400
"""Steps of the pretraining."""

_BATCH = 8
_LEARNING_RATE = 2e-3
_CHANNELS = (32, 64, 64)
_KERNEL = 9  # frames, as in ST-GCN


class STGCNBlock(nn.Module):
    """Graph convolution with learned edge importance, convolution over time, residual (Yan et al. 2018, section 3)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.adjacency: Tensor
        self.register_buffer("adjacency", torch.from_numpy(GRAPH.adjacency()), persistent=False)
        self.importance = nn.Parameter(torch.ones_like(self.adjacency))
        self.spatial = nn.Conv2d(inputs, outputs, 1)
        self.norm_spatial = nn.GroupNorm(4, outputs)
        self.temporal = nn.Conv2d(outputs, outputs, (_KERNEL, 1), (stride, 1), (_KERNEL // 2, 0))
        self.norm_temporal = nn.GroupNorm(4, outputs)
        self.residual = nn.Conv2d(inputs, outputs, 1, (stride, 1))

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, T, J] -> [B, C', T / stride, J]."""
        along_edges = self.spatial(x) @ (self.adjacency * self.importance).T
        moved = self.norm_temporal(self.temporal(F.relu(self.norm_spatial(along_edges))))
        return F.relu(moved + self.residual(x))


class STGCN(nn.Module):
    """The network whose features are compared.

    Args:
        styles: number of classes.
    """

    def __init__(self, styles: int) -> None:
        super().__init__()
        widths = (3, *_CHANNELS)
        self.blocks = nn.ModuleList(
            STGCNBlock(inputs, outputs, stride=1 if i == 0 else 2)
            for i, (inputs, outputs) in enumerate(pairwise(widths))
        )
        self.style = nn.Linear(widths[-1], styles)
        self.backwards = nn.Linear(widths[-1], 1)
        self.phase = nn.Linear(widths[-1], 2)

    def features(self, nodes: Tensor) -> list[Tensor]:
        """Normalised nodes [B, T, J, 3] -> the output of every block, [B, C, T', J]."""
        x, features = nodes.permute(0, 3, 1, 2), []
        for block in self.blocks:
            x = block(x)
            features.append(x)
        return features

    def forward(self, nodes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Normalised nodes -> logits of style [B, G] and of reversed time [B], beat phase (cos, sin) [B, 2]."""
        features = self.features(nodes)[-1].mean(dim=3)
        mean, middle = features.mean(dim=2), features[:, :, features.shape[2] // 2]
        return self.style(mean), self.backwards(mean)[:, 0], self.phase(middle)


class PerceptualLoss(nn.Module):
    """L_p: mean absolute difference of the features of generated and real dances, averaged over the blocks."""

    def __init__(self, network: STGCN) -> None:
        super().__init__()
        self.network = network.eval().requires_grad_(False)

    def forward(self, predicted: Tensor, real: Tensor) -> Tensor:
        """Normalised nodes [B, T, J, 3], both -> a scalar >= 0."""
        with torch.no_grad():
            target = self.network.features(real)
        features = self.network.features(predicted)
        return torch.stack([F.l1_loss(f, t) for f, t in zip(features, target, strict=True)]).mean()


def load_or_pretrain(path: Path, dataset: DanceDataset, seed: int, log: Callable[[str], object]) -> STGCN:
    """The pretrained ST-GCN of a file, or one that is pretrained now and written there.

    The file's metadata hold the configuration of the pretraining. A file of another configuration is replaced.

    Args:
        path: a safetensors file.
        dataset: the training dances.
        seed: of weights and batches.
        log: called with one line per 100 steps.
    """
    device = dataset.device
    torch.manual_seed(seed)
    network = STGCN(dataset.null_style).to(device)
    config = _pretraining_config(dataset, seed)
    if path.exists():
        if _read_pretraining_config(path) == config:
            network.load_state_dict(load_file(path, device=str(device)))
            return network
        log("perceptual network: the one in the output folder is of another configuration and is trained again")
    # No dropout: the labels are needed.
    sampling = dataclasses.replace(dataset.sampling, batch=_BATCH, style_dropout=0.0, music_dropout=0.0)
    mean, scale = dataset.statistics()
    optimizer = torch.optim.AdamW(network.parameters(), _LEARNING_RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _LEARNING_RATE, STEPS)
    for step in range(STEPS):
        batch = dataset.batch(seed, 0, step, sampling=sampling)
        reversed_ = torch.from_numpy(np.random.default_rng((seed, step)).random(_BATCH) < 0.5).to(device)
        loss, accuracies = pretraining_loss(network, batch, (batch.nodes - mean) / scale, reversed_)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        if (step + 1) % 100 == 0:
            accuracy = ", ".join(f"{value.item():.0%}" for value in accuracies)
            log(f"perceptual network: step {step + 1}/{STEPS}  loss {loss.item():.3f}  style and direction {accuracy}")
    save_weights(path, network.state_dict(), config)
    return network


def _pretraining_config(dataset: DanceDataset, seed: int) -> dict[str, Any]:
    """Everything that the pretrained weights depend on, as values that JSON keeps."""
    return {
        "steps": STEPS,
        "batch": _BATCH,
        "learning_rate": _LEARNING_RATE,
        "channels": list(_CHANNELS),
        "kernel": _KERNEL,
        "classes": dataset.null_style,
        "window": dataset.sampling.window,
        "fps": dataset.fps,
        "nodes": list(GRAPH.joints),
        "data": dataset.fingerprint(),
        "seed": seed,
    }


def _read_pretraining_config(path: Path) -> Any:
    """The configuration in a file's metadata; None where there is none."""
    try:
        with safe_open(path, framework="pt") as file:
            return parse_json((file.metadata() or {})["config"])
    except (SafetensorError, KeyError, ValueError):
        return None


def pretraining_loss(
    network: STGCN, batch: Batch, nodes: Tensor, reversed_: Tensor
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Sum of the losses of the three tasks, and the accuracies of style and direction of time.

    Args:
        network: to be trained.
        batch: with styles and music.
        nodes: of the batch, normalised, [B, T, J, 3].
        reversed_: which windows are fed with time reversed, bool [B].
    """
    style, backwards, phase = network(torch.where(reversed_[:, None, None, None], nodes.flip(1), nodes))
    middle = batch.features[:, batch.features.shape[1] // 2]
    target_phase = middle[:, [BEAT_COSINE, BEAT_SINE]]
    # The beat phase is undefined for windows without music or with time reversed.
    labelled = (batch.features.abs().sum(dim=(1, 2)) > 0) & ~reversed_
    error = (phase - target_phase).square().sum(dim=1)
    target_style = batch.style % (style.shape[1] + 1)  # mirrored or not
    loss = (
        F.cross_entropy(style, target_style)
        + F.binary_cross_entropy_with_logits(backwards, reversed_.float())
        + (error * labelled).sum() / labelled.sum().clamp(min=1)
    )
    style_accuracy = (style.argmax(dim=1) == target_style).float().mean()
    direction_accuracy = ((backwards > 0) == reversed_).float().mean()
    return loss, (style_accuracy, direction_accuracy)
