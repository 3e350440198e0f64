from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stgmamba.characters import CHARACTERS, Appearance, random_appearance
from stgmamba.characters.background import Background
from stgmamba.characters.render import CharacterRenderer, RenderedCharacter, SceneRenderer, cloth_lag
from stgmamba.characters.surface import CharacterSurface, rest_pose
from stgmamba.person.picture import Picture
from stgmamba.person.pose import find_person
from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton
from stgmamba.skeleton.body import rebuild
from stgmamba.skeleton.camera import Camera, frame_dance

J = {name: i for i, name in enumerate(OPENPOSE_18_FEET.joints)}
MIRA = CHARACTERS["mira"]
SIZE = (150, 200)


def camera_for(pose: np.ndarray, size: tuple[int, int] = SIZE, yaw: float = 0.0) -> Camera:
    return frame_dance(Skeleton(pose[None], 25.0, OPENPOSE_18_FEET), size, yaw=yaw)


def draw(appearance: Appearance, positions: np.ndarray, camera: Camera) -> RenderedCharacter:
    return SceneRenderer(Background(), camera).draw(CharacterSurface(appearance), positions)


def pose_with(appearance: Appearance, **joints: tuple[float, float, float]) -> np.ndarray:
    """The rest pose with rotated limbs: each named joint lies in the given direction from its parent."""
    p = rest_pose(appearance)
    for name, direction in joints.items():
        j = J[name]
        parent = OPENPOSE_18_FEET.parents[j]
        moved = p[parent] + np.asarray(direction, np.float32) / np.linalg.norm(direction)
        for child in descendants(j):
            p[child] += moved - p[j] if child != j else 0
        p[j] = moved
    return rebuild(p, appearance.body)


def descendants(joint: int) -> list[int]:
    found = [joint]
    for child, parent in enumerate(OPENPOSE_18_FEET.parents):
        if parent == joint:
            found += descendants(child)
    return found


POSES: dict[str, dict[str, tuple[float, float, float]]] = {
    "rest": {},
    "arms": {
        "left_elbow": (1, 0.1, 0.1),
        "left_wrist": (1, 0.9, 0.1),
        "right_elbow": (-1, 0.2, 0.1),
        "right_wrist": (-0.9, 0.6, 0.3),
    },
    "step": {
        "left_knee": (0.35, -1, 0.3),
        "left_ankle": (0.2, -1, -0.2),
        "right_knee": (-0.3, -1, -0.05),
        "left_elbow": (0.8, -0.6, 0),
        "left_wrist": (0.6, -0.2, 0.5),
        "right_elbow": (-0.9, 0.5, 0),
        "right_wrist": (-0.3, 1, 0.1),
    },
}


def test_drawing_is_deterministic() -> None:
    pose = pose_with(MIRA, **POSES["step"])
    first, second = (draw(MIRA, pose, camera_for(pose)) for _ in range(2))
    assert np.array_equal(first.rgb, second.rgb)
    assert np.array_equal(first.mask, second.mask)


def test_appearances_give_distinct_pictures() -> None:
    pictures = []
    for appearance in (*CHARACTERS.values(), *(random_appearance(seed) for seed in range(6))):
        pose = rest_pose(appearance)
        pictures.append(draw(appearance, pose, camera_for(pose)).rgb.astype(int))
    for i, one in enumerate(pictures):
        for other in pictures[:i]:
            assert np.abs(one - other).mean() > 1.0


def test_mask_and_depth_match_the_rendered_pixels() -> None:
    pose = pose_with(MIRA, **POSES["arms"])
    camera = camera_for(pose)
    scene = SceneRenderer(Background(), camera)
    drawing = scene.draw(CharacterSurface(MIRA), pose)
    assert drawing.mask.min() == 0
    assert drawing.mask.max() == 1
    changed = np.abs(drawing.rgb.astype(int) - scene.rgb.astype(int)).max(axis=2)
    assert (changed[drawing.mask == 1] > 4).mean() > 0.9
    # Outside of the mask there are at most shadows: no pixel is brighter.
    outside = drawing.mask == 0
    assert (drawing.rgb[outside] <= scene.rgb[outside]).all()
    assert np.array_equal(np.isfinite(drawing.depth), drawing.mask > 0)
    xy, depth = camera.project(pose)
    for name in ("neck", "left_elbow", "right_wrist", "left_knee"):
        x, y = np.rint(xy[J[name]]).astype(int)
        assert drawing.mask[y, x] == 1
        assert drawing.depth[y, x] == pytest.approx(depth[J[name]], abs=0.2)


