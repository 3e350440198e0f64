import numpy as np
import pytest

from stgmamba.music_to_skeleton.representation import GRAPH, JOINTS, ROOT, decode, encode
from stgmamba.skeleton import OPENPOSE_18_FEET, Skeleton
from stgmamba.skeleton.body import Body, rebuild
from stgmamba.skeleton.root_trajectory import to_local, to_world


def dance(seconds: float = 6.0, fps: float = 25.0, seed: int = 0) -> Skeleton:
    """Slow smooth movements of all joints, turning and travelling."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * fps)) / fps
    base = rng.normal(size=(22, 3)) + np.array([0, 3.0, 0])
    # Hips and shoulders point apart so that the heading is well defined.
    for name in ("hip", "shoulder"):
        base[OPENPOSE_18_FEET.index(f"left_{name}")] = (2, 3, 0)
        base[OPENPOSE_18_FEET.index(f"right_{name}")] = (-2, 3, 0)
    wave = 0.3 * np.sin(2 * np.pi * rng.uniform(0.1, 0.5, (22, 3)) * t[:, None, None] + rng.uniform(0, 6, (22, 3)))
    positions = rebuild((base + wave).astype(np.float32), Body())
    local, trajectory = to_local(positions, fps)
    heading = (0.8 * t).astype(np.float32)
    moved = np.stack([0.4 * t, np.sin(t)], axis=1).astype(np.float32)
    return Skeleton(to_world(local, type(trajectory)(moved, heading)), fps, OPENPOSE_18_FEET)


def test_the_graph_hangs_from_the_root_node() -> None:
    assert GRAPH.root == ROOT == 0
    assert GRAPH.depth_first == tuple(range(JOINTS + 1))
    assert GRAPH.parents[GRAPH.index("neck")] == GRAPH.parents[GRAPH.index("left_hip")] == ROOT
    np.testing.assert_allclose(GRAPH.adjacency(), GRAPH.adjacency().T)


def test_encoding_and_decoding_give_the_dance_back() -> None:
    original = dance()
    nodes = encode(original, 25.0)
    assert nodes.shape == (round(original.seconds * 25.0), 23, 3)
    poses, trajectory = decode(nodes, 25.0, original.fps)
    want, want_path = to_local(original.positions, original.fps)
    frames = min(len(poses), len(want))
    inner = slice(10, frames - 10)
    # encode smooths by a frame, which the marker noise of real captures needs.
    assert np.abs(poses[inner] - want[inner]).mean() < 0.01
    turned = trajectory.heading[inner] - trajectory.heading[10]
    np.testing.assert_allclose(turned, want_path.heading[inner] - want_path.heading[10], atol=0.1)
    travelled = np.ptp(trajectory.position[inner], axis=0).sum()
    assert travelled == pytest.approx(np.ptp(want_path.position[inner], axis=0).sum(), rel=0.15)


def test_nodes_do_not_depend_on_where_and_how_the_dancer_stood() -> None:
    original = dance()
    angle = 2.0
    c, s = np.cos(angle), np.sin(angle)
    turned = original.positions.copy()
    turned[..., 0] = c * original.positions[..., 0] + s * original.positions[..., 2] + 5
    turned[..., 2] = -s * original.positions[..., 0] + c * original.positions[..., 2] - 3
    # Steps scale about the origin of the room when the body does; this body is the default one, so nothing scales.
    np.testing.assert_allclose(
        encode(Skeleton(turned, 25.0, OPENPOSE_18_FEET), 25.0), encode(original, 25.0), atol=2e-2
    )


def test_decoded_bones_have_constant_length_even_for_noise() -> None:
    poses, _ = decode(np.random.default_rng(0).normal(size=(40, 23, 3)).astype(np.float32), 12.5, 25.0)
    for a, b in OPENPOSE_18_FEET.tree:
        lengths = np.linalg.norm(poses[:, a] - poses[:, b], axis=-1)
        assert np.ptp(lengths) < 1e-3, (a, b)
