"""Precision and recall of the data set builder on generated videos whose truth is known.

python benchmarks/data_quality.py FOLDER [--videos 200] [--seed 0]

Procedural people dance alone and in groups, in shots that end by cuts and fades, with captions, camera moves, still
pictures, bad light, blur, half figures, broken files. The dances come from the default weights, the music from the
composer: nothing but the project is needed. Shots are judged by their breaks, people by the tracks of ``--all-people``,
filters by whether the profile ``strict`` gives this reason against a clip. FOLDER keeps videos and data set; run again,
it continues.
"""

from __future__ import annotations

import argparse
import json
import wave
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from stgmamba.arrays import Frame
from stgmamba.builder.build import build_dataset
from stgmamba.builder.stages import BuildOptions
from stgmamba.characters import random_appearance
from stgmamba.characters.background import random_background
from stgmamba.characters.render import SceneRenderer, cloth_lag
from stgmamba.characters.surface import CharacterSurface
from stgmamba.datasets.clips import ClipDataset
from stgmamba.datasets.scores import load_profile
from stgmamba.music.composition.composer import compose
from stgmamba.music.decode import SAMPLE_RATE, SHORTEST_SONG, Song
from stgmamba.music_to_skeleton.sampler import load_sampler
from stgmamba.options import FPS
from stgmamba.parallel import ordered_map
from stgmamba.progress import Silent
from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton
from stgmamba.skeleton.body import mid_hip, retarget
from stgmamba.skeleton.camera import frame_dance
from stgmamba.video_io import write_video

SECONDS = (2.0, 2.6)  # of a shot
FADE = (10, 25)  # frames of a transition
DANCE_SECONDS = 40.0
FAULTS: dict[str, str] = {
    # What is done to a video, and the score by which it is to be seen.
    "caption": "text",
    "pan": "camera_motion",
    "still": "stillness",
    "dark": "brightness",
    "blurred": "sharpness",
    "far": "person_height",
    "half": "cut_off_joints",
    "mute": "sound",
    "noise": "pulse",
}
WORDS = "follow us for more dance lessons every friday night at the old harbour hall tickets from nine"
MEASURED = {"brightness": 0.15, "person_height": 0.45, "cut_off_joints": 0.1}
"""Scores whose true value is known, with the thresholds of ``strict``; within a quarter of those nothing is judged."""


@dataclass
class Shot:
    """One shot of a video: first frame, frame after its last one, size of the picture, mean brightness in 0..1, and
    joints of its people [T, P, 22, 2], pixels."""

    start: int
    stop: int
    people: int
    fade_before: bool
    fade_after: bool
    size: tuple[int, int]
    brightness: float
    joints: list[Any] = field(default_factory=list)


@dataclass
class Truth:
    """What a generated video holds."""

    name: str
    faults: list[str]
    broken: str
    breaks: list[tuple[int, int, str]]
    shots: list[Shot]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--videos", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    chosen = parser.parse_args()
    truths = generate(chosen.folder / "videos", chosen.videos, chosen.seed)
    report = build_dataset(
        [str(chosen.folder / "videos")],
        chosen.folder / "set",
        BuildOptions(shortest=1.0, longest=4.0, all_people=True),
        workers=chosen.workers,
        report=Silent(),
    )
    for line in judge(truths, report, ClipDataset(chosen.folder / "set")):
        print(line)


