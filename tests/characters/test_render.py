from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stgmamba.characters import CHARACTERS, Appearance, random_appearance
from stgmamba.characters.background import Background
from stgmamba.characters.person import Person, rest_pose
from stgmamba.characters.render import CharacterRenderer, SceneRenderer, draw
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


def posed(appearance: Appearance, **joints: tuple[float, float, float]) -> np.ndarray:
    """The rest pose with limbs turned: each named joint lies in the given direction from its parent."""
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
    pose = posed(MIRA, **POSES["step"])
    first, second = (draw(MIRA, pose, camera_for(pose)) for _ in range(2))
    assert np.array_equal(first.rgb, second.rgb)
    assert np.array_equal(first.mask, second.mask)


def test_looks_differ() -> None:
    pictures = []
    for appearance in (*CHARACTERS.values(), *(random_appearance(seed) for seed in range(6))):
        pose = rest_pose(appearance)
        pictures.append(draw(appearance, pose, camera_for(pose)).rgb.astype(int))
    for i, one in enumerate(pictures):
        for other in pictures[:i]:
            assert np.abs(one - other).mean() > 1.0


def test_mask_is_what_was_drawn() -> None:
    pose = posed(MIRA, **POSES["arms"])
    camera = camera_for(pose)
    stage = SceneRenderer(Background(), camera)
    drawing = stage.draw(Person(MIRA), pose)
    assert drawing.mask.min() == 0
    assert drawing.mask.max() == 1
    changed = np.abs(drawing.rgb.astype(int) - stage.rgb.astype(int)).max(axis=2)
    assert (changed[drawing.mask == 1] > 4).mean() > 0.9
    # Outside there is at most a shadow: nothing gets brighter.
    outside = drawing.mask == 0
    assert (drawing.rgb[outside] <= stage.rgb[outside]).all()
    assert np.array_equal(np.isfinite(drawing.depth), drawing.mask > 0)
    xy, depth = camera.project(pose)
    for name in ("neck", "left_elbow", "right_wrist", "left_knee"):
        x, y = np.rint(xy[J[name]]).astype(int)
        assert drawing.mask[y, x] == 1
        assert drawing.depth[y, x] == pytest.approx(depth[J[name]], abs=0.2)


def test_nearer_limbs_cover_what_is_behind() -> None:
    appearance = replace(MIRA, top=replace(MIRA.top, kind="tshirt", colour="#2040d0"))
    person = Person(appearance)
    covers = {}
    for where, z in (("front", 0.8), ("behind", -0.8)):
        pose = posed(appearance, left_elbow=(0.1, -1, z), left_wrist=(-1, -0.25, 0.1 * np.sign(z)))
        camera = camera_for(pose, (300, 400))
        xy, depth = camera.project(pose)
        drawing = SceneRenderer(Background(), camera).draw(person, pose)
        x, y = np.rint(xy[J["left_elbow"]] * 0.5 + xy[J["left_wrist"]] * 0.5).astype(int)
        covers[where] = drawing.rgb[y, x].astype(int)
        arm = (depth[J["left_elbow"]] + depth[J["left_wrist"]]) / 2
        assert (drawing.depth[y, x] < arm + 0.02) if where == "front" else (drawing.depth[y, x] < arm - 0.1)
    skin, cloth = covers["front"], covers["behind"]
    assert skin[0] > skin[2]
    assert cloth[2] > cloth[0]


def test_no_face_from_behind() -> None:
    """Eyes are white: seen from the front the head has bright grey pixels, from behind none."""
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


def test_person_out_of_the_picture_leaves_it_empty() -> None:
    pose = rest_pose(MIRA) + np.asarray([50.0, 0.0, 0.0], np.float32)
    camera = camera_for(rest_pose(MIRA))
    drawing = draw(MIRA, pose, camera)
    assert drawing.mask.max() == 0
    behind = draw(MIRA, rest_pose(MIRA) + np.asarray([0.0, 0.0, 30.0], np.float32), camera)
    assert behind.mask.max() == 0


@given(seed=st.integers(0, 10_000), trouble=st.sampled_from(["points", "limb", "noise", "nan", "huge"]))
@settings(max_examples=25, deadline=None)
def test_degenerate_skeletons_are_drawn_without_nan(seed: int, trouble: str) -> None:
    rng = np.random.default_rng(seed)
    appearance = random_appearance(seed)
    pose = rest_pose(appearance)
    camera = camera_for(pose, (64, 80))
    if trouble == "points":
        pose[:] = pose[J["neck"]]
    elif trouble == "limb":
        child = int(rng.integers(2, 22))
        pose[child] = pose[OPENPOSE_18_FEET.parents[child]]
    elif trouble == "noise":
        pose += rng.normal(0, 0.3, pose.shape).astype(np.float32)
    elif trouble == "nan":
        pose[rng.integers(0, 22)] = np.nan
    else:
        pose *= 100
    parts = Person(appearance).parts(np.nan_to_num(pose), np.zeros(3, np.float32))
    assert all(np.isfinite(part.points).all() for part in parts)
    drawing = draw(appearance, pose, camera)
    assert np.isfinite(drawing.mask).all()
    assert 0 <= drawing.mask.min() <= drawing.mask.max() <= 1


def test_renderer_gives_one_frame_each_lazily() -> None:
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


def test_feet_stand_on_the_floor() -> None:
    for appearance in CHARACTERS.values():
        parts = Person(appearance).parts(rest_pose(appearance), np.zeros(3, np.float32))
        lowest = min(float(part.points[..., 1].min()) for part in parts)
        assert lowest == pytest.approx(0.0, abs=0.004)


def found_share(appearance: Appearance, which: str, yaw: float) -> float:
    """Share of the joints that MediaPipe finds within 0.15 torso lengths of where they were drawn."""
    pose = posed(appearance, **POSES[which])
    camera = camera_for(pose, (300, 400), yaw)
    xy, _ = camera.project(pose)
    found = find_person(Picture(draw(appearance, pose, camera).rgb)).skeleton.positions[0]
    torso = np.linalg.norm(xy[J["neck"]] - (xy[J["left_hip"]] + xy[J["right_hip"]]) / 2)
    return float((np.linalg.norm(found - xy, axis=1) < 0.15 * torso).mean())


VIEWS = (("rest", 0.5), ("arms", 0.1), ("step", -0.3))


def test_the_estimator_finds_the_drawn_people() -> None:
    shares = [found_share(appearance, *VIEWS[k % 3]) for k, appearance in enumerate(CHARACTERS.values())]
    assert min(shares) > 0.5
    assert np.mean(shares) > 0.8


@pytest.mark.slow
@pytest.mark.parametrize("name", CHARACTERS)
def test_the_estimator_finds_every_dancer_in_every_pose(name: str) -> None:
    shares = [found_share(CHARACTERS[name], *view) for view in VIEWS]
    assert min(shares) > 0.5
    assert np.mean(shares) > 0.75
