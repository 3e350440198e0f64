"""The teacher of a distillation: dances of a trained network as it is danced, with its styles' settings."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn

from stgmamba.music_to_skeleton.dataset import Batch
from stgmamba.music_to_skeleton.flow_matching import solve_flow
from stgmamba.music_to_skeleton.model import PHASE, SOUND
from stgmamba.music_to_skeleton.registry import Network


class Teacher(nn.Module):
    """A network trained by flow matching, with the temperatures, guidance, sources and music inputs of its styles.

    Args:
        network: whose weights stay as they are.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network.eval().requires_grad_(False)
        config = network.config
        device = network.mean.device
        null = len(config.styles)

        def per_style(values: list[float], dtype: torch.dtype) -> Tensor:
            """Of each class: the styles, the null class, and both mirrored."""
            row = torch.tensor([*values, values[0]], dtype=dtype, device=device)
            return torch.cat([row, row])

        self._null = null
        self._temperature = per_style(list(config.temperatures), torch.float32)
        self._guidance = per_style(list(config.guidance), torch.float32)
        sources = [float(config.sources.index(source)) for source in config.style_sources]
        self._source = per_style(sources, torch.long)
        self._hears = per_style([float(each == SOUND) for each in config.music_inputs], torch.float32)
        self._phase_only = per_style([float(each == PHASE) for each in config.music_inputs], torch.float32)

    @torch.no_grad()
    def as_sampled(self, batch: Batch) -> Batch:
        """A batch with the sources that are asked for, and no more of the music than its styles get when danced."""
        features = batch.features.clone()
        features[..., :2] *= 1 - self._phase_only[batch.style][:, None, None]
        wave = batch.wave * self._hears[batch.style][:, None, None]
        return dataclasses.replace(batch, wave=wave, features=features, source=self._source[batch.style])

    def scale_noise(self, noise: Tensor, batch: Batch) -> Tensor:
        """Noise [B, T, J, 3] of variance 1 at the temperatures of the styles."""
        return noise * self._temperature[batch.style][:, None, None, None]

    @torch.no_grad()
    def sample(self, noise: Tensor, batch: Batch) -> Tensor:
        """Normalised dances [B, T, J, 3] from noise, by all of the teacher's steps and with guidance."""
        network, (guidance, style) = self.network, (self._guidance[batch.style], batch.style)
        hidden = network.encode_audio(batch.wave, batch.features)
        guided = torch.nonzero(guidance != 1)[:, 0]
        # The null class, mirrored where the style is.
        null = self._null + torch.where(style > self._null, self._null + 1, 0)

        def predict(x: Tensor, t: float) -> Tensor:
            times = x.new_full((len(x),), t)
            clean: Tensor = network(x, times, hidden, style, batch.source)
            if len(guided):
                free = network(x[guided], times[guided], hidden[guided], null[guided], batch.source[guided])
                g = guidance[guided][:, None, None, None]
                clean[guided] = g * clean[guided] + (1 - g) * free
            return clean

        return solve_flow(predict, noise, network.config.sampling_steps)
