"""Baseline ``retrieval``: bars of real dances, concatenated on the beats of the song.

A motion graph after Kovar, Gleicher, Pighin (SIGGRAPH 2002), with costs that depend on the music:

1. Training dances are split into bars at the tracked beats of their music; a bar may begin on any beat.
2. For each bar of the song a bar of dance is chosen. The sequence minimises the sum of transition costs (difference of
   pose and velocity), music costs (difference of onsets and loudness), tempo costs, and random costs.
3. Each bar is warped in time so that its beats fall on those of the song. Consecutive bars are blended over 0.2 s,
   position and heading are continued, and feet get the same post-processing as those of our dances.

Simpler than Kovar et al.: transitions are at beats only, poses are compared at single frames with their velocities
instead of over windows, and dynamic programming finds the optimal path instead of branch and bound.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.spatial.distance import cdist

from stgmamba.arrays import DoubleArray, smoothstep
from stgmamba.datasets.tang2018 import Dance
from stgmamba.evaluation.skeleton.baselines.mean_pose import mean_pose
from stgmamba.music.decode import load_song
from stgmamba.music_to_skeleton.audio_features import MUSIC_FPS, AudioFeatures, extract_audio_features
from stgmamba.options import FPS
from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton
from stgmamba.skeleton.body import Body, mid_hip, rebuild, retarget
from stgmamba.skeleton.root_trajectory import RootTrajectory, integrate_velocity, to_local
from stgmamba.skeleton.rotations import rotate_yaw

_BLEND = 0.2  # seconds
_VELOCITY_SECONDS = 0.2  # weight of velocity differences (m/s) relative to position differences (m)
_PROFILE = 4  # samples of the music per beat
_MIN_JUMP = 4  # bars; a jump within a dance over less
_NEAR_JUMP_COST = 20.0  # has this additional cost
_NEIGHBOURS = 20
# Weights of the costs. A transition as good as the twentieth best costs about 1; music costs are in units of their
# median, tempo costs are the log ratio. Chosen on training songs with the dances of the other songs: PFD and VFD
# decreased with larger random costs.
_MUSIC, _TEMPO, _RANDOM = 0.5, 1.0, 4.0


def retrieval(train: Sequence[Dance]) -> Callable[[Dance, int], Skeleton]:
    """A method that concatenates bars of the dances of ``train``, except the song's own.

    Dances with fitted timing are preferred, and of those the ones of the song's style. Without any other dance the
    result is the mean pose.
    """
    sources = [_Source.of(dance) for dance in train]
    fallback = mean_pose(train)

    def baseline(song: Dance, seed: int) -> Skeleton:
        bar = 3 if song.style == "waltz" else 4
        others = [source for source in sources if source.dance.id != song.id and len(source.beats) > bar]
        chosen = [source for source in others if source.dance.sync] or others
        chosen = [source for source in chosen if source.dance.style == song.style] or chosen
        if not chosen:
            return fallback(song, seed)
        seconds = song.skeleton.seconds
        audio = extract_audio_features(load_song(song.audio_path).samples)
        beats = _whole_bars(audio.beats, seconds, bar)
        rng = np.random.default_rng([zlib.crc32(song.id.encode()), seed])
        bars = _Bars.of(chosen, bar)
        path = _optimal_path(bars, beats, _profiles(audio, beats), rng)
        sequence = [(chosen[bars.source[i]], int(bars.beat[i])) for i in path]
        return _concatenate(sequence, beats, bar, max(1, round(seconds * FPS)))

    return baseline


@dataclass(frozen=True)
class _Source:
    """A training dance, analysed.

    Attributes:
        dance: the dance.
        motion: seconds -> [69]: joints in the body's heading (66), floor position x, z, heading.
        beats: times of the beats of its music within the dance, seconds [K].
        states: [K, 132], pose and velocity at each beat.
        music: [K - 1, 2 _PROFILE], onsets and loudness between successive beats.
    """

    dance: Dance
    motion: CubicSpline
    beats: DoubleArray
    states: DoubleArray
    music: DoubleArray

    @staticmethod
    def of(dance: Dance) -> _Source:
        """Retarget a dance to the default body and analyse it."""
        positions = retarget(dance.skeleton.resampled(FPS), Body()).positions
        frames = len(positions)
        poses, trajectory = to_local(positions, FPS)
        velocity = np.gradient(positions, axis=0) * FPS if frames > 1 else np.zeros_like(positions)
        velocity[..., [0, 2]] = rotate_yaw(velocity[..., [0, 2]], -trajectory.heading[:, None])
        audio = extract_audio_features(load_song(dance.audio_path).samples)
        # The first pose is repeated up to the start of the capture.
        start = int(np.argmax((np.diff(positions, axis=0) != 0).any(axis=(1, 2)))) if frames > 1 else 0
        beats = audio.beats[(audio.beats >= start / FPS) & (audio.beats <= (frames - 1) / FPS)]
        state = np.concatenate([poses, _VELOCITY_SECONDS * velocity], axis=1).reshape(frames, -1)
        flat = np.concatenate([poses.reshape(frames, -1), trajectory.position, trajectory.heading[:, None]], axis=1)
        times = np.arange(frames) / FPS
        # A spline needs two frames.
        motion = CubicSpline(times, flat) if frames > 1 else CubicSpline([0.0, 1.0], np.repeat(flat, 2, axis=0))
        return _Source(dance, motion, beats, state[np.round(beats * FPS).astype(int)], _profiles(audio, beats))


@dataclass(frozen=True)
class _Bars:
    """All M candidate bars.

    Attributes:
        source, beat: index of the dance, and of its beat on which the bar begins [M].
        begin, end: pose and velocity at the first and last beat [M, 132].
        music: [M, bar * 2 _PROFILE].
        seconds: duration [M].
    """

    source: NDArray[np.int64]
    beat: NDArray[np.int64]
    begin: DoubleArray
    end: DoubleArray
    music: DoubleArray
    seconds: DoubleArray

    @staticmethod
    def of(sources: Sequence[_Source], bar: int) -> _Bars:
        """Every ``bar`` beats of every dance."""
        counts = [len(source.beats) - bar for source in sources]
        return _Bars(
            source=np.repeat(np.arange(len(sources)), counts),
            beat=np.concatenate([np.arange(count) for count in counts]),
            begin=np.concatenate([source.states[:-bar] for source in sources]),
            end=np.concatenate([source.states[bar:] for source in sources]),
            music=np.concatenate([_over_bars(source.music, bar) for source in sources]),
            seconds=np.concatenate([source.beats[bar:] - source.beats[:-bar] for source in sources]),
        )


def _optimal_path(bars: _Bars, beats: DoubleArray, music: DoubleArray, rng: np.random.Generator) -> list[int]:
    """Indices of the bars, one for each bar of the song, whose sequence has the lowest cost (Viterbi 1967).

    Args:
        bars: M candidates.
        beats: of the song, whole bars [G bar + 1].
        music: of the song, [G bar, 2 _PROFILE].
        rng: of the random costs.
    """
    bar = bars.music.shape[1] // music.shape[1]
    transitions = _transition_costs(bars, bar)
    difference = _in_medians(cdist(_over_bars(music, bar)[::bar], bars.music))  # [G, M]
    tempo = np.abs(np.log(np.diff(beats[::bar])[:, None] / bars.seconds))
    costs = _MUSIC * difference + _TEMPO * tempo + _RANDOM * rng.exponential(size=difference.shape)
    total, predecessors = costs[0], []
    for cost in costs[1:]:
        totals = total[:, None] + transitions
        predecessors.append(totals.argmin(axis=0))
        total = totals.min(axis=0) + cost
    path = [int(total.argmin())]
    for predecessor in reversed(predecessors):
        path.append(int(predecessor[path[-1]]))
    return path[::-1]


def _transition_costs(bars: _Bars, bar: int) -> DoubleArray:
    """Cost of a transition from one bar to another, [M, M]; 0 for the bar that follows in the real dance.

    Distances are normalised by those of the two bars to their _NEIGHBOURS-th neighbours. Otherwise slow poses near the
    mean, which are close to all others, would dominate.
    """
    distance = cdist(bars.end, bars.begin)
    rank = min(_NEIGHBOURS, len(distance) - 1)
    to_begin = np.partition(distance, rank, axis=1)[:, rank, None]
    to_end = np.partition(distance, rank, axis=0)[rank]
    cost = distance / np.maximum(np.sqrt(to_begin * to_end), 1e-6)
    # Jumps within a few bars would repeat these.
    jump = np.abs(bars.beat - (bars.beat[:, None] + bar))
    near = (bars.source == bars.source[:, None]) & (jump < _MIN_JUMP * bar) & (jump > 0)
    return np.asarray(cost + _NEAR_JUMP_COST * near, np.float64)


def _concatenate(sequence: Sequence[tuple[_Source, int]], beats: DoubleArray, bar: int, frames: int) -> Skeleton:
    """A dance from bars (a dance and the beat that they begin on), warped onto the song's beats and blended."""
    from stgmamba.music_to_skeleton.postprocessing import place_on_floor

    times = np.arange(frames + 1) / FPS
    poses, step, turn = np.zeros((frames, 66)), np.zeros((frames, 2)), np.zeros(frames)
    for number, (source, first) in enumerate(sequence):
        song_beats = beats[number * bar : number * bar + bar + 1]
        weight = np.ones(frames)
        if number > 0:
            weight = _ramp(times[:-1], song_beats[0])
        if number < len(sequence) - 1:
            weight = weight - _ramp(times[:-1], song_beats[-1])
        used = np.flatnonzero(weight > 0)
        if len(used) == 0:
            continue
        part = slice(used[0], used[-1] + 1)
        warped = _warp(times[used[0] : used[-1] + 2], song_beats, source.beats[first : first + bar + 1])
        motion = source.motion(np.clip(warped, 0.0, source.motion.x[-1]))
        weights = weight[part, None]
        poses[part] += weights * motion[:-1, :66]
        # Displacement in the body's heading and turning are blended, then integrated over the whole dance.
        heading = motion[:, 68].astype(np.float32)
        step[part] += weights * rotate_yaw(np.diff(motion[:, 66:68], axis=0).astype(np.float32), -heading[:-1])
        turn[part] += weights[:, 0] * np.diff(motion[:, 68])
    joints = rebuild(poses.reshape(frames, -1, 3).astype(np.float32), Body())
    joints[..., [0, 2]] -= mid_hip(joints)[:, None, [0, 2]]
    heading = np.concatenate([[0.0], np.cumsum(turn[:-1])]).astype(np.float32)
    trajectory = RootTrajectory(integrate_velocity((step * FPS).astype(np.float32), heading, FPS), heading)
    return Skeleton(place_on_floor(joints, trajectory, "free"), FPS, OPENPOSE_18_FEET)


