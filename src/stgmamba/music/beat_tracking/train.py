"""Training of the beat network: ``stgmamba train beats --config configs/beat_tracking.yaml``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from stgmamba.arrays import Frame
from stgmamba.music.beat_tracking.dataset import Batch, BeatDataset, load_examples, make_examples, masked_bce
from stgmamba.music.beat_tracking.judge_training import train_judge
from stgmamba.music.beat_tracking.model import BeatNetwork, Config
from stgmamba.music.beat_tracking.spectrogram import FPS
from stgmamba.music.beat_tracking.tracker import BeatTracker
from stgmamba.progress import Progress
from stgmamba.training.checkpoint import TrainingState
from stgmamba.training.config import TrainConfig, read_config
from stgmamba.training.loop import fit, launch
from stgmamba.training.weights import save_weights

LOSS_WEIGHTS = {"beat": 1.0, "downbeat": 0.5}
"""Default weights of the loss terms."""


@dataclass(frozen=True)
class BeatTrainConfig(TrainConfig):
    """Configuration of a training run of the beat network; ``data`` is the folder of the composed songs.

    Attributes:
        songs: how many are composed.
        song_seconds: length of each.
        songs_seed: of the songs.
        judge_songs: the last of them, from which the judge learns and not the beat network.
        window: seconds of an excerpt.
    """

    songs: int = 4000
    song_seconds: float = 24.0
    songs_seed: int = 1
    judge_songs: int = 400
    window: float = 20.0

    def check(self) -> None:
        """Raise ValueError or TypeError for invalid settings."""
        super().check()
        if not 4 <= self.window <= self.song_seconds:
            raise ValueError(f"window {self.window:g} must be from 4 to song_seconds, {self.song_seconds:g}")
        if not 0 < self.judge_songs < self.songs:
            raise ValueError(f"judge_songs {self.judge_songs} must be from 1 to songs, {self.songs}")
        self.check_loss_weights(LOSS_WEIGHTS)
        self.check_model(Config, self.model)
        Config(**self.model)


class BeatObjective(nn.Module):
    """Binary cross-entropy of beat and downbeat activations.

    Args:
        model: the network.
        loss_weights: of ``beat`` and ``downbeat``.
    """

    optimizer_groups = ("generator",)

    def __init__(self, model: BeatNetwork, loss_weights: dict[str, float]) -> None:
        super().__init__()
        self.model, self.loss_weights = model, loss_weights

    def forward(self, batch: Batch, group: str) -> dict[str, Tensor]:
        """Weighted loss terms."""
        losses = masked_bce(self.model(batch.spectrogram), batch.targets, batch.mask)
        return {
            name: losses[row] * self.loss_weights[name]
            for row, name in enumerate(("beat", "downbeat"))
            if self.loss_weights[name]
        }


def read_beat_config(path: str | Path) -> BeatTrainConfig:
    """Read a training configuration, see `stgmamba.training.config.read_config`."""
    return read_config(path, BeatTrainConfig)


def prepare(config: BeatTrainConfig, progress: Progress | None = None) -> list[Path]:
    """Compose the songs that do not exist yet; returns their files."""
    return make_examples(Path(config.data), config.songs_seed, config.songs, config.song_seconds, progress)


def train(config: BeatTrainConfig, minutes: float | None = None, log: Callable[[str], object] = print) -> Path:
    """Train the beat network, or continue from its checkpoint, then the judge; songs that are missing are composed.

    Args:
        config: of the run.
        minutes: maximum duration of training; None for all steps.
        log: called with one line at regular intervals.

    Returns:
        Path of the safetensors file of network and judge.

    Raises:
        InputError: a file of songs is damaged, or the output folder has a checkpoint of another configuration.
    """
    fabric, out = launch(config)
    examples = load_examples(prepare(config))
    learnt, judged = examples[: -config.judge_songs], examples[-config.judge_songs :]
    dataset = BeatDataset(learnt, config.batch, round(config.window * FPS))
    log(f"{len(learnt)} songs, {sum(len(each.spectrogram) for each in learnt) / FPS / 3600:.1f} hours")
    model_config = Config(**config.model)
    torch.manual_seed(config.seed)
    model = BeatNetwork(model_config)
    objective = BeatObjective(model, LOSS_WEIGHTS | config.loss_weights).to(fabric.device)
    state = TrainingState(config, objective, lambda: BeatNetwork(model_config), out)

    def preview(network: nn.Module) -> Frame:
        return draw_activations(network, dataset.batch(config.seed, -1 % 2**32))

    fit(fabric, state, lambda step: dataset.batch(config.seed, fabric.global_rank, step), preview, minutes, log)
    tracker = BeatTracker(model_config)
    tracker.network.load_state_dict(state.average)
    train_judge(tracker, judged, config.seed, log)
    return save_tracker(tracker, out / "tracker.safetensors")


def save_tracker(tracker: BeatTracker, path: Path) -> Path:
    """Write network and judge as one weights file, in half precision."""
    return save_weights(path, {name: value.half() for name, value in tracker.state_dict().items()}, tracker.config)


@torch.inference_mode()
def draw_activations(network: nn.Module, batch: Batch) -> Frame:
    """A picture uint8 RGB [H, W, 3] of four excerpts: spectrogram, activations (lower half) and targets (upper)."""
    activations = torch.sigmoid(network(batch.spectrogram)).numpy()
    rows = []
    for x, found, true in list(zip(batch.spectrogram.numpy(), activations, batch.targets.numpy(), strict=True))[:4]:
        grey = np.repeat(np.clip(x.T[::-1, :, None] / 3.5, 0, 1), 3, axis=2)
        strips = [
            np.repeat(np.stack([beat, downbeat, 0 * beat], axis=-1)[None], 12, axis=0)
            for beat, downbeat in (true, found)
        ]
        rows += [grey, *strips]
    return np.asarray(np.concatenate(rows) * 255, np.uint8)