def test_nearer_limbs_occlude_farther_ones() -> None:
    appearance = replace(MIRA, top=replace(MIRA.top, kind="tshirt", colour="#2040d0"))
    person = CharacterSurface(appearance)
    colours = {}
    for where, z in (("front", 0.8), ("behind", -0.8)):
        pose = pose_with(appearance, left_elbow=(0.1, -1, z), left_wrist=(-1, -0.25, 0.1 * np.sign(z)))
        camera = camera_for(pose, (300, 400))
        xy, depth = camera.project(pose)
        drawing = SceneRenderer(Background(), camera).draw(person, pose)
        x, y = np.rint(xy[J["left_elbow"]] * 0.5 + xy[J["left_wrist"]] * 0.5).astype(int)
        colours[where] = drawing.rgb[y, x].astype(int)
        arm = (depth[J["left_elbow"]] + depth[J["left_wrist"]]) / 2
        assert (drawing.depth[y, x] < arm + 0.02) if where == "front" else (drawing.depth[y, x] < arm - 0.1)
    skin, cloth = colours["front"], colours["behind"]
    assert skin[0] > skin[2]
    assert cloth[2] > cloth[0]


def test_face_is_invisible_from_behind() -> None:
    """Eyes are white: from the front the head has bright grey pixels, from behind none."""
    pose = rest_pose(MIRA)
    y = pose[J["nose"], 1]
    whites = {}
    for view, yaw in (("front", 0.0), ("back", np.pi)):
        camera = Camera(yaw, float(y), 1.2, 400.0, (160, 160), (0.0, float(y), 0.0))
        drawing = draw(replace(MIRA, face=replace(MIRA.face, earrings=None)), pose, camera)
        head = drawing.rgb[40:90].astype(int)[drawing.mask[40:90] == 1]
        whites[view] = int(((head.min(axis=1) > 150) & (np.ptp(head, axis=1) < 40)).sum())
    assert whites["front"] > 20
    assert whites["back"] == 0


@pytest.mark.parametrize("size", [(1, 1), (17, 31), (101, 64), (640, 480)])
def test_any_size(size: tuple[int, int]) -> None:
    pose = rest_pose(MIRA)
    camera = Camera(0.3, 1.2, 4.0, 1.5 * max(size), size, (0.0, 0.9, 0.0))
    drawing = draw(MIRA, pose, camera)
    assert drawing.rgb.shape == (size[1], size[0], 3)
    assert drawing.rgb.dtype == np.uint8
    assert drawing.mask.shape == (size[1], size[0])


def test_person_outside_of_the_picture_or_behind_the_camera_gives_an_empty_mask() -> None:
    pose = rest_pose(MIRA) + np.asarray([50.0, 0.0, 0.0], np.float32)
    camera = camera_for(rest_pose(MIRA))
    drawing = draw(MIRA, pose, camera)
    assert drawing.mask.max() == 0
    behind = draw(MIRA, rest_pose(MIRA) + np.asarray([0.0, 0.0, 30.0], np.float32), camera)
    assert behind.mask.max() == 0