def _warp(times: DoubleArray, song_beats: DoubleArray, dance_beats: DoubleArray) -> DoubleArray:
    """Map times in a song to times in a dance, beat to beat; linear between the beats and extrapolated beyond."""
    first_rate = (dance_beats[1] - dance_beats[0]) / (song_beats[1] - song_beats[0])
    last_rate = (dance_beats[-1] - dance_beats[-2]) / (song_beats[-1] - song_beats[-2])
    before, after = np.minimum(times - song_beats[0], 0.0), np.maximum(times - song_beats[-1], 0.0)
    inside = np.interp(times, song_beats, dance_beats)
    return np.asarray(inside + first_rate * before + last_rate * after, np.float64)


def _ramp(times: DoubleArray, centre: float) -> DoubleArray:
    """Smooth step from 0 to 1 over _BLEND seconds around a time."""
    return np.asarray(smoothstep(centre - _BLEND / 2, centre + _BLEND / 2, times), np.float64)


def _whole_bars(beats: DoubleArray, seconds: float, bar: int) -> DoubleArray:
    """The beats of a song, extended at both ends by the median interval to whole bars that cover 0..seconds."""
    interval = float(np.median(np.diff(beats))) if len(beats) > 1 else 0.5
    beats = beats[beats < seconds + interval] if beats[0] < seconds else beats[:1]
    before = beats[0] - interval * np.arange(np.ceil(beats[0] / interval), 0, -1)
    beats = np.concatenate([before, beats])
    missing = max(0, int(np.ceil((seconds - beats[-1]) / interval)))
    missing += -(len(beats) + missing - 1) % bar
    return np.concatenate([beats, beats[-1] + interval * np.arange(1, missing + 1)])


def _profiles(audio: AudioFeatures, beats: DoubleArray) -> DoubleArray:
    """Onset strength and loudness at _PROFILE times between successive beats, [K - 1, 2 _PROFILE], K >= 1."""
    phases = (np.arange(_PROFILE) + 0.5) / _PROFILE
    positions = (beats[:-1, None] + np.diff(beats)[:, None] * phases) * MUSIC_FPS
    frames = np.arange(len(audio))
    return np.concatenate([np.interp(positions, frames, audio.features[:, feature]) for feature in (0, 1)], axis=1)


def _over_bars(music: DoubleArray, bar: int) -> DoubleArray:
    """Profiles of beats [K, F] -> profiles of the bars that begin on them, [K - bar + 1, bar F]."""
    windows = np.lib.stride_tricks.sliding_window_view(music, bar, axis=0)  # [K - bar + 1, F, bar]
    return windows.reshape(len(windows), -1)


def _in_medians(distances: DoubleArray) -> DoubleArray:
    return distances / max(float(np.median(distances)), 1e-9)
