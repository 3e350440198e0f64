"""Fit of the body template to the person of a picture: shape, pose and camera from joints and outline.

Minimises, by Gauss-Newton with analytic derivatives, the distance of projected keypoints to the detected joints, the
angle of limbs to the estimated depths, the distance of the projected surface to the person's outline, and priors on
pose and shape (Bogo et al., "Keep it SMPL", ECCV 2016; outline term as in Weng et al., "Photo Wake-Up", CVPR 2019).
The camera is orthographic: a photo does not tell its distance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from stgmamba.arrays import BoolArray, DoubleArray, FloatArray
from stgmamba.body.articulation import Articulation, PointSet, rotation_matrices, rotation_vectors, vertices_of
from stgmamba.body.template import KEYPOINTS, SIDES, BodyTemplate, load_template
from stgmamba.person.pose import DetectedPerson
from stgmamba.skeleton.layouts import OPENPOSE_18_FEET

_KEYPOINT_STEPS, _OUTLINE_STEPS = 12, 18
_VERTEX_STEP = 9  # of every so many vertices one takes part in the outline terms
_CONTOUR_POINTS = 200
_DAMPING = 1e-3
_LEAST_CONFIDENCE = 0.02  # of joints that were guessed

# Weights of squared residuals, in 1 / m^2 where these are lengths; balanced by eye on photos of forty people.
_KEYPOINT_WEIGHT = 20.0
_KEYPOINT_ROBUST = 0.01  # m^2: joints further off than 10 cm count less (Geman-McClure)
_OUTSIDE_WEIGHT = 4000.0  # mean squared distance of the surface outside of the outline
_CONTOUR_WEIGHT = 4.0  # robust mean squared distance of the outline from the surface
_CONTOUR_ROBUST = 0.0025  # m^2
_DIRECTION_WEIGHTS = 0.3, 0.15  # of limb directions, before and with the outline
_LEG_DIRECTION = 0.15  # in parts of the arms': estimated depths of legs bend knees backwards
_SHAPE_PRIOR = 0.03
_STANDING_WEIGHTS = {"ankle": 4.0, "knee": 3.0, "shoulder": 3.0}  # depth relative to the hips
_KNEE_DEPTH = 0.02  # metres in front of the hips

_POSE_PRIOR: dict[str, float | tuple[float, float, float]] = {
    "hips": (0.05, 0.0, 0.02),
    "spine": 0.3,
    "chest": 0.3,
    "upperChest": 0.3,
    "neck": 0.08,
    "head": 0.08,
    "Shoulder": 0.3,
    "UpperArm": (0.02, 0.05, 0.02),
    "LowerArm": 0.02,
    "Hand": 0.3,
    "UpperLeg": 0.02,
    "LowerLeg": (0.1, 0.5, 0.5),
    "Foot": 0.05,
    "Toes": 0.5,
}
"""Weights of squared rotation angles about x, y, z, by bone; limbs for both sides."""

_KEYPOINT_SHARE = {"hip": 0.5, "ear": 0.4, "heel": 0.4, "toe": 0.4, "neck": 0.0}
"""Weights of keypoints that estimators place less exactly than others; the neck repeats the shoulders."""


@dataclass(frozen=True)
class FittedBody:
    """A body in the pose in which a picture shows it; metres: x right, y up, z towards the camera.

    Attributes:
        vertices: of the template, [V, 3].
        heads: of the bones, [B, 3].
        keypoints: `template.KEYPOINTS`, [P, 3].
        frames: rotations of the bones in space against the rest pose, [B, 3, 3].
        pixels_per_metre: scale of the picture.
        origin: pixel (x, y) of the point (0, 0), [2].
        joint_error: mean distance of keypoints from the detected joints, metres, weighted by confidence.
    """

    vertices: FloatArray
    heads: DoubleArray
    keypoints: DoubleArray
    frames: DoubleArray
    pixels_per_metre: float
    origin: DoubleArray
    joint_error: float

    def to_pixels(self, points: NDArray[Any]) -> DoubleArray:
        """Pixels [..., 2] of points [..., 3]; whole numbers are pixel centres."""
        return np.asarray(points[..., :2] * (self.pixels_per_metre, -self.pixels_per_metre) + self.origin)


def fit_body(person: DetectedPerson) -> FittedBody:
    """The template's shape and pose that explain the joints and the outline of a detected person."""
    problem = _Problem.of(person, load_template())
    state = problem.initial_state()
    for _ in range(_KEYPOINT_STEPS):
        state = problem.step(state, outline=False)
    for _ in range(_OUTLINE_STEPS):
        state = problem.step(state, outline=True)
    return problem.result(state)


