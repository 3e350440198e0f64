"""Beat-aligned retrieval: bars of real dances, put together anew on the beats of the song.

A motion graph in the spirit of Kovar, Gleicher, Pighin (SIGGRAPH 2002), with the music to guide the walk through it:

1. Training dances are cut at the tracked beats of their music into bars; a bar may begin on any beat.
2. One bar of dance is chosen for each bar of the song: the cheapest sequence by joints that fit (pose and velocity),
   music that resembles (onsets, loudness) and tempo. A random price, drawn from the seed, goes to every choice.
3. Each bar is warped in time so that its beats fall on those of the song, neighbours are blended over 0.2 s, heading
   and place go on from one to the next, and feet get the same clean-up as those of our dances.

Simpler than Kovar: joints lie on beats only, poses are compared at single frames with their velocities instead of over
windows, and the walk is the cheapest of all by dynamic programming, for their branch and bound.
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
from stgmamba.music_to_skeleton.audio_features import AudioFeatures, extract_audio_features
from stgmamba.music_to_skeleton.representation import MODEL_FPS
from stgmamba.options import FPS
from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton
from stgmamba.skeleton.body import Body, mid_hip, rebuild, retarget
from stgmamba.skeleton.root_trajectory import RootTrajectory, integrate_velocity, to_local
from stgmamba.skeleton.rotations import rotate_yaw

_BLEND = 0.2  # seconds
# A difference in velocity counts as much as the difference in place that it makes in this many seconds.
_VELOCITY_SECONDS = 0.2
_PROFILE = 4  # places per beat at which the music is compared
# A jump within a dance should lead at least so many bars away; a nearer one costs this much more.
_AWAY, _SPOT = 4, 20.0
_NEIGHBOURS = 20
# Prices. A joint as good as the twentieth best costs about 1, music is in units of its median, tempo of the log ratio.
# Chosen on training songs, each danced with the dances of the others: PFD and VFD fell with more chance.
_MUSIC, _TEMPO, _CHANCE = 0.5, 1.0, 4.0


def retrieval(train: Sequence[Dance]) -> Callable[[Dance, int], Skeleton]:
    """A method that dances with bars of the dances of ``train``, never with the song's own.

    It takes dances whose timing was fitted, and of those the ones of the song's genre; where there are none, what there
    is. With no other dance at all it stands still.
    """
    sources = [_Source.of(dance) for dance in train]
    still = mean_pose(train)

    def baseline(song: Dance, seed: int) -> Skeleton:
        bar = 3 if song.genre == "waltz" else 4
        others = [source for source in sources if source.dance.id != song.id and len(source.beats) > bar]
        chosen = [source for source in others if source.dance.sync] or others
        chosen = [source for source in chosen if source.dance.genre == song.genre] or chosen
        if not chosen:
            return still(song, seed)
        seconds = song.skeleton.seconds
        audio = extract_audio_features(load_song(song.audio_path).samples)
        beats = _whole_bars(audio.beats, seconds, bar)
        rng = np.random.default_rng([zlib.crc32(song.id.encode()), seed])
        bars = _Bars.of(chosen, bar)
        choice = _cheapest(bars, beats, _profiles(audio, beats), rng)
        pieces = [(chosen[bars.source[i]], int(bars.beat[i])) for i in choice]
        return _joined(pieces, beats, bar, max(1, round(seconds * FPS)))

    return baseline


@dataclass(frozen=True)
class _Source:
    """A dance taken apart.

    Attributes:
        dance: as it came.
        motion: seconds -> [69]: joints seen from the dancer's heading (66), floor position x, z, heading.
        beats: seconds of the beats of its music, those within the dance [K].
        ends: [K, 132] pose and velocity at each beat, to tell which bars fit together.
        music: [K - 1, 2 _PROFILE] onsets and loudness from beat to beat.
    """

    dance: Dance
    motion: CubicSpline
    beats: DoubleArray
    ends: DoubleArray
    music: DoubleArray

    @staticmethod
    def of(dance: Dance) -> _Source:
        """Put the dance on the default body and take it apart."""
        positions = retarget(dance.skeleton.resampled(FPS), Body()).positions
        frames = len(positions)
        poses, trajectory = to_local(positions, FPS)
        velocity = np.gradient(positions, axis=0) * FPS if frames > 1 else np.zeros_like(positions)
        velocity[..., [0, 2]] = rotate_yaw(velocity[..., [0, 2]], -trajectory.heading[:, None])
        audio = extract_audio_features(load_song(dance.audio_path).samples)
        # Before the capture begins the first pose is held; that is no dance.
        begun = int(np.argmax((np.diff(positions, axis=0) != 0).any(axis=(1, 2)))) if frames > 1 else 0
        beats = audio.beats[(audio.beats >= begun / FPS) & (audio.beats <= (frames - 1) / FPS)]
        state = np.concatenate([poses, _VELOCITY_SECONDS * velocity], axis=1).reshape(frames, -1)
        flat = np.concatenate([poses.reshape(frames, -1), trajectory.position, trajectory.heading[:, None]], axis=1)
        at = np.arange(frames) / FPS
        # A spline needs two frames.
        motion = CubicSpline(at, flat) if frames > 1 else CubicSpline([0.0, 1.0], np.repeat(flat, 2, axis=0))
        return _Source(dance, motion, beats, state[np.round(beats * FPS).astype(int)], _profiles(audio, beats))


@dataclass(frozen=True)
class _Bars:
    """All bars that can be chosen, M of them.

    Attributes:
        source, beat: which dance, and the beat of it that the bar begins on [M].
        begin, end: pose and velocity there [M, 132].
        music: [M, bar * 2 _PROFILE].
        seconds: how long the bar lasts [M].
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
            begin=np.concatenate([source.ends[:-bar] for source in sources]),
            end=np.concatenate([source.ends[bar:] for source in sources]),
            music=np.concatenate([_over_bars(source.music, bar) for source in sources]),
            seconds=np.concatenate([source.beats[bar:] - source.beats[:-bar] for source in sources]),
        )


