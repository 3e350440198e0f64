from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from stgmamba.body.avatar import Avatar
from stgmamba.body.gltf import write_glb
from stgmamba.body.posing import pose_body, skin_vertices
from stgmamba.skeleton import Skeleton

SHAPES = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
TYPES = {5126: "<f4", 5125: "<u4", 5121: "u1"}


class Glb:
    """A file read by the specification, without our writer's code."""

    def __init__(self, path: Path) -> None:
        data = path.read_bytes()
        magic, version, length = struct.unpack_from("<4sII", data)
        assert (magic, version, length) == (b"glTF", 2, len(data))
        size, kind = struct.unpack_from("<I4s", data, 12)
        assert kind == b"JSON"
        assert size % 4 == 0
        self.json = json.loads(data[20 : 20 + size])
        binary_size, kind = struct.unpack_from("<I4s", data, 20 + size)
        assert kind == b"BIN\0"
        self.binary = data[28 + size : 28 + size + binary_size]

    def array(self, index: int) -> np.ndarray:
        accessor = self.json["accessors"][index]
        view = self.json["bufferViews"][accessor["bufferView"]]
        width = SHAPES[accessor["type"]]
        values = np.frombuffer(
            self.binary, TYPES[accessor["componentType"]], accessor["count"] * width, view["byteOffset"]
        )
        return values.reshape(-1, width)

    def vertices_at(self, frame: int) -> np.ndarray:
        """Skinned vertices of the animation's frame, by the rules of the specification."""
        nodes, skin = self.json["nodes"], self.json["skins"][0]
        local = [np.eye(4) for _ in nodes]
        for node, matrix in zip(nodes, local, strict=True):
            matrix[:3, 3] = node.get("translation", (0, 0, 0))
        animation = self.json["animations"][0]
        for channel in animation["channels"]:
            values = self.array(animation["samplers"][channel["sampler"]]["output"])[frame]
            matrix = local[channel["target"]["node"]]
            if channel["target"]["path"] == "rotation":
                matrix[:3, :3] = Rotation.from_quat(values).as_matrix()
            else:
                matrix[:3, 3] = values
        world: dict[int, np.ndarray] = {}

        def visit(node: int, above: np.ndarray) -> None:
            world[node] = above @ local[node]
            for child in nodes[node].get("children", ()):
                visit(child, world[node])

        visit(0, np.eye(4))
        inverse = self.array(skin["inverseBindMatrices"]).reshape(-1, 4, 4).transpose(0, 2, 1)
        joints = np.stack([world[joint] @ inverse[k] for k, joint in enumerate(skin["joints"])])
        attributes = self.json["meshes"][0]["primitives"][0]["attributes"]
        position = np.concatenate([self.array(attributes["POSITION"]), np.ones((self.count, 1))], axis=1)
        blended = np.einsum(
            "vk,vkij->vij", self.array(attributes["WEIGHTS_0"]), joints[self.array(attributes["JOINTS_0"])]
        )
        return np.asarray(np.einsum("vij,vj->vi", blended, position)[:, :3])

    @property
    def count(self) -> int:
        primitive = self.json["meshes"][0]["primitives"][0]
        return int(self.json["accessors"][primitive["attributes"]["POSITION"]]["count"])


@pytest.fixture(scope="session")
def written(avatar: Avatar, tmp_path_factory: pytest.TempPathFactory) -> tuple[Glb, Skeleton]:
    from tests.conftest import swaying

    dance = swaying(12)
    path = tmp_path_factory.mktemp("glb") / "me.glb"
    write_glb(path, avatar, dance)
    return Glb(path), dance


def test_the_mesh_stands_on_the_floor_at_the_origin(written: tuple[Glb, Skeleton], avatar: Avatar) -> None:
    glb, _ = written
    primitive = glb.json["meshes"][0]["primitives"][0]
    positions = glb.array(primitive["attributes"]["POSITION"])
    assert positions[:, 1].min() == pytest.approx(0, abs=1e-5)
    assert np.ptp(positions[:, 1]) == pytest.approx(np.ptp(avatar.vertices[:, 1]), abs=1e-4)
    accessor = glb.json["accessors"][primitive["attributes"]["POSITION"]]
    assert np.allclose(accessor["min"], positions.min(axis=0))
    indices = glb.array(primitive["indices"])
    assert indices.max() < len(positions)
    assert len(indices) == 3 * len(avatar.triangles)


def test_attributes_are_as_the_specification_asks(written: tuple[Glb, Skeleton]) -> None:
    glb, _ = written
    attributes = glb.json["meshes"][0]["primitives"][0]["attributes"]
    weights, joints = glb.array(attributes["WEIGHTS_0"]), glb.array(attributes["JOINTS_0"])
    assert np.allclose(weights.sum(axis=1), 1, atol=1e-5)
    assert (joints[weights == 0] == 0).all()
    assert np.allclose(np.linalg.norm(glb.array(attributes["NORMAL"]), axis=1), 1, atol=1e-4)
    assert all(view["byteOffset"] % 4 == 0 for view in glb.json["bufferViews"])


def test_bones_have_the_names_of_a_humanoid(written: tuple[Glb, Skeleton]) -> None:
    names = {node["name"] for node in written[0].json["nodes"]}
    assert {"hips", "spine", "head", "leftUpperArm", "rightLowerLeg", "leftHand", "rightFoot"} <= names


def test_the_texture_is_the_avatars(written: tuple[Glb, Skeleton], avatar: Avatar) -> None:
    glb, _ = written
    view = glb.json["bufferViews"][glb.json["images"][0]["bufferView"]]
    data = np.frombuffer(glb.binary, np.uint8, view["byteLength"], view["byteOffset"])
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]
    assert np.abs(picture.astype(int) - avatar.texture).mean() < 6


def test_the_animation_moves_the_mesh_as_we_draw_it(written: tuple[Glb, Skeleton], avatar: Avatar) -> None:
    """Within 1 mm, up to one shift of the whole dance on the floor."""
    glb, dance = written
    motion = pose_body(dance, avatar.rest)
    translations = motion.translations(avatar.rest)
    pairs = np.stack([avatar.triangles.ravel(), avatar.uv_triangles.ravel()], axis=1)
    order = np.unique(pairs, axis=0)[:, 0]
    shifts: list[Any] = []
    for frame in (0, 7):
        drawn = skin_vertices(
            avatar.vertices,
            avatar.bones,
            avatar.weights,
            motion.rotations[frame].astype(np.float32),
            translations[frame].astype(np.float32),
        )[order]
        off = glb.vertices_at(frame) - drawn
        shifts.append(off.mean(axis=0))
        assert np.abs(off - shifts[-1]).max() < 1e-3
    assert np.allclose(shifts[0], shifts[1], atol=1e-4)
    assert shifts[0][1] == pytest.approx(0, abs=1e-4)


def test_an_avatar_without_a_dance_has_no_animation(avatar: Avatar, tmp_path: Path) -> None:
    write_glb(tmp_path / "still.glb", avatar)
    assert "animations" not in Glb(tmp_path / "still.glb").json
