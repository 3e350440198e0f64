from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stgmamba.arrays import DoubleArray, FloatArray
from stgmamba.music_to_skeleton.audio_features import MUSIC_FPS, beats_of_phase, phase_features
from stgmamba.music_to_skeleton.beat_alignment import motion_events
from stgmamba.music_to_skeleton.postprocessing import place_on_floor
from stgmamba.music_to_skeleton.representation import ROOT, decode, encode
from stgmamba.music_to_skeleton.teacher import align_to_beats
from stgmamba.options import FPS
from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton

from ..support.synthetic_dances import stepping

BEATS = np.arange(0.25, 16, 0.5)


def distance_to_beats(nodes: FloatArray) -> float:
    """Mean distance of motion events to the nearest beat, seconds."""
    dance = Skeleton(place_on_floor(*decode(nodes, FPS, FPS), "free"), FPS, OPENPOSE_18_FEET)
    return float(np.abs(motion_events(dance)[:, None] - BEATS).min(axis=1).mean())


@given(st.floats(50, 215), st.floats(0, 1))
def test_beats_follow_from_their_phase(bpm: float, first: float) -> None:
    beats = np.arange(first, 12, 60 / bpm)
    found = beats_of_phase(phase_features(beats, round(12 * MUSIC_FPS)))
    inside = beats[(beats > 0.1) & (beats < 11.8)]
    assert np.abs(found[:, None] - inside).min(axis=0).max() < 0.01
    assert (np.diff(found) > 0).all()


@pytest.mark.parametrize("phase", [np.zeros((50, 2), np.float32), np.zeros((0, 2), np.float32)])
def test_no_phase_has_no_beats(phase: FloatArray) -> None:
    assert len(beats_of_phase(phase)) == 0


def test_steps_come_onto_the_beats() -> None:
    late: DoubleArray = BEATS[2:-2] + 0.12 + 0.05 * np.sin(np.arange(len(BEATS) - 4))
    nodes = encode(stepping(late, 16.0), FPS)
    aligned = align_to_beats(nodes, BEATS, FPS)
    assert aligned.shape == nodes.shape
    assert distance_to_beats(aligned) < 0.5 * distance_to_beats(nodes)


def test_the_way_through_the_room_stays() -> None:
    """The root node holds velocities: danced faster, they are larger."""
    nodes = encode(stepping(BEATS[2:-2] + 0.15, 16.0), FPS)
    nodes[:, ROOT] = [0.2, 0.3, 0.1]
    ends = [decode(each, FPS, FPS)[1] for each in (nodes, align_to_beats(nodes, BEATS, FPS))]
    assert ends[1].heading[-1] == pytest.approx(ends[0].heading[-1], abs=0.05)
    assert np.abs(ends[1].position[-1] - ends[0].position[-1]).max() < 0.1


def test_without_beats_a_dance_stays_as_it_is() -> None:
    nodes = encode(stepping(BEATS[2:-2], 16.0), FPS)
    assert align_to_beats(nodes, np.zeros(0), FPS) is nodes
