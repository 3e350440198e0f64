"""Segmentation into layers, on capsule figures whose layers, widths and occluded parts are known."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stgmamba.limb_warp.retargeting import PhotoBody, measure_body
from stgmamba.limb_warp.segmentation import (
    ARMS,
    LAYERS,
    LEGS,
    TORSO_LAYER,
    LimbAxis,
    PersonLayers,
    limb_axis,
    segment_person,
)

from ..support.capsule_figure import (
    ARM_WIDTH,
    COLOURS,
    HEAD,
    HEIGHT,
    INDEX,
    TORSO,
    WIDTH,
    LayeredFigure,
    draw_figure,
    draw_layers,
    moved,
    person_of,
    pose_array,
    to_pixels,
    wall,
)

SIDES = ("right", "left")
ONE_COLOUR = dict.fromkeys(COLOURS, TORSO)
ROOT_RADIUS = 26  # pixels around shoulders and hips where neighbouring layers overlap on purpose
arm_angles = st.floats(0.5, 2.6)  # from hanging down, outwards, radians
leg_angles = st.floats(0.1, 0.35)


def limbs_at(arms: tuple[float, float], legs: tuple[float, float]) -> np.ndarray:
    """The A-pose with straight limbs at angles from hanging down, outwards, radians: right, left."""
    pose = pose_array()
    for side, sign, arm, leg in zip(SIDES, (-1, 1), arms, legs, strict=True):
        for root, angle, joints in (
            ("shoulder", arm, {"elbow": 0.28, "wrist": 0.52}),
            ("hip", leg, {"knee": 0.41, "ankle": 0.81, "heel": 0.88, "toe": 0.90}),
        ):
            direction = np.array([sign * np.sin(angle), -np.cos(angle), 0])
            for joint, distance in joints.items():
                pose[INDEX(f"{side}_{joint}")] = pose[INDEX(f"{side}_{root}")] + distance * direction
        pose[INDEX(f"{side}_toe"), 0] += 0.05 * sign
    return pose


ARM_ACROSS = {
    "at the waist": moved(left_elbow=(0.27, 1.17, 0), left_wrist=(-0.05, 1.10, 0)),
    "at the hips": moved(left_elbow=(0.27, 1.17, 0), left_wrist=(0.05, 1.00, 0)),
    "at the chest": moved(left_elbow=(0.27, 1.17, 0), left_wrist=(-0.10, 1.20, 0)),
}


def body_of(figure: LayeredFigure, pose: np.ndarray | None = None) -> PhotoBody:
    return measure_body(person_of(figure.mask, pose=pose).skeleton)


def segment(figure: LayeredFigure, pose: np.ndarray | None = None) -> PersonLayers:
    return segment_person(figure.rgb, figure.mask, body_of(figure, pose))


def eroded(mask: np.ndarray, size: int = 3) -> np.ndarray:
    return cv2.erode(mask.astype(np.uint8), np.ones((size, size), np.uint8)) > 0


def discs(pose: np.ndarray, joints: tuple[str, ...], radius: float) -> np.ndarray:
    """Pixels within a radius of joints, bool [H, W]."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    points = to_pixels(pose)[[INDEX(joint) for joint in joints]]
    return np.any([np.hypot(x - px, y - py) < radius for px, py in points], axis=0)


def around_roots(pose: np.ndarray, radius: float = ROOT_RADIUS) -> np.ndarray:
    return discs(pose, tuple(f"{side}_{root}" for side in SIDES for root in ("shoulder", "hip")), radius)


def colours_of(texture: np.ndarray) -> np.ndarray:
    """Colours of a premultiplied texture, [H, W, 3]; 0 where it is transparent."""
    return texture[..., :3] / np.maximum(texture[..., 3:], 1e-3)


def composite(layers: PersonLayers, background: np.ndarray) -> np.ndarray:
    canvas = background.astype(np.float32)
    for name in (*LEGS, TORSO_LAYER, *ARMS):
        texture = layers.textures[name]
        canvas = canvas * (1 - texture[..., 3:]) + texture[..., :3]
    return canvas


# Which pixel belongs to which layer.


