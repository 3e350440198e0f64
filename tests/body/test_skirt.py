from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from stgmamba.body.avatar import Avatar, make_avatar
from stgmamba.body.drawing import AvatarPainter
from stgmamba.body.gltf import write_glb
from stgmamba.body.photo_texels import SIZE as SIZE_OF_TEXTURE
from stgmamba.body.template import KEYPOINTS, load_template
from stgmamba.body.turntable import turned, turntable_view
from tests.support.posed_body import SKIN, TROUSERS, PosedBody, body_with_arms_down, standing_body

YELLOW, BACKDROP = (235, 215, 40), (255, 0, 255)
SIZE = 240, 360


def bare_legged(truth: PosedBody) -> np.ndarray:
    """The picture with bare legs."""
    rgb = truth.picture.rgb.copy()
    rgb[near(rgb, TROUSERS)] = SKIN
    return rgb


def near(frame: np.ndarray, colour: tuple[int, int, int], tolerance: float = 60.0) -> np.ndarray:
    return np.asarray(np.linalg.norm(frame.astype(np.float64) - colour, axis=-1) < tolerance)


def hips(truth: PosedBody) -> np.ndarray:
    return np.asarray(
        truth.fitted.keypoints[[KEYPOINTS.index(f"{side}_hip") for side in ("left", "right")]].mean(axis=0)
    )


def in_skirt(
    length: float,
    flare: float,
    colours: tuple[tuple[int, int, int], ...] = (YELLOW,),
    truth: PosedBody | None = None,
    upright: bool = False,
) -> Avatar:
    """Somebody in a skirt that ends some metres below the hips, of stripes of colours, level or upright."""
    truth = truth or standing_body()
    rgb, mask = bare_legged(truth), truth.person.mask.copy()
    middle = hips(truth)
    corners = [(-0.17, 0.05), (0.17, 0.05), (0.17 + flare, -length), (-0.17 - flare, -length)]
    outline = np.rint(truth.fitted.to_pixels(np.asarray([(x, y, 0) for x, y in corners]) + middle)).astype(np.int32)
    layer = np.zeros(mask.shape, np.uint8)
    cv2.fillPoly(layer, [outline], 1)
    for i, colour in enumerate(colours):
        place = np.arange(mask.shape[1])[None] // 3 if upright else np.arange(mask.shape[0])[:, None] // 6
        stripe = place % len(colours) == i
        rgb[(layer > 0) & stripe] = colour
    mask[layer > 0] = 1
    return make_avatar(replace(truth.picture, rgb=rgb), replace(truth.person, mask=mask))


def drawn(avatar: Avatar, degrees: float) -> np.ndarray:
    painter = AvatarPainter(avatar)
    canvas = np.full((SIZE[1], SIZE[0], 3), BACKDROP, np.uint8)
    painter.draw(canvas, painter.pose(*turned(avatar, np.radians(degrees))), turntable_view(avatar, SIZE))
    return canvas


def tube(avatar: Avatar) -> np.ndarray:
    """Vertices of the skirt."""
    return np.asarray(avatar.vertices[len(load_template().mean) :])


@pytest.mark.parametrize(("length", "flare"), [(0.25, 0.1), (0.35, 0.14), (0.45, 0.18)])
def test_a_skirt_is_found_and_hangs_round_the_legs(length: float, flare: float) -> None:
    avatar = in_skirt(length, flare)
    skirt = tube(avatar)
    assert len(skirt)
    assert skirt[:, 1].min() == pytest.approx(hips(standing_body())[1] - length, abs=0.04)
    assert np.ptp(skirt[:, 0]) == pytest.approx(0.34 + 2 * flare, abs=0.06)
    for degrees in (0, 90, 180, 270):
        frame = drawn(avatar, degrees)
        rows = np.nonzero(near(frame, YELLOW, 90).any(axis=1))[0]
        hem = frame[rows.max() - 8]
        cloth = np.nonzero(near(hem, YELLOW, 90))[0]
        assert near(hem, YELLOW, 90)[cloth.min() : cloth.max() + 1].mean() > 0.9  # one piece, no legs before it


def test_cloth_may_have_a_pattern() -> None:
    assert len(tube(in_skirt(0.35, 0.08, (YELLOW, (40, 120, 60)))))


def test_a_pattern_goes_on_where_a_hand_hid_it() -> None:
    """Upright stripes; the hand hangs before the skirt's side."""
    truth = body_with_arms_down()
    avatar = in_skirt(0.35, 0.1, (YELLOW, (40, 60, 120)), truth, upright=True)
    texture = avatar.texture[:, SIZE_OF_TEXTURE:].astype(np.float64)
    change = np.abs(np.diff(texture, axis=1, append=texture[:, :1])).mean(axis=(0, 2))
    assert change.reshape(8, -1).mean(axis=1).min() > 8  # all round; with the nearest colour instead 4 at the sides


def test_a_skirt_moves_with_hips_and_thighs_only() -> None:
    avatar = in_skirt(0.35, 0.08)
    first = len(load_template().mean)
    used = np.unique(avatar.bones[first:][avatar.weights[first:] > 1e-6])
    assert {load_template().bones[bone] for bone in used} == {"hips", "leftUpperLeg", "rightUpperLeg"}
    np.testing.assert_allclose(avatar.weights[first:].sum(axis=1), 1, atol=1e-5)


def test_an_avatar_with_a_skirt_is_written_as_glb(tmp_path: Path) -> None:
    write_glb(tmp_path / "a.glb", in_skirt(0.35, 0.08))
    content = (tmp_path / "a.glb").read_bytes()
    assert b'"doubleSided":true' in content


def test_trousers_and_shorts_are_no_skirt(avatar: Avatar) -> None:
    assert not len(tube(avatar))
    truth = standing_body()
    rgb = bare_legged(truth)
    rows = np.arange(rgb.shape[0])[:, None]
    hem = truth.fitted.to_pixels(hips(truth) - (0, 0.3, 0))[1]
    rgb[near(truth.picture.rgb, TROUSERS) & (rows < hem)] = YELLOW
    assert not len(tube(make_avatar(replace(truth.picture, rgb=rgb), truth.person)))