@dataclass(frozen=True)
class _State:
    """Unknowns of the fit: shape values [K], rotations [B, 3, 3]; log scale, x and y in metres of the camera [3]."""

    shape: DoubleArray
    rotations: DoubleArray
    camera: DoubleArray


@dataclass(frozen=True)
class _Problem:
    """What a fit is made to.

    Attributes:
        template: the template.
        points: keypoints, heads of the bones and a part of the vertices, in this order.
        targets, confidence: joints in metres at the initial scale, y up, [P, 2], and their weights [P].
        directions: (proximal, distal) bones [D, 2] of limbs, their unit vectors [D, 3], and weights [D].
        yaw: initial rotation about the vertical, radians.
        scale, origin: initial pixels per metre, and the pixel of (0, 0).
        outside: distance from the person's mask in metres, [H, W]; gradients by x and y in metres, [H, W, 2].
        contour: points of the outline, metres, [C, 2].
        prior: weights of squared rotations, [B, 3].
    """

    template: BodyTemplate
    points: PointSet
    targets: DoubleArray
    confidence: DoubleArray
    directions: tuple[NDArray[np.int64], DoubleArray, DoubleArray]
    yaw: float
    scale: float
    origin: DoubleArray
    outside: tuple[FloatArray, FloatArray]
    contour: DoubleArray
    prior: DoubleArray

    @classmethod
    def of(cls, person: DetectedPerson, template: BodyTemplate) -> _Problem:
        pixels, confidence = _observed_keypoints(person)
        scale = _initial_scale(pixels, template)
        hips = [KEYPOINTS.index(f"{side}_hip") for side in SIDES]
        origin = pixels[hips].mean(axis=0)
        flat = (pixels - origin) / scale * (1, -1)
        joints = np.concatenate([flat[: len(OPENPOSE_18_FEET)], -person.depth[:, None]], axis=1)
        share = np.asarray([_KEYPOINT_SHARE.get(name.rpartition("_")[2], 1.0) for name in KEYPOINTS])
        points = PointSet.join(
            PointSet.keypoints(template), PointSet.bone_heads(template), PointSet.vertices(template, _VERTEX_STEP)
        )
        mask = person.mask > 0.5
        return cls(
            template=template,
            points=points,
            targets=flat,
            confidence=confidence * share,
            directions=_limb_directions(joints, template),
            yaw=_initial_yaw(joints),
            scale=scale,
            origin=origin,
            outside=_distance_outside(mask, scale),
            contour=(_contour(mask) - origin) / scale * (1, -1),
            prior=_pose_prior(template),
        )

    def initial_state(self) -> _State:
        """The mean shape in its rest pose, turned as hips and shoulders are."""
        rotations = np.tile(np.eye(3), (len(self.template.bones), 1, 1))
        rotations[0] = rotation_matrices(np.asarray([0.0, self.yaw, 0.0]))
        return _State(np.zeros(len(self.template.basis)), rotations, np.zeros(3))

    def step(self, state: _State, outline: bool) -> _State:
        """One step of Gauss-Newton; unknowns are ordered as rotations, shape, camera."""
        body = Articulation.of(self.template, state.shape, state.rotations)
        points = self.points if outline else _first(self.points, len(KEYPOINTS) + len(self.template.bones))
        positions, derivatives = body.skin(points), body.derivatives(points)
        derivatives = np.concatenate([derivatives, np.zeros((*derivatives.shape[:2], 3))], axis=2)
        zoom = np.exp(state.camera[0])
        flat = positions[:, :2] * zoom + state.camera[1:]
        flat_derivatives = derivatives[:, :2] * zoom
        flat_derivatives[:, :, -3] = positions[:, :2] * zoom
        flat_derivatives[:, 0, -2] = flat_derivatives[:, 1, -1] = 1.0

        rows = [
            self._keypoint_rows(flat, flat_derivatives),
            self._direction_rows(positions, derivatives, _DIRECTION_WEIGHTS[int(outline)]),
            self._standing_rows(positions, derivatives),
            self._prior_rows(state, derivatives.shape[2]),
        ]
        if outline:
            first = len(KEYPOINTS) + len(self.template.bones)
            rows.append(self._outside_rows(flat[first:], flat_derivatives[first:]))
            rows.append(self._contour_rows(flat[first:], flat_derivatives[first:]))
        residuals = np.concatenate([r for r, _ in rows])
        jacobian = np.concatenate([j for _, j in rows])
        normal = jacobian.T @ jacobian
        normal[np.diag_indices_from(normal)] += _DAMPING
        return self._moved(state, -np.linalg.solve(normal, jacobian.T @ residuals))

    def _moved(self, state: _State, change: DoubleArray) -> _State:
        turns = change[: 3 * len(self.template.bones)].reshape(-1, 3)
        # The linearisation does not hold beyond half a radian.
        angle = np.linalg.norm(turns, axis=1, keepdims=True)
        turns = turns * np.minimum(1.0, 0.5 / np.maximum(angle, 1e-9))
        shape = np.clip(state.shape + change[turns.size : -3], -3.0, 3.0)
        return _State(shape, rotation_matrices(turns) @ state.rotations, state.camera + np.clip(change[-3:], -0.3, 0.3))

    def _keypoint_rows(self, flat: DoubleArray, derivatives: DoubleArray) -> tuple[DoubleArray, DoubleArray]:
        off = flat[: len(KEYPOINTS)] - self.targets
        square = np.sum(off**2, axis=1)
        robust = 0.5 * _KEYPOINT_ROBUST / (square + _KEYPOINT_ROBUST) ** 2
        root = np.sqrt(self.confidence * (_KEYPOINT_WEIGHT + robust))
        return _weighted(off, derivatives[: len(KEYPOINTS)], root)

    def _direction_rows(
        self, positions: DoubleArray, derivatives: DoubleArray, weight: float
    ) -> tuple[DoubleArray, DoubleArray]:
        ends, wanted, share = self.directions
        bones = ends + len(KEYPOINTS)
        limb = positions[bones[:, 1]] - positions[bones[:, 0]]
        length = np.linalg.norm(limb, axis=1)[:, None]
        along = limb / length
        change = (derivatives[bones[:, 1]] - derivatives[bones[:, 0]]) / length[..., None]
        change -= along[:, :, None] * np.einsum("dc,dcp->dp", along, change)[:, None]
        return _weighted(along - wanted, change, np.sqrt(weight * share))

    def _standing_rows(self, positions: DoubleArray, derivatives: DoubleArray) -> tuple[DoubleArray, DoubleArray]:
        """Who stands has legs and shoulders over the feet, unless the joints say otherwise."""
        residuals, rows = [], []

        def head(side: str, bone: str) -> int:
            return len(KEYPOINTS) + self.template.bone(side + bone)

        for side in SIDES:
            hip = head(side, "UpperLeg")
            for part, bone, ahead in (
                ("ankle", "Foot", 0.0),
                ("knee", "LowerLeg", _KNEE_DEPTH),
                ("shoulder", "UpperArm", 0.0),
            ):
                # Both shoulders and both hips count through their middles: a turned body has one nearer.
                ends = [head(side, bone)] if part != "shoulder" else [head(s, bone) for s in SIDES]
                bases = [hip] if part != "shoulder" else [head(s, "UpperLeg") for s in SIDES]
                root = np.sqrt(_STANDING_WEIGHTS[part] * (1.0 if part != "shoulder" else 0.5))
                residuals.append(root * (positions[ends, 2].mean() - positions[bases, 2].mean() - ahead))
                rows.append(root * (derivatives[ends, 2].mean(axis=0) - derivatives[bases, 2].mean(axis=0)))
        return np.asarray(residuals), np.asarray(rows)

    def _prior_rows(self, state: _State, unknowns: int) -> tuple[DoubleArray, DoubleArray]:
        angles = rotation_vectors(state.rotations)
        root = np.concatenate([np.sqrt(0.5 * self.prior).ravel(), np.full(len(state.shape), np.sqrt(_SHAPE_PRIOR))])
        values = np.concatenate([angles.ravel(), state.shape])
        rows = np.zeros((len(root), unknowns))
        rows[np.arange(len(root)), np.arange(len(root))] = root
        return root * values, rows

    def _outside_rows(self, flat: DoubleArray, derivatives: DoubleArray) -> tuple[DoubleArray, DoubleArray]:
        """Distances of the surface from the mask; what lies outside of the picture is not seen."""
        distance, gradient = self.outside
        pixels = flat * (self.scale, -self.scale) + self.origin
        inside = ((pixels > -0.5) & (pixels < np.asarray(distance.shape[::-1]) - 0.5)).all(axis=1)
        x, y = np.clip(np.rint(pixels[inside]).astype(int), 0, np.asarray(distance.shape[::-1]) - 1).T
        far = distance[y, x] > 0
        x, y = x[far], y[far]
        change = np.einsum("nc,ncp->np", gradient[y, x], derivatives[inside][far])
        root = np.sqrt(_OUTSIDE_WEIGHT / len(flat))
        return root * distance[y, x].astype(np.float64), root * change

    def _contour_rows(self, flat: DoubleArray, derivatives: DoubleArray) -> tuple[DoubleArray, DoubleArray]:
        """Distances of points of the outline from the nearest point of the surface."""
        if not len(self.contour):
            return np.zeros(0), np.zeros((0, derivatives.shape[2]))
        nearest = cKDTree(flat).query(self.contour)[1]
        off = flat[nearest] - self.contour
        robust = _CONTOUR_ROBUST / (np.sum(off**2, axis=1) + _CONTOUR_ROBUST) ** 2
        return _weighted(off, derivatives[nearest], np.sqrt(_CONTOUR_WEIGHT * robust / len(off)))

    def result(self, state: _State) -> FittedBody:
        """The fit in metres of the template, with the camera's scale and shift in the pixels."""
        body = Articulation.of(self.template, state.shape, state.rotations)
        keypoints = body.skin(PointSet.keypoints(self.template))
        scale = self.scale * float(np.exp(state.camera[0]))
        origin = self.origin + state.camera[1:] * (self.scale, -self.scale)
        pixels = keypoints[:, :2] * (scale, -scale) + origin
        wanted = self.targets * (self.scale, -self.scale) + self.origin
        error = np.linalg.norm(pixels - wanted, axis=1) / scale
        joint_error = float(np.sum(error * self.confidence) / max(float(self.confidence.sum()), 1e-6))
        return FittedBody(vertices_of(body), body.heads, keypoints, body.frames, scale, origin, joint_error)


