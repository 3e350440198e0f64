from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stgmamba.music.rhythm import Section
from stgmamba.music_to_skeleton.phrases import Return, find_returns, repeat_nodes, repeat_noise

SECTIONS = [Section(0, 8, "A"), Section(8, 16, "B"), Section(16, 22, "A"), Section(22, 40, "B"), Section(40, 41, "A")]


def test_sections_return_from_their_first_downbeat_on_as_long_as_both_last() -> None:
    returns = find_returns(SECTIONS, np.arange(0.5, 41, 2.0))
    assert returns == [Return(0.5, 16.5, 5.5), Return(8.5, 22.5, 7.5)]  # the last one is too short


def test_without_downbeats_a_section_begins_where_it_begins() -> None:
    assert find_returns(SECTIONS[:3], np.zeros(0)) == [Return(0, 16, 6)]


@given(st.lists(st.tuples(st.floats(0.5, 20), st.sampled_from("ABC")), min_size=1, max_size=9), st.integers(20, 1500))
def test_whatever_the_form_nothing_outside_of_returns_changes(form: list[tuple[float, str]], frames: int) -> None:
    edges = np.concatenate([[0], np.cumsum([length for length, _ in form])])
    sections = [Section(a, b, label) for a, b, (_, label) in zip(edges[:-1], edges[1:], form, strict=True)]
    returns = find_returns(sections, np.arange(0, edges[-1], 1.7))
    assert all(part.again >= part.first + part.length - 2e-3 for part in returns)
    nodes = np.random.default_rng(0).normal(size=(frames, 2, 3)).astype(np.float32)
    repeated = repeat_nodes(nodes, returns, 12.5)
    assert repeated.shape == nodes.shape
    outside = np.ones(frames, bool)
    for part in returns:
        outside[round(part.again * 12.5) : round(part.again * 12.5) + round(part.length * 12.5)] = False
    np.testing.assert_array_equal(repeated[outside], nodes[outside])


@pytest.mark.parametrize("fps", [12.5, 25.0])
def test_nodes_return_and_fade(fps: float) -> None:
    nodes = np.random.default_rng(0).normal(size=(round(30 * fps), 4, 3)).astype(np.float32)
    repeated = repeat_nodes(nodes, [Return(2, 15, 6)], fps)
    first, again, fade = round(2 * fps), round(15 * fps), round(0.5 * fps) + 1
    length = round(6 * fps)
    inner = slice(fade, length - fade)
    np.testing.assert_array_equal(repeated[again : again + length][inner], nodes[first : first + length][inner])
    np.testing.assert_array_equal(repeated[again], nodes[again])


def test_noise_returns_with_the_same_variance() -> None:
    noise = torch.randn(20_000, 4, 3, generator=torch.Generator().manual_seed(0))
    out = repeat_noise(noise, [Return(0, 400, 400)], 25.0)
    assert out.std() == pytest.approx(1, abs=0.01)
    likeness = np.corrcoef(out[10_100:19_900].ravel(), noise[100:9_900].ravel())[0, 1]
    assert likeness == pytest.approx(np.sqrt(0.75), abs=0.01)
    assert torch.equal(out[:10_000], noise[:10_000])
