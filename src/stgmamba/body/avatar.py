"""A person as a textured, rigged mesh, made from a picture."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from stgmamba.arrays import BoolArray, DoubleArray, FloatArray, Frame, IntArray
from stgmamba.body.fitting import FittedBody, fit_body
from stgmamba.body.outline import close_outline, outline_overlap
from stgmamba.body.photo_texels import SIZE, PhotoTexels
from stgmamba.body.posing import RestBody
from stgmamba.body.skirt import TEXTURE_WIDTH, Skirt, make_skirt
from stgmamba.body.template import load_template
from stgmamba.body.texture import make_texture
from stgmamba.characters.raster import vertex_normals
from stgmamba.errors import InputError
from stgmamba.person.picture import Picture
from stgmamba.person.pose import DetectedPerson

_BARE_LEG = 0.02  # metres below a skirt's hem where legs have their own colour
_LEAST_OVERLAP = 0.8  # of body and person in a picture from behind
_INFLUENCES = 4  # bones per vertex, as glTF and its viewers have it


@dataclass(frozen=True)
class Avatar:
    """A textured mesh in the pose of a picture, with a skeleton; metres: x right, y up, z towards the camera.

    Attributes:
        vertices: [V, 3].
        triangles: vertex indices [F, 3], counter-clockwise from outside.
        closed: whether the surface at a vertex is closed, so that its back faces cannot be seen, [V].
        uv, uv_triangles: texture coordinates [U, 2], v up, and their indices [F, 3].
        texture: uint8 [S, S', 3]; wider than high where a skirt's is beside the body's.
        bones, weights: the bones that move each vertex, [V, 4], and their weights.
        heads: heads of the template's bones, [B, 3].
        keypoints: `template.KEYPOINTS`, [P, 3].
        pixels_per_metre: scale of the picture.
        origin: pixel (x, y) of the picture at the point (0, 0), [2].
        overlap: intersection over union of the body's outline and the person's in the picture, 0..1.
        joint_error: mean distance of the body's keypoints from the detected joints, metres.
    """

    vertices: FloatArray
    triangles: IntArray
    closed: BoolArray
    uv: FloatArray
    uv_triangles: IntArray
    texture: Frame
    bones: IntArray
    weights: FloatArray
    heads: DoubleArray
    keypoints: DoubleArray
    pixels_per_metre: float
    origin: DoubleArray
    overlap: float
    joint_error: float

    @cached_property
    def rest(self) -> RestBody:
        """What posing needs of it."""
        return RestBody(self.heads, self.keypoints)

    @cached_property
    def normals(self) -> FloatArray:
        """Unit normals of the vertices, [V, 3]."""
        return vertex_normals(self.vertices, self.triangles)

    @property
    def floor(self) -> float:
        """Height of the lowest vertex, metres."""
        return float(self.vertices[:, 1].min())


def make_avatar(picture: Picture, person: DetectedPerson, back: tuple[Picture, DetectedPerson] | None = None) -> Avatar:
    """The avatar of the person of a picture.

    Args:
        picture: the picture, which gives pose, shape and outline.
        person: pose and mask of the person in it.
        back: another picture of the person, from behind, whose colours the back gets.

    Raises:
        InputError: no body fits the person seen from behind.
    """
    template = load_template()
    fit = _Fit.of(picture, person)
    fitted, vertices, photo, skirt = fit.fitted, fit.vertices, fit.photo, fit.skirt
    bones, weights = _strongest(template.weights)
    if skirt is not None:
        vertices = vertices + skirt.under(vertices)[:, None] * (fitted.vertices - vertices)
        photo = PhotoTexels(fitted, vertices, picture.rgb, person.mask)
        photo.look_below(skirt.hem - _BARE_LEG)
    behind = None
    if back is not None:
        behind, back_skirt = _look_from_behind(*back)
        if skirt is not None and back_skirt is not None:
            skirt = skirt.with_back(back_skirt)
    avatar = Avatar(
        vertices=vertices,
        triangles=template.triangles,
        closed=np.ones(len(vertices), bool),
        uv=template.uv,
        uv_triangles=template.uv_triangles,
        texture=make_texture(photo, behind),
        bones=bones,
        weights=weights,
        heads=fitted.heads,
        keypoints=fitted.keypoints,
        pixels_per_metre=fitted.pixels_per_metre,
        origin=fitted.origin,
        overlap=fit.overlap,
        joint_error=fitted.joint_error,
    )
    return avatar if skirt is None else _with_skirt(avatar, skirt)


@dataclass(frozen=True)
class _Fit:
    """The template fitted to a person, its vertices grown to the outline, and what the picture shows of it.

    Attributes:
        overlap: as of `Avatar`.
    """

    fitted: FittedBody
    vertices: FloatArray
    overlap: float
    photo: PhotoTexels
    skirt: Skirt | None

    @classmethod
    def of(cls, picture: Picture, person: DetectedPerson) -> _Fit:
        fitted = fit_body(person)
        vertices = close_outline(fitted, person.mask)
        photo = PhotoTexels(fitted, vertices, picture.rgb, person.mask)
        overlap = outline_overlap(fitted, vertices, person.mask)
        return cls(fitted, vertices, overlap, photo, make_skirt(photo, person.mask))


def _look_from_behind(picture: Picture, person: DetectedPerson) -> tuple[PhotoTexels, Skirt | None]:
    """What a picture from behind shows of the body's texels, and the skirt in it."""
    fit = _Fit.of(picture, person)
    if fit.overlap < _LEAST_OVERLAP:
        raise InputError(
            f"{picture.name}: no body fits the person seen from behind; use a picture of the whole person, standing."
        )
    if fit.skirt is not None:
        fit.photo.look_below(fit.skirt.hem - _BARE_LEG)
    return fit.photo, fit.skirt


def _with_skirt(avatar: Avatar, skirt: Skirt) -> Avatar:
    """The avatar with a skirt in the place of what it hides, its texture on the right of the body's."""
    bones, weights = _strongest(skirt.weights)
    shown = ~skirt.hides(avatar.vertices)[avatar.triangles].any(axis=1)
    width = SIZE + TEXTURE_WIDTH
    uv = [
        avatar.uv * np.asarray([SIZE / width, 1], np.float32),
        skirt.uv * np.asarray([TEXTURE_WIDTH / width, 1], np.float32) + np.asarray([SIZE / width, 0], np.float32),
    ]
    texture = np.concatenate([avatar.texture, np.clip(skirt.texture, 0, 255).astype(np.uint8)], axis=1)
    return replace(
        avatar,
        vertices=np.concatenate([avatar.vertices, skirt.vertices]),
        triangles=np.concatenate([avatar.triangles[shown], skirt.triangles + len(avatar.vertices)]).astype(np.int32),
        closed=np.concatenate([avatar.closed, np.zeros(len(skirt.vertices), bool)]),
        uv=np.concatenate(uv),
        uv_triangles=np.concatenate([avatar.uv_triangles[shown], skirt.triangles + len(avatar.uv)]).astype(np.int32),
        texture=texture,
        bones=np.concatenate([avatar.bones, bones]),
        weights=np.concatenate([avatar.weights, weights]),
    )


def _strongest(weights: FloatArray) -> tuple[IntArray, FloatArray]:
    """The bones [V, 4] of the largest weights [V, B], and these weights [V, 4], rows of which sum to 1."""
    bones = np.argsort(-weights, axis=1)[:, :_INFLUENCES]
    chosen = np.take_along_axis(weights, bones, axis=1)
    return bones.astype(np.int32), (chosen / chosen.sum(axis=1, keepdims=True)).astype(np.float32)