def _first(points: PointSet, count: int) -> PointSet:
    return PointSet(points.mean[:count], points.basis[:, :count], points.weights[:count])


def _weighted(residuals: DoubleArray, derivatives: DoubleArray, root: DoubleArray) -> tuple[DoubleArray, DoubleArray]:
    """Rows of residuals [N, C] and derivatives [N, C, U] times the square roots [N] of their weights."""
    flat = derivatives * root[:, None, None]
    return (residuals * root[:, None]).ravel(), flat.reshape(-1, derivatives.shape[2])


def _observed_keypoints(person: DetectedPerson) -> tuple[DoubleArray, DoubleArray]:
    """Pixels [P, 2] of the keypoints and confidence [P]; hands that were not seen lie beyond the wrists."""
    joints = person.skeleton.positions[0].astype(np.float64)
    confidence = person.skeleton.confidence[0].astype(np.float64)
    unseen = [OPENPOSE_18_FEET.index(name) for name in person.missing]
    confidence = np.clip(confidence, _LEAST_CONFIDENCE, 1.0)
    confidence[unseen] = _LEAST_CONFIDENCE
    hands, seen = [], []
    for k, side in enumerate(SIDES):
        elbow, wrist = (OPENPOSE_18_FEET.index(f"{side}_{part}") for part in ("elbow", "wrist"))
        if person.hands is not None:
            hands.append(person.hands[k].astype(np.float64))
            seen.append(confidence[wrist])
        else:
            hands.append(joints[wrist] + 0.3 * (joints[wrist] - joints[elbow]))
            seen.append(0.0)
    return np.concatenate([joints, hands]), np.concatenate([confidence, seen])