def generate(folder: Path, count: int, seed: int) -> list[Truth]:
    """Write the videos that are not there, each with its truth beside it; the same seed gives the same pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    dances = _dances(seed)
    truths = []
    for number in range(count):
        path = folder / f"{number:04d}.mp4"
        facts = path.with_suffix(".json")
        if not facts.exists():
            truth = _write(path, np.random.default_rng((seed, number)), dances)
            facts.write_text(json.dumps(asdict(truth)))
        values = json.loads(facts.read_text())
        truths.append(Truth(**values | {"shots": [Shot(**shot) for shot in values["shots"]]}))
    return truths


def _dances(seed: int) -> list[Skeleton]:
    sampler = load_sampler()
    song = compose(np.random.default_rng((seed, 1)), DANCE_SECONDS, "house")
    music = Song(song.samples, SAMPLE_RATE)
    return [sampler.generate(music, style=style, seed=seed, facing="camera", travel=0.3) for style in sampler.styles]


def _write(path: Path, rng: np.random.Generator, dances: list[Skeleton]) -> Truth:
    size = (270, 360) if rng.random() < 0.5 else (480, 360)
    faults = [name for name in FAULTS if rng.random() < 0.09]
    for one, other in (("mute", "noise"), ("still", "pan"), ("far", "half")):
        if one in faults and other in faults:
            faults.remove(other)
    shots: list[Shot] = []
    pieces: list[tuple[list[Frame], str, int]] = []
    for number in range(int(rng.choice([1, 2, 3], p=[0.45, 0.35, 0.2]))):
        people = int(rng.choice([0, 1, 2, 3], p=[0.05, 0.65, 0.2, 0.1])) if size[0] > size[1] else 1
        frames, joints = _shot(rng, dances, size, people, faults)
        kind = str(rng.choice(["cut", "cross-fade", "fade"], p=[0.5, 0.25, 0.25])) if number else ""
        pieces.append((frames, kind, int(rng.integers(*FADE))))
        brightness = float(np.mean([frame.mean() for frame in frames])) / 255
        shots.append(Shot(0, 0, people, False, False, size, brightness, joints.tolist()))
    film, breaks = _join(pieces, shots)
    if "caption" in faults:
        text, corner = " ".join(rng.choice(WORDS.split(), 5)), float(rng.uniform(0.05, 0.15))
        for frame in film:
            _draw_caption(frame, text, corner)
    broken = str(rng.choice(["", "truncated", "garbage", "no frames"], p=[0.95, 0.02, 0.015, 0.015]))
    sound = path.with_suffix(".wav")
    if "mute" not in faults:
        _write_sound(sound, rng, len(film) / FPS, "noise" in faults)
    write_video(path, film, FPS, None if "mute" in faults else sound, crf=20)
    sound.unlink(missing_ok=True)
    content = path.read_bytes()
    if broken == "truncated":
        path.write_bytes(content[: len(content) // 8])
    elif broken == "garbage":
        path.write_bytes(rng.bytes(20_000))
    elif broken == "no frames":
        path.write_bytes(b"")
    return Truth(path.name, faults, broken, breaks, shots)


def _shot(
    rng: np.random.Generator, dances: list[Skeleton], size: tuple[int, int], people: int, faults: list[str]
) -> tuple[list[Frame], Any]:
    """Frames of one shot, and the joints of its people [T, P, 22, 2]."""
    count = round(float(rng.uniform(*SECONDS)) * FPS)
    bodies, places = [], []
    for person in range(max(1, people)):
        appearance = random_appearance(int(rng.integers(1_000_000)))
        dance = dances[rng.integers(len(dances))]
        start = int(rng.integers(len(dance) - count))
        part = retarget(dance.slice(start, start + count), appearance.body)
        middle = mid_hip(part.positions)[:, [0, 2]].mean(axis=0)
        positions = part.positions.copy()
        positions[..., [0, 2]] -= middle
        positions[..., 0] += 1.5 * (person - (people - 1) / 2)
        bodies.append(CharacterSurface(appearance))
        places.append(Skeleton(positions, FPS, OPENPOSE_18_FEET))
    every = Skeleton(np.concatenate([each.positions for each in places]), FPS, OPENPOSE_18_FEET)
    margin = float(rng.uniform(0.32, 0.34)) if "far" in faults else float(rng.uniform(0.04, 0.12))
    camera = frame_dance(every, size, margin=margin)
    scene = SceneRenderer(random_background(int(rng.integers(1_000_000))), camera)
    lags = [cloth_lag(each) for each in places]

    def draw(t: int) -> Frame:
        rgb, depths = scene.rgb.copy(), np.full(scene.rgb.shape[:2], np.inf, np.float32)
        for body, place, lag in zip(bodies, places, lags, strict=True):
            if not people:
                break
            drawing = scene.draw(body, place.positions[t], lag[t])
            nearer = (drawing.depth < depths) & (drawing.mask > 0)
            weight = np.where(nearer, drawing.mask, 0)[..., None]
            rgb = np.rint(rgb * (1 - weight) + drawing.rgb * weight).astype(np.uint8)
            depths[nearer] = drawing.depth[nearer]
        return rgb

    frames = list(ordered_map(draw, range(count)))
    joints = np.stack([camera.project(each.positions)[0] for each in places], axis=1)
    if not people:
        joints = joints[:, :0]
    if "half" in faults:  # from the waist upward
        hips = int(np.median(joints[..., OPENPOSE_18_FEET.index("right_hip"), 1])) if people else size[1] // 2
        hips = int(np.clip(hips, 0.4 * size[1], 0.8 * size[1]))
        frames, joints = _zoomed(frames, joints, (0, 0, size[0], hips // 2 * 2), size)
    if "pan" in faults:
        frames, joints = _panned(frames, joints, size, float(rng.choice([-1, 1])))
    if "still" in faults:
        frames, joints = [frames[0].copy() for _ in frames], np.repeat(joints[:1], count, axis=0)
    if "dark" in faults:
        frames = [(frame * 0.15).astype(np.uint8) for frame in frames]
    if "blurred" in faults:
        frames = [cv2.GaussianBlur(frame, (0, 0), 5) for frame in frames]
    return frames, np.round(joints, 1)


def _zoomed(frames: list[Frame], joints: Any, box: tuple[int, int, int, int], size: tuple[int, int]) -> Any:
    """A part (left, top, right, bottom) of the frames in as large a picture, at the frame's aspect."""
    left, top, right, bottom = box
    width = round((bottom - top) * size[0] / size[1])
    left = int(np.clip((left + right - width) // 2, 0, size[0] - width))
    scale = size[1] / (bottom - top)
    return [cv2.resize(frame[top:bottom, left : left + width], size) for frame in frames], (
        joints - [left, top]
    ) * scale


def _panned(frames: list[Frame], joints: Any, size: tuple[int, int], way: float) -> Any:
    """A camera that swings over the scene by 0.16 of its width a second, the picture mirrored outside."""
    wide = [cv2.copyMakeBorder(frame, 0, 0, size[0], size[0], cv2.BORDER_REFLECT_101) for frame in frames]
    shift = way * size[0] * 0.16 * (np.arange(len(frames)) / FPS - len(frames) / FPS / 2)
    moved = [
        cv2.warpAffine(frame, np.array([[1, 0, -size[0] - x], [0, 1, 0]], np.float64), size)
        for frame, x in zip(wide, shift, strict=True)
    ]
    return moved, joints - np.stack([shift, shift * 0], axis=-1)[:, None, None]


def _join(pieces: list[tuple[list[Frame], str, int]], shots: list[Shot]) -> tuple[list[Frame], Any]:
    """The film of all shots; fills in where each lies."""
    film: list[Frame] = []
    breaks = []
    for shot, (frames, kind, length) in zip(shots, pieces, strict=True):
        if kind == "cross-fade":
            begin = len(film) - length
            for k in range(length):
                weight = (k + 1) / (length + 1)
                film[begin + k] = cv2.addWeighted(film[begin + k], 1 - weight, frames[k], weight, 0)
            breaks.append((begin, begin + length, kind))
            shots[len(breaks) - 1].stop, shots[len(breaks) - 1].fade_after = begin, True
            shot.start, shot.fade_before, shot.joints = begin + length, True, shot.joints[length:]
            film += frames[length:]
        elif kind == "fade":
            for k in range(length):
                film[-1 - k] = (film[-1 - k] * (k / length)).astype(np.uint8)
                frames[k] = (frames[k] * (k / length)).astype(np.uint8)
            breaks.append((len(film) - length, len(film) + length, kind))
            shots[len(breaks) - 1].stop, shots[len(breaks) - 1].fade_after = len(film) - length, True
            shot.start, shot.fade_before, shot.joints = len(film) + length, True, shot.joints[length:]
            film += frames
        else:
            if film:
                breaks.append((len(film), len(film), kind))
                shots[len(breaks) - 1].stop = len(film)
            shot.start = len(film)
            film += frames
    shots[-1].stop = len(film)
    return film, breaks


def _draw_caption(frame: Frame, text: str, corner: float) -> None:
    """Two lines at the bottom, about a tenth of the picture."""
    height, width = frame.shape[:2]
    words = text.split()
    bottom = 0.96 * height
    for line in (" ".join(words[3:]), " ".join(words[:3])):
        (across, tall), below = cv2.getTextSize(line, cv2.FONT_HERSHEY_DUPLEX, 1, 2)
        unit = min(width * (1 - 2 * corner) / across, 0.08 * height / tall)
        place = (round(corner * width), round(bottom - below * unit))
        cv2.putText(frame, line, place, cv2.FONT_HERSHEY_DUPLEX, unit, (0, 0, 0), 5, cv2.LINE_AA)
        cv2.putText(frame, line, place, cv2.FONT_HERSHEY_DUPLEX, unit, (255, 255, 255), 2, cv2.LINE_AA)
        bottom -= (tall + below) * unit * 1.2


def _write_sound(path: Path, rng: np.random.Generator, seconds: float, noise: bool) -> None:
    if noise:
        samples = rng.normal(size=round(seconds * SAMPLE_RATE)) * 0.1
    else:
        samples = compose(rng, max(4.0, seconds), "house").samples[: round(seconds * SAMPLE_RATE)] * 0.8
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())


class Tally:
    """True positives, false ones, and what was missed, with where."""

    def __init__(self) -> None:
        self.hit, self.false, self.missed = 0, list[str](), list[str]()

    def line(self, title: str) -> str:
        precision = self.hit / max(1, self.hit + len(self.false))
        recall = self.hit / max(1, self.hit + len(self.missed))
        where = f"  false: {' '.join(self.false[:6])}" if self.false else ""
        where += f"  missed: {' '.join(self.missed[:6])}" if self.missed else ""
        return (
            f"{title:<22} {self.hit + len(self.missed):4d} true  precision {precision:.3f}  recall {recall:.3f}{where}"
        )


def judge(truths: list[Truth], report: dict[str, Any], clips: ClipDataset) -> Iterator[str]:
    """Lines of figures."""
    entries = {Path(entry["source"]).name: entry for entry in report["sources"]}
    by_name: dict[str, list[int]] = {}
    for number, row in enumerate(clips.rows):
        by_name.setdefault(Path(row["source"]).name, []).append(number)
    tallies = {name: Tally() for name in ("broken files", "cuts", "fades", "people", "other_people", "fade")}
    tallies |= {score: Tally() for score in FAULTS.values()}
    errors: list[float] = []
    strict = load_profile("strict")
    for truth in truths:
        entry = entries[truth.name]
        cut_short = any("cut short" in reason for reason, _ in entry.get("dropped", []))
        _count(tallies["broken files"], entry["state"] != "done" or cut_short, bool(truth.broken), truth.name)
        if entry["state"] != "done" or truth.broken:
            continue
        found = [tuple(each) for each in entry["breaks"]]
        for kind, fade in (("cuts", False), ("fades", True)):
            _match_breaks(
                tallies[kind],
                [each for each in truth.breaks if (each[2] != "cut") == fade],
                [each for each in found if (each[2] != "cut") == fade],
                truth.name,
            )
        numbers = by_name.get(truth.name, [])
        for shot in truth.shots:
            inside = [n for n in numbers if _belongs(clips.rows[n], shot)]
            for n, joints in _match_people(tallies["people"], errors, clips, inside, shot, truth):
                _judge_clip(tallies, clips.rows[n], strict.reasons(clips.rows[n]), truth, shot, joints)
    for name, tally in tallies.items():
        yield tally.line(name)
    yield f"joints of people found: median error {np.median(errors):.3f} of the person's height"


def _count(tally: Tally, found: bool, true: bool, where: str) -> None:
    if found and true:
        tally.hit += 1
    elif found:
        tally.false.append(where)
    elif true:
        tally.missed.append(where)


def _match_breaks(tally: Tally, true: list[Any], found: list[Any], where: str) -> None:
    """A cut is found within a frame of itself, a fade where the two overlap."""
    free = list(found)
    for start, end, kind in true:
        match = next((each for each in free if each[0] <= end + 1 and start <= each[1] + 1), None)
        if match is None:
            tally.missed.append(f"{where}@{start}{kind[:6]}")
        else:
            free.remove(match)
            tally.hit += 1
    tally.false += [f"{where}@{each[0]}{each[2][:6]}" for each in free]


def _belongs(row: dict[str, Any], shot: Shot) -> bool:
    middle = (row["start"] + row["end"]) / 2 * FPS
    return bool(shot.start <= middle < shot.stop)


def _match_people(
    tally: Tally, errors: list[float], clips: ClipDataset, numbers: list[int], shot: Shot, truth: Truth
) -> Iterator[tuple[int, Any]]:
    """Clips of the shot that show one of its people, with the true joints [T, 22, 2]; each person counts once."""
    joints = np.asarray(shot.joints, np.float32)
    seen = set()
    for n in numbers:
        row = clips.rows[n]
        poses = clips.poses(n)
        scale = np.array([row["crop_width"] / row["width"], row["crop_height"] / row["height"]])
        points = poses.skeleton.positions * scale + [row["crop_left"], row["crop_top"]]
        first = round(row["start"] * FPS) - shot.start
        frames = np.arange(len(points)) + first
        good = (frames >= 0) & (frames < len(joints))
        person = None
        if good.any() and joints.shape[1]:
            true = joints[frames[good]]  # [T, P, 22, 2]
            tall = np.ptp(true[..., 1], axis=2).mean()
            error = np.linalg.norm(points[good][:, None] - true, axis=-1).mean(axis=2).mean(axis=0) / tall
            person = int(error.argmin()) if error.min() < 0.25 else None
        if person is None:
            tally.false.append(f"{truth.name}@{row['start']:.1f}")
            continue
        if person not in seen:
            tally.hit += 1
            errors.append(float(error.min()))
        seen.add(person)
        yield n, true[:, person]
    if shot.stop - shot.start >= FPS + 4:
        tally.missed += [f"{truth.name}@{shot.start / FPS:.1f}"] * (shot.people - len(seen))


def _judge_clip(
    tallies: dict[str, Tally], row: dict[str, Any], reasons: list[str], truth: Truth, shot: Shot, joints: Any
) -> None:
    """Whether the reasons against a clip are the true ones; ``joints`` are the true ones of its person [T, 22, 2]."""

    def judge_score(score: str, true: bool) -> None:
        given = any(f"({score} " in reason for reason in reasons)
        _count(tallies[score], given, true, f"{truth.name}@{row['start']:.1f}={row[score]:.3g}")

    for fault, score in FAULTS.items():
        if score == "sound" and row["seconds"] < SHORTEST_SONG + 0.2:
            continue
        if score not in MEASURED and (fault != "noise" or "mute" not in truth.faults):
            judge_score(score, fault in truth.faults)
    values = {
        "brightness": shot.brightness,
        "person_height": float(np.median(np.ptp(joints[..., 1], axis=1))) / shot.size[1],
        "cut_off_joints": float(((joints < 0) | (joints >= np.array(shot.size))).any(axis=-1).mean()),
    }
    for score, value in values.items():
        threshold = MEASURED[score]
        if abs(value - threshold) > 0.25 * threshold:
            judge_score(score, (value > threshold) == (score == "cut_off_joints"))
    judge_score("other_people", shot.people > 1)
    begins, ends = row["start"] * FPS - shot.start < 12, shot.stop - row["end"] * FPS < 12
    judge_score("fade", bool((shot.fade_before and begins) or (shot.fade_after and ends)))


if __name__ == "__main__":
    main()
