"""The pose perceptual loss: what a spatial-temporal graph network sees in a dance (Ren et al., ACM MM 2020).

The network is an ST-GCN (Yan et al. 2018) that we train on the train split, before the generator and for it only, to
answer three questions about a window of dance: which genre it is, whether it runs backwards, and where in the beat its
middle frame lies (asked of dances with trusted timing). Genre makes it look at poses, direction at how weight moves,
beat phase at when steps fall.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from stgmamba.files import atomic_output
from stgmamba.music_to_skeleton.dataset import Batch, DanceDataset
from stgmamba.music_to_skeleton.representation import GRAPH, MODEL_FPS

STEPS = 400
_BATCH = 8
_LEARNING_RATE = 2e-3
_CHANNELS = (32, 64, 64)
_KERNEL = 9  # frames, as in ST-GCN
_COSINE, _SINE = 2, 3  # where `extract_audio_features` puts the beat phase among the rhythm features


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
    """The network whose features are compared."""

    def __init__(self, genres: int) -> None:
        super().__init__()
        widths = (3, *_CHANNELS)
        self.blocks = nn.ModuleList(
            STGCNBlock(inputs, outputs, stride=1 if i == 0 else 2)
            for i, (inputs, outputs) in enumerate(pairwise(widths))
        )
        self.genre = nn.Linear(widths[-1], genres)
        self.backwards = nn.Linear(widths[-1], 1)
        self.phase = nn.Linear(widths[-1], 2)

    def features(self, nodes: Tensor) -> list[Tensor]:
        """Normalised nodes [B, T, J, 3] -> the output of every block, [B, C, T', J]."""
        x, found = nodes.permute(0, 3, 1, 2), []
        for block in self.blocks:
            x = block(x)
            found.append(x)
        return found

    def forward(self, nodes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Normalised nodes -> logits of the genre [B, G], of running backwards [B], beat phase (cos, sin) [B, 2]."""
        last = self.features(nodes)[-1].mean(dim=3)
        whole, middle = last.mean(dim=2), last[:, :, last.shape[2] // 2]
        return self.genre(whole), self.backwards(whole)[:, 0], self.phase(middle)


class PerceptualLoss(nn.Module):
    """L_p: mean absolute difference of the features of real and generated dances, all blocks alike."""

    def __init__(self, network: STGCN) -> None:
        super().__init__()
        self.network = network.eval().requires_grad_(False)

    def forward(self, predicted: Tensor, real: Tensor) -> Tensor:
        """Normalised nodes [B, T, J, 3] both -> a scalar >= 0."""
        with torch.no_grad():
            wanted = self.network.features(real)
        found = self.network.features(predicted)
        return torch.stack([F.l1_loss(f, w) for f, w in zip(found, wanted, strict=True)]).mean()


def load_or_pretrain(path: Path, dataset: DanceDataset, seed: int, log: Callable[[str], object]) -> STGCN:
    """The pretrained ST-GCN of a file, or one that is pretrained now and written there.

    The file's metadata hold the configuration of the pretraining. A file of another configuration is replaced.

    Args:
        path: a safetensors file.
        dataset: the training dances.
        seed: of weights and batches.
        log: called with one line per 100 steps.
    """
    device = dataset.nodes[0].device
    torch.manual_seed(seed)
    network = STGCN(dataset.null_genre).to(device)
    config = _pretraining_config(dataset, seed)
    if path.exists():
        if _read_config(path) == config:
            network.load_state_dict(load_file(path, device=str(device)))
            return network
        log("perceptual network: the one in the output folder is of another configuration and is trained again")
    # Every window keeps its genre and, where its timing is trusted, its music.
    sampling = dataclasses.replace(dataset.sampling, batch=_BATCH, genre_dropout=0.0, music_dropout=0.0)
    mean, scale = dataset.statistics()
    optimizer = torch.optim.AdamW(network.parameters(), _LEARNING_RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _LEARNING_RATE, STEPS)
    for step in range(STEPS):
        batch = dataset.batch(seed, 0, step, sampling=sampling)
        flipped = torch.from_numpy(np.random.default_rng((seed, step)).random(_BATCH) < 0.5).to(device)
        loss, right = pretraining_loss(network, batch, (batch.nodes - mean) / scale, flipped)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        if (step + 1) % 100 == 0:
            log(f"perceptual network: step {step + 1}/{STEPS}  loss {loss.item():.3f}  genre and direction {right}")
    with atomic_output(path) as part:
        save_file(network.state_dict(), part, {"config": json.dumps(config)})
    return network


def _pretraining_config(dataset: DanceDataset, seed: int) -> dict[str, Any]:
    """Everything that the pretrained weights depend on, as values that JSON keeps."""
    return {
        "steps": STEPS,
        "batch": _BATCH,
        "learning_rate": _LEARNING_RATE,
        "channels": list(_CHANNELS),
        "kernel": _KERNEL,
        "classes": dataset.null_genre,
        "window": dataset.sampling.window,
        "fps": MODEL_FPS,
        "nodes": list(GRAPH.joints),
        "data": dataset.fingerprint(),
        "seed": seed,
    }


def _read_config(path: Path) -> Any:
    """The configuration in a file's metadata; None where there is none."""
    try:
        with safe_open(path, framework="pt") as file:
            return json.loads((file.metadata() or {})["config"])
    except (SafetensorError, KeyError, ValueError):
        return None


def pretraining_loss(network: STGCN, batch: Batch, nodes: Tensor, flipped: Tensor) -> tuple[Tensor, str]:
    """Loss of the three questions, and the share of right answers to the first two."""
    genre, backwards, phase = network(torch.where(flipped[:, None, None, None], nodes.flip(1), nodes))
    middle = batch.features[:, batch.features.shape[1] // 2]
    true_phase = torch.stack([middle[:, _COSINE], middle[:, _SINE]], dim=1)
    # Of a dance that runs backwards, or without music, nobody knows the beat.
    asked = (batch.features.abs().sum(dim=(1, 2)) > 0) & ~flipped
    error = (phase - true_phase).square().sum(dim=1)
    true_genre = batch.genre % (genre.shape[1] + 1)  # seen in a mirror or not
    loss = (
        F.cross_entropy(genre, true_genre)
        + F.binary_cross_entropy_with_logits(backwards, flipped.float())
        + (error * asked).sum() / asked.sum().clamp(min=1)
    )
    right = (genre.argmax(dim=1) == true_genre).float().mean(), ((backwards > 0) == flipped).float().mean()
    return loss, ", ".join(f"{share.item():.0%}" for share in right)
