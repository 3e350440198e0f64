"""Avatars as binary glTF 2.0 (.glb): textured, rigged, with the dance as an animation.

Bones have the names of VRM 1.0's humanoid, which retargeting tools map to other rigs. The material is unlit: its light
is the photo's. Source: Khronos Group, "glTF 2.0 Specification", 2021.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from stgmamba.arrays import DoubleArray
from stgmamba.body.avatar import Avatar
from stgmamba.body.posing import BodyMotion, pose_body
from stgmamba.body.template import load_template
from stgmamba.files import atomic_output
from stgmamba.skeleton.sequence import Skeleton

_FLOAT, _BYTE, _INT = 5126, 5121, 5125  # component types
_VERTICES, _INDICES = 34962, 34963  # targets of buffer views
_LINEAR, _MIPMAPS = 9729, 9987  # filters
_JPEG_QUALITY = 92


def write_glb(path: str | Path, avatar: Avatar, dance: Skeleton | None = None) -> None:
    """Write an avatar that stands on the floor at the origin in the photo's pose.

    Args:
        path: the file to write, ending in .glb.
        avatar: the avatar.
        dance: 3-D OPENPOSE_18_FEET, metres; becomes the animation ``dance``.

    Raises:
        InputError: the file cannot be written.
    """
    offset = np.asarray([-avatar.heads[0, 0], -avatar.floor, -avatar.heads[0, 2]])
    heads = avatar.heads + offset
    buffer = _Buffer()
    primitive = _mesh(buffer, avatar, offset)
    skin = {"joints": list(range(len(heads))), "inverseBindMatrices": _inverse_binds(buffer, heads), "skeleton": 0}
    document: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": "stgmamba"},
        "scene": 0,
        "scenes": [{"nodes": [0, len(heads)]}],
        "nodes": [*_bone_nodes(heads), {"name": "dancer", "mesh": 0, "skin": 0}],
        "meshes": [{"name": "dancer", "primitives": [primitive]}],
        "skins": [skin],
        "materials": [
            {
                "name": "photo",
                "pbrMetallicRoughness": {
                    "baseColorTexture": {"index": 0},
                    "metallicFactor": 0,
                    "roughnessFactor": 1,
                },
                "doubleSided": bool((~avatar.closed).any()),
                "extensions": {"KHR_materials_unlit": {}},
            }
        ],
        "extensionsUsed": ["KHR_materials_unlit"],
        "textures": [{"source": 0, "sampler": 0}],
        "samplers": [{"magFilter": _LINEAR, "minFilter": _MIPMAPS}],
        "images": [{"name": "photo", "bufferView": buffer.view(_jpeg(avatar)), "mimeType": "image/jpeg"}],
    }
    if dance is not None:
        document["animations"] = [_animation(buffer, pose_body(dance, avatar.rest))]
    document |= {"accessors": buffer.accessors, "bufferViews": buffer.views}
    document["buffers"] = [{"byteLength": len(buffer.data)}]
    text = json.dumps(document, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    binary = bytes(buffer.data) + b"\0" * (-len(buffer.data) % 4)
    with atomic_output(path) as part:
        part.write_bytes(
            struct.pack("<4sII", b"glTF", 2, 12 + 8 + len(text) + 8 + len(binary))
            + struct.pack("<I4s", len(text), b"JSON")
            + text
            + struct.pack("<I4s", len(binary), b"BIN\0")
            + binary
        )


class _Buffer:
    """The one binary buffer of a file, and what describes it.

    Attributes:
        data: the bytes.
        views: JSON of the buffer views.
        accessors: JSON of the accessors.
    """

    def __init__(self) -> None:
        self.data = bytearray()
        self.views: list[dict[str, int]] = []
        self.accessors: list[dict[str, Any]] = []

    def view(self, data: bytes, target: int | None = None) -> int:
        """Append bytes; returns the index of their buffer view."""
        self.data.extend(b"\0" * (-len(self.data) % 4))
        view = {"buffer": 0, "byteOffset": len(self.data), "byteLength": len(data)}
        self.views.append(view if target is None else view | {"target": target})
        self.data.extend(data)
        return len(self.views) - 1

    def accessor(
        self, values: NDArray[Any], component: int, kind: str, target: int | None = None, bounds: bool = False
    ) -> int:
        """Append an array of one row per element; returns the index of its accessor."""
        accessor: dict[str, Any] = {
            "bufferView": self.view(np.ascontiguousarray(values).tobytes(), target),
            "componentType": component,
            "count": len(values),
            "type": kind,
        }
        if bounds:
            rows = values.reshape(len(values), -1)
            accessor |= {"min": rows.min(axis=0).tolist(), "max": rows.max(axis=0).tolist()}
        self.accessors.append(accessor)
        return len(self.accessors) - 1


def _mesh(buffer: _Buffer, avatar: Avatar, offset: DoubleArray) -> dict[str, Any]:
    """The mesh's only primitive: glTF wants one vertex per pair of position and texture coordinate."""
    pairs = np.stack([avatar.triangles.ravel(), avatar.uv_triangles.ravel()], axis=1)
    unique, index = np.unique(pairs, axis=0, return_inverse=True)
    vertex, corner = unique.T
    uv = avatar.uv[corner] * (1, -1) + (0, 1)  # v points down in glTF
    # A bone of weight 0 must be bone 0.
    bones = np.where(avatar.weights > 0, avatar.bones, 0)
    positions = (avatar.vertices[vertex] + offset).astype("<f4")
    return {
        "attributes": {
            "POSITION": buffer.accessor(positions, _FLOAT, "VEC3", _VERTICES, bounds=True),
            "NORMAL": buffer.accessor(avatar.normals[vertex].astype("<f4"), _FLOAT, "VEC3", _VERTICES),
            "TEXCOORD_0": buffer.accessor(uv.astype("<f4"), _FLOAT, "VEC2", _VERTICES),
            "JOINTS_0": buffer.accessor(bones[vertex].astype("u1"), _BYTE, "VEC4", _VERTICES),
            "WEIGHTS_0": buffer.accessor(avatar.weights[vertex].astype("<f4"), _FLOAT, "VEC4", _VERTICES),
        },
        "indices": buffer.accessor(index.reshape(-1).astype("<u4"), _INT, "SCALAR", _INDICES),
        "material": 0,
    }


