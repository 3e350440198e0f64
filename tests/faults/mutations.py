"""Ways in which a file is damaged, or made to do harm; each is a function of its content and a generator."""

from __future__ import annotations

import io
import json
import re
import struct
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.random import Generator

Mutation = Callable[[bytes, Generator], bytes]

TRACE = Path(tempfile.gettempdir()) / "stgmamba-was-here"
"""What hostile files would leave if they were obeyed."""

_HEADERS = (
    b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"RIFF\xff\xff\xff\xffWAVE", b"PK\x03\x04", b"OggS", b"ID3\x04", b"fLaC",
    b"\x1f\x8b\x08", b"GIF89a", b"\x00\x00\x00\x18ftypmp42", b"\x80\x04\x95", b"PAR1", b"%PDF-1.7\n", b"#!/bin/sh\n",
)  # fmt: skip
_HUGE = (0x7FFFFFFF, 0xFFFFFFFF, 0x80000000, 0, 1)


def flip_bits(data: bytes, rng: Generator) -> bytes:
    """From one bit to one in thousand, anywhere."""
    changed = bytearray(data)
    for _ in range(int(rng.choice([1, 8, max(1, len(data) // 1000)]))):
        changed[int(rng.integers(len(changed)))] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def flip_header(data: bytes, rng: Generator) -> bytes:
    """Bits in the first 256 bytes, where sizes and kinds stand."""
    head = min(len(data), 256)
    return flip_bits(data[:head], rng) + data[head:]


def truncate(data: bytes, rng: Generator) -> bytes:
    """The file ends too early, even before it begins."""
    return data[: int(rng.choice([0, 1, 4, 16, int(rng.integers(len(data)))]))]


def lose_beginning(data: bytes, rng: Generator) -> bytes:
    """As after a broken download."""
    return data[int(rng.integers(len(data))) :]


def lose_block(data: bytes, rng: Generator) -> bytes:
    """A block of the disk became zeros, ones or noise."""
    size = min(len(data), int(rng.choice([16, 512, 4096])))
    at = int(rng.integers(len(data) - size + 1))
    block = [bytes(size), b"\xff" * size, rng.bytes(size)][int(rng.integers(3))]
    return data[:at] + block + data[at + size :]


def repeat_block(data: bytes, rng: Generator) -> bytes:
    """A block stands twice."""
    size = min(len(data), int(rng.choice([16, 512, 4096])))
    at = int(rng.integers(len(data) - size + 1))
    return data[: at + size] + data[at:]


def other_header(data: bytes, rng: Generator) -> bytes:
    """The first bytes of another kind of file."""
    header = _HEADERS[int(rng.integers(len(_HEADERS)))]
    return header + data[len(header) :]


def huge_number(data: bytes, rng: Generator) -> bytes:
    """A field of four or eight bytes near the beginning promises far too much, or nothing."""
    at = int(rng.integers(max(1, min(len(data), 512) - 8)))
    value = int(rng.choice(_HUGE))
    field = struct.pack(str(rng.choice(["<I", ">I", "<Q", ">Q"])), value)
    return data[:at] + field + data[at + len(field) :]


def append_noise(data: bytes, rng: Generator) -> bytes:
    """Something follows the end."""
    return data + rng.bytes(int(rng.integers(1, 5000)))


def only_noise(data: bytes, rng: Generator) -> bytes:
    """As long as the file was."""
    return rng.bytes(len(data))


BYTES: tuple[Mutation, ...] = (
    flip_bits, flip_header, truncate, lose_beginning, lose_block, repeat_block, other_header, huge_number, append_noise,
    only_noise,
)  # fmt: skip

_VALUES = (
    "NaN", "Infinity", "-Infinity", "1e308", "-1", "0", "1e-320", "99999999999999999999", "null", "true", '"x"', "[]",
    "{}", "[[]]", '""', "0x1F", "1_000", "-0.0", ".inf", ".nan", "!!binary aGk=",
)  # fmt: skip


def other_value(data: bytes, rng: Generator) -> bytes:
    """A number becomes something else."""
    text = data.decode("utf-8", "replace")
    numbers = list(re.finditer(r"-?\d+(\.\d+)?(e-?\d+)?", text))
    if not numbers:
        return append_noise(data, rng)
    chosen = numbers[int(rng.integers(len(numbers)))]
    value = _VALUES[int(rng.integers(len(_VALUES)))]
    return (text[: chosen.start()] + value + text[chosen.end() :]).encode()


def all_values(data: bytes, rng: Generator) -> bytes:
    """Every number becomes the same other thing."""
    value = _VALUES[int(rng.integers(len(_VALUES)))]
    return re.sub(r"-?\d+(\.\d+)?", lambda _: value, data.decode("utf-8", "replace")).encode()


def lose_line(data: bytes, rng: Generator) -> bytes:
    """A line is missing, or two have changed places."""
    lines = data.splitlines(keepends=True)
    if len(lines) < 2:
        return truncate(data, rng)
    a, b = (int(n) for n in rng.integers(len(lines), size=2))
    if rng.random() < 0.5:
        return b"".join(lines[:a] + lines[a + 1 :])
    lines[a], lines[b] = lines[b], lines[a]
    return b"".join(lines)


def other_word(data: bytes, rng: Generator) -> bytes:
    """A name becomes another, empty, very long, or one of a path."""
    text = data.decode("utf-8", "replace")
    words = list(re.finditer(r"[A-Za-z_]{2,}", text))
    if not words:
        return truncate(data, rng)
    chosen = words[int(rng.integers(len(words)))]
    value = ("", "x", "y" * 100_000, "../../etc/passwd", "__class__", "ß\u202e\U0001f600", "\\u0000")[
        int(rng.integers(7))
    ]
    return (text[: chosen.start()] + value + text[chosen.end() :]).encode()


def deep_nesting(data: bytes, rng: Generator) -> bytes:
    """A hundred thousand brackets, which recursion does not survive."""
    depth = 100_000
    return [b"[" * depth, b'{"a":' * depth, b"[" * depth + b"]" * depth, b"- " * depth][int(rng.integers(4))]


def other_encoding(data: bytes, rng: Generator) -> bytes:
    """UTF-16, a byte order mark, or letters of a single byte, as editors on Windows write them."""
    text = data.decode("utf-8", "replace")
    return [text.encode("utf-16"), b"\xef\xbb\xbf" + data, "größe: ".encode("latin-1") + data, data + b"\0"][
        int(rng.integers(4))
    ]


def aliases(data: bytes, rng: Generator) -> bytes:
    """YAML of a few hundred bytes that means a billion values; and tags that would call a program."""
    bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10)
    )
    call = f"!!python/object/apply:os.system ['touch {TRACE}']\n"
    loop = "&a [*a]\n"
    return (bomb, call, loop)[int(rng.integers(3))].encode()


TEXT: tuple[Mutation, ...] = (
    flip_bits, truncate, lose_block, other_value, other_value, all_values, lose_line, other_word, deep_nesting,
    other_encoding, aliases,
)  # fmt: skip


def _repack(data: bytes, change: Callable[[dict[str, bytes]], dict[str, bytes]]) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in change(members).items():
            archive.writestr(name, content)
    return out.getvalue()


def _npy(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, array, allow_pickle=True)
    return out.getvalue()


def zip_bomb(data: bytes, rng: Generator) -> bytes:
    """An array of four thousand million zeros in a few megabytes, or one that only says so."""

    def change(members: dict[str, bytes]) -> dict[str, bytes]:
        name = list(members)[int(rng.integers(len(members)))]
        header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000, 22, 3), }"
        header += b" " * (118 - len(header) % 64) + b"\n"
        magic = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header
        return members | {name: magic + (bytes(300_000_000) if rng.random() < 0.3 else b"")}

    return _repack(data, change)


def other_array(data: bytes, rng: Generator) -> bytes:
    """An array has another type, shape or values."""

    def change(members: dict[str, bytes]) -> dict[str, bytes]:
        name = list(members)[int(rng.integers(len(members)))]
        array = np.load(io.BytesIO(members[name]), allow_pickle=False)
        others = (
            np.full(array.shape, np.nan), np.full(array.shape, np.inf), array.reshape(-1)[:0], array.reshape(-1)[:1],
            np.full(array.shape, 1e300), np.array("text"), np.zeros((0, 0, 0)), np.full(array.shape, 1 + 2j),
            np.full(array.shape, -1, np.int8), np.array([{}], object), np.zeros((2,) * 20),
        )  # fmt: skip
        return members | {name: _npy(others[int(rng.integers(len(others)))])}

    return _repack(data, change)


def other_members(data: bytes, rng: Generator) -> bytes:
    """An array is missing, or lies outside of the folder, or is a program."""

    def change(members: dict[str, bytes]) -> dict[str, bytes]:
        name = list(members)[int(rng.integers(len(members)))]
        odd = ("../../outside.npy", f"{TRACE}.npy", "a\0b.npy", "x" * 5000 + ".npy")[int(rng.integers(4))]
        content = members[name]
        if rng.random() < 0.5:
            members = {key: value for key, value in members.items() if key != name}
        return members | {odd: content}

    return _repack(data, change)


NPZ: tuple[Mutation, ...] = (*BYTES, zip_bomb, other_array, other_array, other_members)


def other_safetensors(data: bytes, rng: Generator) -> bytes:
    """The header of a weights file promises other things than what follows it."""
    (length,) = struct.unpack("<Q", data[:8])
    header, rest = json.loads(data[8 : 8 + length]), data[8 + length :]
    names = [name for name in header if name != "__metadata__"]
    name = names[int(rng.integers(len(names)))]
    kind = int(rng.integers(8))
    if kind == 0:
        header[name]["shape"] = [2**40, 2**20]
    elif kind == 1:
        header[name]["data_offsets"] = [0, 2**60]
    elif kind == 2:
        header[name]["dtype"] = "F999"
    elif kind == 3:
        del header[name]
    elif kind == 4:
        header.pop("__metadata__", None)
    elif kind == 5:
        config = json.loads(header["__metadata__"]["config"])
        field = list(config)[int(rng.integers(len(config)))]
        config[field] = (10**9, -1, "x", None, [[]], 0)[int(rng.integers(6))]
        header["__metadata__"]["config"] = json.dumps(config)
    elif kind == 6:
        rest = np.full(len(rest) // 4, np.nan, np.float32).tobytes() + rest[len(rest) // 4 * 4 :]
    else:
        return struct.pack("<Q", 2**63) + data[8:]
    content = json.dumps(header).encode()
    return struct.pack("<Q", len(content)) + content + rest


WEIGHTS: tuple[Mutation, ...] = (*BYTES, other_safetensors, other_safetensors, other_safetensors)


def hostile_tar(data: bytes, rng: Generator) -> bytes:
    """Members outside of the folder, links and devices in the place of a shard's first ones."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo(("../../outside", str(TRACE), "link", "device")[int(rng.integers(4))])
        info.type = {"link": tarfile.SYMTYPE, "device": tarfile.CHRTYPE}.get(info.name, tarfile.REGTYPE)
        info.linkname = "/etc/passwd" if info.name == "link" else ""
        tar.addfile(info)
    return out.getvalue()[: len(data)] + data[len(out.getvalue()) :]


TAR: tuple[Mutation, ...] = (*BYTES, hostile_tar)


def pickle_program(data: bytes, rng: Generator) -> bytes:
    """A pickle that would call a program when it is read."""
    return f"cos\nsystem\n(S'touch {TRACE}'\ntR.".encode()


PICKLE: tuple[Mutation, ...] = (*BYTES, pickle_program)


def large_picture(data: bytes, rng: Generator) -> bytes:
    """A PNG whose header promises a picture of gigabytes."""
    import zlib

    size = int(rng.choice([30_000, 100_000, 2**31 - 1]))
    head = struct.pack(">IIBBBBB", size, size, 8, int(rng.choice([0, 2, 3, 6])), 0, 0, 0)

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    pixels = zlib.compress(bytes(1_000_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


PICTURE: tuple[Mutation, ...] = (*BYTES, large_picture)