def _cheapest(bars: _Bars, beats: DoubleArray, music: DoubleArray, rng: np.random.Generator) -> list[int]:
    """The cheapest sequence of bars, one for each of the song's (Viterbi 1967).

    Args:
        bars: M of them.
        beats: of the song, whole bars [G bar + 1].
        music: of the song, [G bar, 2 _PROFILE].
        rng: draws the random prices.
    """
    bar = bars.music.shape[1] // music.shape[1]
    joints = _joints(bars, bar)
    likeness = _in_medians(cdist(_over_bars(music, bar)[::bar], bars.music))  # [G, M]
    tempo = np.abs(np.log(np.diff(beats[::bar])[:, None] / bars.seconds))
    price = _MUSIC * likeness + _TEMPO * tempo + _CHANCE * rng.exponential(size=likeness.shape)
    total, before = price[0], []
    for own in price[1:]:
        paths = total[:, None] + joints
        before.append(paths.argmin(axis=0))
        total = paths.min(axis=0) + own
    choice = [int(total.argmin())]
    for came_from in reversed(before):
        choice.append(int(came_from[choice[-1]]))
    return choice[::-1]


def _joints(bars: _Bars, bar: int) -> DoubleArray:
    """Price of going on from one bar with another, [M, M]; 0 for the bar that followed in the real dance.

    A distance counts relative to how near other bars commonly come to these two. Without that, the quiet middle of all
    poses, from which everything is near, would take over the dance.
    """
    distance = cdist(bars.end, bars.begin)
    rank = min(_NEIGHBOURS, len(distance) - 1)
    after, before = np.partition(distance, rank, axis=1)[:, rank, None], np.partition(distance, rank, axis=0)[rank]
    price = distance / np.maximum(np.sqrt(after * before), 1e-6)
    # A jump within the same few bars would only tread on the spot, again and again.
    apart = np.abs(bars.beat - (bars.beat[:, None] + bar))
    near = (bars.source == bars.source[:, None]) & (apart < _AWAY * bar) & (apart > 0)
    return np.asarray(price + _SPOT * near, np.float64)