def _bone_nodes(heads: DoubleArray) -> list[dict[str, Any]]:
    template = load_template()
    nodes: list[dict[str, Any]] = []
    for bone, (name, parent) in enumerate(zip(template.bones, template.parents, strict=True)):
        start = heads[parent] if parent >= 0 else np.zeros(3)
        node: dict[str, Any] = {"name": name, "translation": (heads[bone] - start).tolist()}
        children = [child for child, above in enumerate(template.parents) if above == bone]
        nodes.append(node | {"children": children} if children else node)
    return nodes


def _inverse_binds(buffer: _Buffer, heads: DoubleArray) -> int:
    """Inverse bind matrices, column by column: bones are not rotated in the photo's pose."""
    matrices = np.tile(np.eye(4, dtype="<f4"), (len(heads), 1, 1))
    matrices[:, 3, :3] = -heads
    return buffer.accessor(matrices.reshape(-1, 16), _FLOAT, "MAT4")


def _animation(buffer: _Buffer, motion: BodyMotion) -> dict[str, Any]:
    """Rotations of all bones within their parents, and the place of the hips."""
    template = load_template()
    times = (np.arange(len(motion)) / motion.fps).astype("<f4")
    clock = buffer.accessor(times, _FLOAT, "SCALAR", bounds=True)
    samplers, channels = [], []

    def add(bone: int, path: str, values: NDArray[Any], kind: str) -> None:
        output = buffer.accessor(values.astype("<f4"), _FLOAT, kind)
        samplers.append({"input": clock, "output": output, "interpolation": "LINEAR"})
        channels.append({"sampler": len(samplers) - 1, "target": {"node": bone, "path": path}})

    for bone, parent in enumerate(template.parents):
        rotations = motion.rotations[:, bone]
        if parent >= 0:
            rotations = motion.rotations[:, parent].transpose(0, 2, 1) @ rotations
        add(bone, "rotation", _continuous(Rotation.from_matrix(rotations).as_quat()), "VEC4")
    start = np.asarray([motion.heads[:, 0, 0].mean(), 0.0, motion.heads[:, 0, 2].mean()])
    add(0, "translation", motion.heads[:, 0] - start, "VEC3")
    return {"name": "dance", "samplers": samplers, "channels": channels}


def _continuous(quaternions: DoubleArray) -> DoubleArray:
    """Quaternions [T, 4] with signs so that neighbours are interpolated the short way."""
    agree = np.sum(quaternions[1:] * quaternions[:-1], axis=1) >= 0
    signs = np.cumprod(np.concatenate([[1.0], np.where(agree, 1.0, -1.0)]))
    return np.asarray(quaternions * signs[:, None])


def _jpeg(avatar: Avatar) -> bytes:
    bgr = np.ascontiguousarray(avatar.texture[..., ::-1])
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1].tobytes()