@settings(max_examples=8, deadline=None)
@given(
    arms=st.tuples(arm_angles, arm_angles),
    legs=st.tuples(leg_angles, leg_angles),
    colours=st.sampled_from([COLOURS, ONE_COLOUR]),
)
def test_layers_are_the_drawn_limbs_in_any_pose(
    arms: tuple[float, float], legs: tuple[float, float], colours: dict[str, tuple[int, int, int]]
) -> None:
    """Also where all clothes have one colour, so that only the geometry separates them."""
    pose = limbs_at(arms, legs)
    figure = draw_layers(wall(), pose, colours=colours)
    layers = segment(figure, pose)
    away = ~around_roots(pose)
    for name in LAYERS:
        alpha = layers.textures[name][..., 3]
        assert (alpha[eroded(figure.visible[name]) & away] > 0.9).mean() > 0.98
        others = np.any([eroded(figure.visible[other], 5) for other in LAYERS if other != name], axis=0)
        assert (alpha[others & away] > 0.1).mean() < 0.01


def test_layers_scale_with_the_picture() -> None:
    figure = draw_layers(wall(), skirt=50)
    body = body_of(figure)
    small = segment(figure)
    rgb = cv2.resize(figure.rgb, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    mask = cv2.resize(figure.mask, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
    large = segment_person(rgb, mask, body.scaled(2.0), rim=2)
    assert large.skirt == pytest.approx(2 * small.skirt, abs=4)
    for name in LAYERS:
        alpha = small.textures[name][..., 3]
        halved = cv2.resize(large.textures[name][..., 3], (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
        assert np.abs(halved - alpha).sum() < 0.06 * alpha.sum()


@pytest.mark.parametrize("layer", ARMS)
def test_a_limb_outside_of_the_mask_leaves_an_empty_layer(layer: str) -> None:
    figure = draw_layers(wall())
    mask = np.where(figure.visible[layer], 0, figure.mask)
    layers = segment(replace(figure, mask=mask))
    assert (layers.textures[layer][..., 3] > 0.5).sum() == 0
    other = next(name for name in ARMS if name != layer)
    shown = eroded(figure.visible[other]) & ~around_roots(pose_array())
    assert (layers.textures[other][..., 3][shown] > 0.9).mean() > 0.98


@pytest.mark.parametrize("width", [ARM_WIDTH, 48])
def test_a_forearm_of_any_thickness_belongs_to_the_arm(width: int) -> None:
    """Drawings have arms several times as thick as people."""
    picture, mask = draw_figure(wall())
    points = to_pixels(pose_array())
    forearms = {}
    for name in ARMS:
        side = name.split("_")[0]
        arm = np.zeros(mask.shape, np.uint8)
        joints = np.array([points[INDEX(f"{side}_{part}")] for part in ("shoulder", "elbow", "wrist")])
        cv2.polylines(arm, [np.rint(joints).astype(np.int32)], False, 1, width)
        mask[arm > 0], picture[arm > 0] = 1, COLOURS[name]
        y, x = np.nonzero(arm)
        below = (np.stack([x, y], -1) - joints[1]) @ (joints[2] - joints[1]) > 0
        forearms[name] = y[below], x[below]
    layers = segment_person(picture, mask, measure_body(person_of(mask).skeleton))
    for name, forearm in forearms.items():
        assert (layers.textures[name][forearm][:, 3] > 0.5).mean() > 0.97


def test_neighbouring_layers_overlap_at_shoulders_and_hips() -> None:
    """So that no gap opens when a limb rotates about its root."""
    figure = draw_layers(wall())
    layers = segment(figure)
    for name in ARMS:
        shoulder = discs(pose_array(), (f"{name.split('_')[0]}_shoulder",), 4)
        assert (layers.textures[name][..., 3][shoulder] > 0.9).all()
        assert (layers.textures["torso"][..., 3][shoulder] > 0.9).all()
    torso = layers.textures["torso"][..., 3]
    for name in LEGS:
        leg = layers.textures[name][..., 3]
        both = (torso > 0.3) & (leg > 0.9)
        hip = to_pixels(pose_array())[INDEX(f"{name.split('_')[0]}_hip")]
        rows = np.flatnonzero(both[:, round(float(hip[0]))])
        assert np.ptp(rows[rows > hip[1] + 8]) >= 4  # below the cap at the hip joint


def test_a_skirts_hem_does_not_overlap_the_legs() -> None:
    figure = draw_layers(wall(), skirt=50)
    layers = segment(figure)
    for name in LEGS:
        below = eroded(figure.visible[name], 5)
        assert (layers.textures["torso"][..., 3][below] < 0.1).mean() > 0.98


# Widths.


@settings(max_examples=12, deadline=None)
@given(arms=st.tuples(arm_angles, arm_angles), arm_width=st.integers(12, 22), leg_width=st.integers(20, 30))
def test_widths_are_those_of_the_drawn_limbs(arms: tuple[float, float], arm_width: int, leg_width: int) -> None:
    pose = limbs_at(arms, (0.25, 0.25))
    figure = draw_layers(wall(), pose, arm_width, leg_width)
    for names, width in ((ARMS, arm_width), (LEGS, leg_width)):
        for name in names:
            axis = limb_axis(body_of(figure, pose), name, figure.mask)
            first, second = axis.knots[1:3]
            middle = np.linspace(0.6 * first, first + 0.4 * (second - first), 7)
            # The mask's edge is met up to a pixel beyond the drawn half-width.
            assert np.abs(axis.width(middle) - (width / 2 + 0.75)).max() < 1.3


@pytest.mark.parametrize("offset", [-3, 3])
def test_widths_are_those_of_the_limb_where_joints_lie_off_its_middle(offset: float) -> None:
    pose = limbs_at((0.8, 0.8), (0.25, 0.25))
    figure = draw_layers(wall(), pose)
    body = body_of(figure, pose)
    axis = limb_axis(replace(body, joints=body.joints + np.asarray([offset, 0.0])), "left_arm", figure.mask)
    middle = np.linspace(0.7 * axis.knots[1], axis.knots[1], 5)
    assert np.abs(axis.width(middle) - (ARM_WIDTH / 2 + 0.75)).max() < 1.3


def test_widths_over_the_torso_are_the_average_ones() -> None:
    """Where the mask has no edge on either side the width is unknown."""
    pose = ARM_ACROSS["at the waist"]
    figure = draw_layers(wall(), pose, arm_width=14)
    body = body_of(figure, pose)
    axis = limb_axis(body, "left_arm", np.ones_like(figure.mask))
    assert axis.width(axis.knots) == pytest.approx(np.array([0.145, 0.11, 0.075, 0.085]) * body.torso, rel=0.05)


@settings(max_examples=40, deadline=None)
@given(
    fraction=st.floats(0.02, 0.98),
    bone=st.sampled_from([0, 1]),
    offset=st.floats(-8, 8),
    angle=st.floats(-3, 3),
    bend=st.floats(-0.6, 0.6),
)
def test_axis_coordinates_invert_the_axis(fraction: float, bone: int, offset: float, angle: float, bend: float) -> None:
    rotation = np.exp(1j * angle)
    points = np.array([0, 60, 60 + 50 * np.exp(1j * bend)]) * rotation
    axis = LimbAxis(points, np.array([0.0, 110.0]), np.array([10.0, 5.0]))
    length = abs(points[bone + 1] - points[bone])
    along = np.clip(fraction * length, 12, length - 12)  # nearer to the joint the other bone may be nearest
    direction = (points[bone + 1] - points[bone]) / length
    distance, arc = axis.nearest(np.array([points[bone] + direction * along + 1j * direction * offset]))
    assert distance[0] == pytest.approx(abs(offset), abs=1e-6)
    assert arc[0] == pytest.approx(axis.knots[bone] + along, abs=1e-6)
    # Beyond the ends the arc length goes on, and the distance is that to the end.
    before = axis.nearest(np.array([points[0] - 7 * rotation]))
    assert (before.distance[0], before.arc[0]) == pytest.approx((7, -7))
    after = axis.nearest(np.array([points[2] + 7 * (points[2] - points[1]) / abs(points[2] - points[1])]))
    assert (after.distance[0], after.arc[0]) == pytest.approx((7, axis.knots[-1] + 7))
    assert axis.width(np.array([-5.0, 55.0, 200.0])) == pytest.approx([10, 7.5, 5])


# Occlusion.


@pytest.mark.parametrize("pose", ARM_ACROSS.values(), ids=ARM_ACROSS)
def test_the_torso_under_an_arm_is_inpainted_with_its_own_colour(pose: np.ndarray) -> None:
    figure = draw_layers(wall(), pose, arm_width=14, hand=20)
    layers = segment(figure, pose)
    shoulders = discs(pose, ("left_shoulder", "right_shoulder"), ROOT_RADIUS)
    occluded = eroded(figure.extents["torso"] & figure.visible["left_arm"]) & ~shoulders
    assert occluded.sum() > 300
    torso = layers.textures["torso"]
    assert (torso[..., 3][occluded] > 0.9).mean() > 0.97
    error = np.abs(colours_of(torso)[occluded] - TORSO).max(axis=1)
    assert (error < 20).mean() > 0.9
    arm = layers.textures["left_arm"]
    shown = eroded(figure.visible["left_arm"]) & ~around_roots(pose)
    assert (arm[..., 3][shown] > 0.9).mean() > 0.95
    error = np.abs(colours_of(arm)[shown] - figure.rgb[shown]).max(axis=1)
    assert (error < 20).mean() > 0.9


def test_a_leg_behind_the_other_one_has_no_hole() -> None:
    pose = moved(left_knee=(0.0, 0.50, 0), left_ankle=(-0.36, 0.22, 0), left_heel=(-0.38, 0.16, 0))
    pose[INDEX("left_toe")] = (-0.44, 0.18, 0)
    figure = draw_layers(wall(), pose)
    occluded = figure.extents["right_leg"] & figure.visible["left_leg"]
    assert occluded.sum() > 300
    layers = segment(figure, pose)
    assert (layers.textures["right_leg"][..., 3][eroded(occluded, 9)] > 0.9).mean() > 0.98
    front = layers.textures["left_leg"]
    assert (front[..., 3][eroded(occluded, 9)] > 0.9).mean() > 0.98
    assert np.abs(colours_of(front)[eroded(occluded, 9)] - COLOURS["left_leg"]).max() < 20


def test_a_hands_shadow_does_not_stay_on_the_torso() -> None:
    pose = moved(left_elbow=(0.27, 1.17, 0), left_wrist=(0.06, 1.12, 0))
    figure = draw_layers(wall(), pose, arm_width=14, hand=20)
    hand = np.all(figure.rgb == HEAD, axis=2) & figure.visible["left_arm"]
    reach = cv2.dilate(hand.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))) > 0
    shadow = reach & eroded(figure.visible["torso"])
    assert shadow.sum() > 50
    rgb = figure.rgb.copy()
    rgb[shadow] = (0.6 * np.array(TORSO)).astype(np.uint8)
    torso = segment(replace(figure, rgb=rgb), pose).textures["torso"]
    here = shadow & (torso[..., 3] > 0.9)
    assert here.sum() > 30
    assert (np.abs(colours_of(torso)[here] - TORSO).max(axis=1) < 25).mean() > 0.9


# Clothes.


@pytest.mark.parametrize("length", [30, 45, 60, 80, 100])
def test_the_length_of_a_skirt(length: int) -> None:
    figure = draw_layers(wall(), skirt=length)
    layers = segment(figure)
    assert layers.skirt == pytest.approx(length, abs=3)
    skirt = eroded(figure.visible["torso"]) & ~around_roots(pose_array())
    assert (layers.textures["torso"][..., 3][skirt] > 0.9).mean() > 0.95
    # The legs go on under it, so that no gap opens when the hem moves.
    for leg in LEGS:
        below = eroded(figure.visible[leg])
        assert (layers.textures[leg][..., 3][below] > 0.9).mean() > 0.95


@pytest.mark.parametrize("length", [0, 10, 20, 40, 80])
def test_trousers_and_short_tops_are_no_skirt(length: int) -> None:
    """Of trousers the gap between the legs opens while the legs still have the garment's colour."""
    trousers = COLOURS | {"right_leg": TORSO, "left_leg": TORSO}
    assert segment(draw_layers(wall(), skirt=length, colours=trousers)).skirt == 0
    if length <= 20:
        assert segment(draw_layers(wall(), skirt=length)).skirt == 0


def add_sleeve(figure: LayeredFigure, pose: np.ndarray) -> tuple[LayeredFigure, tuple[int, int]]:
    """A triangular sleeve that hangs from the left upper arm; the figure, and a pixel (y, x) near its tip."""
    rgb, mask = figure.rgb.copy(), figure.mask.copy()
    shoulder, elbow = to_pixels(pose)[[INDEX("left_shoulder"), INDEX("left_elbow")]]
    middle, along = (shoulder + elbow) / 2, (elbow - shoulder) / np.linalg.norm(elbow - shoulder)
    tip = middle + 14 * along + 25 * np.asarray([-along[1], along[0]])
    corners = np.rint(np.asarray([shoulder + 14 * along, elbow - 8 * along, tip]) * 8).astype(np.int32)
    for image, value in ((rgb, COLOURS["left_arm"]), (mask, 1.0)):
        cv2.fillPoly(image, [corners], value, cv2.LINE_AA, shift=3)
    x, y = np.rint(tip + 3 * (middle - tip) / np.linalg.norm(middle - tip)).astype(int)
    assert mask[y, x] > 0.9
    return replace(figure, rgb=rgb, mask=mask), (y, x)


@pytest.mark.parametrize("angle", [0.6, 1.0, 1.4])
def test_the_corner_of_a_wide_sleeve_belongs_to_a_raised_arm(angle: float) -> None:
    pose = limbs_at((angle, angle), (0.15, 0.15))
    figure, corner = add_sleeve(draw_layers(wall(), pose), pose)
    layers = segment(figure, pose)
    assert layers.textures["left_arm"][corner][3] > 0.7
    assert layers.textures["torso"][corner][3] < 0.1


def test_cloth_far_from_a_hanging_arm_belongs_to_the_torso() -> None:
    """Beside a hanging arm, cloth of its colour may as well be a skirt or a coat."""
    pose = limbs_at((0.35, 0.35), (0.15, 0.15))
    figure, corner = add_sleeve(draw_layers(wall(), pose), pose)
    layers = segment(figure, pose)
    assert layers.textures["torso"][corner][3] > 0.7
    assert layers.textures["left_arm"][corner][3] < 0.1


# Textures.


@settings(max_examples=5, deadline=None)
@given(arms=st.tuples(arm_angles, arm_angles), legs=st.tuples(leg_angles, leg_angles), skirt=st.sampled_from([0, 50]))
def test_layers_composite_to_the_picture_in_its_own_pose(
    arms: tuple[float, float], legs: tuple[float, float], skirt: int
) -> None:
    pose = limbs_at(arms, legs)
    figure = draw_layers(wall(), pose, skirt=skirt)
    error = np.abs(composite(segment(figure, pose), wall()) - figure.rgb).max(axis=2)
    assert error[figure.mask == 0].max() == 0
    inside = figure.mask > 0.99
    assert (error[inside] < 10).mean() > 0.97
    assert np.median(error[inside]) < 1


def test_textures_are_premultiplied_and_within_the_mask() -> None:
    figure = draw_layers(wall(), skirt=40)
    soft = replace(figure, mask=cv2.GaussianBlur(figure.mask, (0, 0), 1.5))
    layers = segment(soft)
    assert set(layers.textures) == set(LAYERS)
    assert set(layers.axes) == {*ARMS, *LEGS}
    for texture in layers.textures.values():
        assert texture.shape == (HEIGHT, WIDTH, 4)
        assert texture.dtype == np.float32
        alpha = texture[..., 3:]
        assert texture.min() >= 0
        assert (texture[..., :3] <= 255 * alpha + 1e-2).all()
        assert (alpha[..., 0] <= soft.mask + 1e-5).all()


def test_colours_of_the_rim_are_the_persons_and_not_the_backgrounds() -> None:
    """A bright halo along a soft outline must not move with the limbs."""
    green = np.full((HEIGHT, WIDTH, 3), (0, 255, 0), np.uint8)
    figure = draw_layers(green)
    layers = segment(figure)
    for name in ARMS:
        texture = layers.textures[name]
        edge = (texture[..., 3] > 0.2) & ~eroded(figure.extents[name], 5) & ~around_roots(pose_array())
        assert edge.sum() > 100
        assert np.abs(colours_of(texture)[edge] - COLOURS[name]).max() < 25
