"""The beat tracker: a song in; beats, downbeats, metre and tempo out."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import nn

from stgmamba.arrays import DoubleArray, FloatArray
from stgmamba.music.beat_tracking.candidates import Candidate, Evidence, candidates, describe
from stgmamba.music.beat_tracking.decoder import decode_beats
from stgmamba.music.beat_tracking.downbeats import bar_positions, metre_features
from stgmamba.music.beat_tracking.grid import steady_stretches
from stgmamba.music.beat_tracking.judge import METRES, Judge
from stgmamba.music.beat_tracking.model import BeatNetwork, Config
from stgmamba.music.beat_tracking.spectrogram import FPS, log_mel
from stgmamba.music.decode import SAMPLE_RATE
from stgmamba.music.rhythm import BEATS_PER_BAR, USUAL_INTERVAL, Rhythm
from stgmamba.training.weights import default_weights, read_network

_CHUNK, _MARGIN = 6000, 600  # frames; the network sees 10.2 s to either side
_LEAST_BEATS = 4  # of a stretch that is judged


class BeatTracker(nn.Module):
    """The networks of beat tracking, in one file of weights.

    Args:
        config: of the beat network.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.network = BeatNetwork(config)
        self.judge = Judge()

    @torch.inference_mode()
    def activations(self, spectrogram: FloatArray) -> FloatArray:
        """Probabilities [2, T] of beat and downbeat for a spectrogram [T, MELS] of any length, in bounded memory."""
        pieces = []
        for first in range(0, len(spectrogram), _CHUNK):
            low, high = max(0, first - _MARGIN), min(len(spectrogram), first + _CHUNK + _MARGIN)
            logits = self.network(torch.from_numpy(spectrogram[low:high])[None])[0]
            pieces.append(torch.sigmoid(logits[:, first - low : first - low + _CHUNK]).numpy())
        return np.concatenate(pieces, axis=1)

    def track(self, samples: FloatArray) -> Rhythm:
        """Beats, downbeats and metre of a song.

        Args:
            samples: [N] mono at SAMPLE_RATE.
        """
        spectrogram = log_mel(samples)
        return self.decode(spectrogram, self.activations(spectrogram))

    def decode(self, spectrogram: FloatArray, activations: FloatArray) -> Rhythm:
        """As `track`, from the spectrogram [T, MELS] and the activations [2, T]."""
        begin, end = _sounding(spectrogram)
        decoded = decode_beats(activations[0])
        evidence = Evidence.of(spectrogram, activations)
        # Each stretch between jumps of the tempo is judged by itself.
        beats = _joined([self._judge(evidence, stretch) for stretch in steady_stretches(activations[0], decoded)])
        beats = beats[(beats >= begin - 0.05) & (beats <= end)]
        if len(beats) < 2:
            beats = np.arange(begin, max(end, begin + 1e-6), USUAL_INTERVAL)
            return Rhythm(beats, np.arange(len(beats)) % 4, "4/4")
        return self._with_bars(evidence, beats)

    @torch.inference_mode()
    def _judge(self, evidence: Evidence, beats: DoubleArray) -> DoubleArray:
        if len(beats) < _LEAST_BEATS:
            return beats
        options = level_candidates(evidence, beats)
        features = np.stack([describe(evidence, option) for option in options]).astype(np.float32)
        scores = self.judge.level_scores(torch.from_numpy(features))
        return options[int(scores.argmax())].beats

    @torch.inference_mode()
    def _with_bars(self, evidence: Evidence, beats: DoubleArray) -> Rhythm:
        activation = evidence.at(beats)[1]
        features = metre_features(activation, describe(evidence, Candidate(beats, 0)))
        scores = self.judge.metre_scores(torch.from_numpy(features.astype(np.float32)))
        metre = METRES[int(scores.argmax())]
        return Rhythm(beats, bar_positions(activation, BEATS_PER_BAR[metre])[0], metre)


def level_candidates(evidence: Evidence, beats: DoubleArray) -> list[Candidate]:
    """What a stretch of decoded beats may be instead, see candidates.py; the evidence outside it does not count."""
    period = float(np.median(np.diff(beats)))
    end = min(evidence.channels.shape[1] / FPS, beats[-1] + period)
    return [option for option in candidates(beats, end) if len(option.beats) >= 2]


def load_tracker(weights: str | Path | None = None) -> BeatTracker:
    """The tracker with the default weights, or with those of a file.

    Raises:
        InputError: not a weights file of the beat tracker.
    """
    path = default_weights("beat_tracking") if weights is None else Path(weights)
    return read_network(path, lambda values: BeatTracker(Config(**values)))


def track_beats(samples: FloatArray, rate: int = SAMPLE_RATE) -> Rhythm:
    """Beats, downbeats and metre of a song, by the tracker in the package.

    Music without clear beats gets regular ones at the likeliest tempo.

    Args:
        samples: [N] mono, -1..1.
        rate: samples per second.
    """
    if rate != SAMPLE_RATE:
        from scipy.signal import resample_poly

        samples = resample_poly(samples, SAMPLE_RATE, rate).astype(np.float32)
    return default_tracker().track(samples)


@cache
def default_tracker() -> BeatTracker:
    """The tracker with the weights in the package, loaded once."""
    return load_tracker()


def _joined(stretches: list[DoubleArray]) -> DoubleArray:
    """Stretches of beats in one sequence; where two meet, beats closer than 0.2 s are one."""
    joined: list[float] = []
    for stretch in stretches:
        joined += [float(beat) for beat in stretch if not joined or beat > joined[-1] + 0.2]
    return np.array(joined)


def _sounding(spectrogram: FloatArray) -> tuple[float, float]:
    """The seconds between which the song can be heard: its loudest band above 50 dB below the song's loudest."""
    level = spectrogram.max(axis=1)
    audible = np.flatnonzero(level > max(float(level.max()) - 2.5, 1e-6))
    if not len(audible):
        return 0.0, len(spectrogram) / FPS
    return float(audible[0] / FPS), float((audible[-1] + 1) / FPS)