@given(seed=st.integers(0, 10_000), fault=st.sampled_from(["points", "limb", "noise", "nan", "huge"]))
@settings(max_examples=25, deadline=None)
def test_degenerate_skeletons_give_finite_pictures(seed: int, fault: str) -> None:
    rng = np.random.default_rng(seed)
    appearance = random_appearance(seed)
    pose = rest_pose(appearance)
    camera = camera_for(pose, (64, 80))
    if fault == "points":
        pose[:] = pose[J["neck"]]
    elif fault == "limb":
        child = int(rng.integers(2, 22))
        pose[child] = pose[OPENPOSE_18_FEET.parents[child]]
    elif fault == "noise":
        pose += rng.normal(0, 0.3, pose.shape).astype(np.float32)
    elif fault == "nan":
        pose[rng.integers(0, 22)] = np.nan
    else:
        pose *= 100
    parts = CharacterSurface(appearance).parts(np.nan_to_num(pose), np.zeros(3, np.float32))
    assert all(np.isfinite(part.points).all() for part in parts)
    drawing = draw(appearance, pose, camera)
    assert np.isfinite(drawing.mask).all()
    assert 0 <= drawing.mask.min() <= drawing.mask.max() <= 1


def test_frames_yields_one_frame_per_pose_lazily() -> None:
    pose = rest_pose(CHARACTERS["kofi"])
    steps = np.linspace(0, 0.5, 6, dtype=np.float32)[:, None, None] * np.asarray([1.0, 0.0, 0.0], np.float32)
    dance = Skeleton(pose[None] + steps, 25.0, OPENPOSE_18_FEET)
    renderer = CharacterRenderer(CHARACTERS["lena"], (120, 160))
    assert renderer.size == (120, 160)
    frames = renderer.frames(dance)
    assert not isinstance(frames, list)
    pictures = list(frames)
    assert len(pictures) == 6
    assert all(picture.shape == (160, 120, 3) and picture.dtype == np.uint8 for picture in pictures)
    assert all(np.array_equal(a, b) for a, b in zip(pictures, renderer.frames(dance), strict=True))
    assert any(not np.array_equal(pictures[0], picture) for picture in pictures[1:])


def test_cloth_lags_behind_the_movement_and_is_bounded() -> None:
    t = np.arange(50) / 25
    step = np.zeros((50, 1, 3), np.float32)
    step[:, 0, 0] = 3.0 * t  # 3 m/s to the left
    moving = Skeleton(rest_pose(MIRA)[None] + step, 25.0, OPENPOSE_18_FEET)
    lag = cloth_lag(moving)
    assert (lag[:, 0] < -0.05).all()
    assert np.abs(lag[:, 1:]).max() < 1e-6
    assert np.linalg.norm(lag, axis=1).max() <= 0.1
    assert not cloth_lag(moving.slice(0, 1)).any()


def test_soles_are_on_the_floor_in_the_rest_pose() -> None:
    for appearance in CHARACTERS.values():
        parts = CharacterSurface(appearance).parts(rest_pose(appearance), np.zeros(3, np.float32))
        lowest = min(float(part.points[..., 1].min()) for part in parts)
        assert lowest == pytest.approx(0.0, abs=0.004)


def detection_rate(appearance: Appearance, name: str, yaw: float) -> float:
    """Fraction of joints that MediaPipe detects within 0.15 torso lengths of their projections."""
    pose = pose_with(appearance, **POSES[name])
    camera = camera_for(pose, (300, 400), yaw)
    xy, _ = camera.project(pose)
    detected = find_person(Picture(draw(appearance, pose, camera).rgb)).skeleton.positions[0]
    torso = np.linalg.norm(xy[J["neck"]] - (xy[J["left_hip"]] + xy[J["right_hip"]]) / 2)
    return float((np.linalg.norm(detected - xy, axis=1) < 0.15 * torso).mean())


VIEWS = (("rest", 0.5), ("arms", 0.1), ("step", -0.3))


def test_mediapipe_detects_the_characters() -> None:
    rates = [detection_rate(appearance, *VIEWS[k % 3]) for k, appearance in enumerate(CHARACTERS.values())]
    assert min(rates) > 0.5
    assert np.mean(rates) > 0.8


@pytest.mark.slow
@pytest.mark.parametrize("name", CHARACTERS)
def test_mediapipe_detects_every_character_in_every_pose(name: str) -> None:
    rates = [detection_rate(CHARACTERS[name], *view) for view in VIEWS]
    assert min(rates) > 0.5
    assert np.mean(rates) > 0.75
