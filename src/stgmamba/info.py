"""Description of a file of any kind that the program reads or writes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from stgmamba.errors import InputError
from stgmamba.files import parse_json
from stgmamba.skeleton.formats import is_skeleton_file, read_skeleton


def describe(path: str | Path, beats: str | Path | None = None) -> dict[str, Any]:
    """Kind and contents of a song, picture, video, skeleton or weights file.

    Args:
        path: the file.
        beats: file of a song's beats (`stgmamba.music.rhythm.read_beats`); tracked when not given.

    Returns:
        Values that JSON can hold: ``file``, ``kind`` (``song``, ``picture``, ``video``, ``skeleton``, ``weights``) and
        properties of that kind.

    Raises:
        InputError: missing, damaged, or of none of these kinds.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix == ".safetensors":
        facts = _weights(path)
    elif is_skeleton_file(path):
        facts = _skeleton(path)
    elif _is_picture(path):
        facts = _picture(path)
    else:
        facts = _media(path, beats)
    return {"file": str(path), **facts}


def _is_picture(path: Path) -> bool:
    from stgmamba.person.picture import is_picture

    return is_picture(path)


def _weights(path: Path) -> dict[str, Any]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            metadata = dict(file.metadata() or {})
            shapes = [file.get_slice(name).get_shape() for name in file.keys()]  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: these are not weights that can be read ({error}); download them again.") from error
    parameters = sum(math.prod(shape) for shape in shapes)
    return {"kind": "weights", "tensors": len(shapes), "parameters": parameters, **_decode_json(metadata)}


def _decode_json(metadata: dict[str, str]) -> dict[str, Any]:
    """Metadata with those values decoded that are JSON."""
    decoded: dict[str, Any] = {}
    for name, text in metadata.items():
        try:
            decoded[name] = parse_json(text)
        except ValueError:
            decoded[name] = text
    return decoded


def _skeleton(path: Path) -> dict[str, Any]:

    skeleton = read_skeleton(path)
    return {
        "kind": "skeleton",
        "seconds": round(skeleton.seconds, 3),
        "frames": len(skeleton),
        "fps": skeleton.fps,
        "dimensions": skeleton.dims,
        "layout": skeleton.layout.name,
        "joints": len(skeleton.layout),
        "size": skeleton.size,
        "known": round(float((skeleton.confidence > 0).mean()), 4) if len(skeleton) else 0.0,
    }


def _picture(path: Path) -> dict[str, Any]:
    from stgmamba.person.picture import load_picture

    picture = load_picture(path)
    return {"kind": "picture", "size": picture.size, "note": picture.note, **_person(picture)}


def _person(picture: Any) -> dict[str, Any]:
    from stgmamba.person.pose import find_person

    try:
        person = find_person(picture)
    except InputError:
        return {"persons": 0}
    return {"persons": 1 + person.others, "not_visible": list(person.missing)}


def _media(path: Path, beats: str | Path | None) -> dict[str, Any]:
    from stgmamba.music.beat_tracking.tracker import track_beats
    from stgmamba.music.decode import load_song
    from stgmamba.music.rhythm import excerpt, read_beats
    from stgmamba.music.sections import find_sections
    from stgmamba.video_io import probe

    media = probe(path)
    facts: dict[str, Any] = {"kind": "video" if media.size else "song", "seconds": round(media.seconds, 3)}
    if media.size:
        facts |= {
            "size": media.size,
            "fps": media.fps and round(media.fps, 3),
            "frames": media.frames,
            "sound": media.audio_codec is not None,
        }
    if media.audio_codec is not None:
        song = load_song(path)
        rhythm = track_beats(song.samples) if beats is None else excerpt(read_beats(beats), 0.0, song.seconds)
        sections = find_sections(song.samples, rhythm)
        facts |= {
            "tempo": round(rhythm.tempo, 1),
            "metre": rhythm.metre,
            "bars": len(rhythm.downbeats),
            "beats": [round(beat, 3) for beat in rhythm.beats.tolist()],
            "downbeats": [round(beat, 3) for beat in rhythm.downbeats.tolist()],
            "sections": [
                {"start": round(each.start, 3), "end": round(each.end, 3), "label": each.label} for each in sections
            ],
        }
    return facts
