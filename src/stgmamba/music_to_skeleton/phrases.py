"""Phrases that return: where a section of the song comes again, so does its dance, exactly or varied.

A dance is determined by its noise and the music. Sections of the same letter get the same noise, from their first
downbeats on, so that the network makes the same phrase of similar music; with a share of other noise it varies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from stgmamba.arrays import DoubleArray, FloatArray
from stgmamba.music.rhythm import Section

_OWN_NOISE = 0.5  # share, of the amplitude, of its own noise in a phrase that returns varied
_FADE = 0.5  # seconds over which a dance goes over into a phrase that returns, and out of it
_SHORTEST = 2.0  # seconds; what is shorter is no phrase


@dataclass(frozen=True)
class Return:
    """A part of a song that comes again: ``length`` seconds from ``first`` on are heard from ``again`` on."""

    first: float
    again: float
    length: float


def find_returns(sections: Sequence[Section], downbeats: DoubleArray) -> list[Return]:
    """Where each section is heard again that was heard before, from its first downbeat on, in order.

    Args:
        sections: of a song, in order.
        downbeats: seconds [B].
    """
    heard: dict[str, tuple[float, float]] = {}
    returns = []
    for section in sections:
        inside = downbeats[(downbeats >= section.start - 1e-3) & (downbeats < section.end)]
        begin = float(inside[0]) if len(inside) else section.start
        if section.label not in heard:
            heard[section.label] = (begin, section.end)
            continue
        first, end = heard[section.label]
        length = min(end - first, section.end - begin)
        if length >= _SHORTEST:
            returns.append(Return(first, begin, length))
    return returns


def repeat_noise(noise: Tensor, returns: Sequence[Return], fps: float) -> Tensor:
    """Noise [T, J, 3] whose returning parts are like the first, but for a share of their own; of the same variance."""
    out = noise.clone()
    for part in returns:
        source, target, fade = _spans(part, len(noise), fps)
        alike = torch.from_numpy(fade).to(noise)[:, None, None] * (1 - _OWN_NOISE**2) ** 0.5
        out[target] = alike * noise[source] + (1 - alike**2).sqrt() * noise[target]
    return out


def repeat_nodes(nodes: FloatArray, returns: Sequence[Return], fps: float) -> FloatArray:
    """Nodes [T, J, 3] whose returning parts are those of the first time, faded in and out."""
    out = nodes.copy()
    for part in returns:
        source, target, fade = _spans(part, len(nodes), fps)
        share = fade[:, None, None]
        out[target] = share * nodes[source] + (1 - share) * nodes[target]
    return out


def _spans(part: Return, frames: int, fps: float) -> tuple[slice, slice, FloatArray]:
    """Frames of the first time and of the return, and how far the return is the first, [N] in 0..1."""
    first, again = round(part.first * fps), round(part.again * fps)
    length = max(0, min(round(part.length * fps), frames - again, frames - first))
    steps = np.arange(length)
    fade = np.clip(np.minimum(steps, length - 1 - steps) / max(1, round(_FADE * fps)), 0, 1)
    return slice(first, first + length), slice(again, again + length), fade.astype(np.float32)
