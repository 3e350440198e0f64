"""Training of the song-level judge on composed songs that the beat network has not seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stgmamba.arrays import DoubleArray, FloatArray
from stgmamba.music.beat_tracking.agreement import f_measure
from stgmamba.music.beat_tracking.candidates import Candidate, Evidence, describe
from stgmamba.music.beat_tracking.dataset import Example
from stgmamba.music.beat_tracking.decoder import decode_beats
from stgmamba.music.beat_tracking.downbeats import metre_features
from stgmamba.music.beat_tracking.grid import steady_stretches
from stgmamba.music.beat_tracking.judge import METRES, Judge, Standardised, level_loss
from stgmamba.music.beat_tracking.tracker import BeatTracker, level_candidates

_STEPS = 150
_LEARNING_RATE = 1e-2
_RIDGE = 5e-3  # weight of the sum of squared weights; without it the judge learns its few hundred songs by heart
_NOISE = 0.3  # standard deviations; added to the features


@dataclass(frozen=True)
class Trial:
    """A song with all that the beats may be.

    Attributes:
        features: [C, FEATURES] of the candidates.
        agreement: [C] their F-measures.
        metre_features: of the best candidate.
        metre: index of the true one.
    """

    features: FloatArray
    agreement: DoubleArray
    metre_features: FloatArray
    metre: int


def try_song(tracker: BeatTracker, example: Example) -> Trial | None:
    """The candidates of a song; None where the decoder finds no beats."""
    spectrogram = example.spectrogram.astype(np.float32)
    activations = tracker.activations(spectrogram)
    decoded = decode_beats(activations[0])
    beats = np.concatenate(steady_stretches(activations[0], decoded)) if len(decoded) else decoded
    if len(beats) < 4:
        return None
    evidence = Evidence.of(spectrogram, activations)
    options = level_candidates(evidence, beats)
    agreement = np.array([f_measure(option.beats, example.beats) for option in options])
    best = options[int(agreement.argmax())].beats
    bars = metre_features(evidence.at(best)[1], describe(evidence, Candidate(best, 0)))
    features = np.stack([describe(evidence, option) for option in options])
    metre = METRES.index(example.metre)
    return Trial(features.astype(np.float32), agreement, bars.astype(np.float32), metre)


def train_judge(
    tracker: BeatTracker, examples: Sequence[Example], seed: int, log: Callable[[str], object] = print
) -> None:
    """Train ``tracker.judge`` in place, by full batches of Adam.

    Args:
        tracker: with a trained beat network.
        examples: composed songs that the network was not trained on.
        seed: of initial weights, noise and dropout.
        log: called with a line at the end.
    """
    tracker.eval()
    trials = [trial for example in examples if (trial := try_song(tracker, example))]
    most = max(len(trial.agreement) for trial in trials)
    features = torch.zeros(len(trials), most, trials[0].features.shape[1])
    agreement = torch.zeros(len(trials), most)
    present = torch.zeros(len(trials), most, dtype=torch.bool)
    for i, trial in enumerate(trials):
        count = len(trial.agreement)
        features[i, :count] = torch.from_numpy(trial.features)
        agreement[i, :count] = torch.from_numpy(trial.agreement)
        present[i, :count] = True
    bars = torch.from_numpy(np.stack([trial.metre_features for trial in trials]))
    metres = torch.tensor([trial.metre for trial in trials])

    torch.manual_seed(seed)
    judge = tracker.judge = Judge()
    level_scale = _standardise(judge.level, features[present])
    metre_scale = _standardise(judge.metre, bars)
    optimizer = torch.optim.Adam(judge.parameters(), _LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, _STEPS)
    judge.train()
    for _ in range(_STEPS):
        noisy = features + _NOISE * level_scale * torch.randn_like(features)
        loss = level_loss(judge.level_scores(noisy), agreement, present)
        noisy_bars = bars + _NOISE * metre_scale * torch.randn_like(bars)
        loss = loss + F.cross_entropy(judge.metre_scores(noisy_bars), metres, label_smoothing=0.05)
        loss = loss + _RIDGE * torch.stack([weight.square().sum() for weight in judge.parameters()]).sum()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    judge.eval()
    with torch.inference_mode():
        chosen = judge.level_scores(features).masked_fill(~present, -1e9).argmax(dim=1)
        reached = agreement.gather(1, chosen[:, None]).mean().item()
        right = (judge.metre_scores(bars).argmax(dim=1) == metres).float().mean().item()
    log(
        f"judge on its {len(trials)} songs: F {agreement[:, 0].mean().item():.3f} as decoded, {reached:.3f} as chosen, "
        f"{agreement.max(dim=1).values.mean().item():.3f} at best; metre {right:.3f}"
    )


def _standardise(perceptron: nn.Sequential, features: Tensor) -> Tensor:
    """Fit the first layer to features [N, F]; returns their standard deviations."""
    first = perceptron[0]
    assert isinstance(first, Standardised)
    first.fit(features)
    return first.scale
