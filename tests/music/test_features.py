from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stgmamba.music.features import frame_count, onset_strength
from tests.support.drum_track import drum_track

RATE = 22_050


@pytest.mark.parametrize("fps", [10, 25, 29.97, 30, 60])
@pytest.mark.parametrize("rate", [RATE, 44_100])
def test_onsets_lie_on_their_frames(fps: float, rate: int) -> None:
    times = np.arange(0.5, 9.5, 0.737)
    strength = onset_strength(drum_track(times, 10, rate), rate, fps)
    assert strength.shape == (frame_count(10 * rate, rate, fps),)
    peaks = []
    for at in times:
        low, high = round((at - 0.2) * fps), round((at + 0.2) * fps) + 1
        peaks.append((low + int(np.argmax(strength[low:high]))) / fps)
    assert np.abs(np.array(peaks) - times).max() <= 0.5 / fps + 0.008
    if fps == 60:
        assert abs(np.mean(np.array(peaks) - times)) < 0.006


def test_stretches_leave_no_seam() -> None:
    frame = 7 * 128  # seven hops of the flux, so that the tail's frames are those of the whole
    sound = np.random.default_rng(0).standard_normal(RATE * 120).astype(np.float32) * 0.1
    whole = onset_strength(sound, RATE, RATE / frame)
    tail = onset_strength(sound[1000 * frame :], RATE, RATE / frame)
    assert len(whole) == 1000 + len(tail)
    np.testing.assert_allclose(whole[1010:], tail[10:], atol=1e-3)


@settings(deadline=None, max_examples=25)
@given(
    samples=st.integers(1, 3 * RATE),
    fps=st.floats(1, 120),
    rate=st.sampled_from([8000, RATE, 48_000]),
)
def test_any_length_and_fps_give_frames_that_fit(samples: int, fps: float, rate: int) -> None:
    sound = np.random.default_rng(samples).standard_normal(samples).astype(np.float32) * 0.1
    frames = frame_count(samples, rate, fps)
    strength = onset_strength(sound, rate, fps)
    assert strength.shape == (frames,)
    assert np.isfinite(strength).all()
    assert (strength >= 0).all()