def _joined(pieces: Sequence[tuple[_Source, int]], beats: DoubleArray, bar: int, frames: int) -> Skeleton:
    """Bars (a dance and the beat they begin on), warped onto the song's beats and blended into one dance."""
    from stgmamba.music_to_skeleton.postprocessing import place_on_floor

    times = np.arange(frames + 1) / FPS
    poses, step, turn = np.zeros((frames, 66)), np.zeros((frames, 2)), np.zeros(frames)
    for number, (source, first) in enumerate(pieces):
        there = beats[number * bar : number * bar + bar + 1]
        weight = np.ones(frames)
        if number > 0:
            weight = _risen(times[:-1], there[0])
        if number < len(pieces) - 1:
            weight = weight - _risen(times[:-1], there[-1])
        used = np.flatnonzero(weight > 0)
        if len(used) == 0:
            continue
        part = slice(used[0], used[-1] + 1)
        at = _warped(times[used[0] : used[-1] + 2], there, source.beats[first : first + bar + 1])
        moved = source.motion(np.clip(at, 0.0, source.motion.x[-1]))
        share = weight[part, None]
        poses[part] += share * moved[:-1, :66]
        # How the dancer goes on is blended as seen by herself, so that place and heading need no fitting.
        heading = moved[:, 68].astype(np.float32)
        step[part] += share * rotate_yaw(np.diff(moved[:, 66:68], axis=0).astype(np.float32), -heading[:-1])
        turn[part] += share[:, 0] * np.diff(moved[:, 68])
    bodies = rebuild(poses.reshape(frames, -1, 3).astype(np.float32), Body())
    bodies[..., [0, 2]] -= mid_hip(bodies)[:, None, [0, 2]]
    heading = np.concatenate([[0.0], np.cumsum(turn[:-1])]).astype(np.float32)
    trajectory = RootTrajectory(integrate_velocity((step * FPS).astype(np.float32), heading, FPS), heading)
    return Skeleton(place_on_floor(bodies, trajectory, "free"), FPS, OPENPOSE_18_FEET)


def _warped(times: DoubleArray, there: DoubleArray, here: DoubleArray) -> DoubleArray:
    """Seconds of a dance with beats ``here`` for seconds of a song with beats ``there``; linear between, and beyond."""
    first, last = (here[1] - here[0]) / (there[1] - there[0]), (here[-1] - here[-2]) / (there[-1] - there[-2])
    inside = np.interp(times, there, here)
    early, late = np.minimum(times - there[0], 0.0), np.maximum(times - there[-1], 0.0)
    return np.asarray(inside + first * early + last * late, np.float64)


def _risen(times: DoubleArray, joint: float) -> DoubleArray:
    """From 0 to 1 around a joint, smoothly, within _BLEND seconds."""
    return np.asarray(smoothstep(joint - _BLEND / 2, joint + _BLEND / 2, times), np.float64)


def _whole_bars(beats: DoubleArray, seconds: float, bar: int) -> DoubleArray:
    """The beats of a song, continued regularly at both ends so that whole bars cover all of 0..seconds."""
    interval = float(np.median(np.diff(beats))) if len(beats) > 1 else 0.5
    beats = beats[beats < seconds + interval] if beats[0] < seconds else beats[:1]
    early = beats[0] - interval * np.arange(np.ceil(beats[0] / interval), 0, -1)
    beats = np.concatenate([early, beats])
    missing = max(0, int(np.ceil((seconds - beats[-1]) / interval)))
    missing += -(len(beats) + missing - 1) % bar
    return np.concatenate([beats, beats[-1] + interval * np.arange(1, missing + 1)])


def _profiles(audio: AudioFeatures, beats: DoubleArray) -> DoubleArray:
    """Onsets and loudness between each beat and the next, [K - 1, 2 _PROFILE], K >= 1."""
    share = (np.arange(_PROFILE) + 0.5) / _PROFILE
    at = (beats[:-1, None] + np.diff(beats)[:, None] * share) * MODEL_FPS
    frames = np.arange(len(audio))
    heights = [np.interp(at, frames, audio.features[:, feature]) for feature in (0, 1)]
    return np.concatenate(heights, axis=1)


def _over_bars(music: DoubleArray, bar: int) -> DoubleArray:
    """Profiles of beats [K, F] as those of the bars that begin on each of them, [K - bar + 1, bar F]."""
    windows = np.lib.stride_tricks.sliding_window_view(music, bar, axis=0)  # [K - bar + 1, F, bar]
    return windows.reshape(len(windows), -1)


def _in_medians(distances: DoubleArray) -> DoubleArray:
    return distances / max(float(np.median(distances)), 1e-9)
