"""Where the videos of a data set come from: files, folders, lists of either, URLs."""

from __future__ import annotations

import csv
import hashlib
import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from stgmamba.errors import InputError
from stgmamba.files import atomic_output, parse_json

VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".gif", ".avi", ".m4v", ".mpg", ".mpeg", ".ts", ".mts", ".3gp")
"""Endings by which videos are recognised in folders; a file that is named itself may have any."""

_LIST_SUFFIXES = (".txt", ".csv", ".jsonl")
_TIMEOUT = 60.0  # seconds without an answer of a server
_LONGEST_SIDE = 1080  # of a download where a site offers several, pixels: stage 2 is trained at 256


@dataclass(frozen=True)
class Source:
    """One video and what is known about it beforehand; the columns of a list have the names of the attributes.

    Attributes:
        file: path or URL.
        style: of the dance, as the model's genres.
        song: name of the song; clips of one song are never on two sides of a split.
        performer: who dances.
        licence: under which the video may be used.
        fps: true frame rate, where the file states a wrong one; 0 where it is right.
        lag: seconds by which the sound is late against the picture, where known.
        poses: OpenPose JSON of every frame that another estimator wrote, a file or a folder; "" where there is none.
    """

    file: str
    style: str = ""
    song: str = ""
    performer: str = ""
    licence: str = ""
    fps: float = 0.0
    lag: float = 0.0
    poses: str = ""

    @property
    def is_url(self) -> bool:
        """Whether the video has to be downloaded."""
        return self.file.startswith(("http://", "https://"))


def list_sources(named: Sequence[str]) -> list[Source]:
    """The videos that are named: files, folders (searched with their subfolders), lists (.txt, .csv, .jsonl), URLs.

    Paths in a list are relative to its folder. A folder reached twice, by links, is searched once.

    Raises:
        InputError: something is missing, a list is malformed, or there is no video.
    """
    sources: list[Source] = []
    for name in named:
        if name.startswith(("http://", "https://")):
            sources.append(Source(name))
            continue
        path = Path(name)
        if path.is_dir():
            sources += [Source(str(file)) for file in _videos_in(path)]
        elif not path.exists():
            raise InputError(f"{path}: there is no such file or folder; check the name.")
        elif path.suffix.lower() in _LIST_SUFFIXES:
            sources += _read_list(path)
        else:
            sources.append(Source(str(path)))
    unique = {source.file: source for source in sources}
    if not unique:
        raise InputError(f"{', '.join(named)}: there is no video here; name folders or lists that have some.")
    return list(unique.values())


def fetch(source: Source, folder: Path) -> Path:
    """The video's file; one that is at a URL is downloaded into a folder, unless it is there.

    Addresses that end like a video file are read as they are; others, the pages of video sites, with yt-dlp.

    Raises:
        InputError: the file is missing or the download failed.
    """
    if not source.is_url:
        path = Path(source.file)
        if not path.is_file():
            raise InputError(f"{path}: there is no such file; check the list.")
        return path
    folder.mkdir(parents=True, exist_ok=True)
    suffix = Path(urlsplit(source.file).path).suffix.lower()
    path = folder / f"{hashlib.sha256(source.file.encode()).hexdigest()[:16]}{suffix or '.mp4'}"
    if path.exists():
        return path
    with atomic_output(path) as part:
        if suffix in VIDEO_SUFFIXES:
            _download(source.file, part)
        else:
            _download_with_ytdlp(source.file, part)
    return path


def find_poses(source: Source) -> Path | None:
    """The poses of a video that are named, or lie beside it: ``NAME_keypoints`` (a folder) or ``NAME_keypoints.json``.

    Raises:
        InputError: those that are named do not exist.
    """
    if source.poses:
        path = Path(source.poses)
        if not path.exists():
            raise InputError(f"{path}: there are no such poses; check the list.")
        return path
    if source.is_url:
        return None
    video = Path(source.file)
    beside = (video.with_name(f"{video.stem}_keypoints{ending}") for ending in ("", ".json"))
    return next((path for path in beside if path.exists()), None)


def sha256(path: Path) -> str:
    """SHA-256 of the content of a file, or of the .json files in a folder, hexadecimal.

    Raises:
        InputError: it cannot be read.
    """
    try:
        if path.is_dir():
            names = sorted(path.glob("*.json"))
            return hashlib.sha256("".join(f"{name.name} {sha256(name)}\n" for name in names).encode()).hexdigest()
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check its permissions.") from error


def _videos_in(folder: Path) -> Iterator[Path]:
    seen: set[str] = set()
    for here, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(here)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        yield from (Path(here) / file for file in sorted(files) if Path(file).suffix.lower() in VIDEO_SUFFIXES)


def _read_list(path: Path) -> list[Source]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        rows: list[dict[str, Any]]
        if path.suffix.lower() == ".csv":
            rows = list(csv.DictReader(text.splitlines()))
        elif path.suffix.lower() == ".jsonl":
            rows = [parse_json(line) for line in text.splitlines() if line.strip()]
        else:
            lines = [line.strip() for line in text.splitlines()]
            rows = [{"file": line} for line in lines if line and not line.startswith("#")]
        return [_source_of_row(row, path.parent) for row in rows]
    except (OSError, UnicodeDecodeError, csv.Error, ValueError, TypeError) as error:
        raise InputError(f"{path}: not a list of videos ({error}); see docs/data.md for its columns.") from error


def _source_of_row(row: dict[str, Any], folder: Path) -> Source:
    known = {field.name for field in fields(Source)}
    if not isinstance(row, dict) or not isinstance(row.get("file"), str) or not row["file"]:
        raise ValueError("every row needs a `file`")
    unknown = {str(name) for name in row} - known
    if unknown:
        raise ValueError(f"unknown column {sorted(unknown)[0]!r}; known are {', '.join(sorted(known))}")
    numbers = {"fps", "lag"}
    values: dict[str, Any] = {n: float(v or 0) if n in numbers else str(v or "") for n, v in row.items()}
    source = Source(**values)
    if source.poses:
        source = replace(source, poses=str(folder / source.poses))
    return source if source.is_url else replace(source, file=str(folder / source.file))


def _download(url: str, path: Path) -> None:
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT) as answer, path.open("wb") as output:
            shutil.copyfileobj(answer, output)
    except (urllib.error.URLError, TimeoutError, ValueError) as error:
        raise InputError(f"{url}: cannot be downloaded ({error}); check the address.") from error


def _download_with_ytdlp(url: str, path: Path) -> None:
    try:
        from yt_dlp import YoutubeDL
        from yt_dlp.utils import DownloadError
    except ImportError:
        raise InputError(f"{url}: pages of video sites need yt-dlp; install it, or give the file itself.") from None
    settings = {
        "outtmpl": {"default": str(path)},
        "format": f"best[height<={_LONGEST_SIDE}][ext=mp4]/best[ext=mp4]/best",
        "quiet": True,
        "noprogress": True,
        "nopart": True,
        "overwrites": True,
    }
    try:
        with YoutubeDL(settings) as downloader:
            downloader.download([url])
    except DownloadError as error:
        raise InputError(f"{url}: cannot be downloaded ({error}); check the address.") from error