def _initial_scale(pixels: DoubleArray, template: BodyTemplate) -> float:
    """Pixels per metre: the upper quartile over bones, since foreshortened ones look short."""
    bones = [("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"), ("shoulder", "hip")]
    ratios = []
    for side in SIDES:
        for a, b in bones:
            i, j = KEYPOINTS.index(f"{side}_{a}"), KEYPOINTS.index(f"{side}_{b}")
            length = np.linalg.norm(template.keypoint_mean[i] - template.keypoint_mean[j])
            ratios.append(np.linalg.norm(pixels[i] - pixels[j]) / length)
    return max(float(np.percentile(ratios, 75)), 1e-3)


def _initial_yaw(joints: DoubleArray) -> float:
    """Rotation of hips and shoulders about the vertical from joints [22, 3]."""
    index = OPENPOSE_18_FEET.index
    across = sum(joints[index(f"left_{part}")] - joints[index(f"right_{part}")] for part in ("shoulder", "hip"))
    return float(np.arctan2(-across[2], across[0]))


def _limb_directions(joints: DoubleArray, template: BodyTemplate) -> tuple[NDArray[np.int64], DoubleArray, DoubleArray]:
    """Bones [D, 2], unit vectors [D, 3] and weights [D] of limbs and of the lines across, from joints [22, 3]."""
    index = OPENPOSE_18_FEET.index
    limbs = []
    for side in SIDES:
        limbs += [
            (f"{side}UpperArm", f"{side}LowerArm", f"{side}_shoulder", f"{side}_elbow", 1.0),
            (f"{side}LowerArm", f"{side}Hand", f"{side}_elbow", f"{side}_wrist", 1.0),
            (f"{side}UpperLeg", f"{side}LowerLeg", f"{side}_hip", f"{side}_knee", _LEG_DIRECTION),
            (f"{side}LowerLeg", f"{side}Foot", f"{side}_knee", f"{side}_ankle", _LEG_DIRECTION),
        ]
    limbs.append(("rightUpperArm", "leftUpperArm", "right_shoulder", "left_shoulder", 1.0))
    limbs.append(("rightUpperLeg", "leftUpperLeg", "right_hip", "left_hip", 1.0))
    ends = np.asarray([(template.bone(a), template.bone(b)) for a, b, *_ in limbs])
    vectors = np.asarray([joints[index(b)] - joints[index(a)] for _, _, a, b, _ in limbs])
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    return ends, vectors, np.asarray([weight for *_, weight in limbs])


