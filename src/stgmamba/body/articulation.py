"""Forward kinematics and linear blend skinning of the template, with analytic derivatives.

The derivative of a skinned point by a rotation of a bone is the cross product of the rotation's axis with the weighted
lever of all that hangs from the bone (as for SMPL: Loper et al. 2015; geometric Jacobian: Murray, Li, Sastry 1994).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stgmamba.arrays import DoubleArray, FloatArray
from stgmamba.body.template import BodyTemplate


@dataclass(frozen=True)
class PointSet:
    """N points that are skinned to the bones.

    Attributes:
        mean, basis: positions [N, 3] in the mean shape and their change [K, N, 3] by shape component.
        weights: skinning weights [N, B].
    """

    mean: DoubleArray
    basis: DoubleArray
    weights: DoubleArray

    @classmethod
    def join(cls, *sets: PointSet) -> PointSet:
        """Several sets as one, in order."""
        return cls(
            np.concatenate([s.mean for s in sets]),
            np.concatenate([s.basis for s in sets], axis=1),
            np.concatenate([s.weights for s in sets]),
        )

    @classmethod
    def vertices(cls, template: BodyTemplate, step: int = 1) -> PointSet:
        """Every ``step``-th vertex of the template."""
        arrays = template.mean[::step], template.basis[:, ::step], template.weights[::step]
        return cls(*(a.astype(np.float64) for a in arrays))

    @classmethod
    def keypoints(cls, template: BodyTemplate) -> PointSet:
        """`template.KEYPOINTS`."""
        weights = np.eye(len(template.bones))[template.keypoint_bones]
        mean, basis = template.keypoint_mean, template.keypoint_basis
        return cls(mean.astype(np.float64), basis.astype(np.float64), weights)

    @classmethod
    def bone_heads(cls, template: BodyTemplate) -> PointSet:
        """Heads of the bones, which move with the bones' parents."""
        weights = np.eye(len(template.bones))[[max(parent, 0) for parent in template.parents]]
        mean, basis = template.bone_mean, template.bone_basis
        return cls(mean.astype(np.float64), basis.astype(np.float64), weights)


@dataclass(frozen=True)
class Articulation:
    """A shape in a pose.

    Attributes:
        template: whose bones these are.
        shape: shape values [K], standard deviations.
        rotations: of each bone within its parent, [B, 3, 3].
        rest_heads: heads of the bones in the rest pose of this shape, [B, 3].
        frames: rotations of the bones in space, [B, 3, 3].
        heads: heads of the posed bones, [B, 3].
    """

    template: BodyTemplate
    shape: DoubleArray
    rotations: DoubleArray
    rest_heads: DoubleArray
    frames: DoubleArray
    heads: DoubleArray

    @classmethod
    def of(cls, template: BodyTemplate, shape: DoubleArray, rotations: DoubleArray) -> Articulation:
        """Forward kinematics."""
        rest = template.bone_mean + np.einsum("k,kbc->bc", shape, template.bone_basis)
        frames, heads = np.empty_like(rotations), np.empty_like(rest)
        for bone, parent in enumerate(template.parents):
            if parent < 0:
                frames[bone], heads[bone] = rotations[bone], rest[bone]
            else:
                frames[bone] = frames[parent] @ rotations[bone]
                heads[bone] = heads[parent] + frames[parent] @ (rest[bone] - rest[parent])
        return cls(template, shape, rotations, rest, frames, heads)

    def skin(self, points: PointSet) -> DoubleArray:
        """Positions [N, 3] of points by linear blend skinning."""
        rest = points.mean + np.einsum("k,knc->nc", self.shape, points.basis)
        blended = np.einsum("nb,bij->nij", points.weights, self.frames)
        shift = self.heads - np.einsum("bij,bj->bi", self.frames, self.rest_heads)
        return np.asarray(np.einsum("nij,nj->ni", blended, rest) + points.weights @ shift)

    def derivatives(self, points: PointSet) -> DoubleArray:
        """Derivatives [N, 3, 3 B + K] of `skin` by small rotations of the bones, in their parents' axes, and shape."""
        template = self.template
        rest = points.mean + np.einsum("k,knc->nc", self.shape, points.basis)
        offsets = rest[:, None] - self.rest_heads
        by_bone = (self.frames @ offsets[..., None])[..., 0] + self.heads
        by_bone *= points.weights[..., None]
        hanging = points.weights @ template.descendants.T
        levers = template.descendants @ by_bone - hanging[..., None] * self.heads
        axes = np.stack([self.frames[parent] if parent >= 0 else np.eye(3) for parent in template.parents])
        by_rotation = np.cross(axes.transpose(0, 2, 1)[None], levers[:, :, None])  # [N, B, axis, 3]
        by_rotation = by_rotation.reshape(len(rest), -1, 3).transpose(0, 2, 1)

        blended = np.einsum("nb,bij->nij", points.weights, self.frames)
        head_change = self._head_derivatives()
        shift_change = head_change - np.einsum("bij,kbj->kbi", self.frames, template.bone_basis)
        by_shape = np.einsum("nij,knj->nik", blended, points.basis, optimize=True)
        by_shape += np.einsum("nb,kbi->nik", points.weights, shift_change, optimize=True)
        return np.concatenate([by_rotation, by_shape], axis=2)

    def _head_derivatives(self) -> DoubleArray:
        """Derivatives [K, B, 3] of the heads by the shape."""
        basis = self.template.bone_basis
        change = np.zeros(basis.shape)
        for bone, parent in enumerate(self.template.parents):
            if parent < 0:
                change[:, bone] = basis[:, bone]
            else:
                change[:, bone] = change[:, parent] + (basis[:, bone] - basis[:, parent]) @ self.frames[parent].T
        return change


def rotation_matrices(vectors: DoubleArray) -> DoubleArray:
    """Rotation matrices [..., 3, 3] of axis-angle vectors [..., 3], radians (Rodrigues)."""
    angle = np.linalg.norm(vectors, axis=-1)[..., None, None]
    x, y, z = np.moveaxis(vectors, -1, 0)
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(*vectors.shape, 3)
    small = angle < 1e-6
    safe = np.where(small, 1.0, angle)
    first = np.where(small, 1.0, np.sin(safe) / safe)
    second = np.where(small, 0.5, (1 - np.cos(safe)) / safe**2)
    return np.asarray(np.eye(3) + first * cross + second * (cross @ cross))


def rotation_vectors(matrices: DoubleArray) -> DoubleArray:
    """Axis-angle vectors [..., 3], radians, of rotation matrices [..., 3, 3]."""
    from scipy.spatial.transform import Rotation

    flat = matrices.reshape(-1, 3, 3)
    return np.asarray(Rotation.from_matrix(flat).as_rotvec().reshape(*matrices.shape[:-2], 3))


def vertices_of(articulation: Articulation) -> FloatArray:
    """All vertices [V, 3] of the template in a pose."""
    return articulation.skin(PointSet.vertices(articulation.template)).astype(np.float32)
