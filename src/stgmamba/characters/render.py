"""Drawing built-in dancers: one pose to a picture, a dance to frames."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np

from stgmamba.arrays import FloatArray, Frame
from stgmamba.characters.appearance import Appearance
from stgmamba.characters.background import Background
from stgmamba.characters.mesh import Topology
from stgmamba.characters.person import Person
from stgmamba.characters.raster import ambient_occlusion, project, rasterize, rasterize_depth, vertex_normals
from stgmamba.characters.shading import KEY_DIRECTION, compose, floor_shadow, shade
from stgmamba.characters.view import Projects, View, view_of
from stgmamba.parallel import ordered_map
from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton
from stgmamba.skeleton.body import retarget
from stgmamba.skeleton.camera import Camera, frame_dance

_OVERSAMPLE = 2
_SHADOW_MAP = 192
_NEAR = 0.05
_FEET = [OPENPOSE_18_FEET.index(f"{side}_{part}") for side in ("left", "right") for part in ("heel", "toe", "ankle")]
_HEAD = OPENPOSE_18_FEET.index("neck")


class RenderedCharacter(NamedTuple):
    """A drawn person.

    Attributes:
        rgb: uint8 [H, W, 3].
        mask: how much of each pixel the person covers, float32 [H, W] in 0..1.
        depth: metres to the person along the viewing direction, float32 [H, W], infinite where there is none.
    """

    rgb: Frame
    mask: FloatArray
    depth: FloatArray


class SceneRenderer:
    """A background as one camera sees it, painted once and drawn on many times.

    Args:
        background: the place.
        camera: where from; its size is the picture's.
    """

    def __init__(self, background: Background, camera: Projects) -> None:
        self.view: View = view_of(camera)
        self.linear = background.paint(self.view)
        self.lights = background.lights(self.view)
        self.shadow_strength = background.shadow_strength
        self.encode = _srgb_table()
        self.rgb: Frame = self.encode[np.rint(self.linear * (len(self.encode) - 1)).astype(np.int32)]

    def draw(self, person: Person, positions: FloatArray, sway: FloatArray | None = None) -> RenderedCharacter:
        """One pose of a person here.

        Args:
            person: who.
            positions: joints of OPENPOSE_18_FEET, [22, 3] metres, already of this person's bone lengths.
            sway: how far loose hair and cloth hang behind, [3] metres.
        """
        positions = np.nan_to_num(np.asarray(positions, np.float32), posinf=0.0, neginf=0.0)
        parts = person.parts(positions, np.zeros(3, np.float32) if sway is None else np.asarray(sway, np.float32))
        vertices = np.concatenate([part.points.reshape(-1, 3) for part in parts])
        mesh = person.topology
        width, height = self.view.size
        mask = np.zeros((height, width), np.float32)
        depth = np.full((height, width), np.inf, np.float32)
        rgb = self.rgb.copy()
        light = self._shadow_map(vertices, mesh)
        self._shadow_on_floor(rgb, vertices, positions, light)
        box, xy, inverse = self._window(vertices)
        if box is None:
            return RenderedCharacter(rgb, mask, depth)
        left, top, right, bottom = box
        rows, columns = (bottom - top) * _OVERSAMPLE, (right - left) * _OVERSAMPLE
        near = np.zeros((rows, columns), np.float32)
        face = np.empty((rows, columns), np.int32)
        weights = np.empty((rows, columns, 2), np.float32)
        local = ((xy - np.asarray([left, top], np.float32)) * _OVERSAMPLE).astype(np.float32)
        rasterize(local, inverse, mesh.triangles, mesh.solid, near, face, weights)
        nearest = np.maximum(np.maximum(near[::2, ::2], near[::2, 1::2]), np.maximum(near[1::2, ::2], near[1::2, 1::2]))
        open_sky = ambient_occlusion(nearest, 0.085, self.view.focal)
        colour, cover = shade(
            near, face, weights, vertices, vertex_normals(vertices, mesh.triangles), mesh.texture, mesh.triangles,
            mesh.inputs, person.materials, person.face, open_sky, light[0], light[1], self.view.eye, self.lights,
        )  # fmt: skip
        compose(self.linear, colour, cover, left, top, self.encode, rgb)
        mask[top:bottom, left:right] = cover
        with np.errstate(divide="ignore"):
            depth[top:bottom, left:right] = 1.0 / nearest
        return RenderedCharacter(rgb, mask, depth)

    def _window(self, vertices: FloatArray) -> tuple[tuple[int, int, int, int] | None, FloatArray, FloatArray]:
        """Part of the picture that points cover (left, top, right, bottom), their pixels and inverse depths."""
        width, height = self.view.size
        xy, inverse = project(np.ascontiguousarray(vertices, np.float32), self.view.matrix, _NEAR)
        seen = inverse > 0
        if not seen.any():
            return None, xy, inverse
        low, high = xy[seen].min(axis=0), xy[seen].max(axis=0)
        left, top = (int(np.clip(np.floor(v) - 1, 0, limit)) for v, limit in zip(low, (width, height), strict=True))
        right, bottom = (int(np.clip(np.ceil(v) + 1, 0, limit)) for v, limit in zip(high, (width, height), strict=True))
        if right <= left or bottom <= top:
            return None, xy, inverse
        return (left, top, right, bottom), xy, inverse

    def _shadow_map(self, vertices: FloatArray, mesh: Topology) -> tuple[FloatArray, FloatArray]:
        """Nearness to the key light seen from it, [N, N], and the [3, 4] matrix that takes a point there."""
        toward = self.lights[KEY_DIRECTION]
        across = np.cross([0.0, 1.0, 0.0], toward)
        across = across / np.linalg.norm(across)
        axes = np.stack([across, np.cross(toward, across), toward]).astype(np.float32)
        seen = vertices @ axes.T
        low, high = seen.min(axis=0), seen.max(axis=0)
        scale = np.float32((_SHADOW_MAP - 16) / max(float((high - low)[:2].max()), 1e-3))
        at = np.zeros((3, 4), np.float32)
        at[:2, :3] = axes[:2] * scale
        at[:2, 3] = 8 - low[:2] * scale
        at[2, :3] = axes[2]
        near = np.full((_SHADOW_MAP, _SHADOW_MAP), -1e9, np.float32)
        rasterize_depth(np.ascontiguousarray(vertices @ at[:, :3].T + at[:, 3], np.float32), mesh.casting, near)
        return near, at

    def _shadow_on_floor(
        self, rgb: Frame, vertices: FloatArray, positions: FloatArray, light: tuple[FloatArray, FloatArray]
    ) -> None:
        """The cast shadow and the dark contact under the feet, in place."""
        near, at = light
        texels = float(np.linalg.norm(at[0, :3]))  # per metre
        mask = cv2.GaussianBlur((near > -1e8).astype(np.float32), (0, 0), max(0.030 * texels, 0.8))
        toward = self.lights[KEY_DIRECTION]
        ground = vertices - toward * (vertices[:, 1:2] / toward[1])
        margin = np.asarray([[0.25, 0, 0.25], [-0.25, 0, 0.25], [0.25, 0, -0.25], [-0.25, 0, -0.25]], np.float32)
        corners = np.asarray(
            [
                [x, 0, z]
                for x in (ground[:, 0].min(), ground[:, 0].max())
                for z in (ground[:, 2].min(), ground[:, 2].max())
            ]
        )
        box, _, _ = self._window((corners[:, None] + margin[None]).reshape(-1, 3).astype(np.float32))
        if box is None:
            return
        feet = positions[_FEET]
        lift = np.maximum(feet[:, 1] - 0.03, 0.0)
        weight = 0.30 * np.exp(-lift / 0.06)
        contacts = np.stack([feet[:, 0], feet[:, 2], 0.075 + 0.6 * lift, weight], 1).astype(np.float32)
        floor_shadow(
            rgb, self.linear, self.view.rays, self.view.eye, mask, at, contacts, self.shadow_strength, self.encode, box
        )


@lru_cache(maxsize=1)
def _srgb_table() -> Frame:
    """SRGB of linear light 0..1 in 4096 steps."""
    light = np.linspace(0.0, 1.0, 4096)
    encoded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.asarray(np.rint(255 * encoded), np.uint8)


def draw(
    appearance: Appearance, positions: FloatArray, camera: Projects, background: Background | None = None
) -> RenderedCharacter:
    """One pose of one look before one camera.

    Args:
        appearance: who.
        positions: joints of OPENPOSE_18_FEET, [22, 3] metres, of the look's bone lengths (``skeleton.body.rebuild``).
        camera: its size is the picture's.
        background: a place; the default studio when not given.
    """
    return SceneRenderer(background or Background(), camera).draw(Person(appearance), positions)


class CharacterRenderer:
    """A built-in dancer as a renderer of dances.

    Args:
        appearance: who.
        size: (width, height) of the frames.
        background: a place; the default studio when not given.
        camera: where from; when not given, in front, so that the whole dance is in the picture.
    """

    def __init__(
        self,
        appearance: Appearance,
        size: tuple[int, int] = (512, 512),
        background: Background | None = None,
        camera: Camera | None = None,
    ) -> None:
        self.appearance = appearance
        self.size = camera.size if camera is not None else size
        self._background = background or Background()
        self._camera = camera
        self._person = Person(appearance)

    def frames(self, dance: Skeleton) -> Iterator[Frame]:
        """One frame for each of the dance's, uint8 [H, W, 3].

        Args:
            dance: 3-D, OPENPOSE_18_FEET, metres; it is put on the look's own bone lengths first.
        """
        own = retarget(dance, self.appearance.body)
        camera = self._camera or frame_dance(own, self.size)
        stage = SceneRenderer(self._background, camera)
        poses = zip(own.positions, sway(own), strict=True)
        return ordered_map(lambda pose: stage.draw(self._person, *pose).rgb, poses)


def sway(dance: Skeleton) -> FloatArray:
    """How far loose ends hang behind in each frame, [T, 3] metres: against the neck's smoothed velocity, bounded."""
    neck = dance.positions[:, _HEAD]
    if len(neck) < 2:
        return np.zeros_like(neck)
    velocity = np.gradient(neck, axis=0) * dance.fps
    width = max(1.0, 0.10 * dance.fps)
    late = cv2.GaussianBlur(
        np.ascontiguousarray(velocity, np.float32).reshape(-1, 1, 3), (0, 0), sigmaX=1e-6 + 0.01, sigmaY=width
    )[:, 0]
    sway = -0.12 * late
    length = np.linalg.norm(sway, axis=1, keepdims=True)
    return np.asarray(sway * (0.10 * np.tanh(length / 0.10) / np.maximum(length, 1e-6)), np.float32)