def _pose_prior(template: BodyTemplate) -> DoubleArray:
    weights = []
    for name in template.bones:
        limb = next((name[len(side) :] for side in SIDES if name.startswith(side)), name)
        weights.append(np.broadcast_to(_POSE_PRIOR[limb], 3))
    return np.asarray(weights, np.float64)


def _distance_outside(mask: BoolArray, scale: float) -> tuple[FloatArray, FloatArray]:
    """Distance in metres of each pixel from the mask [H, W], 0 inside; its gradient by x right and y up, [H, W, 2]."""
    distance = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5)
    by_y, by_x = np.gradient(cv2.GaussianBlur(distance, (0, 0), 1.0))
    return np.asarray(distance / scale, np.float32), np.asarray(np.stack([by_x, -by_y], axis=-1), np.float32)


def _contour(mask: BoolArray) -> DoubleArray:
    """Pixels (x, y) [C, 2] along the outline of a mask; where the picture cuts the person there is no outline."""
    height, width = mask.shape
    found, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    long = [contour[:, 0] for contour in found if len(contour) > 30]
    if not long:
        return np.zeros((0, 2))
    points = np.concatenate(long)
    x, y = points.T
    points = points[(x > 1) & (x < width - 2) & (y > 1) & (y < height - 2)]
    return np.asarray(points[:: max(1, len(points) // _CONTOUR_POINTS)], np.float64)
