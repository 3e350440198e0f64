"""Rendering procedural people: one pose to a picture, a dance to frames."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import cv2
import numpy as np

from stgmamba.arrays import FloatArray, Frame
from stgmamba.characters.appearance import Appearance
from stgmamba.characters.background import Background
from stgmamba.characters.mesh import Topology
from stgmamba.characters.raster import ambient_occlusion, project, rasterize, rasterize_depth, vertex_normals
from stgmamba.characters.shading import KEY_DIRECTION, compose, floor_shadow, shade
from stgmamba.characters.surface import CharacterSurface
from stgmamba.characters.view import PinholeCamera, View, view_from_camera
from stgmamba.parallel import ordered_map
from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton
from stgmamba.skeleton.body import retarget
from stgmamba.skeleton.camera import frame_dance
from stgmamba.skeleton.foot_contacts import SOLE

_SUPERSAMPLING = 2  # per side; ``shade`` takes 2 x 2 samples a pixel
_SHADOW_MAP = 192  # texels per side
_NEAR = 0.05  # near plane, metres
_EMPTY = np.float32(-1e9)  # of the shadow map where no light is intercepted
_FEET = [OPENPOSE_18_FEET.index(f"{side}_{part}") for side in ("left", "right") for part in ("heel", "toe", "ankle")]
_NECK = OPENPOSE_18_FEET.index("neck")


class RenderedCharacter(NamedTuple):
    """One rendered pose.

    Attributes:
        rgb: uint8 [H, W, 3].
        mask: coverage of each pixel by the person, float32 [H, W] in 0..1.
        depth: metres to the person along the optical axis, float32 [H, W], infinite where there is none.
    """

    rgb: Frame
    mask: FloatArray
    depth: FloatArray


class _ShadowMap(NamedTuple):
    """Depth from the key light.

    Attributes:
        depth: coordinate towards the light of the surface nearest to it, [N, N]; ``_EMPTY`` where there is none.
        matrix: [3, 4], takes a point to (column, row, coordinate towards the light).
    """

    depth: FloatArray
    matrix: FloatArray


class SceneRenderer:
    """A background in one camera, painted once; people are drawn over it.

    Args:
        background: the background.
        camera: its size is the picture's.

    Attributes:
        rgb: the empty scene, uint8 [H, W, 3].
    """

    def __init__(self, background: Background, camera: PinholeCamera) -> None:
        self.view: View = view_from_camera(camera)
        self.linear = background.paint(self.view)
        self.lights = background.lights(self.view)
        self.shadow_strength = background.shadow_strength
        self.encoding = _srgb_table()
        self.rgb: Frame = self.encoding[np.rint(self.linear * (len(self.encoding) - 1)).astype(np.int32)]

    def draw(
        self, surface: CharacterSurface, positions: FloatArray, lag: FloatArray | None = None
    ) -> RenderedCharacter:
        """One pose of a person in this scene.

        Args:
            surface: of the person.
            positions: joints of OPENPOSE_18_FEET, [22, 3] metres, with this person's bone lengths.
            lag: displacement of the free ends of hair and cloth, [3] metres; see ``cloth_lag``.
        """
        positions = np.nan_to_num(np.asarray(positions, np.float32), posinf=0.0, neginf=0.0)
        parts = surface.parts(positions, np.zeros(3, np.float32) if lag is None else np.asarray(lag, np.float32))
        vertices = np.concatenate([part.points.reshape(-1, 3) for part in parts])
        mesh = surface.topology
        width, height = self.view.size
        mask = np.zeros((height, width), np.float32)
        depth = np.full((height, width), np.inf, np.float32)
        rgb = self.rgb.copy()
        shadow_map = self._shadow_map(vertices, mesh)
        self._draw_floor_shadow(rgb, vertices, positions, shadow_map)
        box, xy, inverse_depth = self._bounding_box(vertices)
        if box is None:
            return RenderedCharacter(rgb, mask, depth)
        left, top, right, bottom = box
        rows, columns = (bottom - top) * _SUPERSAMPLING, (right - left) * _SUPERSAMPLING
        samples = np.zeros((rows, columns), np.float32)
        triangle_index = np.empty((rows, columns), np.int32)
        weights = np.empty((rows, columns, 2), np.float32)
        local = ((xy - np.asarray([left, top], np.float32)) * _SUPERSAMPLING).astype(np.float32)
        rasterize(local, inverse_depth, mesh.triangles, mesh.closed, samples, triangle_index, weights)
        nearest = np.maximum(
            np.maximum(samples[::2, ::2], samples[::2, 1::2]), np.maximum(samples[1::2, ::2], samples[1::2, 1::2])
        )
        ambient = ambient_occlusion(nearest, 0.085, self.view.focal)
        colour, coverage = shade(
            samples, triangle_index, weights, vertices, vertex_normals(vertices, mesh.triangles), mesh.texcoords,
            mesh.triangles, mesh.materials, surface.materials, surface.face, ambient, shadow_map.depth,
            shadow_map.matrix, self.view.eye, self.lights,
        )  # fmt: skip
        compose(self.linear, colour, coverage, left, top, self.encoding, rgb)
        mask[top:bottom, left:right] = coverage
        with np.errstate(divide="ignore"):
            depth[top:bottom, left:right] = 1.0 / nearest
        return RenderedCharacter(rgb, mask, depth)

    def _bounding_box(self, vertices: FloatArray) -> tuple[tuple[int, int, int, int] | None, FloatArray, FloatArray]:
        """Box (left, top, right, bottom) of points [V, 3] in the picture; their pixels and inverse depths.

        The box is None where nothing lies before the camera and in the picture.
        """
        width, height = self.view.size
        xy, inverse_depth = project(np.ascontiguousarray(vertices, np.float32), self.view.matrix, _NEAR)
        visible = inverse_depth > 0
        if not visible.any():
            return None, xy, inverse_depth
        low, high = xy[visible].min(axis=0), xy[visible].max(axis=0)
        left, top = (int(np.clip(np.floor(v) - 1, 0, limit)) for v, limit in zip(low, (width, height), strict=True))
        right, bottom = (int(np.clip(np.ceil(v) + 1, 0, limit)) for v, limit in zip(high, (width, height), strict=True))
        if right <= left or bottom <= top:
            return None, xy, inverse_depth
        return (left, top, right, bottom), xy, inverse_depth

    def _shadow_map(self, vertices: FloatArray, mesh: Topology) -> _ShadowMap:
        """Orthographic shadow map of the key light, fitted to the vertices."""
        toward = self.lights[KEY_DIRECTION]
        across = np.cross([0.0, 1.0, 0.0], toward)
        across = across / np.linalg.norm(across)
        axes = np.stack([across, np.cross(toward, across), toward]).astype(np.float32)
        coordinates = vertices @ axes.T
        low, high = coordinates.min(axis=0), coordinates.max(axis=0)
        scale = np.float32((_SHADOW_MAP - 16) / max(float((high - low)[:2].max()), 1e-3))
        matrix = np.zeros((3, 4), np.float32)
        matrix[:2, :3] = axes[:2] * scale
        matrix[:2, 3] = 8 - low[:2] * scale
        matrix[2, :3] = axes[2]
        depth = np.full((_SHADOW_MAP, _SHADOW_MAP), _EMPTY, np.float32)
        points = np.ascontiguousarray(vertices @ matrix[:, :3].T + matrix[:, 3], np.float32)
        rasterize_depth(points, mesh.shadow_casters, depth)
        return _ShadowMap(depth, matrix)

    def _draw_floor_shadow(
        self, rgb: Frame, vertices: FloatArray, positions: FloatArray, shadow_map: _ShadowMap
    ) -> None:
        """Draw the cast shadow and the contact shadows of the feet into ``rgb``."""
        texels_per_metre = float(np.linalg.norm(shadow_map.matrix[0, :3]))
        outline = (shadow_map.depth > 0.1 * _EMPTY).astype(np.float32)
        blurred = cv2.GaussianBlur(outline, (0, 0), max(0.030 * texels_per_metre, 0.8))
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
        box, _, _ = self._bounding_box((corners[:, None] + margin[None]).reshape(-1, 3).astype(np.float32))
        if box is None:
            return
        feet = positions[_FEET]
        lift = np.maximum(feet[:, 1] - SOLE, 0.0)
        weight = 0.30 * np.exp(-lift / 0.06)
        contacts = np.stack([feet[:, 0], feet[:, 2], 0.075 + 0.6 * lift, weight], 1).astype(np.float32)
        floor_shadow(
            rgb, self.linear, self.view.rays, self.view.eye, blurred, shadow_map.matrix, contacts,
            self.shadow_strength, self.encoding, box,
        )  # fmt: skip


@cache
def _srgb_table() -> Frame:
    """The sRGB encoding of linear light 0..1 in 4096 steps (IEC 61966-2-1), uint8."""
    light = np.linspace(0.0, 1.0, 4096)
    encoded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.asarray(np.rint(255 * encoded), np.uint8)


class CharacterRenderer:
    """A character as a ``stgmamba.renderer.Renderer``: in the default studio, the whole dance in view of the camera.

    Args:
        appearance: of the character.
        size: (width, height) of the frames.
    """

    def __init__(self, appearance: Appearance, size: tuple[int, int] = (512, 512)) -> None:
        self.appearance = appearance
        self.size = size
        self._surface = CharacterSurface(appearance)

    def frames(self, dance: Skeleton) -> Iterator[Frame]:
        """One frame per frame of the dance, lazily; uint8 [H, W, 3].

        Args:
            dance: 3-D, OPENPOSE_18_FEET, metres; it is retargeted to the appearance's bone lengths.
        """
        retargeted = retarget(dance, self.appearance.body)
        scene = SceneRenderer(Background(), frame_dance(retargeted, self.size))
        poses = zip(retargeted.positions, cloth_lag(retargeted), strict=True)
        return ordered_map(lambda pose: scene.draw(self._surface, *pose).rgb, poses)


def cloth_lag(dance: Skeleton) -> FloatArray:
    """Secondary motion: displacement of the free ends of hair and cloth in each frame, [T, 3] metres.

    They lag behind the neck: the displacement is opposite to its smoothed velocity and bounded to 0.1 m (tanh).
    """
    neck = dance.positions[:, _NECK]
    if len(neck) < 2:
        return np.zeros_like(neck)
    velocity = np.gradient(neck, axis=0) * dance.fps
    sigma = max(1.0, 0.10 * dance.fps)
    smoothed = cv2.GaussianBlur(
        np.ascontiguousarray(velocity, np.float32).reshape(-1, 1, 3), (0, 0), sigmaX=1e-6 + 0.01, sigmaY=sigma
    )[:, 0]
    lag = -0.12 * smoothed
    length = np.linalg.norm(lag, axis=1, keepdims=True)
    return np.asarray(lag * (0.10 * np.tanh(length / 0.10) / np.maximum(length, 1e-6)), np.float32)
