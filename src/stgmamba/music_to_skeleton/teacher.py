"""The teacher of a distillation: dances of a trained network as it is danced, with its styles' settings."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from torch import Tensor, nn

from stgmamba.arrays import DoubleArray, FloatArray
from stgmamba.music_to_skeleton.audio_features import BEAT_COSINE, BEAT_SINE, beats_of_phase
from stgmamba.music_to_skeleton.beat_alignment import interpolate, motion_events, time_warp
from stgmamba.music_to_skeleton.dataset import Batch
from stgmamba.music_to_skeleton.flow_matching import solve_flow
from stgmamba.music_to_skeleton.model import music_shares
from stgmamba.music_to_skeleton.postprocessing import place_on_floor
from stgmamba.music_to_skeleton.registry import Network
from stgmamba.music_to_skeleton.representation import ROOT, decode
from stgmamba.options import FPS
from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton


class Teacher(nn.Module):
    """A network trained by flow matching, with the temperatures, guidance, sources and music inputs of its styles.

    Args:
        network: whose weights stay as they are.
        align_beats: whether its dances are brought onto the beats of their music (beat_alignment.py), as they are when
            danced, so that the student learns it.
    """

    def __init__(self, network: Network, align_beats: bool = False) -> None:
        super().__init__()
        self._align_beats = align_beats
        self.network = network.eval().requires_grad_(False)
        config = network.config
        shares = [music_shares(each) for each in config.music_inputs]
        sources = [config.sources.index(source) for source in config.style_sources]
        self._temperature: Tensor
        self._guidance: Tensor
        self._source: Tensor
        self._sound: Tensor
        self._features: Tensor
        tables = {
            "_temperature": config.temperatures,
            "_guidance": config.guidance,
            "_source": sources,
            "_sound": np.array([sound for sound, _ in shares]),
            "_features": np.stack([known for _, known in shares]),
        }
        for name, of_styles in tables.items():
            styles = torch.as_tensor(of_styles)
            # Of each class: the styles, the null class, which is not danced, and both mirrored.
            self.register_buffer(name, torch.cat([styles, styles[:1]]).repeat(2, *[1] * (styles.dim() - 1)), False)

    @torch.no_grad()
    def as_sampled(self, batch: Batch) -> Batch:
        """A batch with the sources that are asked for, and no more of the music than its styles get when danced."""
        return dataclasses.replace(
            batch,
            wave=batch.wave * self._sound[batch.style][:, None, None],
            features=batch.features * self._features[batch.style][:, None],
            source=self._source[batch.style],
        )

    def scale_noise(self, noise: Tensor, batch: Batch) -> Tensor:
        """Noise [B, T, J, 3] of variance 1 at the temperatures of the styles."""
        return noise * self._temperature[batch.style][:, None, None, None]

    @torch.no_grad()
    def sample(self, noise: Tensor, batch: Batch) -> Tensor:
        """Normalised dances [B, T, J, 3] from noise, by all of the teacher's steps and with guidance."""
        network, (guidance, style) = self.network, (self._guidance[batch.style], batch.style)
        hidden = network.encode_audio(batch.wave, batch.features)
        guided = torch.nonzero(guidance != 1)[:, 0]
        half = network.config.classes // 2
        null = half - 1 + style // half * half  # the null class, mirrored where the style is

        def predict(x: Tensor, t: float) -> Tensor:
            times = x.new_full((len(x),), t)
            clean: Tensor = network(x, times, hidden, style, batch.source)
            if len(guided):
                free = network(x[guided], times[guided], hidden[guided], null[guided], batch.source[guided])
                g = guidance[guided][:, None, None, None]
                clean[guided] = g * clean[guided] + (1 - g) * free
            return clean

        dances = solve_flow(predict, noise, network.config.sampling_steps)
        return self._aligned(dances, batch) if self._align_beats else dances

    def _aligned(self, dances: Tensor, batch: Batch) -> Tensor:
        """Normalised dances [B, T, J, 3] with their motion events on the beats of the batch's music."""
        network = self.network
        metres = (dances * network.scale + network.mean).cpu().numpy()
        phases = batch.features[..., [BEAT_COSINE, BEAT_SINE]].cpu().numpy()
        aligned = [
            align_to_beats(nodes, beats_of_phase(phase), network.config.fps)
            for nodes, phase in zip(metres, phases, strict=True)
        ]
        return (torch.from_numpy(np.stack(aligned)).to(dances.device) - network.mean) / network.scale


def align_to_beats(nodes: FloatArray, beats: DoubleArray, fps: float) -> FloatArray:
    """A dance whose motion events are brought onto beats, see beat_alignment.py.

    Args:
        nodes: [T, 23, 3], see representation.py.
        beats: times, seconds ascending, [K]; without any the dance stays as it is.
        fps: frames per second of the nodes.

    Returns:
        [T, 23, 3].
    """
    if not len(beats):
        return nodes
    poses, trajectory = decode(nodes, fps, FPS)
    dance = Skeleton(place_on_floor(poses, trajectory, "free"), FPS, OPENPOSE_18_FEET)
    frames = np.minimum(time_warp(motion_events(dance), beats, len(nodes) / fps, fps) * fps, len(nodes) - 1)
    warped = interpolate(nodes, frames)
    # The root node holds velocities, which change with the speed.
    warped[:, ROOT] *= np.gradient(frames)[:, None].astype(np.float32)
    return warped
